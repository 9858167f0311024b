#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use thicket_protocol::ids::{DeviceId, DocTag, Hash, Incarnation, KeyId, Salt, SpaceId};
use thicket_protocol::record::{Batch, ChainPoint, GovPoint, Head, Item, ItemKind, Seen, body_hash};
use thicket_protocol::sign::{SUITE, Signer, VERSION};

use super::anew::seal_anew;
use super::*;
use crate::ids::GenerationId;
use crate::secret::VaultKey;
use crate::secret::tests::Seeded;
use crate::store::Durability;

const SPACE: SpaceId = SpaceId::from_bytes([0x5a; 16]);
const OTHER_SPACE: SpaceId = SpaceId::from_bytes([0x5b; 16]);
const GENERATION: GenerationId = GenerationId::from_bytes([0x6e; 16]);

/// A home of one database, with what its functions want at hand.
struct Desk {
    folder: TempDir,
    db: Database,
    local: LocalKey,
    entropy: Seeded,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let db = create(folder.path(), &key()).expect("made");
        Self { folder, db, local: LocalKey::from_bytes([0x1c; 32]), entropy: Seeded::new(1) }
    }

    #[track_caller]
    fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>, &mut Sealer<'_>) -> Result<T, StoreError>,
    ) -> T {
        let mut sealer = Sealer { key: &self.local, entropy: &mut self.entropy };
        self.db.write(Durability::Full, |tx| work(tx, &mut sealer)).expect("written")
    }

    fn read(&self) -> &Connection {
        self.db.read()
    }
}

fn key() -> DatabaseKey {
    DatabaseKey::from_bytes([0xd8; 32])
}

fn tag(byte: u8) -> DocTag {
    DocTag::from_bytes([byte; 16])
}

fn signer(device: u8) -> (Signer, DeviceId) {
    let signer = Signer::from_seed(&[device; 32]);
    let id = DeviceId::derive(&signer.public_key());
    (signer, id)
}

/// A batch of a device with one body a doc tag.
fn batch_of(device: u8, seq: u64, prev: Hash, tags: &[u8]) -> Batch {
    let (signer, device) = signer(device);
    let head = Head {
        v: VERSION,
        suite: SUITE,
        space: SPACE,
        device,
        seq,
        prev,
        epoch: 1,
        gov: GovPoint { seq: 0, hash: Hash::ZERO },
        seen: Seen { incarnation: Incarnation::from_bytes([9; 16]), at: ChainPoint::START },
        ledger: ChainPoint::START,
        salt: Salt::from_bytes([3; 16]),
    };
    let bodies: Vec<Vec<u8>> = tags.iter().map(|tag| vec![*tag; 100 + usize::from(*tag)]).collect();
    let items = tags.iter().zip(&bodies).map(|(byte, body)| Item {
        doc_tag: tag(*byte),
        kind: ItemKind::Delta,
        commit: Hash::ZERO,
        body_len: u32::try_from(body.len()).expect("short"),
        body_hash: body_hash(body),
        covers: Vec::new(),
    });
    Batch::sign(head, items.collect(), bodies, &signer).expect("a batch")
}

fn without_body(batch: &Batch, without: usize) -> Batch {
    Batch::decode(&batch.encode(|index| index != without)).expect("a batch")
}

fn place(pos: u64) -> ChainPoint {
    ChainPoint { pos, root: Hash::from_bytes([u8::try_from(pos).expect("small"); 32]) }
}

#[test]
fn arrival_numbers_are_never_given_twice() {
    let mut desk = Desk::new();
    assert_eq!(newest_arrival(desk.read()).expect("reads"), 0);
    let first = batch_of(1, 1, Hash::ZERO, &[7]);
    let given = desk.write(|tx, sealer| {
        Ok([
            add_batch(tx, &first, None)?,
            put_unsent(tx, sealer, SPACE, GENERATION, b"body")?,
            add_object(tx, sealer, SPACE, Hash::ZERO, b"object")?,
            put_unsent(tx, sealer, SPACE, GENERATION, b"longer body")?,
        ])
    });
    assert_eq!(given, [1, 2, 3, 4]);
    desk.write(|tx, _| {
        remove_unsent(tx, GENERATION)?;
        remove_object(tx, SPACE, Hash::ZERO)
    });
    let mut sealer = Sealer { key: &desk.local, entropy: &mut desk.entropy };
    let refused: Result<(), StoreError> = desk.db.write(Durability::Full, |tx| {
        assert_eq!(add_object(tx, &mut sealer, SPACE, Hash::ZERO, b"lost")?, 5);
        Err(StoreError::Busy)
    });
    assert!(refused.is_err());
    let next = desk.write(|tx, sealer| add_object(tx, sealer, SPACE, Hash::ZERO, b"kept"));
    assert_eq!((next, newest_arrival(desk.read()).expect("reads")), (5, 5));
}

