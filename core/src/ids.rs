//! Names of the field's things; the names of what travels are in [`thicket_protocol::ids`].

use thicket_protocol::id_type;
use thicket_protocol::ids::{DocTag, KeyId};

id_type! {
    /// Names a person written about. It is the id of the participant's key, so it outlives the key as a bare id.
    pub struct ParticipantId[16]
}
id_type! {
    /// Names a place that notes speak of by pseudonym.
    pub struct PlaceId[16]
}
id_type! {
    /// Names an occasion: a home visit, a meeting, an interview.
    pub struct EncounterId[16]
}
id_type! {
    /// Names a note through all its generations.
    pub struct NoteId[16]
}
id_type! {
    /// Names one automerge document of a note; it is the id of the generation's note key, and its doc tag.
    pub struct GenerationId[16]
}
id_type! {
    /// Names an information sheet through its versions.
    pub struct SheetId[16]
}
id_type! {
    /// Names a consent: one participant, one activity, one scope.
    pub struct ConsentId[16]
}

impl From<KeyId> for ParticipantId {
    fn from(id: KeyId) -> Self {
        Self::from_bytes(*id.as_bytes())
    }
}

impl From<ParticipantId> for KeyId {
    fn from(id: ParticipantId) -> Self {
        Self::from_bytes(*id.as_bytes())
    }
}

impl From<KeyId> for GenerationId {
    fn from(id: KeyId) -> Self {
        Self::from_bytes(*id.as_bytes())
    }
}

impl From<GenerationId> for KeyId {
    fn from(id: GenerationId) -> Self {
        Self::from_bytes(*id.as_bytes())
    }
}

impl From<GenerationId> for DocTag {
    fn from(id: GenerationId) -> Self {
        Self::from_bytes(*id.as_bytes())
    }
}

impl From<DocTag> for GenerationId {
    fn from(tag: DocTag) -> Self {
        Self::from_bytes(*tag.as_bytes())
    }
}
