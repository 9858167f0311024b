//! One errand from beginning to end.

use std::time::Duration;

use thicket_core::home::Home;
use thicket_core::sync::{Errand, Outcome, SyncEvent};
use thicket_core::time::Moment;

use crate::ClientError;

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
/// Blocks, and must not be called inside a tokio runtime. [`Errand::Join`] ends when the log has admitted this device;
/// the caller then runs [`Errand::Sync`].
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
    todo!()
}
