//! Why the surface says no: one short list, with nothing in it that a person typed.

use thicket_client::ClientError;
use thicket_core::home::HomeError;
use thicket_core::name::NameError;
use thicket_core::ring::RingError;
use thicket_core::sync::{InviteTrouble as CoreTrouble, SyncError};
use thicket_core::text::{ProseError, TextError};
use thicket_core::time::TimeError;
use thicket_core::vocabulary::Refusal;

use crate::words::{DamagedFile, StampStatus, Thing};

/// Why something was not done.
///
/// What had been acknowledged before is safe, whatever this says. `reason` is for logs and reports of faults: English, without anything that a
/// person typed, and nothing to be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum ThicketError {
    /// There is none of that name or id.
    #[error("no such thing: {what:?}")]
    NotFound {
        /// What was looked for.
        what: Thing,
    },
    /// More than one is meant.
    #[error("more than one is meant: {what:?}")]
    Ambiguous {
        /// What was looked for.
        what: Thing,
    },
    /// Another has the name.
    #[error("the name is taken: {what:?}")]
    NameTaken {
        /// What the name was for.
        what: Thing,
    },
    /// There is a home in the folder already, or something else.
    #[error("the folder is not empty")]
    Occupied,
    /// It stands already as asked for, or has gone on meanwhile: read it again.
    #[error("it has changed meanwhile: {reason}")]
    Conflict {
        /// What has.
        reason: String,
    },
    /// The member's role, or a rule of the notebook, does not allow it.
    #[error("not allowed: {reason}")]
    Forbidden {
        /// Which rule.
        reason: String,
    },
    /// Consent does not allow it.
    #[error("consent does not allow it: the note is {status:?}")]
    NoConsent {
        /// Where the note stands.
        status: StampStatus,
    },
    /// A known real name stands in the text.
    #[error("a known real name stands in the text")]
    RealName,
    /// It changes the team, and that needs the server.
    #[error("this changes the team and needs the server")]
    NeedsServer,
    /// No server is set.
    #[error("no server is set")]
    NoServer,
    /// A colleague's device has not given this one its keys yet.
    #[error("the keys have not come yet")]
    WaitingForKeys,
    /// A value is out of range, is not of its form, or contradicts another.
    #[error("{reason}")]
    Invalid {
        /// What is wrong.
        reason: String,
    },
    /// A text cannot be taken in; the caller keeps it.
    #[error("the text cannot be taken: {trouble:?}")]
    TextRefused {
        /// What is wrong with it.
        trouble: TextTrouble,
    },
    /// An invite is not good.
    #[error("the invite is not good: {trouble:?}")]
    InviteRefused {
        /// What is wrong with it.
        trouble: InviteTrouble,
    },
    /// The passphrase or key does not open the home, or the person did not unlock the key store.
    #[error("this does not open the home")]
    Locked,
    /// The key store has lost the key: nothing opens this home any more.
    #[error("the key store has lost the key")]
    KeyGone,
    /// A file is damaged.
    #[error("a file is damaged: {file:?}")]
    Damaged {
        /// Which.
        file: DamagedFile,
    },
    /// A later Thicket wrote the home, or runs on the server.
    #[error("a later version of Thicket is needed")]
    TooNew,
    /// Another process has the home open, or too much is asked for at once.
    #[error("the home is busy")]
    Busy,
    /// The disk is full, read-only or failing.
    #[error("the folder cannot be read or written")]
    Storage,
    /// The server was not reached, or the connection was lost; all work is kept for the next sync.
    #[error("offline: {why:?}")]
    Offline {
        /// Why.
        why: OfflineWhy,
    },
    /// The server refused for as long as nobody does anything about it.
    #[error("the server refused: {reason}")]
    ServerRefused {
        /// What it said.
        reason: String,
    },
    /// The server's signed words contradict each other: sync of this team has stopped for good.
    #[error("the server's signed words contradict each other")]
    Distrust {
        /// The file in the home's folder that holds the evidence.
        evidence: String,
    },
    /// The server's data were restored, and a custodian has to decide how to go on.
    #[error("the server's data were restored")]
    Restored,
    /// The home is paused, locked or closed.
    #[error("the home is closed")]
    Closed,
    /// A fault in Thicket itself.
    #[error("a fault in Thicket: {reason}")]
    Fault {
        /// Where.
        reason: String,
    },
}

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum TextTrouble {
    /// A control character other than line feed and tab stands in it.
    ControlCharacter,
    /// It is longer than a note may be: a million bytes of UTF-8.
    TextTooLong,
    /// It is longer than a title may be: a thousand characters.
    TitleTooLong,
    /// A title has one line.
    TitleOfSeveralLines,
    /// A title has no passages.
    TitleWithMark,
    /// Tokens or markers do not stand where the text has a U+FFFC, or an offset lies inside a character.
    Misplaced,
    /// Something else that a later version checks.
    Other,
}

/// What is wrong with an invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum InviteTrouble {
    /// The code was mistyped, or is none.
    Mistyped,
    /// The team does not know it.
    Unknown,
    /// It has expired.
    Expired,
    /// It was used or struck.
    Spent,
}

/// Why the server was not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum OfflineWhy {
    /// Nothing answers at its address, or its name is not known.
    Unreachable,
    /// What answers proves another key: a captive portal, or another server. It says nothing about the next attempt.
    WrongServerKey,
    /// What answers does not speak this protocol.
    OtherProtocol,
    /// The connection was lost on the way.
    Interrupted,
    /// The time was up.
    TimedOut,
    /// The server is stopping, or has no room at the moment.
    ServerBusy,
}

impl ThicketError {
    pub(crate) fn fault(reason: impl std::fmt::Display) -> Self {
        Self::Fault { reason: reason.to_string() }
    }

