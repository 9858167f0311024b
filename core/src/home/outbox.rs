//! The outbox: what was written here is sealed late, once, and its exact bytes are kept before they leave.

use std::collections::{BTreeSet, VecDeque};

use thicket_protocol::cbor;
use thicket_protocol::governance::SpaceKind;
use thicket_protocol::ids::{DocTag, Hash, Incarnation, NotebookId, Salt, SpaceId};
use thicket_protocol::limits::{BATCH_BYTES_MAX, COVERS_MAX, HEAD_AND_ITEMS_BYTES_MAX, PACK_KEYS_MAX};
use thicket_protocol::record::{Batch, Head, Item, ItemKind, ItemRef, Seen};
use thicket_protocol::sign::{SUITE, VERSION};
use zeroize::Zeroizing;

use super::keep::parted;
use super::{DamagedFile, Home, HomeError};
use crate::body::pad;
use crate::ids::{GenerationId, ParticipantId};
use crate::object::{Object, STAMPS_MAX, SignedObject};
use crate::seal::{BodyKeys, derive_doc_tag, make_pack, seal_body};
use crate::secret::VaultKey;
use crate::stamp::Stamp;
use crate::store::Durability;
use crate::store::core_db::{self, BodyState, ObjectRow, Sealer, Setting, UnsentRow};
use crate::store::derived_db::{self, Source};
use crate::time::Moment;

/// Most items of one batch: frames of more overrun the receive buffers of UDP.
pub(super) const BATCH_ITEMS: usize = 64;
/// Prepared bodies that are read at a time.
const READ_AHEAD: usize = 8;
/// What a body has beside its content: length, the largest `people`, two tags.
const BODY_OVERHEAD_BYTES: usize = 2 + 1 + 64 * 16 + 2 * 16;
/// What an item has beside what it covers, and what each of these adds.
const ITEM_BYTES: usize = 112;
const COVERED_BYTES: usize = 32;
/// Room for the head, the signature and the lengths of a batch.
const HEAD_BYTES: usize = 1_024;

/// A prepared body with what its item says of it, so that sealing opens nothing: [`crate::store::core_db::put_unsent`] keeps it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unsent<'b> {
    /// [`ItemKind::Delta`] or [`ItemKind::Full`], as its content is.
    pub(crate) kind: ItemKind,
    /// Everybody ever named in the generation.
    pub(crate) people: BTreeSet<ParticipantId>,
    /// [`crate::body::NoteBody::encode_padded`].
    pub(crate) padded: &'b [u8],
}

/// Writes `kind (0 delta, 1 full) || count of people || their ids || padded body`.
pub(crate) fn prepare_unsent(is_full: bool, people: &BTreeSet<ParticipantId>, padded: &[u8]) -> Vec<u8> {
    let count = u8::try_from(people.len()).expect("at most 64 are named in one generation");
    let mut out = Vec::with_capacity(2 + people.len() * ParticipantId::LEN + padded.len());
    out.extend([u8::from(is_full), count]);
    people.iter().for_each(|person| out.extend_from_slice(person.as_bytes()));
    out.extend_from_slice(padded);
    out
}

/// Reads what [`prepare_unsent`] wrote.
pub(crate) fn read_unsent(bytes: &[u8]) -> Option<Unsent<'_>> {
    let ([kind, count], rest) = bytes.split_first_chunk()?;
    let (people, padded) = rest.split_at_checked(usize::from(*count) * ParticipantId::LEN)?;
    let kind = match kind {
        0 => ItemKind::Delta,
        1 => ItemKind::Full,
        _ => return None,
    };
    let people = people.chunks(ParticipantId::LEN).filter_map(ParticipantId::from_slice).collect();
    Some(Unsent { kind, people, padded })
}

/// What one item is made of.
struct Waiting {
    what: What,
    kind: ItemKind,
    people: Vec<ParticipantId>,
    covers: Vec<ItemRef>,
    content: Zeroizing<Vec<u8>>,
}

