//! The difference of two texts as splices.
//!
//! Effort is counted, not timed, so the same two texts give the same splices on every machine: core has no clock,
//! and a time-out would make a change depend on the weather. That is why the algorithm is written out here.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::text::{Splice, Unit};

/// How many insertions and deletions one search may find; its memory grows with the square, to 8 MB.
const DIFFERENCES_MAX: usize = 2_000;

/// How many comparisons one difference may cost in all.
const EFFORT_MAX: usize = 20_000_000;

/// Equal runs shorter than this between two changes go with them: a replaced word is one splice, not letters kept
/// by accident. A run that holds a token stays.
const KEPT_RUN_MIN: usize = 3;

/// A range of the old text and what stands in its place in the new one.
type Change = (Range<usize>, Range<usize>);

/// Finds splices that make `new` of `old`, few and small where that is cheap, else replacing what is between the
/// first and the last change. Each splice counts in the text as the ones before it left it.
pub fn diff(old: &[Unit], new: &[Unit]) -> Vec<Splice> {
    let count = |units: usize| u32::try_from(units).expect("a text has fewer than 2^32 units");
    joined(old, changes(old, new))
        .into_iter()
        .map(|(gone, come)| Splice {
            // All before it is the new text already.
            at: count(come.start),
            delete: count(gone.len()),
            insert: new.get(come).expect("changes lie within the new text").to_vec(),
        })
        .collect()
}

/// Looks for changes among units; when these are too many, among lines, and then within the lines that changed.
fn changes(old: &[Unit], new: &[Unit]) -> Vec<Change> {
    let mut effort = EFFORT_MAX;
    let (gone, come) = between(old, new, &(0..old.len(), 0..new.len()));
    if let Some(found) = search(old, new, &(gone.clone(), come.clone()), &mut effort) {
        return found;
    }
    let (old_lines, new_lines) = (lines(old, &gone), lines(new, &come));
    let (old_names, new_names) = names(old, &old_lines, new, &new_lines);
    let all = (0..old_lines.len(), 0..new_lines.len());
    let Some(found) = search(&old_names, &new_names, &all, &mut effort) else { return vec![(gone, come)] };
    let mut refined = Vec::new();
    for (old_range, new_range) in found {
        let change = (span(&old_lines, &old_range, gone.end), span(&new_lines, &new_range, come.end));
        let change = between(old, new, &change);
        refined.extend(search(old, new, &change, &mut effort).unwrap_or_else(|| vec![change]));
    }
    refined
}

/// Takes the common beginning and the common end off a change.
fn between(old: &[Unit], new: &[Unit], (gone, come): &Change) -> Change {
    let (from, to) = (part(old, gone), part(new, come));
    let start = from.iter().zip(to).take_while(|(from, to)| from == to).count();
    let rest = from.len().min(to.len()) - start;
    let end = from.iter().rev().zip(to.iter().rev()).take(rest).take_while(|(from, to)| from == to).count();
    (gone.start + start..gone.end - end, come.start + start..come.end - end)
}

/// Finds the shortest list of changes within a range (E. Myers, "An O(ND) Difference Algorithm", 1986, the greedy
/// form), or none when there are more than [`DIFFERENCES_MAX`] or half of the effort left is spent on it.
fn search<T: PartialEq>(old: &[T], new: &[T], within: &Change, effort: &mut usize) -> Option<Vec<Change>> {
    let (from, to) = (part(old, &within.0), part(new, &within.1));
    if from.is_empty() && to.is_empty() {
        return Some(Vec::new());
    }
    if from.is_empty() || to.is_empty() {
        return Some(vec![within.clone()]);
    }
    let mut left = *effort / 2;
    *effort -= left;
    let found = furthest(from, to, &mut left).map(|rows| path(&rows, within, from.len()));
    *effort += left;
    found
}

