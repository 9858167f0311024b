//! One connection without its socket: frames in, frames out, over a [`Store`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use minicbor::bytes::ByteVec;
use thicket_protocol::frame::{self, Change, Hello, Peer, Refusal, Reply, Request};
use thicket_protocol::governance::{Author, Entry, EntryError};
use thicket_protocol::ids::{DeviceId, SpaceId, TeamId};
use thicket_protocol::sign::{SUITE, VERSION};

use crate::limits::ANSWERS_MAX;
use crate::store::{Store, StoreError};

mod answer;
mod entry;
mod keys;
mod peer;
mod push;

use answer::Answer;
use peer::{Member, Standing, Who, standing};

/// What one session's request changed, for the other sessions of the team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// The team.
    pub team: TeamId,
    /// What has changed.
    pub change: Change,
    /// Whom it concerns.
    pub readers: Readers,
}

/// Whom a change concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Every device of the team.
    Team,
    /// One device.
    Device(DeviceId),
    /// The devices that may hold a space.
    Space(SpaceId),
}

/// Why a request was not carried out.
#[derive(Debug)]
enum Stop {
    Refused(Refusal),
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Refuses where a rule is not kept.
fn demand(kept: bool, refusal: Refusal) -> Result<(), Stop> {
    if kept { Ok(()) } else { Err(Stop::Refused(refusal)) }
}

/// The server's side of one connection.
///
/// Give it every frame that comes, send what [`ServerSession::poll_transmit`] gives, and hand what
/// [`ServerSession::poll_hint`] gives to the team's other sessions. It reads no clock and opens no socket.
#[derive(Debug, Default)]
pub struct ServerSession {
    who: Option<Who>,
    answers: VecDeque<Answer>,
    hints: VecDeque<Hint>,
    subscribed: bool,
    gov_changed: bool,
    keys_changed: bool,
    vaults_changed: BTreeSet<SpaceId>,
    spaces_changed: BTreeMap<SpaceId, u64>,
    draining: bool,
    closed: bool,
}

impl ServerSession {
    /// Begins with a connection of which nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing more is taken: send what is left, and close the connection.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether there is room for another request; whoever gives one all the same ends the session.
    pub fn wants_frame(&self) -> bool {
        !self.closed && self.answers.len() < ANSWERS_MAX
    }

    /// The team of a peer that has proved its key.
    pub const fn team(&self) -> Option<TeamId> {
        match self.who {
            Some(Who::Device { team, .. } | Who::Paper { team, .. }) => Some(team),
            None => None,
        }
    }

    /// The device, when one has proved its key.
    pub const fn device(&self) -> Option<DeviceId> {
        match self.who {
            Some(Who::Device { device, .. }) => Some(device),
            Some(Who::Paper { .. }) | None => None,
        }
    }

    /// Takes a frame, without its length; `exporter` is that of this TLS connection under
    /// [`frame::EXPORTER_LABEL`] and the context that it is given.
    ///
    /// The answer may be sent when what was written is durable: at once, or after [`Store::commit`].
    pub fn handle_frame(
        &mut self,
        store: &mut Store,
        bytes: &[u8],
        now_ms: i64,
        exporter: &dyn Fn(&[u8; 33]) -> [u8; 32],
    ) {
        if self.closed {
            return;
        }
        let done = if self.answers.len() < ANSWERS_MAX {
            match frame::decode(bytes) {
                Ok(request) => self.handle(store, request, now_ms, exporter),
                Err(_) => Err(Stop::Refused(Refusal::Malformed)),
            }
        } else {
            self.closed = true;
            Err(Stop::Refused(Refusal::Limit))
        };
        if let Err(stop) = done {
            self.refuse(stop);
        }
    }

    fn refuse(&mut self, stop: Stop) {
        let refusal = match stop {
            Stop::Refused(refusal) => refusal,
            Stop::Store(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the store refuses");
                Refusal::Storage
            }
        };
        // Without a peer there is nothing to go on with.
        let fatal = matches!(refusal, Refusal::Malformed | Refusal::Proof | Refusal::Version);
        self.closed |= fatal || self.who.is_none();
        self.answer(&Reply::Refused(refusal));
    }

    fn answer(&mut self, reply: &Reply) {
        self.answers.push_back(Answer::of(reply));
    }

