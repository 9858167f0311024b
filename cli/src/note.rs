//! Notes: written, edited, released.

use clap::{Args, Subcommand};
use thicket_core::home::{About, Home, HomeError, NewNote, NoteEdit, Placed};
use thicket_core::ids::NoteId;
use thicket_core::mention::Unresolved;
use thicket_core::text::{Layer, Unit};
use thicket_core::time::Observed;
use thicket_core::view::Provenance;
use thicket_core::vocabulary::StampStatus;
use thicket_protocol::ids::NotebookId;

use crate::args::word;
use crate::desk::{self, Desk, just_now, mending, now};
use crate::editor::{self, Source};
use crate::failure::{Failure, Kind};
use crate::read::{History, LateEdits, List, Search, Show};
use crate::stamp::{Saved, Stamp};

/// Notes: write, edit, read, find, release.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  thicket note write --about Ruth --title \"First visit\"
  thicket note list --stamp none
  thicket note search kitchen")]
pub(crate) enum Note {
    Write(Write),
    Edit(Edit),
    Show(Show),
    List(List),
    Search(Search),
    Release(Release),
    History(History),
    Late(Late),
}

impl Note {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::Write(write) => write.run(desk),
            Self::Edit(edit) => edit.run(desk),
            Self::Show(show) => show.run(desk),
            Self::List(list) => list.run(desk),
            Self::Search(search) => search.run(desk),
            Self::Release(release) => release.run(desk),
            Self::History(history) => history.run(desk),
            Self::Late(late) => late.run(desk),
        }
    }
}

/// Who is in a note, beside the people that its text names.
#[derive(Debug, Args)]
pub(crate) struct Who {
    /// Who is in it, beside those that its text names.
    #[arg(long, value_name = "P1,P2", value_delimiter = ',', conflicts_with = "no_people")]
    about: Vec<String>,
    /// Say expressly that nobody is in it.
    #[arg(long)]
    no_people: bool,
}

impl Who {
    /// What is said; none where nothing is.
    pub(crate) fn said(&self, home: &Home, notebook: &NotebookId) -> Result<Option<About>, Failure> {
        if self.no_people {
            return Ok(Some(About::Nobody));
        }
        if self.about.is_empty() {
            return Ok(None);
        }
        Ok(Some(About::These(desk::participants(home, notebook, &self.about)?)))
    }
}

/// Write a note.
///
/// It is never refused for want of consent: a note that may not be shared stays in your private space.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  thicket note write --about Ruth --title \"First visit\"
  thicket note write --no-people --at 2026-11-24/morning --file morning.md
  echo \"@{Ruth} opened before I knocked.\" | thicket note write -

@{Pseudonym} in the text names a participant or a place. A note that names nobody and does not say
--no-people is not shared until somebody says who is in it.")]
pub(crate) struct Write {
    /// Encounter it is about, by id or unique prefix of it.
    #[arg(long, value_name = "E")]
    encounter: Option<String>,
    /// Title, one line.
    #[arg(long, value_name = "T")]
    title: Option<String>,
    #[command(flatten)]
    who: Who,
    /// What the text is: what was done, what was said, or what you make of it.
    #[arg(long, value_name = "L", default_value = "observation", value_parser = word(Layer::ALL, Layer::as_str))]
    layer: Layer,
    /// When it was observed: a date, DATE/morning, or RFC 3339; without it, now.
    #[arg(long, value_name = "T")]
    at: Option<Observed>,
    /// How the text came to be.
    #[arg(long, default_value = "typed", value_parser = word(Provenance::ALL, Provenance::as_str))]
    provenance: Provenance,
    #[command(flatten)]
    source: Source,
}

