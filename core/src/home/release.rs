//! Release: a note leaves its author's private space as a new generation with a new key and a stamp.

use thicket_protocol::ids::NotebookId;

use super::{Home, HomeError, Placed};
use crate::ids::NoteId;
use crate::time::Moment;

impl Home {
    /// Releases a note by hand. Refused when consent does not cover everybody in it.
    pub fn release_note(&mut self, note: NoteId, now: Moment) -> Result<Placed, HomeError> {
        todo!()
    }

    /// Releases every own private note, and ends every draft, that is covered now; unless the name guard finds something. Run after events were
    /// recorded or applied.
    pub fn release_covered(&mut self, now: Moment) -> Result<Vec<NoteId>, HomeError> {
        todo!()
    }

    /// The known real names of a notebook that stand in a note's free text.
    pub fn guarded_names(&self, notebook: &NotebookId, text: &str) -> Result<Vec<String>, HomeError> {
        todo!()
    }
}
