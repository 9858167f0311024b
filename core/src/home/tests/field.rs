//! Field work: people, places, encounters, consents, lists.

#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

use super::desk::*;
use super::*;

#[test]
fn people_and_places_have_one_name_each_and_keep_it_for_real_in_identities() {
    let (desk, mut home, notebook) = Desk::new();
    let (quincy, private, _) = furnish(&mut home, &notebook);
    let new = |pseudonym: &str| NewParticipant {
        pseudonym: name(pseudonym),
        kind: Kind::Other,
        age: None,
        gender: None,
        real_name: None,
    };
    let taken = home.add_participant(&notebook, new("quincycanary"), now());
    assert!(matches!(taken, Err(HomeError::NameTaken(Thing::Participant))));
    let taken = home.add_participant(&notebook, new("HARBOURcanary"), now());
    assert!(matches!(taken, Err(HomeError::NameTaken(Thing::Place))));
    let place = NewPlace { pseudonym: name("QuincyCanary"), site_type: SiteType::Home, real_name: None };
    assert!(matches!(home.add_place(&notebook, place, now()), Err(HomeError::NameTaken(Thing::Participant))));

    let shown = home.participants(&notebook).expect("known");
    assert_eq!(shown[0].real_name, Some(name("NelliganCanary")));
    home.rename_participant(&notebook, quincy, name("Quincy"), now()).expect("free");
    home.rename_participant(&notebook, quincy, name("QUINCY"), now()).expect("the own name in another case");
    assert_eq!(home.note(private).expect("shown").text, "Met QUINCY at HarbourCanary");
    assert_eq!(home.search(None, "quincy", false, 10).expect("a search").len(), 1);
    drop(home);
    let home = desk.open().expect("whole");
    assert_eq!(home.find_participant(&notebook, "QUINCY").expect("found"), quincy);
    assert_eq!(home.find_participant(&notebook, &prefix(quincy, 6)).expect("found"), quincy);
    let gone = home.find_participant(&notebook, "QuincyCanary");
    assert!(matches!(gone, Err(HomeError::NotFound(Thing::Participant))));
}

#[test]
fn an_encounter_is_with_known_people_at_a_known_place() {
    let (_desk, mut home, notebook) = Desk::new();
    let sam = person(&mut home, &notebook, "Sam");
    let new = |place, with| NewEncounter {
        activity: Activity::HomeVisit,
        place,
        with,
        at: Observed::Minute(now()),
    };
    let nowhere = Some(crate::ids::PlaceId::from_bytes([1; 16]));
    let nobody = BTreeSet::from([ParticipantId::from_bytes([1; 16])]);
    let no_place = home.start_encounter(&notebook, new(nowhere, BTreeSet::new()), now());
    assert!(matches!(no_place, Err(HomeError::NotFound(Thing::Place))));
    let no_person = home.start_encounter(&notebook, new(None, nobody), now());
    assert!(matches!(no_person, Err(HomeError::NotFound(Thing::Participant))));
    let one = home.start_encounter(&notebook, new(None, BTreeSet::from([sam])), now()).expect("known");
    let shown = home.encounters(&notebook).expect("known");
    assert_eq!((shown.len(), shown[0].id, shown[0].by), (1, one, home.member()));
    assert_eq!(home.find_encounter(&notebook, &prefix(one, 5)).expect("found"), one);
}

