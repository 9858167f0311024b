//! The checks, in the order in which they are cheapest to fail.

use std::ffi::OsString;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Instant;

use crate::machine;

/// One run of cargo.
#[derive(Debug)]
struct Check {
    says: &'static str,
    args: &'static [&'static str],
    denies_doc_warnings: bool,
}

const CHECKS: [Check; 4] = [
    Check { says: "format", args: &["fmt", "--all", "--check"], denies_doc_warnings: false },
    Check {
        says: "lints",
        args: &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        denies_doc_warnings: false,
    },
    Check { says: "tests", args: &["test", "--workspace"], denies_doc_warnings: false },
    Check {
        says: "documentation",
        args: &["doc", "--workspace", "--no-deps", "--document-private-items"],
        denies_doc_warnings: true,
    },
];

/// Runs every check, announcing each; the first that fails ends the run with its exit code.
pub(crate) fn run() -> ExitCode {
    let no_vendor = match machine::can_check() {
        Ok(no_vendor) => no_vendor,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            return ExitCode::FAILURE;
        }
    };
    let began = Instant::now();
    for (at, check) in CHECKS.iter().enumerate() {
        eprintln!("xtask: {}/{} {}: cargo {}", at + 1, CHECKS.len(), check.says, check.args.join(" "));
        let mut cargo = machine::cargo(check.args);
        if no_vendor {
            cargo.env("OPENSSL_NO_VENDOR", "1");
        }
        if check.denies_doc_warnings {
            cargo.env("RUSTDOCFLAGS", with_denied_warnings(std::env::var_os("RUSTDOCFLAGS")));
        }
        if let Err(code) = finish(&mut cargo) {
            eprintln!("xtask: {} failed; nothing after it was run", check.says);
            return ExitCode::from(code);
        }
    }
    eprintln!("xtask: all {} checks passed in {} s", CHECKS.len(), began.elapsed().as_secs());
    ExitCode::SUCCESS
}

/// Adds to what the caller asked of rustdoc that a warning is an error.
fn with_denied_warnings(flags: Option<OsString>) -> OsString {
    let mut flags = flags.unwrap_or_default();
    flags.push(" -D warnings");
    flags
}

/// Waits for a command; anything but success is the exit code to end with.
pub(crate) fn finish(command: &mut Command) -> Result<(), u8> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(exit_code(status)),
        Err(error) => {
            eprintln!("xtask: cannot start {}: {error}", command.get_program().display());
            Err(1)
        }
    }
}

/// The exit code of a failed command: 1 where it has none (a signal ended it) or one that does not fit a byte.
fn exit_code(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[track_caller]
    fn ends_with(script: &str, expect: Result<(), u8>) {
        assert_eq!(finish(Command::new("sh").args(["-c", script])), expect, "sh -c '{script}'");
    }

    #[test]
    fn a_failed_check_ends_the_run_with_its_own_exit_code() {
        ends_with("exit 0", Ok(()));
        ends_with("exit 7", Err(7));
        ends_with("exit 101", Err(101));
    }

    #[test]
    fn a_check_ended_by_a_signal_or_never_started_is_a_failure() {
        ends_with("kill -9 $$", Err(1));
        assert_eq!(finish(&mut Command::new("no-such-program-here")), Err(1));
    }

    #[test]
    fn warnings_are_denied_beside_the_flags_of_the_caller() {
        assert_eq!(with_denied_warnings(None), " -D warnings");
        assert_eq!(with_denied_warnings(Some("--cfg docsrs".into())), "--cfg docsrs -D warnings");
    }
}
