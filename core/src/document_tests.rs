//! What documents promise: merges that lose no token, names that are never used twice, damage that is an error.

use std::collections::BTreeSet;

use proptest::prelude::*;
use thicket_protocol::ids::{DeviceId, Hash, MemberId};

use crate::body::Content;
use crate::document::{Actor, ChangeSummary, DocumentError, Field, NoteDocument};
use crate::ids::{EncounterId, GenerationId, NoteId, ParticipantId, PlaceId};
use crate::text::{
    Layer, Mark, NOTE_BYTES_MAX, Prose, Splice, TITLE_CHARS_MAX, TextError, Token, Unit, units,
};
use crate::view::{DraftOf, Heads, Meta, Provenance, View};

fn person(byte: u8) -> ParticipantId {
    ParticipantId::from_bytes([byte; 16])
}

fn token(byte: u8) -> Unit {
    Unit::Token(Token::Person(person(byte)))
}

fn actor(device: u8) -> Actor {
    Actor::derive(DeviceId::from_bytes([device; 16]), &[7; 16], GenerationId::from_bytes([9; 16]))
}

fn meta() -> Meta {
    Meta {
        note: NoteId::from_bytes([1; 16]),
        parent: None,
        draft_of: None,
        author: MemberId::from_bytes([2; 16]),
        encounter: None,
        layer: Layer::Observation,
        observed: "2026-11-24".parse().expect("a day"),
        recorded: "2026-11-25T09:00:00+00:00".parse().expect("a moment"),
        provenance: Provenance::Typed,
        about: BTreeSet::new(),
        nobody: false,
        ended: false,
        made_from: Heads::new(),
    }
}

fn note(text: &[Unit]) -> NoteDocument {
    NoteDocument::new(actor(1), &meta(), &units("Title"), text).expect("within the limits")
}

/// The same document on another device.
fn copy(document: &mut NoteDocument, device: u8) -> NoteDocument {
    NoteDocument::load(actor(device), [&Content::Full(document.save_uncompressed())]).expect("as saved")
}

fn splice(document: &mut NoteDocument, at: u32, delete: u32, insert: &[Unit]) {
    document.splice(Field::Text, &[Splice { at, delete, insert: insert.to_vec() }]).expect("within the text");
}

fn text(document: &NoteDocument) -> Vec<Unit> {
    document.view().expect("a note").text.units()
}

/// Edits two copies apart, merges them in both orders, and gives the one text that comes of it.
#[track_caller]
fn merged(begin: &[Unit], left: impl Fn(&mut NoteDocument), right: impl Fn(&mut NoteDocument)) -> View {
    let mut one = note(begin);
    let mut two = copy(&mut one, 2);
    let base = one.heads();
    left(&mut one);
    right(&mut two);
    one.commit();
    two.commit();
    let (from_one, from_two) = (one.changes_since(&base), two.changes_since(&base));
    one.apply(&Content::Changes(from_two)).expect("a change of a copy");
    two.apply(&Content::Changes(from_one)).expect("a change of a copy");
    assert_eq!(one.heads(), two.heads());
    assert_eq!(one.view().expect("a note"), two.view().expect("a note"));
    one.view().expect("a note")
}

#[test]
fn what_was_written_is_read_back() {
    let about = BTreeSet::from([person(3), person(4)]);
    let full = Meta {
        parent: Some(GenerationId::from_bytes([5; 16])),
        draft_of: Some(DraftOf {
            generation: GenerationId::from_bytes([6; 16]),
            heads: Heads::from([Hash::from_bytes([7; 32]), Hash::from_bytes([8; 32])]),
        }),
        encounter: Some(EncounterId::from_bytes([9; 16])),
        layer: Layer::Interpretation,
        provenance: Provenance::Dictated,
        about,
        nobody: true,
        ended: true,
        made_from: Heads::from([Hash::from_bytes([10; 32]), Hash::from_bytes([11; 32])]),
        ..meta()
    };
    let title = [units("With "), vec![token(1)]].concat();
    let text = [
        vec![Unit::Mark(Mark::Layer(Layer::Speech)), Unit::Mark(Mark::Turn(Some(person(3))))],
        units("é\u{fffc}👩\u{200d}👧\n"),
        vec![token(1), token(1), Unit::Token(Token::Place(PlaceId::from_bytes([5; 16])))],
        vec![Unit::Mark(Mark::Turn(None)), Unit::Mark(Mark::Other)],
    ]
    .concat();
    let mut document = NoteDocument::new(actor(1), &full, &title, &text).expect("within the limits");
    let expected = View { title: Prose::from_units(&title), text: Prose::from_units(&text), meta: full };
    assert_eq!(document.view().expect("a note"), expected);
    assert_eq!(copy(&mut document, 2).view().expect("a note"), expected);
    let changes = Content::Changes(document.changes_since(&Heads::new()));
    let loaded = NoteDocument::load(actor(2), [&changes]).expect("as written");
    assert_eq!(loaded.view().expect("a note"), expected);
    let mut plain = document;
    plain.set_meta(&meta()).expect("a note");
    assert_eq!(plain.view().expect("a note").meta, meta());
}

