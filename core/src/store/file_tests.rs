#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

use std::fs;
use std::ops::Range;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::wal::{Walk, walk, walk_bytes};
use super::{CORE_FILE, Database, Durability, HomeLock, LOCK_FILE, StoreError};
use crate::secret::DatabaseKey;
use crate::store::statements::Tables;

const WAL: &str = "core.db-wal";
const MIGRATIONS: &[&str] = &["CREATE TABLE lines (id INTEGER PRIMARY KEY, text BLOB NOT NULL)"];
const TABLES: Tables = Tables(CORE_FILE);
const WAL_HEADER: usize = 32;
const PAGE: usize = 4_096;
const FRAME: usize = 24 + PAGE;

fn key() -> DatabaseKey {
    DatabaseKey::from_bytes([0xd8; 32])
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn made(folder: &TempDir, lines: Range<u32>) -> Database {
    let mut db = Database::create(folder.path(), CORE_FILE, &key(), MIGRATIONS).expect("made");
    lines.for_each(|line| add(&mut db, line));
    db
}

fn opened(folder: &Path) -> Result<Database, StoreError> {
    Database::open(folder, CORE_FILE, &key(), MIGRATIONS)
}

fn add(db: &mut Database, line: u32) {
    write(db, line).expect("written");
}

fn write(db: &mut Database, line: u32) -> Result<(), StoreError> {
    db.write(Durability::Full, |tx| {
        let text = format!("a canary sings {line} {}", "x".repeat(200));
        TABLES.run(tx, "INSERT INTO lines (text) VALUES (?1)", [text.as_bytes()]).map(drop)
    })
}

fn lines(db: &Database) -> Result<u32, StoreError> {
    let sql = "SELECT count(*), coalesce(sum(length(text)), 0) FROM lines";
    TABLES.one(db.read(), sql, [], |row| row.get(0))
}

/// What a killed process leaves: the files as they lie, the connection never closed.
fn killed(from: &TempDir) -> TempDir {
    let to = folder();
    for name in [CORE_FILE, WAL] {
        fs::copy(from.path().join(name), to.path().join(name)).expect("copied");
    }
    to
}

fn read(folder: &TempDir, name: &str) -> Vec<u8> {
    fs::read(folder.path().join(name)).expect("a file")
}

fn put(folder: &TempDir, name: &str, bytes: &[u8]) {
    fs::write(folder.path().join(name), bytes).expect("written");
}

fn is_damaged<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Damaged { file: CORE_FILE }))
}

#[test]
fn a_killed_home_loses_nothing() {
    let home = folder();
    let mut db = made(&home, 0..0);
    for line in 0..60 {
        add(&mut db, line);
        if line % 7 == 0 {
            let copy = killed(&home);
            assert_eq!(lines(&opened(copy.path()).expect("opens")).expect("reads"), line + 1);
        }
    }
}

#[test]
fn a_closed_home_opens_without_a_wal_and_shows_nothing() {
    let home = folder();
    drop(made(&home, 0..20));
    assert!(!home.path().join(WAL).exists());
    let bytes = read(&home, CORE_FILE);
    for word in [b"a canary".as_slice(), b"SQLite format", b"CREATE TABLE"] {
        assert!(!bytes.windows(word.len()).any(|window| window == word));
    }
    assert_eq!(lines(&opened(home.path()).expect("opens")).expect("reads"), 20);
}

#[test]
fn a_flipped_bit_in_a_wal_is_damage_and_never_a_silent_loss() {
    let home = folder();
    let _db = made(&home, 0..50);
    let wal = read(&home, WAL);
    let frames = (wal.len() - WAL_HEADER) / FRAME;
    assert!(frames >= 50, "a commit has a frame at least");
    let header = 0..WAL_HEADER;
    let frame = |frame: usize| {
        let start = WAL_HEADER + frame * FRAME;
        (start..start + 24).chain((start + 24..start + FRAME).step_by(701)).collect::<Vec<_>>()
    };
    let before_last = [0, 1, 24, frames - 3, frames - 2].into_iter().flat_map(frame);
    for at in header.chain(before_last) {
        let mut flipped = wal.clone();
        flipped[at] ^= 1 << (at % 8);
        assert_eq!(walk_bytes(flipped.as_slice()).expect("reads"), Walk::Damaged, "byte {at}");
    }
    // The last commit alone cannot be told from one that a power cut has torn.
    for at in frame(frames - 1) {
        let mut flipped = wal.clone();
        flipped[at] ^= 0x10;
        assert_eq!(walk_bytes(flipped.as_slice()).expect("reads"), Walk::Whole, "byte {at}");
    }
}

