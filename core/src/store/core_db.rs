//! What core.db holds, table by table. Everything here is a row as it was received, as it was sealed to be sent, or
//! a value sealed under the local key.

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "a shred calls it, and it is held to its promise before there is one")
)]
mod anew;
mod governance;
mod records;
mod schema;
#[cfg(test)]
mod tests;
mod unsent;

use std::path::Path;

use rusqlite::{Connection, Transaction, params};
use zeroize::Zeroizing;

pub(crate) use self::governance::{
    EntryRow, add_entry, add_own_key, add_pack, clear_vault, count_own_keys, entries, entry_is_on_server,
    own_keys, packs, put_statement, remove_own_keys, statements, vaults,
};
pub(crate) use self::records::{
    BodyState, add_batch, batch, batch_hash, batches_after, count_batches, cursor, last_batch, parts_of,
    place_batch, placed, root_at, set_body_state, set_cursor, states_of, unplaced, waiting,
};
pub(crate) use self::unsent::{
    ObjectRow, UnsentRow, add_journal, add_object, clear_journal, count_unsent, journal, journaled,
    objects_after, put_unsent, remove_object, remove_unsent, unsent, unsent_after,
};
use super::statements::{Tables, read_number};
use super::{CORE_FILE, Database, StoreError};
use crate::entropy::Entropy;
use crate::seal::{open_local, seal_local};
use crate::secret::{DatabaseKey, LocalKey};

const CORE: Tables = Tables(CORE_FILE);

/// Seals values under the local key for the row that they go to.
pub(crate) struct Sealer<'s> {
    /// The local key.
    pub(crate) key: &'s LocalKey,
    /// Where salts come from.
    pub(crate) entropy: &'s mut dyn Entropy,
}

impl Sealer<'_> {
    fn seal(&mut self, table: &str, row: &[u8], plain: &[u8]) -> Vec<u8> {
        seal_local(self.entropy, self.key, table, row, plain)
    }
}

/// Opens a sealed value of a row; one that does not open is damage, since nobody but this home wrote it.
fn open_value(
    key: &LocalKey,
    table: &str,
    row: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    open_local(key, table, row, sealed).map_err(|_| CORE.damaged())
}

/// Makes core.db.
pub(crate) fn create(folder: &Path, key: &DatabaseKey) -> Result<Database, StoreError> {
    Database::create(folder, CORE_FILE, key, schema::MIGRATIONS)
}

/// Opens core.db, which must be there.
pub(crate) fn open(folder: &Path, key: &DatabaseKey) -> Result<Database, StoreError> {
    Database::open(folder, CORE_FILE, key, schema::MIGRATIONS)
}

/// The newest arrival number: batches, unsent bodies and own objects are numbered together from 1, so that derived.db
/// can follow with one mark. No number is ever given twice.
pub(crate) fn newest_arrival(db: &Connection) -> Result<u64, StoreError> {
    CORE.one(db, "SELECT arrival FROM counters", [], |row| read_number(row, 0))
}

fn next_arrival(tx: &Transaction<'_>) -> Result<u64, StoreError> {
    CORE.one(tx, "UPDATE counters SET arrival = arrival + 1 RETURNING arrival", [], |row| read_number(row, 0))
}

/// Single values, each sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    /// The server's address, as text.
    Server,
    /// The incarnation of the server's data that this home has synced with: 16 bytes.
    Incarnation,
    /// The last serial of a statement that was taken in, as 8 bytes.
    StatementsSerial,
    /// The last serial of a seal that was taken in, as 8 bytes.
    SealsSerial,
    /// The invite's secret while joining, so that a killed join can go on.
    Joining,
    /// The own names (CBOR), to be written into the roster once its key is here.
    OwnNames,
    /// When the server was last reached and everything was up to date: 8 bytes, ms since 1970.
    LastSync,
    /// The file name of signed evidence against the server: sync has stopped.
    Evidence,
    /// The last tips of the server, as received.
    Tips,
    /// To which statements this device has sealed, and what (CBOR), so that a device that is away is sealed to once.
    Sealed,
}

impl Setting {
    const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Incarnation => "incarnation",
            Self::StatementsSerial => "statements_serial",
            Self::SealsSerial => "seals_serial",
            Self::Joining => "joining",
            Self::OwnNames => "own_names",
            Self::LastSync => "last_sync",
            Self::Evidence => "evidence",
            Self::Tips => "tips",
            Self::Sealed => "sealed",
        }
    }
}

/// Reads a value; none when it was never set or was taken away.
pub(crate) fn setting(
    db: &Connection,
    key: &LocalKey,
    name: Setting,
) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    let name = name.name();
    let sql = "SELECT value FROM settings WHERE name = ?1";
    let sealed: Option<Vec<u8>> = CORE.row(db, sql, [name], |row| row.get(0))?;
    sealed.map(|sealed| open_value(key, "settings", name.as_bytes(), &sealed)).transpose()
}

/// Sets a value, or takes it away.
pub(crate) fn set_setting(
    tx: &Transaction<'_>,
    sealer: &mut Sealer<'_>,
    name: Setting,
    value: Option<&[u8]>,
) -> Result<(), StoreError> {
    let name = name.name();
    match value {
        Some(value) => {
            let sealed = sealer.seal("settings", name.as_bytes(), value);
            CORE.run(
                tx,
                "INSERT OR REPLACE INTO settings (name, value) VALUES (?1, ?2)",
                params![name, sealed],
            )?
        }
        None => CORE.run(tx, "DELETE FROM settings WHERE name = ?1", [name])?,
    };
    Ok(())
}
