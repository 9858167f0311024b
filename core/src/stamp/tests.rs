use super::*;
use crate::consent::{Act, Activities, Bound};
use crate::field::*;
use crate::object::Verified;
use crate::vocabulary::{Actor, Change};

fn note(people: &[(ParticipantId, Role)]) -> NoteFacts {
    NoteFacts {
        realm: Realm::Research,
        people: People::These(people.iter().copied().collect()),
        occasion: observed(WED),
        standing: Standing::Private,
        also_needs: BTreeSet::new(),
        declared: BTreeMap::new(),
    }
}

fn about_sam() -> NoteFacts {
    note(&[(SAM, Role::Observed)])
}

/// A note about Sam that names a ground other than consent.
fn on(basis: Basis) -> NoteFacts {
    NoteFacts { declared: [(SAM, basis)].into(), ..about_sam() }
}

fn lawful(ground: Lawful) -> Basis {
    Basis::OtherLawful { ground, because: Because::LegalDuty }
}

fn none_recorded() -> Basis {
    Basis::NoneRecorded { because: Because::Crowd }
}

fn site() -> Basis {
    let sheet = crate::sheet::InfoSheet::first(NOTEBOOK).named();
    Basis::SitePermission { gatekeeper: ABBY, sheet }
}

#[track_caller]
fn check(all: &[Verified], note: &NoteFacts, expect: StampStatus) {
    let assessment = assess(&ledger(all), note);
    assert_eq!(assessment.status, expect, "{assessment:?}");
    let stamp = assessment.stamp(NoteId::from_bytes([3; 16]), GenerationId::from_bytes([4; 16]), Hash::ZERO);
    assert_eq!(stamp.is_ok(), expect == StampStatus::Valid, "a stamp is made from what is valid alone");
}

fn yes() -> Verified {
    sam(MON, agrees(1, &[]))
}

fn no() -> Verified {
    sam(TUE, withdraws(Activities::All))
}

#[test]
fn a_note_that_says_nothing_of_people_is_pending_and_one_about_nobody_valid() {
    check(&[], &NoteFacts { people: People::Unassessed, ..about_sam() }, StampStatus::Pending);
    check(&[], &note(&[]), StampStatus::Pending);
    check(&[], &NoteFacts { people: People::Nobody, ..about_sam() }, StampStatus::Valid);
}

#[test]
fn the_worst_of_all_the_people_decides() {
    let both = note(&[(SAM, Role::Observed), (ABBY, Role::Mentioned)]);
    let ask = Act::Requested { activities: Activities::All, encounter: None };
    let asked = event(ABBY, MON, Actor::Researcher, ask);
    let refused = event(ABBY, TUE, Actor::Participant, refuses(Activity::Observation, None));
    let agreed = event(ABBY, MON, Actor::Participant, agrees(2, &[]));
    check(&[yes()], &both, StampStatus::None);
    check(&[yes(), asked.clone()], &both, StampStatus::Pending);
    check(&[yes(), asked, refused], &both, StampStatus::Blocked);
    check(&[yes(), agreed], &both, StampStatus::Valid);
}

#[test]
fn a_withdrawal_blocks_a_private_note_and_holds_a_shared_one() {
    let shared = NoteFacts { standing: Standing::Shared, ..about_sam() };
    check(&[yes(), no()], &about_sam(), StampStatus::Blocked);
    check(&[yes(), no()], &shared, StampStatus::OnHold);
    check(&[yes(), no(), sam(WED, agrees(2, &[&no()]))], &shared, StampStatus::Valid);
}

#[test]
fn what_a_narrowed_scope_or_struck_consent_no_longer_covers_goes_on_hold() {
    let shared = NoteFacts { standing: Standing::Shared, ..about_sam() };
    let narrowed = Act::Narrowed { consent: consent_id(1), remaining: [Scope::TakeNotes].into() };
    let invalid = Act::Invalidated { consent: consent_id(1) };
    for act in [narrowed, invalid] {
        let all =
            [yes(), sam(TUE, act), sam(WED, Act::Requested { activities: Activities::All, encounter: None })];
        check(&all, &shared, StampStatus::OnHold);
        check(&all, &about_sam(), StampStatus::Pending);
        check(all.get(..2).expect("two"), &about_sam(), StampStatus::None);
    }
}

#[test]
fn a_speaker_is_quoted_and_needs_that_in_the_scope() {
    let quoted = note(&[(SAM, Role::Speaker)]);
    check(&[yes()], &quoted, StampStatus::None);
    let mut consent = terms(2, Activity::Observation, Bound::Notebook);
    consent.scope.insert(Scope::VerbatimQuote);
    check(&[yes(), sam(TUE, given(consent, &[]))], &quoted, StampStatus::Valid);
    let recorded = NoteFacts { also_needs: [Scope::RecordAudio].into(), ..about_sam() };
    check(&[yes()], &recorded, StampStatus::None);
}

