//! What speed is measured with: a workload of notes with edits, the verbs that run it with real homes, the bound that
//! Thicket is compared with, and the measures themselves.

pub mod bound;
pub mod figures;
pub mod parts;
pub mod relay;
pub mod sides;
pub mod small;
pub mod tap;
pub mod verbs;
pub mod work;
