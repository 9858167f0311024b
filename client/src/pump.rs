//! A session and its link: carries frames both ways at once, so that neither end waits for the other.
//!
//! Waiting and working are apart: [`Pump::wait`] touches no home and may be broken off at any time,
//! [`Pump::take`] works on the home and waits for nothing.

use std::time::Duration;

use thicket_core::home::Home;
use thicket_core::sync::{SyncEvent, SyncSession};
use thicket_core::time::Moment;
use tokio::runtime::{Builder, Runtime};

use crate::ClientError;
use crate::link::{self, Link, Step};

/// The device's clock.
pub(crate) type Clock<'c> = dyn Fn() -> Moment + Sync + 'c;

/// What a pump waited for.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A frame came.
    Frame(Vec<u8>),
    /// QUIC has taken what was to be sent.
    Sent,
    /// The session's time has come.
    Timeout,
}

/// A session whose connection stands.
#[derive(Debug)]
pub(crate) struct Pump {
    link: Link,
    session: SyncSession,
}

impl Pump {
    /// Tells the session that its connection stands.
    pub(crate) fn begin(
        mut session: SyncSession,
        link: Link,
        home: &mut Home,
        now: Moment,
    ) -> Result<Self, ClientError> {
        let exporter = link.exporter(&session.exporter_context());
        session.handle_connected(home, &exporter, now)?;
        Ok(Self { link, session })
    }

    /// Waits until there is something to take. Cancel-safe.
    pub(crate) async fn wait(&mut self, clock: &Clock<'_>) -> Result<Arrival, ClientError> {
        let due = self.session.poll_timeout().map(|due_ms| until(due_ms, clock()));
        tokio::select! {
            // What has come is taken first: a home that was busy for long is no reason to call the server silent.
            biased;
            step = self.link.step() => Ok(match step? {
                Step::Frame(frame) => Arrival::Frame(frame),
                Step::Sent => Arrival::Sent,
            }),
            () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() => Ok(Arrival::Timeout),
        }
    }

    /// Hands the session what came.
    pub(crate) fn take(&mut self, home: &mut Home, arrival: Arrival, now: Moment) -> Result<(), ClientError> {
        match arrival {
            Arrival::Frame(frame) => self.session.handle_frame(home, &frame, now)?,
            Arrival::Timeout => self.session.handle_timeout(home, now)?,
            Arrival::Sent => {}
        }
        Ok(())
    }

    /// Tells the session that something was written into the home.
    pub(crate) fn take_written(&mut self, home: &mut Home, now: Moment) -> Result<(), ClientError> {
        Ok(self.session.handle_written(home, now)?)
    }

    /// Asks the session for its next frame, once the one before is on its way.
    pub(crate) fn fill(&mut self, home: &mut Home, now: Moment) -> Result<(), ClientError> {
        if !self.link.writer.is_busy()
            && let Some(frame) = self.session.poll_transmit(home, now)?
        {
            self.link.writer.begin(&frame);
        }
        Ok(())
    }

    /// Tells whether a frame is still to be taken by QUIC.
    pub(crate) fn is_sending(&self) -> bool {
        self.link.writer.is_busy()
    }

    /// What the session tells next.
    pub(crate) fn poll_event(&mut self) -> Option<SyncEvent> {
        self.session.poll_event()
    }

    /// What the session waits for.
    pub(crate) fn waits_for(&self) -> &'static str {
        self.session.waits_for()
    }

    /// The connection.
    pub(crate) const fn link(&self) -> &Link {
        &self.link
    }

    /// Ends the connection.
    pub(crate) async fn close(self) {
        self.link.close().await;
    }
}

/// How long it is from `now` until that time; nothing when it has passed.
fn until(due_ms: i64, now: Moment) -> Duration {
    Duration::from_millis(u64::try_from(due_ms.saturating_sub(now.unix_ms())).unwrap_or(0))
}

/// Runs sockets on one thread of their own, so that packets are acknowledged while the calling thread works on the home.
pub(crate) fn runtime() -> Result<Runtime, ClientError> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("thicket-link")
        .enable_all()
        .build()
        .map_err(ClientError::Unreachable)
}

/// Ends the sockets' thread; a name look-up that hangs is left behind.
pub(crate) fn end(runtime: Runtime) {
    runtime.shutdown_timeout(link::CLOSE_WAIT);
}
