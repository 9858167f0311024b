use proptest::prelude::*;

use super::*;
use crate::consent::Activities;
use crate::field::*;
use crate::object::{Object, Verified};
use crate::vocabulary::Hold;

/// Judges Sam in every order of arrival, each event coming twice, and returns the one answer there is.
#[track_caller]
fn judge_needing(all: &[Verified], occasion: &Occasion, need: &BTreeSet<Scope>) -> Coverage {
    let answers: Vec<_> = permutations(all)
        .into_iter()
        .map(|order| ledger(order.iter().chain(order.iter().rev()).copied()).covered(&SAM, occasion, need))
        .collect();
    let first = answers.first().expect("even no events have one order").clone();
    assert!(answers.iter().all(|answer| *answer == first), "the order of arrival decided");
    first
}

#[track_caller]
fn judge(all: &[Verified], occasion: &Occasion) -> Coverage {
    judge_needing(all, occasion, &need())
}

#[track_caller]
fn covered(all: &[Verified], occasion: &Occasion) {
    let answer = judge(all, occasion);
    assert!(answer.is_covered(), "{answer:?}");
}

#[track_caller]
fn not_covered(all: &[Verified], occasion: &Occasion, why: Why) {
    assert_eq!(judge(all, occasion), Coverage::NotCovered(why));
}

fn everything() -> Act {
    withdraws(Activities::All)
}

fn interview(number: u8) -> Occasion {
    Occasion::at(encounter(number), Activity::Interview, time(WED))
}

fn visit(number: u8, at: &str) -> Occasion {
    Occasion::at(encounter(number), Activity::HomeVisit, time(at))
}

#[test]
fn a_yes_covers_what_it_was_asked_for() {
    let yes = sam(MON, agrees(1, &[]));
    let events = BTreeSet::from([hash(&yes)]);
    let expect = Coverage::Covered { consent: consent_id(1), events };
    assert_eq!(judge(std::slice::from_ref(&yes), &observed(WED)), expect);
    not_covered(&[yes], &interview(1), Why::NeverAsked);
}

#[test]
fn a_new_form_taken_unaware_of_a_withdrawal_covers_nothing() {
    let first = sam(MON, agrees(1, &[]));
    let no = sam(TUE, everything());
    let form = sam(WED, agrees(2, &[]));
    let unseen = Why::UnseenNegative(hash(&no));
    not_covered(&[first, no, form], &observed(WED), unseen);
}

#[test]
fn a_new_yes_to_somebody_who_saw_the_withdrawal_covers() {
    let first = sam(MON, agrees(1, &[]));
    let no = sam(TUE, everything());
    let again = sam(WED, agrees(2, &[&no]));
    covered(&[first, no, again], &observed(WED));
}

#[test]
fn take_me_out_of_it_strikes_all_three_doorstep_consents() {
    let door = |number: u8| {
        sam(MON, given(terms(number, Activity::HomeVisit, Bound::Encounter(encounter(number))), &[]))
    };
    let no = sam(TUE, everything());
    let all = [door(1), door(2), door(3), no.clone()];
    for number in 1..=3 {
        covered(all.get(..3).expect("three doors"), &visit(number, MON));
        not_covered(&all, &visit(number, MON), Why::Withdrawn(hash(&no)));
    }
}

#[test]
fn a_refusal_on_monday_is_answered_by_a_yes_on_wednesday_that_saw_it() {
    let no = sam(MON, refuses(Activity::Observation, None));
    let yes = sam(WED, agrees(1, &[&no]));
    not_covered(std::slice::from_ref(&no), &observed(WED), Why::Refused(hash(&no)));
    covered(&[no, yes], &observed(WED));
}

#[test]
fn not_today_under_a_notebook_consent_is_for_that_encounter_only() {
    let yes = sam(MON, given(terms(1, Activity::HomeVisit, Bound::Notebook), &[]));
    let not_today = sam(TUE, refuses(Activity::HomeVisit, Some(encounter(2))));
    let all = [yes, not_today.clone()];
    not_covered(&all, &visit(2, TUE), Why::Refused(hash(&not_today)));
    not_covered(&all, &visit(2, MON), Why::Refused(hash(&not_today)));
    covered(&all, &visit(3, TUE));
    covered(&all, &visit(1, MON));
}

