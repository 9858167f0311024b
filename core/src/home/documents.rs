//! Documents of generations, loaded from the bodies that core.db holds: to edit, to merge, to release.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use thicket_protocol::ids::SpaceId;
use thicket_protocol::limits::{BODY_BYTES_MAX, PEOPLE_MAX, TAG_BYTES};

use super::outbox::prepare_unsent;
use super::take::{Opened, read_prepared};
use super::{Home, HomeError};
use crate::body::{CommitTime, Content, NoteBody, combine_heads};
use crate::document::{Actor, DocumentError, NoteDocument};
use crate::ids::{GenerationId, NoteId, ParticipantId};
use crate::store::core_db;
use crate::time::Moment;
use crate::view::{EncodedView, Heads, View};

/// How many loaded documents are kept: a person edits one or two at a time.
const DOCUMENTS_KEPT: usize = 4;

/// What a body has beside its content at most: the length of `people`, their count and ids, two tags.
const BODY_EXTRA_BYTES: usize = 2 + 1 + PEOPLE_MAX * ParticipantId::LEN + 2 * TAG_BYTES;

/// Documents that were loaded lately, and where typing goes.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    loaded: VecDeque<(GenerationId, Loaded)>,
    typing: BTreeMap<NoteId, GenerationId>,
}

impl Documents {
    /// Lends a document out: one that was changed and not kept must not come back.
    fn take(&mut self, generation: GenerationId) -> Option<Loaded> {
        let at = self.loaded.iter().position(|(kept, _)| *kept == generation)?;
        self.loaded.remove(at).map(|(_, loaded)| loaded)
    }

    /// Keeps a document that stands as core.db has it.
    pub(super) fn put(&mut self, generation: GenerationId, loaded: Loaded) {
        self.forget(generation);
        self.loaded.push_front((generation, loaded));
        self.loaded.truncate(DOCUMENTS_KEPT);
    }

    /// Forgets a document to which something came.
    pub(super) fn forget(&mut self, generation: GenerationId) {
        self.loaded.retain(|(kept, _)| *kept != generation);
    }

    /// What a document had to say is a record now, with this result: its next body begins behind it.
    pub(super) fn seal(&mut self, generation: GenerationId, result: &Heads) {
        let Some(mut loaded) = self.take(generation) else { return };
        if loaded.document.heads() == *result {
            loaded.records.clone_from(result);
            loaded.commits.clear();
            self.put(generation, loaded);
        }
    }

    /// The generation that keystrokes in a note go to, if that was found out already.
    pub(super) fn typing(&self, note: NoteId) -> Option<GenerationId> {
        self.typing.get(&note).copied()
    }

    /// Remembers where keystrokes go, or that it must be found out anew.
    pub(super) fn set_typing(&mut self, note: NoteId, generation: Option<GenerationId>) {
        match generation {
            Some(generation) => self.typing.insert(note, generation),
            None => self.typing.remove(&note),
        };
    }
}

/// A loaded document with what its next body has to say.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) document: NoteDocument,
    /// The version that the records add up to: the base of what is not sealed yet.
    records: Heads,
    /// The changes that are in no record yet.
    commits: Vec<CommitTime>,
    /// Everybody ever named in it.
    people: BTreeSet<ParticipantId>,
}

impl Loaded {
    /// Begins a generation of which nothing is sealed yet.
    pub(super) fn begin(actor: Actor, view: &View, now: Moment) -> Result<Self, HomeError> {
        let mut document = NoteDocument::new(actor, &view.meta, &view.title.units(), &view.text.units())?;
        let commits = document.heads().into_iter().map(|change| commit_time(change, now)).collect();
        Ok(Self { document, records: Heads::new(), commits, people: BTreeSet::new() })
    }

    /// Makes a change of what waits, and prepares the one body that holds all that is in no record.
    pub(super) fn prepare(&mut self, generation: GenerationId, now: Moment) -> Result<Vec<u8>, HomeError> {
        self.document.commit();
        self.prepare_committed(generation, now)
    }

