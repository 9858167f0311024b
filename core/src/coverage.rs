//! Covered, or not: a pure function of the set of consent events.
//!
//! An agreement counts only when it has seen every negative that covers the same participant, activity, encounter
//! and time. So a yes at the door to a colleague who did not know of last month's withdrawal counts for nothing,
//! whatever the clocks say; and no later event that is not such an agreement can turn a no into a yes.

use std::collections::{BTreeMap, BTreeSet};

use thicket_protocol::ids::Hash;

use crate::consent::{Act, Bound, Consent, ConsentEvent, No, Occasion};
use crate::ids::{ConsentId, EncounterId, ParticipantId};
use crate::ledger::{Ledger, RecordedEvent, Terms};
use crate::time::Day;
use crate::vocabulary::{Activity, Actor, Change, Mode, Scope};

/// Whether a participant's consent covers an occasion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coverage {
    /// It does.
    Covered {
        /// The consent that it rests on; of several the one with the lowest id.
        consent: ConsentId,
        /// The agreements of that consent that count, and what narrowed it.
        events: BTreeSet<Hash>,
    },
    /// It does not.
    NotCovered(Why),
}

impl Coverage {
    /// Tells whether it does.
    pub const fn is_covered(&self) -> bool {
        matches!(self, Self::Covered { .. })
    }
}

/// Why no consent covers an occasion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Nobody ever asked.
    NeverAsked,
    /// Asked, and not answered.
    Asked,
    /// Asked, and put off.
    Deferred,
    /// The consent was none.
    Invalidated,
    /// The consent is for another encounter.
    OutOfBound,
    /// The consent ended before this was observed.
    Expired,
    /// The participant died, or came to decide alone, before this was observed.
    NeedsRenewal,
    /// The consent does not allow these.
    ScopeLacks(BTreeSet<Scope>),
    /// The participant refused, by that event.
    Refused(Hash),
    /// The participant withdrew, by that event.
    Withdrawn(Hash),
    /// There is an agreement dated after that negative, by somebody who had not seen it: a custodian's to sort out.
    UnseenNegative(Hash),
}

impl Why {
    /// Tells whether somebody said no.
    pub const fn is_no(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Withdrawn(_) | Self::UnseenNegative(_) => true,
            Self::NeverAsked
            | Self::Asked
            | Self::Deferred
            | Self::Invalidated
            | Self::OutOfBound
            | Self::Expired
            | Self::NeedsRenewal
            | Self::ScopeLacks(_) => false,
        }
    }

    /// How much an agreement came near to covering: the nearest is the one worth telling.
    const fn nearness(&self) -> u8 {
        match self {
            Self::ScopeLacks(_) => 5,
            Self::NeedsRenewal => 4,
            Self::Invalidated => 3,
            Self::Expired => 2,
            Self::OutOfBound => 1,
            Self::NeverAsked
            | Self::Asked
            | Self::Deferred
            | Self::Refused(_)
            | Self::Withdrawn(_)
            | Self::UnseenNegative(_) => 0,
        }
    }
}

impl Ledger {
    /// Judges whether a participant's consent covers an occasion, for everything in `need`.
    pub fn covered(
        &self,
        participant: &ParticipantId,
        occasion: &Occasion,
        need: &BTreeSet<Scope>,
    ) -> Coverage {
        let case = self.case(participant);
        let negatives: Vec<_> = named(case.clone()).filter(|(_, event)| event.forbids(occasion)).collect();
        let changes: Vec<_> =
            named(case).filter_map(Changed::of).filter(|c| occasion.observed().day() >= c.day()).collect();
        let agreements = self.agreements(participant, occasion.activity());

        let mut covering: BTreeMap<ConsentId, BTreeSet<Hash>> = BTreeMap::new();
        let mut nearest: Option<Why> = None;
        let mut answered = negatives.is_empty();
        for agreement in &agreements {
            let mut lack = agreement.out_of_reach(occasion);
            if lack.is_none() {
                if !negatives.iter().all(|negative| agreement.answers(*negative)) {
                    continue;
                }
                answered = true;
                lack = agreement.lacks(&changes, need);
            }
            match lack {
                None => {
                    covering.entry(agreement.consent.id).or_default().insert(agreement.hash);
                }
                Some(why) => {
                    // Of several that are equally near the first by hash is told.
                    if nearest.as_ref().is_none_or(|near| near.nearness() < why.nearness()) {
                        nearest = Some(why);
                    }
                }
            }
        }
        if let Some((consent, mut events)) = covering.pop_first() {
            events.extend(self.terms.get(&consent).into_iter().flat_map(Terms::narrowed_by));
            return Coverage::Covered { consent, events };
        }
        Coverage::NotCovered(if answered {
            self.nearest_or_asked(participant, occasion, nearest)
        } else {
            let live = agreements.iter().filter(|agreement| agreement.out_of_reach(occasion).is_none());
            standing_no(&negatives, live)
        })
    }