#[test]
fn who_withdrew_from_the_interview_stays_in_the_home_visit() {
    let visits = sam(MON, given(terms(1, Activity::HomeVisit, Bound::Notebook), &[]));
    let interviews = sam(MON, given(terms(2, Activity::Interview, Bound::Notebook), &[]));
    let no = sam(TUE, withdraws(Activities::one(Activity::Interview)));
    let all = [visits, interviews, no.clone()];
    covered(&all, &visit(1, WED));
    not_covered(&all, &interview(1), Why::Withdrawn(hash(&no)));
}

#[test]
fn a_good_consent_stands_when_a_form_of_the_wrong_person_is_invalidated() {
    let good = sam(MON, agrees(1, &[]));
    let wrong = sam(MON, agrees(2, &[]));
    let strike = event(SAM, TUE, Actor::Researcher, Act::Invalidated { consent: consent_id(2) });
    covered(&[good, wrong.clone(), strike.clone()], &observed(WED));
    not_covered(&[wrong.clone(), strike.clone()], &observed(WED), Why::Invalidated);
    let renewed = sam(
        WED,
        Act::RenewedGiven { consent: consent_id(2), bound: Bound::Notebook, seen: hashes(&[&strike]) },
    );
    not_covered(&[wrong, strike, renewed], &observed(WED), Why::Invalidated);
}

#[test]
fn from_now_on_leaves_what_was_observed_before() {
    let yes = sam(MON, agrees(1, &[]));
    let from = |at: &str| Act::Withdrawn {
        activities: Activities::All,
        encounter: None,
        terms: withdrawal(Some(at), Hold::Keep),
    };
    let by_minute = sam(WED, from("2026-11-25T14:00:00Z"));
    let no = Why::Withdrawn(hash(&by_minute));
    let all = [yes.clone(), by_minute];
    covered(&all, &observed(TUE));
    covered(&all, &observed("2026-11-25T13:59:00Z"));
    not_covered(&all, &observed("2026-11-25T14:00:00Z"), no.clone());
    not_covered(&all, &observed("2026-11-25/morning"), no);
    let by_day = sam(WED, from(WED));
    let no = Why::Withdrawn(hash(&by_day));
    not_covered(&[yes, by_day], &observed("2026-11-25T08:00:00Z"), no);
}

#[test]
fn a_refusal_without_an_encounter_holds_from_its_day_on() {
    let yes = sam(MON, agrees(1, &[]));
    let no = sam("2026-11-24T15:00:00Z", refuses(Activity::Observation, None));
    let all = [yes, no.clone()];
    covered(&all, &observed(MON));
    not_covered(&all, &observed("2026-11-24T09:00:00Z"), Why::Refused(hash(&no)));
    not_covered(&all, &observed(WED), Why::Refused(hash(&no)));
}

#[test]
fn a_yes_has_to_have_seen_every_no() {
    let first_no = sam(MON, refuses(Activity::Observation, None));
    let second_no = sam(TUE, everything());
    let one = sam(WED, agrees(1, &[&first_no]));
    let other = sam(WED, agrees(2, &[&second_no]));
    let both = sam(WED, agrees(3, &[&first_no, &second_no]));
    let all = [first_no, second_no, one, other];
    assert!(!judge(&all, &observed(WED)).is_covered(), "each no was seen by somebody, both by nobody");
    let [first_no, second_no, one, other] = all;
    covered(&[first_no, second_no, one, other, both], &observed(WED));
}

#[test]
fn a_no_to_something_else_need_not_be_seen() {
    let elsewhere = sam(MON, refuses(Activity::Interview, None));
    let that_visit = sam(MON, refuses(Activity::Observation, Some(encounter(1))));
    let abbys = event(ABBY, MON, Actor::Participant, everything());
    covered(&[elsewhere, that_visit, abbys, sam(TUE, agrees(1, &[]))], &observed(WED));
}

