#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

use proptest::prelude::*;
use tempfile::TempDir;
use thicket_protocol::governance::Realm;

use super::super::derive::open_view;
use super::super::{ConsentTerms, Founding, NewEncounter, NewEvent, NewParticipant};
use super::*;
use crate::consent::{Act, Activities, Bound, Consent};
use crate::document::Field;
use crate::field::{time, withdrawal};
use crate::ring::Wrapping;
use crate::secret::WrappingKey;
use crate::secret::tests::Seeded;
use crate::store::DERIVED_FILE;
use crate::store::derived_db::GenerationRow;
use crate::text::{NOTE_BYTES_MAX, Splice, units};
use crate::vocabulary::{Activity, Actor, Hold, Kind, Mode, Scope};

/// One device with its folder.
pub(in crate::home) struct Desk {
    pub(in crate::home) folder: TempDir,
    pub(in crate::home) home: Home,
    pub(in crate::home) notebook: NotebookId,
}

pub(in crate::home) fn wrapping() -> Wrapping<'static> {
    Wrapping::Key(WrappingKey::from_bytes([9; 32]))
}

pub(in crate::home) fn minute(number: i64) -> Moment {
    Moment::new(1_795_600_000_000 + number * 60_000, 60).expect("a moment of the test")
}

impl Desk {
    pub(in crate::home) fn found() -> Self {
        let folder = TempDir::new().expect("a folder");
        let name = |text: &str| text.parse().expect("a name");
        let founding = Founding {
            team: name("Team"),
            member: name("Mary"),
            device: name("phone"),
            notebook: name("Study"),
            realm: Realm::Research,
        };
        let entropy = Box::new(Seeded::new(1));
        let (home, founded) =
            Home::init(&folder.path().join("home"), wrapping(), &founding, minute(0), entropy)
                .expect("an empty folder");
        Self { folder, home, notebook: founded.notebook }
    }

    /// Drops the home, as a killed process does, and opens its folder again.
    pub(in crate::home) fn reopen(self, seed: u8) -> Self {
        let Self { folder, home, notebook } = self;
        drop(home);
        let home =
            Home::open(&folder.path().join("home"), wrapping(), minute(0), Box::new(Seeded::new(seed)));
        Self { folder, home: home.expect("a whole home"), notebook }
    }

    /// Reopens without derived.db.
    fn renew(self, seed: u8) -> Self {
        let Self { folder, home, notebook } = self;
        drop(home);
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join("home").join(format!("{DERIVED_FILE}{end}")));
        }
        let home =
            Home::open(&folder.path().join("home"), wrapping(), minute(0), Box::new(Seeded::new(seed)));
        Self { folder, home: home.expect("a whole home"), notebook }
    }

    pub(in crate::home) fn person(&mut self, pseudonym: &str, real: Option<&str>) -> ParticipantId {
        let new = NewParticipant {
            pseudonym: pseudonym.parse().expect("a name"),
            kind: Kind::Client,
            age: None,
            gender: None,
            real_name: real.map(|name| name.parse().expect("a name")),
        };
        self.home.add_participant(&self.notebook, new, minute(1)).expect("a new participant")
    }

    pub(in crate::home) fn new_note(&self, text: Vec<Unit>, about: About) -> NewNote {
        NewNote {
            notebook: self.notebook,
            id: None,
            encounter: None,
            title: units("A visit"),
            text,
            about,
            layer: Layer::Observation,
            observed: time("2026-11-25"),
            provenance: Provenance::Typed,
        }
    }

    pub(in crate::home) fn write(&mut self, text: Vec<Unit>, about: About) -> Placed {
        let new = self.new_note(text, about);
        self.home.write_note(new, minute(2)).expect("written")
    }

    pub(in crate::home) fn edit(&mut self, note: NoteId, text: Vec<Unit>) -> Placed {
        let edit = NoteEdit { text: Some(text), ..NoteEdit::default() };
        self.home.edit_note(note, edit, minute(3)).expect("edited")
    }

    pub(in crate::home) fn consent(&mut self, participant: ParticipantId) -> Vec<NoteId> {
        let terms = ConsentTerms {
            participant,
            activity: Activity::Observation,
            mode: Mode::Verbal,
            scope: Consent::default_scope(),
            bound: Bound::Notebook,
            at: time("2026-11-25"),
        };
        self.home.record_consent(&self.notebook, terms, minute(4)).expect("recorded").released
    }

    pub(in crate::home) fn withdraw(&mut self, participant: ParticipantId) -> Vec<NoteId> {
        let act = Act::Withdrawn {
            activities: Activities::All,
            encounter: None,
            terms: withdrawal(None, Hold::Keep),
        };
        let event = NewEvent { participant, at: time("2026-11-26"), actor: Actor::Participant, act };
        self.home.record_event(&self.notebook, event, minute(5)).expect("recorded").notes_on_hold
    }

    pub(in crate::home) fn type_in(&mut self, note: NoteId, at: u32, text: &str) {
        let splice = Splice { at, delete: 0, insert: units(text) };
        self.home.journal(note, Field::Text, &[splice], minute(6)).expect("journaled");
    }

    pub(in crate::home) fn row(&self, note: NoteId) -> GenerationRow {
        let rows = derived_db::generations_of(self.home.derived.read(), note).expect("read");
        rows.into_iter().find(|row| row.is_shown).expect("one generation is shown")
    }

    pub(in crate::home) fn text(&self, note: NoteId) -> String {
        open_view(&self.row(note)).expect("a view").text.text().to_owned()
    }

    /// All rows and parts of some notes.
    pub(in crate::home) fn rows(&self, notes: &[NoteId]) -> Vec<(GenerationRow, Vec<derived_db::Part>)> {
        let db = self.home.derived.read();
        let rows = notes.iter().flat_map(|note| derived_db::generations_of(db, *note).expect("read"));
        rows.map(|row| {
            let parts = derived_db::parts(db, row.generation).expect("read");
            (row, parts)
        })
        .collect()
    }
}

