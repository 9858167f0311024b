//! Writing and editing notes: the journal, commits, and where a note may live.

use std::collections::{BTreeMap, BTreeSet};

use thicket_protocol::governance::{Role, SpaceKind};
use thicket_protocol::ids::{MemberId, NotebookId, SpaceId};

use super::derive::open_view;
use super::documents::Loaded;
use super::journal::Journaled;
use super::keep::Kept;
use super::{Home, HomeError, StampShown, Thing};
use crate::document::Field;
use crate::ids::{EncounterId, GenerationId, NoteId, ParticipantId};
use crate::mention::{self, Parsed, Resolved};
use crate::secret::VaultKey;
use crate::stamp::{Assessment, Stamp, Standing};
use crate::store::Durability;
use crate::store::core_db::{self, Sealer};
use crate::store::derived_db::{self, GenerationRow};
use crate::text::{Layer, Prose, Token, Unit, normalise};
use crate::time::{Moment, Observed};
use crate::view::{DraftOf, EncodedView, Heads, Meta, Provenance, View};
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
struct Begun {
    placed: Placed,
    space: SpaceId,
    key: VaultKey,
    loaded: Loaded,
    body: Vec<u8>,
    stamp: Option<Stamp>,
}

/// Where an edit to a generation goes.
enum Destination {
    /// Into the generation itself.
    Same(Option<Stamp>),
    /// Into a new draft of it.
    Draft,
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
        if about.iter().any(|person| !ledger.participants().contains_key(person)) {
            return Err(HomeError::NotFound(Thing::Participant));
        }
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
        self.begin_generation(&new.notebook, view, now)
    }

    /// Begins a generation where it may live: shared when all in it are covered, private otherwise.
    fn begin_generation(
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

    fn keep_begun(
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

    /// This member, who may write notes in the notebook.
    pub(super) fn author(&self, notebook: &NotebookId) -> Result<MemberId, HomeError> {
        let team = self.known_team()?;
        let member = self.member().ok_or(HomeError::WaitingForKeys)?;
        let open = team.notebooks().get(notebook).ok_or(HomeError::NotFound(Thing::Notebook))?;
        if open.closed {
            return Err(HomeError::Rule("the notebook is closed"));
        }
        match team.members().get(&member).map(|member| member.role) {
            Some(Role::Auditor) => Err(HomeError::Role { role: Role::Auditor }),
            Some(Role::Custodian | Role::Fieldworker | Role::LinkWorker | Role::Analyst) => Ok(member),
            None => Err(HomeError::WaitingForKeys),
        }
    }

    /// The shared space of a notebook, where this device can seal to it.
    pub(super) fn shared_space(&self, notebook: &NotebookId) -> Option<SpaceId> {
        let (team, member) = (self.team()?, self.member()?);
        let space = team.space_of(notebook, SpaceKind::Shared, None)?;
        (team.may_hold(&member, &space) && self.holds_epoch(&space)).then_some(space)
    }

    /// Where private notes go: this member's private space, or, until there is one, where they wait for it.
    fn private_space(&self, notebook: &NotebookId) -> Result<SpaceId, HomeError> {
        let team = self.known_team()?;
        let member = self.member().ok_or(HomeError::WaitingForKeys)?;
        let space = team.space_of(notebook, SpaceKind::Private, Some(&member));
        Ok(space.unwrap_or(SpaceId::from_bytes(*notebook.as_bytes())))
    }

    /// Moves what waits for this member's private spaces to those that there are now.
    pub(crate) fn place_waiting(&mut self) -> Result<(), HomeError> {
        let (Some(team), Some(member)) = (&self.team, self.secrets.member) else { return Ok(()) };
        let places: BTreeMap<SpaceId, SpaceId> = team
            .notebooks()
            .keys()
            .filter_map(|notebook| {
                let space = team.space_of(notebook, SpaceKind::Private, Some(&member))?;
                Some((SpaceId::from_bytes(*notebook.as_bytes()), space))
            })
            .collect();
        let Self { core, secrets, entropy, .. } = self;
        let keys = core_db::own_keys(core.read(), &secrets.local)?;
        let mut moved: Vec<(SpaceId, SpaceId, VaultKey)> = Vec::new();
        for (waits, key) in keys {
            moved.extend(places.get(&waits).map(|space| (waits, *space, key)));
        }
        let mut bodies = Vec::new();
        for (waits, space) in &places {
            let rows = core_db::unsent_after(core.read(), &secrets.local, Some(*waits), 0, usize::MAX)?;
            bodies.extend(rows.into_iter().map(|row| (*space, row)));
        }
        if moved.is_empty() && bodies.is_empty() {
            return Ok(());
        }
        core.write(Durability::Full, |tx| -> Result<(), HomeError> {
            let mut sealer = Sealer { key: &secrets.local, entropy: &mut **entropy };
            for (waits, space, key) in &moved {
                core_db::remove_own_keys(tx, *waits, &[key.id()])?;
                core_db::add_own_key(tx, &mut sealer, *space, key)?;
            }
            for (space, row) in &bodies {
                core_db::put_unsent(tx, &mut sealer, *space, row.generation, &row.body)?;
            }
            Ok(())
        })?;
        for (_, space, key) in moved {
            self.keys.insert(space, key);
        }
        self.follow().map(drop)
    }

    /// Goes on with all that waited, after keys came: places what was written without them, opens what did not
    /// open, and releases what is covered.
    pub(crate) fn settle_waiting(&mut self, now: Moment) -> Result<Vec<NoteId>, HomeError> {
        self.place_waiting()?;
        self.take_waiting(now)?;
        self.release_covered(now)
    }

    /// Edits a note and saves it. An edit to a shared note that names somebody not covered becomes a draft.
    pub fn edit_note(&mut self, note: NoteId, edit: NoteEdit, now: Moment) -> Result<Placed, HomeError> {
        self.follow()?;
        let row = self.edited(note)?;
        self.change(&row, edit, now)
    }

    /// The generation that an edit of this member goes to: the draft of the shown one, or the shown one itself.
    pub(super) fn edited(&self, note: NoteId) -> Result<GenerationRow, HomeError> {
        let rows = derived_db::generations_of(self.derived.read(), note)?;
        let shown = rows.iter().find(|row| row.is_shown).ok_or(HomeError::NotFound(Thing::Note))?;
        let row = match self.draft_of(shown, &rows)? {
            Some(draft) => draft,
            None => shown.clone(),
        };
        self.check_editable(&row)?;
        Ok(row)
    }

    /// This member's draft of a generation, if one has not ended.
    pub(super) fn draft_of(
        &self,
        shown: &GenerationRow,
        rows: &[GenerationRow],
    ) -> Result<Option<GenerationRow>, HomeError> {
        for row in rows.iter().filter(|row| row.is_private && row.draft_of == Some(shown.generation)) {
            if Some(row.author) == self.member() && !open_view(row)?.meta.ended {
                return Ok(Some(row.clone()));
            }
        }
        Ok(None)
    }

    /// What is on hold is for its author alone; what is private always is.
    fn check_editable(&self, row: &GenerationRow) -> Result<(), HomeError> {
        let member = self.author(&row.notebook)?;
        let is_own = row.author == member;
        if !is_own && row.status == StampStatus::OnHold {
            return Err(HomeError::Consent { status: row.status });
        }
        let may_hold = self.known_team()?.may_hold(&member, &row.space);
        let is_placed = *row.space.as_bytes() != *row.notebook.as_bytes();
        if (row.is_private && !is_own) || (is_placed && !may_hold) {
            return Err(HomeError::Rule("the note is not this member's to edit"));
        }
        Ok(())
    }

    /// Makes one change of a generation's journal and an edit, and keeps it where it may live.
    pub(super) fn change(
        &mut self,
        row: &GenerationRow,
        edit: NoteEdit,
        now: Moment,
    ) -> Result<Placed, HomeError> {
        self.load_ledger(&row.notebook)?;
        let journaled = self.journaled(row.generation)?;
        let journals: Vec<_> =
            journaled.through.map(|through| (row.generation, through)).into_iter().collect();
        let mut loaded = self.take_document(row.space, row.generation)?;
        let began = loaded.document.heads();
        let before = loaded.document.view()?;
        edit_document(&mut loaded, &before, journaled, edit)?;
        let view = loaded.document.view()?;
        let standing = if row.is_private { Standing::Private } else { Standing::Shared };
        if view == before {
            if !journals.is_empty() {
                self.keep_act(Kept { journals, ..Kept::default() }, now)?;
            }
            let assessment = self.assess(row, standing)?;
            return Ok(self.placed(row, &assessment));
        }
        match self.destination(row, &before, &view)? {
            Destination::Draft => self.draft(row, began, view, journals, now),
            Destination::Same(stamp) => {
                let body = loaded.prepare(row.generation, now)?;
                let stamps = stamp.map(|stamp| (row.notebook, stamp)).into_iter().collect();
                let bodies = vec![(row.space, row.generation, body)];
                self.keep_act(Kept { keys: Vec::new(), bodies, stamps, journals }, now)?;
                self.documents.put(row.generation, loaded);
                if row.is_private
                    && let Some(placed) = self.let_out(row, now)?
                {
                    return Ok(placed);
                }
                let assessment = self.assess_view(&row.notebook, row.generation, &view, standing)?;
                Ok(self.placed(row, &assessment))
            }
        }
    }

    /// Decides where an edit goes. One that brings in a known real name waits for somebody to look at it, as one that names
    /// somebody who is not covered does.
    fn destination(&self, row: &GenerationRow, before: &View, view: &View) -> Result<Destination, HomeError> {
        if row.is_private {
            return Ok(Destination::Same(None));
        }
        let stamp = self.restamp(row, view)?;
        let known = self.names_in(&row.notebook, before)?;
        let names = self.names_in(&row.notebook, view)?;
        Ok(match stamp {
            Some(stamp)
                if row.status != StampStatus::OnHold && names.iter().all(|name| known.contains(name)) =>
            {
                Destination::Same(stamp)
            }
            Some(_) | None => Destination::Draft,
        })
    }

    /// The stamp that a shared generation needs to say this: none where consent does not allow it, and no new one where the
    /// people in it and what it rests on stay as they are.
    pub(super) fn restamp(
        &self,
        row: &GenerationRow,
        view: &View,
    ) -> Result<Option<Option<Stamp>>, HomeError> {
        let stamps = self.ledger(&row.notebook)?.stamps();
        let known = stamps.get(&row.generation).and_then(|register| register.value());
        let standing = if known.is_some() { Standing::Shared } else { Standing::Private };
        let assessment = self.assess_view(&row.notebook, row.generation, view, standing)?;
        if assessment.status() != StampStatus::Valid {
            return Ok(None);
        }
        let stamp = stamp(&assessment, view, row.generation)?;
        let is_new = known.is_none_or(|known| known.subjects() != stamp.subjects());
        Ok(Some(is_new.then_some(stamp)))
    }

    /// Begins a draft of a shared generation in the own private space.
    fn draft(
        &mut self,
        row: &GenerationRow,
        heads: Heads,
        view: View,
        journals: Vec<(GenerationId, u64)>,
        now: Moment,
    ) -> Result<Placed, HomeError> {
        let draft_of = Some(DraftOf { generation: row.generation, heads });
        let author = self.author(&row.notebook)?;
        let meta = Meta { parent: None, draft_of, author, recorded: now, ended: false, ..view.meta };
        let begun = self.begin_generation(&row.notebook, View { meta, ..view }, now)?;
        let placed = begun.placed.clone();
        self.keep_begun(vec![begun], journals, now)?;
        Ok(placed)
    }

    pub(super) fn placed(&self, row: &GenerationRow, assessment: &Assessment) -> Placed {
        Placed {
            note: row.note,
            generation: row.generation,
            is_private: row.is_private,
            is_draft: row.draft_of.is_some(),
            stamp: self.stamp_shown(&row.notebook, assessment),
        }
    }
}

/// Carries out what the journal holds, then the edit.
fn edit_document(
    loaded: &mut Loaded,
    before: &View,
    journaled: Journaled,
    edit: NoteEdit,
) -> Result<(), HomeError> {
    let document = &mut loaded.document;
    for (field, splices, prose) in
        [(Field::Title, journaled.title, &before.title), (Field::Text, journaled.text, &before.text)]
    {
        super::journal::replay(document, field, splices, prose)?;
    }
    for (field, units) in [(Field::Title, edit.title), (Field::Text, edit.text)] {
        if let Some(units) = units {
            document.update(field, &units)?;
        }
    }
    if let Some(about) = edit.about {
        let (about, nobody) = said(about);
        let meta = document.view()?.meta;
        document.set_meta(&Meta { about, nobody, ..meta })?;
    }
    Ok(())
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

fn said(about: About) -> (BTreeSet<ParticipantId>, bool) {
    match about {
        About::Unsaid => (BTreeSet::new(), false),
        About::Nobody => (BTreeSet::new(), true),
        About::These(people) => (people, false),
    }
}

#[cfg(test)]
#[path = "notes_tests.rs"]
pub(super) mod tests;
