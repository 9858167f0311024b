//! Who may sign what: every rule is checked before anything is changed.

use std::collections::BTreeSet;

use super::{Device, InviteState, Member, Notebook, Team, TeamError};
use crate::governance::{Act, Admits, Author, EpochTurn, NewSpace, Realm, Role, ShredList, SpaceKind};
use crate::ids::{DeviceId, MemberId, NotebookId, PublicKey, SpaceId};
use crate::keys::PrekeyStatement;
use crate::limits::{MEMBER_DEVICES_MAX, TEAM_DEVICES_MAX, TEAM_SPACES_MAX};

type Judged = Result<(), TeamError>;

fn allowed(right: bool, rule: &'static str) -> Judged {
    if right { Ok(()) } else { Err(TeamError::Forbidden(rule)) }
}

fn agrees(fits: bool, rule: &'static str) -> Judged {
    if fits { Ok(()) } else { Err(TeamError::Contradiction(rule)) }
}

fn within(count: usize, most: usize, of: &'static str) -> Judged {
    if count <= most { Ok(()) } else { Err(TeamError::Limit(of)) }
}

/// Checks what the first epoch of every space is.
pub(super) fn check_first_epoch(space: &NewSpace) -> Judged {
    agrees(
        space.epoch.epoch == 1 && space.epoch.made_from == 0,
        "a space begins with epoch 1, made from nothing",
    )
}

impl Team {
    /// Checks everything about an act but its place in the log and its signature.
    pub(super) fn judge(&self, author: &Author, act: &Act) -> Judged {
        match author {
            Author::Paper(key) => self.judge_paper(key, act),
            Author::Device(id) => {
                let device = self.current(id).ok_or(TeamError::Forbidden("no current device of the team"))?;
                self.check_right(*id, device.member, act)?;
                self.check_sense(&device.member, act)
            }
        }
    }

    fn judge_paper(&self, key: &PublicKey, act: &Act) -> Judged {
        let open = self.invites.get(key).filter(|invite| invite.state == InviteState::Open);
        let admits = open.map(|invite| invite.admits);
        match act {
            Act::MemberAdd { member, device, prekey } => {
                allowed(matches!(admits, Some(Admits::Member(_))), "an open invite admits a member")?;
                agrees(!self.members.contains_key(member), "a new member has a new id")?;
                self.check_new_device(member, device, prekey)
            }
            Act::DeviceAdd { member, device, prekey } => {
                let kit = self.members.get(member).and_then(|of| of.kit.as_ref()) == Some(key);
                let right = kit || admits == Some(Admits::OwnDevice(*member));
                allowed(right, "the member's open invite or recovery kit admits a device")?;
                self.check_new_device(member, device, prekey)
            }
            Act::Genesis { .. }
            | Act::Invite { .. }
            | Act::InviteStrike { .. }
            | Act::DeviceRevoke { .. }
            | Act::MemberRemove { .. }
            | Act::RoleChange { .. }
            | Act::SpaceCreate { .. }
            | Act::SpaceGrant { .. }
            | Act::Epoch { .. }
            | Act::Shred { .. }
            | Act::Close { .. }
            | Act::Recovery { .. }
            | Act::ServerKey { .. }
            | Act::Incarnation { .. }
            | Act::Policy { .. } => {
                Err(TeamError::Forbidden("paper admits one device and does nothing else"))
            }
        }
    }

