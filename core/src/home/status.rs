//! Where everything stands: what is unsent, what is held and why, who was heard from when; and whether all is whole.

use thicket_protocol::address::ServerAddress;
use thicket_protocol::governance::SpaceKind;
use thicket_protocol::ids::{DeviceId, MemberId, NotebookId, SpaceId};

use super::{Home, HomeError, StampShown};
use crate::ids::NoteId;
use crate::time::Moment;

/// Why a note is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldWhy {
    /// It was not said who is in it.
    Unassessed,
    /// Somebody was asked and has not answered.
    Pending,
    /// Somebody was never asked.
    NoConsent,
    /// Somebody said no.
    Blocked,
    /// It was shared, and a withdrawal came.
    OnHold,
    /// It could go, and a known real name stands in its text: release it by hand.
    RealName,
    /// It could go, and the keys of the space have not come yet.
    WaitingForKeys,
    /// Its stamp has not come yet.
    StampMissing,
    /// It is a draft of a shared note.
    Draft,
}

/// A note that is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldNote {
    /// The note.
    pub note: NoteId,
    /// Why.
    pub why: HeldWhy,
    /// For whom.
    pub stamp: StampShown,
}

/// Where one space stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceStatus {
    /// The space.
    pub id: SpaceId,
    /// What it holds.
    pub kind: SpaceKind,
    /// Its notebook.
    pub notebook: Option<NotebookId>,
    /// Bodies, objects and batches that no server has acknowledged.
    pub unsent: u64,
    /// Bodies that came and whose keys have not.
    pub waiting: u64,
    /// Whether the key of its newest epoch is here.
    pub has_key: bool,
    /// Notes that are held back.
    pub held: Vec<HeldNote>,
}

/// One device of the team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceStatus {
    /// The device.
    pub id: DeviceId,
    /// Its name, where the roster has one.
    pub name: Option<String>,
    /// Whose it is.
    pub member: MemberId,
    /// Whether it was revoked.
    pub is_revoked: bool,
    /// Whether it still waits for keys, as its newest statement says.
    pub waits_for_keys: bool,
    /// When it was last heard from, ms since 1970.
    pub last_heard_ms: Option<i64>,
}

/// Where everything stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The server, if one is set.
    pub server: Option<ServerAddress>,
    /// When everything was up to date last.
    pub last_sync_ms: Option<i64>,
    /// The file with signed evidence against the server, when sync has stopped for good.
    pub evidence: Option<String>,
    /// Spaces, the roster first, then by notebook and kind.
    pub spaces: Vec<SpaceStatus>,
    /// Devices, by member.
    pub devices: Vec<DeviceStatus>,
}

/// What a check of everything found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// How many records were read.
    pub records: u64,
    /// What is wrong, in words without any content.
    pub problems: Vec<String>,
}

impl Home {
    /// Tells where everything stands.
    pub fn status(&self) -> Result<Status, HomeError> {
        todo!()
    }

    /// Reads everything again: every page, every signature, every chain, every body that has its keys, every document against its view.
    pub fn verify(&mut self, now: Moment) -> Result<Verification, HomeError> {
        todo!()
    }

    /// The server that this team syncs with.
    pub fn server(&self) -> Result<Option<ServerAddress>, HomeError> {
        todo!()
    }
}
