//! Batches in the order of their positions, and their bodies beside them.

use minicbor::bytes::{ByteSlice, ByteVec};
use rusqlite::{Connection, OptionalExtension, Row, params};
use thicket_protocol::cbor;
use thicket_protocol::ids::{DeviceId, DocTag, Hash, Signature, SpaceId, TeamId};
use thicket_protocol::record::{Batch, ChainPoint, Item};

use super::{Page, Store, StoreError, number, size, sql};

/// A batch that a store has, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The device's sequence number.
    pub seq: u64,
    /// The batch.
    pub hash: Hash,
    /// Where it stands.
    pub at: ChainPoint,
    /// Indices of the bodies that were not kept when it came, ascending.
    pub dead: Vec<u8>,
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        seq: number(row, 0)?,
        hash: Hash::from_bytes(row.get(1)?),
        at: ChainPoint { pos: number(row, 2)?, root: Hash::from_bytes(row.get(3)?) },
        dead: row.get(4)?,
    })
}

impl Store {
    /// The batch that a device sent to a space under that number.
    pub fn batch(
        &self,
        team: &TeamId,
        space: &SpaceId,
        device: &DeviceId,
        seq: u64,
    ) -> Result<Option<Kept>, StoreError> {
        let text = "SELECT seq, hash, pos, root, dead FROM batches
                    WHERE team = ? AND space = ? AND device = ? AND seq = ?";
        let place = params![team.as_bytes(), space.as_bytes(), device.as_bytes(), sql(seq)];
        Ok(self.connection.prepare_cached(text)?.query_row(place, kept).optional()?)
    }

    /// Appends a batch at the next position of its space, without the bodies in `dead`; it was checked before.
    pub(crate) fn append_batch(
        &mut self,
        team: &TeamId,
        batch: &Batch,
        size: usize,
        dead: Vec<u8>,
    ) -> Result<Kept, StoreError> {
        self.write(|connection| {
            let space = batch.head().space;
            let text = "SELECT pos, root FROM spaces WHERE team = ? AND space = ?";
            let tip = connection
                .prepare_cached(text)?
                .query_row(params![team.as_bytes(), space.as_bytes()], |row| {
                    Ok(ChainPoint { pos: number(row, 0)?, root: Hash::from_bytes(row.get(1)?) })
                })?;
            let kept = Kept { seq: batch.head().seq, hash: batch.hash(), at: tip.next(&batch.hash()), dead };
            insert_batch(connection, team, batch, size, &kept)?;
            insert_bodies(connection, team, batch, &kept)?;
            for item in batch.items().iter().filter(|item| !item.covers.is_empty()) {
                mark_covered(connection, team, &space, item)?;
            }
            connection
                .prepare_cached("UPDATE spaces SET pos = ?, root = ? WHERE team = ? AND space = ?")?
                .execute(params![
                    sql(kept.at.pos),
                    kept.at.root.as_bytes(),
                    team.as_bytes(),
                    space.as_bytes()
                ])?;
            Ok(kept)
        })
    }

    /// Batches behind a position up to `end`, as they travel: without covered bodies and dead ones, and without those of the
    /// device that is spared its own.
    pub(crate) fn batches(
        &self,
        team: &TeamId,
        space: &SpaceId,
        (after, end): (u64, u64),
        spared: Option<&DeviceId>,
        bytes: usize,
    ) -> Result<Page<ByteVec>, StoreError> {
        let text = "SELECT pos, device, size, count, signature, head, items FROM batches
                    WHERE team = ? AND space = ? AND pos > ? AND pos <= ? ORDER BY pos";
        let mut query = self.connection.prepare_cached(text)?;
        let mut rows = query.query(params![team.as_bytes(), space.as_bytes(), sql(after), sql(end)])?;
        let mut page = Page::new(bytes, after);
        while let Some(row) = rows.next()? {
            let (pos, device) = (number(row, 0)?, DeviceId::from_bytes(row.get(1)?));
            if size(row, 2)? > page.room() && !page.items.is_empty() {
                page.more = true;
                break;
            }
            let count = size(row, 3)?;
            let bodies = if spared == Some(&device) {
                vec![None; count]
            } else {
                self.bodies(team, space, pos, count)?
            };
            let bodies: Vec<Option<&ByteSlice>> =
                bodies.iter().map(|body| body.as_deref().map(<&ByteSlice>::from)).collect();
            let signature = Signature::from_bytes(row.get(4)?);
            let (head, items): (Vec<u8>, Vec<u8>) = (row.get(5)?, row.get(6)?);
            // As `Batch::encode` writes it; whoever reads it verifies it, so its hashes are not made once more here.
            let (head, items) = (<&ByteSlice>::from(head.as_slice()), <&ByteSlice>::from(items.as_slice()));
            let batch = cbor::encode(&(head, items, signature, bodies));
            let length = batch.len();
            if !page.add(batch.into(), length, pos) {
                break;
            }
        }
        Ok(page)
    }

