//! Everything in a story, and what each event does to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use tempfile::TempDir;
use thicket_core::consent::{Act, Activities, Bound, Consent, Withdrawal};
use thicket_core::document::Field;
use thicket_core::home::{
    About, ConsentTerms, Founding, Home, HomeError, NewEncounter, NewEvent, NewNote, NewParticipant, NoteEdit,
};
use thicket_core::ids::{EncounterId, GenerationId, NoteId, ParticipantId};
use thicket_core::name::Name;
use thicket_core::ring::Wrapping;
use thicket_core::secret::WrappingKey;
use thicket_core::sync::{Errand, SyncError, SyncEvent};
use thicket_core::text::{Layer, Splice, Token, Unit, units};
use thicket_core::time::{Moment, Observed};
use thicket_core::view::Provenance;
use thicket_core::vocabulary::{Activity, Actor, Channel, Hold, Kind, Mode, UseLeft};
use thicket_protocol::governance::{Admits, Realm, Role};
use thicket_protocol::ids::NotebookId;
use thicket_sync_server::Hint;

use super::dice::Dice;
use super::link::Link;
use super::relay::Relay;
use super::{Broken, Event, crash};

/// When stories begin: 2026-11-25T09:00:00Z.
const BEGINNING_MS: i64 = 1_795_597_200_000;
const HOUR_MS: i64 = 3_600_000;
/// Frames that are carried when something is to be brought to its end.
const FRAMES_MAX: usize = 20_000;
/// Rounds of sync after which everybody must agree.
const HEALING_ROUNDS: usize = 8;

/// What a story contained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Notes written.
    pub notes: usize,
    /// Words that were acknowledged.
    pub words: usize,
    /// Times a process died in the middle of something.
    pub crashes: usize,
    /// Rounds of sync that came to their end.
    pub settled: usize,
    /// Notes that left a private space.
    pub released: usize,
    /// Sync sessions that ended in an error.
    pub failed: usize,
}

/// One device with its person.
pub(super) struct Device {
    pub(super) name: &'static str,
    pub(super) folder: TempDir,
    key: [u8; 32],
    pub(super) home: Option<Home>,
    link: Option<Link>,
    skew_ms: i64,
    /// Words that were acknowledged as saved here, by note.
    pub(super) saved: BTreeMap<NoteId, BTreeSet<String>>,
    /// Words that were typed and acknowledged, and may go in a power cut, in order.
    pub(super) typed: BTreeMap<NoteId, BTreeSet<String>>,
    /// How much of core.db's log was on the disk at the last save.
    synced: usize,
}

/// A whole story under way.
pub struct World {
    pub(super) dice: Dice,
    now_ms: i64,
    pub(super) relay: Relay,
    pub(super) devices: Vec<Device>,
    pub(super) notebook: NotebookId,
    participants: Vec<ParticipantId>,
    encounters: Vec<EncounterId>,
    pub(super) notes: Vec<NoteId>,
    /// Generations that were ever seen in a private space: their keys seal nothing that is shared.
    pub(super) private: BTreeSet<GenerationId>,
    words: usize,
    connections: u64,
    pub(super) tally: Tally,
    pub(super) trace: Vec<String>,
    pub(super) event: Option<usize>,
}

impl World {
    /// A custodian, a fieldworker, and the fieldworker's second device, in sync, with a server.
    pub fn begin(mut dice: Dice) -> Self {
        let relay = Relay::start(dice.clone());
        let founder = folder_and_key(&mut dice);
        let now = moment(BEGINNING_MS);
        let founding = Founding {
            team: name("Team of Zq"),
            member: name("Zqora"),
            device: name("Zqphone"),
            notebook: name("Zqstudy"),
            realm: Realm::Research,
        };
        let (mut home, founded) =
            Home::init(founder.0.path(), wrapping(&founder.1), &founding, now, entropy(&mut dice))
                .expect("founded");
        home.use_server(&relay.address(), now).expect("a server is set");
        let mut world = Self {
            dice,
            now_ms: BEGINNING_MS,
            relay,
            devices: vec![Device::new("a", founder, home)],
            notebook: founded.notebook,
            participants: Vec::new(),
            encounters: Vec::new(),
            notes: Vec::new(),
            private: BTreeSet::new(),
            words: 0,
            connections: 0,
            tally: Tally::default(),
            trace: Vec::new(),
            event: None,
        };
        world.settle(0);
        world.join("b", "Zqben", 0, Admits::Member(Role::Fieldworker));
        let member = world.devices[1].home().member().expect("admitted");
        world.join("c", "Zqben", 1, Admits::OwnDevice(member));
        world
    }

