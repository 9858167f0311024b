//! Keys as they travel: statements, seals, and the vaults of the spaces.

use minicbor::bytes::ByteVec;
use rusqlite::{Connection, OptionalExtension, Row, params};
use thicket_protocol::frame::Numbered;
use thicket_protocol::ids::{DeviceId, DocTag, Hash, KeyId, SpaceId, TeamId};
use thicket_protocol::keys::{Pack, PrekeyStatement, Seal};
use thicket_protocol::limits::FRAME_LIST_MAX;
use thicket_protocol::record::ChainPoint;
use thicket_protocol::team::Team;

use super::{Store, StoreError, number, sql};

/// Where a space stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceState {
    /// Its chain of batches.
    pub at: ChainPoint,
    /// The epoch under which its vault is sealed.
    pub epoch: u32,
    /// The number of keys in its vault.
    pub vault: u64,
}

/// What fits in one frame of a longer answer.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Where the next page begins.
    pub(crate) next: u64,
    /// Whether something was left for it.
    pub(crate) more: bool,
    room: usize,
    most: usize,
}

impl<T> Page<T> {
    pub(crate) fn new(room: usize, next: u64) -> Self {
        Self { items: Vec::new(), next, more: false, room, most: FRAME_LIST_MAX }
    }

    /// Takes an item, if it fits; the first always does. `next` is where the page after it begins.
    pub(crate) fn add(&mut self, item: T, bytes: usize, next: u64) -> bool {
        // What CBOR adds to a byte string and to its number.
        let bytes = bytes + 16;
        if (bytes > self.room && !self.items.is_empty()) || self.items.len() >= self.most {
            self.more = true;
            return false;
        }
        self.room = self.room.saturating_sub(bytes);
        self.items.push(item);
        self.next = next;
        true
    }

    /// The bytes that are left of the frame.
    pub(crate) fn room(&self) -> usize {
        self.room
    }
}

/// A vault that an entry stages: it replaces the space's whole.
#[derive(Debug)]
pub(crate) struct StagedVault {
    pub(crate) space: SpaceId,
    pub(crate) epoch: u32,
    pub(crate) packs: Vec<(Vec<u8>, Pack)>,
}

/// Everything that is kept with an entry, or not at all.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    pub(crate) vaults: Vec<StagedVault>,
    pub(crate) seals: Vec<Seal>,
    pub(crate) statement: Option<PrekeyStatement>,
    pub(crate) shredded: Vec<KeyId>,
}

impl Staged {
    /// Whether it takes something away that must leave the disk.
    pub(crate) fn erases(&self) -> bool {
        !self.shredded.is_empty() || self.vaults.iter().any(|vault| vault.epoch > 1)
    }
}

/// Carries out what an entry stages.
pub(super) fn carry_out(connection: &Connection, of: &Team, staged: &Staged) -> Result<(), StoreError> {
    let team = &of.id();
    for vault in &staged.vaults {
        replace_vault(connection, team, vault)?;
    }
    for seal in &staged.seals {
        insert_seal(connection, team, seal)?;
    }
    if let Some(statement) = &staged.statement {
        insert_statement(connection, team, statement)?;
    }
    staged.shredded.iter().try_for_each(|id| drop_bodies(connection, of, id))
}

/// Drops the bodies of a shredded document, in the spaces that the shred reaches.
fn drop_bodies(connection: &Connection, of: &Team, id: &KeyId) -> Result<(), StoreError> {
    if DocTag::from(*id) == DocTag::EVENT {
        // The tag of everything that has none of its own names no document.
        return Ok(());
    }
    let team = of.id();
    let text = "SELECT DISTINCT space FROM bodies WHERE team = ? AND doc_tag = ?";
    let mut query = connection.prepare_cached(text)?;
    let spaces = query.query_map(params![team.as_bytes(), id.as_bytes()], |row| row.get(0))?;
    let spaces: Vec<[u8; 16]> = spaces.collect::<Result<_, _>>()?;
    let mut drop =
        connection.prepare_cached("DELETE FROM bodies WHERE team = ? AND doc_tag = ? AND space = ?")?;
    for space in spaces.iter().filter(|space| of.is_shredded_in(&SpaceId::from_bytes(**space), id)) {
        drop.execute(params![team.as_bytes(), id.as_bytes(), space])?;
    }
    Ok(())
}

fn replace_vault(connection: &Connection, team: &TeamId, vault: &StagedVault) -> Result<(), StoreError> {
    let place = params![team.as_bytes(), vault.space.as_bytes()];
    connection.prepare_cached("DELETE FROM packs WHERE team = ? AND space = ?")?.execute(place)?;
    connection.prepare_cached("DELETE FROM vault_keys WHERE team = ? AND space = ?")?.execute(place)?;
    connection
        .prepare_cached(
            "INSERT INTO spaces VALUES (?, ?, 0, ?, ?, 0)
             ON CONFLICT DO UPDATE SET epoch = excluded.epoch, vault = 0",
        )?
        .execute(params![
            team.as_bytes(),
            vault.space.as_bytes(),
            ChainPoint::START.root.as_bytes(),
            vault.epoch
        ])?;
    let mut first = 0;
    for (bytes, pack) in &vault.packs {
        first = insert_pack(connection, team, pack, bytes, first)?;
    }
    Ok(())
}

