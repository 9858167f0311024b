//! The ledger: the set of objects of one space, and what they add up to.
//!
//! Every answer is a function of the set. Objects may come in any order and any number of times; the clocks that
//! stand in them decide nothing.

use std::collections::{BTreeMap, BTreeSet};

use thicket_protocol::ids::{DeviceId, Hash, MemberId, NotebookId};

use crate::consent::{Act, Consent, ConsentEvent};
use crate::ids::{ConsentId, EncounterId, GenerationId, ParticipantId, PlaceId, SheetId};
use crate::name::Name;
use crate::object::{Object, Verified};
use crate::sheet::InfoSheet;
use crate::stamp::Stamp;
use crate::things::{
    DeviceName, Encounter, Evidence, Identity, MemberName, NotebookName, Participant, Place, PlaceIdentity,
};
use crate::time::Moment;
use crate::vocabulary::Scope;

/// Objects by what they are about, with their current values and the consent that follows from them.
///
/// One ledger holds one space (roster, ledger or identities), or several of one notebook together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    known: BTreeMap<Hash, MemberId>,
    team: Register<Name>,
    members: Registers<MemberId, MemberName>,
    devices: Registers<DeviceId, DeviceName>,
    notebooks: Registers<NotebookId, NotebookName>,
    sheets: Registers<(SheetId, u32), InfoSheet>,
    participants: Registers<ParticipantId, Participant>,
    identities: Registers<ParticipantId, Identity>,
    places: Registers<PlaceId, Place>,
    place_identities: Registers<PlaceId, PlaceIdentity>,
    encounters: Registers<EncounterId, Encounter>,
    stamps: Registers<GenerationId, Stamp>,
    evidence: BTreeMap<Hash, Evidence>,
    /// Per participant, every consent event by its hash.
    pub(crate) cases: BTreeMap<ParticipantId, BTreeMap<Hash, RecordedEvent>>,
    /// Per consent, what was agreed and what struck or narrowed it.
    pub(crate) terms: BTreeMap<ConsentId, Terms>,
}

/// A consent event together with who recorded it, where and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// What happened.
    pub event: ConsentEvent,
    /// The member who recorded it.
    pub by: MemberId,
    /// The device it was recorded on.
    pub device: DeviceId,
    /// When, by that device's clock.
    pub recorded_at: Moment,
}

impl Ledger {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an object in, and tells whether it was new.
    pub fn insert(&mut self, verified: &Verified) -> bool {
        let object = verified.object();
        let (hash, envelope) = (object.hash(), object.envelope());
        if self.known.contains_key(&hash) {
            return false;
        }
        self.known.insert(hash, envelope.by);
        let replaces = &envelope.replaces;
        match envelope.what.clone() {
            Object::TeamName(name) => self.team.insert(hash, replaces, name),
            Object::MemberName(name) => at(&mut self.members, name.member).insert(hash, replaces, name),
            Object::DeviceName(name) => at(&mut self.devices, name.device).insert(hash, replaces, name),
            Object::NotebookName(name) => at(&mut self.notebooks, name.notebook).insert(hash, replaces, name),
            Object::Sheet(sheet) => {
                at(&mut self.sheets, (sheet.id, sheet.version)).insert(hash, replaces, sheet);
            }
            Object::Participant(one) => at(&mut self.participants, one.id).insert(hash, replaces, one),
            Object::Identity(one) => at(&mut self.identities, one.participant).insert(hash, replaces, one),
            Object::Place(place) => at(&mut self.places, place.id).insert(hash, replaces, place),
            Object::PlaceIdentity(one) => {
                at(&mut self.place_identities, one.place).insert(hash, replaces, one);
            }
            Object::Encounter(one) => at(&mut self.encounters, one.id).insert(hash, replaces, one),
            Object::Stamps(stamps) => {
                for stamp in stamps {
                    at(&mut self.stamps, stamp.generation()).insert(hash, replaces, stamp);
                }
            }
            Object::Evidence(evidence) => {
                self.evidence.insert(hash, evidence);
            }
            Object::Consent(event) => {
                let (by, device, recorded_at) = (envelope.by, envelope.device, envelope.recorded_at);
                self.insert_event(hash, RecordedEvent { event, by, device, recorded_at });
            }
        }
        true
    }

    /// Consent events are facts: nothing replaces one, whatever its envelope says.
    fn insert_event(&mut self, hash: Hash, recorded: RecordedEvent) {
        let participant = recorded.event.participant;
        if let Some(consent) = recorded.event.act.consent() {
            let terms = self.terms.entry(consent).or_default();
            match &recorded.event.act {
                Act::Given { consent, .. } => {
                    terms.given.insert(hash, (participant, consent.clone()));
                }
                Act::Invalidated { .. } => {
                    terms.invalidated.insert(hash);
                }
                Act::Narrowed { remaining, .. } => {
                    terms.narrowed.insert(hash, remaining.clone());
                }
                Act::RenewedGiven { .. }
                | Act::Refused { .. }
                | Act::Withdrawn { .. }
                | Act::Requested { .. }
                | Act::RequestDeferred { .. }
                | Act::Changed { .. } => {}
            }
        }
        self.cases.entry(participant).or_default().insert(hash, recorded);
    }

    /// Tells whether an object is in.
    pub fn holds(&self, hash: &Hash) -> bool {
        self.known.contains_key(hash)
    }

    /// The member who recorded an object.
    pub fn recorded_by(&self, hash: &Hash) -> Option<MemberId> {
        self.known.get(hash).copied()
    }

    /// The team's name.
    pub const fn team_name(&self) -> &Register<Name> {
        &self.team
    }

    /// Members' names.
    pub const fn members(&self) -> &Registers<MemberId, MemberName> {
        &self.members
    }