impl Write {
    fn run(self, desk: &Desk) -> Result<(), Failure> {
        // The clock of the note is that of its beginning, not of its last word.
        let observed = self.at.unwrap_or_else(just_now);
        let given = self.source.read()?;
        let mut home = desk.open()?;
        // What is wrong with the flags is told before anybody types for an hour.
        let (notebook, about, encounter) = mending(&mut home, |home| {
            let notebook = desk.notebook(home)?;
            let about = self.who.said(home, &notebook)?.unwrap_or_default();
            let encounter = self.encounter.as_deref().map(|name| home.find_encounter(&notebook, name));
            Ok((notebook, about, encounter.transpose()?))
        })?;
        with_text(desk, home, given, "", |home, text| {
            let title = parse(home, &notebook, self.title.as_deref().unwrap_or_default())?;
            let parsed = parse(home, &notebook, text)?;
            let mut warnings = title.warnings;
            warnings.extend(parsed.warnings);
            let new = NewNote {
                notebook,
                id: None,
                encounter,
                title: title.units,
                text: parsed.units,
                about: about.clone(),
                layer: self.layer,
                observed,
                provenance: self.provenance,
            };
            let placed = home.write_note(new, now())?;
            warn_of_names(home, &notebook, text, &mut warnings)?;
            warn_of_silence(&placed, &mut warnings);
            Ok(Saved::new(&placed, warnings))
        })
    }
}

/// Gives the home back its files after the editor closed, saves the text, and never loses it.
fn with_text(
    desk: &Desk,
    home: Home,
    given: Option<String>,
    before: &str,
    mut save: impl FnMut(&mut Home, &str) -> Result<Saved, Failure>,
) -> Result<(), Failure> {
    let (mut home, typed) = match given {
        Some(text) => return finish(desk, home, |home| save(home, &text)),
        None => {
            // Others may use the home while somebody types.
            let paused = home.pause()?;
            let typed = editor::edit(before)?;
            match desk::resume(paused) {
                Ok(home) => (home, typed),
                Err(failure) => return Err(typed.keep(failure)),
            }
        }
    };
    if typed.text.trim().is_empty() && !before.trim().is_empty() {
        let failure = Failure::usage("the editor left an empty text; nothing was changed", "");
        return Err(typed.keep(failure));
    }
    if typed.text.trim().is_empty() {
        return Err(Failure::usage(
            "nothing was typed, and nothing was saved",
            "write something in the editor and save it there",
        ));
    }
    match mending(&mut home, |home| save(home, &typed.text)) {
        Ok(saved) => {
            drop(typed);
            desk.output.print(&saved)?;
            desk.close(home)
        }
        Err(failure) => Err(typed.keep(failure)),
    }
}

/// Saves, prints, closes.
fn finish(
    desk: &Desk,
    mut home: Home,
    save: impl FnMut(&mut Home) -> Result<Saved, Failure>,
) -> Result<(), Failure> {
    let saved = mending(&mut home, save)?;
    desk.output.print(&saved)?;
    desk.close(home)
}

/// A text with its tokens, and what in it stayed as typed.
struct Read {
    units: Vec<Unit>,
    warnings: Vec<String>,
}

fn parse(home: &Home, notebook: &NotebookId, text: &str) -> Result<Read, Failure> {
    let parsed = home.parse_text(notebook, text)?;
    Ok(Read { units: parsed.units, warnings: parsed.unresolved.iter().map(unresolved).collect() })
}

/// What to say about a mention that stayed as typed.
pub(crate) fn unresolved(mention: &Unresolved) -> String {
    let why = if mention.several { "names several" } else { "names nobody and no place that is known" };
    format!("@{{{}}} {why}; it stays as typed", mention.name)
}

/// Warns where a known real name stands in the text, without repeating it.
fn warn_of_names(
    home: &Home,
    notebook: &NotebookId,
    text: &str,
    warnings: &mut Vec<String>,
) -> Result<(), Failure> {
    let names = home.guarded_names(notebook, text)?.len();
    if names > 0 {
        let name = if names == 1 { "a known real name stands" } else { "known real names stand" };
        warnings
            .push(format!("{name} in the text: write @{{Pseudonym}} in its place, or it is not released"));
    }
    Ok(())
}

/// Warns where it was not said who is in a note.
fn warn_of_silence(placed: &Placed, warnings: &mut Vec<String>) {
    if placed.stamp.status == StampStatus::Pending && placed.stamp.subjects.is_empty() {
        warnings.push(
            "it was not said who is in it, so it stays private: give --about or --no-people".to_owned(),
        );
    }
}

/// Edit a note.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  thicket note edit 5f3a
  thicket note edit 5f3a --about Ruth,Sam
  thicket note edit 5f3a --file new.md