#[test]
fn a_consent_lets_out_what_it_covers_and_a_withdrawal_puts_it_on_hold() {
    let (desk, mut home, notebook) = Desk::new();
    let sam = person(&mut home, &notebook, "Sam");
    let written = note(&mut home, notebook, "Visit", "Met @{Sam}", About::Unsaid);
    assert!(written.is_private);
    assert_eq!(written.stamp.status, StampStatus::None);
    let held = |home: &Home| -> Vec<(NoteId, HeldWhy)> {
        let spaces = home.status().expect("a status").spaces;
        spaces.into_iter().flat_map(|space| space.held).map(|held| (held.note, held.why)).collect()
    };
    assert_eq!(held(&home), [(written.note, HeldWhy::NoConsent)]);

    let granted = grant(&mut home, &notebook, sam).expect("a consent");
    assert_eq!((granted.state, granted.seen.len()), (State::Given, 0));
    assert_eq!(granted.released, [written.note]);
    let shown = home.note(written.note).expect("shown");
    assert!(!shown.is_private);
    assert_eq!(shown.stamp.status, StampStatus::Valid);
    assert_eq!(shown.stamp.subjects[0].consent, Some(granted.consent));
    assert_eq!(held(&home), []);

    let recorded = home.record_event(&notebook, withdrawal(sam), now()).expect("a withdrawal");
    assert_eq!(recorded.withdrawn, BTreeSet::from([granted.consent]));
    assert_eq!((recorded.notes_on_hold, recorded.released), (vec![written.note], vec![]));
    assert_eq!(held(&home), [(written.note, HeldWhy::OnHold)]);
    let again = home.record_event(&notebook, withdrawal(sam), now());
    assert!(matches!(again, Err(HomeError::Conflict("already withdrawn"))));
    let shown = home.note(written.note).expect("its author may open it");
    assert_eq!(shown.stamp.status, StampStatus::OnHold);
    assert!(matches!(shown.stamp.subjects[0].why, Some(Why::Withdrawn(hash)) if hash == recorded.event));

    // Who saw the withdrawal may agree anew, and withdraw anew.
    let anew = grant(&mut home, &notebook, sam).expect("a consent");
    assert_eq!(anew.seen, BTreeSet::from([recorded.event]));
    assert_eq!(home.note(written.note).expect("shown").stamp.status, StampStatus::Valid);
    let consents = home.consents(&notebook, &sam, now()).expect("known");
    let states: BTreeSet<_> = consents.iter().map(|one| (one.id, one.state)).collect();
    let expected = [(Some(granted.consent), State::Withdrawn), (Some(anew.consent), State::Given)];
    assert_eq!(states, BTreeSet::from(expected));
    drop(home);
    let mut home = desk.open().expect("whole");
    let recorded = home.record_event(&notebook, withdrawal(sam), now()).expect("a withdrawal");
    assert_eq!(recorded.withdrawn, BTreeSet::from([anew.consent]));
}

#[test]
fn what_is_said_of_another_ones_consent_or_said_twice_is_refused() {
    let (_desk, mut home, notebook) = Desk::new();
    let (sam, abby) = (person(&mut home, &notebook, "Sam"), person(&mut home, &notebook, "Abby"));
    let granted = grant(&mut home, &notebook, sam).expect("a consent");
    let consent = granted.consent;
    let foreign = home.record_event(&notebook, event(abby, Act::Invalidated { consent }), now());
    assert!(matches!(foreign, Err(HomeError::NotFound(Thing::Consent))));
    let remaining = Consent::default_scope();
    let nothing = event(sam, Act::Narrowed { consent, remaining });
    assert!(matches!(home.record_event(&notebook, nothing, now()), Err(HomeError::Conflict(_))));
    let remaining = BTreeSet::from([crate::vocabulary::Scope::TakeNotes]);
    let narrowed = home.record_event(&notebook, event(sam, Act::Narrowed { consent, remaining }), now());
    assert_eq!(narrowed.expect("smaller").withdrawn, BTreeSet::new(), "it is in force for what is left");
    let nowhere = Some(crate::ids::EncounterId::from_bytes([1; 16]));
    let refused = Act::Refused { activities: Activities::All, encounter: nowhere };
    let refused = home.record_event(&notebook, event(sam, refused), now());
    assert!(matches!(refused, Err(HomeError::NotFound(Thing::Encounter))));
    let invalidated = || event(sam, Act::Invalidated { consent });
    let recorded = home.record_event(&notebook, invalidated(), now()).expect("once");
    assert_eq!(recorded.withdrawn, BTreeSet::from([consent]));
    assert!(matches!(home.record_event(&notebook, invalidated(), now()), Err(HomeError::Conflict(_))));
    assert_eq!(home.find_consent(&notebook, &prefix(consent, 8)).expect("found"), consent);

    let terms = ConsentTerms {
        participant: abby,
        activity: Activity::Interview,
        mode: Mode::Correction,
        scope: Consent::default_scope(),
        bound: Bound::Notebook,
        at: Observed::Minute(now()),
    };
    let nothing_to_correct = home.record_consent(&notebook, terms.clone(), now());
    assert!(matches!(nothing_to_correct, Err(HomeError::Invalid(_))));
    let elsewhere = Bound::Encounter(crate::ids::EncounterId::from_bytes([1; 16]));
    let unknown = ConsentTerms { mode: Mode::Verbal, bound: elsewhere, ..terms };
    assert!(matches!(
        home.record_consent(&notebook, unknown, now()),
        Err(HomeError::NotFound(Thing::Encounter))
    ));
}

