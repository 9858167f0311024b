//! The verbs of the workload, each as a person's devices would do it: real homes, the client's public API, no hooks.
//!
//! Keys are unwrapped without a passphrase: Argon2id alone would cost a tenth of a second.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use thicket_client::keeper::Change;
use thicket_client::{ClientError, Keeper, Limits, run};
use thicket_core::entropy::{Entropy, SystemEntropy};
use thicket_core::home::{About, Founding, Home, HomeError, NewNote, NoteEdit};
use thicket_core::ids::NoteId;
use thicket_core::name::Name;
use thicket_core::ring::Wrapping;
use thicket_core::secret::WrappingKey;
use thicket_core::sync::{Errand, Outcome, SyncEvent};
use thicket_core::text::{Layer, units};
use thicket_core::time::{Moment, Observed};
use thicket_core::view::Provenance;
use thicket_protocol::address::{InviteCode, ServerAddress};
use thicket_protocol::governance::{Admits, Realm, Role};
use thicket_protocol::sign;

use super::work::Work;

/// Where the edit of [`edit`] goes in.
const EDIT_AT: usize = 10;
/// What it inserts.
const EDIT: &str = "EDITED ";
/// Between two live edits.
const LIVE_EVERY: Duration = Duration::from_millis(150);
/// What stands before and behind the time of making in a live edit.
const LIVE_MARK: char = '|';
/// Notes that are indexed at a time.
const INDEX_AT_ONCE: usize = 200;

/// Why a verb could not be done.
pub type Failure = Box<dyn std::error::Error>;

/// What [`push`] measured, in seconds.
#[derive(Debug, Clone, Serialize)]
pub struct Pushed {
    /// Writing all notes and edits, offline.
    pub create_s: f64,
    /// From the beginning of connecting to everything acknowledged.
    pub push_s: f64,
    /// How many notes.
    pub notes: usize,
}

/// What [`pull`] measured, in seconds.
#[derive(Debug, Clone, Serialize)]
pub struct Pulled {
    /// From the beginning of connecting to everything stored and readable.
    pub pull_s: f64,
    /// Working off the search index afterwards.
    pub index_s: f64,
    /// How many notes of the workload are there.
    pub notes: usize,
    /// SHA-256 of all texts one behind another.
    pub sha: String,
}

/// The id that a note of the workload has on every device.
pub fn note_id(work: &Work) -> NoteId {
    NoteId::from_bytes(sign::hash("thicket/workload/1", &[work.id.as_bytes()]).first_16())
}

/// The clock of this machine, in UTC.
pub fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Moment::new(i64::try_from(since.as_millis()).expect("this century"), 0).expect("this century")
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn home_folder(dir: &Path) -> PathBuf {
    dir.join("home")
}

/// The wrapping key of a workload's home, made when it is first asked for.
fn wrapping(dir: &Path) -> Result<Wrapping<'static>, Failure> {
    let path = dir.join("key");
    let key: [u8; 32] = match fs::read(&path) {
        Ok(bytes) => bytes.try_into().map_err(|_| "the key file has another length")?,
        Err(_) => {
            let mut key = [0; 32];
            SystemEntropy::new().fill(&mut key);
            fs::create_dir_all(dir)?;
            fs::write(&path, key)?;
            key
        }
    };
    Ok(Wrapping::Key(WrappingKey::from_bytes(key)))
}

/// Copies the home of one folder into another, with its key.
pub fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let (home, copy) = (home_folder(from), home_folder(to));
    fs::create_dir_all(&copy)?;
    fs::copy(from.join("key"), to.join("key"))?;
    for file in fs::read_dir(home)? {
        let file = file?;
        fs::copy(file.path(), copy.join(file.file_name()))?;
    }
    Ok(())
}

/// Opens the home of a workload's folder.
pub fn open(dir: &Path) -> Result<Home, Failure> {
    Ok(Home::open(&home_folder(dir), wrapping(dir)?, now(), Box::new(SystemEntropy::new()))?)
}

fn sync(
    home: &mut Home,
    errand: Errand,
    on_event: &mut dyn FnMut(&SyncEvent),
) -> Result<Outcome, ClientError> {
    run(home, errand, &Limits::default(), &now, on_event)
}

