//! Everything that CI runs, runnable at a desk: `cargo xtask test`.

#![allow(
    clippy::print_stderr,
    reason = "telling a person at a terminal what happens is what this program is for"
)]

mod checks;
mod machine;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The chores of the Thicket repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Chores {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Runs every check: format, lints, tests, documentation. The first that fails stops the run.
    Test,
}

fn main() -> ExitCode {
    match Chores::parse().chore {
        Chore::Test => checks::run(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Chores;

    #[test]
    fn the_command_line_is_consistent() {
        Chores::command().debug_assert();
    }
}
