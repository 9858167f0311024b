//! What is agreed to, refused and withdrawn: the immutable facts that consent is computed from.
//!
//! Consent events are sealed with the space's key alone, so they hold ids and words of closed lists, never a
//! name or free text about a person; that goes into [`crate::things::Evidence`].

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use thicket_protocol::ids::Hash;

use crate::ids::{ConsentId, EncounterId, ParticipantId, SheetId};
use crate::name::Name;
use crate::time::{Day, Moment, Observed};
use crate::vocabulary::{
    Activity, Actor, Change, Channel, Hold, LawfulBasis, Mode, Scope, UseLeft, WithdrawalReason,
};

/// One thing that happened to a participant's consent, as somebody recorded it.
///
/// Who recorded it, on which device and when stands in the envelope around it; its name is the envelope's hash.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ConsentEvent {
    /// Whose consent it is.
    #[n(0)]
    pub participant: ParticipantId,
    /// When it happened, as precisely as it is known. It decides nothing between events.
    #[n(1)]
    pub at: Observed,
    /// Who spoke.
    #[n(2)]
    pub actor: Actor,
    /// Who else was there.
    #[n(3)]
    pub witness: Option<ParticipantId>,
    /// Hashes of the pieces of evidence, at most [`crate::object::EVIDENCE_MAX`].
    #[n(4)]
    pub evidence: BTreeSet<Hash>,
    /// What happened.
    #[n(5)]
    pub act: Act,
}

/// What happened in a [`ConsentEvent`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub enum Act {
    /// An agreement to the terms that stand in it, by somebody who had seen those negatives.
    #[n(0)]
    Given {
        /// What was agreed to; never changed afterwards.
        #[n(0)]
        consent: Consent,
        /// Every negative about this participant that the recording device knew.
        #[n(1)]
        seen: BTreeSet<Hash>,
    },
    /// An agreement to the terms of an earlier consent, less what was narrowed, with a bound of its own.
    #[n(1)]
    RenewedGiven {
        /// The consent that is renewed.
        #[n(0)]
        consent: ConsentId,
        /// How far the renewal goes.
        #[n(1)]
        bound: Bound,
        /// Every negative about this participant that the recording device knew.
        #[n(2)]
        seen: BTreeSet<Hash>,
    },
    /// A no to being asked: bound to its encounter, or else to the time from the event's day on.
    #[n(2)]
    Refused {
        /// To what.
        #[n(0)]
        activities: Activities,
        /// For which occasion alone.
        #[n(1)]
        encounter: Option<EncounterId>,
    },
    /// A no after a yes, or without one: to everything ever observed, unless the terms say "from now on".
    #[n(3)]
    Withdrawn {
        /// From what.
        #[n(0)]
        activities: Activities,
        /// For which occasion alone.
        #[n(1)]
        encounter: Option<EncounterId>,
        /// How it was said and what it asks for.
        #[n(2)]
        terms: Withdrawal,
    },
    /// One consent never was one: a form of the wrong person, a signature that is none.
    #[n(4)]
    Invalidated {
        /// The one consent that it strikes.
        #[n(0)]
        consent: ConsentId,
    },
    /// The question was put.
    #[n(5)]
    Requested {
        /// About what.
        #[n(0)]
        activities: Activities,
        /// For which occasion alone.
        #[n(1)]
        encounter: Option<EncounterId>,
    },
    /// The answer was put off.
    #[n(6)]
    RequestDeferred {
        /// About what.
        #[n(0)]
        activities: Activities,
        /// For which occasion alone.
        #[n(1)]
        encounter: Option<EncounterId>,
    },
    /// The scope of one consent became smaller; several of these leave what all of them leave.
    #[n(7)]
    Narrowed {
        /// The consent that is narrowed.
        #[n(0)]
        consent: ConsentId,
        /// What remains; a scope that the consent never had stays out.
        #[n(1)]
        remaining: BTreeSet<Scope>,
    },
    /// Life changed, and from the event's day on what rested on the state before does not hold.
    #[n(8)]
    Changed {
        /// How.
        #[n(0)]
        change: Change,
    },
}

