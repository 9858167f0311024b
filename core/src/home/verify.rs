//! Checking everything again: every page, every signature, every chain, every body, every document.

use std::collections::{BTreeMap, BTreeSet};

use thicket_protocol::ids::{DeviceId, Hash, SpaceId};
use thicket_protocol::record::{Batch, ChainPoint};

use super::derive::open_view;
use super::take::Opened;
use super::{Home, HomeError};
use crate::ids::GenerationId;
use crate::object::{Signatory, SignedObject};
use crate::stamp::Standing;
use crate::store::core_db::{self, BodyState};
use crate::store::derived_db;
use crate::time::Moment;

/// How many batches are read back at a time; each has up to a megabyte.
const BATCHES_AT_ONCE: usize = 32;

/// What a check of everything found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// How many records were read.
    pub records: u64,
    /// What is wrong, in words without any content.
    pub problems: Vec<String>,
}

/// A device's batches of one space, by sequence number: the hash of each, and of the one before it.
type Chains = BTreeMap<(SpaceId, DeviceId), BTreeMap<u64, (Hash, Hash)>>;

/// What was found on the way.
#[derive(Default)]
struct Found {
    verification: Verification,
    chains: Chains,
    generations: BTreeSet<(SpaceId, GenerationId)>,
    objects: BTreeSet<(SpaceId, Hash)>,
}

impl Found {
    fn wrong(&mut self, problem: String) {
        self.verification.problems.push(problem);
    }
}

impl Home {
    /// Reads everything again: every page, every signature, every chain, every body that has its keys, every document against its view.
    ///
    /// What is damaged is told and never ends the check. It changes nothing but derived.db, which catches up first; a damaged one is told
    /// of and made again.
    pub fn verify(&mut self, now: Moment) -> Result<Verification, HomeError> {
        let mut found = Found::default();
        let mut is_derived_whole = true;
        for (file, database) in [("core.db", &self.core), ("derived.db", &self.derived)] {
            let wrong = database.check().unwrap_or_else(|error| vec![error.to_string()]);
            is_derived_whole = wrong.is_empty();
            wrong.into_iter().for_each(|what| found.wrong(format!("{file}: {what}")));
        }
        if !is_derived_whole && let Err(error) = self.renew_derived(now) {
            found.wrong(format!("derived.db cannot be made again: {error}"));
        }
        if let Err(error) = self.catch_up(now) {
            found.wrong(format!("derived.db does not catch up: {error}"));
        }
        if let Err(error) = self.check_batches(&mut found) {
            found.wrong(format!("core.db: records: {error}"));
        }
        check_chains(&mut found);
        if let Err(error) = self.check_roots(&mut found) {
            found.wrong(format!("core.db: chains: {error}"));
        }
        if let Err(error) = self.check_unsent(&mut found) {
            found.wrong(format!("core.db: what is not sent yet: {error}"));
        }
        if let Err(error) = self.check_objects(&mut found) {
            found.wrong(format!("derived.db: objects: {error}"));
        }
        for (space, generation) in std::mem::take(&mut found.generations) {
            match self.check_document(space, generation) {
                Ok(None) => {}
                Ok(Some(what)) => found.wrong(format!("generation {generation}: {what}")),
                Err(error) => found.wrong(format!("generation {generation}: {error}")),
            }
        }
        Ok(found.verification)
    }

    fn check_batches(&self, found: &mut Found) -> Result<(), HomeError> {
        let mut after = 0;
        loop {
            let batches = core_db::batches_after(self.core.read(), after, BATCHES_AT_ONCE)?;
            let Some((last, _)) = batches.last() else { return Ok(()) };
            after = *last;
            for (arrival, batch) in &batches {
                self.check_batch(*arrival, batch, found)?;
            }
        }
    }

    fn check_batch(&self, arrival: u64, batch: &Batch, found: &mut Found) -> Result<(), HomeError> {
        let head = batch.head();
        let (space, device, seq) = (head.space, head.device, head.seq);
        let name = format!("batch {seq} of device {device} in space {space}");
        let chain = found.chains.entry((space, device)).or_default();
        chain.insert(seq, (batch.hash(), head.prev));
        let key = self.team.as_ref().and_then(|team| team.devices().get(&device)).map(|device| device.key);
        match key {
            Some(key) if batch.verify(&key).is_ok() => {}
            Some(_) => found.wrong(format!("{name}: the signature is not the device's")),
            None => found.wrong(format!("{name}: the device is not of the team")),
        }
        let states = core_db::states_of(self.core.read(), arrival)?;
        for ((item, body), index) in batch.items().iter().zip(batch.bodies()).zip(0..=u8::MAX) {
            found.verification.records += 1;
            let state = states.get(usize::from(index)).copied().unwrap_or(BodyState::LeftOut);
            let body = match (body, state) {
                (Some(body), BodyState::Kept) => body,
                // What waits for a key is no fault, and what is gone for good is not looked for.
                (Some(_), BodyState::Waiting) | (None, BodyState::LeftOut | BodyState::Dead) => continue,
                (Some(_), BodyState::Unreadable | BodyState::LeftOut | BodyState::Dead) => {
                    found.wrong(format!("{name}, item {index}: {}", why(state)));
                    continue;
                }
                (None, BodyState::Kept | BodyState::Waiting | BodyState::Unreadable) => {
                    found.wrong(format!("{name}, item {index}: {}", why(BodyState::LeftOut)));
                    continue;
                }
            };
            match self.open_item(head, index, item, body) {
                Ok(Opened::Note(part)) => {
                    found.generations.insert((part.space, part.generation));
                }
                Ok(Opened::Object(part)) => {
                    found.objects.insert((part.space, part.object.object().hash()));
                }
                Ok(Opened::Other) => {}
                Err(state) => found.wrong(format!("{name}, item {index}: {}", why(state))),
            }
        }
        Ok(())
    }

