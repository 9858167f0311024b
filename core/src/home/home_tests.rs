//! What a home promises, through its own methods alone.

#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use thicket_protocol::address::ServerAddress;
use thicket_protocol::governance::{Act as GovernanceAct, Admits, Author, Realm, Role, SpaceKind};
use thicket_protocol::ids::PublicKey;
use thicket_protocol::keys::{PrekeyBody, PrekeyStatement};
use thicket_protocol::sign::{SUITE, VERSION};

use super::*;
use crate::consent::{Act, Activities, Bound, Consent, Withdrawal};
use crate::coverage::Why;
use crate::ids::{NoteId, ParticipantId};
use crate::ring::{KdfCost, RING_COPY_FILE, RING_FILE};
use crate::seal::derive_prekey_public;
use crate::secret::WrappingKey;
use crate::secret::tests::Seeded;
use crate::store::{CORE_FILE, DERIVED_FILE, LOCK_FILE};
use crate::text::{Layer, units};
use crate::time::Observed;
use crate::view::Provenance;
use crate::vocabulary::{Activity, Actor, Channel, Hold, Kind, Mode, SiteType, StampStatus, State, UseLeft};

/// Words that are looked for in every file; none of them may be there.
const CANARIES: [&str; 8] = [
    "QuincyCanary",
    "NelliganCanary",
    "HarbourCanary",
    "LedbetterCanary",
    "VisitCanary",
    "xylophonecanary",
    "MembersCanary",
    "PhoneCanary",
];

fn now() -> Moment {
    "2026-11-25T10:00:00+01:00".parse().expect("a moment")
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn key() -> Wrapping<'static> {
    Wrapping::Key(WrappingKey::from_bytes([7; 32]))
}

fn founding() -> Founding {
    Founding {
        team: name("Team"),
        member: name("MembersCanary"),
        device: name("PhoneCanary"),
        notebook: name("LedbetterCanary"),
        realm: Realm::Research,
    }
}

/// A home in a folder of its own.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> (Self, Home, NotebookId) {
        let desk = Self { folder: TempDir::new().expect("a folder") };
        let (home, founded) = desk.init(1).expect("an empty folder");
        (desk, home, founded.notebook)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn init(&self, seed: u8) -> Result<(Home, Founded), HomeError> {
        Home::init(&self.path(), key(), &founding(), now(), Box::new(Seeded::new(seed)))
    }

    fn open(&self) -> Result<Home, HomeError> {
        Home::open(&self.path(), key(), now(), Box::new(Seeded::new(99)))
    }
}

fn person(home: &mut Home, notebook: &NotebookId, pseudonym: &str) -> ParticipantId {
    let new = NewParticipant {
        pseudonym: name(pseudonym),
        kind: Kind::Client,
        age: None,
        gender: None,
        real_name: None,
    };
    home.add_participant(notebook, new, now()).expect("a fieldworker adds people")
}

fn note(home: &mut Home, notebook: NotebookId, title: &str, text: &str, about: About) -> Placed {
    let text = home.parse_text(&notebook, text).expect("a text").units;
    let new = NewNote {
        notebook,
        id: None,
        encounter: None,
        title: units(title),
        text,
        about,
        layer: Layer::Observation,
        observed: "2026-11-24".parse().expect("a day"),
        provenance: Provenance::Typed,
    };
    home.write_note(new, now()).expect("a note is always taken down")
}

fn grant(home: &mut Home, notebook: &NotebookId, participant: ParticipantId) -> Result<Granted, HomeError> {
    let terms = ConsentTerms {
        participant,
        activity: Activity::Observation,
        mode: Mode::Verbal,
        scope: Consent::default_scope(),
        bound: Bound::Notebook,
        at: Observed::Minute(now()),
    };
    home.record_consent(notebook, terms, now())
}

fn event(participant: ParticipantId, act: Act) -> NewEvent {
    NewEvent { participant, at: Observed::Minute(now()), actor: Actor::Participant, act }
}

fn withdrawal(participant: ParticipantId) -> NewEvent {
    let terms = Withdrawal {
        received_at: now(),
        effective_from: None,
        channel: Channel::InPerson,
        hold: Hold::Keep,
        use_left: UseLeft::None,
        future_collection: false,
        cut_off_applied: false,
        reason: None,
    };
    event(participant, Act::Withdrawn { activities: Activities::All, encounter: None, terms })
}

/// Everything that readers are told.
fn read_all(home: &Home, notebook: &NotebookId) -> String {
    let page = home.notes(&NotesWanted::default(), None, 100).expect("a list");
    let notes: Vec<_> = page.notes.iter().map(|row| home.note(row.id).expect("shown")).collect();
    let shown = (
        home.notebooks(),
        home.participants(notebook).expect("known"),
        home.places(notebook).expect("known"),
        home.encounters(notebook).expect("known"),
        home.search(None, "harbour", true, 10).expect("a search"),
    );
    let status = home.status().expect("a status");
    format!("{page:?} {notes:?} {shown:?} {:?} {:?}", status.spaces, status.devices)
}

