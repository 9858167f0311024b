//! Commands killed in the middle: nothing acknowledged is lost, nothing is half there, and no file can be read.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::bench::{Bench, text_of};

/// How often a command is killed, unless `THICKET_TEST_KILLS` says otherwise.
const KILLS: u32 = 10;
/// Lines of the import that is killed.
const LINES: usize = 300;

/// What was written in clear and must be found in no file.
const CANARIES: [&str; 8] = [
    "canary-team-q7",
    "canary-member-q7",
    "canary-device-q7",
    "canary-notebook-q7",
    "canary-pseudonym-q7",
    "canary-realname-q7",
    "canary-title-q7",
    "canary-text-q7",
];

/// What every canary holds.
const COMMON: &str = "canary-";

fn kills() -> u32 {
    std::env::var("THICKET_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS)
}

/// Kills a command after a while, and returns what it had printed until then.
fn killed(bench: &Bench, args: &[&str], after: Duration) -> String {
    let mut child = bench.command(args).arg("--json").spawn().expect("starts");
    std::thread::sleep(after);
    child.kill().expect("killed, or over already");
    let output = child.wait_with_output().expect("ended");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn notes(bench: &Bench) -> BTreeSet<String> {
    let listed = bench.ok(&["note", "list", "--limit", "1000"]);
    listed["notes"].as_array().expect("a list").iter().map(|note| text_of(&note["id"])).collect()
}

fn no_canary_in(folder: &Path) {
    for entry in fs::read_dir(folder).expect("the home") {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).expect("read");
        let found = bytes.windows(COMMON.len()).any(|window| window == COMMON.as_bytes());
        assert!(!found, "a canary can be read in {}", path.display());
    }
}

#[test]
fn a_killed_command_loses_nothing_that_was_acknowledged_and_leaves_nothing_to_read() {
    let [team, member, device, notebook, pseudonym, real, title, text] = CANARIES;
    let bench = Bench::new();
    bench.ok(&["init", "--member", member, "--team", team, "--device", device, "--notebook", notebook]);
    bench.ok(&["participant", "add", pseudonym, "--real-name", real]);
    let lines: String = (0..LINES)
        .map(|at| format!("{{\"date\":\"1660-01-01\",\"title\":\"{title}\",\"text\":\"{text} {at}\"}}\n"))
        .collect();
    let import = bench.file("diary.jsonl", lines);
    let about = bench.file("about.txt", format!("@{{{pseudonym}}} {text}"));
    let mut known = BTreeSet::new();
    let mut written = 0;
    for at in 0..kills() {
        // The passphrase alone takes a hundred milliseconds; the spread covers what comes behind it.
        let after = Duration::from_millis(u64::from(80 + at * 37 % 400));
        killed(&bench, &["import", &import, "--no-people"], after);
        no_canary_in(&bench.path("home"));
        let printed = killed(&bench, &["note", "write", "--title", title, "--file", &about], after);
        no_canary_in(&bench.path("home"));
        if let Ok(saved) = serde_json::from_str::<Value>(&printed) {
            known.insert(text_of(&saved["note"]));
            written += 1;
        }
        let now = notes(&bench);
        assert!(known.is_subset(&now), "something acknowledged is lost");
        known = now;
    }
    let rest = bench.ok(&["import", &import, "--no-people"]);
    let all = rest["imported"].as_u64().zip(rest["skipped"].as_u64()).map(|(new, old)| new + old);
    assert_eq!(all, Some(LINES as u64));
    let now = notes(&bench);
    assert!(now.len() >= LINES + written && known.is_subset(&now));
    for note in now.iter().take(20) {
        let shown = bench.ok(&["note", "show", note]);
        assert!(
            text_of(&shown["text"]).contains(text) && text_of(&shown["title"]) == title,
            "half of a note: {shown}"
        );
    }
    assert_eq!(bench.ok(&["verify"])["ok"], true);
}
