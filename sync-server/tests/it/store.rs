//! What stands on the disk: through crashes, restarts and damage.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use thicket_protocol::frame::Refusal;
use thicket_protocol::governance::Role;
use thicket_protocol::record::{Batch, ChainPoint};
use thicket_sync_server::{Store, StoreError};

use crate::fixture::{IDENTITIES, LEDGER, Link, ROSTER, SHARED, World, open};

/// A store of a team of two with batches, and their receipts.
fn filled() -> (World, Vec<(Batch, Vec<u8>)>) {
    let mut world = World::new();
    let ben = world.join(12, Role::Fieldworker);
    let mut kept = Vec::new();
    for phone in [&world.anna, &ben] {
        let mut before = None;
        for tag in 0..6 {
            let batch = world.batch(phone, SHARED, before.as_ref(), &[tag, tag + 100]);
            let mut link = Link::of(&mut world.store, world.team.id(), phone);
            let receipt = link.push(&mut world.store, &batch).expect("taken");
            kept.push((batch.clone(), receipt.bytes().to_vec()));
            before = Some(batch);
        }
    }
    (world, kept)
}

pub(crate) fn copy(from: &Path) -> TempDir {
    let to = TempDir::new().expect("a folder");
    for file in fs::read_dir(from).expect("the folder") {
        let file = file.expect("a file");
        fs::copy(file.path(), to.path().join(file.file_name())).expect("a copy");
    }
    to
}

#[test]
fn a_restart_keeps_positions_roots_and_receipts() {
    let (world, kept) = filled();
    let World { store, folder, anna, team } = world;
    let (key, incarnation) = (store.public_key(), store.incarnation());
    drop(store);
    let mut store = open(folder.path());
    assert_eq!((store.public_key(), store.incarnation()), (key, incarnation));
    assert_eq!(*store.team(&team.id()).expect("read").expect("there"), team, "the log says the same");
    let mut link = Link::of(&mut store, team.id(), &anna);
    for (batch, receipt) in kept.iter().take(6) {
        assert_eq!(link.push(&mut store, batch).expect("taken before").bytes(), receipt);
    }
    let root = kept.iter().fold(ChainPoint::START, |at, (batch, _)| at.next(&batch.hash()));
    assert_eq!(store.space(&team.id(), &SHARED).expect("read").expect("there").at, root);
}

#[test]
fn what_was_not_committed_together_is_gone_together() {
    let (mut world, _) = filled();
    let first = world.batch(&world.anna, LEDGER, None, &[1]);
    let second = world.batch(&world.anna, LEDGER, Some(&first), &[2]);
    let mut link = world.link();
    world.store.begin().expect("a group");
    link.push(&mut world.store, &first).expect("taken");
    link.push(&mut world.store, &second).expect("taken");
    let invite = world.entry(thicket_protocol::governance::Act::Close { notebook: crate::fixture::NOTEBOOK });
    link.ask(&mut world.store, &crate::fixture::put(invite.bytes(), &[], &[]));
    let World { store, folder, team, .. } = world;
    drop(store);
    let mut store = open(folder.path());
    assert_eq!(store.space(&team.id(), &LEDGER).expect("read").expect("there").at, ChainPoint::START);
    assert_eq!(store.team(&team.id()).expect("read").expect("there").head(), team.head());
}

