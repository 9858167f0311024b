//! What core.db holds, table by table. Everything here is a row as it was received, as it was sealed to be sent, or
//! a value sealed under the local key.

use std::path::Path;

use rusqlite::{Connection, Transaction};
use thicket_protocol::ids::{DeviceId, DocTag, Hash, KeyId, SpaceId};
use thicket_protocol::record::{Batch, ChainPoint, Head, Item, ItemRef};
use zeroize::Zeroizing;

use super::{Database, StoreError};
use crate::entropy::Entropy;
use crate::ids::GenerationId;
use crate::secret::{DatabaseKey, LocalKey, VaultKey};

/// Seals values under the local key for the row that they go to.
pub(crate) struct Sealer<'s> {
    /// The local key.
    pub(crate) key: &'s LocalKey,
    /// Where salts come from.
    pub(crate) entropy: &'s mut dyn Entropy,
}

pub(crate) fn create(_folder: &Path, _key: &DatabaseKey) -> Result<Database, StoreError> {
    todo!()
}

pub(crate) fn open(_folder: &Path, _key: &DatabaseKey) -> Result<Database, StoreError> {
    todo!()
}

/// The next arrival number: batches, unsent bodies and own objects are numbered together, so that derived.db can
/// follow with one mark.
pub(crate) fn newest_arrival(_db: &Connection) -> Result<u64, StoreError> {
    todo!()
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
}

pub(crate) fn setting(
    _db: &Connection,
    _key: &LocalKey,
    _name: Setting,
) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    todo!()
}

pub(crate) fn set_setting(
    _tx: &Transaction<'_>,
    _sealer: &mut Sealer<'_>,
    _name: Setting,
    _value: Option<&[u8]>,
) -> Result<(), StoreError> {
    todo!()
}

// ---- governance log

/// An entry and whether the server has acknowledged or sent it.
pub(crate) struct EntryRow {
    pub(crate) bytes: Vec<u8>,
    pub(crate) on_server: bool,
    /// The staged packs of an entry that is not on the server yet.
    pub(crate) packs: Vec<Vec<u8>>,
}

pub(crate) fn entries(_db: &Connection) -> Result<Vec<EntryRow>, StoreError> {
    todo!()
}

/// Adds the next entry; `packs` are kept until it is on the server.
pub(crate) fn add_entry(
    _tx: &Transaction<'_>,
    _seq: u64,
    _bytes: &[u8],
    _on_server: bool,
    _packs: &[Vec<u8>],
) -> Result<(), StoreError> {
    todo!()
}

pub(crate) fn entry_is_on_server(_tx: &Transaction<'_>, _seq: u64) -> Result<(), StoreError> {
    todo!()
}

/// Keeps the newest prekey statement of a device; a lower counter than the one kept changes nothing and returns false.
pub(crate) fn put_statement(
    _tx: &Transaction<'_>,
    _device: DeviceId,
    _counter: u32,
    _bytes: &[u8],
) -> Result<bool, StoreError> {
    todo!()
}

pub(crate) fn statements(_db: &Connection) -> Result<Vec<Vec<u8>>, StoreError> {
    todo!()
}

// ---- vaults and keys

/// Adds a vault row as received or as made; `version_after` counts the keys of the vault with it.
pub(crate) fn add_pack(
    _tx: &Transaction<'_>,
    _space: SpaceId,
    _epoch: u32,
    _keys: u64,
    _bytes: &[u8],
) -> Result<(), StoreError> {
    todo!()
}

/// Forgets every row of a vault, before the rows of a new epoch are added.
pub(crate) fn clear_vault(_tx: &Transaction<'_>, _space: SpaceId) -> Result<(), StoreError> {
    todo!()
}

/// All rows, ascending by space, then in order.
pub(crate) fn packs(_db: &Connection) -> Result<Vec<(SpaceId, Vec<u8>)>, StoreError> {
    todo!()
}

