//! Taking in: what came into core.db is opened and becomes the read model.
//!
//! The read model is a function of the set of opened bodies and objects: order, duplicates and clocks decide nothing.

use thicket_protocol::ids::{KeyId, SpaceId};
use thicket_protocol::record::{Batch, ChainPoint};

use super::{Home, HomeError};
use crate::ids::{NoteId, ParticipantId};
use crate::stamp::{Assessment, Standing};
use crate::store::derived_db::GenerationRow;
use crate::time::Moment;

/// What a catch-up changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Notes whose row is new or different.
    pub(crate) notes: Vec<NoteId>,
    /// Participants about whom events came.
    pub(crate) participants: Vec<ParticipantId>,
}

impl Home {
    /// Assesses a generation as the ledger stands: a shared one whose stamp has not come is pending.
    pub(crate) fn assess(&self, row: &GenerationRow, standing: Standing) -> Result<Assessment, HomeError> {
        todo!()
    }

    /// Brings derived.db up to core.db: after every write, after a pull, and at opening.
    pub(crate) fn catch_up(&mut self, now: Moment) -> Result<Taken, HomeError> {
        todo!()
    }

    /// Takes pulled batches of one space in: verified against the log and their device's chain by the caller, they go into core.db
    /// with the cursor in one transaction, and into derived.db. What does not open for want of a key waits.
    pub(crate) fn take_batches(
        &mut self,
        space: SpaceId,
        batches: Vec<(ChainPoint, Batch)>,
        now: Moment,
    ) -> Result<Taken, HomeError> {
        todo!()
    }

    /// Tries again what waits, after keys came.
    pub(crate) fn take_waiting(&mut self, now: Moment) -> Result<Taken, HomeError> {
        todo!()
    }

    /// Works on the search index for a while: up to `limit` notes; returns how many are left.
    pub fn index_some(&mut self, limit: usize) -> Result<u64, HomeError> {
        todo!()
    }
}
