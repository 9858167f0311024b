//! The checks that no single package can make, in one binary.

mod arrows;
mod box_canaries;
mod box_damage;
mod box_diary;
mod box_disk;
mod box_import;
mod box_kills;
mod box_server;
mod ffi;
mod house;
mod quic;
mod sim;
mod sources;
mod sync;
