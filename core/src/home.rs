//! The home: what one device keeps of one team, and the object that is the way in.
//!
//! Time and randomness are arguments: `now` of each method is the device's clock, and the entropy is handed in when the
//! home is opened. Nothing here touches the network; [`crate::sync`] moves what is here.

mod assess;
mod consent;
mod derive;
mod documents;
mod edit;
mod error;
mod exchange;
mod folder;
mod founding;
mod history;
mod journal;
mod keep;
mod keys;
mod late;
mod ledgers;
mod notes;
mod objects;
mod outbox;
mod places;
mod read;
mod release;
mod status;
mod take;
mod team;
mod verify;

use std::path::{Path, PathBuf};

use rusqlite::Transaction;
use thicket_protocol::address::InviteCode;
use thicket_protocol::cbor;
use thicket_protocol::frame::TeamPrefix;
use thicket_protocol::governance::Entry;
use thicket_protocol::ids::{DeviceId, MemberId, NotebookId, TeamId};
use thicket_protocol::team::Team;
use zeroize::Zeroizing;

pub use self::consent::{ConsentShown, ConsentTerms, EventShown, Granted, NewEvent, Recorded};
use self::documents::Documents;
pub use self::error::{DamagedFile, HomeError, Thing};
use self::founding::Foundation;
pub use self::founding::{Founded, Founding};
pub use self::history::ChangeShown;
use self::keys::Keyring;
use self::ledgers::Ledgers;
pub use self::notes::{About, NewNote, NoteEdit, Placed};
pub use self::objects::{
    EncounterShown, NewEncounter, NewParticipant, NewPlace, ParticipantShown, PlaceShown,
};
pub use self::read::{
    AsideShown, NoteRow, NoteShown, NotesPage, NotesWanted, SearchHit, StampShown, SubjectShown,
};
pub use self::status::{DeviceStatus, HeldNote, HeldWhy, SpaceStatus, Status};
pub use self::team::NotebookShown;
pub(crate) use self::team::Staged;
pub use self::verify::Verification;
use crate::entropy::Entropy;
use crate::name::Name;
use crate::ring::{HeldPrekey, Ring, RingContents, Wrapping};
use crate::seal::make_prekey;
use crate::secret::{DatabaseKey, IdentitySeed, InviteSecret, LocalKey};
use crate::store::core_db::{self, Sealer, Setting};
use crate::store::{Database, Durability, HomeLock, StoreError, derived_db};
use crate::time::Moment;

/// One device's folder, unlocked.
///
/// Dropping it loses nothing that was acknowledged; [`Home::lock`] also leaves the files tidy.
pub struct Home {
    folder: PathBuf,
    entropy: Box<dyn Entropy>,
    ring: Ring,
    secrets: RingContents,
    device: DeviceId,
    core: Database,
    derived: Database,
    /// What the log adds up to; none while joining, before the log has come.
    team: Option<Team>,
    keys: Keyring,
    ledgers: Ledgers,
    documents: Documents,
    /// Names this opening of the files: what is written in two openings goes under two names, even where the files were put
    /// back from an old copy in between.
    opening: [u8; 16],
    /// The last field, so that it is let go of when every file is closed.
    #[expect(dead_code, reason = "held, never read")]
    lock: HomeLock,
}

impl Home {
    /// Tells whether a home may be made in a folder: it is empty, not there, or holds what an attempt that was cut short has left.
    ///
    /// # Errors
    /// [`HomeError::Occupied`] where something else is there, [`HomeError::Storage`].
    pub fn may_be_made_in(folder: &Path) -> Result<(), HomeError> {
        folder::look(folder)
    }

    /// Makes the home of a new team of one in a folder that is empty or not there, with its first notebook.
    ///
    /// The member who forgets the passphrase of a team of one loses everything.
    pub fn init(
        folder: &Path,
        wrapping: Wrapping<'_>,
        founding: &Founding,
        now: Moment,
        mut entropy: Box<dyn Entropy>,
    ) -> Result<(Self, Founded), HomeError> {
        let lock = folder::begin(folder)?;
        let mut secrets = draw_secrets(entropy.as_mut());
        let foundation = Foundation::draw(founding, &mut secrets, now, entropy.as_mut())?;
        let founded = foundation.founded;
        let write = |tx: &Transaction<'_>, sealer: &mut Sealer<'_>| foundation.write(tx, sealer);
        let opened = make_files(folder, wrapping, secrets, entropy.as_mut(), write)?;
        let home = Self::assemble(folder, lock, entropy, opened, now)?;
        Ok((home, founded))
    }

