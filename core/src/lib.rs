//! The notebook: domain, consent, documents, keys, store and sync session of Thicket.
pub mod entropy;
pub mod ids;
pub mod ring;
pub mod seal;
pub mod secret;
