//! The scenes of the demo. The people and what they say are made up.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use thicket_core::consent::{Act, Activities, Bound, Consent as Terms, Withdrawal};
use thicket_core::home::{
    About, ConsentTerms, Founding, Home, HomeError, NewEncounter, NewEvent, NewNote, NewParticipant,
    NoteEdit, Placed,
};
use thicket_core::ids::{EncounterId, NoteId, ParticipantId};
use thicket_core::name::Name;
use thicket_core::ring::{KdfCost, Wrapping};
use thicket_core::sync::{Errand, Outcome, SyncEvent};
use thicket_core::text::{Layer, units};
use thicket_core::view::Provenance;
use thicket_core::vocabulary::{Activity, Actor, Channel, Hold, Kind as PersonKind, Mode, Realm, UseLeft};
use thicket_protocol::address::{InviteCode, ServerAddress};
use thicket_protocol::governance::{Admits, Role};
use thicket_protocol::ids::NotebookId;
use thicket_sync_server::{Config, Running, Server};
use tokio::runtime::Runtime;

use super::disk::Disk;
use super::{Part, Story};
use crate::desk::{entropy, just_now, now};
use crate::failure::{Failure, Kind};
use crate::stamp::{Stamp, space};
use crate::sync;

/// What opens the homes that `--keep` leaves.
const PASSPHRASE: &str = "demo";

const VISIT: &str = "@{Mrs Bell} had the kettle on before I knocked. She has not been out since February, \
    and she showed me the diary in which she crosses off the days. On the sill stood nine tomato plants, one for \
    each week of waiting. Asked what would make a good week, she did not name a service. She named the allotment.";
const STAIRS: &str = "While @{Mrs Bell} looked for her glasses, @{Mr Bell} told me on the stairs that the stick by the \
    door is his, and that he has mentioned the fall to nobody.";
const WAITING_ROOM: &str = "Half past eight, eleven chairs, fourteen people. The screen calls numbers, and nobody \
    looks up at a number. The door to the yard stands open because of the heat; whoever leaves, leaves that way.";
const SAM_ADDS: &str = "A Tuesday, heavy rain. ";
const ABBY_ADDS: &str =
    " The allotment society meets on Thursdays; I have written its secretary's number down.";

/// What must be found on no disk: sentences, a title, a pseudonym, a real name, names of the team. None is so short that
/// random bytes might spell it.
const SECRETS: [&str; 9] = [
    "kettle on before I knocked",
    "mentioned the fall to nobody",
    "nobody looks up at a number",
    "allotment society",
    "First home visit",
    "Mrs Bell",
    "Anna Weiss",
    "Link worker study",
    "Abby's phone",
];

/// A server of its own, on this machine alone.
struct Relay {
    runtime: Runtime,
    running: Running,
}

impl Relay {
    fn start(folder: &Path) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(Kind::Storage, format_args!("the demo's server does not start: {error}"), "")
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| failed(&error))?;
        let config = Config { folder: folder.to_owned(), listen: ([127, 0, 0, 1], 0).into() };
        let running = runtime.block_on(Server::start(config)).map_err(|error| failed(&error))?;
        Ok(Self { runtime, running })
    }

    fn stop(self) {
        self.runtime.block_on(self.running.shutdown());
    }
}

/// The two devices, and what both know.
struct Cast {
    sam: Home,
    abby: Home,
    notebook: NotebookId,
}

/// Everybody and everything that Sam meets on the first day.
struct Field {
    bell: ParticipantId,
    husband: ParticipantId,
    visit: EncounterId,
    first: NoteId,
    stairs: NoteId,
}

/// Plays the whole story in a folder.
pub(super) fn play(
    folder: &Path,
    kept: Option<&Path>,
    story: &mut Story,
    began: Instant,
) -> Result<(), Failure> {
    let relay = Relay::start(&folder.join("server"))?;
    let url: ServerAddress = relay.running.url().parse().map_err(Failure::bug)?;
    let mut cast = gather(folder, &url, story)?;
    let field = write_offline(&mut cast, story)?;
    meet(&mut cast, &field, story)?;
    edit_apart(&mut cast, &field, story)?;
    release(&mut cast, &field, story)?;
    withdraw(&mut cast, &field, story)?;
    let Cast { sam, abby, .. } = cast;
    sam.lock()?;
    abby.lock()?;
    relay.stop();
    look_at_disks(folder, story)?;
    sum_up(kept, story, began)
}

