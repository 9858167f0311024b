//! From opened bodies and objects to rows: each row is a function of the set of bodies of its generation, of the
//! ledger, and of the other generations of its note.

use std::collections::{BTreeMap, BTreeSet};

use thicket_protocol::cbor;
use thicket_protocol::governance::SpaceKind;
use thicket_protocol::ids::{NotebookId, SpaceId};
use thicket_protocol::team::Team;

use super::take::{NotePart, Opened, Page, Taken};
use super::{Home, HomeError};
use crate::body::combine_heads;
use crate::ids::{GenerationId, NoteId};
use crate::object::Object;
use crate::store::derived_db::{self, GenerationRow, Part, Source};
use crate::store::{Durability, core_db};
use crate::view::{EncodedView, Heads, View};
use crate::vocabulary::StampStatus;

/// Rows before and after a page.
#[derive(Debug, Default)]
struct Changed {
    rows: BTreeMap<GenerationId, (Option<GenerationRow>, GenerationRow)>,
    parts: Vec<(GenerationId, Part)>,
    gone: Vec<GenerationId>,
}

impl Home {
    /// The team, once its log has come.
    pub(super) fn known_team(&self) -> Result<&Team, HomeError> {
        self.team.as_ref().ok_or(HomeError::WaitingForKeys)
    }

    /// The notebook of a space that holds notes, and whether it is private. What is written before this member has a private
    /// space lies under the notebook's own id until then.
    pub(super) fn notebook_of(&self, space: &SpaceId) -> Option<(NotebookId, bool)> {
        let team = self.team.as_ref()?;
        let waiting = NotebookId::from_bytes(*space.as_bytes());
        match team.spaces().get(space) {
            Some(space) => Some((space.notebook?, space.kind == SpaceKind::Private)),
            None => team.notebooks().contains_key(&waiting).then_some((waiting, true)),
        }
    }

    /// Takes a page into derived.db in one transaction with its mark.
    pub(super) fn derive(
        &mut self,
        page: Page,
        mark: Option<u64>,
        taken: &mut Taken,
    ) -> Result<(), HomeError> {
        let spaces =
            page.objects.iter().map(|part| part.space).chain(page.notes.iter().map(|part| part.space));
        let notebooks: BTreeSet<NotebookId> =
            spaces.filter_map(|space| self.notebook_of(&space)).map(|(notebook, _)| notebook).collect();
        for notebook in &notebooks {
            self.load_ledger(notebook)?;
        }
        for part in &page.objects {
            self.ledger_insert(&part.space, &part.object);
        }
        let changed = self.changed_by(&page)?;
        self.derived.write(Durability::Normal, |tx| -> Result<(), HomeError> {
            for part in &page.objects {
                derived_db::put_object(tx, part.space, part.object.object().hash(), &part.wire)?;
            }
            for (generation, part) in &changed.parts {
                derived_db::put_part(tx, *generation, part)?;
            }
            for generation in &changed.gone {
                derived_db::remove_part(tx, *generation, Source::Unsent)?;
            }
            for (generation, (before, after)) in &changed.rows {
                match before {
                    Some(before) if before == after => {}
                    Some(before) if is_same_text(before, after) => {
                        derived_db::set_status(tx, *generation, after.status)?;
                        derived_db::set_shown(tx, *generation, after.is_shown)?;
                    }
                    Some(_) | None => derived_db::put_generation(tx, after)?,
                }
            }
            for (device, at) in &page.heard {
                derived_db::hear(tx, *device, *at)?;
            }
            Ok(mark.map_or(Ok(()), |mark| derived_db::set_mark(tx, mark))?)
        })?;
        for (generation, part) in &changed.parts {
            if part.source != Source::Unsent {
                self.documents.forget(*generation);
            }
        }
        for (before, after) in changed.rows.values() {
            if before.as_ref() != Some(after) {
                self.documents.set_typing(after.note, None);
                taken.add_note(after.note);
            }
        }
        for part in &page.objects {
            if let Object::Consent(event) = &part.object.object().envelope().what {
                taken.add_participant(event.participant);
            }
        }
        Ok(())
    }

    /// Works out every row that a page changes.
    fn changed_by(&self, page: &Page) -> Result<Changed, HomeError> {
        let mut came: BTreeMap<GenerationId, Vec<&NotePart>> =
            page.sealed.iter().map(|generation| (*generation, Vec::new())).collect();
        for part in &page.notes {
            came.entry(part.generation).or_default().push(part);
        }
        let mut changed = Changed::default();
        for (generation, came) in &came {
            self.change_generation(*generation, came, &mut changed)?;
        }
        let notes: BTreeSet<NoteId> = changed.rows.values().map(|(_, row)| row.note).collect();
        for generation in self.touched_by(page)? {
            if changed.rows.contains_key(&generation) {
                continue;
            }
            let Some(before) = derived_db::generation(self.derived.read(), generation)? else { continue };
            let status = self.status_of(&before, &open_view(&before)?)?;
            let after = GenerationRow { status, ..before.clone() };
            changed.rows.insert(generation, (Some(before), after));
        }
        for note in notes {
            self.choose_shown(note, &mut changed)?;
        }
        Ok(changed)
    }

