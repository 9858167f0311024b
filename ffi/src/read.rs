//! Reading: lists, search, one note, its history.

use thicket_core::home;

use crate::consent::NotCovered;
use crate::ids::{
    ChangeId, ConsentId, DeviceId, EncounterId, GenerationId, MemberId, NoteId, NotebookId, ParticipantId,
    read,
};
use crate::text::{Prose, TokenAt, rendered_tokens};
use crate::time::{Moment, Observed};
use crate::words::{Layer, NoteRole, Provenance, StampStatus};
use crate::{Home, ThicketError};

/// Where a note stands with regard to consent, now.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct StampShown {
    /// The status.
    pub status: StampStatus,
    /// Everybody in it, and what that rests on.
    pub subjects: Vec<SubjectShown>,
}

/// One participant of a note as its stamp shows them.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SubjectShown {
    /// Who.
    pub participant: ParticipantId,
    /// What the notes call them.
    pub pseudonym: String,
    /// How they appear.
    pub role: NoteRole,
    /// What it rests on that they are in it: `consent`, `site_permission`, `other_lawful`, `public_space` or `none_recorded`; none when it rests on
    /// nothing.
    pub basis: Option<String>,
    /// The consent, where it rests on one.
    pub consent: Option<ConsentId>,
    /// Why no consent covers them, where none does.
    pub why: Option<NotCovered>,
}

/// A text of a note beside the shown one: its draft, or what was typed too late on another device.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct AsideShown {
    /// Its document.
    pub generation: GenerationId,
    /// Its title, with pseudonyms.
    pub title: String,
    /// Its text, with pseudonyms.
    pub text: String,
    /// Its title with its tokens.
    pub title_prose: Prose,
    /// Its text with its tokens.
    pub prose: Prose,
    /// Where it stands, and for whom it waits.
    pub stamp: StampShown,
}

/// One note, whole.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NoteShown {
    /// The note.
    pub id: NoteId,
    /// Its notebook.
    pub notebook: NotebookId,
    /// The document that is shown.
    pub generation: GenerationId,
    /// The title, with pseudonyms.
    pub title: String,
    /// The text, with pseudonyms.
    pub text: String,
    /// Where names begin in `text`.
    pub tokens: Vec<TokenAt>,
    /// The title with its tokens.
    pub title_prose: Prose,
    /// The text with its tokens.
    pub prose: Prose,
    /// What the text is where no marker says otherwise.
    pub layer: Layer,
    /// When it was observed.
    pub observed_at: Observed,
    /// When it was written down.
    pub recorded_at: Moment,
    /// Who wrote it.
    pub author: MemberId,
    /// What the author is called.
    pub author_name: String,
    /// Everybody in it.
    pub people: Vec<ParticipantId>,
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
    /// What this member typed into it too late, on a device that had not seen the shown text: [`Home::adopt_late`] takes it over.
    pub late: Vec<AsideShown>,
}

/// Which notes a list is to have; what is none does not matter.
#[derive(Debug, Clone, Default, uniffi::Record)]
pub struct NotesWanted {
    /// Of one notebook.
    #[uniffi(default = None)]
    pub notebook: Option<NotebookId>,
    /// About somebody.
    #[uniffi(default = None)]
    pub participant: Option<ParticipantId>,
    /// Of one occasion.
    #[uniffi(default = None)]
    pub encounter: Option<EncounterId>,
    /// Of one status.
    #[uniffi(default = None)]
    pub stamp: Option<StampStatus>,
    /// Observed on that day or later.
    #[uniffi(default = None)]
    pub since: Option<Observed>,
    /// Observed on that day or earlier.
    #[uniffi(default = None)]
    pub until: Option<Observed>,
}

/// A note in a list.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NoteRow {
    /// The note.
    pub id: NoteId,
    /// Its title, with pseudonyms; where it has none, the beginning of its text.
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
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NotesPage {
    /// The notes, newest observation first.
    pub notes: Vec<NoteRow>,
    /// What to ask for the next page with; none on the last.
    pub next: Option<String>,
}

/// A note that was found.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SearchHit {
    /// The note as in a list.
    pub row: NoteRow,
    /// The text around the first hit.
    pub snippet: String,
}

/// One change of a note.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ChangeShown {
    /// The change.
    pub id: ChangeId,
    /// When it was made, where its author's device said so.
    pub at: Option<Moment>,
    /// Who made it, where that is known.
    pub member: Option<MemberId>,
    /// What they are called.
    pub member_name: Option<String>,
    /// On which device.
    pub device: Option<DeviceId>,
    /// The document that it belongs to.
    pub generation: GenerationId,
    /// Characters that came into the text.
    pub added: u64,
    /// Characters and tokens that went out of it.
    pub removed: u64,
    /// People and places that came in, as they are called.
    pub named: Vec<String>,
    /// Whether the title changed.
    pub title: bool,
    /// Whether something beside title and text changed.
    pub meta: bool,
}

