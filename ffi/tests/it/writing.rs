//! Notes, people and consent, from the first question to a withdrawal.

use thicket_ffi::{
    About, Activity, ConsentAct, ConsentState, DutyKind, HeldWhy, NewEncounter, NewPlace, NotCovered,
    NoteEdit, NotesWanted, Observed, SiteType, StampStatus, TextTrouble, ThicketError, Thing,
};

use crate::fixture::{Desk, day, mention, plain, withdrawal};

#[tokio::test]
async fn a_note_about_somebody_never_asked_waits_and_is_released_when_they_agree() {
    let desk = Desk::new().await;
    let sam = desk.participant("Sam").await;
    let about = About::These { participants: vec![sam.clone()] };
    let placed = desk.home.write_note(desk.note("He waved.", about)).await.expect("it is taken");
    assert!(placed.is_private);
    assert_eq!(placed.stamp.status, StampStatus::None);
    assert_eq!(placed.stamp.subjects[0].why, Some(NotCovered::NeverAsked));

    let status = desk.home.status().await.expect("it is open");
    let held: Vec<_> = status.spaces.iter().flat_map(|space| &space.held).collect();
    assert_eq!(
        held.iter().map(|held| (&held.note, held.why)).collect::<Vec<_>>(),
        [(&placed.note, HeldWhy::NoConsent)]
    );
    let refused = desk.home.release_note(placed.note.clone()).await;
    assert_eq!(refused, Err(ThicketError::NoConsent { status: StampStatus::None }));

    let granted = desk.home.agree(desk.notebook.clone(), desk.terms(&sam)).await.expect("it is recorded");
    assert_eq!((granted.state, granted.released), (ConsentState::Given, vec![placed.note.clone()]));
    let note = desk.home.note(placed.note).await.expect("it is there");
    assert!(!note.is_private);
    assert_eq!(note.stamp.subjects[0].consent, Some(granted.consent));
}

#[tokio::test]
async fn a_withdrawal_puts_shared_notes_on_hold_and_leaves_others_alone() {
    let desk = Desk::new().await;
    let (sam, abby) = (desk.participant("Sam").await, desk.participant("Abby").await);
    for who in [&sam, &abby] {
        desk.home.agree(desk.notebook.clone(), desk.terms(who)).await.expect("it is recorded");
    }
    let of_sam = desk.write("He waved.", About::These { participants: vec![sam.clone()] }).await;
    let of_abby = desk.write("She waved.", About::These { participants: vec![abby] }).await;

    let event = desk.event(&sam, withdrawal());
    let recorded =
        desk.home.record_event(desk.notebook.clone(), event.clone()).await.expect("it is recorded");
    assert_eq!(recorded.notes_on_hold.iter().collect::<Vec<_>>(), [&of_sam]);
    assert_eq!(recorded.withdrawn.len(), 1);
    let again = desk.home.record_event(desk.notebook.clone(), event).await;
    assert!(matches!(again, Err(ThicketError::Conflict { .. })), "{again:?}");

    let wanted = NotesWanted { stamp: Some(StampStatus::OnHold), ..NotesWanted::default() };
    let listed = desk.home.notes(wanted, None, 50).await.expect("a page").notes;
    assert_eq!(listed.iter().map(|row| &row.id).collect::<Vec<_>>(), [&of_sam]);
    let note = desk.home.note(of_abby).await.expect("it is there");
    assert_eq!(note.stamp.status, StampStatus::Valid);
    let duties = desk.home.duties(desk.notebook.clone(), sam).await.expect("the notebook is there");
    assert!(
        duties.iter().any(|duty| duty.kind == DutyKind::Hold && duty.negative == recorded.event),
        "{duties:?}"
    );
}

#[tokio::test]
async fn an_encounter_shows_who_is_covered_for_what_is_done_there() {
    let desk = Desk::new().await;
    let (sam, abby, joe) =
        (desk.participant("Sam").await, desk.participant("Abby").await, desk.participant("Joe").await);
    let place = NewPlace { pseudonym: "Corner".to_owned(), site_type: SiteType::Home, real_name: None };
    let place = desk.home.add_place(desk.notebook.clone(), place).await.expect("the name is free");
    let all = vec![sam.clone(), abby.clone(), joe.clone()];
    let new =
        NewEncounter { activity: Activity::HomeVisit, place: Some(place), with: all.clone(), at: day() };
    let visit = desk.home.start_encounter(desk.notebook.clone(), new).await.expect("it begins");

    let mut terms = desk.terms(&sam);
    terms.activity = Activity::HomeVisit;
    desk.home.agree(desk.notebook.clone(), terms).await.expect("it is recorded");
    let said_no =
        ConsentAct::SaidNo { activities: vec![Activity::HomeVisit], encounter: Some(visit.clone()) };
    let event = desk.event(&abby, said_no);
    let no = desk.home.record_event(desk.notebook.clone(), event).await.expect("it is recorded").event;
    let asked = ConsentAct::Asked { activities: vec![Activity::HomeVisit], encounter: None };
    desk.home.record_event(desk.notebook.clone(), desk.event(&joe, asked)).await.expect("it is recorded");

    let cover =
        desk.home.coverage(desk.notebook.clone(), all, Some(visit), day()).await.expect("they are there");
    assert!(cover[0].consent.is_some() && cover[0].why.is_none(), "{cover:?}");
    assert_eq!(cover[1].why, Some(NotCovered::Refused { event: no }));
    assert_eq!(cover[2].why, Some(NotCovered::Unanswered));
    let script = desk.home.sheet(desk.notebook.clone(), Activity::HomeVisit).await.expect("a sheet");
    assert!(script.oral_script.is_some_and(|script| script.contains("Do you agree?")));
}

