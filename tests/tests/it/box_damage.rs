//! Damaged files of a home, met by the real command: each has its exit code, and nothing is lost that can be saved.

#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use thicket_core::entropy::SystemEntropy;
use thicket_core::ring::{KdfCost, Wrapping};
use thicket_core::time::Moment;
use thicket_tests::process::{Bench, Home, PASSPHRASE, Ran, let_it_work, text_of};
use thicket_tests::sim::Dice;

/// How a file is damaged.
#[derive(Debug, Clone, Copy)]
enum Damage {
    /// A bit at a thousandth of its length.
    Flip(usize),
    /// Cut at a thousandth of its length.
    Cut(usize),
    /// Other bytes, as many.
    Garbage,
    /// No bytes.
    Empty,
    /// No file.
    Missing,
}

impl Damage {
    fn to(self, path: &Path) {
        let bytes = fs::read(path).expect("read");
        let at = |thousandth: usize| (bytes.len() * thousandth / 1_000).min(bytes.len() - 1);
        match self {
            Self::Flip(thousandth) => {
                let mut bytes = bytes.clone();
                bytes[at(thousandth)] ^= 0x10;
                fs::write(path, bytes).expect("written");
            }
            Self::Cut(thousandth) => fs::write(path, &bytes[..at(thousandth)]).expect("written"),
            Self::Garbage => {
                let mut dice = Dice::new(7);
                let garbage: Vec<u8> = bytes.iter().map(|_| dice.roll().to_le_bytes()[0]).collect();
                fs::write(path, garbage).expect("written");
            }
            Self::Empty => fs::write(path, []).expect("written"),
            Self::Missing => fs::remove_file(path).expect("removed"),
        }
    }
}

/// Every file of a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("there").map(|entry| entry.expect("read").path());
    entries.map(|path| (path.clone(), fs::read(path).expect("read"))).collect()
}

/// Puts a folder back as it was.
fn put_back(folder: &Path, before: &BTreeMap<PathBuf, Vec<u8>>) {
    files(folder).into_keys().for_each(|path| fs::remove_file(path).expect("removed"));
    before.iter().for_each(|(path, bytes)| fs::write(path, bytes).expect("written"));
}

/// A home with so many notes, each with a word of its own.
fn written(bench: &Bench, notes: usize) -> Home {
    let home = bench.founded("sam");
    let lines: String = (0..notes)
        .map(|at| {
            let text = format!("The kettle was on. word{at:03} {}", "and so on ".repeat(40));
            format!("{}\n", json!({ "date": "1660-01-01", "title": format!("note {at:03}"), "text": text }))
        })
        .collect();
    home.ok(&["import", &bench.file("notes.jsonl", lines), "--no-people"]);
    home
}

/// What the home answers to the questions of a day.
#[track_caller]
fn answers(home: &Home) -> [Value; 4] {
    let list = home.ok(&["note", "list"]);
    let first = text_of(&list["notes"][0]["id"]);
    let show = home.ok(&["note", "show", &first]);
    [list, show, home.ok(&["note", "search", "word003"]), home.ok(&["note", "history", &first])]
}

#[test]
fn a_wrong_passphrase_is_locked_and_changes_no_byte() {
    let bench = Bench::new();
    let home = bench.founded("sam");
    let before = files(&home.folder);
    let other = home.with_passphrase(&format!("{PASSPHRASE} "));
    for args in
        [&["status"][..], &["note", "list"], &["verify"], &["sync"], &["note", "write", "--no-people", "-"]]
    {
        other.fails(4, args);
    }
    assert_eq!(files(&home.folder), before);
    home.verify();
}

#[test]
fn one_damaged_ring_heals_from_the_other_and_two_are_told() {
    let bench = Bench::new();
    let home = bench.founded("sam");
    let (ring, copy) = (home.folder.join("ring"), home.folder.join("ring.copy"));
    let damages = [
        Damage::Flip(5),
        Damage::Flip(500),
        Damage::Flip(999),
        Damage::Cut(500),
        Damage::Empty,
        Damage::Missing,
    ];
    for damage in damages {
        for (hit, whole) in [(&ring, &copy), (&copy, &ring)] {
            damage.to(hit);
            home.ok(&["status"]);
            // It healed: now the other may go.
            Damage::Garbage.to(whole);
            home.ok(&["status"]);
        }
        let before = files(&home.folder);
        damage.to(&ring);
        damage.to(&copy);
        if matches!(damage, Damage::Missing) {
            home.fails(3, &["status"]);
        } else {
            let said = home.fails(6, &["status"]);
            assert!(text_of(&said["hint"]).contains("ring.copy"), "{said}");
        }
        // The files of a home that lost its ring are never taken for an empty folder.
        home.fails(11, &["init", "--member", "sam"]);
        put_back(&home.folder, &before);
    }
    home.verify();
}

#[test]
fn a_damaged_log_of_records_is_told_by_every_command_and_left_as_it_is() {
    let bench = Bench::new();
    let home = written(&bench, 40);
    let before = files(&home.folder);
    let core = home.folder.join("core.db");
    let known = answers(&home);
    for damage in [Damage::Cut(500), Damage::Empty, Damage::Missing, Damage::Garbage, Damage::Flip(2)] {
        damage.to(&core);
        let damaged = files(&home.folder);
        for args in [&["status"][..], &["note", "list"], &["verify"]] {
            let said = home.run(args).failure(6);
            assert!(text_of(&said["reason"]).contains("core.db"), "{damage:?}: {said}");
        }
        home.run_with(&["note", "write", "--no-people", "-"], b"a text").failure(6);
        assert_eq!(files(&home.folder).get(&core), damaged.get(&core), "{damage:?}: it was written to");
        put_back(&home.folder, &before);
    }
    assert_eq!(answers(&home), known);
}

