//! Batches as received and as sealed here, their bodies, and the cursors into the server's chains.

use rusqlite::{Connection, Params, Row, Transaction, params};
use thicket_protocol::ids::{DeviceId, DocTag, Hash, Signature, SpaceId};
use thicket_protocol::record::{Batch, ChainPoint, Head, Item, ItemRef};

use super::{CORE, next_arrival};
use crate::store::StoreError;
use crate::store::statements::{bound, limit as limit_of, nonsense, number, read_cbor, read_number};

/// What is known of a body of this home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyState {
    /// Kept; it opens, or was not tried yet.
    Kept,
    /// Kept; a key is missing, to be tried again when keys come.
    Waiting,
    /// Kept; it does not open under the keys that it names.
    Unreadable,
    /// The server left it out.
    LeftOut,
    /// Shredded.
    Dead,
}

impl BodyState {
    /// Its number in the table; the index of waiting bodies names 1.
    const fn number(self) -> u8 {
        match self {
            Self::Kept => 0,
            Self::Waiting => 1,
            Self::Unreadable => 2,
            Self::LeftOut => 3,
            Self::Dead => 4,
        }
    }

    fn read(row: &Row<'_>, column: usize) -> rusqlite::Result<Self> {
        let number: u8 = row.get(column)?;
        let all = [Self::Kept, Self::Waiting, Self::Unreadable, Self::LeftOut, Self::Dead];
        let found = all.into_iter().find(|state| state.number() == number);
        found.ok_or_else(|| nonsense(column, std::fmt::Error))
    }
}

/// Adds a batch, as received (with its place in the server's chain) or as sealed here (without), and returns its arrival number.
pub(crate) fn add_batch(
    tx: &Transaction<'_>,
    batch: &Batch,
    at: Option<ChainPoint>,
) -> Result<u64, StoreError> {
    let arrival = next_arrival(tx)?;
    let head = batch.head();
    let (pos, root) = (at.map(|at| number(at.pos)), at.map(|at| *at.root.as_bytes()));
    CORE.run(
        tx,
        "INSERT INTO batches (arrival, space, device, seq, hash, pos, root, signature, head, items)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            number(arrival),
            head.space.as_bytes(),
            head.device.as_bytes(),
            number(head.seq),
            batch.hash().as_bytes(),
            pos,
            root,
            batch.signature().as_bytes(),
            batch.head_bytes(),
            batch.items_bytes(),
        ],
    )?;
    for ((item, body), index) in batch.items().iter().zip(batch.bodies()).zip(0..=u8::MAX) {
        let state = if body.is_some() { BodyState::Kept } else { BodyState::LeftOut };
        CORE.run(
            tx,
            "INSERT INTO bodies (id, space, doc_tag, state, body) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                body_id(arrival, index),
                head.space.as_bytes(),
                item.doc_tag.as_bytes(),
                state.number(),
                body,
            ],
        )?;
    }
    Ok(arrival)
}

/// Sets the place of a batch that was sent; false when there is no such batch.
pub(crate) fn place_batch(
    tx: &Transaction<'_>,
    space: SpaceId,
    device: DeviceId,
    seq: u64,
    at: ChainPoint,
) -> Result<bool, StoreError> {
    let sql = "UPDATE batches SET pos = ?4, root = ?5 WHERE space = ?1 AND device = ?2 AND seq = ?3";
    let (space, device, root) = (space.as_bytes(), device.as_bytes(), at.root.as_bytes());
    Ok(CORE.run(tx, sql, params![space, device, number(seq), number(at.pos), root])? > 0)
}

/// The last batch of a device in a space: sequence number and hash.
pub(crate) fn last_batch(
    db: &Connection,
    space: SpaceId,
    device: DeviceId,
) -> Result<Option<(u64, Hash)>, StoreError> {
    let sql = "SELECT seq, hash FROM batches WHERE space = ?1 AND device = ?2 ORDER BY seq DESC LIMIT 1";
    CORE.row(db, sql, [space.as_bytes(), device.as_bytes()], |row| {
        Ok((read_number(row, 0)?, Hash::from_bytes(row.get(1)?)))
    })
}

