//! What a governance entry changes, once it was judged: nothing here can fail.

use std::collections::BTreeSet;

use super::{Device, Invite, InviteState, Member, Notebook, Policy, Shredded, Space, Team};
use crate::governance::{Act, Admits, Author, Entry, EpochTurn, NewSpace, Realm, Role, ShredList};
use crate::ids::{DeviceId, KeyId, MemberId, NotebookId, PublicKey, SpaceId};

impl Team {
    /// Changes the team as an entry says that was judged.
    pub(super) fn carry_out(&mut self, entry: &Entry) {
        let body = entry.body();
        let (seq, author) = (body.seq, body.author);
        let by = match &author {
            Author::Device(device) => self.devices.get(device).map(|of| (*device, of.member)),
            Author::Paper(_) => None,
        };
        let parted = by.map(|(_, member)| self.parted(&member, &body.act)).unwrap_or_default();
        match &body.act {
            Act::Genesis { .. } | Act::Epoch { .. } => {}
            Act::Invite { key, admits, expires_ms } => {
                if let Some((by_device, by)) = by {
                    let (admits, expires_ms, state) = (*admits, *expires_ms, InviteState::Open);
                    self.invites.insert(*key, Invite { admits, expires_ms, by, by_device, state });
                }
            }
            Act::InviteStrike { key } => self.strike(|other, _| other == key),
            Act::MemberAdd { member, device, .. } | Act::DeviceAdd { member, device, .. } => {
                self.admit(*member, device, &author, seq);
            }
            Act::DeviceRevoke { device, .. } => {
                self.strike(|_, invite| invite.by_device == *device);
                self.end_devices(seq, |id, _| id == device);
            }
            Act::MemberRemove { member, .. } => {
                self.strike(|_, invite| invite.by == *member);
                self.end_devices(seq, |_, of| of.member == *member);
                self.change_member(member, |of| (of.removed, of.kit) = (true, None));
            }
            Act::RoleChange { member, role, .. } => {
                let was_custodian = self.is_custodian(member);
                let admits_member = |invite: &Invite| matches!(invite.admits, Admits::Member(_));
                self.strike(|_, invite| was_custodian && invite.by == *member && admits_member(invite));
                self.change_member(member, |of| {
                    of.role = *role;
                    of.ever_custodian |= *role == Role::Custodian;
                });
            }
            Act::SpaceCreate { notebook, realm, spaces } => self.add_spaces(notebook, *realm, spaces),
            Act::SpaceGrant { notebook, member, granted, .. } => self.change_notebook(notebook, |of| {
                if *granted {
                    of.denied.remove(member)
                } else {
                    of.denied.insert(*member)
                };
            }),
            Act::Shred { ids, turns } => {
                let everywhere = by.is_some_and(|(_, member)| self.is_custodian(&member));
                if let ShredList::Here(ids) = ids {
                    ids.iter().for_each(|id| self.shred(*id, everywhere, turns));
                }
            }
            Act::Close { notebook } => self.change_notebook(notebook, |of| of.closed = true),
            Act::Recovery { member, key } => self.change_member(member, |of| of.kit = *key),
            Act::ServerKey { key } => self.server_key = Some(*key),
            Act::Incarnation { incarnation, .. } => self.incarnation = Some(*incarnation),
            Act::Policy { notebook, window_hours, text } => {
                let policy = Policy { window_hours: *window_hours, text: *text };
                self.change_notebook(notebook, |of| of.policy = Some(policy));
            }
        }
        self.turn(&body.act, &parted.left_due);
        self.head = entry.point();
    }

    /// Adds the epochs that an act turns; a new space has its first already.
    fn turn(&mut self, act: &Act, left_due: &BTreeSet<SpaceId>) {
        for turn in act.turns().into_iter().filter(|turn| turn.epoch > 1) {
            if let Some(space) = self.spaces.get_mut(&turn.space) {
                space.epochs.push(turn.clone());
                space.due = false;
            }
        }
        for id in left_due {
            if let Some(space) = self.spaces.get_mut(id) {
                space.due = true;
            }
        }
    }

    fn admit(&mut self, member: MemberId, key: &PublicKey, author: &Author, added: u64) {
        let (key, device) = (*key, DeviceId::derive(key));
        let mut used = None;
        if let Author::Paper(paper) = author {
            if let Some(invite) = self.invites.get_mut(paper) {
                invite.state = InviteState::Used(device);
                used = Some((*paper, invite.admits));
            } else {
                self.change_member(&member, |of| of.kit = None);
            }
        }
        if let Some((_, Admits::Member(role))) = used {
            let ever_custodian = role == Role::Custodian;
            self.members.insert(member, Member { role, removed: false, ever_custodian, kit: None });
        }
        let invite = used.map(|(paper, _)| paper);
        self.devices.insert(device, Device { key, member, added, revoked: None, invite });
    }

    fn strike(&mut self, which: impl Fn(&PublicKey, &Invite) -> bool) {
        let open = self.invites.iter_mut().filter(|(_, invite)| invite.state == InviteState::Open);
        open.filter(|(key, invite)| which(key, invite))
            .for_each(|(_, invite)| invite.state = InviteState::Struck);
    }

    fn end_devices(&mut self, seq: u64, which: impl Fn(&DeviceId, &Device) -> bool) {
        let current = self.devices.iter_mut().filter(|(_, device)| device.revoked.is_none());
        current.filter(|(id, device)| which(id, device)).for_each(|(_, device)| device.revoked = Some(seq));
    }

    fn change_member(&mut self, member: &MemberId, change: impl FnOnce(&mut Member)) {
        change(self.members.get_mut(member).expect("the act was judged: its member is in the team"));
    }

    fn change_notebook(&mut self, notebook: &NotebookId, change: impl FnOnce(&mut Notebook)) {
        change(self.notebooks.get_mut(notebook).expect("the act was judged: its notebook is in the team"));
    }

    fn add_spaces(&mut self, notebook: &NotebookId, realm: Realm, spaces: &[NewSpace]) {
        let new = || Notebook { realm, closed: false, denied: BTreeSet::new(), policy: None };
        self.notebooks.entry(*notebook).or_insert_with(new);
        for NewSpace { kind, owner, epoch } in spaces {
            let (kind, owner, epochs) = (*kind, *owner, vec![epoch.clone()]);
            self.places.insert((*notebook, kind, owner), epoch.space);
            let space = Space { kind, notebook: Some(*notebook), owner, epochs, due: false };
            self.spaces.insert(epoch.space, space);
        }
    }

    fn shred(&mut self, id: KeyId, everywhere: bool, turns: &[EpochTurn]) {
        let gone = self.shredded.entry(id).or_insert_with(|| Shredded::In(BTreeSet::new()));
        match gone {
            Shredded::Everywhere => {}
            Shredded::In(_) if everywhere => *gone = Shredded::Everywhere,
            Shredded::In(spaces) => spaces.extend(turns.iter().map(|turn| turn.space)),
        }
    }
}
