//! What a note says, as its readers see it.
//!
//! A view travels beside the changes of its document, so that lists, search and counts never open the document.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use thicket_protocol::cbor::{self, CborError};
use thicket_protocol::ids::{Hash, MemberId};
use thicket_protocol::{sign, words};

use crate::ids::{EncounterId, GenerationId, NoteId, ParticipantId};
use crate::text::{Layer, Prose};
use crate::time::{Moment, Observed};

/// The ends of changes that nobody went on from: the version of a document.
pub type Heads = BTreeSet<Hash>;

words! {
    /// How a text came to be.
    pub enum Provenance {
        /// Typed by its author.
        Typed = 0 "typed",
        /// Spoken and turned into text.
        Dictated = 1 "dictated",
        /// Copied from handwriting.
        DigitisedFromPaper = 2 "digitised_from_paper",
    }
}

/// The shared generation that a draft began from, and where.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DraftOf {
    /// The shared generation.
    #[n(0)]
    pub generation: GenerationId,
    /// Its heads at that moment.
    #[n(1)]
    pub heads: Heads,
}

/// What a note says about itself, beside its title and its text.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Meta {
    /// The note.
    #[n(0)]
    pub note: NoteId,
    /// The generation that this one follows, without its ancestry.
    #[n(1)]
    pub parent: Option<GenerationId>,
    /// Set while this is a draft.
    #[n(2)]
    pub draft_of: Option<DraftOf>,
    /// Who wrote it.
    #[n(3)]
    pub author: MemberId,
    /// The occasion.
    #[n(4)]
    pub encounter: Option<EncounterId>,
    /// What the text is where no marker says otherwise.
    #[n(5)]
    pub layer: Layer,
    /// When it was observed.
    #[n(6)]
    pub observed: Observed,
    /// When it was written down.
    #[n(7)]
    pub recorded: Moment,
    /// How the text came to be.
    #[n(8)]
    pub provenance: Provenance,
    /// Participants named by hand, beside those in the text.
    #[n(9)]
    pub about: BTreeSet<ParticipantId>,
    /// Expressly says that nobody is in it.
    #[n(10)]
    pub nobody: bool,
    /// Says that it, a draft or a late edit, went into the shown generation: it is shown nowhere any more.
    #[n(11)]
    pub ended: bool,
    /// The version of the parent that this one was made from; empty when there is no parent.
    #[n(12)]
    pub made_from: Heads,
}

/// What a note says, people and places as tokens, never rendered.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct View {
    /// The title.
    #[n(0)]
    pub title: Prose,
    /// The text.
    #[n(1)]
    pub text: Prose,
    /// All the rest.
    #[n(2)]
    pub meta: Meta,
}

impl View {
    /// Everybody who is in the note: named by hand, in the title, in the text, or as a speaker.
    pub fn people(&self) -> BTreeSet<ParticipantId> {
        self.meta.about.iter().copied().chain(self.title.people()).chain(self.text.people()).collect()
    }

    /// True when the note expressly has nobody in it, and indeed has nobody: somebody who was named meanwhile on
    /// another device counts.
    pub fn is_without_people(&self) -> bool {
        self.meta.nobody && self.people().is_empty()
    }
}

/// A view as it was written: kept as received, so that its hash is the same for readers of every version.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct EncodedView(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>);

impl EncodedView {
    /// Writes a view.
    pub fn of(view: &View) -> Self {
        Self(cbor::encode(view))
    }

    /// Reads it.
    pub fn open(&self) -> Result<View, CborError> {
        cbor::decode(&self.0)
    }

    /// What a stamp says that it was given for: H("thicket/view/1" || bytes).
    pub fn content_hash(&self) -> Hash {
        sign::hash("thicket/view/1", &[&self.0])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ids::PlaceId;
    use crate::text::{Mark, Token, Unit, units};

    pub(crate) fn hash(byte: u8) -> Hash {
        Hash::from_bytes([byte; 32])
    }

    fn person(byte: u8) -> ParticipantId {
        ParticipantId::from_bytes([byte; 16])
    }

    pub(crate) fn view() -> View {
        let text = [
            vec![Unit::Mark(Mark::Turn(Some(person(0x33))))],
            units("Met "),
            vec![Unit::Token(Token::Person(person(0x11)))],
            units(" at "),
            vec![Unit::Token(Token::Place(PlaceId::from_bytes([0x22; 16])))],
        ];
        View {
            title: Prose::from_units(&units("Home visit")),
            text: Prose::from_units(&text.concat()),
            meta: Meta {
                note: NoteId::from_bytes([1; 16]),
                parent: Some(GenerationId::from_bytes([2; 16])),
                draft_of: Some(DraftOf {
                    generation: GenerationId::from_bytes([3; 16]),
                    heads: Heads::from([hash(4)]),
                }),
                author: MemberId::from_bytes([5; 16]),
                encounter: None,
                layer: Layer::Observation,
                observed: "1660-01-01".parse().expect("a day"),
                recorded: "2026-11-25T09:00:00+00:00".parse().expect("a moment"),
                provenance: Provenance::DigitisedFromPaper,
                about: BTreeSet::from([person(0x44)]),
                nobody: true,
                ended: false,
                made_from: Heads::from([hash(6)]),
            },
        }
    }

    pub(crate) fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_view_is_written_as_it_always_was() {
        let encoded = EncodedView::of(&view());
        assert_eq!(encoded.open().expect("canonical"), view());
        insta::assert_snapshot!(format!("{}\n{}", hex(&encoded.0), encoded.content_hash()));
    }

    #[test]
    fn everybody_in_a_note_is_counted_once_and_outweighs_nobody() {
        let mut view = view();
        assert_eq!(view.people(), BTreeSet::from([person(0x11), person(0x33), person(0x44)]));
        assert!(!view.is_without_people());
        view.meta.about.clear();
        view.text = Prose::default();
        assert!(view.is_without_people());
        view.meta.nobody = false;
        assert!(!view.is_without_people());
    }

    #[test]
    fn a_view_of_a_later_version_keeps_its_hash() {
        let mut bytes = cbor::encode(&view());
        assert_eq!(bytes.first(), Some(&0xa3));
        bytes.splice(0..1, [0xa4]);
        bytes.extend([0x18, 0x63, 0x01]);
        let later = EncodedView(bytes.clone());
        assert_eq!(later.open().expect("unknown keys are skipped"), view());
        assert_eq!(later.content_hash(), sign::hash("thicket/view/1", &[&bytes]));
    }
}