#[test]
fn the_same_writing_gives_the_same_bytes_and_the_bytes_of_always() {
    let text = [units("Met "), vec![token(1)], units(" today")].concat();
    let mut document = note(&text);
    assert_eq!(document.save_uncompressed(), note(&text).save_uncompressed());
    let bytes: String = document.save_uncompressed().iter().map(|byte| format!("{byte:02x}")).collect();
    insta::assert_snapshot!(bytes);
}

#[test]
fn an_insert_at_the_edge_of_a_token_never_extends_it() {
    let begin = [units("a"), vec![token(1)], units("b")].concat();
    let view = merged(
        &begin,
        |document| splice(document, 1, 0, &units("x")),
        |document| splice(document, 2, 0, &units("y")),
    );
    assert_eq!(view.text.units(), [units("ax"), vec![token(1)], units("yb")].concat());
}

#[test]
fn a_token_goes_whole_when_one_deletes_it_and_another_writes_beside_it() {
    let begin = [units("a "), vec![token(1)], units(" b")].concat();
    let view = merged(
        &begin,
        |document| splice(document, 1, 3, &[]),
        |document| {
            splice(document, 2, 0, &units("<"));
            splice(document, 4, 0, &units(">"));
        },
    );
    assert_eq!(view.text.text(), "a<>b");
    assert_eq!(view.text.tokens(), []);
}

#[test]
fn two_who_delete_one_token_delete_it_once() {
    let begin = [units("a"), vec![token(1), token(2)], units("b")].concat();
    let delete = |document: &mut NoteDocument| splice(document, 1, 1, &[]);
    assert_eq!(
        merged(&begin, delete, delete).text.units(),
        [units("a"), vec![token(2)], units("b")].concat()
    );
}

#[test]
fn two_tokens_of_one_person_side_by_side_stay_two() {
    let mut document = note(&[token(1), token(1)]);
    assert_eq!(text(&document), [token(1), token(1)]);
    splice(&mut document, 1, 1, &[]);
    assert_eq!(text(&document), [token(1)]);
}

#[test]
fn people_added_on_two_devices_are_both_kept() {
    let add = |byte: u8| {
        move |document: &mut NoteDocument| {
            let about = BTreeSet::from([person(byte)]);
            document.set_meta(&Meta { about, nobody: false, ..meta() }).expect("a note");
        }
    };
    assert_eq!(merged(&[], add(1), add(2)).meta.about, BTreeSet::from([person(1), person(2)]));
    let view =
        merged(&[], add(1), |document| document.set_meta(&Meta { nobody: true, ..meta() }).expect("a note"));
    assert!(view.meta.nobody && !view.is_without_people());
}

#[test]
fn a_device_that_loads_and_goes_on_never_uses_a_number_twice() {
    let mut mine = note(&units("one"));
    let mut theirs = copy(&mut mine, 2);
    for round in 0..4 {
        let base = theirs.heads();
        splice(&mut mine, 0, 0, &units("x"));
        mine.commit().expect("an edit");
        theirs.apply(&Content::Changes(mine.changes_since(&base))).expect("the next number of device 1");
        mine = if round % 2 == 0 {
            NoteDocument::load(actor(1), [&Content::Full(mine.save_uncompressed())]).expect("as saved")
        } else {
            NoteDocument::load(actor(1), [&Content::Changes(mine.changes_since(&Heads::new()))])
                .expect("as kept")
        };
    }
    assert_eq!(text(&theirs), units("xxxxone"));
    assert_eq!(mine.heads(), theirs.heads());
}

