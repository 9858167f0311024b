//! The server of a story: the real store and the real sessions, without sockets.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use thicket_protocol::address::ServerAddress;
use thicket_sync_server::{ServerSession, Store};

use super::dice::Dice;

/// A server and its folder.
#[derive(Debug)]
pub(super) struct Relay {
    folder: TempDir,
    store: Option<Store>,
    dice: Dice,
}

impl Relay {
    /// Starts a server on an empty folder.
    pub(super) fn start(mut dice: Dice) -> Self {
        let folder = super::folder();
        let store = Some(open(folder.path(), &mut dice));
        Self { folder, store, dice }
    }

    /// Where its data lie.
    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Its address; nobody connects to it.
    pub(super) fn address(&self) -> ServerAddress {
        ServerAddress { host: "relay.example".to_owned(), port: 1, key: self.store_ref().public_key() }
    }

    /// Lets a session take a frame, and answers with what others are to be told.
    pub(super) fn handle(
        &mut self,
        session: &mut ServerSession,
        frame: &[u8],
        now_ms: i64,
        exporter: [u8; 32],
    ) -> Vec<thicket_sync_server::Hint> {
        let store = self.store.as_mut().expect("the server runs");
        session.handle_frame(store, frame, now_ms, &|_| exporter);
        std::iter::from_fn(|| session.poll_hint()).collect()
    }

    /// What a session has to send next.
    pub(super) fn transmit(&mut self, session: &mut ServerSession) -> Option<Vec<u8>> {
        session.poll_transmit(self.store.as_mut().expect("the server runs"))
    }

    /// The process dies, and another begins on the same folder; every session is gone.
    pub(super) fn die(&mut self) {
        drop(self.store.take());
        self.store = Some(open(self.folder.path(), &mut self.dice));
    }

    fn store_ref(&self) -> &Store {
        self.store.as_ref().expect("the server runs")
    }
}

fn open(folder: &Path, dice: &mut Dice) -> Store {
    use thicket_core::entropy::Entropy;
    Store::open(folder, &mut |out| dice.fill(out)).expect("the server's folder opens")
}
