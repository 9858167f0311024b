//! One connection: the two sessions, and what is under way between them.

use std::collections::VecDeque;

use thicket_core::home::Home;
use thicket_core::sync::{Errand, SyncError, SyncEvent, SyncSession};
use thicket_core::time::Moment;
use thicket_sync_server::{Hint, ServerSession};

use super::relay::Relay;

/// A connection of one device.
#[derive(Debug)]
pub(super) struct Link {
    session: SyncSession,
    server: ServerSession,
    exporter: [u8; 32],
    up: VecDeque<Vec<u8>>,
    down: VecDeque<Vec<u8>>,
}

/// What came of carrying frames.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Frames that moved.
    pub(super) frames: usize,
    /// What the device's session told.
    pub(super) events: Vec<SyncEvent>,
    /// What the server's other sessions are to be told.
    pub(super) hints: Vec<Hint>,
}

impl Link {
    /// Connects.
    pub(super) fn connect(
        home: &mut Home,
        errand: Errand,
        exporter: [u8; 32],
        now: Moment,
    ) -> Result<Self, SyncError> {
        let mut session = SyncSession::begin(home, errand, now)?;
        session.handle_connected(home, &exporter, now)?;
        let (up, down) = (VecDeque::new(), VecDeque::new());
        Ok(Self { session, server: ServerSession::new(), exporter, up, down })
    }

    /// Moves up to `frames` frames, by turns up and down.
    pub(super) fn carry(
        &mut self,
        home: &mut Home,
        relay: &mut Relay,
        frames: usize,
        now: Moment,
        server_now_ms: i64,
    ) -> Result<Carried, SyncError> {
        let mut carried = Carried::default();
        while carried.frames < frames {
            while self.up.len() < 4
                && let Some(frame) = self.session.poll_transmit(home, now)?
            {
                self.up.push_back(frame);
            }
            let before = carried.frames;
            if let Some(frame) = self.up.pop_front() {
                carried.frames += 1;
                carried.hints.extend(relay.handle(&mut self.server, &frame, server_now_ms, self.exporter));
            }
            while self.down.len() < 4
                && let Some(frame) = relay.transmit(&mut self.server)
            {
                self.down.push_back(frame);
            }
            if let Some(frame) = self.down.pop_front() {
                carried.frames += 1;
                self.session.handle_frame(home, &frame, now)?;
            }
            carried.events.extend(std::iter::from_fn(|| self.session.poll_event()));
            if carried.frames == before {
                break;
            }
        }
        Ok(carried)
    }

    /// Tells the device that something was written.
    pub(super) fn written(&mut self, home: &mut Home, now: Moment) -> Result<(), SyncError> {
        self.session.handle_written(home, now)
    }

    /// Tells this connection's server session what another one changed.
    pub(super) fn hint(&mut self, hint: &Hint) {
        self.server.handle_hint(hint);
    }

    /// The connection is gone; what the device had sent still arrives, or does not.
    pub(super) fn cut(mut self, arrives: bool, relay: &mut Relay, server_now_ms: i64) -> Vec<Hint> {
        let mut hints = Vec::new();
        if arrives {
            for frame in std::mem::take(&mut self.up) {
                hints.extend(relay.handle(&mut self.server, &frame, server_now_ms, self.exporter));
            }
        }
        hints
    }

    /// Something that no honest network does to a stream happens to a frame under way.
    pub(super) fn garble(&mut self, how: u8) {
        let queue = if how.is_multiple_of(2) { &mut self.up } else { &mut self.down };
        match (how / 2) % 4 {
            0 => {
                queue.pop_front();
            }
            1 => {
                if let Some(frame) = queue.front().cloned() {
                    queue.push_front(frame);
                }
            }
            2 if queue.len() > 1 => queue.swap(0, 1),
            _ => {
                if let Some(frame) = queue.front_mut()
                    && let Some(byte) =
                        frame.len().checked_sub(1).map(|last| usize::from(how) * 7 % (last + 1))
                {
                    frame[byte] ^= 1 << (how % 8);
                }
            }
        }
    }
}