impl From<home::StampShown> for StampShown {
    fn from(stamp: home::StampShown) -> Self {
        let subject = |one: home::SubjectShown| SubjectShown {
            participant: ParticipantId::of(one.participant),
            pseudonym: one.pseudonym,
            role: one.role.into(),
            basis: one.basis.map(str::to_owned),
            consent: one.consent.map(ConsentId::of),
            why: one.why.map(Into::into),
        };
        Self { status: stamp.status.into(), subjects: stamp.subjects.into_iter().map(subject).collect() }
    }
}

impl From<home::AsideShown> for AsideShown {
    fn from(draft: home::AsideShown) -> Self {
        Self {
            generation: GenerationId::of(draft.generation),
            title: draft.title,
            text: draft.text,
            title_prose: Prose::from(&draft.title_prose),
            prose: Prose::from(&draft.prose),
            stamp: draft.stamp.into(),
        }
    }
}

impl From<home::NoteRow> for NoteRow {
    fn from(row: home::NoteRow) -> Self {
        Self {
            id: NoteId::of(row.id),
            title: row.title,
            observed_at: row.observed_at.into(),
            author: MemberId::of(row.author),
            is_private: row.is_private,
            stamp: row.stamp.into(),
        }
    }
}

fn show(home: &home::Home, note: home::NoteShown) -> NoteShown {
    NoteShown {
        id: NoteId::of(note.id),
        notebook: NotebookId::of(note.notebook),
        generation: GenerationId::of(note.generation),
        title: note.title,
        tokens: rendered_tokens(&note.text, &note.tokens),
        text: note.text,
        title_prose: Prose::from(&note.title_prose),
        prose: Prose::from(&note.prose),
        layer: note.layer.into(),
        observed_at: note.observed_at.into(),
        recorded_at: note.recorded_at.into(),
        author: MemberId::of(note.author),
        author_name: home.member_name(&note.author),
        people: note.people.into_iter().map(ParticipantId::of).collect(),
        nobody: note.nobody,
        is_private: note.is_private,
        stamp: note.stamp.into(),
        encounter: note.encounter.map(EncounterId::of),
        provenance: note.provenance.into(),
        draft: note.draft.map(Into::into),
        late: note.late.into_iter().map(Into::into).collect(),
    }
}

fn show_change(home: &home::Home, change: home::ChangeShown) -> ChangeShown {
    ChangeShown {
        id: ChangeId::of(change.change),
        at: change.at.map(Into::into),
        member: change.member.map(MemberId::of),
        member_name: change.member.map(|member| home.member_name(&member)),
        device: change.device.map(DeviceId::of),
        generation: GenerationId::of(change.generation),
        added: count(change.added),
        removed: count(change.removed),
        named: change.named,
        title: change.title,
        meta: change.meta,
    }
}

/// No machine that this runs on counts beyond 64 bits.
fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

impl NotesWanted {
    fn read(&self) -> Result<home::NotesWanted, ThicketError> {
        Ok(home::NotesWanted {
            notebook: self.notebook.as_ref().map(read).transpose()?,
            participant: self.participant.as_ref().map(read).transpose()?,
            encounter: self.encounter.as_ref().map(read).transpose()?,
            stamp: self.stamp.map(Into::into),
            since: self.since.as_ref().map(Observed::read).transpose()?,
            until: self.until.as_ref().map(Observed::read).transpose()?,
        })
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl Home {
    /// Lists notes, at most `limit` a page; no document is loaded. `after` is what the page before gave for it.
    pub async fn notes(
        &self,
        wanted: NotesWanted,
        after: Option<String>,
        limit: u32,
    ) -> Result<NotesPage, ThicketError> {
        let wanted = wanted.read()?;
        self.read(move |home| {
            let page = home.notes(&wanted, after.as_deref(), limit as usize)?;
            Ok(NotesPage { notes: page.notes.into_iter().map(Into::into).collect(), next: page.next })
        })
        .await
    }

    /// Searches titles, texts and pseudonyms. With `open` the last word may be the beginning of one: for a search as somebody types.
    pub async fn search(
        &self,
        notebook: Option<NotebookId>,
        query: String,
        open: bool,
        limit: u32,
    ) -> Result<Vec<SearchHit>, ThicketError> {
        let notebook = notebook.as_ref().map(read).transpose()?;
        self.read(move |home| {
            let hits = home.search(notebook.as_ref(), &query, open, limit as usize)?.into_iter();
            Ok(hits.map(|hit| SearchHit { row: hit.row.into(), snippet: hit.snippet }).collect())
        })
        .await
    }

    /// Shows one note. One that is on hold opens for its author and for custodians alone.
    pub async fn note(&self, note: NoteId) -> Result<NoteShown, ThicketError> {
        let note = read(&note)?;
        self.read(move |home| Ok(show(home, home.note(note)?))).await
    }

    /// Tells who changed what when in a note, oldest first.
    pub async fn history(&self, note: NoteId) -> Result<Vec<ChangeShown>, ThicketError> {
        let note = read(&note)?;
        self.read(move |home| {
            let changes = home.history(note)?.into_iter();
            Ok(changes.map(|change| show_change(home, change)).collect())
        })
        .await
    }
}