    /// Brings a new device in.
    fn join(&mut self, label: &'static str, member: &str, by: usize, admits: Admits) {
        let expires_ms = u64::try_from(self.now_ms + 100 * HOUR_MS).expect("after 1970");
        let events = self.run_errand(by, Errand::Invite { admits, expires_ms });
        let code = events
            .into_iter()
            .find_map(|event| if let SyncEvent::Invited(code) = event { Some(code) } else { None })
            .expect("an invite");
        let at = folder_and_key(&mut self.dice);
        let (member, device) = (name(member), name(&format!("Zqdevice {label}")));
        let source = entropy(&mut self.dice);
        let home =
            Home::prepare_join(at.0.path(), wrapping(&at.1), &code, member, device, self.now(by), source)
                .expect("prepared");
        self.devices.push(Device::new(label, at, home));
        let new = self.devices.len() - 1;
        self.run_errand(new, Errand::Join);
        for device in [new, by, new, by, new] {
            self.settle(device);
        }
        assert!(self.devices[new].home().member().is_some(), "admitted");
    }

    fn now(&self, device: usize) -> Moment {
        moment(self.now_ms + self.devices.get(device).map_or(0, |device| device.skew_ms))
    }

    /// Lets one event happen, and checks everything.
    pub fn happen(&mut self, at: usize, event: Event) -> Result<(), Box<Broken>> {
        self.event = Some(at);
        self.trace.push(format!("{at}: {event:?}"));
        self.now_ms += 1_000;
        self.carry_out(event)?;
        self.check()
    }

    fn carry_out(&mut self, event: Event) -> Result<(), Box<Broken>> {
        match event {
            Event::AddParticipant { device } => self.add_participant(device.into()),
            Event::StartEncounter { device, participant } => {
                self.start_encounter(device.into(), participant.into())
            }
            Event::Write { device, about, encounter } => self.write(device.into(), about, encounter.into()),
            Event::Edit { device, note, about } => self.edit(device.into(), note.into(), about),
            Event::Type { device, note } => self.type_in(device.into(), note.into()),
            Event::Commit { device } => self.commit(device.into()),
            Event::Agree { device, participant, terms } => {
                self.agree(device.into(), participant.into(), terms)
            }
            Event::SayNo { device, participant, terms } => {
                self.say_no(device.into(), participant.into(), terms)
            }
            Event::Release { device, note } => self.release(device.into(), note.into()),
            Event::Connect { device } => self.connect(device.into(), Errand::Sync),
            Event::Carry { device, frames } => {
                self.carry(device.into(), usize::from(frames % 24) + 1).map(|_| ())
            }
            Event::Cut { device, arrives } => self.cut(device.into(), arrives),
            Event::Garble { device, how } => self.garble(device.into(), how),
            Event::Crash { device, step, torn } => self.crash(device.into(), step, torn),
            Event::Reopen { device } => self.reopen(device.into()),
            Event::LoseDerived { device } => self.lose_derived(device.into()),
            Event::ServerDies => {
                self.devices.iter_mut().for_each(|device| device.link = None);
                self.relay.die();
                Ok(())
            }
            Event::Wait { minutes } => {
                self.now_ms += i64::from(minutes) * i64::from(minutes) * 60_000;
                Ok(())
            }
            Event::SetClock { device, hours } => {
                let device = self.device(device.into());
                self.devices[device].skew_ms = i64::from(hours) * HOUR_MS;
                Ok(())
            }
            Event::Index { device } => {
                let device = self.device(device.into());
                let indexed = self.devices[device].home_mut().index_some(3);
                self.must(device, "index", indexed).map(|_| ())
            }
        }
    }

