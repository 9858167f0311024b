//! Signed, immutable objects: everything that the roster, ledger and identities spaces hold.
//!
//! An object is kept as the bytes that were signed and never encoded again, so keys that this version does not
//! know survive it. Its name is H("thicket/object/1" || bytes); its device signs that name.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use thicket_protocol::cbor::{self, CborError};
use thicket_protocol::ids::{DeviceId, Hash, MemberId, PublicKey, Signature, SpaceId};
use thicket_protocol::limits::PEOPLE_MAX;
use thicket_protocol::sign::{self, BadSignature, Purpose, SUITE, Signer, VERSION};

use crate::consent::{Act, Activities, ConsentEvent};
use crate::ids::ParticipantId;
use crate::name::Name;
use crate::sheet::InfoSheet;
use crate::stamp::Stamp;
use crate::things::{
    DeviceName, Encounter, Evidence, Identity, MemberName, NotebookName, Participant, Place, PlaceIdentity,
};
use crate::time::Moment;
use crate::vocabulary::Mode;

/// The longest object, in bytes.
pub const OBJECT_BYTES_MAX: usize = 256 * 1024;
/// The most objects that one may replace.
pub const REPLACES_MAX: usize = 64;
/// The most negatives that one agreement may have seen.
pub const SEEN_MAX: usize = 1_024;
/// The most pieces of evidence of one event.
pub const EVIDENCE_MAX: usize = 16;
/// The most stamps that travel in one object.
pub const STAMPS_MAX: usize = 64;

/// Why bytes are no object of this version.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// Not canonical CBOR, or of another shape.
    #[error("an object is not readable")]
    Cbor(#[from] CborError),
    /// Of another version or suite: kept for a later version of Thicket to read.
    #[error("an object of version {version}, suite {suite}")]
    Version {
        /// Its version.
        version: u8,
        /// Its suite.
        suite: u8,
    },
    /// Longer than [`OBJECT_BYTES_MAX`].
    #[error("an object has {bytes} bytes, more than {OBJECT_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A list is longer than its limit.
    #[error("more than {limit} {list}")]
    TooMany {
        /// Of what.
        list: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A list that has to name something names nothing.
    #[error("no {list}")]
    Empty {
        /// Of what.
        list: &'static str,
    },
}

/// Why an object is not its signatory's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnverifiedError {
    /// The object was made for another space.
    #[error("an object belongs to another space")]
    Space,
    /// The envelope names another device or member than the key belongs to.
    #[error("an object names another device or member than the one that signed it")]
    Signatory,
    /// The signature does not fit.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// Only a custodian may sign this.
    #[error("only a custodian may answer a negative by a correction")]
    NotCustodian,
}

/// Who made an object, where and when, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Envelope {
    #[n(0)]
    version: u8,
    #[n(1)]
    suite: u8,
    /// The space that it belongs to: shown in another it is refused.
    #[n(2)]
    pub space: SpaceId,
    /// The member who recorded it.
    #[n(3)]
    pub by: MemberId,
    /// The device that signed it.
    #[n(4)]
    pub device: DeviceId,
    /// When it was recorded, by that device's clock.
    #[n(5)]
    pub recorded_at: Moment,
    /// The hashes of the objects about the same thing that this one supersedes, at most [`REPLACES_MAX`].
    #[n(6)]
    pub replaces: BTreeSet<Hash>,
    /// What it says.
    #[n(7)]
    pub what: Object,
}

impl Envelope {
    /// Wraps an object that replaces nothing.
    pub fn new(space: SpaceId, by: MemberId, device: DeviceId, recorded_at: Moment, what: Object) -> Self {
        let replaces = BTreeSet::new();
        Self { version: VERSION, suite: SUITE, space, by, device, recorded_at, replaces, what }
    }

    /// Names what it replaces.
    #[must_use]
    pub fn replacing(mut self, replaced: impl IntoIterator<Item = Hash>) -> Self {
        self.replaces.extend(replaced);
        self
    }

    fn check(&self) -> Result<(), ObjectError> {
        if (self.version, self.suite) != (VERSION, SUITE) {
            return Err(ObjectError::Version { version: self.version, suite: self.suite });
        }
        at_most("replaced objects", self.replaces.len(), REPLACES_MAX)?;
        self.what.check()
    }
}