    /// Gives the next frame to send. A long answer is read from the store one frame at a time, so a peer that reads
    /// slowly holds no memory here.
    pub fn poll_transmit(&mut self, store: &mut Store) -> Option<Vec<u8>> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(match self.next_frame(store, answer) {
                Ok(frame) => frame,
                Err(stop) => {
                    self.refuse(stop);
                    let Some(Answer::Frame(frame)) = self.answers.pop_back() else { return None };
                    frame
                }
            });
        }
        self.next_change(store).map(|change| frame::encode(&Reply::Changed(change)))
    }

    /// What a request changed, for the team's other sessions.
    pub fn poll_hint(&mut self) -> Option<Hint> {
        self.hints.pop_front()
    }

    /// Takes what another session of the team changed.
    pub fn handle_hint(&mut self, hint: &Hint) {
        if !self.subscribed || self.team() != Some(hint.team) {
            return;
        }
        if let Readers::Device(device) = hint.readers
            && self.device() != Some(device)
        {
            return;
        }
        match (hint.change, hint.readers) {
            (Change::Gov, _) => self.gov_changed = true,
            (Change::Keys, Readers::Space(space)) => {
                self.vaults_changed.insert(space);
            }
            (Change::Keys, Readers::Team | Readers::Device(_)) => self.keys_changed = true,
            (Change::Space(space, pos), _) => {
                let known = self.spaces_changed.entry(space).or_default();
                *known = pos.max(*known);
            }
        }
    }

    /// Says that the server is stopping: every later request is refused.
    pub fn drain(&mut self) {
        if !self.draining && !self.closed {
            self.draining = true;
            self.answer(&Reply::Draining);
        }
    }

    fn hint(&mut self, change: Change, readers: Readers) {
        if let Some(team) = self.team() {
            self.hints.push_back(Hint { team, change, readers });
        }
    }

    fn next_change(&mut self, store: &mut Store) -> Option<Change> {
        if std::mem::take(&mut self.gov_changed) {
            return Some(Change::Gov);
        }
        let vaults = std::mem::take(&mut self.vaults_changed);
        let keys_changed = std::mem::take(&mut self.keys_changed);
        if keys_changed || vaults.iter().any(|space| self.holds(store, space)) {
            return Some(Change::Keys);
        }
        while let Some((space, pos)) = self.spaces_changed.pop_first() {
            if self.holds(store, &space) {
                return Some(Change::Space(space, pos));
            }
        }
        None
    }

    /// Whether the peer may hold a space: whom a change concerns is judged when it is told.
    fn holds(&self, store: &mut Store, space: &SpaceId) -> bool {
        self.member(store).is_ok_and(|member| member.demand_space(space).is_ok())
    }

    fn handle(
        &mut self,
        store: &mut Store,
        request: Request,
        now_ms: i64,
        exporter: &dyn Fn(&[u8; 33]) -> [u8; 32],
    ) -> Result<(), Stop> {
        if self.draining {
            return Err(Refusal::Draining.into());
        }
        demand(self.who.is_some() != matches!(request, Request::Hello(_)), Refusal::Malformed)?;
        match request {
            Request::Hello(hello) => self.handle_hello(store, &hello, now_ms, exporter),
            Request::PullGov { from } => self.handle_pull_gov(store, from),
            Request::PutEntry { entry, packs, seals } => self.handle_entry(store, &entry, &packs, &seals),
            Request::PullKeys { .. }
            | Request::PutStatement(_)
            | Request::PutSeal(_)
            | Request::PutPack(_)
            | Request::Pull { .. }
            | Request::PullOwn { .. }
            | Request::Push(_)
            | Request::Subscribe => {
                let member = self.member(store)?;
                let answer = self.handle_member(store, &member, request)?;
                self.answers.push_back(answer);
                Ok(())
            }
        }
    }

    /// Carries out what a current device alone may ask for.
    fn handle_member(
        &mut self,
        store: &mut Store,
        member: &Member,
        request: Request,
    ) -> Result<Answer, Stop> {
        match request {
            Request::Hello(_) | Request::PullGov { .. } | Request::PutEntry { .. } => {
                Err(Refusal::Malformed.into())
            }
            Request::PullKeys { statements, seals, vaults } => {
                vaults.iter().try_for_each(|vault| member.demand_space(&vault.space))?;
                Ok(Answer::Keys { statements, seals, vaults: vaults.into() })
            }
            Request::PutStatement(bytes) => {
                if keys::put_statement(store, member, &bytes)? {
                    self.hint(Change::Keys, Readers::Team);
                }
                Ok(Answer::of(&Reply::Stored))
            }
            Request::PutSeal(bytes) => {
                if let Some(device) = keys::put_seal(store, member, &bytes)? {
                    self.hint(Change::Keys, Readers::Device(device));
                }
                Ok(Answer::of(&Reply::Stored))
            }
            Request::PutPack(bytes) => {
                if let Some(space) = keys::put_pack(store, member, &bytes)? {
                    self.hint(Change::Keys, Readers::Space(space));
                }
                Ok(Answer::of(&Reply::Stored))
            }
            Request::Pull { space, after } => begin_pull(store, member, space, after, false),
            Request::PullOwn { space, after } => begin_pull(store, member, space, after, true),
            Request::Push(bytes) => {
                let pushed = push::push(store, member, &bytes)?;
                if let Some((space, pos)) = pushed.new {
                    self.hint(Change::Space(space, pos), Readers::Space(space));
                }
                Ok(Answer::of(&Reply::Receipt(pushed.receipt)))
            }
            Request::Subscribe => {
                self.subscribed = true;
                Ok(Answer::of(&Reply::Stored))
            }
        }
    }

    fn handle_hello(
        &mut self,
        store: &mut Store,
        hello: &Hello,
        now_ms: i64,
        exporter: &dyn Fn(&[u8; 33]) -> [u8; 32],
    ) -> Result<(), Stop> {
        demand((hello.v, hello.suite) == (VERSION, SUITE), Refusal::Version)?;
        let proof = hello.verify(&exporter(&hello.peer.exporter_context()));
        demand(proof.is_ok(), Refusal::Proof)?;
        let who = match hello.peer {
            Peer::Device { team, key } => Who::Device { team, key, device: DeviceId::derive(&key) },
            Peer::Paper { team, key } => {
                let team = store.find_team(&team)?.ok_or(Refusal::UnknownTeam)?;
                Who::Paper { team, key, admitted: false }
            }
        };
        let standing = standing(store, &who)?;
        let welcome = peer::welcome(store, &who, &standing, now_ms)?;
        self.who = Some(who);
        self.answer(&welcome);
        Ok(())
    }

    /// The peer as a device, which may ask for everything but [`Request::PullGov`] and [`Request::PutEntry`] alone.
    fn member(&self, store: &mut Store) -> Result<Member, Stop> {
        let who = self.who.ok_or(Refusal::Malformed)?;
        match (who, standing(store, &who)?) {
            (Who::Device { device, .. }, Standing::Device(team)) => Ok(Member { team, device }),
            (_, Standing::Founder) => Err(Refusal::UnknownTeam.into()),
            (_, Standing::Paper(_) | Standing::Device(_)) => Err(Refusal::Forbidden.into()),
        }
    }

    fn handle_pull_gov(&mut self, store: &mut Store, from: u64) -> Result<(), Stop> {
        let who = self.who.ok_or(Refusal::Malformed)?;
        match standing(store, &who)? {
            Standing::Founder => Err(Refusal::UnknownTeam.into()),
            Standing::Device(team) | Standing::Paper(team) => {
                self.answers.push_back(Answer::Gov { from, end: team.head().seq });
                Ok(())
            }
        }
    }

    fn handle_entry(
        &mut self,
        store: &mut Store,
        bytes: &[u8],
        packs: &[ByteVec],
        seals: &[ByteVec],
    ) -> Result<(), Stop> {
        let who = self.who.ok_or(Refusal::Malformed)?;
        let entry = Entry::decode(bytes).map_err(|error| match error {
            EntryError::Version { .. } => Refusal::Version,
            EntryError::TooLarge => Refusal::Limit,
            EntryError::Cbor(_) | EntryError::Shape(_) | _ => Refusal::BadEntry,
        })?;
        let (team, author) = match who {
            Who::Device { team, device, .. } => (team, Author::Device(device)),
            Who::Paper { team, key, .. } => (team, Author::Paper(key)),
        };
        demand(entry.body().author == author, Refusal::Forbidden)?;
        let standing = standing(store, &who)?;
        // Sent again because the answer was lost.
        if !store.knows_point(&team, &entry.point())? {
            let new_keys = entry::put_entry(store, team, &standing, &entry, packs, seals)?;
            self.hint(Change::Gov, Readers::Team);
            if new_keys {
                self.hint(Change::Keys, Readers::Team);
            }
        }
        if let Some(Who::Paper { admitted, .. }) = &mut self.who {
            *admitted = true;
        }
        self.answer(&Reply::Appended(entry.point()));
        Ok(())
    }
}

fn begin_pull(
    store: &Store,
    member: &Member,
    space: SpaceId,
    after: u64,
    with_own: bool,
) -> Result<Answer, Stop> {
    member.demand_space(&space)?;
    let end = store.space(&member.team.id(), &space)?.map_or(0, |space| space.at.pos);
    Ok(Answer::Batches { space, after, end, with_own })
}
