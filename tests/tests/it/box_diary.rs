//! A diary, imported by one member and read by another: the same texts, dates and stamps.

#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

use std::collections::BTreeMap;

use serde_json::json;
use thicket_tests::measure::work;
use thicket_tests::process::{Bench, NoteRead, number_of};

const ENTRIES: usize = 100;

/// The day that lies so many days behind 1660-01-01, in the calendar of ISO 8601.
fn day(mut days: u64) -> String {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1660;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let months = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= months[month] {
        days -= months[month];
        month += 1;
    }
    format!("{year}-{:02}-{:02}", month + 1, days + 1)
}

#[test]
fn an_imported_diary_reads_the_same_on_a_second_members_device() {
    let bench = Bench::new();
    let mut server = bench.server("server");
    let sam = bench.home("sam");
    sam.ok(&["init", "--member", "sam", "--notebook", "Diary", "--server", &server.url]);
    let entries: BTreeMap<String, String> = (0..)
        .zip(work::make(1660, ENTRIES))
        // From the seventeenth century into the twentieth, leap days among them.
        .map(|(at, work)| (day(59 + at * 1_000), format!("Entry {at}. {}", work.body)))
        .collect();
    assert!(entries.contains_key("1660-02-29") && entries.keys().any(|day| day.as_str() > "1900"));
    let lines: String =
        entries.iter().map(|(date, text)| format!("{}\n", json!({ "date": date, "text": text }))).collect();
    let file = bench.file("diary.jsonl", lines);
    for (new, old) in [(ENTRIES as u64, 0), (0, ENTRIES as u64)] {
        let result = sam.ok(&["import", &file, "--no-people"]);
        assert_eq!([&result["imported"], &result["skipped"]].map(number_of), [new, old]);
    }
    sam.sync();
    // She comes when everything is there already.
    let abby = bench.home("abby");
    sam.admit(&abby, "abby");
    let (here, there) = (sam.notes(), abby.notes());
    assert_eq!(here, there);
    let read: BTreeMap<String, String> =
        there.iter().map(|note| (note.observed_at.clone(), note.text.clone())).collect();
    assert_eq!(read, entries);
    let is_valid = |note: &NoteRead| note.stamp.contains("Valid");
    assert!(there.iter().all(is_valid), "{:?}", there.iter().find(|note| !is_valid(note)));
    // Her names came after his last sync.
    sam.sync();
    for home in [&sam, &abby] {
        let found = home.ok(&["note", "search", "Entry 77"]);
        assert_eq!(found["notes"][0]["observed_at"], day(59 + 77_000), "{found}");
        let page = home.ok(&["note", "list", "--since", "1660-01-01", "--until", "1699-12-31"]);
        let among = entries.keys().filter(|day| day.as_str() < "1700").count();
        assert_eq!(page["notes"].as_array().map(Vec::len), Some(among));
        home.verify();
        let again = home.sync();
        assert_eq!([&again["sent"], &again["fetched"]].map(number_of), [0, 0], "nothing travels twice");
    }
    assert_eq!(server.stop().0.code(), Some(0));
}
