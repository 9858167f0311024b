//! Homes: made, opened, and found in bad states.

use std::fs;

use thicket_core::entropy::SystemEntropy;
use thicket_core::home::Home;
use thicket_core::ring::{KdfCost, Wrapping};
use thicket_core::time::Moment;

use crate::bench::{Bench, PASSPHRASE, run, str_of, text_of};

#[test]
fn a_new_home_names_its_team_and_says_what_a_forgotten_passphrase_costs() {
    let bench = Bench::new();
    let made = run(&mut bench.command(&["init", "--member", "Sam"]), b"");
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(made.stdout.contains("If you forget the passphrase, everything in this home is lost."));
    let founded = Bench::new().ok(&["init", "--member", "Sam", "--device", "laptop"]);
    for (field, length) in [("team", 64), ("member", 32), ("device", 32), ("notebook", 32)] {
        assert_eq!(text_of(&founded[field]).len(), length, "{field}");
    }
}

#[test]
fn a_folder_that_holds_something_is_never_made_a_home() {
    let bench = Bench::founded();
    bench.fails(11, "conflict", &["init", "--member", "Sam"]);
    bench.file("other/thesis.txt", "mine");
    bench.fails_on("other", 11, "conflict", &["init", "--member", "Sam"]);
    assert_eq!(fs::read_dir(bench.path("other")).expect("there").count(), 1, "nothing was added");
}

#[test]
fn a_home_that_is_not_there_is_not_found_before_a_passphrase_is_wanted() {
    let bench = Bench::new();
    let ran = run(bench.command(&["status", "--json"]).env_remove("THICKET_PASSPHRASE"), b"");
    ran.failure(3, "not_found");
    assert!(!bench.path("home").exists());
}

#[test]
fn a_wrong_or_missing_passphrase_is_locked_and_a_file_gives_the_right_one() {
    let bench = Bench::founded();
    let status = || bench.command(&["status", "--json"]);
    run(status().env("THICKET_PASSPHRASE", "wrong"), b"").failure(4, "locked");
    run(status().env_remove("THICKET_PASSPHRASE"), b"").failure(4, "locked");
    let file = bench.file("passphrase", format!("{PASSPHRASE}\r\n"));
    let ran = run(status().env("THICKET_PASSPHRASE", "wrong").args(["--passphrase-file", &file]), b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    run(status().args(["--passphrase-file", str_of(&bench.path("nowhere"))]), b"").failure(3, "not_found");
    let two = bench.file("two", "one\ntwo\n");
    run(status().args(["--passphrase-file", &two]), b"").failure(2, "usage");
}

#[test]
fn a_home_that_another_process_has_open_is_busy_and_free_again_afterwards() {
    let bench = Bench::founded();
    let wrapping = Wrapping::Passphrase(PASSPHRASE, KdfCost::default());
    let now = Moment::new(1_800_000_000_000, 0).expect("a moment");
    let home = Home::open(&bench.path("home"), wrapping, now, Box::new(SystemEntropy::new())).expect("opens");
    bench.fails(9, "busy", &["status"]);
    home.lock().expect("closes");
    bench.ok(&["status"]);
}

#[test]
fn damage_is_told_apart_from_a_wrong_passphrase_and_one_whole_ring_is_enough() {
    let bench = Bench::founded();
    bench.write("kept", &["--no-people"]);
    let damage = |name: &str| {
        let path = bench.path("home").join(name);
        let mut bytes = fs::read(&path).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).expect("written");
    };
    damage("ring");
    bench.ok(&["status"]);
    damage("ring");
    damage("ring.copy");
    let error = bench.fails(6, "damaged", &["status"]);
    assert!(text_of(&error["hint"]).contains("ring"), "{error}");
}

#[test]
fn what_can_be_made_again_is_made_again() {
    let bench = Bench::founded();
    let note = bench.write("still here", &["--no-people"]);
    fs::remove_file(bench.path("home").join("derived.db")).expect("removed");
    assert_eq!(bench.ok(&["note", "show", &note])["text"], "still here");
    fs::write(bench.path("home").join("derived.db"), vec![7; 100_000]).expect("written");
    assert_eq!(bench.ok(&["note", "show", &note])["text"], "still here");
}

#[test]
fn a_damaged_log_of_notes_is_damaged_and_not_a_fault() {
    let bench = Bench::founded();
    bench.write("a text", &["--no-people"]);
    let path = bench.path("home").join("core.db");
    let mut bytes = fs::read(&path).expect("read");
    bytes.iter_mut().skip(20_000).for_each(|byte| *byte ^= 0x5a);
    fs::write(path, bytes).expect("written");
    let ran = run(&mut bench.command(&["verify", "--json"]), b"");
    ran.failure(6, "damaged");
}

#[test]
fn one_notebook_goes_without_saying_and_of_two_one_must_be_named() {
    let bench = Bench::founded();
    let created = bench.ok(&["notebook", "create", "Caseload", "--realm", "service"]);
    let listed = bench.ok(&["notebook", "list"]);
    let names: Vec<String> =
        listed["notebooks"].as_array().expect("a list").iter().map(|one| text_of(&one["name"])).collect();
    assert_eq!(names, ["Caseload", "Visits"]);
    let error = bench.fails(2, "usage", &["participant", "list"]);
    assert!(text_of(&error["reason"]).contains("Caseload, Visits"), "{error}");
    bench.ok(&["participant", "list", "--notebook", "Visits"]);
    let id = text_of(&created["notebook"]);
    bench.ok(&["participant", "list", "--notebook", &id[..8]]);
    bench.fails(3, "not_found", &["participant", "list", "--notebook", "Nowhere"]);
    bench.fails(11, "conflict", &["notebook", "create", "Caseload"]);
}
