//! Sync from end to end: the sessions of homes against the sessions of a server, frames carried by hand; and a server
//! that lies.

#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

use std::collections::BTreeSet;
use std::path::Path;

use tempfile::TempDir;
use thicket_core::consent::{Act, Activities, Bound, Consent, Withdrawal};
use thicket_core::entropy::Entropy;
use thicket_core::home::{
    About, ConsentTerms, Founding, Home, NewEvent, NewNote, NewParticipant, NoteEdit, NotesWanted,
};
use thicket_core::ids::{NoteId, ParticipantId};
use thicket_core::name::Name;
use thicket_core::ring::Wrapping;
use thicket_core::secret::WrappingKey;
use thicket_core::sync::{Errand, InviteTrouble, Outcome, SyncError, SyncEvent, SyncSession};
use thicket_core::text::{Layer, units};
use thicket_core::time::{Moment, Observed};
use thicket_core::view::Provenance;
use thicket_core::vocabulary::{Activity, Actor, Channel, Hold, Kind, Mode, StampStatus, UseLeft};
use thicket_protocol::address::{InviteCode, ServerAddress};
use thicket_protocol::frame::{self, Refusal, Reply, Request, Tips};
use thicket_protocol::governance::{Admits, Realm, Role, SpaceKind};
use thicket_protocol::ids::{Hash, Incarnation, NotebookId};
use thicket_protocol::record::{Batch, Receipt};
use thicket_protocol::sign::Signer;
use thicket_sync_server::{ServerSession, Store};
use thicket_tests::sim::Dice;

const BEGINNING_MS: i64 = 1_795_597_200_000;
/// Frames after which a session that goes on is taken for one without end.
const FRAMES_MAX: usize = 10_000;

fn now() -> Moment {
    Moment::new(BEGINNING_MS, 0).expect("a moment")
}

fn later(hours: i64) -> Moment {
    Moment::new(BEGINNING_MS + hours * 3_600_000, 0).expect("a moment")
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

/// A folder in memory where the machine has one.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.expect("a folder")
}

struct Relay {
    folder: TempDir,
    store: Option<Store>,
}

impl Relay {
    fn start() -> Self {
        Self::on(folder())
    }

    fn on(folder: TempDir) -> Self {
        let store = Store::open(folder.path(), &mut |out| Dice::new(77).fill(out)).expect("a server");
        Self { folder, store: Some(store) }
    }

    /// A second server with the same key on a copy of the data, as a liar would keep it.
    fn copy(&mut self) -> Self {
        drop(self.store.take());
        let copy = folder();
        for file in std::fs::read_dir(self.folder.path()).expect("a folder").map(|file| file.expect("a file"))
        {
            std::fs::copy(file.path(), copy.path().join(file.file_name())).expect("copied");
        }
        *self = Self::on(std::mem::replace(&mut self.folder, folder()));
        Self::on(copy)
    }

    fn store(&mut self) -> &mut Store {
        self.store.as_mut().expect("the server runs")
    }

    fn address(&mut self) -> ServerAddress {
        ServerAddress { host: "relay.example".to_owned(), port: 1, key: self.store().public_key() }
    }

    fn signer(&self) -> Signer {
        let seed = std::fs::read(self.folder.path().join("server.key")).expect("the key");
        Signer::from_seed(&seed.try_into().expect("32 bytes"))
    }
}

struct Phone {
    folder: TempDir,
    seed: u64,
    home: Option<Home>,
}

