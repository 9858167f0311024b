//! The plaintext of a sealed note body: what the note says, and the changes of its document.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use minicbor::{Decode, Encode};
use thicket_protocol::cbor::{self, CborError};
use thicket_protocol::ids::Hash;

use crate::ids::GenerationId;
use crate::view::{EncodedView, Heads};

/// How many bytes a body may have once inflated.
pub const INFLATED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How the document of a body travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The changes since the base.
    Changes(Vec<Vec<u8>>),
    /// The whole document.
    Full(Vec<u8>),
}

/// When a change was made, which the document does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct CommitTime {
    /// The change.
    #[n(0)]
    pub change: Hash,
    /// Milliseconds since 1970 began, in UTC.
    #[n(1)]
    pub at_ms: i64,
    /// The author's offset from UTC then, in minutes.
    #[n(2)]
    pub zone_minutes: i16,
}

/// The plaintext of a sealed note body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteBody {
    /// What the note says after these changes.
    pub view: EncodedView,
    /// The document.
    pub document: GenerationId,
    /// Every head that the changes supersede.
    pub base: Heads,
    /// The heads after them.
    pub result: Heads,
    /// The changes, or the whole.
    pub content: Content,
    /// When the changes in it were made.
    pub commits: Vec<CommitTime>,
}

/// The form on the wire: {0: view, 1: document, 2: base, 3: result, 4: changes | 5: full, 6: commits}.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Written {
    #[n(0)]
    view: EncodedView,
    #[n(1)]
    document: GenerationId,
    #[n(2)]
    base: Heads,
    #[n(3)]
    result: Heads,
    #[n(4)]
    changes: Option<Vec<minicbor::bytes::ByteVec>>,
    #[n(5)]
    full: Option<minicbor::bytes::ByteVec>,
    #[n(6)]
    commits: Vec<CommitTime>,
}

/// Why bytes are not a note body.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The padding is not the one that the length asks for, or not of zeros.
    #[error("note body with wrong padding")]
    Padding,
    /// The bytes do not inflate.
    #[error("note body does not inflate")]
    Inflate(#[source] std::io::Error),
    /// The body has more than [`INFLATED_BYTES_MAX`] bytes.
    #[error("note body inflates to more than {INFLATED_BYTES_MAX} bytes")]
    TooLong,
    /// The bytes are not the CBOR of a note body.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// It holds both changes and the whole document, or neither.
    #[error("note body must hold either changes or the whole document")]
    Content,
}

impl NoteBody {
    /// Writes the body: the length of what follows as u32 in little endian, raw DEFLATE (level 6) of the CBOR, and
    /// zeros up to [`bucket`].
    pub fn encode_padded(&self) -> Vec<u8> {
        let (changes, full) = match &self.content {
            Content::Changes(changes) => (Some(changes.iter().cloned().map(Into::into).collect()), None),
            Content::Full(full) => (None, Some(full.clone().into())),
        };
        let written = Written {
            view: self.view.clone(),
            document: self.document,
            base: self.base.clone(),
            result: self.result.clone(),
            changes,
            full,
            commits: self.commits.clone(),
        };
        let mut deflater = DeflateEncoder::new(vec![0; 4], Compression::new(6));
        deflater.write_all(&cbor::encode(&written)).expect("writing to memory cannot fail");
        let mut bytes = deflater.finish().expect("writing to memory cannot fail");
        let length = u32::try_from(bytes.len() - 4).expect("a body has far fewer than 2^32 bytes");
        bytes.iter_mut().zip(length.to_le_bytes()).for_each(|(to, from)| *to = from);
        bytes.resize(bucket(bytes.len()), 0);
        bytes
    }

    /// Reads a body of at most [`INFLATED_BYTES_MAX`] bytes; no more than that is ever inflated.
    pub fn decode_padded(bytes: &[u8]) -> Result<Self, BodyError> {
        let inflated = inflate(bytes, INFLATED_BYTES_MAX)?;
        let written: Written = cbor::decode(&inflated)?;
        let content = match (written.changes, written.full) {
            (Some(changes), None) => Content::Changes(changes.into_iter().map(Into::into).collect()),
            (None, Some(full)) => Content::Full(full.into()),
            (Some(_), Some(_)) | (None, None) => return Err(BodyError::Content),
        };
        let Written { view, document, base, result, commits, .. } = written;
        Ok(Self { view, document, base, result, content, commits })
    }
}

/// Takes padding and compression off, and refuses what would inflate to more than `limit` bytes.
fn inflate(bytes: &[u8], limit: usize) -> Result<Vec<u8>, BodyError> {
    let (length, rest) = bytes.split_first_chunk().ok_or(BodyError::Padding)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| BodyError::Padding)?;
    let (deflated, padding) = rest.split_at_checked(length).ok_or(BodyError::Padding)?;
    if bytes.len() != bucket(4 + length) || padding.iter().any(|byte| *byte != 0) {
        return Err(BodyError::Padding);
    }
    let mut inflater = DeflateDecoder::new(deflated);
    let mut inflated = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    inflater.by_ref().take(most).read_to_end(&mut inflated).map_err(BodyError::Inflate)?;
    if inflated.len() > limit {
        return Err(BodyError::TooLong);
    }
    // Bytes behind the end of the stream would be a second way to write the same body.
    if inflater.total_in() != u64::try_from(length).unwrap_or(u64::MAX) {
        Err(BodyError::Padding)
    } else {
        Ok(inflated)
    }
}