#[test]
fn a_lost_sector_of_a_wal_is_damage_wherever_a_commit_follows() {
    let home = folder();
    let _db = made(&home, 0..20);
    let wal = read(&home, WAL);
    let last_frame = wal.len() - FRAME;
    for length in [512, 4096, 16_384] {
        for at in (0..last_frame - length).step_by(512).chain([last_frame - length]) {
            let mut lost = wal.clone();
            lost[at..at + length].fill(0);
            assert_eq!(walk_bytes(lost.as_slice()).expect("reads"), Walk::Damaged, "{length} at {at}");
        }
    }
}

#[test]
fn a_flipped_bit_costs_the_last_commit_or_is_said_to_be_damage() {
    let home = folder();
    let _db = made(&home, 0..30);
    let wal = read(&home, WAL);
    let last_frame = wal.len() - FRAME;
    for at in (0..wal.len()).step_by(5003).chain((last_frame..wal.len()).step_by(199)) {
        let copy = killed(&home);
        let mut flipped = wal.clone();
        flipped[at] ^= 0x40;
        put(&copy, WAL, &flipped);
        match opened(copy.path()).map(|db| lines(&db).expect("reads")) {
            Ok(left) => assert!(at >= last_frame && left >= 29, "byte {at}: {left} lines"),
            Err(error) => {
                assert!(matches!(error, StoreError::Damaged { file: CORE_FILE }), "byte {at}: {error}");
            }
        }
    }
}

#[test]
fn a_damaged_wal_is_copied_aside_and_left_as_it_is() {
    let home = folder();
    let _db = made(&home, 0..50);
    for at in [3, 20, WAL_HEADER + 20 * FRAME + 20, WAL_HEADER + 24 * FRAME + 3000] {
        let copy = killed(&home);
        let mut wal = read(&copy, WAL);
        wal[at] ^= 1;
        put(&copy, WAL, &wal);
        let before = read(&copy, CORE_FILE);
        for _ in 0..2 {
            assert!(is_damaged(opened(copy.path())), "byte {at}");
            assert_eq!(read(&copy, "core.db-wal.damaged"), wal);
            assert_eq!(read(&copy, WAL), wal);
            assert_eq!(read(&copy, CORE_FILE), before);
        }
    }
}

#[test]
fn a_torn_wal_opens_with_what_was_before_the_tear() {
    let home = folder();
    let _db = made(&home, 0..12);
    let wal = read(&home, WAL);
    for length in (0..wal.len()).step_by(311).chain(0..WAL_HEADER + 2) {
        assert_eq!(walk_bytes(&wal[..length]).expect("reads"), Walk::Whole, "{length}");
    }
    for whole in [0, 1, 5, 11] {
        for past in [0, 1, 23, 24, 2000, FRAME - 1] {
            let copy = killed(&home);
            put(&copy, WAL, &wal[..WAL_HEADER + whole * FRAME + past]);
            let db = opened(copy.path()).expect("opens");
            let commits =
                wal[WAL_HEADER..].chunks_exact(FRAME).take(whole).filter(|frame| frame[4..8] != [0; 4]);
            assert_eq!(usize::try_from(lines(&db).expect("reads")), Ok(commits.count()), "{whole} {past}");
            assert!(!copy.path().join("core.db-wal.damaged").exists());
        }
    }
    for length in [0, 1, 31] {
        let copy = killed(&home);
        put(&copy, WAL, &wal[..length]);
        assert_eq!(lines(&opened(copy.path()).expect("opens")).expect("reads"), 0);
    }
}

#[test]
fn only_a_header_without_anything_behind_it_may_be_broken() {
    assert_eq!(walk(&folder().path().join(WAL)).expect("missing"), Walk::Whole);
    assert_eq!(walk_bytes([0_u8; 50_000].as_slice()).expect("reads"), Walk::Whole);
    assert_eq!(walk_bytes([7_u8; 31].as_slice()).expect("reads"), Walk::Whole);
    assert_eq!(walk_bytes([7_u8; 32].as_slice()).expect("reads"), Walk::Whole);
    let mut late = vec![0_u8; 50_000];
    late[49_999] = 1;
    assert_eq!(walk_bytes(late.as_slice()).expect("reads"), Walk::Damaged);
}

