//! Late edits: what a member typed into a generation, and what the shown one does not hold because it was made on another
//! device before. Nothing of it is merged by itself; its author sees it, and takes it over.

use std::collections::{BTreeMap, BTreeSet};

use super::derive::open_view;
use super::keep::Kept;
use super::{About, Home, HomeError, NoteEdit, Placed};
use crate::document::NoteDocument;
use crate::ids::{GenerationId, NoteId};
use crate::store::derived_db::{self, GenerationRow};
use crate::text::Unit;
use crate::time::Moment;
use crate::view::{Heads, View};

/// The generations of a note.
type Rows = BTreeMap<GenerationId, GenerationRow>;

impl Home {
    /// Tells whether a generation is a late edit of this member.
    pub(super) fn is_own_late(&self, row: &GenerationRow) -> bool {
        row.is_late && Some(row.author) == self.secrets.member
    }

    /// Tells whether a generation says something that is nowhere else: a function of the note's generations alone.
    pub(super) fn is_late(
        &self,
        row: &GenerationRow,
        before: Option<&GenerationRow>,
        rows: &Rows,
        shown: Option<GenerationId>,
    ) -> Result<bool, HomeError> {
        let Some(shown) = shown.filter(|shown| *shown != row.generation) else { return Ok(false) };
        let view = open_view(row)?;
        if row.draft_of.is_some() && !view.meta.ended {
            // The draft that goes on is the first one of the shown generation; any other is stuck.
            let is_live = |other: &&GenerationRow| {
                other.author == row.author
                    && other.draft_of == Some(shown)
                    && open_view(other).is_ok_and(|view| !view.meta.ended)
            };
            return Ok(rows.values().find(is_live).map(|other| other.generation) != Some(row.generation));
        }
        if row.draft_of.is_some()
            && let Some(before) = before
            && (&before.heads, &before.view) == (&row.heads, &row.view)
        {
            return Ok(before.is_late);
        }
        let is_taken =
            |next: &GenerationRow| Ok::<_, HomeError>(open_view(next)?.meta.made_from == row.heads);
        if successor(row, rows).map(is_taken).transpose()? == Some(true) {
            return Ok(false);
        }
        Ok(match self.taken_over(row, &view, rows) {
            Some(taken) => !says_the_same(&taken, &view),
            None => match rows.get(&shown) {
                Some(shown) => !says_the_same(&open_view(shown)?, &view),
                None => true,
            },
        })
    }

    /// What of a generation is elsewhere already: what its successor was made from, or what it began as, and up to where
    /// it was ended. None where that cannot be told, because not all of it is here.
    fn taken_over(&self, row: &GenerationRow, view: &View, rows: &Rows) -> Option<View> {
        if let (Some(draft), false) = (&view.meta.draft_of, view.meta.ended) {
            let origin = rows.get(&draft.generation)?;
            return self.view_at(origin, |_| Some(draft.heads.clone()));
        }
        let next = successor(row, rows);
        if next.is_none() && row.draft_of.is_none() && row.parent.is_none() && !view.meta.ended {
            return None;
        }
        let made_from = next.map(open_view).transpose().ok()?.map(|next| next.meta.made_from);
        self.view_at(row, |document| {
            let mut taken = document.ended_at().ok()?;
            match made_from {
                // What was ended is taken, whether or not all that the successor was made from has come.
                Some(made_from) if !taken.is_empty() && document.lacks(&made_from) => {}
                Some(made_from) => taken.extend(made_from),
                None if row.draft_of.is_none() => taken.extend(document.beginning()),
                None => {}
            }
            Some(taken)
        })
    }

    fn view_at(
        &self,
        row: &GenerationRow,
        heads: impl FnOnce(&mut NoteDocument) -> Option<Heads>,
    ) -> Option<View> {
        let mut document = self.load_document(row.space, row.generation).ok()?.document;
        let heads = heads(&mut document)?;
        document.view_at(&heads).ok()?
    }

    /// Takes a late edit over: what it changed becomes an edit of the shown generation, a draft where that names somebody who is not
    /// covered; where it cannot be told what it changed, all of it comes behind the text. Both or neither are kept.
    pub fn adopt_late(
        &mut self,
        note: NoteId,
        generation: GenerationId,
        now: Moment,
    ) -> Result<Placed, HomeError> {
        self.follow()?;
        let target = self.edited(note)?;
        self.load_ledger(&target.notebook)?;
        for row in derived_db::generations_of(self.derived.read(), note)? {
            if row.generation == generation || row.generation == target.generation {
                self.commit_row(&row, now)?;
            }
        }
        let target = self.edited(note)?;
        let rows = derived_db::generations_of(self.derived.read(), note)?;
        let rows: Rows = rows.into_iter().map(|row| (row.generation, row)).collect();
        let Some(late) = rows.get(&generation).filter(|row| self.is_own_late(row)) else {
            return Err(HomeError::Conflict("that is no late edit of this note"));
        };
        let ours = self.load_document(target.space, target.generation)?.document.view()?;
        let mut ended = self.load_document(late.space, generation)?;
        let theirs = ended.document.view()?;
        let edit = adopted(self.taken_over(late, &theirs, &rows).as_ref(), &ours, &theirs);
        ended.document.end()?;
        let bodies = vec![(late.space, generation, ended.prepare(generation, now)?)];
        self.documents.forget(generation);
        self.change_with(&target, edit, Kept { bodies, ..Kept::default() }, now)
    }
}

/// The successor of a generation that counts.
fn successor<'r>(row: &GenerationRow, rows: &'r Rows) -> Option<&'r GenerationRow> {
    let next = rows.values().filter(|next| next.draft_of.is_none() && next.parent == Some(row.generation));
    next.min_by_key(|next| (next.is_private, next.generation))
}

fn says_the_same(one: &View, other: &View) -> bool {
    (&one.title, &one.text, &one.meta.about) == (&other.title, &other.text, &other.meta.about)
}

/// The edit that brings what is new in `theirs` into `ours`.
fn adopted(base: Option<&View>, ours: &View, theirs: &View) -> NoteEdit {
    if let Some(base) = base
        && let Ok(merged) = NoteDocument::merge_views(base, ours, theirs)
    {
        let about = match merged.meta.about {
            about if about == ours.meta.about => None,
            about => Some(About::These(about)),
        };
        return NoteEdit { title: Some(merged.title.units()), text: Some(merged.text.units()), about };
    }
    let mut text = ours.text.units();
    let mut add = |units: Vec<Unit>| {
        if !text.is_empty() {
            text.push(Unit::Char('\n'));
        }
        text.extend(units);
    };
    if theirs.title != ours.title && !theirs.title.text().is_empty() {
        add(theirs.title.units());
    }
    add(theirs.text.units());
    let about: BTreeSet<_> = ours.meta.about.union(&theirs.meta.about).copied().collect();
    let about = (about != ours.meta.about).then_some(About::These(about));
    NoteEdit { title: None, text: Some(text), about }
}
