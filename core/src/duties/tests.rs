use super::*;
use crate::consent::Activities;
use crate::field::*;
use crate::object::{Object, Verified};
use crate::sheet::InfoSheet;
use crate::vocabulary::Change;

fn today() -> Day {
    time(WED).day()
}

/// Words Sam's state in every order of arrival.
#[track_caller]
fn check(all: &[Verified], expect: State) {
    for order in permutations(all) {
        assert_eq!(ledger(order).state(&SAM, Activity::Observation, today()), expect);
    }
}

fn yes() -> Verified {
    sam(MON, agrees(1, &[]))
}

fn ask() -> Verified {
    sam(MON, Act::Requested { activities: Activities::All, encounter: None })
}

fn erase() -> Act {
    Act::Withdrawn { activities: Activities::All, encounter: None, terms: withdrawal(None, Hold::Erase) }
}

fn kinds(all: &[Verified]) -> Vec<DutyKind> {
    ledger(all).duties(&SAM).into_iter().map(|duty| duty.kind).collect()
}

#[test]
fn a_state_says_what_was_answered_last() {
    let defer = sam(TUE, Act::RequestDeferred { activities: Activities::All, encounter: None });
    let no = sam(TUE, withdraws(Activities::All));
    check(&[], State::NeverAsked);
    check(&[ask()], State::Requested);
    check(&[ask(), defer], State::Deferred);
    check(&[ask(), yes()], State::Given);
    check(&[ask(), sam(MON, refuses(Activity::Observation, None))], State::Refused);
    check(&[ask(), sam(MON, refuses(Activity::Observation, Some(encounter(1))))], State::Refused);
    check(&[yes(), no.clone()], State::Withdrawn);
    check(&[yes(), event(SAM, TUE, Actor::Committee, withdraws(Activities::All))], State::Revoked);
    check(&[yes(), no.clone(), sam(WED, agrees(2, &[]))], State::Withdrawn);
    check(&[yes(), no.clone(), sam(WED, agrees(2, &[&no]))], State::Given);
    check(&[yes(), sam(TUE, Act::Invalidated { consent: consent_id(1) })], State::Invalidated);
    check(&[yes(), sam(TUE, refuses(Activity::Observation, Some(encounter(1))))], State::Given);
}

#[test]
fn an_old_yes_for_one_encounter_does_not_hide_a_later_no() {
    let once = sam(MON, given(terms(1, Activity::Observation, Bound::Encounter(encounter(1))), &[]));
    check(std::slice::from_ref(&once), State::Given);
    check(&[once, sam(TUE, refuses(Activity::Observation, None))], State::Refused);
}

#[test]
fn a_period_is_over_the_day_after_and_a_renewal_reopens_it() {
    let until = |day: &str| Bound::Until(day.parse().expect("a day"));
    let ended = sam(MON, given(terms(1, Activity::Observation, until(TUE)), &[]));
    check(std::slice::from_ref(&ended), State::Expired);
    check(&[sam(MON, given(terms(1, Activity::Observation, until(WED)), &[]))], State::Given);
    let act = Act::RenewedGiven { consent: consent_id(1), bound: Bound::Notebook, seen: BTreeSet::new() };
    check(&[ended, sam(WED, act)], State::RenewedGiven);
}

#[test]
fn a_material_change_of_the_sheet_asks_for_renewal_and_invalidates_nothing() {
    let sheet = |version, material_change| {
        let sheet = InfoSheet { version, material_change, ..InfoSheet::first(NOTEBOOK) };
        signed(envelope(Object::Sheet(sheet)))
    };
    check(&[yes(), sheet(1, false), sheet(2, false)], State::Given);
    let all = [yes(), sheet(1, false), sheet(3, true)];
    check(&all, State::NeedsRenewal);
    assert!(ledger(&all).covered(&SAM, &observed(WED), &need()).is_covered());
}

#[test]
fn a_death_asks_for_renewal() {
    check(&[yes(), sam(TUE, Act::Changed { change: Change::Died })], State::NeedsRenewal);
    check(&[yes(), sam("2026-11-26", Act::Changed { change: Change::Died })], State::Given);
}