impl Phone {
    fn wrapping(seed: u64) -> Wrapping<'static> {
        Wrapping::Key(WrappingKey::from_bytes([u8::try_from(seed).expect("small"); 32]))
    }

    fn found(seed: u64, relay: &mut Relay) -> (Self, NotebookId) {
        let folder = folder();
        let founding = Founding {
            team: name("Team"),
            member: name("Ada"),
            device: name("Ada's phone"),
            notebook: name("Study"),
            realm: Realm::Research,
        };
        let made =
            Home::init(folder.path(), Self::wrapping(seed), &founding, now(), Box::new(Dice::new(seed)));
        let (mut home, founded) = made.expect("a home");
        home.use_server(&relay.address(), now()).expect("a server");
        (Self { folder, seed, home: Some(home) }, founded.notebook)
    }

    fn prepare(seed: u64, code: &InviteCode, member: &str) -> Self {
        let folder = folder();
        let (wrapping, entropy) = (Self::wrapping(seed), Box::new(Dice::new(seed * 1_000 + 7)));
        let (member, device) = (name(member), name(&format!("{member}'s phone")));
        let home = Home::prepare_join(folder.path(), wrapping, code, member, device, now(), entropy);
        Self { folder, seed, home: Some(home.expect("prepared")) }
    }

    /// The process dies, and another begins.
    fn die(&mut self, times: u64) {
        drop(self.home.take());
        let entropy = Box::new(Dice::new(self.seed * 1_000_000 + times + 1));
        let home = Home::open(self.folder.path(), Self::wrapping(self.seed), now(), entropy);
        self.home = Some(home.expect("the home opens"));
    }

    fn home(&mut self) -> &mut Home {
        self.home.as_mut().expect("open")
    }

    fn sync(&mut self, relay: &mut Relay) -> Outcome {
        let events = carry(self, relay, Errand::Sync, FRAMES_MAX, &mut honest).expect("synced");
        settled(&events).expect("a round came to its end")
    }

    fn invite(&mut self, relay: &mut Relay, admits: Admits) -> InviteCode {
        let expires_ms = u64::try_from(later(100).unix_ms()).expect("after 1970");
        let errand = Errand::Invite { admits, expires_ms };
        let events = carry(self, relay, errand, FRAMES_MAX, &mut honest).expect("invited");
        let code = events
            .into_iter()
            .find_map(|event| if let SyncEvent::Invited(code) = event { Some(code) } else { None });
        code.expect("a code")
    }

    fn write(&mut self, notebook: NotebookId, text: &str, about: About) -> NoteId {
        let new = NewNote {
            notebook,
            id: None,
            encounter: None,
            title: units("A visit"),
            text: units(text),
            about,
            layer: Layer::Observation,
            observed: Observed::Minute(now()),
            provenance: Provenance::Typed,
        };
        self.home().write_note(new, now()).expect("written").note
    }

    fn texts(&mut self) -> Vec<String> {
        let page = self.home().notes(&NotesWanted::default(), None, 1_000).expect("a list");
        let mut texts: Vec<String> =
            page.notes.iter().map(|row| self.home().note(row.id).expect("shown").text).collect();
        texts.sort();
        texts
    }

    fn add_participant(&mut self, notebook: NotebookId) -> ParticipantId {
        let new = NewParticipant {
            pseudonym: name("Sam"),
            kind: Kind::Client,
            age: None,
            gender: None,
            real_name: Some(name("Samuel Pepys")),
        };
        self.home().add_participant(&notebook, new, now()).expect("a participant")
    }

    fn agree(&mut self, notebook: NotebookId, participant: ParticipantId) {
        let terms = ConsentTerms {
            participant,
            activity: Activity::Observation,
            mode: Mode::Verbal,
            scope: Consent::default_scope(),
            bound: Bound::Notebook,
            at: Observed::Minute(now()),
        };
        self.home().record_consent(&notebook, terms, now()).expect("agreed");
    }

    fn withdraw(&mut self, notebook: NotebookId, participant: ParticipantId) {
        let terms = Withdrawal {
            received_at: now(),
            effective_from: None,
            channel: Channel::ALL[0],
            hold: Hold::Keep,
            use_left: UseLeft::ALL[0],
            future_collection: false,
            cut_off_applied: false,
            reason: None,
        };
        let act = Act::Withdrawn { activities: Activities::All, encounter: None, terms };
        let event = NewEvent { participant, at: Observed::Minute(now()), actor: Actor::Participant, act };
        self.home().record_event(&notebook, event, now()).expect("withdrawn");
    }
}

impl Phone {
    /// A copy of the home's files, as a backup of the phone has it.
    fn copy(&mut self) -> TempDir {
        drop(self.home.take());
        let copy = folder();
        for file in std::fs::read_dir(self.folder.path()).expect("a folder").map(|file| file.expect("a file"))
        {
            std::fs::copy(file.path(), copy.path().join(file.file_name())).expect("copied");
        }
        self.die(1);
        copy
    }

    fn put_back(&mut self, copy: TempDir) {
        drop(self.home.take());
        self.folder = copy;
        self.die(2);
    }

    fn rewrite(&mut self, note: NoteId, text: &str) {
        let edit = NoteEdit { text: Some(units(text)), ..NoteEdit::default() };
        self.home().edit_note(note, edit, now()).expect("edited");
    }
}

#[test]
fn a_phone_put_back_from_an_old_copy_reads_what_it_wrote_since_and_goes_on() {
    let (mut relay, mut ada, mut ben, notebook) = team_of_two();
    let first = ada.write(notebook, "Before the copy.", About::Nobody);
    ada.sync(&mut relay);
    let copy = ada.copy();
    ada.write(notebook, "After the copy.", About::Nobody);
    ada.rewrite(first, "Before the copy. And more after it.");
    ada.sync(&mut relay);
    ada.put_back(copy);
    assert_eq!(ada.texts(), ["Before the copy."]);
    ada.rewrite(first, "Seen before the copy.");
    ada.write(notebook, "Put back.", About::Nobody);
    assert!(ada.sync(&mut relay).is_up_to_date);
    assert!(ben.sync(&mut relay).is_up_to_date);
    assert!(ada.sync(&mut relay).is_up_to_date);
    assert_eq!(ada.texts(), ben.texts());
    let texts = ada.texts().join(" | ");
    for words in ["After the copy.", "Put back.", "And more after it.", "Seen"] {
        assert!(texts.contains(words), "{words} in {texts}");
    }
}

