//! The checks that no single package can make, in one binary.

mod arrows;
mod house;
mod sim;
mod sources;