    fn bodies(
        &self,
        team: &TeamId,
        space: &SpaceId,
        pos: u64,
        count: usize,
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut bodies = vec![None; count];
        let text = "SELECT idx, bytes FROM bodies WHERE team = ? AND space = ? AND pos = ? AND NOT covered";
        let mut query = self.connection.prepare_cached(text)?;
        let mut rows = query.query(params![team.as_bytes(), space.as_bytes(), sql(pos)])?;
        while let Some(row) = rows.next()? {
            let index = size(row, 0)?;
            if let Some(body) = bodies.get_mut(index) {
                *body = Some(row.get(1)?);
            }
        }
        Ok(bodies)
    }
}

fn insert_batch(
    connection: &Connection,
    team: &TeamId,
    batch: &Batch,
    size: usize,
    kept: &Kept,
) -> Result<(), StoreError> {
    let text = "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let row = params![
        team.as_bytes(),
        batch.head().space.as_bytes(),
        sql(kept.at.pos),
        kept.at.root.as_bytes(),
        batch.head().device.as_bytes(),
        sql(kept.seq),
        kept.hash.as_bytes(),
        sql(size as u64),
        sql(batch.items().len() as u64),
        kept.dead,
        batch.signature().as_bytes(),
        batch.head_bytes(),
        batch.items_bytes()
    ];
    connection.prepare_cached(text)?.execute(row)?;
    Ok(())
}

fn insert_bodies(
    connection: &Connection,
    team: &TeamId,
    batch: &Batch,
    kept: &Kept,
) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached("INSERT INTO bodies VALUES (?, ?, ?, ?, ?, FALSE, ?)")?;
    for (index, (item, body)) in (0_u8..=u8::MAX).zip(batch.items().iter().zip(batch.bodies())) {
        let Some(body) = body.as_ref().filter(|_| !kept.dead.contains(&index)) else { continue };
        insert.execute(params![
            team.as_bytes(),
            batch.head().space.as_bytes(),
            sql(kept.at.pos),
            index,
            item.doc_tag.as_bytes(),
            body
        ])?;
    }
    Ok(())
}

/// Marks what a full save replaces; of its own document alone, else one could hide what others wrote.
fn mark_covered(
    connection: &Connection,
    team: &TeamId,
    space: &SpaceId,
    item: &Item,
) -> Result<(), StoreError> {
    if item.doc_tag == DocTag::EVENT {
        return Ok(());
    }
    let text = "UPDATE bodies SET covered = TRUE
                WHERE team = ?1 AND space = ?2 AND idx = ?3 AND doc_tag = ?4 AND NOT covered AND pos =
                (SELECT pos FROM batches WHERE team = ?1 AND space = ?2 AND device = ?5 AND seq = ?6)";
    let mut mark = connection.prepare_cached(text)?;
    for covered in &item.covers {
        mark.execute(params![
            team.as_bytes(),
            space.as_bytes(),
            covered.index,
            item.doc_tag.as_bytes(),
            covered.device.as_bytes(),
            sql(covered.seq)
        ])?;
    }
    Ok(())
}
