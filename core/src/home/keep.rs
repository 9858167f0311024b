//! Keeping: all that one act writes goes into core.db in one transaction, and stands or falls with it.

use std::collections::{BTreeMap, BTreeSet};

use thicket_protocol::cbor;
use thicket_protocol::governance::SpaceKind;
use thicket_protocol::ids::{NotebookId, SpaceId};

use super::{Home, HomeError};
use crate::ids::GenerationId;
use crate::object::{Object, REPLACES_MAX, STAMPS_MAX, SignedObject};
use crate::secret::VaultKey;
use crate::stamp::Stamp;
use crate::store::Durability;
use crate::store::core_db::{self, Sealer};
use crate::time::Moment;

/// How many bytes of stamps travel in one object, well under what an object may have.
const STAMPS_BYTES: usize = 128 * 1024;

/// What one act writes.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// New note keys, with the space whose vault they go to.
    pub(super) keys: Vec<(SpaceId, VaultKey)>,
    /// Prepared bodies.
    pub(super) bodies: Vec<(SpaceId, GenerationId, Vec<u8>)>,
    /// Stamps of what is shared.
    pub(super) stamps: Vec<(NotebookId, Stamp)>,
    /// Journals that are in the bodies now, up to that row.
    pub(super) journals: Vec<(GenerationId, u64)>,
}

impl Home {
    /// Keeps an act durably and brings the read model up to it.
    ///
    /// Once core.db has it, it is done: a read model that cannot be written now (a full disk) is caught up with later.
    pub(super) fn keep_act(&mut self, kept: Kept, now: Moment) -> Result<(), HomeError> {
        let objects = self.sign_stamps(&kept.stamps, now)?;
        let Self { core, secrets, entropy, .. } = self;
        core.write(Durability::Full, |tx| -> Result<(), HomeError> {
            let mut sealer = Sealer { key: &secrets.local, entropy: &mut **entropy };
            for (space, key) in &kept.keys {
                core_db::add_own_key(tx, &mut sealer, *space, key)?;
            }
            for (space, generation, body) in &kept.bodies {
                core_db::put_unsent(tx, &mut sealer, *space, *generation, body)?;
            }
            for (space, object) in &objects {
                core_db::add_object(tx, &mut sealer, *space, object.hash(), &object.to_wire())?;
            }
            for (generation, through) in &kept.journals {
                core_db::clear_journal(tx, *generation, *through)?;
            }
            Ok(())
        })?;
        for (space, key) in kept.keys {
            self.keys.insert(space, key);
        }
        match self.follow() {
            Ok(_) | Err(HomeError::Storage(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Signs stamps, as many in an object as it may hold.
    fn sign_stamps(
        &self,
        stamps: &[(NotebookId, Stamp)],
        now: Moment,
    ) -> Result<Vec<(SpaceId, SignedObject)>, HomeError> {
        let mut by_notebook: BTreeMap<NotebookId, Vec<Stamp>> = BTreeMap::new();
        for (notebook, stamp) in stamps {
            by_notebook.entry(*notebook).or_default().push(stamp.clone());
        }
        let mut signed = Vec::new();
        for (notebook, stamps) in by_notebook {
            let space = self.known_team()?.space_of(&notebook, SpaceKind::Ledger, None);
            let space = space.ok_or(HomeError::WaitingForKeys)?;
            let registers = self.ledger(&notebook)?.stamps();
            for stamps in parted(stamps) {
                let known = stamps.iter().filter_map(|stamp| registers.get(&stamp.generation()));
                let replaces: BTreeSet<_> =
                    known.flat_map(|known| known.heads()).take(REPLACES_MAX).collect();
                signed.push((space, self.sign_object(space, Object::Stamps(stamps), replaces, now)?));
            }
        }
        Ok(signed)
    }
}

/// Parts stamps, as many in an object as it may hold.
pub(super) fn parted(stamps: Vec<Stamp>) -> Vec<Vec<Stamp>> {
    let mut parts: Vec<(usize, Vec<Stamp>)> = Vec::new();
    for stamp in stamps {
        let bytes = cbor::encode(&stamp).len();
        match parts.last_mut() {
            Some((sum, part)) if part.len() < STAMPS_MAX && *sum + bytes <= STAMPS_BYTES => {
                *sum += bytes;
                part.push(stamp);
            }
            Some(_) | None => parts.push((bytes, vec![stamp])),
        }
    }
    parts.into_iter().map(|(_, part)| part).collect()
}