pub(in crate::home) fn with(person: ParticipantId, text: &str) -> Vec<Unit> {
    [vec![Unit::Token(Token::Person(person))], units(text)].concat()
}

#[test]
fn a_note_is_shared_at_once_only_when_nobody_in_it_could_mind() {
    let mut desk = Desk::found();
    let sam = desk.person("Sam", None);
    let nobody = desk.write(units("rain"), About::Nobody);
    assert!(!nobody.is_private && nobody.stamp.status == StampStatus::Valid);
    let unsaid = desk.write(units("rain"), About::Unsaid);
    assert!(unsaid.is_private && unsaid.stamp.status == StampStatus::Pending);
    let named = desk.write(with(sam, " came"), About::Nobody);
    assert!(named.is_private && named.stamp.status == StampStatus::None, "somebody outweighs nobody");
    assert!(desk.consent(sam).contains(&named.note));
    let covered = desk.write(with(sam, " came again"), About::Unsaid);
    assert!(!covered.is_private && covered.stamp.status == StampStatus::Valid);
    let ledger = desk.home.ledger(&desk.notebook).expect("loaded");
    for placed in [&nobody, &covered] {
        let stamp = ledger.stamps()[&placed.generation].value().expect("a stamp");
        let view = open_view(&desk.row(placed.note)).expect("a view");
        assert_eq!(stamp.content_hash(), EncodedView::of(&view).content_hash());
    }
}

#[test]
fn a_release_begins_a_generation_without_ancestry_under_a_key_of_its_own() {
    let mut desk = Desk::found();
    let sam = desk.person("Sam", None);
    let first = desk.write(units("secret draft words"), About::Unsaid);
    desk.edit(first.note, with(sam, " said yes"));
    let private = desk.row(first.note);
    assert_eq!((private.is_private, private.generation), (true, first.generation));
    assert_eq!(desk.consent(sam), [first.note]);
    let shared = desk.row(first.note);
    assert!(!shared.is_private && shared.status == StampStatus::Valid);
    assert_eq!(shared.parent, Some(first.generation));
    assert_ne!(shared.generation, first.generation);
    assert!(desk.home.keys.get(&shared.generation.into()).is_some(), "its key is its own");
    let mut document = desk.home.load_document(shared.space, shared.generation).expect("loads").document;
    assert_eq!(document.history().len(), 1, "no typing history travels");
    let bytes = document.save_uncompressed();
    assert!(!bytes.windows(6).any(|window| window == b"secret"));
    assert!(matches!(desk.home.release_note(first.note, minute(9)), Err(HomeError::Conflict(_))));
}

