//! The outbox: what was written here is sealed late, once, and its exact bytes are kept before they leave.

use thicket_protocol::ids::SpaceId;
use thicket_protocol::record::Batch;

use super::{Home, HomeError};
use crate::time::Moment;

/// Most items of one batch: frames of more overrun the receive buffers of UDP.
pub const BATCH_ITEMS: usize = 64;

impl Home {
    /// Keys that were made here and are in no vault yet, sealed as rows of their spaces' vaults, in the order in which they must go before
    /// the records under them.
    pub(crate) fn packs_to_send(&mut self, space: SpaceId) -> Result<Vec<Vec<u8>>, HomeError> {
        todo!()
    }

    /// Seals the next batch of a space, if anything waits: up to [`BATCH_ITEMS`] items, objects before notes. One core.db transaction takes the sequence number,
    /// keeps the exact bytes and removes what was sealed from where it waited.
    pub(crate) fn seal_next(&mut self, space: SpaceId, now: Moment) -> Result<Option<Batch>, HomeError> {
        todo!()
    }
}