#[test]
fn settings_are_kept_sealed_and_taken_away() {
    let mut desk = Desk::new();
    let read = |desk: &Desk, name| {
        setting(desk.read(), &desk.local, name).expect("reads").map(|value| value.to_vec())
    };
    desk.write(|tx, sealer| {
        set_setting(tx, sealer, Setting::Server, Some(b"one"))?;
        set_setting(tx, sealer, Setting::Server, Some(b"two"))?;
        set_setting(tx, sealer, Setting::Tips, Some(b""))
    });
    assert_eq!(read(&desk, Setting::Server).as_deref(), Some(b"two".as_slice()));
    assert_eq!(read(&desk, Setting::Tips).as_deref(), Some(b"".as_slice()));
    assert_eq!(read(&desk, Setting::Joining), None);
    desk.write(|tx, sealer| set_setting(tx, sealer, Setting::Server, None));
    assert_eq!(read(&desk, Setting::Server), None);
    // A value that was moved to another name is not taken for that name's.
    desk.write(|tx, _| CORE.run(tx, "UPDATE settings SET name = 'server' WHERE name = 'tips'", []));
    let moved = setting(desk.read(), &desk.local, Setting::Server);
    assert!(matches!(moved, Err(StoreError::Damaged { file: CORE_FILE })));
}

#[test]
fn the_log_keeps_order_and_staged_packs_until_the_server_has_it() {
    let mut desk = Desk::new();
    let packs = [vec![1], vec![], vec![3; 9]];
    desk.write(|tx, _| {
        add_entry(tx, 0, b"genesis", true, &packs)?;
        add_entry(tx, 1, b"second", false, &packs)
    });
    let row = |bytes: &[u8], on_server, packs: &[Vec<u8>]| EntryRow {
        bytes: bytes.to_vec(),
        on_server,
        packs: packs.to_vec(),
    };
    let found = entries(desk.read()).expect("reads");
    assert_eq!(found, [row(b"genesis", true, &[]), row(b"second", false, &packs)]);
    desk.write(|tx, _| entry_is_on_server(tx, 1));
    assert_eq!(entries(desk.read()).expect("reads")[1], row(b"second", true, &[]));
}

#[test]
fn an_older_statement_never_replaces_a_newer_one() {
    let mut desk = Desk::new();
    let device = signer(1).1;
    for (counter, bytes, is_kept) in
        [(2, b"two", true), (1, b"one", false), (2, b"2nd", true), (3, b"3rd", true)]
    {
        assert_eq!(desk.write(|tx, _| put_statement(tx, device, counter, bytes)), is_kept, "{counter}");
    }
    desk.write(|tx, _| put_statement(tx, signer(2).1, 1, b"other"));
    let found = statements(desk.read()).expect("reads");
    assert_eq!(found.len(), 2);
    assert!(found.contains(&b"3rd".to_vec()));
}

#[test]
fn a_vault_is_kept_in_order_and_cleared_alone() {
    let mut desk = Desk::new();
    desk.write(|tx, _| {
        add_pack(tx, OTHER_SPACE, 1, 2, b"other")?;
        add_pack(tx, SPACE, 1, 256, b"first")?;
        add_pack(tx, SPACE, 1, 1, b"second")
    });
    let found = packs(desk.read()).expect("reads");
    let row = |space, bytes: &[u8]| (space, bytes.to_vec());
    assert_eq!(found, [row(SPACE, b"first"), row(SPACE, b"second"), row(OTHER_SPACE, b"other")]);
    desk.write(|tx, _| clear_vault(tx, SPACE));
    assert_eq!(packs(desk.read()).expect("reads"), [row(OTHER_SPACE, b"other")]);
}

