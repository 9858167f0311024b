//! Import: a folder of texts, or a file with one note a line.
//!
//! The id of an imported note is derived from what it says, so that running an import twice adds nothing twice.

mod files;

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use thicket_core::home::{About, Home, HomeError, NewNote};
use thicket_core::ids::{EncounterId, NoteId};
use thicket_core::text::{Layer, normalise, units};
use thicket_core::time::Observed;
use thicket_core::view::Provenance;
use thicket_protocol::ids::{MemberId, NotebookId};
use thicket_protocol::sign;

use self::files::{Entries, Entry};
use crate::desk::{Desk, mending, now};
use crate::failure::{Failure, Kind};
use crate::note::{Who, unresolved};
use crate::output::{Page, Shown, count};
use crate::sync;

/// How many notes are saved at a time: each save waits for the disk.
const BATCH_NOTES: usize = 64;
/// How many bytes of text are held in memory until they are saved.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// How many lines that could not be read are listed; more are counted.
const FAILED_LISTED_MAX: usize = 1_000;
/// How many warnings are listed.
const WARNINGS_MAX: usize = 100;

/// Import a folder of .txt and .md files, or a .jsonl file with one note a line.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thicket import diary.jsonl --no-people
  thicket import old-notes/ --about Ruth
  thicket import old-notes/ --tokens

A line of .jsonl has \"date\" (a date, DATE/morning, or RFC 3339), \"text\", and perhaps \"title\".
A text file's date is the one that its name begins with (2026-11-24 visit.txt), else the day it was
changed; its title is the rest of its name. Running an import twice adds nothing twice. What cannot
be read is listed, the rest is imported, and the exit code is 2.")]
pub(crate) struct Import {
    /// Folder or file.
    path: PathBuf,
    #[command(flatten)]
    who: Who,
    /// Encounter that the notes are about, by id or unique prefix of it.
    #[arg(long, value_name = "E")]
    encounter: Option<String>,
    /// Read @{Pseudonym} as a person or a place; without it, it stays text.
    #[arg(long)]
    tokens: bool,
}

#[derive(Debug, Serialize)]
struct Failed {
    file: String,
    line: Option<u64>,
    reason: String,
}