enum What {
    Object(Hash),
    Note(GenerationId),
}

/// How much of a batch is taken.
struct Room {
    items: usize,
    items_bytes: usize,
    batch_bytes: usize,
}

impl Room {
    const WHOLE: Self = Self {
        items: BATCH_ITEMS,
        items_bytes: HEAD_AND_ITEMS_BYTES_MAX - HEAD_BYTES,
        batch_bytes: BATCH_BYTES_MAX - HEAD_BYTES,
    };

    /// Takes room for an item; the first always fits, for what is too large for a batch alone is refused when it is sealed.
    fn take(&mut self, waiting: &Waiting) -> bool {
        let item = ITEM_BYTES + waiting.covers.len() * COVERED_BYTES;
        let body = item + BODY_OVERHEAD_BYTES + waiting.content.len();
        let fits = self.items > 0 && item <= self.items_bytes && body <= self.batch_bytes;
        if !fits && self.items < BATCH_ITEMS {
            return false;
        }
        self.items = self.items.saturating_sub(1);
        self.items_bytes = self.items_bytes.saturating_sub(item);
        self.batch_bytes = self.batch_bytes.saturating_sub(body);
        true
    }
}

impl Home {
    /// Keys that were made here and are in no vault yet, sealed as rows of their spaces' vaults, in the order in which they must go before
    /// the records under them.
    pub(crate) fn packs_to_send(&mut self, space: SpaceId) -> Result<Vec<Vec<u8>>, HomeError> {
        let keys = core_db::own_keys(self.core.read(), &self.secrets.local)?;
        let keys: Vec<&VaultKey> = keys.iter().filter(|(of, _)| *of == space).map(|(_, key)| key).collect();
        let Some(at) = self.newest_epoch(&space) else { return Ok(Vec::new()) };
        let Some(epoch) = self.epoch_key(at) else { return Ok(Vec::new()) };
        let pack = |keys: &[&VaultKey]| {
            make_pack(&self.secrets.team, at, epoch, keys).map(|pack| cbor::encode(&pack))
        };
        Ok(keys.chunks(PACK_KEYS_MAX).map(pack).collect::<Result<_, _>>()?)
    }

    /// Seals up to `limit` batches of a space, as far as anything waits, and makes them durable together: only then may a
    /// byte of them leave.
    pub(crate) fn seal_some(&mut self, space: SpaceId, limit: usize) -> Result<VecDeque<Batch>, HomeError> {
        let mut sealed = VecDeque::new();
        while sealed.len() < limit
            && let Some(batch) = self.seal_next(space)?
        {
            sealed.push_back(batch);
        }
        if !sealed.is_empty() {
            self.core.sync()?;
        }
        Ok(sealed)
    }

    /// Seals the next batch of a space, if anything waits: up to [`BATCH_ITEMS`] items, objects before notes. One core.db transaction takes the sequence number,
    /// keeps the exact bytes and removes what was sealed from where it waited. What rests on a key that is not here waits on.
    fn seal_next(&mut self, space: SpaceId) -> Result<Option<Batch>, HomeError> {
        let waiting = self.next_waiting(space)?;
        if waiting.is_empty() {
            return Ok(None);
        }
        let batch = self.seal_batch(space, &waiting)?;
        let caught_up = core_db::newest_arrival(self.core.read())? == derived_db::mark(self.derived.read())?;
        let arrival = self.core.write(Durability::Normal, |tx| -> Result<u64, HomeError> {
            let arrival = core_db::add_batch(tx, &batch, None)?;
            for one in &waiting {
                match one.what {
                    What::Object(hash) => core_db::remove_object(tx, space, hash)?,
                    What::Note(generation) => core_db::remove_unsent(tx, generation)?,
                }
            }
            Ok(arrival)
        })?;
        if caught_up {
            self.follow_sealed(&batch, &waiting, arrival)?;
        }
        Ok(Some(batch))
    }