    /// Devices' names.
    pub const fn devices(&self) -> &Registers<DeviceId, DeviceName> {
        &self.devices
    }

    /// Notebooks' names and realms.
    pub const fn notebooks(&self) -> &Registers<NotebookId, NotebookName> {
        &self.notebooks
    }

    /// Information sheets, by version.
    pub const fn sheets(&self) -> &Registers<(SheetId, u32), InfoSheet> {
        &self.sheets
    }

    /// Participants, by pseudonym.
    pub const fn participants(&self) -> &Registers<ParticipantId, Participant> {
        &self.participants
    }

    /// Who participants are.
    pub const fn identities(&self) -> &Registers<ParticipantId, Identity> {
        &self.identities
    }

    /// Places, by pseudonym.
    pub const fn places(&self) -> &Registers<PlaceId, Place> {
        &self.places
    }

    /// Which places they are.
    pub const fn place_identities(&self) -> &Registers<PlaceId, PlaceIdentity> {
        &self.place_identities
    }

    /// Encounters.
    pub const fn encounters(&self) -> &Registers<EncounterId, Encounter> {
        &self.encounters
    }

    /// Stamps of shared generations.
    pub const fn stamps(&self) -> &Registers<GenerationId, Stamp> {
        &self.stamps
    }

    /// A piece of evidence.
    pub fn evidence(&self, hash: &Hash) -> Option<&Evidence> {
        self.evidence.get(hash)
    }

    /// The consent events of a participant, by the time they are said to have happened, then by hash.
    pub fn events(&self, participant: &ParticipantId) -> Vec<(Hash, &RecordedEvent)> {
        let mut events: Vec<_> = self.case(participant).map(|(hash, recorded)| (*hash, recorded)).collect();
        events.sort_by_key(|(hash, recorded)| (recorded.event.at, *hash));
        events
    }

    /// The consents of a participant, by id.
    pub fn consents(&self, participant: &ParticipantId) -> Vec<&Consent> {
        let ids: BTreeSet<_> =
            self.case(participant).filter_map(|(_, recorded)| recorded.event.act.consent()).collect();
        ids.iter()
            .filter_map(|id| self.consent(id))
            .filter(|(of, _)| of == participant)
            .map(|(_, c)| c)
            .collect()
    }

    /// What was agreed to under that name, and by whom.
    pub fn consent(&self, id: &ConsentId) -> Option<(ParticipantId, &Consent)> {
        self.terms.get(id)?.definition()
    }

    /// What a consent allows after everything that narrowed it; nothing, when there is no such consent.
    pub fn scope(&self, id: &ConsentId) -> BTreeSet<Scope> {
        let Some(terms) = self.terms.get(id) else { return BTreeSet::new() };
        terms.definition().map(|(_, consent)| terms.scope(consent)).unwrap_or_default()
    }

    pub(crate) fn case(
        &self,
        participant: &ParticipantId,
    ) -> impl Iterator<Item = (&Hash, &RecordedEvent)> + Clone {
        self.cases.get(participant).into_iter().flatten()
    }
}

/// Everything known of one consent apart from its agreements' bounds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    given: BTreeMap<Hash, (ParticipantId, Consent)>,
    invalidated: BTreeSet<Hash>,
    narrowed: BTreeMap<Hash, BTreeSet<Scope>>,
}

impl Terms {
    pub(crate) fn definition(&self) -> Option<(ParticipantId, &Consent)> {
        self.given.values().next().map(|(participant, consent)| (*participant, consent))
    }

    /// Tells whether it was invalidated, or was given two meanings: then neither counts, else the later of two
    /// recordings could widen the earlier.
    pub(crate) fn struck(&self) -> bool {
        let mut meanings = self.given.values();
        let first = meanings.next();
        !self.invalidated.is_empty() || meanings.any(|meaning| Some(meaning) != first)
    }

    pub(crate) fn scope(&self, consent: &Consent) -> BTreeSet<Scope> {
        let left = |scope: &&Scope| self.narrowed.values().all(|remaining| remaining.contains(scope));
        consent.scope.iter().filter(left).copied().collect()
    }

    pub(crate) fn narrowed_by(&self) -> impl Iterator<Item = Hash> {
        self.narrowed.keys().copied()
    }
}

/// Registers by what they are about.
pub type Registers<K, T> = BTreeMap<K, Register<T>>;

fn at<K: Ord, T>(registers: &mut Registers<K, T>, key: K) -> &mut Register<T> {
    registers.entry(key).or_default()
}

/// All values that one thing was ever given; the current one is that of an object which none replaces, and of
/// several the one with the lowest hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register<T> {
    values: BTreeMap<Hash, T>,
    replaced: BTreeSet<Hash>,
}

impl<T> Register<T> {
    /// The current value and the hash of its object.
    pub fn current(&self) -> Option<(Hash, &T)> {
        self.unreplaced().next()
    }

    /// The current value.
    pub fn value(&self) -> Option<&T> {
        self.current().map(|(_, value)| value)
    }

    /// The hashes that a new value must name to supersede all that is known.
    pub fn heads(&self) -> BTreeSet<Hash> {
        self.unreplaced().map(|(hash, _)| hash).collect()
    }

    fn unreplaced(&self) -> impl Iterator<Item = (Hash, &T)> {
        self.values
            .iter()
            .filter(|(hash, _)| !self.replaced.contains(*hash))
            .map(|(hash, value)| (*hash, value))
    }

    fn insert(&mut self, hash: Hash, replaces: &BTreeSet<Hash>, value: T) {
        self.values.insert(hash, value);
        self.replaced.extend(replaces);
    }
}

impl<T> Default for Register<T> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), replaced: BTreeSet::new() }
    }
}
