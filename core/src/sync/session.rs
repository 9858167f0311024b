//! The session of one connection: which step comes next, and to whom an answer goes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use thicket_protocol::address::{InviteCode, ServerAddress};
use thicket_protocol::frame::{self, Hello, Peer, Request, Tips};
use thicket_protocol::ids::{DeviceId, Hash, SpaceId};
use thicket_protocol::keys::PrekeyStatement;
use thicket_protocol::limits::FRAME_BYTES_MAX;
use thicket_protocol::record::GovPoint;
use thicket_protocol::sign::Signer;

use super::entries::{Proposal, Proposed};
use super::exchange::KeysAsked;
use super::governance::Offer;
use super::pull::Target;
use super::push::{Pushed, Pushing};
use super::{Errand, Outcome, Progress, SyncError, SyncEvent};
use crate::home::{Home, HomeError};
use crate::ids::NoteId;
use crate::store::core_db::{self, Setting};
use crate::time::Moment;

/// How long the server may take to welcome a device.
pub const WELCOME_TIMEOUT_MS: i64 = 15_000;
/// How long it may take until the next frame of what it was asked for comes.
pub const ANSWER_TIMEOUT_MS: i64 = 60_000;
/// Rounds in a row before a session calls itself settled, whatever came meanwhile.
const ROUNDS_MAX: u32 = 8;
/// Events that nobody has asked for yet; progress is told once, however often it changed.
const EVENTS_MAX: usize = 256;

/// The steps of a round, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not connected yet.
    New,
    /// Waits for the welcome.
    Hello,
    /// Applies the log, or puts the own one.
    Gov,
    /// Is admitted by an invite.
    Join,
    /// Fetches statements, seals and vault rows.
    Keys,
    /// Uses new keys, and adds entries of its own.
    Enter,
    /// Publishes a prekey.
    Publish,
    /// Gives keys to other devices.
    Reseal,
    /// Fetches batches.
    Pull,
    /// Adds own keys to vaults.
    Packs,
    /// Sends batches.
    Push,
    /// Looks whether anything came meanwhile.
    End,
    /// Waits for changes.
    Settled,
    /// Is over.
    Ended,
}

impl Stage {
    const fn next(self) -> Self {
        match self {
            Self::New => Self::Hello,
            Self::Hello => Self::Gov,
            Self::Gov => Self::Keys,
            Self::Keys => Self::Enter,
            Self::Enter => Self::Publish,
            Self::Publish => Self::Reseal,
            Self::Reseal => Self::Pull,
            Self::Pull => Self::Packs,
            Self::Packs => Self::Push,
            Self::Push => Self::End,
            Self::End | Self::Settled => Self::Settled,
            Self::Join | Self::Ended => Self::Ended,
        }
    }
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It asked the server, and goes on when the answers are here.
    Asked,
    /// It is done.
    Done,
    /// It went to another stage.
    Turned,
}

/// A request whose answer is still to come.
#[derive(Debug)]
pub(super) enum Asked {
    Hello,
    Subscribe,
    Gov,
    Offered(GovPoint),
    Entry(Box<Proposed>),
    Keys(KeysAsked),
    Statement(Box<PrekeyStatement>),
    Seal { to: DeviceId, mark: Hash },
    Pack,
    Pull { space: SpaceId, with_own: bool },
    Push(Pushed),
}

/// What the server said when the connection began.
#[derive(Debug)]
pub(super) struct Welcome {
    pub(super) tips: Tips,
    pub(super) statements: u64,
    pub(super) seals: u64,
}

/// What is to be looked at in the next round.
#[derive(Debug, Default)]
pub(super) struct Hints {
    pub(super) gov: bool,
    pub(super) keys: bool,
    pub(super) written: bool,
}

