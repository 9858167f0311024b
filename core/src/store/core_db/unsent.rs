//! What was made here and not sealed for sending yet, and the edit journal: all sealed under the local key.

use rusqlite::{Connection, Params, Row, Transaction, params};
use thicket_protocol::ids::{Hash, SpaceId};
use zeroize::Zeroizing;

use super::{CORE, Sealer, next_arrival, open_value};
use crate::ids::GenerationId;
use crate::secret::LocalKey;
use crate::store::StoreError;
use crate::store::statements::{bound, limit as limit_of, number, read_number};

/// The one prepared body of a generation that was changed and not sealed: [`crate::body::NoteBody::encode_padded`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnsentRow {
    pub(crate) arrival: u64,
    pub(crate) space: SpaceId,
    pub(crate) generation: GenerationId,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// Puts the prepared body of a generation in the place of the one before, under a new arrival number, which is returned.
pub(crate) fn put_unsent(
    tx: &Transaction<'_>,
    sealer: &mut Sealer<'_>,
    space: SpaceId,
    generation: GenerationId,
    body: &[u8],
) -> Result<u64, StoreError> {
    let arrival = next_arrival(tx)?;
    let sealed = sealer.seal("unsent", generation.as_bytes(), body);
    let sql = "INSERT OR REPLACE INTO unsent (arrival, space, generation, body) VALUES (?1, ?2, ?3, ?4)";
    CORE.run(tx, sql, params![number(arrival), space.as_bytes(), generation.as_bytes(), sealed])?;
    Ok(arrival)
}

/// Forgets the prepared body of a generation: it is in a batch now, or shredded.
pub(crate) fn remove_unsent(tx: &Transaction<'_>, generation: GenerationId) -> Result<(), StoreError> {
    CORE.run(tx, "DELETE FROM unsent WHERE generation = ?1", [generation.as_bytes()])?;
    Ok(())
}

/// The prepared body of a generation.
pub(crate) fn unsent(
    db: &Connection,
    key: &LocalKey,
    generation: GenerationId,
) -> Result<Option<UnsentRow>, StoreError> {
    let sql = "SELECT arrival, space, generation, body FROM unsent WHERE generation = ?1";
    Ok(read_unsent(db, key, sql, [generation.as_bytes()])?.pop())
}

/// Up to `limit` prepared bodies with an arrival number above `after`, of one space or of all, ascending.
pub(crate) fn unsent_after(
    db: &Connection,
    key: &LocalKey,
    space: Option<SpaceId>,
    after: u64,
    limit: usize,
) -> Result<Vec<UnsentRow>, StoreError> {
    let (after, limit) = (bound(after), limit_of(limit));
    match space {
        Some(space) => {
            let sql = "SELECT arrival, space, generation, body FROM unsent
                       WHERE space = ?3 AND arrival > ?1 ORDER BY arrival LIMIT ?2";
            read_unsent(db, key, sql, params![after, limit, space.as_bytes()])
        }
        None => {
            let sql = "SELECT arrival, space, generation, body FROM unsent
                       WHERE arrival > ?1 ORDER BY arrival LIMIT ?2";
            read_unsent(db, key, sql, params![after, limit])
        }
    }
}

fn read_unsent(
    db: &Connection,
    key: &LocalKey,
    sql: &str,
    params: impl Params,
) -> Result<Vec<UnsentRow>, StoreError> {
    let read = |row: &Row<'_>| {
        let generation = GenerationId::from_bytes(row.get(2)?);
        Ok((read_number(row, 0)?, SpaceId::from_bytes(row.get(1)?), generation, row.get(3)?))
    };
    let open = |(arrival, space, generation, sealed): (_, _, GenerationId, Vec<u8>)| {
        let body = open_value(key, "unsent", generation.as_bytes(), &sealed)?;
        Ok(UnsentRow { arrival, space, generation, body })
    };
    CORE.rows(db, sql, params, read)?.into_iter().map(open).collect()
}

/// An object that was signed here and not sealed yet, in wire form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectRow {
    pub(crate) arrival: u64,
    pub(crate) space: SpaceId,
    pub(crate) hash: Hash,
    pub(crate) wire: Zeroizing<Vec<u8>>,
}

/// Adds an object and returns its arrival number; one that is there already gets a new number.
pub(crate) fn add_object(
    tx: &Transaction<'_>,
    sealer: &mut Sealer<'_>,
    space: SpaceId,
    hash: Hash,
    wire: &[u8],
) -> Result<u64, StoreError> {
    let arrival = next_arrival(tx)?;
    let sealed = sealer.seal("objects", &object_row(space, hash), wire);
    let sql = "INSERT OR REPLACE INTO objects (arrival, space, hash, wire) VALUES (?1, ?2, ?3, ?4)";
    CORE.run(tx, sql, params![number(arrival), space.as_bytes(), hash.as_bytes(), sealed])?;
    Ok(arrival)
}

