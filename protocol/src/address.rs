//! What people type: the address of a server, and the code of an invite.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::frame::TeamPrefix;
use crate::ids::PublicKey;
use crate::limits::HOST_BYTES_MAX;
use crate::sign;

/// Where a server is and which key it proves: `thicket://HOST:PORT/KEY`, the key in base32 (RFC 4648, lower case, no
/// padding).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub host: String,
    /// The UDP port.
    pub port: u16,
    /// The server's Ed25519 key.
    pub key: PublicKey,
}

impl ServerAddress {
    /// Takes the parts of an address, if the host is one and the port is not 0.
    pub fn from_parts(host: &str, port: u16, key: PublicKey) -> Result<Self, ParseAddressError> {
        if port == 0 || !is_host(host) {
            return Err(ParseAddressError);
        }
        Ok(Self { host: host.to_owned(), port, key })
    }
}

/// The text is not a server's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a server's address: thicket://HOST:PORT/KEY is wanted, as the server prints it")]
pub struct ParseAddressError;

impl FromStr for ServerAddress {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        let rest = text.strip_prefix("thicket://").ok_or(ParseAddressError)?;
        let (place, key) = rest.split_once('/').ok_or(ParseAddressError)?;
        let (host, port_text) = place.rsplit_once(':').ok_or(ParseAddressError)?;
        let port: u16 = port_text.parse().map_err(|_| ParseAddressError)?;
        // One address has one spelling: no sign, no leading zeros, and no bits behind the key.
        if port.to_string() != port_text {
            return Err(ParseAddressError);
        }
        let values: Option<Vec<u8>> = key.bytes().map(|symbol| value_in(RFC_4648, symbol)).collect();
        let (bytes, clean) = from_base32(&values.ok_or(ParseAddressError)?).ok_or(ParseAddressError)?;
        let key = PublicKey::from_slice(&bytes).filter(|_| clean).ok_or(ParseAddressError)?;
        Self::from_parts(host, port, key)
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = to_base32(RFC_4648, self.key.as_bytes());
        write!(f, "thicket://{}:{}/{key}", self.host, self.port)
    }
}

/// What lets one device into a team: version, secret, team, server, checksum, in groups that can be read aloud.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteCode {
    /// 16 secret bytes, of which the invite's Ed25519 seed is derived: H("thicket/invite/1", secret).
    pub secret: [u8; 16],
    /// The team.
    pub team: TeamPrefix,
    /// Where it syncs.
    pub server: ServerAddress,
}

impl InviteCode {
    /// Derives the seed of the invite's key.
    pub fn seed(&self) -> [u8; 32] {
        *sign::hash("thicket/invite/1", &[&self.secret]).as_bytes()
    }
}

/// Why a text is not an invite's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseInviteError {
    /// A character that no code has, or of another length.
    #[error("not an invite's code")]
    Shape,
    /// Its checksum is another: it was mistyped.
    #[error("the invite's code was mistyped")]
    Checksum,
    /// A version of a later Thicket.
    #[error("an invite's code of version {0}: this Thicket is too old for it")]
    Version(u8),
}

/// The version of the code's form.
const CODE_VERSION: u8 = 1;
/// Version, secret, team, key and port.
const CODE_FIXED_BYTES: usize = 1 + 16 + TeamPrefix::LEN + PublicKey::LEN + 2;
const CODE_CHECKSUM_BYTES: usize = 4;
/// Symbols that are read aloud in one breath.
const CODE_GROUP: usize = 5;

impl FromStr for InviteCode {
    type Err = ParseInviteError;

    /// Reads a code as people type it: hyphens and white space go anywhere, case does not matter, O is read as 0, I and
    /// L as 1.
    fn from_str(text: &str) -> Result<Self, ParseInviteError> {
        let typed = text.chars().filter(|typed| *typed != '-' && !typed.is_whitespace());
        let values: Option<Vec<u8>> = typed.map(|typed| value_in(READ_ALOUD, as_meant(typed)?)).collect();
        let (bytes, clean) = values.and_then(|values| from_base32(&values)).ok_or(ParseInviteError::Shape)?;
        let (said, sum) = bytes.split_last_chunk::<CODE_CHECKSUM_BYTES>().ok_or(ParseInviteError::Shape)?;
        if !clean || checksum(said) != *sum {
            let whole = said.len() > CODE_FIXED_BYTES;
            return Err(if whole { ParseInviteError::Checksum } else { ParseInviteError::Shape });
        }
        match said.first() {
            Some(&CODE_VERSION) => Self::from_said(said).ok_or(ParseInviteError::Shape),
            Some(later) => Err(ParseInviteError::Version(*later)),
            None => Err(ParseInviteError::Shape),
        }
    }
}

