//! Opening, locking and checking the files; what their tables hold is not known here.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use zeroize::Zeroizing;

use super::StoreError;
use super::statements::Tables;
use super::wal::{self, Walk};
use crate::secret::DatabaseKey;

/// The file of core.db.
pub const CORE_FILE: &str = "core.db";
/// The file of derived.db.
pub const DERIVED_FILE: &str = "derived.db";
/// The file that a process holds a lock on while it has the home open.
pub const LOCK_FILE: &str = "lock";

/// Bytes of a page; it is part of the format of the files, since SQLCipher has to be told before it can read one. Pages
/// of 16 KiB made derived.db 15 % faster and a fifth larger, and every keystroke of the journal three times slower.
const PAGE_BYTES: u32 = 4_096;
/// Bytes of pages that stay in memory.
const CACHE_KIB: u32 = 8_192;
/// Pages of the WAL after which it is moved into the file: 4 MiB.
const CHECKPOINT_PAGES: u32 = 1_024;
/// What a WAL keeps of its length when it begins anew. Nothing: where frames are appended and never written over old
/// ones, a power cut leaves a log that ends too early, and no gap with later frames behind it.
const WAL_BYTES_KEPT: u32 = 0;
/// Statements that stay prepared.
const STATEMENTS_MAX: usize = 128;

/// The lock on a home: one process at a time; it dies with the process.
#[derive(Debug)]
pub struct HomeLock(#[expect(dead_code, reason = "held, never read")] File);

impl HomeLock {
    /// Takes the lock, or says that another process has it; never waits.
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = open_private(&mut options, &folder.join(LOCK_FILE))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(StoreError::Busy),
            // Android, before Rust 1.98 (rust-lang/rust#157038): there an app's folder is its one process's alone.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(Self(file)),
            Err(TryLockError::Error(error)) => Err(StoreError::Storage(error)),
        }
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
    file: &'static str,
    path: PathBuf,
    durability: Durability,
}