#[test]
fn a_question_and_a_no_without_a_consent_are_shown_by_activity() {
    let (_desk, mut home, notebook) = Desk::new();
    let sam = person(&mut home, &notebook, "Sam");
    let shown = |home: &Home| -> Vec<(Activity, State, usize)> {
        let consents = home.consents(&notebook, &sam, now()).expect("known");
        consents.iter().map(|one| (one.activity, one.state, one.events.len())).collect()
    };
    assert_eq!(shown(&home), []);
    let activities = Activities::one(Activity::Interview);
    let asked = Act::Requested { activities: activities.clone(), encounter: None };
    home.record_event(&notebook, event(sam, asked), now()).expect("asked");
    assert_eq!(shown(&home), [(Activity::Interview, State::Requested, 1)]);
    let refused = Act::Refused { activities, encounter: None };
    home.record_event(&notebook, event(sam, refused), now()).expect("refused");
    assert_eq!(shown(&home), [(Activity::Interview, State::Refused, 2)]);
    home.record_event(&notebook, withdrawal(sam), now()).expect("withdrawn from everything");
    let all = shown(&home);
    assert_eq!((all.len(), all[0].2), (1, 3));
}

#[test]
fn lists_go_on_where_a_page_ended_and_notes_are_found_by_prefix() {
    let (_desk, mut home, notebook) = Desk::new();
    let only = note(&mut home, notebook, "Only", "text", About::Nobody).note;
    assert!(
        matches!(home.find_note(""), Err(HomeError::NotFound(Thing::Note))),
        "the only one is not meant by nothing"
    );
    assert!(home.find_note(&prefix(only, 3)).is_err());
    assert_eq!(home.find_note(&prefix(only, 4)).expect("found"), only);
    let (_desk, mut home, notebook) = Desk::new();
    let notes: BTreeSet<NoteId> = (0..5)
        .map(|at| note(&mut home, notebook, &format!("Note {at}"), "text", About::Nobody).note)
        .collect();
    let untitled = note(&mut home, notebook, "", "\n  First line\nsecond", About::Nobody).note;
    let (mut seen, mut after) = (BTreeSet::new(), None);
    for page_number in 0..3 {
        let page = home.notes(&NotesWanted::default(), after.as_deref(), 2).expect("a page");
        assert_eq!((page.notes.len(), page.next.is_some()), (2, page_number < 2));
        for row in &page.notes {
            assert_eq!(row.title == "First line", row.id == untitled);
            assert!(seen.insert(row.id), "no note twice");
        }
        after = page.next;
    }
    assert_eq!(seen.len(), 6);
    let wrong = home.notes(&NotesWanted::default(), Some("elsewhere"), 2);
    assert!(matches!(wrong, Err(HomeError::Invalid(_))));
    for note in notes {
        assert_eq!(home.find_note(&note.to_string()).expect("found"), note);
        assert_eq!(home.find_note(&prefix(note, 12)).expect("found"), note);
    }
    for nothing in ["", "zzzz", "00000000000000000000000000000000", "aaaa%"] {
        assert!(home.find_note(nothing).is_err(), "{nothing}");
    }
}

#[test]
fn history_says_who_changed_what_when_through_a_release() {
    let (_desk, mut home, notebook) = Desk::new();
    let sam = person(&mut home, &notebook, "Sam");
    let written = note(&mut home, notebook, "Visit", "Met @{Sam}", About::Unsaid);
    let later: Moment = "2026-11-26T10:00:00+01:00".parse().expect("a moment");
    let edit = NoteEdit { text: Some(units("He left")), ..NoteEdit::default() };
    home.edit_note(written.note, edit, later).expect("the author edits");
    let history = home.history(written.note).expect("shown");
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!(history.iter().map(|change| change.at).collect::<Vec<_>>(), [Some(now()), Some(later)]);
    assert_eq!((history[0].named.as_slice(), history[0].member), (&["Sam".to_owned()][..], home.member()));
    assert!(history[1].removed > 0 && history[1].added > 0);
    let about = About::These(BTreeSet::from([sam]));
    let edit = NoteEdit { about: Some(about), ..NoteEdit::default() };
    home.edit_note(written.note, edit, later).expect("the author edits");
    grant(&mut home, &notebook, sam).expect("a consent");
    let history = home.history(written.note).expect("shown");
    let generations: Vec<_> = history.iter().map(|change| change.generation).collect();
    assert_eq!(generations.iter().collect::<BTreeSet<_>>().len(), 2);
    assert_eq!(generations.last(), Some(&home.note(written.note).expect("shown").generation));
}
