//! The vault keys that this home holds, in memory: opened packs, and own keys that are in no vault yet; and what it
//! says and learns of epochs.

use std::collections::{BTreeMap, BTreeSet};

use thicket_protocol::cbor;
use thicket_protocol::governance::Entry;
use thicket_protocol::ids::{DeviceId, Hash, KeyId, SpaceId};
use thicket_protocol::keys::{Pack, PrekeyBody, PrekeyStatement, Seal, SpaceEpoch};
use thicket_protocol::limits::SEAL_EPOCHS_MAX;
use thicket_protocol::sign::{self, SUITE, VERSION};
use thicket_protocol::team::Team;

use super::{DamagedFile, Home, HomeError};
use crate::ring::HeldPrekey;
use crate::seal::{derive_prekey_public, make_prekey, open_pack, open_seal, seal_epochs};
use crate::secret::{EpochKey, HeldEpoch, VaultKey};
use crate::store::Durability;
use crate::store::core_db::{self, Sealer, Setting};

/// Vault keys by id, with the space in whose vault they lie (or will lie).
#[derive(Debug, Default)]
pub(crate) struct Keyring {
    keys: BTreeMap<KeyId, (SpaceId, VaultKey)>,
}

impl Keyring {
    /// The key of that id.
    pub(crate) fn get(&self, id: &KeyId) -> Option<&VaultKey> {
        self.keys.get(id).map(|(_, key)| key)
    }

    /// Takes a key in.
    pub(crate) fn insert(&mut self, space: SpaceId, key: VaultKey) {
        self.keys.insert(key.id(), (space, key));
    }
}

/// A seal to be put, and the mark by which this device remembers that it was.
#[derive(Debug)]
pub(crate) struct ReSeal {
    pub(crate) to: DeviceId,
    pub(crate) bytes: Vec<u8>,
    pub(crate) mark: Hash,
}

impl Home {
    /// Opens every vault row and own key of core.db into the keyring: at opening, and after vaults were replaced.
    pub(crate) fn load_keys(&mut self) -> Result<(), HomeError> {
        let mut keys = Keyring::default();
        for (space, bytes) in core_db::packs(self.core.read())? {
            let pack = Pack::decode(&bytes).map_err(|_| HomeError::Damaged(DamagedFile::Core))?;
            let at = SpaceEpoch { space, epoch: pack.epoch };
            // A row that somebody sealed badly is kept, because it counts, and opens for nobody.
            if let Some(key) = self.epoch_key(at)
                && let Ok(opened) = open_pack(&self.secrets.team, &pack, key)
            {
                opened.into_values().for_each(|key| keys.insert(space, key));
            }
        }
        for (space, key) in core_db::own_keys(self.core.read(), &self.secrets.local)? {
            keys.insert(space, key);
        }
        self.keys = keys;
        Ok(())
    }

    /// The content key of the newest epoch of a space, under which things are sealed.
    pub(crate) fn content_key(&self, space: &SpaceId) -> Result<&VaultKey, HomeError> {
        let space = self.team.as_ref().and_then(|team| team.spaces().get(space));
        let key = space.and_then(|space| self.keys.get(&space.newest().content_key));
        key.ok_or(HomeError::WaitingForKeys)
    }

    /// Whether this device holds the key of the newest epoch of a space, and with it the content key.
    pub(crate) fn holds_epoch(&self, space: &SpaceId) -> bool {
        self.epoch_key_is_held(space) && self.content_key(space).is_ok()
    }

    /// Whether the key of the newest epoch is here, so that its vault can be written to.
    pub(crate) fn epoch_key_is_held(&self, space: &SpaceId) -> bool {
        self.newest_epoch(space).is_some_and(|at| self.epoch_key(at).is_some())
    }

    /// The newest epoch of a space that the log names.
    pub(crate) fn newest_epoch(&self, space: &SpaceId) -> Option<SpaceEpoch> {
        let newest = self.team.as_ref()?.spaces().get(space)?.newest();
        Some(SpaceEpoch { space: *space, epoch: newest.epoch })
    }

