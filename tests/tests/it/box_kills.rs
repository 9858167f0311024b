//! The programs, killed at random moments: a few times here, as often as wanted with `cargo xtask kills --times N`.

use thicket_tests::kills::{Target, kill};

/// How often each is killed here.
const TIMES: usize = 5;

/// Kills until at least one kill came while there was work: how long that takes depends on what else the machine does.
fn check(target: Target, seed: u64) {
    let was_at_work = |round: u64| kill(target, TIMES, seed + 100 * round).at_work > 0;
    assert!((0..4).any(was_at_work), "nothing was killed at work");
}

#[test]
fn a_killed_init_leaves_a_whole_home_or_a_folder_for_the_next() {
    check(Target::Init, 9);
}

#[test]
fn a_killed_join_goes_on_when_it_is_run_again() {
    check(Target::Join, 10);
}

#[test]
fn a_killed_note_write_leaves_a_whole_note_or_none() {
    check(Target::Write, 11);
}

#[test]
fn a_killed_note_edit_leaves_the_note_before_or_after_it() {
    check(Target::Edit, 12);
}

#[test]
fn a_killed_import_leaves_whole_notes_and_its_next_run_adds_exactly_the_rest() {
    check(Target::Import, 13);
}

#[test]
fn a_killed_sync_loses_nothing_on_either_side_and_is_finished_by_the_next() {
    check(Target::Sync, 14);
}

#[test]
fn a_killed_server_has_everything_that_it_acknowledged() {
    check(Target::Server, 15);
}
