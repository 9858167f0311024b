//! What speed is measured with: a workload of notes with edits, the verbs that run it with real homes, and the bound
//! that Thicket is compared with.

pub mod bound;
pub mod tap;
pub mod verbs;
pub mod work;