/// A home with something of everything in it.
fn furnish(home: &mut Home, notebook: &NotebookId) -> (ParticipantId, NoteId, NoteId) {
    let new = NewParticipant {
        pseudonym: name("QuincyCanary"),
        kind: Kind::Client,
        age: None,
        gender: None,
        real_name: Some(name("NelliganCanary")),
    };
    let quincy = home.add_participant(notebook, new, now()).expect("new");
    let place = NewPlace { pseudonym: name("HarbourCanary"), site_type: SiteType::Office, real_name: None };
    let place = home.add_place(notebook, place, now()).expect("new");
    let encounter = NewEncounter {
        activity: Activity::Meeting,
        place: Some(place),
        with: BTreeSet::from([quincy]),
        at: Observed::Minute(now()),
    };
    home.start_encounter(notebook, encounter, now()).expect("known people and places");
    let private =
        note(home, *notebook, "VisitCanary", "Met @{QuincyCanary} at @{HarbourCanary}", About::Unsaid);
    let shared = note(home, *notebook, "VisitCanary 2", "xylophonecanary", About::Nobody);
    assert!(private.is_private && !shared.is_private);
    (quincy, private.note, shared.note)
}

/// The beginning of an id as a person types it.
fn prefix(id: impl ToString, digits: usize) -> String {
    id.to_string().chars().take(digits).collect()
}

fn is_send<T: Send>() {}

#[test]
fn a_home_goes_from_thread_to_thread() {
    is_send::<Home>();
    is_send::<PausedHome>();
}

#[test]
fn a_founded_team_is_there_again_when_its_home_is_opened() {
    let desk = Desk { folder: TempDir::new().expect("a folder") };
    let (home, founded) = desk.init(1).expect("an empty folder");
    assert_eq!((home.team_id(), home.device()), (founded.team, founded.device));
    assert_eq!(home.only_notebook().expect("one"), founded.notebook);
    assert!(home.is_unfounded().expect("a log"));
    let kinds = [SpaceKind::Ledger, SpaceKind::Shared, SpaceKind::Identities, SpaceKind::Private];
    for kind in kinds {
        let space = home.space(&founded.notebook, kind).expect("made with the notebook");
        assert!(home.holds_epoch(&space), "{kind}");
    }
    let roster = home.team().expect("founded").roster();
    assert!(home.holds_epoch(&roster), "the genesis commits to the key that the ring holds");
    let names = |home: &Home| {
        let notebook = home.notebooks()[0].name.clone().expect("named");
        [notebook.to_string(), home.member_name(&founded.member), home.device_name(&founded.device)]
    };
    assert_eq!(names(&home), ["LedbetterCanary", "MembersCanary", "PhoneCanary"]);
    home.lock().expect("closed");
    let home = desk.open().expect("whole");
    assert_eq!(names(&home), ["LedbetterCanary", "MembersCanary", "PhoneCanary"]);
    assert_eq!((home.team_id(), home.member()), (founded.team, Some(founded.member)));
    assert_eq!(home.ledger(&founded.notebook).expect("known").sheets().len(), 1);
}

#[test]
fn another_passphrase_or_key_opens_nothing_and_changes_nothing() {
    let folder = TempDir::new().expect("a folder");
    let cost = KdfCost::new(8, 1, 1).expect("in bounds");
    let with = |passphrase| Wrapping::Passphrase(passphrase, cost);
    let open = |wrapping| Home::open(folder.path(), wrapping, now(), Box::new(Seeded::new(2)));
    let (home, _) = Home::init(folder.path(), with("right"), &founding(), now(), Box::new(Seeded::new(1)))
        .expect("an empty folder");
    drop(home);
    assert!(matches!(open(with("wrong")), Err(HomeError::Locked)));
    assert!(matches!(open(key()), Err(HomeError::Locked)));
    assert!(open(with("right")).is_ok());
}

#[test]
fn nothing_that_lies_in_a_folder_is_ever_written_over() {
    let (desk, home, _) = Desk::new();
    drop(home);
    assert!(matches!(desk.init(2), Err(HomeError::Occupied)));
    assert!(desk.open().is_ok());

    // A home whose ring is lost may have a copy of it elsewhere.
    for name in [RING_FILE, RING_COPY_FILE] {
        fs::remove_file(desk.path().join(name)).expect("there");
    }
    assert!(matches!(desk.init(2), Err(HomeError::Occupied)));
    assert!(matches!(desk.open(), Err(HomeError::NotFound(Thing::Home))));
    assert!(desk.path().join(CORE_FILE).exists());

    let other = TempDir::new().expect("a folder");
    fs::write(other.path().join("thesis.txt"), "years").expect("written");
    let init = |path: &Path| Home::init(path, key(), &founding(), now(), Box::new(Seeded::new(1)));
    assert!(matches!(init(other.path()), Err(HomeError::Occupied)));
    assert_eq!(fs::read_dir(other.path()).expect("there").count(), 1, "not even a lock was left");
    assert!(matches!(init(&other.path().join("thesis.txt")), Err(HomeError::Occupied)));
    assert!(matches!(
        Home::open(&other.path().join("nowhere"), key(), now(), Box::new(Seeded::new(1))),
        Err(HomeError::NotFound(Thing::Home))
    ));
    assert!(!other.path().join("nowhere").exists());
}

