//! What the tests of Thicket share: the simulator of devices, a server and the network between them, the programs as
//! processes and how they are killed, and what speed is measured with.

#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

pub mod canary;
pub mod kills;
pub mod measure;
pub mod process;
pub mod sim;
