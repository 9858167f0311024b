//! The sync server.
pub mod store;