    fn device(&self, number: usize) -> usize {
        number % self.devices.len()
    }

    fn word(&mut self) -> String {
        self.words += 1;
        format!("quagmire{:05}qx", self.words)
    }

    /// What a device does must succeed, or be refused for a reason that a person could be told.
    fn must<T>(
        &self,
        device: usize,
        what: &str,
        done: Result<T, HomeError>,
    ) -> Result<Option<T>, Box<Broken>> {
        match done {
            Ok(done) => Ok(Some(done)),
            Err(
                HomeError::Role { .. }
                | HomeError::Consent { .. }
                | HomeError::RealName
                | HomeError::Conflict(_)
                | HomeError::NameTaken(_)
                | HomeError::WaitingForKeys
                | HomeError::NotFound(_),
            ) => Ok(None),
            Err(error) => {
                Err(self.broken(format!("{} cannot {what}: {error} ({error:?})", self.devices[device].name)))
            }
        }
    }

    pub(super) fn broken(&self, what: String) -> Box<Broken> {
        Box::new(Broken { event: self.event, what, trace: self.trace.clone() })
    }

    fn add_participant(&mut self, device: usize) -> Result<(), Box<Broken>> {
        let (device, number) = (self.device(device), self.participants.len());
        let now = self.now(device);
        let new = NewParticipant {
            pseudonym: name(&format!("Zqp{number:03}")),
            kind: Kind::Client,
            age: None,
            gender: None,
            real_name: Some(name(&format!("Zqreal{number:03}"))),
        };
        let added = self.devices[device].home_mut().add_participant(&self.notebook.clone(), new, now);
        if let Some(added) = self.must(device, "add a participant", added)? {
            self.participants.push(added);
        }
        self.after_save(device)
    }

    /// The participants that a device knows.
    fn known(&self, device: usize) -> Vec<ParticipantId> {
        let known = self.devices[device].home().participants(&self.notebook).unwrap_or_default();
        let known: BTreeSet<_> = known.into_iter().map(|participant| participant.id).collect();
        self.participants.iter().copied().filter(|one| known.contains(one)).collect()
    }

    fn start_encounter(&mut self, device: usize, participant: usize) -> Result<(), Box<Broken>> {
        let device = self.device(device);
        let known = self.known(device);
        let now = self.now(device);
        let with = known.get(participant % known.len().max(1)).copied().into_iter().collect();
        let new =
            NewEncounter { activity: Activity::HomeVisit, place: None, with, at: Observed::Minute(now) };
        let started = self.devices[device].home_mut().start_encounter(&self.notebook.clone(), new, now);
        if let Some(started) = self.must(device, "start an encounter", started)? {
            self.encounters.push(started);
        }
        self.after_save(device)
    }

    fn about(&self, device: usize, about: u8) -> (About, Option<ParticipantId>) {
        let known = self.known(device);
        let one = known.get(usize::from(about / 8) % known.len().max(1)).copied();
        match about % 8 {
            0..=2 => (About::Nobody, None),
            3 => (About::Unsaid, None),
            4 | 5 => (one.map_or(About::Nobody, |one| About::These(BTreeSet::from([one]))), None),
            _ => (About::Unsaid, one),
        }
    }

    fn write(&mut self, device: usize, about: u8, encounter: usize) -> Result<(), Box<Broken>> {
        let device = self.device(device);
        let (now, word) = (self.now(device), self.word());
        let (about, token) = self.about(device, about);
        let mut text = units(&format!("We met {word} at the gate. "));
        text.extend(token.map(|one| Unit::Token(Token::Person(one))));
        let known = self.devices[device].home().encounters(&self.notebook).unwrap_or_default();
        let encounter = encounter
            .is_multiple_of(3)
            .then(|| known.get(encounter % known.len().max(1)).map(|encounter| encounter.id))
            .flatten();
        let new = NewNote {
            notebook: self.notebook,
            id: None,
            encounter,
            title: units(&format!("Zqtitle {word}")),
            text,
            about,
            layer: Layer::Observation,
            observed: Observed::Minute(now),
            provenance: Provenance::Typed,
        };
        let written = self.devices[device].home_mut().write_note(new, now);
        if let Some(placed) = self.must(device, "write a note", written)? {
            self.notes.push(placed.note);
            self.tally.notes += 1;
            self.save(device, placed.note, word);
        }
        self.after_save(device)
    }

