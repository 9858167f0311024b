//! Domain-separated hashes and signatures of suite 1: SHA-256 and Ed25519 (FIPS 180-4, RFC 8032).

use ring::digest::{Context, SHA256};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::ids::{Hash, PublicKey, Signature};

/// The one suite of this version: SHA-256, HKDF-SHA256, Ed25519, ChaCha20-Poly1305, HPKE base mode with X-Wing.
pub const SUITE: u8 = 1;

/// The version of every format in this crate.
pub const VERSION: u8 = 1;

/// Hashes `parts` one after another behind a domain: SHA-256(len(domain) as one byte || domain || parts…).
///
/// The length byte keeps one domain from being the beginning of another. Callers see to it that `parts` are of
/// fixed length but for the last.
pub fn hash(domain: &'static str, parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    let length = u8::try_from(domain.len()).expect("domains are short constants");
    context.update(&[length]);
    context.update(domain.as_bytes());
    for part in parts {
        context.update(part);
    }
    Hash::from_slice(context.finish().as_ref()).expect("SHA-256 has 32 bytes")
}

/// What a signature is for: no signature made for one purpose can be shown for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A batch of records, over its batch hash.
    Batch,
    /// A governance entry, over its entry hash.
    Governance,
    /// A prekey statement, over its hash.
    Prekey,
    /// A seal of epoch keys, over its hash.
    Seal,
    /// A ledger object (participant, consent, event, stamp …), over its hash.
    Object,
    /// A server's receipt for a batch, over its hash.
    Receipt,
    /// A server's word on where its spaces stand, over its hash.
    Tips,
    /// The TLS exporter of one connection: proof of holding a device's or an invite's key.
    Connection,
}

impl Purpose {
    const fn domain(self) -> &'static str {
        match self {
            Self::Batch => "thicket/sig/batch/1",
            Self::Governance => "thicket/sig/gov/1",
            Self::Prekey => "thicket/sig/prekey/1",
            Self::Seal => "thicket/sig/seal/1",
            Self::Object => "thicket/sig/object/1",
            Self::Receipt => "thicket/sig/receipt/1",
            Self::Tips => "thicket/sig/tips/1",
            Self::Connection => "thicket/sig/connection/1",
        }
    }
}

/// Signs for a device, an invite or a server; made per use from a seed that its owner keeps and zeroises.
pub struct Signer(Ed25519KeyPair);

impl Signer {
    /// Makes the key pair of an Ed25519 seed (RFC 8032, section 5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(seed).expect("every 32 bytes are an Ed25519 seed"))
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_slice(self.0.public_key().as_ref()).expect("an Ed25519 public key has 32 bytes")
    }

    /// Signs the domain of `purpose` followed by `hash`.
    pub fn sign(&self, purpose: Purpose, hash: &Hash) -> Signature {
        let signature = self.0.sign(&signed_bytes(purpose, hash));
        Signature::from_slice(signature.as_ref()).expect("an Ed25519 signature has 64 bytes")
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({:?})", self.public_key())
    }
}

/// The signature does not fit the key, the purpose and the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signature does not verify")]
pub struct BadSignature;

/// Verifies a signature made by [`Signer::sign`].
pub fn verify(
    key: &PublicKey,
    purpose: Purpose,
    hash: &Hash,
    signature: &Signature,
) -> Result<(), BadSignature> {
    UnparsedPublicKey::new(&ED25519, key.as_bytes())
        .verify(&signed_bytes(purpose, hash), signature.as_bytes())
        .map_err(|_| BadSignature)
}

fn signed_bytes(purpose: Purpose, hash: &Hash) -> Vec<u8> {
    [purpose.domain().as_bytes(), &[0], hash.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_key_purpose_and_hash_alone() {
        let (signer, other) = (Signer::from_seed(&[1; 32]), Signer::from_seed(&[2; 32]));
        let said = hash("thicket/test", &[b"said"]);
        let signature = signer.sign(Purpose::Batch, &said);
        assert_eq!(verify(&signer.public_key(), Purpose::Batch, &said, &signature), Ok(()));
        assert_eq!(verify(&other.public_key(), Purpose::Batch, &said, &signature), Err(BadSignature));
        assert_eq!(verify(&signer.public_key(), Purpose::Object, &said, &signature), Err(BadSignature));
        let unsaid = hash("thicket/test", &[b"unsaid"]);
        assert_eq!(verify(&signer.public_key(), Purpose::Batch, &unsaid, &signature), Err(BadSignature));
    }

    #[test]
    fn a_domain_is_never_the_beginning_of_another() {
        assert_ne!(hash("thicket/a", &[b"bc"]), hash("thicket/ab", &[b"c"]));
    }
}
