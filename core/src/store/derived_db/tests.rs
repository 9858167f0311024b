#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use rusqlite::params_from_iter;
use rusqlite::types::Value;
use tempfile::TempDir;
use thicket_protocol::cbor;
use thicket_protocol::ids::{MemberId, NotebookId};
use thicket_protocol::record::ItemRef;

use super::generations::remove_generation;
use super::*;
use crate::ids::{EncounterId, GenerationId, NoteId, ParticipantId};
use crate::store::Durability;
use crate::text::{Prose, units};
use crate::time::Observed;
use crate::view::tests::{hash, view};
use crate::view::{EncodedView, Heads};
use crate::vocabulary::StampStatus;
use crate::words::Query;

const BOOK: NotebookId = NotebookId::from_bytes([0xb0; 16]);
const OTHER_BOOK: NotebookId = NotebookId::from_bytes([0xb1; 16]);

fn key() -> DatabaseKey {
    DatabaseKey::from_bytes([0xd8; 32])
}

fn id(number: u32) -> [u8; 16] {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    id
}

fn generation_id(number: u32) -> GenerationId {
    GenerationId::from_bytes(id(number))
}

fn person(byte: u8) -> ParticipantId {
    ParticipantId::from_bytes([byte; 16])
}

fn at(text: &str) -> Observed {
    text.parse().expect("a time of the test")
}

fn written(title: &str, text: &str) -> Vec<u8> {
    let mut view = view();
    view.title = Prose::from_units(&units(title));
    view.text = Prose::from_units(&units(text));
    cbor::encode(&EncodedView::of(&view))
}

fn row(number: u32, text: &str) -> GenerationRow {
    GenerationRow {
        generation: generation_id(number),
        space: SpaceId::from_bytes([1; 16]),
        notebook: BOOK,
        is_private: false,
        note: NoteId::from_bytes(id(number)),
        parent: None,
        draft_of: None,
        author: MemberId::from_bytes([5; 16]),
        encounter: None,
        observed: at("2026-11-25"),
        recorded_ms: i64::from(number),
        ever_named: BTreeSet::from([person(1), person(2)]),
        people: BTreeSet::from([person(1)]),
        status: StampStatus::Valid,
        heads: Heads::from([hash(4)]),
        view: written("A visit", text),
        title: cbor::encode(&Prose::from_units(&units("A visit"))),
        is_shown: true,
    }
}

struct Desk {
    folder: TempDir,
    db: Database,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let db = create(folder.path(), &key()).expect("made");
        Self { folder, db }
    }

    #[track_caller]
    fn write<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> T {
        self.db.write(Durability::Normal, work).expect("written")
    }

    #[track_caller]
    fn put(&mut self, rows: &[GenerationRow]) {
        self.write(|tx| rows.iter().try_for_each(|row| put_generation(tx, row)));
    }

    fn read(&self) -> &Connection {
        self.db.read()
    }

    /// The numbers of the generations that a list has, by pages of three, checked against the count.
    #[track_caller]
    fn list(&self, wanted: &Wanted) -> Vec<u32> {
        let mut found: Vec<u32> = Vec::new();
        let mut after = None;
        loop {
            let page = list(self.read(), wanted, after, 3).expect("reads");
            let Some(last) = page.last() else { break };
            after = Some(After { observed: last.observed, recorded_ms: last.recorded_ms, note: last.note });
            found.extend(page.iter().map(|row| number_of(row.generation)));
        }
        found
    }

    #[track_caller]
    fn search(&self, wanted: &Wanted, query: &str) -> Vec<u32> {
        let query = Query::parse(query, true, &BTreeMap::new());
        let found = search(self.read(), wanted, &query, 100).expect("reads");
        found.iter().map(|row| number_of(row.generation)).collect()
    }
}