#[test]
fn every_device_opening_and_generation_writes_under_its_own_name() {
    let derive = |device, opening, generation| {
        Actor::derive(
            DeviceId::from_bytes([device; 16]),
            &[opening; 16],
            GenerationId::from_bytes([generation; 16]),
        )
    };
    let first = derive(1, 1, 1);
    assert_eq!(first, derive(1, 1, 1));
    for other in [derive(2, 1, 1), derive(1, 2, 1), derive(1, 1, 2)] {
        assert_ne!(first, other);
    }
}

#[test]
fn changes_wait_for_what_they_depend_on() {
    let mut document = note(&units("a"));
    let first = document.heads();
    splice(&mut document, 1, 0, &units("b"));
    let second = document.commit().expect("an edit");
    splice(&mut document, 2, 0, &units("c"));
    document.commit().expect("an edit");
    let changes = document.changes_since(&Heads::new());
    let [one, two, three] = <[Vec<u8>; 3]>::try_from(changes).expect("three changes");
    let mut late =
        NoteDocument::load(actor(2), [&Content::Changes(vec![three, one])]).expect("whole changes");
    assert_eq!((late.missing(), late.heads()), (Heads::from([second]), first));
    assert_eq!(text(&late), units("a"));
    late.apply(&Content::Changes(vec![two])).expect("a whole change");
    assert_eq!((late.missing(), late.heads()), (Heads::new(), document.heads()));
    assert_eq!(text(&late), units("abc"));
}

#[test]
fn a_document_whose_beginning_has_not_come_is_no_note_yet() {
    let mut document = note(&units("a"));
    let base = document.heads();
    splice(&mut document, 1, 0, &units("b"));
    document.commit();
    let mut late =
        NoteDocument::load(actor(2), [&Content::Changes(document.changes_since(&base))]).expect("whole");
    assert_eq!(late.missing(), base);
    assert!(matches!(late.view(), Err(DocumentError::NotANote("title"))));
    assert!(matches!(late.splice(Field::Text, &[]), Err(DocumentError::NotANote("text"))));
    late.apply(&Content::Full(document.save_uncompressed())).expect("the whole");
    assert_eq!((late.missing(), text(&late)), (Heads::new(), units("ab")));
}

#[test]
fn what_came_twice_changes_nothing() {
    let mut document = note(&units("a"));
    let whole = Content::Full(document.save_uncompressed());
    let changes = Content::Changes(document.changes_since(&Heads::new()));
    let heads = document.heads();
    for content in [&whole, &changes, &whole] {
        document.apply(content).expect("known");
    }
    assert_eq!((document.heads(), text(&document)), (heads, units("a")));
}

#[test]
fn nothing_is_mixed_with_edits_that_wait() {
    let mut document = note(&units("a"));
    let whole = Content::Full(document.save_uncompressed());
    let (base, draft) = (document.heads(), document.view().expect("a note"));
    splice(&mut document, 0, 0, &units("b"));
    assert!(matches!(document.apply(&whole), Err(DocumentError::Uncommitted)));
    assert!(matches!(document.apply_draft(&base, &draft), Err(DocumentError::Uncommitted)));
    assert!(document.commit().is_some() && document.commit().is_none());
    document.apply(&whole).expect("committed");
}