    fn nearest_or_asked(
        &self,
        participant: &ParticipantId,
        occasion: &Occasion,
        nearest: Option<Why>,
    ) -> Why {
        match nearest {
            Some(near @ (Why::ScopeLacks(_) | Why::NeedsRenewal | Why::Invalidated)) => near,
            near => self.open_request(participant, occasion).or(near).unwrap_or(Why::NeverAsked),
        }
    }

    /// Tells whether a question about the occasion stands unanswered: [`Why::Asked`] or [`Why::Deferred`].
    ///
    /// The dates that people gave decide whether a yes or no is the answer; they choose between two words for a
    /// note that stays private either way.
    pub fn open_request(&self, participant: &ParticipantId, occasion: &Occasion) -> Option<Why> {
        let questions = named(self.case(participant)).filter(|(_, event)| event.asks(occasion));
        let (_, last) = questions.max_by_key(|(hash, event)| (event.at, *hash))?;
        let (_, asked) = last.question()?;
        let meant =
            |encounter: Option<EncounterId>| asked.is_none() || encounter.is_none() || encounter == asked;
        let yes = |yes: &Agreement<'_>| {
            let encounter = if let Bound::Encounter(one) = yes.bound { Some(one) } else { None };
            yes.event.at >= last.at && meant(encounter)
        };
        let no = |(_, event): (Hash, &ConsentEvent)| {
            let about = |no: No<'_>| no.activities.hold(occasion.activity()) && meant(no.encounter);
            event.at >= last.at && event.no().is_some_and(about)
        };
        if self.agreements(participant, occasion.activity()).iter().any(yes)
            || named(self.case(participant)).any(no)
        {
            return None;
        }
        Some(if matches!(last.act, Act::RequestDeferred { .. }) { Why::Deferred } else { Why::Asked })
    }

    /// Lists every negative that this ledger holds for a participant: what an agreement recorded now has seen.
    pub fn seen_now(&self, participant: &ParticipantId) -> BTreeSet<Hash> {
        let negative = |(_, event): &(Hash, &ConsentEvent)| match event.act {
            Act::Refused { .. } | Act::Withdrawn { .. } | Act::Invalidated { .. } | Act::Changed { .. } => {
                true
            }
            Act::Given { .. }
            | Act::RenewedGiven { .. }
            | Act::Requested { .. }
            | Act::RequestDeferred { .. }
            | Act::Narrowed { .. } => false,
        };
        named(self.case(participant)).filter(negative).map(|(hash, _)| hash).collect()
    }

    /// Lists the agreements to one activity, by hash.
    pub(crate) fn agreements(&self, participant: &ParticipantId, activity: Activity) -> Vec<Agreement<'_>> {
        let all = named(self.case(participant)).filter_map(|(hash, event)| self.agreement(hash, event));
        all.filter(|agreement| agreement.consent.activity == activity).collect()
    }

    fn agreement<'l>(&'l self, hash: Hash, event: &'l ConsentEvent) -> Option<Agreement<'l>> {
        let terms = self.terms.get(&event.act.consent()?)?;
        let (consent, bound, seen) = match &event.act {
            Act::Given { consent, seen } => (consent, consent.bound, seen),
            Act::RenewedGiven { bound, seen, .. } => {
                let (of, consent) = terms.definition()?;
                // A renewal in another participant's name renews nothing.
                (of == event.participant).then_some((consent, *bound, seen))?
            }
            Act::Refused { .. }
            | Act::Withdrawn { .. }
            | Act::Invalidated { .. }
            | Act::Requested { .. }
            | Act::RequestDeferred { .. }
            | Act::Narrowed { .. }
            | Act::Changed { .. } => return None,
        };
        Some(Agreement { hash, event, consent, terms, bound, seen })
    }
}

