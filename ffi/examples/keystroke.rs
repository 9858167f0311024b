//! Measures what a key costs in a note of 5,000 words, and a list of 50 notes in a home of many: `keystroke [DIR]`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use thicket_ffi::{
    About, Founding, Home, Layer, NewNote, NoteField, NotesWanted, Observed, Prose, Provenance, Realm,
    Splice, ThicketError, Unlock,
};

const WORDS: usize = 5_000;
const KEYS: usize = 2_000;
const NOTES: usize = 500;

fn plain(text: &str) -> Prose {
    Prose { text: text.to_owned(), tokens: Vec::new(), marks: Vec::new() }
}

/// The 50th and the 99th percentile, and the worst.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len() - 1)).copied();
    let show = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64() * 1_000.0;
    format!(
        "p50 {:.3} ms, p99 {:.3} ms, worst {:.3} ms",
        show(at(50)),
        show(at(99)),
        show(times.last().copied())
    )
}

async fn measure(folder: String) -> Result<(String, String, String), ThicketError> {
    let founding = Founding {
        team: "Team".to_owned(),
        member: "Ada".to_owned(),
        device: "Phone".to_owned(),
        notebook: "Study".to_owned(),
        realm: Realm::Research,
    };
    let unlock = Unlock::ByPassphrase { passphrase: "measured".to_owned() };
    let home = Home::create(folder, founding, unlock, 0).await?;
    let notebook = home.notebooks().await?.remove(0).id;
    let note = |text: &str| NewNote {
        notebook: notebook.clone(),
        encounter: None,
        title: Prose::default(),
        text: plain(text),
        about: About::Nobody,
        layer: Layer::Observation,
        observed: Observed::OnDay { day: "2026-11-25".to_owned() },
        provenance: Provenance::Typed,
    };
    for number in 0..NOTES {
        home.write_note(note(&format!("Note {number} of many, with a line of text."))).await?;
    }
    let mut lists = Vec::new();
    for _ in 0..100 {
        let began = Instant::now();
        home.notes(NotesWanted::default(), None, 50).await?;
        lists.push(began.elapsed());
    }

    let text = "She waved ß😀 ".repeat(WORDS / 3);
    let end = u32::try_from(text.encode_utf16().count()).map_err(|_| ThicketError::Busy)?;
    let long = home.write_note(note(&text)).await?.note;
    let editor = home.edit(long).await?;
    let (mut keys, mut commits) = (Vec::new(), Vec::new());
    for (number, at) in (0..KEYS).zip(end / 2 / 15 * 15..) {
        let began = Instant::now();
        editor.splice(NoteField::Text, vec![Splice { at, delete: 0, insert: plain("x") }]).await?;
        keys.push(began.elapsed());
        if number % 400 == 399 {
            let began = Instant::now();
            editor.commit().await?;
            commits.push(began.elapsed());
        }
    }
    Ok((spread(keys), spread(commits), spread(lists)))
}

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "a command tells what it measured")]
fn main() -> ExitCode {
    let temporary = tempfile::tempdir();
    let folder =
        std::env::args().nth(1).or_else(|| Some(temporary.as_ref().ok()?.path().to_str()?.to_owned()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (Some(folder), Ok(runtime)) = (folder, runtime) else {
        eprintln!("keystroke: no folder, or no runtime");
        return ExitCode::from(1);
    };
    match runtime.block_on(measure(folder)) {
        Ok((keys, commits, lists)) => {
            println!(
                "a key in {WORDS} words: {keys}\na commit of 400 keys: {commits}\n50 notes of {NOTES}: {lists}"
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("keystroke: {error}");
            ExitCode::from(1)
        }
    }
}