    /// Packs stamps that wait one by one into objects of many, before they are sealed for the first time: nobody else has seen
    /// them. One that replaces another or is replaced stays as it is, since others name its hash.
    pub(crate) fn pack_stamps(&mut self) -> Result<(), HomeError> {
        self.follow()?;
        let team = self.known_team()?;
        let ledgers: Vec<(NotebookId, SpaceId)> = team
            .notebooks()
            .keys()
            .filter_map(|notebook| Some((*notebook, team.space_of(notebook, SpaceKind::Ledger, None)?)))
            .collect();
        for (notebook, space) in ledgers {
            let few = self.stamps_of_few(space)?;
            if few.len() < 2 {
                continue;
            }
            let newest = few.iter().map(|(_, at, _)| *at).max_by_key(|at: &Moment| at.unix_ms());
            let at = newest.ok_or(HomeError::Fault("stamps without a time", None))?;
            let stamps = few.iter().flat_map(|(.., stamps)| stamps.clone()).collect();
            let sign = |stamps| self.sign_object(space, Object::Stamps(stamps), BTreeSet::new(), at);
            let packed = parted(stamps).into_iter().map(sign).collect::<Result<Vec<_>, _>>()?;
            let Self { core, derived, secrets, entropy, .. } = self;
            let mark = core.write(Durability::Full, |tx| -> Result<u64, HomeError> {
                let mut sealer = Sealer { key: &secrets.local, entropy: &mut **entropy };
                for (hash, ..) in &few {
                    core_db::remove_object(tx, space, *hash)?;
                }
                let mut mark = 0;
                for object in &packed {
                    mark = core_db::add_object(tx, &mut sealer, space, object.hash(), &object.to_wire())?;
                }
                Ok(mark)
            })?;
            // They say what they said: no row changes with them.
            derived.write(Durability::Normal, |tx| -> Result<(), HomeError> {
                for (hash, ..) in &few {
                    derived_db::remove_object(tx, space, *hash)?;
                }
                for object in &packed {
                    derived_db::put_object(tx, space, object.hash(), &object.to_wire())?;
                }
                Ok(derived_db::set_mark(tx, mark)?)
            })?;
            self.forget_ledger(notebook);
        }
        Ok(())
    }

    /// Waiting objects of a ledger with fewer stamps than one may hold, which neither replace nor are replaced.
    fn stamps_of_few(&self, space: SpaceId) -> Result<Vec<(Hash, Moment, Vec<Stamp>)>, HomeError> {
        let (mut few, mut replaced) = (Vec::new(), BTreeSet::new());
        for row in core_db::objects_after(self.core.read(), &self.secrets.local, Some(space), 0, usize::MAX)?
        {
            let object =
                SignedObject::from_wire(&row.wire).map_err(|_| HomeError::Damaged(DamagedFile::Core))?;
            let envelope = object.envelope();
            replaced.extend(envelope.replaces.iter().copied());
            if let Object::Stamps(stamps) = &envelope.what
                && envelope.replaces.is_empty()
                && stamps.len() < STAMPS_MAX
            {
                few.push((row.hash, envelope.recorded_at, stamps.clone()));
            }
        }
        few.retain(|(hash, ..)| !replaced.contains(hash));
        Ok(few)
    }

    /// Whether nothing that was written here waits to be sealed, and every own key lies in its vault.
    pub(crate) fn is_outbox_empty(&self) -> Result<bool, HomeError> {
        let (db, key) = (self.core.read(), &self.secrets.local);
        Ok(core_db::objects_after(db, key, None, 0, 1)?.is_empty()
            && core_db::unsent_after(db, key, None, 0, 1)?.is_empty()
            && core_db::count_own_keys(db, None)? == 0)
    }

