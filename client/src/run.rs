//! One errand from beginning to end.

use std::time::Duration;

use thicket_core::home::Home;
use thicket_core::sync::{Errand, Outcome, SyncEvent, SyncSession};
use thicket_core::time::Moment;
use tokio::time::{Instant, sleep_until};

use crate::pump::{self, Clock, Pump};
use crate::{ClientError, link};

/// How long an errand may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection stands, name look-up included.
    pub connect: Duration,
    /// For all of it; without, the session's own time-outs are the only ones.
    pub whole: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), whole: None }
    }
}

/// Does one errand: connects, syncs until nothing is left to send or to fetch, and disconnects.
///
/// Blocks, and must not be called inside a tokio runtime. [`Errand::Join`] ends when the log has admitted this device,
/// with an empty outcome; the caller then runs [`Errand::Sync`].
///
/// # Errors
/// Whatever [`ClientError`] says; all work is kept for the next errand.
pub fn run(
    home: &mut Home,
    errand: Errand,
    limits: &Limits,
    clock: &(dyn Fn() -> Moment + Sync),
    on_event: &mut dyn FnMut(&SyncEvent),
) -> Result<Outcome, ClientError> {
    let session = SyncSession::begin(home, errand, clock())?;
    let runtime = pump::runtime()?;
    let done = runtime.block_on(connect_and_pump(home, session, limits, clock, on_event));
    pump::end(runtime);
    done
}

async fn connect_and_pump(
    home: &mut Home,
    session: SyncSession,
    limits: &Limits,
    clock: &Clock<'_>,
    on_event: &mut dyn FnMut(&SyncEvent),
) -> Result<Outcome, ClientError> {
    let deadline = limits.whole.map(|whole| Instant::now() + whole);
    let connect = limits.whole.map_or(limits.connect, |whole| limits.connect.min(whole));
    let link = link::connect(session.server(), &Limits { connect, ..*limits }).await?;
    let mut pump = Pump::begin(session, link, home, clock())?;
    let done = pump_until_done(&mut pump, home, deadline, clock, on_event).await;
    pump.close().await;
    done
}

async fn pump_until_done(
    pump: &mut Pump,
    home: &mut Home,
    deadline: Option<Instant>,
    clock: &Clock<'_>,
    on_event: &mut dyn FnMut(&SyncEvent),
) -> Result<Outcome, ClientError> {
    let mut taken = Ok(());
    loop {
        let moved = taken.and_then(|()| pump.fill(home, clock()));
        // What was done before a failure is told all the same: an invite that stands in the log must be shown.
        while let Some(event) = pump.poll_event() {
            on_event(&event);
            if let Some(outcome) = end_of_errand(event) {
                return Ok(outcome);
            }
        }
        moved?;
        let arrival = tokio::select! {
            biased;
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                return Err(ClientError::TimedOut { waits_for: pump.waits_for() });
            }
            arrival = pump.wait(clock) => arrival?,
        };
        taken = pump.take(home, arrival, clock());
    }
}

/// How the errand ended, if this is its end.
pub(crate) fn end_of_errand(event: SyncEvent) -> Option<Outcome> {
    if let SyncEvent::Settled(outcome) = event {
        return Some(outcome);
    }
    (event == SyncEvent::Admitted).then(Outcome::default)
}
