//! What the formats promise: golden vectors, round trips, refusals, limits, and decoders that never panic.
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests index what they made")]

mod address;
mod canonical;
mod corruption;
mod frame_limits;
mod fuzz;
mod limits;
mod round_trip;
mod samples;
mod story;
mod team;
mod team_limits;
mod unknown;
mod vectors;
