//! What a governance log adds up to: who is in the team, with which devices, roles, spaces and epochs, and who may
//! sign what.

mod changes;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use crate::governance::{Act, Admits, Author, Entry, EpochTurn, Realm, Role, SpaceKind};
use crate::ids::{DeviceId, Hash, Incarnation, KeyId, MemberId, NotebookId, PublicKey, SpaceId, TeamId};
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
    /// The public half of the recovery kit that can admit one device of this member.
    pub kit: Option<PublicKey>,
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
    /// On which device.
    pub by_device: DeviceId,
    /// What became of it.
    pub state: InviteState,
}

/// What a notebook's sheet promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Hours between a withdrawal and the shred.
    pub window_hours: u32,
    /// The hash of the policy's text in the ledger.
    pub text: Hash,
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
    /// The policy that its sheet prints, when one was named.
    pub policy: Option<Policy>,
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
    pub fn epoch(&self, epoch: u32) -> Option<&EpochTurn> {
        let before = usize::try_from(epoch).ok()?.checked_sub(1)?;
        self.epochs.get(before)
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

/// Where a shredded key is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shredded {
    /// A custodian shredded it.
    Everywhere,
    /// A member shredded it in these own private spaces.
    In(BTreeSet<SpaceId>),
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
    places: BTreeMap<(NotebookId, SpaceKind, Option<MemberId>), SpaceId>,
    roster: SpaceId,
    shredded: BTreeMap<KeyId, Shredded>,
    server_key: Option<PublicKey>,
    incarnation: Option<Incarnation>,
}

impl Team {
    /// Begins a team with its genesis; the id is the genesis' hash.
    pub fn found(genesis: &Entry) -> Result<Self, TeamError> {
        let body = genesis.body();
        if body.team.is_some() || body.seq != 0 || body.prev != Hash::ZERO {
            return Err(TeamError::NotNext);
        }
        let Act::Genesis { member, device, roster, .. } = &body.act else {
            return Err(TeamError::Contradiction("a log begins with a genesis"));
        };
        let id = DeviceId::derive(device);
        if body.author != Author::Device(id) {
            return Err(TeamError::Forbidden("the first device signs the genesis"));
        }
        genesis.verify(device).map_err(|_| TeamError::Signature)?;
        rules::check_first_epoch(roster)?;
        if roster.kind != SpaceKind::Roster || roster.owner.is_some() {
            return Err(TeamError::Contradiction("a genesis makes the roster"));
        }
        let first = Member { role: Role::Custodian, removed: false, ever_custodian: true, kit: None };
        let device = Device { key: *device, member: *member, added: 0, revoked: None, invite: None };
        let (space, epochs) = (roster.epoch.space, vec![roster.epoch.clone()]);
        let roster = Space { kind: SpaceKind::Roster, notebook: None, owner: None, epochs, due: false };
        Ok(Self {
            id: TeamId::from_bytes(*genesis.hash().as_bytes()),
            head: genesis.point(),
            members: BTreeMap::from([(*member, first)]),
            devices: BTreeMap::from([(id, device)]),
            invites: BTreeMap::new(),
            notebooks: BTreeMap::new(),
            spaces: BTreeMap::from([(space, roster)]),
            places: BTreeMap::new(),
            roster: space,
            shredded: BTreeMap::new(),
            server_key: None,
            incarnation: None,
        })
    }

    /// Applies the next entry: verifies its place, its author's signature and right, its content and its limits. On an error the team is as it was.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), TeamError> {
        let body = entry.body();
        let follows = body.team == Some(self.id)
            && Some(body.seq) == self.head.seq.checked_add(1)
            && body.prev == self.head.hash;
        if !follows {
            return Err(TeamError::NotNext);
        }
        let key = match &body.author {
            Author::Paper(key) => key,
            Author::Device(device) => match self.devices.get(device) {
                Some(device) => &device.key,
                None => return Err(TeamError::Forbidden("no device of the team")),
            },
        };
        entry.verify(key).map_err(|_| TeamError::Signature)?;
        self.judge(&body.author, &body.act)?;
        self.carry_out(entry);
        Ok(())
    }

    /// Says whether an act by that device would be taken next, without an entry.
    pub fn may(&self, device: DeviceId, act: &Act) -> Result<(), TeamError> {
        self.judge(&Author::Device(device), act)
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
    pub fn current(&self, device: &DeviceId) -> Option<&Device> {
        self.devices.get(device).filter(|device| device.revoked.is_none())
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
        notebook: &NotebookId,
        kind: SpaceKind,
        owner: Option<&MemberId>,
    ) -> Option<SpaceId> {
        let owner = owner.filter(|_| kind == SpaceKind::Private).copied();
        self.places.get(&(*notebook, kind, owner)).copied()
    }

    /// The roster.
    pub const fn roster(&self) -> SpaceId {
        self.roster
    }

    /// The ledger of the notebook of a space; the roster is its own.
    pub fn ledger_of(&self, space: &SpaceId) -> Option<SpaceId> {
        match &self.spaces.get(space)?.notebook {
            Some(notebook) => self.space_of(notebook, SpaceKind::Ledger, None),
            None => Some(*space),
        }
    }

    /// Whether a member may hold the keys of a space now.
    pub fn may_hold(&self, member: &MemberId, space: &SpaceId) -> bool {
        let (Some(of), Some(space)) = (self.members.get(member), self.spaces.get(space)) else {
            return false;
        };
        !of.removed && self.would_hold(member, of.role, space)
    }

    /// Whether a member who had this role would hold a space's keys.
    fn would_hold(&self, member: &MemberId, role: Role, space: &Space) -> bool {
        let notebook = space.notebook.as_ref().and_then(|notebook| self.notebooks.get(notebook));
        role.may_hold(space.kind)
            && notebook.is_none_or(|notebook| !notebook.denied.contains(member))
            && (space.kind != SpaceKind::Private || space.owner.as_ref() == Some(member))
    }

    /// The current devices that may hold the keys of a space, ascending.
    pub fn holders(&self, space: &SpaceId) -> Vec<DeviceId> {
        let current = self.devices.iter().filter(|(_, device)| device.revoked.is_none());
        current.filter(|(_, device)| self.may_hold(&device.member, space)).map(|(id, _)| *id).collect()
    }

    /// The spaces whose keys a device may hold, ascending; none for one that is not current.
    pub fn spaces_of(&self, device: &DeviceId) -> Vec<SpaceId> {
        self.current(device).map(|device| self.spaces_held(&device.member)).unwrap_or_default()
    }

    fn spaces_held(&self, member: &MemberId) -> Vec<SpaceId> {
        self.spaces.keys().filter(|space| self.may_hold(member, space)).copied().collect()
    }

    /// Whether a key was shredded, by whomever and wherever; [`Self::is_shredded_in`] is what a space is judged by.
    pub fn is_shredded(&self, id: &KeyId) -> bool {
        self.shredded.contains_key(id)
    }

    /// Whether a key was shredded in that space: by a custodian, or by its owner where it is private.
    ///
    /// Doc tags stand in the clear, so a member's own shred must not reach into what others share.
    pub fn is_shredded_in(&self, space: &SpaceId, id: &KeyId) -> bool {
        match self.shredded.get(id) {
            Some(Shredded::Everywhere) => true,
            Some(Shredded::In(spaces)) => spaces.contains(space),
            None => false,
        }
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