#[test]
fn a_phone_put_back_from_an_old_copy_is_given_the_keys_again_that_it_got_since() {
    let (mut relay, mut ada, mut ben, _) = team_of_two();
    let copy = ben.copy();
    let errand = Errand::CreateNotebook { name: name("Second"), realm: Realm::Service };
    let events = carry(&mut ada, &mut relay, errand, FRAMES_MAX, &mut honest).expect("made");
    let made = |event: &SyncEvent| if let SyncEvent::NotebookCreated(id) = event { Some(*id) } else { None };
    let second = events.iter().find_map(made).expect("a notebook");
    ada.write(second, "In the second.", About::Nobody);
    for _ in 0..2 {
        ada.sync(&mut relay);
        ben.sync(&mut relay);
    }
    ben.write(second, "There too.", About::Nobody);
    ben.sync(&mut relay);
    let texts = ["In the second.", "There too."];
    assert_eq!(ben.texts(), texts);
    ben.put_back(copy);
    ben.sync(&mut relay);
    ada.sync(&mut relay);
    let outcome = ben.sync(&mut relay);
    // The key of his private space in the second notebook was on this phone alone, and is lost with what was under it.
    assert!(outcome.waits_for_keys, "{outcome:?}");
    ben.write(second, "Put back.", About::Nobody);
    ben.sync(&mut relay);
    ada.sync(&mut relay);
    let texts = ["In the second.", "Put back.", "There too."];
    assert_eq!(ada.texts(), texts);
    assert_eq!(ben.texts(), texts);
}

fn settled(events: &[SyncEvent]) -> Option<Outcome> {
    let settled = |event: &SyncEvent| {
        if let SyncEvent::Settled(outcome) = event { Some(outcome.clone()) } else { None }
    };
    events.iter().rev().find_map(settled)
}

fn honest(reply: Reply) -> Vec<Reply> {
    vec![reply]
}

/// Carries up to `frames` frames between a phone and a server, whose replies go through `tell`.
fn carry(
    phone: &mut Phone,
    relay: &mut Relay,
    errand: Errand,
    frames: usize,
    tell: &mut dyn FnMut(Reply) -> Vec<Reply>,
) -> Result<Vec<SyncEvent>, SyncError> {
    let home = phone.home.as_mut().expect("open");
    let store = relay.store.as_mut().expect("the server runs");
    let mut session = SyncSession::begin(home, errand, now())?;
    let (exporter, mut server) = ([3; 32], ServerSession::new());
    session.handle_connected(home, &exporter, now())?;
    let (mut carried, mut events) = (0, Vec::new());
    loop {
        let before = carried;
        while carried < frames
            && let Some(frame) = session.poll_transmit(home, now())?
        {
            carried += 1;
            server.handle_frame(store, &frame, BEGINNING_MS, &|_| exporter);
        }
        while carried < frames
            && let Some(frame) = server.poll_transmit(store)
        {
            carried += 1;
            for reply in tell(frame::decode(&frame).expect("a reply")) {
                session.handle_frame(home, &frame::encode(&reply), now())?;
            }
        }
        events.extend(std::iter::from_fn(|| session.poll_event()));
        if carried == before || carried >= frames {
            assert!(carried < FRAMES_MAX, "a session without end");
            return Ok(events);
        }
    }
}

/// A founder, and a second member who has everything.
fn team_of_two() -> (Relay, Phone, Phone, NotebookId) {
    let mut relay = Relay::start();
    let (mut ada, notebook) = Phone::found(1, &mut relay);
    assert!(ada.sync(&mut relay).is_up_to_date);
    let ben = join(&mut relay, &mut ada, 2, "Ben", Admits::Member(Role::Fieldworker));
    (relay, ada, ben, notebook)
}

fn join(relay: &mut Relay, by: &mut Phone, seed: u64, member: &str, admits: Admits) -> Phone {
    let code = by.invite(relay, admits);
    let mut new = Phone::prepare(seed, &code, member);
    let events = carry(&mut new, relay, Errand::Join, FRAMES_MAX, &mut honest).expect("joined");
    assert_eq!(events, [SyncEvent::Admitted]);
    let waits = new.sync(relay);
    assert!(waits.waits_for_keys && !waits.is_up_to_date, "{waits:?}");
    by.sync(relay);
    let outcome = new.sync(relay);
    assert!(!outcome.waits_for_keys && outcome.is_up_to_date, "{outcome:?}");
    new
}