    fn change_generation(
        &self,
        generation: GenerationId,
        came: &[&NotePart],
        changed: &mut Changed,
    ) -> Result<(), HomeError> {
        let before = derived_db::generation(self.derived.read(), generation)?;
        let known =
            if before.is_some() { derived_db::parts(self.derived.read(), generation)? } else { Vec::new() };
        let mut parts: BTreeMap<Source, Part> = known.into_iter().map(|part| (part.source, part)).collect();
        let waits = |home: &Self| core_db::unsent(home.core.read(), &home.secrets.local, generation);
        if parts.contains_key(&Source::Unsent)
            && came.iter().all(|part| part.source != Source::Unsent)
            && waits(self)?.is_none()
        {
            parts.remove(&Source::Unsent);
            changed.gone.push(generation);
        }
        for part in came {
            let NotePart { source, body, .. } = part;
            let (base, result, content_hash) = (&body.base, &body.result, body.view.content_hash());
            let part = Part { source: *source, base: base.clone(), result: result.clone(), content_hash };
            parts.insert(*source, part.clone());
            changed.parts.push((generation, part));
        }
        if let Some(after) = self.row_of(generation, before.as_ref(), &parts, came)? {
            changed.rows.insert(generation, (before, after));
        }
        Ok(())
    }

    /// Makes the row of a generation from its parts; none where nothing of it is here.
    fn row_of(
        &self,
        generation: GenerationId,
        before: Option<&GenerationRow>,
        parts: &BTreeMap<Source, Part>,
        came: &[&NotePart],
    ) -> Result<Option<GenerationRow>, HomeError> {
        // A prepared body may have moved from where it waited to the private space.
        let newest = came.iter().max_by_key(|part| part.source == Source::Unsent);
        let Some(space) = newest.map(|part| part.space).or(before.map(|row| row.space)) else {
            return Ok(None);
        };
        let Some((notebook, is_private)) = self.notebook_of(&space) else { return Ok(None) };
        let heads = combine_heads(parts.values().map(|part| (&part.base, &part.result)));
        let whole = parts.values().find(|part| part.result == heads);
        let (encoded, view, heads) = match whole {
            Some(part) => {
                let (encoded, view) = self.view_of(space, generation, part, before, came)?;
                (encoded, view, heads)
            }
            None => self.merged_view(space, generation, parts, before, came)?,
        };
        let mut ever_named = before.map(|row| row.ever_named.clone()).unwrap_or_default();
        ever_named.extend(came.iter().flat_map(|part| part.people.iter().copied()));
        let people = view.people();
        ever_named.extend(&people);
        let mut row = GenerationRow {
            generation,
            space,
            notebook,
            is_private,
            note: view.meta.note,
            parent: view.meta.parent,
            draft_of: view.meta.draft_of.as_ref().map(|draft| draft.generation),
            author: view.meta.author,
            encounter: view.meta.encounter,
            observed: view.meta.observed,
            recorded_ms: view.meta.recorded.unix_ms(),
            ever_named,
            people,
            status: StampStatus::Pending,
            heads,
            view: cbor::encode(&encoded),
            title: cbor::encode(&view.title),
            is_shown: before.is_some_and(|row| row.is_shown),
        };
        row.status = self.status_of(&row, &view)?;
        Ok(Some(row))
    }

    /// The view of one part: it came with the page, is the one that is shown, or is read back.
    fn view_of(
        &self,
        space: SpaceId,
        generation: GenerationId,
        part: &Part,
        before: Option<&GenerationRow>,
        came: &[&NotePart],
    ) -> Result<(EncodedView, View), HomeError> {
        if let Some(came) = came.iter().find(|came| came.source == part.source) {
            return Ok((came.body.view.clone(), came.view.clone()));
        }
        if let Some(row) = before {
            let encoded: EncodedView = read(&row.view)?;
            if encoded.content_hash() == part.content_hash {
                let view = encoded.open().map_err(|_| damaged())?;
                return Ok((encoded, view));
            }
        }
        for row in core_db::parts_of(self.core.read(), space, generation.into())? {
            if Source::Item(row.at) == part.source
                && let Some(body) = &row.body
                && let Ok(Opened::Note(found)) = self.open_item(&row.head, row.at.index, &row.item, body)
            {
                return Ok((found.body.view, found.view));
            }
        }
        Err(damaged())
    }