#[test]
fn an_init_that_was_cut_short_leaves_room_for_the_next() {
    let (desk, home, _) = Desk::new();
    home.lock().expect("closed");
    // As a crash leaves it before the ring stands.
    fs::write(desk.path().join("unfinished"), "").expect("written");
    for name in [RING_FILE, RING_COPY_FILE] {
        fs::remove_file(desk.path().join(name)).expect("there");
    }
    fs::write(desk.path().join("ring.new"), "half").expect("written");
    let (home, founded) = desk.init(2).expect("cleared away");
    assert_eq!(home.only_notebook().expect("one"), founded.notebook);
    home.lock().expect("closed");

    // As a crash leaves it behind the ring: it is a home.
    fs::write(desk.path().join("unfinished"), "").expect("written");
    fs::remove_file(desk.path().join(RING_COPY_FILE)).expect("there");
    assert!(matches!(desk.init(3), Err(HomeError::Occupied)));
    let home = desk.open().expect("whole");
    assert_eq!(home.only_notebook().expect("one"), founded.notebook);
    assert!(!desk.path().join("unfinished").exists());
    assert!(desk.path().join(RING_COPY_FILE).exists(), "the other copy is healed at once");
}

#[test]
fn a_damaged_copy_of_the_ring_is_healed_and_two_are_told() {
    let (desk, home, _) = Desk::new();
    drop(home);
    let flip = |name: &str| {
        let path = desk.path().join(name);
        let mut bytes = fs::read(&path).expect("there");
        bytes[40] ^= 1;
        fs::write(&path, bytes).expect("written");
    };
    for name in [RING_FILE, RING_COPY_FILE] {
        flip(name);
        drop(desk.open().expect("the other copy is whole"));
        let copies = [RING_FILE, RING_COPY_FILE].map(|name| fs::read(desk.path().join(name)).expect("there"));
        assert_eq!(copies[0], copies[1]);
    }
    flip(RING_FILE);
    flip(RING_COPY_FILE);
    assert!(matches!(desk.open(), Err(HomeError::Damaged(DamagedFile::Ring))));
}

#[test]
fn one_process_has_a_home_and_a_paused_home_lets_others_in() {
    let (desk, home, notebook) = Desk::new();
    assert!(matches!(desk.open(), Err(HomeError::Busy)));
    let paused = home.pause().expect("closed");
    let mut other = desk.open().expect("let in");
    person(&mut other, &notebook, "Sam");
    // It also writes the ring.
    other.create_notebook(name("Second"), Realm::Service, now()).expect("offline, before the first sync");
    drop(other);
    let home = paused.resume(now()).expect("opened without a passphrase");
    assert_eq!(home.notebooks().len(), 2);
    assert_eq!(home.participants(&notebook).expect("known").len(), 1);
    let second = home.find_notebook("second").expect("named");
    assert!(home.holds_epoch(&home.space(&second, SpaceKind::Private).expect("made")));
}

#[test]
fn a_lost_or_damaged_derived_db_is_made_again_with_the_same_answers() {
    let (desk, mut home, notebook) = Desk::new();
    let (quincy, ..) = furnish(&mut home, &notebook);
    grant(&mut home, &notebook, quincy).expect("a consent");
    let before = read_all(&home, &notebook);
    assert!(before.contains("HarbourCanary"));
    home.lock().expect("closed");
    let path = desk.path().join(DERIVED_FILE);
    let harms: [&dyn Fn(); 3] = [
        &|| fs::remove_file(&path).expect("there"),
        &|| fs::write(&path, [1; 20_000]).expect("written"),
        &|| fs::write(&path, []).expect("written"),
    ];
    for harm in harms {
        harm();
        let home = desk.open().expect("core.db is whole");
        assert_eq!(read_all(&home, &notebook), before);
        home.lock().expect("closed");
    }
}

#[test]
fn a_lost_or_damaged_core_db_is_told_and_left_alone() {
    let (desk, home, _) = Desk::new();
    home.lock().expect("closed");
    let path = desk.path().join(CORE_FILE);
    let whole = fs::read(&path).expect("there");
    for harmed in [&whole[..100], &[7; 40_000][..], &[]] {
        fs::write(&path, harmed).expect("written");
        assert!(matches!(desk.open(), Err(HomeError::Damaged(DamagedFile::Core))));
        assert_eq!(fs::read(&path).expect("there"), harmed);
    }
    fs::remove_file(&path).expect("there");
    assert!(matches!(desk.open(), Err(HomeError::Damaged(DamagedFile::Core))));
    assert!(!path.exists());
    fs::write(&path, whole).expect("written");
    assert!(desk.open().is_ok());
}