/// Puts a row behind the `first` keys that are there, and says how many there are then.
fn insert_pack(
    connection: &Connection,
    team: &TeamId,
    pack: &Pack,
    bytes: &[u8],
    first: u64,
) -> Result<u64, StoreError> {
    let (space, count) = (pack.space.as_bytes(), pack.ids.len() as u64);
    connection.prepare_cached("INSERT INTO packs VALUES (?, ?, ?, ?, ?)")?.execute(params![
        team.as_bytes(),
        space,
        sql(first),
        sql(count),
        bytes
    ])?;
    let mut insert = connection.prepare_cached("INSERT INTO vault_keys VALUES (?, ?, ?, ?)")?;
    for id in &pack.ids {
        insert.execute(params![team.as_bytes(), space, id.as_bytes(), sql(first)])?;
    }
    let vault = first + count;
    connection
        .prepare_cached("UPDATE spaces SET vault = ? WHERE team = ? AND space = ?")?
        .execute(params![sql(vault), team.as_bytes(), space])?;
    Ok(vault)
}

fn next_serial(connection: &Connection, team: &TeamId, table: &'static str) -> Result<i64, StoreError> {
    let text = format!("SELECT coalesce(max(serial), 0) + 1 FROM {table} WHERE team = ?");
    Ok(connection.prepare_cached(&text)?.query_row([team.as_bytes()], |row| row.get(0))?)
}

fn insert_seal(connection: &Connection, team: &TeamId, seal: &Seal) -> Result<(), StoreError> {
    let (body, serial) = (seal.body(), next_serial(connection, team, "seals")?);
    connection.prepare_cached("INSERT INTO seals VALUES (?, ?, ?, ?, ?, ?)")?.execute(params![
        team.as_bytes(),
        body.device.as_bytes(),
        serial,
        body.sealer.as_bytes(),
        body.counter,
        seal.bytes()
    ])?;
    Ok(())
}

fn insert_statement(
    connection: &Connection,
    team: &TeamId,
    statement: &PrekeyStatement,
) -> Result<(), StoreError> {
    let (body, serial) = (statement.body(), next_serial(connection, team, "statements")?);
    connection
        .prepare_cached("INSERT OR REPLACE INTO statements VALUES (?, ?, ?, ?, ?)")?
        .execute(params![team.as_bytes(), body.device.as_bytes(), serial, body.counter, statement.bytes()])?;
    Ok(())
}

fn numbered(row: &Row<'_>) -> rusqlite::Result<Numbered> {
    Ok(Numbered { serial: number(row, 0)?, bytes: row.get(1)? })
}