    /// Makes the home of a device that is to join a team: its identity and first prekey, nothing of the team yet.
    ///
    /// Called again on the same folder with the same code it opens what is there, so that a join that was cut short can go on; with another code while no team
    /// has admitted the device, it goes on with that. [`crate::sync::Errand::Join`] does the rest.
    pub fn prepare_join(
        folder: &Path,
        wrapping: Wrapping<'_>,
        code: &InviteCode,
        member: Name,
        device: Name,
        now: Moment,
        mut entropy: Box<dyn Entropy>,
    ) -> Result<Self, HomeError> {
        let (code_text, server) = (Zeroizing::new(code.to_string()), code.server.to_string());
        let names = cbor::encode(&(member, device));
        let settings = [
            (Setting::Joining, code_text.as_bytes()),
            (Setting::OwnNames, names.as_slice()),
            (Setting::Server, server.as_bytes()),
        ];
        if folder::holds_home(folder) {
            return Self::open(folder, wrapping, now, entropy)?.join_again(code, &code_text, &settings);
        }
        let lock = folder::begin(folder)?;
        let mut secrets = draw_secrets(entropy.as_mut());
        secrets.team = team::known_prefix(code.team);
        let opened = make_files(folder, wrapping, secrets, entropy.as_mut(), |tx, sealer| {
            settings
                .iter()
                .try_for_each(|(name, value)| Ok(core_db::set_setting(tx, sealer, *name, Some(value))?))
        })?;
        Self::assemble(folder, lock, entropy, opened, now)
    }