/// Keeps a key that was made here and is in no vault yet.
pub(crate) fn add_own_key(
    _tx: &Transaction<'_>,
    _sealer: &mut Sealer<'_>,
    _space: SpaceId,
    _secret: &VaultKey,
) -> Result<(), StoreError> {
    todo!()
}

pub(crate) fn own_keys(_db: &Connection, _key: &LocalKey) -> Result<Vec<(SpaceId, VaultKey)>, StoreError> {
    todo!()
}

pub(crate) fn remove_own_keys(
    _tx: &Transaction<'_>,
    _space: SpaceId,
    _ids: &[KeyId],
) -> Result<(), StoreError> {
    todo!()
}

// ---- batches and bodies

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

/// Adds a batch, as received (with its place in the server's chain) or as sealed here (without), and returns its arrival number.
pub(crate) fn add_batch(
    _tx: &Transaction<'_>,
    _batch: &Batch,
    _at: Option<ChainPoint>,
) -> Result<u64, StoreError> {
    todo!()
}

/// Sets the place of a batch that was sent; false when there is no such batch.
pub(crate) fn place_batch(
    _tx: &Transaction<'_>,
    _space: SpaceId,
    _device: DeviceId,
    _seq: u64,
    _at: ChainPoint,
) -> Result<bool, StoreError> {
    todo!()
}

/// The last batch of a device in a space: sequence number and hash.
pub(crate) fn last_batch(
    _db: &Connection,
    _space: SpaceId,
    _device: DeviceId,
) -> Result<Option<(u64, Hash)>, StoreError> {
    todo!()
}

/// The hash of one batch, if it is here.
pub(crate) fn batch_hash(
    _db: &Connection,
    _space: SpaceId,
    _device: DeviceId,
    _seq: u64,
) -> Result<Option<Hash>, StoreError> {
    todo!()
}

/// The sequence numbers of batches without a place, ascending.
pub(crate) fn unplaced(_db: &Connection, _space: SpaceId, _device: DeviceId) -> Result<Vec<u64>, StoreError> {
    todo!()
}

/// One batch with the bodies that are here.
pub(crate) fn batch(
    _db: &Connection,
    _space: SpaceId,
    _device: DeviceId,
    _seq: u64,
) -> Result<Option<Batch>, StoreError> {
    todo!()
}

/// Up to `limit` batches with an arrival number above `after`, ascending.
pub(crate) fn batches_after(
    _db: &Connection,
    _after: u64,
    _limit: usize,
) -> Result<Vec<(u64, Batch)>, StoreError> {
    todo!()
}

/// The root of the server's chain at a position, if the batch there is here.
pub(crate) fn root_at(_db: &Connection, _space: SpaceId, _pos: u64) -> Result<Option<Hash>, StoreError> {
    todo!()
}

/// How many batches a space has and when... counts for status: (batches, unplaced batches).
pub(crate) fn count_batches(_db: &Connection, _space: SpaceId) -> Result<(u64, u64), StoreError> {
    todo!()
}

/// One item of a batch with all that opening its body needs.
pub(crate) struct PartRow {
    pub(crate) arrival: u64,
    pub(crate) at: ItemRef,
    pub(crate) head: Head,
    pub(crate) item: Item,
    pub(crate) state: BodyState,
    pub(crate) body: Option<Vec<u8>>,
}

/// The items of a document in a space, by device, sequence number and index.
pub(crate) fn parts_of(_db: &Connection, _space: SpaceId, _tag: DocTag) -> Result<Vec<PartRow>, StoreError> {
    todo!()
}

/// The items whose body waits for a key.
pub(crate) fn waiting(_db: &Connection) -> Result<Vec<PartRow>, StoreError> {
    todo!()
}

pub(crate) fn set_body_state(
    _tx: &Transaction<'_>,
    _arrival: u64,
    _index: u8,
    _state: BodyState,
) -> Result<(), StoreError> {
    todo!()
}

