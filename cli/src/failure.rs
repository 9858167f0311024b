//! What a command ends with when it does not end well: the exit codes and kinds of the contract, in plain words.

use std::fmt::Display;
use std::io;
use std::path::Path;

use serde::Serialize;
use thicket_core::home::{DamagedFile, HomeError, Thing};
use thicket_core::sync::{InviteTrouble, SyncError};
use thicket_protocol::address::ParseInviteError;
use thicket_protocol::frame::Refusal;

/// The kinds of failure; scripts rely on their names and exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A fault in Thicket itself.
    Bug,
    /// Wrong flags or values.
    Usage,
    /// No such thing.
    NotFound,
    /// Wrong or missing passphrase, keys not available.
    Locked,
    /// Consent, role or policy forbids it.
    Refused,
    /// A local file is damaged.
    Damaged,
    /// The server was not reached, or the link failed.
    Offline,
    /// Another key than the pinned one, or signed evidence of a lie.
    Distrust,
    /// Another process has this home open.
    Busy,
    /// The disk is full, read-only or not writable.
    Storage,
    /// The thing changed meanwhile.
    Conflict,
}

impl Kind {
    /// The exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Bug => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Locked => 4,
            Self::Refused => 5,
            Self::Damaged => 6,
            Self::Offline => 7,
            Self::Distrust => 8,
            Self::Busy => 9,
            Self::Storage => 10,
            Self::Conflict => 11,
        }
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    /// Which kind.
    pub(crate) kind: Kind,
    /// What happened.
    pub(crate) reason: String,
    /// What can be done about it.
    pub(crate) hint: String,
    /// The file that is damaged.
    #[serde(skip)]
    pub(crate) file: Option<DamagedFile>,
}

impl Failure {
    /// Names a kind, what happened, and what can be done.
    pub(crate) fn new(kind: Kind, reason: impl Display, hint: impl Display) -> Self {
        Self { kind, reason: reason.to_string(), hint: hint.to_string(), file: None }
    }

    /// Tells whether it is a damaged derived.db, which can be made again.
    pub(crate) fn is_of_derived(&self) -> bool {
        self.file == Some(DamagedFile::Derived)
    }

    /// Wrong flags or values.
    pub(crate) fn usage(reason: impl Display, hint: impl Display) -> Self {
        Self::new(Kind::Usage, reason, hint)
    }

    /// Nothing has that name.
    pub(crate) fn not_found(thing: Thing) -> Self {
        let (name, list) = words_of(thing);
        Self::new(Kind::NotFound, format_args!("there is no such {name}"), list)
    }

    /// What was asked for needs the server, and `--offline` was given.
    pub(crate) fn offline_wanted() -> Self {
        Self::new(
            Kind::Offline,
            "this needs the server, and --offline was given",
            "run it again without --offline when there is a connection",
        )
    }

    /// A fault in Thicket itself.
    pub(crate) fn bug(what: impl Display) -> Self {
        Self::new(
            Kind::Bug,
            format_args!("a fault in Thicket: {what}"),
            "your notes are not to blame; what was saved before is safe. Please report what you did",
        )
    }

    /// A file outside the home could not be read or written.
    pub(crate) fn file(path: &Path, error: &io::Error) -> Self {
        let path = path.display();
        if error.kind() == io::ErrorKind::NotFound {
            return Self::new(
                Kind::NotFound,
                format_args!("there is no {path}"),
                "check the spelling of the path",
            );
        }
        Self::new(
            Kind::Storage,
            format_args!("{path} cannot be read or written: {error}"),
            "check the permissions of the file and the room on the disk",
        )
    }

    /// Standard output took no more, for another reason than that nobody reads it.
    pub(crate) fn output(error: &io::Error) -> Self {
        Self::new(
            Kind::Storage,
            format_args!("the result could not be written: {error}"),
            "what the command did is done; only its output is lost",
        )
    }

    /// The same failure with another hint.
    #[must_use]
    pub(crate) fn hinting(mut self, hint: impl Display) -> Self {
        self.hint = hint.to_string();
        self
    }
}