/// Makes a home with the notes in it, offline and with no server set, and tells how many seconds that took.
pub fn create(dir: &Path, work: &[Work]) -> Result<(Home, f64), Failure> {
    let founding = Founding {
        team: name("Workload"),
        member: name("Ada"),
        device: name("Laptop"),
        notebook: name("Visits"),
        realm: Realm::Research,
    };
    let (mut home, founded) =
        Home::init(&home_folder(dir), wrapping(dir)?, &founding, now(), Box::new(SystemEntropy::new()))?;
    let began = Instant::now();
    for one in work {
        let note = note_id(one);
        let at = now();
        home.write_note(
            NewNote {
                notebook: founded.notebook,
                id: Some(note),
                encounter: None,
                title: units(&one.title),
                text: units(&one.body),
                about: About::Nobody,
                layer: Layer::Observation,
                observed: Observed::Minute(at),
                provenance: Provenance::Typed,
            },
            at,
        )?;
        let mut body = one.body.clone();
        for (at, deleted, inserted) in &one.edits {
            body.replace_range(*at..*at + *deleted, inserted);
            home.edit_note(note, NoteEdit { text: Some(units(&body)), ..NoteEdit::default() }, now())?;
        }
    }
    Ok((home, began.elapsed().as_secs_f64()))
}

/// A: makes a home, writes the notes offline, then connects and sends all; leaves an invite for B.
pub fn push(dir: &Path, share: &Path, server: &ServerAddress, work: &[Work]) -> Result<Pushed, Failure> {
    let (mut home, create_s) = create(dir, work)?;
    home.use_server(server, now())?;
    let push_s = send_all(&mut home)?;
    invite(&mut home, share)?;
    home.lock()?;
    Ok(Pushed { create_s, push_s, notes: work.len() })
}

/// Connects and sends all, and tells how many seconds that took.
pub fn send_all(home: &mut Home) -> Result<f64, Failure> {
    let began = Instant::now();
    let outcome = sync(home, Errand::Sync, &mut |_| {})?;
    let push_s = began.elapsed().as_secs_f64();
    if outcome.is_up_to_date { Ok(push_s) } else { Err("not everything was sent".into()) }
}

/// Leaves an invite for B.
pub fn invite(home: &mut Home, share: &Path) -> Result<(), Failure> {
    let mut code = None;
    let expires_ms = u64::try_from(now().unix_ms())? + 86_400_000;
    let admits = Admits::Member(Role::Fieldworker);
    sync(home, Errand::Invite { admits, expires_ms }, &mut |event| {
        if let SyncEvent::Invited(invited) = event {
            code = Some(invited.to_string());
        }
    })?;
    Ok(fs::write(share, code.ok_or("no invite came")?)?)
}

/// B: makes its home and publishes its prekey.
pub fn join(dir: &Path, share: &Path) -> Result<(), Failure> {
    let code: InviteCode = fs::read_to_string(share)?.trim().parse()?;
    let entropy = Box::new(SystemEntropy::new());
    let mut home = Home::prepare_join(
        &home_folder(dir),
        wrapping(dir)?,
        &code,
        name("Ben"),
        name("Phone"),
        now(),
        entropy,
    )?;
    sync(&mut home, Errand::Join, &mut |_| {})?;
    Ok(home.lock()?)
}

/// A: connects and gives keys to whoever waits for them.
pub fn admit(dir: &Path) -> Result<(), Failure> {
    let mut home = open(dir)?;
    sync(&mut home, Errand::Sync, &mut |_| {})?;
    Ok(home.lock()?)
}

/// What [`fetch`] measured.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Fetched {
    /// From the beginning of connecting to everything stored and readable, in seconds.
    pub pull_s: f64,
    /// Working off the search index afterwards, in seconds.
    pub index_s: f64,
    /// The most memory that the process had until everything was readable, in MB; none where the system does not tell.
    pub pull_mb: Option<f64>,
    /// The same until the index was complete.
    pub index_mb: Option<f64>,
}

/// Fetches everything, then works off the index.
pub fn fetch(dir: &Path) -> Result<Fetched, Failure> {
    let mut home = open(dir)?;
    let fetched = fetch_into(&mut home)?;
    home.lock()?;
    Ok(fetched)
}

fn fetch_into(home: &mut Home) -> Result<Fetched, Failure> {
    let began = Instant::now();
    let outcome = sync(home, Errand::Sync, &mut |_| {})?;
    let pull_s = began.elapsed().as_secs_f64();
    if !outcome.is_up_to_date {
        return Err("not everything was fetched".into());
    }
    let pull_mb = peak_mb();
    let index_s = index_all(home)?;
    Ok(Fetched { pull_s, index_s, pull_mb, index_mb: peak_mb() })
}

/// Works off the search index, and tells how many seconds that took.
pub fn index_all(home: &mut Home) -> Result<f64, Failure> {
    let began = Instant::now();
    while home.index_some(INDEX_AT_ONCE)? > 0 {}
    Ok(began.elapsed().as_secs_f64())
}