/// The hash of one batch, if it is here.
pub(crate) fn batch_hash(
    db: &Connection,
    space: SpaceId,
    device: DeviceId,
    seq: u64,
) -> Result<Option<Hash>, StoreError> {
    let sql = "SELECT hash FROM batches WHERE space = ?1 AND device = ?2 AND seq = ?3";
    CORE.row(db, sql, params![space.as_bytes(), device.as_bytes(), number(seq)], |row| {
        row.get(0).map(Hash::from_bytes)
    })
}

/// The sequence numbers of batches without a place, ascending.
pub(crate) fn unplaced(db: &Connection, space: SpaceId, device: DeviceId) -> Result<Vec<u64>, StoreError> {
    let sql = "SELECT seq FROM batches WHERE space = ?1 AND device = ?2 AND pos IS NULL ORDER BY seq";
    CORE.rows(db, sql, [space.as_bytes(), device.as_bytes()], |row| read_number(row, 0))
}

/// One batch with the bodies that are here.
pub(crate) fn batch(
    db: &Connection,
    space: SpaceId,
    device: DeviceId,
    seq: u64,
) -> Result<Option<Batch>, StoreError> {
    let sql = "SELECT arrival FROM batches WHERE space = ?1 AND device = ?2 AND seq = ?3";
    let params = params![space.as_bytes(), device.as_bytes(), number(seq)];
    let arrival = CORE.row(db, sql, params, |row| read_number(row, 0))?;
    arrival.map(|arrival| read_batch(db, arrival)).transpose()
}

/// Up to `limit` batches with an arrival number above `after`, ascending.
pub(crate) fn batches_after(
    db: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, Batch)>, StoreError> {
    let sql = "SELECT arrival FROM batches WHERE arrival > ?1 ORDER BY arrival LIMIT ?2";
    let arrivals = CORE.rows(db, sql, [bound(after), limit_of(limit)], |row| read_number(row, 0))?;
    arrivals.into_iter().map(|arrival| Ok((arrival, read_batch(db, arrival)?))).collect()
}

/// What is known of the bodies of a batch, by index.
pub(crate) fn states_of(db: &Connection, arrival: u64) -> Result<Vec<BodyState>, StoreError> {
    let sql = "SELECT state FROM bodies WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
    let ids = [body_id(arrival, 0), body_id(arrival, u8::MAX)];
    CORE.rows(db, sql, ids, |row| BodyState::read(row, 0))
}

/// The root of the server's chain at a position, if the batch there is here.
pub(crate) fn root_at(db: &Connection, space: SpaceId, pos: u64) -> Result<Option<Hash>, StoreError> {
    let sql = "SELECT root FROM batches WHERE space = ?1 AND pos = ?2 ORDER BY arrival DESC LIMIT 1";
    CORE.row(db, sql, params![space.as_bytes(), number(pos)], |row| row.get(0).map(Hash::from_bytes))
}

/// The server's chain of a space as far as it is here: each batch that has a place, its hash and the root there, by position.
pub(crate) fn placed(db: &Connection, space: SpaceId) -> Result<Vec<(Hash, ChainPoint)>, StoreError> {
    let sql = "SELECT hash, pos, root FROM batches WHERE space = ?1 AND pos IS NOT NULL ORDER BY pos";
    CORE.rows(db, sql, [space.as_bytes()], |row| {
        let at = ChainPoint { pos: read_number(row, 1)?, root: Hash::from_bytes(row.get(2)?) };
        Ok((Hash::from_bytes(row.get(0)?), at))
    })
}

/// Counts the batches of a space, and those of them that have no place yet.
pub(crate) fn count_batches(db: &Connection, space: SpaceId) -> Result<(u64, u64), StoreError> {
    let sql = "SELECT (SELECT count(*) FROM batches WHERE space = ?1),
                      (SELECT count(*) FROM batches WHERE space = ?1 AND pos IS NULL)";
    CORE.one(db, sql, [space.as_bytes()], |row| Ok((read_number(row, 0)?, read_number(row, 1)?)))
}

/// One item of a batch with all that opening its body needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartRow {
    pub(crate) arrival: u64,
    pub(crate) at: ItemRef,
    pub(crate) head: Head,
    pub(crate) item: Item,
    pub(crate) state: BodyState,
    pub(crate) body: Option<Vec<u8>>,
}

/// The items of a document in a space, by device, sequence number and index.
pub(crate) fn parts_of(db: &Connection, space: SpaceId, tag: DocTag) -> Result<Vec<PartRow>, StoreError> {
    let sql = "SELECT id, state, body FROM bodies WHERE space = ?1 AND doc_tag = ?2 ORDER BY id";
    let mut parts = read_parts(db, sql, [space.as_bytes(), tag.as_bytes()])?;
    parts.sort_by_key(|part| part.at);
    Ok(parts)
}

