//! Pause, resume, lock; calls that are given up; nothing that stays behind.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use thicket_ffi::{About, FeedChange, NoteField, NotesWanted, ThicketError};

use crate::fixture::{Desk, insert, open, type_in};

/// Polls once, as a caller does who gives up before the answer.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// The threads of this process that own a home.
#[cfg(target_os = "linux")]
fn home_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux lists threads");
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim_end() == "thicket-home").count()
}

#[tokio::test]
async fn a_paused_home_lets_others_in_and_resumes_without_being_asked_for_anything() {
    let desk = Desk::new().await;
    let note = desk.write("One.", About::Nobody).await;
    let editor = desk.edit(&note).await;
    type_in(&editor, " Typed.").await;
    let feed = desk.home.feed().expect("it is open");
    desk.home.pause().await.expect("it pauses");
    while feed.next().await.is_some() {}
    assert!(!desk.home.is_open());
    assert_eq!(desk.home.notes(NotesWanted::default(), None, 1).await.map(drop), Err(ThicketError::Closed));
    assert_eq!(editor.commit().await.map(drop), Err(ThicketError::Closed));
    desk.home.pause().await.expect("it is paused already");

    let other = open(&desk.folder, &desk.keys).await.expect("nobody has it");
    assert_eq!(desk.home.resume().await, Err(ThicketError::Busy));
    other.lock().await.expect("it locks");
    desk.home.resume().await.expect("nobody has it any more");
    desk.home.resume().await.expect("it is open already");
    assert_eq!(desk.text(&note).await, "One. Typed.");
    let editor = desk.edit(&note).await;
    type_in(&editor, "!").await;
}

#[tokio::test]
async fn a_locked_home_answers_nothing_and_its_folder_is_free() {
    let desk = Desk::new().await;
    desk.home.lock().await.expect("it locks");
    desk.home.lock().await.expect("it is locked already");
    assert_eq!(desk.home.resume().await, Err(ThicketError::Closed));
    assert_eq!(desk.home.pause().await, Err(ThicketError::Closed));
    assert_eq!(desk.home.feed().map(drop), Err(ThicketError::Closed));
    assert_eq!(desk.home.status().await.map(drop), Err(ThicketError::Closed));
    open(&desk.folder, &desk.keys).await.expect("nobody has it");
}

#[tokio::test]
async fn a_feed_tells_of_writing_and_not_of_keys() {
    let desk = Desk::new().await;
    let note = desk.write("", About::Nobody).await;
    let editor = desk.edit(&note).await;
    // A write is answered a moment before it is told; whoever reads after it has waited for both.
    desk.text(&note).await;
    let feed = desk.home.feed().expect("it is open");
    type_in(&editor, "twenty keys, no news.").await;
    assert_eq!(poll_once(feed.next()), Poll::Pending);
    editor.commit().await.expect("it is saved");
    assert_eq!(feed.next().await, Some(FeedChange::Written));
}

#[tokio::test]
async fn a_wait_for_news_that_is_given_up_misses_none_and_the_end_of_a_feed_ends_it() {
    let desk = Desk::new().await;
    let feed = desk.home.feed().expect("it is open");
    assert_eq!(poll_once(feed.next()), Poll::Pending);
    desk.participant("Sam").await;
    assert_eq!(feed.next().await, Some(FeedChange::Written));
    let waits = tokio::spawn({
        let feed = Arc::clone(&feed);
        async move { feed.next().await }
    });
    tokio::task::yield_now().await;
    feed.end();
    assert_eq!(waits.await.expect("it does not fall"), None);
    desk.participant("Abby").await;
    assert_eq!(feed.next().await, None, "it stays ended");
}

#[tokio::test]
async fn a_write_that_is_given_up_is_done_whole_or_not_at_all() {
    let desk = Desk::new().await;
    for number in 0..20 {
        let note = desk.note(&format!("Note {number}"), About::Nobody);
        // It has been sent to the home's thread by then, and nobody waits for the answer.
        drop(poll_once(desk.home.write_note(note)));
    }
    let never_begun = desk.home.write_note(desk.note("Never begun", About::Nobody));
    drop(never_begun);
    let page = desk.home.notes(NotesWanted::default(), None, 50).await.expect("a page");
    let mut titles: Vec<_> = page.notes.into_iter().map(|row| row.title).collect();
    titles.sort_by_key(|title| title.trim_start_matches("Note ").parse::<u32>().unwrap_or(u32::MAX));
    assert_eq!(titles, (0..20).map(|number| format!("Note {number}")).collect::<Vec<_>>());
    let found = desk.home.verify().await.expect("it is open");
    assert_eq!(found.problems, Vec::<String>::new());
}

#[tokio::test]
async fn an_opening_that_is_given_up_leaves_the_folder_free() {
    let desk = Desk::new().await;
    desk.home.lock().await.expect("it locks");
    assert!(poll_once(open(&desk.folder, &desk.keys)).is_pending());
    // Whoever comes next may have to wait for the one that nobody wants; a home waits two seconds for its folder.
    open(&desk.folder, &desk.keys).await.expect("nobody has it");
}

#[tokio::test]
async fn a_pause_that_is_given_up_locks_and_is_told() {
    let desk = Desk::new().await;
    assert!(poll_once(desk.home.pause()).is_pending());
    assert_eq!(desk.home.resume().await, Err(ThicketError::Closed));
    open(&desk.folder, &desk.keys).await.expect("nobody has it");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn homes_that_were_dropped_leave_no_thread_and_no_file_open() {
    let open_files = || {
        std::fs::read_dir("/proc/self/fd")
            .expect("Linux lists files")
            .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
            .collect::<Vec<_>>()
    };
    let mut desk = Desk::new().await;
    let folder = desk.folder.path().to_owned();
    let in_folder =
        |files: Vec<std::path::PathBuf>| files.iter().filter(|file| file.starts_with(&folder)).count();
    let note = desk.write("", About::Nobody).await;
    for _ in 0..10 {
        let (feed, editor) = (desk.home.feed().expect("it is open"), desk.edit(&note).await);
        drop(poll_once(feed.next()));
        drop(poll_once(editor.splice(NoteField::Text, vec![insert(0, "x")])));
        let weak = Arc::downgrade(&desk.home);
        drop(editor);
        desk = desk.reopen().await;
        assert!(weak.upgrade().is_none(), "somebody holds the home that was dropped");
        assert_eq!(feed.next().await.filter(|change| *change != FeedChange::Written), None);
    }
    assert_eq!(desk.text(&note).await, "x".repeat(10));
    assert!(in_folder(open_files()) > 0, "this one is open");
    desk.home.lock().await.expect("it locks");
    assert_eq!(in_folder(open_files()), 0);
    let others = home_threads();
    // Tests beside this one have homes of their own; ten that were dropped here would stand out.
    assert!(others < 10, "{others} threads");
}