    /// The key of an epoch, if it is held.
    pub(crate) fn epoch_key(&self, at: SpaceEpoch) -> Option<&EpochKey> {
        self.secrets.epochs.iter().find(|held| held.at() == at).map(|held| &held.key)
    }

    /// Writes the ring as the secrets stand.
    pub(crate) fn keep_ring(&mut self) -> Result<(), HomeError> {
        Ok(self.ring.write(&self.secrets, &mut *self.entropy)?)
    }

    /// The newest epochs of which this device holds the key, ascending by space.
    fn epochs_held(&self, team: &Team) -> Vec<SpaceEpoch> {
        let newest =
            team.spaces().iter().map(|(space, of)| SpaceEpoch { space: *space, epoch: of.newest().epoch });
        newest.filter(|at| self.epoch_key(*at).is_some()).take(SEAL_EPOCHS_MAX).collect()
    }

    /// The newest statement of each device that was verified and is kept.
    pub(crate) fn statements(&self) -> Result<Vec<PrekeyStatement>, HomeError> {
        let kept = core_db::statements(self.core.read())?;
        let read = |bytes: &Vec<u8>| {
            PrekeyStatement::decode(bytes).map_err(|_| HomeError::Damaged(DamagedFile::Core))
        };
        kept.iter().map(read).collect()
    }

    /// Takes statements in: each by a device of the team, and not older than the one that is known. Others are passed
    /// over: they concern nobody but their device.
    pub(crate) fn take_statements(&mut self, bytes: &[&[u8]]) -> Result<(), HomeError> {
        let Some(team) = &self.team else { return Ok(()) };
        let good: Vec<PrekeyStatement> = bytes
            .iter()
            .filter_map(|bytes| PrekeyStatement::decode(bytes).ok())
            .filter(|said| {
                let device = team.devices().get(&said.body().device);
                said.body().team == team.id() && device.is_some_and(|of| said.verify(&of.key).is_ok())
            })
            .collect();
        self.core.write(Durability::Full, |tx| {
            for said in &good {
                core_db::put_statement(tx, said.body().device, said.body().counter, said.bytes())?;
            }
            Ok(())
        })
    }

    /// Opens seals to this device and takes the newest epochs' keys out of them; they are in the ring when this returns.
    /// A seal that is none, or does not open, is passed over: the commitments of the log say what a key is.
    pub(crate) fn take_seals(&mut self, bytes: &[&[u8]]) -> Result<bool, HomeError> {
        let Some(team) = &self.team else { return Ok(false) };
        let newest = |at: SpaceEpoch| {
            let turn = team.spaces().get(&at.space)?.newest();
            (turn.epoch == at.epoch).then_some(turn.commit)
        };
        let mut adopted: Vec<HeldEpoch> = Vec::new();
        for seal in bytes.iter().filter_map(|bytes| Seal::decode(bytes).ok()) {
            let body = seal.body();
            let sealer = team.devices().get(&body.sealer);
            let prekey = self.secrets.prekeys.iter().find(|held| held.counter == body.counter);
            if body.device == self.device
                && let (Some(sealer), Some(prekey)) = (sealer, prekey)
                && seal.verify(&sealer.key).is_ok()
                && let Ok(opened) = open_seal(&team.id(), &seal, &prekey.seed, newest)
            {
                let is_new = |held: &HeldEpoch| {
                    self.epoch_key(held.at()).is_none() && adopted.iter().all(|known| known.at() != held.at())
                };
                let new: Vec<HeldEpoch> = opened.into_iter().filter(is_new).collect();
                adopted.extend(new);
            }
        }
        if adopted.is_empty() {
            return Ok(false);
        }
        self.secrets.epochs.extend(adopted);
        self.keep_ring()?;
        Ok(true)
    }

    /// How far each vault is here, by the rows of the newest epoch that the log names.
    pub(crate) fn vaults(&self) -> Result<BTreeMap<SpaceId, (u32, u64)>, HomeError> {
        let here = core_db::vaults(self.core.read())?;
        Ok(here.into_iter().map(|(space, epoch, keys)| (space, (epoch, keys))).collect())
    }