    /// The server's chain of each space: no gap, every root made of the one before, and none missing up to the cursor.
    fn check_roots(&self, found: &mut Found) -> Result<(), HomeError> {
        for space in self.team.iter().flat_map(|team| team.spaces().keys()) {
            let cursor = core_db::cursor(self.core.read(), *space)?;
            let mut at = ChainPoint::START;
            for (hash, placed) in core_db::placed(self.core.read(), *space)? {
                let next = at.next(&hash);
                if placed.pos > cursor.pos {
                    // An own batch whose receipt came before what others sent in front of it.
                    break;
                }
                if next.pos != placed.pos {
                    found.wrong(format!("space {space}: position {} is missing", next.pos));
                    break;
                }
                if next.root != placed.root {
                    found.wrong(format!("space {space}: the root at position {} is another", next.pos));
                    break;
                }
                at = next;
            }
            if at.pos < cursor.pos {
                found.wrong(format!(
                    "space {space}: it reaches to {}, and was read to {}",
                    at.pos, cursor.pos
                ));
            } else if at != cursor {
                found.wrong(format!("space {space}: the root that was read to is another"));
            }
        }
        Ok(())
    }

    /// What was written here and is in no record yet.
    fn check_unsent(&self, found: &mut Found) -> Result<(), HomeError> {
        let (core, key) = (self.core.read(), &self.secrets.local);
        let mut after = 0;
        loop {
            let rows = core_db::unsent_after(core, key, None, after, BATCHES_AT_ONCE)?;
            let Some(last) = rows.last() else { break };
            after = last.arrival;
            found.generations.extend(rows.iter().map(|row| (row.space, row.generation)));
        }
        let rows = core_db::objects_after(core, key, None, 0, usize::MAX)?;
        found.objects.extend(rows.iter().map(|row| (row.space, row.hash)));
        Ok(())
    }

    /// Every object of the read model: whole, and signed by a device of the team.
    fn check_objects(&self, found: &mut Found) -> Result<(), HomeError> {
        for space in self.team.iter().flat_map(|team| team.spaces().keys()) {
            for wire in derived_db::objects(self.derived.read(), *space)? {
                let Ok(object) = SignedObject::from_wire(&wire) else {
                    found.wrong(format!("space {space}: an object is not readable"));
                    continue;
                };
                let hash = object.hash();
                found.objects.remove(&(*space, hash));
                let signatory = self.signatory(&object.envelope().device);
                if signatory.is_none_or(|signatory| object.verify(space, &signatory).is_err()) {
                    found.wrong(format!("object {hash}: it is not its device's word"));
                }
            }
        }
        for (space, hash) in std::mem::take(&mut found.objects) {
            found.wrong(format!("object {hash} of space {space}: no reader sees it"));
        }
        Ok(())
    }

    /// What the log says of a device.
    fn signatory(&self, id: &DeviceId) -> Option<Signatory> {
        let team = self.team.as_ref()?;
        let device = team.devices().get(id)?;
        let custodian = team.members().get(&device.member)?.ever_custodian;
        Some(Signatory { key: device.key, member: device.member, custodian })
    }

    /// Loads one document and compares what it says with what lists and readers see.
    fn check_document(
        &self,
        space: SpaceId,
        generation: GenerationId,
    ) -> Result<Option<&'static str>, HomeError> {
        let Some(row) = derived_db::generation(self.derived.read(), generation)? else {
            return Ok(Some("it is in no list"));
        };
        let bodies = self.bodies_of(space, generation)?;
        let mut document = self.load_from(generation, &bodies)?;
        if !document.missing().is_empty() {
            return Ok(Some("changes that others rest on have not come"));
        }
        let is_same = document.heads() == row.heads && document.view()? == open_view(&row)?;
        if !is_same {
            return Ok(Some("the document says something else than its view"));
        }
        let standing = if row.is_private { Standing::Private } else { Standing::Shared };
        let is_right = self.assess(&row, standing)?.status() == row.status;
        Ok((!is_right).then_some("its status is another than consent says"))
    }
}

/// Every device's batches of a space: each names the one before it, from the first on.
fn check_chains(found: &mut Found) {
    let mut problems = Vec::new();
    for ((space, device), batches) in &found.chains {
        let mut before = (0, Hash::ZERO);
        for (seq, (hash, prev)) in batches {
            if *seq != before.0 + 1 {
                problems.push(format!("device {device} in space {space}: no batch {}", before.0 + 1));
            } else if *prev != before.1 {
                problems.push(format!("device {device} in space {space}: batch {seq} follows another"));
            }
            before = (*seq, *hash);
        }
    }
    found.verification.problems.extend(problems);
}

const fn why(state: BodyState) -> &'static str {
    match state {
        BodyState::Kept => "it opens",
        BodyState::Waiting => "a key that was here is gone",
        BodyState::Unreadable => "it does not open",
        BodyState::LeftOut => "its body is gone",
        BodyState::Dead => "it was shredded, and its body is here",
    }
}