    /// The view of the merged document, where people wrote at the same time; where that cannot be merged, of the
    /// first part.
    fn merged_view(
        &self,
        space: SpaceId,
        generation: GenerationId,
        parts: &BTreeMap<Source, Part>,
        before: Option<&GenerationRow>,
        came: &[&NotePart],
    ) -> Result<(EncodedView, View, Heads), HomeError> {
        let bodies = self.read_bodies(space, generation)?;
        let merged = bodies.merge(self.actor(generation)).and_then(|mut loaded| {
            let view = loaded.document.view()?;
            Ok((EncodedView::of(&view), view, loaded.document.heads()))
        });
        match merged {
            Ok(merged) => Ok(merged),
            Err(_) => {
                let part = parts.values().next().ok_or_else(damaged)?;
                let (encoded, view) = self.view_of(space, generation, part, before, came)?;
                Ok((encoded, view, part.result.clone()))
            }
        }
    }

    /// Generations whose status the objects of a page may change.
    fn touched_by(&self, page: &Page) -> Result<BTreeSet<GenerationId>, HomeError> {
        let derived = self.derived.read();
        let mut touched = BTreeSet::new();
        for part in &page.objects {
            match &part.object.object().envelope().what {
                Object::Consent(event) => {
                    touched.extend(derived_db::generations_about(derived, event.participant)?);
                }
                Object::Encounter(encounter) => {
                    touched.extend(derived_db::generations_at(derived, encounter.id)?);
                }
                Object::Stamps(stamps) => {
                    touched.extend(stamps.iter().map(|stamp| stamp.generation()));
                }
                Object::TeamName(_)
                | Object::MemberName(_)
                | Object::DeviceName(_)
                | Object::NotebookName(_)
                | Object::Sheet(_)
                | Object::Participant(_)
                | Object::Identity(_)
                | Object::Place(_)
                | Object::PlaceIdentity(_)
                | Object::Evidence(_) => {}
            }
        }
        Ok(touched)
    }

    /// Sets which generation of a note is shown.
    fn choose_shown(&self, note: NoteId, changed: &mut Changed) -> Result<(), HomeError> {
        let stored = derived_db::generations_of(self.derived.read(), note)?;
        let mut rows: BTreeMap<GenerationId, GenerationRow> =
            stored.iter().map(|row| (row.generation, row.clone())).collect();
        rows.extend(
            changed
                .rows
                .iter()
                .filter(|(_, (_, row))| row.note == note)
                .map(|(id, (_, row))| (*id, row.clone())),
        );
        let shown = shown_of(rows.values())?;
        for (id, row) in rows {
            let is_shown = shown == Some(id);
            if row.is_shown != is_shown {
                let before = stored.iter().find(|row| row.generation == id).cloned();
                changed.rows.entry(id).or_insert_with(|| (before, row)).1.is_shown = is_shown;
            }
        }
        Ok(())
    }
}

/// The generation that lists and search show: from the oldest that is here along its successors, the shared ones first and of
/// several the one with the lowest id; a draft only where there is nothing else.
fn shown_of<'r>(
    rows: impl Iterator<Item = &'r GenerationRow> + Clone,
) -> Result<Option<GenerationId>, HomeError> {
    let texts = rows.clone().filter(|row| row.draft_of.is_none());
    let is_here = |id: GenerationId| texts.clone().any(|row| row.generation == id);
    let first = |of: &dyn Fn(&&GenerationRow) -> bool| {
        texts.clone().filter(|row| of(row)).min_by_key(|row| (row.is_private, row.generation))
    };
    let oldest = first(&|row| row.parent.is_none_or(|parent| !is_here(parent)));
    // Generations that follow each other in a circle can only be forged; one of them is shown all the same.
    let Some(mut shown) = oldest.or_else(|| first(&|_| true)).map(|row| row.generation) else {
        let mut drafts = Vec::new();
        for row in rows.filter(|row| row.draft_of.is_some()) {
            if !open_view(row)?.meta.ended {
                drafts.push(row.generation);
            }
        }
        return Ok(drafts.into_iter().min());
    };
    let mut seen = BTreeSet::from([shown]);
    while let Some(next) = first(&|row| row.parent == Some(shown)) {
        if !seen.insert(next.generation) {
            break;
        }
        shown = next.generation;
    }
    Ok(Some(shown))
}

fn is_same_text(before: &GenerationRow, after: &GenerationRow) -> bool {
    let GenerationRow { status, is_shown, .. } = *after;
    GenerationRow { status, is_shown, ..before.clone() } == *after
}

/// The view of a row.
pub(super) fn open_view(row: &GenerationRow) -> Result<View, HomeError> {
    read::<EncodedView>(&row.view)?.open().map_err(|_| damaged())
}

fn read<'b, T: minicbor::Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, HomeError> {
    cbor::decode(bytes).map_err(|_| damaged())
}

fn damaged() -> HomeError {
    HomeError::Damaged(super::DamagedFile::Derived)
}