    /// Takes vault rows in, in the order in which the server has them, and says whether they brought keys. Rows of an
    /// epoch whose key is not here, of another than the newest, or with a key that is known are passed over.
    pub(crate) fn take_packs(&mut self, bytes: &[&[u8]]) -> Result<bool, HomeError> {
        let mut known: BTreeMap<SpaceId, (u32, BTreeSet<KeyId>)> = BTreeMap::new();
        for (space, bytes) in core_db::packs(self.core.read())? {
            let pack = Pack::decode(&bytes).map_err(|_| HomeError::Damaged(DamagedFile::Core))?;
            let vault = known.entry(space).or_insert_with(|| (pack.epoch, BTreeSet::new()));
            vault.1.extend(pack.ids);
        }
        let mut cleared = BTreeSet::new();
        let mut rows = Vec::new();
        for bytes in bytes {
            let Ok(pack) = Pack::decode(bytes) else { continue };
            let at = SpaceEpoch { space: pack.space, epoch: pack.epoch };
            let Some(key) = self.epoch_key(at).filter(|_| self.newest_epoch(&pack.space) == Some(at)) else {
                continue;
            };
            let vault = known.entry(pack.space).or_insert_with(|| (pack.epoch, BTreeSet::new()));
            if vault.0 != pack.epoch {
                cleared.insert(pack.space);
                *vault = (pack.epoch, BTreeSet::new());
            }
            if pack.ids.iter().any(|id| vault.1.contains(id)) {
                continue;
            }
            vault.1.extend(&pack.ids);
            let opened = open_pack(&self.secrets.team, &pack, key).unwrap_or_default();
            rows.push((pack, *bytes, opened));
        }
        self.core.write(Durability::Full, |tx| -> Result<(), HomeError> {
            for space in &cleared {
                core_db::clear_vault(tx, *space)?;
            }
            for (pack, bytes, opened) in &rows {
                let count = u64::try_from(pack.ids.len()).expect("at most 256");
                core_db::add_pack(tx, pack.space, pack.epoch, count, bytes)?;
                let ids: Vec<KeyId> = opened.keys().copied().collect();
                core_db::remove_own_keys(tx, pack.space, &ids)?;
            }
            Ok(())
        })?;
        let brought = rows.iter().any(|(_, _, opened)| opened.keys().any(|id| self.keys.get(id).is_none()));
        for (pack, _, opened) in rows {
            opened.into_values().for_each(|key| self.keys.insert(pack.space, key));
        }
        Ok(brought)
    }

    /// Forgets the keys of epochs that have turned, once the vault of the newer one is here.
    pub(crate) fn forget_turned_epochs(&mut self) -> Result<(), HomeError> {
        let here = self.vaults()?;
        let turned = |held: &HeldEpoch| {
            let newest = self.newest_epoch(&held.space);
            newest.is_some_and(|at| {
                at.epoch > held.epoch && here.get(&held.space).is_some_and(|of| of.0 == at.epoch)
            })
        };
        let gone: Vec<SpaceEpoch> =
            self.secrets.epochs.iter().filter(|held| turned(held)).map(HeldEpoch::at).collect();
        if gone.is_empty() {
            return Ok(());
        }
        self.secrets.epochs.retain(|held| !gone.contains(&held.at()));
        self.keep_ring()
    }