impl Store {
    /// Where a space stands; `None` before its first epoch.
    pub fn space(&self, team: &TeamId, space: &SpaceId) -> Result<Option<SpaceState>, StoreError> {
        let text = "SELECT pos, root, epoch, vault FROM spaces WHERE team = ? AND space = ?";
        let read = |row: &Row<'_>| {
            let at = ChainPoint { pos: number(row, 0)?, root: Hash::from_bytes(row.get(1)?) };
            Ok(SpaceState { at, epoch: row.get(2)?, vault: number(row, 3)? })
        };
        let mut query = self.connection.prepare_cached(text)?;
        Ok(query.query_row(params![team.as_bytes(), space.as_bytes()], read).optional()?)
    }

    /// The counter and bytes of a device's newest statement.
    pub fn statement(&self, team: &TeamId, device: &DeviceId) -> Result<Option<(u32, Vec<u8>)>, StoreError> {
        let text = "SELECT counter, bytes FROM statements WHERE team = ? AND device = ?";
        let mut query = self.connection.prepare_cached(text)?;
        let place = params![team.as_bytes(), device.as_bytes()];
        Ok(query.query_row(place, |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    /// The serials of the team's last statement and of the last seal to the device.
    pub fn serials(&self, team: &TeamId, device: &DeviceId) -> Result<(u64, u64), StoreError> {
        let text = "SELECT (SELECT coalesce(max(serial), 0) FROM statements WHERE team = ?1),
                           (SELECT coalesce(max(serial), 0) FROM seals WHERE team = ?1 AND device = ?2)";
        let mut query = self.connection.prepare_cached(text)?;
        let place = params![team.as_bytes(), device.as_bytes()];
        Ok(query.query_row(place, |row| Ok((number(row, 0)?, number(row, 1)?)))?)
    }

    /// Keeps a statement in the place of the device's last.
    pub(crate) fn put_statement(
        &mut self,
        team: &TeamId,
        statement: &PrekeyStatement,
    ) -> Result<(), StoreError> {
        self.write(|connection| insert_statement(connection, team, statement))
    }

    /// Whether these very bytes are kept as a seal to the device.
    pub(crate) fn has_seal(&self, team: &TeamId, seal: &Seal) -> Result<bool, StoreError> {
        let text = "SELECT 1 FROM seals WHERE team = ? AND device = ? AND bytes = ?";
        let device = seal.body().device;
        let place = params![team.as_bytes(), device.as_bytes(), seal.bytes()];
        Ok(self.connection.prepare_cached(text)?.exists(place)?)
    }

    /// How many seals to the device wait.
    pub(crate) fn seals_count(&self, team: &TeamId, device: &DeviceId) -> Result<u64, StoreError> {
        let text = "SELECT count(*) FROM seals WHERE team = ? AND device = ?";
        let mut query = self.connection.prepare_cached(text)?;
        Ok(query.query_row(params![team.as_bytes(), device.as_bytes()], |row| number(row, 0))?)
    }

    /// Forgets the seals to statements of the device before that one.
    pub(crate) fn drop_seals_before(
        &mut self,
        team: &TeamId,
        device: &DeviceId,
        counter: u32,
    ) -> Result<(), StoreError> {
        self.write(|connection| {
            let text = "DELETE FROM seals WHERE team = ? AND device = ? AND counter < ?";
            let place = params![team.as_bytes(), device.as_bytes(), counter];
            connection.prepare_cached(text)?.execute(place)?;
            Ok(())
        })
    }

    /// Keeps a seal.
    pub(crate) fn put_seal(&mut self, team: &TeamId, seal: &Seal) -> Result<(), StoreError> {
        self.write(|connection| insert_seal(connection, team, seal))
    }

    /// The bytes of the row in which a key lies.
    pub(crate) fn pack_of(
        &self,
        team: &TeamId,
        space: &SpaceId,
        id: &KeyId,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let text = "SELECT bytes FROM vault_keys JOIN packs USING (team, space, first)
                    WHERE team = ? AND space = ? AND id = ?";
        let mut query = self.connection.prepare_cached(text)?;
        let place = params![team.as_bytes(), space.as_bytes(), id.as_bytes()];
        Ok(query.query_row(place, |row| row.get(0)).optional()?)
    }

    /// Adds a row behind the last of its space's vault.
    pub(crate) fn put_pack(&mut self, team: &TeamId, pack: &Pack, bytes: &[u8]) -> Result<(), StoreError> {
        let first = self.space(team, &pack.space)?.map_or(0, |space| space.vault);
        self.write(|connection| insert_pack(connection, team, pack, bytes, first).map(|_| ()))
    }

    /// Statements behind that serial.
    pub(crate) fn statements(
        &self,
        team: &TeamId,
        after: u64,
        bytes: usize,
    ) -> Result<Page<Numbered>, StoreError> {
        let text = "SELECT serial, bytes FROM statements WHERE team = ? AND serial > ? ORDER BY serial";
        let mut query = self.connection.prepare_cached(text)?;
        let rows = query.query_map(params![team.as_bytes(), sql(after)], numbered)?;
        page_of_numbered(rows, after, bytes)
    }

    /// Seals to the device behind that serial.
    pub(crate) fn seals(
        &self,
        team: &TeamId,
        device: &DeviceId,
        after: u64,
        bytes: usize,
    ) -> Result<Page<Numbered>, StoreError> {
        let text =
            "SELECT serial, bytes FROM seals WHERE team = ? AND device = ? AND serial > ? ORDER BY serial";
        let mut query = self.connection.prepare_cached(text)?;
        let rows = query.query_map(params![team.as_bytes(), device.as_bytes(), sql(after)], numbered)?;
        page_of_numbered(rows, after, bytes)
    }

    /// Rows of a vault behind that many keys.
    pub(crate) fn packs(
        &self,
        team: &TeamId,
        space: &SpaceId,
        after: u64,
        most: usize,
        bytes: usize,
    ) -> Result<Page<ByteVec>, StoreError> {
        let text = "SELECT bytes, first + count FROM packs
                    WHERE team = ? AND space = ? AND first >= ? ORDER BY first";
        let mut query = self.connection.prepare_cached(text)?;
        let mut rows = query.query(params![team.as_bytes(), space.as_bytes(), sql(after)])?;
        let mut page = Page { most, ..Page::new(bytes, after) };
        while let Some(row) = rows.next()? {
            let pack: Vec<u8> = row.get(0)?;
            let length = pack.len();
            if !page.add(pack.into(), length, number(row, 1)?) {
                break;
            }
        }
        Ok(page)
    }
}

fn page_of_numbered(
    rows: impl Iterator<Item = rusqlite::Result<Numbered>>,
    after: u64,
    bytes: usize,
) -> Result<Page<Numbered>, StoreError> {
    let mut page = Page::new(bytes, after);
    for item in rows {
        let item = item?;
        let (length, serial) = (item.bytes.len(), item.serial);
        if !page.add(item, length, serial) {
            break;
        }
    }
    Ok(page)
}
