//! Deterministic CBOR (RFC 8949, section 4.2.1), checked before anything is decoded.
//!
//! minicbor is lenient: it takes long integers, indefinite lengths, unsorted and doubled keys, and bytes behind
//! the end. So a walker goes first and lets only one encoding of each value through. What was received is kept
//! as received and never encoded again, so keys that this version does not know survive.

use minicbor::{Decode, Decoder, Encode};

/// How deep arrays and maps may nest.
pub const DEPTH_MAX: usize = 16;

/// Why bytes are not the canonical encoding of the type that was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CborError {
    /// The bytes end before the value does.
    #[error("cbor ends too early")]
    Short,
    /// More bytes stand behind the value.
    #[error("bytes behind the end of a cbor value")]
    Trailing,
    /// A length or integer is written longer than it need be, or of a form that is never used.
    #[error("cbor is not in its one canonical form at byte {at}")]
    NotCanonical {
        /// Where.
        at: usize,
    },
    /// Arrays or maps nest deeper than [`DEPTH_MAX`].
    #[error("cbor nests too deep")]
    TooDeep,
    /// Canonical, but not a value of this type.
    #[error("cbor of another shape: {0}")]
    Shape(#[from] minicbor::decode::Error),
}

/// Encodes a value whose derive writes canonical CBOR: definite lengths, integer keys in ascending order.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing to memory cannot fail")
}

/// Decodes bytes that are the canonical encoding of one value, and nothing else.
pub fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, CborError> {
    check(bytes)?;
    Ok(minicbor::decode(bytes)?)
}

/// Decodes an envelope: the canonical encoding of an array of exactly `parts` values.
///
/// The derive passes over values behind those that it knows, and no signature covers what stands in an envelope
/// beside the bytes that it carries.
pub fn decode_envelope<'b, T: Decode<'b, ()>>(bytes: &'b [u8], parts: u64) -> Result<T, CborError> {
    check(bytes)?;
    if Decoder::new(bytes).array()? != Some(parts) {
        return Err(minicbor::decode::Error::message("an envelope has another number of parts").into());
    }
    Ok(minicbor::decode(bytes)?)
}

/// Checks that `bytes` are one canonical value: minimal integers, map keys unsigned, ascending and unique,
/// definite lengths, valid UTF-8, no tags, floats or undefined, nothing behind the end.
pub fn check(bytes: &[u8]) -> Result<(), CborError> {
    let mut walker = Walker { bytes, at: 0 };
    walker.value(DEPTH_MAX)?;
    if walker.at == bytes.len() { Ok(()) } else { Err(CborError::Trailing) }
}

struct Walker<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Walker<'b> {
    fn take(&mut self, length: u64) -> Result<&'b [u8], CborError> {
        let length = usize::try_from(length).map_err(|_| CborError::Short)?;
        let end = self.at.checked_add(length).ok_or(CborError::Short)?;
        let taken = self.bytes.get(self.at..end).ok_or(CborError::Short)?;
        self.at = end;
        Ok(taken)
    }

    /// Reads a head: major type and argument, refusing every argument longer than it need be.
    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let at = self.at;
        let first = self.take(1)?.first().copied().ok_or(CborError::Short)?;
        let (major, short) = (first >> 5, first & 0x1f);
        let (argument, least) = match short {
            0..=23 => return Ok((major, u64::from(short))),
            24 => (self.number(1)?, 24),
            25 => (self.number(2)?, 1 << 8),
            26 => (self.number(4)?, 1 << 16),
            27 => (self.number(8)?, 1 << 32),
            _ => return Err(CborError::NotCanonical { at }),
        };
        if argument < least || major == 7 {
            return Err(CborError::NotCanonical { at });
        }
        Ok((major, argument))
    }

    fn number(&mut self, length: u64) -> Result<u64, CborError> {
        Ok(self.take(length)?.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
    }

    fn value(&mut self, depth: usize) -> Result<(), CborError> {
        let at = self.at;
        let depth = depth.checked_sub(1).ok_or(CborError::TooDeep)?;
        match self.head()? {
            (0 | 1, _) => Ok(()),
            (2, length) => self.take(length).map(|_| ()),
            (3, length) => {
                let text = self.take(length)?;
                std::str::from_utf8(text).map(|_| ()).map_err(|_| CborError::NotCanonical { at })
            }
            (4, length) => (0..length).try_for_each(|_| self.value(depth)),
            (5, length) => {
                let mut before = None;
                (0..length).try_for_each(|_| {
                    let at = self.at;
                    match self.head()? {
                        (0, key) if before.is_none_or(|before| before < key) => before = Some(key),
                        _ => return Err(CborError::NotCanonical { at }),
                    }
                    self.value(depth)
                })
            }
            // false, true and null are the only simple values in use.
            (7, 20..=22) => Ok(()),
            _ => Err(CborError::NotCanonical { at }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(bytes: &[u8]) {
        assert!(check(bytes).is_err(), "{bytes:02x?}");
    }

    #[test]
    fn one_value_has_one_encoding() {
        for canonical in [&[0x17][..], &[0x18, 0x18], &[0x82, 0x01, 0xf6], &[0xa2, 0x00, 0x01, 0x01, 0x40]] {
            check(canonical).expect("canonical");
        }
        refused(&[]);
        refused(&[0x18, 0x17]); // 23 in two bytes
        refused(&[0x19, 0x00, 0xff]); // 255 in three
        refused(&[0x5f, 0x40, 0xff]); // indefinite bytes
        refused(&[0x9f, 0xff]); // indefinite array
        refused(&[0xa2, 0x01, 0x00, 0x00, 0x00]); // keys unsorted
        refused(&[0xa2, 0x01, 0x00, 0x01, 0x00]); // a key twice
        refused(&[0xa1, 0x61, 0x61, 0x00]); // a text key
        refused(&[0xc0, 0x00]); // a tag
        refused(&[0xf9, 0x00, 0x00]); // a float
        refused(&[0xf7]); // undefined
        refused(&[0xf8, 0x14]); // false in two bytes
        refused(&[0x61, 0xff]); // not UTF-8
        refused(&[0x00, 0x00]); // bytes behind the end
        refused(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]); // a length nobody can hold
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| [vec![0x81; depth - 1], vec![0x00]].concat();
        check(&nested(DEPTH_MAX)).expect("at the limit");
        assert!(matches!(check(&nested(DEPTH_MAX + 1)), Err(CborError::TooDeep)));
    }
}
