//! The governance log, the newest prekey statements, the vaults, and the keys that are in no vault yet.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};
use thicket_protocol::ids::{DeviceId, KeyId, SpaceId};

use super::{CORE, Sealer, open_value};
use crate::secret::{LocalKey, VaultKey};
use crate::store::StoreError;
use crate::store::statements::{number, read_number};

/// An entry and whether the server has acknowledged or sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryRow {
    /// The entry as written or received.
    pub(crate) bytes: Vec<u8>,
    /// Whether the server has it.
    pub(crate) on_server: bool,
    /// The staged packs of an entry that is not on the server yet.
    pub(crate) packs: Vec<Vec<u8>>,
}

/// The log, in order.
pub(crate) fn entries(db: &Connection) -> Result<Vec<EntryRow>, StoreError> {
    let mut packs: BTreeMap<u64, Vec<Vec<u8>>> = BTreeMap::new();
    let sql = "SELECT seq, bytes FROM entry_packs ORDER BY seq, number";
    for (seq, bytes) in CORE.rows(db, sql, [], |row| Ok((read_number(row, 0)?, row.get(1)?)))? {
        packs.entry(seq).or_default().push(bytes);
    }
    CORE.rows(db, "SELECT seq, bytes, on_server FROM entries ORDER BY seq", [], |row| {
        let packs = packs.remove(&read_number(row, 0)?).unwrap_or_default();
        Ok(EntryRow { bytes: row.get(1)?, on_server: row.get(2)?, packs })
    })
}

/// Adds the next entry; `packs` are kept until it is on the server.
pub(crate) fn add_entry(
    tx: &Transaction<'_>,
    seq: u64,
    bytes: &[u8],
    on_server: bool,
    packs: &[Vec<u8>],
) -> Result<(), StoreError> {
    let sql = "INSERT INTO entries (seq, bytes, on_server) VALUES (?1, ?2, ?3)";
    CORE.run(tx, sql, params![number(seq), bytes, on_server])?;
    if on_server {
        return Ok(());
    }
    for (at, pack) in (0_i64..).zip(packs) {
        let sql = "INSERT INTO entry_packs (seq, number, bytes) VALUES (?1, ?2, ?3)";
        CORE.run(tx, sql, params![number(seq), at, pack])?;
    }
    Ok(())
}

/// Notes that the server has an entry; its staged packs are forgotten.
pub(crate) fn entry_is_on_server(tx: &Transaction<'_>, seq: u64) -> Result<(), StoreError> {
    CORE.run(tx, "UPDATE entries SET on_server = 1 WHERE seq = ?1", [number(seq)])?;
    CORE.run(tx, "DELETE FROM entry_packs WHERE seq = ?1", [number(seq)])?;
    Ok(())
}

/// Keeps the newest prekey statement of a device; a lower counter than the one kept changes nothing and returns false.
pub(crate) fn put_statement(
    tx: &Transaction<'_>,
    device: DeviceId,
    counter: u32,
    bytes: &[u8],
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO statements (device, counter, bytes) VALUES (?1, ?2, ?3)
               ON CONFLICT (device) DO UPDATE SET counter = excluded.counter, bytes = excluded.bytes
               WHERE excluded.counter >= statements.counter";
    Ok(CORE.run(tx, sql, params![device.as_bytes(), counter, bytes])? > 0)
}

/// The newest statements, by device.
pub(crate) fn statements(db: &Connection) -> Result<Vec<Vec<u8>>, StoreError> {
    CORE.rows(db, "SELECT bytes FROM statements ORDER BY device", [], |row| row.get(0))
}

/// Adds a vault row as received or as made; `keys` is how many keys it holds.
pub(crate) fn add_pack(
    tx: &Transaction<'_>,
    space: SpaceId,
    epoch: u32,
    keys: u64,
    bytes: &[u8],
) -> Result<(), StoreError> {
    let sql = "INSERT INTO packs (space, epoch, keys, bytes) VALUES (?1, ?2, ?3, ?4)";
    CORE.run(tx, sql, params![space.as_bytes(), epoch, number(keys), bytes])?;
    Ok(())
}

