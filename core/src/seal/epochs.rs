//! Seals: the keys of epochs, to one device, by HPKE (RFC 9180) in base mode with X-Wing.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal_with_rng,
};
use thicket_protocol::cbor;
use thicket_protocol::ids::{DeviceId, Hash, TeamId};
use thicket_protocol::keys::{KeyError, PrekeyStatement, Seal, SealBody, SpaceEpoch};
use thicket_protocol::limits::SEAL_EPOCHS_MAX;
use thicket_protocol::record::GovPoint;
use thicket_protocol::sign::{SUITE, Signer, VERSION};
use zeroize::Zeroizing;

use super::{OpenError, SealError};
use crate::entropy::{Entropy, Rng};
use crate::secret::{HeldEpoch, PrekeySeed, encode_secret};

/// Draws a prekey: the seed, which is the X-Wing private key itself, and the public key of 1,216 bytes.
pub fn make_prekey(entropy: &mut dyn Entropy) -> (PrekeySeed, Vec<u8>) {
    let seed = PrekeySeed::make(entropy);
    let public = derive_prekey_public(&seed);
    (seed, public)
}

/// Derives the public key of a prekey's seed.
pub fn derive_prekey_public(seed: &PrekeySeed) -> Vec<u8> {
    XWing::sk_to_pk(&private_key(seed)).to_bytes().to_vec()
}

fn private_key(seed: &PrekeySeed) -> <XWing as Kem>::PrivateKey {
    <XWing as Kem>::PrivateKey::from_bytes(seed.expose()).expect("an X-Wing private key is any 32 bytes")
}

/// Seals the keys of `held` to the device that made `to`, and signs the seal.
///
/// The caller has verified the statement's signature and has applied the log up to its position. `held` is sorted by space; a
/// space given twice, none or more than 1,024 are refused.
pub fn seal_epochs(
    entropy: &mut dyn Entropy,
    to: &PrekeyStatement,
    gov: GovPoint,
    held: &mut [HeldEpoch],
    signer: &Signer,
) -> Result<Seal, SealError> {
    if held.len() > SEAL_EPOCHS_MAX {
        return Err(SealError::TooLarge("epochs of a seal"));
    }
    let to = to.body();
    held.sort_by_key(HeldEpoch::at);
    let mut body = SealBody {
        v: VERSION,
        suite: SUITE,
        team: to.team,
        device: to.device,
        counter: to.counter,
        sealer: DeviceId::derive(&signer.public_key()),
        gov,
        epochs: held.iter().map(HeldEpoch::at).collect(),
        encapsulation: Vec::new(),
        sealed: Vec::new(),
    };
    let unusable = |_| SealError::Key(KeyError::UnusablePrekey);
    let public = <XWing as Kem>::PublicKey::from_bytes(&to.key).map_err(unusable)?;
    let (encapsulation, sealed) = single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeS::Base,
        &public,
        &body.context(),
        &encode_secret(&&*held),
        &[],
        &mut Rng(entropy),
    )
    .map_err(unusable)?;
    body.encapsulation = encapsulation.to_bytes().to_vec();
    body.sealed = sealed;
    Ok(Seal::sign(body, signer)?)
}