    fn save(&mut self, device: usize, note: NoteId, word: String) {
        self.tally.words += 1;
        let device = &mut self.devices[device];
        // A save commits what was typed into the same note before.
        let typed = device.typed.remove(&note).unwrap_or_default();
        device.saved.entry(note).or_default().extend(typed.into_iter().chain([word]));
    }

    /// A note that the device shows.
    fn note(&self, device: usize, number: usize) -> Option<NoteId> {
        let shown: Vec<_> = self
            .notes
            .iter()
            .copied()
            .filter(|note| self.devices[device].home().note(*note).is_ok())
            .collect();
        shown.get(number % shown.len().max(1)).copied()
    }

    fn edit(&mut self, device: usize, note: usize, about: u8) -> Result<(), Box<Broken>> {
        let device = self.device(device);
        let Some(note) = self.note(device, note) else { return Ok(()) };
        let (now, word) = (self.now(device), self.word());
        let (about, token) = self.about(device, about);
        // An app commits what was typed before it puts a whole text in its place.
        let committed = self.devices[device].home_mut().commit_note(note, now);
        if self.must(device, "commit a note", committed)?.is_none() {
            return Ok(());
        }
        let shown = self.devices[device].home().note(note).map_err(|error| self.broken(error.to_string()))?;
        // What is edited is what the author sees: a draft, where there is one.
        let mut text = shown.prose.units();
        if let Some(draft) = &shown.draft {
            text = draft.prose.units();
        }
        let at = self.dice.below(text.len() + 1);
        let mut insert = units(&format!(" {word} "));
        insert.extend(token.map(|one| Unit::Token(Token::Person(one))));
        // A word is never typed into the middle of another.
        let at = text[..at].iter().rposition(|unit| *unit == Unit::Char(' ')).map_or(0, |space| space + 1);
        text.splice(at..at, insert);
        let about = if about == About::Nobody { None } else { Some(about) };
        let edit = NoteEdit { title: None, text: Some(text), about };
        let edited = self.devices[device].home_mut().edit_note(note, edit, now);
        if self.must(device, "edit a note", edited)?.is_some() {
            self.save(device, note, word);
        }
        self.after_save(device)
    }

    fn type_in(&mut self, device: usize, note: usize) -> Result<(), Box<Broken>> {
        let device = self.device(device);
        let Some(note) = self.note(device, note) else { return Ok(()) };
        let (now, word) = (self.now(device), self.word());
        let splice = Splice { at: 0, delete: 0, insert: units(&format!("{word} ")) };
        let typed = self.devices[device].home_mut().journal(note, Field::Text, &[splice], now);
        if self.must(device, "type", typed)?.is_some() {
            self.devices[device].typed.entry(note).or_default().insert(word);
        }
        Ok(())
    }

    fn commit(&mut self, device: usize) -> Result<(), Box<Broken>> {
        let device = self.device(device);
        let now = self.now(device);
        let committed = self.devices[device].home_mut().commit_journals(now);
        if self.must(device, "commit", committed)?.is_some() {
            let device = &mut self.devices[device];
            for (note, words) in std::mem::take(&mut device.typed) {
                self.tally.words += words.len();
                device.saved.entry(note).or_default().extend(words);
            }
        }
        self.after_save(device)
    }

    fn agree(&mut self, device: usize, participant: usize, terms: u8) -> Result<(), Box<Broken>> {
        let device = self.device(device);
        let (known, now) = (self.known(device), self.now(device));
        let Some(participant) = known.get(participant % known.len().max(1)).copied() else { return Ok(()) };
        let encounter = self.dice.pick(&self.encounters).copied();
        let bound = match (terms % 4, encounter) {
            (0, Some(encounter)) => Bound::Encounter(encounter),
            _ => Bound::Notebook,
        };
        let activity = if terms & 4 == 0 { Activity::Observation } else { Activity::HomeVisit };
        let terms = ConsentTerms {
            participant,
            activity,
            mode: Mode::Verbal,
            scope: Consent::default_scope(),
            bound,
            at: Observed::Minute(now),
        };
        let granted = self.devices[device].home_mut().record_consent(&self.notebook.clone(), terms, now);
        if let Some(granted) = self.must(device, "record a consent", granted)? {
            self.tally.released += granted.released.len();
        }
        self.after_save(device)
    }