fn number_of(generation: GenerationId) -> u32 {
    let [a, b, c, d, ..] = *generation.as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

#[test]
fn a_row_comes_back_as_it_was_put() {
    let mut desk = Desk::new();
    let full = GenerationRow {
        parent: Some(generation_id(8)),
        draft_of: Some(generation_id(9)),
        encounter: Some(EncounterId::from_bytes([7; 16])),
        observed: at("1660-01-01/night"),
        recorded_ms: i64::MIN,
        is_private: true,
        status: StampStatus::Blocked,
        is_shown: false,
        people: BTreeSet::new(),
        ..row(1, "one")
    };
    let plain = row(2, "two");
    desk.put(&[full.clone(), plain.clone()]);
    for row in [&full, &plain] {
        assert_eq!(generation(desk.read(), row.generation).expect("reads").as_ref(), Some(row));
    }
    assert_eq!(generation(desk.read(), generation_id(3)).expect("reads"), None);
    let changed =
        GenerationRow { people: BTreeSet::from([person(3), person(4)]), note: plain.note, ..full.clone() };
    desk.put(std::slice::from_ref(&changed));
    assert_eq!(generations_of(desk.read(), plain.note).expect("reads"), [changed, plain]);
    assert_eq!(generations_of(desk.read(), full.note).expect("reads"), []);
    assert_eq!(generations_about(desk.read(), person(3)).expect("reads"), [generation_id(1)]);
    assert_eq!(generations_about(desk.read(), person(1)).expect("reads"), [generation_id(2)]);
    let encounter = EncounterId::from_bytes([7; 16]);
    assert_eq!(generations_at(desk.read(), encounter).expect("reads"), [generation_id(1)]);
}

#[test]
fn every_status_reads_back_and_is_found() {
    let mut desk = Desk::new();
    for (number, status) in (1..).zip(StampStatus::ALL.iter().copied()) {
        let is_private = number % 2 == 0;
        desk.put(&[GenerationRow { is_private, ..row(number, "text") }]);
        desk.write(|tx| set_status(tx, generation_id(number), status));
        let found = generations_where(desk.read(), Some(BOOK), Some(is_private), &[status]).expect("reads");
        assert_eq!(found, [generation_id(number)], "{status}");
        assert_eq!(generations_where(desk.read(), None, Some(!is_private), &[status]).expect("reads"), []);
        assert_eq!(
            generation(desk.read(), generation_id(number)).expect("reads").expect("there").status,
            status
        );
    }
    let where_any =
        |statuses: &[StampStatus]| generations_where(desk.read(), None, None, statuses).expect("reads");
    assert_eq!(where_any(StampStatus::ALL).len(), StampStatus::ALL.len());
    assert_eq!(where_any(&[]), []);
    assert_eq!(generations_where(desk.read(), Some(OTHER_BOOK), None, StampStatus::ALL).expect("reads"), []);
}

#[test]
fn a_list_is_newest_first_and_pages_without_a_gap() {
    let mut desk = Desk::new();
    // In the order that a list is to have.
    let times = [
        "2026-11-25/night",
        "2026-11-25T10:00:00Z",
        "2026-11-25/morning",
        "2026-11-25T00:30:00+13:00",
        "2026-11-25",
        "2026-11-24T23:59:00-11:00",
        "2026-11-24",
        "1660-01-01",
    ];
    let mut rows: Vec<GenerationRow> = (1..)
        .zip(times)
        .map(|(number, time)| GenerationRow { observed: at(time), ..row(number, "x") })
        .collect();
    // One observation: the later recording first, then the lower note.
    rows.push(GenerationRow { observed: at("0001-01-01"), recorded_ms: 5, ..row(9, "x") });
    rows.push(GenerationRow { observed: at("0001-01-01"), recorded_ms: 5, ..row(10, "x") });
    rows.push(GenerationRow { observed: at("0001-01-01"), recorded_ms: -5, ..row(11, "x") });
    rows.reverse();
    desk.put(&rows);
    let all: Vec<u32> = (1..=11).collect();
    assert_eq!(desk.list(&Wanted::default()), all);
    let within = |since: Option<&str>, until: Option<&str>| {
        desk.list(&Wanted { since: since.map(at), until: until.map(at), ..Wanted::default() })
    };
    assert_eq!(within(Some("2026-11-25"), None), [1, 2, 3, 4, 5]);
    assert_eq!(within(Some("2026-11-25/morning"), None), [1, 2, 3]);
    assert_eq!(within(None, Some("2026-11-24")), [6, 7, 8, 9, 10, 11], "a day is all of it");
    assert_eq!(within(None, Some("2026-11-25T10:00:00Z")), (2..=11).collect::<Vec<_>>());
    assert_eq!(within(Some("1660-01-01"), Some("1660-01-01")), [8]);
    desk.write(|tx| set_shown(tx, generation_id(3), false));
    assert!(!desk.list(&Wanted::default()).contains(&3));
}

#[test]
fn every_filter_leaves_out_what_it_names() {
    let mut desk = Desk::new();
    let encounter = EncounterId::from_bytes([7; 16]);
    let other_author = MemberId::from_bytes([6; 16]);
    desk.put(&[
        row(1, "heron"),
        GenerationRow { notebook: OTHER_BOOK, ..row(2, "heron") },
        GenerationRow { people: BTreeSet::from([person(2)]), ..row(3, "heron") },
        GenerationRow { encounter: Some(encounter), ..row(4, "heron") },
        GenerationRow { status: StampStatus::OnHold, ..row(5, "heron") },
        GenerationRow { status: StampStatus::OnHold, author: other_author, ..row(6, "heron") },
        GenerationRow { is_shown: false, ..row(7, "heron") },
        GenerationRow { status: StampStatus::Blocked, author: other_author, ..row(8, "heron") },
    ]);
    let reader = Some(MemberId::from_bytes([5; 16]));
    let wanted = Wanted::default;
    let cases = [
        (wanted(), vec![8, 6, 5, 4, 3, 2, 1]),
        (Wanted { notebook: Some(OTHER_BOOK), ..wanted() }, vec![2]),
        (Wanted { participant: Some(person(2)), ..wanted() }, vec![3]),
        (Wanted { encounter: Some(encounter), ..wanted() }, vec![4]),
        (Wanted { status: Some(StampStatus::OnHold), ..wanted() }, vec![6, 5]),
        (Wanted { reader, ..wanted() }, vec![8, 5, 4, 3, 2, 1]),
        (Wanted { reader, status: Some(StampStatus::OnHold), notebook: Some(BOOK), ..wanted() }, vec![5]),
        (Wanted { participant: Some(person(9)), ..wanted() }, vec![]),
    ];
    for indexed in [0, 4, 100] {
        desk.write(|tx| index_some(tx, indexed));
        for (wanted, expected) in &cases {
            assert_eq!(&desk.list(wanted), expected, "{wanted:?}");
            assert_eq!(&desk.search(wanted, "heron"), expected, "{wanted:?} {indexed} indexed");
        }
    }
}

#[test]
fn a_list_is_read_from_an_index_alone() {
    let desk = Desk::new();
    let after = After { observed: at("2026-11-25"), recorded_ms: 1, note: NoteId::from_bytes([1; 16]) };
    let plan = |wanted: &Wanted, after| {
        let filter = lists::list_filter(wanted, after);
        let sql = format!("EXPLAIN QUERY PLAN {}", lists::list_sql(&filter));
        let params = filter.params.into_iter().chain([Value::from(50)]);
        let plan: Vec<String> =
            DERIVED.rows(desk.read(), &sql, params_from_iter(params), |row| row.get(3)).expect("explains");
        plan.join("; ")
    };
    let all = Wanted::default();
    assert_eq!(plan(&all, None), "SCAN g USING INDEX generations_shown");
    assert_eq!(plan(&all, Some(after)), "SEARCH g USING INDEX generations_shown (place>?)");
    let book = Wanted { notebook: Some(BOOK), ..Wanted::default() };
    assert_eq!(
        plan(&book, Some(after)),
        "SEARCH g USING INDEX generations_of_notebook (notebook=? AND place>?)"
    );
    let person = plan(&Wanted { participant: Some(person(1)), ..Wanted::default() }, None);
    assert!(person.starts_with("SEARCH g USING INTEGER PRIMARY KEY"), "{person}");
    let status = plan(&Wanted { status: Some(StampStatus::Pending), ..Wanted::default() }, None);
    assert_eq!(status, "SEARCH g USING INDEX generations_of_status (status=?)");
}

#[test]
fn search_is_right_before_during_and_after_indexing() {
    let mut desk = Desk::new();
    let texts = ["the heron stood", "a heron", "no bird", "herons here", "HÉRON!"];
    let rows: Vec<GenerationRow> = (1..).zip(texts).map(|(number, text)| row(number, text)).collect();
    desk.put(&rows);
    let everything = Wanted::default();
    for left in (0..=5).rev() {
        assert_eq!(desk.search(&everything, "heron"), [5, 4, 2, 1], "{left} pending");
        assert_eq!(desk.search(&everything, "visit bird"), [3], "the title counts");
        assert_eq!(desk.search(&everything, "stoo heron"), [] as [u32; 0], "an open word is the last");
        assert_eq!(desk.search(&everything, " \" * "), [] as [u32; 0]);
        let now = desk.write(|tx| index_some(tx, 1));
        assert_eq!(now, left.max(1) - 1);
    }
    let query = Query::parse("heron", true, &BTreeMap::new());
    let newest = search(desk.read(), &everything, &query, 2).expect("reads");
    assert_eq!(newest.iter().map(|row| number_of(row.generation)).collect::<Vec<_>>(), [5, 4]);
}

#[test]
fn a_changed_text_is_found_by_its_new_words_alone() {
    let mut desk = Desk::new();
    desk.put(&[row(1, "the heron stood"), row(2, "a heron")]);
    assert_eq!(desk.write(|tx| index_some(tx, 9)), 0);
    // The same view again leaves the index as it is, whatever else has changed.
    desk.put(&[GenerationRow { status: StampStatus::Pending, ..row(2, "a heron") }]);
    assert_eq!(desk.write(|tx| index_some(tx, 0)), 0);
    desk.put(&[row(1, "an egret")]);
    let everything = Wanted::default();
    for _ in 0..2 {
        assert_eq!(desk.search(&everything, "heron"), [2]);
        assert_eq!(desk.search(&everything, "egret"), [1]);
        desk.write(|tx| index_some(tx, 9));
    }
    desk.write(|tx| remove_generation(tx, generation_id(2)));
    assert_eq!(desk.search(&everything, "heron"), [] as [u32; 0]);
    desk.read()
        .execute_batch("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
        .expect("whole");
}

#[test]
fn a_removed_note_leaves_no_word_in_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = Database::create_clear(folder.path(), DERIVED_FILE, schema::MIGRATIONS).expect("made");
    let mut desk = Desk { folder, db };
    let long = |word: &str| format!("{word} {} {word}end", "filler words in between ".repeat(60));
    // Several segments; 41 stays pending.
    for number in (0..120).filter(|number| *number != 41) {
        let text = if number == 40 { long("zyzzyva") } else { long(&format!("common{number}")) };
        desk.put(&[row(number, &text)]);
        if number % 10 == 9 {
            assert_eq!(desk.write(|tx| index_some(tx, 1000)), 0);
        }
    }
    desk.put(&[row(41, &long("quokka"))]);
    desk.put(&[row(50, "nothing of it is left"), row(42, "nothing of this either")]);
    let read = |desk: &Desk| {
        let names = [DERIVED_FILE, "derived.db-wal"];
        let bytes: Vec<u8> = names
            .iter()
            .flat_map(|name| fs::read(desk.folder.path().join(name)).unwrap_or_default())
            .collect();
        move |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes())
    };
    desk.db.checkpoint().expect("moved");
    let has = read(&desk);
    assert!(has("zyzzyva") && has("quokka") && has("common43"));
    desk.write(|tx| {
        remove_generation(tx, generation_id(42))?;
        remove_generation(tx, generation_id(40))?;
        remove_generation(tx, generation_id(41))
    });
    desk.db.checkpoint().expect("moved");
    let has = read(&desk);
    assert!(!has("zyzzyva") && !has("zyzzyvaend"), "an indexed text");
    assert!(!has("quokka"), "a pending text");
    assert!(!has("common42"), "the old words of a text that was changed and not indexed again");
    assert!(has("common43"));
    // And nothing comes back when segments are merged.
    desk.write(|tx| index_some(tx, 1000));
    desk.read().execute_batch("INSERT INTO words (words) VALUES ('optimize')").expect("merges");
    desk.db.checkpoint().expect("moved");
    let has = read(&desk);
    assert!(!has("zyzzyva") && !has("quokka") && !has("common50"));
    assert_eq!(generation(desk.read(), generation_id(40)).expect("reads"), None);
    assert_eq!(parts(desk.read(), generation_id(40)).expect("reads"), []);
}

