//! The notebook: domain, consent, documents, keys, store and sync session of Thicket.
pub mod body;
mod chunk;
pub mod diff;
pub mod document;
#[cfg(test)]
mod document_tests;
pub mod entropy;
mod history;
pub mod ids;
pub mod mention;
mod meta;
mod prose_cbor;
pub mod text;
pub mod view;
pub mod words;