#[test]
fn an_idle_sync_is_one_round_trip() {
    let (mut relay, mut ada, mut ben, notebook) = team_of_two();
    ada.write(notebook, "The gate was open.", About::Nobody);
    for _ in 0..2 {
        ada.sync(&mut relay);
        ben.sync(&mut relay);
    }
    for phone in [&mut ada, &mut ben] {
        let mut told = Vec::new();
        let events = carry(phone, &mut relay, Errand::Sync, FRAMES_MAX, &mut |reply| {
            told.push(reply.clone());
            vec![reply]
        });
        let outcome = settled(&events.expect("synced")).expect("settled");
        assert!(outcome.is_up_to_date, "{outcome:?}");
        // The answer to the hello, and the one to what was sent right behind it.
        assert!(matches!(told[..], [Reply::Welcome { .. }, Reply::Stored]), "{told:?}");
    }
}

#[test]
fn a_note_goes_there_and_comes_back_edited() {
    let (mut relay, mut ada, mut ben, notebook) = team_of_two();
    let note = ada.write(notebook, "The gate was open.", About::Nobody);
    assert_eq!(ada.sync(&mut relay).sent, 2, "the note and its stamp");
    ben.sync(&mut relay);
    let edit = NoteEdit { title: None, text: Some(units("The gate was open. A dog barked.")), about: None };
    ben.home().edit_note(note, edit, now()).expect("edited");
    ben.sync(&mut relay);
    ada.sync(&mut relay);
    assert_eq!(ada.texts(), ["The gate was open. A dog barked."]);
    assert_eq!(ben.texts(), ada.texts());
}

#[test]
fn an_agreement_there_releases_a_note_here_and_a_withdrawal_holds_it_there() {
    let (mut relay, mut ada, mut ben, notebook) = team_of_two();
    let sam = ben.add_participant(notebook);
    let note = ben.write(notebook, "Sam opened the door.", About::These(BTreeSet::from([sam])));
    ben.sync(&mut relay);
    ada.sync(&mut relay);
    assert_eq!(ada.texts(), [""; 0], "nobody has agreed to anything");
    ada.agree(notebook, sam);
    ada.sync(&mut relay);
    assert_eq!(ben.sync(&mut relay).released, [note]);
    ada.sync(&mut relay);
    assert_eq!(ada.texts(), ["Sam opened the door."]);
    ben.withdraw(notebook, sam);
    ben.sync(&mut relay);
    ada.sync(&mut relay);
    // The custodian may open it by its id; it stands in no list of hers.
    assert_eq!(ada.home().note(note).expect("a custodian opens it").stamp.status, StampStatus::OnHold);
    assert_eq!(ada.texts(), [""; 0]);
}

#[test]
fn an_own_second_device_reads_private_notes_and_nobody_else_does() {
    let (mut relay, mut ada, mut ben, notebook) = team_of_two();
    let sam = ben.add_participant(notebook);
    ben.write(notebook, "Sam did not say.", About::These(BTreeSet::from([sam])));
    ben.sync(&mut relay);
    let member = ben.home().member().expect("a member");
    let mut tablet = join(&mut relay, &mut ben, 3, "Ben", Admits::OwnDevice(member));
    ada.sync(&mut relay);
    assert_eq!(tablet.texts(), ["Sam did not say."]);
    assert_eq!(ada.texts(), [""; 0]);
}

#[test]
fn a_phone_that_was_away_for_months_sends_and_gets_everything() {
    let (mut relay, mut ada, mut ben, notebook) = team_of_two();
    for number in 0..150 {
        ada.write(notebook, &format!("Here, number {number}."), About::Nobody);
        if number % 20 == 0 {
            ada.sync(&mut relay);
        }
        ben.write(notebook, &format!("There, number {number}."), About::Nobody);
    }
    ada.sync(&mut relay);
    assert!(ben.sync(&mut relay).is_up_to_date);
    assert!(ada.sync(&mut relay).is_up_to_date);
    assert_eq!(ben.texts().len(), 300);
    assert_eq!(ben.texts(), ada.texts());
}

#[test]
fn an_invite_that_is_late_or_spent_admits_nobody() {
    let mut relay = Relay::start();
    let (mut ada, _) = Phone::found(1, &mut relay);
    ada.sync(&mut relay);
    let expires_ms = u64::try_from(BEGINNING_MS - 1).expect("after 1970");
    let errand = Errand::Invite { admits: Admits::Member(Role::Fieldworker), expires_ms };
    let events = carry(&mut ada, &mut relay, errand, FRAMES_MAX, &mut honest).expect("invited");
    let SyncEvent::Invited(code) = events.into_iter().next().expect("an event") else { panic!("no invite") };
    let mut ben = Phone::prepare(2, &code, "Ben");
    let late = carry(&mut ben, &mut relay, Errand::Join, FRAMES_MAX, &mut honest);
    assert!(matches!(late, Err(SyncError::Invite(InviteTrouble::Expired))), "{late:?}");

    let code = ada.invite(&mut relay, Admits::Member(Role::Fieldworker));
    carry(&mut Phone::prepare(3, &code, "Cy"), &mut relay, Errand::Join, FRAMES_MAX, &mut honest)
        .expect("joined");
    let spent = carry(&mut Phone::prepare(4, &code, "Di"), &mut relay, Errand::Join, FRAMES_MAX, &mut honest);
    assert!(matches!(spent, Err(SyncError::Invite(InviteTrouble::Spent))), "{spent:?}");
}

