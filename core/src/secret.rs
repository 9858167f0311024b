//! Secrets: one type a purpose, so that no key is ever used for another's work.
//!
//! None is cloned, none is printed, all are overwritten when dropped. They are written in two places only: the
//! sealed part of the ring, and an HPKE message.

use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use thicket_protocol::ids::{Hash, KeyId, PublicKey, SpaceId, TeamId};
use thicket_protocol::keys::SpaceEpoch;
use thicket_protocol::sign::{self, Signer};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::entropy::Entropy;

/// Bytes of every secret.
pub const SECRET_BYTES: usize = 32;

/// What the CBOR of sealed parts asks of a secret.
pub(crate) trait Secret: Sized {
    fn parse(bytes: &[u8]) -> Option<Self>;
    fn show(&self) -> &[u8];
}

macro_rules! secret {
    ($($(#[$attr:meta])* pub struct $name:ident;)+) => { $(
        $(#[$attr])*
        #[derive(Zeroize, ZeroizeOnDrop)]
        pub struct $name([u8; SECRET_BYTES]);

        impl $name {
            /// Draws a fresh one.
            pub fn make(entropy: &mut dyn Entropy) -> Self {
                let mut secret = Self([0; SECRET_BYTES]);
                entropy.fill(&mut secret.0);
                secret
            }

            /// Takes the bytes as they are.
            pub const fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
                Self(bytes)
            }

            /// Shows the bytes to whoever seals, signs or stores with them.
            pub const fn expose(&self) -> &[u8; SECRET_BYTES] {
                &self.0
            }
        }

        impl Secret for $name {
            fn parse(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            fn show(&self) -> &[u8] {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )+ };
}

secret! {
    /// Seals the values of core.db before SQLite sees them; a shred draws another.
    pub struct LocalKey;
    /// Seals the ring; it belongs to the key store of the operating system or comes of a passphrase.
    pub struct WrappingKey;
    /// The Ed25519 seed of a device's identity (RFC 8032, section 5.1.5).
    pub struct IdentitySeed;
    /// The X-Wing seed of one prekey: the private half that seals are opened with.
    pub struct PrekeySeed;
    /// The key of one epoch of one space: it opens the space's vault.
    pub struct EpochKey;
    /// A key that lies in a vault: content key, note key or participant key.
    pub struct VaultKey;
    /// The raw key of a SQLCipher database.
    pub struct DatabaseKey;
    /// The Ed25519 seed of an invite: it admits one device and opens nothing.
    pub struct InviteSecret;
}

impl IdentitySeed {
    /// Makes the key pair, for as long as it is used.
    pub fn signer(&self) -> Signer {
        Signer::from_seed(&self.0)
    }
}

impl InviteSecret {
    /// Makes the key pair, for as long as it is used.
    pub fn signer(&self) -> Signer {
        Signer::from_seed(&self.0)
    }

    /// Derives the public half, by which the log names the invite.
    pub fn public_key(&self) -> PublicKey {
        self.signer().public_key()
    }
}

impl VaultKey {
    /// Derives the key's name: H("thicket/key-id/1", key), first 16 bytes.
    pub fn id(&self) -> KeyId {
        KeyId::from_bytes(sign::hash("thicket/key-id/1", &[&self.0]).first_16())
    }
}

impl WrappingKey {
    /// Derives the name under which the ring knows it: H("thicket/wrapping-id/1", key), first 16 bytes.
    pub fn id(&self) -> KeyId {
        KeyId::from_bytes(sign::hash("thicket/wrapping-id/1", &[&self.0]).first_16())
    }
}

impl EpochKey {
    /// Derives the commitment that the entry of the log carries:
    /// H("thicket/epoch-commit/1", team || space || epoch as 4 bytes, big-endian || key).
    pub fn commit(&self, team: &TeamId, at: SpaceEpoch) -> Hash {
        let parts: [&[u8]; 4] = [team.as_bytes(), at.space.as_bytes(), &at.epoch.to_be_bytes(), &self.0];
        sign::hash("thicket/epoch-commit/1", &parts)
    }

    /// Derives the commitment of a roster's first epoch. It stands in the genesis, whose hash is the team's id, so it is made
    /// for a team of 32 zero bytes.
    pub fn commit_in_genesis(&self, at: SpaceEpoch) -> Hash {
        self.commit(&TeamId::from_bytes([0; TeamId::LEN]), at)
    }

    /// Tells whether this is the key that the log commits to.
    pub fn fits(&self, team: &TeamId, at: SpaceEpoch, commit: &Hash) -> bool {
        self.commit(team, at) == *commit || (at.epoch == 1 && self.commit_in_genesis(at) == *commit)
    }
}

/// The key of an epoch that a device holds or that a seal carries.
#[derive(Debug, Encode, Decode)]
#[cbor(array)]
pub struct HeldEpoch {
    /// The space.
    #[n(0)]
    pub space: SpaceId,
    /// The epoch, from 1.
    #[n(1)]
    pub epoch: u32,
    /// Its key.
    #[cbor(n(2), with = "crate::secret::in_seal")]
    pub key: EpochKey,
}

impl HeldEpoch {
    /// Says whose key it is.
    pub fn at(&self) -> SpaceEpoch {
        SpaceEpoch { space: self.space, epoch: self.epoch }
    }
}

/// Derives `N` bytes with HKDF-SHA256 (RFC 5869); `ikm` and `info` are each put together from their parts.
///
/// Callers see to it that parts are of fixed length but for the last, or are encoded so that they come apart.
pub fn derive<const N: usize>(salt: &[u8], ikm: &[&[u8]], info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    // The whole room at once: growing would leave copies of the keys behind.
    let mut joined = Zeroizing::new(Vec::with_capacity(ikm.iter().map(|part| part.len()).sum()));
    ikm.iter().for_each(|part| joined.extend_from_slice(part));
    let mut out = Zeroizing::new([0; N]);
    Salt::new(HKDF_SHA256, salt)
        .extract(&joined)
        .expand(info, Length(N))
        .and_then(|okm| okm.fill(out.as_mut()))
        .expect("no caller asks for more than 255 hashes");
    out
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// Encodes what holds secrets into memory that is overwritten, taken at once in its full size.
pub(crate) fn encode_secret<T: Encode<()>>(value: &T) -> Zeroizing<Vec<u8>> {
    let mut count = Count(0);
    minicbor::encode(value, &mut count).expect("counting cannot fail");
    let mut out = Zeroizing::new(Vec::with_capacity(count.0));
    minicbor::encode(value, &mut *out).expect("writing to memory cannot fail");
    out
}

struct Count(usize);

impl Write for Count {
    type Error = std::convert::Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0 += bytes.len();
        Ok(())
    }
}

/// The CBOR of a secret inside a sealed part: a byte string.
pub(crate) mod in_seal {
    use super::{DecodeError, Decoder, EncodeError, Encoder, Secret, Write};

    pub(crate) fn encode<C, W: Write, T: Secret>(
        secret: &T,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.bytes(secret.show())?.ok()
    }

    pub(crate) fn decode<C, T: Secret>(d: &mut Decoder<'_>, _: &mut C) -> Result<T, DecodeError> {
        let at = d.position();
        T::parse(d.bytes()?).ok_or_else(|| DecodeError::message("a secret of another length").at(at))
    }
}

/// The CBOR of a secret that may be absent: then its key is left out.
pub(crate) mod in_seal_option {
    use super::{DecodeError, Decoder, EncodeError, Encoder, Secret, Write, in_seal};

    pub(crate) fn encode<C, W: Write, T: Secret>(
        secret: &Option<T>,
        e: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        match secret {
            Some(secret) => in_seal::encode(secret, e, context),
            None => e.null()?.ok(),
        }
    }

    pub(crate) fn decode<C, T: Secret>(d: &mut Decoder<'_>, c: &mut C) -> Result<Option<T>, DecodeError> {
        in_seal::decode(d, c).map(Some)
    }

    pub(crate) fn nil<T: Secret>() -> Option<Option<T>> {
        Some(None)
    }

    pub(crate) fn is_nil<T: Secret>(secret: &Option<T>) -> bool {
        secret.is_none()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use thicket_protocol::cbor;

    use super::*;

    /// A stream of bytes that a seed fixes.
    pub(crate) struct Seeded {
        seed: u8,
        drawn: u64,
    }

    impl Seeded {
        pub(crate) fn new(seed: u8) -> Self {
            Self { seed, drawn: 0 }
        }
    }

    impl Entropy for Seeded {
        fn fill(&mut self, out: &mut [u8]) {
            for chunk in out.chunks_mut(32) {
                let block = sign::hash("thicket/test-entropy", &[&[self.seed], &self.drawn.to_be_bytes()]);
                chunk.iter_mut().zip(block.as_bytes()).for_each(|(to, from)| *to = *from);
                self.drawn += 1;
            }
        }
    }

    /// Digits of bytes that are frozen in a test; long ones by length and hash.
    pub(crate) fn digits(bytes: &[u8]) -> String {
        if bytes.len() <= 160 {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        } else {
            format!("{} bytes, {}", bytes.len(), sign::hash("thicket/test-vector", &[bytes]))
        }
    }

    #[test]
    fn hkdf_is_that_of_rfc_5869() {
        // Appendix A.1, its key cut into parts.
        let salt: Vec<u8> = (0..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let okm = derive::<42>(&salt, &[&[0x0b; 20], &[0x0b; 2]], &[&info]);
        assert_eq!(
            digits(okm.as_ref()),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
    }

    #[test]
    fn names_and_commitments_of_keys_are_frozen() {
        let (team, space) = (TeamId::from_bytes([1; 32]), SpaceId::from_bytes([2; 16]));
        let at = SpaceEpoch { space, epoch: 3 };
        insta::assert_snapshot!(VaultKey::from_bytes([4; 32]).id(), @"d4fb7528f7fc315f32b334c7995ddfce");
        insta::assert_snapshot!(WrappingKey::from_bytes([4; 32]).id(), @"4d953fc762de4d73483b9e941f27524c");
        insta::assert_snapshot!(EpochKey::from_bytes([4; 32]).commit(&team, at), @"e291884206a8297cb821b9d70ffac7d98cdeb2b98693eafa1eb98a6c8c140484");
    }

    #[test]
    fn a_commitment_holds_for_its_team_space_epoch_and_key_alone() {
        let (team, space) = (TeamId::from_bytes([1; 32]), SpaceId::from_bytes([2; 16]));
        let at = SpaceEpoch { space, epoch: 3 };
        let commit = EpochKey::from_bytes([4; 32]).commit(&team, at);
        let elsewhere = SpaceEpoch { space: SpaceId::from_bytes([9; 16]), ..at };
        for other in [
            EpochKey::from_bytes([5; 32]).commit(&team, at),
            EpochKey::from_bytes([4; 32]).commit(&TeamId::from_bytes([9; 32]), at),
            EpochKey::from_bytes([4; 32]).commit(&team, elsewhere),
            EpochKey::from_bytes([4; 32]).commit(&team, SpaceEpoch { epoch: 4, ..at }),
        ] {
            assert_ne!(commit, other);
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        let held = HeldEpoch {
            space: SpaceId::from_bytes([2; 16]),
            epoch: 1,
            key: EpochKey::from_bytes([0xab; 32]),
        };
        let shown = format!("{held:?} {:?}", IdentitySeed::from_bytes([0xab; 32]));
        assert!(shown.contains("EpochKey(…)") && shown.contains("IdentitySeed(…)"), "{shown}");
        assert!(!shown.contains("171") && !shown.contains("abab"), "{shown}");
    }

    #[test]
    fn fresh_secrets_come_from_the_entropy_given_and_differ() {
        let mut entropy = Seeded::new(1);
        let (first, second) = (VaultKey::make(&mut entropy), VaultKey::make(&mut entropy));
        assert_ne!(first.expose(), second.expose());
        assert_eq!(first.expose(), VaultKey::make(&mut Seeded::new(1)).expose());
    }

    #[test]
    fn a_secret_of_another_length_is_refused() {
        let space = SpaceId::from_bytes([2; 16]);
        for length in [0, 31, 33] {
            let bytes = cbor::encode(&(space, 1_u32, minicbor::bytes::ByteVec::from(vec![7; length])));
            assert!(cbor::decode::<HeldEpoch>(&bytes).is_err(), "{length}");
        }
    }

    #[test]
    fn secrets_are_encoded_without_growing() {
        let held: Vec<HeldEpoch> = (1..=50)
            .map(|epoch| HeldEpoch {
                space: SpaceId::from_bytes([2; 16]),
                epoch,
                key: EpochKey::from_bytes([3; 32]),
            })
            .collect();
        let bytes = encode_secret(&held);
        assert_eq!(bytes.capacity(), bytes.len());
        assert_eq!(cbor::decode::<Vec<HeldEpoch>>(&bytes).expect("canonical").len(), 50);
    }
}