/// For each number of differences d, how far in `from` one comes on each diagonal: place i of row d is the diagonal
/// 2i - d. The last row ends at the end of both.
fn furthest<T: PartialEq>(from: &[T], to: &[T], effort: &mut usize) -> Option<Vec<Vec<usize>>> {
    let mut rows: Vec<Vec<usize>> = Vec::new();
    for d in 0..=DIFFERENCES_MAX.min(from.len() + to.len()) {
        let mut row = Vec::with_capacity(d + 1);
        for i in 0..=d {
            let begin = rows.last().map_or(0, |before| step(before, i).0);
            let steps = from
                .iter()
                .skip(begin)
                .zip(to.iter().skip(begin + d - 2 * i))
                .take_while(|(from, to)| from == to)
                .count();
            row.push(begin + steps);
            *effort = effort.checked_sub(steps + 1)?;
            if begin + steps == from.len() && begin + steps + d - 2 * i == to.len() {
                rows.push(row);
                return Some(rows);
            }
        }
        rows.push(row);
    }
    None
}

/// How place `i` of a row is best reached from the row before, and whether by a deletion.
fn step(before: &[usize], i: usize) -> (usize, bool) {
    let deletion = i.checked_sub(1).and_then(|i| before.get(i)).map(|x| x + 1);
    let insertion = before.get(i).copied();
    (deletion.max(insertion).expect("a place has a neighbour in the row before"), deletion >= insertion)
}

/// Walks the rows back from the end and gathers the changes.
fn path(rows: &[Vec<usize>], within: &Change, from_len: usize) -> Vec<Change> {
    let last = rows.last().expect("row 0 is always there");
    let mut i = last.iter().rposition(|x| *x == from_len).expect("the last row reaches the end");
    let mut found: Vec<Change> = Vec::new();
    for (d, before) in rows.iter().enumerate().rev().skip(1).map(|(d, before)| (d + 1, before)) {
        let (x, deletion) = step(before, i);
        let (x, y) = (within.0.start + x, within.1.start + x + d - 2 * i);
        let change = if deletion { (x - 1..x, y..y) } else { (x..x, y - 1..y) };
        match found.last_mut() {
            Some(next) if next.0.start == change.0.end && next.1.start == change.1.end => {
                next.0.start = change.0.start;
                next.1.start = change.1.start;
            }
            Some(_) | None => found.push(change),
        }
        i -= usize::from(deletion);
    }
    found.reverse();
    found
}

/// Joins changes between which next to nothing was kept.
fn joined(old: &[Unit], changes: Vec<Change>) -> Vec<Change> {
    let mut kept: Vec<Change> = Vec::with_capacity(changes.len());
    for change in changes {
        match kept.last_mut() {
            Some(last) if is_accident(part(old, &(last.0.end..change.0.start))) => {
                *last = (last.0.start..change.0.end, last.1.start..change.1.end);
            }
            Some(_) | None => kept.push(change),
        }
    }
    kept
}

fn is_accident(run: &[Unit]) -> bool {
    run.len() < KEPT_RUN_MIN && run.iter().all(|unit| matches!(unit, Unit::Char(_)))
}

fn part<'t, T>(text: &'t [T], range: &Range<usize>) -> &'t [T] {
    text.get(range.clone()).expect("ranges of a difference lie within its texts")
}

/// The lines of a range, each with its line feed.
fn lines(text: &[Unit], within: &Range<usize>) -> Vec<Range<usize>> {
    let mut at = within.start;
    part(text, within)
        .split_inclusive(|unit| *unit == Unit::Char('\n'))
        .map(|line| {
            let start = at;
            at += line.len();
            start..at
        })
        .collect()
}

/// Gives equal lines equal numbers.
fn names(
    old: &[Unit],
    old_lines: &[Range<usize>],
    new: &[Unit],
    new_lines: &[Range<usize>],
) -> (Vec<usize>, Vec<usize>) {
    let mut known = BTreeMap::new();
    let mut name = |text, line: &Range<usize>| {
        let next = known.len();
        *known.entry(part(text, line)).or_insert(next)
    };
    (
        old_lines.iter().map(|line| name(old, line)).collect(),
        new_lines.iter().map(|line| name(new, line)).collect(),
    )
}

