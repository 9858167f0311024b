//! A connection to a server whose key is pinned: frames out, frames in.

use thicket_protocol::address::ServerAddress;

use crate::{ClientError, Limits};

/// A connection with its one stream.
#[derive(Debug)]
pub struct Link {}

/// Connects to a server and makes sure that it holds the key of its address.
///
/// # Errors
/// [`ClientError::Unreachable`], [`ClientError::WrongServerKey`], [`ClientError::OtherProtocol`].
pub async fn connect(address: &ServerAddress, limits: &Limits) -> Result<Link, ClientError> {
    todo!()
}
