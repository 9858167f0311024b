//! Writing a note as it is typed.

use std::sync::{Arc, Mutex, PoisonError};

use thicket_client::keeper;
use thicket_core::document::Field;
use thicket_core::home;
use thicket_core::ids as core_ids;
use thicket_core::text::{self, Unit};

use crate::ids::{NoteId, read};
use crate::text::{Prose, Splice, Widths};
use crate::words::NoteField;
use crate::{Home, Placed, ThicketError};

/// One note while somebody types in it.
///
/// Splices go to the journal at once: a killed app loses none that was acknowledged, a power cut at most those since the last
/// [`Editor::sync`]. They become part of the note at [`Editor::commit`]: after three seconds without typing, when the text loses its focus, after
/// 400 characters, before the app goes to the background, and when somebody saves. Whatever was not committed is when the home is opened next.
#[derive(Debug, uniffi::Object)]
pub struct Editor {
    home: Arc<Home>,
    note: NoteId,
    typed: Arc<Mutex<Typed>>,
}

/// The texts as the app has them.
#[derive(Debug)]
struct Typed {
    title: Typing,
    text: Typing,
    /// Tells whether anything happened to the home since a splice was taken.
    changes: keeper::Feed,
    /// Whether the note may hold something else than the app has.
    is_unsure: bool,
}

/// One text as the app has it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Typing {
    now: Vec<Unit>,
    widths: Widths,
    /// What the note holds while the journal has more.
    committed: Vec<Unit>,
}

impl Typing {
    fn begin(prose: &text::Prose) -> Self {
        let units = prose.units();
        Self { now: units.clone(), widths: Widths::of(prose.text()), committed: units }
    }

    /// Tells whether the note holds what the app has, or what it has but for the journal.
    fn agrees(&self, prose: &text::Prose) -> bool {
        let units = prose.units();
        units == self.now || units == self.committed
    }
}

impl Typed {
    fn field(&mut self, field: NoteField) -> &mut Typing {
        match field {
            NoteField::Title => &mut self.title,
            NoteField::Text => &mut self.text,
        }
    }

    /// Refuses to go on in a text that is not the note's any more: offsets counted in it mean other places there.
    ///
    /// The note is read only when something happened to the home: a key costs no more than its row in the journal.
    fn check(&mut self, home: &home::Home, note: core_ids::NoteId) -> Result<(), ThicketError> {
        while self.changes.waiting().is_some() {
            self.is_unsure = true;
        }
        if self.is_unsure {
            let (title, text) = edited(home, note)?;
            if !self.title.agrees(&title) || !self.text.agrees(&text) {
                return Err(ThicketError::Conflict { reason: "others wrote in the note".to_owned() });
            }
            self.is_unsure = false;
        }
        Ok(())
    }
}

/// The texts that an edit goes to: those of the draft where there is one.
fn edited(home: &home::Home, note: core_ids::NoteId) -> Result<(text::Prose, text::Prose), ThicketError> {
    let shown = home.note(note)?;
    Ok(match shown.draft {
        Some(draft) => (draft.title_prose, draft.prose),
        None => (shown.title_prose, shown.prose),
    })
}

#[uniffi::export(async_runtime = "tokio")]
impl Home {
    /// Begins to write in a note; what its journal still holds is committed first.
    pub async fn edit(self: Arc<Self>, note: NoteId) -> Result<Arc<Editor>, ThicketError> {
        let (id, changes) = (read(&note)?, self.keeper()?.feed());
        let typed = self.write(move |home, now| {
            home.commit_note(id, now)?;
            let (title, text) = edited(home, id)?;
            Ok(Typed { title: Typing::begin(&title), text: Typing::begin(&text), changes, is_unsure: false })
        });
        let typed = Arc::new(Mutex::new(typed.await?));
        Ok(Arc::new(Editor { home: self, note, typed }))
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl Editor {
    /// The note.
    pub fn note(&self) -> NoteId {
        self.note.clone()
    }

    /// A text as the splices so far have made it.
    pub fn prose(&self, field: NoteField) -> Prose {
        let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        Prose::from(&text::Prose::from_units(&typed.field(field).now))
    }

    /// Takes a keystroke (or a few) into the journal, all or none.
    ///
    /// Offsets count in the text that [`Editor::prose`] shows. [`ThicketError::Conflict`] when what others wrote came into the note meanwhile: then
    /// nothing was taken; go on in a new editor, with what was typed since put in anew.
    pub async fn splice(&self, field: NoteField, splices: Vec<Splice>) -> Result<(), ThicketError> {
        let (id, typed, now) = (read(&self.note)?, Arc::clone(&self.typed), self.home.now());
        let work = move |home: &mut home::Home| {
            let mut typed = typed.lock().unwrap_or_else(PoisonError::into_inner);
            typed.check(home, id)?;
            let typing = typed.field(field);
            let (widths, splices) = typing.widths.take_all(&splices)?;
            home.journal(id, Field::from(field), &splices, now)?;
            for splice in &splices {
                assert!(splice.apply(&mut typing.now), "its offsets were counted in this text");
            }
            typing.widths = widths;
            Ok(())
        };
        self.home.keeper()?.write_quietly(work).await?
    }

    /// Makes the journal as durable as a save: called once a second while typing goes on.
    pub async fn sync(&self) -> Result<(), ThicketError> {
        Ok(self.home.keeper()?.write_quietly(home::Home::sync_journal).await??)
    }

    /// Makes one change of what the journal holds, and tells where the note stands now. When it returns, the text survives a power cut.
    pub async fn commit(&self) -> Result<Placed, ThicketError> {
        let (id, typed) = (read(&self.note)?, Arc::clone(&self.typed));
        self.home
            .write(move |home, now| {
                let placed = home.commit_note(id, now)?;
                let (title, text) = edited(home, id)?;
                let mut typed = typed.lock().unwrap_or_else(PoisonError::into_inner);
                (typed.title.committed, typed.text.committed) = (title.units(), text.units());
                Ok(placed.into())
            })
            .await
    }
}