impl Database {
    /// Makes a new file; one that is there already is an error.
    pub(crate) fn create(
        folder: &Path,
        file: &'static str,
        key: &DatabaseKey,
        migrations: &'static [&'static str],
    ) -> Result<Self, StoreError> {
        Self::create_under(folder, file, Some(key), migrations)
    }

    /// Opens a file that is there: first its WAL is walked (valid frames behind a broken one mean damage: the WAL is
    /// copied aside as `NAME-wal.damaged` and [`StoreError::Damaged`] is returned), then key, `cipher_log_level`, pragmas, migrations.
    pub(crate) fn open(
        folder: &Path,
        file: &'static str,
        key: &DatabaseKey,
        migrations: &'static [&'static str],
    ) -> Result<Self, StoreError> {
        let path = folder.join(file);
        match fs::metadata(&path) {
            // SQLite would take a file without a whole page for an empty database.
            Ok(metadata) if metadata.len() < u64::from(PAGE_BYTES) => {
                return Err(StoreError::Damaged { file });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Missing { file });
            }
            Err(error) => return Err(StoreError::Storage(error)),
        }
        let log = beside(&path, "-wal");
        match wal::walk(&log).map_err(StoreError::Storage)? {
            Walk::Whole => {}
            Walk::Damaged => {
                copy_aside(&log).map_err(StoreError::Storage)?;
                return Err(StoreError::Damaged { file });
            }
        }
        Self::connect(path, file, Some(key), migrations)
    }

    /// Makes a file whose pages are in the clear, so that a test can look for a word in them.
    #[cfg(test)]
    pub(super) fn create_clear(
        folder: &Path,
        file: &'static str,
        migrations: &'static [&'static str],
    ) -> Result<Self, StoreError> {
        Self::create_under(folder, file, None, migrations)
    }

    fn create_under(
        folder: &Path,
        file: &'static str,
        key: Option<&DatabaseKey>,
        migrations: &'static [&'static str],
    ) -> Result<Self, StoreError> {
        let path = folder.join(file);
        // SQLite gives its other files the mode of this one.
        open_private(OpenOptions::new().write(true).create_new(true), &path)?;
        let made = Self::connect(path, file, key, migrations);
        let made = made.and_then(|database| database.checkpoint().map(|()| database));
        if made.is_err() {
            // Half a file would be in the way of the next attempt; why this one failed is what counts.
            let _ = remove(folder, file);
        }
        made
    }

    fn connect(
        path: PathBuf,
        file: &'static str,
        key: Option<&DatabaseKey>,
        migrations: &'static [&'static str],
    ) -> Result<Self, StoreError> {
        let tables = Tables(file);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = tables.name(Connection::open_with_flags(&path, flags))?;
        tables.name(set_up(&connection, file, key))?;
        sync_folder(&path).map_err(StoreError::Storage)?;
        let mut database = Self { connection, file, path, durability: Durability::Full };
        database.migrate(migrations)?;
        Ok(database)
    }

    fn migrate(&mut self, migrations: &[&str]) -> Result<(), StoreError> {
        let tables = Tables(self.file);
        let read = |row: &rusqlite::Row<'_>| row.get::<_, u32>(0);
        let version = tables.one(&self.connection, "PRAGMA user_version", [], read)?;
        let at = usize::try_from(version).map_err(|_| tables.damaged())?;
        let Some(missing) = migrations.get(at..) else {
            return Err(StoreError::TooNew { file: self.file, version });
        };
        for (sql, version) in missing.iter().zip(version + 1..) {
            self.write(Durability::Full, |tx| {
                tables.name(tx.execute_batch(sql))?;
                tables.name(tx.pragma_update(None, "user_version", version))
            })?;
        }
        Ok(())
    }

    /// Closes the file, so that it can be removed; it is not read again before another is opened in its place.
    pub(crate) fn close(&mut self) -> Result<(), StoreError> {
        self.connection = Tables(self.file).name(Connection::open_in_memory())?;
        Ok(())
    }

    /// Reads.
    pub(crate) fn read(&self) -> &Connection {
        &self.connection
    }

    /// Runs one IMMEDIATE transaction: committed when `work` returns `Ok`, rolled back otherwise.
    pub(crate) fn write<T, E: From<StoreError>>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let tables = Tables(self.file);
        if self.durability != durability {
            let pragma = match durability {
                Durability::Full => "PRAGMA synchronous = FULL",
                Durability::Normal => "PRAGMA synchronous = NORMAL",
            };
            tables.name(self.connection.execute_batch(pragma))?;
            self.durability = durability;
        }
        let tx = tables.name(self.connection.transaction_with_behavior(TransactionBehavior::Immediate))?;
        let done = work(&tx)?;
        if let Err(error) = tables.name(tx.commit()) {
            // What a commit that failed has left in the WAL must not be taken for a commit behind a broken frame.
            let _ = self.checkpoint();
            return Err(error.into());
        }
        Ok(done)
    }

    /// Flushes what was written with [`Durability::Normal`] so that it survives a power cut (one fsync of the WAL).
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        // SQLite keeps its locks on the other two files: closing this one loses none.
        match File::open(beside(&self.path, "-wal")).and_then(|log| log.sync_data()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::Storage(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Moves the WAL into the file and truncates it; for closing, pausing, and after something was erased.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        let read = |row: &rusqlite::Row<'_>| row.get::<_, bool>(0);
        let is_blocked =
            Tables(self.file).one(&self.connection, "PRAGMA wal_checkpoint(TRUNCATE)", [], read)?;
        if is_blocked { Err(StoreError::Busy) } else { Ok(()) }
    }

    /// Calls `step` every few steps of SQLite's virtual machine, and before each commit; `true` interrupts.
    pub(crate) fn on_step(&mut self, step: impl Fn() -> bool + Send + Sync + 'static) {
        const STEPS: i32 = 5;
        let step = std::sync::Arc::new(step);
        let at_commit = std::sync::Arc::clone(&step);
        self.connection
            .progress_handler(STEPS, Some(move || step()))
            .and_then(|()| self.connection.commit_hook(Some(move || at_commit())))
            .expect("hooks are set on an open connection");
    }

    /// Reads every page (`cipher_integrity_check`, `integrity_check`) and returns what is wrong, in words.
    pub(crate) fn check(&self) -> Result<Vec<String>, StoreError> {
        let mut wrong = Vec::new();
        for pragma in ["PRAGMA cipher_integrity_check", "PRAGMA integrity_check"] {
            let read = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
            match Tables(self.file).rows(&self.connection, pragma, [], read) {
                Ok(lines) => wrong.extend(lines.into_iter().filter(|line| line != "ok")),
                // A page that cannot be read at all ends the check.
                Err(damaged @ StoreError::Damaged { .. }) => wrong.push(damaged.to_string()),
                Err(error) => return Err(error),
            }
        }
        Ok(wrong)
    }
}