/// One connection's worth of sync: made before the connection, ended with it.
///
/// It sends [`Request::Subscribe`] right behind its hello, so that no change falls between what the welcome says and
/// what it is told of.
#[derive(Debug)]
pub struct SyncSession {
    pub(super) server: ServerAddress,
    peer: Peer,
    /// The invite that a joining device holds.
    pub(super) code: Option<InviteCode>,
    pub(super) errand: Option<Errand>,
    pub(super) stage: Stage,
    outgoing: VecDeque<Vec<u8>>,
    pub(super) asked: VecDeque<Asked>,
    events: VecDeque<SyncEvent>,
    deadline_ms: Option<i64>,
    pub(super) welcome: Option<Welcome>,
    pub(super) hints: Hints,
    rounds: u32,
    /// Own entries that the server lacks.
    pub(super) offers: VecDeque<Offer>,
    /// The entry that is to be put, again after it lost a race.
    pub(super) proposal: Option<Proposal>,
    pub(super) tries: u32,
    /// The hashes of the log, once they were asked for.
    pub(super) log: Option<Vec<Hash>>,
    pub(super) is_log_checked: bool,
    /// The counter of the own statement that the server had before this connection.
    pub(super) published_before: u32,
    pub(super) keys_asked: u32,
    pub(super) keys_came: bool,
    pub(super) is_publishing_refused: bool,
    pub(super) seals_refused: BTreeSet<(DeviceId, Hash)>,
    /// How far each space is to be read.
    pub(super) targets: BTreeMap<SpaceId, Target>,
    /// Spaces in which own batches were met that are lost here.
    pub(super) lost: BTreeSet<SpaceId>,
    /// Spaces that wait for the log.
    pub(super) stuck: BTreeSet<SpaceId>,
    /// How often a batch rested on more of the log than was here.
    pub(super) stuck_times: u32,
    pub(super) is_released: bool,
    pub(super) pushing: Option<Pushing>,
    pub(super) own_keys_left: Option<usize>,
    pub(super) progress: Progress,
    pub(super) released: Vec<NoteId>,
    /// Whether the server said that there is more than it gave.
    pub(super) is_short: bool,
}

impl SyncSession {
    /// Begins: says whom to connect to ([`SyncSession::server`]) and what to ask TLS for.
    pub fn begin(home: &mut Home, errand: Errand, _now: Moment) -> Result<Self, SyncError> {
        if let Some(name) = home.kept(Setting::Evidence)? {
            return Err(SyncError::Distrust { evidence: String::from_utf8_lossy(&name).into_owned() });
        }
        let is_join = matches!(errand, Errand::Join);
        let joining = home.kept(Setting::Joining)?.filter(|_| is_join);
        let code: Option<InviteCode> = joining
            .map(|code| String::from_utf8_lossy(&code).parse())
            .transpose()
            .map_err(HomeError::from)?;
        if is_join && code.is_none() {
            return Err(HomeError::Conflict("this home is not joining a team").into());
        }
        let server = match &code {
            Some(code) => code.server.clone(),
            None => home.server()?.ok_or(SyncError::NoServer)?,
        };
        let named = home.team().and_then(|team| team.server_key());
        if named.is_some_and(|key| *key != server.key) {
            return Err(HomeError::Conflict("the team's log names another server key").into());
        }
        let peer = match &code {
            Some(code) => Peer::Paper { team: code.team, key: Signer::from_seed(&code.seed()).public_key() },
            None if home.team().is_some() => {
                Peer::Device { team: home.team_id(), key: home.own_signer().public_key() }
            }
            None => return Err(HomeError::Conflict("this device has joined no team yet").into()),
        };
        Ok(Self::new(server, peer, code, Some(errand).filter(|_| !is_join)))
    }

    fn new(server: ServerAddress, peer: Peer, code: Option<InviteCode>, errand: Option<Errand>) -> Self {
        Self {
            server,
            peer,
            code,
            errand,
            stage: Stage::New,
            outgoing: VecDeque::new(),
            asked: VecDeque::new(),
            events: VecDeque::new(),
            deadline_ms: None,
            welcome: None,
            hints: Hints::default(),
            rounds: 0,
            offers: VecDeque::new(),
            proposal: None,
            tries: 0,
            log: None,
            is_log_checked: false,
            published_before: 0,
            keys_asked: 0,
            keys_came: false,
            is_publishing_refused: false,
            seals_refused: BTreeSet::new(),
            targets: BTreeMap::new(),
            lost: BTreeSet::new(),
            stuck: BTreeSet::new(),
            stuck_times: 0,
            is_released: false,
            pushing: None,
            own_keys_left: None,
            progress: Progress::default(),
            released: Vec::new(),
            is_short: false,
        }
    }

    /// Where to connect to, and which key the server must prove.
    pub fn server(&self) -> &ServerAddress {
        &self.server
    }

    /// The context of the TLS exporter ([`thicket_protocol::frame::EXPORTER_LABEL`], 32 bytes).
    pub fn exporter_context(&self) -> [u8; 33] {
        self.peer.exporter_context()
    }