#[test]
fn people_and_places_have_one_name_each_and_keep_it_for_real_in_identities() {
    let (desk, mut home, notebook) = Desk::new();
    let (quincy, private, _) = furnish(&mut home, &notebook);
    let new = |pseudonym: &str| NewParticipant {
        pseudonym: name(pseudonym),
        kind: Kind::Other,
        age: None,
        gender: None,
        real_name: None,
    };
    let taken = home.add_participant(&notebook, new("quincycanary"), now());
    assert!(matches!(taken, Err(HomeError::NameTaken(Thing::Participant))));
    let taken = home.add_participant(&notebook, new("HARBOURcanary"), now());
    assert!(matches!(taken, Err(HomeError::NameTaken(Thing::Place))));
    let place = NewPlace { pseudonym: name("QuincyCanary"), site_type: SiteType::Home, real_name: None };
    assert!(matches!(home.add_place(&notebook, place, now()), Err(HomeError::NameTaken(Thing::Participant))));

    let shown = home.participants(&notebook).expect("known");
    assert_eq!(shown[0].real_name, Some(name("NelliganCanary")));
    home.rename_participant(&notebook, quincy, name("Quincy"), now()).expect("free");
    home.rename_participant(&notebook, quincy, name("QUINCY"), now()).expect("the own name in another case");
    assert_eq!(home.note(private).expect("shown").text, "Met QUINCY at HarbourCanary");
    assert_eq!(home.search(None, "quincy", false, 10).expect("a search").len(), 1);
    drop(home);
    let home = desk.open().expect("whole");
    assert_eq!(home.find_participant(&notebook, "QUINCY").expect("found"), quincy);
    assert_eq!(home.find_participant(&notebook, &prefix(quincy, 6)).expect("found"), quincy);
    let gone = home.find_participant(&notebook, "QuincyCanary");
    assert!(matches!(gone, Err(HomeError::NotFound(Thing::Participant))));
}

#[test]
fn an_encounter_is_with_known_people_at_a_known_place() {
    let (_desk, mut home, notebook) = Desk::new();
    let sam = person(&mut home, &notebook, "Sam");
    let new = |place, with| NewEncounter {
        activity: Activity::HomeVisit,
        place,
        with,
        at: Observed::Minute(now()),
    };
    let nowhere = Some(crate::ids::PlaceId::from_bytes([1; 16]));
    let nobody = BTreeSet::from([ParticipantId::from_bytes([1; 16])]);
    let no_place = home.start_encounter(&notebook, new(nowhere, BTreeSet::new()), now());
    assert!(matches!(no_place, Err(HomeError::NotFound(Thing::Place))));
    let no_person = home.start_encounter(&notebook, new(None, nobody), now());
    assert!(matches!(no_person, Err(HomeError::NotFound(Thing::Participant))));
    let one = home.start_encounter(&notebook, new(None, BTreeSet::from([sam])), now()).expect("known");
    let shown = home.encounters(&notebook).expect("known");
    assert_eq!((shown.len(), shown[0].id, shown[0].by), (1, one, home.member()));
    assert_eq!(home.find_encounter(&notebook, &prefix(one, 5)).expect("found"), one);
}

#[test]
fn a_consent_lets_out_what_it_covers_and_a_withdrawal_puts_it_on_hold() {
    let (desk, mut home, notebook) = Desk::new();
    let sam = person(&mut home, &notebook, "Sam");
    let written = note(&mut home, notebook, "Visit", "Met @{Sam}", About::Unsaid);
    assert!(written.is_private);
    assert_eq!(written.stamp.status, StampStatus::None);
    let held = |home: &Home| -> Vec<(NoteId, HeldWhy)> {
        let spaces = home.status().expect("a status").spaces;
        spaces.into_iter().flat_map(|space| space.held).map(|held| (held.note, held.why)).collect()
    };
    assert_eq!(held(&home), [(written.note, HeldWhy::NoConsent)]);

    let granted = grant(&mut home, &notebook, sam).expect("a consent");
    assert_eq!((granted.state, granted.seen.len()), (State::Given, 0));
    assert_eq!(granted.released, [written.note]);
    let shown = home.note(written.note).expect("shown");
    assert!(!shown.is_private);
    assert_eq!(shown.stamp.status, StampStatus::Valid);
    assert_eq!(shown.stamp.subjects[0].consent, Some(granted.consent));
    assert_eq!(held(&home), []);

    let recorded = home.record_event(&notebook, withdrawal(sam), now()).expect("a withdrawal");
    assert_eq!(recorded.withdrawn, BTreeSet::from([granted.consent]));
    assert_eq!((recorded.notes_on_hold, recorded.released), (vec![written.note], vec![]));
    assert_eq!(held(&home), [(written.note, HeldWhy::OnHold)]);
    let again = home.record_event(&notebook, withdrawal(sam), now());
    assert!(matches!(again, Err(HomeError::Conflict("already withdrawn"))));
    let shown = home.note(written.note).expect("its author may open it");
    assert_eq!(shown.stamp.status, StampStatus::OnHold);
    assert!(matches!(shown.stamp.subjects[0].why, Some(Why::Withdrawn(hash)) if hash == recorded.event));

    // Who saw the withdrawal may agree anew, and withdraw anew.
    let anew = grant(&mut home, &notebook, sam).expect("a consent");
    assert_eq!(anew.seen, BTreeSet::from([recorded.event]));
    assert_eq!(home.note(written.note).expect("shown").stamp.status, StampStatus::Valid);
    let consents = home.consents(&notebook, &sam, now()).expect("known");
    let states: BTreeSet<_> = consents.iter().map(|one| (one.id, one.state)).collect();
    let expected = [(Some(granted.consent), State::Withdrawn), (Some(anew.consent), State::Given)];
    assert_eq!(states, BTreeSet::from(expected));
    drop(home);
    let mut home = desk.open().expect("whole");
    let recorded = home.record_event(&notebook, withdrawal(sam), now()).expect("a withdrawal");
    assert_eq!(recorded.withdrawn, BTreeSet::from([anew.consent]));
}

