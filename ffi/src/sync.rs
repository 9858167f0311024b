//! Bringing this device and the server together.

use std::time::Duration;

use thicket_client::Limits;
use thicket_client::keeper::Change;
use thicket_core::home;
use thicket_core::sync::{Errand, SyncEvent};
use thicket_core::vocabulary::Admits;

use crate::feed::SyncOutcome;
use crate::words::MemberRole;
use crate::{Home, ThicketError};

/// An invite.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Invited {
    /// The code, in groups to be read aloud. Whoever has it is let in: show it to nobody else, and keep it out of logs.
    pub code: String,
    /// When it expires, ms since 1970.
    pub expires_ms: u64,
}

fn limits(timeout_ms: Option<u64>) -> Limits {
    Limits { whole: timeout_ms.map(Duration::from_millis), ..Limits::default() }
}

#[uniffi::export(async_runtime = "tokio")]
impl Home {
    /// Sends and fetches everything that can be. Afterwards the connection stays, what is written is sent at once, and what others write comes by
    /// itself, until the feed tells [`crate::FeedChange::WentOffline`].
    ///
    /// Reading and writing go on meanwhile. On any error all work is kept for the next time.
    pub async fn sync(&self, timeout_ms: Option<u64>) -> Result<SyncOutcome, ThicketError> {
        Ok(self.keeper()?.sync(Errand::Sync, limits(timeout_ms)).await?.into())
    }

    /// Has this device admitted with the invite that [`Home::join`] keeps, and syncs. One that is admitted already only syncs.
    ///
    /// Until a colleague's device has synced too, the outcome says that it waits for keys.
    pub async fn finish_join(&self, timeout_ms: Option<u64>) -> Result<SyncOutcome, ThicketError> {
        let keeper = self.keeper()?;
        if keeper.read(|home| home.member().is_none()).await? {
            keeper.sync(Errand::Join, limits(timeout_ms)).await?;
        }
        self.sync(timeout_ms).await
    }

    /// Writes an invite for a new member in a role; a membership change, which needs the server.
    pub async fn invite_member(
        &self,
        role: MemberRole,
        expires_ms: u64,
        timeout_ms: Option<u64>,
    ) -> Result<Invited, ThicketError> {
        self.invite(Admits::Member(role.into()), expires_ms, timeout_ms).await
    }

    /// Writes an invite for another device of this member.
    pub async fn invite_own_device(
        &self,
        expires_ms: u64,
        timeout_ms: Option<u64>,
    ) -> Result<Invited, ThicketError> {
        let member = self.read(|home| home.member().ok_or(ThicketError::WaitingForKeys)).await?;
        self.invite(Admits::OwnDevice(member), expires_ms, timeout_ms).await
    }

    /// Goes on from another socket: the device has changed its network.
    pub async fn network_changed(&self) -> Result<(), ThicketError> {
        Ok(self.keeper()?.network_changed().await?)
    }
}

impl Home {
    async fn invite(
        &self,
        admits: Admits,
        expires_ms: u64,
        timeout_ms: Option<u64>,
    ) -> Result<Invited, ThicketError> {
        let code = |event: &SyncEvent| {
            if let SyncEvent::Invited(code) = event { Some(code.to_string()) } else { None }
        };
        let code = self.run(Errand::Invite { admits, expires_ms }, timeout_ms, code).await?;
        Ok(Invited { code, expires_ms })
    }

    /// Does an errand, and tells what an event of it said, even if the errand failed after that.
    pub(crate) async fn run<T>(
        &self,
        errand: Errand,
        timeout_ms: Option<u64>,
        wanted: impl Fn(&SyncEvent) -> Option<T>,
    ) -> Result<T, ThicketError> {
        let keeper = self.keeper()?;
        let mut feed = keeper.feed();
        let mut told = None;
        let mut take = |change| {
            if let Change::Sync(event) = change {
                told = wanted(&event).or(told.take());
            }
        };
        let errand = keeper.sync(errand, limits(timeout_ms));
        tokio::pin!(errand);
        let ended = loop {
            tokio::select! {
                biased;
                Some(change) = feed.next() => take(change),
                ended = &mut errand => break ended,
            }
        };
        while let Some(change) = feed.waiting() {
            take(change);
        }
        match (told, ended) {
            (Some(told), _) => Ok(told),
            (None, Err(error)) => Err(error.into()),
            (None, Ok(_)) => Err(home::HomeError::Conflict("the errand ended without an answer").into()),
        }
    }
}