#[test]
fn scope_only_narrows_and_a_renewal_does_not_widen_it() {
    let mut wide = terms(1, Activity::Observation, Bound::Notebook);
    wide.scope.extend([Scope::VerbatimQuote, Scope::Photograph]);
    let narrow = |remaining: &[Scope]| {
        sam(TUE, Act::Narrowed { consent: consent_id(1), remaining: remaining.iter().copied().collect() })
    };
    let yes = sam(MON, given(wide.clone(), &[]));
    let unquoted = narrow(&[Scope::TakeNotes, Scope::TeamShare, Scope::Photograph, Scope::Archive]);
    let unpictured = narrow(&[Scope::TakeNotes, Scope::TeamShare, Scope::VerbatimQuote]);
    let renewed =
        sam(WED, Act::RenewedGiven { consent: consent_id(1), bound: Bound::Notebook, seen: BTreeSet::new() });
    let all = [yes, unquoted, unpictured, renewed];
    covered(&all, &observed(WED));
    for lost in [Scope::VerbatimQuote, Scope::Photograph, Scope::Archive] {
        let lacks = Why::ScopeLacks(BTreeSet::from([lost]));
        assert_eq!(judge_needing(&all, &observed(WED), &BTreeSet::from([lost])), Coverage::NotCovered(lacks));
    }
    wide.id = consent_id(2);
    let [yes, unquoted, unpictured, renewed] = all;
    let anew = [yes, unquoted, unpictured, renewed, sam(WED, given(wide, &[]))];
    assert!(judge_needing(&anew, &observed(WED), &BTreeSet::from([Scope::VerbatimQuote])).is_covered());
}

#[test]
fn a_period_ends_with_its_last_day_and_a_renewal_extends_it() {
    let until = |day: &str| Bound::Until(day.parse().expect("a day"));
    let yes = sam(MON, given(terms(1, Activity::Observation, until(TUE)), &[]));
    covered(std::slice::from_ref(&yes), &observed("2026-11-24T23:59:00Z"));
    not_covered(std::slice::from_ref(&yes), &observed(WED), Why::Expired);
    let renewal = Act::RenewedGiven { consent: consent_id(1), bound: until(WED), seen: BTreeSet::new() };
    let all = [yes, sam(WED, renewal)];
    covered(&all, &observed(MON));
    covered(&all, &observed(WED));
    not_covered(&all, &observed("2026-11-26"), Why::Expired);
}

#[test]
fn a_consent_bound_to_an_encounter_covers_no_other_and_no_note_without_one() {
    let bound = Bound::Encounter(encounter(1));
    let all = [sam(MON, given(terms(1, Activity::Observation, bound), &[]))];
    let at = |number| Occasion::at(encounter(number), Activity::Observation, time(MON));
    covered(&all, &at(1));
    not_covered(&all, &at(2), Why::OutOfBound);
    not_covered(&all, &observed(MON), Why::OutOfBound);
}

#[test]
fn somebodys_own_no_beats_any_proxys_yes() {
    let own_no = sam(MON, everything());
    let proxy_no = event(SAM, MON, Actor::Proxy, everything());
    let proxy_yes = |number, seen: &[&Verified]| event(SAM, TUE, Actor::Proxy, agrees(number, seen));
    let mut by_mode = terms(3, Activity::Observation, Bound::Notebook);
    by_mode.mode = Mode::Proxy;
    covered(&[proxy_no.clone(), proxy_yes(1, &[&proxy_no])], &observed(WED));
    for yes in [proxy_yes(2, &[&own_no]), sam(TUE, given(by_mode, &[&own_no]))] {
        assert!(!judge(&[own_no.clone(), yes], &observed(WED)).is_covered());
    }
    let own_yes = sam(WED, agrees(4, &[&own_no]));
    covered(&[own_no.clone(), proxy_yes(2, &[&own_no]), own_yes], &observed(WED));
}

#[test]
fn a_proxys_consent_ends_when_the_participant_can_decide() {
    let own = sam(MON, agrees(1, &[]));
    let proxys = event(SAM, MON, Actor::Proxy, agrees(2, &[]));
    for change in [Change::CapacityReached, Change::AgeReached] {
        let grown = event(SAM, TUE, Actor::Researcher, Act::Changed { change });
        covered(&[proxys.clone(), grown.clone()], &observed(MON));
        not_covered(&[proxys.clone(), grown.clone()], &observed(TUE), Why::NeedsRenewal);
        covered(&[proxys.clone(), grown, own.clone()], &observed(TUE));
    }
}