    fn join_again(
        mut self,
        code: &InviteCode,
        code_text: &str,
        settings: &[(Setting, &[u8])],
    ) -> Result<Self, HomeError> {
        let before = self.kept(Setting::Joining)?;
        if before.as_deref().is_some_and(|before| before.as_slice() == code_text.as_bytes()) {
            return Ok(self);
        }
        // The log may have admitted it with this very code, and then forgot the code.
        let admitted_by = self.team.as_ref().and_then(|team| team.devices().get(&self.device)?.invite);
        if admitted_by.is_some_and(|by| by == InviteSecret::from_bytes(code.seed()).public_key()) {
            return Ok(self);
        }
        let is_same_team = TeamPrefix::from(self.secrets.team) == code.team;
        if self.secrets.member.is_some() || (self.team.is_some() && !is_same_team) {
            return Err(HomeError::Occupied);
        }
        if !is_same_team {
            self.secrets.team = team::known_prefix(code.team);
            self.keep_ring()?;
        }
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, Some(*value))).collect();
        self.keep(&settings)?;
        Ok(self)
    }

    /// Opens a home; derived.db is made again where it is missing or damaged, and catches up with core.db.
    pub fn open(
        folder: &Path,
        wrapping: Wrapping<'_>,
        now: Moment,
        mut entropy: Box<dyn Entropy>,
    ) -> Result<Self, HomeError> {
        if !folder::holds_home(folder) {
            return Err(HomeError::NotFound(Thing::Home));
        }
        let lock = HomeLock::take(folder)?;
        let (mut ring, secrets) = Ring::open(folder, wrapping)?;
        heal(&mut ring, &secrets, entropy.as_mut())?;
        let opened = open_files(folder, ring, secrets)?;
        Self::assemble(folder, lock, entropy, opened, now)
    }

    /// Reads what the files say into memory, and does what a crash has left to do.
    fn assemble(
        folder: &Path,
        lock: HomeLock,
        mut entropy: Box<dyn Entropy>,
        opened: Opened,
        now: Moment,
    ) -> Result<Self, HomeError> {
        folder::finish(folder)?;
        let Opened { ring, core, derived, secrets } = opened;
        let team = read_team(&core)?;
        let opening = entropy.bytes();
        let mut home = Self {
            folder: folder.to_owned(),
            entropy,
            ring,
            device: DeviceId::derive(&secrets.identity.signer().public_key()),
            secrets,
            core,
            derived,
            team,
            keys: Keyring::default(),
            ledgers: Ledgers::default(),
            documents: Documents::default(),
            opening,
            lock,
        };
        home.settle()?;
        home.load_keys()?;
        home.catch_up(now)?;
        match home.load_roster() {
            Err(HomeError::Damaged(DamagedFile::Derived)) => home.renew_derived(now)?,
            loaded => loaded?,
        }
        // What cannot be committed now stays in the journal, and must not keep the rest from being read. A crash may also have
        // come between keys and what had waited for them.
        let _ = home.commit_journals(now);
        let _ = home.place_waiting().and_then(|()| home.take_waiting(now));
        Ok(home)
    }

    /// Does a piece of work; where a damaged page of derived.db stops it before anything was kept, that file is made again and the
    /// work done once more.
    ///
    /// Errors may be of the caller's own kind: `is_damage` tells which are [`HomeError::Damaged`] with [`DamagedFile::Derived`].
    pub fn mending<T, E: From<HomeError>>(
        &mut self,
        now: Moment,
        is_damage: impl FnOnce(&E) -> bool,
        mut work: impl FnMut(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let before = self.newest_arrival()?;
        match work(self) {
            Err(error) if is_damage(&error) => {
                self.renew_derived(now)?;
                // What was kept already must not be kept twice.
                if self.newest_arrival()? == before { work(self) } else { Err(error) }
            }
            done => done,
        }
    }

    fn newest_arrival(&self) -> Result<u64, HomeError> {
        Ok(core_db::newest_arrival(self.core.read())?)
    }

    /// Makes derived.db again from core.db: for damage that shows when a page of it is read.
    pub fn renew_derived(&mut self, now: Moment) -> Result<(), HomeError> {
        self.empty_derived()?;
        self.catch_up(now)?;
        self.load_roster()
    }

    /// Puts an empty derived.db in the place of the one that is there.
    pub(crate) fn empty_derived(&mut self) -> Result<(), HomeError> {
        self.derived.close()?;
        self.derived = derived_db::renew(&self.folder, &self.secrets.derived_db)?;
        self.forget_ledgers();
        Ok(())
    }

    /// Closes the home: both databases are checkpointed, every key is wiped.
    pub fn lock(self) -> Result<(), HomeError> {
        self.close_files().map(|_| ())
    }

    /// Closes the files and lets go of the lock, and keeps the keys in memory: for a phone that goes to the background, and between the
    /// rounds of a watch.
    pub fn pause(self) -> Result<PausedHome, HomeError> {
        self.close_files()
    }

    fn close_files(self) -> Result<PausedHome, HomeError> {
        self.core.checkpoint()?;
        self.derived.checkpoint()?;
        let Self { folder, entropy, ring, .. } = self;
        Ok(PausedHome { folder, entropy, ring })
    }

    /// Calls `step` at steps of core.db's SQLite, and before each commit; `true` interrupts what it does. For the simulator, which
    /// lets a process die there.
    #[doc(hidden)]
    pub fn on_storage_step(&mut self, step: impl Fn() -> bool + Send + Sync + 'static) {
        self.core.on_step(step);
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The device.
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// The member whose device it is; none until the log has admitted it.
    pub const fn member(&self) -> Option<MemberId> {
        self.secrets.member
    }

    /// The team's id.
    pub const fn team_id(&self) -> TeamId {
        self.secrets.team
    }

    /// The team as the log says; none while joining.
    pub const fn team(&self) -> Option<&Team> {
        self.team.as_ref()
    }

    /// The notebook that is meant where none is named: the only one.
    pub fn only_notebook(&self) -> Result<NotebookId, HomeError> {
        let mut all = self.team.iter().flat_map(|team| team.notebooks().keys());
        match (all.next(), all.next()) {
            (Some(only), None) => Ok(*only),
            (Some(_), Some(_)) => Err(HomeError::Ambiguous(Thing::Notebook)),
            (None, _) => Err(HomeError::NotFound(Thing::Notebook)),
        }
    }
}

/// A home's files, open.
struct Opened {
    ring: Ring,
    core: Database,
    derived: Database,
    secrets: RingContents,
}

fn draw_secrets(entropy: &mut dyn Entropy) -> RingContents {
    let (seed, _) = make_prekey(entropy);
    RingContents {
        team: TeamId::from_bytes([0; TeamId::LEN]),
        member: None,
        identity: IdentitySeed::make(entropy),
        local: LocalKey::make(entropy),
        local_before: None,
        prekeys: vec![HeldPrekey { counter: 1, seed }],
        epochs: Vec::new(),
        core_db: DatabaseKey::make(entropy),
        derived_db: DatabaseKey::make(entropy),
        server_time_ms: None,
    }
}

/// Makes the files of a home; the ring comes last, since a home is there as soon as it is.
fn make_files(
    folder: &Path,
    wrapping: Wrapping<'_>,
    secrets: RingContents,
    entropy: &mut dyn Entropy,
    write: impl FnOnce(&Transaction<'_>, &mut Sealer<'_>) -> Result<(), HomeError>,
) -> Result<Opened, HomeError> {
    let mut core = core_db::create(folder, &secrets.core_db)?;
    let derived = derived_db::create(folder, &secrets.derived_db)?;
    let mut sealer = Sealer { key: &secrets.local, entropy };
    core.write(Durability::Full, |tx| write(tx, &mut sealer))?;
    let ring = Ring::create(folder, wrapping, &secrets, entropy)?;
    Ok(Opened { ring, core, derived, secrets })
}

fn open_files(folder: &Path, ring: Ring, secrets: RingContents) -> Result<Opened, HomeError> {
    let core = core_db::open(folder, &secrets.core_db)?;
    let derived = derived_db::open_or_renew(folder, &secrets.derived_db)?;
    Ok(Opened { ring, core, derived, secrets })
}

/// An older copy of the ring may hold what was taken out: it is written over before anything else is done.
fn heal(ring: &mut Ring, secrets: &RingContents, entropy: &mut dyn Entropy) -> Result<(), HomeError> {
    if ring.copies_agree() { Ok(()) } else { Ok(ring.write(secrets, entropy)?) }
}

/// Puts the log together; every entry was verified when it came, and is again.
fn read_team(core: &Database) -> Result<Option<Team>, HomeError> {
    let mut team: Option<Team> = None;
    for row in core_db::entries(core.read())? {
        let damaged = || HomeError::Damaged(DamagedFile::Core);
        let entry = Entry::decode(&row.bytes).map_err(|_| damaged())?;
        match &mut team {
            Some(team) => team.apply(&entry).map_err(|_| damaged())?,
            None => team = Some(Team::found(&entry).map_err(|_| damaged())?),
        }
    }
    Ok(team)
}

/// Shows ids alone.
impl std::fmt::Debug for Home {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Home")
            .field("team", &self.secrets.team)
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

/// A home whose files are closed while its keys stay in memory.
pub struct PausedHome {
    folder: PathBuf,
    entropy: Box<dyn Entropy>,
    ring: Ring,
}

impl PausedHome {
    /// Opens the files again; the ring, which another process may have written meanwhile, is read anew, without asking for the passphrase.
    pub fn resume(self, now: Moment) -> Result<Home, NotResumed> {
        match HomeLock::take(&self.folder) {
            Ok(lock) => self.resume_under(lock, now).map_err(NotResumed::Failed),
            Err(StoreError::Busy) => Err(NotResumed::Busy(Box::new(self))),
            Err(error) => Err(NotResumed::Failed(error.into())),
        }
    }

    fn resume_under(self, lock: HomeLock, now: Moment) -> Result<Home, HomeError> {
        let Self { folder, mut entropy, mut ring } = self;
        let secrets = ring.reopen()?;
        heal(&mut ring, &secrets, entropy.as_mut())?;
        let opened = open_files(&folder, ring, secrets)?;
        Home::assemble(&folder, lock, entropy, opened, now)
    }
}

/// Shows nothing: it holds the key that opens the ring.
impl std::fmt::Debug for PausedHome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PausedHome(…)")
    }
}

/// Why a paused home was not opened again.
#[derive(Debug)]
pub enum NotResumed {
    /// Another process has it open; it is handed back as it was, to be tried again.
    Busy(Box<PausedHome>),
    /// It cannot be opened.
    Failed(HomeError),
}

#[cfg(test)]
mod tests;