/// What an [`Envelope`] holds.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Object {
    /// Roster: the team's name.
    #[n(0)]
    TeamName(#[n(0)] Name),
    /// Roster: a member's name.
    #[n(1)]
    MemberName(#[n(0)] MemberName),
    /// Roster: a device's name.
    #[n(2)]
    DeviceName(#[n(0)] DeviceName),
    /// Roster: a notebook's name and realm.
    #[n(3)]
    NotebookName(#[n(0)] NotebookName),
    /// Ledger: an information sheet.
    #[n(4)]
    Sheet(#[n(0)] InfoSheet),
    /// Ledger: a participant under the pseudonym.
    #[n(5)]
    Participant(#[n(0)] Participant),
    /// Identities: who a participant is.
    #[n(6)]
    Identity(#[n(0)] Identity),
    /// Ledger: a place under its pseudonym.
    #[n(7)]
    Place(#[n(0)] Place),
    /// Identities: which place it is.
    #[n(8)]
    PlaceIdentity(#[n(0)] PlaceIdentity),
    /// Ledger: an encounter.
    #[n(9)]
    Encounter(#[n(0)] Encounter),
    /// Ledger: an agreement, a negative, or what else happened to a consent.
    #[n(10)]
    Consent(#[n(0)] ConsentEvent),
    /// Identities: a piece of evidence.
    #[n(11)]
    Evidence(#[n(0)] Evidence),
    /// Ledger: the stamps of notes that were shared together, 1 to [`STAMPS_MAX`].
    #[n(12)]
    Stamps(#[n(0)] Vec<Stamp>),
}

impl Object {
    /// The participant under whose key, beside the space's, the object is sealed; without, the space's alone.
    pub const fn sealed_to(&self) -> Option<ParticipantId> {
        match self {
            Self::Participant(participant) => Some(participant.id),
            Self::Identity(identity) => Some(identity.participant),
            Self::Evidence(evidence) => Some(evidence.participant),
            Self::TeamName(_)
            | Self::MemberName(_)
            | Self::DeviceName(_)
            | Self::NotebookName(_)
            | Self::Sheet(_)
            | Self::Place(_)
            | Self::PlaceIdentity(_)
            | Self::Encounter(_)
            | Self::Consent(_)
            | Self::Stamps(_) => None,
        }
    }

    fn wants_custodian(&self) -> bool {
        matches!(self, Self::Consent(event)
            if matches!(&event.act, Act::Given { consent, .. } if consent.mode == Mode::Correction))
    }

    fn check(&self) -> Result<(), ObjectError> {
        match self {
            Self::Encounter(encounter) => at_most("participants", encounter.with.len(), PEOPLE_MAX),
            Self::Consent(event) => check_event(event),
            Self::Stamps(stamps) => {
                some("stamps", stamps.len())?;
                at_most("stamps", stamps.len(), STAMPS_MAX)?;
                stamps
                    .iter()
                    .try_for_each(|stamp| at_most("participants", stamp.subjects().len(), PEOPLE_MAX))
            }
            Self::TeamName(_)
            | Self::MemberName(_)
            | Self::DeviceName(_)
            | Self::NotebookName(_)
            | Self::Sheet(_)
            | Self::Participant(_)
            | Self::Identity(_)
            | Self::Place(_)
            | Self::PlaceIdentity(_)
            | Self::Evidence(_) => Ok(()),
        }
    }
}

fn check_event(event: &ConsentEvent) -> Result<(), ObjectError> {
    at_most("pieces of evidence", event.evidence.len(), EVIDENCE_MAX)?;
    match &event.act {
        Act::Given { consent, seen } => {
            some("scope", consent.scope.len())?;
            at_most("negatives seen", seen.len(), SEEN_MAX)?;
            // A correction that names no negative would be an agreement out of thin air.
            if consent.mode == Mode::Correction { some("negatives seen", seen.len()) } else { Ok(()) }
        }
        Act::RenewedGiven { seen, .. } => at_most("negatives seen", seen.len(), SEEN_MAX),
        Act::Refused { activities, .. }
        | Act::Withdrawn { activities, .. }
        | Act::Requested { activities, .. }
        | Act::RequestDeferred { activities, .. } => match activities {
            Activities::All => Ok(()),
            Activities::These(these) => some("activities", these.len()),
        },
        Act::Invalidated { .. } | Act::Narrowed { .. } | Act::Changed { .. } => Ok(()),
    }
}

fn at_most(list: &'static str, length: usize, limit: usize) -> Result<(), ObjectError> {
    if length > limit { Err(ObjectError::TooMany { list, limit }) } else { Ok(()) }
}

fn some(list: &'static str, length: usize) -> Result<(), ObjectError> {
    if length == 0 { Err(ObjectError::Empty { list }) } else { Ok(()) }
}

/// An object as it was signed: its bytes, its signature, and what the bytes say.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedObject {
    bytes: Vec<u8>,
    signature: Signature,
    hash: Hash,
    envelope: Envelope,
}

impl SignedObject {
    /// Signs an envelope whose lists are within their limits.
    pub fn sign(envelope: Envelope, signer: &Signer) -> Result<Self, ObjectError> {
        envelope.check()?;
        let bytes = cbor::encode(&envelope);
        check_length(&bytes)?;
        let hash = object_hash(&bytes);
        Ok(Self { signature: signer.sign(Purpose::Object, &hash), bytes, hash, envelope })
    }

    /// Reads bytes and signature as they were kept or received; the signature is for [`SignedObject::verify`].
    pub fn read(bytes: Vec<u8>, signature: Signature) -> Result<Self, ObjectError> {
        check_length(&bytes)?;
        let envelope: Envelope = cbor::decode(&bytes)?;
        envelope.check()?;
        Ok(Self { hash: object_hash(&bytes), bytes, signature, envelope })
    }

    /// Writes the wire form: a map of the signed bytes (0) and the signature (1).
    pub fn to_wire(&self) -> Vec<u8> {
        cbor::encode(&Wire { bytes: self.bytes.clone(), signature: self.signature })
    }

    /// Reads the wire form.
    pub fn from_wire(wire: &[u8]) -> Result<Self, ObjectError> {
        let Wire { bytes, signature } = cbor::decode(wire)?;
        Self::read(bytes, signature)
    }

    /// Verifies that this was made for that space, and signed by a device of which the governance log says so.
    pub fn verify(self, space: &SpaceId, signatory: &Signatory) -> Result<Verified, UnverifiedError> {
        if self.envelope.space != *space {
            return Err(UnverifiedError::Space);
        }
        let named = (self.envelope.device, self.envelope.by);
        if named != (DeviceId::derive(&signatory.key), signatory.member) {
            return Err(UnverifiedError::Signatory);
        }
        sign::verify(&signatory.key, Purpose::Object, &self.hash, &self.signature)?;
        if self.envelope.what.wants_custodian() && !signatory.custodian {
            return Err(UnverifiedError::NotCustodian);
        }
        Ok(Verified(self))
    }

    /// The bytes that were signed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The signature over the hash.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The object's name.
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// What the bytes say.
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

/// The wire form of a [`SignedObject`]: `{0: bytes, 1: signature}`.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Wire {
    #[cbor(n(0), with = "minicbor::bytes")]
    bytes: Vec<u8>,
    #[n(1)]
    signature: Signature,
}

/// Shows the hash alone: the bytes hold names.
impl std::fmt::Debug for SignedObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignedObject({:?})", self.hash)
    }
}

/// What the governance log says of the device that an envelope names.
#[derive(Debug, Clone, Copy)]
pub struct Signatory {
    /// The device's identity key.
    pub key: PublicKey,
    /// The member it belongs to.
    pub member: MemberId,
    /// Whether that member is, or ever was, a custodian: taken over the whole log, so that the answer never
    /// changes back and does not hang on the order of arrival.
    pub custodian: bool,
}

/// An object that is its signatory's word: the only kind that a [`crate::ledger::Ledger`] takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified(SignedObject);

impl Verified {
    /// Takes an object read back from this home's own store, which took it only after it was verified.
    pub const fn stored(object: SignedObject) -> Self {
        Self(object)
    }

    /// The object.
    pub const fn object(&self) -> &SignedObject {
        &self.0
    }
}

fn check_length(bytes: &[u8]) -> Result<(), ObjectError> {
    let length = bytes.len();
    if length > OBJECT_BYTES_MAX { Err(ObjectError::TooLong { bytes: length }) } else { Ok(()) }
}

fn object_hash(bytes: &[u8]) -> Hash {
    sign::hash("thicket/object/1", &[bytes])
}

#[cfg(test)]
mod tests;