fn name(text: &str) -> Name {
    text.parse().expect("a name of the demo")
}

fn wrapping() -> Wrapping<'static> {
    // A real home costs a guess 64 MiB and three passes; these two are opened by everybody.
    Wrapping::Passphrase(PASSPHRASE, KdfCost::new(8 * 1024, 1, 1).expect("within the bounds"))
}

fn sync_once(home: &mut Home) -> Result<Outcome, Failure> {
    sync::run(home, Errand::Sync, sync::WAIT, &mut |_| {})
}

/// A team of one, and a colleague who joins it.
fn gather(folder: &Path, url: &ServerAddress, story: &mut Story) -> Result<Cast, Failure> {
    let founding = Founding {
        team: name("Link worker study"),
        member: name("Sam"),
        device: name("Sam's laptop"),
        notebook: name("Home visits"),
        realm: Realm::Research,
    };
    let (mut sam, founded) = Home::init(&folder.join("sam"), wrapping(), &founding, now(), entropy())?;
    sam.use_server(url, now())?;
    let expires_ms = u64::try_from(now().unix_ms() + 3_600_000).map_err(Failure::bug)?;
    let mut code: Option<InviteCode> = None;
    let errand = Errand::Invite { admits: Admits::Member(Role::Fieldworker), expires_ms };
    sync::run(&mut sam, errand, sync::WAIT, &mut |event| {
        if let SyncEvent::Invited(written) = event {
            code = Some(written.clone());
        }
    })?;
    let code = code.ok_or_else(|| Failure::bug("an invite was written and its code is not there"))?;
    let home = folder.join("abby");
    let (member, device) = (name("Abby"), name("Abby's phone"));
    let mut abby = Home::prepare_join(&home, wrapping(), &code, member, device, now(), entropy())?;
    sync::run(&mut abby, Errand::Join, sync::WAIT, &mut |_| {})?;
    sync_once(&mut abby)?;
    sync_once(&mut sam)?;
    if sync_once(&mut abby)?.waits_for_keys {
        return Err(Failure::bug("a member joined and got no keys"));
    }
    story.tell(
        "Two fieldworkers, and a server that they need not trust",
        vec![
            Part::say("Sam begins a team, names a server that runs here for the length of this demo, and reads an invite to Abby over the telephone:"),
            Part::say(code.to_string().replace('-', " ")),
            Part::say("Abby types it. Her phone had no keys until Sam's laptop sealed them to it; the server passed them on and cannot open them."),
        ],
    )?;
    Ok(Cast { sam, abby, notebook: founded.notebook })
}

/// A day without a signal.
fn write_offline(cast: &mut Cast, story: &mut Story) -> Result<Field, Failure> {
    let Cast { sam, abby, notebook } = cast;
    let person = |home: &mut Home, pseudonym: &str, kind, real: Option<&str>| {
        let new = NewParticipant {
            pseudonym: name(pseudonym),
            kind,
            age: None,
            gender: None,
            real_name: real.map(name),
        };
        home.add_participant(notebook, new, now())
    };
    let bell = person(sam, "Mrs Bell", PersonKind::Client, Some("Anna Weiss"))?;
    let husband = person(sam, "Mr Bell", PersonKind::Relative, None)?;
    let new = NewEncounter {
        activity: Activity::HomeVisit,
        place: None,
        with: BTreeSet::from([bell, husband]),
        at: just_now(),
    };
    let visit = sam.start_encounter(notebook, new, now())?;
    agree(sam, notebook, bell)?;
    let first = write(sam, notebook, Some(visit), "First home visit", VISIT, About::Unsaid)?;
    let stairs = write(sam, notebook, Some(visit), "On the stairs", STAIRS, About::Unsaid)?;
    let room = write(abby, notebook, None, "The waiting room", WAITING_ROOM, About::Nobody)?;
    if first.is_private || !stairs.is_private || room.is_private {
        return Err(Failure::bug("a note stands where its consent does not put it"));
    }
    story.tell(
        "A day without a signal",
        vec![
            Part::say("At the door Mrs Bell says yes to a home visit: two taps, and every note about it can rest on that. Sam writes:"),
            screen(sam, "Sam", first.note)?,
            Part::say("Her husband was never asked. Nothing stops Sam from writing, but this note stays in a space whose key only Sam's devices have:"),
            screen(sam, "Sam", stairs.note)?,
            Part::say("Abby sits in a waiting room and says expressly that nobody is in her note:"),
            screen(abby, "Abby", room.note)?,
        ],
    )?;
    Ok(Field { bell, husband, visit, first: first.note, stairs: stairs.note })
}

