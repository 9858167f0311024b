//! Programs that are killed at any moment of their work, and what must hold afterwards: the home opens clean, everything
//! acknowledged is there, nothing is half there.
//!
//! Moments are spread over the time that the work takes, which is measured first. Most of a short command is the
//! passphrase's, and changes nothing: nine of ten kills come after it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::measure::tap::Tap;
use crate::measure::work;
use crate::process::{Bench, Home, NoteRead, Ran, let_it_work, number_of, text_of};
use crate::sim::Dice;

/// Notes of an import that is killed: more than it saves at a time, so that it can be cut between two saves.
const IMPORTED: usize = 150;
/// Notes that a killed sync carries.
const SYNCED: usize = 40;
/// After so many kills a new home is taken, so that the last kills do not take longer than the first.
const HOME_KILLS: usize = 10;

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `thicket init`.
    Init,
    /// `thicket join`.
    Join,
    /// `thicket note write`.
    Write,
    /// `thicket note edit`.
    Edit,
    /// `thicket import`.
    Import,
    /// `thicket sync`, of the sender and of the reader in turn.
    Sync,
    /// The server, while a device syncs.
    Server,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Init, Self::Join, Self::Write, Self::Edit, Self::Import, Self::Sync, Self::Server];

    /// How it is called on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Join => "join",
            Self::Write => "write",
            Self::Edit => "edit",
            Self::Import => "import",
            Self::Sync => "sync",
            Self::Server => "server",
        }
    }
}

/// How kills ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// The process was at work when the signal came.
    pub at_work: usize,
    /// It had ended before.
    pub too_late: usize,
    /// It had printed its result.
    pub acknowledged: usize,
    /// What it was to do was done, or partly done, although it had not said so.
    pub unsaid: usize,
}

impl Tally {
    fn count(&mut self, was_at_work: bool, acknowledged: bool) {
        self.at_work += usize::from(was_at_work);
        self.too_late += usize::from(!was_at_work);
        self.acknowledged += usize::from(acknowledged);
    }
}

/// Kills a target so many times.
///
/// # Panics
/// When a promise is not kept.
pub fn kill(target: Target, times: usize, seed: u64) -> Tally {
    let mut killer = Killer { dice: Dice::new(seed), tally: Tally::default() };
    let mut left = times;
    while left > 0 {
        let now = left.min(HOME_KILLS);
        match target {
            Target::Init => killer.inits(now),
            Target::Join => killer.joins(now),
            Target::Write => killer.writes(now),
            Target::Edit => killer.edits(now),
            Target::Import => killer.imports(now),
            Target::Sync => killer.syncs(now),
            Target::Server => killer.servers(now),
        }
        left -= now;
    }
    killer.tally
}

/// The time that a piece of work takes, and how much of it only opens the home.
#[derive(Debug, Clone, Copy)]
struct Span {
    opening: Duration,
    whole: Duration,
}

impl Span {
    fn of(home: &Home, work: impl FnOnce()) -> Self {
        let opening = timed(|| drop(home.with_passphrase("wrong").fails(4, &["status"])));
        Self { opening, whole: timed(work) }
    }

    /// Draws a moment of it.
    fn draw(&self, dice: &mut Dice) -> Duration {
        let opening = if dice.percent(10) { Duration::ZERO } else { self.opening.min(self.whole) };
        let rest = self.whole.saturating_sub(opening);
        let parts = u32::try_from(dice.below(1_000)).expect("a small number");
        opening + rest * parts / 1_000
    }

    /// Becomes shorter where a kill came too late, and longer where a late one did not: other work on the machine comes and
    /// goes.
    fn learn(&mut self, after: Duration, was_at_work: bool) {
        if !was_at_work {
            (self.opening, self.whole) = (self.opening * 3 / 4, self.whole * 3 / 4);
        } else if after > self.whole * 8 / 10 {
            self.whole = self.whole * 11 / 10;
        }
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// Titles and texts.
fn prose(dice: &mut Dice, n: usize) -> Vec<(String, String)> {
    let name = dice.roll();
    let made = work::make(name, n).into_iter();
    made.map(|work| (format!("{name:016x} {}", work.i), work.body)).collect()
}

/// A .jsonl file with these notes.
fn lines(bench: &Bench, name: &str, prose: &[(String, String)]) -> String {
    let lines: String = prose
        .iter()
        .map(|(title, text)| format!("{}\n", json!({ "date": "1660-01-01", "title": title, "text": text })))
        .collect();
    bench.file(name, lines)
}

/// The command that gives a note another title and the text of a file.
const fn edit_of<'a>(note: &'a str, title: &'a str, file: &'a str) -> [&'a str; 7] {
    ["note", "edit", note, "--title", title, "--file", file]
}

fn is_up_to_date(printed: Option<&Value>) -> bool {
    printed.is_some_and(|printed| printed["up_to_date"] == true)
}

struct Killer {
    dice: Dice,
    tally: Tally,
}

impl Killer {
    fn one(&mut self) -> (String, String) {
        prose(&mut self.dice, 1).remove(0)
    }

