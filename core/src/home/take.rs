//! Taking in: what came into core.db is opened and becomes the read model.
//!
//! The read model is a function of the set of opened bodies and objects: order, duplicates and clocks decide nothing.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use thicket_protocol::governance::SpaceKind;
use thicket_protocol::ids::{DeviceId, DocTag, SpaceId};
use thicket_protocol::record::{Batch, ChainPoint, Head, Item, ItemKind, ItemRef};
use thicket_protocol::team::{Space, Team};

use super::outbox::read_unsent;
use super::{DamagedFile, Home, HomeError};
use crate::body::{Content, NoteBody, unpad};
use crate::ids::{GenerationId, NoteId, ParticipantId};
use crate::object::{Signatory, SignedObject, Verified};
use crate::seal::{OpenError, SealedBody, derive_doc_tag, open_body};
use crate::store::core_db::{self, BodyState};
use crate::store::derived_db::{self, Source};
use crate::store::{Durability, StoreError};
use crate::time::Moment;
use crate::view::View;

/// How many batches are read back at a time; each has up to a megabyte.
const BATCHES_AT_ONCE: usize = 32;
/// How many prepared bodies and objects are read back at a time, and how many waiting bodies are tried.
const UNSENT_AT_ONCE: usize = 256;

/// What a catch-up changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Notes whose row is new or different.
    pub(crate) notes: Vec<NoteId>,
    /// Participants about whom events came.
    pub(crate) participants: Vec<ParticipantId>,
}

impl Taken {
    pub(super) fn add_note(&mut self, note: NoteId) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(super) fn add_participant(&mut self, participant: ParticipantId) {
        if !self.participants.contains(&participant) {
            self.participants.push(participant);
        }
    }
}

/// One opened body of a note.
#[derive(Debug)]
pub(super) struct NotePart {
    pub(super) space: SpaceId,
    pub(super) generation: GenerationId,
    pub(super) source: Source,
    pub(super) body: NoteBody,
    pub(super) view: View,
    /// Everybody whose key it needed, or will need.
    pub(super) people: BTreeSet<ParticipantId>,
}

/// One opened object with its wire form.
#[derive(Debug)]
pub(super) struct ObjectPart {
    pub(super) space: SpaceId,
    pub(super) object: Verified,
    pub(super) wire: Vec<u8>,
}

/// What a body turned out to hold.
#[derive(Debug)]
pub(super) enum Opened {
    Note(Box<NotePart>),
    Object(Box<ObjectPart>),
    /// What this version keeps and does not read.
    Other,
}

/// Opened bodies and objects that go into derived.db together.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) notes: Vec<NotePart>,
    pub(super) objects: Vec<ObjectPart>,
    /// Generations of which something that waited here was sealed.
    pub(super) sealed: BTreeSet<GenerationId>,
    /// When devices were last heard from.
    pub(super) heard: BTreeMap<DeviceId, i64>,
}

impl Page {
    fn add(&mut self, device: DeviceId, opened: Opened) {
        let at = match opened {
            Opened::Note(part) => {
                let at = part.body.commits.iter().map(|commit| commit.at_ms).max();
                self.notes.push(*part);
                at
            }
            Opened::Object(part) => {
                let at = part.object.object().envelope().recorded_at.unix_ms();
                self.objects.push(*part);
                Some(at)
            }
            Opened::Other => None,
        };
        if let Some(at) = at {
            let heard = self.heard.entry(device).or_insert(at);
            *heard = at.max(*heard);
        }
    }

    fn is_empty(&self) -> bool {
        self.notes.is_empty() && self.objects.is_empty() && self.sealed.is_empty()
    }
}

impl Home {
    /// Brings derived.db up to core.db: after every write, after a pull, and at opening.
    pub(crate) fn catch_up(&mut self, _now: Moment) -> Result<Taken, HomeError> {
        self.follow()
    }

    /// Brings derived.db up to core.db, a page at a time, each in a transaction with its mark; where it turns out to be damaged, it is made
    /// again.
    pub(super) fn follow(&mut self) -> Result<Taken, HomeError> {
        match self.follow_pages() {
            Err(HomeError::Damaged(DamagedFile::Derived)) => {
                self.empty_derived()?;
                self.follow_pages()
            }
            taken => taken,
        }
    }