#[test]
fn a_draft_merges_with_what_others_wrote_meanwhile_as_one_change() {
    let mut shared = note(&units("He came. She left."));
    let base = shared.heads();
    let mut draft = shared.view().expect("a note");
    draft.meta.draft_of =
        Some(DraftOf { generation: GenerationId::from_bytes([9; 16]), heads: base.clone() });
    let edited = [units("He came with "), vec![token(1)], units(". She left.")].concat();
    draft.text = Prose::from_units(&edited);
    draft.title = Prose::from_units(&units("Titles"));
    draft.meta.about.insert(person(2));
    draft.meta.ended = true;
    let mut elsewhere = copy(&mut shared, 2);
    splice(&mut shared, 17, 0, &units(" early"));
    shared.commit().expect("an edit");

    let before = shared.heads();
    let mut again = copy(&mut shared, 1);
    let change = shared.apply_draft(&base, &draft).expect("known heads").expect("a difference");
    assert_eq!(shared.changes_since(&before).len(), 1);
    assert_eq!(shared.heads(), before.iter().copied().chain([change]).collect());
    let view = shared.view().expect("a note");
    assert_eq!(
        view.text.units(),
        [units("He came with "), vec![token(1)], units(". She left early.")].concat()
    );
    assert_eq!((view.title.text(), &view.meta.draft_of), ("Titles", &None));
    assert!(view.meta.about.contains(&person(2)) && !view.meta.ended);
    // Done again after a crash, or on a device that has not seen what others wrote, it is the same change; and the device goes on writing under
    // its own name.
    assert_eq!(again.apply_draft(&base, &draft).expect("known heads"), Some(change));
    assert_eq!(elsewhere.apply_draft(&base, &draft).expect("known heads"), Some(change));
    elsewhere.apply(&Content::Full(shared.save_uncompressed())).expect("one history");
    assert_eq!(elsewhere.heads(), shared.heads());
    assert_eq!(shared.apply_draft(&base, &draft).expect("known heads"), None, "it is here already");
    splice(&mut shared, 0, 0, &units("x"));
    shared.commit().expect("an edit");
    again.apply(&Content::Full(shared.save_uncompressed())).expect("one history");
    assert_eq!(again.heads(), shared.heads());
}

#[test]
fn two_drafts_from_the_same_heads_are_two_changes() {
    let mut shared = note(&units("ab"));
    let base = shared.heads();
    let mut theirs = copy(&mut shared, 2);
    for insert in ["x", "y"] {
        let mut draft = NoteDocument::load(actor(3), [&Content::Full(theirs.save_uncompressed())])
            .and_then(|document| document.view())
            .expect("a note");
        draft.text = Prose::from_units(&units(&format!("a{insert}b")));
        let before = shared.heads();
        shared.apply_draft(&base, &draft).expect("known heads").expect("a difference");
        theirs.apply(&Content::Changes(shared.changes_since(&before))).expect("a new name for each");
    }
    assert_eq!(theirs.heads(), shared.heads());
    assert_eq!(text(&shared).len(), 4);
}

#[test]
fn a_draft_that_cannot_be_applied_leaves_the_document_as_it_was() {
    let mut shared = note(&units("ab"));
    let heads = shared.heads();
    let view = shared.view().expect("a note");
    assert_eq!(shared.apply_draft(&heads, &view).expect("known heads"), None);
    for unknown in [Heads::new(), Heads::from([Hash::from_bytes([1; 32])])] {
        assert!(matches!(shared.apply_draft(&unknown, &view), Err(DocumentError::UnknownHeads)));
    }
    let title = Prose::from_units(&units("new title"));
    let too_long =
        View { title, text: Prose::from_units(&vec![Unit::Char('x'); NOTE_BYTES_MAX + 1]), ..view.clone() };
    assert!(matches!(
        shared.apply_draft(&heads, &too_long),
        Err(DocumentError::Text(TextError::TextTooLong { .. }))
    ));
    assert_eq!((shared.heads(), shared.view().expect("a note")), (heads, view));
    splice(&mut shared, 0, 0, &units("x"));
    assert!(shared.commit().is_some());
}

#[test]
fn history_tells_what_each_change_did() {
    let mut document = note(&units("abc"));
    let first = document.heads().pop_first().expect("one head");
    splice(&mut document, 1, 1, &[units("xy"), vec![token(1)]].concat());
    let second = document.commit().expect("an edit");
    document.splice(Field::Title, &[Splice { at: 0, delete: 1, insert: units("t") }]).expect("a title");
    document.set_meta(&Meta { nobody: true, ..meta() }).expect("a note");
    let third = document.commit().expect("an edit");
    let summary = |change, added, removed, tokens, title, meta| ChangeSummary {
        change,
        added,
        removed,
        tokens,
        title,
        meta,
    };
    let expected = [
        summary(first, 3, 0, vec![], true, true),
        summary(second, 2, 1, vec![Token::Person(person(1))], false, false),
        summary(third, 0, 0, vec![], true, true),
    ];
    assert_eq!(document.history(), expected);
    assert_eq!(copy(&mut document, 2).history(), expected);
}