/// The items whose body waits for a key, in the order of arrival.
pub(crate) fn waiting(db: &Connection) -> Result<Vec<PartRow>, StoreError> {
    read_parts(db, "SELECT id, state, body FROM bodies WHERE state = 1 ORDER BY id", [])
}

/// Notes what is known of a body; a dead one is erased.
pub(crate) fn set_body_state(
    tx: &Transaction<'_>,
    arrival: u64,
    index: u8,
    state: BodyState,
) -> Result<(), StoreError> {
    let sql = match state {
        BodyState::Dead => "UPDATE bodies SET state = ?2, body = NULL WHERE id = ?1",
        BodyState::Kept | BodyState::Waiting | BodyState::Unreadable | BodyState::LeftOut => {
            "UPDATE bodies SET state = ?2 WHERE id = ?1"
        }
    };
    CORE.run(tx, sql, params![body_id(arrival, index), state.number()])?;
    Ok(())
}

/// How far a space was read.
pub(crate) fn cursor(db: &Connection, space: SpaceId) -> Result<ChainPoint, StoreError> {
    let found =
        CORE.row(db, "SELECT pos, root FROM cursors WHERE space = ?1", [space.as_bytes()], |row| {
            Ok(ChainPoint { pos: read_number(row, 0)?, root: Hash::from_bytes(row.get(1)?) })
        })?;
    Ok(found.unwrap_or(ChainPoint::START))
}

/// Sets how far a space was read.
pub(crate) fn set_cursor(tx: &Transaction<'_>, space: SpaceId, at: ChainPoint) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO cursors (space, pos, root) VALUES (?1, ?2, ?3)";
    CORE.run(tx, sql, params![space.as_bytes(), number(at.pos), at.root.as_bytes()])?;
    Ok(())
}

fn body_id(arrival: u64, index: u8) -> i64 {
    number(arrival << 8 | u64::from(index))
}

/// Reads a batch; what its tables hold must be a batch again, whose bodies are those that its items name.
fn read_batch(db: &Connection, arrival: u64) -> Result<Batch, StoreError> {
    let sql = "SELECT body FROM bodies WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
    let ids = [body_id(arrival, 0), body_id(arrival, u8::MAX)];
    let bodies = CORE.rows(db, sql, ids, |row| row.get(0))?;
    let sql = "SELECT head, items, signature FROM batches WHERE arrival = ?1";
    let (head, items, signature) = CORE.one(db, sql, [number(arrival)], |row| {
        Ok((row.get(0)?, row.get(1)?, Signature::from_bytes(row.get(2)?)))
    })?;
    Batch::from_parts(head, items, signature, bodies).map_err(|_| CORE.damaged())
}

/// Reads items with their bodies; rows of one batch stand together, so that its head and items are read once.
fn read_parts(db: &Connection, sql: &str, params: impl Params) -> Result<Vec<PartRow>, StoreError> {
    let rows: Vec<(u64, BodyState, Option<Vec<u8>>)> =
        CORE.rows(db, sql, params, |row| Ok((read_number(row, 0)?, BodyState::read(row, 1)?, row.get(2)?)))?;
    let mut open: Option<(u64, Head, Vec<Item>)> = None;
    let mut parts = Vec::with_capacity(rows.len());
    for (id, state, body) in rows {
        let (arrival, [.., index]) = (id >> 8, id.to_be_bytes());
        let (_, head, items) = match open.take() {
            Some(found) if found.0 == arrival => open.insert(found),
            Some(_) | None => open.insert(read_items(db, arrival)?),
        };
        let item = items.get(usize::from(index)).ok_or_else(|| CORE.damaged())?.clone();
        let at = ItemRef { device: head.device, seq: head.seq, index };
        parts.push(PartRow { arrival, at, head: head.clone(), item, state, body });
    }
    Ok(parts)
}

fn read_items(db: &Connection, arrival: u64) -> Result<(u64, Head, Vec<Item>), StoreError> {
    let sql = "SELECT head, items FROM batches WHERE arrival = ?1";
    CORE.one(db, sql, [number(arrival)], |row| Ok((arrival, read_cbor(row, 0)?, read_cbor(row, 1)?)))
}
