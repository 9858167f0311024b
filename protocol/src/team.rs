//! What a governance log adds up to: who is in the team, with which devices, roles, spaces and epochs, and who may
//! sign what.

use std::collections::{BTreeMap, BTreeSet};

use crate::governance::{Act, Admits, Entry, EpochTurn, Realm, Role, SpaceKind};
use crate::ids::{DeviceId, Incarnation, KeyId, MemberId, NotebookId, PublicKey, SpaceId, TeamId};
use crate::record::GovPoint;

/// A member, present or past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The role now, or at the end.
    pub role: Role,
    /// Whether the membership has ended.
    pub removed: bool,
    /// Whether the member is, or ever was, a custodian.
    pub ever_custodian: bool,
}

/// A device, present or past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its identity key.
    pub key: PublicKey,
    /// Whose it is.
    pub member: MemberId,
    /// The entry that admitted it.
    pub added: u64,
    /// The entry that ended it.
    pub revoked: Option<u64>,
    /// The invite that admitted it.
    pub invite: Option<PublicKey>,
}

/// What became of an invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InviteState {
    /// It can still admit.
    Open,
    /// It admitted this device.
    Used(DeviceId),
    /// It was struck.
    Struck,
}

/// An invite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// What it admits.
    pub admits: Admits,
    /// When it expires, milliseconds since 1970, by the judgement of whoever seals.
    pub expires_ms: u64,
    /// Who wrote it.
    pub by: MemberId,
    /// What became of it.
    pub state: InviteState,
}

/// A notebook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notebook {
    /// Its realm.
    pub realm: Realm,
    /// Whether nothing more may be written in it.
    pub closed: bool,
    /// Members from whom access was taken.
    pub denied: BTreeSet<MemberId>,
}

/// A space with all its epochs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// What it holds.
    pub kind: SpaceKind,
    /// Its notebook; the roster has none.
    pub notebook: Option<NotebookId>,
    /// Whose it is, when it is private.
    pub owner: Option<MemberId>,
    /// Every epoch from 1 on, in order; never empty.
    pub epochs: Vec<EpochTurn>,
    /// Whether somebody who held it has gone and it has not turned since: nobody seals to it before it turns.
    pub due: bool,
}

impl Space {
    /// The newest epoch.
    pub fn newest(&self) -> &EpochTurn {
        self.epochs.last().expect("a space begins with an epoch")
    }

    /// The epoch of that number.
    pub fn epoch(&self, _epoch: u32) -> Option<&EpochTurn> {
        todo!()
    }
}

/// Why an entry does not go on from a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TeamError {
    /// It does not follow the head: another sequence number, hash before, or team.
    #[error("a governance entry does not follow the log's head")]
    NotNext,
    /// Its signature is not its author's.
    #[error("a governance entry is not signed by its author")]
    Signature,
    /// Its author may not sign this.
    #[error("a governance entry by somebody who may not sign it: {0}")]
    Forbidden(&'static str),
    /// What it says contradicts the log.
    #[error("a governance entry contradicts the log: {0}")]
    Contradiction(&'static str),
    /// It would go beyond a limit.
    #[error("a governance entry exceeds the limit on {0}")]
    Limit(&'static str),
}

/// A team as its log says: made by applying entries in order, and only whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    id: TeamId,
    head: GovPoint,
    members: BTreeMap<MemberId, Member>,
    devices: BTreeMap<DeviceId, Device>,
    invites: BTreeMap<PublicKey, Invite>,
    notebooks: BTreeMap<NotebookId, Notebook>,
    spaces: BTreeMap<SpaceId, Space>,
    shredded: BTreeSet<KeyId>,
    server_key: Option<PublicKey>,
    incarnation: Option<Incarnation>,
}

impl Team {
    /// Begins a team with its genesis; the id is the genesis' hash.
    pub fn found(_genesis: &Entry) -> Result<Self, TeamError> {
        todo!()
    }

    /// Applies the next entry: verifies its place, its author's signature and right, its content and its limits. On an error the team is as it was.
    pub fn apply(&mut self, _entry: &Entry) -> Result<(), TeamError> {
        todo!()
    }

    /// Says whether an act by that device would be taken next, without an entry.
    pub fn may(&self, _device: DeviceId, _act: &Act) -> Result<(), TeamError> {
        todo!()
    }

    /// The team.
    pub const fn id(&self) -> TeamId {
        self.id
    }

    /// The last entry.
    pub const fn head(&self) -> GovPoint {
        self.head
    }

    /// Members, present and past.
    pub const fn members(&self) -> &BTreeMap<MemberId, Member> {
        &self.members
    }

    /// Devices, present and past.
    pub const fn devices(&self) -> &BTreeMap<DeviceId, Device> {
        &self.devices
    }

    /// A device that is current: not revoked, its member not removed.
    pub fn current(&self, _device: &DeviceId) -> Option<&Device> {
        todo!()
    }

    /// Invites, open and spent.
    pub const fn invites(&self) -> &BTreeMap<PublicKey, Invite> {
        &self.invites
    }

    /// Notebooks.
    pub const fn notebooks(&self) -> &BTreeMap<NotebookId, Notebook> {
        &self.notebooks
    }

    /// Spaces.
    pub const fn spaces(&self) -> &BTreeMap<SpaceId, Space> {
        &self.spaces
    }

    /// The space of a notebook of that kind; of private ones that of the member.
    pub fn space_of(
        &self,
        _notebook: &NotebookId,
        _kind: SpaceKind,
        _owner: Option<&MemberId>,
    ) -> Option<SpaceId> {
        todo!()
    }

    /// The roster.
    pub fn roster(&self) -> SpaceId {
        todo!()
    }

    /// The ledger of the notebook of a space; the roster is its own.
    pub fn ledger_of(&self, _space: &SpaceId) -> Option<SpaceId> {
        todo!()
    }

    /// Whether a member may hold the keys of a space now.
    pub fn may_hold(&self, _member: &MemberId, _space: &SpaceId) -> bool {
        todo!()
    }

    /// The current devices that may hold the keys of a space, ascending.
    pub fn holders(&self, _space: &SpaceId) -> Vec<DeviceId> {
        todo!()
    }

    /// The spaces whose keys a device may hold, ascending; none for one that is not current.
    pub fn spaces_of(&self, _device: &DeviceId) -> Vec<SpaceId> {
        todo!()
    }

    /// Whether a key was shredded.
    pub fn is_shredded(&self, id: &KeyId) -> bool {
        self.shredded.contains(id)
    }

    /// The key that the team's server proves.
    pub const fn server_key(&self) -> Option<&PublicKey> {
        self.server_key.as_ref()
    }

    /// The life of the server's data that was accepted last, when one was.
    pub const fn incarnation(&self) -> Option<Incarnation> {
        self.incarnation
    }
}
