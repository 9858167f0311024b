//! The surface as an app calls it, over real homes in folders of their own.
#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

mod fixture;
mod life;
mod shut;
mod surface;
mod typing;
mod writing;
