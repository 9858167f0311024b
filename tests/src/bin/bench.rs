//! `bench [--n 1000,10000] [--runs 3] [--seed 1] [--diary FILE] [--json]`: measures Thicket beside the bound in the same
//! runs, and prints the figures with their budgets. Whether a budget is kept does not change the exit code.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's output")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use thicket_core::body::NoteBody;
use thicket_tests::measure::figures::{Figure, HEAD, median};
use thicket_tests::measure::relay::Relay;
use thicket_tests::measure::verbs::{self, Failure};
use thicket_tests::measure::work::Work;
use thicket_tests::measure::{parts, sides, small, work};

/// How many notes the bytes on the wire and the parts of a note are measured with.
const SAMPLE: usize = 1_000;
/// From how many notes on the budgets of a large home count.
const LARGE: usize = 10_000;

/// The command line, taken apart.
struct Asked {
    sizes: Vec<usize>,
    runs: usize,
    seed: u64,
    diary: Option<PathBuf>,
    as_json: bool,
}

impl Asked {
    fn read(arguments: &[String]) -> Result<Self, Failure> {
        let mut asked = Self { sizes: vec![1_000, 10_000], runs: 3, seed: 1, diary: None, as_json: false };
        let mut rest = arguments.iter();
        while let Some(flag) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("{flag} wants a value"));
            match flag.as_str() {
                "--n" => asked.sizes = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
                "--runs" => asked.runs = value()?.parse()?,
                "--seed" => asked.seed = value()?.parse()?,
                "--diary" => asked.diary = Some(value()?.into()),
                "--json" => asked.as_json = true,
                _ => return Err(format!("{flag} is not known").into()),
            }
        }
        if asked.runs == 0 || asked.sizes.is_empty() || asked.sizes.contains(&0) {
            return Err("one run and one note are the least".into());
        }
        Ok(asked)
    }
}

/// The figures of one number of notes.
struct Sized {
    push: Figure,
    pull: Figure,
    live: Figure,
    idle_trips: Figure,
    idle_bytes: Figure,
    open: Figure,
    memory: Figure,
    index: Figure,
}

impl Sized {
    fn new(n: usize) -> Self {
        Self {
            push: Figure::new(format!("push, {n} notes"), "s", 1.0),
            pull: Figure::new(format!("pull, {n} notes"), "s", 2.6),
            live: Figure::new(format!("live edit among {n} notes"), "ms", 3.0),
            idle_trips: Figure::new(format!("idle sync, {n} notes: round trips"), "", 1.0),
            idle_bytes: Figure::new(format!("idle sync, {n} notes: bytes"), "B", 2_000.0),
            open: Figure::new(format!("opening {n} notes to the first list"), "ms", 100.0),
            memory: Figure::new(format!("peak memory of a first pull of {n} notes"), "MB", 150.0),
            index: Figure::new(format!("index of {n} notes caught up after the pull"), "s", 10.0),
        }
    }

    /// One run, in a folder of its own.
    fn run(&mut self, written: &Path, work: &[Work], bodies: &[NoteBody]) -> Result<(), Failure> {
        let folder = tempfile::tempdir()?;
        let dir = folder.path();
        let relay = Relay::start(dir.join("server"))?;
        let run = sides::run(dir, &relay, written, work, bodies)?;
        let ((push_s, push_bound_s), (pull_s, pull_bound_s)) = (run.push_s, run.pull_s);
        eprintln!("push {push_s:.2} s beside {push_bound_s:.2}, pull {pull_s:.2} s beside {pull_bound_s:.2}");
        sides::add(&run, &mut self.push, &mut self.pull);
        self.index.thicket.push(run.fetched.index_s);
        self.memory.thicket.extend(run.fetched.pull_mb);
        let first = bodies.first().ok_or("there is no note")?;
        let (thicket, bound) = sides::live(dir, work, first)?;
        self.live.beside(thicket, bound);
        let idle = small::idle(dir)?;
        self.idle_trips.thicket.push(idle.round_trips);
        self.idle_bytes.thicket.push(idle.bytes);
        self.open.thicket.push(small::open(dir)?);
        Ok(())
    }

