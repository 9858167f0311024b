//! Small measures: a sync with nothing to do, keystrokes, opening a large home, searching.

use std::fs;
use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;
use serde::Deserialize;
use thicket_client::{Limits, link};
use thicket_core::document::Field;
use thicket_core::home::{About, NewNote, NotesWanted};
use thicket_core::sync::{Errand, SyncEvent, SyncSession};
use thicket_core::text::{Layer, Splice, units};
use thicket_core::time::Observed;
use thicket_core::view::Provenance;

use super::figures::median;
use super::verbs::{self, Failure};
use super::work::Work;

/// How often a keystroke, an opening, a search is repeated.
const TIMES: usize = 50;
/// Words of the note that is typed into.
const TYPED_INTO_WORDS: usize = 2_000;
/// What ten keystrokes make.
const TYPED: &str = "ten keys: ";
/// Bytes of the row that ten keystrokes make, sealed: CBOR of one splice with its time, salt and tag.
const ROW_BYTES: usize = 128;
/// Notes of the first page of a list.
const PAGE: usize = 50;
/// Search words: frequent, rare, two together, and a beginning.
const SEARCHES: [&str; 4] = ["home", "the evening", "morning church", "walk*"];
/// Made entries, and their date, where no diary is given.
const MADE_ENTRIES: usize = 666;
const MADE_DATE: &str = "1660-01-01";

/// What a sync with nothing to do took.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    /// How often something was sent and an answer waited for, behind the transport's handshake.
    pub round_trips: f64,
    /// Bytes of frames, both ways.
    pub bytes: f64,
}

/// Syncs with nothing to do, by hand, so that every frame can be seen.
pub fn idle(dir: &Path) -> Result<Idle, Failure> {
    let b = dir.join("b");
    verbs::fetch(&b)?;
    let mut home = verbs::open(&b)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let idle = runtime.block_on(async {
        let mut session = SyncSession::begin(&mut home, Errand::Sync, verbs::now())?;
        let mut link = link::connect(session.server(), &Limits::default()).await?;
        let exporter = link.exporter(&session.exporter_context());
        session.handle_connected(&mut home, &exporter, verbs::now())?;
        let (mut round_trips, mut bytes) = (0_u32, 0);
        loop {
            let mut has_sent = false;
            while let Some(frame) = session.poll_transmit(&mut home, verbs::now())? {
                bytes += 4 + frame.len();
                has_sent = true;
                link.send(&frame).await?;
            }
            while let Some(event) = session.poll_event() {
                if let SyncEvent::Settled(outcome) = event {
                    link.close().await;
                    let is_idle = outcome.is_up_to_date && outcome.sent + outcome.fetched == 0;
                    let bytes = f64::from(u32::try_from(bytes)?);
                    let idle = Idle { round_trips: f64::from(round_trips), bytes };
                    return if is_idle { Ok(idle) } else { Err("there was something to do".into()) };
                }
            }
            round_trips += u32::from(has_sent);
            let frame = link.receive().await?.ok_or("the server ended")?;
            bytes += 4 + frame.len();
            session.handle_frame(&mut home, &frame, verbs::now())?;
        }
    });
    home.lock()?;
    idle
}

