//! Keys as they travel: prekey statements, seals, vault packs. All that a server may check of them, and nothing
//! that would open one.

use minicbor::{Decode, Encode};

use crate::cbor::{self, CborError};
use crate::ids::{DeviceId, Hash, KeyId, PublicKey, SpaceId, TeamId};
use crate::limits::{
    PACK_KEYS_MAX, SEAL_EPOCHS_MAX, TAG_BYTES, XWING_ENCAPSULATION_BYTES, XWING_PUBLIC_BYTES,
};
use crate::record::GovPoint;
use crate::sign::{self, BadSignature, Purpose, SUITE, Signer, VERSION};
use crate::signed::{Signed, SignedBody};

/// Why bytes are not a statement, a seal or a pack.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not canonical CBOR of the shape.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// A version or suite of a later Thicket.
    #[error("keys of version {v}, suite {suite}: this Thicket is too old for them")]
    Version {
        /// The version.
        v: u8,
        /// The suite.
        suite: u8,
    },
    /// Nobody could encapsulate to this key (FIPS 203, section 7.2, or an X25519 half of zeros).
    #[error("a prekey to which nobody can seal")]
    UnusablePrekey,
    /// A length, a count or an order is not what the format says.
    #[error("keys of another shape: {0}")]
    Shape(&'static str),
    /// The signature is not the device's.
    #[error(transparent)]
    Signature(#[from] BadSignature),
}

fn check_version(v: u8, suite: u8) -> Result<(), KeyError> {
    if v == VERSION && suite == SUITE { Ok(()) } else { Err(KeyError::Version { v, suite }) }
}

/// An epoch that a device holds the key of, or that a seal carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct SpaceEpoch {
    /// The space.
    #[n(0)]
    pub space: SpaceId,
    /// The epoch, from 1.
    #[n(1)]
    pub epoch: u32,
}

/// What a device says of the key that others seal to.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PrekeyBody {
    /// Version of the format.
    #[n(0)]
    pub v: u8,
    /// Suite of the cryptography.
    #[n(1)]
    pub suite: u8,
    /// The team.
    #[n(2)]
    pub team: TeamId,
    /// The device.
    #[n(3)]
    pub device: DeviceId,
    /// The device's count of statements, from 1; a later one replaces an earlier.
    #[n(4)]
    pub counter: u32,
    /// The X-Wing public key: ML-KEM-768, then X25519.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub key: Vec<u8>,
    /// How far the device had applied the governance log.
    #[n(6)]
    pub gov: GovPoint,
    /// The epochs whose keys it held, ascending by space.
    #[n(7)]
    pub epochs: Vec<SpaceEpoch>,
}

impl SignedBody for PrekeyBody {
    const PURPOSE: Purpose = Purpose::Prekey;
    const DOMAIN: &'static str = "thicket/prekey/1";
}

/// A signed prekey statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrekeyStatement(Signed<PrekeyBody>);

impl PrekeyStatement {
    /// Signs a statement with the device's identity.
    pub fn sign(body: PrekeyBody, signer: &Signer) -> Result<Self, KeyError> {
        Self::decode(&Signed::write(&body, signer))
    }

    /// Reads a statement and checks its key, as FIPS 203 asks of whoever encapsulates to it.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let signed = Signed::<PrekeyBody>::read(bytes)?;
        let body = &signed.body;
        check_version(body.v, body.suite)?;
        check_xwing_public(&body.key)?;
        if body.counter == 0 {
            return Err(KeyError::Shape("counters begin at 1"));
        }
        if body.epochs.len() > SEAL_EPOCHS_MAX || !ascending(body.epochs.iter().map(|held| held.space)) {
            return Err(KeyError::Shape("epochs held, ascending by space"));
        }
        Ok(Self(signed))
    }

    /// Verifies that the device of this key made it.
    pub fn verify(&self, device_key: &PublicKey) -> Result<(), KeyError> {
        Ok(self.0.verify_device(self.0.body.device, device_key)?)
    }

    /// What it says.
    pub fn body(&self) -> &PrekeyBody {
        &self.0.body
    }

    /// The statement as received.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }
}

fn ascending<T: Ord>(items: impl IntoIterator<Item = T>) -> bool {
    let mut before = None;
    items.into_iter().all(|item| {
        let fits = before.as_ref().is_none_or(|before| *before < item);
        before = Some(item);
        fits
    })
}

/// ML-KEM-768: 3 polynomials of 256 coefficients of 12 bits, then 32 bytes.
const MLKEM_POLYNOMIAL_BYTES: usize = 1_152;
const MLKEM_MODULUS: u16 = 3_329;
const X25519_BYTES: usize = 32;

/// Checks an X-Wing public key: its length, the modulus check of FIPS 203 (section 7.2) for the ML-KEM half, and an
/// X25519 half that is not all zeros.
pub fn check_xwing_public(key: &[u8]) -> Result<(), KeyError> {
    let (Some(polynomials), Some(x25519)) =
        (key.get(..MLKEM_POLYNOMIAL_BYTES), key.get(XWING_PUBLIC_BYTES - X25519_BYTES..))
    else {
        return Err(KeyError::UnusablePrekey);
    };
    let reduced = polynomials.chunks_exact(3).all(|three| {
        // Two coefficients of 12 bits in three bytes, little-endian (FIPS 203, algorithm 6).
        let word = three.iter().rev().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte));
        let modulus = u32::from(MLKEM_MODULUS);
        word & 0xfff < modulus && word >> 12 < modulus
    });
    let fits = key.len() == XWING_PUBLIC_BYTES && reduced && x25519.iter().any(|byte| *byte != 0);
    if fits { Ok(()) } else { Err(KeyError::UnusablePrekey) }
}