    fn figures(self, n: usize) -> Vec<Figure> {
        let Self { push, pull, live, idle_trips, idle_bytes, open, memory, index } = self;
        let mut figures = vec![push, pull, live, idle_trips, idle_bytes];
        if n >= LARGE {
            figures.extend([open, memory, index]);
        }
        figures
    }
}

/// Writes a workload into a home, offline, from which every run begins.
fn write(work: &[Work]) -> Result<tempfile::TempDir, Failure> {
    let folder = tempfile::tempdir()?;
    let (home, create_s) = verbs::create(folder.path(), work)?;
    home.lock()?;
    eprintln!("{} notes written in {create_s:.1} s", work.len());
    Ok(folder)
}

fn measure(asked: &Asked) -> Result<(), Failure> {
    let mut figures = Vec::new();
    for n in &asked.sizes {
        let work = work::make(asked.seed, *n);
        let bodies = sides::bodies(&work)?;
        let written = write(&work)?;
        let mut sized = Sized::new(*n);
        for _ in 0..asked.runs {
            sized.run(written.path(), &work, &bodies)?;
        }
        figures.extend(sized.figures(*n));
    }

    let work = work::make(asked.seed, SAMPLE);
    let bodies = sides::bodies(&work)?;
    let written = write(&work)?;
    let mut wire = [
        Figure::new(format!("bytes of a push of {SAMPLE} notes"), "B", 1.2),
        Figure::new(format!("bytes of a pull of {SAMPLE} notes"), "B", 1.2),
    ];
    let mut typing = [
        Figure::new("ten keystrokes, safe from a kill", "ms", 2.0),
        Figure::new("ten keystrokes, safe from a power cut", "ms", 2.0),
    ];
    let mut search = Figure::new("search of a diary", "ms", 20.0);
    for _ in 0..asked.runs {
        let folder = tempfile::tempdir()?;
        let dir = folder.path();
        for (figure, (thicket, bound)) in wire.iter_mut().zip(sides::wire(dir, written.path(), &bodies)?) {
            figure.beside(thicket, bound);
        }
        for (figure, (thicket, bound)) in typing.iter_mut().zip(small::autosave(dir)?) {
            figure.beside(thicket, bound);
        }
        let (count, slowest_ms) = small::search(dir, asked.diary.as_deref(), asked.seed)?;
        search.name = format!("search of {count} diary entries, slowest query");
        search.thicket.push(slowest_ms);
    }
    figures.extend(wire);
    figures.extend(typing);
    figures.push(search);

    let folder = tempfile::tempdir()?;
    let (bytes, times) = (parts::bytes(&bodies)?, parts::times(folder.path(), &work, &bodies)?);
    if asked.as_json {
        let parts = |parts: &[parts::Part]| {
            parts.iter().map(|part| (part.name.to_owned(), json!(part.each))).collect()
        };
        let parts = |list: &[parts::Part]| -> serde_json::Value { serde_json::Value::Object(parts(list)) };
        let figures: Vec<_> = figures.iter().map(Figure::to_json).collect();
        println!("{}", json!({ "figures": figures, "bytes": parts(&bytes), "microseconds": parts(&times) }));
        return Ok(());
    }
    println!("\nMedians of {} runs; every ratio is of two figures of the same run.\n\n{HEAD}", asked.runs);
    figures.iter().for_each(|figure| println!("{}", figure.line()));
    print!("{}", parts::table("bytes of a note", &bytes));
    print!("{}", parts::table("microseconds of a note", &times));
    println!("\nThe mean note has {:.0} bytes of text.", mean_text(&work));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a few million bytes")]
fn mean_text(work: &[Work]) -> f64 {
    median(&[work.iter().map(|one| one.edited().len()).sum::<usize>() as f64 / work.len() as f64])
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // The reading device of a run is a process of its own.
    let done = match arguments.as_slice() {
        [verb, dir] if verb == "fetch" => verbs::fetch(Path::new(dir)).and_then(|fetched| {
            println!("{}", serde_json::to_string(&fetched)?);
            Ok(())
        }),
        arguments => Asked::read(arguments).and_then(|asked| measure(&asked)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