    fn follow_pages(&mut self) -> Result<Taken, HomeError> {
        let mut taken = Taken::default();
        // A read model that knows more than there is: core.db lost its end with the power, or was put back from a copy.
        if derived_db::mark(self.derived.read())? > core_db::newest_arrival(self.core.read())? {
            self.empty_derived()?;
        }
        loop {
            let after = derived_db::mark(self.derived.read())?;
            let newest = core_db::newest_arrival(self.core.read())?;
            match newest.cmp(&after) {
                Ordering::Greater => {}
                Ordering::Equal => return Ok(taken),
                // It knows more than there is: core.db lost its end with the power, or was put back from a copy.
                Ordering::Less => return Err(HomeError::Damaged(DamagedFile::Derived)),
            }
            let (page, states, through) = self.read_page(after, newest)?;
            self.set_states(&states)?;
            self.derive(page, Some(through), &mut taken)?;
        }
    }

    /// Reads what has arrived behind `after`, as much as fits, and says up to where that is.
    fn read_page(&self, after: u64, newest: u64) -> Result<(Page, Vec<State>, u64), HomeError> {
        let core = self.core.read();
        let key = &self.secrets.local;
        let batches = core_db::batches_after(core, after, BATCHES_AT_ONCE)?;
        let unsent = core_db::unsent_after(core, key, None, after, UNSENT_AT_ONCE)?;
        let objects = core_db::objects_after(core, key, None, after, UNSENT_AT_ONCE)?;
        let ends = [
            (batches.len() == BATCHES_AT_ONCE).then(|| batches.last().map(|(arrival, _)| *arrival)),
            (unsent.len() == UNSENT_AT_ONCE).then(|| unsent.last().map(|row| row.arrival)),
            (objects.len() == UNSENT_AT_ONCE).then(|| objects.last().map(|row| row.arrival)),
        ];
        let through = ends.into_iter().flatten().flatten().min().unwrap_or(newest);

        let (mut page, mut states) = (Page::default(), Vec::new());
        for (arrival, batch) in batches.iter().filter(|(arrival, _)| *arrival <= through) {
            let found = self.open_batch(batch, &mut page);
            states.extend(found.into_iter().map(|(index, state)| State { arrival: *arrival, index, state }));
        }
        for row in unsent.iter().filter(|row| row.arrival <= through) {
            let part = read_prepared(row).ok_or(StoreError::Damaged { file: crate::store::CORE_FILE })?;
            page.add(self.device, Opened::Note(Box::new(part)));
        }
        for row in objects.iter().filter(|row| row.arrival <= through) {
            // It was signed here.
            let object = Verified::stored(SignedObject::from_wire(&row.wire)?);
            let part = ObjectPart { space: row.space, object, wire: row.wire.to_vec() };
            page.add(self.device, Opened::Object(Box::new(part)));
        }
        Ok((page, states, through))
    }

    fn set_states(&mut self, states: &[State]) -> Result<(), HomeError> {
        if states.is_empty() {
            return Ok(());
        }
        self.core.write(Durability::Normal, |tx| {
            states.iter().try_for_each(|one| {
                core_db::set_body_state(tx, one.arrival, one.index, one.state).map_err(HomeError::from)
            })
        })
    }

