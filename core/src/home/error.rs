//! Why a home cannot do something; each variant is something the caller can act on.

use thicket_protocol::address::ParseInviteError;
use thicket_protocol::governance::Role;
use thicket_protocol::team::TeamError;

use crate::document::DocumentError;
use crate::object::ObjectError;
use crate::ring::RingError;
use crate::seal::SealError;
use crate::store::StoreError;
use crate::text::TextError;
use crate::vocabulary::StampStatus;

/// A kind of thing that can be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// A home in the folder.
    Home,
    /// A notebook.
    Notebook,
    /// A participant.
    Participant,
    /// A place.
    Place,
    /// An encounter.
    Encounter,
    /// A note.
    Note,
    /// A consent.
    Consent,
    /// A member.
    Member,
    /// A device.
    Device,
    /// An invite.
    Invite,
}

/// A file of a home that is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DamagedFile {
    /// Both copies of the ring.
    Ring,
    /// core.db or its WAL.
    Core,
    /// derived.db, in a way that making it again did not help.
    Derived,
}

/// Why a home cannot do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// There is none of that name or id.
    #[error("no such thing: {0:?}")]
    NotFound(Thing),
    /// The name or prefix means several.
    #[error("more than one is meant: {0:?}")]
    Ambiguous(Thing),
    /// The name is taken.
    #[error("the name is taken: {0:?}")]
    NameTaken(Thing),
    /// There is a home in the folder already, or something else.
    #[error("the folder is not empty")]
    Occupied,
    /// The thing stands already as asked for, or has gone on meanwhile.
    #[error("it has changed meanwhile: {0}")]
    Conflict(&'static str),
    /// The role of this member does not allow it.
    #[error("a {role} may not do this")]
    Role {
        /// The member's role.
        role: Role,
    },
    /// Consent does not allow it: what was asked for needs a valid stamp.
    #[error("consent does not allow it: the note is {status}")]
    Consent {
        /// Where the note stands.
        status: StampStatus,
    },
    /// The name guard found a known real name in the text.
    #[error("a known real name stands in the text")]
    RealName,
    /// A policy or rule of the notebook forbids it.
    #[error("not allowed: {0}")]
    Rule(&'static str),
    /// It changes the membership, and that needs the server.
    #[error("this changes the team and needs the server")]
    NeedsServer,
    /// The keys of the space have not come yet.
    #[error("the keys have not come yet")]
    WaitingForKeys,
    /// A value is out of range or contradicts another.
    #[error("{0}")]
    Invalid(&'static str),
    /// A text is too long or has characters that no text may have; the caller keeps it.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The invite's code is none.
    #[error(transparent)]
    InviteCode(#[from] ParseInviteError),
    /// The passphrase or key does not open the ring.
    #[error("the passphrase or key does not open this home")]
    Locked,
    /// A file is damaged.
    #[error("a file is damaged: {0:?}")]
    Damaged(DamagedFile),
    /// A later Thicket wrote it.
    #[error("a later version of Thicket wrote this home")]
    TooNew,
    /// Another process has the home open.
    #[error("another process has this home open")]
    Busy,
    /// The disk is full, read-only or failing; what was acknowledged before is safe.
    #[error("the folder cannot be read or written")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A fault in Thicket itself.
    #[error("a fault in Thicket: {0}")]
    Fault(&'static str, #[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}

impl From<StoreError> for HomeError {
    fn from(error: StoreError) -> Self {
        todo!("{error}")
    }
}

impl From<RingError> for HomeError {
    fn from(error: RingError) -> Self {
        todo!("{error}")
    }
}

impl From<DocumentError> for HomeError {
    fn from(error: DocumentError) -> Self {
        todo!("{error}")
    }
}

impl From<ObjectError> for HomeError {
    fn from(error: ObjectError) -> Self {
        todo!("{error}")
    }
}

impl From<SealError> for HomeError {
    fn from(error: SealError) -> Self {
        todo!("{error}")
    }
}

impl From<TeamError> for HomeError {
    fn from(error: TeamError) -> Self {
        todo!("{error}")
    }
}
