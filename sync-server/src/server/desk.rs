//! The one thread that has the store: every session runs here, and what several sent is made durable together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use quinn::Connection;
use thicket_protocol::frame::EXPORTER_LABEL;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::line::{self, Unsent};
use crate::limits::GROUP_FRAMES_MAX;
use crate::session::{Hint, ServerSession};
use crate::store::Store;

/// A frame, and the share that it has of what its connection may have waiting.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    pub(super) _held: OwnedSemaphorePermit,
}

/// What the connections' tasks tell the store's thread.
#[derive(Debug)]
pub(super) enum ToDesk {
    /// A connection has come.
    Opened { number: u64, connection: Connection, out: mpsc::UnboundedSender<Vec<u8>>, unsent: Arc<Unsent> },
    /// A peer has sent a frame.
    Frame { number: u64, frame: Frame },
    /// There is room for answers again.
    Room { number: u64 },
    /// A peer sends no more.
    Ended { number: u64 },
    /// A connection has gone.
    Closed { number: u64 },
    /// The server stops.
    Drain,
}

/// One connection as the store's thread sees it.
struct Line {
    session: ServerSession,
    connection: Connection,
    out: mpsc::UnboundedSender<Vec<u8>>,
    unsent: Arc<Unsent>,
    inbox: VecDeque<Frame>,
    ended: bool,
    opened: Instant,
    frames: u64,
}

/// The store with its sessions.
pub(super) struct Desk {
    store: Store,
    lines: BTreeMap<u64, Line>,
    /// Lines for which there may be something to do.
    ready: BTreeSet<u64>,
    /// The line whose turn it is.
    turn: u64,
    draining: bool,
}

impl Desk {
    pub(super) fn new(store: Store) -> Self {
        Self { store, lines: BTreeMap::new(), ready: BTreeSet::new(), turn: 0, draining: false }
    }

    /// Works until every sender is gone.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<ToDesk>) {
        loop {
            if self.ready.is_empty() {
                let Some(request) = requests.blocking_recv() else { break };
                self.take(request);
            }
            for _ in 0..GROUP_FRAMES_MAX {
                let Ok(request) = requests.try_recv() else { break };
                self.take(request);
            }
            self.round();
        }
    }

    fn take(&mut self, request: ToDesk) {
        let number = match request {
            ToDesk::Opened { number, connection, out, unsent } => {
                let (session, inbox, opened) = (ServerSession::new(), VecDeque::new(), Instant::now());
                let (ended, frames) = (false, 0);
                let line = Line { session, connection, out, unsent, inbox, ended, opened, frames };
                self.lines.insert(number, line);
                number
            }
            ToDesk::Frame { number, frame } => {
                if let Some(line) = self.lines.get_mut(&number) {
                    line.inbox.push_back(frame);
                }
                number
            }
            ToDesk::Ended { number } => {
                if let Some(line) = self.lines.get_mut(&number) {
                    line.ended = true;
                }
                number
            }
            ToDesk::Room { number } => number,
            ToDesk::Closed { number } => return self.remove(number),
            ToDesk::Drain => {
                self.draining = true;
                self.ready.extend(self.lines.keys());
                return;
            }
        };
        self.ready.insert(number);
    }

    /// Gives waiting frames to their sessions, makes what they wrote durable, and only then answers.
    fn round(&mut self) {
        let mut touched = std::mem::take(&mut self.ready);
        let waiting = |number| self.lines.get(number).is_some_and(|line| !line.inbox.is_empty());
        let hints = if touched.iter().any(waiting) { self.feed(&touched) } else { Vec::new() };
        for (from, hint) in hints {
            for (number, line) in &mut self.lines {
                if *number != from && line.session.team() == Some(hint.team) {
                    line.session.handle_hint(&hint);
                    touched.insert(*number);
                }
            }
        }
        for number in touched {
            self.answer(number);
        }
    }

    /// One group: on an error of the disk nothing in it was kept, so nothing in it is answered.
    fn feed(&mut self, ready: &BTreeSet<u64>) -> Vec<(u64, Hint)> {
        let (mut hints, mut fed) = (Vec::new(), 0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        let mut done = self.store.begin();
        if done.is_ok() {
            // Not always the oldest first: many that are busy must not keep the others waiting.
            for number in ready.range(self.turn..).chain(ready.range(..self.turn)) {
                if fed == GROUP_FRAMES_MAX {
                    self.turn = *number;
                    break;
                }
                let Some(line) = self.lines.get_mut(number) else { continue };
                fed += line.feed(&mut self.store, now_ms, GROUP_FRAMES_MAX - fed);
                hints.extend(std::iter::from_fn(|| line.session.poll_hint()).map(|hint| (*number, hint)));
            }
            done = self.store.commit();
        }
        if let Err(error) = done {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the store refuses; nothing was answered"
            );
            for number in ready {
                if let Some(line) = self.lines.get(number) {
                    line::close_failed(&line.connection);
                }
                self.remove(*number);
            }
            return Vec::new();
        }
        hints
    }

    /// Sends what a session has to say, as far as there is room, and ends it when it has said everything.
    fn answer(&mut self, number: u64) {
        let Some(line) = self.lines.get_mut(&number) else { return };
        if self.draining && line.inbox.is_empty() {
            line.session.drain();
        }
        let said_all = line.pump(&mut self.store);
        if said_all && (line.session.is_closed() || (line.inbox.is_empty() && (line.ended || self.draining)))
        {
            self.remove(number);
        } else if !line.inbox.is_empty() && line.session.wants_frame() {
            self.ready.insert(number);
        }
    }

    /// Forgets a line; its task closes the connection when everything is written.
    fn remove(&mut self, number: u64) {
        let Some(line) = self.lines.remove(&number) else { return };
        self.ready.remove(&number);
        let duration_ms = line.opened.elapsed().as_millis();
        let device = line.session.device().map(tracing::field::display);
        let team = line.session.team().map(tracing::field::display);
        tracing::info!(line = number, team, device, frames = line.frames, duration_ms, "connection ended");
    }
}

impl Line {
    /// Gives frames to the session while it wants some; says how many.
    fn feed(&mut self, store: &mut Store, now_ms: i64, most: usize) -> usize {
        let connection = self.connection.clone();
        let exporter = |context: &[u8; 33]| {
            let mut out = [0; 32];
            let made = connection.export_keying_material(&mut out, EXPORTER_LABEL, context);
            made.expect("a connection with a stream has done its handshake");
            out
        };
        let mut fed = 0;
        while fed < most && self.session.wants_frame() {
            let Some(frame) = self.inbox.pop_front() else { break };
            self.session.handle_frame(store, &frame.bytes, now_ms, &exporter);
            fed += 1;
        }
        if self.session.is_closed() {
            self.inbox.clear();
        }
        self.frames += fed as u64;
        fed
    }

    /// Whether everything that the session has to say was handed on.
    fn pump(&mut self, store: &mut Store) -> bool {
        while self.unsent.has_room() {
            let Some(frame) = self.session.poll_transmit(store) else { return true };
            self.unsent.add(frame.len());
            if self.out.send(frame).is_err() {
                // The task has given the peer up, and says so itself.
                return false;
            }
        }
        false
    }
}