#[test]
fn what_is_said_of_another_ones_consent_or_said_twice_is_refused() {
    let (_desk, mut home, notebook) = Desk::new();
    let (sam, abby) = (person(&mut home, &notebook, "Sam"), person(&mut home, &notebook, "Abby"));
    let granted = grant(&mut home, &notebook, sam).expect("a consent");
    let consent = granted.consent;
    let foreign = home.record_event(&notebook, event(abby, Act::Invalidated { consent }), now());
    assert!(matches!(foreign, Err(HomeError::NotFound(Thing::Consent))));
    let remaining = Consent::default_scope();
    let nothing = event(sam, Act::Narrowed { consent, remaining });
    assert!(matches!(home.record_event(&notebook, nothing, now()), Err(HomeError::Conflict(_))));
    let remaining = BTreeSet::from([crate::vocabulary::Scope::TakeNotes]);
    let narrowed = home.record_event(&notebook, event(sam, Act::Narrowed { consent, remaining }), now());
    assert_eq!(narrowed.expect("smaller").withdrawn, BTreeSet::new(), "it is in force for what is left");
    let invalidated = || event(sam, Act::Invalidated { consent });
    let recorded = home.record_event(&notebook, invalidated(), now()).expect("once");
    assert_eq!(recorded.withdrawn, BTreeSet::from([consent]));
    assert!(matches!(home.record_event(&notebook, invalidated(), now()), Err(HomeError::Conflict(_))));
    assert_eq!(home.find_consent(&notebook, &prefix(consent, 8)).expect("found"), consent);

    let terms = ConsentTerms {
        participant: abby,
        activity: Activity::Interview,
        mode: Mode::Correction,
        scope: Consent::default_scope(),
        bound: Bound::Notebook,
        at: Observed::Minute(now()),
    };
    let nothing_to_correct = home.record_consent(&notebook, terms.clone(), now());
    assert!(matches!(nothing_to_correct, Err(HomeError::Invalid(_))));
    let elsewhere = Bound::Encounter(crate::ids::EncounterId::from_bytes([1; 16]));
    let unknown = ConsentTerms { mode: Mode::Verbal, bound: elsewhere, ..terms };
    assert!(matches!(
        home.record_consent(&notebook, unknown, now()),
        Err(HomeError::NotFound(Thing::Encounter))
    ));
}

#[test]
fn a_question_and_a_no_without_a_consent_are_shown_by_activity() {
    let (_desk, mut home, notebook) = Desk::new();
    let sam = person(&mut home, &notebook, "Sam");
    let shown = |home: &Home| -> Vec<(Activity, State, usize)> {
        let consents = home.consents(&notebook, &sam, now()).expect("known");
        consents.iter().map(|one| (one.activity, one.state, one.events.len())).collect()
    };
    assert_eq!(shown(&home), []);
    let activities = Activities::one(Activity::Interview);
    let asked = Act::Requested { activities: activities.clone(), encounter: None };
    home.record_event(&notebook, event(sam, asked), now()).expect("asked");
    assert_eq!(shown(&home), [(Activity::Interview, State::Requested, 1)]);
    let refused = Act::Refused { activities, encounter: None };
    home.record_event(&notebook, event(sam, refused), now()).expect("refused");
    assert_eq!(shown(&home), [(Activity::Interview, State::Refused, 2)]);
    home.record_event(&notebook, withdrawal(sam), now()).expect("withdrawn from everything");
    let all = shown(&home);
    assert_eq!((all.len(), all[0].2), (1, 3));
}

#[test]
fn lists_go_on_where_a_page_ended_and_notes_are_found_by_prefix() {
    let (_desk, mut home, notebook) = Desk::new();
    let notes: BTreeSet<NoteId> = (0..5)
        .map(|at| note(&mut home, notebook, &format!("Note {at}"), "text", About::Nobody).note)
        .collect();
    let untitled = note(&mut home, notebook, "", "\n  First line\nsecond", About::Nobody).note;
    let (mut seen, mut after) = (BTreeSet::new(), None);
    for page_number in 0..3 {
        let page = home.notes(&NotesWanted::default(), after.as_deref(), 2).expect("a page");
        assert_eq!((page.notes.len(), page.next.is_some()), (2, page_number < 2));
        for row in &page.notes {
            assert_eq!(row.title == "First line", row.id == untitled);
            assert!(seen.insert(row.id), "no note twice");
        }
        after = page.next;
    }
    assert_eq!(seen.len(), 6);
    let wrong = home.notes(&NotesWanted::default(), Some("elsewhere"), 2);
    assert!(matches!(wrong, Err(HomeError::Invalid(_))));
    for note in notes {
        assert_eq!(home.find_note(&note.to_string()).expect("found"), note);
        assert_eq!(home.find_note(&prefix(note, 12)).expect("found"), note);
    }
    for nothing in ["", "zzzz", "00000000000000000000000000000000", "aaaa%"] {
        assert!(home.find_note(nothing).is_err(), "{nothing}");
    }
}