Without a text and without other flags, $EDITOR opens with what stands there.")]
pub(crate) struct Edit {
    /// Which note, by id or unique prefix of it.
    note: String,
    /// The new title.
    #[arg(long, value_name = "T")]
    title: Option<String>,
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    source: Source,
}

impl Edit {
    fn run(self, desk: &Desk) -> Result<(), Failure> {
        let given = self.source.read()?;
        let mut home = desk.open()?;
        let (note, before, about) = mending(&mut home, |home| {
            let note = home.find_note(&self.note)?;
            let before = home.note(note)?;
            let about = self.who.said(home, &before.notebook)?;
            Ok((note, before, about))
        })?;
        let notebook = before.notebook;
        let edit = |home: &mut Home, text: Option<&str>| {
            let mut warnings = Vec::new();
            let mut units = |text: &str| -> Result<Vec<Unit>, Failure> {
                let read = parse(home, &notebook, text)?;
                warnings.extend(read.warnings);
                Ok(read.units)
            };
            let edit = NoteEdit {
                title: self.title.as_deref().map(&mut units).transpose()?,
                text: text.map(&mut units).transpose()?,
                about: about.clone(),
            };
            let placed = home.edit_note(note, edit, now())?;
            warn_of_names(home, &notebook, text.unwrap_or_default(), &mut warnings)?;
            warn_of_silence(&placed, &mut warnings);
            Ok(Saved::new(&placed, warnings))
        };
        let flags_alone = !self.source.is_given() && (self.title.is_some() || about.is_some());
        if flags_alone {
            return finish(desk, home, |home| edit(home, None));
        }
        let is_typed = given.is_none();
        with_text(desk, home, given, &before.editable, |home, text| {
            // The whole text goes in: what came meanwhile from elsewhere would be taken out again.
            if is_typed && home.note(note)?.editable != before.editable {
                return Err(Failure::new(
                    Kind::Conflict,
                    "the note was changed while the editor was open, and nothing was saved",
                    "put the two together, and give the whole text with --file",
                ));
            }
            edit(home, Some(text))
        })
    }
}

/// Release a note by hand, once everybody in it is covered.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  thicket note release 5f3a

Mostly a note is released by itself when consent comes; this is for one whose text the name guard stopped.")]
pub(crate) struct Release {
    /// Which note, by id or unique prefix of it.
    note: String,
}

impl Release {
    fn run(self, desk: &Desk) -> Result<(), Failure> {
        desk.with_home(|home| {
            let note = home.find_note(&self.note)?;
            let placed =
                home.release_note(note, now()).map_err(|error| release_refused(home, note, error))?;
            Ok(Saved::new(&placed, Vec::new()))
        })
    }
}

/// Show what you typed into a note after it was released elsewhere, or take it over.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  thicket note late 5f3a
  thicket note late 5f3a --adopt

What is taken over becomes an edit of the note, and a draft where it names somebody who is not covered.")]
pub(crate) struct Late {
    /// Which note, by id or unique prefix of it.
    note: String,
    /// Put it into the note.
    #[arg(long)]
    adopt: bool,
}

impl Late {
    fn run(self, desk: &Desk) -> Result<(), Failure> {
        if !self.adopt {
            return desk.with_home(|home| Ok(LateEdits::of(home.note(home.find_note(&self.note)?)?)));
        }
        desk.with_home(|home| {
            let note = home.find_note(&self.note)?;
            let mut placed = None;
            for late in home.note(note)?.late {
                // One that is taken over may leave nothing of another.
                if !home.note(note)?.late.iter().any(|left| left.generation == late.generation) {
                    continue;
                }
                placed = Some(home.adopt_late(note, late.generation, now())?);
            }
            let placed = placed.ok_or(HomeError::Conflict("nothing was typed too late for this note"))?;
            Ok(Saved::new(&placed, Vec::new()))
        })
    }
}

/// Says for whom a note waits, where that is why it is not released.
fn release_refused(home: &Home, note: NoteId, error: HomeError) -> Failure {
    let is_consent = matches!(error, HomeError::Consent { .. });
    let failure = Failure::from(error);
    match home.note(note) {
        Ok(shown) if is_consent => {
            let words = Stamp::from(&shown.stamp).words;
            failure.hinting(format_args!("{words}; the note is safe in your private space"))
        }
        Ok(_) | Err(_) => failure,
    }
}
