//! The notebook: domain, consent, documents, keys, store and sync session of Thicket.

pub mod body;
mod chunk;
pub mod consent;
pub mod coverage;
pub mod diff;
pub mod document;
#[cfg(test)]
mod document_tests;
pub mod duties;
pub mod entropy;
#[cfg(test)]
mod field;
mod history;
pub mod home;
pub mod ids;
pub mod ledger;
pub mod mention;
mod meta;
pub mod name;
pub mod object;
mod prose_cbor;
pub mod ring;
pub mod seal;
pub mod secret;
pub mod sheet;
pub mod stamp;
pub mod store;
pub mod sync;
pub mod text;
pub mod things;
pub mod time;
pub mod view;
pub mod vocabulary;
pub mod words;