/// One agreement, with the terms it agrees to.
#[derive(Clone, Copy)]
pub(crate) struct Agreement<'l> {
    pub(crate) hash: Hash,
    pub(crate) event: &'l ConsentEvent,
    pub(crate) consent: &'l Consent,
    pub(crate) terms: &'l Terms,
    pub(crate) bound: Bound,
    seen: &'l BTreeSet<Hash>,
}

impl Agreement<'_> {
    /// Tells whether it was given in the knowledge of that negative. Somebody's own no beats any proxy's yes.
    pub(crate) fn answers(&self, (hash, negative): (Hash, &ConsentEvent)) -> bool {
        self.seen.contains(&hash) && !(self.by_proxy() && negative.actor == Actor::Participant)
    }

    /// Tells whether the change ends it: a death ends all that did not know of it, capacity and age a proxy's.
    pub(crate) fn ended_by(&self, changed: &Changed<'_>) -> bool {
        let concerned = match changed.change {
            Change::Died => true,
            Change::CapacityReached | Change::AgeReached => self.by_proxy(),
        };
        concerned && !self.seen.contains(&changed.hash)
    }

    fn by_proxy(&self) -> bool {
        self.event.actor == Actor::Proxy || self.consent.mode == Mode::Proxy
    }

    pub(crate) fn out_of_reach(&self, occasion: &Occasion) -> Option<Why> {
        if self.terms.struck() {
            return Some(Why::Invalidated);
        }
        match self.bound {
            Bound::Notebook => None,
            Bound::Until(day) => (occasion.observed().day() > day).then_some(Why::Expired),
            Bound::Encounter(one) => (occasion.encounter() != Some(one)).then_some(Why::OutOfBound),
        }
    }

    fn lacks(&self, changes: &[Changed<'_>], need: &BTreeSet<Scope>) -> Option<Why> {
        if changes.iter().any(|changed| self.ended_by(changed)) {
            return Some(Why::NeedsRenewal);
        }
        let lacking = &(need - &self.terms.scope(self.consent));
        (!lacking.is_empty()).then(|| Why::ScopeLacks(lacking.clone()))
    }
}

/// A change in a participant's life.
#[derive(Clone, Copy)]
pub(crate) struct Changed<'l> {
    hash: Hash,
    event: &'l ConsentEvent,
    change: Change,
}

impl<'l> Changed<'l> {
    pub(crate) fn of((hash, event): (Hash, &'l ConsentEvent)) -> Option<Self> {
        if let Act::Changed { change } = event.act { Some(Self { hash, event, change }) } else { None }
    }

    pub(crate) fn day(&self) -> Day {
        self.event.at.day()
    }
}

/// Pairs each event with its name.
pub(crate) fn named<'l>(
    case: impl Iterator<Item = (&'l Hash, &'l RecordedEvent)>,
) -> impl Iterator<Item = (Hash, &'l ConsentEvent)> {
    case.map(|(hash, recorded)| (*hash, &recorded.event))
}

/// Words an unanswered no. Whether an agreement that misses it is dated after it only chooses the words.
fn standing_no<'a>(
    negatives: &[(Hash, &ConsentEvent)],
    live: impl Iterator<Item = &'a Agreement<'a>> + Clone,
) -> Why {
    let unaware = |negative: &&(Hash, &ConsentEvent)| {
        live.clone().any(|yes| !yes.answers(**negative) && yes.event.at > negative.1.at)
    };
    let withdrawn = |negative: &&(Hash, &ConsentEvent)| matches!(negative.1.act, Act::Withdrawn { .. });
    if let Some((hash, _)) = negatives.iter().find(unaware) {
        return Why::UnseenNegative(*hash);
    }
    let first = negatives.first().expect("a no stands, so there is one");
    negatives.iter().find(withdrawn).map_or(Why::Refused(first.0), |(hash, _)| Why::Withdrawn(*hash))
}

#[cfg(test)]
mod tests;