/// The size that a body of so many bytes is padded to: multiples of 64 up to 1 kB, of 128 up to 4 kB, above it Padmé
/// (K. Nikitin and others, "Reducing Metadata Leakage from Encrypted Files", PETS 2019). It adds at most 127 bytes
/// up to 4 kB, which is 3 % in the mean and 6 % at worst at 2 kB, and at most 6.25 % above.
pub const fn bucket(bytes: usize) -> usize {
    let step = match bytes {
        0..=1024 => 64,
        1025..=4096 => 128,
        _ => {
            let exponent = bytes.ilog2();
            1 << (exponent - (exponent.ilog2() + 1))
        }
    };
    bytes.next_multiple_of(step)
}

/// Pads what travels uncompressed (a signed object): its length as u32 in little endian, the bytes, and zeros up to
/// [`bucket`].
pub fn pad(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("an object has far fewer than 2^32 bytes");
    let mut padded = Vec::with_capacity(bucket(4 + bytes.len()));
    padded.extend_from_slice(&length.to_le_bytes());
    padded.extend_from_slice(bytes);
    padded.resize(bucket(4 + bytes.len()), 0);
    padded
}

/// Takes off what [`pad`] puts on; anything else is refused.
pub fn unpad(padded: &[u8]) -> Result<&[u8], BodyError> {
    let (length, rest) = padded.split_first_chunk().ok_or(BodyError::Padding)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| BodyError::Padding)?;
    let (bytes, zeros) = rest.split_at_checked(length).ok_or(BodyError::Padding)?;
    let is_padding = padded.len() == bucket(4 + length) && zeros.iter().all(|byte| *byte == 0);
    if is_padding { Ok(bytes) } else { Err(BodyError::Padding) }
}