    /// Kills a command of a home somewhere in its work.
    fn strike(&mut self, home: &Home, span: &mut Span, args: &[&str]) -> Ran {
        let after = span.draw(&mut self.dice);
        let ran = home.killed(args, after);
        span.learn(after, ran.code.is_none());
        self.tally.count(ran.code.is_none(), ran.printed().is_some());
        if ran.code.is_some() {
            ran.ok();
        }
        ran
    }

    /// A home is there, whole, or may be made as if nothing had been tried.
    fn inits(&mut self, times: usize) {
        let bench = Bench::new();
        let init = ["init", "--member", "sam", "--notebook", "Visits"];
        let whole = timed(|| drop(bench.home("first").ok(&init)));
        let mut span = Span { opening: Duration::ZERO, whole };
        for at in 0..times {
            let home = bench.home(&format!("home{at}"));
            let ran = self.strike(&home, &mut span, &init);
            let again = home.run(&init);
            if ran.printed().is_some() || again.code != Some(0) {
                // There is a home already: the one that was told of, or one whose making had come to its end.
                again.failure(11);
                self.tally.unsaid += usize::from(ran.printed().is_none());
            }
            home.write("first", "the first note");
            home.verify();
        }
    }

    /// Whoever runs it again is in the team, once.
    fn joins(&mut self, times: usize) {
        let bench = Bench::new();
        let server = bench.server("server");
        let sam = bench.home("sam");
        sam.ok(&["init", "--member", "sam", "--server", &server.url]);
        let invite = || text_of(&sam.ok(&["invite"])["code"]);
        let code = invite();
        let whole = timed(|| drop(bench.home("first").ok(&["join", &code, "--member", "first"])));
        let mut span = Span { opening: Duration::ZERO, whole };
        for at in 0..times {
            let (name, code) = (format!("member{at}"), invite());
            let home = bench.home(&name);
            let join = ["join", code.as_str(), "--member", name.as_str()];
            let ran = self.strike(&home, &mut span, &join);
            let again = home.run(&join);
            if again.code != Some(0) {
                again.failure(11);
                self.tally.unsaid += usize::from(ran.printed().is_none());
            }
            sam.sync();
            home.sync();
            sam.sync();
            home.verify();
            let status = sam.ok(&["status"]);
            let devices = status["devices"].as_array().expect("a list");
            let named = devices.iter().filter(|device| device["member_name"] == name.as_str()).count();
            assert_eq!((devices.len(), named), (at + 3, 1), "{status}");
        }
    }

    fn writes(&mut self, times: usize) {
        let bench = Bench::new();
        let home = bench.founded("sam");
        let (title, text) = self.one();
        let mut span = Span::of(&home, || drop(home.write(&title, &text)));
        let mut known = home.ids();
        for _ in 0..times {
            let (title, text) = self.one();
            let file = bench.file("text", &text);
            let ran = self.strike(
                &home,
                &mut span,
                &["note", "write", "--no-people", "--title", &title, "--file", &file],
            );
            let now = home.ids();
            let new: Vec<&String> = now.iter().filter(|id| !known.contains(id)).collect();
            assert!(known.iter().all(|id| now.contains(id)), "a note is lost");
            assert!(new.len() <= 1, "one note was written, and there are {new:?}");
            match ran.printed() {
                Some(printed) => assert_eq!(new, [&text_of(&printed["note"])], "acknowledged"),
                None => self.tally.unsaid += new.len(),
            }
            if let Some(new) = new.first() {
                let shown = home.ok(&["note", "show", new]);
                assert_eq!((text_of(&shown["title"]), text_of(&shown["text"])), (title, text), "half a note");
                assert_eq!(shown["stamp"]["status"], "valid");
            }
            home.verify();
            known = now;
        }
    }

    fn edits(&mut self, times: usize) {
        let bench = Bench::new();
        let home = bench.founded("sam");
        let mut before = self.one();
        let note = home.write(&before.0, &before.1);
        let file = bench.file("text", "");
        let after = self.one();
        bench.file("text", &after.1);
        let mut span = Span::of(&home, || drop(home.ok(&edit_of(&note, &after.0, &file))));
        before = after;
        for _ in 0..times {
            let after = self.one();
            bench.file("text", &after.1);
            let ran = self.strike(&home, &mut span, &edit_of(&note, &after.0, &file));
            assert_eq!(home.ids(), std::slice::from_ref(&note));
            let shown = home.ok(&["note", "show", &note]);
            let now = (text_of(&shown["title"]), text_of(&shown["text"]));
            if ran.printed().is_some() {
                assert_eq!(now, after, "acknowledged");
            } else {
                self.tally.unsaid += usize::from(now == after);
                assert!(now == before || now == after, "half an edit: {now:?}");
            }
            assert!(home.ok(&["note", "history", &note])["changes"].is_array());
            home.verify();
            before = now;
        }
    }

