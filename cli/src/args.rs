//! What can be typed: the flags of all commands, the list of commands, and how values are read.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};

use crate::{consent, demo, import, note, people, shell, status, sync, team};

/// An encrypted field notebook that works without a signal: each note carries the consent it rests on.
#[derive(Debug, Parser)]
#[command(name = "thicket", version, arg_required_else_help = true, subcommand_required = true)]
#[command(after_help = "Examples:
  thicket demo                                   see in a minute what it does
  thicket init --member Sam                      begin a team of your own
  thicket participant add Ruth --kind client
  thicket note write --about Ruth --title \"First visit\"
  thicket status

Exit codes: 0 done, 1 a fault in Thicket, 2 usage, 3 not found, 4 locked, 5 refused, 6 damaged,
7 offline, 8 distrust, 9 busy, 10 storage, 11 conflict.")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "All commands")]
pub(crate) struct Globals {
    /// Folder of the home; without it, the platform's folder for data.
    #[arg(long, global = true, env = "THICKET_HOME", hide_env_values = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Notebook that is meant, by id, unique prefix or name; not needed where there is one only.
    #[arg(long, global = true, value_name = "N")]
    pub(crate) notebook: Option<String>,
    /// Print one JSON object, and errors as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// File whose one line is the passphrase; THICKET_PASSPHRASE does the same, else a prompt asks.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Do not connect to the server.
    #[arg(long, global = true)]
    pub(crate) offline: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(team::Init),
    #[command(subcommand)]
    Server(team::Server),
    Invite(team::Invite),
    Join(team::Join),
    #[command(subcommand)]
    Notebook(team::Notebook),
    #[command(subcommand)]
    Participant(people::Participant),
    #[command(subcommand)]
    Place(people::Place),
    #[command(subcommand)]
    Encounter(people::Encounter),
    #[command(subcommand)]
    Consent(consent::Consent),
    #[command(subcommand)]
    Note(note::Note),
    Import(import::Import),
    Sync(sync::Sync),
    Status(status::Status),
    Verify(status::Verify),
    Demo(demo::Demo),
    Completions(shell::Completions),
    Man(shell::Man),
}

/// Reads one word of a closed list, and names the list in the help.
pub(crate) fn word<T>(all: &'static [T], spell: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + FromStr + Send + Sync + 'static,
    T::Err: std::fmt::Debug,
{
    PossibleValuesParser::new(all.iter().map(move |word| spell(*word)))
        .map(|text| text.parse().expect("one of the possible values"))
}

/// The longest time that can be asked for, in seconds: ten years.
const DURATION_S_MAX: u64 = 10 * 365 * 24 * 60 * 60;

/// Reads `30s`, `5m`, `12h`, `7d` or `2w`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wanted = || "a number with s, m, h, d or w behind it is wanted, such as 30s or 7d".to_owned();
    let unit = text.chars().next_back().ok_or_else(wanted)?;
    let number: u64 = text.strip_suffix(unit).unwrap_or_default().parse().map_err(|_| wanted())?;
    let unit_s: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        'w' => 7 * 24 * 60 * 60,
        _ => return Err(wanted()),
    };
    let seconds = number.checked_mul(unit_s).filter(|seconds| (1..=DURATION_S_MAX).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "it must lie between 1s and ten years".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_and_shows_examples() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(command.get_about().is_some(), "{path} says nothing");
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(examples.contains("Examples:\n  thicket"), "{path} shows no example");
            for argument in command.get_arguments().filter(|argument| argument.get_id() != "help") {
                assert!(argument.get_help().is_some(), "{path} {} has no help", argument.get_id());
            }
            command.get_subcommands().for_each(|inner| check(inner, &path));
        }
        check(&Args::command(), "");
    }

    #[test]
    fn a_duration_is_a_number_and_a_unit_within_its_limits() {
        for (text, seconds) in
            [("1s", 1), ("30s", 30), ("5m", 300), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert!(duration(&format!("{DURATION_S_MAX}s")).is_ok());
        for wrong in [
            "",
            "s",
            "7",
            "0s",
            "-1s",
            "1y",
            "7 d",
            "é",
            "99999999999999999999d",
            &format!("{}s", DURATION_S_MAX + 1),
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
