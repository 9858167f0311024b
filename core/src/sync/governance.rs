//! The welcome, and the log.

use minicbor::bytes::ByteVec;
use thicket_protocol::frame::{Refusal, Request, TeamPrefix};
use thicket_protocol::governance::{Author, Entry};
use thicket_protocol::ids::Hash;
use thicket_protocol::record::GovPoint;
use thicket_protocol::team::TeamError;

use super::session::{Asked, Stage, Step, Welcome};
use super::{SyncError, SyncSession};
use crate::home::{Home, HomeError};
use crate::store::core_db::Setting;
use crate::time::Moment;

/// An own entry that the server lacks, with the vault rows that it stages.
#[derive(Debug)]
pub(super) struct Offer {
    point: GovPoint,
    entry: Vec<u8>,
    packs: Vec<Vec<u8>>,
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

    pub(super) fn pull_log(&mut self, home: &Home) -> Result<Step, SyncError> {
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
    pub(super) fn check_log(&mut self, home: &mut Home, now: Moment) -> Result<(), SyncError> {
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