/// Forgets every row of a vault, before the rows of a new epoch are added.
pub(crate) fn clear_vault(tx: &Transaction<'_>, space: SpaceId) -> Result<(), StoreError> {
    CORE.run(tx, "DELETE FROM packs WHERE space = ?1", [space.as_bytes()])?;
    Ok(())
}

/// All rows, ascending by space, then in order.
pub(crate) fn packs(db: &Connection) -> Result<Vec<(SpaceId, Vec<u8>)>, StoreError> {
    CORE.rows(db, "SELECT space, bytes FROM packs ORDER BY space, number", [], |row| {
        Ok((SpaceId::from_bytes(row.get(0)?), row.get(1)?))
    })
}

/// How far each vault is here: its space, the epoch of its rows, and the number of keys in them.
pub(crate) fn vaults(db: &Connection) -> Result<Vec<(SpaceId, u32, u64)>, StoreError> {
    let sql = "SELECT space, max(epoch), sum(keys) FROM packs GROUP BY space";
    CORE.rows(db, sql, [], |row| Ok((SpaceId::from_bytes(row.get(0)?), row.get(1)?, read_number(row, 2)?)))
}

/// Keeps a key that was made here and is in no vault yet.
pub(crate) fn add_own_key(
    tx: &Transaction<'_>,
    sealer: &mut Sealer<'_>,
    space: SpaceId,
    secret: &VaultKey,
) -> Result<(), StoreError> {
    let id = secret.id();
    let sealed = sealer.seal("own_keys", &own_key_row(space, id), secret.expose());
    let sql = "INSERT OR REPLACE INTO own_keys (space, id, secret) VALUES (?1, ?2, ?3)";
    CORE.run(tx, sql, params![space.as_bytes(), id.as_bytes(), sealed])?;
    Ok(())
}

/// The keys that are in no vault yet, by space and id.
pub(crate) fn own_keys(db: &Connection, key: &LocalKey) -> Result<Vec<(SpaceId, VaultKey)>, StoreError> {
    let sql = "SELECT space, id, secret FROM own_keys ORDER BY space, id";
    let rows: Vec<(_, _, Vec<u8>)> = CORE.rows(db, sql, [], |row| {
        Ok((SpaceId::from_bytes(row.get(0)?), KeyId::from_bytes(row.get(1)?), row.get(2)?))
    })?;
    let open = |(space, id, sealed): (SpaceId, KeyId, Vec<u8>)| {
        let secret = open_value(key, "own_keys", &own_key_row(space, id), &sealed)?;
        let secret = secret.as_slice().try_into().map_err(|_| CORE.damaged())?;
        Ok((space, VaultKey::from_bytes(secret)))
    };
    rows.into_iter().map(open).collect()
}

/// How many keys of a space, or of all, were made here and are in no vault yet.
pub(crate) fn count_own_keys(db: &Connection, space: Option<SpaceId>) -> Result<u64, StoreError> {
    match space {
        Some(space) => {
            let sql = "SELECT count(*) FROM own_keys WHERE space = ?1";
            CORE.one(db, sql, [space.as_bytes()], |row| read_number(row, 0))
        }
        None => CORE.one(db, "SELECT count(*) FROM own_keys", [], |row| read_number(row, 0)),
    }
}

/// Forgets keys that are in a vault now, or shredded.
pub(crate) fn remove_own_keys(tx: &Transaction<'_>, space: SpaceId, ids: &[KeyId]) -> Result<(), StoreError> {
    for id in ids {
        let sql = "DELETE FROM own_keys WHERE space = ?1 AND id = ?2";
        CORE.run(tx, sql, [space.as_bytes(), id.as_bytes()])?;
    }
    Ok(())
}

fn own_key_row(space: SpaceId, id: KeyId) -> Vec<u8> {
    [space.as_bytes().as_slice(), id.as_bytes()].concat()
}
