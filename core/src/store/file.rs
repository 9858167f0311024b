//! Opening, locking and checking the files; what their tables hold is not known here.

use std::path::Path;

use rusqlite::{Connection, Transaction};

use crate::secret::DatabaseKey;

/// The file of core.db.
pub const CORE_FILE: &str = "core.db";
/// The file of derived.db.
pub const DERIVED_FILE: &str = "derived.db";
/// The file that a process holds a lock on while it has the home open.
pub const LOCK_FILE: &str = "lock";

/// Why a database cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full, read-only or failing; what was acknowledged before is safe.
    #[error("the folder cannot be read or written")]
    Storage(#[source] std::io::Error),
    /// SQLite's own word for the same: full, read-only, not openable, failing.
    #[error("the database cannot be read or written: {0}")]
    Database(&'static str, #[source] rusqlite::Error),
    /// A file is damaged.
    #[error("{file} is damaged")]
    Damaged {
        /// Its name.
        file: &'static str,
    },
    /// A file that must be there is missing.
    #[error("{file} is missing")]
    Missing {
        /// Its name.
        file: &'static str,
    },
    /// A later Thicket wrote it.
    #[error("{file} is of version {version}: this Thicket is too old for it")]
    TooNew {
        /// Its name.
        file: &'static str,
        /// Its version.
        version: u32,
    },
    /// Another process has the home open.
    #[error("another process has this home open")]
    Busy,
    /// SQLite refuses a statement: a fault in Thicket.
    #[error("a fault in a statement")]
    Fault(#[source] rusqlite::Error),
}

/// The lock on a home: one process at a time; it dies with the process.
#[derive(Debug)]
pub struct HomeLock(#[expect(dead_code, reason = "held, never read")] std::fs::File);

impl HomeLock {
    /// Takes the lock, or says that another process has it; never waits.
    pub fn take(_folder: &Path) -> Result<Self, StoreError> {
        todo!()
    }
}

/// How much of a transaction survives a power cut once it was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// All of it: `synchronous=FULL`.
    Full,
    /// What the system has written by then: `synchronous=NORMAL`; a killed process loses nothing.
    Normal,
}

/// One SQLCipher file in WAL mode, with secure_delete, temp_store in memory, and its migrations applied.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
}

impl Database {
    /// Makes a new file; one that is there already is an error.
    pub(crate) fn create(
        _folder: &Path,
        _file: &'static str,
        _key: &DatabaseKey,
        _migrations: &'static [&'static str],
    ) -> Result<Self, StoreError> {
        todo!()
    }

    /// Opens a file that is there: first its WAL is walked (valid frames behind a broken one mean damage: the WAL is
    /// copied aside as `NAME-wal.damaged` and [`StoreError::Damaged`] is returned), then key, `cipher_log_level`, pragmas, migrations.
    pub(crate) fn open(
        _folder: &Path,
        _file: &'static str,
        _key: &DatabaseKey,
        _migrations: &'static [&'static str],
    ) -> Result<Self, StoreError> {
        todo!()
    }

    /// Reads.
    pub(crate) fn read(&self) -> &Connection {
        &self.connection
    }

    /// Runs one IMMEDIATE transaction: committed when `work` returns `Ok`, rolled back otherwise.
    pub(crate) fn write<T, E: From<StoreError>>(
        &mut self,
        _durability: Durability,
        _work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        todo!()
    }

    /// Flushes what was written with [`Durability::Normal`] so that it survives a power cut (one fsync of the WAL).
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// Moves the WAL into the file and truncates it; for closing, pausing, and after something was erased.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// Reads every page (`cipher_integrity_check`, `integrity_check`) and returns what is wrong, in words.
    pub(crate) fn check(&self) -> Result<Vec<String>, StoreError> {
        todo!()
    }
}