    fn say_no(&mut self, device: usize, participant: usize, terms: u8) -> Result<(), Box<Broken>> {
        let device = self.device(device);
        let (known, now) = (self.known(device), self.now(device));
        let Some(participant) = known.get(participant % known.len().max(1)).copied() else { return Ok(()) };
        let at = Observed::Minute(now);
        let activities = Activities::All;
        let act = match terms % 3 {
            0 => Act::Refused { activities, encounter: self.dice.pick(&self.encounters).copied() },
            1 => Act::Requested { activities: Activities::one(Activity::Observation), encounter: None },
            _ => Act::Withdrawn {
                activities,
                encounter: None,
                terms: Withdrawal {
                    received_at: now,
                    effective_from: None,
                    channel: Channel::ALL[0],
                    hold: Hold::Keep,
                    use_left: UseLeft::ALL[0],
                    future_collection: false,
                    cut_off_applied: false,
                    reason: None,
                },
            },
        };
        let event = NewEvent { participant, at, actor: Actor::Participant, act };
        let recorded = self.devices[device].home_mut().record_event(&self.notebook.clone(), event, now);
        self.must(device, "record a no", recorded)?;
        self.after_save(device)
    }

    fn release(&mut self, device: usize, note: usize) -> Result<(), Box<Broken>> {
        let device = self.device(device);
        let Some(note) = self.note(device, note) else { return Ok(()) };
        let now = self.now(device);
        let released = self.devices[device].home_mut().release_note(note, now);
        if self.must(device, "release a note", released)?.is_some() {
            self.tally.released += 1;
        }
        self.after_save(device)
    }

    /// Remembers how much is on the disk, and tells the connection that something was written.
    fn after_save(&mut self, device: usize) -> Result<(), Box<Broken>> {
        let now = self.now(device);
        let at = &mut self.devices[device];
        at.synced = log_length(at.folder.path());
        let written = match (&mut at.link, &mut at.home) {
            (Some(link), Some(home)) => link.written(home, now),
            _ => Ok(()),
        };
        self.session_must(device, written)
    }

    fn connect(&mut self, device: usize, errand: Errand) -> Result<(), Box<Broken>> {
        let device = self.device(device);
        if let Some(before) = self.devices[device].link.take() {
            let arrives = self.dice.percent(50);
            let hints = before.cut(arrives, &mut self.relay, self.now_ms);
            self.tell(device, &hints);
        }
        self.connections += 1;
        let mut exporter = [0; 32];
        exporter[..8].copy_from_slice(&self.connections.to_be_bytes());
        let now = self.now(device);
        match Link::connect(self.devices[device].home_mut(), errand, exporter, now) {
            Ok(link) => {
                self.devices[device].link = Some(link);
                Ok(())
            }
            Err(error) => self.session_must(device, Err(error)),
        }
    }

    /// Carries frames of a connection; tells what its session told.
    fn carry(&mut self, device: usize, frames: usize) -> Result<Vec<SyncEvent>, Box<Broken>> {
        let device = self.device(device);
        let now = self.now(device);
        let at = &mut self.devices[device];
        let (Some(link), Some(home)) = (&mut at.link, &mut at.home) else { return Ok(Vec::new()) };
        let carried = link.carry(home, &mut self.relay, frames, now, self.now_ms);
        // What was pulled or sealed is on the disk.
        at.synced = log_length(at.folder.path());
        match carried {
            Ok(carried) => {
                for event in &carried.events {
                    if let SyncEvent::Settled(outcome) = event {
                        self.tally.settled += 1;
                        self.tally.released += outcome.released.len();
                    }
                }
                self.tell(device, &carried.hints);
                Ok(carried.events)
            }
            Err(error) => {
                self.session_must(device, Err(error))?;
                Ok(Vec::new())
            }
        }
    }

