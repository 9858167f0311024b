//! Where everything stands: what is unsent, what is held and why, who was heard from when; and whether all is whole.

use std::collections::{BTreeMap, BTreeSet};

use thicket_protocol::address::ServerAddress;
use thicket_protocol::governance::{Role, SpaceKind};
use thicket_protocol::ids::{DeviceId, MemberId, NotebookId, SpaceId};
use thicket_protocol::keys::{PrekeyStatement, SpaceEpoch};
use thicket_protocol::team::{Device, Team};
use zeroize::Zeroizing;

use thicket_protocol::record::ChainPoint;

use super::derive::open_view;
use super::{DamagedFile, Home, HomeError, StampShown};
use crate::ids::NoteId;
use crate::stamp::Standing;
use crate::store::core_db::{self, Setting};
use crate::store::derived_db::{self, GenerationRow};
use crate::vocabulary::StampStatus;

/// Why a note is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    /// How far the server's chain of it was read.
    pub at: ChainPoint,
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

impl Home {
    /// Tells where everything stands.
    pub fn status(&self) -> Result<Status, HomeError> {
        Ok(Status {
            server: self.server()?,
            last_sync_ms: self.kept(Setting::LastSync)?.and_then(|bytes| read_ms(&bytes)),
            evidence: self.kept(Setting::Evidence)?.map(|name| String::from_utf8_lossy(&name).into_owned()),
            spaces: self.space_statuses()?,
            devices: self.device_statuses()?,
        })
    }

    /// The server that this team syncs with.
    pub fn server(&self) -> Result<Option<ServerAddress>, HomeError> {
        let read = |text: Zeroizing<Vec<u8>>| std::str::from_utf8(&text).ok()?.parse().ok();
        match self.kept(Setting::Server)? {
            Some(text) => read(text).map(Some).ok_or(HomeError::Damaged(DamagedFile::Core)),
            None => Ok(None),
        }
    }

    /// The spaces that this member may hold, those that are still to be made included.
    fn space_statuses(&self) -> Result<Vec<SpaceStatus>, HomeError> {
        let (Some(team), Some(member)) = (&self.team, self.secrets.member) else { return Ok(Vec::new()) };
        let mut held = self.held_notes(team)?;
        let mut waiting: BTreeMap<SpaceId, u64> = BTreeMap::new();
        for row in core_db::waiting(self.core.read())? {
            *waiting.entry(row.head.space).or_default() += 1;
        }
        let spaces = team.spaces().iter().filter(|(id, _)| team.may_hold(&member, id));
        let mut places: Vec<(Option<NotebookId>, SpaceKind, SpaceId)> =
            spaces.map(|(id, space)| (space.notebook, space.kind, *id)).collect();
        // What is written before there is a private space waits for it under the notebook's own id.
        for notebook in self.notebooks_without_private_space() {
            places.push((Some(notebook), SpaceKind::Private, SpaceId::from_bytes(*notebook.as_bytes())));
        }
        places.sort_by_key(|(notebook, kind, id)| (*notebook, place_of(*kind), *id));
        let status = |(notebook, kind, id): (Option<NotebookId>, SpaceKind, SpaceId)| {
            let (bodies, objects) = core_db::count_unsent(self.core.read(), id)?;
            let (_, unplaced) = core_db::count_batches(self.core.read(), id)?;
            Ok(SpaceStatus {
                id,
                kind,
                notebook,
                unsent: bodies + objects + unplaced,
                waiting: waiting.get(&id).copied().unwrap_or_default(),
                has_key: self.holds_epoch(&id),
                at: core_db::cursor(self.core.read(), id)?,
                held: held.remove(&id).unwrap_or_default(),
            })
        };
        places.into_iter().map(status).collect()
    }

    /// The own notes and drafts that are not shared, and what is on hold or lacks its stamp, by space.
    fn held_notes(&self, team: &Team) -> Result<BTreeMap<SpaceId, Vec<HeldNote>>, HomeError> {
        let db = self.derived.read();
        let mut generations: BTreeSet<_> =
            derived_db::generations_where(db, None, Some(true), StampStatus::ALL)?.into_iter().collect();
        for status in StampStatus::ALL {
            generations.extend(derived_db::drafts(db, *status)?);
        }
        let not_shown = [StampStatus::OnHold, StampStatus::Pending];
        generations.extend(derived_db::generations_where(db, None, Some(false), &not_shown)?);
        let role = self.secrets.member.and_then(|member| team.members().get(&member)).map(|of| of.role);
        let mut held: BTreeMap<SpaceId, Vec<HeldNote>> = BTreeMap::new();
        for generation in generations {
            let Some(row) = derived_db::generation(db, generation)? else { continue };
            let is_own = Some(row.author) == self.secrets.member;
            if !is_own && (row.is_private || role != Some(Role::Custodian)) {
                continue;
            }
            if let Some(why) = self.why_held(&row)? {
                let note = HeldNote { note: row.note, why, stamp: self.stamp_of(&row)? };
                held.entry(row.space).or_default().push(note);
            }
        }
        Ok(held)
    }