    /// The statement that is to be published: none while the last one says which epochs are held. The private half is in
    /// the ring when this returns.
    pub(crate) fn next_statement(&mut self) -> Result<Option<PrekeyStatement>, HomeError> {
        let Some(team) = &self.team else { return Ok(None) };
        let (id, gov, epochs) = (team.id(), team.head(), self.epochs_held(team));
        let own = self.statements()?.into_iter().find(|said| said.body().device == self.device);
        // One whose private half is not here, as after files were put back from an old copy, is good for nothing.
        let is_held = |counter| self.secrets.prekeys.iter().any(|held| held.counter == counter);
        if own
            .as_ref()
            .map(PrekeyStatement::body)
            .is_some_and(|said| said.epochs == epochs && is_held(said.counter))
        {
            return Ok(None);
        }
        let published = own.map_or(0, |said| said.body().counter);
        // One that was made and never arrived is still good.
        let held = self.secrets.prekeys.last().filter(|held| held.counter > published);
        let (counter, key) = if let Some(held) = held {
            (held.counter, derive_prekey_public(&held.seed))
        } else {
            let counter = published.saturating_add(1);
            let (seed, key) = make_prekey(&mut *self.entropy);
            self.secrets.prekeys.push(HeldPrekey { counter, seed });
            self.keep_ring()?;
            (counter, key)
        };
        let device = self.device;
        let body = PrekeyBody { v: VERSION, suite: SUITE, team: id, device, counter, key, gov, epochs };
        let signed = PrekeyStatement::sign(body, &self.secrets.identity.signer());
        signed.map(Some).map_err(|error| HomeError::Fault("an own statement", Some(Box::new(error))))
    }

    /// The statement that a device comes into a team with: its first prekey, and no epoch.
    pub(crate) fn first_statement(&self) -> Result<PrekeyStatement, HomeError> {
        let (Some(team), Some(first)) = (&self.team, self.secrets.prekeys.first()) else {
            return Err(HomeError::Conflict("there is nothing to join with"));
        };
        let (counter, key) = (first.counter, derive_prekey_public(&first.seed));
        let (id, gov, epochs, device) = (team.id(), team.head(), Vec::new(), self.device);
        let body = PrekeyBody { v: VERSION, suite: SUITE, team: id, device, counter, key, gov, epochs };
        PrekeyStatement::sign(body, &self.secrets.identity.signer())
            .map_err(|error| HomeError::Fault("an own statement", Some(Box::new(error))))
    }

    /// Seals the epochs that an entry makes to every other device that may hold them; one that never published a statement is given
    /// them later.
    pub(crate) fn seal_new_epochs(&mut self, entry: &Entry) -> Result<Vec<Vec<u8>>, HomeError> {
        let Some(team) = &self.team else { return Ok(Vec::new()) };
        let mut after = team.clone();
        after.apply(entry)?;
        let mut wanted: BTreeMap<DeviceId, Vec<SpaceEpoch>> = BTreeMap::new();
        for turn in entry.body().act.turns() {
            let at = SpaceEpoch { space: turn.space, epoch: turn.epoch };
            let others = after.holders(&turn.space).into_iter().filter(|holder| *holder != self.device);
            others.for_each(|holder| wanted.entry(holder).or_default().push(at));
        }
        let signer = self.secrets.identity.signer();
        let mut seals = Vec::new();
        for said in self.statements()? {
            let Some(epochs) = wanted.get(&said.body().device) else { continue };
            let mut held: Vec<HeldEpoch> = epochs.iter().filter_map(|at| self.copy_epoch(*at)).collect();
            let seal = seal_epochs(&mut *self.entropy, &said, entry.point(), &mut held, &signer)?;
            seals.push(seal.bytes().to_vec());
        }
        Ok(seals)
    }

    /// The counter of this device's last statement that the server has, 0 for none.
    pub(crate) fn published_counter(&self) -> Result<u32, HomeError> {
        let own = self.statements()?.into_iter().find(|said| said.body().device == self.device);
        Ok(own.map_or(0, |said| said.body().counter))
    }

    /// Erases the prekeys before that counter: no seal to them can come any more.
    pub(crate) fn forget_prekeys_before(&mut self, counter: u32) -> Result<(), HomeError> {
        if self.secrets.prekeys.iter().all(|held| held.counter >= counter) {
            return Ok(());
        }
        self.secrets.prekeys.retain(|held| held.counter >= counter);
        self.keep_ring()
    }