#[test]
fn history_says_who_changed_what_when_through_a_release() {
    let (_desk, mut home, notebook) = Desk::new();
    let sam = person(&mut home, &notebook, "Sam");
    let written = note(&mut home, notebook, "Visit", "Met @{Sam}", About::Unsaid);
    let later: Moment = "2026-11-26T10:00:00+01:00".parse().expect("a moment");
    let edit = NoteEdit { text: Some(units("He left")), ..NoteEdit::default() };
    home.edit_note(written.note, edit, later).expect("the author edits");
    let history = home.history(written.note).expect("shown");
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!(history.iter().map(|change| change.at).collect::<Vec<_>>(), [Some(now()), Some(later)]);
    assert_eq!((history[0].named.as_slice(), history[0].member), (&["Sam".to_owned()][..], home.member()));
    assert!(history[1].removed > 0 && history[1].added > 0);
    let about = About::These(BTreeSet::from([sam]));
    let edit = NoteEdit { about: Some(about), ..NoteEdit::default() };
    home.edit_note(written.note, edit, later).expect("the author edits");
    grant(&mut home, &notebook, sam).expect("a consent");
    let history = home.history(written.note).expect("shown");
    let generations: Vec<_> = history.iter().map(|change| change.generation).collect();
    assert_eq!(generations.iter().collect::<BTreeSet<_>>().len(), 2);
    assert_eq!(generations.last(), Some(&home.note(written.note).expect("shown").generation));
}

#[test]
fn a_server_is_set_before_the_first_sync_and_its_key_once() {
    let (desk, mut home, _) = Desk::new();
    assert_eq!(home.server().expect("readable"), None);
    let at = |port, byte| {
        ServerAddress::from_parts("example.org", port, PublicKey::from_bytes([byte; 32])).expect("a host")
    };
    home.use_server(&at(1, 1), now()).expect("none named yet");
    home.use_server(&at(2, 1), now()).expect("the same key elsewhere");
    let other = home.use_server(&at(2, 2), now());
    assert!(matches!(other, Err(HomeError::Conflict(_))));
    drop(home);
    let home = desk.open().expect("whole");
    assert_eq!(home.server().expect("readable"), Some(at(2, 1)));
    assert_eq!(home.team().expect("founded").server_key(), Some(&PublicKey::from_bytes([1; 32])));
}

