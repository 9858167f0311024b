//! The checks that no single package can make, in one binary.

mod arrows;
mod ffi;
mod house;
mod quic;
mod sim;
mod sources;
mod sync;