    fn tell(&mut self, from: usize, hints: &[Hint]) {
        for (at, device) in self.devices.iter_mut().enumerate() {
            if at != from
                && let Some(link) = &mut device.link
            {
                hints.iter().for_each(|hint| link.hint(hint));
            }
        }
    }

    /// A session may fail for the network's sake, but never find the honest server lying, nor its own home at fault.
    fn session_must(&mut self, device: usize, done: Result<(), SyncError>) -> Result<(), Box<Broken>> {
        match done {
            Ok(()) => Ok(()),
            Err(
                SyncError::Refused(_) | SyncError::Protocol(_) | SyncError::TimedOut | SyncError::Draining,
            ) => {
                self.tally.failed += 1;
                self.devices[device].link = None;
                Ok(())
            }
            Err(error) => {
                Err(self.broken(format!("{} cannot sync: {error} ({error:?})", self.devices[device].name)))
            }
        }
    }

    fn cut(&mut self, device: usize, arrives: bool) -> Result<(), Box<Broken>> {
        let device = self.device(device);
        if let Some(link) = self.devices[device].link.take() {
            let hints = link.cut(arrives, &mut self.relay, self.now_ms);
            self.tell(device, &hints);
        }
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "every event is carried out by a method of one shape")]
    fn garble(&mut self, device: usize, how: u8) -> Result<(), Box<Broken>> {
        let device = self.device(device);
        if let Some(link) = &mut self.devices[device].link {
            link.garble(how);
        }
        Ok(())
    }

    /// The process of a device dies at a step of SQLite's in the middle of something; what it had not acknowledged is there or not.
    fn crash(&mut self, device: usize, step: u8, torn: bool) -> Result<(), Box<Broken>> {
        let device = self.device(device);
        let image = super::folder();
        let fired = Arc::new(AtomicBool::new(false));
        let left = Arc::new(AtomicI64::new(i64::from(step) * i64::from(step) / 16));
        {
            let at = &mut self.devices[device];
            let (from, to, fired) =
                (at.folder.path().to_owned(), image.path().to_owned(), Arc::clone(&fired));
            at.home_mut().on_storage_step(move || {
                if fired.load(Ordering::SeqCst) {
                    return true;
                }
                if left.fetch_sub(1, Ordering::SeqCst) > 0 {
                    return false;
                }
                crash::copy(&from, &to);
                fired.store(true, Ordering::SeqCst);
                true
            });
        }
        let synced = self.devices[device].synced;
        let (saved, typed) = (self.devices[device].saved.clone(), self.devices[device].typed.clone());
        let before = self.trace.len();
        // Whatever it does next fails at that step, and a process that is dead acknowledges nothing.
        let what = self.dice.below(9);
        let done = match what {
            0 => self.write(device, 0, 1),
            1 => self.edit(device, 1, 0),
            2 => self.type_in(device, 0),
            3 => self.agree(device, 0, 1),
            4 => self.commit(device),
            _ => self.connect(device, Errand::Sync).and_then(|()| self.carry(device, 40).map(|_| ())),
        };
        self.trace.truncate(before);
        let died = fired.load(Ordering::SeqCst);
        if died {
            self.tally.crashes += 1;
            let at = &mut self.devices[device];
            (at.saved, at.typed) = (saved, typed);
        } else {
            done?;
        }
        let synced = if died { synced } else { self.devices[device].synced };
        let at = &mut self.devices[device];
        at.link = None;
        if !died {
            crash::copy(at.folder.path(), image.path());
        }
        drop(at.home.take());
        crash::replace(at.folder.path(), image.path());
        if torn {
            crash::tear(&at.folder.path().join("core.db-wal"), synced, &mut self.dice);
            // The power went: what was typed in the last second may be gone, and what is gone is not asked for.
            at.typed.clear();
        }
        self.open(device)
    }

    fn reopen(&mut self, device: usize) -> Result<(), Box<Broken>> {
        let device = self.device(device);
        self.devices[device].link = None;
        if let Some(home) = self.devices[device].home.take() {
            let locked = home.lock();
            self.must(device, "lock", locked)?;
        }
        self.open(device)
    }

    fn lose_derived(&mut self, device: usize) -> Result<(), Box<Broken>> {
        let device = self.device(device);
        self.devices[device].link = None;
        drop(self.devices[device].home.take());
        for file in ["derived.db", "derived.db-wal", "derived.db-shm"] {
            // Not every one is there at every moment.
            let _ = std::fs::remove_file(self.devices[device].folder.path().join(file));
        }
        self.open(device)
    }

    fn open(&mut self, device: usize) -> Result<(), Box<Broken>> {
        let now = self.now(device);
        let source = entropy(&mut self.dice);
        let at = &self.devices[device];
        match Home::open(at.folder.path(), wrapping(&at.key), now, source) {
            Ok(home) => {
                self.devices[device].home = Some(home);
                self.devices[device].synced = log_length(self.devices[device].folder.path());
                Ok(())
            }
            Err(error) => Err(self.broken(format!("{} does not open: {error} ({error:?})", at.name))),
        }
    }

    /// Runs an errand on a good network to its end; only for the beginning of a story.
    fn run_errand(&mut self, device: usize, errand: Errand) -> Vec<SyncEvent> {
        self.connect(device, errand).expect("connected");
        let events = self.carry(device, FRAMES_MAX).unwrap_or_else(|broken| panic!("{broken}"));
        self.devices[device].link = None;
        events
    }

    fn settle(&mut self, device: usize) {
        let events = self.run_errand(device, Errand::Sync);
        assert!(
            events.iter().any(|event| matches!(event, SyncEvent::Settled(_))),
            "a round came to its end: {events:?}"
        );
    }

    /// The network heals, and everybody syncs until nothing moves; then all must agree.
    pub fn heal(mut self) -> Result<Tally, Box<Broken>> {
        self.event = None;
        for device in 0..self.devices.len() {
            self.cut(device, false)?;
            self.devices[device].skew_ms = 0;
            self.commit(device)?;
        }
        for _ in 0..HEALING_ROUNDS {
            for device in 0..self.devices.len() {
                self.connect(device, Errand::Sync)?;
                let events = self.carry(device, FRAMES_MAX)?;
                if !events.iter().any(|event| matches!(event, SyncEvent::Settled(_))) {
                    let waits = self.devices[device].name;
                    return Err(
                        self.broken(format!("{waits} does not come to the end of a sync: {events:?}"))
                    );
                }
                self.cut(device, false)?;
            }
        }
        self.check()?;
        self.check_agreement()?;
        Ok(self.tally)
    }
}

