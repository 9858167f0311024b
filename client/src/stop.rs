//! A way to end what runs on another thread.

use std::sync::Arc;

use tokio::sync::watch;

/// Ends a [`crate::watch()`] from another thread; every copy ends the same one.
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

    /// Waits until it is used. Cancel-safe.
    pub(crate) async fn stopped(&self) {
        self.0.subscribe().wait_for(|stopped| *stopped).await.expect("the sender is held here");
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}
