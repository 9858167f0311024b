//! What a server keeps: one SQLite database, and the key that it proves.
//!
//! ```text
//! server.db     logs, keys as they travel, batches and bodies: nothing that this server could open
//! server.key    the Ed25519 seed, 32 bytes, readable by its owner alone
//! server.lock   held while a server runs on the folder
//! ```

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use minicbor::bytes::ByteVec;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use thicket_protocol::frame::TeamPrefix;
use thicket_protocol::governance::Entry;
use thicket_protocol::ids::{Hash, Incarnation, PublicKey, TeamId};
use thicket_protocol::record::GovPoint;
use thicket_protocol::sign::Signer;
use thicket_protocol::team::Team;

mod batches;
mod files;
mod log;
mod vaults;

pub use batches::Kept;
pub use files::StoreError;
pub use vaults::SpaceState;
pub(crate) use vaults::{Page, Staged, StagedVault};

/// Numbered, frozen; `user_version` says how many were carried out.
const MIGRATIONS: &[&str] = &[include_str!("store/migrations/001.sql")];
/// How many teams are kept applied in memory.
const TEAMS_CACHED_MAX: usize = 256;
/// How long a tool that holds the database from outside is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);
/// How many statements stay prepared.
const STATEMENTS_CACHED_MAX: usize = 64;

/// The database, the folder's lock and the server's key.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    signer: Signer,
    tls_seed: files::Seed,
    incarnation: Incarnation,
    teams: BTreeMap<TeamId, Arc<Team>>,
    /// Whether [`Store::begin`] was called, and [`Store::commit`] not yet.
    grouped: bool,
    /// Whether something was deleted that must leave the write-ahead log too.
    erased: bool,
    _lock: File,
}

impl Store {
    /// Opens the folder, or makes what is missing of a new one; `fill` gives randomness, which only a new one needs.
    pub fn open(folder: &Path, fill: &mut dyn FnMut(&mut [u8])) -> Result<Self, StoreError> {
        files::make_folder(folder)?;
        let lock = lock(folder)?;
        let (db, key) = (folder.join("server.db"), folder.join("server.key"));
        let is_new = !key.try_exists().map_err(StoreError::io(&key))?;
        if !is_new && !files::has_content(&db)? {
            return Err(StoreError::Damaged {
                path: db,
                reason: "it is missing or empty, though the key is there",
            });
        }
        log::check(&folder.join("server.db-wal"))?;
        let mut connection = connect(&db, is_new).map_err(|error| StoreError::sqlite(error, &db))?;
        migrate(&mut connection, &db)?;
        // A server that was killed may have left there what a shred took out.
        let erased = !cut_log(&connection).map_err(|error| StoreError::sqlite(error, &db))?;
        let seed = if is_new { begin(&mut connection, &db, &key, fill)? } else { files::read_seed(&key)? };
        let signer = Signer::from_seed(seed.bytes());
        let (incarnation, told): ([u8; 16], [u8; 32]) = connection
            .query_row("SELECT incarnation, key FROM server", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(|error| StoreError::sqlite(error, &db))?;
        if &told != signer.public_key().as_bytes() {
            return Err(StoreError::Damaged {
                path: key,
                reason: "it is not the key that server.db was made with",
            });
        }
        Ok(Self {
            connection,
            signer,
            tls_seed: seed,
            incarnation: Incarnation::from_bytes(incarnation),
            teams: BTreeMap::new(),
            grouped: false,
            erased,
            _lock: lock,
        })
    }

    /// The server's key.
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The seed of the server's key, for TLS.
    pub(crate) fn seed(&self) -> &[u8; 32] {
        self.tls_seed.bytes()
    }

    /// The public half of the server's key.
    pub fn public_key(&self) -> PublicKey {
        self.signer.public_key()
    }

    /// The life of this data.
    pub const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Begins a group: what is written until [`Store::commit`] is durable together, and costs one sync of the disk.
    pub fn begin(&mut self) -> Result<(), StoreError> {
        assert!(!self.grouped, "a group is committed before another begins");
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        self.grouped = true;
        Ok(())
    }

    /// Makes everything since [`Store::begin`] durable. On an error none of it was kept.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        assert!(self.grouped, "a group was begun");
        if let Err(error) = self.connection.execute_batch("COMMIT") {
            self.rollback();
            return Err(error.into());
        }
        self.grouped = false;
        if self.erased {
            // A reader from outside (a backup) can keep it from that; the next commit tries again.
            self.erased = !cut_log(&self.connection)?;
        }
        Ok(())
    }