/// Asks for an invite; so many times the entry does not reach the server, which is said to have gone on.
fn lose_races(ada: &mut Phone, relay: &mut Relay, mut lost: u32) -> Result<Vec<SyncEvent>, SyncError> {
    let (home, store) = (ada.home.as_mut().expect("open"), relay.store.as_mut().expect("runs"));
    let errand = Errand::Invite { admits: Admits::Member(Role::Fieldworker), expires_ms: u64::MAX };
    let mut session = SyncSession::begin(home, errand, now())?;
    let mut server = ServerSession::new();
    session.handle_connected(home, &[3; 32], now())?;
    while let Some(frame) = session.poll_transmit(home, now())? {
        let request: Request = frame::decode(&frame).expect("a request");
        if matches!(request, Request::PutEntry { .. }) && lost > 0 {
            lost -= 1;
            session.handle_frame(home, &frame::encode(&Reply::Refused(Refusal::Behind)), now())?;
        } else {
            server.handle_frame(store, &frame, BEGINNING_MS, &|_| [3; 32]);
        }
        while let Some(frame) = server.poll_transmit(store) {
            session.handle_frame(home, &frame, now())?;
        }
    }
    Ok(std::iter::from_fn(|| session.poll_event()).collect())
}

#[test]
fn an_entry_that_lost_a_race_is_made_anew_eight_times_and_no_more() {
    for (lost, is_invited) in [(1, true), (8, true), (9, false)] {
        let mut relay = Relay::start();
        let (mut ada, _) = Phone::found(1, &mut relay);
        ada.sync(&mut relay);
        let done = lose_races(&mut ada, &mut relay, lost);
        if is_invited {
            let events = done.expect("invited in the end");
            assert!(events.iter().any(|event| matches!(event, SyncEvent::Invited(_))), "{lost}: {events:?}");
        } else {
            assert!(matches!(done, Err(SyncError::Refused(Refusal::Behind))), "{lost}: {done:?}");
        }
        assert!(ada.sync(&mut relay).is_up_to_date);
    }
}

#[test]
fn notes_that_fill_a_batch_each_travel_alone() {
    let (mut relay, mut ada, mut ben, notebook) = team_of_two();
    let mut dice = Dice::new(5);
    // What does not deflate: the text stands in a body as view and as document.
    let large: Vec<String> =
        (0..3).map(|_| (0..38_000).map(|_| format!("{:x}", dice.roll())).collect()).collect();
    for text in &large {
        ada.write(notebook, text, About::Nobody);
    }
    assert!(ada.sync(&mut relay).is_up_to_date);
    let mut sizes = Vec::new();
    carry(&mut ben, &mut relay, Errand::Sync, FRAMES_MAX, &mut |reply| {
        if let Reply::Batches { batches, .. } = &reply {
            sizes.extend(batches.iter().map(|batch| batch.len()).filter(|bytes| *bytes > 100_000));
        }
        vec![reply]
    })
    .expect("synced");
    assert_eq!(sizes.len(), 3, "{sizes:?}");
    let mut expected = large;
    expected.sort();
    assert_eq!(ben.texts(), expected);
}

#[test]
fn a_batch_has_sixty_four_items_and_one_more_begins_another() {
    for (notes, batches) in [(64, 1), (65, 2)] {
        let (mut relay, mut ada, _, notebook) = team_of_two();
        for number in 0..notes {
            ada.write(notebook, &format!("Number {number}."), About::Nobody);
        }
        let shared = ada.home().team().and_then(|team| team.space_of(&notebook, SpaceKind::Shared, None));
        let mut receipts = 0;
        carry(&mut ada, &mut relay, Errand::Sync, FRAMES_MAX, &mut |reply| {
            if let Reply::Receipt(bytes) = &reply
                && Some(Receipt::decode(bytes).expect("a receipt").body().space) == shared
            {
                receipts += 1;
            }
            vec![reply]
        })
        .expect("synced");
        assert_eq!(receipts, batches, "{notes} notes");
    }
}

