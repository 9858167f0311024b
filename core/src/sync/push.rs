//! Sending: what was sealed before and never placed first, then what waits, sealed as it is sent.

use std::collections::VecDeque;

use thicket_protocol::frame::Request;
use thicket_protocol::ids::{Hash, SpaceId};
use thicket_protocol::record::{Batch, Receipt};

use super::session::{Asked, Step};
use super::{SyncError, SyncEvent, SyncSession};
use crate::home::{Home, HomeError};
use crate::store::core_db;
use crate::time::Moment;

/// Most batches that are on their way before a receipt is waited for.
pub(super) const PUSH_WINDOW: usize = 8;

/// What is still to be sent in this round.
#[derive(Debug)]
pub(super) struct Pushing {
    spaces: VecDeque<SpaceId>,
    /// Own batches of the first space that were sealed before and have no place.
    again: Option<VecDeque<u64>>,
    /// Batches of the first space that were sealed in this round and are not sent.
    sealed: VecDeque<Batch>,
}

/// A batch that is on its way.
#[derive(Debug)]
pub(super) struct Pushed {
    space: SpaceId,
    seq: u64,
    hash: Hash,
    items: u64,
}

impl SyncSession {
    /// Whether this device may write into a space now: it holds the newest key, nobody waits for it to turn, and the
    /// notebook is open.
    pub(super) fn may_send(&self, home: &Home, space: &SpaceId) -> bool {
        let Some(team) = home.team() else { return false };
        let Some(of) = team.spaces().get(space) else { return false };
        let notebook = of.notebook.as_ref().and_then(|notebook| team.notebooks().get(notebook));
        !of.due && notebook.is_none_or(|notebook| !notebook.closed) && home.epoch_key_is_held(space)
    }

    pub(super) fn step_push(&mut self, home: &mut Home) -> Result<Step, SyncError> {
        if self.fill_push(home)? { Ok(Step::Asked) } else { Ok(Step::Done) }
    }

    /// Sends one more batch, if the window has room and there is one.
    pub(super) fn fill_push(&mut self, home: &mut Home) -> Result<bool, SyncError> {
        if self.asked.len() >= PUSH_WINDOW {
            return Ok(false);
        }
        let mut pushing = match self.pushing.take() {
            Some(pushing) => pushing,
            None => {
                home.pack_stamps()?;
                Pushing { spaces: self.sendable(home)?, again: None, sealed: VecDeque::new() }
            }
        };
        let batch = next_batch(home, &mut pushing);
        self.pushing = Some(pushing);
        let Some(batch) = batch? else { return Ok(false) };
        let head = batch.head();
        let items = u64::try_from(batch.items().len()).unwrap_or(u64::MAX);
        let pushed = Pushed { space: head.space, seq: head.seq, hash: batch.hash(), items };
        self.ask(&Request::Push(batch.encode(|_| true)), Asked::Push(pushed))?;
        Ok(true)
    }

    /// The spaces into which this device may send, in order; not one whose own keys did not get into its vault, and nothing
    /// of a notebook whose ledger waits so.
    fn sendable(&self, home: &Home) -> Result<VecDeque<SpaceId>, SyncError> {
        let mut spaces = VecDeque::new();
        for space in self.own_spaces(home) {
            let ledger = home.team().and_then(|team| team.ledger_of(&space)).unwrap_or(space);
            let waits = home.own_keys_of(space)? > 0 || home.own_keys_of(ledger)? > 0;
            if !waits && self.may_send(home, &space) && home.holds_epoch(&space) {
                spaces.push_back(space);
            }
        }
        Ok(spaces)
    }

    /// The server has taken a batch: its word is verified, and says where the batch stands.
    pub(super) fn take_receipt(
        &mut self,
        home: &mut Home,
        pushed: &Pushed,
        bytes: &[u8],
        now: Moment,
    ) -> Result<(), SyncError> {
        let receipt =
            Receipt::decode(bytes).map_err(|_| SyncError::Protocol("a receipt that cannot be read"))?;
        let body = receipt.body();
        if receipt.verify(&self.server.key).is_err() {
            return Err(SyncError::Protocol("a receipt that this server did not sign"));
        }
        let is_for_it = (body.space, body.device, body.seq, body.batch)
            == (pushed.space, home.device(), pushed.seq, pushed.hash);
        if !is_for_it || body.incarnation != self.welcome()?.tips.body().incarnation {
            return Err(SyncError::Protocol("a receipt for something else"));
        }
        let (read, at) = (home.read_up_to(pushed.space)?, body.at);
        let is_next = at.pos == read.pos.saturating_add(1);
        let known = core_db::root_at(home.core_rows(), pushed.space, at.pos).map_err(HomeError::from)?;
        let is_wrong = (is_next && at != read.next(&pushed.hash))
            || at.pos <= read.pos
            || known.is_some_and(|root| root != at.root);
        if is_wrong {
            return Err(self.distrust(home, "a receipt contradicts the chain", &[bytes], now));
        }
        home.place_own(pushed.space, pushed.seq, at, is_next)?;
        // What others have sent before it is fetched in the next round, up to the root that is signed here.
        self.set_target(pushed.space, at);
        self.progress.sent = self.progress.sent.saturating_add(pushed.items);
        let progress = self.progress;
        self.tell(SyncEvent::Progress(progress));
        Ok(())
    }
}

/// The next batch to send, exactly as it was sealed.
fn next_batch(home: &mut Home, pushing: &mut Pushing) -> Result<Option<Batch>, SyncError> {
    while let Some(space) = pushing.spaces.front().copied() {
        let again = match &mut pushing.again {
            Some(again) => again,
            None => {
                let unplaced = core_db::unplaced(home.core_rows(), space, home.device());
                pushing.again.insert(unplaced.map_err(HomeError::from)?.into())
            }
        };
        if let Some(seq) = again.pop_front() {
            let batch =
                core_db::batch(home.core_rows(), space, home.device(), seq).map_err(HomeError::from)?;
            if batch.is_some() {
                return Ok(batch);
            }
            continue;
        }
        if pushing.sealed.is_empty() {
            pushing.sealed = home.seal_some(space, PUSH_WINDOW)?;
        }
        if let Some(batch) = pushing.sealed.pop_front() {
            return Ok(Some(batch));
        }
        pushing.spaces.pop_front();
        pushing.again = None;
    }
    Ok(None)
}