    /// Why a generation is not in the hands of the team; none when it is, or has a successor that is.
    fn why_held(&self, row: &GenerationRow) -> Result<Option<HeldWhy>, HomeError> {
        let view = open_view(row)?;
        if row.draft_of.is_some() {
            return Ok((!view.meta.ended).then_some(HeldWhy::Draft));
        }
        let standing = if row.is_private { Standing::Private } else { Standing::Shared };
        let status = self.assess(row, standing)?.status();
        Ok(match (row.is_private, status) {
            (false, StampStatus::OnHold) => Some(HeldWhy::OnHold),
            (false, StampStatus::Pending) => Some(HeldWhy::StampMissing),
            (false, StampStatus::Valid | StampStatus::None | StampStatus::Blocked) => None,
            (true, StampStatus::Pending) if view.people().is_empty() => Some(HeldWhy::Unassessed),
            (true, StampStatus::Pending) => Some(HeldWhy::Pending),
            (true, StampStatus::None) => Some(HeldWhy::NoConsent),
            (true, StampStatus::Blocked) => Some(HeldWhy::Blocked),
            (true, StampStatus::OnHold) => Some(HeldWhy::OnHold),
            (true, StampStatus::Valid) => {
                if !self.names_in(&row.notebook, &view)?.is_empty() {
                    Some(HeldWhy::RealName)
                } else if self.shared_space(&row.notebook).is_none() {
                    Some(HeldWhy::WaitingForKeys)
                } else {
                    None
                }
            }
        })
    }

    fn device_statuses(&self) -> Result<Vec<DeviceStatus>, HomeError> {
        let Some(team) = &self.team else { return Ok(Vec::new()) };
        let heard: BTreeMap<DeviceId, i64> = derived_db::heard(self.derived.read())?.into_iter().collect();
        let mut statements: BTreeMap<DeviceId, PrekeyStatement> = BTreeMap::new();
        for bytes in core_db::statements(self.core.read())? {
            let statement = PrekeyStatement::decode(&bytes);
            let statement = statement.map_err(|_| HomeError::Damaged(DamagedFile::Core))?;
            statements.insert(statement.body().device, statement);
        }
        let name = |id: &DeviceId| Some(self.roster().devices().get(id)?.value()?.name.to_string());
        let status = |(id, device): (&DeviceId, &Device)| DeviceStatus {
            id: *id,
            name: name(id),
            member: device.member,
            is_revoked: device.revoked.is_some(),
            waits_for_keys: self.waits_for_keys(team, id, device, statements.get(id)),
            last_heard_ms: heard.get(id).copied(),
        };
        let mut devices: Vec<_> = team.devices().iter().map(status).collect();
        devices.sort_by_key(|device| (device.member, device.id));
        Ok(devices)
    }

    /// Tells whether a device lacks the key of the newest epoch of a space that it may hold. The private spaces of its member are not
    /// counted: of those only its member's own devices know whether it has them.
    fn waits_for_keys(
        &self,
        team: &Team,
        id: &DeviceId,
        device: &Device,
        statement: Option<&PrekeyStatement>,
    ) -> bool {
        let common =
            |space: &SpaceId| team.spaces().get(space).is_some_and(|space| space.kind != SpaceKind::Private);
        let mut spaces = team.spaces_of(id).into_iter().filter(common);
        if *id == self.device {
            return spaces.any(|space| !self.holds_epoch(&space));
        }
        // The device that founded the team made every key; whoever was admitted says what it has.
        let Some(statement) = statement else { return device.added > 0 && device.revoked.is_none() };
        let held: BTreeSet<SpaceEpoch> = statement.body().epochs.iter().copied().collect();
        spaces.any(|space| {
            let newest = team.spaces().get(&space).map_or(0, |space| space.newest().epoch);
            !held.contains(&SpaceEpoch { space, epoch: newest })
        })
    }
}

/// The order in which the spaces of a notebook are told.
const fn place_of(kind: SpaceKind) -> u8 {
    match kind {
        SpaceKind::Roster => 0,
        SpaceKind::Ledger => 1,
        SpaceKind::Shared => 2,
        SpaceKind::Identities => 3,
        SpaceKind::Private => 4,
    }
}

/// Milliseconds as settings keep them: 8 bytes, big-endian.
fn read_ms(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.try_into().ok()?))
}