fn agree(home: &mut Home, notebook: &NotebookId, participant: ParticipantId) -> Result<Vec<NoteId>, Failure> {
    let terms = ConsentTerms {
        participant,
        activity: Activity::HomeVisit,
        mode: Mode::Verbal,
        scope: Terms::default_scope(),
        bound: Bound::Notebook,
        at: just_now(),
    };
    Ok(home.record_consent(notebook, terms, now())?.released)
}

fn write(
    home: &mut Home,
    notebook: &NotebookId,
    encounter: Option<EncounterId>,
    title: &str,
    text: &str,
    about: About,
) -> Result<Placed, Failure> {
    let new = NewNote {
        notebook: *notebook,
        id: None,
        encounter,
        title: units(title),
        text: home.parse_text(notebook, text)?.units,
        about,
        layer: Layer::Observation,
        observed: just_now(),
        provenance: Provenance::Typed,
    };
    Ok(home.write_note(new, now())?)
}

/// A note as it stands on somebody's device.
fn screen(home: &Home, on: &'static str, note: NoteId) -> Result<Part, Failure> {
    let shown = home.note(note)?;
    let stamp = Stamp::from(&shown.stamp);
    Ok(Part::Note {
        on,
        title: shown.title,
        text: shown.text,
        space: space(shown.is_private),
        stamp: stamp.status,
        words: stamp.words,
    })
}

