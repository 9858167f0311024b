//! What derived.db holds: the read model and the search index, all of it a function of core.db and the keys.

mod generations;
mod lists;
mod parts;
mod schema;
#[cfg(test)]
mod tests;
mod words;

use std::path::Path;

use rusqlite::{Connection, Transaction, params};
use thicket_protocol::ids::{DeviceId, Hash, SpaceId};

pub(crate) use self::generations::{
    GenerationRow, drafts, generation, generations_about, generations_at, generations_of, generations_where,
    late, notes_with_prefix, put_generation, set_shown, set_status,
};
pub(crate) use self::lists::{After, ListRow, Wanted, list, shown};
pub(crate) use self::parts::{Part, Source, parts, put_part, remove_part};
pub(crate) use self::words::{index_some, search, search_late};
use super::statements::{Tables, number, read_number};
use super::{DERIVED_FILE, Database, StoreError, file};
use crate::secret::DatabaseKey;

const DERIVED: Tables = Tables(DERIVED_FILE);

/// Makes derived.db, empty.
pub(crate) fn create(folder: &Path, key: &DatabaseKey) -> Result<Database, StoreError> {
    Database::create(folder, DERIVED_FILE, key, schema::MIGRATIONS)
}

/// Opens the file; one that is missing, damaged or of another version is made anew, empty: its mark is then 0.
pub(crate) fn open_or_renew(folder: &Path, key: &DatabaseKey) -> Result<Database, StoreError> {
    match Database::open(folder, DERIVED_FILE, key, schema::MIGRATIONS) {
        Err(StoreError::Missing { .. } | StoreError::Damaged { .. } | StoreError::TooNew { .. }) => {
            renew(folder, key)
        }
        opened => opened,
    }
}

/// Removes the file, with whatever lies beside it, and makes it anew, empty: for damage that shows only when a page
/// is read, and for another key. Whoever has the old one open drops it before.
pub(crate) fn renew(folder: &Path, key: &DatabaseKey) -> Result<Database, StoreError> {
    file::remove(folder, DERIVED_FILE)?;
    create(folder, key)
}

/// The arrival number up to which core.db is taken in.
pub(crate) fn mark(db: &Connection) -> Result<u64, StoreError> {
    DERIVED.one(db, "SELECT arrival FROM mark", [], |row| read_number(row, 0))
}

/// Sets the mark, in the transaction that took in what arrived.
pub(crate) fn set_mark(tx: &Transaction<'_>, mark: u64) -> Result<(), StoreError> {
    DERIVED.run(tx, "UPDATE mark SET arrival = ?1", [number(mark)])?;
    Ok(())
}

/// Takes an object in, in wire form; false when it was there.
pub(crate) fn put_object(
    tx: &Transaction<'_>,
    space: SpaceId,
    hash: Hash,
    wire: &[u8],
) -> Result<bool, StoreError> {
    let sql = "INSERT OR IGNORE INTO objects (space, hash, wire) VALUES (?1, ?2, ?3)";
    Ok(DERIVED.run(tx, sql, params![space.as_bytes(), hash.as_bytes(), wire])? > 0)
}

/// Takes an object out.
pub(crate) fn remove_object(tx: &Transaction<'_>, space: SpaceId, hash: Hash) -> Result<(), StoreError> {
    let sql = "DELETE FROM objects WHERE space = ?1 AND hash = ?2";
    DERIVED.run(tx, sql, params![space.as_bytes(), hash.as_bytes()])?;
    Ok(())
}

/// The objects of a space, by hash.
pub(crate) fn objects(db: &Connection, space: SpaceId) -> Result<Vec<Vec<u8>>, StoreError> {
    DERIVED.rows(db, "SELECT wire FROM objects WHERE space = ?1 ORDER BY hash", [space.as_bytes()], |row| {
        row.get(0)
    })
}

/// When each device was last heard from: the newest recording or batch known of it, ms since 1970.
pub(crate) fn heard(db: &Connection) -> Result<Vec<(DeviceId, i64)>, StoreError> {
    DERIVED.rows(db, "SELECT device, at_ms FROM heard ORDER BY device", [], |row| {
        Ok((DeviceId::from_bytes(row.get(0)?), row.get(1)?))
    })
}

/// Notes a time at which a device was heard from; an earlier one than the one known changes nothing.
pub(crate) fn hear(tx: &Transaction<'_>, device: DeviceId, at_ms: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO heard (device, at_ms) VALUES (?1, ?2)
               ON CONFLICT (device) DO UPDATE SET at_ms = max(at_ms, excluded.at_ms)";
    DERIVED.run(tx, sql, params![device.as_bytes(), at_ms])?;
    Ok(())
}