    /// The table of who may sign what.
    fn check_right(&self, author: DeviceId, by: MemberId, act: &Act) -> Judged {
        let custodian = self.is_custodian(&by);
        match act {
            Act::Genesis { .. } => Err(TeamError::Contradiction("a log has one genesis")),
            Act::Invite { admits: Admits::Member(_), .. } => {
                allowed(custodian, "a custodian invites members")
            }
            Act::Invite { admits: Admits::OwnDevice(member), .. } => {
                allowed(*member == by, "a member invites own devices")
            }
            Act::InviteStrike { .. } => Ok(()),
            Act::MemberAdd { .. } => Err(TeamError::Forbidden("a member comes by an invite")),
            Act::DeviceAdd { member, .. } => allowed(*member == by, "a member adds own devices"),
            Act::DeviceRevoke { device, .. } => {
                let gone =
                    self.current(device).ok_or(TeamError::Contradiction("a current device is revoked"))?;
                allowed(custodian || gone.member == by, "a custodian revokes devices, everybody own ones")?;
                // It would know the keys that are made to keep it out.
                allowed(*device != author, "a device does not revoke itself")
            }
            Act::MemberRemove { member, .. } => {
                allowed(custodian, "a custodian removes members")?;
                allowed(*member != by, "a member does not remove himself")
            }
            Act::RoleChange { member, role, .. } => {
                allowed(custodian, "a custodian changes roles")?;
                let demoted = *member == by && *role != Role::Custodian;
                allowed(!demoted || self.has_other_custodian(&by), "the last custodian stays one")
            }
            // What is new, and what is turned, is judged space by space.
            Act::SpaceCreate { .. } | Act::Epoch { .. } => Ok(()),
            Act::SpaceGrant { .. } => allowed(custodian, "a custodian gives and takes access"),
            Act::Shred { turns, .. } => {
                let own = !turns.is_empty() && turns.iter().all(|turn| self.is_own_private(&by, &turn.space));
                allowed(custodian || own, "a custodian shreds, everybody in the own private space")
            }
            Act::Close { .. } => allowed(custodian, "a custodian closes notebooks"),
            Act::Recovery { member, .. } => allowed(*member == by, "a member names the own recovery kit"),
            Act::ServerKey { .. } => allowed(custodian, "a custodian names the server's key"),
            Act::Incarnation { .. } => allowed(custodian, "a custodian accepts a server's new life"),
            Act::Policy { .. } => allowed(custodian, "a custodian names policies"),
        }
    }

    /// Checks what an act by somebody who may sign it says.
    fn check_sense(&self, by: &MemberId, act: &Act) -> Judged {
        match act {
            Act::Genesis { .. } | Act::MemberAdd { .. } | Act::ServerKey { .. } => Ok(()),
            Act::Invite { key, .. } => self.check_new_paper(key),
            Act::InviteStrike { key } => {
                let open = self.invites.get(key).is_some_and(|invite| invite.state == InviteState::Open);
                agrees(open, "only an open invite is struck")
            }
            Act::DeviceAdd { member, device, prekey } => self.check_new_device(member, device, prekey),
            Act::DeviceRevoke { turns, .. } => self.check_turns(by, act, turns),
            Act::MemberRemove { member, turns } => {
                self.check_present(member)?;
                self.check_turns(by, act, turns)
            }
            Act::RoleChange { member, role, turns } => {
                agrees(self.check_present(member)?.role != *role, "a changed role is another")?;
                self.check_turns(by, act, turns)
            }
            Act::SpaceCreate { notebook, realm, spaces } => self.check_spaces(by, notebook, *realm, spaces),
            Act::SpaceGrant { notebook, member, granted, turns } => {
                self.check_present(member)?;
                let denied = self.check_notebook(notebook)?.denied.contains(member);
                agrees(denied == *granted, "access is given to whom it was taken from, and taken once")?;
                agrees(!granted || turns.is_empty(), "no epoch turns when access is given")?;
                self.check_turns(by, act, turns)
            }
            Act::Epoch { turns } => {
                agrees(!turns.is_empty(), "an epoch entry turns one")?;
                self.check_turns(by, act, turns)
            }
            Act::Shred { ids, turns } => {
                // A server and a device that cannot have the list could not carry it out.
                agrees(matches!(ids, ShredList::Here(_)), "no frame carries a staged list")?;
                self.check_turns(by, act, turns)
            }
            Act::Close { notebook } | Act::Policy { notebook, .. } => self.check_open(notebook),
            Act::Recovery { key, .. } => key.as_ref().map_or(Ok(()), |key| self.check_new_paper(key)),
            Act::Incarnation { incarnation, head } => {
                agrees(*head == self.head, "a new life is accepted at the head")?;
                agrees(self.incarnation != Some(*incarnation), "a new life is another")
            }
        }
    }

    pub(super) fn is_custodian(&self, member: &MemberId) -> bool {
        self.members.get(member).is_some_and(|of| of.role == Role::Custodian && !of.removed)
    }

    fn has_other_custodian(&self, than: &MemberId) -> bool {
        let mut current = self.devices.values().filter(|device| device.revoked.is_none());
        current.any(|device| device.member != *than && self.is_custodian(&device.member))
    }

