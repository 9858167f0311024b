//! `kills [--times N] [--seed S] [--only TARGET]`: kills each target N times at random moments of its work.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's output")]

use std::process::ExitCode;

use thicket_tests::kills::{Target, kill};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(at + 1).cloned()
    };
    let number = |flag: &str, default: u64| value(flag).map_or(Ok(default), |text| text.parse());
    let (Ok(times), Ok(seed)) = (number("--times", 200), number("--seed", 1)) else {
        eprintln!("kills: --times and --seed take a number");
        return ExitCode::from(2);
    };
    let only = value("--only");
    let targets: Vec<Target> = Target::ALL
        .into_iter()
        .filter(|target| only.as_ref().is_none_or(|only| only == target.name()))
        .collect();
    if targets.is_empty() {
        eprintln!("kills: --only takes one of {:?}", Target::ALL.map(Target::name));
        return ExitCode::from(2);
    }
    let mut broken = false;
    for target in targets {
        let times = usize::try_from(times).expect("a number of kills");
        match std::panic::catch_unwind(|| kill(target, times, seed)) {
            Ok(tally) => println!("{}: {tally:?}", target.name()),
            Err(_) => {
                broken = true;
                println!("{}: BROKE a promise (seed {seed})", target.name());
            }
        }
    }
    if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
