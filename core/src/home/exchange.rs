//! What the sync session asks of a home: small reads and writes, each whole by itself.

use std::fs::File;
use std::io::Write as _;
use std::ops::RangeInclusive;

use minicbor::bytes::ByteVec;
use rusqlite::Connection;
use thicket_protocol::cbor;
use thicket_protocol::governance::Entry;
use thicket_protocol::ids::{Hash, SpaceId};
use thicket_protocol::record::ChainPoint;
use thicket_protocol::sign::Signer;
use zeroize::Zeroizing;

use super::{DamagedFile, Home, HomeError};
use crate::store::core_db::{self, EntryRow, Sealer, Setting};
use crate::store::{Durability, StoreError};
use crate::time::Moment;

/// The server's time is written into the ring when it enters another hour, and not at every sync.
const SERVER_TIME_STEP_MS: i64 = 60 * 60 * 1000;

impl Home {
    /// Reads core.db.
    pub(crate) fn core_rows(&self) -> &Connection {
        self.core.read()
    }

    /// A single value.
    pub(crate) fn kept(&self, name: Setting) -> Result<Option<Zeroizing<Vec<u8>>>, HomeError> {
        Ok(core_db::setting(self.core.read(), &self.secrets.local, name)?)
    }

    /// Sets single values together.
    pub(crate) fn keep(&mut self, values: &[(Setting, Option<&[u8]>)]) -> Result<(), HomeError> {
        let mut sealer = Sealer { key: &self.secrets.local, entropy: &mut *self.entropy };
        self.core.write(Durability::Full, |tx| -> Result<(), HomeError> {
            for (name, value) in values {
                core_db::set_setting(tx, &mut sealer, *name, *value)?;
            }
            Ok(())
        })
    }

    /// What this device signs with.
    pub(crate) fn own_signer(&self) -> Signer {
        self.secrets.identity.signer()
    }

    /// Random bytes.
    pub(crate) fn draw<const N: usize>(&mut self) -> [u8; N] {
        self.entropy.bytes()
    }

    /// Takes the server's time in: it only rises, and is kept.
    pub(crate) fn hear_server_time(&mut self, at_ms: i64) -> Result<(), HomeError> {
        let known_ms = self.secrets.server_time_ms;
        // What is no moment at all is no time.
        if Moment::new(at_ms, 0).is_err() || known_ms.is_some_and(|known_ms| at_ms <= known_ms) {
            return Ok(());
        }
        self.secrets.server_time_ms = Some(at_ms);
        let step = |ms: i64| ms.div_euclid(SERVER_TIME_STEP_MS);
        if known_ms.map(step) == Some(step(at_ms)) { Ok(()) } else { self.keep_ring() }
    }

    /// The time by which expiry is judged: the own clock, or the server's where that is later.
    pub(crate) fn judged_ms(&self, now: Moment) -> i64 {
        self.secrets.server_time_ms.unwrap_or(i64::MIN).max(now.unix_ms())
    }

    /// The log as kept.
    pub(crate) fn log(&self) -> Result<Vec<EntryRow>, HomeError> {
        Ok(core_db::entries(self.core.read())?)
    }

    /// The hashes of the log's entries, by sequence number.
    pub(crate) fn log_hashes(&self) -> Result<Vec<Hash>, HomeError> {
        let read = |row: EntryRow| Entry::decode(&row.bytes).map(|entry| entry.hash());
        let hashes: Result<Vec<Hash>, _> = self.log()?.into_iter().map(read).collect();
        hashes.map_err(|_| HomeError::Damaged(DamagedFile::Core))
    }

    /// Notes that the server has these entries.
    pub(crate) fn log_is_on_server(&mut self, entries: RangeInclusive<u64>) -> Result<(), HomeError> {
        self.core.write(Durability::Full, |tx| -> Result<(), HomeError> {
            for seq in entries {
                core_db::entry_is_on_server(tx, seq)?;
            }
            Ok(())
        })
    }

    /// How far a space was read.
    pub(crate) fn read_up_to(&self, space: SpaceId) -> Result<ChainPoint, HomeError> {
        Ok(core_db::cursor(self.core.read(), space)?)
    }

    /// Places an own batch in the server's chain; `is_next` moves the cursor over it.
    pub(crate) fn place_own(
        &mut self,
        space: SpaceId,
        seq: u64,
        at: ChainPoint,
        is_next: bool,
    ) -> Result<(), HomeError> {
        let device = self.device;
        // Forgotten in a power cut, it is found out anew: the batch is sent again, and the server says the same.
        self.core.write(Durability::Normal, |tx| -> Result<(), StoreError> {
            core_db::place_batch(tx, space, device, seq, at)?;
            if is_next { core_db::set_cursor(tx, space, at) } else { Ok(()) }
        })?;
        Ok(())
    }

    /// Notes that the log has admitted this device, if it has; the invite is forgotten then.
    pub(crate) fn note_admitted(&mut self) -> Result<bool, HomeError> {
        let is_current = self.team.as_ref().is_some_and(|team| team.current(&self.device).is_some());
        if !is_current {
            return Ok(false);
        }
        if self.kept(Setting::Joining)?.is_some() {
            self.keep(&[(Setting::Joining, None)])?;
        }
        Ok(true)
    }

    /// Writes signed words that contradict each other, or what this home verified, into a file of its folder, and stops
    /// sync for good. CBOR: `[why, [bytes as received]]`; returns the file's name.
    pub(crate) fn keep_evidence(
        &mut self,
        why: &str,
        signed: &[&[u8]],
        now: Moment,
    ) -> Result<String, HomeError> {
        let name = format!("evidence-{}.cbor", now.unix_ms());
        let signed: Vec<ByteVec> = signed.iter().map(|bytes| bytes.to_vec().into()).collect();
        let written = File::create(self.folder.join(&name)).and_then(|mut file| {
            file.write_all(&cbor::encode(&(why, signed)))?;
            file.sync_all()
        });
        written.map_err(StoreError::Storage)?;
        self.keep(&[(Setting::Evidence, Some(name.as_bytes()))])?;
        Ok(name)
    }
}
