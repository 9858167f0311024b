//! The welcome, the log, and the entries that this device puts.

use minicbor::bytes::ByteVec;
use thicket_protocol::address::InviteCode;
use thicket_protocol::frame::{Refusal, Request, TeamPrefix};
use thicket_protocol::governance::{Act, Admits, Author, Entry, Realm, SpaceKind};
use thicket_protocol::ids::{Hash, MemberId, NotebookId};
use thicket_protocol::record::GovPoint;
use thicket_protocol::sign::Signer;
use thicket_protocol::team::{InviteState, TeamError};

use super::session::{Asked, Stage, Step, Welcome};
use super::{Errand, InviteTrouble, SyncError, SyncEvent, SyncSession};
use crate::home::{Home, HomeError, Staged};
use crate::name::Name;
use crate::store::core_db::Setting;
use crate::time::Moment;

/// How often an entry is made anew after somebody else's came first.
const PUT_TRIES_MAX: u32 = 8;

/// An own entry that the server lacks, with the vault rows that it stages.
#[derive(Debug)]
pub(super) struct Offer {
    point: GovPoint,
    entry: Vec<u8>,
    packs: Vec<Vec<u8>>,
}

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
    pub(super) fn take_welcome(
        &mut self,
        home: &mut Home,
        tips: &[u8],
        statements: u64,
        seals: u64,
        now: Moment,
    ) -> Result<(), SyncError> {
        let tips = self.read_tips(home, tips)?;
        let body = tips.body().clone();
        self.welcome = Some(Welcome { tips, statements, seals });
        home.hear_server_time(body.now_ms)?;
        if self.code.is_some() {
            let head = home.team().map(|team| team.head().seq);
            self.hints.gov = body.gov.map(|at| at.seq) > head;
            self.stage = Stage::Join;
            return Ok(());
        }
        match home.kept(Setting::Incarnation)? {
            Some(known) if known.as_slice() != body.incarnation.as_bytes() => {
                return Err(SyncError::Restored);
            }
            Some(_) => {}
            None => home.keep(&[(Setting::Incarnation, Some(body.incarnation.as_bytes()))])?,
        }
        self.check_tips(home, now)?;
        self.compare_log(home, body.gov, now)?;
        body.spaces.iter().for_each(|tip| self.set_target(tip.space, tip.at));
        self.published_before = home.published_counter()?;
        self.stage = Stage::Gov;
        Ok(())
    }

    /// Finds out who has more of the log, and whether both have the same.
    fn compare_log(
        &mut self,
        home: &mut Home,
        theirs: Option<GovPoint>,
        now: Moment,
    ) -> Result<(), SyncError> {
        let head =
            home.team().map(|team| team.head()).ok_or(SyncError::Protocol("a log before there is one"))?;
        // Once both agreed, every own entry goes to the server before it is kept here.
        let is_founded = home.kept(Setting::Tips)?.is_some();
        if theirs == Some(head) && is_founded {
            return Ok(());
        }
        let mut rows = home.log()?;
        let placed = rows.iter().take_while(|row| row.on_server).count();
        let hash_at = |home: &Home, seq: u64| -> Result<Option<Hash>, HomeError> {
            let all = home.log_hashes()?;
            Ok(usize::try_from(seq).ok().and_then(|at| all.get(at).copied()))
        };
        let Some(theirs) = theirs else {
            if placed > 0 {
                return Err(self.distrust(
                    home,
                    "the server denies a log that it has acknowledged",
                    &[],
                    now,
                ));
            }
            return self.offer(rows.split_off(0));
        };
        if theirs.seq > head.seq {
            self.hints.gov = true;
            return Ok(());
        }
        let have = usize::try_from(theirs.seq).unwrap_or(usize::MAX).saturating_add(1);
        let is_same = hash_at(home, theirs.seq)? == Some(theirs.hash);
        if have < placed || (!is_same && have <= placed) {
            let own = rows.get(have - 1).map(|row| row.bytes.clone()).unwrap_or_default();
            return Err(self.distrust(
                home,
                "the server's log is not the one that it has acknowledged",
                &[&own],
                now,
            ));
        }
        if !is_same {
            return Err(HomeError::Conflict("the server has another log of this team").into());
        }
        home.log_is_on_server(0..=theirs.seq)?;
        self.offer(rows.split_off(have.min(rows.len())))
    }

    fn offer(&mut self, rows: Vec<crate::store::core_db::EntryRow>) -> Result<(), SyncError> {
        for row in rows {
            let entry =
                Entry::decode(&row.bytes).map_err(|_| HomeError::Damaged(crate::home::DamagedFile::Core))?;
            self.offers.push_back(Offer { point: entry.point(), entry: row.bytes, packs: row.packs });
        }
        Ok(())
    }

    pub(super) fn step_gov(&mut self, home: &mut Home, now: Moment) -> Result<Step, SyncError> {
        if let Some(Offer { point, entry, packs }) = self.offers.pop_front() {
            let packs = packs.into_iter().map(ByteVec::from).collect();
            self.ask(&Request::PutEntry { entry, packs, seals: Vec::new() }, Asked::Offered(point))?;
            return Ok(Step::Asked);
        }
        if std::mem::take(&mut self.hints.gov) {
            return self.pull_log(home);
        }
        if !self.is_log_checked {
            self.check_log(home, now)?;
        }
        if !home.note_admitted()? {
            return Err(SyncError::Refused(Refusal::NotAdmitted));
        }
        Ok(Step::Done)
    }

    fn pull_log(&mut self, home: &Home) -> Result<Step, SyncError> {
        let from = home.team().map_or(0, |team| team.head().seq.saturating_add(1));
        self.ask(&Request::PullGov { from }, Asked::Gov)?;
        Ok(Step::Asked)
    }

    /// Takes entries in: each follows the own head and is verified from genesis on, by everything that the log says.
    pub(super) fn take_entries(
        &mut self,
        home: &mut Home,
        entries: &[ByteVec],
        more: bool,
        now: Moment,
    ) -> Result<(), SyncError> {
        if entries.is_empty() && more {
            return Err(SyncError::Protocol("an answer without end"));
        }
        for bytes in entries {
            let entry =
                Entry::decode(bytes).map_err(|_| SyncError::Protocol("an entry that cannot be read"))?;
            self.check_entry(home, &entry, now)?;
            home.append_entry(&entry, &[], true)?;
        }
        self.log = None;
        Ok(())
    }

    /// Checks an entry before it is kept, so that what is wrong with it is the server's fault and not the home's.
    fn check_entry(&self, home: &mut Home, entry: &Entry, now: Moment) -> Result<(), SyncError> {
        let Some(team) = home.team() else {
            let team = thicket_protocol::team::Team::found(entry)
                .map_err(|_| SyncError::Protocol("a log that begins with no genesis"))?;
            let is_ours = self.code.as_ref().is_some_and(|code| code.team == TeamPrefix::from(team.id()));
            return if is_ours { Ok(()) } else { Err(SyncError::Protocol("the log of another team")) };
        };
        let (head, body) = (team.head(), entry.body());
        let author = match &body.author {
            Author::Device(device) => team.devices().get(device).map(|device| device.key),
            Author::Paper(key) => Some(*key),
        };
        let is_signed = author.is_some_and(|key| entry.verify(&key).is_ok());
        if body.seq == head.seq.saturating_add(1) && body.prev != head.hash && is_signed {
            return Err(self.distrust(
                home,
                "the log goes on from another than the own one",
                &[entry.bytes()],
                now,
            ));
        }
        match team.clone().apply(entry) {
            Ok(()) => Ok(()),
            Err(TeamError::NotNext) => Err(SyncError::Protocol("an entry that does not come next")),
            Err(_) => Err(SyncError::Protocol("an entry that breaks the rules of the log")),
        }
    }

    /// Holds the verified log against the head that the server has signed.
    fn check_log(&mut self, home: &mut Home, now: Moment) -> Result<(), SyncError> {
        self.is_log_checked = true;
        let theirs = self.welcome()?.tips.body().gov;
        let Some(team) = home.team() else { return Err(SyncError::Protocol("a log without entries")) };
        let (head, named) = (team.head(), team.server_key().copied());
        if let Some(theirs) = theirs.filter(|theirs| *theirs != head) {
            if theirs.seq > head.seq {
                return Err(SyncError::Protocol("fewer entries than the signed tips say"));
            }
            if self.log_hash(home, theirs.seq)? != Some(theirs.hash) {
                return Err(self.distrust(home, "the signed head is not in the verified log", &[], now));
            }
        }
        if named.is_some_and(|key| key != self.server.key) {
            return Err(HomeError::Conflict("the team's log names another server key").into());
        }
        if home.kept(Setting::Tips)?.is_none() {
            home.log_is_on_server(0..=head.seq)?;
        }
        Ok(())
    }

    /// The hash of an entry of the own log.
    pub(super) fn log_hash(&mut self, home: &Home, seq: u64) -> Result<Option<Hash>, SyncError> {
        let log = match self.log.take() {
            Some(log) => log,
            None => home.log_hashes()?,
        };
        let hash = usize::try_from(seq).ok().and_then(|at| log.get(at).copied());
        self.log = Some(log);
        Ok(hash)
    }

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

    /// Keeps where the server stood, and when all was up to date, as far as that is new.
    pub(super) fn keep_settled(
        &mut self,
        home: &mut Home,
        is_up_to_date: bool,
        now: Moment,
    ) -> Result<(), SyncError> {
        let bytes = self.welcome()?.tips.bytes().to_vec();
        let at = now.unix_ms().to_be_bytes();
        let mut settings = Vec::new();
        // Tips of a log that the server has only now are kept at the next connection.
        if self.welcome()?.tips.body().gov.is_some() {
            settings.push((Setting::Tips, Some(bytes.as_slice())));
        }
        if is_up_to_date {
            settings.push((Setting::LastSync, Some(at.as_slice())));
        }
        Ok(home.keep(&settings)?)
    }
}