    fn imports(&mut self, times: usize) {
        let bench = Bench::new();
        let home = bench.founded("sam");
        let first = prose(&mut self.dice, IMPORTED);
        let file = lines(&bench, "first.jsonl", &first);
        let mut span = Span::of(&home, || drop(home.ok(&["import", &file, "--no-people"])));
        let mut all: BTreeMap<String, String> = first.into_iter().collect();
        for _ in 0..times {
            let before = home.ids();
            let new = prose(&mut self.dice, IMPORTED);
            let file = lines(&bench, "diary.jsonl", &new);
            all.extend(new);
            let import = ["import", file.as_str(), "--no-people"];
            let ran = self.strike(&home, &mut span, &import);
            let now: BTreeSet<String> = home.ids().into_iter().collect();
            assert!(before.iter().all(|id| now.contains(id)), "a note is lost");
            let there = now.len() - before.len();
            if let Some(printed) = ran.printed() {
                assert_eq!(
                    (number_of(&printed["imported"]), there),
                    (IMPORTED as u64, IMPORTED),
                    "{printed}"
                );
            } else {
                self.tally.unsaid += usize::from(there > 0);
            }
            home.verify();
            whole(&home.notes(), &all);
            let rest = home.ok(&import);
            let counted = [&rest["imported"], &rest["skipped"]].map(number_of);
            assert_eq!(counted, [(IMPORTED - there) as u64, there as u64], "exactly the rest");
            assert_eq!(home.ids().len(), before.len() + IMPORTED);
        }
        let read = home.notes();
        assert_eq!(read.len(), all.len());
        whole(&read, &all);
    }

    fn syncs(&mut self, times: usize) {
        let bench = Bench::new();
        let server = bench.server("server");
        let (sam, abby) = bench.team(&server.url);
        self.import(&bench, &sam);
        let mut spans =
            [&sam, &abby].map(|home| Span::of(home, || assert!(is_up_to_date(Some(&home.ok(&["sync"]))))));
        for at in 0..times {
            self.import(&bench, &sam);
            let killed = if at % 2 == 0 { &sam } else { &abby };
            if at % 2 == 1 {
                sam.sync();
            }
            let before = killed.ids();
            let ran = self.strike(killed, &mut spans[at % 2], &["sync"]);
            let now = killed.ids();
            assert!(before.iter().all(|id| now.contains(id)), "a note is lost");
            killed.verify();
            let then = killed.sync();
            if is_up_to_date(ran.printed().as_ref()) {
                let left = [&then["sent"], &then["fetched"]].map(number_of);
                assert_eq!(left, [0, 0], "what was acknowledged is done");
            }
            abby.sync();
            assert_eq!(sam.notes(), abby.notes());
        }
        assert_eq!(sam.ids().len(), SYNCED * (times + 1));
    }

    fn servers(&mut self, times: usize) {
        let bench = Bench::new();
        let mut server = bench.server("server");
        // It is killed after so many datagrams, not after a while: before they connect, devices are busy with a passphrase.
        let tap = Tap::before((Ipv4Addr::LOCALHOST, server.port).into(), false).expect("a port is free");
        let passed = || tap.counted().2;
        let (sam, abby) = bench.team(&server.url_at(tap.address.port()));
        self.import(&bench, &sam);
        let before = passed();
        sam.sync();
        let mut whole = passed() - before;
        abby.sync();
        for at in 0..times {
            self.import(&bench, &sam);
            // A server is killed while it takes in, and while it gives out.
            let syncs = if at % 3 == 2 { &abby } else { &sam };
            if at % 3 == 2 {
                sam.sync();
            }
            let before = passed();
            let after = 1 + self.dice.roll() % whole;
            let mut child = syncs.command(&["sync"]).spawn().expect("the command starts");
            while passed() - before < after && child.try_wait().is_ok_and(|ended| ended.is_none()) {
                let_it_work(Duration::from_micros(100));
            }
            let log = server.kill();
            // A server that is there again tells devices at once that it has forgotten their connections.
            server.start_again();
            let ran = Ran::wait(child);
            let acknowledged = is_up_to_date(ran.printed().as_ref());
            match ran.code {
                Some(0) => assert!(acknowledged, "{}", ran.stdout),
                _ => drop(ran.failure(7)),
            }
            if acknowledged {
                whole = (whole * 9 / 10).max(10);
            }
            self.tally.count(!acknowledged, acknowledged);
            assert!(!log.contains("ERROR"), "{log}");
            if !acknowledged {
                syncs.sync();
            }
            abby.sync();
            assert_eq!(sam.notes(), abby.notes(), "acknowledged, and not with the other member");
            sam.verify();
            abby.verify();
        }
        assert_eq!(abby.ids().len(), SYNCED * (times + 1));
    }

    fn import(&mut self, bench: &Bench, home: &Home) {
        let file = lines(bench, "carried.jsonl", &prose(&mut self.dice, SYNCED));
        assert_eq!(number_of(&home.ok(&["import", &file, "--no-people"])["imported"]), SYNCED as u64);
    }
}

/// Expects that each note is one of those that were written, whole, and none is there twice.
fn whole(read: &[NoteRead], written: &BTreeMap<String, String>) {
    let mut titles = BTreeSet::new();
    for note in read {
        assert_eq!(written.get(&note.title), Some(&note.text), "half a note: {}", note.id);
        assert!(titles.insert(&note.title), "twice: {}", note.title);
    }
}
