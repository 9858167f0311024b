//! Stamps: where a note stands with regard to consent, and the signed snapshot of what it rested on.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use thicket_protocol::ids::Hash;

use crate::consent::{Occasion, SheetVersion};
use crate::coverage::{Coverage, Why};
use crate::ids::{ConsentId, GenerationId, NoteId, ParticipantId};
use crate::ledger::Ledger;
use crate::vocabulary::{Activity, Because, Lawful, Realm, Role, Scope, StampStatus};

/// What was believed about a note when it was shared; the live status is assessed anew each time.
///
/// It can be made from an assessment that is valid, and from nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Stamp {
    #[n(0)]
    note: NoteId,
    #[n(1)]
    generation: GenerationId,
    #[n(2)]
    content_hash: Hash,
    #[n(3)]
    status: StampStatus,
    #[n(4)]
    subjects: Vec<Subject>,
}

impl Stamp {
    /// The note.
    pub const fn note(&self) -> NoteId {
        self.note
    }

    /// The generation that was shared.
    pub const fn generation(&self) -> GenerationId {
        self.generation
    }

    /// The hash of the view that was shared.
    pub const fn content_hash(&self) -> Hash {
        self.content_hash
    }

    /// The status at stamping.
    pub const fn status(&self) -> StampStatus {
        self.status
    }

    /// Everybody in the note, with what it rested on, in the order of their ids.
    pub fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    /// The grounds other than consent, to assess the note with again.
    pub fn declared(&self) -> BTreeMap<ParticipantId, Basis> {
        let other = self.subjects.iter().filter(|subject| !matches!(subject.basis, Basis::Consent { .. }));
        other.map(|subject| (subject.participant, subject.basis.clone())).collect()
    }
}

/// One participant in a stamp.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Subject {
    /// Who.
    #[n(0)]
    pub participant: ParticipantId,
    /// How they appear.
    #[n(1)]
    pub role: Role,
    /// What the note needs of them.
    #[n(2)]
    pub scope_used: BTreeSet<Scope>,
    /// What that rests on.
    #[n(3)]
    pub basis: Basis,
}

/// What it rests on that somebody is in a shared note.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub enum Basis {
    /// Their consent.
    #[n(0)]
    Consent {
        /// Which.
        #[n(0)]
        consent: ConsentId,
        /// The agreements that count, and what narrowed them.
        #[n(1)]
        events: BTreeSet<Hash>,
    },
    /// The leave of whoever answers for the site; for people observed or standing by, never quoted.
    #[n(1)]
    SitePermission {
        /// Who gave it.
        #[n(0)]
        gatekeeper: ParticipantId,
        /// On which sheet.
        #[n(1)]
        sheet: SheetVersion,
    },
    /// Another ground in law.
    #[n(2)]
    OtherLawful {
        /// Which.
        #[n(0)]
        ground: Lawful,
        /// Why.
        #[n(1)]
        because: Because,
    },
    /// Seen in public; for people observed or standing by, never quoted.
    #[n(3)]
    PublicSpace,
    /// None, and why; others see the person generalised.
    #[n(4)]
    NoneRecorded {
        /// Why.
        #[n(0)]
        because: Because,
    },
}

impl Basis {
    /// The word for it, as commands print it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Consent { .. } => "consent",
            Self::SitePermission { .. } => "site_permission",
            Self::OtherLawful { .. } => "other_lawful",
            Self::PublicSpace => "public_space",
            Self::NoneRecorded { .. } => "none_recorded",
        }
    }
}

/// Who a note says is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum People {
    /// Not said yet.
    Unassessed,
    /// Expressly nobody.
    Nobody,
    /// These, each as they appear; empty counts as not said.
    These(BTreeMap<ParticipantId, Role>),
}

/// Whether a note has left its author's private space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has not, and would leave by itself if it may.
    Private,
    /// It has not, and a person is releasing it by hand.
    ReleasedByHand,
    /// It has.
    Shared,
}

/// All of a note that its status depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteFacts {
    /// The realm of its notebook.
    pub realm: Realm,
    /// Who is in it.
    pub people: People,
    /// What it is about, and when that was.
    pub occasion: Occasion,
    /// Where it stands.
    pub standing: Standing,
    /// What it needs of everybody beyond notes and sharing: sound, photographs, publication.
    pub also_needs: BTreeSet<Scope>,
    /// The grounds other than consent that its author names.
    pub declared: BTreeMap<ParticipantId, Basis>,
}

/// Where a note stands, and why, person by person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// The worst of all.
    pub status: StampStatus,
    /// Everybody in the note, in the order of their ids.
    pub findings: Vec<Finding>,
}

/// Where one participant stands in a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Who.
    pub participant: ParticipantId,
    /// How they appear.
    pub role: Role,
    /// What the note needs of them.
    pub need: BTreeSet<Scope>,
    /// What came out.
    pub outcome: Outcome,
}

/// What an assessment found for one participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The note may rest on this.
    Rests(Basis),
    /// The note may go to custodians on this, and to nobody else.
    Custodians(Basis),
    /// It rests on nothing.
    Lacks {
        /// Why no consent covers it.
        why: Why,
        /// What that makes of the note.
        status: StampStatus,
    },
}

/// A stamp was asked for while the note's status does not allow one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no stamp for a note whose status is {status}")]
pub struct Unstampable {
    /// The status.
    pub status: StampStatus,
}