/// The clear part of a seal, and the HPKE message that carries [(space, epoch key)].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SealBody {
    /// Version of the format.
    #[n(0)]
    pub v: u8,
    /// Suite of the cryptography.
    #[n(1)]
    pub suite: u8,
    /// The team.
    #[n(2)]
    pub team: TeamId,
    /// The device that it is sealed to.
    #[n(3)]
    pub device: DeviceId,
    /// The counter of the device's prekey statement.
    #[n(4)]
    pub counter: u32,
    /// The device that sealed.
    #[n(5)]
    pub sealer: DeviceId,
    /// The entry that made the newest of the epochs, or, for a re-seal, the head that the sealer had applied.
    #[n(6)]
    pub gov: GovPoint,
    /// The epochs whose keys are inside, ascending by space.
    #[n(7)]
    pub epochs: Vec<SpaceEpoch>,
    /// The HPKE encapsulation.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub encapsulation: Vec<u8>,
    /// The HPKE ciphertext.
    #[cbor(n(9), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

impl SealBody {
    /// The HPKE `info` and additional data: everything clear but the encapsulation and the ciphertext.
    pub fn context(&self) -> Vec<u8> {
        let clear = Self { encapsulation: Vec::new(), sealed: Vec::new(), ..self.clone() };
        [b"thicket/seal/1".as_slice(), &cbor::encode(&clear)].concat()
    }
}

impl SignedBody for SealBody {
    const PURPOSE: Purpose = Purpose::Seal;
    const DOMAIN: &'static str = "thicket/seal/1";
}

/// A signed seal: who gave which epochs' keys to whom is shown to every member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal(Signed<SealBody>);

impl Seal {
    /// Signs a seal with the sealer's identity.
    pub fn sign(body: SealBody, signer: &Signer) -> Result<Self, KeyError> {
        Self::decode(&Signed::write(&body, signer))
    }

    /// Reads a seal and checks its form.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let signed = Signed::<SealBody>::read(bytes)?;
        let body = &signed.body;
        check_version(body.v, body.suite)?;
        let count = body.epochs.len();
        if count == 0 || count > SEAL_EPOCHS_MAX || !ascending(body.epochs.iter().map(|in_it| in_it.space)) {
            return Err(KeyError::Shape("epochs sealed, ascending by space"));
        }
        if body.encapsulation.len() != XWING_ENCAPSULATION_BYTES || body.sealed.len() <= TAG_BYTES {
            return Err(KeyError::Shape("an X-Wing encapsulation and a ciphertext"));
        }
        Ok(Self(signed))
    }

    /// Verifies that the sealer of this key made it.
    pub fn verify(&self, sealer_key: &PublicKey) -> Result<(), KeyError> {
        Ok(self.0.verify_device(self.0.body.sealer, sealer_key)?)
    }

    /// What is clear of it.
    pub fn body(&self) -> &SealBody {
        &self.0.body
    }

    /// The seal as received.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }
}

/// A row of a vault: up to 256 keys, their ids clear, the keys sealed under the epoch's key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Pack {
    /// Version of the format.
    #[n(0)]
    pub v: u8,
    /// Suite of the cryptography.
    #[n(1)]
    pub suite: u8,
    /// The space.
    #[n(2)]
    pub space: SpaceId,
    /// The epoch under whose key it is sealed.
    #[n(3)]
    pub epoch: u32,
    /// The ids of the keys, ascending.
    #[n(4)]
    pub ids: Vec<KeyId>,
    /// AEAD of the keys one behind another, in order of the ids.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

impl Pack {
    /// Reads a pack and checks its form.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let pack: Self = cbor::decode(bytes)?;
        check_version(pack.v, pack.suite)?;
        let count = pack.ids.len();
        if count == 0 || count > PACK_KEYS_MAX || !ascending(&pack.ids) {
            return Err(KeyError::Shape("1 to 256 ids, ascending"));
        }
        if pack.sealed.len() != count * 32 + TAG_BYTES {
            return Err(KeyError::Shape("as many keys as ids"));
        }
        Ok(pack)
    }

    /// H("thicket/pack-ids/1", ids one behind another): the pack's key is derived with it, once.
    pub fn ids_hash(ids: &[KeyId]) -> Hash {
        let ids: Vec<u8> = ids.iter().flat_map(|id| *id.as_bytes()).collect();
        sign::hash("thicket/pack-ids/1", &[&ids])
    }

    /// The additional data: CBOR [suite, team, space, epoch, ids].
    pub fn aad(&self, team: &TeamId) -> Vec<u8> {
        cbor::encode(&(self.suite, team, self.space, self.epoch, &self.ids))
    }
}

/// The hash by which a governance entry binds the staged rows of a vault: H("thicket/vault/1", hashes of the rows).
pub fn vault_hash<'r>(rows: impl IntoIterator<Item = &'r [u8]>) -> Hash {
    let hashes: Vec<u8> =
        rows.into_iter().flat_map(|row| *sign::hash("thicket/vault-row/1", &[row]).as_bytes()).collect();
    sign::hash("thicket/vault/1", &[&hashes])
}
