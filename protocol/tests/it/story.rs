//! A team with one person of each role and a notebook, for tests of the rules.

use std::collections::BTreeMap;

use thicket_protocol::governance::{Act, Admits, Author, Entry, EpochTurn, NewSpace, Realm, Role, SpaceKind};
use thicket_protocol::ids::{DeviceId, Hash, MemberId, NotebookId, SpaceId};
use thicket_protocol::keys::{PrekeyBody, PrekeyStatement};
use thicket_protocol::record::GovPoint;
use thicket_protocol::sign::{SUITE, Signer, VERSION};
use thicket_protocol::team::{Team, TeamError};

use crate::samples;

/// Everybody in the story; the number is the member's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// The custodian who founded the team.
    Anna = 1,
    /// Another custodian.
    Emil = 2,
    /// A fieldworker with two devices.
    Ben = 3,
    /// An analyst.
    Cleo = 4,
    /// An auditor.
    Dora = 5,
    /// A link worker.
    Finn = 6,
    /// Nobody of the team.
    Stranger = 7,
}

pub(crate) use Who::{Anna, Ben, Cleo, Dora, Emil, Finn, Stranger};

pub(crate) const MEMBERS: [(Who, Role); 6] = [
    (Anna, Role::Custodian),
    (Emil, Role::Custodian),
    (Ben, Role::Fieldworker),
    (Cleo, Role::Analyst),
    (Dora, Role::Auditor),
    (Finn, Role::LinkWorker),
];

impl Who {
    pub(crate) const fn member(self) -> MemberId {
        MemberId::from_bytes([self as u8; 16])
    }

    /// The first device.
    pub(crate) fn device(self) -> Signer {
        self.device_nr(1)
    }

    pub(crate) fn device_nr(self, nr: u8) -> Signer {
        let mut seed = [self as u8; 32];
        seed[0] = nr;
        Signer::from_seed(&seed)
    }

    pub(crate) fn id(self) -> DeviceId {
        samples::id_of(&self.device())
    }
}

/// The secret of an invite or a kit.
pub(crate) fn paper(nr: u8) -> Signer {
    Signer::from_seed(&[0x80 | nr; 32])
}

pub(crate) const fn space(nr: u8) -> SpaceId {
    SpaceId::from_bytes([nr; 16])
}

pub(crate) const NOTEBOOK: NotebookId = NotebookId::from_bytes([0x30; 16]);
pub(crate) const OTHER_NOTEBOOK: NotebookId = NotebookId::from_bytes([0x31; 16]);
pub(crate) const ROSTER: SpaceId = space(0x40);
pub(crate) const LEDGER: SpaceId = space(0x41);
pub(crate) const SHARED: SpaceId = space(0x42);
pub(crate) const IDENTITIES: SpaceId = space(0x43);

/// The private space of somebody in the notebook.
pub(crate) const fn private(of: Who) -> SpaceId {
    space(0x50 | of as u8)
}

pub(crate) fn turn(space: SpaceId, epoch: u32) -> EpochTurn {
    EpochTurn { made_from: u64::from(epoch > 1), ..samples::turn(space, epoch) }
}

pub(crate) fn new_space(kind: SpaceKind, owner: Option<Who>, space: SpaceId) -> NewSpace {
    NewSpace { kind, owner: owner.map(Who::member), epoch: turn(space, 1) }
}

/// Ledger, shared and identities of a notebook, with these ids.
pub(crate) fn three_spaces(ledger: SpaceId, shared: SpaceId, identities: SpaceId) -> Vec<NewSpace> {
    vec![
        new_space(SpaceKind::Ledger, None, ledger),
        new_space(SpaceKind::Shared, None, shared),
        new_space(SpaceKind::Identities, None, identities),
    ]
}

pub(crate) fn genesis_act() -> Act {
    Act::Genesis {
        member: Anna.member(),
        device: Anna.device().public_key(),
        roster: new_space(SpaceKind::Roster, None, ROSTER),
        nonce: samples::hash(0x90),
    }
}

/// A log that grows, and the team that it adds up to.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) team: Team,
    pub(crate) entries: Vec<Entry>,
}