    /// Takes pulled batches of one space in: verified against the log and their device's chain by the caller, they go into core.db
    /// with the cursor in one transaction, and into derived.db. What does not open for want of a key waits.
    ///
    /// What is in the journal of a note that they change is committed first: its places count in the text as it was.
    pub(crate) fn take_batches(
        &mut self,
        space: SpaceId,
        batches: Vec<(ChainPoint, Batch)>,
        now: Moment,
    ) -> Result<Taken, HomeError> {
        let Some(cursor) = batches.last().map(|(at, _)| *at) else { return Ok(Taken::default()) };
        let mut taken = self.follow()?;
        self.commit_touched(batches.iter().flat_map(|(_, batch)| batch.items()), now)?;
        let mut page = Page::default();
        let opened: Vec<_> =
            batches.into_iter().map(|(at, batch)| (self.open_batch(&batch, &mut page), at, batch)).collect();
        // What a power cut takes of it, cursor and all, is fetched again; the next own batch syncs it before it says what it saw.
        let mark = self.core.write(Durability::Normal, |tx| -> Result<u64, HomeError> {
            let mut mark = 0;
            for (states, at, batch) in &opened {
                mark = core_db::add_batch(tx, batch, Some(*at))?;
                for (index, state) in states {
                    core_db::set_body_state(tx, mark, *index, *state)?;
                }
            }
            core_db::set_cursor(tx, space, cursor)?;
            Ok(mark)
        })?;
        drop(opened);
        self.derive(page, Some(mark), &mut taken)?;
        Ok(taken)
    }

    /// Commits the journals of the notes that items belong to.
    fn commit_touched<'i>(
        &mut self,
        items: impl Iterator<Item = &'i Item>,
        now: Moment,
    ) -> Result<(), HomeError> {
        let journaled = core_db::journaled(self.core.read())?;
        if journaled.is_empty() {
            return Ok(());
        }
        let touched: BTreeSet<GenerationId> = items.map(|item| item.doc_tag.into()).collect();
        for generation in journaled.into_iter().filter(|generation| touched.contains(generation)) {
            self.commit_journal(generation, now)?;
        }
        Ok(())
    }

    /// Tries again what waits, after keys came.
    pub(crate) fn take_waiting(&mut self, _now: Moment) -> Result<Taken, HomeError> {
        let mut taken = self.follow()?;
        let waiting = core_db::waiting(self.core.read())?;
        for rows in waiting.chunks(UNSENT_AT_ONCE) {
            let (mut page, mut states) = (Page::default(), Vec::new());
            for row in rows {
                let Some(body) = &row.body else { continue };
                let (arrival, index) = (row.arrival, row.at.index);
                match self.open_item(&row.head, index, &row.item, body) {
                    Ok(opened) => {
                        page.add(row.head.device, opened);
                        states.push(State { arrival, index, state: BodyState::Kept });
                    }
                    Err(BodyState::Waiting) => {}
                    Err(
                        state @ (BodyState::Kept
                        | BodyState::Unreadable
                        | BodyState::LeftOut
                        | BodyState::Dead),
                    ) => states.push(State { arrival, index, state }),
                }
            }
            // First the read model: what core.db calls kept is never tried again.
            if !page.is_empty() {
                self.derive(page, None, &mut taken)?;
            }
            self.set_states(&states)?;
        }
        Ok(taken)
    }

    /// Works on the search index for a while: up to `limit` notes; returns how many are left.
    pub fn index_some(&mut self, limit: usize) -> Result<u64, HomeError> {
        self.derived.write(Durability::Normal, |tx| Ok(derived_db::index_some(tx, limit)?))
    }

    /// Opens all bodies of a batch into a page, and tells which do not open, and why.
    fn open_batch(&self, batch: &Batch, page: &mut Page) -> Vec<(u8, BodyState)> {
        let mut states = Vec::new();
        let head = batch.head();
        for ((item, body), index) in batch.items().iter().zip(batch.bodies()).zip(0..=u8::MAX) {
            if head.device == self.device && item.doc_tag != DocTag::EVENT {
                page.sealed.insert(item.doc_tag.into());
            }
            let Some(body) = body else { continue };
            match self.open_item(head, index, item, body) {
                Ok(opened) => page.add(head.device, opened),
                Err(state) => states.push((index, state)),
            }
        }
        states
    }

    /// Opens one body and checks that it is what its item, its space and its device may say.
    pub(super) fn open_item(
        &self,
        head: &Head,
        index: u8,
        item: &Item,
        body: &[u8],
    ) -> Result<Opened, BodyState> {
        let team = self.team.as_ref().ok_or(BodyState::Waiting)?;
        if team.is_shredded(&item.doc_tag.into()) {
            return Err(BodyState::Dead);
        }
        let space = team.spaces().get(&head.space).ok_or(BodyState::Waiting)?;
        let epoch = space.epoch(head.epoch).ok_or(BodyState::Waiting)?;
        let content = self.keys.get(&epoch.content_key).ok_or(BodyState::Waiting)?;
        let sealed = SealedBody { head, index, item, body };
        let opened = open_body(&sealed, content, |id| self.keys.get(id)).map_err(|error| match error {
            OpenError::MissingKey(_) => BodyState::Waiting,
            OpenError::Damaged | OpenError::WrongEpochKey(_) => BodyState::Unreadable,
        })?;
        let people: BTreeSet<ParticipantId> = opened.people.into_iter().collect();
        match item.kind {
            ItemKind::Delta | ItemKind::Full => {
                let source = Source::Item(ItemRef { device: head.device, seq: head.seq, index });
                let body = NoteBody::decode_padded(&opened.content).map_err(|_| BodyState::Unreadable)?;
                let view = body.view.open().map_err(|_| BodyState::Unreadable)?;
                let generation = item.doc_tag.into();
                let part = NotePart { space: head.space, generation, source, body, view, people };
                let is_plausible = is_plausible(&part, item.kind, space, team);
                if is_plausible { Ok(Opened::Note(Box::new(part))) } else { Err(BodyState::Unreadable) }
            }
            ItemKind::Event => {
                let wire = unpad(&opened.content).map_err(|_| BodyState::Unreadable)?;
                let object = self.verify_object(wire, head, item, team).ok_or(BodyState::Unreadable)?;
                let part = ObjectPart { space: head.space, object, wire: wire.to_vec() };
                Ok(Opened::Object(Box::new(part)))
            }
            ItemKind::Blob | ItemKind::Checkpoint => Ok(Opened::Other),
        }
    }

    /// Verifies an object against the log and the batch that it came in.
    fn verify_object(&self, wire: &[u8], head: &Head, item: &Item, team: &Team) -> Option<Verified> {
        let object = SignedObject::from_wire(wire).ok()?;
        if object.envelope().device != head.device {
            return None;
        }
        let tag = match object.envelope().what.sealed_to() {
            Some(participant) => {
                let key = self.keys.get(&participant.into())?;
                derive_doc_tag(key, &head.space, &object.hash().first_16())
            }
            None => DocTag::EVENT,
        };
        let device = team.devices().get(&head.device)?;
        let custodian = team.members().get(&device.member)?.ever_custodian;
        let signatory = Signatory { key: device.key, member: device.member, custodian };
        if tag != item.doc_tag { None } else { object.verify(&head.space, &signatory).ok() }
    }
}

