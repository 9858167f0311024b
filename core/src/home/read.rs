//! Reading: lists, search, one note, its history.

use std::collections::{BTreeMap, BTreeSet};

use thicket_protocol::cbor;
use thicket_protocol::governance::Role as MemberRole;
use thicket_protocol::ids::{MemberId, NotebookId};

use super::derive::open_view;
use super::ledgers::is_prefix;
use super::{DamagedFile, Home, HomeError, Thing};
use crate::coverage::Why;
use crate::ids::{ConsentId, EncounterId, GenerationId, NoteId, ParticipantId};
use crate::mention;
use crate::stamp::Standing;
use crate::store::derived_db::{self, After, GenerationRow, ListRow, Wanted};
use crate::text::{Layer, Prose, Token, TokenAt};
use crate::time::{Moment, Observed};
use crate::view::Provenance;
use crate::vocabulary::{Role, StampStatus};
use crate::words::Query;

/// How many characters of a text stand in a list for a note without a title.
const TITLE_CHARS_SHOWN: usize = 80;

/// One participant of a note as its stamp shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectShown {
    /// Who.
    pub participant: ParticipantId,
    /// What the notes call them.
    pub pseudonym: String,
    /// How they appear.
    pub role: Role,
    /// What it rests on that they are in it, [`crate::stamp::Basis::as_str`]; none when it rests on nothing.
    pub basis: Option<&'static str>,
    /// The consent, where it rests on one.
    pub consent: Option<ConsentId>,
    /// Why no consent covers them, where none does.
    pub why: Option<Why>,
}

/// Where a note stands with regard to consent, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampShown {
    /// The status.
    pub status: StampStatus,
    /// Everybody in it.
    pub subjects: Vec<SubjectShown>,
}

/// A text of a note beside the shown one: its draft, or what was typed into a generation after the shown one was made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideShown {
    /// The generation that it was typed into.
    pub generation: GenerationId,
    /// Its title, rendered.
    pub title: String,
    /// Its title with its tokens.
    pub title_prose: Prose,
    /// Its text, rendered.
    pub text: String,
    /// Its text with its tokens.
    pub prose: Prose,
    /// Where it stands, and for whom it waits.
    pub stamp: StampShown,
}

/// One note, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteShown {
    /// The note.
    pub id: NoteId,
    /// Its notebook.
    pub notebook: NotebookId,
    /// The generation that is shown.
    pub generation: GenerationId,
    /// The title, rendered.
    pub title: String,
    /// The title with its tokens.
    pub title_prose: Prose,
    /// The text, rendered.
    pub text: String,
    /// Where names stand in the rendered text.
    pub tokens: Vec<TokenAt>,
    /// The text with its tokens.
    pub prose: Prose,
    /// The text for an editor, with `@{…}`.
    pub editable: String,
    /// What the text is where no marker says otherwise.
    pub layer: Layer,
    /// When it was observed.
    pub observed_at: Observed,
    /// When it was written down.
    pub recorded_at: Moment,
    /// Who wrote it.
    pub author: MemberId,
    /// Everybody in it.
    pub people: BTreeSet<ParticipantId>,
    /// Whether it expressly has nobody in it.
    pub nobody: bool,
    /// Whether it lies in the author's private space.
    pub is_private: bool,
    /// Where it stands.
    pub stamp: StampShown,
    /// The occasion.
    pub encounter: Option<EncounterId>,
    /// How the text came to be.
    pub provenance: Provenance,
    /// The draft that this device holds of it.
    pub draft: Option<AsideShown>,
    /// What this member typed too late, to be taken over with [`Home::adopt_late`].
    pub late: Vec<AsideShown>,
}

/// Which notes a list is to have.
#[derive(Debug, Clone, Default)]
pub struct NotesWanted {
    /// Of one notebook; none for all.
    pub notebook: Option<NotebookId>,
    /// About somebody.
    pub participant: Option<ParticipantId>,
    /// Of one occasion.
    pub encounter: Option<EncounterId>,
    /// Of one status.
    pub stamp: Option<StampStatus>,
    /// Observed on that day or later.
    pub since: Option<Observed>,
    /// Observed on that day or earlier.
    pub until: Option<Observed>,
}

/// A note in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteRow {
    /// The note.
    pub id: NoteId,
    /// Its title, rendered; where it has none, the beginning of its text.
    pub title: String,
    /// When it was observed.
    pub observed_at: Observed,
    /// Who wrote it.
    pub author: MemberId,
    /// Whether it lies in the author's private space.
    pub is_private: bool,
    /// Where it stands.
    pub stamp: StampStatus,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotesPage {
    /// The notes, newest observation first.
    pub notes: Vec<NoteRow>,
    /// What to ask for the next page with; none on the last.
    pub next: Option<String>,
}

