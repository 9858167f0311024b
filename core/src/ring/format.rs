//! The ring's bytes.
//!
//! ```text
//! ring   = header || sealed || SHA-256(header || sealed)
//! header = "THKTRING" || version (1) || generation (8) || lock || salt (16)
//! lock   = 0 || name of the wrapping key (16)
//!        | 1 || memory in KiB (4) || passes (4) || lanes (4) || KDF salt (16)
//! sealed = AEAD(HKDF(salt, wrapping key, "thicket/ring/1"), nonce 0, AAD = header, CBOR of the contents)
//! ```
//!
//! Integers are big-endian. The checksum tells a damaged file from another passphrase; the AEAD covers the header.

use argon2::{Algorithm, Argon2, Params, Version};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use thicket_protocol::cbor;
use thicket_protocol::ids::KeyId;
use thicket_protocol::limits::TAG_BYTES;
use zeroize::Zeroizing;

use super::{RingContents, RingError, RingLock, Wrapping};
use crate::entropy::Entropy;
use crate::seal::{aead_open, aead_seal};
use crate::secret::{SECRET_BYTES, WrappingKey, derive, encode_secret};

/// Largest ring.
pub(super) const RING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most memory that a ring may ask for a passphrase, in KiB: four times what Thicket writes.
pub const KDF_MEMORY_KIB_MAX: u32 = 256 * 1024;
/// Most passes that a ring may ask for a passphrase.
pub const KDF_PASSES_MAX: u32 = 16;
/// Most lanes that a ring may ask for a passphrase.
pub const KDF_LANES_MAX: u32 = 4;

const MAGIC: &[u8; 8] = b"THKTRING";
const VERSION: u8 = 1;
const SALT_BYTES: usize = 16;
const LOCK_KEY: u8 = 0;
const LOCK_PASSPHRASE: u8 = 1;

/// What one guess at a passphrase costs: the parameters of Argon2id (RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Default for KdfCost {
    /// 64 MiB, three passes, one lane.
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 }
    }
}

impl KdfCost {
    /// Takes parameters within the bounds: at least 8 KiB a lane and one of each, at most the limits named here.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Option<Self> {
        let fits = (1..=KDF_LANES_MAX).contains(&lanes)
            && (1..=KDF_PASSES_MAX).contains(&passes)
            && (8 * lanes..=KDF_MEMORY_KIB_MAX).contains(&memory_kib);
        fits.then_some(Self { memory_kib, passes, lanes })
    }
}

/// How a ring is locked, as its header says it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lock {
    Key(KeyId),
    Passphrase(KdfCost, [u8; SALT_BYTES]),
}

/// Makes a new lock, and the key that opens it.
pub(super) fn make_lock(
    wrapping: Wrapping<'_>,
    entropy: &mut dyn Entropy,
) -> Result<(Lock, WrappingKey), RingError> {
    match wrapping {
        Wrapping::Key(key) => Ok((Lock::Key(key.id()), key)),
        Wrapping::Passphrase(passphrase, cost) => {
            let salt = entropy.bytes();
            Ok((Lock::Passphrase(cost, salt), stretch(passphrase, cost, &salt)?))
        }
    }
}

impl Lock {
    pub(super) fn ask(&self) -> RingLock {
        match self {
            Self::Key(id) => RingLock::Key(*id),
            Self::Passphrase(..) => RingLock::Passphrase,
        }
    }

    /// Makes the wrapping key of what a person or a key store gives.
    pub(super) fn unlock(&self, wrapping: Wrapping<'_>) -> Result<WrappingKey, RingError> {
        match (self, wrapping) {
            (Self::Key(id), Wrapping::Key(key)) if key.id() == *id => Ok(key),
            (Self::Passphrase(cost, salt), Wrapping::Passphrase(passphrase, _)) => {
                stretch(passphrase, *cost, salt)
            }
            (Self::Key(_) | Self::Passphrase(..), Wrapping::Key(_) | Wrapping::Passphrase(..)) => {
                Err(RingError::Locked)
            }
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Key(id) => {
                out.push(LOCK_KEY);
                out.extend_from_slice(id.as_bytes());
            }
            Self::Passphrase(cost, salt) => {
                out.push(LOCK_PASSPHRASE);
                for number in [cost.memory_kib, cost.passes, cost.lanes] {
                    out.extend_from_slice(&number.to_be_bytes());
                }
                out.extend_from_slice(salt);
            }
        }
    }

