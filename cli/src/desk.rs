//! What every command stands on: the home and its key, the clock, the output, and names for things.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use thicket_core::entropy::{Entropy, SystemEntropy};
use thicket_core::home::{DamagedFile, Home, HomeError, NotResumed, PausedHome};
use thicket_core::ids::{ParticipantId, PlaceId};
use thicket_core::ring::{KdfCost, Ring, RingLock, Wrapping};
use thicket_core::time::{Moment, Observed};
use thicket_protocol::ids::NotebookId;

use crate::args::Globals;
use crate::failure::{Failure, Kind};
use crate::output::{Output, Shown, complain};
use crate::passphrase::{self, Purpose};

/// How long a command waits for another that has the home open.
const BUSY_WAIT: Duration = Duration::from_secs(2);
/// How often it looks meanwhile.
const BUSY_LOOK: Duration = Duration::from_millis(50);

/// What one run of the command has at hand.
#[derive(Debug)]
pub(crate) struct Desk {
    /// The flags of all commands.
    pub(crate) globals: Globals,
    /// Where results go.
    pub(crate) output: Output,
}

impl Desk {
    /// The folder of the home.
    pub(crate) fn folder(&self) -> Result<PathBuf, Failure> {
        if let Some(home) = &self.globals.home {
            return Ok(home.clone());
        }
        data_folder().map(|data| data.join("thicket")).ok_or_else(|| {
            Failure::usage(
                "it is not clear where the home is",
                "name its folder with --home DIR, or set THICKET_HOME",
            )
        })
    }

    /// Opens the home, does some work, prints the result, and closes the home.
    ///
    /// The result is printed before the files are tidied up: what is printed is safe already.
    pub(crate) fn with_home<S: Shown>(
        &self,
        work: impl FnMut(&mut Home) -> Result<S, Failure>,
    ) -> Result<(), Failure> {
        let mut home = self.open()?;
        let shown = mending(&mut home, work)?;
        self.output.print(&shown)?;
        self.close(home)
    }

    /// Closes the home; what was printed is safe already, so a full disk in the way of tidying up is only told.
    pub(crate) fn close(&self, home: Home) -> Result<(), Failure> {
        let Err(failure) = home.lock().map_err(Failure::from) else { return Ok(()) };
        if failure.kind != Kind::Storage {
            return Err(failure);
        }
        if !self.output.json {
            complain(&format!("warning: {}", failure.reason));
        }
        Ok(())
    }

    /// Opens the home; waits a moment for another command that has it open.
    pub(crate) fn open(&self) -> Result<Home, Failure> {
        let folder = self.folder()?;
        // Whoever named a wrong folder learns that before being asked for a passphrase.
        match Ring::lock_of(&folder).map_err(HomeError::from)? {
            RingLock::Passphrase => {}
            RingLock::Key(_) => {
                return Err(Failure::new(
                    Kind::Locked,
                    "this home is shut with a key of the operating system's key store",
                    "open it with the app that made it",
                ));
            }
        }
        let passphrase = self.passphrase(Purpose::Open)?;
        let opened = while_busy(|| Home::open(&folder, wrapping(&passphrase), now(), entropy()));
        opened.map_err(|failure| naming_the_log(&folder, failure))
    }

    /// Reads the passphrase.
    pub(crate) fn passphrase(&self, purpose: Purpose) -> Result<zeroize::Zeroizing<String>, Failure> {
        passphrase::read(self.globals.passphrase_file.as_deref(), purpose)
    }

    /// The notebook that is meant.
    pub(crate) fn notebook(&self, home: &Home) -> Result<NotebookId, Failure> {
        if let Some(name) = &self.globals.notebook {
            return Ok(home.find_notebook(name)?);
        }
        match home.only_notebook() {
            Err(HomeError::Ambiguous(_)) => {
                let names: Vec<String> = home
                    .notebooks()
                    .iter()
                    .map(|notebook| {
                        notebook.name.as_ref().map_or_else(|| notebook.id.to_string(), ToString::to_string)
                    })
                    .collect();
                Err(Failure::usage(
                    format_args!("there are several notebooks: {}", names.join(", ")),
                    "say which one is meant with --notebook",
                ))
            }
            other => Ok(other?),
        }
    }

    /// Refuses what needs the server when `--offline` was given.
    pub(crate) fn needs_server(&self) -> Result<(), Failure> {
        if self.globals.offline { Err(Failure::offline_wanted()) } else { Ok(()) }
    }
}

/// Does some work; where a damaged derived.db stops it, that file is made again first.
pub(crate) fn mending<T>(
    home: &mut Home,
    work: impl FnMut(&mut Home) -> Result<T, Failure>,
) -> Result<T, Failure> {
    home.mending(now(), Failure::is_of_derived, work)
}