#[test]
fn a_notebook_that_was_created_offline_is_whole() {
    let (desk, mut home, first) = Desk::new();
    let taken = home.create_notebook(name("LedbetterCanary"), Realm::Service, now());
    assert!(matches!(taken, Err(HomeError::NameTaken(Thing::Notebook))));
    let second = home.create_notebook(name("Second"), Realm::Service, now()).expect("a new name");
    assert!(matches!(home.only_notebook(), Err(HomeError::Ambiguous(Thing::Notebook))));
    drop(home);
    let mut home = desk.open().expect("whole");
    assert_eq!(home.find_notebook("Second").expect("named"), second);
    assert_eq!(home.find_notebook(&prefix(first, 10)).expect("found"), first);
    assert_eq!(home.ledger(&second).expect("known").sheets().len(), 1);
    person(&mut home, &second, "Sam");
    assert_eq!(home.participants(&first).expect("known").len(), 0, "each notebook has its own people");
    let problems = home.verify(now()).expect("a check").problems;
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn a_join_that_was_cut_short_goes_on_and_another_code_takes_its_place() {
    let folder = TempDir::new().expect("a folder");
    let code = |byte| InviteCode {
        secret: [byte; 16],
        team: thicket_protocol::frame::TeamPrefix::from_bytes([byte; 16]),
        server: ServerAddress::from_parts("example.org", 1, PublicKey::from_bytes([1; 32])).expect("a host"),
    };
    let join = |byte, seed| {
        let (member, device, entropy) = (name("Abby"), name("Phone"), Box::new(Seeded::new(seed)));
        Home::prepare_join(folder.path(), key(), &code(byte), member, device, now(), entropy)
    };
    let home = join(1, 1).expect("an empty folder");
    let device = home.device();
    assert_eq!((home.member(), home.team().is_none()), (None, true));
    assert_eq!(home.team_id().as_bytes()[..16], [1; 16]);
    assert!(matches!(home.only_notebook(), Err(HomeError::NotFound(Thing::Notebook))));
    let status = home.status().expect("a status");
    assert_eq!((status.spaces.len(), status.devices.len()), (0, 0));
    assert!(status.server.is_some());
    drop(home);
    assert_eq!(join(1, 2).expect("goes on").device(), device, "no second identity is made");
    let home = join(2, 3).expect("no team has admitted it");
    assert_eq!((home.device(), home.team_id().as_bytes()[..16].to_vec()), (device, vec![2; 16]));
    drop(home);
    assert!(matches!(
        Home::init(folder.path(), key(), &founding(), now(), Box::new(Seeded::new(1))),
        Err(HomeError::Occupied)
    ));
}

/// A second member's home, whose device the log of the first has admitted in that role; it has no keys yet.
fn admitted(home: &mut Home, role: Role) -> (TempDir, Home, InviteCode) {
    let folder = TempDir::new().expect("a folder");
    let server = ServerAddress::from_parts("example.org", 1, PublicKey::from_bytes([1; 32])).expect("a host");
    let code = InviteCode { secret: [3; 16], team: home.team_id().into(), server };
    let paper = InviteSecret::from_bytes(code.seed());
    let invite =
        GovernanceAct::Invite { key: paper.public_key(), admits: Admits::Member(role), expires_ms: 1 };
    let invite = home.next_entry(invite).expect("a custodian invites");
    home.append_entry(&invite, &[], false).expect("it follows");
    let mut guest = join(folder.path(), &code).expect("an empty folder");
    let statement = PrekeyStatement::sign(
        PrekeyBody {
            v: VERSION,
            suite: SUITE,
            team: home.team_id(),
            device: guest.device(),
            counter: 1,
            key: derive_prekey_public(&guest.secrets.prekeys[0].seed),
            gov: invite.point(),
            epochs: Vec::new(),
        },
        &guest.secrets.identity.signer(),
    )
    .expect("a statement");
    let member = MemberId::from_bytes([8; 16]);
    let device = guest.secrets.identity.signer().public_key();
    let act = GovernanceAct::MemberAdd { member, device, prekey: statement.bytes().to_vec() };
    let author = Author::Paper(paper.public_key());
    let add = Entry::next(home.team_id(), invite.point(), author, act, &paper.signer()).expect("an entry");
    home.append_entry(&add, &[], false).expect("the paper admits");
    for row in core_db::entries(home.core.read()).expect("a log") {
        guest.append_entry(&Entry::decode(&row.bytes).expect("an entry"), &[], true).expect("it follows");
    }
    assert_eq!((guest.member(), guest.team_id()), (Some(member), home.team_id()));
    (folder, guest, code)
}

fn join(folder: &Path, code: &InviteCode) -> Result<Home, HomeError> {
    let (member, device, entropy) = (name("Abby"), name("Phone"), Box::new(Seeded::new(50)));
    Home::prepare_join(folder, key(), code, member, device, now(), entropy)
}

#[test]
fn roles_keep_field_work_to_those_who_do_it() {
    let (_desk, mut home, notebook) = Desk::new();
    let sam = person(&mut home, &notebook, "Sam");
    for role in [Role::Auditor, Role::Analyst] {
        let (_desk, mut first, notebook) = Desk::new();
        let (_folder, mut guest, _) = admitted(&mut first, role);
        let refused = |error: HomeError| matches!(error, HomeError::Role { role: of } if of == role);
        let new = NewPlace { pseudonym: name("Hall"), site_type: SiteType::Office, real_name: None };
        assert!(refused(guest.add_place(&notebook, new, now()).expect_err("no field work")));
        let new = NewParticipant {
            pseudonym: name("Sam"),
            kind: Kind::Client,
            age: None,
            gender: None,
            real_name: None,
        };
        assert!(refused(guest.add_participant(&notebook, new, now()).expect_err("no field work")));
        assert!(refused(grant(&mut guest, &notebook, sam).expect_err("no field work")));
        assert!(refused(guest.record_event(&notebook, withdrawal(sam), now()).expect_err("no field work")));
        let visit = NewEncounter {
            activity: Activity::Meeting,
            place: None,
            with: BTreeSet::new(),
            at: Observed::Minute(now()),
        };
        assert!(refused(guest.start_encounter(&notebook, visit, now()).expect_err("no field work")));
        assert_eq!(guest.participants(&notebook).expect("readable").len(), 0);
        let created = guest.create_notebook(name("Own"), Realm::Research, now());
        assert!(matches!(created, Err(HomeError::NeedsServer)));
    }
}

#[test]
fn a_new_member_without_keys_takes_notes_and_sees_what_waits() {
    let (_desk, mut home, notebook) = Desk::new();
    let (folder, mut guest, code) = admitted(&mut home, Role::Fieldworker);
    let sam = person(&mut guest, &notebook, "Sam");
    let written = note(&mut guest, notebook, "", "Met @{Sam}", About::Unsaid);
    assert!(written.is_private);
    let all = note(&mut guest, notebook, "", "Nobody was there", About::Nobody);
    assert!(all.is_private, "nothing is sealed to a space whose keys are not here");
    let status = guest.status().expect("a status");
    let held: BTreeSet<_> =
        status.spaces.iter().flat_map(|space| &space.held).map(|held| (held.note, held.why)).collect();
    let expected = [(written.note, HeldWhy::NoConsent), (all.note, HeldWhy::WaitingForKeys)];
    assert_eq!(held, BTreeSet::from(expected));
    assert!(status.spaces.iter().all(|space| !space.has_key));
    let waits: Vec<bool> = status.devices.iter().map(|device| device.waits_for_keys).collect();
    assert_eq!(waits.iter().filter(|waits| **waits).count(), 1, "its own device, not the founder's");
    assert_eq!(guest.notebooks_without_private_space(), [notebook]);
    guest.lock().expect("closed");
    let guest = join(folder.path(), &code).expect("admitted by this very code");
    assert_eq!(guest.participants(&notebook).expect("known")[0].id, sam);
    assert_eq!(guest.note(written.note).expect("shown").text, "Met Sam");
    drop(guest);
    let other = InviteCode { secret: [4; 16], ..code };
    assert!(matches!(join(folder.path(), &other), Err(HomeError::Occupied)));
}

#[test]
fn a_correction_is_a_custodians_and_answers_a_negative_that_was_entered_wrongly() {
    let (_desk, mut home, notebook) = Desk::new();
    let sam = person(&mut home, &notebook, "Sam");
    let written = note(&mut home, notebook, "", "Met @{Sam}", About::Unsaid);
    grant(&mut home, &notebook, sam).expect("a consent");
    let wrong = home.record_event(&notebook, withdrawal(sam), now()).expect("of the wrong person");
    let terms = |participant| ConsentTerms {
        participant,
        activity: Activity::Observation,
        mode: Mode::Correction,
        scope: Consent::default_scope(),
        bound: Bound::Notebook,
        at: Observed::Minute(now()),
    };
    let corrected = home.record_consent(&notebook, terms(sam), now()).expect("a custodian");
    assert_eq!(corrected.seen, BTreeSet::from([wrong.event]));
    assert_eq!(home.note(written.note).expect("shown").stamp.status, StampStatus::Valid);

    let (_folder, mut guest, _) = admitted(&mut home, Role::Fieldworker);
    let abby = person(&mut guest, &notebook, "Abby");
    guest.record_event(&notebook, withdrawal(abby), now()).expect("everybody records what is said");
    let refused = guest.record_consent(&notebook, terms(abby), now());
    assert!(matches!(refused, Err(HomeError::Role { role: Role::Fieldworker })));
}

#[test]
fn a_check_finds_a_flipped_byte_and_never_panics() {
    let (desk, mut home, notebook) = Desk::new();
    furnish(&mut home, &notebook);
    let checked = home.verify(now()).expect("a check");
    assert_eq!(checked.problems, Vec::<String>::new());
    home.lock().expect("closed");
    let whole = fs::read(desk.path().join(CORE_FILE)).expect("there");
    let mut told = 0;
    for at in (20_000..whole.len()).step_by(whole.len() / 12) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(desk.path().join(CORE_FILE), bytes).expect("written");
        match desk.open() {
            Err(HomeError::Damaged(DamagedFile::Core)) => told += 1,
            Ok(mut home) => {
                let problems = home.verify(now()).expect("it ends with a report").problems;
                assert!(!problems.is_empty(), "byte {at}");
                told += 1;
            }
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    assert!(told > 5);
}

/// Every file of a home, as it is while it is open.
fn assert_no_canary(folder: &Path) {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).expect("there") {
        let entry = entry.expect("readable");
        names.push(entry.file_name().into_string().expect("ASCII"));
        let bytes = fs::read(entry.path()).expect("readable");
        for canary in CANARIES {
            for form in [canary.to_owned(), canary.to_lowercase()] {
                let found = bytes.windows(form.len()).any(|window| window == form.as_bytes());
                assert!(!found, "{canary} stands in {:?}", entry.file_name());
            }
        }
    }
    for name in [RING_FILE, RING_COPY_FILE, CORE_FILE, DERIVED_FILE, LOCK_FILE] {
        assert!(names.iter().any(|found| found == name), "{name} was looked at");
    }
}

#[test]
fn no_word_that_was_typed_stands_in_any_file_not_even_while_they_are_open() {
    let (desk, mut home, notebook) = Desk::new();
    let (quincy, private, shared) = furnish(&mut home, &notebook);
    assert_no_canary(&desk.path());
    home.journal(
        shared,
        crate::document::Field::Text,
        &[crate::text::Splice { at: 0, delete: 0, insert: units("VisitCanary ") }],
        now(),
    )
    .expect("typed");
    assert_no_canary(&desk.path());
    home.index_some(100).expect("indexed");
    grant(&mut home, &notebook, quincy).expect("a consent");
    home.commit_note(private, now()).expect("saved");
    assert_no_canary(&desk.path());
    home.lock().expect("closed");
    assert_no_canary(&desk.path());
    let home = desk.open().expect("whole");
    let shown = format!("{home:?}");
    assert!(CANARIES.iter().all(|canary| !shown.contains(canary)));
    assert!(home.note(shared).expect("shown").text.starts_with("VisitCanary"), "the canaries are in it");
}
