//! Where everything stands.

use thicket_core::home;

use crate::ids::{DeviceId, MemberId, NoteId, NotebookId, SpaceId};
use crate::read::StampShown;
use crate::words::{HeldWhy, SpaceKind};
use crate::{Home, ThicketError};

/// Where everything stands.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct HomeStatus {
    /// The server's address, if one is set.
    pub server: Option<String>,
    /// When everything was up to date last, ms since 1970.
    pub last_sync_ms: Option<i64>,
    /// The file with signed evidence against the server, when sync has stopped for good.
    pub evidence: Option<String>,
    /// Spaces, the roster first, then by notebook and kind.
    pub spaces: Vec<SpaceStatus>,
    /// Devices, by member.
    pub devices: Vec<DeviceStatus>,
}

/// Where one space stands.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SpaceStatus {
    /// The space.
    pub id: SpaceId,
    /// What it holds.
    pub kind: SpaceKind,
    /// Its notebook.
    pub notebook: Option<NotebookId>,
    /// What no server has acknowledged.
    pub unsent: u64,
    /// What came and waits for its keys.
    pub waiting: u64,
    /// Whether the key of its newest epoch is here.
    pub has_key: bool,
    /// Notes that are held back, each with its reason.
    pub held: Vec<HeldNote>,
}

/// A note that is held back.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct HeldNote {
    /// The note.
    pub note: NoteId,
    /// Why.
    pub why: HeldWhy,
    /// For whom.
    pub stamp: StampShown,
}

/// One device of the team.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DeviceStatus {
    /// The device.
    pub id: DeviceId,
    /// Its name, where one is known.
    pub name: Option<String>,
    /// Whose it is.
    pub member: MemberId,
    /// What they are called.
    pub member_name: String,
    /// Whether it was revoked.
    pub is_revoked: bool,
    /// Whether it still waits for keys.
    pub waits_for_keys: bool,
    /// When it was last heard from, ms since 1970.
    pub last_heard_ms: Option<i64>,
}

/// What a check of everything found.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Verification {
    /// How many records were read.
    pub records: u64,
    /// What is wrong, for a report; nothing of a note is in it.
    pub problems: Vec<String>,
}

fn show_space(space: home::SpaceStatus) -> SpaceStatus {
    let held = |held: home::HeldNote| HeldNote {
        note: NoteId::of(held.note),
        why: held.why.into(),
        stamp: held.stamp.into(),
    };
    SpaceStatus {
        id: SpaceId::of(space.id),
        kind: space.kind.into(),
        notebook: space.notebook.map(NotebookId::of),
        unsent: space.unsent,
        waiting: space.waiting,
        has_key: space.has_key,
        held: space.held.into_iter().map(held).collect(),
    }
}

fn show_device(home: &home::Home, device: home::DeviceStatus) -> DeviceStatus {
    DeviceStatus {
        id: DeviceId::of(device.id),
        name: device.name,
        member: MemberId::of(device.member),
        member_name: home.member_name(&device.member),
        is_revoked: device.is_revoked,
        waits_for_keys: device.waits_for_keys,
        last_heard_ms: device.last_heard_ms,
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl Home {
    /// Tells where everything stands; offline.
    pub async fn status(&self) -> Result<HomeStatus, ThicketError> {
        self.read(|home| {
            let status = home.status()?;
            Ok(HomeStatus {
                server: status.server.map(|server| server.to_string()),
                last_sync_ms: status.last_sync_ms,
                evidence: status.evidence,
                spaces: status.spaces.into_iter().map(show_space).collect(),
                devices: status.devices.into_iter().map(|device| show_device(home, device)).collect(),
            })
        })
        .await
    }

    /// Reads everything again and checks it; long for a large home.
    pub async fn verify(&self) -> Result<Verification, ThicketError> {
        let found = self.write(|home, now| Ok(home.verify(now)?)).await?;
        Ok(Verification { records: found.records, problems: found.problems })
    }
}