#[test]
fn frames_from_before_a_checkpoint_are_not_damage() {
    let home = folder();
    let mut db = made(&home, 0..20);
    let kept: i64 =
        TABLES.one(db.read(), "PRAGMA journal_size_limit = -1", [], |row| row.get(0)).expect("set");
    assert_eq!(kept, -1);
    let length = read(&home, WAL).len();
    let read_busy = |row: &rusqlite::Row<'_>| row.get::<_, bool>(0);
    let busy = TABLES.one(db.read(), "PRAGMA wal_checkpoint(RESTART)", [], read_busy).expect("runs");
    assert!(!busy);
    (20..23).for_each(|line| add(&mut db, line));
    let wal = read(&home, WAL);
    assert_eq!(wal.len(), length, "the old frames are still there");
    let copy = killed(&home);
    assert_eq!(lines(&opened(copy.path()).expect("opens")).expect("reads"), 23);
    // And among the new ones a broken frame is still damage.
    let mut flipped = wal;
    flipped[WAL_HEADER + FRAME + 100] ^= 1;
    assert_eq!(walk_bytes(flipped.as_slice()).expect("reads"), Walk::Damaged);
}

#[test]
fn what_a_rolled_back_transaction_leaves_is_not_damage() {
    let home = folder();
    let mut db = made(&home, 0..3);
    db.read().execute_batch("PRAGMA cache_size = 2").expect("spills early");
    let refused: Result<(), StoreError> = db.write(Durability::Normal, |tx| {
        for _ in 0..60 {
            TABLES.run(tx, "INSERT INTO lines (text) VALUES (randomblob(9000))", [])?;
        }
        Err(StoreError::Busy)
    });
    assert!(matches!(refused, Err(StoreError::Busy)));
    (3..6).for_each(|line| add(&mut db, line));
    assert!(read(&home, WAL).len() > WAL_HEADER + 20 * FRAME, "pages were spilled");
    let copy = killed(&home);
    assert_eq!(lines(&opened(copy.path()).expect("opens")).expect("reads"), 6);
}

/// What happens to a home, at random.
#[derive(Debug, Clone)]
enum Event {
    Write(u32),
    RollBack(u32),
    Checkpoint(&'static str),
    Kill,
    Tear(usize),
    Close,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (1_u32..40).prop_map(Event::Write),
        2 => (1_u32..80).prop_map(Event::RollBack),
        1 => prop::sample::select(vec!["PASSIVE", "FULL", "RESTART", "TRUNCATE"]).prop_map(Event::Checkpoint),
        2 => Just(Event::Kill),
        1 => (1_usize..9_000).prop_map(Event::Tear),
        1 => Just(Event::Close),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_happens_to_a_whole_disk_is_taken_for_damage(
        events in prop::collection::vec(event(), 1..30),
        kept in prop::sample::select(vec![-1, 0]),
    ) {
        let mut home = folder();
        let mut db = Some(made(&home, 0..0));
        let mut expected = 0;
        for event in events {
            let mut open = db.take().expect("always open");
            open.read().execute_batch("PRAGMA cache_size = 2").expect("spills early");
            let _: i64 = TABLES
                .one(open.read(), &format!("PRAGMA journal_size_limit = {kept}"), [], |row| row.get(0))
                .expect("set");
            match event {
                Event::Write(count) => {
                    let write = |tx: &rusqlite::Transaction<'_>| {
                        (0..count).try_for_each(|_| {
                            let sql = "INSERT INTO lines (text) VALUES (randomblob(abs(random()) % 3000))";
                            TABLES.run(tx, sql, []).map(drop)
                        })
                    };
                    open.write(Durability::Normal, write).expect("written");
                    expected += count;
                }
                Event::RollBack(count) => {
                    let refused: Result<(), StoreError> = open.write(Durability::Full, |tx| {
                        for _ in 0..count {
                            TABLES.run(tx, "INSERT INTO lines (text) VALUES (randomblob(3000))", [])?;
                        }
                        Err(StoreError::Busy)
                    });
                    prop_assert!(refused.is_err());
                }
                Event::Checkpoint(kind) => {
                    let pragma = format!("PRAGMA wal_checkpoint({kind})");
                    let busy: bool = TABLES.one(open.read(), &pragma, [], |row| row.get(0)).expect("moved");
                    prop_assert!(!busy);
                }
                Event::Close => {
                    drop(open);
                    open = opened(home.path()).expect("opens");
                }
                Event::Kill => {
                    let copy = killed(&home);
                    drop(std::mem::replace(&mut home, copy));
                    open = opened(home.path()).expect("opens");
                }
                Event::Tear(bytes) => {
                    let copy = killed(&home);
                    let wal = read(&copy, WAL);
                    put(&copy, WAL, &wal[..wal.len().saturating_sub(bytes)]);
                    open = opened(copy.path()).expect("opens");
                    let left = lines(&open).expect("reads");
                    prop_assert!(left <= expected);
                    (expected, home) = (left, copy);
                }
            }
            prop_assert_eq!(lines(&open).expect("reads"), expected);
            let copy = killed(&home);
            prop_assert_eq!(lines(&opened(copy.path()).expect("opens")).expect("reads"), expected);
            db = Some(open);
        }
    }
}

