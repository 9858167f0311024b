//! What has changed, to be pulled.

use thicket_client::keeper::{self, Change};
use thicket_core::sync::{Outcome, Progress, SyncEvent};
use tokio::sync::{Mutex, watch};

use crate::ids::NoteId;

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum FeedChange {
    /// The home may hold something else than before: what is shown is to be read again.
    Written,
    /// Something was sent or fetched.
    Progressed {
        /// Records that the server acknowledged in this round.
        sent: u64,
        /// Records that came in this round.
        fetched: u64,
        /// Batches that are still to be fetched.
        to_fetch: u64,
    },
    /// The log has admitted this device.
    Admitted,
    /// A round of sync is done; the connection stays, and what is written is sent at once.
    Settled {
        /// How it ended.
        outcome: SyncOutcome,
    },
    /// The connection that stayed was lost; the next sync makes another.
    WentOffline,
}

/// How a round of sync ended.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SyncOutcome {
    /// Records that the server acknowledged.
    pub sent: u64,
    /// Records that came.
    pub fetched: u64,
    /// Whether nothing is left to send or to fetch.
    pub is_up_to_date: bool,
    /// Whether this device waits for a colleague's device to give it keys.
    pub waits_for_keys: bool,
    /// Notes that were released by what came.
    pub released: Vec<NoteId>,
}

impl From<Outcome> for SyncOutcome {
    fn from(outcome: Outcome) -> Self {
        Self {
            sent: outcome.sent,
            fetched: outcome.fetched,
            is_up_to_date: outcome.is_up_to_date,
            waits_for_keys: outcome.waits_for_keys,
            released: outcome.released.into_iter().map(NoteId::of).collect(),
        }
    }
}

impl From<Change> for FeedChange {
    fn from(change: Change) -> Self {
        let Change::Sync(event) = change else {
            return if change == Change::Offline { Self::WentOffline } else { Self::Written };
        };
        if let SyncEvent::Progress(Progress { sent, fetched, to_fetch }) = event {
            return Self::Progressed { sent, fetched, to_fetch };
        }
        if let SyncEvent::Settled(outcome) = event {
            return Self::Settled { outcome: outcome.into() };
        }
        // An invite's code is told to whoever asked for it, and to nobody else.
        if event == SyncEvent::Admitted { Self::Admitted } else { Self::Written }
    }
}

/// Follows a home: a loop around [`Feed::next`], ended by [`Feed::end`].
///
/// A reader who is far behind gets one [`FeedChange::Written`] for all that was missed.
#[derive(Debug, uniffi::Object)]
pub struct Feed {
    /// Behind a lock that may be held while it waits: two readers take turns.
    changes: Mutex<keeper::Feed>,
    ended: watch::Sender<bool>,
}

impl Feed {
    pub(crate) fn new(changes: keeper::Feed) -> Self {
        Self { changes: Mutex::new(changes), ended: watch::Sender::new(false) }
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl Feed {
    /// Waits for the next change; none once the feed has ended, or the home is paused or locked. A wait that is given up misses nothing.
    pub async fn next(&self) -> Option<FeedChange> {
        let mut ended = self.ended.subscribe();
        let next = async { self.changes.lock().await.next().await };
        tokio::select! {
            biased;
            _ = ended.wait_for(|ended| *ended) => None,
            change = next => change.map(Into::into),
        }
    }

    /// Ends the feed; whoever waits for it is told none at once.
    ///
    /// Kotlin's own `close` only lets go of the object, and waits for whoever waits.
    pub fn end(&self) {
        self.ended.send_replace(true);
    }
}
