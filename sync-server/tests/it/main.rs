//! What the server promises: its store through crashes, its rules against hostile peers, its sockets.
#![allow(clippy::indexing_slicing, reason = "tests index what they made")]
#![allow(clippy::wildcard_enum_match_arm, reason = "every answer but the awaited one fails a test alike")]

mod admission;
mod fixture;
mod hostile;
mod keys;
mod process;
mod records;
mod sockets;
mod store;
mod wire;