#[test]
fn own_keys_stay_sealed_until_they_are_removed() {
    let mut desk = Desk::new();
    let secrets: Vec<VaultKey> = (1..=3).map(|byte| VaultKey::from_bytes([byte; 32])).collect();
    desk.write(|tx, sealer| {
        add_own_key(tx, sealer, SPACE, &secrets[0])?;
        add_own_key(tx, sealer, SPACE, &secrets[0])?;
        add_own_key(tx, sealer, SPACE, &secrets[1])?;
        add_own_key(tx, sealer, OTHER_SPACE, &secrets[2])
    });
    let found = own_keys(desk.read(), &desk.local).expect("reads");
    assert_eq!(found.len(), 3);
    assert!(found.iter().any(|(space, secret)| *space == SPACE && secret.expose() == &[2; 32]));
    let ids: Vec<KeyId> = secrets.iter().map(VaultKey::id).collect();
    desk.write(|tx, _| remove_own_keys(tx, SPACE, &ids));
    let left = own_keys(desk.read(), &desk.local).expect("reads");
    assert!(matches!(left.as_slice(), [(OTHER_SPACE, secret)] if secret.id() == ids[2]));
    let other = LocalKey::from_bytes([0x1d; 32]);
    assert!(matches!(own_keys(desk.read(), &other), Err(StoreError::Damaged { .. })));
}

#[test]
fn a_batch_comes_back_as_it_was_received() {
    let mut desk = Desk::new();
    let device = signer(1).1;
    let first = batch_of(1, 1, Hash::ZERO, &[7, 8]);
    let second = without_body(&batch_of(1, 2, first.hash(), &[7, 9, 7]), 2);
    desk.write(|tx, _| {
        add_batch(tx, &first, None)?;
        add_batch(tx, &second, Some(place(5)))
    });
    let db = desk.read();
    assert_eq!(batch(db, SPACE, device, 1).expect("reads").as_ref(), Some(&first));
    assert_eq!(batch(db, SPACE, device, 2).expect("reads").as_ref(), Some(&second));
    assert_eq!(batch(db, OTHER_SPACE, device, 1).expect("reads"), None);
    assert_eq!(batch_hash(db, SPACE, device, 2).expect("reads"), Some(second.hash()));
    assert_eq!(last_batch(db, SPACE, device).expect("reads"), Some((2, second.hash())));
    assert_eq!(last_batch(db, SPACE, signer(2).1).expect("reads"), None);
    assert_eq!(batches_after(db, 0, 9).expect("reads"), [(1, first.clone()), (2, second.clone())]);
    assert_eq!(batches_after(db, 0, 1).expect("reads"), [(1, first.clone())]);
    assert_eq!(batches_after(db, 1, 9).expect("reads"), [(2, second.clone())]);
    assert_eq!(batches_after(db, u64::MAX, 9).expect("reads"), []);

    assert_eq!(unplaced(db, SPACE, device).expect("reads"), [1]);
    assert_eq!(count_batches(db, SPACE).expect("reads"), (2, 1));
    assert_eq!(root_at(db, SPACE, 5).expect("reads"), Some(place(5).root));
    assert_eq!(root_at(db, SPACE, 6).expect("reads"), None);
    assert!(desk.write(|tx, _| place_batch(tx, SPACE, device, 1, place(6))));
    assert!(!desk.write(|tx, _| place_batch(tx, SPACE, device, 3, place(7))));
    let db = desk.read();
    assert_eq!(unplaced(db, SPACE, device).expect("reads"), []);
    assert_eq!(root_at(db, SPACE, 6).expect("reads"), Some(place(6).root));
    let again = desk.db.write(Durability::Full, |tx| add_batch(tx, &first, None));
    assert!(matches!(again, Err(StoreError::Fault(_))), "a place in a chain is taken once");
}