/// The most memory that this process ever had resident, in MB of a million bytes (`VmHWM` of proc(5), kB of 1,024 bytes).
fn peak_mb() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kb: u32 = line.split_whitespace().next()?.parse().ok()?;
    Some(f64::from(kb) * 1_024.0 / 1_000_000.0)
}

/// How many notes of a workload a home shows, and the SHA-256 of their texts one behind another.
pub fn texts(home: &Home, work: &[Work]) -> Result<(usize, String), Failure> {
    let (mut notes, mut texts) = (0, Vec::new());
    for one in work {
        match home.note(note_id(one)) {
            Ok(note) => {
                notes += 1;
                texts.extend_from_slice(note.text.as_bytes());
            }
            Err(HomeError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok((notes, thicket_core::sheet::sha256(&texts).to_string()))
}

/// B: fetches everything, or whatever is new.
pub fn pull(dir: &Path, work: &[Work]) -> Result<Pulled, Failure> {
    let mut home = open(dir)?;
    let Fetched { pull_s, index_s, .. } = fetch_into(&mut home)?;
    let (notes, sha) = texts(&home, work)?;
    home.lock()?;
    Ok(Pulled { pull_s, index_s, notes, sha })
}

/// A: edits the note in the middle and sends that; tells how many seconds it took from the beginning of connecting.
pub fn edit(dir: &Path, work: &[Work]) -> Result<f64, Failure> {
    let mut home = open(dir)?;
    let one = work.get(work.len() / 2).ok_or("there is no note")?;
    let mut text = home.note(note_id(one))?.prose.units();
    let at = EDIT_AT.min(text.len());
    text.splice(at..at, units(EDIT));
    home.edit_note(note_id(one), NoteEdit { text: Some(text), ..NoteEdit::default() }, now())?;
    let began = Instant::now();
    sync(&mut home, Errand::Sync, &mut |_| {})?;
    let push_s = began.elapsed().as_secs_f64();
    home.lock()?;
    Ok(push_s)
}

/// A: connects, then makes `edits` edits of the first note, each with the time of making in its text.
pub fn live_a(dir: &Path, work: &[Work], edits: usize) -> Result<(), Failure> {
    let note = note_id(work.first().ok_or("there is no note")?);
    let keeper = Keeper::start(open(dir)?, Arc::new(now))?;
    runtime()?.block_on(async {
        keeper.sync(Errand::Sync, Limits::default()).await?;
        let mut feed = keeper.feed();
        for _ in 0..edits {
            tokio::time::sleep(LIVE_EVERY).await;
            keeper
                .write(move |home| -> Result<(), HomeError> {
                    let mut text = home.note(note)?.prose.units();
                    let mark = format!("{LIVE_MARK}{}{LIVE_MARK} ", micros());
                    text.splice(0..0, units(&mark));
                    home.edit_note(note, NoteEdit { text: Some(text), ..NoteEdit::default() }, now())
                        .map(drop)
                })
                .await??;
        }
        // The last edit is acknowledged before the home is closed.
        while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(500), feed.next()).await {}
        keeper.close().await?;
        Ok(())
    })
}

/// B: connects, calls `ready`, and tells for each of `edits` edits how many milliseconds after its making it could be read.
pub fn live_b(dir: &Path, work: &[Work], edits: usize, ready: impl FnOnce()) -> Result<Vec<f64>, Failure> {
    let note = note_id(work.first().ok_or("there is no note")?);
    let keeper = Keeper::start(open(dir)?, Arc::new(now))?;
    runtime()?.block_on(async {
        let mut feed = keeper.feed();
        keeper.sync(Errand::Sync, Limits::default()).await?;
        let mut seen: Vec<u64> =
            keeper.read(move |home| home.note(note)).await?.map(|note| marks(&note.text))?;
        let mut live_ms = Vec::new();
        ready();
        while live_ms.len() < edits {
            match feed.next().await {
                Some(Change::Home | Change::Sync(_)) => {}
                Some(other) => return Err(format!("the connection ended: {other:?}").into()),
                None => return Err("the home was closed".into()),
            }
            let marks: Vec<u64> =
                keeper.read(move |home| home.note(note)).await?.map(|note| marks(&note.text))?;
            let at = micros();
            for mark in marks {
                if !seen.contains(&mark) {
                    seen.push(mark);
                    live_ms.push(f64::from(u32::try_from(at.saturating_sub(mark))?) / 1_000.0);
                }
            }
        }
        keeper.close().await?;
        Ok(live_ms)
    })
}

fn micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_micros()).expect("this age")
}

/// The times of making that stand at the beginning of a text.
fn marks(text: &str) -> Vec<u64> {
    text.split_whitespace()
        .map_while(|word| word.strip_prefix(LIVE_MARK)?.strip_suffix(LIVE_MARK)?.parse().ok())
        .collect()
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