impl Device {
    fn new(name: &'static str, (folder, key): (TempDir, [u8; 32]), home: Home) -> Self {
        let (saved, typed) = (BTreeMap::new(), BTreeMap::new());
        Self { name, folder, key, home: Some(home), link: None, skew_ms: 0, saved, typed, synced: 0 }
    }

    pub(super) fn home(&self) -> &Home {
        self.home.as_ref().expect("open between events")
    }

    pub(super) fn home_mut(&mut self) -> &mut Home {
        self.home.as_mut().expect("open between events")
    }
}

fn log_length(folder: &Path) -> usize {
    std::fs::read(folder.join("core.db-wal")).map_or(0, |bytes| crash::wal_end(&bytes))
}

fn folder_and_key(dice: &mut Dice) -> (TempDir, [u8; 32]) {
    use thicket_core::entropy::Entropy;
    let mut key = [0; 32];
    dice.fill(&mut key);
    (super::folder(), key)
}

fn wrapping(key: &[u8; 32]) -> Wrapping<'static> {
    Wrapping::Key(WrappingKey::from_bytes(*key))
}

/// Every opening draws from a stream of its own: a salt that came twice would be the simulator's fault.
fn entropy(dice: &mut Dice) -> Box<Dice> {
    Box::new(Dice::new(dice.roll()))
}

fn moment(unix_ms: i64) -> Moment {
    Moment::new(unix_ms, 0).expect("a moment of this century")
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}
