//! Staying connected while other processes use the home.

use std::path::Path;
use std::time::{Duration, SystemTime};

use thicket_core::entropy::SystemEntropy;
use thicket_core::home::{Home, NotResumed, PausedHome};
use thicket_core::store::CORE_FILE;
use thicket_core::sync::{Errand, SyncEvent, SyncSession};
use thicket_core::time::Moment;
use tokio::time::{Instant, sleep, sleep_until};

use crate::backoff::Backoff;
use crate::pump::{self, Arrival, Clock, Pump};
use crate::{ClientError, Limits, Stop, link};

/// How often the files are looked at for what other processes wrote.
pub const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often the home is asked for something to send even if its files look untouched: their times are coarse.
pub const LOOK_ANYWAY_EVERY: Duration = Duration::from_secs(60);
/// How long the home is held in one go while there is work; other processes wait 2 s for it.
pub const HOLD_MAX: Duration = Duration::from_secs(1);
/// How long it is let go in the middle of work, so that a process that waits gets in.
pub const LET_GO: Duration = Duration::from_millis(100);
/// How long the home is held while nothing comes.
pub const QUIET: Duration = Duration::from_millis(250);
/// How long another process may have the home before [`WatchEvent::Busy`] is told.
pub const BUSY_TOLD_AFTER: Duration = Duration::from_secs(10);
/// How often a home that another process has is tried.
pub const RESUME_EVERY: Duration = Duration::from_millis(50);

/// What a watch tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum WatchEvent {
    /// A connection stands.
    Connected,
    /// The session told something; [`SyncEvent::Settled`] ends a round.
    Sync(SyncEvent),
    /// Another process has the home open for long; the connection is kept, and the watch goes on when it lets go.
    Busy,
    /// There is no connection; the next attempt comes after that time.
    Offline {
        /// Why.
        why: ClientError,
        /// When the next attempt comes.
        again_in: Duration,
    },
}

/// Stays connected until `stop`: sends what is written here, fetches what is written elsewhere.
///
/// The home is paused whenever there is nothing to do, and for a moment once a second while there is, so that other
/// processes can open it. What they write is noticed by the size and time of core.db and its WAL. Of `limits` only
/// [`Limits::connect`] counts. Blocks, and must not be called inside a tokio runtime.
///
/// # Errors
/// Only what waiting does not cure ([`ClientError::passes`] is false); a lost connection, another server key and a busy
/// home are told and tried again.
pub fn watch(
    paused: PausedHome,
    limits: &Limits,
    clock: &(dyn Fn() -> Moment + Sync),
    on_event: &mut dyn FnMut(WatchEvent),
    stop: &Stop,
) -> Result<PausedHome, ClientError> {
    let runtime = pump::runtime()?;
    let mut watch =
        Watch { limits, clock, on_event, stop, entropy: SystemEntropy::new(), backoff: Backoff::new() };
    let ended = runtime.block_on(watch.run(paused));
    pump::end(runtime);
    ended
}

struct Watch<'w> {
    limits: &'w Limits,
    clock: &'w Clock<'w>,
    on_event: &'w mut dyn FnMut(WatchEvent),
    stop: &'w Stop,
    entropy: SystemEntropy,
    backoff: Backoff,
}

/// What there is to do once the home is open.
enum Work {
    /// To go on.
    GoOn,
    /// To take what came.
    Take(Arrival),
    /// To send what was written.
    Written,
}

/// A home that is to be worked on, or paused because the watch ends.
enum Resumed {
    Open(Box<Home>),
    Stopped(PausedHome),
}

/// Why a connection ended: the watch was stopped, or something went wrong.
type Ended = Option<ClientError>;

