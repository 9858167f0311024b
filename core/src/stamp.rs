//! Stamps: where a note stands with regard to consent, and the signed snapshot of what it rested on.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use thicket_protocol::ids::Hash;

use crate::consent::{Consent, Occasion, SheetVersion};
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

/// Assesses where a note stands, from the set of consent events alone.
///
/// An unassessed note is pending and one about nobody is valid; else the worst finding decides. A shared note never
/// counts as blocked: what would block a private one puts it on hold.
pub fn assess(ledger: &Ledger, note: &NoteFacts) -> Assessment {
    let people = match &note.people {
        People::Nobody => return Assessment { status: StampStatus::Valid, findings: Vec::new() },
        People::Unassessed => return Assessment { status: StampStatus::Pending, findings: Vec::new() },
        People::These(people) => people,
    };
    let find = |(participant, role): (&ParticipantId, &Role)| {
        let need = note.need(*role);
        let outcome = note.outcome(ledger, participant, *role, &need);
        Finding { participant: *participant, role: *role, need, outcome }
    };
    let findings: Vec<_> = people.iter().map(find).collect();
    let worst = findings.iter().map(|finding| finding.outcome.status()).max();
    Assessment { status: worst.unwrap_or(StampStatus::Pending), findings }
}

/// Where a note stands, and why, person by person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// The worst of all.
    pub status: StampStatus,
    /// Everybody in the note, in the order of their ids.
    pub findings: Vec<Finding>,
}

impl Assessment {
    /// Makes the stamp of one generation of the note, if the note is valid.
    pub fn stamp(
        &self,
        note: NoteId,
        generation: GenerationId,
        content_hash: Hash,
    ) -> Result<Stamp, Unstampable> {
        let unstampable = Unstampable { status: self.status };
        if self.status != StampStatus::Valid {
            return Err(unstampable);
        }
        let subject = |finding: &Finding| match &finding.outcome {
            Outcome::Rests(basis) => Ok(Subject {
                participant: finding.participant,
                role: finding.role,
                scope_used: finding.need.clone(),
                basis: basis.clone(),
            }),
            Outcome::Custodians(_) | Outcome::Lacks { .. } => Err(unstampable),
        };
        let subjects = self.findings.iter().map(subject).collect::<Result<_, _>>()?;
        Ok(Stamp { note, generation, content_hash, status: self.status, subjects })
    }
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

impl Outcome {
    /// What this makes of the note.
    pub const fn status(&self) -> StampStatus {
        match self {
            Self::Rests(_) => StampStatus::Valid,
            Self::Custodians(_) => StampStatus::None,
            Self::Lacks { status, .. } => *status,
        }
    }
}

impl NoteFacts {
    /// What the note needs of somebody who appears in that role: a speaker is quoted.
    fn need(&self, role: Role) -> BTreeSet<Scope> {
        let mut need = &self.also_needs | &Consent::default_scope();
        if role == Role::Speaker {
            need.insert(Scope::VerbatimQuote);
        }
        need
    }

    fn outcome(
        &self,
        ledger: &Ledger,
        participant: &ParticipantId,
        role: Role,
        need: &BTreeSet<Scope>,
    ) -> Outcome {
        let why = match ledger.covered(participant, &self.occasion, need) {
            Coverage::Covered { consent, events } => {
                return Outcome::Rests(Basis::Consent { consent, events });
            }
            Coverage::NotCovered(why) => why,
        };
        let basis = self.declared.get(participant).cloned().or_else(|| self.default_basis(&why));
        match basis.filter(|basis| self.serves(basis, &why, role, need)) {
            Some(basis) => match self.realm {
                Realm::Research if matches!(basis, Basis::OtherLawful { .. }) => Outcome::Custodians(basis),
                Realm::Research | Realm::Service => Outcome::Rests(basis),
            },
            None => {
                let asked = || ledger.open_request(participant, &self.occasion).is_some();
                Outcome::Lacks { status: self.lacking(&why, asked), why }
            }
        }
    }

    /// Direct care is what a service notebook rests on unless somebody limited it; the stamp shows it.
    fn default_basis(&self, why: &Why) -> Option<Basis> {
        let by_default = match why {
            Why::NeverAsked | Why::Asked | Why::Deferred | Why::OutOfBound | Why::Expired => true,
            Why::Invalidated
            | Why::NeedsRenewal
            | Why::ScopeLacks(_)
            | Why::Refused(_)
            | Why::Withdrawn(_)
            | Why::UnseenNegative(_) => false,
        };
        (by_default && self.realm == Realm::Service)
            .then_some(Basis::OtherLawful { ground: Lawful::DirectCare, because: Because::Care })
    }

    /// Tells whether a ground other than consent serves in this realm, role and occasion.
    fn serves(&self, basis: &Basis, why: &Why, role: Role, need: &BTreeSet<Scope>) -> bool {
        match basis {
            // Whether a consent covers is judged from its events, never from what an old stamp says.
            Basis::Consent { .. } => false,
            Basis::SitePermission { .. } | Basis::PublicSpace => {
                let unquoted = matches!(role, Role::Observed | Role::Bystander);
                let ordinary = need.is_subset(&Consent::default_scope());
                !why.is_no() && unquoted && ordinary && is_open_setting(self.occasion.activity())
            }
            Basis::OtherLawful { ground, .. } => match (self.realm, ground) {
                (Realm::Research, Lawful::Safeguarding) => true,
                (Realm::Research, Lawful::Statutory | Lawful::VitalInterest | Lawful::DirectCare) => false,
                // A duty to keep a record does not ask; care does.
                (Realm::Service, Lawful::Safeguarding | Lawful::Statutory | Lawful::VitalInterest) => true,
                (Realm::Service, Lawful::DirectCare) => {
                    let mut care = Consent::default_scope();
                    care.insert(Scope::VerbatimQuote);
                    !why.is_no() && need.is_subset(&care)
                }
            },
            Basis::NoneRecorded { .. } => match self.standing {
                Standing::Private => false,
                Standing::ReleasedByHand | Standing::Shared => !why.is_no(),
            },
        }
    }

    fn lacking(&self, why: &Why, asked: impl Fn() -> bool) -> StampStatus {
        match (self.standing, why) {
            (_, Why::Asked | Why::Deferred) => StampStatus::Pending,
            (_, Why::NeverAsked) => StampStatus::None,
            (Standing::Shared, _) => StampStatus::OnHold,
            (Standing::Private | Standing::ReleasedByHand, why) if why.is_no() => StampStatus::Blocked,
            (Standing::Private | Standing::ReleasedByHand, _) if asked() => StampStatus::Pending,
            (Standing::Private | Standing::ReleasedByHand, _) => StampStatus::None,
        }
    }
}

/// Tells whether an activity happens where somebody else may give leave for the room: never in a home, and never
/// where one person is spoken to, recorded or photographed.
const fn is_open_setting(activity: Activity) -> bool {
    match activity {
        Activity::Observation | Activity::Shadowing | Activity::Meeting | Activity::Training => true,
        Activity::HomeVisit
        | Activity::InformalInterview
        | Activity::Interview
        | Activity::FocusGroup
        | Activity::Telephone
        | Activity::Audio
        | Activity::Photograph
        | Activity::Document => false,
    }
}

/// A stamp was asked for while the note's status does not allow one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no stamp for a note whose status is {status}")]
pub struct Unstampable {
    /// The status.
    pub status: StampStatus,
}

#[cfg(test)]
mod tests;