/// A note that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchHit {
    /// The note as in a list.
    pub row: NoteRow,
    /// The text around the first hit.
    pub snippet: String,
}

impl Home {
    /// Finds a note by id or unique prefix of it.
    pub fn find_note(&self, name: &str) -> Result<NoteId, HomeError> {
        let db = self.derived.read();
        if let Ok(id) = name.parse::<NoteId>() {
            let is_known = derived_db::generations_of(db, id)?.iter().any(|row| row.is_shown);
            return if is_known { Ok(id) } else { Err(HomeError::NotFound(Thing::Note)) };
        }
        if !is_prefix(name) {
            return Err(HomeError::NotFound(Thing::Note));
        }
        match derived_db::notes_with_prefix(db, &name.to_ascii_lowercase(), 2)?.as_slice() {
            [] => Err(HomeError::NotFound(Thing::Note)),
            [note] => Ok(*note),
            [_, _, ..] => Err(HomeError::Ambiguous(Thing::Note)),
        }
    }

    /// Shows one note: of several generations the one that counts. One that is on hold opens for its author and for custodians alone.
    pub fn note(&self, note: NoteId) -> Result<NoteShown, HomeError> {
        let rows = derived_db::generations_of(self.derived.read(), note)?;
        let shown = rows.iter().find(|row| row.is_shown).ok_or(HomeError::NotFound(Thing::Note))?;
        self.check_hold(shown)?;
        let (notebook, view) = (shown.notebook, open_view(shown)?);
        let name = |token| self.name_of(&notebook, token);
        let rendered = mention::render(&view.text, name);
        let editable = mention::render_for_editor(&view.text, name, |name| self.resolve(&notebook, name));
        let draft = rows.iter().find(|row| !row.is_shown && !row.is_late && self.is_own_draft(row));
        let late = rows.iter().filter(|row| self.is_own_late(row)).map(|row| self.show_aside(row));
        let (people, nobody) = (view.people(), view.is_without_people());
        Ok(NoteShown {
            id: note,
            notebook,
            generation: shown.generation,
            title: mention::render(&view.title, name).text,
            title_prose: view.title,
            text: rendered.text,
            tokens: rendered.tokens,
            editable,
            layer: view.meta.layer,
            observed_at: view.meta.observed,
            recorded_at: view.meta.recorded,
            author: view.meta.author,
            people,
            nobody,
            is_private: shown.is_private,
            stamp: self.stamp_of(shown)?,
            encounter: view.meta.encounter,
            provenance: view.meta.provenance,
            draft: draft.map(|row| self.show_aside(row)).transpose()?,
            late: late.collect::<Result<_, _>>()?,
            prose: view.text,
        })
    }

    fn show_aside(&self, row: &GenerationRow) -> Result<AsideShown, HomeError> {
        let view = open_view(row)?;
        let name = |token| self.name_of(&row.notebook, token);
        Ok(AsideShown {
            generation: row.generation,
            title: mention::render(&view.title, name).text,
            text: mention::render(&view.text, name).text,
            title_prose: view.title,
            prose: view.text,
            stamp: self.stamp_of(row)?,
        })
    }

    /// Tells whether a generation is a draft of this member that has not ended.
    pub(crate) fn is_own_draft(&self, row: &GenerationRow) -> bool {
        row.draft_of.is_some()
            && row.is_private
            && Some(row.author) == self.secrets.member
            && open_view(row).is_ok_and(|view| !view.meta.ended)
    }

    /// Refuses a note that is on hold to everybody but its author and custodians.
    pub(super) fn check_hold(&self, row: &GenerationRow) -> Result<(), HomeError> {
        let may_open = Some(row.author) == self.secrets.member
            || self.own_role().is_ok_and(|role| role == MemberRole::Custodian);
        if row.status == StampStatus::OnHold && !may_open {
            return Err(HomeError::Consent { status: row.status });
        }
        Ok(())
    }

    /// Assesses a generation where it lies, for display.
    pub(crate) fn stamp_of(&self, row: &GenerationRow) -> Result<StampShown, HomeError> {
        let standing = if row.is_private { Standing::Private } else { Standing::Shared };
        Ok(self.stamp_shown(&row.notebook, &self.assess(row, standing)?))
    }

