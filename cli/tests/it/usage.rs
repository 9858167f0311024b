//! Flags, help, and what the shell gets.

use std::process::Stdio;

use crate::bench::{Bench, run, str_of};

#[test]
fn wrong_flags_and_values_are_exit_2_in_the_form_that_was_asked_for() {
    let bench = Bench::new();
    for args in [
        &["nonsense"][..],
        &["init"],
        &["init", "--member", ""],
        &["init", "--member", "Sam", "--realm", "somewhere"],
        &["init", "--member", "Sam", "--server", "https://example.org"],
        &["consent", "grant", "Ruth"],
        &["note", "write", "--about", "Ruth", "--no-people"],
        &["note", "write", "--at", "2026-02-30"],
        &["note", "list", "--limit", "0"],
        &["sync", "--timeout", "soon"],
        &["join", "certainly not a code", "--member", "Abby"],
    ] {
        bench.fails(2, "usage", args);
    }
    let plain = run(&mut bench.command(&["nonsense"]), b"");
    assert_eq!((plain.code, plain.stdout.as_str()), (2, ""));
    assert!(plain.stderr.starts_with("thicket: unrecognized subcommand"), "{}", plain.stderr);
}

#[test]
fn help_goes_to_standard_output_with_examples_and_without_codes_in_a_pipe() {
    let bench = Bench::new();
    for args in [&["--help"][..], &["note", "write", "--help"], &["help", "consent", "grant"]] {
        let ran = run(&mut bench.command(args), b"");
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{args:?}");
        assert!(
            ran.stdout.contains("Examples:\n  thicket") && !ran.stdout.contains('\u{1b}'),
            "{}",
            ran.stdout
        );
    }
    let version = run(&mut bench.command(&["--version"]), b"");
    assert_eq!(version.stdout, format!("thicket {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_and_manual_pages_are_made_of_the_command_line() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = run(&mut bench.command(&["completions", shell]), b"");
        assert!(ran.code == 0 && ran.stdout.contains("withdraw"), "{shell}");
    }
    let folder = bench.path("man");
    let written = bench.ok(&["man", str_of(&folder)]);
    assert!(written["pages"].as_u64().is_some_and(|pages| pages > 20), "{written}");
    let page = std::fs::read_to_string(folder.join("thicket-consent-grant.1")).expect("a page");
    assert!(page.contains("team_share"));
}

#[test]
fn a_reader_that_stops_reading_is_no_failure() {
    let bench = Bench::new();
    let mut child = bench.command(&["completions", "bash"]).stdout(Stdio::piped()).spawn().expect("starts");
    // Whoever reads is gone before more than a pipe holds is written.
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("ends").code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_standard_output_is_told() {
    let bench = Bench::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let ran = run(bench.command(&["completions", "bash", "--json"]).stdout(full), b"");
    ran.failure(10, "storage");
}
