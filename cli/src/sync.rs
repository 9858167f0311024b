//! Sync: this device and the server, brought together.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use thicket_client::{ClientError, Limits, Stop, WatchEvent};
use thicket_core::home::Home;
use thicket_core::sync::{Errand, Outcome, SyncEvent};

use crate::args::duration;
use crate::desk::{Desk, mending, now};
use crate::failure::{Failure, Kind};
use crate::output::{Page, Shown, Tint, count, short};

/// How long other commands wait for the server.
pub(crate) const WAIT: Duration = Duration::from_secs(60);
/// How many notes are put into the search index in one go.
const INDEX_NOTES: usize = 256;

/// Send what was written here, and fetch what others wrote.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thicket sync
  thicket sync --timeout 30s
  thicket sync --watch

Whatever happens to the connection, all work is kept for the next sync.")]
pub(crate) struct Sync {
    /// Stay connected; other commands can use the home meanwhile.
    #[arg(long)]
    watch: bool,
    /// How long it may take, such as 30s; without it, as long as the server answers.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "watch")]
    timeout: Option<Duration>,
}

#[derive(Debug, Serialize)]
struct Synced {
    sent: u64,
    fetched: u64,
    up_to_date: bool,
    waiting_for_keys: bool,
    released: Vec<String>,
}

impl From<&Outcome> for Synced {
    fn from(outcome: &Outcome) -> Self {
        Self {
            sent: outcome.sent,
            fetched: outcome.fetched,
            up_to_date: outcome.is_up_to_date,
            waiting_for_keys: outcome.waits_for_keys,
            released: outcome.released.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Shown for Synced {
    fn set(&self, page: &mut Page) {
        let standing = if self.up_to_date {
            page.tinted(Tint::Good, "Up to date.")
        } else {
            page.tinted(Tint::Waits, "Not everything is here yet.")
        };
        page.line(format_args!(
            "{standing} {} sent, {} fetched.",
            count(self.sent, "record", "records"),
            count(self.fetched, "record", "records")
        ));
        if self.waiting_for_keys {
            page.prose(
                "This device waits for keys: let a device of the team that has them run `thicket sync`, and then this one.",
                0,
            );
        }
        for note in &self.released {
            page.line(format_args!("Released: note {}", short(note)));
        }
    }
}

impl Sync {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        desk.needs_server()?;
        if self.watch {
            return watch(desk);
        }
        let mut home = desk.open()?;
        let bar = progress(desk);
        let limits = Limits { whole: self.timeout, ..Limits::default() };
        let run = |home: &mut Home| {
            let done = thicket_client::run(home, Errand::Sync, &limits, &now, &mut |event| {
                if let SyncEvent::Progress(progress) = event {
                    bar.set_message(format!(
                        "{} sent, {} fetched, {} batches to fetch",
                        progress.sent, progress.fetched, progress.to_fetch
                    ));
                    bar.tick();
                }
            });
            done.map_err(Failure::from)
        };
        let done = match run(&mut home) {
            // A sync goes on where it stopped, whatever it had taken in by then.
            Err(failure) if failure.is_of_derived() => {
                home.renew_derived(now())?;
                run(&mut home)
            }
            done => done,
        };
        bar.finish_and_clear();
        desk.output.print(&Synced::from(&done?))?;
        index(&mut home, desk)?;
        desk.close(home)
    }
}

fn progress(desk: &Desk) -> ProgressBar {
    let target = if desk.output.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let style = ProgressStyle::with_template("{spinner} {msg}").expect("a template that was tried");
    ProgressBar::with_draw_target(None, target).with_style(style)
}

/// Does an errand within a time.
pub(crate) fn run(
    home: &mut Home,
    errand: Errand,
    within: Duration,
    on_event: &mut dyn FnMut(&SyncEvent),
) -> Result<Outcome, Failure> {
    let limits = Limits { whole: Some(within), ..Limits::default() };
    Ok(thicket_client::run(home, errand, &limits, &now, on_event)?)
}

/// Puts what came into the search index; until then it is found all the same, only slower.
pub(crate) fn index(home: &mut Home, desk: &Desk) -> Result<(), Failure> {
    let shows = !desk.output.json && std::io::stderr().is_terminal();
    let bar = if shows { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    loop {
        let left = mending(home, |home| Ok(home.index_some(INDEX_NOTES)?))?;
        if left == 0 {
            bar.finish_and_clear();
            return Ok(());
        }
        bar.set_message(format!("{left} notes to index"));
        bar.tick();
    }
}

/// What a watch tells, one line each.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Watched {
    Connected,
    Synced(Synced),
    Busy,
    Offline { reason: String, again_in_s: u64 },
}

impl Shown for Watched {
    fn set(&self, page: &mut Page) {
        match self {
            Self::Connected => page.line("Connected; end with Ctrl-C."),
            Self::Synced(synced) => synced.set(page),
            Self::Busy => page.line("Another command has the home open; going on when it lets go."),
            Self::Offline { reason, again_in_s } => {
                page.line(format_args!("Offline: {reason}. Trying again in {again_in_s} s."));
            }
        }
    }
}

/// Stays connected until the process is ended or nobody reads its output.
fn watch(desk: &Desk) -> Result<(), Failure> {
    let paused = desk.open()?.pause()?;
    let stop = Stop::new();
    let mut trouble = None;
    let ended = thicket_client::watch(
        paused,
        &Limits::default(),
        &now,
        &mut |event| {
            let told = match event {
                WatchEvent::Connected => Some(Watched::Connected),
                WatchEvent::Sync(SyncEvent::Settled(outcome)) => Some(Watched::Synced((&outcome).into())),
                WatchEvent::Busy => Some(Watched::Busy),
                WatchEvent::Offline { why, again_in } => {
                    Some(Watched::Offline { reason: why.to_string(), again_in_s: again_in.as_secs() })
                }
                WatchEvent::Sync(_) | _ => None,
            };
            match told.map(|told| desk.output.print_stream(&told)) {
                None | Some(Ok(true)) => {}
                Some(Ok(false)) => stop.stop(),
                Some(Err(failure)) => {
                    trouble = Some(failure);
                    stop.stop();
                }
            }
        },
        &stop,
    );
    ended?;
    trouble.map_or(Ok(()), Err)
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        const KEPT: &str = "all work is kept for the next sync";
        let reason = std::error::Error::source(&error)
            .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
        match error {
            ClientError::Unreachable(_) => Self::new(
                Kind::Offline,
                reason,
                format_args!("{KEPT}; run it again when there is a connection"),
            ),
            ClientError::WrongServerKey => Self::new(
                Kind::Distrust,
                reason,
                format_args!(
                    "nothing was sent, and {KEPT}. Ask whoever runs the server: its key never changes by itself"
                ),
            ),
            ClientError::OtherProtocol => Self::new(
                Kind::Offline,
                reason,
                format_args!("{KEPT}; the newest Thicket may be wanted, here or on the server"),
            ),
            ClientError::Interrupted(_) | ClientError::TimedOut { .. } => {
                Self::new(Kind::Offline, reason, format_args!("{KEPT}; run it again"))
            }
            ClientError::Sync(error) => error.into(),
            ClientError::Home(error) => error.into(),
            ClientError::Closed | _ => Self::bug(reason),
        }
    }
}
