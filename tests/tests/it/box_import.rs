//! Imports of files as they come from elsewhere: what is good comes in once, what is bad is listed.

#![allow(clippy::indexing_slicing, reason = "tests index JSON by its names")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use thicket_tests::process::{Bench, number_of, text_of};

fn line(date: &str, title: &str, text: &str) -> Vec<u8> {
    json!({ "date": date, "title": title, "text": text }).to_string().into_bytes()
}

/// The lines that failed, with their reasons.
fn failed(result: &Value) -> BTreeMap<u64, String> {
    let all = result["failed"].as_array().expect("a list").iter();
    all.map(|one| (number_of(&one["line"]), text_of(&one["reason"]))).collect()
}

#[test]
fn bad_lines_are_listed_and_every_good_one_comes_in_once_as_it_was_written() {
    let bench = Bench::new();
    let home = bench.founded("sam");
    // Texts that programs trip over, and that are texts all the same.
    let hostile = [
        ("astral", "𝔉𝔦𝔢𝔩𝔡 👩‍👩‍👧 notes"),
        ("right to left", "\u{202e}קומקום\u{202c} and back"),
        ("combined", "e\u{301} is not \u{e9}, Z\u{334}\u{335}\u{336}\u{337}algo"),
        ("object replacement", "a \u{fffc} that is no token, and \u{fffd}"),
        ("separators", "one\u{2028}two\u{2029}three\u{a0}four"),
        ("mention", "@{Nobody} and @{} and @{"),
        ("quotes", "'; DROP TABLE notes; -- \" \\ %s {} $(id)"),
        ("tabs", "\tone\n\n\n\ttwo\n"),
        ("noncharacters", "\u{ffff} \u{10ffff} \u{feff}"),
    ];
    let mut bytes = b"\xef\xbb\xbf".to_vec();
    let mut bad = BTreeMap::new();
    let mut number = 0;
    let mut push = |line: &[u8], is_bad: Option<&'static str>| {
        bytes.extend_from_slice(line);
        bytes.extend_from_slice(b"\r\n");
        number += 1;
        if let Some(reason) = is_bad {
            bad.insert(number, reason);
        }
    };
    push(&line("1660-01-01", "first", "behind a mark"), None);
    push(b"", None);
    push(b"{\"date\":\"1660-01-02\",\"text\":\"cut", Some("not JSON"));
    push(b"{\"date\":\"1660-01-02\",\"text\":\"\xff\xfe\"}", Some("not UTF-8"));
    push(&line("1660-02-30", "no day", "x"), Some("not a date"));
    push(&line("1660-01-02", "control", "bell \u{7}"), Some("control"));
    push(&line("1660-01-02", "nul", "nul \0"), Some("control"));
    push(b"{\"date\":\"1660-01-02\",\"text\":\"half \\ud800\"}", Some("not JSON"));
    push(&line("1660-01-02", "huge line", &"x".repeat(5 * 1024 * 1024)), Some("more than"));
    push(&line("1660-01-02", "huge text", &"y".repeat(1_000_001)), Some("1000000"));
    push(&line("1660-01-02", "largest text", &"z ".repeat(500_000)), None);
    push("[".repeat(100_000).as_bytes(), Some("not JSON"));
    push(&line("1660-01-02", &"t".repeat(1_001), "x"), Some("title"));
    push(&line("1660-01-02", "two\nlines", "x"), Some("title"));
    hostile.iter().for_each(|(title, text)| push(&line("1660-01-03", title, text), None));
    // The same once more is known, and another date makes it another note.
    push(&line("1660-01-01", "first", "behind a mark"), None);
    push(&line("1660-01-04", "first", "behind a mark"), None);
    bytes.extend_from_slice(&line("1660-12-31/evening", "last", "without an end"));
    let good = 1 + 1 + hostile.len() as u64 + 1 + 1;

    let file = bench.file("diary.jsonl", &bytes);
    let mut first = None;
    for (imported, skipped) in [(good, 1), (0, good + 1)] {
        let ran = home.run(&["import", &file, "--no-people"]);
        ran.failure(2);
        let result = ran.printed().expect("the result is told all the same");
        assert_eq!(
            [&result["imported"], &result["skipped"]].map(number_of),
            [imported, skipped],
            "{:?}",
            failed(&result)
        );
        let told = failed(&result);
        assert_eq!(told.keys().collect::<Vec<_>>(), bad.keys().collect::<Vec<_>>(), "{told:?}");
        for (line, reason) in &bad {
            assert!(told[line].contains(reason), "line {line}: {} is not about {reason}", told[line]);
            assert!(told[line].len() < 200, "a reason repeats nothing of the line: {}", told[line]);
        }
        let notes = home.notes();
        assert_eq!(*first.get_or_insert_with(|| notes.clone()), notes, "the second run changed nothing");
    }
    let notes = home.notes();
    for (title, text) in hostile {
        let note = notes.iter().find(|note| note.title == title).expect(title);
        assert_eq!((note.text.as_str(), note.observed_at.as_str()), (text, "1660-01-03"), "{title}");
    }
    let last = notes.iter().find(|note| note.title == "last").expect("the line without an end");
    assert_eq!(last.observed_at, "1660-12-31/evening");
    assert!(notes.iter().any(|note| note.text.len() == 1_000_000), "the largest text");
    home.verify();
}

#[test]
fn what_cannot_be_read_at_all_is_told_and_adds_nothing() {
    let bench = Bench::new();
    let home = bench.founded("sam");
    home.fails(3, &["import", "nowhere.jsonl", "--no-people"]);
    home.fails(2, &["import", &bench.file("picture.png", "x"), "--no-people"]);
    let ran = home.run(&["import", &bench.file("noise.jsonl", vec![0x9c; 100_000]), "--no-people"]);
    ran.failure(2);
    assert_eq!(number_of(&ran.printed().expect("told")["imported"]), 0);
    assert_eq!(
        number_of(&home.ok(&["import", &bench.file("empty.jsonl", "\n\r\n"), "--no-people"])["imported"]),
        0
    );
    assert_eq!(home.ids(), Vec::<String>::new());
}
