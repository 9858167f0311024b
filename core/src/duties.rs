//! What is shown of a consent, and what the team has to do about its negatives.

use std::collections::BTreeSet;

use thicket_protocol::ids::Hash;

use crate::consent::{Act, Bound, ConsentEvent, Occasion};
use crate::coverage::{Agreement, Changed, Why, named};
use crate::ids::{ConsentId, ParticipantId};
use crate::ledger::Ledger;
use crate::time::{Day, Observed};
use crate::vocabulary::{Activity, Actor, DutyKind, Hold, Mode, State};

/// Something that the team has to do because of one negative.
///
/// Ordered by strictness, the strictest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duty {
    /// What.
    pub kind: DutyKind,
    /// Because of which event.
    pub negative: Hash,
    /// For which activities.
    pub activities: BTreeSet<Activity>,
}

impl Ledger {
    /// Lists what the team has to do about a participant: the union over all negatives, the strictest first.
    ///
    /// A negative's duties end for an activity with an agreement to it that has seen the negative and reaches as
    /// far, and altogether with a custodian's correction that names it.
    pub fn duties(&self, participant: &ParticipantId) -> Vec<Duty> {
        let mut duties: Vec<_> = named(self.case(participant))
            .flat_map(|(negative, event)| {
                let (kinds, activities) = self.demands(event);
                let left: BTreeSet<_> =
                    activities.into_iter().filter(|one| !self.settled(negative, event, *one)).collect();
                let kinds = if left.is_empty() { &[] } else { kinds };
                kinds.iter().map(move |kind| Duty { kind: *kind, negative, activities: left.clone() })
            })
            .collect();
        duties.sort();
        duties
    }

    fn demands(&self, event: &ConsentEvent) -> (&'static [DutyKind], BTreeSet<Activity>) {
        match &event.act {
            Act::Refused { activities, .. } => (&[DutyKind::Stop], activities.known()),
            Act::Withdrawn { activities, terms, .. } => match terms.hold {
                Hold::Keep => (&[DutyKind::Hold, DutyKind::Stop], activities.known()),
                Hold::Erase => (&[DutyKind::Erase, DutyKind::Hold, DutyKind::Stop], activities.known()),
            },
            // What rested on it goes on hold; where another consent stands, each note's assessment says so.
            Act::Invalidated { consent } => {
                let activity = self.consent(consent).map(|(_, consent)| consent.activity);
                (&[DutyKind::Hold], activity.into_iter().collect())
            }
            Act::Given { .. }
            | Act::RenewedGiven { .. }
            | Act::Requested { .. }
            | Act::RequestDeferred { .. }
            | Act::Narrowed { .. }
            | Act::Changed { .. } => (&[], BTreeSet::new()),
        }
    }