#[tokio::test]
async fn lists_come_in_pages_and_search_finds_by_the_newest_pseudonym() {
    let desk = Desk::new().await;
    let sam = desk.participant("Sam").await;
    for number in 0..5 {
        let mut note = desk.note(&format!("Visit number{number}"), About::Nobody);
        note.observed = Observed::OnDay { day: format!("2026-11-{:02}", 10 + number) };
        desk.home.write_note(note).await.expect("it is taken");
    }
    let (mut after, mut titles) = (None, Vec::new());
    loop {
        let page = desk.home.notes(NotesWanted::default(), after, 2).await.expect("a page");
        assert!(page.notes.len() <= 2);
        titles.extend(page.notes.into_iter().map(|row| row.title));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(titles, ["Visit number4", "Visit number3", "Visit number2", "Visit number1", "Visit number0"]);

    let mut note = desk.note("", About::Unsaid);
    note.text = mention(0, &sam).insert;
    let mentioned = desk.home.write_note(note).await.expect("it is taken").note;
    desk.home.rename_participant(desk.notebook.clone(), sam, "Zadie".to_owned()).await.expect("it is free");
    for (query, found) in [("zad", vec![&mentioned]), ("sam", vec![])] {
        let hits = desk.home.search(None, query.to_owned(), true, 10).await.expect("it is open");
        assert_eq!(hits.iter().map(|hit| &hit.row.id).collect::<Vec<_>>(), found, "{query}");
    }
    let typed = "Then @{Zadie} and @{Nobody}\r\ncame 😀".to_owned();
    let parsed = desk.home.parse_text(desk.notebook.clone(), typed).await.expect("it is a text");
    assert_eq!(parsed.prose.text, "Then \u{fffc} and @{Nobody}\ncame 😀");
    assert_eq!((parsed.prose.tokens[0].at, parsed.unresolved[0].name.as_str()), (5, "Nobody"));
}

#[tokio::test]
async fn what_an_app_hands_in_wrong_is_told_and_never_echoed() {
    let desk = Desk::new().await;
    let secret = "Zoe Q. Realname";
    let edit = NoteEdit { text: Some(plain(&format!("{secret}\u{1b}"))), ..NoteEdit::default() };
    let note = desk.write("A note.", About::Nobody).await;
    let control = desk.home.edit_note(note.clone(), edit).await.expect_err("a control character");
    assert_eq!(control, ThicketError::TextRefused { trouble: TextTrouble::ControlCharacter });
    let name = desk.home.create_notebook(format!(" {secret}"), thicket_ffi::Realm::Research).await;
    let code = thicket_ffi::Home::join(
        "unused".to_owned(),
        secret.to_owned(),
        secret.to_owned(),
        secret.to_owned(),
        thicket_ffi::Unlock::ByPassphrase { passphrase: secret.to_owned() },
        0,
    );
    let unknown = desk.home.note(thicket_ffi::NoteId("00".repeat(16))).await.map(drop);
    assert_eq!(unknown, Err(ThicketError::NotFound { what: Thing::Note }));
    let errors = [
        control,
        name.expect_err("an edge of white space"),
        code.await.expect_err("no code"),
        desk.home.note(thicket_ffi::NoteId(secret.to_owned())).await.expect_err("no id"),
        desk.home.notes(NotesWanted::default(), Some(secret.to_owned()), 1).await.expect_err("no cursor"),
        desk.home.use_server(secret.to_owned()).await.expect_err("no address"),
    ];
    for error in errors {
        let told = format!("{error:?} {error}");
        assert!(!told.contains("Zoe"), "{told}");
    }
    assert_eq!(desk.text(&note).await, "A note.");
}

#[tokio::test]
async fn history_tells_who_changed_how_much() {
    let desk = Desk::new().await;
    let note = desk.write("One.", About::Nobody).await;
    let edit = NoteEdit { text: Some(plain("One. Two.")), ..NoteEdit::default() };
    desk.home.edit_note(note.clone(), edit).await.expect("it is taken");
    let changes = desk.home.history(note).await.expect("it is there");
    assert_eq!(changes.iter().map(|change| change.added).collect::<Vec<_>>(), [4, 5]);
    assert!(changes.iter().all(|change| change.member_name.as_deref() == Some("Ada")), "{changes:?}");
}
