//! The vault keys that this home holds, in memory: opened packs, and own keys that are in no vault yet.

use std::collections::BTreeMap;

use thicket_protocol::ids::{KeyId, SpaceId};

use super::{Home, HomeError};
use crate::secret::VaultKey;

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

    /// Forgets a key.
    pub(crate) fn remove(&mut self, id: &KeyId) {
        self.keys.remove(id);
    }
}

impl Home {
    /// Opens every vault row and own key of core.db into the keyring: at opening, and after vaults were replaced.
    pub(crate) fn load_keys(&mut self) -> Result<(), HomeError> {
        todo!()
    }

    /// The content key of the newest epoch of a space, under which things are sealed.
    pub(crate) fn content_key(&self, space: &SpaceId) -> Result<&VaultKey, HomeError> {
        todo!()
    }

    /// Whether this device holds the key of the newest epoch of a space.
    pub(crate) fn holds_epoch(&self, space: &SpaceId) -> bool {
        todo!()
    }
}