impl Log {
    /// Only the genesis, by Anna.
    pub(crate) fn found() -> Self {
        let genesis = Entry::genesis(genesis_act(), Anna.id(), &Anna.device()).expect("it fits its format");
        Self { team: Team::found(&genesis).expect("a genesis"), entries: vec![genesis] }
    }

    /// Everybody, a second device of Anna and of Ben, and a notebook with a private space for each who may have one.
    pub(crate) fn story() -> Self {
        let mut log = Self::found();
        for (who, role) in &MEMBERS[1..] {
            log.take(Anna, log.invites(*who as u8, Admits::Member(*role)));
            let joins = log.joins(*who);
            log.apply_paper(&paper(*who as u8), joins).expect("the invite is open");
        }
        for who in [Anna, Ben] {
            log.take(who, log.adds_device(who, &who.device_nr(2)));
        }
        let mut spaces = three_spaces(LEDGER, SHARED, IDENTITIES);
        spaces.push(new_space(SpaceKind::Private, Some(Anna), private(Anna)));
        log.take(Anna, Act::SpaceCreate { notebook: NOTEBOOK, realm: Realm::Research, spaces });
        for who in [Emil, Ben, Cleo, Finn] {
            log.take(who, log.makes_private(who));
        }
        log
    }

    pub(crate) fn prekey(&self, of: &Signer) -> PrekeyBody {
        let (team, gov, epochs) = (self.team.id(), self.team.head(), Vec::new());
        PrekeyBody { team, gov, epochs, ..samples::prekey_body(of) }
    }

    pub(crate) fn statement(&self, of: &Signer) -> Vec<u8> {
        PrekeyStatement::sign(self.prekey(of), of).expect("it fits its format").bytes().to_vec()
    }

    pub(crate) fn invites(&self, nr: u8, admits: Admits) -> Act {
        Act::Invite { key: paper(nr).public_key(), admits, expires_ms: 1_800_000_000_000 }
    }

    pub(crate) fn joins(&self, who: Who) -> Act {
        let device = who.device();
        let prekey = self.statement(&device);
        Act::MemberAdd { member: who.member(), device: device.public_key(), prekey }
    }

    pub(crate) fn adds_device(&self, who: Who, device: &Signer) -> Act {
        let prekey = self.statement(device);
        Act::DeviceAdd { member: who.member(), device: device.public_key(), prekey }
    }

    pub(crate) fn makes_private(&self, who: Who) -> Act {
        let spaces = vec![new_space(SpaceKind::Private, Some(who), private(who))];
        Act::SpaceCreate { notebook: NOTEBOOK, realm: Realm::Research, spaces }
    }

    /// The next epochs of these spaces.
    pub(crate) fn turns(&self, spaces: &[SpaceId]) -> Vec<EpochTurn> {
        spaces.iter().map(|space| turn(*space, self.team.spaces()[space].newest().epoch + 1)).collect()
    }

    /// The act with all the epochs that it must turn.
    pub(crate) fn whole(&self, by: Who, act: Act) -> Act {
        let needed = self.turns(&self.team.must_turn(&by.id(), &act));
        with_turns(act, needed)
    }

    /// Applies an act by somebody's first device. Where it is refused, nothing has changed, and `may` says the same.
    pub(crate) fn apply(&mut self, by: Who, act: Act) -> Result<(), TeamError> {
        self.apply_device(&by.device(), act)
    }

    pub(crate) fn apply_device(&mut self, device: &Signer, act: Act) -> Result<(), TeamError> {
        let id = samples::id_of(device);
        let foretold = self.team.may(id, &act);
        let applied = self.apply_as(Author::Device(id), device, act);
        if self.team.devices().contains_key(&id) {
            assert_eq!(foretold, applied, "`may` and `apply` say the same");
        } else {
            assert!(foretold.is_err());
        }
        applied
    }

    pub(crate) fn apply_paper(&mut self, paper: &Signer, act: Act) -> Result<(), TeamError> {
        self.apply_as(Author::Paper(paper.public_key()), paper, act)
    }

    pub(crate) fn apply_as(&mut self, author: Author, signer: &Signer, act: Act) -> Result<(), TeamError> {
        let entry =
            Entry::next(self.team.id(), self.team.head(), author, act, signer).expect("it fits its format");
        self.apply_entry(entry)
    }