    fn is_own_private(&self, member: &MemberId, space: &SpaceId) -> bool {
        let private = self.spaces.get(space).is_some_and(|space| space.kind == SpaceKind::Private);
        private && self.may_hold(member, space)
    }

    fn check_present(&self, member: &MemberId) -> Result<&Member, TeamError> {
        let present = self.members.get(member).filter(|of| !of.removed);
        present.ok_or(TeamError::Contradiction("a member of the team is meant"))
    }

    fn check_notebook(&self, notebook: &NotebookId) -> Result<&Notebook, TeamError> {
        self.notebooks.get(notebook).ok_or(TeamError::Contradiction("a notebook of the team is meant"))
    }

    fn check_open(&self, notebook: &NotebookId) -> Judged {
        agrees(!self.check_notebook(notebook)?.closed, "nothing more is done in a closed notebook")
    }

    fn check_new_paper(&self, key: &PublicKey) -> Judged {
        let known = self.invites.contains_key(key)
            || self.devices.contains_key(&DeviceId::derive(key))
            || self.members.values().any(|member| member.kit.as_ref() == Some(key));
        agrees(!known, "a new secret has a new key")
    }

    /// Checks a device that comes to `member`, who is new or present: who was removed has no current device, no open invite
    /// and no kit left, and so nothing that could admit one.
    fn check_new_device(&self, member: &MemberId, key: &PublicKey, prekey: &[u8]) -> Judged {
        let id = DeviceId::derive(key);
        agrees(!self.devices.contains_key(&id), "a new device has a new key")?;
        let current = |device: &&Device| device.member == *member && device.revoked.is_none();
        within(self.devices.values().filter(current).count() + 1, MEMBER_DEVICES_MAX, "devices of a member")?;
        within(self.devices.len() + 1, TEAM_DEVICES_MAX, "devices of a team")?;
        let statement = PrekeyStatement::decode(prekey)
            .map_err(|_| TeamError::Contradiction("a device comes with a prekey statement"))?;
        let said = statement.body();
        agrees(said.team == self.id && said.device == id, "the statement is of this team and device")?;
        agrees(said.counter == 1 && said.epochs.is_empty(), "the first statement holds no epoch")?;
        agrees(said.gov.seq <= self.head.seq, "the statement's place is in the log")?;
        statement.verify(key).map_err(|_| TeamError::Contradiction("the statement is signed by the device"))
    }

    fn check_spaces(
        &self,
        by: &MemberId,
        notebook: &NotebookId,
        realm: Realm,
        spaces: &[NewSpace],
    ) -> Judged {
        let known = self.notebooks.get(notebook);
        allowed(known.is_some() || self.is_custodian(by), "a custodian makes notebooks")?;
        let role = self.check_present(by)?.role;
        let mut ids = BTreeSet::new();
        let mut kinds = BTreeSet::new();
        for new in spaces {
            check_first_epoch(new)?;
            let fresh = !self.spaces.contains_key(&new.epoch.space) && ids.insert(new.epoch.space);
            agrees(fresh, "a new space has a new id")?;
            agrees(kinds.insert(new.kind), "one space of a kind is made at a time")?;
            let owner = (new.kind == SpaceKind::Private).then_some(*by);
            allowed(new.owner == owner, "a private space is made by its owner, and no other has one")?;
            allowed(role.may_hold(new.kind), "a space is made by somebody who may hold it")?;
        }
        let whole = [SpaceKind::Ledger, SpaceKind::Shared, SpaceKind::Identities];
        match known {
            None => {
                kinds.remove(&SpaceKind::Private);
                agrees(
                    kinds == BTreeSet::from(whole),
                    "a notebook begins with ledger, shared and identities",
                )?;
            }
            Some(known) => {
                agrees(known.realm == realm, "a notebook stays in its realm")?;
                agrees(!known.closed, "nothing more is done in a closed notebook")?;
                allowed(!known.denied.contains(by), "a space is made by somebody who may hold it")?;
                agrees(kinds == BTreeSet::from([SpaceKind::Private]), "a notebook grows by private spaces")?;
                let had = self.space_of(notebook, SpaceKind::Private, Some(by));
                agrees(had.is_none(), "a member has one private space in a notebook")?;
            }
        }
        within(self.spaces.len() + spaces.len(), TEAM_SPACES_MAX, "spaces of a team")
    }

