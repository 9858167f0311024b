//! What people type: the address of a server, and the code of an invite.

use std::fmt;
use std::str::FromStr;

use crate::frame::TeamPrefix;
use crate::ids::PublicKey;

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

/// The text is not a server's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a server's address: thicket://HOST:PORT/KEY is wanted, as the server prints it")]
pub struct ParseAddressError;

impl FromStr for ServerAddress {
    type Err = ParseAddressError;

    fn from_str(_text: &str) -> Result<Self, ParseAddressError> {
        todo!()
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
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
        todo!()
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

impl FromStr for InviteCode {
    type Err = ParseInviteError;

    fn from_str(_text: &str) -> Result<Self, ParseInviteError> {
        todo!()
    }
}

impl fmt::Display for InviteCode {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl fmt::Debug for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteCode(…)")
    }
}
