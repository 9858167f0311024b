//! The notebook: domain, consent, documents, keys, store and sync session of Thicket.
pub mod diff;
pub mod entropy;
pub mod ids;
pub mod mention;
mod prose_cbor;
pub mod text;
pub mod view;
pub mod words;