#[test]
fn a_device_that_came_late_is_given_no_keys() {
    let mut relay = Relay::start();
    let (mut ada, _) = Phone::found(1, &mut relay);
    ada.sync(&mut relay);
    let code = ada.invite(&mut relay, Admits::Member(Role::Fieldworker));
    let mut ben = Phone::prepare(2, &code, "Ben");
    carry(&mut ben, &mut relay, Errand::Join, FRAMES_MAX, &mut honest).expect("joined");
    assert!(ben.sync(&mut relay).waits_for_keys);
    let signer = relay.signer();
    carry(&mut ada, &mut relay, Errand::Sync, FRAMES_MAX, &mut |reply| {
        let Reply::Welcome { tips, statements, seals } = reply else { return vec![reply] };
        let mut body = Tips::decode(&tips).expect("tips").body().clone();
        body.now_ms = later(101).unix_ms();
        let tips = Tips::sign(body, &signer).expect("signed").bytes().to_vec();
        vec![Reply::Welcome { tips, statements, seals }]
    })
    .expect("synced");
    assert!(ben.sync(&mut relay).waits_for_keys, "the invite had expired by the time of whoever seals");
}

/// Kills a phone after each number of frames until a session runs to its end undisturbed.
fn killed_at_every_frame(
    phone: &mut Phone,
    relay: &mut Relay,
    errand: &Errand,
    is_over: impl Fn(&[SyncEvent]) -> bool,
) -> usize {
    for frames in 1..200 {
        let events = carry(phone, relay, errand.clone(), frames, &mut honest);
        let events = events.unwrap_or_else(|error| panic!("after {frames} frames: {error:?}"));
        if is_over(&events) {
            return frames;
        }
        phone.die(u64::try_from(frames).expect("small"));
    }
    panic!("a session without end");
}

fn is_settled(events: &[SyncEvent]) -> bool {
    settled(events).is_some_and(|outcome| outcome.is_up_to_date)
}

#[test]
fn a_phone_killed_between_any_two_frames_loses_and_doubles_nothing() {
    let mut relay = Relay::start();
    let (mut ada, notebook) = Phone::found(1, &mut relay);
    ada.write(notebook, "Written before there was a server.", About::Nobody);
    assert!(killed_at_every_frame(&mut ada, &mut relay, &Errand::Sync, is_settled) > 5);
    let code = ada.invite(&mut relay, Admits::Member(Role::Fieldworker));
    let mut ben = Phone::prepare(2, &code, "Ben");
    killed_at_every_frame(&mut ben, &mut relay, &Errand::Join, |events| events == [SyncEvent::Admitted]);
    let waits = |events: &[SyncEvent]| settled(events).is_some_and(|outcome| outcome.waits_for_keys);
    killed_at_every_frame(&mut ben, &mut relay, &Errand::Sync, waits);
    killed_at_every_frame(&mut ada, &mut relay, &Errand::Sync, is_settled);
    killed_at_every_frame(&mut ben, &mut relay, &Errand::Sync, is_settled);
    assert_eq!(ben.texts(), ["Written before there was a server."]);
    for number in 0..70 {
        ben.write(notebook, &format!("Number {number}."), About::Nobody);
        ada.write(notebook, &format!("Another number {number}."), About::Nobody);
    }
    killed_at_every_frame(&mut ben, &mut relay, &Errand::Sync, is_settled);
    killed_at_every_frame(&mut ada, &mut relay, &Errand::Sync, is_settled);
    killed_at_every_frame(&mut ben, &mut relay, &Errand::Sync, is_settled);
    assert_eq!(ada.texts().len(), 141);
    assert_eq!(ada.texts(), ben.texts());
}

fn stopped_for_good(phone: &mut Phone, relay: &mut Relay, done: Result<Vec<SyncEvent>, SyncError>) {
    let Err(SyncError::Distrust { evidence }) = done else { panic!("not distrusted: {done:?}") };
    assert!(phone.folder.path().join(&evidence).is_file());
    let again = carry(phone, relay, Errand::Sync, FRAMES_MAX, &mut honest);
    assert!(matches!(again, Err(SyncError::Distrust { evidence: same }) if same == evidence));
}

#[test]
fn a_server_that_goes_back_to_an_earlier_day_is_caught() {
    let (mut relay, mut ada, _, notebook) = team_of_two();
    let mut yesterday = relay.copy();
    ada.write(notebook, "Today.", About::Nobody);
    ada.sync(&mut relay);
    let done = carry(&mut ada, &mut yesterday, Errand::Sync, FRAMES_MAX, &mut honest);
    stopped_for_good(&mut ada, &mut relay, done);
    assert_eq!(ada.texts(), ["Today."]);
}

#[test]
fn a_server_that_shows_two_people_two_histories_is_caught_when_they_cross() {
    let (mut relay, mut ada, mut ben, notebook) = team_of_two();
    let mut other = relay.copy();
    ada.write(notebook, "For Ada's history.", About::Nobody);
    ada.sync(&mut relay);
    ben.write(notebook, "For Ben's history.", About::Nobody);
    ben.sync(&mut other);
    let done = carry(&mut ben, &mut relay, Errand::Sync, FRAMES_MAX, &mut honest);
    stopped_for_good(&mut ben, &mut other, done);
    assert_eq!(ben.texts(), ["For Ben's history."]);
}