    fn check_turns(&self, by: &MemberId, act: &Act, turns: &[EpochTurn]) -> Judged {
        let parted = self.parted(by, act);
        let mut turned = BTreeSet::new();
        for turn in turns {
            let space =
                self.spaces.get(&turn.space).ok_or(TeamError::Contradiction("a space of the team turns"))?;
            agrees(turned.insert(turn.space), "a space turns once an entry")?;
            agrees(Some(turn.epoch) == space.newest().epoch.checked_add(1), "the next epoch is one more")?;
            let holds = self.may_hold(by, &turn.space) && !parted.left_due.contains(&turn.space);
            allowed(holds, "an epoch is turned by somebody who holds it and keeps it")?;
            let right = self.is_custodian(by)
                || self.is_own_private(by, &turn.space)
                || space.due
                || parted.to_turn.contains(&turn.space);
            allowed(right, "a custodian turns epochs, everybody the own private ones and due ones")?;
        }
        agrees(parted.to_turn.is_subset(&turned), "every space turns that somebody is to hold no longer")
    }

    /// The spaces that an act by that device must turn, ascending: what somebody is to hold no longer, as far as the
    /// author keeps it. The turns that the act carries already do not matter.
    pub fn must_turn(&self, author: &DeviceId, act: &Act) -> Vec<SpaceId> {
        let parted = self.current(author).map(|device| self.parted(&device.member, act)).unwrap_or_default();
        parted.to_turn.into_iter().collect()
    }

    /// What an act by that member parts people from.
    pub(super) fn parted(&self, by: &MemberId, act: &Act) -> Parted {
        let has_device = |member: &MemberId| {
            self.devices.values().any(|device| device.member == *member && device.revoked.is_none())
        };
        let held = |member: &MemberId| if has_device(member) { self.spaces_held(member) } else { Vec::new() };
        let of = |id: &SpaceId| self.spaces.get(id);
        // Whose hold ends; when a device goes, its member's other devices hold on.
        let (who, lost): (Option<MemberId>, Vec<SpaceId>) = match act {
            Act::DeviceRevoke { device, .. } => (None, self.spaces_of(device)),
            Act::MemberRemove { member, .. } => (Some(*member), held(member)),
            Act::RoleChange { member, role, .. } => {
                let keeps = |id: &SpaceId| of(id).is_some_and(|space| self.would_hold(member, *role, space));
                (Some(*member), held(member).into_iter().filter(|id| !keeps(id)).collect())
            }
            Act::SpaceGrant { notebook, member, granted: false, .. } => {
                let inside = |id: &SpaceId| of(id).is_some_and(|space| space.notebook == Some(*notebook));
                (Some(*member), held(member).into_iter().filter(inside).collect())
            }
            Act::SpaceGrant { granted: true, .. }
            | Act::Genesis { .. }
            | Act::Invite { .. }
            | Act::InviteStrike { .. }
            | Act::MemberAdd { .. }
            | Act::DeviceAdd { .. }
            | Act::SpaceCreate { .. }
            | Act::Epoch { .. }
            | Act::Shred { .. }
            | Act::Close { .. }
            | Act::Recovery { .. }
            | Act::ServerKey { .. }
            | Act::Incarnation { .. }
            | Act::Policy { .. } => (None, Vec::new()),
        };
        let keeps = |space: &SpaceId| who != Some(*by) && self.may_hold(by, space);
        let (to_turn, left_due): (BTreeSet<SpaceId>, BTreeSet<SpaceId>) = lost.into_iter().partition(keeps);
        let removed = if let Act::MemberRemove { member, .. } = act { Some(*member) } else { None };
        let matters =
            |id: &SpaceId| of(id).is_some_and(|space| space.owner.is_none() || space.owner != removed);
        Parted { to_turn, left_due: left_due.into_iter().filter(matters).collect() }
    }
}

/// The spaces that somebody holds before an act and not after it.
#[derive(Default)]
pub(super) struct Parted {
    /// The author holds them on, and turns them in the same entry.
    pub(super) to_turn: BTreeSet<SpaceId>,
    /// The author does not: whoever does must turn them before anything is sealed to them.
    pub(super) left_due: BTreeSet<SpaceId>,
}
