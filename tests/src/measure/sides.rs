//! The bound and Thicket side by side: push and pull, bytes on the wire, live edits.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use thicket_core::body::{CommitTime, Content, NoteBody};
use thicket_core::document::{Actor, Field, NoteDocument};
use thicket_core::ids::GenerationId;
use thicket_core::sheet::sha256;
use thicket_core::text::{Layer, units};
use thicket_core::time::Observed;
use thicket_core::view::{EncodedView, Heads, Meta, Provenance};
use thicket_protocol::address::ServerAddress;
use thicket_protocol::ids::{DeviceId, MemberId};

use super::bound;
use super::figures::{Figure, median};
use super::relay::Relay;
use super::tap::Tap;
use super::verbs::{self, Failure, Fetched};
use super::work::Work;

/// Live edits of one run.
const LIVE_EDITS: usize = 20;
/// Between two of them.
const LIVE_EVERY: Duration = Duration::from_millis(150);

/// The bodies of a workload, as a home prepares them: each the whole document after its edits, with its view.
pub fn bodies(work: &[Work]) -> Result<Vec<NoteBody>, Failure> {
    work.iter().map(body).collect()
}

fn body(one: &Work) -> Result<NoteBody, Failure> {
    let note = verbs::note_id(one);
    let document = GenerationId::from_bytes(*note.as_bytes());
    let at = verbs::now();
    let meta = Meta {
        note,
        parent: None,
        draft_of: None,
        author: MemberId::from_bytes([1; 16]),
        encounter: None,
        layer: Layer::Observation,
        observed: Observed::Minute(at),
        recorded: at,
        provenance: Provenance::Typed,
        about: Default::default(),
        nobody: true,
        ended: false,
    };
    let actor = Actor::derive(DeviceId::from_bytes([2; 16]), &[3; 16], document);
    let mut loaded = NoteDocument::new(actor, &meta, &units(&one.title), &units(&one.body))?;
    let mut commits: Vec<_> = loaded.heads().into_iter().collect();
    let mut text = one.body.clone();
    for (at, deleted, inserted) in &one.edits {
        text.replace_range(*at..*at + *deleted, inserted);
        loaded.update(Field::Text, &units(&text))?;
        commits.extend(loaded.commit());
    }
    let time = |change| CommitTime { change, at_ms: at.unix_ms(), zone_minutes: 0 };
    Ok(NoteBody {
        view: EncodedView::of(&loaded.view()?),
        document,
        base: Heads::new(),
        result: loaded.heads(),
        content: Content::Full(loaded.save_uncompressed()),
        commits: commits.into_iter().map(time).collect(),
    })
}

/// What one run of push and pull measured.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Thicket's push and the bound's, in seconds.
    pub push_s: (f64, f64),
    /// Thicket's pull and the bound's, in seconds.
    pub pull_s: (f64, f64),
    /// What the reading device measured of itself.
    pub fetched: Fetched,
}

/// Pushes and pulls once, the bound first; the reader is a process of its own, so that its memory can be told. The writer
/// is a copy of the home in `written`. The homes stay in `dir`, as `a` and `b`.
pub fn run(
    dir: &Path,
    relay: &Relay,
    written: &Path,
    work: &[Work],
    bodies: &[NoteBody],
) -> Result<Run, Failure> {
    let bound = {
        let store = bound::Store::start(dir.join("bound.db"))?;
        bound::measure(store.address, dir, bodies)?
    };
    let (a, b) = (dir.join("a"), dir.join("b"));
    let push_s = push(dir, written, &relay.url, &mut || 0.0)?.0;
    admit(&a, &b, &dir.join("share"))?;
    let fetched = fetch_apart(&b)?;
    check(&b, work)?;
    Ok(Run { push_s: (push_s, bound.push_s), pull_s: (fetched.pull_s, bound.pull_s), fetched })
}

