//! The session of one connection.

use thicket_protocol::address::ServerAddress;

use super::{Errand, SyncError, SyncEvent};
use crate::home::Home;
use crate::time::Moment;

/// One connection's worth of sync: made before the connection, ended with it.
#[derive(Debug)]
pub struct SyncSession {}

impl SyncSession {
    /// Begins: says whom to connect to ([`SyncSession::server`]) and what to ask TLS for.
    pub fn begin(home: &mut Home, errand: Errand, now: Moment) -> Result<Self, SyncError> {
        todo!()
    }

    /// Where to connect to, and which key the server must prove.
    pub fn server(&self) -> &ServerAddress {
        todo!()
    }

    /// The context of the TLS exporter ([`thicket_protocol::frame::EXPORTER_LABEL`], 32 bytes).
    pub fn exporter_context(&self) -> [u8; 33] {
        todo!()
    }

    /// The connection stands and the server proved its key: the first frame is ready to be sent.
    pub fn handle_connected(
        &mut self,
        home: &mut Home,
        exporter: &[u8; 32],
        now: Moment,
    ) -> Result<(), SyncError> {
        todo!()
    }

    /// Takes a frame of the server.
    pub fn handle_frame(&mut self, home: &mut Home, frame: &[u8], now: Moment) -> Result<(), SyncError> {
        todo!()
    }

    /// Says that something was written into the home: a settled session sends it.
    pub fn handle_written(&mut self, home: &mut Home, now: Moment) -> Result<(), SyncError> {
        todo!()
    }

    /// The time of [`SyncSession::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, home: &mut Home, now: Moment) -> Result<(), SyncError> {
        todo!()
    }

    /// The next frame to send, without its length; batches are sealed as they are asked for.
    pub fn poll_transmit(&mut self, home: &mut Home, now: Moment) -> Result<Option<Vec<u8>>, SyncError> {
        todo!()
    }

    /// When [`SyncSession::handle_timeout`] wants to be called, ms since 1970 by the clock of `now`.
    pub fn poll_timeout(&self) -> Option<i64> {
        todo!()
    }

    /// What happened since it was asked last.
    pub fn poll_event(&mut self) -> Option<SyncEvent> {
        todo!()
    }

    /// What the session waits for, in a word that a person can be shown.
    pub fn waits_for(&self) -> &'static str {
        todo!()
    }
}
