//! Writing, editing and releasing notes whole; [`crate::Editor`] writes them key by key.

use thicket_core::home;
use thicket_core::text::Unit;

use crate::ids::{EncounterId, GenerationId, NoteId, NotebookId, ParticipantId, read, read_all};
use crate::read::StampShown;
use crate::text::{ParsedText, Prose, parse};
use crate::time::Observed;
use crate::words::{Layer, Provenance};
use crate::{Home, ThicketError};

/// Who a note says is in it, beside its tokens.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum About {
    /// Not said yet; the note waits unless its text names somebody.
    Unsaid,
    /// Expressly nobody.
    Nobody,
    /// These.
    These {
        /// Who.
        participants: Vec<ParticipantId>,
    },
}

/// A note to be written.
#[derive(Debug, Clone, uniffi::Record)]
pub struct NewNote {
    /// Where.
    pub notebook: NotebookId,
    /// The occasion.
    #[uniffi(default = None)]
    pub encounter: Option<EncounterId>,
    /// The title.
    pub title: Prose,
    /// The text.
    pub text: Prose,
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
#[derive(Debug, Clone, Default, uniffi::Record)]
pub struct NoteEdit {
    /// The new title.
    #[uniffi(default = None)]
    pub title: Option<Prose>,
    /// The new text.
    #[uniffi(default = None)]
    pub text: Option<Prose>,
    /// Who is in it now.
    #[uniffi(default = None)]
    pub about: Option<About>,
}

/// Where a note stands after it was written, edited or released.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Placed {
    /// The note.
    pub note: NoteId,
    /// The document that was written to.
    pub generation: GenerationId,
    /// Whether that lies in the author's private space.
    pub is_private: bool,
    /// Whether it is a draft of a shared note.
    pub is_draft: bool,
    /// Its stamp.
    pub stamp: StampShown,
}

impl From<home::Placed> for Placed {
    fn from(placed: home::Placed) -> Self {
        Self {
            note: NoteId::of(placed.note),
            generation: GenerationId::of(placed.generation),
            is_private: placed.is_private,
            is_draft: placed.is_draft,
            stamp: placed.stamp.into(),
        }
    }
}

impl About {
    fn read(&self) -> Result<home::About, ThicketError> {
        Ok(match self {
            Self::Unsaid => home::About::Unsaid,
            Self::Nobody => home::About::Nobody,
            Self::These { participants } => home::About::These(read_all(participants)?),
        })
    }
}

impl NewNote {
    fn read(&self) -> Result<home::NewNote, ThicketError> {
        Ok(home::NewNote {
            notebook: read(&self.notebook)?,
            id: None,
            encounter: self.encounter.as_ref().map(read).transpose()?,
            title: self.title.read()?,
            text: self.text.read()?,
            about: self.about.read()?,
            layer: self.layer.into(),
            observed: self.observed.read()?,
            provenance: self.provenance.into(),
        })
    }
}

impl NoteEdit {
    fn read(&self) -> Result<home::NoteEdit, ThicketError> {
        let units = |prose: &Option<Prose>| prose.as_ref().map(Prose::read).transpose();
        let (title, text): (Option<Vec<Unit>>, Option<Vec<Unit>>) = (units(&self.title)?, units(&self.text)?);
        Ok(home::NoteEdit { title, text, about: self.about.as_ref().map(About::read).transpose()? })
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl Home {
    /// Writes a note; where it may not be shared it waits in the private space, and is never refused for that.
    pub async fn write_note(&self, new: NewNote) -> Result<Placed, ThicketError> {
        let new = new.read()?;
        Ok(self.write(move |home, now| Ok(home.write_note(new, now)?)).await?.into())
    }

    /// Edits a note and saves it. An edit to a shared note that names somebody not covered becomes a draft.
    pub async fn edit_note(&self, note: NoteId, edit: NoteEdit) -> Result<Placed, ThicketError> {
        let (note, edit) = (read(&note)?, edit.read()?);
        Ok(self.write(move |home, now| Ok(home.edit_note(note, edit, now)?)).await?.into())
    }

    /// Releases a note by hand, or ends its draft; refused when consent does not cover everybody in it. A real name in the text does not stop a hand:
    /// show [`Home::guarded_names`] first.
    pub async fn release_note(&self, note: NoteId) -> Result<Placed, ThicketError> {
        let note = read(&note)?;
        Ok(self.write(move |home, now| Ok(home.release_note(note, now)?)).await?.into())
    }

    /// Takes over what was typed too late into one generation of a note: it becomes an edit of the shown one.
    pub async fn adopt_late(&self, note: NoteId, generation: GenerationId) -> Result<Placed, ThicketError> {
        let (note, generation) = (read(&note)?, read(&generation)?);
        Ok(self.write(move |home, now| Ok(home.adopt_late(note, generation, now)?)).await?.into())
    }

    /// The known real names that stand in a text as words, whatever their case: to be shown to whoever writes, and to nobody else.
    pub async fn guarded_names(
        &self,
        notebook: NotebookId,
        text: String,
    ) -> Result<Vec<String>, ThicketError> {
        self.read(move |home| Ok(home.guarded_names(&read(&notebook)?, &text)?)).await
    }

    /// Reads a text that was typed elsewhere, as one that is shared with the app: `@{Pseudonym}` becomes a token where it names exactly one participant or
    /// place, line ends become one character.
    pub async fn parse_text(&self, notebook: NotebookId, text: String) -> Result<ParsedText, ThicketError> {
        self.read(move |home| parse(home, &notebook, &text)).await
    }
}
