//! The `thicket` command: the desk tool of custodians, and the readable example of the API.
//!
//! Results go to standard output, everything else to standard error; [`failure::Kind`] has the exit codes.

mod args;
mod consent;
mod demo;
mod desk;
mod editor;
mod failure;
mod import;
mod note;
mod output;
mod passphrase;
mod people;
mod read;
mod shell;
mod stamp;
mod status;
mod sync;
mod team;

use std::panic::catch_unwind;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::args::{Args, Command};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::Output;

fn main() -> ExitCode {
    // A panic's own words may hold what somebody wrote; core also catches some where a document is hostile.
    std::panic::set_hook(Box::new(|_| {}));
    let outcome =
        catch_unwind(start).unwrap_or_else(|_| Err(Failure::bug("it stopped where it never should")));
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    // Where the flags themselves are wrong, nothing else tells in which form the error is wanted.
    let json = std::env::args_os().any(|argument| argument == "--json");
    Output::new(json).print_failure(&failure);
    ExitCode::from(failure.kind.code())
}

fn start() -> Result<(), Failure> {
    match Args::try_parse() {
        Ok(Args { globals, command }) => {
            let output = Output::new(globals.json);
            run(command, &Desk { globals, output })
        }
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Output::new(false).raw(styled_help(&error).as_bytes())
        }
        Err(error) => Err(usage(&error)),
    }
}

/// Help as clap sets it, with styles where standard output shows them.
fn styled_help(error: &clap::Error) -> String {
    let text = error.render();
    if Output::new(false).shows_styles() { text.ansi().to_string() } else { text.to_string() }
}

/// What clap says of wrong flags: the first line is the reason, the rest the hint.
fn usage(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::usage("a command is wanted", text);
    }
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let (reason, hint) = text.split_once("\n\n").unwrap_or((text, ""));
    Failure::usage(reason.trim(), hint.trim())
}

fn run(command: Command, desk: &Desk) -> Result<(), Failure> {
    match command {
        Command::Init(init) => init.run(desk),
        Command::Server(server) => server.run(desk),
        Command::Invite(invite) => invite.run(desk),
        Command::Join(join) => join.run(desk),
        Command::Notebook(notebook) => notebook.run(desk),
        Command::Participant(participant) => participant.run(desk),
        Command::Place(place) => place.run(desk),
        Command::Encounter(encounter) => encounter.run(desk),
        Command::Consent(consent) => consent.run(desk),
        Command::Note(note) => note.run(desk),
        Command::Import(import) => import.run(desk),
        Command::Sync(sync) => sync.run(desk),
        Command::Status(status) => status.run(desk),
        Command::Verify(verify) => verify.run(desk),
        Command::Demo(demo) => demo.run(desk),
        Command::Completions(completions) => completions.run(desk),
        Command::Man(man) => man.run(desk),
    }
}