    fn rollback(&mut self) {
        self.grouped = false;
        self.teams.clear();
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }

    /// Runs a job that is kept whole or not at all: a step of the group, or a group of its own.
    fn write<T>(&mut self, job: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.grouped {
            return self.step(job);
        }
        self.begin()?;
        let done = self.step(job);
        if done.is_ok() {
            self.commit()?;
        } else {
            self.rollback();
        }
        done
    }

    fn step<T>(&mut self, job: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.connection.is_autocommit() {
            // SQLite gave the whole group up (a full disk): nothing more may seem to be kept in it.
            return Err(StoreError::GroupLost);
        }
        let savepoint = self.connection.savepoint()?;
        let done = job(&savepoint)?;
        savepoint.commit()?;
        Ok(done)
    }

    /// A team with its log applied; `None` where the server does not know it.
    pub fn team(&mut self, id: &TeamId) -> Result<Option<Arc<Team>>, StoreError> {
        if let Some(team) = self.teams.get(id) {
            return Ok(Some(Arc::clone(team)));
        }
        let team = self.read_log(id)?;
        Ok(team.map(|team| self.remember(team)))
    }

    fn read_log(&self, id: &TeamId) -> Result<Option<Team>, StoreError> {
        let mut query =
            self.connection.prepare_cached("SELECT bytes FROM gov WHERE team = ? ORDER BY seq")?;
        let mut rows = query.query([id.as_bytes()])?;
        let mut team: Option<Team> = None;
        while let Some(row) = rows.next()? {
            let entry = Entry::decode(row.get_ref(0)?.as_blob().map_err(|_| StoreError::BadLog)?);
            let entry = entry.map_err(|_| StoreError::BadLog)?;
            match &mut team {
                None => team = Some(Team::found(&entry).map_err(|_| StoreError::BadLog)?),
                Some(team) => team.apply(&entry).map_err(|_| StoreError::BadLog)?,
            }
        }
        Ok(team)
    }

    fn remember(&mut self, team: Team) -> Arc<Team> {
        if self.teams.len() >= TEAMS_CACHED_MAX {
            self.teams.clear();
        }
        let team = Arc::new(team);
        self.teams.insert(team.id(), Arc::clone(&team));
        team
    }

    /// The team whose id begins so.
    pub fn find_team(&self, prefix: &TeamPrefix) -> Result<Option<TeamId>, StoreError> {
        let bound = |fill: u8| [prefix.as_bytes().as_slice(), &[fill; 16]].concat();
        let found: Option<[u8; 32]> = self
            .connection
            .prepare_cached("SELECT team FROM gov WHERE team BETWEEN ? AND ? LIMIT 1")?
            .query_row(params![bound(0), bound(0xff)], |row| row.get(0))
            .optional()?;
        Ok(found.map(TeamId::from_bytes))
    }

    /// How many teams there are.
    pub fn teams_count(&self) -> Result<u64, StoreError> {
        let mut query = self.connection.prepare_cached("SELECT count(*) FROM gov WHERE seq = 0")?;
        Ok(query.query_row([], |row| number(row, 0))?)
    }

    /// Whether a point is one of the team's log.
    pub fn knows_point(&self, team: &TeamId, point: &GovPoint) -> Result<bool, StoreError> {
        let hash: Option<[u8; 32]> = self
            .connection
            .prepare_cached("SELECT hash FROM gov WHERE team = ? AND seq = ?")?
            .query_row(params![team.as_bytes(), sql(point.seq)], |row| row.get(0))
            .optional()?;
        Ok(hash.map(Hash::from_bytes) == Some(point.hash))
    }

