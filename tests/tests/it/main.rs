//! The checks that no single package can make, in one binary.

mod arrows;
mod box_damage;
mod box_disk;
mod box_kills;
mod house;
mod quic;
mod sim;
mod sources;
mod sync;
