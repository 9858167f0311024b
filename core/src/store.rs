//! The two databases of a home: core.db, which must not be lost, and derived.db, which can always be made again.
//!
//! Both are SQLCipher files with raw keys out of the ring; no promise about core.db rests on that: its values are sealed
//! under the local key before SQLite sees them, unless they are sealed or meant to be clear already.
//! Functions that write take a [`rusqlite::Transaction`]: whoever calls decides what stands or falls together.

pub(crate) mod core_db;
pub(crate) mod derived_db;
mod error;
mod file;
#[cfg(test)]
mod file_tests;
mod statements;
mod wal;

pub use self::error::StoreError;
pub use self::file::{CORE_FILE, DERIVED_FILE, HomeLock, LOCK_FILE};
pub(crate) use self::file::{Database, Durability};