#[test]
fn each_consent_has_a_state_of_its_own() {
    let strike = sam(TUE, Act::Invalidated { consent: consent_id(2) });
    let ledger = ledger(&[yes(), sam(MON, agrees(2, &[])), strike]);
    assert_eq!(ledger.consent_state(&consent_id(1), today()), State::Given);
    assert_eq!(ledger.consent_state(&consent_id(2), today()), State::Invalidated);
    assert_eq!(ledger.consent_state(&consent_id(3), today()), State::NeverAsked);
    assert_eq!(
        ledger.consents(&SAM).iter().map(|consent| consent.id).collect::<Vec<_>>(),
        [consent_id(1), consent_id(2)]
    );
}

#[test]
fn duties_are_the_union_over_all_negatives_the_strictest_first() {
    let refusal = sam(MON, refuses(Activity::Observation, None));
    assert_eq!(kinds(&[yes()]), []);
    assert_eq!(kinds(std::slice::from_ref(&refusal)), [DutyKind::Stop]);
    assert_eq!(kinds(&[sam(TUE, withdraws(Activities::All))]), [DutyKind::Hold, DutyKind::Stop]);
    assert_eq!(
        kinds(&[refusal, sam(TUE, erase())]),
        [DutyKind::Erase, DutyKind::Hold, DutyKind::Stop, DutyKind::Stop]
    );
    assert_eq!(kinds(&[yes(), sam(TUE, Act::Invalidated { consent: consent_id(1) })]), [DutyKind::Hold]);
}

#[test]
fn duties_end_for_the_activity_that_was_agreed_to_again() {
    let no = sam(TUE, erase());
    let unaware = ledger(&[no.clone(), yes()]);
    assert!(unaware.duties(&SAM).iter().all(|duty| duty.activities.contains(&Activity::Observation)));
    let again = ledger(&[no.clone(), sam(WED, agrees(2, &[&no]))]);
    let left = again.duties(&SAM);
    assert_eq!(left.len(), 3, "the other activities are still to be erased");
    assert!(left.iter().all(|duty| !duty.activities.contains(&Activity::Observation)));
    let once = terms(2, Activity::Observation, Bound::Encounter(encounter(1)));
    let once = ledger(&[no.clone(), sam(WED, given(once, &[&no]))]);
    assert!(once.duties(&SAM).iter().all(|duty| duty.activities.contains(&Activity::Observation)));
}

#[test]
fn a_correction_ends_every_duty_of_the_withdrawal_that_it_names() {
    let (wrong, right) = (sam(TUE, erase()), sam(TUE, refuses(Activity::Interview, None)));
    let mut correction = terms(2, Activity::Observation, Bound::Notebook);
    correction.mode = Mode::Correction;
    let correction = event(SAM, WED, Actor::Researcher, given(correction, &[&wrong]));
    assert_eq!(kinds(&[wrong, right, correction]), [DutyKind::Stop]);
}

#[test]
fn a_withdrawal_takes_the_consents_that_were_in_force() {
    let earlier = sam(MON, withdraws(Activities::one(Activity::Interview)));
    let interviews = sam(MON, given(terms(2, Activity::Interview, Bound::Notebook), &[]));
    let for_one = sam(MON, refuses(Activity::Observation, Some(encounter(1))));
    let no = sam(TUE, withdraws(Activities::All));
    let later = sam(WED, agrees(3, &[&no]));
    let all = [yes(), interviews, earlier, for_one.clone(), no.clone(), later];
    for order in permutations(&all) {
        let ledger = ledger(order);
        assert_eq!(ledger.affected(&SAM, &hash(&no)), BTreeSet::from([consent_id(1)]));
        assert_eq!(ledger.affected(&SAM, &hash(&for_one)), BTreeSet::new());
        assert_eq!(ledger.affected(&ABBY, &hash(&no)), BTreeSet::new());
    }
    let strike = sam(TUE, Act::Invalidated { consent: consent_id(1) });
    assert_eq!(
        ledger(&[yes(), strike.clone()]).affected(&SAM, &hash(&strike)),
        BTreeSet::from([consent_id(1)])
    );
}
