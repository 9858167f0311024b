//! Writing and editing notes: the journal, commits, and where a note may live.

use std::collections::BTreeSet;

use thicket_protocol::ids::{NotebookId, SpaceId};

use super::documents::Loaded;
use super::keep::Kept;
use super::{Home, HomeError, StampShown, Thing};
use crate::ids::{EncounterId, GenerationId, NoteId, ParticipantId};
use crate::mention::{self, Parsed, Resolved};
use crate::secret::VaultKey;
use crate::stamp::{Assessment, Stamp, Standing};
use crate::store::derived_db;
use crate::text::{Layer, Prose, Token, Unit, normalise};
use crate::time::{Moment, Observed};
use crate::view::{EncodedView, Meta, Provenance, View};
use crate::vocabulary::StampStatus;

/// How many notes of an import are kept in one transaction.
const IMPORTED_AT_ONCE: usize = 64;

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

/// A generation that is about to begin.
pub(super) struct Begun {
    pub(super) placed: Placed,
    space: SpaceId,
    key: VaultKey,
    loaded: Loaded,
    body: Vec<u8>,
    stamp: Option<Stamp>,
}

impl Home {
    /// Reads a text as typed: `@{Pseudonym}` and `@{id-prefix}` become tokens where they name exactly one thing.
    pub fn parse_text(&self, notebook: &NotebookId, text: &str) -> Result<Parsed, HomeError> {
        let text = normalise(text)?;
        Ok(mention::parse(&text, |name| self.resolve(notebook, name)))
    }

    /// What a name in a text means.
    pub(super) fn resolve(&self, notebook: &NotebookId, name: &str) -> Resolved {
        let person = self.find_participant(notebook, name);
        let place = self.find_place(notebook, name);
        match (person, place) {
            (Err(HomeError::Ambiguous(_)), _) | (_, Err(HomeError::Ambiguous(_))) | (Ok(_), Ok(_)) => {
                Resolved::Several
            }
            (Ok(person), Err(_)) => Resolved::One(Token::Person(person)),
            (Err(_), Ok(place)) => Resolved::One(Token::Place(place)),
            (Err(_), Err(_)) => Resolved::None,
        }
    }

    /// Writes a note. When this returns it survives a power cut.
    ///
    /// A note whose people are all covered, or that expressly has nobody in it, is shared at once; any other stays in the private space.
    pub fn write_note(&mut self, new: NewNote, now: Moment) -> Result<Placed, HomeError> {
        self.follow()?;
        self.load_ledger(&new.notebook)?;
        let begun = self.begin_note(new, now)?;
        let placed = begun.placed.clone();
        self.keep_begun(vec![begun], Vec::new(), now)?;
        Ok(placed)
    }

    /// Writes many notes of an import; each that is acknowledged through `written` survives a power cut. A note whose id is known already is skipped.
    pub fn import_notes(
        &mut self,
        new: Vec<NewNote>,
        now: Moment,
        written: &mut dyn FnMut(usize, Result<Option<Placed>, HomeError>),
    ) -> Result<(), HomeError> {
        self.follow()?;
        for notebook in new.iter().map(|note| note.notebook).collect::<BTreeSet<_>>() {
            self.load_ledger(&notebook)?;
        }
        let mut rest = new.into_iter().enumerate().peekable();
        while rest.peek().is_some() {
            let mut taken = BTreeSet::new();
            let (mut done, mut begun) = (Vec::new(), Vec::new());
            for (at, note) in rest.by_ref().take(IMPORTED_AT_ONCE) {
                let is_known = match note.id {
                    Some(id) => !taken.insert(id) || self.knows_note(id)?,
                    None => false,
                };
                if is_known {
                    done.push((at, Ok(None)));
                    continue;
                }
                match self.begin_note(note, now) {
                    Ok(one) => {
                        done.push((at, Ok(Some(one.placed.clone()))));
                        begun.push(one);
                    }
                    Err(error) => done.push((at, Err(error))),
                }
            }
            self.keep_begun(begun, Vec::new(), now)?;
            done.into_iter().for_each(|(at, outcome)| written(at, outcome));
        }
        Ok(())
    }

    fn knows_note(&self, note: NoteId) -> Result<bool, HomeError> {
        Ok(!derived_db::generations_of(self.derived.read(), note)?.is_empty())
    }