impl Act {
    /// The word for what happened, as commands print it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Given { .. } => "given",
            Self::RenewedGiven { .. } => "renewed_given",
            Self::Refused { .. } => "refused",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Invalidated { .. } => "invalidated",
            Self::Requested { .. } => "requested",
            Self::RequestDeferred { .. } => "request_deferred",
            Self::Narrowed { .. } => "narrowed",
            Self::Changed { .. } => "changed",
        }
    }

    /// The consent that this speaks of, if it speaks of one.
    pub const fn consent(&self) -> Option<ConsentId> {
        match self {
            Self::Given { consent, .. } => Some(consent.id),
            Self::RenewedGiven { consent, .. }
            | Self::Invalidated { consent }
            | Self::Narrowed { consent, .. } => Some(*consent),
            Self::Refused { .. }
            | Self::Withdrawn { .. }
            | Self::Requested { .. }
            | Self::RequestDeferred { .. }
            | Self::Changed { .. } => None,
        }
    }
}

/// The terms of one agreement: one participant, one activity, one scope.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Consent {
    /// Its name; two agreements with one name and different terms void each other.
    #[n(0)]
    pub id: ConsentId,
    /// To what.
    #[n(1)]
    pub activity: Activity,
    /// How far it goes.
    #[n(2)]
    pub bound: Bound,
    /// How it was made.
    #[n(3)]
    pub mode: Mode,
    /// What it allows.
    #[n(4)]
    pub scope: BTreeSet<Scope>,
    /// The information sheet that was read or given.
    #[n(5)]
    pub sheet: SheetVersion,
    /// The language it was made in, as a BCP 47 tag.
    #[n(6)]
    pub language: Option<Name>,
    /// Who interpreted.
    #[n(7)]
    pub interpreter: Option<ParticipantId>,
    /// Who answers for the data.
    #[n(8)]
    pub controller: Option<Name>,
    /// The legal ground, apart from this consent.
    #[n(9)]
    pub lawful_basis: LawfulBasis,
    /// Until when it is kept; without, as the sheet says. It limits keeping, not observing.
    #[n(10)]
    pub retention: Option<Day>,
    /// How the participant may withdraw.
    #[n(11)]
    pub withdrawal_method: Channel,
    /// Until when a withdrawal can still take things out.
    #[n(12)]
    pub cut_off: Option<Day>,
}

impl Consent {
    /// What an agreement allows unless it says more: to take notes, and to share them with the team.
    pub fn default_scope() -> BTreeSet<Scope> {
        BTreeSet::from([Scope::TakeNotes, Scope::TeamShare])
    }
}

/// One version of an information sheet, with the hash of what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(map)]
pub struct SheetVersion {
    /// The sheet.
    #[n(0)]
    pub sheet: SheetId,
    /// Its version, from 1.
    #[n(1)]
    pub version: u32,
    /// SHA-256 of its file, or of its oral script in UTF-8.
    #[n(2)]
    pub sha256: Hash,
}

/// How far an agreement goes; it limits observation, and never takes a kept note away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Bound {
    /// As far as the notebook.
    #[n(0)]
    Notebook,
    /// What is observed up to the end of that day.
    #[n(1)]
    Until(#[n(0)] Day),
    /// One occasion alone.
    #[n(2)]
    Encounter(#[n(0)] EncounterId),
}

/// Text that is not a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a bound: notebook, until:YYYY-MM-DD or encounter:ID is wanted")]
pub struct ParseBoundError;

impl FromStr for Bound {
    type Err = ParseBoundError;

    fn from_str(text: &str) -> Result<Self, ParseBoundError> {
        let (word, rest) = text.split_once(':').unwrap_or((text, ""));
        match word {
            "notebook" if text == word => Ok(Self::Notebook),
            "until" => rest.parse().map(Self::Until).map_err(|_| ParseBoundError),
            "encounter" => rest.parse().map(Self::Encounter).map_err(|_| ParseBoundError),
            _ => Err(ParseBoundError),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Notebook => f.write_str("notebook"),
            Self::Until(day) => write!(f, "until:{day}"),
            Self::Encounter(encounter) => write!(f, "encounter:{encounter}"),
        }
    }
}

/// Which activities something is about.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Activities {
    /// All there are, those of later versions included.
    #[n(0)]
    All,
    /// These; never empty.
    #[n(1)]
    These(#[n(0)] BTreeSet<Activity>),
}

impl Activities {
    /// Names one.
    pub fn one(activity: Activity) -> Self {
        Self::These(BTreeSet::from([activity]))
    }

    /// Tells whether that activity is among them.
    pub fn hold(&self, activity: Activity) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.contains(&activity),
        }
    }

    /// Lists those that this version knows.
    pub fn known(&self) -> BTreeSet<Activity> {
        match self {
            Self::All => Activity::ALL.iter().copied().collect(),
            Self::These(these) => these.clone(),
        }
    }
}

