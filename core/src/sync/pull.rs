//! Fetching: batches in the order of the server's chain, each verified before any is kept.

use std::collections::BTreeMap;

use minicbor::bytes::ByteVec;
use thicket_protocol::frame::Request;
use thicket_protocol::ids::{DeviceId, Hash, SpaceId};
use thicket_protocol::limits::TEAM_SPACES_MAX;
use thicket_protocol::record::{Batch, ChainPoint};

use super::session::{Asked, Step};
use super::{SyncError, SyncEvent, SyncSession};
use crate::home::{Home, HomeError};
use crate::store::core_db;
use crate::time::Moment;

/// Most spaces that are asked for before an answer is waited for.
const PULL_WINDOW: usize = 8;
/// How often in one session a batch may rest on more of the log than the server has shown.
const STUCK_MAX: u32 = 8;

/// How far a space is to be read; with a root where the server has signed one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pos: u64,
    root: Option<Hash>,
}

/// What a batch turned out to be.
enum Found {
    /// Another device's, or an own one that was lost here.
    New,
    /// An own one that is here.
    Own(u64),
    /// One that rests on a part of the log which is not here.
    Beyond,
}

/// Batches of one frame that were checked and are not kept yet.
#[derive(Default)]
struct Checked {
    batches: Vec<(ChainPoint, Batch)>,
    roots: BTreeMap<u64, Hash>,
    last: BTreeMap<DeviceId, (u64, Hash)>,
}

impl SyncSession {
    /// Takes what the server has signed of a space.
    pub(super) fn set_target(&mut self, space: SpaceId, at: ChainPoint) {
        let known = self.targets.get(&space).map_or(0, |target| target.pos);
        if known <= at.pos {
            self.targets.insert(space, Target { pos: at.pos, root: Some(at.root) });
        }
    }

    /// Takes a hint of how far a space has come.
    pub(super) fn raise_target(&mut self, space: SpaceId, pos: u64) {
        // Nobody is told of more spaces than a team can have.
        if self.targets.len() >= TEAM_SPACES_MAX && !self.targets.contains_key(&space) {
            return;
        }
        let target = self.targets.entry(space).or_insert(Target { pos: 0, root: None });
        if target.pos < pos {
            *target = Target { pos, root: None };
        }
    }

    /// The spaces of which there is more, in order, and how much.
    pub(super) fn wanted_pulls(&self, home: &Home) -> Result<Vec<(SpaceId, u64)>, SyncError> {
        let mut wanted = Vec::new();
        for space in self.own_spaces(home) {
            let Some(target) = self.targets.get(&space) else { continue };
            let read = home.read_up_to(space)?;
            if target.pos > read.pos && !self.stuck.contains(&space) {
                wanted.push((space, target.pos - read.pos));
            }
        }
        Ok(wanted)
    }