#[test]
fn a_release_by_hand_needs_consent_and_is_not_stopped_by_a_real_name() {
    let mut desk = Desk::found();
    let sam = desk.person("Sam", Some("Margaret Jones"));
    let placed = desk.write(with(sam, " is called margaret  JONES."), About::Unsaid);
    let refused = desk.home.release_note(placed.note, minute(3));
    assert!(matches!(refused, Err(HomeError::Consent { status: StampStatus::None })), "{refused:?}");
    assert_eq!(desk.consent(sam), [], "the name guard holds it back");
    assert!(desk.row(placed.note).is_private && desk.row(placed.note).status == StampStatus::Valid);
    let guarded = desk.home.guarded_names(&desk.notebook, "for Margaret Jones-Smith").expect("loaded");
    assert_eq!(guarded, ["Margaret Jones"]);
    assert_eq!(desk.home.guarded_names(&desk.notebook, "Margarets jones").expect("loaded"), [""; 0]);
    let released = desk.home.release_note(placed.note, minute(6)).expect("covered");
    assert!(!released.is_private);
    let written = desk.write(units("Margaret Jones"), About::Nobody);
    assert!(written.is_private, "nor is a new note with a real name shared at once");
}

#[test]
fn an_edit_that_names_somebody_uncovered_waits_as_a_draft_and_ends_in_the_shared_note() {
    let mut desk = Desk::found();
    let (sam, abby) = (desk.person("Sam", None), desk.person("Abby", None));
    desk.consent(sam);
    let shared = desk.write(with(sam, " spoke"), About::Unsaid);
    let draft = desk.edit(shared.note, [with(sam, " spoke to "), with(abby, "")].concat());
    assert!(draft.is_draft && draft.is_private && draft.stamp.status == StampStatus::None);
    assert_eq!(desk.text(shared.note), "\u{fffc} spoke", "the shared text is as it was");
    assert_eq!(desk.row(shared.note).people, BTreeSet::from([sam]));
    let again = desk.edit(shared.note, [with(sam, " spoke long to "), with(abby, "")].concat());
    assert_eq!(again.generation, draft.generation, "one draft, edited further");
    assert!(matches!(
        desk.home.release_note(shared.note, minute(4)),
        Err(HomeError::Consent { status: StampStatus::None })
    ));
    assert_eq!(desk.consent(abby), [shared.note]);
    assert_eq!(desk.text(shared.note), "\u{fffc} spoke long to \u{fffc}");
    let row = desk.row(shared.note);
    assert_eq!((row.generation, row.status), (shared.generation, StampStatus::Valid));
    let stamp = desk.home.ledger(&desk.notebook).expect("loaded").stamps()[&shared.generation].value();
    assert_eq!(stamp.expect("a stamp").subjects().len(), 2, "the people changed, so the stamp did");
    let next = desk.edit(shared.note, with(sam, " spoke"));
    assert_eq!(next.generation, shared.generation, "the draft has ended");
    let desk = desk.renew(2);
    assert_eq!(desk.text(shared.note), "\u{fffc} spoke");
}

#[test]
fn an_edit_that_takes_the_uncovered_out_of_a_draft_ends_it() {
    let mut desk = Desk::found();
    let sam = desk.person("Sam", None);
    let shared = desk.write(units("nobody here"), About::Nobody);
    assert!(desk.edit(shared.note, with(sam, " here")).is_draft);
    let ended = desk.edit(shared.note, units("nobody there"));
    assert!(!ended.is_draft && ended.generation == shared.generation);
    assert_eq!(desk.text(shared.note), "nobody there");
}

#[test]
fn a_withdrawal_puts_notes_on_hold_and_edits_of_them_stay_private() {
    let mut desk = Desk::found();
    let sam = desk.person("Sam", None);
    desk.consent(sam);
    let shared = desk.write(with(sam, " spoke"), About::Unsaid);
    assert_eq!(desk.withdraw(sam), [shared.note]);
    assert_eq!(desk.row(shared.note).status, StampStatus::OnHold);
    let draft = desk.edit(shared.note, units("redacted"));
    assert!(draft.is_draft && draft.is_private);
    assert_eq!(desk.home.release_covered(minute(7)).expect("runs"), []);
    assert_eq!(desk.text(shared.note), "\u{fffc} spoke");
    let held = desk.home.release_note(shared.note, minute(8));
    assert!(matches!(held, Err(HomeError::Consent { .. })), "{held:?}");
    let blocked = desk.write(with(sam, " again"), About::Unsaid);
    assert!(blocked.is_private && blocked.stamp.status == StampStatus::Blocked);
}