#[test]
fn the_parts_of_a_document_come_by_device_and_number() {
    let mut desk = Desk::new();
    let first = batch_of(1, 1, Hash::ZERO, &[8, 7, 7]);
    let second = without_body(&batch_of(1, 2, first.hash(), &[7]), 0);
    let other = batch_of(2, 1, Hash::ZERO, &[7]);
    desk.write(|tx, _| {
        add_batch(tx, &second, None)?;
        add_batch(tx, &other, None)?;
        add_batch(tx, &first, None)
    });
    let parts = parts_of(desk.read(), SPACE, tag(7)).expect("reads");
    let mut expected = vec![
        (3, first.head().device, 1, 1, BodyState::Kept),
        (3, first.head().device, 1, 2, BodyState::Kept),
        (1, first.head().device, 2, 0, BodyState::LeftOut),
        (2, other.head().device, 1, 0, BodyState::Kept),
    ];
    expected.sort_by_key(|(_, device, seq, index, _)| (*device, *seq, *index));
    let found: Vec<_> = parts
        .iter()
        .map(|part| (part.arrival, part.at.device, part.at.seq, part.at.index, part.state))
        .collect();
    assert_eq!(found, expected);
    for part in &parts {
        assert_eq!(part.item.doc_tag, tag(7));
        assert_eq!(part.head.device, part.at.device);
        assert_eq!(part.body, (part.state == BodyState::Kept).then(|| vec![7; 107]));
    }
    assert!(parts_of(desk.read(), OTHER_SPACE, tag(7)).expect("reads").is_empty());
}

#[test]
fn a_dead_body_is_erased_and_its_batch_still_verifies() {
    let mut desk = Desk::new();
    let canary = batch_of(1, 1, Hash::ZERO, &[7, 8]);
    desk.write(|tx, _| add_batch(tx, &canary, Some(place(1))));
    assert!(waiting(desk.read()).expect("reads").is_empty());
    desk.write(|tx, _| set_body_state(tx, 1, 1, BodyState::Waiting));
    let found = waiting(desk.read()).expect("reads");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].at.index, &found[0].body), (1, &Some(vec![8; 108])));
    for (state, has_body) in [
        (BodyState::Unreadable, true),
        (BodyState::Kept, true),
        (BodyState::Dead, false),
        (BodyState::Kept, false),
    ] {
        desk.write(|tx, _| set_body_state(tx, 1, 1, state));
        let part = parts_of(desk.read(), SPACE, tag(8)).expect("reads").remove(0);
        assert_eq!((part.state, part.body.is_some()), (state, has_body));
    }
    let left = batch(desk.read(), SPACE, canary.head().device, 1).expect("reads").expect("there");
    assert_eq!(left, without_body(&canary, 1));
    left.verify(&signer(1).0.public_key()).expect("the signature covers the body by its hash");
}

#[test]
fn looking_for_what_waits_reads_nothing_else() {
    let desk = Desk::new();
    let sql = "EXPLAIN QUERY PLAN SELECT id, state, body FROM bodies WHERE state = 1 ORDER BY id";
    let plan: Vec<String> = CORE.rows(desk.read(), sql, [], |row| row.get(3)).expect("explains");
    assert_eq!(plan, ["SCAN bodies USING INDEX bodies_waiting"]);
}

#[test]
fn a_cursor_begins_at_the_start() {
    let mut desk = Desk::new();
    assert_eq!(cursor(desk.read(), SPACE).expect("reads"), ChainPoint::START);
    let beyond = ChainPoint { pos: u64::MAX, root: Hash::ZERO };
    for at in [place(3), beyond, place(4)] {
        desk.write(|tx, _| set_cursor(tx, SPACE, at));
        assert_eq!(cursor(desk.read(), SPACE).expect("reads"), at);
    }
    assert_eq!(cursor(desk.read(), OTHER_SPACE).expect("reads"), ChainPoint::START);
}

