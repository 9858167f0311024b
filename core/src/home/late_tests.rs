use super::*;
use crate::home::{AsideShown, HeldWhy};
use crate::ids::NoteId;
use crate::text::Unit;

/// Two devices of one member with all their keys.
fn own_two() -> (Desk, Desk, Relay) {
    let mut one = Desk::found();
    let mut two = one.admit(None, 2);
    one.give_keys(&mut two);
    (one, two, Relay::default())
}

fn late(desk: &Desk, note: NoteId) -> Vec<AsideShown> {
    desk.home.note(note).expect("shown").late
}

fn texts(desk: &Desk, note: NoteId) -> Vec<String> {
    late(desk, note).into_iter().map(|late| late.text).collect()
}

fn hits(desk: &Desk, word: &str) -> Vec<NoteId> {
    let hits = desk.home.search(None, word, false, 10).expect("searched");
    hits.into_iter().map(|hit| hit.row.id).collect()
}

fn is_held_late(desk: &Desk, note: NoteId) -> bool {
    let status = desk.home.status().expect("told");
    let mut held = status.spaces.iter().flat_map(|space| &space.held);
    held.any(|held| held.note == note && held.why == HeldWhy::LateEdit)
}

fn adopt(desk: &mut Desk, note: NoteId) -> Placed {
    let late = late(desk, note);
    assert_eq!(late.len(), 1, "{late:?}");
    desk.home.adopt_late(note, late[0].generation, minute(31)).expect("taken over")
}

/// A private note on both, released on the first while the second writes on.
fn released_while_edited(text: &[Unit]) -> (Desk, Desk, Relay, NoteId) {
    let (mut one, mut two, mut relay) = own_two();
    let sam = one.person("Sam", None);
    let note = one.write(with(sam, " came."), About::Unsaid).note;
    relay.sync(&mut one, &mut two);
    assert_eq!(one.consent(sam), [note]);
    two.edit(note, [with(sam, " came"), text.to_vec(), units(".")].concat());
    relay.sync(&mut one, &mut two);
    (one, two, relay, note)
}

#[test]
fn what_was_typed_into_a_note_that_was_released_meanwhile_is_shown_found_and_taken_over() {
    let (mut one, mut two, mut relay, note) = released_while_edited(&units(" quagmired"));
    for desk in [&mut one, &mut two] {
        assert_eq!(desk.text(note), "\u{fffc} came.");
        assert_eq!(texts(desk, note), ["Sam came quagmired."]);
        assert!(is_held_late(desk, note));
        assert_eq!(hits(desk, "quagmired"), [note]);
        assert_eq!(hits(desk, "came"), [note], "once");
        while desk.home.index_some(64).expect("indexed") > 0 {}
        assert_eq!(hits(desk, "quagmired"), [note]);
        assert_eq!(
            desk.home.notes(&crate::home::NotesWanted::default(), None, 9).expect("a list").notes.len(),
            1
        );
    }
    let sam = *one.row(note).people.first().expect("Sam");
    one.edit(note, with(sam, " came. Monday."));
    let placed = adopt(&mut two, note);
    assert!(!placed.is_private && !placed.is_draft);
    assert_eq!(texts(&two, note), [""; 0]);
    relay.sync(&mut one, &mut two);
    for desk in [&one, &two] {
        assert_eq!(desk.text(note), "\u{fffc} came quagmired. Monday.");
        assert_eq!((texts(desk, note).len(), is_held_late(desk, note)), (0, false));
    }
    assert_eq!(one.rows(&[note]), two.rows(&[note]));
    let again = one.home.adopt_late(note, one.row(note).parent.expect("a parent"), minute(40));
    assert!(matches!(again, Err(HomeError::Conflict(_))), "{again:?}");
}

#[test]
fn a_late_edit_that_names_somebody_uncovered_is_taken_over_as_a_draft() {
    let (mut one, mut two, mut relay) = own_two();
    let (sam, abby) = (one.person("Sam", None), one.person("Abby", None));
    let note = one.write(with(sam, " came."), About::Unsaid).note;
    relay.sync(&mut one, &mut two);
    one.consent(sam);
    two.edit(note, [with(sam, " came with "), with(abby, ".")].concat());
    relay.sync(&mut one, &mut two);
    let placed = adopt(&mut one, note);
    assert!(placed.is_draft && placed.is_private);
    assert_eq!(one.text(note), "\u{fffc} came.", "the team reads nothing of it");
    let shown = one.home.note(note).expect("shown");
    assert_eq!(shown.draft.expect("a draft").text, "Sam came with Abby.");
    assert_eq!(shown.late, []);
}

#[test]
fn of_two_releases_the_text_of_the_one_that_does_not_count_is_kept() {
    let (mut one, mut two, mut relay) = own_two();
    let sam = one.person("Sam", None);
    let note = one.write(with(sam, " came."), About::Unsaid).note;
    relay.sync(&mut one, &mut two);
    one.consent(sam);
    two.consent(sam);
    two.home.release_note(note, minute(5)).expect("by hand");
    one.edit(note, with(sam, " came. First."));
    two.edit(note, with(sam, " came. Second."));
    relay.sync(&mut one, &mut two);
    assert_eq!(one.rows(&[note]), two.rows(&[note]));
    let (shown, other) =
        if one.text(note).contains("First") { ("First", "Second") } else { ("Second", "First") };
    assert_eq!(texts(&one, note), [format!("Sam came. {other}.")]);
    assert_eq!(hits(&two, other), [note]);
    // What changes in the one that counts makes nothing late, and hides nothing.
    two.edit(note, with(sam, &format!(" came. {shown} and more.")));
    assert_eq!(texts(&two, note).len(), 1);
    adopt(&mut two, note);
    relay.sync(&mut one, &mut two);
    for desk in [&one, &two] {
        let text = desk.text(note);
        assert!(text.contains("First") && text.contains("Second") && text.contains("more"), "{text}");
        assert_eq!(text.matches("came").count(), 1, "{text}");
        assert_eq!(late(desk, note), []);
    }
}

