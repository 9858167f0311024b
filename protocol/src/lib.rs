//! Ids, limits, frames, record heads and governance entries of Thicket: bytes in, bytes out.
//!
//! This crate never reads a clock, opens a socket or decrypts a body: a sync server is built on it alone.

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
