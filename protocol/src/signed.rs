//! The envelope of everything that is signed by itself: `[body: bstr, signature]`.
//!
//! The body is kept as it was received and never encoded again, so keys that this version does not know survive, and
//! what was hashed is what was signed.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::cbor::{self, CborError};
use crate::ids::{DeviceId, Hash, PublicKey, Signature};
use crate::sign::{self, BadSignature, Purpose, Signer};

/// What an envelope carries.
pub(crate) trait SignedBody: Encode<()> + for<'b> Decode<'b, ()> {
    /// What the signature is for.
    const PURPOSE: Purpose;
    /// The domain of the body's hash.
    const DOMAIN: &'static str;
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    body: ByteVec,
    #[n(1)]
    signature: Signature,
}

/// An envelope taken apart; its signature is not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed<B> {
    /// The envelope as received.
    pub(crate) bytes: Vec<u8>,
    /// What the body says.
    pub(crate) body: B,
    /// The hash of the body as received.
    pub(crate) hash: Hash,
    signature: Signature,
}

impl<B: SignedBody> Signed<B> {
    /// Writes the envelope of a body.
    pub(crate) fn write(body: &B, signer: &Signer) -> Vec<u8> {
        let body = cbor::encode(body);
        let signature = signer.sign(B::PURPOSE, &sign::hash(B::DOMAIN, &[&body]));
        cbor::encode(&Wire { body: body.into(), signature })
    }

    /// Reads an envelope.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, CborError> {
        let wire: Wire = cbor::decode_envelope(bytes, 2)?;
        let body = cbor::decode(&wire.body)?;
        let hash = sign::hash(B::DOMAIN, &[&wire.body]);
        Ok(Self { bytes: bytes.to_vec(), body, hash, signature: wire.signature })
    }

    /// Verifies that the holder of this key made it.
    pub(crate) fn verify(&self, key: &PublicKey) -> Result<(), BadSignature> {
        sign::verify(key, B::PURPOSE, &self.hash, &self.signature)
    }

    /// Verifies that this is the key of that device, and that its holder made it.
    pub(crate) fn verify_device(&self, device: DeviceId, key: &PublicKey) -> Result<(), BadSignature> {
        if DeviceId::derive(key) == device { self.verify(key) } else { Err(BadSignature) }
    }
}