#[test]
fn after_a_death_no_new_note_rests_on_an_old_consent() {
    let yes = sam(MON, agrees(1, &[]));
    let death = event(SAM, TUE, Actor::Researcher, Act::Changed { change: Change::Died });
    let kin = event(SAM, WED, Actor::Proxy, agrees(2, &[&death]));
    covered(&[yes.clone(), death.clone()], &observed(MON));
    not_covered(&[yes.clone(), death.clone()], &observed(TUE), Why::NeedsRenewal);
    covered(&[yes, death, kin], &observed(WED));
}

#[test]
fn a_correction_that_names_the_withdrawal_answers_it() {
    let yes = sam(MON, agrees(1, &[]));
    let for_the_wrong_person = sam(TUE, everything());
    let mut correction = terms(2, Activity::Observation, Bound::Notebook);
    correction.mode = Mode::Correction;
    let correction = event(SAM, WED, Actor::Researcher, given(correction, &[&for_the_wrong_person]));
    covered(&[yes, for_the_wrong_person, correction], &observed(WED));
}

#[test]
fn two_meanings_of_one_consent_void_each_other() {
    let narrow = sam(MON, agrees(1, &[]));
    let mut wide = terms(1, Activity::Observation, Bound::Notebook);
    wide.scope.insert(Scope::VerbatimQuote);
    not_covered(&[narrow.clone(), sam(TUE, given(wide, &[]))], &observed(WED), Why::Invalidated);
    covered(&[narrow, sam(TUE, agrees(1, &[]))], &observed(WED));
}

#[test]
fn a_renewal_counts_only_with_the_consent_that_it_renews() {
    let renewal = |participant| {
        let act = Act::RenewedGiven { consent: consent_id(1), bound: Bound::Notebook, seen: BTreeSet::new() };
        event(participant, WED, Actor::Participant, act)
    };
    not_covered(&[renewal(SAM)], &observed(WED), Why::NeverAsked);
    let abbys = event(ABBY, MON, Actor::Participant, agrees(1, &[]));
    not_covered(&[abbys, renewal(SAM)], &observed(WED), Why::NeverAsked);
}

#[test]
fn a_question_stands_until_it_is_answered() {
    let activities = Activities::one(Activity::Observation);
    let ask = sam(MON, Act::Requested { activities: activities.clone(), encounter: None });
    let defer = sam(TUE, Act::RequestDeferred { activities, encounter: None });
    not_covered(&[], &observed(WED), Why::NeverAsked);
    not_covered(std::slice::from_ref(&ask), &observed(WED), Why::Asked);
    not_covered(&[ask.clone(), defer.clone()], &observed(WED), Why::Deferred);
    not_covered(std::slice::from_ref(&ask), &interview(1), Why::NeverAsked);
    let once = sam(WED, given(terms(1, Activity::Observation, Bound::Encounter(encounter(1))), &[]));
    not_covered(&[ask, defer, once], &observed(WED), Why::OutOfBound);
}

#[test]
fn events_about_what_nobody_knows_change_nothing() {
    let (nobody, nothing) = (NOBODY_KNOWN, consent_id(99));
    let all = [
        event(nobody, MON, Actor::Participant, everything()),
        event(nobody, MON, Actor::Committee, Act::Invalidated { consent: nothing }),
        event(nobody, MON, Actor::Proxy, Act::Narrowed { consent: nothing, remaining: BTreeSet::new() }),
        sam(MON, agrees(1, &[])),
    ];
    covered(&all, &observed(WED));
    assert_eq!(ledger(&all).covered(&ABBY, &observed(WED), &need()), Coverage::NotCovered(Why::NeverAsked));
}