    /// Prepares the body after a change that was committed already.
    pub(super) fn prepare_committed(
        &mut self,
        generation: GenerationId,
        now: Moment,
    ) -> Result<Vec<u8>, HomeError> {
        let view = self.document.view()?;
        self.people.extend(view.people());
        if self.people.len() > PEOPLE_MAX {
            return Err(HomeError::Invalid("a note can name 64 people in all its versions, and no more"));
        }
        let result = self.document.heads();
        for change in &result {
            if !self.records.contains(change) && self.commits.iter().all(|commit| commit.change != *change) {
                self.commits.push(commit_time(*change, now));
            }
        }
        let full = self.document.save_uncompressed();
        let changes =
            if self.records.is_empty() { Vec::new() } else { self.document.changes_since(&self.records) };
        let is_full = self.records.is_empty() || full.len() <= changes.iter().map(Vec::len).sum();
        let content = if is_full { Content::Full(full) } else { Content::Changes(changes) };
        let body = NoteBody {
            view: EncodedView::of(&view),
            document: generation,
            base: self.records.clone(),
            result,
            content,
            commits: self.commits.clone(),
        };
        let padded = body.encode_padded();
        if padded.len() + BODY_EXTRA_BYTES > BODY_BYTES_MAX {
            return Err(HomeError::Invalid("the note with its history is too long to be sent"));
        }
        Ok(prepare_unsent(is_full, &self.people, &padded))
    }
}

const fn commit_time(change: thicket_protocol::ids::Hash, now: Moment) -> CommitTime {
    CommitTime { change, at_ms: now.unix_ms(), zone_minutes: now.offset_minutes() }
}

impl Home {
    /// The name under which this device writes into a generation.
    pub(super) fn actor(&self, generation: GenerationId) -> Actor {
        Actor::derive(self.device, &self.opening, generation)
    }

    /// Takes a document out of the cache, or loads it; the caller puts it back once what was done to it is kept.
    pub(super) fn take_document(
        &mut self,
        space: SpaceId,
        generation: GenerationId,
    ) -> Result<Loaded, HomeError> {
        match self.documents.take(generation) {
            Some(loaded) => Ok(loaded),
            None => self.load_document(space, generation),
        }
    }

    /// Loads a document from every body of it that opens.
    pub(super) fn load_document(
        &self,
        space: SpaceId,
        generation: GenerationId,
    ) -> Result<Loaded, HomeError> {
        Ok(self.read_bodies(space, generation)?.merge(self.actor(generation))?)
    }

    /// Opens every body of a generation that is here and opens, and what is not sealed yet.
    pub(super) fn read_bodies(&self, space: SpaceId, generation: GenerationId) -> Result<Bodies, HomeError> {
        let mut bodies = Bodies::default();
        for row in core_db::parts_of(self.core.read(), space, generation.into())? {
            let Some(body) = &row.body else { continue };
            if let Ok(Opened::Note(part)) = self.open_item(&row.head, row.at.index, &row.item, body) {
                bodies.people.extend(part.people);
                bodies.bounds.push((part.body.base, part.body.result));
                bodies.contents.push(part.body.content);
            }
        }
        if let Some(row) = core_db::unsent(self.core.read(), &self.secrets.local, generation)?
            && let Some(part) = read_prepared(&row)
        {
            bodies.people.extend(part.people);
            bodies.contents.push(part.body.content);
            bodies.commits = part.body.commits;
        }
        Ok(bodies)
    }
}

/// The bodies of a generation.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    contents: Vec<Content>,
    /// The base and the result of each record.
    bounds: Vec<(Heads, Heads)>,
    commits: Vec<CommitTime>,
    people: BTreeSet<ParticipantId>,
}

impl Bodies {
    /// Merges them into a document under a name.
    pub(super) fn merge(self, actor: Actor) -> Result<Loaded, DocumentError> {
        let Self { contents, bounds, commits, people } = self;
        let mut document = merge_all(actor, &contents)?;
        let mut records = combine_heads(bounds.iter().map(|(base, result)| (base, result)));
        // What others depend on and has not come is in no document, and nothing may be said to go on from it.
        if !document.missing().is_empty() {
            let all = document.changes_since(&Heads::new()).len();
            records.retain(|head| document.changes_since(&Heads::from([*head])).len() < all);
        }
        Ok(Loaded { document, records, commits, people })
    }
}

/// Merges all contents; where some are of no document, those that are, in the order of their sources.
fn merge_all(actor: Actor, contents: &[Content]) -> Result<NoteDocument, DocumentError> {
    let error = match NoteDocument::load(actor, contents) {
        Ok(document) => return Ok(document),
        Err(error) => error,
    };
    let (whole, changes): (Vec<&Content>, Vec<&Content>) =
        contents.iter().partition(|content| matches!(content, Content::Full(_)));
    let mut merged: Option<NoteDocument> = None;
    for content in whole.into_iter().chain(changes) {
        match &mut merged {
            Some(document) => drop(document.apply(content)),
            None => merged = NoteDocument::load(actor, [content]).ok(),
        }
    }
    merged.ok_or(error)
}
