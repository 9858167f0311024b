//! Sealing: bodies of records, values of core.db, vault packs and epoch keys.
//!
//! Every key is derived for one use under a fresh salt or for one content, so the nonce is 0 everywhere.

mod body;
mod epochs;
mod local;
mod pack;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use thicket_protocol::ids::KeyId;
use thicket_protocol::keys::{KeyError, SpaceEpoch};
use thicket_protocol::limits::TAG_BYTES;
use zeroize::Zeroizing;

pub use self::body::{BodyKeys, OpenedBody, SealedBody, derive_doc_tag, open_body, open_people, seal_body};
pub use self::epochs::{derive_prekey_public, make_prekey, open_seal, seal_epochs};
pub use self::local::{LOCAL_OVERHEAD_BYTES, open_local, seal_local};
pub use self::pack::{make_pack, open_pack};

/// Why something cannot be sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// More than a limit allows.
    #[error("more than can be sealed: the limit on {0}")]
    TooLarge(&'static str),
    /// What is to be sealed contradicts itself.
    #[error("cannot be sealed: {0}")]
    Contradiction(&'static str),
    /// The statement or the seal is not one.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Why something sealed does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A key is not held (yet): keep what is sealed, and try again when keys have come.
    #[error("the key {0} is not held")]
    MissingKey(KeyId),
    /// It was altered, or sealed under other keys or with another content than it says.
    #[error("sealed bytes are damaged")]
    Damaged,
    /// An epoch's key is not the one that the log committed to.
    #[error("the key of epoch {} is not the one that the log names", .0.epoch)]
    WrongEpochKey(SpaceEpoch),
}

type AeadKey = [u8; 32];

/// Seals `plain` behind `prefix`, in memory that is taken at once: growing would leave plain text behind.
pub(crate) fn aead_seal(key: &AeadKey, aad: &[u8], prefix: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(prefix.len() + plain.len() + TAG_BYTES);
    out.extend_from_slice(prefix);
    out.extend_from_slice(plain);
    let (_, text) = out.split_at_mut(prefix.len());
    let tag = cipher(key)
        .seal_in_place_separate_tag(nonce(), Aad::from(aad), text)
        .expect("nothing that we seal reaches the cipher's 256 GiB");
    out.extend_from_slice(tag.as_ref());
    out
}

/// Opens what [`aead_seal`] made, without its prefix; `None` when key, additional data or a byte is another.
pub(crate) fn aead_open(key: &AeadKey, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(sealed.to_vec());
    let length = cipher(key).open_in_place(nonce(), Aad::from(aad), &mut text).ok()?.len();
    text.truncate(length);
    Some(text)
}

fn cipher(key: &AeadKey) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has the cipher's length"))
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}
