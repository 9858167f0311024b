//! Names of things that travel: fixed-width byte strings, one type a meaning.

/// Declares a fixed-width byte-string newtype with hex display, parsing and CBOR as a byte string.
///
/// `id_type!(pub struct TeamId[32], "…one sentence of meaning…");`
#[macro_export]
macro_rules! id_type {
    ($(#[$attr:meta])* pub struct $name:ident[$len:literal]) => {
        $(#[$attr])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Takes the bytes as they are.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// Takes a slice of exactly the right length, and nothing else.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// Shows the bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}(", stringify!($name))?;
                self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("…)")
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::ids::ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let bytes = $crate::ids::parse_hex(text)?;
                Self::from_slice(&bytes).ok_or($crate::ids::ParseIdError)
            }
        }

        impl<C> $crate::minicbor::Encode<C> for $name {
            fn encode<W: $crate::minicbor::encode::Write>(
                &self,
                e: &mut $crate::minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), $crate::minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> $crate::minicbor::Decode<'b, C> for $name {
            fn decode(
                d: &mut $crate::minicbor::Decoder<'b>,
                _: &mut C,
            ) -> Result<Self, $crate::minicbor::decode::Error> {
                let at = d.position();
                Self::from_slice(d.bytes()?).ok_or_else(|| {
                    $crate::minicbor::decode::Error::message(concat!(stringify!($name), " has another length"))
                        .at(at)
                })
            }
        }
    };
}

/// The text is not the hexadecimal form of an id of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: hexadecimal digits of the full length are wanted")]
pub struct ParseIdError;

/// Reads hexadecimal digits, two a byte.
#[doc(hidden)]
pub fn parse_hex(text: &str) -> Result<Vec<u8>, ParseIdError> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return Err(ParseIdError);
    }
    digits
        .chunks_exact(2)
        .map(|pair| {
            let digit = |byte: &u8| char::from(*byte).to_digit(16);
            let byte = pair.iter().try_fold(0, |sum, byte| digit(byte).map(|digit| sum * 16 + digit));
            byte.and_then(|byte| u8::try_from(byte).ok()).ok_or(ParseIdError)
        })
        .collect()
}

id_type! {
    /// Names a team: the hash of its genesis entry.
    pub struct TeamId[32]
}
id_type! {
    /// Names a person in a team.
    pub struct MemberId[16]
}
id_type! {
    /// Names one phone or laptop of a member: the first 16 bytes of the hash of its identity key.
    pub struct DeviceId[16]
}
id_type! {
    /// Names one study or one service caseload.
    pub struct NotebookId[16]
}
id_type! {
    /// Names the unit of sync, of membership and of keys.
    pub struct SpaceId[16]
}
id_type! {
    /// Names a secret key in a vault: the first 16 bytes of its hash.
    pub struct KeyId[16]
}
id_type! {
    /// Names the document that an item belongs to, without saying which; for a note it equals the id of the
    /// generation's note key, for an event without people it is 16 zero bytes.
    pub struct DocTag[16]
}
id_type! {
    /// Names one life of a server's data: a restore starts another.
    pub struct Incarnation[16]
}
id_type! {
    /// A SHA-256 hash over domain-separated bytes.
    pub struct Hash[32]
}
id_type! {
    /// Random bytes of which every key of a batch is derived.
    pub struct Salt[16]
}
id_type! {
    /// An Ed25519 public key (RFC 8032).
    pub struct PublicKey[32]
}
id_type! {
    /// An Ed25519 signature (RFC 8032).
    pub struct Signature[64]
}

impl DocTag {
    /// The tag of events that rest on the content key alone.
    pub const EVENT: Self = Self::from_bytes([0; 16]);
}

impl Hash {
    /// What stands before the first of a chain.
    pub const ZERO: Self = Self::from_bytes([0; 32]);

    /// The first 16 bytes, where a hash serves as a name.
    pub fn first_16(&self) -> [u8; 16] {
        *self.as_bytes().first_chunk().expect("a hash is longer than 16 bytes")
    }
}

impl From<KeyId> for DocTag {
    fn from(id: KeyId) -> Self {
        Self::from_bytes(*id.as_bytes())
    }
}

impl From<DocTag> for KeyId {
    fn from(tag: DocTag) -> Self {
        Self::from_bytes(*tag.as_bytes())
    }
}

impl DeviceId {
    /// Derives the device's name from its identity key: H("thicket/device/1" || key), first 16 bytes.
    pub fn derive(key: &PublicKey) -> Self {
        Self::from_bytes(crate::sign::hash("thicket/device/1", &[key.as_bytes()]).first_16())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_hexadecimal_form_and_from_nothing_else() {
        let id = MemberId::from_bytes(*b"0123456789abcdef");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "00", "zz", &format!("{id}0"), &format!("{id}00"), "é"] {
            assert_eq!(wrong.parse::<MemberId>(), Err(ParseIdError), "{wrong}");
        }
    }
}