#[test]
fn parts_come_by_source_and_the_unsent_one_last() {
    let mut desk = Desk::new();
    let item = |device: u8, seq, index| {
        Source::Item(ItemRef { device: DeviceId::from_bytes([device; 16]), seq, index })
    };
    let sources = [
        item(1, 2, 0),
        item(1, 256, 3),
        item(1, 256, 4),
        item(2, 1, 255),
        item(2, u64::MAX, 0),
        Source::Unsent,
    ];
    let part = |source| Part {
        source,
        base: Heads::new(),
        result: Heads::from([hash(1), hash(2)]),
        content_hash: hash(3),
    };
    let mut sorted = sources;
    sorted.sort();
    assert_eq!(sorted, sources);
    desk.write(|tx| {
        sources.iter().rev().try_for_each(|source| put_part(tx, generation_id(1), &part(*source)))
    });
    let replaced = Part { base: Heads::from([hash(9)]), ..part(Source::Unsent) };
    desk.write(|tx| put_part(tx, generation_id(1), &replaced));
    desk.write(|tx| remove_part(tx, generation_id(1), sources[0]));
    let mut expected: Vec<Part> = sources.iter().skip(1).map(|source| part(*source)).collect();
    expected[4] = replaced;
    assert_eq!(parts(desk.read(), generation_id(1)).expect("reads"), expected);
    assert_eq!(parts(desk.read(), generation_id(2)).expect("reads"), []);
}

