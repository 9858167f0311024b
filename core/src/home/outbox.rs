//! The outbox: what was written here is sealed late, once, and its exact bytes are kept before they leave.

use std::collections::BTreeSet;

use thicket_protocol::ids::SpaceId;
use thicket_protocol::record::{Batch, ItemKind};

use super::{Home, HomeError};
use crate::ids::ParticipantId;
use crate::time::Moment;

/// Most items of one batch: frames of more overrun the receive buffers of UDP.
pub const BATCH_ITEMS: usize = 64;

/// A prepared body with what its item says of it, so that sealing opens nothing: [`crate::store::core_db::put_unsent`] keeps it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unsent<'b> {
    /// [`ItemKind::Delta`] or [`ItemKind::Full`], as its content is.
    pub(crate) kind: ItemKind,
    /// Everybody ever named in the generation.
    pub(crate) people: BTreeSet<ParticipantId>,
    /// [`crate::body::NoteBody::encode_padded`].
    pub(crate) padded: &'b [u8],
}

/// Writes `kind (0 delta, 1 full) || count of people || their ids || padded body`.
pub(crate) fn prepare_unsent(is_full: bool, people: &BTreeSet<ParticipantId>, padded: &[u8]) -> Vec<u8> {
    let count = u8::try_from(people.len()).expect("at most 64 are named in one generation");
    let mut out = Vec::with_capacity(2 + people.len() * ParticipantId::LEN + padded.len());
    out.extend([u8::from(is_full), count]);
    people.iter().for_each(|person| out.extend_from_slice(person.as_bytes()));
    out.extend_from_slice(padded);
    out
}

/// Reads what [`prepare_unsent`] wrote.
pub(crate) fn read_unsent(bytes: &[u8]) -> Option<Unsent<'_>> {
    let ([kind, count], rest) = bytes.split_first_chunk()?;
    let (people, padded) = rest.split_at_checked(usize::from(*count) * ParticipantId::LEN)?;
    let kind = match kind {
        0 => ItemKind::Delta,
        1 => ItemKind::Full,
        _ => return None,
    };
    let people = people.chunks(ParticipantId::LEN).filter_map(ParticipantId::from_slice).collect();
    Some(Unsent { kind, people, padded })
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepared_body_keeps_its_kind_and_its_people() {
        let people: BTreeSet<_> = (0..64).map(|of| ParticipantId::from_bytes([of; 16])).collect();
        for (is_full, kind) in [(false, ItemKind::Delta), (true, ItemKind::Full)] {
            let bytes = prepare_unsent(is_full, &people, b"padded");
            assert_eq!(read_unsent(&bytes), Some(Unsent { kind, people: people.clone(), padded: b"padded" }));
            assert_eq!(read_unsent(bytes.get(..2 + 64 * 16 - 1).expect("shorter")), None);
        }
        assert_eq!(read_unsent(&[2, 0]), None);
        assert_eq!(read_unsent(&[]), None);
    }
}