/// Up to `limit` objects with an arrival number above `after`, of one space or of all, ascending.
pub(crate) fn objects_after(
    db: &Connection,
    key: &LocalKey,
    space: Option<SpaceId>,
    after: u64,
    limit: usize,
) -> Result<Vec<ObjectRow>, StoreError> {
    let read = |row: &Row<'_>| {
        let hash = Hash::from_bytes(row.get(2)?);
        Ok((read_number(row, 0)?, SpaceId::from_bytes(row.get(1)?), hash, row.get(3)?))
    };
    let (after, limit) = (bound(after), limit_of(limit));
    let rows = match space {
        Some(space) => {
            let sql = "SELECT arrival, space, hash, wire FROM objects
                       WHERE space = ?3 AND arrival > ?1 ORDER BY arrival LIMIT ?2";
            CORE.rows(db, sql, params![after, limit, space.as_bytes()], read)?
        }
        None => {
            let sql =
                "SELECT arrival, space, hash, wire FROM objects WHERE arrival > ?1 ORDER BY arrival LIMIT ?2";
            CORE.rows(db, sql, params![after, limit], read)?
        }
    };
    let open = |(arrival, space, hash, sealed): (_, _, _, Vec<u8>)| {
        let wire = open_value(key, "objects", &object_row(space, hash), &sealed)?;
        Ok(ObjectRow { arrival, space, hash, wire })
    };
    rows.into_iter().map(open).collect()
}

/// Forgets an object: it is in a batch now.
pub(crate) fn remove_object(tx: &Transaction<'_>, space: SpaceId, hash: Hash) -> Result<(), StoreError> {
    let sql = "DELETE FROM objects WHERE space = ?1 AND hash = ?2";
    CORE.run(tx, sql, params![space.as_bytes(), hash.as_bytes()])?;
    Ok(())
}

fn object_row(space: SpaceId, hash: Hash) -> Vec<u8> {
    [space.as_bytes().as_slice(), hash.as_bytes()].concat()
}

/// How much of a space waits to be sealed: (bodies, objects).
pub(crate) fn count_unsent(db: &Connection, space: SpaceId) -> Result<(u64, u64), StoreError> {
    let sql = "SELECT (SELECT count(*) FROM unsent WHERE space = ?1),
                      (SELECT count(*) FROM objects WHERE space = ?1)";
    CORE.one(db, sql, [space.as_bytes()], |row| Ok((read_number(row, 0)?, read_number(row, 1)?)))
}

/// Adds a row behind the others of its generation, and returns its number, which is never given again.
pub(crate) fn add_journal(
    tx: &Transaction<'_>,
    sealer: &mut Sealer<'_>,
    generation: GenerationId,
    row: &[u8],
) -> Result<u64, StoreError> {
    let sql = "UPDATE counters SET journal = journal + 1 RETURNING journal";
    let at = CORE.one(tx, sql, [], |row| read_number(row, 0))?;
    let sealed = sealer.seal("journal", &journal_row(generation, at), row);
    let sql = "INSERT INTO journal (generation, number, row) VALUES (?1, ?2, ?3)";
    CORE.run(tx, sql, params![generation.as_bytes(), number(at), sealed])?;
    Ok(at)
}

/// A row of the journal with its number.
type JournalRow = (u64, Zeroizing<Vec<u8>>);

/// The rows of a generation in order.
pub(crate) fn journal(
    db: &Connection,
    key: &LocalKey,
    generation: GenerationId,
) -> Result<Vec<JournalRow>, StoreError> {
    let sql = "SELECT number, row FROM journal WHERE generation = ?1 ORDER BY number";
    let rows = CORE.rows(db, sql, [generation.as_bytes()], |row| Ok((read_number(row, 0)?, row.get(1)?)))?;
    let open = |(at, sealed): (u64, Vec<u8>)| {
        Ok((at, open_value(key, "journal", &journal_row(generation, at), &sealed)?))
    };
    rows.into_iter().map(open).collect()
}

/// Removes the rows of a generation up to and with that number.
pub(crate) fn clear_journal(
    tx: &Transaction<'_>,
    generation: GenerationId,
    through: u64,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM journal WHERE generation = ?1 AND number <= ?2";
    CORE.run(tx, sql, params![generation.as_bytes(), bound(through)])?;
    Ok(())
}

/// The generations with rows, by id.
pub(crate) fn journaled(db: &Connection) -> Result<Vec<GenerationId>, StoreError> {
    let sql = "SELECT DISTINCT generation FROM journal ORDER BY generation";
    CORE.rows(db, sql, [], |row| row.get(0).map(GenerationId::from_bytes))
}

fn journal_row(generation: GenerationId, number: u64) -> Vec<u8> {
    [generation.as_bytes().as_slice(), &number.to_be_bytes()].concat()
}