#[test]
fn a_note_without_an_encounter_rests_on_no_consent_for_one() {
    let bound = Bound::Encounter(encounter(1));
    let at_the_door = sam(MON, given(terms(1, Activity::Observation, bound), &[]));
    let occasion = Occasion::at(encounter(1), Activity::Observation, time(WED));
    check(std::slice::from_ref(&at_the_door), &about_sam(), StampStatus::None);
    check(&[at_the_door], &NoteFacts { occasion, ..about_sam() }, StampStatus::Valid);
}

#[test]
fn a_site_gives_leave_for_people_observed_and_never_for_a_quotation() {
    for basis in [site(), Basis::PublicSpace] {
        let with = |role, activity, also_needs: &[Scope]| NoteFacts {
            people: People::These([(SAM, role)].into()),
            occasion: Occasion::at(encounter(1), activity, time(WED)),
            also_needs: also_needs.iter().copied().collect(),
            ..on(basis.clone())
        };
        check(&[], &with(Role::Observed, Activity::Meeting, &[]), StampStatus::Valid);
        check(&[], &with(Role::Bystander, Activity::Observation, &[]), StampStatus::Valid);
        check(&[], &with(Role::Speaker, Activity::Meeting, &[]), StampStatus::None);
        check(&[], &with(Role::Mentioned, Activity::Meeting, &[]), StampStatus::None);
        check(&[], &with(Role::Observed, Activity::InformalInterview, &[]), StampStatus::None);
        check(&[], &with(Role::Observed, Activity::HomeVisit, &[]), StampStatus::None);
        check(&[], &with(Role::Observed, Activity::Meeting, &[Scope::Photograph]), StampStatus::None);
        check(&[no()], &on(basis.clone()), StampStatus::Blocked);
    }
}

#[test]
fn direct_care_is_what_a_service_notebook_rests_on_until_somebody_says_no() {
    let service = |note| NoteFacts { realm: Realm::Service, ..note };
    check(&[], &service(about_sam()), StampStatus::Valid);
    check(&[no()], &service(about_sam()), StampStatus::Blocked);
    check(&[no()], &service(on(lawful(Lawful::DirectCare))), StampStatus::Blocked);
    let narrowed = Act::Narrowed { consent: consent_id(1), remaining: [Scope::TakeNotes].into() };
    check(&[yes(), sam(TUE, narrowed)], &service(about_sam()), StampStatus::None);
    let died = sam(MON, Act::Changed { change: Change::Died });
    check(&[yes(), died], &service(about_sam()), StampStatus::None);
    let recorded = NoteFacts { also_needs: [Scope::RecordAudio].into(), ..about_sam() };
    check(&[], &service(recorded), StampStatus::None);
}

#[test]
fn a_duty_to_record_stands_in_a_service_whatever_was_said() {
    for ground in [Lawful::Safeguarding, Lawful::Statutory, Lawful::VitalInterest] {
        check(&[no()], &NoteFacts { realm: Realm::Service, ..on(lawful(ground)) }, StampStatus::Valid);
    }
}

#[test]
fn in_research_only_safeguarding_serves_and_for_custodians_only() {
    for ground in [Lawful::Statutory, Lawful::VitalInterest, Lawful::DirectCare] {
        check(&[], &on(lawful(ground)), StampStatus::None);
    }
    let note = on(lawful(Lawful::Safeguarding));
    check(&[], &note, StampStatus::None);
    let assessment = assess(&ledger(&[no()]), &note);
    let outcome = assessment.findings.first().map(|finding| &finding.outcome);
    assert_eq!(outcome, Some(&Outcome::Custodians(lawful(Lawful::Safeguarding))));
}

#[test]
fn a_note_about_somebody_without_recorded_consent_leaves_by_hand_alone() {
    let standing = |standing| NoteFacts { standing, ..on(none_recorded()) };
    check(&[], &standing(Standing::Private), StampStatus::None);
    check(&[], &standing(Standing::ReleasedByHand), StampStatus::Valid);
    check(&[], &standing(Standing::Shared), StampStatus::Valid);
    check(&[no()], &standing(Standing::ReleasedByHand), StampStatus::Blocked);
    check(&[no()], &standing(Standing::Shared), StampStatus::OnHold);
}

#[test]
fn a_stamp_holds_who_was_in_the_note_and_what_that_rested_on() {
    let people = note(&[(SAM, Role::Observed), (ABBY, Role::Bystander)]);
    let note = NoteFacts { declared: [(ABBY, Basis::PublicSpace)].into(), ..people };
    let ids = (NoteId::from_bytes([3; 16]), GenerationId::from_bytes([4; 16]));
    let assessment = assess(&ledger(&[yes()]), &note);
    let stamp = assessment.stamp(ids.0, ids.1, Hash::ZERO).expect("all of it rests on something");
    assert_eq!((stamp.note(), stamp.generation(), stamp.status()), (ids.0, ids.1, StampStatus::Valid));
    let basis = Basis::Consent { consent: consent_id(1), events: [hash(&yes())].into() };
    let subject = |participant, role, basis| Subject { participant, role, scope_used: need(), basis };
    let expect = [subject(SAM, Role::Observed, basis), subject(ABBY, Role::Bystander, Basis::PublicSpace)];
    assert_eq!(stamp.subjects(), expect);
    assert_eq!(stamp.declared(), note.declared, "consent is judged anew, the rest is remembered");
}