/// The units of some lines; of no lines, the place before the next one.
fn span(lines: &[Range<usize>], range: &Range<usize>, end: usize) -> Range<usize> {
    let start = |line: usize| lines.get(line).map_or(end, |line| line.start);
    start(range.start)..start(range.end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::ParticipantId;
    use crate::text::{Token, units};

    #[track_caller]
    fn check(old: &[Unit], new: &[Unit]) -> Vec<Splice> {
        let splices = diff(old, new);
        let mut text = old.to_vec();
        assert!(splices.iter().all(|splice| splice.apply(&mut text)));
        assert!(text == new, "the splices make the new text");
        splices
    }

    fn token(byte: u8) -> Unit {
        Unit::Token(Token::Person(ParticipantId::from_bytes([byte; 16])))
    }

    #[test]
    fn a_small_edit_is_a_small_splice() {
        let splices =
            check(&units("She was tired and left early."), &units("She was very tired and left late."));
        assert_eq!(
            splices,
            [
                Splice { at: 8, delete: 0, insert: units("very ") },
                Splice { at: 28, delete: 5, insert: units("late") },
            ]
        );
        assert_eq!(check(&units("same"), &units("same")), []);
        assert_eq!(check(&[], &units("a")), [Splice { at: 0, delete: 0, insert: units("a") }]);
    }

    #[test]
    fn a_token_between_two_changes_is_kept() {
        let old = [units("a"), vec![token(1)], units("b")].concat();
        let new = [units("x"), vec![token(1)], units("y")].concat();
        assert_eq!(
            check(&old, &new),
            [
                Splice { at: 0, delete: 1, insert: units("x") },
                Splice { at: 2, delete: 1, insert: units("y") }
            ]
        );
        assert_eq!(check(&[token(1)], &[token(2)]), [Splice { at: 0, delete: 1, insert: vec![token(2)] }]);
    }

    #[test]
    fn two_rewritten_paragraphs_leave_what_is_between_them_alone() {
        let paragraph = |word: &str| format!("{}\n", word.repeat(3_000));
        let between = units(&"What was between them.\n".repeat(50));
        let text = |a: &str, b: &str| [units(&paragraph(a)), between.clone(), units(&paragraph(b))].concat();
        let splices = check(&text("ab", "cd"), &text("xy", "zw"));
        assert_eq!(splices.len(), 2);
    }

    #[test]
    fn a_megabyte_of_anything_is_done_within_the_effort() {
        // Periodic and unrelated texts are the dearest; the count of comparisons, not the clock, is the bound.
        let mut state = 1u32;
        let mut letter = |alphabet: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Unit::Char(char::from(b'a' + u8::try_from((state >> 24) % alphabet).expect("under 26")))
        };
        let random: Vec<Unit> = (0..1_000_000).map(|_| letter(26)).collect();
        let other: Vec<Unit> = (0..1_000_000).map(|_| letter(2)).collect();
        let periodic = units(&"ab".repeat(500_000));
        let shifted = [units("c"), units(&"ba".repeat(499_999)), units("c")].concat();
        assert_eq!(check(&random, &other).len(), 1);
        check(&periodic, &shifted);
        check(&other, &periodic);
        let mut edited = random.clone();
        edited.iter_mut().step_by(5_000).for_each(|unit| *unit = Unit::Char('-'));
        assert_eq!(check(&random, &edited).len(), 200);
    }

    fn text() -> impl Strategy<Value = Vec<Unit>> {
        let unit = prop_oneof![
            6 => prop::sample::select(vec!['a', 'b', 'c', '\n', '\u{fffc}', 'é']).prop_map(Unit::Char),
            1 => (0u8..3).prop_map(token),
        ];
        prop::collection::vec(unit, 0..60)
    }

    proptest! {
        #[test]
        fn the_difference_of_two_texts_makes_one_of_the_other(old in text(), new in text()) {
            check(&old, &new);
        }

        #[test]
        fn lines_give_what_units_would(old in text(), new in text()) {
            let (old_lines, new_lines) = (lines(&old, &(0..old.len())), lines(&new, &(0..new.len())));
            let (old_names, new_names) = names(&old, &old_lines, &new, &new_lines);
            let mut effort = EFFORT_MAX;
            let all = (0..old_lines.len(), 0..new_lines.len());
            let found = search(&old_names, &new_names, &all, &mut effort).expect("short");
            let mut text = old.clone();
            for (gone, come) in found {
                let (gone, come) = (span(&old_lines, &gone, old.len()), span(&new_lines, &come, new.len()));
                text.splice(come.start..come.start + gone.len(), new.get(come).expect("within").iter().copied());
            }
            prop_assert_eq!(text, new);
        }
    }
}
