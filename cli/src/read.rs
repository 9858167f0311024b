//! Reading notes: one, a list, a search, a history.

use clap::Args;
use serde::Serialize;
use thicket_core::home::{
    AsideShown, ChangeShown, Home, HomeError, NoteRow, NoteShown, NotesWanted, StampShown,
};
use thicket_core::text::Token;
use thicket_core::time::Observed;
use thicket_core::vocabulary::StampStatus;

use crate::args::word;
use crate::desk::{self, Desk};
use crate::failure::Failure;
use crate::output::{Page, Shown, cut, plain, short};
use crate::stamp::{Stamp, space, tint};

/// How many notes a list or a search has unless more are asked for.
const PAGE_NOTES: &str = "50";
/// The most notes of one page.
const PAGE_NOTES_MAX: i64 = 1_000;
/// How wide a title stands in a list, in columns.
const TITLE_COLUMNS: usize = 40;

/// Show one note.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  thicket note show 5f3a
  thicket note show 5f3a --json")]
pub(crate) struct Show {
    /// Which note, by id or unique prefix of it.
    note: String,
}

#[derive(Serialize)]
struct TokenRow {
    at: u32,
    kind: &'static str,
    id: String,
}

#[derive(Serialize)]
struct DraftRow {
    title: String,
    text: String,
    stamp: Stamp,
    generation: String,
}

#[derive(Serialize)]
struct LateRow {
    generation: String,
    title: String,
    text: String,
}

/// What was typed into a note too late.
#[derive(Serialize)]
pub(crate) struct LateEdits {
    late: Vec<LateRow>,
}

impl LateEdits {
    pub(crate) fn of(note: NoteShown) -> Self {
        Self { late: note.late.into_iter().map(LateRow::from).collect() }
    }
}

impl From<AsideShown> for LateRow {
    fn from(late: AsideShown) -> Self {
        Self { generation: late.generation.to_string(), title: late.title, text: late.text }
    }
}

impl Shown for LateEdits {
    fn set(&self, page: &mut Page) {
        if self.late.is_empty() {
            return page.line("Nothing was typed too late for this note.");
        }
        set_late(page, &self.late);
        page.line("Put it into the note with --adopt.");
    }
}

fn set_late(page: &mut Page, late: &[LateRow]) {
    for late in late {
        page.prose("You typed this after the note was released elsewhere; it is not in the note:", 0);
        page.gap();
        if !late.title.is_empty() {
            page.prose(&late.title, 2);
        }
        page.prose(&late.text, 2);
        page.gap();
    }
}

#[derive(Serialize)]
struct Shows {
    id: String,
    notebook: String,
    title: String,
    text: String,
    tokens: Vec<TokenRow>,
    layer: &'static str,
    observed_at: String,
    recorded_at: String,
    author: String,
    author_name: String,
    people: Vec<String>,
    nobody: bool,
    space: &'static str,
    generation: String,
    stamp: Stamp,
    encounter: Option<String>,
    provenance: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    draft: Option<DraftRow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    late: Vec<LateRow>,
    #[serde(skip)]
    names: Vec<String>,
}

impl Shown for Shows {
    fn set(&self, page: &mut Page) {
        if !self.title.is_empty() {
            page.head(&self.title);
        }
        page.prose(&format!("{} · {} · {}", plain(&self.observed_at), self.author_name, self.layer), 0);
        if !self.names.is_empty() {
            page.prose(&format!("with {}", self.names.join(", ")), 0);
        }
        let words = page.tinted(self.stamp.tint, &self.stamp.words);
        let kept = if self.space == "private" { "private" } else { "shared with the team" };
        page.prose(&format!("{kept}; {words}"), 0);
        page.gap();
        page.prose(&self.text, 2);
        page.gap();
        if let Some(draft) = &self.draft {
            let words = page.tinted(draft.stamp.tint, &draft.stamp.words);
            page.prose(&format!("Your draft of it, on this device ({words}):"), 0);
            page.gap();
            page.prose(&draft.text, 2);
            page.gap();
        }
        set_late(page, &self.late);
        let id = page.dim(&format!("note {}, written down {}", short(&self.id), plain(&self.recorded_at)));
        page.line(id);
    }
}

impl Show {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        desk.with_home(|home| {
            let note = home.note(home.find_note(&self.note)?)?;
            Ok(shown(home, note))
        })
    }
}