#[derive(Debug, Default, Serialize)]
struct Imported {
    imported: u64,
    skipped: u64,
    failed: Vec<Failed>,
    failed_count: u64,
    private: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Imported {
    fn fail(&mut self, file: &str, line: Option<u64>, reason: String) {
        self.failed_count += 1;
        if self.failed.len() < FAILED_LISTED_MAX {
            self.failed.push(Failed { file: file.to_owned(), line, reason });
        }
    }

    fn warn(&mut self, warning: String) {
        if self.warnings.len() < WARNINGS_MAX {
            self.warnings.push(warning);
        }
    }
}

impl Shown for Imported {
    fn set(&self, page: &mut Page) {
        let known =
            if self.skipped == 0 { String::new() } else { format!(", {} known already", self.skipped) };
        page.head(&format!("{} imported{known}.", count(self.imported, "note", "notes")));
        if self.private > 0 {
            page.line(format_args!(
                "{} stay in your private space: `thicket status` says why.",
                self.private
            ));
        }
        if self.failed_count > 0 {
            page.line(format_args!("{} could not be read:", self.failed_count));
        }
        for failed in &self.failed {
            let line = failed.line.map(|line| format!(":{line}")).unwrap_or_default();
            page.line(format_args!("  {}{line}: {}", failed.file, failed.reason));
        }
        let unlisted = self.failed_count - u64::try_from(self.failed.len()).unwrap_or(0);
        if unlisted > 0 {
            page.line(format_args!("  and {unlisted} more"));
        }
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl Import {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        let entries = Entries::open(&self.path)?;
        let mut home = desk.open()?;
        let member = home.member().ok_or(HomeError::WaitingForKeys)?;
        let (notebook, about, encounter) = mending(&mut home, |home| {
            let notebook = desk.notebook(home)?;
            let about = self.who.said(home, &notebook)?.unwrap_or_default();
            let encounter = self.encounter.as_deref().map(|name| home.find_encounter(&notebook, name));
            Ok((notebook, about, encounter.transpose()?))
        })?;
        let bar = progress(desk, entries.bytes());
        let mut batch =
            Batch { notebook, member, about, encounter, tokens: self.tokens, new: Vec::new(), bytes: 0 };
        let mut done = Imported::default();
        let ended = take_all(&mut home, &mut batch, entries, &bar, &mut done);
        bar.finish_and_clear();
        // Whatever stopped it: what was imported until then is told.
        desk.output.print(&done)?;
        match ended {
            Err(failure) if failure.is_of_derived() => {
                home.renew_derived(now())?;
                let hint = "it is made again from `core.db`: run this again; what is imported already is not imported twice";
                return Err(failure.hinting(hint));
            }
            ended => ended?,
        }
        sync::index(&mut home, desk)?;
        desk.close(home)?;
        if done.failed_count == 0 {
            return Ok(());
        }
        Err(Failure::usage(
            format_args!("{} could not be imported", count(done.failed_count, "entry", "entries")),
            "put them right and run it again: what is imported already is not imported twice",
        ))
    }
}

fn progress(desk: &Desk, bytes: u64) -> ProgressBar {
    // Drawn on a terminal alone: indicatif hides it everywhere else.
    let target = if desk.output.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}, {eta} left, {msg}");
    ProgressBar::with_draw_target(Some(bytes), target).with_style(style.expect("a template that was tried"))
}

/// Imports every entry, a batch at a time.
fn take_all(
    home: &mut Home,
    batch: &mut Batch,
    entries: Entries,
    bar: &ProgressBar,
    done: &mut Imported,
) -> Result<(), Failure> {
    for read in entries {
        bar.set_position(read.bytes_done);
        match read.entry {
            Ok(entry) => batch.add(home, &read.file, read.line, entry, done)?,
            Err(reason) => done.fail(&read.file, read.line, reason),
        }
        if batch.new.len() >= BATCH_NOTES || batch.bytes >= BATCH_BYTES {
            batch.save(home, done)?;
            bar.set_message(count(done.imported, "note", "notes"));
        }
    }
    batch.save(home, done)
}

/// Notes that wait to be saved together, and where each came from.
struct Batch {
    notebook: NotebookId,
    member: MemberId,
    about: About,
    encounter: Option<EncounterId>,
    tokens: bool,
    new: Vec<(String, Option<u64>, NewNote)>,
    bytes: usize,
}

impl Batch {
    /// Takes an entry in; one that no note can be made of is listed.
    fn add(
        &mut self,
        home: &Home,
        file: &str,
        line: Option<u64>,
        entry: Entry,
        done: &mut Imported,
    ) -> Result<(), Failure> {
        let taken = normalise(entry.title.trim()).and_then(|title| Ok((title, normalise(&entry.text)?)));
        let (title, text) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                done.fail(file, line, error.to_string());
                return Ok(());
            }
        };
        let id = note_id(&self.notebook, &self.member, entry.observed, &title, &text);
        self.bytes += text.len();
        let text = if self.tokens {
            let parsed = home.parse_text(&self.notebook, &text)?;
            let place = line.map(|line| format!(":{line}")).unwrap_or_default();
            parsed.unresolved.iter().for_each(|one| done.warn(format!("{file}{place}: {}", unresolved(one))));
            parsed.units
        } else {
            units(&text)
        };
        let new = NewNote {
            notebook: self.notebook,
            id: Some(id),
            encounter: self.encounter,
            title: units(&title),
            text,
            about: self.about.clone(),
            layer: Layer::Observation,
            observed: entry.observed,
            provenance: Provenance::Typed,
        };
        self.new.push((file.to_owned(), line, new));
        Ok(())
    }

    /// Saves what waits; what one note is refused for does not keep the others.
    fn save(&mut self, home: &mut Home, done: &mut Imported) -> Result<(), Failure> {
        self.bytes = 0;
        let mut places = Vec::with_capacity(self.new.len());
        let mut notes = Vec::with_capacity(self.new.len());
        for (file, line, note) in self.new.drain(..) {
            places.push((file, line));
            notes.push(note);
        }
        let mut stopped = None;
        home.import_notes(notes, now(), &mut |at, written| match written {
            Ok(Some(placed)) => {
                done.imported += 1;
                done.private += u64::from(placed.is_private);
            }
            Ok(None) => done.skipped += 1,
            Err(error) => {
                let failure = Failure::from(error);
                match (failure.kind, places.get(at)) {
                    (Kind::Usage | Kind::Refused | Kind::Conflict, Some((file, line))) => {
                        done.fail(file, *line, failure.reason);
                    }
                    _ => stopped = Some(failure),
                }
            }
        })?;
        stopped.map_or(Ok(()), Err)
    }
}

/// Derives the id of an imported note: the first 16 bytes of H("thicket/import/1" || notebook || member ||
/// len(date) || date || len(title) || title || text), lengths as 8 bytes, big-endian.
fn note_id(notebook: &NotebookId, member: &MemberId, observed: Observed, title: &str, text: &str) -> NoteId {
    let length = |text: &str| u64::try_from(text.len()).expect("memory is smaller").to_be_bytes();
    let date = observed.to_string();
    let parts: [&[u8]; 7] = [
        notebook.as_bytes(),
        member.as_bytes(),
        &length(&date),
        date.as_bytes(),
        &length(title),
        title.as_bytes(),
        text.as_bytes(),
    ];
    NoteId::from_bytes(sign::hash("thicket/import/1", &parts).first_16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imported_note_is_named_by_what_it_says_and_by_whose_it_is() {
        let (notebook, member) = (NotebookId::from_bytes([1; 16]), MemberId::from_bytes([2; 16]));
        let day: Observed = "1660-01-01".parse().expect("a day");
        let id = |title: &str, text: &str| note_id(&notebook, &member, day, title, text);
        assert_eq!(id("a", "bc"), id("a", "bc"));
        assert_ne!(id("a", "bc"), id("ab", "c"), "title and text are kept apart");
        assert_ne!(id("", "abc"), id("abc", ""));
        let other = note_id(&notebook, &MemberId::from_bytes([3; 16]), day, "a", "bc");
        assert_ne!(id("a", "bc"), other);
        assert_eq!(id("", "").to_string(), "871e625c02e5dd5a5556e7895d903946");
    }

    #[test]
    fn failures_are_counted_beyond_what_is_listed() {
        let mut done = Imported::default();
        for _ in 0..=FAILED_LISTED_MAX {
            done.fail("f", None, "wrong".to_owned());
        }
        assert_eq!((done.failed.len(), done.failed_count), (FAILED_LISTED_MAX, 1_001));
    }
}
