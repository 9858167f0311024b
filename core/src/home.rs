//! The home: what one device keeps of one team, and the object that is the way in.
//!
//! Time and randomness are arguments: `now` of each method is the device's clock, and the entropy is handed in when the
//! home is opened. Nothing here touches the network; [`crate::sync`] moves what is here.

mod consent;
mod error;
mod keys;
mod ledgers;
mod notes;
mod objects;
mod outbox;
mod read;
mod release;
mod status;
mod take;
mod team;

use std::path::{Path, PathBuf};

use thicket_protocol::address::InviteCode;
use thicket_protocol::ids::{DeviceId, MemberId, NotebookId, TeamId};
use thicket_protocol::team::Team;

pub use self::consent::{ConsentShown, ConsentTerms, EventShown, Granted, NewEvent, Recorded};
pub use self::error::{DamagedFile, HomeError, Thing};
use self::keys::Keyring;
use self::ledgers::Ledgers;
pub use self::notes::{About, NewNote, NoteEdit, Placed};
pub use self::objects::{
    EncounterShown, NewEncounter, NewParticipant, NewPlace, ParticipantShown, PlaceShown,
};
pub use self::read::{
    ChangeShown, DraftShown, NoteRow, NoteShown, NotesPage, NotesWanted, SearchHit, SpeakerTurn, StampShown,
    SubjectShown,
};
pub use self::status::{DeviceStatus, HeldNote, HeldWhy, SpaceStatus, Status, Verification};
pub use self::team::{Founded, Founding, NotebookShown};
use crate::entropy::Entropy;
use crate::name::Name;
use crate::ring::{Ring, RingContents, Wrapping};
use crate::store::{Database, HomeLock};
use crate::time::Moment;

/// One device's folder, unlocked.
///
/// Dropping it loses nothing that was acknowledged; [`Home::lock`] also leaves the files tidy.
pub struct Home {
    folder: PathBuf,
    #[expect(dead_code, reason = "held, never read")]
    lock: HomeLock,
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
}

impl Home {
    /// Makes the home of a new team of one in a folder that is empty or not there, with its first notebook.
    ///
    /// The member who forgets the passphrase of a team of one loses everything.
    pub fn init(
        folder: &Path,
        wrapping: Wrapping<'_>,
        founding: &Founding,
        now: Moment,
        entropy: Box<dyn Entropy>,
    ) -> Result<(Self, Founded), HomeError> {
        todo!()
    }

    /// Makes the home of a device that is to join a team: its identity and first prekey, nothing of the team yet.
    ///
    /// Called again on the same folder with the same code it opens what is there, so that a join that was cut short can go on. [`crate::sync::Errand::Join`] does the rest.
    pub fn prepare_join(
        folder: &Path,
        wrapping: Wrapping<'_>,
        code: &InviteCode,
        member: Name,
        device: Name,
        now: Moment,
        entropy: Box<dyn Entropy>,
    ) -> Result<Self, HomeError> {
        todo!()
    }

    /// Opens a home; derived.db is made again where it is missing or damaged, and catches up with core.db.
    pub fn open(
        folder: &Path,
        wrapping: Wrapping<'_>,
        now: Moment,
        entropy: Box<dyn Entropy>,
    ) -> Result<Self, HomeError> {
        todo!()
    }

    /// Closes the home: both databases are checkpointed, every key is wiped.
    pub fn lock(self) -> Result<(), HomeError> {
        todo!()
    }

    /// Closes the files and lets go of the lock, and keeps the keys in memory: for a phone that goes to the background, and between the
    /// rounds of a watch.
    pub fn pause(self) -> Result<PausedHome, HomeError> {
        todo!()
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
        todo!()
    }
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
pub struct PausedHome {}

impl PausedHome {
    /// Opens the files again; a ring that another process has written meanwhile is read anew, without asking for the passphrase.
    pub fn resume(self, now: Moment) -> Result<Home, NotResumed> {
        todo!()
    }
}

/// A paused home could not be opened: it is handed back, to be tried again once another process lets go of it.
pub struct NotResumed {
    /// The home, still paused.
    pub paused: Box<PausedHome>,
    /// Why; [`HomeError::Busy`] passes.
    pub error: HomeError,
}