#[test]
fn a_text_is_full_at_its_limit_and_a_refused_edit_does_nothing() {
    let mut document = note(&[]);
    let insert = |length: usize| Splice { at: 0, delete: 0, insert: vec![Unit::Char('x'); length] };
    assert!(matches!(
        document.splice(Field::Text, &[insert(NOTE_BYTES_MAX + 1)]),
        Err(DocumentError::Text(TextError::TextTooLong { bytes })) if bytes == NOTE_BYTES_MAX + 1
    ));
    assert_eq!(document.commit(), None);
    document.splice(Field::Text, &[insert(NOTE_BYTES_MAX)]).expect("at the limit");
    assert!(document.splice(Field::Text, &[insert(1)]).is_err());
    let replace = Splice { at: 7, delete: 1, insert: units("y") };
    document.splice(Field::Text, std::slice::from_ref(&replace)).expect("still at the limit");
    assert!(
        document.splice(Field::Text, &[replace, Splice { at: 0, delete: 1, insert: units("é") }]).is_err()
    );
    document
        .splice(Field::Text, &[Splice { at: 0, delete: 2, insert: units("é") }])
        .expect("still at the limit");
    assert!(document.commit().is_some());
}

#[test]
fn a_text_that_grew_too_long_in_a_merge_can_only_shrink() {
    let half = units(&"x".repeat(NOTE_BYTES_MAX / 2));
    let mut one = note(&half);
    let mut two = copy(&mut one, 2);
    let base = one.heads();
    splice(&mut one, 0, 0, &half);
    one.commit();
    splice(&mut two, 0, 0, &half);
    two.commit();
    one.apply(&Content::Changes(two.changes_since(&base))).expect("a change of a copy");
    assert_eq!(text(&one).len(), NOTE_BYTES_MAX / 2 * 3);
    assert!(one.splice(Field::Text, &[Splice { at: 0, delete: 0, insert: units("y") }]).is_err());
    one.splice(Field::Text, &[Splice { at: 0, delete: 2, insert: units("y") }]).expect("shorter than before");
}

#[test]
fn a_title_has_one_line_of_limited_length() {
    let mut document = note(&[]);
    let insert = |units: Vec<Unit>| [Splice { at: 5, delete: 0, insert: units }];
    document.splice(Field::Title, &insert(vec![Unit::Char('x'); TITLE_CHARS_MAX - 5])).expect("at the limit");
    for refused in [units("x"), units("\n"), units("\0"), vec![Unit::Mark(Mark::Turn(None))]] {
        assert!(matches!(document.splice(Field::Title, &insert(refused)), Err(DocumentError::Text(_))));
    }
    assert!(matches!(
        document.splice(Field::Title, &[Splice { at: 1_000, delete: 1, insert: vec![] }]),
        Err(DocumentError::OutOfRange { length: TITLE_CHARS_MAX })
    ));
    document
        .splice(Field::Title, &[Splice { at: 0, delete: 1, insert: vec![token(1)] }])
        .expect("a token fits");
}

#[test]
fn splices_count_in_the_text_as_the_ones_before_left_it() {
    let mut document = note(&units("abc"));
    let splices = [
        Splice { at: 3, delete: 0, insert: units("def") },
        Splice { at: 5, delete: 1, insert: [vec![token(1)], units("!")].concat() },
        Splice { at: 0, delete: 2, insert: vec![] },
    ];
    document.splice(Field::Text, &splices).expect("within the text");
    assert_eq!(text(&document), [units("cde"), vec![token(1)], units("!")].concat());
    let refused =
        [Splice { at: 0, delete: 1, insert: vec![] }, Splice { at: 5, delete: 0, insert: units("x") }];
    assert!(matches!(document.splice(Field::Text, &refused), Err(DocumentError::OutOfRange { length: 4 })));
    assert_eq!(text(&document).len(), 5);
}

