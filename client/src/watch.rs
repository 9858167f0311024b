//! Staying connected while other processes use the home.

use std::sync::Arc;
use std::time::Duration;

use thicket_core::home::PausedHome;
use thicket_core::sync::SyncEvent;
use thicket_core::time::Moment;
use tokio::sync::watch;

use crate::{ClientError, Limits};

/// Ends a [`watch`] from another thread; every copy ends the same one.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    /// Makes one that nobody has used yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Ends the watch after the step it is in.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

/// What a watch tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum WatchEvent {
    /// A connection stands.
    Connected,
    /// The session told something; [`SyncEvent::Settled`] ends a round.
    Sync(SyncEvent),
    /// Another process has the home open for long; the watch goes on when it lets go.
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
/// Between rounds the home is paused, so that other processes can open it. What they write is noticed by the
/// size and time of core.db and its WAL. Blocks, and must not be called inside a tokio runtime.
///
/// # Errors
/// Only what waiting does not cure; a lost connection, another server key and a busy home are told and tried again.
pub fn watch(
    paused: PausedHome,
    limits: &Limits,
    clock: &(dyn Fn() -> Moment + Sync),
    on_event: &mut dyn FnMut(WatchEvent),
    stop: &Stop,
) -> Result<PausedHome, ClientError> {
    todo!()
}
