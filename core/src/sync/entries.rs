//! The entries that this device puts: own private spaces, invites, notebooks, and its own admission.

use thicket_protocol::address::InviteCode;
use thicket_protocol::frame::{Refusal, Request};
use thicket_protocol::governance::{Act, Admits, Author, Entry, Realm, SpaceKind};
use thicket_protocol::ids::{MemberId, NotebookId};
use thicket_protocol::sign::Signer;
use thicket_protocol::team::InviteState;

use super::session::{Asked, Stage, Step};
use super::{Errand, InviteTrouble, SyncError, SyncEvent, SyncSession};
use crate::home::{Home, HomeError, Staged};
use crate::name::Name;
use crate::time::Moment;

/// How often an entry is made anew after somebody else's came first.
pub(super) const PUT_TRIES_MAX: u32 = 8;

/// What an entry is to be for.
#[derive(Debug)]
pub(super) enum Proposal {
    /// The own private space of a notebook.
    Private(NotebookId),
    /// An invite.
    Invite { code: Box<InviteCode>, admits: Admits, expires_ms: u64 },
    /// A notebook.
    Notebook { id: NotebookId, name: Name, realm: Realm },
    /// To be admitted.
    Join,
}

/// An entry that is on its way.
#[derive(Debug)]
pub(super) struct Proposed {
    what: Proposal,
    pub(super) entry: Entry,
    staged: Option<Staged>,
}

impl SyncSession {
    /// Uses new keys, and puts what this device has to add to the log, one entry after another.
    pub(super) fn step_enter(&mut self, home: &mut Home, now: Moment) -> Result<Step, SyncError> {
        if std::mem::take(&mut self.keys_came) {
            self.released.extend(home.settle_waiting(now)?);
        }
        home.write_own_names(now)?;
        match self.next_proposal(home)? {
            Some(proposal) => self.propose(home, proposal, now),
            None => Ok(Step::Done),
        }
    }

    fn next_proposal(&mut self, home: &mut Home) -> Result<Option<Proposal>, SyncError> {
        if let Some(again) = self.proposal.take() {
            return Ok(Some(again));
        }
        if let Some(notebook) = home.notebooks_without_private_space().first() {
            return Ok(Some(Proposal::Private(*notebook)));
        }
        Ok(match self.errand.take() {
            None | Some(Errand::Sync | Errand::Join) => None,
            Some(Errand::Invite { admits, expires_ms }) => {
                let (secret, team) = (home.draw(), home.team_id().into());
                let code = Box::new(InviteCode { secret, team, server: self.server.clone() });
                Some(Proposal::Invite { code, admits, expires_ms })
            }
            Some(Errand::CreateNotebook { name, realm }) => {
                home.check_notebook_name(&name)?;
                let id = NotebookId::from_bytes(home.draw());
                Some(Proposal::Notebook { id, name, realm })
            }
        })
    }

    fn propose(&mut self, home: &mut Home, what: Proposal, now: Moment) -> Result<Step, SyncError> {
        let staged = match &what {
            Proposal::Private(notebook) => {
                let member = home.own_member()?;
                let realm = home.team().and_then(|team| team.notebooks().get(notebook)).map(|of| of.realm);
                // It was closed or taken away meanwhile: then there is nothing to add.
                let Some(realm) = realm.filter(|_| home.notebooks_without_private_space().contains(notebook))
                else {
                    return Ok(Step::Turned);
                };
                Some(home.stage_spaces(*notebook, realm, &[(SpaceKind::Private, Some(member))])?)
            }
            Proposal::Notebook { id, realm, .. } => {
                let member = home.own_member()?;
                let kinds = [
                    (SpaceKind::Ledger, None),
                    (SpaceKind::Shared, None),
                    (SpaceKind::Identities, None),
                    (SpaceKind::Private, Some(member)),
                ];
                Some(home.stage_spaces(*id, *realm, &kinds)?)
            }
            Proposal::Invite { .. } | Proposal::Join => None,
        };
        let made = self.make_entry(home, &what, staged.as_ref(), now);
        let (entry, seals) = match made {
            Ok(made) => made,
            Err(error) => {
                staged.map_or(Ok(()), |staged| home.drop_staged(&staged))?;
                return Err(error);
            }
        };
        let bytes = |all: &[Vec<u8>]| all.iter().map(|one| one.clone().into()).collect();
        let packs = staged.as_ref().map(|staged| bytes(&staged.packs)).unwrap_or_default();
        let request = Request::PutEntry { entry: entry.bytes().to_vec(), packs, seals: bytes(&seals) };
        self.ask(&request, Asked::Entry(Box::new(Proposed { what, entry, staged })))?;
        Ok(Step::Asked)
    }