pub(crate) fn cursor(_db: &Connection, _space: SpaceId) -> Result<ChainPoint, StoreError> {
    todo!()
}

pub(crate) fn set_cursor(_tx: &Transaction<'_>, _space: SpaceId, _at: ChainPoint) -> Result<(), StoreError> {
    todo!()
}

// ---- what was not sealed yet

/// The one prepared body of a generation that was changed and not sealed: [`crate::body::NoteBody::encode_padded`].
pub(crate) struct UnsentRow {
    pub(crate) arrival: u64,
    pub(crate) space: SpaceId,
    pub(crate) generation: GenerationId,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// Puts the prepared body of a generation in the place of the one before, under a new arrival number, which is returned.
pub(crate) fn put_unsent(
    _tx: &Transaction<'_>,
    _sealer: &mut Sealer<'_>,
    _space: SpaceId,
    _generation: GenerationId,
    _body: &[u8],
) -> Result<u64, StoreError> {
    todo!()
}

pub(crate) fn remove_unsent(_tx: &Transaction<'_>, _generation: GenerationId) -> Result<(), StoreError> {
    todo!()
}

pub(crate) fn unsent(
    _db: &Connection,
    _key: &LocalKey,
    _generation: GenerationId,
) -> Result<Option<UnsentRow>, StoreError> {
    todo!()
}

/// Up to `limit` prepared bodies with an arrival number above `after`, of one space or of all, ascending.
pub(crate) fn unsent_after(
    _db: &Connection,
    _key: &LocalKey,
    _space: Option<SpaceId>,
    _after: u64,
    _limit: usize,
) -> Result<Vec<UnsentRow>, StoreError> {
    todo!()
}

/// An object that was signed here and not sealed yet, in wire form.
pub(crate) struct ObjectRow {
    pub(crate) arrival: u64,
    pub(crate) space: SpaceId,
    pub(crate) hash: Hash,
    pub(crate) wire: Zeroizing<Vec<u8>>,
}

pub(crate) fn add_object(
    _tx: &Transaction<'_>,
    _sealer: &mut Sealer<'_>,
    _space: SpaceId,
    _hash: Hash,
    _wire: &[u8],
) -> Result<u64, StoreError> {
    todo!()
}

pub(crate) fn objects_after(
    _db: &Connection,
    _key: &LocalKey,
    _space: Option<SpaceId>,
    _after: u64,
    _limit: usize,
) -> Result<Vec<ObjectRow>, StoreError> {
    todo!()
}

pub(crate) fn remove_object(_tx: &Transaction<'_>, _space: SpaceId, _hash: Hash) -> Result<(), StoreError> {
    todo!()
}

/// How much of a space waits to be sealed: (bodies, objects).
pub(crate) fn count_unsent(_db: &Connection, _space: SpaceId) -> Result<(u64, u64), StoreError> {
    todo!()
}

// ---- the edit journal

/// Adds a row behind the others of its generation.
pub(crate) fn add_journal(
    _tx: &Transaction<'_>,
    _sealer: &mut Sealer<'_>,
    _generation: GenerationId,
    _row: &[u8],
) -> Result<u64, StoreError> {
    todo!()
}

/// The rows of a generation in order.
pub(crate) fn journal(
    _db: &Connection,
    _key: &LocalKey,
    _generation: GenerationId,
) -> Result<Vec<(u64, Zeroizing<Vec<u8>>)>, StoreError> {
    todo!()
}

/// Removes the rows of a generation up to and with that number.
pub(crate) fn clear_journal(
    _tx: &Transaction<'_>,
    _generation: GenerationId,
    _through: u64,
) -> Result<(), StoreError> {
    todo!()
}

/// The generations with rows.
pub(crate) fn journaled(_db: &Connection) -> Result<Vec<GenerationId>, StoreError> {
    todo!()
}
