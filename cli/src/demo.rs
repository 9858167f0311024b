//! The demo: the whole way of a note in front of the reader's eyes, with a server and two members of its own.

mod disk;
mod scenes;

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::output::{Output, Page, Shown};

/// See what Thicket does, in under a minute: two members, a server, real prose, consent.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thicket demo
  thicket demo --keep ~/thicket-demo
  thicket demo --json

It touches no home of yours, connects to nothing but itself, and leaves nothing behind without --keep.")]
pub(crate) struct Demo {
    /// Keep the homes and the server's data in this folder, which must be empty or not there.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

impl Demo {
    pub(crate) fn run(&self, desk: &Desk) -> Result<(), Failure> {
        let began = Instant::now();
        let mut story = Story { output: desk.output, step: 0 };
        match &self.keep {
            Some(folder) => {
                make_empty(folder)?;
                scenes::play(folder, Some(folder), &mut story, began)
            }
            None => {
                let folder = tempfile::Builder::new().prefix("thicket-demo-").tempdir();
                let folder = folder.map_err(|error| Failure::file(&std::env::temp_dir(), &error))?;
                scenes::play(folder.path(), None, &mut story, began)
            }
        }
    }
}

/// Makes a folder, or takes one that is empty.
fn make_empty(folder: &PathBuf) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::file(folder, &error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    if std::fs::read_dir(folder).map_err(failed)?.next().is_some() {
        return Err(Failure::new(
            Kind::Conflict,
            format_args!("{} is not empty", folder.display()),
            "name an empty folder, or one that is not there yet, with --keep",
        ));
    }
    Ok(())
}

/// The steps as they are told.
struct Story {
    output: Output,
    step: u8,
}

impl Story {
    /// Tells the next step.
    fn tell(&mut self, title: &'static str, parts: Vec<Part>) -> Result<(), Failure> {
        self.step += 1;
        self.output.print(&Step { step: self.step, title, parts })
    }
}

/// One step of the story.
#[derive(Debug, Serialize)]
struct Step {
    step: u8,
    title: &'static str,
    parts: Vec<Part>,
}

/// A part of a step.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Part {
    /// What the story says.
    Say { text: String },
    /// What stands on somebody's screen.
    Note {
        on: &'static str,
        title: String,
        text: String,
        space: &'static str,
        stamp: &'static str,
        words: String,
    },
    /// One measured or shown thing.
    Fact { name: &'static str, value: String },
}

impl Part {
    fn say(text: impl Into<String>) -> Self {
        Self::Say { text: text.into() }
    }

    fn fact(name: &'static str, value: impl ToString) -> Self {
        Self::Fact { name, value: value.to_string() }
    }
}

impl Shown for Step {
    fn set(&self, page: &mut Page) {
        page.head(&format!("{}. {}", self.step, self.title));
        let mut after_fact = false;
        for part in &self.parts {
            let is_fact = matches!(part, Part::Fact { .. });
            if !(is_fact && after_fact) {
                page.gap();
            }
            after_fact = is_fact;
            match part {
                Part::Say { text } => page.prose(text, 3),
                Part::Fact { name, value } => page.hanging(&format!("     {name:<22}"), value),
                Part::Note { on, title, text, space, words, stamp } => {
                    let head = page.dim(&format!("on {on}'s device, {space}:"));
                    let title = page.bold(title);
                    page.prose(&format!("{head} {title}"), 5);
                    page.prose(text, 7);
                    let tint = match *stamp {
                        "valid" => crate::output::Tint::Good,
                        "on_hold" | "blocked" => crate::output::Tint::Held,
                        _ => crate::output::Tint::Waits,
                    };
                    let words = page.tinted(tint, words);
                    page.prose(&format!("→ {words}"), 7);
                }
            }
        }
        page.gap();
    }
}