/// A power cut may end the write-ahead log anywhere.
#[test]
fn a_log_cut_anywhere_leaves_a_whole_beginning_of_what_was() {
    let (world, kept) = filled();
    let whole = copy(world.folder.path());
    let length = fs::metadata(whole.path().join("server.db-wal")).expect("a log").len();
    assert!(length > 50_000, "the log holds what was written: {length}");
    let mut positions = Vec::new();
    for cut in (0..=40).map(|part| length * part / 40).chain([length - 1, 31, 32, 33]) {
        let copied = copy(whole.path());
        let log = fs::OpenOptions::new().write(true).open(copied.path().join("server.db-wal"));
        log.expect("the log").set_len(cut).expect("cut");
        let opened = Store::open(copied.path(), &mut |_| panic!("nothing new is drawn"));
        let Ok(mut store) = opened else {
            // Cut before the schema was whole: said, not papered over.
            assert!(opened.is_err_and(|error| error.is_damage()), "cut at {cut}");
            positions.push(None);
            continue;
        };
        let team = store.team(&world.team.id()).expect("the log holds");
        let at = team.and_then(|team| store.space(&team.id(), &SHARED).expect("read"));
        let pos = at.map_or(0, |space| space.at.pos);
        let taken = usize::try_from(pos).expect("few");
        let root = kept.iter().take(taken).fold(ChainPoint::START, |at, (batch, _)| at.next(&batch.hash()));
        assert_eq!(at.map_or(ChainPoint::START, |space| space.at), root, "cut at {cut}");
        for (index, (batch, _)) in kept.iter().enumerate() {
            let head = batch.head();
            let kept = store.batch(&world.team.id(), &SHARED, &head.device, head.seq).expect("read");
            assert_eq!(kept.is_some(), index < taken, "cut at {cut}: batch {index} of {taken}");
        }
        positions.push(Some(pos));
    }
    let (cuts, edges) = positions.split_at(41);
    assert!(cuts.is_sorted(), "more log, more kept");
    assert_eq!(cuts.last(), Some(&Some(12)), "the whole log keeps everything");
    assert!(edges[0] < Some(12), "a log that lacks its last byte lacks its last commit");
}

/// A bit that flips in the middle must not end the log in silence, as it would for SQLite alone.
#[test]
fn a_bit_flipped_anywhere_in_a_log_never_loses_what_was_answered_in_silence() {
    let (world, _) = filled();
    let whole = copy(world.folder.path());
    let log = fs::read(whole.path().join("server.db-wal")).expect("a log");
    let (mut said, mut last) = (0, 0);
    for at in (0..40).chain((40..log.len()).step_by(log.len() / 150)) {
        let copied = copy(whole.path());
        let mut flipped = log.clone();
        flipped[at] ^= 0x10;
        fs::write(copied.path().join("server.db-wal"), flipped).expect("written");
        match Store::open(copied.path(), &mut |_| panic!("nothing new is drawn")) {
            Err(error) => {
                assert!(error.is_damage(), "byte {at}: {error}");
                said += 1;
            }
            Ok(store) => {
                let pos = store.space(&world.team.id(), &SHARED).expect("read").expect("there").at.pos;
                assert!(pos >= 11, "byte {at}: only the last transaction may look cut off, not {pos} of 12");
                last += 1;
            }
        }
    }
    assert!(said > 150 && last > 0, "{said} were said, {last} lay in the last transaction");
}

#[test]
fn bodies_and_vault_rows_are_counted_as_their_spaces_say() {
    let (world, _) = filled();
    let World { store, folder, team, .. } = world;
    drop(store);
    let database = rusqlite::Connection::open(folder.path().join("server.db")).expect("a database");
    let count = |text: &str| -> i64 { database.query_row(text, [], |row| row.get(0)).expect("a count") };
    assert_eq!(count("SELECT count(*) FROM bodies"), 24);
    assert_eq!(count("SELECT sum(vault) FROM spaces"), count("SELECT count(*) FROM vault_keys"));
    assert_eq!(count("SELECT sum(vault) FROM spaces"), count("SELECT sum(count) FROM packs"));
    let unscoped = "SELECT count(*) FROM gov WHERE team <> (SELECT team FROM gov LIMIT 1)";
    assert_eq!(count(unscoped), 0);
    assert_eq!(team.spaces().keys().copied().collect::<Vec<_>>(), [ROSTER, LEDGER, SHARED, IDENTITIES]);
}

