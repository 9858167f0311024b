//! Values of core.db, sealed under the local key before SQLite sees them.

use thicket_protocol::cbor;
use thicket_protocol::limits::TAG_BYTES;
use zeroize::Zeroizing;

use super::{OpenError, aead_open, aead_seal};
use crate::entropy::Entropy;
use crate::secret::{LocalKey, derive};

const SALT_BYTES: usize = 16;

/// What sealing adds to a value: the salt and the tag.
pub const LOCAL_OVERHEAD_BYTES: usize = SALT_BYTES + TAG_BYTES;

/// Seals a value for one row of one table.
///
/// `salt (16) || AEAD(HKDF(salt, LK, "thicket/local/1" || table), AAD = CBOR [table, row])`: a value that is moved
/// to another row does not open. `row` is the primary key as the table's owner writes it.
pub fn seal_local(
    entropy: &mut dyn Entropy,
    key: &LocalKey,
    table: &str,
    row: &[u8],
    plain: &[u8],
) -> Vec<u8> {
    let salt: [u8; SALT_BYTES] = entropy.bytes();
    aead_seal(&derive_key(&salt, key, table), &aad(table, row), &salt, plain)
}

/// Opens a value that [`seal_local`] made for this row of this table.
///
/// Fails with [`OpenError::Damaged`]; SQLite's own damage and another local key look the same.
pub fn open_local(
    key: &LocalKey,
    table: &str,
    row: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (salt, sealed) = sealed.split_first_chunk::<SALT_BYTES>().ok_or(OpenError::Damaged)?;
    aead_open(&derive_key(salt, key, table), &aad(table, row), sealed).ok_or(OpenError::Damaged)
}

fn derive_key(salt: &[u8; SALT_BYTES], key: &LocalKey, table: &str) -> Zeroizing<[u8; 32]> {
    derive(salt, &[key.expose()], &[b"thicket/local/1", table.as_bytes()])
}

fn aad(table: &str, row: &[u8]) -> Vec<u8> {
    cbor::encode(&(table, minicbor::bytes::ByteVec::from(row.to_vec())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests index what they made")]

    use super::*;
    use crate::secret::tests::{Seeded, digits};

    fn key() -> LocalKey {
        LocalKey::from_bytes([7; 32])
    }

    #[test]
    fn a_sealed_value_is_frozen_and_opens() {
        let sealed = seal_local(&mut Seeded::new(1), &key(), "changes", b"row 1", b"a canary sings");
        insta::assert_snapshot!(digits(&sealed), @"ed06ce28487540c50202eb8f78cc019dfb3012efd3efc94a0842fbefbc1bbe24c64b0286912e31b2ac31cc4d2390");
        assert_eq!(sealed.len(), b"a canary sings".len() + LOCAL_OVERHEAD_BYTES);
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
        let opened = open_local(&key(), "changes", b"row 1", &sealed).expect("its own row");
        assert_eq!(opened.as_slice(), b"a canary sings");
    }

    #[test]
    fn a_value_opens_nowhere_but_in_its_row() {
        let sealed = seal_local(&mut Seeded::new(1), &key(), "changes", b"row 1", b"text");
        let other = LocalKey::from_bytes([8; 32]);
        assert!(open_local(&other, "changes", b"row 1", &sealed).is_err());
        assert!(open_local(&key(), "journal", b"row 1", &sealed).is_err());
        assert!(open_local(&key(), "changes", b"row 2", &sealed).is_err());
        assert!(open_local(&key(), "changesrow", b" 1", &sealed).is_err());
    }

    #[test]
    fn a_flipped_or_cut_value_is_refused() {
        let sealed = seal_local(&mut Seeded::new(1), &key(), "changes", b"row 1", b"text");
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert!(open_local(&key(), "changes", b"row 1", &flipped).is_err(), "byte {at}");
            assert!(open_local(&key(), "changes", b"row 1", &sealed[..at]).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn the_same_value_is_never_sealed_the_same_twice() {
        let mut entropy = Seeded::new(1);
        let first = seal_local(&mut entropy, &key(), "changes", b"row 1", b"text");
        assert_ne!(first, seal_local(&mut entropy, &key(), "changes", b"row 1", b"text"));
    }
}