    fn settled(&self, negative: Hash, event: &ConsentEvent, activity: Activity) -> bool {
        let reaches = |yes: &Agreement<'_>| {
            event.no().is_none_or(|no| {
                let as_far =
                    yes.bound == Bound::Notebook || no.encounter.map(Bound::Encounter) == Some(yes.bound);
                as_far && yes.answers((negative, event))
            })
        };
        let corrects = |yes: &Agreement<'_>| {
            yes.consent.mode == Mode::Correction && yes.answers((negative, event)) && !yes.terms.struck()
        };
        let given = |activity: &Activity| self.agreements(&event.participant, *activity);
        given(&activity).iter().any(|yes| !yes.terms.struck() && reaches(yes))
            || Activity::ALL.iter().flat_map(given).any(|yes| corrects(&yes))
    }

    /// Lists the consents that were in force and are not because of that event.
    ///
    /// A negative for one encounter takes that encounter only out of a consent that goes farther, which stays.
    pub fn affected(&self, participant: &ParticipantId, event: &Hash) -> BTreeSet<ConsentId> {
        let case = || named(self.case(participant));
        let Some((hash, cause)) = case().find(|(hash, _)| hash == event) else { return BTreeSet::new() };
        match &cause.act {
            Act::Invalidated { consent } | Act::Narrowed { consent, .. } => BTreeSet::from([*consent]),
            Act::Refused { .. } | Act::Withdrawn { .. } => {
                let struck = |yes: &Agreement<'_>| {
                    let occasion = self.farthest(yes);
                    let no = |(_, event): &(Hash, &ConsentEvent)| event.forbids(&occasion);
                    let others = |no: &(Hash, &ConsentEvent)| no.0 != hash;
                    !yes.terms.struck()
                        && cause.forbids(&occasion)
                        && !yes.answers((hash, cause))
                        && case().filter(no).filter(others).all(|no| yes.answers(no))
                };
                let yes = Activity::ALL.iter().flat_map(|activity| self.agreements(participant, *activity));
                yes.filter(struck).map(|yes| yes.consent.id).collect()
            }
            Act::Given { .. }
            | Act::RenewedGiven { .. }
            | Act::Requested { .. }
            | Act::RequestDeferred { .. }
            | Act::Changed { .. } => BTreeSet::new(),
        }
    }

    /// Says how one consent stands on that day, for display; whether it covers an occasion is another question.
    pub fn consent_state(&self, id: &ConsentId, today: Day) -> State {
        let Some((participant, consent)) = self.consent(id) else { return State::NeverAsked };
        let agreements = self.agreements(&participant, consent.activity);
        let of_it = agreements.iter().filter(|agreement| agreement.consent.id == *id);
        best(of_it.map(|agreement| self.agreement_state(agreement, today))).unwrap_or(State::NeverAsked)
    }

    /// Says how a participant stands to an activity on that day, for display.
    pub fn state(&self, participant: &ParticipantId, activity: Activity, today: Day) -> State {
        let agreements = self.agreements(participant, activity);
        let live = |yes: &&Agreement<'_>| !yes.terms.struck();
        let unanswered =
            |no: &(Hash, &ConsentEvent)| !agreements.iter().filter(live).any(|yes| yes.answers(*no));
        let noes = || named(self.case(participant)).filter(unanswered);
        let now = Occasion::of(None, activity, Observed::Day(today));
        let standing = noes().filter(|(_, event)| event.forbids(&now));
        if let Some(no) = standing.map(|(_, event)| negative_state(event)).max() {
            return no;
        }
        let given = best(agreements.iter().map(|agreement| self.agreement_state(agreement, today)));
        match given {
            Some(State::Expired | State::Invalidated) | None => {
                let about = |event: &ConsentEvent| event.no().is_some_and(|no| no.activities.hold(activity));
                let once = noes().filter(|(_, event)| about(event));
                let refused = || once.map(|(_, event)| negative_state(event)).max();
                let asked = self.open_question(participant, activity);
                asked.or_else(refused).or(given).unwrap_or(State::NeverAsked)
            }
            Some(state) => state,
        }
    }

    fn open_question(&self, participant: &ParticipantId, activity: Activity) -> Option<State> {
        let questions = named(self.case(participant)).filter_map(|(_, event)| event.question());
        let encounters: BTreeSet<_> = questions.map(|(_, encounter)| encounter).collect();
        let open = encounters.into_iter().filter_map(|encounter| {
            self.open_request(participant, &Occasion::of(encounter, activity, Observed::Day(Day::LAST)))
        });
        open.map(|why| if why == Why::Deferred { State::Deferred } else { State::Requested }).min()
    }

    fn agreement_state(&self, yes: &Agreement<'_>, today: Day) -> State {
        if yes.terms.struck() {
            return State::Invalidated;
        }
        let occasion = self.farthest(yes);
        let case = || named(self.case(&yes.event.participant));
        let noes = case().filter(|(_, event)| event.forbids(&occasion)).filter(|no| !yes.answers(*no));
        if let Some(no) = noes.map(|(_, event)| negative_state(event)).max() {
            return no;
        }
        let past = matches!(yes.bound, Bound::Until(day) if day < today);
        let ended = case().filter_map(Changed::of).any(|c| c.day() <= today && yes.ended_by(&c));
        match &yes.event.act {
            _ if past => State::Expired,
            _ if ended || self.sheet_changed(yes) => State::NeedsRenewal,
            Act::RenewedGiven { .. } => State::RenewedGiven,
            Act::Given { .. }
            | Act::Refused { .. }
            | Act::Withdrawn { .. }
            | Act::Invalidated { .. }
            | Act::Requested { .. }
            | Act::RequestDeferred { .. }
            | Act::Narrowed { .. }
            | Act::Changed { .. } => State::Given,
        }
    }

    /// Tells whether a later version of the sheet says something that people should be asked about anew.
    fn sheet_changed(&self, yes: &Agreement<'_>) -> bool {
        let read = yes.consent.sheet;
        let later = self.sheets().range((read.sheet, read.version)..=(read.sheet, u32::MAX));
        later.filter_map(|(_, sheet)| sheet.value()).any(|s| s.version > read.version && s.material_change)
    }

    /// The last occasion that an agreement reaches: what strikes it there strikes all of it that is still open.
    fn farthest(&self, yes: &Agreement<'_>) -> Occasion {
        let (encounter, observed) = match yes.bound {
            Bound::Notebook => (None, Observed::Day(Day::LAST)),
            Bound::Until(day) => (None, Observed::Day(day)),
            Bound::Encounter(one) => {
                let known = self.encounters().get(&one).and_then(|encounter| encounter.value());
                (Some(one), known.map_or(Observed::Day(Day::LAST), |encounter| encounter.at))
            }
        };
        Occasion::of(encounter, yes.consent.activity, observed)
    }
}

/// Words a negative; a withdrawal by anybody but the participant is a revocation.
fn negative_state(event: &ConsentEvent) -> State {
    match (&event.act, event.actor) {
        (Act::Withdrawn { .. }, Actor::Participant) => State::Withdrawn,
        (Act::Withdrawn { .. }, Actor::Proxy | Actor::Researcher | Actor::Committee) => State::Revoked,
        (
            Act::Refused { .. }
            | Act::Given { .. }
            | Act::RenewedGiven { .. }
            | Act::Invalidated { .. }
            | Act::Requested { .. }
            | Act::RequestDeferred { .. }
            | Act::Narrowed { .. }
            | Act::Changed { .. },
            _,
        ) => State::Refused,
    }
}

/// Of several agreements the one that is most in force speaks.
fn best(states: impl Iterator<Item = State>) -> Option<State> {
    let force = |state: &State| match state {
        State::RenewedGiven => 6,
        State::Given => 5,
        State::NeedsRenewal => 4,
        State::Withdrawn | State::Revoked | State::Refused => 3,
        State::Expired => 2,
        State::Invalidated => 1,
        State::NeverAsked | State::Requested | State::Deferred => 0,
    };
    states.max_by_key(force)
}

#[cfg(test)]
mod tests;
