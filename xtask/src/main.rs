//! Everything that CI runs, runnable at a desk: `cargo xtask test`.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "telling a person at a terminal what happens is what this program is for"
)]

mod checks;
mod machine;
mod picture;
mod programs;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::programs::Program;

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
    /// Draws what `thicket demo` prints as docs/demo.svg.
    Picture,
    /// Tells stories of devices, a server and a network that fails, as many as wanted: `--seeds N`, `--from SEED`.
    Sim {
        /// What the program takes.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Runs one verb of the workload (see docs/performance.md), or `build`, which prints the path of the program.
    Workload {
        /// The verb and what it takes.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Kills the programs at random moments of their work, and looks what is left: `--times N`, `--only TARGET`, `--seed S`.
    Kills {
        /// What the program takes.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measures Thicket beside the bound, and prints the ratios with their budgets.
    Bench {
        /// What the program takes.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    match Chores::parse().chore {
        Chore::Test => checks::run(),
        Chore::Picture => picture::draw(),
        Chore::Sim { arguments } => Program::Sim.run(&arguments),
        Chore::Workload { arguments } if arguments == ["build"] => match Program::Workload.build() {
            Ok(path) => {
                println!("{}", path.display());
                ExitCode::SUCCESS
            }
            Err(code) => code,
        },
        Chore::Workload { arguments } => Program::Workload.run(&arguments),
        Chore::Kills { arguments } => Program::Kills.run(&arguments),
        Chore::Bench { arguments } => Program::Bench.run(&arguments),
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