#[test]
fn what_waits_to_be_sealed_is_listed_by_arrival_and_space() {
    let mut desk = Desk::new();
    let generation = |byte| GenerationId::from_bytes([byte; 16]);
    desk.write(|tx, sealer| {
        put_unsent(tx, sealer, SPACE, generation(1), b"one")?;
        put_unsent(tx, sealer, OTHER_SPACE, generation(2), b"two")?;
        add_object(tx, sealer, SPACE, Hash::from_bytes([1; 32]), b"object")?;
        add_object(tx, sealer, OTHER_SPACE, Hash::from_bytes([1; 32]), b"elsewhere")?;
        put_unsent(tx, sealer, SPACE, generation(1), b"one more")
    });
    let db = desk.read();
    let bodies = |space, after, limit| {
        let rows = unsent_after(db, &desk.local, space, after, limit).expect("reads");
        rows.into_iter().map(|row| (row.arrival, row.body.to_vec())).collect::<Vec<_>>()
    };
    assert_eq!(bodies(None, 0, 9), [(2, b"two".to_vec()), (5, b"one more".to_vec())]);
    assert_eq!(bodies(None, 0, 1), [(2, b"two".to_vec())]);
    assert_eq!(bodies(Some(SPACE), 0, 9), [(5, b"one more".to_vec())]);
    assert_eq!(bodies(Some(SPACE), 5, 9), []);
    let objects = |space, after| {
        let rows = objects_after(db, &desk.local, space, after, 9).expect("reads");
        rows.into_iter().map(|row| (row.arrival, row.wire.to_vec())).collect::<Vec<_>>()
    };
    assert_eq!(objects(None, 0), [(3, b"object".to_vec()), (4, b"elsewhere".to_vec())]);
    assert_eq!(objects(Some(OTHER_SPACE), 3), [(4, b"elsewhere".to_vec())]);
    let one = unsent(db, &desk.local, generation(1)).expect("reads").expect("there");
    assert_eq!((one.arrival, one.space, one.body.as_slice()), (5, SPACE, b"one more".as_slice()));
    assert_eq!(unsent(db, &desk.local, generation(3)).expect("reads"), None);
    assert_eq!(count_unsent(db, SPACE).expect("reads"), (1, 1));
    desk.write(|tx, _| remove_object(tx, SPACE, Hash::from_bytes([1; 32])));
    assert_eq!(count_unsent(desk.read(), SPACE).expect("reads"), (1, 0));
    assert_eq!(count_unsent(desk.read(), OTHER_SPACE).expect("reads"), (1, 1));
}

#[test]
fn a_journal_is_cleared_up_to_a_number_that_no_later_row_has() {
    let mut desk = Desk::new();
    let other = GenerationId::from_bytes([0x6f; 16]);
    let rows = |desk: &Desk, generation| {
        let rows = journal(desk.read(), &desk.local, generation).expect("reads");
        rows.into_iter().map(|(number, row)| (number, row.to_vec())).collect::<Vec<_>>()
    };
    desk.write(|tx, sealer| {
        add_journal(tx, sealer, GENERATION, b"a")?;
        add_journal(tx, sealer, other, b"z")?;
        add_journal(tx, sealer, GENERATION, b"b")
    });
    assert_eq!(rows(&desk, GENERATION), [(1, b"a".to_vec()), (3, b"b".to_vec())]);
    assert_eq!(journaled(desk.read()).expect("reads"), [GENERATION, other]);
    desk.write(|tx, _| clear_journal(tx, GENERATION, 3));
    assert_eq!(journaled(desk.read()).expect("reads"), [other]);
    let number = desk.write(|tx, sealer| add_journal(tx, sealer, GENERATION, b"c"));
    desk.write(|tx, _| clear_journal(tx, GENERATION, 3));
    assert_eq!(rows(&desk, GENERATION), [(number, b"c".to_vec())]);
}

/// What a killed process leaves, opened.
fn killed(desk: &Desk) -> (TempDir, Database) {
    let copy = tempfile::tempdir().expect("a folder");
    for name in [CORE_FILE, "core.db-wal"] {
        fs::copy(desk.folder.path().join(name), copy.path().join(name)).expect("copied");
    }
    let db = open(copy.path(), &key()).expect("opens");
    (copy, db)
}