/// Sends all that a copy of a home holds, and leaves an invite: how many seconds the sending took, and how much `count` went
/// up by it.
fn push(
    dir: &Path,
    written: &Path,
    server: &ServerAddress,
    count: &mut dyn FnMut() -> f64,
) -> Result<(f64, f64), Failure> {
    let a = dir.join("a");
    verbs::copy(written, &a)?;
    let mut home = verbs::open(&a)?;
    home.use_server(server, verbs::now())?;
    let began = count();
    let push_s = verbs::send_all(&mut home)?;
    let counted = count() - began;
    verbs::invite(&mut home, &dir.join("share"))?;
    home.lock()?;
    Ok((push_s, counted))
}

fn admit(a: &Path, b: &Path, share: &Path) -> Result<(), Failure> {
    verbs::join(b, share)?;
    verbs::admit(a)
}

/// Fetches in a process of its own: this program, asked for it.
fn fetch_apart(b: &Path) -> Result<Fetched, Failure> {
    let asked =
        Command::new(std::env::current_exe()?).arg("fetch").arg(b).stderr(Stdio::inherit()).output()?;
    if !asked.status.success() {
        return Err("the reading process failed".into());
    }
    Ok(serde_json::from_slice(&asked.stdout)?)
}

/// Everything that was written can be read on the other device, letter for letter.
fn check(b: &Path, work: &[Work]) -> Result<(), Failure> {
    let home = verbs::open(b)?;
    let expected: String = work.iter().map(Work::edited).collect();
    let (_, sha) = verbs::texts(&home, work)?;
    if sha != sha256(expected.as_bytes()).to_string() {
        return Err("the texts that came are not those that were written".into());
    }
    Ok(home.lock()?)
}

/// Bytes of UDP payload, both ways, of a push and of a pull: Thicket's and the bound's.
pub fn wire(dir: &Path, written: &Path, bodies: &[NoteBody]) -> Result<[(f64, f64); 2], Failure> {
    let bound = {
        let store = bound::Store::start(dir.join("bound.db"))?;
        let tap = Tap::before(store.address, false)?;
        bound::measure_each(tap.address, dir, bodies, || total(&tap))?
    };
    let relay = Relay::start(dir.join("server"))?;
    let tap = Tap::before(relay.address, false)?;
    let (_, pushed) = push(dir, written, &relay.behind(tap.address), &mut || total(&tap))?;
    let (a, b) = (dir.join("a"), dir.join("b"));
    admit(&a, &b, &dir.join("share"))?;
    let began = total(&tap);
    verbs::fetch(&b)?;
    Ok([(pushed, bound.0), (total(&tap) - began, bound.1)])
}

#[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 bytes")]
fn total(tap: &Tap) -> f64 {
    let (up, down, _) = tap.counted();
    (up + down) as f64
}

/// Live edits between the homes in `dir`, and the bound's: milliseconds from the making to when it can be read.
pub fn live(dir: &Path, work: &[Work], body: &NoteBody) -> Result<(f64, f64), Failure> {
    let bound = {
        let store = bound::Store::start(dir.join("bound-live.db"))?;
        bound::live(store.address, body, LIVE_EDITS, LIVE_EVERY)?
    };
    let (a, b) = (dir.join("a"), dir.join("b"));
    let (told, ready) = std::sync::mpsc::channel();
    let ours = std::thread::scope(|scope| -> Result<Vec<f64>, Failure> {
        let reads = scope.spawn(move || {
            let ready = || told.send(()).expect("who started it waits");
            verbs::live_b(&b, work, LIVE_EDITS, ready).map_err(|error| error.to_string())
        });
        if ready.recv().is_ok() {
            verbs::live_a(&a, work, LIVE_EDITS)?;
        }
        Ok(reads.join().map_err(|_| "the reader panicked")??)
    })?;
    Ok((median(&ours), median(&bound)))
}

/// Adds a run to the figures of push and pull.
pub fn add(run: &Run, push: &mut Figure, pull: &mut Figure) {
    push.beside(run.push_s.0, run.push_s.1);
    pull.beside(run.pull_s.0, run.pull_s.1);
}