    /// Reads a lock; one that asks more than the bounds is none.
    fn parse(bytes: &mut &[u8]) -> Option<Self> {
        match take::<1>(bytes)? {
            [LOCK_KEY] => Some(Self::Key(KeyId::from_bytes(take(bytes)?))),
            [LOCK_PASSPHRASE] => {
                let [memory, passes, lanes] =
                    [take(bytes)?, take(bytes)?, take(bytes)?].map(u32::from_be_bytes);
                Some(Self::Passphrase(KdfCost::new(memory, passes, lanes)?, take(bytes)?))
            }
            _ => None,
        }
    }
}

/// Argon2id of the passphrase's UTF-8 bytes.
fn stretch(passphrase: &str, cost: KdfCost, salt: &[u8; SALT_BYTES]) -> Result<WrappingKey, RingError> {
    let KdfCost { memory_kib, passes, lanes } = cost;
    let params = Params::new(memory_kib, passes, lanes, Some(SECRET_BYTES)).map_err(|_| RingError::Cost)?;
    let mut out = Zeroizing::new([0; SECRET_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, out.as_mut())
        .map_err(|_| RingError::Cost)?;
    Ok(WrappingKey::from_bytes(*out))
}

/// Writes a ring of at most [`RING_BYTES_MAX`].
pub(super) fn seal(
    generation: u64,
    lock: &Lock,
    wrapping: &WrappingKey,
    contents: &RingContents,
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, RingError> {
    let salt: [u8; SALT_BYTES] = entropy.bytes();
    let mut header = [MAGIC.as_slice(), &[VERSION], &generation.to_be_bytes()].concat();
    lock.write(&mut header);
    header.extend_from_slice(&salt);
    let mut out = aead_seal(&ring_key(&salt, wrapping), &header, &header, &encode_secret(contents));
    out.extend_from_slice(digest(&SHA256, &out).as_ref());
    if out.len() <= RING_BYTES_MAX { Ok(out) } else { Err(RingError::TooLarge) }
}

fn ring_key(salt: &[u8; SALT_BYTES], wrapping: &WrappingKey) -> Zeroizing<[u8; 32]> {
    derive(salt, &[wrapping.expose()], &[b"thicket/ring/1"])
}

/// A whole ring, still locked.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) generation: u64,
    pub(super) lock: Lock,
    salt: [u8; SALT_BYTES],
    header: Vec<u8>,
    sealed: Vec<u8>,
}

impl Envelope {
    /// Reads a ring whose checksum is right.
    pub(super) fn parse(bytes: Vec<u8>) -> Result<Self, RingError> {
        if bytes.len() > RING_BYTES_MAX {
            return Err(RingError::Damaged);
        }
        let (whole, checksum) = bytes.split_last_chunk::<SHA256_OUTPUT_LEN>().ok_or(RingError::Damaged)?;
        if digest(&SHA256, whole).as_ref() != checksum {
            return Err(RingError::Damaged);
        }
        let mut rest = whole;
        if take(&mut rest) != Some(*MAGIC) {
            return Err(RingError::Damaged);
        }
        match take(&mut rest) {
            Some([VERSION]) => Self::parse_rest(whole, rest).ok_or(RingError::Damaged),
            Some([version]) => Err(RingError::TooNew { version }),
            None => Err(RingError::Damaged),
        }
    }

    fn parse_rest(whole: &[u8], mut rest: &[u8]) -> Option<Self> {
        let generation = u64::from_be_bytes(take(&mut rest)?);
        let lock = Lock::parse(&mut rest)?;
        let salt = take(&mut rest)?;
        let (header, sealed) = whole.split_at_checked(whole.len() - rest.len())?;
        let fits = sealed.len() > TAG_BYTES && generation < u64::MAX;
        fits.then(|| Self { generation, lock, salt, header: header.to_vec(), sealed: sealed.to_vec() })
    }

    /// Opens it; another key is [`RingError::Locked`].
    pub(super) fn open(&self, wrapping: &WrappingKey) -> Result<RingContents, RingError> {
        let plain = aead_open(&ring_key(&self.salt, wrapping), &self.header, &self.sealed)
            .ok_or(RingError::Locked)?;
        cbor::decode(&plain).map_err(|_| RingError::Damaged)
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}