#[test]
fn keystrokes_in_a_long_note_become_one_change() {
    let mut document = note(&units(&"nine word ".repeat(10_000)));
    let base = document.heads();
    for at in 0..400 {
        splice(&mut document, 50_000 + at, 0, &units("k"));
    }
    document.commit().expect("edits");
    let changes = document.changes_since(&base);
    assert_eq!(changes.len(), 1);
    assert!(changes.iter().all(|change| change.len() < 1_000), "a change is about as long as what was typed");
}

#[test]
fn flipped_and_torn_bytes_are_an_error() {
    let mut document = note(&[units("Met "), vec![token(1)]].concat());
    let whole = document.save_uncompressed();
    let [change] = <[Vec<u8>; 1]>::try_from(document.changes_since(&Heads::new())).expect("one change");
    let full: fn(Vec<u8>) -> Content = Content::Full;
    let changes: fn(Vec<u8>) -> Content = |bytes| Content::Changes(vec![bytes]);
    for (bytes, content) in [(whole, full), (change, changes)] {
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
            assert!(NoteDocument::load(actor(2), [&content(broken)]).is_err(), "flipped at {at}");
            assert!(
                document.apply(&content(bytes.get(..at).expect("shorter").to_vec())).is_err(),
                "torn at {at}"
            );
        }
    }
    assert!(NoteDocument::load(actor(2), [&Content::Full(b"garbage".to_vec())]).is_err());
    assert_eq!(text(&document).len(), 5);
}

/// Puts the right checksum on a chunk of automerge's, as a hostile member would.
fn forge(bytes: &mut [u8]) {
    let sum = ring::digest::digest(&ring::digest::SHA256, bytes.get(8..).expect("a chunk has a head"));
    bytes.iter_mut().skip(4).take(4).zip(sum.as_ref()).for_each(|(to, from)| *to = *from);
}

#[test]
fn a_member_who_forges_checksums_makes_nobody_panic() {
    let mut document = note(&[units("Met "), vec![token(1)]].concat());
    let base = document.heads();
    let whole = document.save_uncompressed();
    splice(&mut document, 1, 2, &[units("éx"), vec![token(2)]].concat());
    document.commit();
    let [change] = <[Vec<u8>; 1]>::try_from(document.changes_since(&base)).expect("one change");
    let read = |parts: &[Content]| {
        if let Ok(mut forged) = NoteDocument::load(actor(3), parts) {
            let _ = (forged.view(), forged.history(), forged.heads(), forged.missing());
            if forged.splice(Field::Text, &[Splice { at: 0, delete: 1, insert: units("z") }]).is_ok() {
                forged.commit();
                let _ = (forged.view(), forged.save_uncompressed());
            }
        }
    };
    for at in 9..whole.len().max(change.len()) {
        for flip in [1, 2, 8, 0x40, 0x80, 0xff] {
            let broken = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= flip);
                forge(&mut bytes);
                bytes
            };
            read(&[Content::Full(broken(&whole))]);
            read(&[Content::Full(whole.clone()), Content::Changes(vec![broken(&change)])]);
        }
    }
}

fn some_text() -> impl Strategy<Value = Vec<Unit>> {
    let unit = prop_oneof![
        6 => prop::sample::select("abc \n\u{fffc}é".chars().collect::<Vec<_>>()).prop_map(Unit::Char),
        2 => (0u8..3).prop_map(token),
        1 => Just(Unit::Mark(Mark::Layer(Layer::Speech))),
    ];
    prop::collection::vec(unit, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_update_never_loses_a_token(old in some_text(), new in some_text()) {
        let mut document = note(&old);
        document.update(Field::Text, &new).expect("within the limits");
        prop_assert_eq!(text(&document), new.clone());
        document.commit();
        prop_assert_eq!(text(&copy(&mut document, 2)), new);
    }

    #[test]
    fn concurrent_updates_merge_the_same_in_both_orders(
        old in some_text(),
        left in some_text(),
        right in some_text(),
    ) {
        merged(
            &old,
            |document| document.update(Field::Text, &left).expect("within the limits"),
            |document| document.update(Field::Text, &right).expect("within the limits"),
        );
    }
}