/// Where the log beside core.db was kept aside, says so: it may hold what core.db does not.
fn naming_the_log(folder: &Path, failure: Failure) -> Failure {
    const KEPT: &str = "core.db-wal.damaged";
    if failure.file != Some(DamagedFile::Core) || !folder.join(KEPT).exists() {
        return failure;
    }
    let hint = format!("its log is kept as `{KEPT}`; {}", failure.hint);
    failure.hinting(hint)
}

/// The passphrase as core takes it.
pub(crate) fn wrapping(passphrase: &str) -> Wrapping<'_> {
    Wrapping::Passphrase(passphrase, KdfCost::default())
}

/// The operating system's randomness.
pub(crate) fn entropy() -> Box<dyn Entropy> {
    Box::new(SystemEntropy::new())
}

/// Tries again for a while when another process has the home open.
pub(crate) fn while_busy<T>(mut open: impl FnMut() -> Result<T, HomeError>) -> Result<T, Failure> {
    let began = Instant::now();
    loop {
        match open() {
            Err(HomeError::Busy) if began.elapsed() < BUSY_WAIT => std::thread::sleep(BUSY_LOOK),
            done => return Ok(done?),
        }
    }
}

/// The device's clock, in the zone of the device.
pub(crate) fn now() -> Moment {
    moment(Timestamp::now())
}

/// A time of day that happened just now, to the second.
pub(crate) fn just_now() -> Observed {
    let now = now();
    let whole = now.unix_ms() - now.unix_ms().rem_euclid(1_000);
    Observed::Minute(Moment::new(whole, now.offset_minutes()).expect("cut within the same second"))
}

/// A number of milliseconds since 1970 in the zone of the device; none where no calendar has it.
pub(crate) fn moment_of(unix_ms: i64) -> Option<Moment> {
    Timestamp::from_millisecond(unix_ms).ok().map(moment)
}

fn moment(at: Timestamp) -> Moment {
    let zone = TimeZone::system().to_offset(at);
    let minutes = i16::try_from(zone.seconds() / 60).unwrap_or(0);
    let here = Moment::new(at.as_millisecond(), minutes);
    here.or_else(|_| Moment::new(at.as_millisecond(), 0)).expect("a timestamp is a moment")
}

/// The platform's folder for data (XDG base directories; Known Folders; Application Support).
fn data_folder() -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    if let Some(data) = absolute("XDG_DATA_HOME") {
        return Some(data);
    }
    if cfg!(windows) {
        return absolute("LOCALAPPDATA");
    }
    let home = absolute("HOME")?;
    let below: &Path = if cfg!(target_os = "macos") {
        Path::new("Library/Application Support")
    } else {
        Path::new(".local/share")
    };
    Some(home.join(below))
}

/// Opens the files of a paused home again; waits a moment for another command that has it open.
pub(crate) fn resume(mut paused: PausedHome) -> Result<Home, Failure> {
    let began = Instant::now();
    loop {
        match paused.resume(now()) {
            Ok(home) => return Ok(home),
            Err(NotResumed::Busy(still)) if began.elapsed() < BUSY_WAIT => {
                paused = *still;
                std::thread::sleep(BUSY_LOOK);
            }
            Err(NotResumed::Busy(_)) => return Err(HomeError::Busy.into()),
            Err(NotResumed::Failed(error)) => return Err(error.into()),
        }
    }
}

/// Finds a participant by name, id or unique prefix of it; a failure repeats what was typed.
pub(crate) fn participant(
    home: &Home,
    notebook: &NotebookId,
    wanted: &str,
) -> Result<ParticipantId, Failure> {
    home.find_participant(notebook, wanted).map_err(|error| naming(wanted, error))
}

/// Finds several participants.
pub(crate) fn participants(
    home: &Home,
    notebook: &NotebookId,
    wanted: &[String],
) -> Result<BTreeSet<ParticipantId>, Failure> {
    wanted.iter().map(|wanted| participant(home, notebook, wanted.trim())).collect()
}

/// Finds a place by name, id or unique prefix of it; a failure repeats what was typed.
pub(crate) fn place(home: &Home, notebook: &NotebookId, wanted: &str) -> Result<PlaceId, Failure> {
    home.find_place(notebook, wanted).map_err(|error| naming(wanted, error))
}

fn naming(wanted: &str, error: HomeError) -> Failure {
    let failure = Failure::from(error);
    Failure { reason: format!("{}: {wanted}", failure.reason), ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn just_now_is_a_whole_second() {
        let Observed::Minute(at) = just_now() else { panic!("a time of day") };
        assert_eq!(at.unix_ms().rem_euclid(1_000), 0);
    }
}
