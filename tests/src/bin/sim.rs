//! `sim [--seeds N] [--from SEED]`: runs as many stories as wanted, and prints the seeds that broke a promise.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's output")]

use std::process::ExitCode;

use thicket_tests::sim;

fn main() -> ExitCode {
    // Automerge's panics on garbled changes are caught where they happen.
    std::panic::set_hook(Box::new(|info| {
        if !info.location().is_some_and(|at| at.file().contains("automerge")) {
            eprintln!("{info}");
        }
    }));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    let (seeds, from) = (number("--seeds").unwrap_or(200), number("--from").unwrap_or(0));
    let mut broken = 0_u64;
    for seed in from..from + seeds {
        match std::panic::catch_unwind(|| sim::run_seed(seed)) {
            Ok(Ok(tally)) => println!("seed {seed}: {tally:?}"),
            Ok(Err(failure)) => {
                broken += 1;
                println!("seed {seed} BROKE\n{failure}");
            }
            Err(_) => {
                broken += 1;
                println!("seed {seed} PANICKED");
            }
        }
    }
    println!("{broken} of {seeds} seeds broke a promise");
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