#[test]
fn another_life_of_the_servers_data_is_told_and_not_mixed_with_this_one() {
    let (mut relay, mut ada, _, _) = team_of_two();
    let signer = relay.signer();
    let done = carry(&mut ada, &mut relay, Errand::Sync, FRAMES_MAX, &mut |reply| {
        let Reply::Welcome { tips, statements, seals } = reply else { return vec![reply] };
        let mut body = Tips::decode(&tips).expect("tips").body().clone();
        body.incarnation = Incarnation::from_bytes([9; 16]);
        let tips = Tips::sign(body, &signer).expect("signed").bytes().to_vec();
        vec![Reply::Welcome { tips, statements, seals }]
    });
    assert!(matches!(done, Err(SyncError::Restored)), "{done:?}");
}

#[test]
fn tips_that_another_key_signed_are_refused() {
    let (mut relay, mut ada, _, _) = team_of_two();
    let other = Signer::from_seed(&[8; 32]);
    let done = carry(&mut ada, &mut relay, Errand::Sync, FRAMES_MAX, &mut |reply| {
        let Reply::Welcome { tips, statements, seals } = reply else { return vec![reply] };
        let body = Tips::decode(&tips).expect("tips").body().clone();
        let tips = Tips::sign(body, &other).expect("signed").bytes().to_vec();
        vec![Reply::Welcome { tips, statements, seals }]
    });
    assert!(matches!(done, Err(SyncError::Protocol(_))), "{done:?}");
}

/// Lets `alter` change the batches of each answer of the relay on their way to Ben, who then gets them unaltered.
fn altered_on_the_way(
    alter: impl Fn(&mut Vec<Vec<u8>>) + 'static,
    is_caught: impl Fn(&Result<Vec<SyncEvent>, SyncError>) -> bool,
) {
    let (mut relay, mut ada, mut ben, notebook) = team_of_two();
    for number in 0..3 {
        ada.write(notebook, &format!("Number {number}."), About::Nobody);
        ada.sync(&mut relay);
    }
    let done = carry(&mut ben, &mut relay, Errand::Sync, FRAMES_MAX, &mut |reply| {
        let Reply::Batches { space, first, batches, more } = reply else { return vec![reply] };
        let mut altered: Vec<Vec<u8>> = batches.into_iter().map(Vec::from).collect();
        if altered.len() > 1 {
            alter(&mut altered);
        }
        let batches = altered.into_iter().map(Into::into).collect();
        vec![Reply::Batches { space, first, batches, more }]
    });
    assert!(is_caught(&done), "{done:?}");
    assert_eq!(ben.texts(), [""; 0], "what is not whole is not shown");
    ben.sync(&mut relay);
    assert_eq!(ben.texts(), ["Number 0.", "Number 1.", "Number 2."]);
}

fn is_protocol(done: &Result<Vec<SyncEvent>, SyncError>) -> bool {
    matches!(done, Err(SyncError::Protocol(_)))
}

#[test]
fn withheld_swapped_and_altered_batches_are_caught_before_they_are_kept() {
    altered_on_the_way(|batches| drop(batches.pop()), is_protocol);
    altered_on_the_way(|batches| drop(batches.remove(0)), is_protocol);
    altered_on_the_way(|batches| batches.swap(0, 1), is_protocol);
    altered_on_the_way(|batches| batches.push(batches[0].clone()), is_protocol);
    altered_on_the_way(
        |batches| {
            let middle = batches[1].len() / 2;
            batches[1][middle] ^= 1;
        },
        is_protocol,
    );
}

#[test]
fn batches_of_two_devices_in_another_order_than_the_signed_one_are_evidence() {
    let (mut relay, mut ada, mut ben, notebook) = team_of_two();
    let mut cy = join(&mut relay, &mut ada, 3, "Cy", Admits::Member(Role::Fieldworker));
    ben.sync(&mut relay);
    ada.write(notebook, "Ada's.", About::Nobody);
    ben.write(notebook, "Ben's.", About::Nobody);
    ada.sync(&mut relay);
    ben.sync(&mut relay);
    let done = carry(&mut cy, &mut relay, Errand::Sync, FRAMES_MAX, &mut |reply| {
        let Reply::Batches { space, first, mut batches, more } = reply else { return vec![reply] };
        batches.reverse();
        vec![Reply::Batches { space, first, batches, more }]
    });
    assert!(matches!(done, Err(SyncError::Distrust { .. } | SyncError::Protocol(_))), "{done:?}");
    assert_eq!(cy.texts(), [""; 0]);
}