    pub(super) fn step_pull(&mut self, home: &mut Home, now: Moment) -> Result<Step, SyncError> {
        let wanted = self.wanted_pulls(home)?;
        if !wanted.is_empty() {
            self.progress.to_fetch = wanted.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count));
            for (space, _) in wanted.into_iter().take(PULL_WINDOW) {
                let after = home.read_up_to(space)?.pos;
                let with_own = self.lost.contains(&space);
                let request =
                    if with_own { Request::PullOwn { space, after } } else { Request::Pull { space, after } };
                self.ask(&request, Asked::Pull { space, with_own })?;
            }
            return Ok(Step::Asked);
        }
        self.progress.to_fetch = 0;
        if !std::mem::replace(&mut self.is_released, true) {
            self.released.extend(home.release_covered(now)?);
        }
        Ok(Step::Done)
    }

    pub(super) fn take_batches(
        &mut self,
        home: &mut Home,
        space: SpaceId,
        first: u64,
        (batches, with_own): (&[ByteVec], bool),
        more: bool,
        now: Moment,
    ) -> Result<(), SyncError> {
        if batches.is_empty() && more {
            return Err(SyncError::Protocol("an answer without end"));
        }
        if self.stuck.contains(&space) {
            return Ok(());
        }
        let mut at = home.read_up_to(space)?;
        if !batches.is_empty() && first != at.pos.saturating_add(1) {
            return Err(SyncError::Protocol("batches that do not begin where they were wanted"));
        }
        let mut checked = Checked::default();
        for bytes in batches {
            let batch =
                Batch::decode(bytes).map_err(|_| SyncError::Protocol("a batch that cannot be read"))?;
            at = at.next(&batch.hash());
            match self.check_batch(home, space, at, &batch, &checked, now)? {
                Found::Beyond => {
                    self.keep(home, space, std::mem::take(&mut checked), now)?;
                    self.stuck.insert(space);
                    self.hints.gov = true;
                    self.is_short = true;
                    return Ok(());
                }
                Found::Own(seq) => {
                    self.keep(home, space, std::mem::take(&mut checked), now)?;
                    home.place_own(space, seq, at, true)?;
                }
                // What was written here and is not here any more: it is fetched anew with its bodies.
                Found::New if batch.head().device == home.device() && !with_own && lacks_bodies(&batch) => {
                    self.keep(home, space, std::mem::take(&mut checked), now)?;
                    self.lost.insert(space);
                    return Ok(());
                }
                Found::New => {
                    let head = batch.head();
                    checked.last.insert(head.device, (head.seq, batch.hash()));
                    checked.roots.insert(at.pos, at.root);
                    checked.batches.push((at, batch));
                }
            }
        }
        self.keep(home, space, checked, now)?;
        if !more {
            self.check_end(space, at)?;
        }
        Ok(())
    }

    /// An answer is over: what the server has signed must be there; what it only hinted at may have been nothing.
    fn check_end(&mut self, space: SpaceId, at: ChainPoint) -> Result<(), SyncError> {
        let Some(target) = self.targets.get_mut(&space) else { return Ok(()) };
        if at.pos >= target.pos {
            return Ok(());
        }
        if target.root.is_some() {
            return Err(SyncError::Protocol("fewer batches than the signed tips say"));
        }
        target.pos = at.pos;
        self.is_short = true;
        Ok(())
    }

    fn keep(
        &mut self,
        home: &mut Home,
        space: SpaceId,
        checked: Checked,
        now: Moment,
    ) -> Result<(), SyncError> {
        if checked.batches.is_empty() {
            return Ok(());
        }
        let batches = u64::try_from(checked.batches.len()).unwrap_or(u64::MAX);
        let items = checked.batches.iter().map(|(_, batch)| batch.items().len()).sum::<usize>();
        home.take_batches(space, checked.batches, now)?;
        self.is_released = false;
        let progress = &mut self.progress;
        progress.fetched = progress.fetched.saturating_add(u64::try_from(items).unwrap_or(u64::MAX));
        progress.to_fetch = progress.to_fetch.saturating_sub(batches);
        let progress = *progress;
        self.tell(SyncEvent::Progress(progress));
        Ok(())
    }

    fn check_batch(
        &mut self,
        home: &mut Home,
        space: SpaceId,
        at: ChainPoint,
        batch: &Batch,
        checked: &Checked,
        now: Moment,
    ) -> Result<Found, SyncError> {
        let head = batch.head();
        if head.space != space {
            return Err(SyncError::Protocol("a batch of another space"));
        }
        let Some(team) = home.team() else { return Ok(Found::Beyond) };
        let (newest, own) = (team.head().seq, home.device());
        let Some(key) = team.devices().get(&head.device).map(|device| device.key) else {
            return self.beyond(head.gov.seq, newest);
        };
        batch.verify(&key).map_err(|_| SyncError::Protocol("a batch that its device did not sign"))?;
        let is_known_epoch = team.spaces().get(&space).is_some_and(|of| of.epoch(head.epoch).is_some());
        if head.gov.seq > newest || !is_known_epoch {
            return self.beyond(head.gov.seq, newest);
        }
        let stored =
            core_db::batch_hash(home.core_rows(), space, head.device, head.seq).map_err(HomeError::from)?;
        let found = match stored {
            Some(hash) if hash == batch.hash() && head.device == own => Found::Own(head.seq),
            Some(_) if head.device == own => {
                return Err(SyncError::Refused(thicket_protocol::frame::Refusal::Fork));
            }
            Some(_) => return Err(SyncError::Protocol("a batch that came before, or another in its place")),
            None => {
                let last = match checked.last.get(&head.device) {
                    Some(last) => Some(*last),
                    None => {
                        core_db::last_batch(home.core_rows(), space, head.device).map_err(HomeError::from)?
                    }
                };
                let (seq, prev) = last.unwrap_or((0, Hash::ZERO));
                if head.seq != seq.saturating_add(1) || head.prev != prev {
                    return Err(SyncError::Protocol("a device's batches do not follow each other"));
                }
                Found::New
            }
        };
        let signed = || batch.encode(|_| false);
        if self.log_hash(home, head.gov.seq)? != Some(head.gov.hash) {
            return Err(self.distrust(home, "a device was shown another log", &[&signed()], now));
        }
        if self.contradicts(home, space, at, batch, checked)? {
            return Err(self.distrust(home, "the chain is not the one that was signed", &[&signed()], now));
        }
        Ok(found)
    }

    /// A batch that rests on more of the log than is here: the log is fetched, once a round. One that rests on nothing
    /// more is nobody's.
    fn beyond(&mut self, theirs: u64, newest: u64) -> Result<Found, SyncError> {
        self.stuck_times += 1;
        if theirs <= newest || self.stuck_times > STUCK_MAX {
            return Err(SyncError::Protocol("a batch that rests on no log which the server shows"));
        }
        Ok(Found::Beyond)
    }

    /// Whether a batch's place, or what its author had seen, contradicts what is signed or was read before.
    fn contradicts(
        &mut self,
        home: &Home,
        space: SpaceId,
        at: ChainPoint,
        batch: &Batch,
        checked: &Checked,
    ) -> Result<bool, SyncError> {
        let head = batch.head();
        let root_of = |of: SpaceId, pos: u64| -> Result<Option<Hash>, SyncError> {
            if pos == 0 {
                return Ok(Some(Hash::ZERO));
            }
            match checked.roots.get(&pos).filter(|_| of == space) {
                Some(root) => Ok(Some(*root)),
                None => Ok(core_db::root_at(home.core_rows(), of, pos).map_err(HomeError::from)?),
            }
        };
        let differs = |known: Option<Hash>, root: Hash| known.is_some_and(|known| known != root);
        let signed = self.targets.get(&space).filter(|target| target.pos == at.pos).and_then(|of| of.root);
        if differs(signed, at.root) || differs(root_of(space, at.pos)?, at.root) {
            return Ok(true);
        }
        if head.seen.incarnation != self.welcome()?.tips.body().incarnation {
            return Ok(false);
        }
        let seen = head.seen.at;
        if seen.pos >= at.pos {
            return Err(SyncError::Protocol("a batch stands before what its author had seen"));
        }
        if differs(root_of(space, seen.pos)?, seen.root) {
            return Ok(true);
        }
        let ledger = home.team().and_then(|team| team.ledger_of(&space)).unwrap_or(space);
        if ledger == space {
            return Ok(false);
        }
        let is_fork = differs(root_of(ledger, head.ledger.pos)?, head.ledger.root);
        if home.read_up_to(ledger)?.pos < head.ledger.pos {
            // Its author had read more of the ledger than the server has told of.
            self.raise_target(ledger, head.ledger.pos);
        }
        Ok(is_fork)
    }
}

fn lacks_bodies(batch: &Batch) -> bool {
    batch.bodies().iter().any(Option::is_none)
}