#[test]
fn a_missing_or_empty_file_is_never_an_empty_database() {
    let home = folder();
    assert!(matches!(opened(home.path()), Err(StoreError::Missing { file: CORE_FILE })));
    put(&home, CORE_FILE, b"");
    assert!(is_damaged(opened(home.path())));
    assert_eq!(read(&home, CORE_FILE), b"");
}

#[test]
fn a_file_that_is_there_is_not_made_again() {
    let home = folder();
    drop(made(&home, 0..3));
    let again = Database::create(home.path(), CORE_FILE, &key(), MIGRATIONS);
    assert!(matches!(again, Err(StoreError::Storage(_))));
    assert_eq!(lines(&opened(home.path()).expect("opens")).expect("reads"), 3);
}

#[test]
fn a_file_that_could_not_be_made_is_not_left_behind() {
    let home = folder();
    let refused =
        Database::create(home.path(), CORE_FILE, &key(), &["CREATE TABLE one (id)", "no statement"]);
    assert!(matches!(refused, Err(StoreError::Fault(_))));
    assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), 0);
    drop(made(&home, 0..1));
}

#[test]
fn another_key_and_a_broken_first_page_are_damage() {
    let home = folder();
    drop(made(&home, 0..3));
    let other = DatabaseKey::from_bytes([0xd9; 32]);
    assert!(is_damaged(Database::open(home.path(), CORE_FILE, &other, MIGRATIONS)));
    let whole = read(&home, CORE_FILE);
    for at in [0, 15, 16, 100, 3000, PAGE - 1] {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        put(&home, CORE_FILE, &flipped);
        assert!(is_damaged(opened(home.path())), "byte {at}");
    }
    put(&home, CORE_FILE, &whole);
    assert_eq!(lines(&opened(home.path()).expect("opens")).expect("reads"), 3);
}

#[test]
fn a_cut_file_is_damage() {
    let home = folder();
    drop(made(&home, 0..600));
    let whole = read(&home, CORE_FILE);
    assert!(whole.len() > 20 * PAGE);
    for length in
        [1, 16, 100, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE, 10_000, whole.len() - PAGE, whole.len() - 1]
    {
        put(&home, CORE_FILE, &whole[..length]);
        assert!(is_damaged(opened(home.path()).and_then(|db| lines(&db))), "{length}");
    }
}

#[test]
fn a_broken_page_is_found_by_the_check_and_by_reading_it() {
    let home = folder();
    drop(made(&home, 0..600));
    assert_eq!(opened(home.path()).expect("opens").check().expect("reads"), Vec::<String>::new());
    let mut bytes = read(&home, CORE_FILE);
    let at = bytes.len() - 1000;
    bytes[at] ^= 1;
    put(&home, CORE_FILE, &bytes);
    let db = opened(home.path()).expect("its first page is whole");
    assert!(!db.check().expect("reads").is_empty());
    assert!(is_damaged(lines(&db)));
}