#[test]
fn a_killed_home_loses_no_keystroke() {
    let mut desk = Desk::found();
    let placed = desk.write(units("ab"), About::Unsaid);
    desk.type_in(placed.note, 2, "c");
    desk.type_in(placed.note, 3, "d");
    desk.home.sync_journal().expect("synced");
    assert_eq!(desk.text(placed.note), "ab", "the journal is no change yet");
    let mut desk = desk.reopen(2);
    assert_eq!(desk.text(placed.note), "abcd");
    desk.type_in(placed.note, 4, "e");
    let committed = desk.home.commit_note(placed.note, minute(7)).expect("committed");
    assert_eq!(committed.generation, placed.generation);
    assert_eq!(desk.home.commit_journals(minute(8)).expect("nothing left"), []);
    let desk = desk.reopen(3);
    assert_eq!(desk.text(placed.note), "abcde");
}

#[test]
fn keystrokes_that_name_somebody_uncovered_become_a_draft() {
    let mut desk = Desk::found();
    let sam = desk.person("Sam", None);
    let shared = desk.write(units("rain"), About::Nobody);
    let splice = Splice { at: 4, delete: 0, insert: with(sam, "") };
    desk.home.journal(shared.note, Field::Text, &[splice], minute(6)).expect("journaled");
    let draft = desk.home.commit_note(shared.note, minute(7)).expect("committed");
    assert!(draft.is_draft);
    assert_eq!(desk.text(shared.note), "rain");
    desk.type_in(shared.note, 5, "!");
    let again = desk.home.commit_note(shared.note, minute(8)).expect("committed");
    assert_eq!(again.generation, draft.generation, "typing goes on in the draft");
    assert_eq!(desk.consent(sam), [shared.note]);
    assert_eq!(desk.text(shared.note), "rain\u{fffc}!");
}

#[test]
fn keystrokes_beyond_the_end_are_kept_at_the_end() {
    let mut desk = Desk::found();
    let placed = desk.write(units("ab"), About::Unsaid);
    desk.type_in(placed.note, 40, "c");
    let splice = Splice { at: 1, delete: 90, insert: units("z") };
    desk.home.journal(placed.note, Field::Text, &[splice], minute(6)).expect("journaled");
    desk.type_in(placed.note, 99, "!");
    desk.home.commit_note(placed.note, minute(7)).expect("committed");
    assert_eq!(desk.text(placed.note), "az!");
}

#[test]
fn what_no_text_may_hold_is_refused_and_what_is_too_long_stays_in_the_journal() {
    let mut desk = Desk::found();
    let placed = desk.write(units("ab"), About::Unsaid);
    let insert = |text: &str| [Splice { at: 0, delete: 0, insert: units(text) }];
    for (field, text) in [(Field::Text, "\u{0}"), (Field::Title, "a\nb")] {
        let refused = desk.home.journal(placed.note, field, &insert(text), minute(6));
        assert!(matches!(refused, Err(HomeError::Text(_))), "{refused:?}");
    }
    let long = "x".repeat(NOTE_BYTES_MAX - 2);
    desk.home.journal(placed.note, Field::Text, &insert(&long), minute(6)).expect("at the limit");
    desk.type_in(placed.note, 0, "y");
    let refused = desk.home.commit_note(placed.note, minute(7));
    assert!(matches!(refused, Err(HomeError::Text(_))), "{refused:?}");
    let mut desk = desk.reopen(2);
    assert_eq!(desk.text(placed.note), "ab");
    let delete = [Splice { at: 0, delete: 1, insert: Vec::new() }];
    desk.home.journal(placed.note, Field::Text, &delete, minute(8)).expect("journaled");
    desk.home.commit_note(placed.note, minute(9)).expect("it fits again");
    assert_eq!(desk.text(placed.note).len(), NOTE_BYTES_MAX);
}

