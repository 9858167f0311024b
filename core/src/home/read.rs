//! Reading: lists, search, one note, its history.

use std::collections::BTreeSet;

use thicket_protocol::ids::{DeviceId, Hash, MemberId, NotebookId};

use super::{Home, HomeError};
use crate::coverage::Why;
use crate::ids::{ConsentId, EncounterId, GenerationId, NoteId, ParticipantId};
use crate::text::{Layer, Prose, TokenAt};
use crate::time::{Moment, Observed};
use crate::view::Provenance;
use crate::vocabulary::{Role, StampStatus};

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

/// The draft of a shared note that waits on this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftShown {
    /// The draft's generation.
    pub generation: GenerationId,
    /// Its title, rendered.
    pub title: String,
    /// Its text, rendered.
    pub text: String,
    /// Where it stands, and for whom it waits.
    pub stamp: StampShown,
}

/// One turn of speech or passage of a layer, for a screen that sets them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeakerTurn {
    /// Where it begins in the rendered text, in code points.
    pub at: u32,
    /// Who speaks, if it is a turn of somebody known.
    pub speaker: Option<ParticipantId>,
    /// The layer from here on.
    pub layer: Layer,
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
    pub draft: Option<DraftShown>,
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

/// One change of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeShown {
    /// The change.
    pub change: Hash,
    /// When it was made, where its author's device said so.
    pub at: Option<Moment>,
    /// Who made it, where that is known.
    pub member: Option<MemberId>,
    /// On which device.
    pub device: Option<DeviceId>,
    /// The generation that it belongs to.
    pub generation: GenerationId,
    /// Characters that came into the text.
    pub added: usize,
    /// Characters and tokens that went out of it.
    pub removed: usize,
    /// People and places that came in, as they are called.
    pub named: Vec<String>,
    /// Whether the title changed.
    pub title: bool,
    /// Whether something beside title and text changed.
    pub meta: bool,
}

impl Home {
    /// Finds a note by id or unique prefix of it.
    pub fn find_note(&self, name: &str) -> Result<NoteId, HomeError> {
        todo!()
    }

    /// Shows one note: of several generations the one that counts.
    pub fn note(&self, note: NoteId) -> Result<NoteShown, HomeError> {
        todo!()
    }

    /// Lists notes, a page at a time; no document is loaded.
    pub fn notes(
        &self,
        wanted: &NotesWanted,
        after: Option<&str>,
        limit: usize,
    ) -> Result<NotesPage, HomeError> {
        todo!()
    }

    /// Searches titles, texts and pseudonyms; complete and right at every moment. With `open` the last word may be the beginning of one.
    pub fn search(
        &self,
        notebook: Option<&NotebookId>,
        query: &str,
        open: bool,
        limit: usize,
    ) -> Result<Vec<SearchHit>, HomeError> {
        todo!()
    }

    /// Who changed what when, oldest first.
    pub fn history(&self, note: NoteId) -> Result<Vec<ChangeShown>, HomeError> {
        todo!()
    }
}
