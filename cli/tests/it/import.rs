//! Import through the binary: what is good comes in once, what is bad is listed.

use serde_json::json;

use crate::bench::{Bench, run, text_of, texts_of};

#[test]
fn bad_lines_are_listed_and_the_rest_is_imported_once() {
    let bench = Bench::founded();
    let long = "t".repeat(1_001);
    let file = bench.file(
        "diary.jsonl",
        format!(
            "\u{feff}{{\"date\":\"1660-01-01\",\"text\":\"first\"}}\r\n\nnonsense\n{{\"date\":\"1660-01-02\"}}\n\
             {{\"date\":\"1660-01-03\",\"text\":\"bell \\u0007\"}}\n{{\"date\":\"1660-01-04\",\"text\":\"x\",\"title\":\"{long}\"}}\n\
             {{\"date\":\"1660-01-05\",\"text\":\"last\",\"title\":\"End\",\"unknown\":{{}}}}"
        ),
    );
    let ran = run(&mut bench.command(&["import", &file, "--no-people", "--json"]), b"");
    ran.failure(2, "usage");
    let result = ran.json();
    assert_eq!((&result["imported"], &result["skipped"]), (&2.into(), &0.into()), "{result}");
    let failed = result["failed"].as_array().expect("a list");
    let lines: Vec<_> = failed.iter().map(|one| one["line"].clone()).collect();
    let mut sorted: Vec<u64> = lines.iter().filter_map(serde_json::Value::as_u64).collect();
    sorted.sort_unstable();
    assert_eq!(sorted, [3, 4, 5, 6], "{result}");
    for one in failed {
        assert_eq!(one["file"], file.as_str());
        let reason = text_of(&one["reason"]);
        assert!(!reason.is_empty() && !reason.contains("bell"), "a reason repeats no text: {reason}");
    }
    let ran = run(&mut bench.command(&["import", &file, "--no-people", "--json"]), b"");
    assert_eq!((ran.code, &ran.json()["imported"], &ran.json()["skipped"]), (2, &0.into(), &2.into()));
    let listed = bench.ok(&["note", "list"]);
    assert_eq!(listed["notes"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&listed["notes"][0]["observed_at"], &listed["notes"][0]["title"]),
        (&"1660-01-05".into(), &"End".into())
    );
}

#[test]
fn a_folder_is_imported_with_its_dates() {
    let bench = Bench::founded();
    bench.file("old/2026-11-24 Visit.txt", "She @{Ruth}.\r\nBye.\n");
    bench.file("old/inner/2026-11-23.md", "# Two\n");
    bench.file("old/2026-11-22.txt", b"\xff\xfe");
    bench.ok(&["participant", "add", "Ruth"]);
    let folder = bench.path("old");
    let folder = folder.to_str().expect("a path of ours");
    let ran = run(&mut bench.command(&["import", folder, "--about", "Ruth", "--json"]), b"");
    ran.failure(2, "usage");
    let result = ran.json();
    assert_eq!((&result["imported"], &result["failed"][0]["line"]), (&2.into(), &json!(null)), "{result}");
    let listed = bench.ok(&["note", "list"]);
    let first = bench.ok(&["note", "show", &text_of(&listed["notes"][0]["id"])]);
    assert_eq!((&first["observed_at"], &first["title"]), (&"2026-11-24".into(), &"Visit".into()));
    assert_eq!(first["text"], "She @{Ruth}.\nBye.\n", "tokens come with --tokens alone");
    assert_eq!(first["stamp"]["status"], "none");
}

#[test]
fn tokens_are_read_where_they_are_asked_for() {
    let bench = Bench::founded();
    bench.ok(&["participant", "add", "Ruth"]);
    let line = "{\"date\":\"2026-11-24\",\"text\":\"@{Ruth} and @{Tom}\"}";
    let result = bench.ok(&["import", &bench.file("a.jsonl", line), "--tokens"]);
    assert_eq!(texts_of(&result["warnings"]).len(), 1, "{result}");
    let listed = bench.ok(&["note", "list", "--participant", "Ruth"]);
    assert_eq!(listed["notes"].as_array().map(Vec::len), Some(1));
}

#[test]
fn what_cannot_be_imported_at_all_says_so() {
    let bench = Bench::founded();
    bench.fails(3, "not_found", &["import", "nowhere.jsonl"]);
    bench.fails(2, "usage", &["import", &bench.file("a.pdf", "x")]);
    let nothing = bench.ok(&["import", &bench.file("empty.jsonl", "")]);
    assert_eq!((&nothing["imported"], &nothing["failed"]), (&0.into(), &json!([])));
}