fn shown(home: &Home, note: NoteShown) -> Shows {
    Shows {
        late: note.late.into_iter().map(LateRow::from).collect(),
        id: note.id.to_string(),
        notebook: note.notebook.to_string(),
        tokens: note
            .tokens
            .iter()
            .map(|one| TokenRow { at: one.at, kind: one.token.kind(), id: one.token.to_string() })
            .collect(),
        layer: note.layer.as_str(),
        observed_at: note.observed_at.to_string(),
        recorded_at: note.recorded_at.to_string(),
        author: note.author.to_string(),
        author_name: home.member_name(&note.author),
        names: note.people.iter().map(|who| home.name_of(&note.notebook, Token::Person(*who))).collect(),
        people: note.people.iter().map(ToString::to_string).collect(),
        nobody: note.nobody,
        space: space(note.is_private),
        generation: note.generation.to_string(),
        stamp: (&note.stamp).into(),
        encounter: note.encounter.map(|encounter| encounter.to_string()),
        provenance: note.provenance.as_str(),
        draft: note.draft.map(|draft| DraftRow {
            stamp: (&draft.stamp).into(),
            generation: draft.generation.to_string(),
            title: draft.title,
            text: draft.text,
        }),
        title: note.title,
        text: note.text,
    }
}

/// List notes, the newest observation first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  thicket note list
  thicket note list --participant Ruth --since 2026-11-01
  thicket note list --stamp on_hold --limit 10")]
pub(crate) struct List {
    /// About somebody.
    #[arg(long, value_name = "P")]
    participant: Option<String>,
    /// Of one encounter.
    #[arg(long, value_name = "E")]
    encounter: Option<String>,
    /// Of one status.
    #[arg(long, value_name = "S", value_parser = word(StampStatus::ALL, StampStatus::as_str))]
    stamp: Option<StampStatus>,
    /// Observed on that day or later.
    #[arg(long, value_name = "D")]
    since: Option<Observed>,
    /// Observed on that day or earlier.
    #[arg(long, value_name = "D")]
    until: Option<Observed>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value = PAGE_NOTES, value_parser = clap::value_parser!(u16).range(1..=PAGE_NOTES_MAX))]
    limit: u16,
    /// Go on after an earlier page: what it gave as next.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    title: String,
    observed_at: String,
    author: String,
    author_name: String,
    space: &'static str,
    stamp: Stamp,
    #[serde(skip)]
    status: StampStatus,
}

#[derive(Serialize)]
struct Rows {
    notes: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Shown for Rows {
    fn set(&self, page: &mut Page) {
        if self.notes.is_empty() {
            return page.line("No notes.");
        }
        let row = |row: &Row| {
            // Only the last column may have a colour: its codes would count as width.
            let status = page.tinted(tint(row.status), row.status.as_str());
            [
                short(&row.id),
                plain(&row.observed_at),
                cut(&row.title, TITLE_COLUMNS),
                row.space.to_owned(),
                status,
            ]
        };
        let rows: Vec<_> = self.notes.iter().map(row).collect();
        page.table(["id", "observed", "title", "space", "stamp"], &rows);
        if let Some(next) = &self.next {
            page.line(format_args!("More with --after {next}"));
        }
    }
}

impl List {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        desk.with_home(|home| {
            let notebook = desk.notebook(home)?;
            let participant =
                self.participant.as_deref().map(|who| desk::participant(home, &notebook, who)).transpose()?;
            let encounter =
                self.encounter.as_deref().map(|name| home.find_encounter(&notebook, name)).transpose()?;
            let wanted = NotesWanted {
                notebook: Some(notebook),
                participant,
                encounter,
                stamp: self.stamp,
                since: self.since,
                until: self.until,
            };
            let page = home.notes(&wanted, self.after.as_deref(), usize::from(self.limit))?;
            let notes =
                page.notes.into_iter().map(|row| listed(home, row)).collect::<Result<_, Failure>>()?;
            Ok(Rows { notes, next: page.next })
        })
    }
}

