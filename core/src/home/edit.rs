//! Editing a note: in place where its people stay covered, in a draft where they do not.

use thicket_protocol::ids::NotebookId;

use super::derive::open_view;
use super::documents::Loaded;
use super::journal::{Journaled, replay};
use super::keep::Kept;
use super::notes::{said, stamp};
use super::{About, Home, HomeError, NoteEdit, Placed, Thing};
use crate::document::Field;
use crate::ids::{GenerationId, NoteId, ParticipantId};
use crate::stamp::{Assessment, Stamp, Standing};
use crate::store::derived_db::{self, GenerationRow};
use crate::time::Moment;
use crate::view::{DraftOf, Heads, Meta, View};
use crate::vocabulary::StampStatus;

/// Where an edit to a generation goes.
enum Destination {
    /// Into the generation itself.
    Same(Option<Stamp>),
    /// Into a new draft of it.
    Draft,
}

impl Home {
    /// Edits a note and saves it. An edit to a shared note that names somebody not covered becomes a draft.
    pub fn edit_note(&mut self, note: NoteId, edit: NoteEdit, now: Moment) -> Result<Placed, HomeError> {
        self.follow()?;
        let row = self.edited(note)?;
        let named = edit.title.iter().chain(&edit.text).flatten().filter_map(|unit| unit.person());
        let about = match &edit.about {
            Some(About::These(people)) => Some(people),
            Some(About::Unsaid | About::Nobody) | None => None,
        };
        let new: Vec<_> = named.chain(about.into_iter().flatten().copied()).collect();
        self.check_known(&row.notebook, new.iter().filter(|person| !row.people.contains(person)))?;
        self.change(&row, edit, now)
    }

    /// Refuses people whom the notebook does not know: nobody could seal a note to them.
    pub(super) fn check_known<'p>(
        &self,
        notebook: &NotebookId,
        mut people: impl Iterator<Item = &'p ParticipantId>,
    ) -> Result<(), HomeError> {
        let known = self.ledger(notebook)?.participants();
        let is_known = people.all(|person| known.contains_key(person));
        if is_known { Ok(()) } else { Err(HomeError::NotFound(Thing::Participant)) }
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
        replay(document, field, splices, prose)?;
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