    /// Makes the first generation of a note.
    fn begin_note(&mut self, new: NewNote, now: Moment) -> Result<Begun, HomeError> {
        let author = self.author(&new.notebook)?;
        let ledger = self.ledger(&new.notebook)?;
        if new.encounter.is_some_and(|id| !ledger.encounters().contains_key(&id)) {
            return Err(HomeError::NotFound(Thing::Encounter));
        }
        let (about, nobody) = said(new.about);
        let note = match new.id {
            Some(id) if self.knows_note(id)? => return Err(HomeError::Conflict("a note of that id is here")),
            Some(id) => id,
            None => NoteId::from_bytes(self.entropy.bytes()),
        };
        let meta = Meta {
            note,
            parent: None,
            draft_of: None,
            author,
            encounter: new.encounter,
            layer: new.layer,
            observed: new.observed,
            recorded: now,
            provenance: new.provenance,
            about,
            nobody,
            ended: false,
        };
        let view = View { title: Prose::from_units(&new.title), text: Prose::from_units(&new.text), meta };
        self.check_known(&new.notebook, view.people().iter())?;
        self.begin_generation(&new.notebook, view, now)
    }

    /// Begins a generation where it may live: shared when all in it are covered, private otherwise.
    pub(super) fn begin_generation(
        &mut self,
        notebook: &NotebookId,
        view: View,
        now: Moment,
    ) -> Result<Begun, HomeError> {
        let key = VaultKey::make(&mut *self.entropy);
        let generation: GenerationId = key.id().into();
        let assessment = self.assess_view(notebook, generation, &view, Standing::Private)?;
        let shared = self.shared_space(notebook).filter(|_| view.meta.draft_of.is_none());
        let shared = shared.filter(|_| assessment.status() == StampStatus::Valid);
        let shared = match shared {
            Some(space) if self.names_in(notebook, &view)?.is_empty() => Some(space),
            Some(_) | None => None,
        };
        let mut loaded = Loaded::begin(self.actor(generation), &view, now)?;
        let body = loaded.prepare(generation, now)?;
        let stamp = match shared {
            Some(_) => Some(stamp(&assessment, &view, generation)?),
            None => None,
        };
        let placed = Placed {
            note: view.meta.note,
            generation,
            is_private: shared.is_none(),
            is_draft: view.meta.draft_of.is_some(),
            stamp: self.stamp_shown(notebook, &assessment),
        };
        let space = match shared {
            Some(space) => space,
            None => self.private_space(notebook)?,
        };
        Ok(Begun { placed, space, key, loaded, body, stamp })
    }

    pub(super) fn keep_begun(
        &mut self,
        begun: Vec<Begun>,
        journals: Vec<(GenerationId, u64)>,
        now: Moment,
    ) -> Result<(), HomeError> {
        let mut kept = Kept { journals, ..Kept::default() };
        let mut documents = Vec::new();
        for Begun { placed, space, key, loaded, body, stamp } in begun {
            let notebook = self.notebook_of(&space).map(|(notebook, _)| notebook);
            kept.stamps.extend(notebook.zip(stamp));
            kept.keys.push((space, key));
            kept.bodies.push((space, placed.generation, body));
            documents.push((placed.generation, loaded));
        }
        self.keep_act(kept, now)?;
        documents.into_iter().for_each(|(generation, loaded)| self.documents.put(generation, loaded));
        Ok(())
    }
}

/// Makes the stamp of a generation that says this.
pub(super) fn stamp(
    assessment: &Assessment,
    view: &View,
    generation: GenerationId,
) -> Result<Stamp, HomeError> {
    let stamp = assessment.stamp(view.meta.note, generation, EncodedView::of(view).content_hash());
    stamp.map_err(|error| HomeError::Consent { status: error.status })
}

/// What somebody says of who is in a note: the people, and whether it is expressly nobody.
pub(super) fn said(about: About) -> (BTreeSet<ParticipantId>, bool) {
    match about {
        About::Unsaid => (BTreeSet::new(), false),
        About::Nobody => (BTreeSet::new(), true),
        About::These(people) => (people, false),
    }
}

#[cfg(test)]
#[path = "notes_tests.rs"]
pub(super) mod tests;