    /// How many keys of a space were made here and are in no vault yet.
    pub(crate) fn own_keys_of(&self, space: SpaceId) -> Result<usize, HomeError> {
        let count = core_db::count_own_keys(self.core.read(), Some(space))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Tells derived.db that parts which it knows are records now: nothing is opened again.
    fn follow_sealed(&mut self, batch: &Batch, waiting: &[Waiting], arrival: u64) -> Result<(), HomeError> {
        let (device, seq) = (batch.head().device, batch.head().seq);
        let mut known = Vec::new();
        for (index, one) in (0_u8..=u8::MAX).zip(waiting) {
            let What::Note(generation) = one.what else { continue };
            let mut parts = derived_db::parts(self.derived.read(), generation)?;
            let Some(at) = parts.iter().position(|part| part.source == Source::Unsent) else {
                // Then it opens the batch like any other.
                return Ok(());
            };
            let mut part = parts.swap_remove(at);
            part.source = Source::Item(ItemRef { device, seq, index });
            known.push((generation, part));
        }
        self.derived.write(Durability::Normal, |tx| -> Result<(), HomeError> {
            for (generation, part) in &known {
                derived_db::remove_part(tx, *generation, Source::Unsent)?;
                derived_db::put_part(tx, *generation, part)?;
            }
            Ok(derived_db::set_mark(tx, arrival)?)
        })?;
        // The next body of these begins behind what is a record now.
        known.iter().for_each(|(generation, part)| self.documents.seal(*generation, &part.result));
        Ok(())
    }

    /// What goes into the next batch, in order.
    fn next_waiting(&self, space: SpaceId) -> Result<Vec<Waiting>, HomeError> {
        let (mut room, mut taken) = (Room::WHOLE, Vec::new());
        let mut after = 0;
        loop {
            let rows = core_db::objects_after(
                self.core.read(),
                &self.secrets.local,
                Some(space),
                after,
                READ_AHEAD,
            )?;
            let Some(last) = rows.last() else { break };
            after = last.arrival;
            for row in rows {
                let Some(waiting) = self.waiting_object(&row)? else { continue };
                if !room.take(&waiting) {
                    return Ok(taken);
                }
                taken.push(waiting);
            }
        }
        let mut after = 0;
        loop {
            let rows =
                core_db::unsent_after(self.core.read(), &self.secrets.local, Some(space), after, READ_AHEAD)?;
            let Some(last) = rows.last() else { return Ok(taken) };
            after = last.arrival;
            for row in rows {
                let Some(waiting) = self.waiting_note(&row)? else { continue };
                if !room.take(&waiting) {
                    return Ok(taken);
                }
                taken.push(waiting);
            }
        }
    }

    fn waiting_object(&self, row: &ObjectRow) -> Result<Option<Waiting>, HomeError> {
        let object = SignedObject::from_wire(&row.wire).map_err(|_| HomeError::Damaged(DamagedFile::Core))?;
        let people = Vec::from_iter(object.envelope().what.sealed_to());
        let waiting = Waiting {
            what: What::Object(row.hash),
            kind: ItemKind::Event,
            covers: Vec::new(),
            content: Zeroizing::new(pad(&row.wire)),
            people,
        };
        Ok(Some(waiting).filter(|one| self.has_people(&one.people)))
    }

    fn waiting_note(&self, row: &UnsentRow) -> Result<Option<Waiting>, HomeError> {
        let body = read_unsent(&row.body).ok_or(HomeError::Damaged(DamagedFile::Core))?;
        let covers = if body.kind == ItemKind::Full { self.covered_by(row)? } else { Vec::new() };
        let waiting = Waiting {
            what: What::Note(row.generation),
            kind: body.kind,
            people: body.people.into_iter().collect(),
            covers,
            content: Zeroizing::new(body.padded.to_vec()),
        };
        let has_keys = self.keys.get(&row.generation.into()).is_some() && self.has_people(&waiting.people);
        Ok(Some(waiting).filter(|_| has_keys))
    }

    fn has_people(&self, people: &[ParticipantId]) -> bool {
        people.iter().all(|person| self.keys.get(&(*person).into()).is_some())
    }

    /// The records that a prepared whole document has in it: those that were opened, and had come before it was prepared.
    fn covered_by(&self, row: &UnsentRow) -> Result<Vec<ItemRef>, HomeError> {
        let opened = derived_db::parts(self.derived.read(), row.generation)?;
        let opened: BTreeSet<Source> = opened.into_iter().map(|part| part.source).collect();
        let known = core_db::parts_of(self.core.read(), row.space, row.generation.into())?;
        let known =
            known.into_iter().filter(|part| part.arrival < row.arrival && part.state == BodyState::Kept);
        Ok(known
            .map(|part| part.at)
            .filter(|at| opened.contains(&Source::Item(*at)))
            .take(COVERS_MAX)
            .collect())
    }

    fn seal_batch(&mut self, space: SpaceId, waiting: &[Waiting]) -> Result<Batch, HomeError> {
        let head = self.next_head(space)?;
        let content = self.content_key(&space)?;
        let (mut items, mut bodies) = (Vec::new(), Vec::new());
        for (index, one) in (0_u8..=u8::MAX).zip(waiting) {
            let people: Vec<&VaultKey> =
                one.people.iter().filter_map(|person| self.keys.get(&(*person).into())).collect();
            let (doc_tag, note) = match (&one.what, people.first()) {
                (What::Note(generation), _) => {
                    (DocTag::from(*generation), self.keys.get(&(*generation).into()))
                }
                (What::Object(hash), Some(person)) => {
                    (derive_doc_tag(person, &space, &hash.first_16()), None)
                }
                (What::Object(_), None) => (DocTag::EVENT, None),
            };
            let mut item = Item {
                doc_tag,
                kind: one.kind,
                commit: Hash::ZERO,
                body_len: 0,
                body_hash: Hash::ZERO,
                covers: one.covers.clone(),
            };
            let keys = BodyKeys { content, note, participants: &people };
            bodies.push(seal_body(&head, index, &mut item, &keys, &one.content)?);
            items.push(item);
        }
        let signed = Batch::sign(head, items, bodies, &self.secrets.identity.signer());
        signed.map_err(|error| HomeError::Fault("a batch that no reader would take", Some(Box::new(error))))
    }

    fn next_head(&mut self, space: SpaceId) -> Result<Head, HomeError> {
        let team = self.team.as_ref().ok_or(HomeError::WaitingForKeys)?;
        let (gov, ledger) = (team.head(), team.ledger_of(&space).unwrap_or(space));
        let epoch = self.newest_epoch(&space).ok_or(HomeError::WaitingForKeys)?.epoch;
        let db = self.core.read();
        let incarnation = core_db::setting(db, &self.secrets.local, Setting::Incarnation)?;
        let incarnation = incarnation.and_then(|bytes| Incarnation::from_slice(&bytes));
        let incarnation =
            incarnation.ok_or(HomeError::Fault("nothing is sealed before a server was met", None))?;
        let (seq, prev) = match core_db::last_batch(db, space, self.device)? {
            Some((seq, hash)) => (seq.saturating_add(1), hash),
            None => (1, Hash::ZERO),
        };
        let seen = Seen { incarnation, at: core_db::cursor(db, space)? };
        let ledger = core_db::cursor(db, ledger)?;
        let salt = Salt::from_bytes(self.entropy.bytes());
        let (v, suite, device) = (VERSION, SUITE, self.device);
        Ok(Head { v, suite, space, device, seq, prev, epoch, gov, seen, ledger, salt })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepared_body_keeps_its_kind_and_its_people() {
        let people: BTreeSet<_> = (0..64).map(|of| ParticipantId::from_bytes([of; 16])).collect();
        for (is_full, kind) in [(false, ItemKind::Delta), (true, ItemKind::Full)] {
            let bytes = prepare_unsent(is_full, &people, b"padded");
            assert_eq!(read_unsent(&bytes), Some(Unsent { kind, people: people.clone(), padded: b"padded" }));
            assert_eq!(read_unsent(bytes.get(..2 + 64 * 16 - 1).expect("shorter")), None);
        }
        assert_eq!(read_unsent(&[2, 0]), None);
        assert_eq!(read_unsent(&[]), None);
    }
}
