//! Participants, places and encounters: signed objects of the ledger, and their real names in identities.

use std::collections::BTreeSet;

use thicket_protocol::governance::SpaceKind;
use thicket_protocol::ids::{Hash, MemberId, NotebookId, SpaceId};

use super::ledgers::find;
use super::{Home, HomeError, Thing};
use crate::ids::{EncounterId, ParticipantId, PlaceId};
use crate::name::Name;
use crate::object::{Envelope, Object, SignedObject};
use crate::secret::VaultKey;
use crate::store::Durability;
use crate::store::core_db::{self, Sealer};
use crate::things::{Encounter, Identity, Participant, Place, PlaceIdentity};
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
        let envelope = Envelope::new(space, self.own_member()?, self.device, now, what).replacing(replaces);
        Ok(SignedObject::sign(envelope, &self.secrets.identity.signer())?)
    }

    /// Keeps signed objects durably in one transaction, to be sealed when they are sent, and takes them in.
    pub(crate) fn record_objects(&mut self, objects: &[SignedObject], now: Moment) -> Result<(), HomeError> {
        self.record(None, objects, now)
    }

    /// The same with the key, if one was made for it, that an object is sealed to.
    fn record(
        &mut self,
        key: Option<(SpaceId, VaultKey)>,
        objects: &[SignedObject],
        now: Moment,
    ) -> Result<(), HomeError> {
        if objects.is_empty() {
            return Ok(());
        }
        let mut sealer = Sealer { key: &self.secrets.local, entropy: self.entropy.as_mut() };
        self.core.write(Durability::Full, |tx| {
            if let Some((space, key)) = &key {
                core_db::add_own_key(tx, &mut sealer, *space, key)?;
            }
            for object in objects {
                let space = object.envelope().space;
                core_db::add_object(tx, &mut sealer, space, object.hash(), &object.to_wire())?;
            }
            Ok::<_, HomeError>(())
        })?;
        if let Some((space, key)) = key {
            self.keys.insert(space, key);
        }
        // Once core.db has it, it is done: a read model that cannot be written now is caught up with later.
        match self.catch_up(now) {
            Ok(_) | Err(HomeError::Storage(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Adds a participant, with a key of their own.
    pub fn add_participant(
        &mut self,
        notebook: &NotebookId,
        new: NewParticipant,
        now: Moment,
    ) -> Result<ParticipantId, HomeError> {
        self.check_fieldwork(notebook)?;
        self.check_pseudonym(notebook, &new.pseudonym, None)?;
        let (ledger, identities) = self.ledger_and_identities(notebook)?;
        let key = VaultKey::make(self.entropy.as_mut());
        let id = ParticipantId::from(key.id());
        let NewParticipant { pseudonym, kind, age, gender, real_name } = new;
        let participant = Object::Participant(Participant { id, pseudonym, kind, age, gender });
        let mut objects = vec![self.sign_object(ledger, participant, BTreeSet::new(), now)?];
        if let Some(real_name) = real_name {
            let identity = Object::Identity(Identity { participant: id, real_name, contact: None });
            objects.push(self.sign_object(identities, identity, BTreeSet::new(), now)?);
        }
        self.record(Some((ledger, key)), &objects, now)?;
        Ok(id)
    }

    /// Gives a participant another pseudonym; every text shows it at once, and nothing is indexed anew.
    pub fn rename_participant(
        &mut self,
        notebook: &NotebookId,
        participant: ParticipantId,
        pseudonym: Name,
        now: Moment,
    ) -> Result<(), HomeError> {
        self.check_fieldwork(notebook)?;
        self.check_pseudonym(notebook, &pseudonym, Some(participant))?;
        let unknown = || HomeError::NotFound(Thing::Participant);
        let register = self.ledger(notebook)?.participants().get(&participant).ok_or_else(unknown)?;
        let mut value = register.value().ok_or_else(unknown)?.clone();
        if value.pseudonym == pseudonym {
            return Ok(());
        }
        value.pseudonym = pseudonym;
        let (heads, ledger) = (register.heads(), self.space(notebook, SpaceKind::Ledger)?);
        let object = self.sign_object(ledger, Object::Participant(value), heads, now)?;
        self.record_objects(&[object], now)
    }

    /// Lists participants by pseudonym.
    pub fn participants(&self, notebook: &NotebookId) -> Result<Vec<ParticipantShown>, HomeError> {
        let ledger = self.ledger(notebook)?;
        let real_name = |id| Some(ledger.identities().get(id)?.value()?.real_name.clone());
        let values = ledger.participants().values().filter_map(|register| register.value());
        let mut all: Vec<_> = values
            .map(|one| ParticipantShown {
                id: one.id,
                pseudonym: one.pseudonym.clone(),
                kind: one.kind,
                real_name: real_name(&one.id),
            })
            .collect();
        all.sort_by(|one, other| (&one.pseudonym, one.id).cmp(&(&other.pseudonym, other.id)));
        Ok(all)
    }

    /// Adds a place.
    pub fn add_place(
        &mut self,
        notebook: &NotebookId,
        new: NewPlace,
        now: Moment,
    ) -> Result<PlaceId, HomeError> {
        self.check_fieldwork(notebook)?;
        self.check_pseudonym(notebook, &new.pseudonym, None)?;
        let (ledger, identities) = self.ledger_and_identities(notebook)?;
        let id = PlaceId::from_bytes(self.entropy.bytes());
        let NewPlace { pseudonym, site_type, real_name } = new;
        let place = Object::Place(Place { id, pseudonym, site_type });
        let mut objects = vec![self.sign_object(ledger, place, BTreeSet::new(), now)?];
        if let Some(real_name) = real_name {
            let identity = Object::PlaceIdentity(PlaceIdentity { place: id, real_name });
            objects.push(self.sign_object(identities, identity, BTreeSet::new(), now)?);
        }
        self.record_objects(&objects, now)?;
        Ok(id)
    }

    /// Lists places by pseudonym.
    pub fn places(&self, notebook: &NotebookId) -> Result<Vec<PlaceShown>, HomeError> {
        let ledger = self.ledger(notebook)?;
        let real_name = |id| Some(ledger.place_identities().get(id)?.value()?.real_name.clone());
        let values = ledger.places().values().filter_map(|register| register.value());
        let mut all: Vec<_> = values
            .map(|one| PlaceShown {
                id: one.id,
                pseudonym: one.pseudonym.clone(),
                site_type: one.site_type,
                real_name: real_name(&one.id),
            })
            .collect();
        all.sort_by(|one, other| (&one.pseudonym, one.id).cmp(&(&other.pseudonym, other.id)));
        Ok(all)
    }

    /// Starts an encounter.
    pub fn start_encounter(
        &mut self,
        notebook: &NotebookId,
        new: NewEncounter,
        now: Moment,
    ) -> Result<EncounterId, HomeError> {
        self.check_fieldwork(notebook)?;
        let ledger = self.ledger(notebook)?;
        if new.place.is_some_and(|place| !ledger.places().contains_key(&place)) {
            return Err(HomeError::NotFound(Thing::Place));
        }
        if new.with.iter().any(|one| !ledger.participants().contains_key(one)) {
            return Err(HomeError::NotFound(Thing::Participant));
        }
        let id = EncounterId::from_bytes(self.entropy.bytes());
        let NewEncounter { activity, place, with, at } = new;
        let encounter = Object::Encounter(Encounter { id, activity, place, with, at });
        let space = self.space(notebook, SpaceKind::Ledger)?;
        let object = self.sign_object(space, encounter, BTreeSet::new(), now)?;
        self.record_objects(&[object], now)?;
        Ok(id)
    }

    /// Lists encounters, newest first.
    pub fn encounters(&self, notebook: &NotebookId) -> Result<Vec<EncounterShown>, HomeError> {
        let ledger = self.ledger(notebook)?;
        let current = ledger.encounters().values().filter_map(|register| register.current());
        let mut all: Vec<_> = current
            .map(|(hash, one)| EncounterShown {
                id: one.id,
                activity: one.activity,
                place: one.place,
                with: one.with.clone(),
                at: one.at,
                by: ledger.recorded_by(&hash),
            })
            .collect();
        all.sort_by(|one, other| (other.at, one.id).cmp(&(one.at, other.id)));
        Ok(all)
    }

    /// Finds an encounter by id or unique prefix of it.
    pub fn find_encounter(&self, notebook: &NotebookId, name: &str) -> Result<EncounterId, HomeError> {
        find(Thing::Encounter, name, self.ledger(notebook)?.encounters().keys().map(|id| (*id, None)))
    }

    fn ledger_and_identities(&self, notebook: &NotebookId) -> Result<(SpaceId, SpaceId), HomeError> {
        Ok((self.space(notebook, SpaceKind::Ledger)?, self.space(notebook, SpaceKind::Identities)?))
    }

    /// Refuses a pseudonym that another participant or place of the notebook has, in whatever letter case: a mention in a text has to mean one.
    fn check_pseudonym(
        &self,
        notebook: &NotebookId,
        pseudonym: &Name,
        of: Option<ParticipantId>,
    ) -> Result<(), HomeError> {
        let ledger = self.ledger(notebook)?;
        let wanted = pseudonym.as_str().to_lowercase();
        let is_it = |name: &Name| name.as_str().to_lowercase() == wanted;
        let others = ledger.participants().values().filter_map(|one| one.value());
        if others.filter(|one| Some(one.id) != of).any(|one| is_it(&one.pseudonym)) {
            return Err(HomeError::NameTaken(Thing::Participant));
        }
        if ledger.places().values().filter_map(|place| place.value()).any(|place| is_it(&place.pseudonym)) {
            return Err(HomeError::NameTaken(Thing::Place));
        }
        Ok(())
    }
}