#[test]
fn an_altered_entry_is_caught() {
    let (mut relay, mut ada, mut ben, _) = team_of_two();
    ada.invite(&mut relay, Admits::Member(Role::Analyst));
    let done = carry(&mut ben, &mut relay, Errand::Sync, FRAMES_MAX, &mut |reply| {
        let Reply::Gov { entries, more } = reply else { return vec![reply] };
        let mut entries: Vec<Vec<u8>> = entries.into_iter().map(Vec::from).collect();
        let last = entries[0].len() - 1;
        entries[0][last] ^= 1;
        vec![Reply::Gov { entries: entries.into_iter().map(Into::into).collect(), more }]
    });
    assert!(is_protocol(&done), "{done:?}");
    assert!(ben.sync(&mut relay).is_up_to_date);
}

#[test]
fn a_receipt_for_something_else_is_caught_and_the_batch_is_sent_again() {
    let (mut relay, mut ada, mut ben, notebook) = team_of_two();
    ada.write(notebook, "Sent twice, kept once.", About::Nobody);
    let signer = relay.signer();
    let done = carry(&mut ada, &mut relay, Errand::Sync, FRAMES_MAX, &mut |reply| {
        let Reply::Receipt(bytes) = reply else { return vec![reply] };
        let mut body = Receipt::decode(&bytes).expect("a receipt").body().clone();
        body.batch = Hash::from_bytes([5; 32]);
        vec![Reply::Receipt(Receipt::sign(body, &signer).expect("signed").bytes().to_vec())]
    });
    assert!(is_protocol(&done), "{done:?}");
    assert!(ada.sync(&mut relay).is_up_to_date);
    ben.sync(&mut relay);
    assert_eq!(ben.texts(), ["Sent twice, kept once."]);
}

#[test]
fn a_receipt_for_a_place_in_another_chain_is_evidence() {
    let (mut relay, mut ada, _, notebook) = team_of_two();
    ada.write(notebook, "Mine.", About::Nobody);
    let signer = relay.signer();
    let done = carry(&mut ada, &mut relay, Errand::Sync, FRAMES_MAX, &mut |reply| {
        let Reply::Receipt(bytes) = reply else { return vec![reply] };
        let mut body = Receipt::decode(&bytes).expect("a receipt").body().clone();
        body.at.root = Hash::from_bytes([5; 32]);
        vec![Reply::Receipt(Receipt::sign(body, &signer).expect("signed").bytes().to_vec())]
    });
    stopped_for_good(&mut ada, &mut relay, done);
    assert_eq!(ada.texts(), ["Mine."]);
}

#[test]
fn answers_of_other_kinds_end_the_session_and_nothing_else() {
    let (mut relay, mut ada, _, _) = team_of_two();
    let strange: Vec<Reply> = vec![
        Reply::Stored,
        Reply::Gov { entries: Vec::new(), more: true },
        Reply::Keys { statements: Vec::new(), seals: Vec::new(), packs: Vec::new(), more: true },
        Reply::Receipt(vec![0xff; 40]),
        Reply::Welcome { tips: vec![0], statements: u64::MAX, seals: u64::MAX },
        Reply::Refused(Refusal::Limit),
    ];
    for reply in strange {
        let done = carry(&mut ada, &mut relay, Errand::Sync, FRAMES_MAX, &mut |_| vec![reply.clone()]);
        assert!(matches!(done, Err(SyncError::Protocol(_) | SyncError::Refused(_))), "{reply:?}: {done:?}");
    }
    assert!(ada.sync(&mut relay).is_up_to_date);
}

#[test]
fn a_server_that_is_silent_is_not_waited_for() {
    let (mut relay, mut ada, _, _) = team_of_two();
    relay.store();
    let home = ada.home();
    let mut session = SyncSession::begin(home, Errand::Sync, now()).expect("begun");
    session.handle_connected(home, &[3; 32], now()).expect("connected");
    let at = session.poll_timeout().expect("a time");
    session.handle_timeout(home, Moment::new(at - 1, 0).expect("a moment")).expect("not yet");
    let done = session.handle_timeout(home, Moment::new(at, 0).expect("a moment"));
    assert!(matches!(done, Err(SyncError::TimedOut)));
    assert_eq!(session.poll_transmit(home, now()).expect("over"), None);
}

#[test]
fn what_is_pushed_opens_for_nobody_without_its_keys() {
    let (mut relay, mut ada, mut ben, notebook) = team_of_two();
    ada.write(notebook, "canary-in-a-cage", About::Nobody);
    ada.sync(&mut relay);
    let mut batches = Vec::new();
    carry(&mut ben, &mut relay, Errand::Sync, FRAMES_MAX, &mut |reply| {
        if let Reply::Batches { batches: came, .. } = &reply {
            batches.extend(came.iter().map(|bytes| Batch::decode(bytes).expect("a batch")));
        }
        vec![reply]
    })
    .expect("synced");
    let bodies: Vec<u8> = batches.iter().flat_map(|batch| batch.encode(|_| true)).collect();
    assert!(!bodies.is_empty() && !bodies.windows(6).any(|window| window == b"canary"));
}