/// Damages a filled folder and says how opening it fails.
fn damaged(damage: impl FnOnce(&Path)) -> StoreError {
    let (world, _) = filled();
    let World { store, folder, .. } = world;
    drop(store);
    damage(folder.path());
    let before: Vec<_> = files(folder.path());
    let mut drawn = false;
    let opened = Store::open(folder.path(), &mut |_| drawn = true);
    let error = opened.map(|_| ()).expect_err("damage is an error");
    assert!(!drawn, "nothing new is made in the place of what is damaged");
    assert_eq!(files(folder.path()), before, "what is left is left as it is");
    error
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |name: &str| fs::read(folder.join(name)).map(|bytes| (name.to_owned(), bytes)).ok();
    ["server.db", "server.key"].into_iter().filter_map(read).collect()
}

#[test]
fn damage_is_said_and_never_overwritten() {
    let write = |name: &'static str, bytes: &'static [u8]| {
        move |folder: &Path| fs::write(folder.join(name), bytes).expect("written")
    };
    let remove =
        |name: &'static str| move |folder: &Path| fs::remove_file(folder.join(name)).expect("removed");
    assert!(damaged(write("server.key", b"short")).is_damage());
    assert!(damaged(write("server.key", b"")).is_damage());
    assert!(damaged(write("server.key", &[7; 32])).is_damage(), "a key of another folder");
    assert!(damaged(remove("server.key")).is_damage());
    assert!(damaged(write("server.db", b"")).is_damage());
    assert!(damaged(write("server.db", &[9; 8_192])).is_damage());
    assert!(damaged(remove("server.db")).is_damage());
    let header = |folder: &Path| {
        let mut bytes = fs::read(folder.join("server.db")).expect("read");
        bytes[..16].fill(0);
        fs::write(folder.join("server.db"), bytes).expect("written");
    };
    assert!(damaged(header).is_damage());
    let later = |folder: &Path| {
        let database = rusqlite::Connection::open(folder.join("server.db")).expect("a database");
        database.pragma_update(None, "user_version", 2).expect("set");
    };
    assert!(matches!(damaged(later), StoreError::Newer { .. }));
}

#[test]
fn a_governance_log_that_was_changed_is_not_followed() {
    let (world, _) = filled();
    let World { store, folder, team, .. } = world;
    drop(store);
    let database = rusqlite::Connection::open(folder.path().join("server.db")).expect("a database");
    database.execute("DELETE FROM gov WHERE seq = 1", []).expect("deleted");
    drop(database);
    let error = open(folder.path()).team(&team.id()).map(|_| ()).expect_err("the log has a hole");
    assert!(error.is_damage());
}

#[test]
fn a_start_that_was_cut_off_before_the_key_was_written_begins_again() {
    let folder = TempDir::new().expect("a folder");
    drop(open(folder.path()));
    fs::remove_file(folder.path().join("server.key")).expect("removed");
    let store = open(folder.path());
    assert_eq!(fs::read(folder.path().join("server.key")).expect("a key").len(), 32);
    assert_eq!(store.teams_count().expect("read"), 0);
}

#[test]
fn a_store_that_refuses_is_said_and_what_was_asked_can_be_asked_again() {
    let mut world = World::new();
    let batch = world.batch(&world.anna, SHARED, None, &[50]);
    let mut link = world.link();
    let outside = rusqlite::Connection::open(world.folder.path().join("server.db")).expect("a database");
    outside.execute_batch("BEGIN IMMEDIATE").expect("held from outside");
    assert_eq!(link.push(&mut world.store, &batch).map(|_| ()), Err(Refusal::Storage));
    assert!(!link.session.is_closed());
    assert_eq!(link.hints(), []);
    outside.execute_batch("ROLLBACK").expect("let go");
    assert_eq!(link.push(&mut world.store, &batch).expect("taken").body().at.pos, 1);
}

#[test]
fn a_folder_is_one_servers_at_a_time() {
    let (world, _) = filled();
    let second = Store::open(world.folder.path(), &mut |_| {});
    assert!(matches!(second.map(|_| ()), Err(StoreError::Busy { .. })));
    let World { store, folder, .. } = world;
    drop(store);
    open(folder.path());
}

#[cfg(unix)]
#[test]
fn the_key_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::founded();
    let mode = fs::metadata(world.folder.path().join("server.key")).expect("a key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
