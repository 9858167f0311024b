//! Why a home cannot do something; each variant is something the caller can act on.

use thicket_protocol::address::ParseInviteError;
use thicket_protocol::governance::{EntryError, Role};
use thicket_protocol::team::TeamError;

use crate::document::DocumentError;
use crate::object::ObjectError;
use crate::ring::RingError;
use crate::seal::SealError;
use crate::store::{CORE_FILE, StoreError};
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

impl HomeError {
    /// A fault that has no cause of its own.
    pub(crate) const fn fault(what: &'static str) -> Self {
        Self::Fault(what, None)
    }

    /// Whether it is no matter of the one note that it came up with: then nothing else will go well either.
    pub(crate) const fn is_grave(&self) -> bool {
        matches!(self, Self::Storage(_) | Self::Fault(..) | Self::Busy)
    }
}

impl From<StoreError> for HomeError {
    fn from(error: StoreError) -> Self {
        let file = |name| if name == CORE_FILE { DamagedFile::Core } else { DamagedFile::Derived };
        match error {
            // A home without its core.db has lost it; a missing derived.db is made again before this is asked.
            StoreError::Damaged { file: name } | StoreError::Missing { file: name } => {
                Self::Damaged(file(name))
            }
            StoreError::TooNew { .. } => Self::TooNew,
            StoreError::Busy => Self::Busy,
            StoreError::Storage(_) | StoreError::Database(..) => Self::Storage(Box::new(error)),
            StoreError::Fault(_) => Self::Fault("a statement", Some(Box::new(error))),
        }
    }
}

impl From<RingError> for HomeError {
    fn from(error: RingError) -> Self {
        match error {
            RingError::Missing => Self::NotFound(Thing::Home),
            RingError::Exists => Self::Occupied,
            RingError::Damaged => Self::Damaged(DamagedFile::Ring),
            RingError::Locked => Self::Locked,
            RingError::TooNew { .. } => Self::TooNew,
            RingError::Cost => Self::Invalid("a passphrase's cost is out of bounds"),
            RingError::TooLarge => Self::Fault("the ring", Some(Box::new(error))),
            RingError::Storage(_) => Self::Storage(Box::new(error)),
        }
    }
}

/// What a document says no to is the text that was typed, or the bytes that were kept.
impl From<DocumentError> for HomeError {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Text(error) => Self::Text(error),
            DocumentError::OutOfRange { .. } => Self::Invalid("an edit reaches beyond the end of the text"),
            DocumentError::NotPlain
            | DocumentError::Damaged(_)
            | DocumentError::DamagedChange(_)
            | DocumentError::NotANote(_)
            | DocumentError::Hostile => Self::Damaged(DamagedFile::Core),
            DocumentError::UnknownHeads => Self::Conflict("the shared note has not come as far as the draft"),
            DocumentError::Uncommitted => Self::Fault("a document", Some(Box::new(error))),
        }
    }
}

/// Objects that are read were verified before they were kept, so what else is wrong with one is damage.
impl From<ObjectError> for HomeError {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::TooLong { .. } => Self::Invalid("it is too long"),
            ObjectError::TooMany { .. } => Self::Invalid("a list is longer than its limit"),
            ObjectError::Empty { .. } => Self::Invalid("a list that has to name something names nothing"),
            ObjectError::Version { .. } => Self::TooNew,
            ObjectError::Cbor(_) => Self::Damaged(DamagedFile::Core),
        }
    }
}

impl From<SealError> for HomeError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::TooLarge(_) => Self::Invalid("it is more than one record can hold"),
            SealError::Contradiction(_) | SealError::Key(_) => Self::Fault("sealing", Some(Box::new(error))),
        }
    }
}

impl From<TeamError> for HomeError {
    fn from(error: TeamError) -> Self {
        match error {
            TeamError::NotNext => Self::Conflict("the team's log has gone on"),
            TeamError::Contradiction(what) => Self::Conflict(what),
            TeamError::Forbidden(what) | TeamError::Limit(what) => Self::Rule(what),
            TeamError::Signature => Self::Fault("an entry", Some(Box::new(error))),
            _ => Self::Fault("an entry", Some(Box::new(error))),
        }
    }
}

impl From<EntryError> for HomeError {
    fn from(error: EntryError) -> Self {
        match error {
            EntryError::TooLarge => Self::Invalid("it is more than one entry can hold"),
            EntryError::Version { .. } => Self::TooNew,
            EntryError::Cbor(_) | EntryError::Shape(_) => Self::Damaged(DamagedFile::Core),
            _ => Self::Fault("an entry", Some(Box::new(error))),
        }
    }
}
