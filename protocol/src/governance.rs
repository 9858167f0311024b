//! Governance entries: who is in the team, with which devices, roles, spaces and epochs.
//!
//! ```text
//! entry = [body: bstr, signature]       entry hash = H("thicket/gov/1", body)
//! ```
//!
//! Entries are hash-linked from genesis and verified by every device; a server only orders them. Keys, roles and
//! epochs stand in the clear, so that it can enforce access. Names do not: those live in the `roster` space.

use minicbor::{Decode, Encode};

use crate::cbor::CborError;
use crate::ids::{DeviceId, Hash, Incarnation, KeyId, MemberId, NotebookId, PublicKey, SpaceId, TeamId};
use crate::limits::ENTRY_BYTES_MAX;
use crate::record::GovPoint;
use crate::sign::{BadSignature, Purpose, SUITE, Signer, VERSION};
use crate::signed::{Signed, SignedBody};
use crate::words;

words! {
    /// What a member may do and read.
    pub enum Role {
        /// Shadows and writes; holds every space of the team.
        Fieldworker = 0 "fieldworker",
        /// Keeps the team's keys, members and policies; the only role that may shred.
        Custodian = 1 "custodian",
        /// Reads the shared notes, never the identities.
        Analyst = 2 "analyst",
        /// Reads names of members and the consent ledger, no note.
        Auditor = 3 "auditor",
        /// Notes community encounters; holds every space of the team.
        LinkWorker = 4 "link_worker",
    }

    /// Which law and ethics a notebook lives under; realms share no keys, members or retention.
    pub enum Realm {
        /// A study.
        Research = 0 "research",
        /// A service caseload.
        Service = 1 "service",
    }

    /// What a space holds, and so who may hold its keys.
    pub enum SpaceKind {
        /// Names of members, devices and notebooks; one a team.
        Roster = 0 "roster",
        /// Participants, consents, events and stamps of a notebook.
        Ledger = 1 "ledger",
        /// Notes that everybody in them agreed to share.
        Shared = 2 "shared",
        /// Real names, and raw material.
        Identities = 3 "identities",
        /// Notes that only their author may read.
        Private = 4 "private",
    }
}

impl Role {
    /// Whether the keys of a space of this kind are sealed to this role (a private space: to its owner alone).
    pub const fn may_hold(self, kind: SpaceKind) -> bool {
        match kind {
            SpaceKind::Roster | SpaceKind::Ledger => true,
            SpaceKind::Shared => !matches!(self, Self::Auditor),
            SpaceKind::Identities => matches!(self, Self::Fieldworker | Self::LinkWorker | Self::Custodian),
            SpaceKind::Private => !matches!(self, Self::Auditor),
        }
    }
}

/// A new epoch of a space: what binds its key, its content key and its staged vault to the entry.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct EpochTurn {
    /// The space.
    #[n(0)]
    pub space: SpaceId,
    /// The new epoch: the one before, and one.
    #[n(1)]
    pub epoch: u32,
    /// Commitment to the epoch's key, which no seal authenticates.
    #[n(2)]
    pub commit: Hash,
    /// The id of the epoch's content key, which lies in the vault.
    #[n(3)]
    pub content_key: KeyId,
    /// The hash of the staged vault.
    #[n(4)]
    pub vault: Hash,
    /// The number of keys in the vault that it was made from.
    #[n(5)]
    pub made_from: u64,
}

/// A new space with its first epoch.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct NewSpace {
    /// What it holds.
    #[n(0)]
    pub kind: SpaceKind,
    /// Whose it is, when it is private.
    #[n(1)]
    pub owner: Option<MemberId>,
    /// Its epoch 1; this also names it.
    #[n(2)]
    pub epoch: EpochTurn,
}