    pub(crate) fn invalid(reason: impl std::fmt::Display) -> Self {
        Self::Invalid { reason: reason.to_string() }
    }

    pub(crate) const fn misplaced() -> Self {
        Self::TextRefused { trouble: TextTrouble::Misplaced }
    }
}

impl From<HomeError> for ThicketError {
    fn from(error: HomeError) -> Self {
        match error {
            HomeError::NotFound(what) => Self::NotFound { what: what.into() },
            HomeError::Ambiguous(what) => Self::Ambiguous { what: what.into() },
            HomeError::NameTaken(what) => Self::NameTaken { what: what.into() },
            HomeError::Occupied => Self::Occupied,
            HomeError::Conflict(reason) => Self::Conflict { reason: reason.to_owned() },
            HomeError::Role { .. } => Self::Forbidden { reason: error.to_string() },
            HomeError::Rule(reason) => Self::Forbidden { reason: reason.to_owned() },
            HomeError::Consent { status } => Self::NoConsent { status: status.into() },
            HomeError::RealName => Self::RealName,
            HomeError::NeedsServer => Self::NeedsServer,
            HomeError::WaitingForKeys => Self::WaitingForKeys,
            HomeError::Invalid(reason) => Self::invalid(reason),
            HomeError::Text(error) => error.into(),
            HomeError::InviteCode(_) => Self::InviteRefused { trouble: InviteTrouble::Mistyped },
            HomeError::Locked => Self::Locked,
            HomeError::Damaged(file) => Self::Damaged { file: file.into() },
            HomeError::TooNew => Self::TooNew,
            HomeError::Busy => Self::Busy,
            HomeError::Storage(_) => Self::Storage,
            HomeError::Fault(reason, _) => Self::fault(reason),
            _ => Self::fault("an error of the home that has no name here"),
        }
    }
}

impl From<SyncError> for ThicketError {
    fn from(error: SyncError) -> Self {
        let offline = |why| Self::Offline { why };
        match error {
            SyncError::Home(error) => error.into(),
            SyncError::NoServer => Self::NoServer,
            SyncError::Refused(refusal) => match refusal {
                Refusal::Storage | Refusal::Draining => offline(OfflineWhy::ServerBusy),
                Refusal::Version => Self::TooNew,
                Refusal::Malformed
                | Refusal::Proof
                | Refusal::UnknownTeam
                | Refusal::UnknownInvite
                | Refusal::SpentInvite
                | Refusal::NotAdmitted
                | Refusal::Forbidden
                | Refusal::Behind
                | Refusal::BadEntry
                | Refusal::MissingSeal
                | Refusal::StaleVault
                | Refusal::StalePrekey
                | Refusal::KnownKey
                | Refusal::Shredded
                | Refusal::Gap
                | Refusal::Fork
                | Refusal::BadBytes
                | Refusal::Limit => Self::ServerRefused { reason: refusal.as_str().to_owned() },
            },
            SyncError::Invite(trouble) => Self::InviteRefused {
                trouble: match trouble {
                    CoreTrouble::Unknown => InviteTrouble::Unknown,
                    CoreTrouble::Expired => InviteTrouble::Expired,
                    CoreTrouble::Spent => InviteTrouble::Spent,
                },
            },
            SyncError::Protocol(_) => offline(OfflineWhy::OtherProtocol),
            SyncError::TimedOut => offline(OfflineWhy::TimedOut),
            SyncError::Draining => offline(OfflineWhy::ServerBusy),
            SyncError::Restored => Self::Restored,
            SyncError::Distrust { evidence } => Self::Distrust { evidence },
            _ => Self::fault("an error of sync that has no name here"),
        }
    }
}

impl From<ClientError> for ThicketError {
    fn from(error: ClientError) -> Self {
        let offline = |why| Self::Offline { why };
        match error {
            ClientError::Unreachable(_) => offline(OfflineWhy::Unreachable),
            ClientError::WrongServerKey => offline(OfflineWhy::WrongServerKey),
            ClientError::OtherProtocol => offline(OfflineWhy::OtherProtocol),
            ClientError::Interrupted(_) => offline(OfflineWhy::Interrupted),
            ClientError::TimedOut { .. } => offline(OfflineWhy::TimedOut),
            ClientError::Closed => Self::Closed,
            ClientError::Sync(error) => error.into(),
            ClientError::Home(error) => error.into(),
            _ => Self::fault("an error of the client that has no name here"),
        }
    }
}

impl From<RingError> for ThicketError {
    fn from(error: RingError) -> Self {
        HomeError::from(error).into()
    }
}

impl From<TextError> for ThicketError {
    fn from(error: TextError) -> Self {
        let trouble = match error {
            TextError::Control { .. } => TextTrouble::ControlCharacter,
            TextError::TextTooLong { .. } => TextTrouble::TextTooLong,
            TextError::TitleTooLong { .. } => TextTrouble::TitleTooLong,
            TextError::TitleOfSeveralLines { .. } => TextTrouble::TitleOfSeveralLines,
            TextError::TitleWithMark { .. } => TextTrouble::TitleWithMark,
            _ => TextTrouble::Other,
        };
        Self::TextRefused { trouble }
    }
}

impl From<ProseError> for ThicketError {
    fn from(_: ProseError) -> Self {
        Self::misplaced()
    }
}

impl From<NameError> for ThicketError {
    fn from(error: NameError) -> Self {
        Self::invalid(error)
    }
}

impl From<TimeError> for ThicketError {
    fn from(error: TimeError) -> Self {
        Self::invalid(error)
    }
}

/// A key store of the platform that fails in a way of its own.
impl From<uniffi::UnexpectedUniFFICallbackError> for ThicketError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        // What the platform said may hold anything, and stays there.
        Self::fault("the key store")
    }
}