#[test]
fn a_full_disk_is_said_so_and_keeps_what_was_acknowledged() {
    let home = folder();
    let mut db = made(&home, 0..30);
    let pages: u32 = TABLES.one(db.read(), "PRAGMA page_count", [], |row| row.get(0)).expect("counts");
    db.read().execute_batch(&format!("PRAGMA max_page_count = {pages}")).expect("set");
    let mut acknowledged = 30;
    let error = loop {
        match write(&mut db, acknowledged) {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Database("full", _)), "{error:?}");
    assert_eq!(lines(&db).expect("reads"), acknowledged);
    let copy = killed(&home);
    assert_eq!(lines(&opened(copy.path()).expect("opens")).expect("reads"), acknowledged);
    db.read().execute_batch("PRAGMA max_page_count = 1000000").expect("set");
    add(&mut db, acknowledged);
}

#[test]
fn a_database_that_may_not_be_written_is_said_so() {
    let home = folder();
    let mut db = made(&home, 0..3);
    db.read().execute_batch("PRAGMA query_only = ON").expect("set");
    let refused = write(&mut db, 3);
    assert!(matches!(refused, Err(StoreError::Database("read-only", _))), "{refused:?}");
    assert_eq!(lines(&db).expect("reads"), 3);
}

#[test]
fn a_second_connection_is_told_busy_at_once() {
    let home = folder();
    let mut db = made(&home, 0..3);
    let mut other = opened(home.path()).expect("opens");
    let inner: Result<(), StoreError> = db.write(Durability::Full, |_| write(&mut other, 9));
    assert!(matches!(inner, Err(StoreError::Busy)), "{inner:?}");
}

#[test]
fn a_file_of_a_later_version_is_left_alone() {
    let home = folder();
    drop(made(&home, 0..3));
    let later =
        &["CREATE TABLE lines (id INTEGER PRIMARY KEY, text BLOB NOT NULL)", "CREATE TABLE more (id)"];
    drop(Database::open(home.path(), CORE_FILE, &key(), later).expect("migrates"));
    let refused = opened(home.path());
    assert!(matches!(refused, Err(StoreError::TooNew { file: CORE_FILE, version: 2 })));
    let db = Database::open(home.path(), CORE_FILE, &key(), later).expect("opens");
    assert_eq!(lines(&db).expect("reads"), 3);
}

#[test]
fn a_statement_that_sqlite_refuses_is_a_fault_and_changes_nothing() {
    let home = folder();
    let mut db = made(&home, 0..3);
    let refused: Result<(), StoreError> = db.write(Durability::Full, |tx| {
        TABLES.run(tx, "DELETE FROM lines", [])?;
        TABLES.run(tx, "INSERT INTO nowhere VALUES (1)", []).map(drop)
    });
    assert!(matches!(refused, Err(StoreError::Fault(_))));
    assert_eq!(lines(&db).expect("reads"), 3);
}

#[test]
fn each_transaction_is_as_durable_as_it_says() {
    let home = folder();
    let mut db = made(&home, 0..1);
    for (durability, level) in [(Durability::Normal, 1), (Durability::Full, 2), (Durability::Normal, 1)] {
        let found: Result<u32, StoreError> =
            db.write(durability, |tx| TABLES.one(tx, "PRAGMA synchronous", [], |row| row.get(0)));
        assert_eq!(found.expect("reads"), level);
    }
    db.sync().expect("synced");
    db.checkpoint().expect("moved");
    assert_eq!(read(&home, WAL).len(), 0);
    db.sync().expect("an empty WAL is synced");
    add(&mut db, 1);
    assert_eq!(lines(&db).expect("reads"), 2);
}

#[test]
fn one_process_at_a_time_has_the_home() {
    let home = folder();
    let lock = HomeLock::take(home.path()).expect("free");
    assert!(matches!(HomeLock::take(home.path()), Err(StoreError::Busy)));
    drop(lock);
    HomeLock::take(home.path()).expect("free again");
    assert!(matches!(HomeLock::take(&home.path().join("nowhere")), Err(StoreError::Storage(_))));
}

#[cfg(unix)]
#[test]
fn nobody_else_reads_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let home = folder();
    let _lock = HomeLock::take(home.path()).expect("free");
    let _db = made(&home, 0..3);
    for name in [CORE_FILE, WAL, "core.db-shm", LOCK_FILE] {
        let metadata = fs::metadata(home.path().join(name)).expect("a file");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
}