#[test]
fn two_releases_of_one_text_leave_nothing_late() {
    let (mut one, mut two, mut relay) = own_two();
    let sam = one.person("Sam", None);
    let note = one.write(with(sam, " came."), About::Unsaid).note;
    relay.sync(&mut one, &mut two);
    one.consent(sam);
    two.consent(sam);
    two.home.release_note(note, minute(5)).expect("by hand");
    relay.sync(&mut one, &mut two);
    one.edit(note, with(sam, " came again."));
    relay.sync(&mut one, &mut two);
    assert_eq!((late(&one, note), late(&two, note)), (vec![], vec![]));
    assert_eq!(two.text(note), "\u{fffc} came again.");
}

#[test]
fn a_draft_that_ended_elsewhere_keeps_what_was_typed_into_it() {
    let (mut one, mut two, mut relay) = own_two();
    let sam = one.person("Sam", None);
    let note = one.write(units("Rain."), About::Nobody).note;
    relay.sync(&mut one, &mut two);
    assert!(one.edit(note, [units("Rain. "), with(sam, " came.")].concat()).is_draft);
    relay.sync(&mut one, &mut two);
    assert_eq!(one.consent(sam), [note]);
    two.edit(note, [units("Rain. "), with(sam, " came late.")].concat());
    relay.sync(&mut one, &mut two);
    for desk in [&one, &two] {
        assert_eq!(desk.text(note), "Rain. \u{fffc} came.");
        assert_eq!(texts(desk, note), ["Rain. Sam came late."]);
        assert_eq!(desk.home.note(note).expect("shown").draft, None, "it has ended");
    }
    assert!(!adopt(&mut one, note).is_draft);
    relay.sync(&mut one, &mut two);
    for desk in [&one, &two] {
        assert_eq!(desk.text(note), "Rain. \u{fffc} came late.");
        assert_eq!(late(desk, note), []);
    }
}

#[test]
fn of_two_drafts_begun_on_two_devices_both_are_seen() {
    let (mut one, mut two, mut relay) = own_two();
    let sam = one.person("Sam", None);
    let note = one.write(units("Rain."), About::Nobody).note;
    relay.sync(&mut one, &mut two);
    one.edit(note, [units("Rain. First "), with(sam, "")].concat());
    two.edit(note, [units("Rain. Second "), with(sam, "")].concat());
    relay.sync(&mut one, &mut two);
    let shown = one.home.note(note).expect("shown");
    let both = format!("{}{}", shown.draft.expect("a draft").text, shown.late[0].text);
    assert!(both.contains("First") && both.contains("Second"), "{both}");
    assert!(adopt(&mut one, note).is_draft);
    relay.sync(&mut one, &mut two);
    let text = two.home.note(note).expect("shown").draft.expect("one draft").text;
    assert!(text.contains("First") && text.contains("Second"), "{text}");
    assert_eq!(late(&two, note), []);
}

#[test]
fn late_edits_are_a_function_of_the_set_of_records() {
    let (one, _two, relay, note) = released_while_edited(&units(" quagmired"));
    let mut one = one;
    let mut three = one.admit(None, 3);
    one.give_keys(&mut three);
    for mut batches in relay.lacking(&three).into_iter().rev() {
        batches.1.reverse();
        for batch in batches.1 {
            three.home.take_batches(batches.0, vec![batch], minute(30)).expect("taken");
        }
    }
    assert_eq!(three.rows(&[note]), one.rows(&[note]));
    assert_eq!(texts(&three, note), ["Sam came quagmired."]);
    let three = three.reopen(9);
    assert_eq!(texts(&three, note), ["Sam came quagmired."]);
}

#[test]
fn a_late_edit_whose_origin_is_not_here_comes_whole_behind_the_text() {
    let (mut one, mut two, mut relay) = own_two();
    let sam = one.person("Sam", None);
    let note = one.write(with(sam, " came."), About::Unsaid).note;
    relay.sync(&mut one, &mut two);
    one.edit(note, with(sam, " came twice."));
    one.consent(sam);
    two.edit(note, with(sam, " came quagmired."));
    relay.push(&mut one);
    // The successor comes, and what it was made from does not.
    for (space, batches) in relay.lacking(&two) {
        if two.home.known_team().expect("a team").spaces()[&space].kind != SpaceKind::Private {
            one.give_keys(&mut two);
            two.home.take_batches(space, batches, minute(21)).expect("taken");
        }
    }
    assert_eq!(texts(&two, note), ["Sam came quagmired."]);
    adopt(&mut two, note);
    assert_eq!(two.text(note), "\u{fffc} came twice.\n\u{fffc} came quagmired.");
    assert_eq!(late(&two, note), []);
    relay.sync(&mut one, &mut two);
    assert_eq!(one.text(note), two.text(note));
    assert_eq!((late(&one, note), late(&two, note)), (vec![], vec![]));
    assert_eq!(one.rows(&[note]), two.rows(&[note]));
}