/// Ten keystrokes in a note of 2,000 words: milliseconds until they survive a killed process, and until they survive a
/// power cut, each beside one transaction of the same row in a plain database that is as durable.
pub fn autosave(dir: &Path) -> Result<[(f64, f64); 2], Failure> {
    let words = super::work::make(7, 5).iter().map(|one| one.body.clone()).collect::<Vec<_>>().join(" ");
    let text = words.split_whitespace().take(TYPED_INTO_WORDS).collect::<Vec<_>>().join(" ");
    let long = Work { i: 0, id: "long".to_owned(), title: "Long".to_owned(), body: text, edits: Vec::new() };
    let (mut home, _) = verbs::create(&dir.join("typing"), std::slice::from_ref(&long))?;
    let note = verbs::note_id(&long);
    let mut ours = [Vec::new(), Vec::new()];
    for (is_synced, times) in [false, true].into_iter().zip(&mut ours) {
        for _ in 0..TIMES {
            let splice = Splice { at: 100, delete: 0, insert: units(TYPED) };
            let began = Instant::now();
            home.journal(note, Field::Text, &[splice], verbs::now())?;
            if is_synced {
                home.sync_journal()?;
            }
            times.push(millis(began));
        }
    }
    home.lock()?;
    let bare = Connection::open(dir.join("bare.db"))?;
    bare.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
         CREATE TABLE journal (generation BLOB, number INTEGER, row BLOB, PRIMARY KEY (generation, number)) WITHOUT ROWID",
    )?;
    let mut bound = [Vec::new(), Vec::new()];
    for (level, times) in ["NORMAL", "FULL"].into_iter().zip(&mut bound) {
        bare.execute_batch(&format!("PRAGMA synchronous = {level}"))?;
        for _ in 0..TIMES {
            let began = Instant::now();
            bare.execute_batch("BEGIN IMMEDIATE")?;
            bare.prepare_cached("INSERT INTO journal SELECT ?1, count(*) + 1, ?2 FROM journal")?
                .execute(([1_u8; 16], [7_u8; ROW_BYTES]))?;
            bare.execute_batch("COMMIT")?;
            times.push(millis(began));
        }
    }
    Ok([(median(&ours[0]), median(&bound[0])), (median(&ours[1]), median(&bound[1]))])
}

/// Opens the home of the second device and shows the first page of its list: milliseconds.
pub fn open(dir: &Path) -> Result<f64, Failure> {
    let began = Instant::now();
    let home = verbs::open(&dir.join("b"))?;
    let page = home.notes(&NotesWanted::default(), None, PAGE)?;
    let open_ms = millis(began);
    if page.notes.is_empty() {
        return Err("the list is empty".into());
    }
    home.lock()?;
    Ok(open_ms)
}

/// One entry of a diary.
#[derive(Debug, Deserialize)]
struct Entry {
    date: String,
    text: String,
}

/// The entries of a diary, a line of JSON each; made ones where there is none.
fn entries(diary: Option<&Path>, seed: u64) -> Result<Vec<Entry>, Failure> {
    if let Some(diary) = diary {
        return fs::read_to_string(diary)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect();
    }
    let made = super::work::make(seed, MADE_ENTRIES).into_iter();
    Ok(made.map(|one| Entry { date: MADE_DATE.to_owned(), text: one.edited() }).collect())
}

/// Imports a diary, indexes it, and searches it: how many entries it has, and the milliseconds of the slowest of several
/// queries, each the median of many.
pub fn search(dir: &Path, diary: Option<&Path>, seed: u64) -> Result<(usize, f64), Failure> {
    let (mut home, _) = verbs::create(&dir.join("diary"), &[])?;
    let notebook = home.only_notebook()?;
    let mut notes = Vec::new();
    for entry in entries(diary, seed)? {
        notes.push(NewNote {
            notebook,
            id: None,
            encounter: None,
            title: Vec::new(),
            text: units(&entry.text),
            about: About::Nobody,
            layer: Layer::Observation,
            observed: entry.date.parse::<Observed>()?,
            provenance: Provenance::Typed,
        });
    }
    let count = notes.len();
    let mut failed = None;
    home.import_notes(notes, verbs::now(), &mut |_, outcome| failed = failed.take().or(outcome.err()))?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    verbs::index_all(&mut home)?;
    let mut slowest = 0.0_f64;
    for query in SEARCHES {
        let (words, is_open) = query.strip_suffix('*').map_or((query, false), |words| (words, true));
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let began = Instant::now();
            let hits = home.search(None, words, is_open, PAGE)?;
            times.push(millis(began));
            if hits.is_empty() {
                return Err(format!("nothing is found for {query}").into());
            }
        }
        slowest = slowest.max(median(&times));
    }
    home.lock()?;
    Ok((count, slowest))
}

fn millis(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1_000.0
}