/// How a withdrawal was said and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Withdrawal {
    /// When the message reached the team.
    #[n(0)]
    pub received_at: Moment,
    /// "From now on", and from when; without, everything ever observed.
    #[n(1)]
    pub effective_from: Option<Observed>,
    /// How it came.
    #[n(2)]
    pub channel: Channel,
    /// What it asks to be done with what is there.
    #[n(3)]
    pub hold: Hold,
    /// What use it leaves.
    #[n(4)]
    pub use_left: UseLeft,
    /// Whether the participant is willing to be asked again.
    #[n(5)]
    pub future_collection: bool,
    /// Whether it came after the cut-off of what was agreed.
    #[n(6)]
    pub cut_off_applied: bool,
    /// Why, if they said so.
    #[n(7)]
    pub reason: Option<WithdrawalReason>,
}

/// The occasion that a note speaks of; coverage is asked about one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occasion {
    encounter: Option<EncounterId>,
    activity: Activity,
    observed: Observed,
}

impl Occasion {
    /// Names an encounter and its activity.
    pub const fn at(encounter: EncounterId, activity: Activity, observed: Observed) -> Self {
        Self { encounter: Some(encounter), activity, observed }
    }

    /// Names no encounter: the activity is observation, and nothing bound to an encounter covers it.
    pub const fn observation(observed: Observed) -> Self {
        Self { encounter: None, activity: Activity::Observation, observed }
    }

    /// Names what no note has but a judgement about an activity as a whole needs: any activity without encounter.
    pub(crate) const fn of(encounter: Option<EncounterId>, activity: Activity, observed: Observed) -> Self {
        Self { encounter, activity, observed }
    }

    /// The encounter.
    pub const fn encounter(&self) -> Option<EncounterId> {
        self.encounter
    }

    /// The activity.
    pub const fn activity(&self) -> Activity {
        self.activity
    }

    /// When it was.
    pub const fn observed(&self) -> Observed {
        self.observed
    }
}

/// What a refusal or withdrawal says no to.
#[derive(Clone, Copy)]
pub(crate) struct No<'e> {
    pub(crate) activities: &'e Activities,
    pub(crate) encounter: Option<EncounterId>,
    from: Option<Observed>,
}

impl No<'_> {
    fn covers(&self, occasion: &Occasion) -> bool {
        self.activities.hold(occasion.activity)
            && on_occasion(self.encounter, occasion)
            && self.from.is_none_or(|from| occasion.observed.reaches(from))
    }
}

impl ConsentEvent {
    /// Reads this as a refusal or withdrawal, if it is one.
    pub(crate) fn no(&self) -> Option<No<'_>> {
        let (activities, encounter, from) = match &self.act {
            // A refusal of one encounter holds for it, whatever the clocks say of when it was.
            Act::Refused { activities, encounter: Some(one) } => (activities, Some(*one), None),
            Act::Refused { activities, encounter: None } => {
                (activities, None, Some(Observed::Day(self.at.day())))
            }
            Act::Withdrawn { activities, encounter, terms } => (activities, *encounter, terms.effective_from),
            Act::Given { .. }
            | Act::RenewedGiven { .. }
            | Act::Invalidated { .. }
            | Act::Requested { .. }
            | Act::RequestDeferred { .. }
            | Act::Narrowed { .. }
            | Act::Changed { .. } => return None,
        };
        Some(No { activities, encounter, from })
    }

    /// Reads this as a question, put or put off, if it is one.
    pub(crate) fn question(&self) -> Option<(&Activities, Option<EncounterId>)> {
        match &self.act {
            Act::Requested { activities, encounter } | Act::RequestDeferred { activities, encounter } => {
                Some((activities, *encounter))
            }
            Act::Given { .. }
            | Act::RenewedGiven { .. }
            | Act::Refused { .. }
            | Act::Withdrawn { .. }
            | Act::Invalidated { .. }
            | Act::Narrowed { .. }
            | Act::Changed { .. } => None,
        }
    }

    /// Tells whether this is a refusal or withdrawal that covers the occasion.
    pub(crate) fn forbids(&self, occasion: &Occasion) -> bool {
        self.no().is_some_and(|no| no.covers(occasion))
    }

    /// Tells whether this is a question about the occasion.
    pub(crate) fn asks(&self, occasion: &Occasion) -> bool {
        let about = |(activities, encounter): (&Activities, _)| {
            activities.hold(occasion.activity) && on_occasion(encounter, occasion)
        };
        self.question().is_some_and(about)
    }
}

fn on_occasion(bound: Option<EncounterId>, occasion: &Occasion) -> bool {
    bound.is_none_or(|bound| occasion.encounter == Some(bound))
}