impl Watch<'_> {
    async fn run(&mut self, mut paused: PausedHome) -> Result<PausedHome, ClientError> {
        loop {
            let (back, ended) = Box::pin(self.connect_and_stay(paused)).await?;
            paused = back;
            let Some(why) = ended else { return Ok(paused) };
            if !why.passes() {
                return Err(why);
            }
            let again_in = self.backoff.wait(&mut self.entropy);
            (self.on_event)(WatchEvent::Offline { why, again_in });
            tokio::select! {
                () = self.stop.stopped() => return Ok(paused),
                () = sleep(again_in) => {}
            }
        }
    }

    /// One connection from beginning to end.
    async fn connect_and_stay(&mut self, paused: PausedHome) -> Result<(PausedHome, Ended), ClientError> {
        let mut home = match self.resume(paused).await? {
            Resumed::Open(home) => *home,
            Resumed::Stopped(paused) => return Ok((paused, None)),
        };
        let begun = SyncSession::begin(&mut home, Errand::Sync, (self.clock)());
        let paused = home.pause()?;
        let session = match begun {
            Ok(session) => session,
            Err(error) => return Ok((paused, Some(error.into()))),
        };
        let linked = tokio::select! {
            () = self.stop.stopped() => return Ok((paused, None)),
            linked = link::connect(session.server(), self.limits) => linked,
        };
        let link = match linked {
            Ok(link) => link,
            Err(error) => return Ok((paused, Some(error))),
        };
        (self.on_event)(WatchEvent::Connected);
        let mut home = match self.resume(paused).await? {
            Resumed::Open(home) => *home,
            Resumed::Stopped(paused) => return Ok((paused, None)),
        };
        match Pump::begin(session, link, &mut home, (self.clock)()) {
            Ok(pump) => self.stay(pump, home).await,
            Err(error) => Ok((home.pause()?, Some(error))),
        }
    }

    /// Works whenever there is something to do, and holds the home only then.
    async fn stay(&mut self, mut pump: Pump, mut home: Home) -> Result<(PausedHome, Ended), ClientError> {
        let folder = home.folder().to_path_buf();
        let mut work = Work::GoOn;
        let (paused, ended) = loop {
            let worked = self.work(&mut pump, &mut home, work).await;
            let paused = home.pause()?;
            let files = Files::look(&folder);
            work = match worked {
                Err(error) => break (paused, Some(error)),
                Ok(Rest::InTheMiddle) => {
                    sleep(LET_GO).await;
                    Work::GoOn
                }
                Ok(Rest::Idle) => {
                    let next = tokio::select! {
                        biased;
                        () = self.stop.stopped() => break (paused, None),
                        next = self.idle(&mut pump, &folder, &files) => next,
                    };
                    match next {
                        Ok(work) => work,
                        Err(error) => break (paused, Some(error)),
                    }
                }
            };
            home = match self.resume(paused).await? {
                Resumed::Open(home) => *home,
                Resumed::Stopped(paused) => break (paused, None),
            };
        };
        pump.close().await;
        Ok((paused, ended))
    }

    /// Works on the open home until there is nothing to do, or others should have their turn.
    async fn work(&mut self, pump: &mut Pump, home: &mut Home, work: Work) -> Result<Rest, ClientError> {
        let hold_until = Instant::now() + HOLD_MAX;
        let mut settled = false;
        let mut taken = match work {
            Work::GoOn => Ok(()),
            Work::Take(arrival) => pump.take(home, arrival, (self.clock)()),
            Work::Written => pump.take_written(home, (self.clock)()),
        };
        loop {
            let moved = taken.and_then(|()| pump.fill(home, (self.clock)()));
            while let Some(event) = pump.poll_event() {
                settled |= matches!(event, SyncEvent::Settled(_));
                (self.on_event)(WatchEvent::Sync(event));
            }
            moved?;
            if settled && !pump.is_sending() {
                self.backoff.reset();
                return Ok(Rest::Idle);
            }
            if Instant::now() >= hold_until {
                return Ok(Rest::InTheMiddle);
            }
            taken = tokio::select! {
                biased;
                () = self.stop.stopped() => return Ok(Rest::Idle),
                arrival = pump.wait(self.clock) => pump.take(home, arrival?, (self.clock)()),
                () = sleep(QUIET) => return Ok(Rest::Idle),
            };
        }
    }

    /// Waits, while others may have the home, until there is something to do. Cancel-safe.
    async fn idle(&self, pump: &mut Pump, folder: &Path, files: &Files) -> Result<Work, ClientError> {
        let anyway = Instant::now() + LOOK_ANYWAY_EVERY;
        loop {
            tokio::select! {
                arrival = pump.wait(self.clock) => return Ok(Work::Take(arrival?)),
                () = sleep_until(anyway) => return Ok(Work::Written),
                () = sleep(LOOK_EVERY) => if Files::look(folder) != *files {
                    return Ok(Work::Written);
                }
            }
        }
    }

    /// Opens the home again, as soon as no other process has it.
    async fn resume(&mut self, mut paused: PausedHome) -> Result<Resumed, ClientError> {
        let told_at = Instant::now() + BUSY_TOLD_AFTER;
        let mut told = false;
        loop {
            paused = match paused.resume((self.clock)()) {
                Ok(home) => return Ok(Resumed::Open(Box::new(home))),
                Err(NotResumed::Busy(paused)) => *paused,
                Err(NotResumed::Failed(error)) => return Err(error.into()),
            };
            if !told && Instant::now() >= told_at {
                told = true;
                (self.on_event)(WatchEvent::Busy);
            }
            tokio::select! {
                () = self.stop.stopped() => return Ok(Resumed::Stopped(paused)),
                () = sleep(RESUME_EVERY) => {}
            }
        }
    }
}

/// Why the home may be let go.
enum Rest {
    /// There is nothing to do before something comes.
    Idle,
    /// There is more to do, but others should have their turn.
    InTheMiddle,
}

/// What the files look like from outside; another process that commits changes it.
#[derive(Debug, PartialEq, Eq)]
struct Files([Option<(u64, Option<SystemTime>)>; 2]);

impl Files {
    fn look(folder: &Path) -> Self {
        Self([CORE_FILE.to_owned(), format!("{CORE_FILE}-wal")].map(|name| {
            let metadata = std::fs::metadata(folder.join(name)).ok()?;
            Some((metadata.len(), metadata.modified().ok()))
        }))
    }
}