#[test]
fn a_home_that_is_killed_after_any_step_has_that_step_whole() {
    let mut desk = Desk::new();
    let (mut prev, device) = (Hash::ZERO, signer(1).1);
    for step in 1..=40_u64 {
        let number = u8::try_from(step).expect("small");
        let generation = GenerationId::from_bytes([number; 16]);
        let batch = batch_of(1, step, prev, &[number, 200]);
        prev = batch.hash();
        desk.write(|tx, sealer| {
            add_journal(tx, sealer, generation, &[number; 40])?;
            add_batch(tx, &batch, Some(place(step)))?;
            set_cursor(tx, SPACE, place(step))?;
            put_unsent(tx, sealer, SPACE, generation, &[number; 900])
        });
        // A transaction that did not come to its end is as if it had never been.
        let refused: Result<(), StoreError> = desk.db.write(Durability::Normal, |tx| {
            clear_vault(tx, SPACE)?;
            set_cursor(tx, SPACE, ChainPoint::START)?;
            CORE.run(tx, "DELETE FROM batches", [])?;
            Err(StoreError::Busy)
        });
        assert!(refused.is_err());
        let (_copy, db) = killed(&desk);
        let db = db.read();
        assert_eq!(newest_arrival(db).expect("reads"), 2 * step);
        assert_eq!(cursor(db, SPACE).expect("reads"), place(step));
        assert_eq!(last_batch(db, SPACE, device).expect("reads"), Some((step, prev)));
        assert_eq!(batches_after(db, 0, 100).expect("reads").len(), usize::from(number));
        assert_eq!(parts_of(db, SPACE, tag(200)).expect("reads").len(), usize::from(number));
        let unsent = unsent_after(db, &desk.local, None, 2 * step - 1, 9).expect("reads");
        assert_eq!(unsent.len(), 1);
        assert_eq!(journal(db, &desk.local, generation).expect("reads").len(), 1);
    }
}

#[test]
fn rows_that_make_no_sense_are_damage_and_no_panic() {
    let mut desk = Desk::new();
    let first = batch_of(1, 1, Hash::ZERO, &[7, 8]);
    desk.write(|tx, sealer| {
        add_entry(tx, 0, b"genesis", true, &[])?;
        add_pack(tx, SPACE, 1, 1, b"pack")?;
        add_own_key(tx, sealer, SPACE, &VaultKey::from_bytes([1; 32]))?;
        add_batch(tx, &first, Some(place(1)))?;
        set_cursor(tx, SPACE, place(1))?;
        put_unsent(tx, sealer, SPACE, GENERATION, b"body")?;
        add_object(tx, sealer, SPACE, Hash::ZERO, b"object")?;
        add_journal(tx, sealer, GENERATION, b"row")
    });
    type Read = fn(&Connection, &LocalKey) -> Result<(), StoreError>;
    let cases: [(&str, Read); 14] = [
        ("UPDATE entries SET bytes = 'text'", |db, _| entries(db).map(drop)),
        ("UPDATE packs SET space = x'01'", |db, _| packs(db).map(drop)),
        ("UPDATE own_keys SET secret = x'01'", |db, key| own_keys(db, key).map(drop)),
        ("UPDATE own_keys SET id = x'01'", |db, key| own_keys(db, key).map(drop)),
        ("UPDATE batches SET head = x'a0'", |db, _| batches_after(db, 0, 9).map(drop)),
        ("UPDATE batches SET items = x'8080'", |db, _| parts_of(db, SPACE, tag(7)).map(drop)),
        ("UPDATE batches SET signature = x'00'", |db, _| batches_after(db, 0, 9).map(drop)),
        ("UPDATE bodies SET body = x'00'", |db, _| batches_after(db, 0, 9).map(drop)),
        ("DELETE FROM bodies WHERE id & 255 = 1", |db, _| batches_after(db, 0, 9).map(drop)),
        ("UPDATE bodies SET state = 9", |db, _| parts_of(db, SPACE, tag(7)).map(drop)),
        ("UPDATE bodies SET id = -1 WHERE id & 255 = 1", |db, _| parts_of(db, SPACE, tag(8)).map(drop)),
        ("UPDATE cursors SET root = x'0102'", |db, _| cursor(db, SPACE).map(drop)),
        ("UPDATE unsent SET generation = zeroblob(16)", |db, key| {
            unsent_after(db, key, None, 0, 9).map(drop)
        }),
        ("UPDATE journal SET number = 7", |db, key| journal(db, key, GENERATION).map(drop)),
    ];
    for (harm, read) in cases {
        read(desk.read(), &desk.local).unwrap_or_else(|error| panic!("before {harm}: {error}"));
        let done: Result<(), StoreError> = desk.db.write(Durability::Normal, |tx| {
            assert!(CORE.run(tx, harm, [])? > 0, "{harm}");
            let found = read(tx, &desk.local);
            assert!(matches!(found, Err(StoreError::Damaged { file: CORE_FILE })), "{harm}: {found:?}");
            Err(StoreError::Busy)
        });
        assert!(matches!(done, Err(StoreError::Busy)));
    }
}