    /// The connection stands and the server proved its key: the first frame is ready to be sent.
    pub fn handle_connected(
        &mut self,
        home: &mut Home,
        exporter: &[u8; 32],
        now: Moment,
    ) -> Result<(), SyncError> {
        if self.stage != Stage::New {
            return Ok(());
        }
        let signer = match &self.code {
            Some(code) => Signer::from_seed(&code.seed()),
            None => home.own_signer(),
        };
        self.stage = Stage::Hello;
        self.ask(&Request::Hello(Hello::sign(self.peer, exporter, &signer)), Asked::Hello)?;
        // A team that the server does not know yet has nothing to tell.
        if self.code.is_none() && !home.is_unfounded()? {
            self.ask(&Request::Subscribe, Asked::Subscribe)?;
        }
        self.deadline_ms = Some(now.unix_ms().saturating_add(WELCOME_TIMEOUT_MS));
        Ok(())
    }

    /// Takes a frame of the server.
    pub fn handle_frame(&mut self, home: &mut Home, frame: &[u8], now: Moment) -> Result<(), SyncError> {
        if self.stage == Stage::Ended {
            return Ok(());
        }
        let waited = self.deadline_ms;
        let taken = self.take_frame(home, frame, now);
        let is_answer = !matches!(taken, Ok(false));
        let taken = taken.and_then(|_| self.advance(home, now));
        self.close(taken, now)?;
        // A hint answers nothing: what was asked for is waited for as long as before.
        if !is_answer && let Some(waited) = waited {
            self.deadline_ms = self.deadline_ms.map(|_| waited);
        }
        Ok(())
    }

    /// Says that something was written into the home: a settled session sends it.
    pub fn handle_written(&mut self, home: &mut Home, now: Moment) -> Result<(), SyncError> {
        self.hints.written = true;
        if self.stage != Stage::Settled {
            return Ok(());
        }
        let advanced = self.advance(home, now);
        self.close(advanced, now)
    }

