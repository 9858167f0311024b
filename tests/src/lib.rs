//! What the tests of Thicket share: the simulator of devices, a server and the network between them, and what speed is
//! measured with.

#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

pub mod measure;
pub mod sim;