#[test]
fn values_that_are_sealed_anew_open_under_the_new_key_alone() {
    let mut desk = Desk::new();
    desk.write(|tx, sealer| {
        set_setting(tx, sealer, Setting::Server, Some(b"server"))?;
        set_setting(tx, sealer, Setting::Tips, Some(b"tips"))?;
        add_own_key(tx, sealer, SPACE, &VaultKey::from_bytes([1; 32]))?;
        put_unsent(tx, sealer, SPACE, GENERATION, b"body")?;
        add_object(tx, sealer, SPACE, Hash::ZERO, b"object")?;
        add_journal(tx, sealer, GENERATION, b"one")?;
        add_journal(tx, sealer, GENERATION, b"two")
    });
    let old = std::mem::replace(&mut desk.local, LocalKey::from_bytes([0x1d; 32]));
    desk.write(|tx, sealer| seal_anew(tx, &old, sealer));
    let db = desk.read();
    let all = |key: &LocalKey| -> [Result<Vec<u8>, StoreError>; 5] {
        let value = |found: Result<Option<Zeroizing<Vec<u8>>>, StoreError>| {
            found.map(|value| value.expect("there").to_vec())
        };
        [
            value(setting(db, key, Setting::Tips)),
            own_keys(db, key).map(|keys| keys[0].1.expose().to_vec()),
            unsent(db, key, GENERATION).map(|row| row.expect("there").body.to_vec()),
            objects_after(db, key, None, 0, 9).map(|rows| rows[0].wire.to_vec()),
            journal(db, key, GENERATION).map(|rows| rows[1].1.to_vec()),
        ]
    };
    let expected: [&[u8]; 5] = [b"tips", &[1; 32], b"body", b"object", b"two"];
    for (found, expected) in all(&desk.local).into_iter().zip(expected) {
        assert_eq!(found.expect("opens"), expected);
    }
    for found in all(&old) {
        assert!(matches!(found, Err(StoreError::Damaged { .. })));
    }
    // Whoever adds a table has to say here that it holds nothing sealed, or to name it in the list.
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
    let tables: u32 = CORE.one(db, sql, [], |row| row.get(0)).expect("counts");
    assert_eq!(tables, 13, "a new table is sealed anew too, or holds nothing sealed");
    let again = desk.db.write(Durability::Full, |tx| {
        let mut sealer = Sealer { key: &desk.local, entropy: &mut desk.entropy };
        seal_anew(tx, &old, &mut sealer)
    });
    assert!(matches!(again, Err(StoreError::Damaged { .. })), "the wrong old key changes nothing");
    assert!(setting(desk.read(), &desk.local, Setting::Server).is_ok());
}

fn files(folder: &Path) -> Vec<u8> {
    let names = [CORE_FILE, "core.db-wal", "core.db-shm"];
    names.iter().flat_map(|name| fs::read(folder.join(name)).unwrap_or_default()).collect()
}

#[test]
fn no_sealed_value_is_in_the_tables_even_without_the_files_own_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = Database::create_clear(folder.path(), CORE_FILE, schema::MIGRATIONS).expect("made");
    let mut desk = Desk { folder, db, local: LocalKey::from_bytes([0x1c; 32]), entropy: Seeded::new(1) };
    let canary = b"a canary sings in the surgery";
    desk.write(|tx, sealer| {
        set_setting(tx, sealer, Setting::OwnNames, Some(canary))?;
        put_unsent(tx, sealer, SPACE, GENERATION, canary)?;
        add_object(tx, sealer, SPACE, Hash::ZERO, canary)?;
        add_own_key(tx, sealer, SPACE, &VaultKey::from_bytes(*b"a canary sings in the surgery 32"))?;
        add_journal(tx, sealer, GENERATION, canary)
    });
    let found = |bytes: &[u8], word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
    let bytes = files(desk.folder.path());
    assert!(found(&bytes, b"CREATE TABLE"), "the file is in the clear");
    assert!(!found(&bytes, b"canary"));
}