#[test]
fn what_a_new_yes_has_seen_is_every_negative_about_the_participant() {
    let noes = [
        sam(MON, refuses(Activity::Interview, Some(encounter(1)))),
        sam(MON, everything()),
        sam(MON, Act::Invalidated { consent: consent_id(1) }),
        sam(MON, Act::Changed { change: Change::Died }),
    ];
    let abbys = event(ABBY, MON, Actor::Participant, everything());
    let ledger = ledger(noes.iter().chain([&abbys, &sam(MON, agrees(1, &[]))]));
    assert_eq!(ledger.seen_now(&SAM), noes.iter().map(hash).collect());
}

/// One random event about Sam or Abby; `seen` picks among the negatives that came before it in the list.
#[derive(Debug, Clone)]
struct Draw {
    kind: u8,
    whose: bool,
    number: u8,
    activity: bool,
    bound: u8,
    day: u8,
    actor: u8,
    seen: u16,
}

fn draw() -> impl Strategy<Value = Draw> {
    let seen = prop_oneof![Just(u16::MAX), any::<u16>()];
    let ranges =
        (0..10_u8, prop::bool::weighted(0.8), 0..4_u8, any::<bool>(), 0..4_u8, 1..5_u8, 0..3_u8, seen);
    ranges.prop_map(|(kind, whose, number, activity, bound, day, actor, seen)| Draw {
        kind,
        whose,
        number,
        activity,
        bound,
        day,
        actor,
        seen,
    })
}

fn build(draws: &[Draw]) -> Vec<Verified> {
    let mut all: Vec<Verified> = Vec::new();
    for draw in draws {
        let seen: Vec<_> = all
            .iter()
            .enumerate()
            .filter(|(at, _)| draw.seen & (1 << (at % 16)) != 0)
            .map(|(_, one)| one)
            .collect();
        let event = build_one(draw, &seen);
        all.push(event);
    }
    all
}

fn build_one(draw: &Draw, seen: &[&Verified]) -> Verified {
    let activity = if draw.activity { Activity::Observation } else { Activity::HomeVisit };
    let bound = match draw.bound {
        0 => Bound::Until("2026-11-02".parse().expect("a day")),
        1 => Bound::Encounter(encounter(1)),
        2 => Bound::Encounter(encounter(2)),
        _ => Bound::Notebook,
    };
    let encounter = if let Bound::Encounter(one) = bound { Some(one) } else { None };
    let activities = if draw.number == 0 { Activities::All } else { Activities::one(activity) };
    // Each wording has an id of its own, but for one id that several share and so void.
    let wording = draw.number + 4 * u8::from(draw.activity) + 8 * draw.bound + 32 * u8::from(draw.whose);
    let id = if draw.number == 3 { 255 } else { wording };
    let consent = consent_id(id);
    let at = format!("2026-11-0{}", draw.day);
    let from = (draw.bound == 0).then_some(at.as_str());
    let act = match draw.kind {
        0..=2 => given(terms(id, activity, bound), seen),
        3 => Act::RenewedGiven { consent, bound, seen: hashes(seen) },
        4 => Act::Refused { activities, encounter },
        5 | 9 => Act::Withdrawn { activities, encounter, terms: withdrawal(from, Hold::Keep) },
        6 => Act::Invalidated { consent },
        7 => Act::Narrowed { consent, remaining: BTreeSet::from([Scope::TakeNotes]) },
        _ => Act::Changed { change: if draw.activity { Change::Died } else { Change::AgeReached } },
    };
    let actor = match draw.actor {
        0 => Actor::Proxy,
        1 => Actor::Researcher,
        _ => Actor::Participant,
    };
    event(if draw.whose { SAM } else { ABBY }, &at, actor, act)
}

/// Every kind of occasion that the random events tell apart.
fn occasions() -> Vec<Occasion> {
    let days = (1..6).map(|day| time(&format!("2026-11-0{day}")));
    days.flat_map(|day| {
        let visit = |number| Occasion::at(encounter(number), Activity::HomeVisit, day);
        [Occasion::observation(day), visit(1), visit(2), visit(3)]
    })
    .collect()
}

