//! Ids, limits, frames, record heads and governance entries of Thicket.
pub mod cbor;
pub mod ids;
pub mod sign;
pub use minicbor;