#[test]
fn a_note_names_64_people_ever_and_no_more() {
    let mut desk = Desk::found();
    let people: Vec<ParticipantId> = (0..65).map(|number| desk.person(&format!("P{number}"), None)).collect();
    let text = |of: &[ParticipantId]| of.iter().flat_map(|person| with(*person, " ")).collect::<Vec<_>>();
    let placed = desk.write(text(&people[..64]), About::Unsaid);
    assert_eq!(desk.row(placed.note).ever_named.len(), 64);
    let edit = NoteEdit { text: Some(text(&people[64..])), ..NoteEdit::default() };
    let refused = desk.home.edit_note(placed.note, edit, minute(3));
    assert!(matches!(refused, Err(HomeError::Invalid(_))), "{refused:?}");
    assert_eq!(desk.row(placed.note).people.len(), 64, "and nothing was done");
    let shorter = desk.edit(placed.note, text(&people[..1]));
    assert_eq!(desk.row(shorter.note).ever_named.len(), 64, "who was named once is named for ever");
    let before = desk.rows(&[placed.note]);
    assert_eq!(desk.renew(2).rows(&[placed.note]), before);
}

#[test]
fn an_import_adds_nothing_twice_and_tells_of_each_note() {
    let mut desk = Desk::found();
    let id = |number: u16| {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        NoteId::from_bytes(bytes)
    };
    let all = |desk: &Desk| -> Vec<NewNote> {
        let note = |number: u16| NewNote {
            id: Some(id(number)),
            ..desk.new_note(units(&format!("day {number}")), About::Nobody)
        };
        (0..150u16).map(|number| note(number % 149)).collect()
    };
    let mut written = Vec::new();
    let mut new = all(&desk);
    new[3].title = units("two\nlines");
    desk.home
        .import_notes(new, minute(2), &mut |at, outcome| {
            written.push((at, outcome.map(|placed| placed.is_some()).ok()));
        })
        .expect("imported");
    assert_eq!(written.len(), 150);
    for (at, outcome) in written {
        let expected = match at {
            3 => None,
            149 => Some(false),
            _ => Some(true),
        };
        assert_eq!(outcome, expected, "{at}");
    }
    let (mut news, mut skipped) = (0, 0);
    let again = all(&desk);
    desk.home
        .import_notes(again, minute(3), &mut |_, outcome| match outcome.expect("good") {
            Some(_) => news += 1,
            None => skipped += 1,
        })
        .expect("imported");
    assert_eq!((news, skipped), (1, 149));
    assert_eq!(desk.row(id(7)).status, StampStatus::Valid);
}

#[test]
fn a_read_model_that_is_made_again_or_lies_behind_says_the_same() {
    let mut desk = Desk::found();
    let (sam, abby) = (desk.person("Sam", None), desk.person("Abby", None));
    let mut notes = vec![
        desk.write(units("rain"), About::Nobody).note,
        desk.write(with(sam, " came"), About::Unsaid).note,
        desk.write(with(abby, " went"), About::Unsaid).note,
    ];
    let home = desk.folder.path().join("home");
    desk.home.derived.checkpoint().expect("written");
    let old = std::fs::read(home.join(DERIVED_FILE)).expect("the file as it was");
    desk.consent(sam);
    desk.edit(notes[0], with(abby, " in the rain"));
    notes.push(desk.write(with(sam, " came again"), About::Unsaid).note);
    desk.withdraw(sam);
    let before = desk.rows(&notes);
    assert!(before.len() >= 6);
    let desk = desk.renew(2);
    assert_eq!(desk.rows(&notes), before);
    let Desk { folder, home, notebook } = desk;
    drop(home);
    // The crash came between core.db and derived.db.
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.path().join("home").join(format!("{DERIVED_FILE}{end}")));
    }
    std::fs::write(folder.path().join("home").join(DERIVED_FILE), old).expect("written");
    let home = Home::open(&folder.path().join("home"), wrapping(), minute(9), Box::new(Seeded::new(3)));
    let desk = Desk { folder, home: home.expect("a whole home"), notebook };
    assert_eq!(desk.rows(&notes), before);
}