    /// Lists notes, a page at a time; no document is loaded.
    pub fn notes(
        &self,
        wanted: &NotesWanted,
        after: Option<&str>,
        limit: usize,
    ) -> Result<NotesPage, HomeError> {
        let after = after.map(read_cursor).transpose()?;
        let wanted = Wanted {
            notebook: wanted.notebook,
            participant: wanted.participant,
            encounter: wanted.encounter,
            status: wanted.stamp,
            since: wanted.since,
            until: wanted.until,
            reader: self.secrets.member,
        };
        let mut rows = derived_db::list(self.derived.read(), &wanted, after, limit.saturating_add(1))?;
        let is_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| is_more).map(write_cursor);
        let notes = rows.iter().map(|row| self.show_row(row)).collect::<Result<_, _>>()?;
        Ok(NotesPage { notes, next })
    }

    /// A row of a list; only a title with somebody in it, and a note without a title, need more than the row.
    fn show_row(&self, row: &ListRow) -> Result<NoteRow, HomeError> {
        let title: Prose = cbor::decode(&row.title).map_err(|_| HomeError::Damaged(DamagedFile::Derived))?;
        let title = if !title.text().is_empty() && title.tokens().is_empty() {
            title.text().to_owned()
        } else {
            let whole = self.whole_row(row)?;
            let name = |token| self.name_of(&whole.notebook, token);
            let of_text = || -> Result<String, HomeError> {
                Ok(beginning(&mention::render(&open_view(&whole)?.text, name).text))
            };
            if title.text().is_empty() { of_text()? } else { mention::render(&title, name).text }
        };
        Ok(NoteRow {
            id: row.note,
            title,
            observed_at: row.observed,
            author: row.author,
            is_private: row.is_private,
            stamp: row.status,
        })
    }

    fn whole_row(&self, row: &ListRow) -> Result<GenerationRow, HomeError> {
        let whole = derived_db::generation(self.derived.read(), row.generation)?;
        whole.ok_or(HomeError::Damaged(DamagedFile::Derived))
    }

    /// Searches titles, texts and pseudonyms; complete and right at every moment. With `open` the last word may be the beginning of one.
    pub fn search(
        &self,
        notebook: Option<&NotebookId>,
        query: &str,
        open: bool,
        limit: usize,
    ) -> Result<Vec<SearchHit>, HomeError> {
        let mut names = BTreeMap::new();
        match notebook {
            Some(notebook) => self.add_names(notebook, &mut names)?,
            None => {
                for notebook in self.team.iter().flat_map(|team| team.notebooks().keys()) {
                    self.add_names(notebook, &mut names)?;
                }
            }
        }
        let query = Query::parse(query, open, &names);
        if query.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = Wanted { notebook: notebook.copied(), reader: self.secrets.member, ..Wanted::default() };
        let db = self.derived.read();
        let found = derived_db::search(db, &wanted, &query, limit)?;
        let mut found: Vec<(ListRow, ListRow)> = found.into_iter().map(|row| (row.clone(), row)).collect();
        // A late edit is found as the note that it belongs to.
        for late in derived_db::search_late(db, &wanted, &query, limit)? {
            let is_new = found.iter().all(|(row, _)| row.note != late.note);
            if is_new && let Some(row) = derived_db::shown(db, late.note)? {
                found.push((row, late));
            }
        }
        found.sort_by_cached_key(|(row, _)| row.place());
        found.truncate(limit);
        let hit = |(row, said): &(ListRow, ListRow)| {
            let whole = self.whole_row(said)?;
            let name = |token| self.name_of(&whole.notebook, token);
            let text = mention::render(&open_view(&whole)?.text, name).text;
            Ok(SearchHit { row: self.show_row(row)?, snippet: query.snippet(&text) })
        };
        found.iter().map(hit).collect()
    }

    fn add_names(&self, notebook: &NotebookId, names: &mut BTreeMap<Token, String>) -> Result<(), HomeError> {
        let ledger = self.ledger(notebook)?;
        let people = ledger.participants().values().filter_map(|one| one.value());
        names.extend(people.map(|one| (Token::Person(one.id), one.pseudonym.to_string())));
        let places = ledger.places().values().filter_map(|place| place.value());
        names.extend(places.map(|place| (Token::Place(place.id), place.pseudonym.to_string())));
        Ok(())
    }
}

/// The first line of a text that has something on it, cut to what a list can show.
fn beginning(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let mut cut: String = line.chars().take(TITLE_CHARS_SHOWN).collect();
    if cut.len() < line.len() {
        cut.push('…');
    }
    cut
}

/// The end of a page, opaque to whoever hands it back.
fn write_cursor(row: &ListRow) -> String {
    format!("{}.{}.{}", row.recorded_ms, row.note, row.observed)
}

fn read_cursor(text: &str) -> Result<After, HomeError> {
    let read = || {
        let (recorded, rest) = text.split_once('.')?;
        let (note, observed) = rest.split_once('.')?;
        let (recorded_ms, note) = (recorded.parse().ok()?, note.parse().ok()?);
        Some(After { observed: observed.parse().ok()?, recorded_ms, note })
    };
    read().ok_or(HomeError::Invalid("a list goes on with what its last page gave for it"))
}