    pub(crate) fn apply_entry(&mut self, entry: Entry) -> Result<(), TeamError> {
        let before = self.team.clone();
        let applied = self.team.apply(&entry);
        if applied.is_ok() {
            assert_eq!(self.team.head(), entry.point());
            self.entries.push(entry);
        } else {
            assert_eq!(self.team, before, "a refused entry changes nothing");
        }
        applied
    }

    /// Applies an act that is right.
    #[track_caller]
    pub(crate) fn take(&mut self, by: Who, act: Act) {
        self.apply(by, act.clone()).unwrap_or_else(|error| panic!("{by:?}: {error}: {act:?}"));
    }

    /// Applies an act that is right once it turns what it must.
    #[track_caller]
    pub(crate) fn take_whole(&mut self, by: Who, act: Act) {
        self.take(by, self.whole(by, act));
    }

    /// Says what would become of an act, and leaves the log as it is.
    pub(crate) fn tried(&self, by: Who, act: Act) -> Result<(), TeamError> {
        self.clone().apply(by, act)
    }

    #[track_caller]
    pub(crate) fn forbids(&self, by: Who, act: Act) {
        let tried = self.tried(by, act.clone());
        assert!(matches!(tried, Err(TeamError::Forbidden(_))), "{by:?}: {tried:?}: {act:?}");
    }

    #[track_caller]
    pub(crate) fn contradicts(&self, by: Who, act: Act) {
        let tried = self.tried(by, act.clone());
        assert!(matches!(tried, Err(TeamError::Contradiction(_))), "{by:?}: {tried:?}: {act:?}");
    }

    pub(crate) fn due(&self) -> Vec<SpaceId> {
        self.team.spaces().iter().filter(|(_, space)| space.due).map(|(id, _)| *id).collect()
    }

    /// The team once more from its entries as they travel.
    pub(crate) fn replayed(&self) -> Team {
        let mut entries = self.entries.iter().map(|entry| Entry::decode(entry.bytes()).expect("we wrote it"));
        let mut team = Team::found(&entries.next().expect("a genesis")).expect("it was founded so");
        entries.for_each(|entry| team.apply(&entry).expect("it was applied before"));
        team
    }

    /// The newest epoch of every space.
    pub(crate) fn newest(&self) -> BTreeMap<SpaceId, u32> {
        self.team.spaces().iter().map(|(id, space)| (*id, space.newest().epoch)).collect()
    }
}

/// An entry body for the second place of a log that only has a genesis, to be spoiled.
pub(crate) fn second(team: &Team, act: Act) -> thicket_protocol::governance::EntryBody {
    let GovPoint { seq, hash: prev } = team.head();
    let (team, author): (_, Author) = (Some(team.id()), Author::Device(Anna.id()));
    thicket_protocol::governance::EntryBody {
        v: VERSION,
        suite: SUITE,
        team,
        seq: seq + 1,
        prev,
        author,
        act,
    }
}

/// A hash that stands for nothing.
pub(crate) const fn no_hash() -> Hash {
    Hash::from_bytes([0xee; 32])
}

/// The act with these epochs instead, if it is one that takes something from somebody.
pub(crate) fn with_turns(act: Act, turns: Vec<EpochTurn>) -> Act {
    match act {
        Act::DeviceRevoke { device, .. } => Act::DeviceRevoke { device, turns },
        Act::MemberRemove { member, .. } => Act::MemberRemove { member, turns },
        Act::RoleChange { member, role, .. } => Act::RoleChange { member, role, turns },
        Act::SpaceGrant { notebook, member, granted, .. } => {
            Act::SpaceGrant { notebook, member, granted, turns }
        }
        Act::Genesis { .. }
        | Act::Invite { .. }
        | Act::InviteStrike { .. }
        | Act::MemberAdd { .. }
        | Act::DeviceAdd { .. }
        | Act::SpaceCreate { .. }
        | Act::Epoch { .. }
        | Act::Shred { .. }
        | Act::Close { .. }
        | Act::Recovery { .. }
        | Act::ServerKey { .. }
        | Act::Incarnation { .. }
        | Act::Policy { .. } => act,
    }
}