#[test]
fn an_encounter_and_a_speaker_count_in_the_assessment() {
    let mut desk = Desk::found();
    let sam = desk.person("Sam", None);
    let at = time("2026-11-25T10:00:00Z");
    let new = NewEncounter { activity: Activity::Interview, place: None, with: BTreeSet::from([sam]), at };
    let encounter = desk.home.start_encounter(&desk.notebook, new, minute(1)).expect("started");
    desk.consent(sam);
    let new = NewNote { encounter: Some(encounter), ..desk.new_note(with(sam, ""), About::Unsaid) };
    let interviewed = desk.home.write_note(new, minute(2)).expect("written");
    assert_eq!(interviewed.stamp.status, StampStatus::None, "an interview needs a consent of its own");
    let turn = [vec![Unit::Mark(crate::text::Mark::Turn(Some(sam)))], units("hello")].concat();
    let quoted = desk.write(turn, About::Unsaid);
    assert_eq!(quoted.stamp.status, StampStatus::None);
    let Some(why) = &quoted.stamp.subjects[0].why else { panic!("not covered") };
    assert_eq!(*why, crate::coverage::Why::ScopeLacks(BTreeSet::from([Scope::VerbatimQuote])));
    let stranger = EncounterId::from_bytes([9; 16]);
    let new = NewNote { encounter: Some(stranger), ..desk.new_note(units("x"), About::Nobody) };
    assert!(matches!(desk.home.write_note(new, minute(2)), Err(HomeError::NotFound(Thing::Encounter))));
}

#[test]
fn nobody_whom_the_notebook_does_not_know_gets_into_a_note() {
    let mut desk = Desk::found();
    let stranger = ParticipantId::from_bytes([9; 16]);
    let note = desk.write(units("rain"), About::Unsaid).note;
    for (text, about) in
        [(with(stranger, ""), About::Unsaid), (units("x"), About::These(BTreeSet::from([stranger])))]
    {
        let written = desk.home.write_note(desk.new_note(text.clone(), about.clone()), minute(2));
        assert!(matches!(written, Err(HomeError::NotFound(Thing::Participant))), "{written:?}");
        let edit = NoteEdit { text: Some(text), about: Some(about), ..NoteEdit::default() };
        let edited = desk.home.edit_note(note, edit, minute(3));
        assert!(matches!(edited, Err(HomeError::NotFound(Thing::Participant))), "{edited:?}");
    }
    assert_eq!(desk.text(note), "rain");
}

#[derive(Debug, Clone)]
enum Step {
    Edit(String),
    Type { at: u32, delete: u32, text: String },
    Commit,
    Reopen,
    Renew,
    Name,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => "[a-zé\n]{0,12}".prop_map(Step::Edit),
        8 => (0u32..20, 0u32..4, "[a-zé]{0,4}").prop_map(|(at, delete, text)| Step::Type { at, delete, text }),
        3 => Just(Step::Commit),
        1 => Just(Step::Reopen),
        1 => Just(Step::Renew),
        1 => Just(Step::Name),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_acknowledged_character_is_ever_lost(steps in prop::collection::vec(step(), 1..30)) {
        let mut desk = Desk::found();
        let sam = desk.person("Sam", None);
        let note = desk.write(units("begin"), About::Nobody).note;
        let mut text = units("begin");
        let mut seed = 10;
        for step in steps {
            match step {
                Step::Edit(new) => {
                    text = units(&new);
                    desk.edit(note, text.clone());
                }
                Step::Type { at, delete, text: typed } => {
                    let length = u32::try_from(text.len()).expect("short");
                    let at = at.min(length);
                    let splice = Splice { at, delete: delete.min(length - at), insert: units(&typed) };
                    prop_assert!(splice.apply(&mut text));
                    desk.home.journal(note, Field::Text, &[splice], minute(6)).expect("journaled");
                }
                Step::Commit => {
                    desk.home.commit_note(note, minute(7)).expect("committed");
                }
                Step::Reopen => {
                    seed += 1;
                    desk = desk.reopen(seed);
                }
                Step::Renew => {
                    seed += 1;
                    desk = desk.renew(seed);
                }
                Step::Name => {
                    text.push(Unit::Token(Token::Person(sam)));
                    desk.edit(note, text.clone());
                }
            }
        }
        desk.home.commit_journals(minute(8)).expect("committed");
        let row = desk.home.edited(note).expect("editable");
        prop_assert_eq!(open_view(&row).expect("a view").text.units(), text);
        let before = desk.rows(&[note]);
        let desk = desk.renew(99);
        prop_assert_eq!(desk.rows(&[note]), before);
    }
}