/// A row with its whole stamp; of a note that this member may not open, the status alone.
fn listed(home: &Home, row: NoteRow) -> Result<Row, Failure> {
    let stamp = match home.note(row.id) {
        Ok(note) => (&note.stamp).into(),
        Err(HomeError::Consent { .. }) => {
            Stamp::from(&StampShown { status: row.stamp, subjects: Vec::new() })
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Row {
        id: row.id.to_string(),
        title: row.title,
        observed_at: row.observed_at.to_string(),
        author: row.author.to_string(),
        author_name: home.member_name(&row.author),
        space: space(row.is_private),
        stamp,
        status: row.stamp,
    })
}

/// Search titles, texts and pseudonyms.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  thicket note search kitchen
  thicket note search \"Ruth appointment\" --limit 5

A note is found when it has every word, whatever its accents and capitals.")]
pub(crate) struct Search {
    /// The words that a note is to have.
    #[arg(required = true, num_args = 1..)]
    query: Vec<String>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value = PAGE_NOTES, value_parser = clap::value_parser!(u16).range(1..=PAGE_NOTES_MAX))]
    limit: u16,
}

#[derive(Serialize)]
struct Hit {
    id: String,
    title: String,
    snippet: String,
    observed_at: String,
}

#[derive(Serialize)]
struct Hits {
    notes: Vec<Hit>,
}

impl Shown for Hits {
    fn set(&self, page: &mut Page) {
        if self.notes.is_empty() {
            page.line("No note has all of these words.");
        }
        for hit in &self.notes {
            let title = page.bold(&cut(&hit.title, TITLE_COLUMNS));
            page.line(format_args!("{}  {}  {title}", short(&hit.id), plain(&hit.observed_at)));
            page.prose(&hit.snippet, 4);
        }
    }
}

impl Search {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        desk.with_home(|home| {
            let notebook = desk.notebook(home)?;
            let hits = home.search(Some(&notebook), &self.query.join(" "), false, usize::from(self.limit))?;
            let hit = |hit: thicket_core::home::SearchHit| Hit {
                id: hit.row.id.to_string(),
                title: hit.row.title,
                snippet: hit.snippet,
                observed_at: hit.row.observed_at.to_string(),
            };
            Ok(Hits { notes: hits.into_iter().map(hit).collect() })
        })
    }
}

/// Show who changed a note, when and how.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  thicket note history 5f3a")]
pub(crate) struct History {
    /// Which note, by id or unique prefix of it.
    note: String,
}

#[derive(Serialize)]
struct ChangeRow {
    at: Option<String>,
    member: Option<String>,
    member_name: Option<String>,
    device: Option<String>,
    device_name: Option<String>,
    summary: String,
    change: String,
    generation: String,
}

#[derive(Serialize)]
struct Changes {
    note: String,
    changes: Vec<ChangeRow>,
}

impl Shown for Changes {
    fn set(&self, page: &mut Page) {
        let row = |row: &ChangeRow| {
            let who = row.member_name.clone().unwrap_or_else(|| "unknown".to_owned());
            let device = row.device_name.clone().unwrap_or_default();
            [
                row.at.as_deref().map_or_else(|| "not known when".to_owned(), plain),
                who,
                device,
                row.summary.clone(),
            ]
        };
        let rows: Vec<_> = self.changes.iter().map(row).collect();
        page.table(["when", "who", "device", "what"], &rows);
    }
}

impl History {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        desk.with_home(|home| {
            let note = home.find_note(&self.note)?;
            let row = |change: ChangeShown| ChangeRow {
                at: change.at.map(|at| at.to_string()),
                member: change.member.map(|member| member.to_string()),
                member_name: change.member.map(|member| home.member_name(&member)),
                device: change.device.map(|device| device.to_string()),
                device_name: change.device.map(|device| home.device_name(&device)),
                summary: summary(&change),
                change: change.change.to_string(),
                generation: change.generation.to_string(),
            };
            let changes = home.history(note)?.into_iter().map(row).collect();
            Ok(Changes { note: note.to_string(), changes })
        })
    }
}

/// What a change did, in words.
fn summary(change: &ChangeShown) -> String {
    let mut parts = Vec::new();
    match (change.added, change.removed) {
        (0, 0) => {}
        (added, 0) => parts.push(format!("+{added}")),
        (0, removed) => parts.push(format!("-{removed}")),
        (added, removed) => parts.push(format!("+{added} -{removed}")),
    }
    if !change.named.is_empty() {
        parts.push(format!("names {}", change.named.join(", ")));
    }
    if change.title {
        parts.push("title".to_owned());
    }
    if change.meta {
        parts.push("particulars".to_owned());
    }
    if parts.is_empty() { "nothing visible".to_owned() } else { parts.join("; ") }
}