#[test]
fn objects_times_and_the_mark_are_kept() {
    let mut desk = Desk::new();
    let (space, device) = (SpaceId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
    assert!(desk.write(|tx| put_object(tx, space, hash(2), b"two")));
    assert!(desk.write(|tx| put_object(tx, space, hash(1), b"one")));
    assert!(!desk.write(|tx| put_object(tx, space, hash(1), b"one")));
    assert_eq!(objects(desk.read(), space).expect("reads"), [b"one".to_vec(), b"two".to_vec()]);
    assert_eq!(objects(desk.read(), SpaceId::from_bytes([2; 16])).expect("reads"), Vec::<Vec<u8>>::new());
    for at_ms in [5, -3, 9, 8] {
        desk.write(|tx| hear(tx, device, at_ms));
    }
    assert_eq!(heard(desk.read()).expect("reads"), [(device, 9)]);
    assert_eq!(mark(desk.read()).expect("reads"), 0);
    desk.write(|tx| set_mark(tx, 77));
    assert_eq!(mark(desk.read()).expect("reads"), 77);
}

#[test]
fn whatever_is_wrong_with_the_file_a_new_one_begins_at_mark_0() {
    let desk = Desk::new();
    let folder = desk.folder.path();
    let path = folder.join(DERIVED_FILE);
    let wal = folder.join("derived.db-wal");
    drop(desk.db);
    let marked = || {
        let mut db = open_or_renew(folder, &key()).expect("opens");
        let before = mark(db.read()).expect("reads");
        for number in 1..=9 {
            db.write(Durability::Full, |tx| set_mark(tx, number)).expect("written");
        }
        (before, db)
    };
    assert_eq!(marked().0, 0);
    assert_eq!(marked().0, 9, "a whole one is kept");
    type Harm = fn(&[u8]) -> Vec<u8>;
    let harms: [Harm; 4] = [
        |_| Vec::new(),
        |_| b"something else".to_vec(),
        |bytes| bytes.iter().map(|byte| byte ^ 1).collect(),
        |bytes| bytes[..bytes.len() / 2].to_vec(),
    ];
    for (number, harm) in harms.iter().enumerate() {
        let bytes = fs::read(&path).expect("a file");
        fs::write(&path, harm(&bytes)).expect("written");
        assert_eq!(marked().0, 0, "harm {number}");
    }
    fs::remove_file(&path).expect("removed");
    assert_eq!(marked().0, 0, "missing");
    let other = DatabaseKey::from_bytes([1; 32]);
    assert_eq!(mark(open_or_renew(folder, &other).expect("opens").read()).expect("reads"), 0, "another key");
    assert_eq!(marked().0, 0);
    let later = marked().1;
    later.read().execute_batch("PRAGMA user_version = 9").expect("set");
    drop(later);
    assert_eq!(marked().0, 0, "a later version");
    // Killed, and a bit of the WAL flipped.
    let (_, db) = marked();
    let (file, mut log) = (fs::read(&path).expect("a file"), fs::read(&wal).expect("a file"));
    drop(db);
    log[32 + 50] ^= 1;
    fs::write(&path, file).expect("written");
    fs::write(&wal, log).expect("written");
    assert_eq!(marked().0, 0, "a damaged WAL");
    assert!(!folder.join("derived.db-wal.damaged").exists(), "what can be made again is not kept");
}

#[test]
fn rows_that_make_no_sense_are_damage_and_no_panic() {
    let mut desk = Desk::new();
    desk.put(&[row(1, "heron")]);
    desk.write(|tx| {
        let part =
            Part { source: Source::Unsent, base: Heads::new(), result: Heads::new(), content_hash: hash(3) };
        put_part(tx, generation_id(1), &part)
    });
    type Read = fn(&Transaction<'_>) -> Result<(), StoreError>;
    let all: Read = |tx| list(tx, &Wanted::default(), None, 9).map(drop);
    let one: Read = |tx| generation(tx, generation_id(1)).map(drop);
    let found: Read = |tx| {
        let query = Query::parse("heron", false, &BTreeMap::new());
        search(tx, &Wanted::default(), &query, 9).map(drop)
    };
    let its_parts: Read = |tx| parts(tx, generation_id(1)).map(drop);
    let index: Read = |tx| index_some(tx, 9).map(drop);
    for (harm, read) in [
        ("UPDATE generations SET observed = x'ff'", all),
        ("UPDATE generations SET status = 5", all),
        ("UPDATE generations SET note = x'01'", all),
        ("UPDATE generations SET recorded_ms = 'never'", all),
        ("UPDATE generations SET heads = x'01'", one),
        ("UPDATE generations SET parent = 7", one),
        ("UPDATE people SET participant = x'00'", one),
        ("UPDATE views SET view = x'a0'", found),
        ("UPDATE views SET view = x'41a0'", index),
        ("UPDATE parts SET source = x'00'", its_parts),
        ("UPDATE parts SET source = x''", its_parts),
        ("UPDATE parts SET source = zeroblob(27)", its_parts),
        ("UPDATE parts SET result = x'f6'", its_parts),
        ("DELETE FROM mark", |tx| mark(tx).map(drop)),
    ] {
        let done: Result<(), StoreError> = desk.db.write(Durability::Normal, |tx| {
            assert!(DERIVED.run(tx, harm, [])? > 0, "{harm}");
            let found = read(tx);
            assert!(matches!(found, Err(StoreError::Damaged { file: DERIVED_FILE })), "{harm}: {found:?}");
            Err(StoreError::Busy)
        });
        assert!(matches!(done, Err(StoreError::Busy)));
    }
}
