//! Sync without sockets: the caller carries frames, this says what comes next.
//!
//! ```text
//! 1 hello -> 2 governance -> 3 own seal and vaults -> 4 shreds -> 5 pull: ledgers first -> 6 seal and push -> 8 tips
//! ```
//! A failure in step 2 stops everything behind it, a failure in step 3 stops 6 for that space.

mod evidence;
mod exchange;
mod governance;
mod pull;
mod push;
mod session;

pub use self::session::{ANSWER_TIMEOUT_MS, SyncSession, WELCOME_TIMEOUT_MS};
use thicket_protocol::address::InviteCode;
use thicket_protocol::frame::Refusal;
use thicket_protocol::governance::{Admits, Realm, SpaceKind};
use thicket_protocol::ids::NotebookId;

use crate::home::HomeError;
use crate::ids::NoteId;
use crate::name::Name;

/// What a session is for; each ends with a full sync, but for [`Errand::Join`].
#[derive(Debug, Clone)]
pub enum Errand {
    /// To bring this device and the server together.
    Sync,
    /// To be admitted with the invite that [`crate::home::Home::prepare_join`] keeps; ends with [`SyncEvent::Admitted`], and the caller connects anew to sync.
    Join,
    /// To write an invite.
    Invite {
        /// What it admits; [`Admits::OwnDevice`] names the own member.
        admits: Admits,
        /// When it expires, ms since 1970.
        expires_ms: u64,
    },
    /// To create a notebook.
    CreateNotebook {
        /// Its name.
        name: Name,
        /// Its realm.
        realm: Realm,
    },
}

/// What a session tells while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncEvent {
    /// Something was sent or fetched.
    Progress(Progress),
    /// The invite stands in the log.
    Invited(InviteCode),
    /// The notebook stands in the log.
    NotebookCreated(NotebookId),
    /// The log has admitted this device.
    Admitted,
    /// Everything that could be sent and fetched was; the session now waits for changes.
    Settled(Outcome),
}

/// How far a session is; items are records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Records that the server acknowledged.
    pub sent: u64,
    /// Records that came.
    pub fetched: u64,
    /// Batches that the server has and that are still to be fetched.
    pub to_fetch: u64,
}

/// How a round of sync ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Records that the server acknowledged.
    pub sent: u64,
    /// Records that came.
    pub fetched: u64,
    /// Whether nothing is left to send or to fetch.
    pub is_up_to_date: bool,
    /// Whether this device waits for a colleague's device to give it keys.
    pub waits_for_keys: bool,
    /// Notes that were released by what came.
    pub released: Vec<NoteId>,
}

/// Why a session ended before it had done its work; all work is kept for the next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The home cannot do it.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// No server is set.
    #[error("no server is set")]
    NoServer,
    /// The server refused.
    #[error("the server refused: {0}")]
    Refused(Refusal),
    /// The invite is not known, was used, or has expired.
    #[error("the invite is not good: {0}")]
    Invite(InviteTrouble),
    /// The server speaks otherwise than the protocol says.
    #[error("the server answered what the protocol does not allow: {0}")]
    Protocol(&'static str),
    /// The server said nothing for too long.
    #[error("the server does not answer")]
    TimedOut,
    /// The server is stopping.
    #[error("the server is stopping")]
    Draining,
    /// The server's data were restored; going on needs a custodian's decision, which this version cannot take yet.
    #[error("the server's data were restored")]
    Restored,
    /// The server's signed words contradict each other: the evidence is kept in this file, and sync has stopped.
    #[error("the server's signed words contradict each other")]
    Distrust {
        /// The file in the home's folder.
        evidence: String,
    },
}

/// What is wrong with an invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InviteTrouble {
    /// The team does not know it.
    Unknown,
    /// It has expired.
    Expired,
    /// It was used or struck.
    Spent,
}

impl std::fmt::Display for InviteTrouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Spent => "used or struck",
        })
    }
}

/// In which order spaces are fetched and sent: what others rest on goes first.
const fn order(kind: SpaceKind) -> u8 {
    match kind {
        SpaceKind::Ledger => 0,
        SpaceKind::Roster => 1,
        SpaceKind::Identities => 2,
        SpaceKind::Shared => 3,
        SpaceKind::Private => 4,
    }
}
