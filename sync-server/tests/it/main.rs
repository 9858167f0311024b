//! What the server promises: its store through crashes, its rules against hostile peers, its sockets.
#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

mod admission;
mod fixture;
mod hostile;
mod keys;
mod records;
mod sockets;
mod store;