/// Whether a device has a note.
fn has(home: &Home, note: NoteId) -> Result<bool, Failure> {
    match home.note(note) {
        Ok(_) => Ok(true),
        Err(HomeError::NotFound(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The first sync after the day.
fn meet(cast: &mut Cast, field: &Field, story: &mut Story) -> Result<(), Failure> {
    let sent = sync_once(&mut cast.sam)?.sent;
    let fetched = sync_once(&mut cast.abby)?.fetched;
    sync_once(&mut cast.sam)?;
    if has(&cast.abby, field.stairs)? {
        return Err(Failure::bug("a note without consent left its author's devices"));
    }
    story.tell(
        "In the evening both sync",
        vec![
            Part::say(format!(
                "Sam's laptop sends {sent} records, Abby's phone fetches {fetched}. Abby reads Sam's note:"
            )),
            screen(&cast.abby, "Abby", field.first)?,
            Part::say(
                "The note from the stairs is not on her phone: not hidden there, but never sealed to it.",
            ),
        ],
    )
}

/// Both edit one note while they are apart.
fn edit_apart(cast: &mut Cast, field: &Field, story: &mut Story) -> Result<(), Failure> {
    let change = |home: &mut Home, change: &dyn Fn(String) -> String| -> Result<(), Failure> {
        let (shown, notebook) = (home.note(field.first)?, cast.notebook);
        let text = home.parse_text(&notebook, &change(shown.editable))?.units;
        home.edit_note(field.first, NoteEdit { text: Some(text), ..NoteEdit::default() }, now())?;
        Ok(())
    };
    change(&mut cast.sam, &|text| format!("{SAM_ADDS}{text}"))?;
    change(&mut cast.abby, &|text| format!("{text}{ABBY_ADDS}"))?;
    for _ in 0..2 {
        sync_once(&mut cast.sam)?;
        sync_once(&mut cast.abby)?;
    }
    let (here, there) = (cast.sam.note(field.first)?.text, cast.abby.note(field.first)?.text);
    if here != there || !here.starts_with(SAM_ADDS) || !here.ends_with(ABBY_ADDS) {
        return Err(Failure::bug("two edits of one note did not merge"));
    }
    story.tell(
        "Two people edit one note, each without a signal",
        vec![
            Part::say("Sam adds the weather at the beginning, Abby a telephone number at the end. After the next sync both have both:"),
            screen(&cast.abby, "Abby", field.first)?,
        ],
    )
}

/// The missing consent comes.
fn release(cast: &mut Cast, field: &Field, story: &mut Story) -> Result<(), Failure> {
    let released = agree(&mut cast.sam, &cast.notebook, field.husband)?;
    if released != [field.stairs] {
        return Err(Failure::bug("a consent did not release the note that waited for it"));
    }
    sync_once(&mut cast.sam)?;
    sync_once(&mut cast.abby)?;
    story.tell(
        "Mr Bell is asked, and says yes",
        vec![
            Part::say("The note that waited for him is released by itself: as a new document under a new key, so that nothing of its private past travels."),
            screen(&cast.abby, "Abby", field.stairs)?,
        ],
    )
}

/// A withdrawal on one device, felt on the other.
fn withdraw(cast: &mut Cast, field: &Field, story: &mut Story) -> Result<(), Failure> {
    let terms = Withdrawal {
        received_at: now(),
        effective_from: None,
        channel: Channel::Telephone,
        hold: Hold::Keep,
        use_left: UseLeft::None,
        future_collection: false,
        cut_off_applied: false,
        reason: None,
    };
    let act = Act::Withdrawn { activities: Activities::All, encounter: None, terms };
    let event = NewEvent { participant: field.bell, at: just_now(), actor: Actor::Participant, act };
    let held = cast.abby.record_event(&cast.notebook, event, now())?.notes_on_hold.len();
    sync_once(&mut cast.abby)?;
    sync_once(&mut cast.sam)?;
    let later = write(
        &mut cast.sam,
        &cast.notebook,
        Some(field.visit),
        "Afterwards",
        "@{Mrs Bell} waved from the window.",
        About::Unsaid,
    )?;
    if cast.sam.note(field.first)?.stamp.status.as_str() != "on_hold" || !later.is_private {
        return Err(Failure::bug("a withdrawal did not put a note on hold"));
    }
    story.tell(
        "Mrs Bell rings Abby, and withdraws",
        vec![
            Part::say(format!("Abby enters it on her phone, and {held} notes are on hold there at once; with the next sync also on Sam's laptop. A withdrawal wins, whatever others wrote meanwhile and whatever their clocks say.")),
            screen(&cast.sam, "Sam", field.first)?,
            Part::say("Sam can still write, for nobody else to read:"),
            screen(&cast.sam, "Sam", later.note)?,
        ],
    )
}

/// What whoever seizes the server, or finds the laptop, gets.
fn look_at_disks(folder: &Path, story: &mut Story) -> Result<(), Failure> {
    let server = Disk::read(&folder.join("server"))?;
    let homes = [Disk::read(&folder.join("sam"))?, Disk::read(&folder.join("abby"))?];
    let found = server.found(&SECRETS) + homes.iter().map(|home| home.found(&SECRETS)).sum::<usize>();
    if found > 0 {
        return Err(Failure::bug("something that was written can be read on a disk"));
    }
    let mut parts = vec![
        Part::say(format!(
            "{} sentences, titles, pseudonyms and names were looked for in every byte of the server's data and of both homes.",
            SECRETS.len()
        )),
        Part::fact(
            "server",
            format_args!("{} bytes in {} files: none found", server.bytes(), server.count()),
        ),
        Part::fact("Sam's home", format_args!("{} bytes: none found", homes.first().map_or(0, Disk::bytes))),
        Part::fact("Abby's home", format_args!("{} bytes: none found", homes.last().map_or(0, Disk::bytes))),
        Part::say("What the server has instead:"),
    ];
    parts.extend(server.excerpt().into_iter().map(|line| Part::fact("", line)));
    story.tell("What lies on the disks", parts)
}

fn sum_up(kept: Option<&Path>, story: &mut Story, began: Instant) -> Result<(), Failure> {
    let mut parts = vec![
        Part::fact("capture", "was never refused"),
        Part::fact("without consent", "a note stayed with its author, by keys and not by a flag"),
        Part::fact("with consent", "it went to the team by itself"),
        Part::fact("two edits apart", "merged, nothing lost"),
        Part::fact("a withdrawal", "put notes on hold on every device that heard of it"),
        Part::fact("the server", "moved all of it and read nothing"),
        Part::fact("time", format_args!("{:.1} s", began.elapsed().as_secs_f64())),
    ];
    parts.push(match kept {
        None => {
            Part::say("Nothing of this is left on your disk. Begin with your own: thicket init --member NAME")
        }
        Some(folder) => Part::say(format!(
            "Kept in {0}: look around with thicket --home {0}/sam note list (passphrase: {PASSPHRASE}).",
            folder.display()
        )),
    });
    story.tell("In short", parts)
}