    /// Entries from that one on, up to `end` and as many bytes as fit.
    pub(crate) fn entries(
        &self,
        team: &TeamId,
        from: u64,
        end: u64,
        bytes: usize,
    ) -> Result<Page<ByteVec>, StoreError> {
        let text = "SELECT bytes, seq FROM gov WHERE team = ? AND seq BETWEEN ? AND ? ORDER BY seq";
        let mut query = self.connection.prepare_cached(text)?;
        let mut rows = query.query(params![team.as_bytes(), sql(from), sql(end)])?;
        let mut page = Page::new(bytes, from);
        while let Some(row) = rows.next()? {
            let entry: Vec<u8> = row.get(0)?;
            let length = entry.len();
            if !page.add(entry.into(), length, number(row, 1)?.saturating_add(1)) {
                break;
            }
        }
        Ok(page)
    }

    /// Appends an entry that the team took, with all that it stages; `team` is the team after it.
    pub(crate) fn append_entry(
        &mut self,
        team: Team,
        entry: &Entry,
        staged: &Staged,
    ) -> Result<(), StoreError> {
        self.write(|connection| {
            let (id, hash) = (team.id(), entry.hash());
            let row = params![id.as_bytes(), sql(entry.body().seq), hash.as_bytes(), entry.bytes()];
            connection.prepare_cached("INSERT INTO gov VALUES (?, ?, ?, ?)")?.execute(row)?;
            vaults::carry_out(connection, &team, staged)
        })?;
        if staged.erases() {
            // Outside a group the job is committed by now.
            self.erased = true;
            if !self.grouped {
                self.begin()?;
                self.commit()?;
            }
        }
        self.remember(team);
        Ok(())
    }
}

/// SQLite's integers are signed; no count of ours comes near the end of them, and a peer's number beyond it is no
/// place that exists.
fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(index)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(index, value))
}

fn size(row: &Row<'_>, index: usize) -> rusqlite::Result<usize> {
    let value: i64 = row.get(index)?;
    usize::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(index, value))
}

/// Secure delete wipes the pages of the database; their old content still stands in the log until it is cut.
fn cut_log(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok(!row.get::<_, bool>(0)?))
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("server.lock");
    let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = open.map_err(StoreError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Busy { folder: folder.to_path_buf() }),
        Err(TryLockError::Error(error)) => Err(StoreError::io(&path)(error)),
    }
}

fn connect(path: &Path, is_new: bool) -> rusqlite::Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, is_new);
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    // Kibibytes, said by the sign: doc tags are random, and so are the pages of their index that an append touches.
    connection.pragma_update(None, "cache_size", -32_768)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let place = |error| StoreError::sqlite(error, path);
    let done: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(place)?;
    let done = usize::try_from(done).ok().filter(|done| *done <= MIGRATIONS.len());
    let done = done.ok_or_else(|| StoreError::Newer { path: path.to_path_buf() })?;
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        let transaction = connection.transaction().map_err(place)?;
        transaction.execute_batch(migration).map_err(place)?;
        transaction.pragma_update(None, "user_version", sql(index as u64 + 1)).map_err(place)?;
        transaction.commit().map_err(place)?;
    }
    Ok(())
}

/// Gives a new database its incarnation and its key. The key's file comes last: a folder that has one is complete.
fn begin(
    connection: &mut Connection,
    db: &Path,
    key: &Path,
    fill: &mut dyn FnMut(&mut [u8]),
) -> Result<files::Seed, StoreError> {
    let place = |error| StoreError::sqlite(error, db);
    let used: i64 = connection.query_row("SELECT count(*) FROM gov", [], |row| row.get(0)).map_err(place)?;
    if used != 0 {
        let reason = "it is missing, though server.db has teams that rely on it: put it back from a backup";
        return Err(StoreError::Damaged { path: key.to_path_buf(), reason });
    }
    let (seed, mut incarnation) = (files::Seed::draw(fill), [0; Incarnation::LEN]);
    fill(&mut incarnation);
    let public = Signer::from_seed(seed.bytes()).public_key();
    connection
        .execute("INSERT OR REPLACE INTO server VALUES (1, ?, ?)", params![incarnation, public.as_bytes()])
        .map_err(place)?;
    files::write_seed(key, &seed)?;
    Ok(seed)
}