impl InviteCode {
    /// Takes apart what stands before the checksum.
    fn from_said(said: &[u8]) -> Option<Self> {
        let (_version, rest) = said.split_first()?;
        let (secret, rest) = rest.split_first_chunk::<16>()?;
        let (team, rest) = rest.split_first_chunk()?;
        let (key, rest) = rest.split_first_chunk()?;
        let (port, host) = rest.split_first_chunk()?;
        let (host, key) = (std::str::from_utf8(host).ok()?, PublicKey::from_bytes(*key));
        let server = ServerAddress::from_parts(host, u16::from_be_bytes(*port), key).ok()?;
        Some(Self { secret: *secret, team: TeamPrefix::from_bytes(*team), server })
    }
}

impl fmt::Display for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (team, server) = (self.team.as_bytes(), &self.server);
        let port = server.port.to_be_bytes();
        let said =
            [&[CODE_VERSION], &self.secret[..], team, server.key.as_bytes(), &port, server.host.as_bytes()]
                .concat();
        let code = to_base32(READ_ALOUD, &[said.as_slice(), &checksum(&said)].concat());
        code.char_indices().try_for_each(|(at, symbol)| {
            let hyphen = if at > 0 && at.is_multiple_of(CODE_GROUP) { "-" } else { "" };
            write!(f, "{hyphen}{symbol}")
        })
    }
}

impl fmt::Debug for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteCode(…)")
    }
}

fn checksum(said: &[u8]) -> [u8; CODE_CHECKSUM_BYTES] {
    let hash = sign::hash("thicket/invite-code/1", &[said]);
    *hash.as_bytes().first_chunk().expect("a hash is longer than a checksum")
}

/// Says whether this is a DNS name (RFC 1123, section 2.1), an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    if let Some(inside) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return inside.parse::<Ipv6Addr>().is_ok();
    }
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A name never ends with a number: what does is an IPv4 address, or a mistyped one.
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit());
    host.len() <= HOST_BYTES_MAX
        && host.split('.').all(label_fits)
        && (!numeric || host.parse::<Ipv4Addr>().is_ok())
}

/// RFC 4648, section 6, in lower case.
const RFC_4648: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// The digits and letters of Crockford's base 32: without I, L, O and U, which are misread or misheard.
const READ_ALOUD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn as_meant(typed: char) -> Option<u8> {
    match u8::try_from(typed).ok()?.to_ascii_lowercase() {
        b'o' => Some(b'0'),
        b'i' | b'l' => Some(b'1'),
        symbol => Some(symbol),
    }
}

fn value_in(alphabet: &[u8; 32], symbol: u8) -> Option<u8> {
    (0..32).zip(alphabet).find(|(_, known)| **known == symbol).map(|(value, _)| value)
}

fn to_base32(alphabet: &[u8; 32], bytes: &[u8]) -> String {
    let group = |five: &[u8]| {
        let bits = (0..5).fold(0_u64, |bits, at| (bits << 8) | u64::from(five.get(at).copied().unwrap_or(0)));
        let symbols = (five.len() * 8).div_ceil(5);
        (0..8).map(move |at| bits >> (35 - 5 * at) & 0x1f).take(symbols)
    };
    let symbol = |value: u64| {
        let at = usize::try_from(value).expect("five bits");
        char::from(*alphabet.get(at).expect("five bits have 32 values"))
    };
    bytes.chunks(5).flat_map(group).map(symbol).collect()
}

/// Puts symbols' values together, and says whether the bits behind the last byte are zero. No whole number of bytes has
/// this many symbols: `None`.
fn from_base32(values: &[u8]) -> Option<(Vec<u8>, bool)> {
    if values.len() * 5 % 8 >= 5 {
        return None;
    }
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(values.len() * 5 / 8), 0_u16, 0_u8);
    for value in values {
        bits = (bits << 5) | u16::from(*value);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count).ok()?);
            bits &= (1 << count) - 1;
        }
    }
    Some((bytes, bits == 0))
}
