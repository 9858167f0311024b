//! Participants, places and encounters: signed objects of the ledger, and their real names in identities.

use std::collections::BTreeSet;

use thicket_protocol::ids::{Hash, MemberId, NotebookId, SpaceId};

use super::{Home, HomeError};
use crate::ids::{EncounterId, ParticipantId, PlaceId};
use crate::name::Name;
use crate::object::{Object, SignedObject};
use crate::time::{Moment, Observed};
use crate::vocabulary::{Activity, AgeBand, Gender, Kind, SiteType};

/// A participant to be added.
#[derive(Debug, Clone)]
pub struct NewParticipant {
    /// What the notes call them; not taken by another participant or place of the notebook.
    pub pseudonym: Name,
    /// What they are in the field.
    pub kind: Kind,
    /// Coarse age.
    pub age: Option<AgeBand>,
    /// Gender.
    pub gender: Option<Gender>,
    /// Who they are; goes into `identities` alone.
    pub real_name: Option<Name>,
}

/// A participant as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantShown {
    /// Who.
    pub id: ParticipantId,
    /// What the notes call them.
    pub pseudonym: Name,
    /// What they are in the field.
    pub kind: Kind,
    /// Who they are, where this member may read it.
    pub real_name: Option<Name>,
}

/// A place to be added.
#[derive(Debug, Clone)]
pub struct NewPlace {
    /// What the notes call it; not taken by another participant or place of the notebook.
    pub pseudonym: Name,
    /// What sort of place it is.
    pub site_type: SiteType,
    /// Which place it is; goes into `identities` alone.
    pub real_name: Option<Name>,
}

/// A place as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceShown {
    /// Which.
    pub id: PlaceId,
    /// What the notes call it.
    pub pseudonym: Name,
    /// What sort of place it is.
    pub site_type: SiteType,
    /// Which place it is, where this member may read it.
    pub real_name: Option<Name>,
}

/// An encounter to be started.
#[derive(Debug, Clone)]
pub struct NewEncounter {
    /// What is done.
    pub activity: Activity,
    /// Where.
    pub place: Option<PlaceId>,
    /// With whom.
    pub with: BTreeSet<ParticipantId>,
    /// When.
    pub at: Observed,
}

/// An encounter as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncounterShown {
    /// Which.
    pub id: EncounterId,
    /// What was done.
    pub activity: Activity,
    /// Where.
    pub place: Option<PlaceId>,
    /// With whom.
    pub with: BTreeSet<ParticipantId>,
    /// When.
    pub at: Observed,
    /// Who recorded it.
    pub by: Option<MemberId>,
}

impl Home {
    /// Signs an object of a space as this device's word.
    pub(crate) fn sign_object(
        &self,
        space: SpaceId,
        what: Object,
        replaces: BTreeSet<Hash>,
        now: Moment,
    ) -> Result<SignedObject, HomeError> {
        todo!()
    }

    /// Keeps signed objects durably in one transaction, to be sealed when they are sent, and takes them in.
    pub(crate) fn record_objects(&mut self, objects: &[SignedObject], now: Moment) -> Result<(), HomeError> {
        todo!()
    }

    /// Adds a participant, with a key of their own.
    pub fn add_participant(
        &mut self,
        notebook: &NotebookId,
        new: NewParticipant,
        now: Moment,
    ) -> Result<ParticipantId, HomeError> {
        todo!()
    }

    /// Gives a participant another pseudonym; every text shows it at once, and nothing is indexed anew.
    pub fn rename_participant(
        &mut self,
        notebook: &NotebookId,
        participant: ParticipantId,
        pseudonym: Name,
        now: Moment,
    ) -> Result<(), HomeError> {
        todo!()
    }

    /// Lists participants by pseudonym.
    pub fn participants(&self, notebook: &NotebookId) -> Result<Vec<ParticipantShown>, HomeError> {
        todo!()
    }

    /// Adds a place.
    pub fn add_place(
        &mut self,
        notebook: &NotebookId,
        new: NewPlace,
        now: Moment,
    ) -> Result<PlaceId, HomeError> {
        todo!()
    }

    /// Lists places by pseudonym.
    pub fn places(&self, notebook: &NotebookId) -> Result<Vec<PlaceShown>, HomeError> {
        todo!()
    }

    /// Starts an encounter.
    pub fn start_encounter(
        &mut self,
        notebook: &NotebookId,
        new: NewEncounter,
        now: Moment,
    ) -> Result<EncounterId, HomeError> {
        todo!()
    }

    /// Lists encounters, newest first.
    pub fn encounters(&self, notebook: &NotebookId) -> Result<Vec<EncounterShown>, HomeError> {
        todo!()
    }

    /// Finds an encounter by id or unique prefix of it.
    pub fn find_encounter(&self, notebook: &NotebookId, name: &str) -> Result<EncounterId, HomeError> {
        todo!()
    }
}
