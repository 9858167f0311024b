//! The opened bodies of each generation, without their text.

use rusqlite::types::FromSqlError;
use rusqlite::{Connection, Row, Transaction, params};
use thicket_protocol::cbor;
use thicket_protocol::ids::{DeviceId, Hash};
use thicket_protocol::record::ItemRef;

use super::DERIVED;
use crate::ids::GenerationId;
use crate::store::StoreError;
use crate::store::statements::{nonsense, read_cbor};
use crate::view::Heads;

/// Where a part of a generation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A record.
    Item(ItemRef),
    /// The prepared body that is not sealed yet.
    Unsent,
}

impl Source {
    /// Bytes that sort as sources do: `0 || device || seq, big-endian || index`, or `1`.
    fn key(self) -> Vec<u8> {
        match self {
            Self::Item(ItemRef { device, seq, index }) => {
                [&[0], device.as_bytes().as_slice(), &seq.to_be_bytes(), &[index]].concat()
            }
            Self::Unsent => vec![1],
        }
    }

    fn read(row: &Row<'_>, column: usize) -> rusqlite::Result<Self> {
        let key = row.get_ref(column)?.as_blob().map_err(|error| nonsense(column, error))?;
        match key {
            [1] => Ok(Self::Unsent),
            [0, rest @ .., index] => {
                let (device, seq) = rest
                    .split_first_chunk()
                    .and_then(|(device, seq)| Some((*device, u64::from_be_bytes(seq.try_into().ok()?))))
                    .ok_or_else(|| nonsense(column, FromSqlError::InvalidType))?;
                Ok(Self::Item(ItemRef { device: DeviceId::from_bytes(device), seq, index: *index }))
            }
            _ => Err(nonsense(column, FromSqlError::InvalidType)),
        }
    }
}

/// One opened body of a generation, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) source: Source,
    pub(crate) base: Heads,
    pub(crate) result: Heads,
    /// The hash of its view, [`crate::view::EncodedView::content_hash`].
    pub(crate) content_hash: Hash,
}

/// Puts a part; one of the same source is replaced.
pub(crate) fn put_part(
    tx: &Transaction<'_>,
    generation: GenerationId,
    part: &Part,
) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO parts (generation, source, base, result, content_hash)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let (base, result) = (cbor::encode(&part.base), cbor::encode(&part.result));
    let (generation, source, content_hash) =
        (generation.as_bytes(), part.source.key(), part.content_hash.as_bytes());
    DERIVED.run(tx, sql, params![generation, source, base, result, content_hash])?;
    Ok(())
}

/// Takes a part out.
pub(crate) fn remove_part(
    tx: &Transaction<'_>,
    generation: GenerationId,
    source: Source,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM parts WHERE generation = ?1 AND source = ?2";
    DERIVED.run(tx, sql, params![generation.as_bytes(), source.key()])?;
    Ok(())
}

/// The parts of a generation, by source.
pub(crate) fn parts(db: &Connection, generation: GenerationId) -> Result<Vec<Part>, StoreError> {
    let sql = "SELECT source, base, result, content_hash FROM parts WHERE generation = ?1 ORDER BY source";
    DERIVED.rows(db, sql, [generation.as_bytes()], |row| {
        Ok(Part {
            source: Source::read(row, 0)?,
            base: read_cbor(row, 1)?,
            result: read_cbor(row, 2)?,
            content_hash: Hash::from_bytes(row.get(3)?),
        })
    })
}
