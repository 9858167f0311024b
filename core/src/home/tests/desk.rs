//! A home to try, and what every test does with it.

use super::*;

/// Words that are looked for in every file; none of them may be there.
pub(super) const CANARIES: [&str; 8] = [
    "QuincyCanary",
    "NelliganCanary",
    "HarbourCanary",
    "LedbetterCanary",
    "VisitCanary",
    "xylophonecanary",
    "MembersCanary",
    "PhoneCanary",
];

pub(super) fn now() -> Moment {
    "2026-11-25T10:00:00+01:00".parse().expect("a moment")
}

pub(super) fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

pub(super) fn key() -> Wrapping<'static> {
    Wrapping::Key(WrappingKey::from_bytes([7; 32]))
}

pub(super) fn founding() -> Founding {
    Founding {
        team: name("Team"),
        member: name("MembersCanary"),
        device: name("PhoneCanary"),
        notebook: name("LedbetterCanary"),
        realm: Realm::Research,
    }
}

/// A home in a folder of its own.
pub(super) struct Desk {
    pub(super) folder: TempDir,
}

impl Desk {
    pub(super) fn new() -> (Self, Home, NotebookId) {
        let desk = Self { folder: TempDir::new().expect("a folder") };
        let (home, founded) = desk.init(1).expect("an empty folder");
        (desk, home, founded.notebook)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(super) fn init(&self, seed: u8) -> Result<(Home, Founded), HomeError> {
        Home::init(&self.path(), key(), &founding(), now(), Box::new(Seeded::new(seed)))
    }

    pub(super) fn open(&self) -> Result<Home, HomeError> {
        Home::open(&self.path(), key(), now(), Box::new(Seeded::new(99)))
    }
}

pub(super) fn person(home: &mut Home, notebook: &NotebookId, pseudonym: &str) -> ParticipantId {
    let new = NewParticipant {
        pseudonym: name(pseudonym),
        kind: Kind::Client,
        age: None,
        gender: None,
        real_name: None,
    };
    home.add_participant(notebook, new, now()).expect("a fieldworker adds people")
}

pub(super) fn note(home: &mut Home, notebook: NotebookId, title: &str, text: &str, about: About) -> Placed {
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

pub(super) fn grant(
    home: &mut Home,
    notebook: &NotebookId,
    participant: ParticipantId,
) -> Result<Granted, HomeError> {
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

pub(super) fn event(participant: ParticipantId, act: Act) -> NewEvent {
    NewEvent { participant, at: Observed::Minute(now()), actor: Actor::Participant, act }
}

pub(super) fn withdrawal(participant: ParticipantId) -> NewEvent {
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
pub(super) fn read_all(home: &Home, notebook: &NotebookId) -> String {
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
pub(super) fn furnish(home: &mut Home, notebook: &NotebookId) -> (ParticipantId, NoteId, NoteId) {
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
pub(super) fn prefix(id: impl ToString, digits: usize) -> String {
    id.to_string().chars().take(digits).collect()
}

/// Seals all that waits, and gives it its places as a server would.
pub(super) fn seal_all(home: &mut Home) {
    home.keep(&[(Setting::Incarnation, Some(&[9; 16]))]).expect("written");
    let spaces: Vec<SpaceId> = home.team().expect("founded").spaces().keys().copied().collect();
    for space in spaces {
        let mut at = core_db::cursor(home.core.read(), space).expect("readable");
        while let Some(batch) = home.seal_some(space, 1).expect("the keys are here").pop_front() {
            at = at.next(&batch.hash());
            let (device, seq) = (batch.head().device, batch.head().seq);
            home.core
                .write(Durability::Full, |tx| {
                    assert!(core_db::place_batch(tx, space, device, seq, at)?);
                    core_db::set_cursor(tx, space, at)
                })
                .expect("written");
        }
    }
}
