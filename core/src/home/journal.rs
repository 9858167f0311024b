//! The edit journal: keystrokes at once on disk, without a document; they become a change later.

use minicbor::{Decode, Encode};
use thicket_protocol::cbor;

use super::{Home, HomeError, NoteEdit, Placed};
use crate::document::{DocumentError, Field, NoteDocument};
use crate::ids::{GenerationId, NoteId};
use crate::stamp::Standing;
use crate::store::core_db::{self, Sealer};
use crate::store::derived_db::{self, GenerationRow};
use crate::store::{CORE_FILE, Durability, StoreError};
use crate::text::{Prose, Splice, TextError, check_text, check_title};
use crate::time::Moment;

/// One row of the journal.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Row {
    #[n(0)]
    is_title: bool,
    #[n(1)]
    splices: Vec<Written>,
    #[n(2)]
    at: Moment,
}

/// A splice as a row holds it.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Written {
    #[n(0)]
    at: u32,
    #[n(1)]
    delete: u32,
    #[n(2)]
    insert: Prose,
}

/// What the journal of a generation holds.
#[derive(Debug, Default)]
pub(super) struct Journaled {
    pub(super) title: Vec<Splice>,
    pub(super) text: Vec<Splice>,
    /// The number of its last row; none when there is no row.
    pub(super) through: Option<u64>,
}

impl Home {
    /// Takes a keystroke (or a few) into the journal: after this a killed app loses nothing.
    ///
    /// A character that no text may have is refused here; a text that grows too long, at the commit, and stays in the journal.
    pub fn journal(
        &mut self,
        note: NoteId,
        field: Field,
        splices: &[Splice],
        now: Moment,
    ) -> Result<(), HomeError> {
        if splices.is_empty() {
            return Ok(());
        }
        splices.iter().try_for_each(|splice| check_insert(field, splice))?;
        let generation = match self.documents.typing(note) {
            Some(generation) => generation,
            None => {
                self.follow()?;
                let generation = self.edited(note)?.generation;
                self.documents.set_typing(note, Some(generation));
                generation
            }
        };
        let splices = splices.iter().map(|splice| Written {
            at: splice.at,
            delete: splice.delete,
            insert: Prose::from_units(&splice.insert),
        });
        let row = Row { is_title: field == Field::Title, splices: splices.collect(), at: now };
        let Self { core, secrets, entropy, .. } = self;
        core.write(Durability::Normal, |tx| {
            let mut sealer = Sealer { key: &secrets.local, entropy: &mut **entropy };
            core_db::add_journal(tx, &mut sealer, generation, &cbor::encode(&row))?;
            Ok(())
        })
    }

    /// Makes the journal as durable as a save: called once a second while typing goes on.
    pub fn sync_journal(&mut self) -> Result<(), HomeError> {
        Ok(self.core.sync()?)
    }

    /// Makes one change of what the journal holds of a note: at 3 s idle, on blur, after 400 characters, in the background, at a save.
    pub fn commit_note(&mut self, note: NoteId, now: Moment) -> Result<Placed, HomeError> {
        self.follow()?;
        let journaled = core_db::journaled(self.core.read())?;
        let mut placed = None;
        for row in derived_db::generations_of(self.derived.read(), note)? {
            if journaled.contains(&row.generation) {
                placed = Some(self.change(&row, NoteEdit::default(), now)?);
            }
        }
        match placed {
            Some(placed) => Ok(placed),
            None => {
                let row = self.edited(note)?;
                self.load_ledger(&row.notebook)?;
                let standing = if row.is_private { Standing::Private } else { Standing::Shared };
                let assessment = self.assess(&row, standing)?;
                Ok(self.placed(&row, &assessment))
            }
        }
    }

    /// Commits whatever the journals hold, as after a crash. A journal whose text has grown too long stays as it is.
    pub fn commit_journals(&mut self, now: Moment) -> Result<Vec<NoteId>, HomeError> {
        self.follow()?;
        let mut notes = Vec::new();
        for generation in core_db::journaled(self.core.read())? {
            notes.extend(self.commit_journal(generation, now)?);
        }
        Ok(notes)
    }

    /// Commits the journal of one generation, if there is one, and tells of which note that was.
    pub(super) fn commit_journal(
        &mut self,
        generation: GenerationId,
        now: Moment,
    ) -> Result<Option<NoteId>, HomeError> {
        let Some(row) = derived_db::generation(self.derived.read(), generation)? else { return Ok(None) };
        self.commit_row(&row, now)
    }

    /// Commits the journal of a row. What cannot be committed as it is waits for its writer, and holds nothing else up.
    pub(super) fn commit_row(
        &mut self,
        row: &GenerationRow,
        now: Moment,
    ) -> Result<Option<NoteId>, HomeError> {
        if self.journaled(row.generation)?.through.is_none() {
            return Ok(None);
        }
        match self.change(row, NoteEdit::default(), now) {
            Ok(_) => Ok(Some(row.note)),
            Err(error) if error.is_grave() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Reads the journal of a generation.
    pub(super) fn journaled(&self, generation: GenerationId) -> Result<Journaled, HomeError> {
        let mut journaled = Journaled::default();
        for (number, bytes) in core_db::journal(self.core.read(), &self.secrets.local, generation)? {
            let row: Row = cbor::decode(&bytes).map_err(|_| StoreError::Damaged { file: CORE_FILE })?;
            let splices = row.splices.into_iter().map(|Written { at, delete, insert }| Splice {
                at,
                delete,
                insert: insert.units(),
            });
            if row.is_title {
                journaled.title.extend(splices);
            } else {
                journaled.text.extend(splices);
            }
            journaled.through = Some(number);
        }
        Ok(journaled)
    }
}

/// What a text can never hold is refused before it is in the journal.
fn check_insert(field: Field, splice: &Splice) -> Result<(), TextError> {
    match field {
        Field::Title => check_title(&splice.insert),
        Field::Text => check_text(&splice.insert),
    }
}

/// Carries out splices of the journal. Where one reaches beyond the end, because its writer saw another text, it is carried
/// out at the end: what was typed is never lost.
pub(super) fn replay(
    document: &mut NoteDocument,
    field: Field,
    mut splices: Vec<Splice>,
    before: &Prose,
) -> Result<(), HomeError> {
    match document.splice(field, &splices) {
        Ok(()) => return Ok(()),
        Err(DocumentError::OutOfRange { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let mut length = u32::try_from(before.units().len()).unwrap_or(u32::MAX);
    for splice in &mut splices {
        splice.at = splice.at.min(length);
        splice.delete = splice.delete.min(length - splice.at);
        length = length - splice.delete + u32::try_from(splice.insert.len()).unwrap_or(u32::MAX);
    }
    Ok(document.splice(field, &splices)?)
}
