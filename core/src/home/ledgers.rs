//! The ledgers of a home in memory: the roster, and one a notebook out of its ledger and identities spaces.

use std::collections::BTreeMap;

use thicket_protocol::ids::{NotebookId, SpaceId};

use super::{Home, HomeError};
use crate::ids::{ParticipantId, PlaceId};
use crate::ledger::Ledger;
use crate::object::Verified;
use crate::text::Token;

/// Ledgers as far as they were loaded: what needs none (a page of a list without people) does not wait for them.
#[derive(Debug, Default)]
pub(crate) struct Ledgers {
    roster: Ledger,
    notebooks: BTreeMap<NotebookId, Ledger>,
}

impl Home {
    /// Takes an object in that stands in derived.db now; one of a ledger that is not loaded waits there.
    pub(crate) fn ledger_insert(&mut self, space: &SpaceId, object: &Verified) {
        todo!()
    }

    /// Loads the ledger of a notebook from derived.db, if it is not loaded: before anything that reads it.
    pub(crate) fn load_ledger(&mut self, notebook: &NotebookId) -> Result<(), HomeError> {
        todo!()
    }

    /// The roster: names of team, members, devices and notebooks.
    pub fn roster(&self) -> &Ledger {
        &self.ledgers.roster
    }

    /// The ledger of a notebook, with its identities where this member may read them.
    pub fn ledger(&self, notebook: &NotebookId) -> Result<&Ledger, HomeError> {
        todo!()
    }

    /// What a person or place is called in rendered text: its pseudonym, or a short form of its id.
    pub fn name_of(&self, notebook: &NotebookId, token: Token) -> String {
        todo!()
    }

    /// Finds a participant by id, unique prefix of it, or pseudonym.
    pub fn find_participant(&self, notebook: &NotebookId, name: &str) -> Result<ParticipantId, HomeError> {
        todo!()
    }

    /// Finds a place by id, unique prefix of it, or pseudonym.
    pub fn find_place(&self, notebook: &NotebookId, name: &str) -> Result<PlaceId, HomeError> {
        todo!()
    }
}