fn says_yes(one: &Verified) -> Option<&BTreeSet<Hash>> {
    let Object::Consent(event) = &one.object().envelope().what else { return None };
    match &event.act {
        Act::Given { seen, .. } | Act::RenewedGiven { seen, .. } => Some(seen),
        Act::Refused { .. }
        | Act::Withdrawn { .. }
        | Act::Invalidated { .. }
        | Act::Requested { .. }
        | Act::RequestDeferred { .. }
        | Act::Narrowed { .. }
        | Act::Changed { .. } => None,
    }
}

/// The refusals and withdrawals of Sam that cover an occasion, found without the ledger.
fn noes(all: &[Verified], occasion: &Occasion) -> BTreeSet<Hash> {
    let covers = |one: &&Verified| {
        matches!(&one.object().envelope().what, Object::Consent(event)
            if event.participant == SAM && event.forbids(occasion))
    };
    all.iter().filter(covers).map(hash).collect()
}

fn takes_notes() -> BTreeSet<Scope> {
    BTreeSet::from([Scope::TakeNotes])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn neither_order_nor_repetition_of_arrival_matters(
        draws in prop::collection::vec(draw(), 0..12),
        turns in prop::collection::vec(any::<prop::sample::Index>(), 24),
    ) {
        let all = build(&draws);
        let mut order: Vec<_> = all.iter().chain(&all).collect();
        for (at, turn) in turns.iter().enumerate().take(order.len()) {
            let with = turn.index(order.len());
            order.swap(at, with);
        }
        let (one, other) = (ledger(&all), ledger(order));
        prop_assert_eq!(&one, &other);
        for occasion in occasions() {
            prop_assert_eq!(
                one.covered(&SAM, &occasion, &takes_notes()),
                other.covered(&SAM, &occasion, &takes_notes())
            );
        }
    }

    #[test]
    fn what_covers_has_seen_every_no_that_covers_the_same(draws in prop::collection::vec(draw(), 0..14)) {
        let all = build(&draws);
        let ledger = ledger(&all);
        for occasion in occasions() {
            let Coverage::Covered { events, .. } = ledger.covered(&SAM, &occasion, &takes_notes()) else { continue };
            let noes = noes(&all, &occasion);
            let yes: Vec<_> = all.iter().filter(|one| events.contains(&hash(one))).filter_map(says_yes).collect();
            prop_assert!(!yes.is_empty());
            prop_assert!(yes.iter().all(|seen| seen.is_superset(&noes)));
        }
    }

    #[test]
    fn no_later_event_revives_what_a_no_has_struck(
        draws in prop::collection::vec(draw(), 0..10),
        last in draw(),
    ) {
        let mut all = build(&draws);
        let before = ledger(&all);
        // A consent of its own: else a first "given" could complete a renewal that had seen the no.
        let last = Draw { number: 64, ..last };
        all.push(build_one(&last, &[]));
        let after = ledger(&all);
        for occasion in occasions() {
            let judge = |ledger: &Ledger| ledger.covered(&SAM, &occasion, &takes_notes()).is_covered();
            let is_yes = all.last().and_then(says_yes).is_some();
            if !is_yes || !noes(&all, &occasion).is_empty() {
                prop_assert!(judge(&before) || !judge(&after));
            }
        }
    }

    #[test]
    fn the_dates_of_a_yes_and_of_a_whole_withdrawal_decide_nothing(
        draws in prop::collection::vec(draw(), 0..10),
        days in prop::collection::vec(1..5_u8, 10),
    ) {
        // Refusals, changes and "from now on" speak of a day by their nature; the rest must not.
        let dated = |draw: &Draw| draw.kind == 4 || draw.kind == 8 || (matches!(draw.kind, 5 | 9) && draw.bound == 0);
        let undated: Vec<_> = draws.into_iter().filter(|draw| !dated(draw)).collect();
        let redated: Vec<_> =
            undated.iter().zip(days).map(|(draw, day)| Draw { day, ..draw.clone() }).collect();
        let (one, other) = (ledger(&build(&undated)), ledger(&build(&redated)));
        for occasion in occasions() {
            let judge = |ledger: &Ledger| ledger.covered(&SAM, &occasion, &takes_notes()).is_covered();
            prop_assert_eq!(judge(&one), judge(&other));
        }
    }
}