/// What a kind of thing is called, and where to look.
fn words_of(thing: Thing) -> (&'static str, &'static str) {
    match thing {
        Thing::Home => ("home", "make one with `thicket init`, or name its folder with --home"),
        Thing::Notebook => ("notebook", "`thicket notebook list` shows what there is"),
        Thing::Participant => ("participant", "`thicket participant list` shows who there is"),
        Thing::Place => ("place", "`thicket place list` shows what there is"),
        Thing::Encounter => ("encounter", "`thicket encounter list` shows what there is"),
        Thing::Note => ("note", "`thicket note list` and `thicket note search` show what there is"),
        Thing::Consent => ("consent", "`thicket consent show PARTICIPANT` shows what there is"),
        Thing::Member => ("member", "`thicket status` shows who there is"),
        Thing::Device => ("device", "`thicket status` shows which there are"),
        Thing::Invite => ("invite", "ask whoever gave you the code for a new one"),
    }
}

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        let reason = error.to_string();
        match error {
            HomeError::NotFound(thing) => Self::not_found(thing),
            HomeError::Ambiguous(thing) => {
                let (name, list) = words_of(thing);
                let hint = format_args!("give more of the id; {list}").to_string();
                Self::usage(format_args!("more than one {name} is meant"), hint)
            }
            HomeError::NameTaken(thing) => {
                let (name, list) = words_of(thing);
                Self::new(Kind::Conflict, format_args!("another {name} has this name already"), list)
            }
            HomeError::Occupied => Self::new(
                Kind::Conflict,
                "there is a home in this folder already, or something else",
                "name an empty folder, or one that is not there yet, with --home",
            ),
            HomeError::Conflict(_) => {
                Self::new(Kind::Conflict, reason, "look how it stands now, and decide anew")
            }
            HomeError::Role { .. } => {
                Self::new(Kind::Refused, reason, "ask a custodian of the team to do it")
            }
            HomeError::Consent { .. } => Self::new(
                Kind::Refused,
                reason,
                "`thicket note show NOTE` names who is not covered; the note is safe in your private space",
            ),
            HomeError::RealName => {
                Self::new(Kind::Refused, reason, "write @{Pseudonym} in its place with `thicket note edit`")
            }
            HomeError::Rule(_) => {
                Self::new(Kind::Refused, reason, "it is a rule of the team or the notebook: ask a custodian")
            }
            HomeError::NeedsServer => Self::new(
                Kind::Offline,
                reason,
                "name a server with `thicket server use URL`, and run it again when there is a connection",
            ),
            HomeError::WaitingForKeys => Self::new(
                Kind::Locked,
                reason,
                "let a current device of the team run `thicket sync`, and then this one",
            ),
            HomeError::Invalid(_) => Self::usage(reason, "see --help for what is allowed"),
            HomeError::Text(_) => {
                Self::usage(reason, "change the text and save it again; nothing was altered")
            }
            HomeError::InviteCode(error) => error.into(),
            HomeError::Locked => Self::new(
                Kind::Locked,
                reason,
                "check the passphrase; nothing was changed, and there is no limit on tries",
            ),
            HomeError::Damaged(file) => damaged(file),
            HomeError::TooNew => Self::usage(reason, "install the newest Thicket; nothing was changed"),
            HomeError::Busy => Self::new(
                Kind::Busy,
                reason,
                "wait until the other thicket command has ended, or end it, and run this again",
            ),
            HomeError::Storage(source) => Self::new(
                Kind::Storage,
                format_args!("{reason}: {source}"),
                "what was acknowledged before is safe: make room, or make the folder writable, and run it again",
            ),
            HomeError::Fault(what, _) => Self::bug(what),
            _ => Self::bug(reason),
        }
    }
}

fn damaged(file: DamagedFile) -> Failure {
    let (reason, hint) = match file {
        DamagedFile::Ring => (
            "both copies of the file `ring` are damaged",
            "without it nothing in this home opens: put `ring` or `ring.copy` back from a backup; \
             what was synced is safe with the other devices of the team",
        ),
        DamagedFile::Core => (
            "the file `core.db` is damaged",
            "copy the whole folder away first; what was synced is safe on the server and on the other devices, \
             and a new home that joins the team gets it back",
        ),
        DamagedFile::Derived => (
            "the file `derived.db` is damaged and could not be made again",
            "your notes are safe in `core.db`: move `derived.db` out of the folder, and it is made again",
        ),
    };
    Failure { file: Some(file), ..Failure::new(Kind::Damaged, reason, hint) }
}

impl From<ParseInviteError> for Failure {
    fn from(error: ParseInviteError) -> Self {
        let hint = match error {
            ParseInviteError::Version(_) => "install the newest Thicket",
            ParseInviteError::Shape | ParseInviteError::Checksum | _ => {
                "read the code again, group by group, and type it anew"
            }
        };
        Self::usage(error, hint)
    }
}

impl From<SyncError> for Failure {
    fn from(error: SyncError) -> Self {
        const LATER: &str = "all work is kept for the next sync; run it again in a while";
        let reason = error.to_string();
        match error {
            SyncError::Home(error) => error.into(),
            SyncError::NoServer => Self::new(
                Kind::Offline,
                "no server is set, so there is nothing to sync with",
                "name one with `thicket server use URL`; all work is kept",
            ),
            SyncError::Refused(refusal) => refused(refusal),
            SyncError::Invite(trouble) => {
                let kind = match trouble {
                    InviteTrouble::Unknown => Kind::NotFound,
                    InviteTrouble::Expired => Kind::Refused,
                    InviteTrouble::Spent => Kind::Conflict,
                };
                Self::new(kind, reason, "ask whoever gave you the code for a new one")
            }
            SyncError::Protocol(_) => Self::new(
                Kind::Offline,
                reason,
                "the server may be of another version; all work is kept. Tell whoever runs it",
            ),
            SyncError::TimedOut | SyncError::Draining => Self::new(Kind::Offline, reason, LATER),
            SyncError::Restored => Self::new(
                Kind::Distrust,
                reason,
                "nothing is lost on this device, and nothing was sent; tell the custodians of the team",
            ),
            SyncError::Distrust { evidence } => Self::new(
                Kind::Distrust,
                format_args!(
                    "{reason}; the evidence stands in {evidence}, and this team does not sync any more"
                ),
                "nothing is lost on this device: show that file to the custodians of the team",
            ),
            _ => Self::bug(reason),
        }
    }
}

