//! The sync server of Thicket: a blind relay. It orders governance entries, keys as they travel, and batches of records
//! for each team, judges who may put and fetch what, and can open none of it.
//!
//! [`ServerSession`] is one connection without its socket: frames in, frames out, over a [`Store`]. [`Server`] puts
//! sockets around it.

pub mod limits;
mod server;
mod session;
mod store;

pub use server::{Config, Running, Server, StartError};
pub use session::{Hint, Readers, ServerSession};
pub use store::{Kept, SpaceState, Store, StoreError};
