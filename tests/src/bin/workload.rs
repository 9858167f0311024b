//! `workload VERB --dir D --share S --server URL --work W.jsonl --n N [--k K]`: one step of the workload that speed is
//! measured with; the last line that it prints is its result, as JSON.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's output")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use thicket_tests::measure::verbs::{self, Failure};
use thicket_tests::measure::work::{self, Work};

/// The command line, taken apart.
struct Asked {
    verb: String,
    flags: Vec<(String, String)>,
}

impl Asked {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let verb =
            arguments.next().ok_or("a verb is wanted: join, admit, push, pull, edit, live-a, live-b")?;
        let mut flags = Vec::new();
        while let Some(flag) = arguments.next() {
            let name = flag.strip_prefix("--").ok_or_else(|| format!("{flag} is no flag"))?.to_owned();
            flags.push((name, arguments.next().ok_or_else(|| format!("{flag} wants a value"))?));
        }
        Ok(Self { verb, flags })
    }

    fn flag(&self, name: &str) -> Result<&str, Failure> {
        let found = self.flags.iter().find(|(flag, _)| flag == name);
        Ok(found.map(|(_, value)| value.as_str()).ok_or_else(|| format!("--{name} is wanted"))?)
    }

    fn path(&self, name: &str) -> Result<PathBuf, Failure> {
        Ok(PathBuf::from(self.flag(name)?))
    }

    fn work(&self) -> Result<Vec<Work>, Failure> {
        Ok(work::read(Path::new(self.flag("work")?), self.flag("n")?.parse()?)?)
    }
}

fn done() -> serde_json::Value {
    serde_json::json!({ "done": true })
}

fn carry_out(asked: &Asked) -> Result<serde_json::Value, Failure> {
    let dir = asked.path("dir")?;
    Ok(match asked.verb.as_str() {
        "push" => {
            let server = asked.flag("server")?.parse()?;
            serde_json::to_value(verbs::push(&dir, &asked.path("share")?, &server, &asked.work()?)?)?
        }
        "join" => verbs::join(&dir, &asked.path("share")?).map(|()| done())?,
        "admit" => verbs::admit(&dir).map(|()| done())?,
        "pull" => serde_json::to_value(verbs::pull(&dir, &asked.work()?)?)?,
        "edit" => serde_json::json!({ "push_s": verbs::edit(&dir, &asked.work()?)? }),
        "live-a" => {
            let edits = asked.flag("k")?.parse()?;
            verbs::live_a(&dir, &asked.work()?, edits)?;
            serde_json::json!({ "done": edits })
        }
        "live-b" => {
            let ready = || println!("{}", serde_json::json!({ "ready": true }));
            let live_ms = verbs::live_b(&dir, &asked.work()?, asked.flag("k")?.parse()?, ready)?;
            serde_json::json!({ "live_ms": live_ms })
        }
        other => return Err(format!("no such verb: {other}").into()),
    })
}

fn main() -> ExitCode {
    match Asked::read(std::env::args().skip(1)).and_then(|asked| carry_out(&asked)) {
        Ok(result) => {
            println!("{result}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("workload: {error}");
            ExitCode::FAILURE
        }
    }
}