/// Opens a seal with the private half that it names, and takes the keys of those epochs that `commit_of` knows.
///
/// The signature says who sealed, and is the caller's to verify. HPKE in base mode authenticates nobody: a key is
/// taken only if it fits the commitment that the signed log carries for its epoch. One that does not fit condemns
/// the seal ([`OpenError::WrongEpochKey`]); one of an epoch for which `commit_of` has none is left out.
pub fn open_seal(
    team: &TeamId,
    seal: &Seal,
    seed: &PrekeySeed,
    commit_of: impl Fn(SpaceEpoch) -> Option<Hash>,
) -> Result<Vec<HeldEpoch>, OpenError> {
    let seal = seal.body();
    let encapsulation =
        <XWing as Kem>::EncappedKey::from_bytes(&seal.encapsulation).map_err(|_| OpenError::Damaged)?;
    let plain = single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeR::Base,
        &private_key(seed),
        &encapsulation,
        &seal.context(),
        &seal.sealed,
        &[],
    )
    .map(Zeroizing::new)
    .map_err(|_| OpenError::Damaged)?;
    let held: Vec<HeldEpoch> = cbor::decode(&plain).map_err(|_| OpenError::Damaged)?;
    if seal.team != *team || !held.iter().map(HeldEpoch::at).eq(seal.epochs.iter().copied()) {
        return Err(OpenError::Damaged);
    }
    let mut taken = Vec::with_capacity(held.len());
    for one in held {
        match commit_of(one.at()) {
            Some(commit) if one.key.fits(team, one.at(), &commit) => taken.push(one),
            Some(_) => return Err(OpenError::WrongEpochKey(one.at())),
            None => {}
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests index what they made")]

    use thicket_protocol::ids::SpaceId;
    use thicket_protocol::keys::{PrekeyBody, check_xwing_public};

    use super::*;
    use crate::secret::tests::{Seeded, digits};
    use crate::secret::{EpochKey, IdentitySeed};

    const TEAM: TeamId = TeamId::from_bytes([1; 32]);
    const GOV: GovPoint = GovPoint { seq: 7, hash: Hash::ZERO };

    fn device(of: u8) -> Signer {
        IdentitySeed::from_bytes([of; 32]).signer()
    }

    fn statement() -> (PrekeySeed, PrekeyStatement) {
        let (seed, key) = make_prekey(&mut Seeded::new(1));
        let device_id = DeviceId::derive(&device(5).public_key());
        let body = PrekeyBody {
            v: VERSION,
            suite: SUITE,
            team: TEAM,
            device: device_id,
            counter: 1,
            key,
            gov: GOV,
            epochs: vec![],
        };
        (seed, PrekeyStatement::sign(body, &device(5)).expect("a statement"))
    }

    fn held(spaces: impl IntoIterator<Item = u16>) -> Vec<HeldEpoch> {
        let mut space = [0; 16];
        let spaces = spaces.into_iter().map(|number| {
            space[..2].copy_from_slice(&number.to_be_bytes());
            let key = EpochKey::from_bytes([space[1]; 32]);
            HeldEpoch { space: SpaceId::from_bytes(space), epoch: 3, key }
        });
        spaces.collect()
    }

    fn seal(spaces: impl IntoIterator<Item = u16>) -> Result<Seal, SealError> {
        seal_epochs(&mut Seeded::new(2), &statement().1, GOV, &mut held(spaces), &device(6))
    }

    fn logged(at: SpaceEpoch) -> Option<Hash> {
        held([8, 9]).iter().find(|held| held.at() == at).map(|held| held.key.commit(&TEAM, at))
    }

    #[test]
    fn a_prekey_is_frozen_and_fit_to_be_published() {
        let (seed, public) = make_prekey(&mut Seeded::new(1));
        insta::assert_snapshot!(digits(seed.expose()), @"ed06ce28487540c50202eb8f78cc019dee1effd3c724696de558f1e8b41ceff8");
        insta::assert_snapshot!(digits(&public), @"1216 bytes, 371c01f3abc2b4593e012eabfd1bb04dd7f197428d704e1091a6de8b26265012");
        check_xwing_public(&public).expect("a key that can be encapsulated to");
        assert_eq!(derive_prekey_public(&seed), public);
    }

    #[test]
    fn a_seal_is_frozen_and_opens_to_the_keys_of_its_epochs() {
        let seal = seal([9, 8]).expect("two epochs");
        insta::assert_snapshot!(digits(seal.bytes()), @"1475 bytes, 6ee7d69e71dc8d2a5f3c395a00777fb28bcfebd069315ce40ca26f5a33a24be4");
        let opened = open_seal(&TEAM, &seal, &statement().0, logged).expect("its own prekey");
        let opened: Vec<_> = opened.iter().map(|held| (held.at(), *held.key.expose())).collect();
        assert_eq!(
            opened,
            held([8, 9]).iter().map(|held| (held.at(), *held.key.expose())).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_key_that_does_not_fit_its_commitment_is_not_taken() {
        let seal = seal([8, 9]).expect("two epochs");
        let lie = |at: SpaceEpoch| logged(at).map(|_| Hash::ZERO);
        let refused = open_seal(&TEAM, &seal, &statement().0, lie);
        assert!(matches!(refused, Err(OpenError::WrongEpochKey(at)) if at == held([8])[0].at()));
        let taken = open_seal(&TEAM, &seal, &statement().0, |_| None).expect("it opens");
        assert!(taken.is_empty(), "the log names none of these epochs");
    }

    #[test]
    fn a_seal_opens_for_its_prekey_and_team_alone() {
        let seal = seal([8]).expect("one epoch");
        let other = make_prekey(&mut Seeded::new(3)).0;
        assert!(matches!(open_seal(&TEAM, &seal, &other, logged), Err(OpenError::Damaged)));
        let elsewhere = open_seal(&TeamId::from_bytes([9; 32]), &seal, &statement().0, logged);
        assert!(matches!(elsewhere, Err(OpenError::Damaged)));
    }

    #[test]
    fn a_seal_with_any_flipped_byte_is_refused() {
        let bytes = seal([8]).expect("one epoch").bytes().to_vec();
        let (sealer, seed) = (device(6).public_key(), statement().0);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            let verified = Seal::decode(&flipped).is_ok_and(|seal| seal.verify(&sealer).is_ok());
            assert!(!verified, "byte {at}");
        }
        // A sealer who signs what was altered on the way is caught by HPKE: each part, and the clear context.
        let body = seal([8]).expect("one epoch").body().clone();
        for part in 0..4 {
            let mut altered = body.clone();
            match part {
                0 => altered.encapsulation[700] ^= 1,
                1 => altered.sealed[20] ^= 1,
                2 => altered.counter += 1,
                _ => altered.gov.seq += 1,
            }
            let altered = Seal::sign(altered, &device(6)).expect("its form");
            assert!(
                matches!(open_seal(&TEAM, &altered, &seed, logged), Err(OpenError::Damaged)),
                "part {part}"
            );
        }
    }

    #[test]
    fn epochs_inside_are_those_that_the_clear_part_names() {
        let mut body = seal([8]).expect("one epoch").body().clone();
        body.epochs[0].epoch = 4;
        let public = <XWing as Kem>::PublicKey::from_bytes(&statement().1.body().key).expect("a key");
        let plain = encode_secret(&held([8]));
        let (encapsulation, sealed) = single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeS::Base,
            &public,
            &body.context(),
            &plain,
            &[],
            &mut Rng(&mut Seeded::new(4)),
        )
        .expect("sealed");
        (body.encapsulation, body.sealed) = (encapsulation.to_bytes().to_vec(), sealed);
        let seal = Seal::sign(body, &device(6)).expect("its form");
        let refused = open_seal(&TEAM, &seal, &statement().0, logged);
        assert!(matches!(refused, Err(OpenError::Damaged)), "{refused:?}");
    }

    #[test]
    fn a_seal_carries_one_to_1024_epochs_and_no_space_twice() {
        let limit = u16::try_from(SEAL_EPOCHS_MAX).expect("small");
        assert_eq!(seal(0..limit).expect("at the limit").body().epochs.len(), SEAL_EPOCHS_MAX);
        assert!(matches!(seal(0..=limit), Err(SealError::TooLarge(_))));
        assert!(matches!(seal([]), Err(SealError::Key(KeyError::Shape(_)))));
        assert!(matches!(seal([8, 8]), Err(SealError::Key(KeyError::Shape(_)))));
    }
}
