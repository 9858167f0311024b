//! What was typed is found in no file of a home or of the server, in no log and in no traffic, at rest and after a kill.

#![allow(clippy::indexing_slicing, reason = "tests index JSON by its names")]

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::json;
use thicket_tests::canary::Canaries;
use thicket_tests::measure::tap::Tap;
use thicket_tests::process::{Bench, Home, Ran, let_it_work, text_of};

const WORDS: [&str; 15] = [
    "qteamzebra71",
    "qmembersam71",
    "qdevicedesk71",
    "qnotebook71",
    "qpseudonym71",
    "qrealname71",
    "qplacename71",
    "qplacereal71",
    "qtitleword71",
    "qtextword71",
    "qtakenout71",
    "qprivately71",
    "qimported71",
    "qmemberabby71",
    "qphonename71",
];

/// Kills of each kind.
const KILLS: u32 = 3;

/// What the test looks through.
struct Search {
    bench: Bench,
    canaries: Canaries,
}

impl Search {
    /// Runs, and expects success and no word on standard error.
    #[track_caller]
    fn ok(&self, home: &Home, args: &[&str]) -> serde_json::Value {
        let ran = home.run(args);
        self.canaries.none_in("standard error", ran.stderr.as_bytes());
        ran.ok()
    }

    /// Looks through every file of both homes, of the server and of temporary files.
    #[track_caller]
    fn files(&self) {
        for (folder, least) in [("sam", 10_000), ("abby", 10_000), ("server", 10_000), ("tmp", 0)] {
            assert!(self.canaries.none_below(&self.bench.path(folder)) >= least, "{folder} is empty");
        }
    }
}

#[test]
fn nothing_that_was_typed_is_found_in_files_logs_or_traffic_even_after_kills() {
    let [
        team,
        member,
        device,
        notebook,
        pseudonym,
        real,
        place,
        place_real,
        title,
        text,
        out,
        private,
        line,
        abby,
        phone,
    ] = WORDS;
    let search = Search { bench: Bench::new(), canaries: Canaries::new(&WORDS) };
    let bench = &search.bench;
    let mut server = bench.server("server");
    let tap = Tap::before((Ipv4Addr::LOCALHOST, server.port).into(), true).expect("a port is free");
    let url = server.url_at(tap.address.port());
    let (sam, other) = (bench.home("sam"), bench.home("abby"));
    search.ok(
        &sam,
        &[
            "init",
            "--member",
            member,
            "--team",
            team,
            "--device",
            device,
            "--notebook",
            notebook,
            "--server",
            &url,
        ],
    );
    let code = text_of(&search.ok(&sam, &["invite"])["code"]);
    search.ok(&other, &["join", &code, "--member", abby, "--device", phone]);
    search.ok(&sam, &["participant", "add", pseudonym, "--real-name", real]);
    search.ok(&sam, &["place", "add", place, "--real-name", place_real]);
    search.ok(&sam, &["consent", "grant", pseudonym, "--activity", "observation"]);
    let file = bench.file("text", format!("@{{{pseudonym}}} at @{{{place}}} said {text} and {out}."));
    let note = text_of(&search.ok(&sam, &["note", "write", "--title", title, "--file", &file])["note"]);
    let edited = bench.file("edited", format!("@{{{pseudonym}}} at @{{{place}}} said {text}."));
    search.ok(&sam, &["note", "edit", &note, "--file", &edited]);
    search.ok(&sam, &["note", "write", "--title", private, "--file", &bench.file("private", private)]);
    let lines: String = (0..150)
        .map(|at| {
            format!("{}\n", json!({ "date": "1660-01-01", "title": title, "text": format!("{line} {at}") }))
        })
        .collect();
    let import = bench.file("lines.jsonl", lines);
    search.ok(&sam, &["import", &import, "--no-people"]);
    for home in [&sam, &other, &sam, &other] {
        search.ok(home, &["sync"]);
    }
    // The words are there to be found: both members read them.
    let shown = search.ok(&other, &["note", "show", &note]);
    assert_eq!(text_of(&shown["text"]), format!("{pseudonym} at {place} said {text}."));
    assert_eq!(
        search.ok(&other, &["note", "search", line, "--limit", "1000"])["notes"].as_array().map(Vec::len),
        Some(150)
    );
    assert!(!search.canaries.in_bytes(&fs::read(&import).expect("read")).is_empty());
    search.files();

    let mut cut = 0;
    for kill in 0..KILLS {
        let more: String = (0..400)
            .map(|at| {
                format!(
                    "{}\n",
                    json!({ "date": "1661-01-01", "title": title, "text": format!("{line} {kill} {at}") })
                )
            })
            .collect();
        let more = bench.file("more.jsonl", more);
        let write = ["note", "write", "--no-people", "--title", title, "--file", &import];
        for args in [
            &write[..],
            &["note", "edit", &note, "--title", title, "--file", &edited],
            &["import", &more, "--no-people"],
        ] {
            let ran = sam.killed(args, Duration::from_millis(u64::from(130 + 60 * kill)));
            cut += usize::from(ran.code.is_none());
            search.canaries.none_in("standard error", ran.stderr.as_bytes());
            search.files();
        }
        for home in [&sam, &other] {
            let ran = home.killed(&["sync"], Duration::from_millis(u64::from(160 + 70 * kill)));
            cut += usize::from(ran.code.is_none());
            search.canaries.none_in("standard error", ran.stderr.as_bytes());
            search.files();
        }
        let syncs = sam.command(&["sync", "--timeout", "20s"]).spawn().expect("the command starts");
        let_it_work(Duration::from_millis(200));
        search.canaries.none_in("the server's log", server.kill().as_bytes());
        search.files();
        server.start_again();
        let ran = Ran::wait(syncs);
        assert!(matches!(ran.code, Some(0 | 7)), "{ran:?}");
        search.canaries.none_in("standard error", ran.stderr.as_bytes());
    }
    assert!(cut > 0, "nothing was killed at work");
    // Failures name things too.
    for args in [&["note", "show", "ffffffff"][..], &["note", "edit", &note, "--about", "nobody"]] {
        let ran = sam.run(args);
        assert_ne!(ran.code, Some(0));
        search.canaries.none_in("standard error", ran.stderr.as_bytes());
    }
    for home in [&sam, &other] {
        search.ok(home, &["sync"]);
        search.ok(home, &["verify"]);
    }
    search.files();
    let (status, log) = server.stop();
    assert_eq!(status.code(), Some(0));
    assert!(log.lines().count() >= 3, "the log was caught: {log}");
    search.canaries.none_in("the server's log", log.as_bytes());
    let captured = tap.captured();
    assert!(captured.len() > 50_000, "{} bytes were caught", captured.len());
    search.canaries.none_in("captured traffic", &captured);
}
