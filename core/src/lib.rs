//! The notebook: domain, consent, documents, keys, store and sync session of Thicket.
pub mod consent;
pub mod coverage;
pub mod duties;
pub mod entropy;
#[cfg(test)]
mod field;
pub mod ids;
pub mod ledger;
pub mod name;
pub mod object;
pub mod sheet;
pub mod stamp;
pub mod things;
pub mod time;
pub mod vocabulary;