    /// Seals the newest epochs that this device holds to every current device whose newest statement lacks them, as far
    /// as it may hold them: once a statement. A device that came by an invite which had expired is given nothing.
    pub(crate) fn re_seals(&mut self, now_ms: i64) -> Result<Vec<ReSeal>, HomeError> {
        let Some(team) = &self.team else { return Ok(Vec::new()) };
        let own: Vec<SpaceEpoch> =
            self.epochs_held(team).into_iter().filter(|at| self.holds_epoch(&at.space)).collect();
        let marks = self.seal_marks()?;
        let mut wanted = Vec::new();
        for said in self.statements()? {
            let body = said.body();
            let lacks: Vec<SpaceEpoch> = own
                .iter()
                .filter(|at| {
                    let is_due = team.spaces().get(&at.space).is_none_or(|space| space.due);
                    let current = team.current(&body.device);
                    let may = current.is_some_and(|of| team.may_hold(&of.member, &at.space));
                    may && !is_due && !body.epochs.contains(at)
                })
                .copied()
                .collect();
            let mark = sign::hash("thicket/sealed/1", &[&cbor::encode(&(body.counter, &lacks))]);
            let is_known = marks.get(&body.device) == Some(&mark);
            // A position beyond the own log is one of a log that must be applied first.
            let is_beyond = body.gov.seq > team.head().seq;
            let is_other = body.device != self.device;
            if is_other && !lacks.is_empty() && !is_known && !is_beyond && !came_late(team, body, now_ms) {
                wanted.push((said, lacks, mark));
            }
        }
        let gov = team.head();
        let signer = self.secrets.identity.signer();
        let mut seals = Vec::new();
        for (said, lacks, mark) in wanted {
            let mut held: Vec<HeldEpoch> = lacks.iter().filter_map(|at| self.copy_epoch(*at)).collect();
            let seal = seal_epochs(&mut *self.entropy, &said, gov, &mut held, &signer)?;
            seals.push(ReSeal { to: said.body().device, bytes: seal.bytes().to_vec(), mark });
        }
        Ok(seals)
    }

    /// A held epoch as a seal carries it.
    pub(crate) fn copy_epoch(&self, at: SpaceEpoch) -> Option<HeldEpoch> {
        let key = EpochKey::from_bytes(*self.epoch_key(at)?.expose());
        Some(HeldEpoch { space: at.space, epoch: at.epoch, key })
    }

    fn seal_marks(&self) -> Result<BTreeMap<DeviceId, Hash>, HomeError> {
        let kept = core_db::setting(self.core.read(), &self.secrets.local, Setting::Sealed)?;
        let Some(kept) = kept else { return Ok(BTreeMap::new()) };
        let marks: Vec<(DeviceId, Hash)> =
            cbor::decode(&kept).map_err(|_| HomeError::Damaged(DamagedFile::Core))?;
        Ok(marks.into_iter().collect())
    }

    /// Remembers that a device was sealed to, so that one which stays away is not sealed to again and again.
    pub(crate) fn mark_sealed(&mut self, to: DeviceId, mark: Hash) -> Result<(), HomeError> {
        let mut marks = self.seal_marks()?;
        marks.insert(to, mark);
        let marks: Vec<(DeviceId, Hash)> = marks.into_iter().collect();
        let mut sealer = Sealer { key: &self.secrets.local, entropy: &mut *self.entropy };
        self.core.write(Durability::Full, |tx| {
            Ok(core_db::set_setting(tx, &mut sealer, Setting::Sealed, Some(&cbor::encode(&marks)))?)
        })
    }
}

/// Whether a device came by an invite that has expired by now, and never held an epoch but of its member's own spaces.
fn came_late(team: &Team, said: &PrekeyBody, now_ms: i64) -> bool {
    let Some(device) = team.devices().get(&said.device) else { return true };
    let invite = device.invite.and_then(|key| team.invites().get(&key));
    let owner = |at: &SpaceEpoch| team.spaces().get(&at.space).and_then(|space| space.owner);
    let is_new = said.epochs.iter().all(|at| owner(at) == Some(device.member));
    let now_ms = u64::try_from(now_ms).unwrap_or(0);
    is_new && invite.is_some_and(|invite| invite.expires_ms < now_ms)
}
