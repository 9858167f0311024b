//! Ids, limits, frames, record heads and governance entries of Thicket: bytes in, bytes out.
//!
//! This crate never reads a clock, opens a socket or decrypts a body: a sync server is built on it alone.
//!
//! A log begins with a genesis, and whoever has its entries knows who may do what:
//!
//! ```
//! use thicket_protocol::governance::{Act, Author, Entry, EpochTurn, NewSpace, SpaceKind};
//! use thicket_protocol::ids::{DeviceId, Hash, KeyId, MemberId, SpaceId};
//! use thicket_protocol::sign::Signer;
//! use thicket_protocol::team::Team;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let phone = Signer::from_seed(&[1; 32]);
//! let id = DeviceId::derive(&phone.public_key());
//! let (space, content_key) = (SpaceId::from_bytes([2; 16]), KeyId::from_bytes([3; 16]));
//! let (commit, vault) = (Hash::from_bytes([4; 32]), Hash::from_bytes([5; 32]));
//! let epoch = EpochTurn { space, epoch: 1, commit, content_key, vault, made_from: 0 };
//! let genesis = Act::Genesis {
//!     member: MemberId::from_bytes([6; 16]),
//!     device: phone.public_key(),
//!     roster: NewSpace { kind: SpaceKind::Roster, owner: None, epoch },
//!     nonce: Hash::from_bytes([7; 32]),
//! };
//! let mut team = Team::found(&Entry::genesis(genesis, id, &phone)?)?;
//!
//! let server = Signer::from_seed(&[8; 32]).public_key();
//! let names_server = Act::ServerKey { key: server };
//! team.may(id, &names_server)?;
//! let entry = Entry::next(team.id(), team.head(), Author::Device(id), names_server, &phone)?;
//! team.apply(&Entry::decode(entry.bytes())?)?;
//! assert_eq!(team.server_key(), Some(&server));
//! assert!(team.apply(&entry).is_err(), "an entry is applied once");
//! # Ok(())
//! # }
//! ```

pub mod address;
pub mod cbor;
pub mod frame;
pub mod governance;
pub mod ids;
pub mod keys;
pub mod limits;
pub mod record;
pub mod sign;
mod signed;
pub mod team;
pub mod words;

#[doc(hidden)]
pub use minicbor;
