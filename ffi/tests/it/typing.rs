//! Key by key: nothing that was acknowledged is lost, and no key lands where it was not typed.

use std::sync::Arc;

use thicket_ffi::{About, NoteEdit, NoteField, Splice, StampStatus, TextTrouble, ThicketError};

use crate::fixture::{Desk, insert, mention, plain, type_in};

#[tokio::test]
async fn an_app_killed_in_mid_word_loses_no_key() {
    let desk = Desk::new().await;
    let note = desk.write("", About::Nobody).await;
    let editor = desk.edit(&note).await;
    type_in(&editor, "Grüße 😀 mid-wo").await;
    drop(editor);
    let desk = desk.reopen().await;
    assert_eq!(desk.text(&note).await, "Grüße 😀 mid-wo");
    let editor = desk.edit(&note).await;
    type_in(&editor, "rd").await;
    editor.sync().await.expect("the disk is there");
    let placed = editor.commit().await.expect("it is saved");
    assert_eq!(placed.stamp.status, StampStatus::Valid);
    assert_eq!(desk.text(&note).await, "Grüße 😀 mid-word");
}

#[tokio::test]
async fn offsets_behind_wide_characters_and_tokens_are_the_apps() {
    let desk = Desk::new().await;
    let sam = desk.participant("Sam").await;
    let note = desk.write("😀😀", About::Unsaid).await;
    let editor = desk.edit(&note).await;
    let splices = vec![mention(2, &sam), insert(5, "!"), Splice { at: 0, delete: 2, insert: plain("") }];
    editor.splice(NoteField::Text, splices).await.expect("they fit");
    editor.splice(NoteField::Title, vec![insert(0, "𝔗itle")]).await.expect("it fits");
    let placed = editor.commit().await.expect("it is saved");
    assert_eq!(placed.stamp.subjects[0].participant, sam);
    let shown = desk.home.note(note).await.expect("it is there");
    assert_eq!((shown.title.as_str(), shown.text.as_str()), ("𝔗itle", "Sam😀!"));
    assert_eq!((shown.prose.text.as_str(), shown.prose.tokens[0].at), ("\u{fffc}😀!", 0));
    assert_eq!(editor.prose(NoteField::Text), shown.prose);
}

#[tokio::test]
async fn a_key_that_does_not_fit_is_refused_and_the_next_lands_where_it_is_typed() {
    let desk = Desk::new().await;
    let note = desk.write("a😀", About::Nobody).await;
    let editor = desk.edit(&note).await;
    for at in [7, 9, u32::MAX] {
        let refused = editor.splice(NoteField::Text, vec![insert(0, "lost "), insert(at, "x")]).await;
        assert_eq!(refused, Err(ThicketError::TextRefused { trouble: TextTrouble::Misplaced }), "{at}");
    }
    let control = editor.splice(NoteField::Text, vec![insert(0, "\u{7}")]).await;
    assert_eq!(control, Err(ThicketError::TextRefused { trouble: TextTrouble::ControlCharacter }));
    type_in(&editor, "z").await;
    editor.commit().await.expect("it is saved");
    assert_eq!(desk.text(&note).await, "a😀z");
}

#[tokio::test]
async fn what_else_is_written_in_the_home_does_not_disturb_who_types() {
    let desk = Desk::new().await;
    let note = desk.write("", About::Nobody).await;
    let editor = desk.edit(&note).await;
    type_in(&editor, "one ").await;
    desk.participant("Sam").await;
    type_in(&editor, "two ").await;
    editor.commit().await.expect("it is saved");
    desk.participant("Abby").await;
    type_in(&editor, "three").await;
    editor.commit().await.expect("it is saved");
    assert_eq!(desk.text(&note).await, "one two three");
}

/// Another's text in the note moves every offset: a key must not land in the middle of it.
#[tokio::test]
async fn a_key_typed_in_a_text_that_is_not_the_notes_any_more_is_refused_and_nothing_is_lost() {
    let desk = Desk::new().await;
    let note = desk.write("end", About::Nobody).await;
    let editor = desk.edit(&note).await;
    type_in(&editor, " typed").await;
    let edit = NoteEdit { text: Some(plain("Others wrote here. end typed")), ..NoteEdit::default() };
    desk.home.edit_note(note.clone(), edit).await.expect("it is taken");
    let stale = editor.splice(NoteField::Text, vec![insert(3, "x")]).await;
    assert!(matches!(stale, Err(ThicketError::Conflict { .. })), "{stale:?}");
    let stale = editor.splice(NoteField::Text, vec![insert(3, "x")]).await;
    assert!(matches!(stale, Err(ThicketError::Conflict { .. })), "the second is as stale: {stale:?}");
    let editor = desk.edit(&note).await;
    type_in(&editor, "!").await;
    editor.commit().await.expect("it is saved");
    assert_eq!(desk.text(&note).await, "Others wrote here. end typed!");
}

#[tokio::test]
async fn keys_sent_before_the_ones_before_them_were_answered_keep_their_order() {
    let desk = Desk::new().await;
    let note = desk.write("", About::Nobody).await;
    let editor = desk.edit(&note).await;
    let keys = "abcdefgh".chars().zip(0..).map(|(char, at)| {
        let editor = Arc::clone(&editor);
        async move { editor.splice(NoteField::Text, vec![insert(at, &char.to_string())]).await }
    });
    // Each is polled once, in order, before any is answered.
    let mut sent: Vec<_> = keys.map(Box::pin).collect();
    let mut answered = Vec::new();
    std::future::poll_fn(|context| {
        sent.retain_mut(|key| match key.as_mut().poll(context) {
            std::task::Poll::Ready(answer) => {
                answered.push(answer);
                false
            }
            std::task::Poll::Pending => true,
        });
        if sent.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    assert!(answered.iter().all(Result::is_ok), "{answered:?}");
    editor.commit().await.expect("it is saved");
    assert_eq!(desk.text(&note).await, "abcdefgh");
}