#[test]
fn a_flipped_page_of_the_records_is_found_and_never_taken_for_a_fault() {
    let bench = Bench::new();
    let home = written(&bench, 40);
    let before = files(&home.folder);
    let core = home.folder.join("core.db");
    for thousandth in (30..1_000).step_by(121) {
        Damage::Flip(thousandth).to(&core);
        for args in [&["note", "list"][..], &["note", "search", "word003"], &["sync"]] {
            let ran = home.run(args);
            assert!(matches!(ran.code, Some(0 | 6 | 7)), "{args:?}: {ran:?}");
        }
        let ran = home.run(&["verify"]);
        ran.failure(6);
        put_back(&home.folder, &before);
    }
    home.verify();
}

#[test]
fn a_damaged_read_model_changes_no_answer() {
    let bench = Bench::new();
    let home = written(&bench, 40);
    let before = files(&home.folder);
    let known = answers(&home);
    let derived = home.folder.join("derived.db");
    let mut damages =
        vec![Damage::Missing, Damage::Empty, Damage::Garbage, Damage::Cut(500), Damage::Flip(2)];
    damages.extend((30..1_000).step_by(97).map(Damage::Flip));
    for damage in damages {
        damage.to(&derived);
        assert_eq!(answers(&home), known, "{damage:?}");
        put_back(&home.folder, &before);
    }
    fs::write(home.folder.join("derived.db-wal"), b"no log at all, but long enough for a header of one")
        .expect("written");
    assert_eq!(answers(&home), known);
    // Writing and verifying meet damage as reading does.
    Damage::Flip(400).to(&derived);
    home.write("later", "a later text");
    Damage::Flip(600).to(&derived);
    // It is told of once, and made again.
    home.run(&["verify"]).failure(6);
    home.verify();
    assert_eq!(home.ids().len(), 41);
}

/// A home whose process was killed while its newest notes stood in the write-ahead log alone.
fn killed_in_mid_write(bench: &Bench) -> (Home, PathBuf) {
    let home = written(bench, 5);
    let log = home.folder.join("core.db-wal");
    let lines: String = (0..3_000)
        .map(|at| format!("{}\n", json!({ "date": "1661-01-01", "text": format!("late {at}") })))
        .collect();
    let file = bench.file("late.jsonl", lines);
    let mut import = home.command(&["import", &file, "--no-people"]);
    let mut child = import.stdout(Stdio::null()).spawn().expect("the command starts");
    // Several commits long, and shorter than what is moved into the file in passing.
    while fs::metadata(&log).map_or(0, |log| log.len()) < 400_000 {
        assert!(child.try_wait().expect("asked").is_none(), "it ended before it was killed");
        std::thread::yield_now();
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    (home, log)
}

#[test]
fn a_flipped_byte_in_the_log_of_a_killed_process_is_damage_and_the_log_is_kept() {
    let bench = Bench::new();
    let (home, log) = killed_in_mid_write(&bench);
    let before = files(&home.folder);
    for thousandth in [10, 100, 300] {
        Damage::Flip(thousandth).to(&log);
        let damaged = fs::read(&log).expect("read");
        let records = fs::read(home.folder.join("core.db")).expect("read");
        for args in [&["note", "list"][..], &["verify"]] {
            let said = home.run(args).failure(6);
            assert!(text_of(&said["hint"]).contains("core.db-wal.damaged"), "{said}");
        }
        assert_eq!(fs::read(home.folder.join("core.db-wal.damaged")).expect("kept aside"), damaged);
        assert_eq!(fs::read(&log).expect("left"), damaged);
        assert_eq!(fs::read(home.folder.join("core.db")).expect("left"), records);
        put_back(&home.folder, &before);
    }
    home.verify();
    assert!(home.ids().len() > 5 + 64, "what stood in the log alone is there");
}

#[test]
fn a_log_that_is_torn_anywhere_opens_with_whole_notes() {
    let bench = Bench::new();
    let (home, log) = killed_in_mid_write(&bench);
    let before = files(&home.folder);
    let all = fs::read(&log).expect("read").len();
    let mut dice = Dice::new(3);
    for _ in 0..6 {
        let torn = dice.below(all);
        let file = fs::OpenOptions::new().write(true).open(&log).expect("opened");
        file.set_len(torn as u64).expect("cut");
        drop(file);
        home.verify();
        let notes = home.notes();
        assert!(
            notes.len() >= 5
                && notes.iter().all(|note| note.title.starts_with("note") || note.text.starts_with("late "))
        );
        put_back(&home.folder, &before);
    }
}

#[test]
fn a_home_that_is_in_use_is_waited_for_two_seconds() {
    let bench = Bench::new();
    let home = bench.founded("sam");
    let open = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later than 1970");
        let now = Moment::new(i64::try_from(since.as_millis()).expect("a time"), 0).expect("a moment");
        let wrapping = Wrapping::Passphrase(PASSPHRASE, KdfCost::default());
        thicket_core::home::Home::open(&home.folder, wrapping, now, Box::new(SystemEntropy::new()))
            .expect("opens")
    };
    let held = open();
    let began = Instant::now();
    home.fails(9, &["note", "list"]);
    assert!(began.elapsed() >= Duration::from_secs(2), "it did not wait: {:?}", began.elapsed());
    let waits = home.command(&["note", "list"]).spawn().expect("the command starts");
    let_it_work(Duration::from_millis(300));
    held.lock().expect("it closes");
    Ran::wait(waits).ok();
    // A process that was killed holds nothing.
    home.killed(&["note", "list"], Duration::from_millis(150));
    home.ok(&["note", "list"]);
}
