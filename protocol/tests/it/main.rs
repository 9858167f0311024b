//! What the formats promise: golden vectors, round trips, refusals, limits, and decoders that never panic.
#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

mod address;
mod canonical;
mod corruption;
mod fuzz;
mod limits;
mod round_trip;
mod samples;
mod unknown;
mod vectors;
