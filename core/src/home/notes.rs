//! Writing and editing notes: the journal, commits, and where a note may live.

use std::collections::BTreeSet;

use thicket_protocol::ids::NotebookId;

use super::{Home, HomeError, StampShown};
use crate::document::Field;
use crate::ids::{EncounterId, GenerationId, NoteId, ParticipantId};
use crate::mention::Parsed;
use crate::text::{Layer, Splice, Unit};
use crate::time::{Moment, Observed};
use crate::view::Provenance;

/// Who a note says is in it, beside its tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum About {
    /// Not said yet; the note stays pending unless its text names somebody.
    #[default]
    Unsaid,
    /// Expressly nobody.
    Nobody,
    /// These.
    These(BTreeSet<ParticipantId>),
}

/// A note to be written.
#[derive(Debug, Clone)]
pub struct NewNote {
    /// Where.
    pub notebook: NotebookId,
    /// Its id, for imports that must add nothing twice; none draws one.
    pub id: Option<NoteId>,
    /// The occasion.
    pub encounter: Option<EncounterId>,
    /// The title.
    pub title: Vec<Unit>,
    /// The text.
    pub text: Vec<Unit>,
    /// Who is in it.
    pub about: About,
    /// What the text is where no marker says otherwise.
    pub layer: Layer,
    /// When it was observed.
    pub observed: Observed,
    /// How the text came to be.
    pub provenance: Provenance,
}

/// What is to be different in a note; what is none stays.
#[derive(Debug, Clone, Default)]
pub struct NoteEdit {
    /// The new title.
    pub title: Option<Vec<Unit>>,
    /// The new text.
    pub text: Option<Vec<Unit>>,
    /// Who is in it now.
    pub about: Option<About>,
}

/// Where a note stands after it was written, edited or released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The note.
    pub note: NoteId,
    /// The generation that was written to.
    pub generation: GenerationId,
    /// Whether that lies in the author's private space.
    pub is_private: bool,
    /// Whether it is a draft of a shared note.
    pub is_draft: bool,
    /// Its stamp.
    pub stamp: StampShown,
}

impl Home {
    /// Reads a text as typed: `@{Pseudonym}` and `@{id-prefix}` become tokens where they name exactly one thing.
    pub fn parse_text(&self, notebook: &NotebookId, text: &str) -> Result<Parsed, HomeError> {
        todo!()
    }

    /// Writes a note. When this returns it survives a power cut.
    pub fn write_note(&mut self, new: NewNote, now: Moment) -> Result<Placed, HomeError> {
        todo!()
    }

    /// Writes many notes of an import; each that is acknowledged through `written` survives a power cut. A note whose id is known already is skipped.
    pub fn import_notes(
        &mut self,
        new: Vec<NewNote>,
        now: Moment,
        written: &mut dyn FnMut(usize, Result<Option<Placed>, HomeError>),
    ) -> Result<(), HomeError> {
        todo!()
    }

    /// Edits a note and saves it. An edit to a shared note that names somebody not covered becomes a draft.
    pub fn edit_note(&mut self, note: NoteId, edit: NoteEdit, now: Moment) -> Result<Placed, HomeError> {
        todo!()
    }

    /// Takes a keystroke (or a few) into the journal: after this a killed app loses nothing.
    pub fn journal(
        &mut self,
        note: NoteId,
        field: Field,
        splices: &[Splice],
        now: Moment,
    ) -> Result<(), HomeError> {
        todo!()
    }

    /// Makes the journal as durable as a save: called once a second while typing goes on.
    pub fn sync_journal(&mut self) -> Result<(), HomeError> {
        todo!()
    }

    /// Makes one change of what the journal holds of a note: at 3 s idle, on blur, after 400 characters, in the background, at a save.
    pub fn commit_note(&mut self, note: NoteId, now: Moment) -> Result<Placed, HomeError> {
        todo!()
    }

    /// Commits whatever the journals hold, as after a crash.
    pub fn commit_journals(&mut self, now: Moment) -> Result<Vec<NoteId>, HomeError> {
        todo!()
    }
}