    /// The time of [`SyncSession::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, _home: &mut Home, now: Moment) -> Result<(), SyncError> {
        if self.deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now.unix_ms()) {
            return self.close(Err(SyncError::TimedOut), now);
        }
        Ok(())
    }

    /// The next frame to send, without its length; batches are sealed as they are asked for.
    pub fn poll_transmit(&mut self, home: &mut Home, now: Moment) -> Result<Option<Vec<u8>>, SyncError> {
        if self.outgoing.is_empty() && self.stage == Stage::Push {
            let filled = self.fill_push(home).map(drop);
            self.close(filled, now)?;
        }
        Ok(self.outgoing.pop_front())
    }

    /// When [`SyncSession::handle_timeout`] wants to be called, ms since 1970 by the clock of `now`.
    pub fn poll_timeout(&self) -> Option<i64> {
        self.deadline_ms
    }

    /// What happened since it was asked last.
    pub fn poll_event(&mut self) -> Option<SyncEvent> {
        self.events.pop_front()
    }

    /// What the session waits for, in a word that a person can be shown.
    pub fn waits_for(&self) -> &'static str {
        match self.stage {
            Stage::New => "connection",
            Stage::Hello => "welcome",
            Stage::Gov => "log",
            Stage::Join => "admission",
            Stage::Keys => "keys",
            Stage::Enter => "entry",
            Stage::Publish | Stage::Reseal | Stage::Packs => "giving keys",
            Stage::Pull => "fetching",
            Stage::Push | Stage::End => "sending",
            Stage::Settled => "changes",
            Stage::Ended => "nothing",
        }
    }

    /// Ends the session on an error, and sets the time by which the next frame must come.
    fn close(&mut self, done: Result<(), SyncError>, now: Moment) -> Result<(), SyncError> {
        if done.is_err() {
            self.end();
        }
        let waits = !self.asked.is_empty();
        self.deadline_ms = waits.then(|| now.unix_ms().saturating_add(ANSWER_TIMEOUT_MS));
        done
    }

    /// Is over: nothing more is sent or taken.
    pub(super) fn end(&mut self) {
        self.stage = Stage::Ended;
        self.outgoing.clear();
        self.asked.clear();
    }

    /// Sends a request, and remembers what its answer is for.
    pub(super) fn ask(&mut self, request: &Request, asked: Asked) -> Result<(), SyncError> {
        let frame = frame::encode(request);
        if frame.len() > FRAME_BYTES_MAX {
            return Err(HomeError::Rule("more than one frame can carry").into());
        }
        self.outgoing.push_back(frame);
        self.asked.push_back(asked);
        Ok(())
    }

    /// Tells something; progress that nobody has heard of yet is replaced.
    pub(super) fn tell(&mut self, event: SyncEvent) {
        let is_progress = |event: &SyncEvent| matches!(event, SyncEvent::Progress(_));
        if is_progress(&event) && self.events.back().is_some_and(is_progress) {
            self.events.pop_back();
        }
        if self.events.len() < EVENTS_MAX {
            self.events.push_back(event);
        }
    }

    pub(super) fn welcome(&self) -> Result<&Welcome, SyncError> {
        self.welcome.as_ref().ok_or(SyncError::Protocol("an answer before the welcome"))
    }

    /// Goes from step to step until one has asked something, or there is nothing left to do.
    fn advance(&mut self, home: &mut Home, now: Moment) -> Result<(), SyncError> {
        while self.asked.is_empty() && self.outgoing.is_empty() {
            let step = match self.stage {
                Stage::New | Stage::Hello | Stage::Ended => return Ok(()),
                Stage::Settled if self.has_news(home)? => self.begin_round(),
                Stage::Settled => return Ok(()),
                Stage::Gov => self.step_gov(home, now)?,
                Stage::Join => self.step_join(home, now)?,
                Stage::Keys => self.step_keys(home)?,
                Stage::Enter => self.step_enter(home, now)?,
                Stage::Publish => self.step_publish(home)?,
                Stage::Reseal => self.step_reseal(home, now)?,
                Stage::Pull => self.step_pull(home, now)?,
                Stage::Packs => self.step_packs(home)?,
                Stage::Push => self.step_push(home)?,
                Stage::End => self.step_end(home, now)?,
            };
            match step {
                Step::Asked => return Ok(()),
                Step::Done => self.stage = self.stage.next(),
                Step::Turned => {}
            }
        }
        Ok(())
    }

    fn begin_round(&mut self) -> Step {
        self.hints.written = false;
        (self.keys_asked, self.is_publishing_refused, self.is_released) = (0, false, false);
        (self.pushing, self.own_keys_left, self.is_short) = (None, None, false);
        self.stuck.clear();
        self.stage = Stage::Gov;
        Step::Turned
    }

    fn has_news(&self, home: &Home) -> Result<bool, SyncError> {
        let Hints { gov, keys, written } = self.hints;
        Ok(gov || keys || written || !self.wanted_pulls(home)?.is_empty())
    }

    fn step_end(&mut self, home: &mut Home, now: Moment) -> Result<Step, SyncError> {
        if self.has_news(home)? && self.rounds < ROUNDS_MAX {
            self.rounds += 1;
            return Ok(self.begin_round());
        }
        self.rounds = 0;
        let waits_for_keys = self.own_spaces(home).iter().any(|space| !home.holds_epoch(space));
        let is_sent = self.nothing_waits(home)?;
        let is_up_to_date = is_sent && !self.is_short && !waits_for_keys && !self.has_news(home)?;
        self.keep_settled(home, is_up_to_date, now)?;
        let Progress { sent, fetched, .. } = std::mem::take(&mut self.progress);
        let released = std::mem::take(&mut self.released);
        self.stage = Stage::Settled;
        self.tell(SyncEvent::Settled(Outcome { sent, fetched, is_up_to_date, waits_for_keys, released }));
        Ok(Step::Turned)
    }

    /// The spaces that this device may hold: the roster, ledgers, identities, shared and private spaces.
    pub(super) fn own_spaces(&self, home: &Home) -> Vec<SpaceId> {
        let Some(team) = home.team() else { return Vec::new() };
        let mut spaces = team.spaces_of(&home.device());
        spaces.sort_by_key(|space| team.spaces().get(space).map(|space| super::order(space.kind)));
        spaces
    }

    /// Whether everything that was written here is at the server.
    fn nothing_waits(&self, home: &Home) -> Result<bool, SyncError> {
        for space in self.own_spaces(home) {
            let unplaced =
                core_db::unplaced(home.core_rows(), space, home.device()).map_err(HomeError::from)?;
            if !unplaced.is_empty() {
                return Ok(false);
            }
        }
        Ok(home.is_outbox_empty()?)
    }
}
