//! The things of the roster, ledger and identities spaces, as plain values.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use thicket_protocol::ids::{DeviceId, Hash, MemberId, NotebookId};

use crate::ids::{EncounterId, ParticipantId, PlaceId};
use crate::name::{Name, Passage};
use crate::time::Observed;
use crate::vocabulary::{Activity, AgeBand, EvidenceKind, Gender, Kind, Realm, SiteType};

/// A member's name.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MemberName {
    /// Whose.
    #[n(0)]
    pub member: MemberId,
    /// The name.
    #[n(1)]
    pub name: Name,
}

/// A device's name.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DeviceName {
    /// Whose.
    #[n(0)]
    pub device: DeviceId,
    /// The member it belongs to.
    #[n(1)]
    pub member: MemberId,
    /// The name.
    #[n(2)]
    pub name: Name,
}

/// A notebook's name and realm.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct NotebookName {
    /// Whose.
    #[n(0)]
    pub notebook: NotebookId,
    /// The name.
    #[n(1)]
    pub name: Name,
    /// Research or service.
    #[n(2)]
    pub realm: Realm,
}

/// A person written about, known by pseudonym.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Participant {
    /// The participant; also the id of the participant's key.
    #[n(0)]
    pub id: ParticipantId,
    /// What the notes call them.
    #[n(1)]
    pub pseudonym: Name,
    /// What they are in the field.
    #[n(2)]
    pub kind: Kind,
    /// Coarse age.
    #[n(3)]
    pub age: Option<AgeBand>,
    /// Gender.
    #[n(4)]
    pub gender: Option<Gender>,
}

/// Who a participant is.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Identity {
    /// Whose.
    #[n(0)]
    pub participant: ParticipantId,
    /// The real name.
    #[n(1)]
    pub real_name: Name,
    /// How to reach them.
    #[n(2)]
    pub contact: Option<Passage>,
}

/// A place that notes speak of by pseudonym.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Place {
    /// The place.
    #[n(0)]
    pub id: PlaceId,
    /// What the notes call it.
    #[n(1)]
    pub pseudonym: Name,
    /// What sort of place it is.
    #[n(2)]
    pub site_type: SiteType,
}

/// Which place it is.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PlaceIdentity {
    /// Whose.
    #[n(0)]
    pub place: PlaceId,
    /// The real name or address.
    #[n(1)]
    pub real_name: Name,
}

/// An occasion: a home visit, a meeting, an interview.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Encounter {
    /// The encounter.
    #[n(0)]
    pub id: EncounterId,
    /// What was done; consent is asked for this.
    #[n(1)]
    pub activity: Activity,
    /// Where.
    #[n(2)]
    pub place: Option<PlaceId>,
    /// With whom, at most [`thicket_protocol::limits::PEOPLE_MAX`].
    #[n(3)]
    pub with: BTreeSet<ParticipantId>,
    /// When.
    #[n(4)]
    pub at: Observed,
}

/// A piece of evidence of a consent event: the one place for free text about it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Evidence {
    /// Of whose consent.
    #[n(0)]
    pub participant: ParticipantId,
    /// What it is.
    #[n(1)]
    pub kind: EvidenceKind,
    /// SHA-256 of the file or, for paper, of what stands in `held_at`.
    #[n(2)]
    pub sha256: Hash,
    /// Where paper is kept, or what a witness wrote.
    #[n(3)]
    pub held_at: Option<Passage>,
}