/// The heads of a document from all opened bodies of its generation, each with its base and its result: the union of
/// the results without every base that was superseded. The order of the bodies does not matter.
pub fn combine_heads<'h>(bodies: impl IntoIterator<Item = (&'h Heads, &'h Heads)>) -> Heads {
    let mut heads = Heads::new();
    let mut superseded = Heads::new();
    for (base, result) in bodies {
        heads.extend(result);
        superseded.extend(base.difference(result));
    }
    heads.retain(|head| !superseded.contains(head));
    heads
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::view::tests::{hash, hex, view};

    fn body(content: Content) -> NoteBody {
        NoteBody {
            view: EncodedView::of(&view()),
            document: GenerationId::from_bytes([6; 16]),
            base: Heads::from([hash(7)]),
            result: Heads::from([hash(8), hash(9)]),
            content,
            commits: vec![CommitTime { change: hash(8), at_ms: -1, zone_minutes: -60 }],
        }
    }

    #[test]
    fn a_body_is_written_as_it_always_was() {
        for (name, content) in [
            ("changes", Content::Changes(vec![b"one".to_vec(), b"two".to_vec()])),
            ("full", Content::Full(b"whole".to_vec())),
        ] {
            let body = body(content);
            let bytes = body.encode_padded();
            assert_eq!(NoteBody::decode_padded(&bytes).expect("as written"), body);
            // The deflated form may change with the compressor; what it inflates to may not.
            insta::assert_snapshot!(name, hex(&inflate(&bytes, INFLATED_BYTES_MAX).expect("as written")));
        }
    }

    #[test]
    fn padding_hides_the_size_for_six_percent() {
        for bytes in 1..300_000usize {
            let padded = bucket(bytes);
            assert!(padded >= bytes && bucket(padded) == padded);
            let allowed = if bytes <= 1024 { 63 } else { bytes.div_ceil(8) };
            assert!(padded - bytes <= allowed, "{bytes}");
            assert!(bytes < 1920 || (padded - bytes) * 100 <= bytes * 7, "{bytes}");
        }
    }

    #[test]
    fn only_padding_as_written_is_taken_off() {
        for length in [0, 1, 59, 60, 61, 1020, 1021, 5000] {
            let bytes = vec![7; length];
            let padded = pad(&bytes);
            assert_eq!(unpad(&padded).expect("as written"), bytes);
            assert!(unpad(padded.get(1..).expect("not empty")).is_err(), "{length}");
            assert!(unpad(&[padded.clone(), vec![0; 64]].concat()).is_err(), "{length}");
            let mut marked = padded;
            if bucket(4 + length) > 4 + length {
                *marked.last_mut().expect("not empty") = 1;
                assert!(unpad(&marked).is_err(), "{length}");
            }
        }
        assert!(unpad(&[0xff; 64]).is_err());
        assert!(unpad(&[]).is_err());
    }

    #[test]
    fn every_other_byte_string_is_refused_without_panic() {
        let bytes = body(Content::Full(vec![7; 100])).encode_padded();
        for at in 0..bytes.len() {
            assert!(NoteBody::decode_padded(bytes.get(..at).expect("shorter")).is_err());
            for bit in 0..8 {
                let mut broken = bytes.clone();
                broken.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
                if let Ok(read) = NoteBody::decode_padded(&broken) {
                    let _ = read.view.open();
                }
            }
        }
        assert!(matches!(NoteBody::decode_padded(&[bytes, vec![0; 64]].concat()), Err(BodyError::Padding)));
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let padded = |plain: &[u8]| {
            let mut deflater = DeflateEncoder::new(Vec::new(), Compression::best());
            deflater.write_all(plain).expect("memory");
            let deflated = deflater.finish().expect("memory");
            let length = u32::try_from(deflated.len()).expect("small").to_le_bytes();
            let mut bytes = [&length[..], &deflated].concat();
            bytes.resize(bucket(bytes.len()), 0);
            bytes
        };
        let zeros = vec![0; INFLATED_BYTES_MAX + 1];
        let at_limit = zeros.get(1..).expect("one less");
        assert!(inflate(&padded(at_limit), INFLATED_BYTES_MAX).is_ok());
        assert!(matches!(inflate(&padded(&zeros), INFLATED_BYTES_MAX), Err(BodyError::TooLong)));
        let mut hundredfold = padded(&vec![0; 100 * INFLATED_BYTES_MAX]);
        assert!(matches!(NoteBody::decode_padded(&hundredfold), Err(BodyError::TooLong)));
        hundredfold.truncate(64);
        assert!(matches!(NoteBody::decode_padded(&hundredfold), Err(BodyError::Padding)));
    }

    #[test]
    fn a_body_with_both_contents_or_none_is_refused() {
        let written = |changes: Option<Vec<minicbor::bytes::ByteVec>>,
                       full: Option<minicbor::bytes::ByteVec>| {
            let view = EncodedView::of(&view());
            let document = GenerationId::from_bytes([6; 16]);
            let (base, result, commits) = (Heads::new(), Heads::new(), Vec::new());
            let plain = cbor::encode(&Written { view, document, base, result, changes, full, commits });
            let mut deflater = DeflateEncoder::new(vec![0; 4], Compression::new(6));
            deflater.write_all(&plain).expect("memory");
            let mut bytes = deflater.finish().expect("memory");
            let length = u32::try_from(bytes.len() - 4).expect("small");
            bytes.splice(0..4, length.to_le_bytes());
            bytes.resize(bucket(bytes.len()), 0);
            NoteBody::decode_padded(&bytes)
        };
        assert!(written(Some(Vec::new()), None).is_ok());
        assert!(matches!(written(Some(Vec::new()), Some(vec![1].into())), Err(BodyError::Content)));
        assert!(matches!(written(None, None), Err(BodyError::Content)));
    }

    #[test]
    fn heads_are_what_nobody_went_on_from() {
        let heads = |bytes: &[u8]| bytes.iter().map(|byte| hash(*byte)).collect::<Heads>();
        let bodies = [(heads(&[]), heads(&[1])), (heads(&[1]), heads(&[2])), (heads(&[1]), heads(&[3]))];
        let combined =
            |bodies: &[(Heads, Heads)]| combine_heads(bodies.iter().map(|(base, result)| (base, result)));
        assert_eq!(combined(&bodies), heads(&[2, 3]));
        let merged = [bodies.to_vec(), vec![(heads(&[2, 3]), heads(&[4]))]].concat();
        assert_eq!(combined(&merged), heads(&[4]));
        // A full save that changes nothing supersedes nothing that it keeps.
        assert_eq!(combined(&[(heads(&[5]), heads(&[5]))]), heads(&[5]));
    }

    proptest! {
        #[test]
        fn heads_do_not_depend_on_the_order_of_bodies(
            bodies in prop::collection::vec((prop::collection::btree_set(0u8..12, 0..4), prop::collection::btree_set(0u8..12, 0..4)), 0..12),
            turn in 0usize..12,
        ) {
            let heads = |bytes: &BTreeSet<u8>| bytes.iter().map(|byte| hash(*byte)).collect::<Heads>();
            let mut bodies: Vec<(Heads, Heads)> = bodies.iter().map(|(base, result)| (heads(base), heads(result))).collect();
            let combined = |bodies: &[(Heads, Heads)]| combine_heads(bodies.iter().map(|(base, result)| (base, result)));
            let before = combined(&bodies);
            let middle = turn.min(bodies.len());
            bodies.rotate_left(middle);
            prop_assert_eq!(&combined(&bodies), &before);
            bodies.reverse();
            bodies.extend_from_within(..);
            prop_assert_eq!(combined(&bodies), before);
        }
    }
}