fn refused(refusal: Refusal) -> Failure {
    let reason = format_args!("the server refused: {refusal}").to_string();
    let (kind, hint) = match refusal {
        Refusal::UnknownTeam => {
            (Kind::NotFound, "check with `thicket status` that this is the team's server")
        }
        Refusal::UnknownInvite => (Kind::NotFound, "ask whoever gave you the code for a new one"),
        Refusal::SpentInvite => (Kind::Conflict, "ask whoever gave you the code for a new one"),
        Refusal::NotAdmitted | Refusal::Forbidden => (Kind::Refused, "ask a custodian of the team"),
        Refusal::Behind => (Kind::Conflict, "others changed the team meanwhile: run it again"),
        Refusal::Version => {
            (Kind::Offline, "the newest Thicket is wanted, here or on the server; all work is kept")
        }
        Refusal::Storage => {
            (Kind::Offline, "tell whoever runs the server; all work is kept for the next sync")
        }
        Refusal::Limit => {
            (Kind::Refused, "a limit of the server is reached: tell whoever runs it; all work is kept")
        }
        Refusal::Fork => (
            Kind::Damaged,
            "the folder of this home was probably put back from a copy: its work is kept here; \
             join the team anew with a new home",
        ),
        Refusal::Draining => (Kind::Offline, "all work is kept for the next sync; run it again in a while"),
        Refusal::Malformed
        | Refusal::Proof
        | Refusal::BadEntry
        | Refusal::MissingSeal
        | Refusal::StaleVault
        | Refusal::StalePrekey
        | Refusal::KnownKey
        | Refusal::Shredded
        | Refusal::Gap
        | Refusal::BadBytes => {
            (Kind::Offline, "run it again; when it stays so, tell whoever runs the server. All work is kept")
        }
    };
    Failure::new(kind, reason, hint)
}

#[cfg(test)]
mod tests {
    use thicket_core::vocabulary::StampStatus;
    use thicket_protocol::governance::Role;

    use super::*;

    #[test]
    fn every_failure_has_its_exit_code_and_says_what_can_be_done() {
        let disk = || HomeError::Storage(Box::new(io::Error::from(io::ErrorKind::StorageFull)));
        let evidence = SyncError::Distrust { evidence: "evidence-1".to_owned() };
        let all: [(Failure, u8); 23] = [
            (HomeError::Fault("a test", None).into(), 1),
            (HomeError::Ambiguous(Thing::Note).into(), 2),
            (HomeError::Invalid("out of range").into(), 2),
            (ParseInviteError::Checksum.into(), 2),
            (HomeError::NotFound(Thing::Invite).into(), 3),
            (SyncError::Invite(InviteTrouble::Unknown).into(), 3),
            (HomeError::Locked.into(), 4),
            (HomeError::WaitingForKeys.into(), 4),
            (HomeError::Role { role: Role::Auditor }.into(), 5),
            (HomeError::Consent { status: StampStatus::Blocked }.into(), 5),
            (HomeError::RealName.into(), 5),
            (SyncError::Invite(InviteTrouble::Expired).into(), 5),
            (HomeError::Damaged(DamagedFile::Core).into(), 6),
            (SyncError::Refused(Refusal::Fork).into(), 6),
            (HomeError::NeedsServer.into(), 7),
            (SyncError::NoServer.into(), 7),
            (SyncError::TimedOut.into(), 7),
            (SyncError::Refused(Refusal::Storage).into(), 7),
            (evidence.into(), 8),
            (HomeError::Busy.into(), 9),
            (SyncError::Home(disk()).into(), 10),
            (HomeError::NameTaken(Thing::Participant).into(), 11),
            (SyncError::Invite(InviteTrouble::Spent).into(), 11),
        ];
        for (failure, code) in all {
            assert_eq!(failure.kind.code(), code, "{failure:?}");
            assert!(!failure.reason.is_empty() && !failure.hint.is_empty(), "{failure:?}");
        }
    }

    #[test]
    fn evidence_of_a_lie_is_named() {
        let failure = Failure::from(SyncError::Distrust { evidence: "evidence-1".to_owned() });
        assert!(failure.reason.contains("evidence-1"));
    }

    #[test]
    fn no_refusal_of_a_server_is_a_fault_in_thicket() {
        for refusal in Refusal::ALL {
            assert_ne!(Failure::from(SyncError::Refused(*refusal)).kind, Kind::Bug, "{refusal}");
        }
    }
}