/// What an invite admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Admits {
    /// A new member in this role.
    #[n(0)]
    Member(#[n(0)] Role),
    /// Another device of the member who wrote the invite.
    #[n(1)]
    OwnDevice(#[n(0)] MemberId),
}

/// What a shred removes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ShredList {
    /// The ids of keys and the doc tags of bodies, ascending.
    #[n(0)]
    Here(#[n(0)] Vec<KeyId>),
    /// The hash of a staged list.
    #[n(1)]
    Staged(#[n(0)] Hash),
}

/// What an entry does.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Act {
    /// Begins a team with its first member, a custodian, and the member's device.
    #[n(0)]
    #[cbor(map)]
    Genesis {
        /// The first member.
        #[n(0)]
        member: MemberId,
        /// The first device's identity key.
        #[n(1)]
        device: PublicKey,
        /// The roster space.
        #[n(2)]
        roster: NewSpace,
        /// Random bytes, so that no two teams are one.
        #[n(3)]
        nonce: Hash,
    },
    /// Lets the holder of a secret admit one device.
    #[n(1)]
    #[cbor(map)]
    Invite {
        /// The public half of the secret.
        #[n(0)]
        key: PublicKey,
        /// What it admits.
        #[n(1)]
        admits: Admits,
        /// When it expires, milliseconds since 1970, by the judgement of whoever seals.
        #[n(2)]
        expires_ms: u64,
    },
    /// Strikes an invite that was not used.
    #[n(2)]
    #[cbor(map)]
    InviteStrike {
        /// The public half of the secret.
        #[n(0)]
        key: PublicKey,
    },
    /// Admits a member with a first device; signed by the invite's key.
    #[n(3)]
    #[cbor(map)]
    MemberAdd {
        /// The new member.
        #[n(0)]
        member: MemberId,
        /// The device's identity key.
        #[n(1)]
        device: PublicKey,
        /// The device's first prekey statement, as [`crate::keys::PrekeyStatement`].
        #[cbor(n(2), with = "minicbor::bytes")]
        prekey: Vec<u8>,
    },
    /// Admits another device of a member; signed by the invite's key or by a device of the member.
    #[n(4)]
    #[cbor(map)]
    DeviceAdd {
        /// The member.
        #[n(0)]
        member: MemberId,
        /// The device's identity key.
        #[n(1)]
        device: PublicKey,
        /// The device's first prekey statement, as [`crate::keys::PrekeyStatement`].
        #[cbor(n(2), with = "minicbor::bytes")]
        prekey: Vec<u8>,
    },
    /// Ends a device, with the epochs that it held.
    #[n(5)]
    #[cbor(map)]
    DeviceRevoke {
        /// The device.
        #[n(0)]
        device: DeviceId,
        /// The new epochs.
        #[n(1)]
        turns: Vec<EpochTurn>,
    },
    /// Ends a membership, with the epochs that the member's devices held.
    #[n(6)]
    #[cbor(map)]
    MemberRemove {
        /// The member.
        #[n(0)]
        member: MemberId,
        /// The new epochs.
        #[n(1)]
        turns: Vec<EpochTurn>,
    },
    /// Gives a member another role, with the epochs of the spaces that the new one may not hold.
    #[n(7)]
    #[cbor(map)]
    RoleChange {
        /// The member.
        #[n(0)]
        member: MemberId,
        /// The new role.
        #[n(1)]
        role: Role,
        /// The new epochs.
        #[n(2)]
        turns: Vec<EpochTurn>,
    },
    /// Makes a notebook's spaces, or a member's own private space in one.
    #[n(8)]
    #[cbor(map)]
    SpaceCreate {
        /// The notebook.
        #[n(0)]
        notebook: NotebookId,
        /// Its realm.
        #[n(1)]
        realm: Realm,
        /// The new spaces.
        #[n(2)]
        spaces: Vec<NewSpace>,
    },
    /// Gives or takes a member's access to one notebook.
    #[n(9)]
    #[cbor(map)]
    SpaceGrant {
        /// The notebook.
        #[n(0)]
        notebook: NotebookId,
        /// The member.
        #[n(1)]
        member: MemberId,
        /// Whether access is given.
        #[n(2)]
        granted: bool,
        /// The new epochs, when it is taken.
        #[n(3)]
        turns: Vec<EpochTurn>,
    },
    /// Turns epochs for no other reason.
    #[n(10)]
    #[cbor(map)]
    Epoch {
        /// The new epochs.
        #[n(0)]
        turns: Vec<EpochTurn>,
    },
    /// Removes keys for ever.
    #[n(11)]
    #[cbor(map)]
    Shred {
        /// The ids that go.
        #[n(0)]
        ids: ShredList,
        /// The new epochs of the spaces whose vaults shrink.
        #[n(1)]
        turns: Vec<EpochTurn>,
    },
    /// Closes a notebook: nothing more is written in it.
    #[n(12)]
    #[cbor(map)]
    Close {
        /// The notebook.
        #[n(0)]
        notebook: NotebookId,
    },
    /// Names the key of a member's recovery kit; none declares the paper destroyed.
    #[n(13)]
    #[cbor(map)]
    Recovery {
        /// The member.
        #[n(0)]
        member: MemberId,
        /// The public half of the kit.
        #[n(1)]
        key: Option<PublicKey>,
    },
    /// Names the key that the team's server proves.
    #[n(14)]
    #[cbor(map)]
    ServerKey {
        /// The server's key.
        #[n(0)]
        key: PublicKey,
    },
    /// Accepts a new life of the server's data at this head.
    #[n(15)]
    #[cbor(map)]
    Incarnation {
        /// The new incarnation.
        #[n(0)]
        incarnation: Incarnation,
        /// The head at which it was accepted.
        #[n(1)]
        head: GovPoint,
    },
    /// Names the policy that a notebook's sheet prints.
    #[n(16)]
    #[cbor(map)]
    Policy {
        /// The notebook.
        #[n(0)]
        notebook: NotebookId,
        /// Hours between a withdrawal and the shred.
        #[n(1)]
        window_hours: u32,
        /// The hash of the policy's text in the ledger.
        #[n(2)]
        text: Hash,
    },
}

impl Act {
    /// The epochs that the entry turns, those of new spaces included.
    pub fn turns(&self) -> Vec<&EpochTurn> {
        match self {
            Self::Genesis { roster, .. } => vec![&roster.epoch],
            Self::SpaceCreate { spaces, .. } => spaces.iter().map(|space| &space.epoch).collect(),
            Self::DeviceRevoke { turns, .. }
            | Self::MemberRemove { turns, .. }
            | Self::RoleChange { turns, .. }
            | Self::SpaceGrant { turns, .. }
            | Self::Epoch { turns }
            | Self::Shred { turns, .. } => turns.iter().collect(),
            Self::Invite { .. }
            | Self::InviteStrike { .. }
            | Self::MemberAdd { .. }
            | Self::DeviceAdd { .. }
            | Self::Close { .. }
            | Self::Recovery { .. }
            | Self::ServerKey { .. }
            | Self::Incarnation { .. }
            | Self::Policy { .. } => Vec::new(),
        }
    }
}

/// Who signed an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Author {
    /// A device of a member.
    #[n(0)]
    Device(#[n(0)] DeviceId),
    /// The holder of an invite or of a recovery kit.
    #[n(1)]
    Paper(#[n(0)] PublicKey),
}

/// What an entry signs.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct EntryBody {
    /// Version of the format.
    #[n(0)]
    pub v: u8,
    /// Suite of the cryptography.
    #[n(1)]
    pub suite: u8,
    /// The team; absent in the genesis, whose hash it is.
    #[n(2)]
    pub team: Option<TeamId>,
    /// The sequence number, from 0.
    #[n(3)]
    pub seq: u64,
    /// The hash of the entry before; zero in the genesis.
    #[n(4)]
    pub prev: Hash,
    /// Who signed.
    #[n(5)]
    pub author: Author,
    /// What it does.
    #[n(6)]
    pub act: Act,
}

/// Why bytes are not a governance entry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Larger than an entry may be.
    #[error("a governance entry is too large")]
    TooLarge,
    /// Not canonical CBOR of the shape.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// A version or suite of a later Thicket.
    #[error("a governance entry of version {v}, suite {suite}: this Thicket is too old for it")]
    Version {
        /// The version.
        v: u8,
        /// The suite.
        suite: u8,
    },
    /// An order is not what the format says.
    #[error("a governance entry of another shape: {0}")]
    Shape(&'static str),
}

impl SignedBody for EntryBody {
    const PURPOSE: Purpose = Purpose::Governance;
    const DOMAIN: &'static str = "thicket/gov/1";
}

/// A governance entry as received: well-formed, its author not yet judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry(Signed<EntryBody>);

impl Entry {
    /// Signs an entry with the author's key.
    pub fn sign(body: EntryBody, signer: &Signer) -> Result<Self, EntryError> {
        Self::decode(&Signed::write(&body, signer))
    }

    /// Makes the genesis of a team.
    pub fn genesis(act: Act, device: DeviceId, signer: &Signer) -> Result<Self, EntryError> {
        let author = Author::Device(device);
        let body = EntryBody { v: VERSION, suite: SUITE, team: None, seq: 0, prev: Hash::ZERO, author, act };
        Self::sign(body, signer)
    }

    /// Makes the entry that follows `head` in the team's log.
    pub fn next(
        team: TeamId,
        head: GovPoint,
        author: Author,
        act: Act,
        signer: &Signer,
    ) -> Result<Self, EntryError> {
        let (team, seq, prev) = (Some(team), head.seq.saturating_add(1), head.hash);
        Self::sign(EntryBody { v: VERSION, suite: SUITE, team, seq, prev, author, act }, signer)
    }

    /// Reads an entry and checks its form.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLarge);
        }
        let signed = Signed::<EntryBody>::read(bytes)?;
        let body = &signed.body;
        if body.v != VERSION || body.suite != SUITE {
            return Err(EntryError::Version { v: body.v, suite: body.suite });
        }
        if let Act::Shred { ids: ShredList::Here(ids), .. } = &body.act
            && !ids.is_sorted_by(|before, after| before < after)
        {
            return Err(EntryError::Shape("shredded ids, ascending"));
        }
        Ok(Self(signed))
    }

    /// Verifies that the holder of this key made it.
    pub fn verify(&self, key: &PublicKey) -> Result<(), BadSignature> {
        self.0.verify(key)
    }

    /// What it says.
    pub fn body(&self) -> &EntryBody {
        &self.0.body
    }

    /// The entry as received.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// H("thicket/gov/1", body).
    pub fn hash(&self) -> Hash {
        self.0.hash
    }

    /// The head of a log that ends with this entry.
    pub fn point(&self) -> GovPoint {
        GovPoint { seq: self.0.body.seq, hash: self.0.hash }
    }
}