/// Removes a file with all that SQLite keeps beside it.
pub(super) fn remove(folder: &Path, file: &str) -> Result<(), StoreError> {
    let path = folder.join(file);
    for suffix in ["", "-wal", "-shm", "-journal", DAMAGED_SUFFIX] {
        match fs::remove_file(beside(&path, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::Storage(error)),
            Ok(()) | Err(_) => {}
        }
    }
    sync_folder(&path).map_err(StoreError::Storage)
}

/// Where a damaged WAL is kept for whoever can read more out of it.
const DAMAGED_SUFFIX: &str = "-wal.damaged";

fn set_up(connection: &Connection, file: &str, key: Option<&DatabaseKey>) -> rusqlite::Result<()> {
    // One process has the home, with one connection to each file: nobody is worth waiting for.
    connection.busy_timeout(Duration::ZERO)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    if let Some(key) = key {
        // Else SQLCipher writes to the standard error.
        connection.execute_batch("PRAGMA cipher_log_level = NONE")?;
        connection.execute_batch(&key_pragma(key))?;
        connection.execute_batch(&format!("PRAGMA cipher_page_size = {PAGE_BYTES}"))?;
    }
    // What core.db deletes was sealed under keys that a shred destroys, and zeros over it would cost a page written for each
    // note sent; derived.db holds opened text.
    let secure_delete = if file == CORE_FILE { "FAST" } else { "ON" };
    connection.execute_batch(&format!(
        "PRAGMA page_size = {PAGE_BYTES};
         PRAGMA temp_store = MEMORY;
         PRAGMA mmap_size = 0;
         PRAGMA cache_size = -{CACHE_KIB};
         PRAGMA secure_delete = {secure_delete};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};
         PRAGMA journal_size_limit = {WAL_BYTES_KEPT};"
    ))
}

fn key_pragma(key: &DatabaseKey) -> Zeroizing<String> {
    // Long enough from the start: a string that grows leaves its beginning behind.
    let mut pragma = Zeroizing::new(String::with_capacity(128));
    pragma.push_str("PRAGMA key = \"x'");
    for byte in key.expose() {
        write!(pragma, "{byte:02x}").expect("a string takes what is written");
    }
    pragma.push_str("'\"");
    pragma
}

/// Opens a file that nobody else but its owner may read.
fn open_private(options: &mut OpenOptions, path: &Path) -> Result<File, StoreError> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path).map_err(StoreError::Storage)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// The log itself stays where it is, untouched.
fn copy_aside(log: &Path) -> io::Result<()> {
    let copy = beside(log, ".damaged");
    fs::copy(log, &copy)?;
    File::open(&copy)?.sync_all()?;
    sync_folder(&copy)
}

/// Makes the names in a file's folder survive a power cut.
fn sync_folder(file: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = file.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