/// What is known of one body of core.db now.
struct State {
    arrival: u64,
    index: u8,
    state: BodyState,
}

/// Reads a body that is not sealed yet; none where its bytes are damaged.
pub(super) fn read_prepared(row: &core_db::UnsentRow) -> Option<NotePart> {
    let unsent = read_unsent(&row.body)?;
    let body = NoteBody::decode_padded(unsent.padded).ok()?;
    let view = body.view.open().ok()?;
    let (space, generation, source) = (row.space, row.generation, Source::Unsent);
    Some(NotePart { space, generation, source, body, view, people: unsent.people })
}

/// Tells whether a body could have been made by a device that keeps to the rules: it is of its document, seals to
/// everybody whom it shows, and what is private or a draft lies in its author's private space.
fn is_plausible(part: &NotePart, kind: ItemKind, space: &Space, team: &Team) -> bool {
    let NotePart { body, view, .. } = part;
    let is_kind = match body.content {
        Content::Changes(_) => kind == ItemKind::Delta,
        Content::Full(_) => kind == ItemKind::Full,
    };
    let is_at_home = match space.kind {
        SpaceKind::Private => space.owner == Some(view.meta.author),
        SpaceKind::Shared => view.meta.draft_of.is_none() && team.members().contains_key(&view.meta.author),
        SpaceKind::Roster | SpaceKind::Ledger | SpaceKind::Identities => false,
    };
    is_kind
        && is_at_home
        && body.document == part.generation
        && !body.result.is_empty()
        && view.people().is_subset(&part.people)
}

#[cfg(test)]
#[path = "take_tests.rs"]
mod tests;
