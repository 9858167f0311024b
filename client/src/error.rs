//! Why an errand was not done.

use thicket_core::home::HomeError;
use thicket_core::sync::SyncError;
use thicket_protocol::frame::Refusal;

/// Why an errand was not done; all work is kept for the next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nothing answers at the server's address, or its name is not known.
    #[error("the server cannot be reached")]
    Unreachable(#[source] std::io::Error),
    /// What answers proves another key than the pinned one: a captive portal, or another server. It says nothing about
    /// the next attempt.
    #[error("what answers at the server's address proves another key")]
    WrongServerKey,
    /// What answers speaks no version of the protocol that this Thicket speaks.
    #[error("what answers at the server's address does not speak this version of the protocol")]
    OtherProtocol,
    /// The connection was lost before the errand was done.
    #[error("the connection was lost")]
    Interrupted(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The errand took longer than [`crate::Limits::whole`].
    #[error("the time was up while this was waited for: {waits_for}")]
    TimedOut {
        /// What the session waited for.
        waits_for: &'static str,
    },
    /// The home was closed, or its keeper fell.
    #[error("the home is closed")]
    Closed,
    /// The session ended.
    #[error(transparent)]
    Sync(SyncError),
    /// The home cannot be used.
    #[error(transparent)]
    Home(HomeError),
}

impl ClientError {
    /// Tells whether trying again later may help without anybody doing anything: the network, the server or another
    /// process is in the way.
    pub fn passes(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::WrongServerKey
            | Self::OtherProtocol
            | Self::Interrupted(_)
            | Self::TimedOut { .. } => true,
            Self::Sync(SyncError::Refused(refusal)) => refusal_passes(*refusal),
            Self::Sync(error) => {
                matches!(error, SyncError::Protocol(_) | SyncError::TimedOut | SyncError::Draining)
            }
            Self::Home(error) => matches!(error, HomeError::Busy),
            Self::Closed => false,
        }
    }
}

/// Tells whether a server may answer otherwise later.
const fn refusal_passes(refusal: Refusal) -> bool {
    match refusal {
        Refusal::Behind
        | Refusal::MissingSeal
        | Refusal::StaleVault
        | Refusal::StalePrekey
        | Refusal::KnownKey
        | Refusal::Gap
        | Refusal::Limit
        | Refusal::Storage
        | Refusal::Draining => true,
        Refusal::Malformed
        | Refusal::Version
        | Refusal::Proof
        | Refusal::UnknownTeam
        | Refusal::UnknownInvite
        | Refusal::SpentInvite
        | Refusal::NotAdmitted
        | Refusal::Forbidden
        | Refusal::BadEntry
        | Refusal::Shredded
        | Refusal::Fork
        | Refusal::BadBytes => false,
    }
}

impl From<HomeError> for ClientError {
    fn from(error: HomeError) -> Self {
        Self::Home(error)
    }
}

/// A session's error about the home is the home's.
impl From<SyncError> for ClientError {
    fn from(error: SyncError) -> Self {
        if let SyncError::Home(error) = error { Self::Home(error) } else { Self::Sync(error) }
    }
}
