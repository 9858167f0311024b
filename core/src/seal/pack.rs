//! Packs: rows of a vault, up to 256 keys under the key of an epoch.

use std::collections::BTreeMap;

use thicket_protocol::ids::{KeyId, TeamId};
use thicket_protocol::keys::{Pack, SpaceEpoch};
use thicket_protocol::limits::PACK_KEYS_MAX;
use thicket_protocol::sign::{SUITE, VERSION};
use zeroize::Zeroizing;

use super::{OpenError, SealError, aead_open, aead_seal};
use crate::secret::{EpochKey, SECRET_BYTES, VaultKey, derive};

/// Seals keys as one row of the vault of `at`; they are put in order of their ids, and one given twice lies in it
/// once.
///
/// The key is HKDF(H(ids), VK_e, "thicket/pack/1"): the same ids are the same keys, so no key seals two texts.
pub fn make_pack(
    team: &TeamId,
    at: SpaceEpoch,
    epoch_key: &EpochKey,
    keys: &[&VaultKey],
) -> Result<Pack, SealError> {
    let keys: BTreeMap<KeyId, &VaultKey> = keys.iter().map(|key| (key.id(), *key)).collect();
    if keys.is_empty() {
        return Err(SealError::Contradiction("a pack without keys"));
    }
    if keys.len() > PACK_KEYS_MAX {
        return Err(SealError::TooLarge("keys of a pack"));
    }
    let mut plain = Zeroizing::new(Vec::with_capacity(keys.len() * SECRET_BYTES));
    keys.values().for_each(|key| plain.extend_from_slice(key.expose()));
    let ids = keys.into_keys().collect();
    let mut pack =
        Pack { v: VERSION, suite: SUITE, space: at.space, epoch: at.epoch, ids, sealed: Vec::new() };
    pack.sealed = aead_seal(&pack_key(&pack.ids, epoch_key), &pack.aad(team), &[], &plain);
    Ok(pack)
}

/// Opens a row of a vault; every key in it has the id that the row names, or the whole row is refused.
pub fn open_pack(
    team: &TeamId,
    pack: &Pack,
    epoch_key: &EpochKey,
) -> Result<BTreeMap<KeyId, VaultKey>, OpenError> {
    let plain = aead_open(&pack_key(&pack.ids, epoch_key), &pack.aad(team), &pack.sealed)
        .ok_or(OpenError::Damaged)?;
    let (keys, rest) = plain.as_chunks::<SECRET_BYTES>();
    if keys.len() != pack.ids.len() || !rest.is_empty() {
        return Err(OpenError::Damaged);
    }
    let keys = pack.ids.iter().zip(keys).map(|(id, key)| (*id, VaultKey::from_bytes(*key)));
    let keys: BTreeMap<KeyId, VaultKey> = keys.collect();
    if keys.iter().all(|(id, key)| key.id() == *id) { Ok(keys) } else { Err(OpenError::Damaged) }
}

fn pack_key(ids: &[KeyId], epoch_key: &EpochKey) -> Zeroizing<[u8; 32]> {
    derive(Pack::ids_hash(ids).as_bytes(), &[epoch_key.expose()], &[b"thicket/pack/1"])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests index what they made")]

    use thicket_protocol::cbor;
    use thicket_protocol::ids::SpaceId;

    use super::*;
    use crate::secret::tests::{Seeded, digits};

    const TEAM: TeamId = TeamId::from_bytes([1; 32]);
    const AT: SpaceEpoch = SpaceEpoch { space: SpaceId::from_bytes([2; 16]), epoch: 3 };

    fn vault_key() -> EpochKey {
        EpochKey::from_bytes([4; 32])
    }

    fn keys(count: usize) -> Vec<VaultKey> {
        let mut entropy = Seeded::new(1);
        (0..count).map(|_| VaultKey::make(&mut entropy)).collect()
    }

    fn pack_of(keys: &[VaultKey]) -> Result<Pack, SealError> {
        make_pack(&TEAM, AT, &vault_key(), &keys.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_pack_is_frozen_and_opens_to_its_keys() {
        let keys = keys(3);
        let bytes = cbor::encode(&pack_of(&keys).expect("three keys"));
        insta::assert_snapshot!(digits(&bytes), @"193 bytes, 24c5bb644de62698745ba65d06998c4919fe42024c28c46ad94f4b4a891a8b5a");
        let opened =
            open_pack(&TEAM, &Pack::decode(&bytes).expect("its form"), &vault_key()).expect("its key");
        assert_eq!(opened.len(), 3);
        for key in &keys {
            assert_eq!(opened[&key.id()].expose(), key.expose());
        }
    }

    #[test]
    fn a_pack_holds_one_to_256_keys() {
        assert!(matches!(pack_of(&[]), Err(SealError::Contradiction(_))));
        assert_eq!(pack_of(&keys(PACK_KEYS_MAX)).expect("at the limit").ids.len(), PACK_KEYS_MAX);
        assert!(matches!(pack_of(&keys(PACK_KEYS_MAX + 1)), Err(SealError::TooLarge(_))));
    }

    #[test]
    fn a_pack_with_any_flipped_byte_is_refused() {
        let bytes = cbor::encode(&pack_of(&keys(3)).expect("three keys"));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            let opened =
                Pack::decode(&flipped).is_ok_and(|pack| open_pack(&TEAM, &pack, &vault_key()).is_ok());
            assert!(!opened, "byte {at}");
        }
    }

    #[test]
    fn a_pack_of_another_team_or_epoch_is_refused() {
        let pack = pack_of(&keys(3)).expect("three keys");
        assert!(open_pack(&TeamId::from_bytes([9; 32]), &pack, &vault_key()).is_err());
        assert!(open_pack(&TEAM, &pack, &EpochKey::from_bytes([9; 32])).is_err());
    }

    #[test]
    fn a_key_under_a_name_that_is_not_its_own_is_refused() {
        let keys = keys(2);
        let mut pack = pack_of(&keys).expect("two keys");
        pack.ids = vec![keys[0].id(), KeyId::from_bytes([0xff; 16])];
        pack.ids.sort();
        let plain = [*keys[0].expose(), *keys[1].expose()].concat();
        pack.sealed = aead_seal(&pack_key(&pack.ids, &vault_key()), &pack.aad(&TEAM), &[], &plain);
        assert!(matches!(open_pack(&TEAM, &pack, &vault_key()), Err(OpenError::Damaged)));
    }
}