    fn make_entry(
        &self,
        home: &mut Home,
        what: &Proposal,
        staged: Option<&Staged>,
        now: Moment,
    ) -> Result<(Entry, Vec<Vec<u8>>), SyncError> {
        match (what, staged) {
            (Proposal::Invite { code, admits, expires_ms }, _) => {
                let key = Signer::from_seed(&code.seed()).public_key();
                let act = Act::Invite { key, admits: *admits, expires_ms: *expires_ms };
                Ok((home.next_entry(act)?, Vec::new()))
            }
            (Proposal::Join, _) => Ok((self.joining_entry(home, now)?, Vec::new())),
            (Proposal::Private(_) | Proposal::Notebook { .. }, Some(staged)) => {
                let entry = home.next_entry(staged.act.clone())?;
                let seals = home.seal_new_epochs(&entry)?;
                Ok((entry, seals))
            }
            (Proposal::Private(_) | Proposal::Notebook { .. }, None) => {
                unreachable!("spaces are staged before their entry is made")
            }
        }
    }

    /// The entry stands in the log: it is kept here, and what hangs on it is done.
    pub(super) fn take_appended(
        &mut self,
        home: &mut Home,
        proposed: Proposed,
        now: Moment,
    ) -> Result<(), SyncError> {
        let Proposed { what, entry, staged } = proposed;
        let packs = staged.map(|staged| staged.packs).unwrap_or_default();
        home.append_entry(&entry, &packs, true)?;
        (self.log, self.tries) = (None, 0);
        match what {
            Proposal::Private(_) => self.keys_came = true,
            Proposal::Invite { code, .. } => self.tell(SyncEvent::Invited(*code)),
            Proposal::Notebook { id, name, realm } => {
                home.name_notebook(id, name, realm, now)?;
                self.tell(SyncEvent::NotebookCreated(id));
            }
            Proposal::Join => self.note_joined(home)?,
        }
        Ok(())
    }

    /// Somebody else's entry came first, or keys have changed: what was staged is forgotten, and all is made anew.
    pub(super) fn take_lost(
        &mut self,
        home: &mut Home,
        proposed: Proposed,
        refusal: Refusal,
    ) -> Result<(), SyncError> {
        let Proposed { what, staged, .. } = proposed;
        if let Some(staged) = &staged {
            home.drop_staged(staged)?;
        }
        self.tries += 1;
        let is_race = matches!(refusal, Refusal::Behind | Refusal::MissingSeal | Refusal::StalePrekey);
        if !is_race || self.tries > PUT_TRIES_MAX {
            return Err(match (refusal, &what) {
                (Refusal::SpentInvite, Proposal::Join) => SyncError::Invite(InviteTrouble::Spent),
                (refusal, _) => SyncError::Refused(refusal),
            });
        }
        (self.hints.gov, self.hints.keys) = (true, refusal != Refusal::Behind);
        self.keys_asked = 0;
        self.stage = if matches!(what, Proposal::Join) { Stage::Join } else { Stage::Gov };
        self.proposal = Some(what);
        Ok(())
    }

    /// Joins: the log is here and verified before anything is added to it.
    pub(super) fn step_join(&mut self, home: &mut Home, now: Moment) -> Result<Step, SyncError> {
        if std::mem::take(&mut self.hints.gov) {
            return self.pull_log(home);
        }
        if !self.is_log_checked {
            self.check_log(home, now)?;
        }
        if home.team().is_some_and(|team| team.current(&home.device()).is_some()) {
            self.note_joined(home)?;
            return Ok(Step::Turned);
        }
        self.proposal = None;
        self.propose(home, Proposal::Join, now)
    }

    fn note_joined(&mut self, home: &mut Home) -> Result<(), SyncError> {
        home.note_admitted()?;
        self.end();
        self.tell(SyncEvent::Admitted);
        Ok(())
    }

    fn joining_entry(&self, home: &mut Home, now: Moment) -> Result<Entry, SyncError> {
        let (Some(code), Some(team)) = (&self.code, home.team()) else {
            return Err(HomeError::Conflict("this home is not joining a team").into());
        };
        let signer = Signer::from_seed(&code.seed());
        let key = signer.public_key();
        let invite = team.invites().get(&key).ok_or(SyncError::Invite(InviteTrouble::Unknown))?;
        if invite.state != InviteState::Open {
            return Err(SyncError::Invite(InviteTrouble::Spent));
        }
        if i64::try_from(invite.expires_ms).is_ok_and(|expires_ms| expires_ms < home.judged_ms(now)) {
            return Err(SyncError::Invite(InviteTrouble::Expired));
        }
        let (id, head, admits) = (team.id(), team.head(), invite.admits);
        let (device, prekey) = (home.own_signer().public_key(), home.first_statement()?.bytes().to_vec());
        let act = match admits {
            Admits::Member(_) => Act::MemberAdd { member: MemberId::from_bytes(home.draw()), device, prekey },
            Admits::OwnDevice(member) => Act::DeviceAdd { member, device, prekey },
        };
        Ok(Entry::next(id, head, Author::Paper(key), act, &signer).map_err(HomeError::from)?)
    }
}
