//! What a device and a server say to each other, over one stream, each frame behind its length as four bytes,
//! big-endian.
//!
//! A device sends requests; the server answers each, in order, with one frame, but for [`Request::Pull`],
//! [`Request::PullGov`] and [`Request::PullKeys`], whose answer may be several frames, the last with `more: false`.
//! Beside the answers the server sends [`Reply::Changed`] and [`Reply::Draining`] when it wants to: they are hints, and
//! answer nothing.

use minicbor::bytes::ByteVec;
use minicbor::decode::Error;
use minicbor::{Decode, Encode};

use crate::cbor::{self, CborError};
use crate::id_type;
use crate::ids::{Hash, Incarnation, PublicKey, Signature, SpaceId, TeamId};
use crate::limits::{FRAME_BYTES_MAX, TEAM_SPACES_MAX};
use crate::record::{ChainPoint, GovPoint};
use crate::sign::{self, BadSignature, Purpose, SUITE, Signer, VERSION};
use crate::signed::{Signed, SignedBody};
use crate::words;

/// The application protocol of TLS (RFC 7301).
pub const ALPN: &[u8] = b"thicket/1";
/// The label of the TLS exporter (RFC 8446, section 7.5) that a device signs.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-thicket-auth";

id_type! {
    /// The first 16 bytes of a team's id, which is all of it that an invite carries.
    pub struct TeamPrefix[16]
}

impl From<TeamId> for TeamPrefix {
    fn from(team: TeamId) -> Self {
        Self::from_bytes(*team.as_bytes().first_chunk().expect("a team id is longer than 16 bytes"))
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Peer {
    /// A device of the team; of a team that the server does not know, the one that founds it.
    #[n(0)]
    Device {
        /// The team.
        #[n(0)]
        team: TeamId,
        /// The device's identity key.
        #[n(1)]
        key: PublicKey,
    },
    /// The holder of an invite.
    #[n(1)]
    Paper {
        /// The team.
        #[n(0)]
        team: TeamPrefix,
        /// The public half of the secret.
        #[n(1)]
        key: PublicKey,
    },
}

impl Peer {
    /// The context of the TLS exporter: role byte, then the team id; of an invite its 16 bytes and 16 zeros.
    pub fn exporter_context(&self) -> [u8; 33] {
        let (role, team): (u8, &[u8]) = match self {
            Self::Device { team, .. } => (0, team.as_bytes()),
            Self::Paper { team, .. } => (1, team.as_bytes()),
        };
        let mut context = [0; 33];
        context.iter_mut().zip([role].iter().chain(team)).for_each(|(to, from)| *to = *from);
        context
    }

    /// The key that signs.
    pub const fn key(&self) -> &PublicKey {
        match self {
            Self::Device { key, .. } | Self::Paper { key, .. } => key,
        }
    }
}

/// The first frame of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Hello {
    /// Version of the format.
    #[n(0)]
    pub v: u8,
    /// Suite of the cryptography.
    #[n(1)]
    pub suite: u8,
    /// Who speaks.
    #[n(2)]
    pub peer: Peer,
    /// The signature over H("thicket/connection/1", exporter), [`Purpose::Connection`].
    #[n(3)]
    pub proof: Signature,
}

impl Hello {
    /// Signs the exporter of this connection.
    pub fn sign(peer: Peer, exporter: &[u8; 32], signer: &Signer) -> Self {
        let proof = signer.sign(Purpose::Connection, &connection_hash(exporter));
        Self { v: VERSION, suite: SUITE, peer, proof }
    }

    /// Verifies that the peer holds its key, on this connection.
    pub fn verify(&self, exporter: &[u8; 32]) -> Result<(), BadSignature> {
        sign::verify(self.peer.key(), Purpose::Connection, &connection_hash(exporter), &self.proof)
    }
}

fn connection_hash(exporter: &[u8; 32]) -> Hash {
    sign::hash("thicket/connection/1", &[exporter])
}

/// How far somebody has the vault of a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct VaultAt {
    /// The space.
    #[n(0)]
    pub space: SpaceId,
    /// The epoch under which the vault is sealed as a whole.
    #[n(1)]
    pub epoch: u32,
    /// The number of keys in it.
    #[n(2)]
    pub version: u64,
}

/// What a device asks for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Request {
    /// Says who speaks; always first, and only once. Answered by [`Reply::Welcome`].
    #[n(0)]
    Hello(#[n(0)] Hello),
    /// Asks for the governance entries from that sequence number on. Answered by [`Reply::Gov`].
    #[n(1)]
    #[cbor(map)]
    PullGov {
        /// The first wanted.
        #[n(0)]
        from: u64,
    },
    /// Appends an entry, if its `prev` is the head, together with what it stages. Answered by [`Reply::Appended`].
    #[n(2)]
    #[cbor(map)]
    PutEntry {
        /// The entry.
        #[cbor(n(0), with = "minicbor::bytes")]
        entry: Vec<u8>,
        /// The staged vault rows of each epoch that it turns, as [`crate::keys::Pack`], in the order that its hash binds.
        #[cbor(n(1), with = "bounded")]
        packs: Vec<ByteVec>,
        /// The seals of those epochs to the devices that may hold them, as [`crate::keys::Seal`].
        #[cbor(n(2), with = "bounded")]
        seals: Vec<ByteVec>,
    },
    /// Asks for statements, seals to this device and vault rows that it lacks. Answered by [`Reply::Keys`].
    #[n(3)]
    #[cbor(map)]
    PullKeys {
        /// The serial of the last statement that it has; 0 for none.
        #[n(0)]
        statements: u64,
        /// The serial of the last seal that it has; 0 for none.
        #[n(1)]
        seals: u64,
        /// What it has of the vaults, ascending by space; a space left out is not wanted.
        #[cbor(n(2), with = "bounded")]
        vaults: Vec<VaultAt>,
    },
    /// Publishes a prekey statement, [`crate::keys::PrekeyStatement`]. Answered by [`Reply::Stored`].
    #[n(4)]
    PutStatement(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// Gives epochs' keys to a device, [`crate::keys::Seal`]. Answered by [`Reply::Stored`].
    #[n(5)]
    PutSeal(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// Adds a row to a vault, [`crate::keys::Pack`]. Answered by [`Reply::Stored`].
    #[n(6)]
    PutPack(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// Asks for all batches of a space behind a position, as of now; without the bodies of the device's own, which it has.
    /// Answered by [`Reply::Batches`].
    #[n(7)]
    #[cbor(map)]
    Pull {
        /// The space.
        #[n(0)]
        space: SpaceId,
        /// The position of the last batch that it has.
        #[n(1)]
        after: u64,
    },
    /// Appends a batch, [`crate::record::Batch`]. Answered by [`Reply::Receipt`].
    #[n(8)]
    Push(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// Asks to be told of changes from now on. Answered by [`Reply::Stored`].
    #[n(9)]
    Subscribe,
    /// Asks as [`Request::Pull`] does, by a device that lost what it had written, as one whose files were put back from
    /// an old copy: the bodies of its own batches come too.
    #[n(10)]
    #[cbor(map)]
    PullOwn {
        /// The space.
        #[n(0)]
        space: SpaceId,
        /// The position of the last batch that it has.
        #[n(1)]
        after: u64,
    },
}

/// A key statement, seal or the like with its place in the server's list of its kind, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Numbered {
    /// The place.
    #[n(0)]
    pub serial: u64,
    /// The bytes as they were put.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
}

/// What a server answers or tells.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Reply {
    /// The connection stands.
    #[n(0)]
    #[cbor(map)]
    Welcome {
        /// Where everything stands that the peer may read, [`Tips`].
        #[cbor(n(0), with = "minicbor::bytes")]
        tips: Vec<u8>,
        /// The serial of the team's last prekey statement.
        #[n(1)]
        statements: u64,
        /// The serial of the last seal to this device.
        #[n(2)]
        seals: u64,
    },
    /// Governance entries in order.
    #[n(1)]
    #[cbor(map)]
    Gov {
        /// The entries.
        #[cbor(n(0), with = "bounded")]
        entries: Vec<ByteVec>,
        /// Whether another frame of this answer follows.
        #[n(1)]
        more: bool,
    },
    /// The entry stands in the log.
    #[n(2)]
    Appended(#[n(0)] GovPoint),
    /// Keys that the device lacked.
    #[n(3)]
    #[cbor(map)]
    Keys {
        /// The newest statement of each device that changed, ascending by serial.
        #[cbor(n(0), with = "bounded")]
        statements: Vec<Numbered>,
        /// Seals to this device, ascending by serial.
        #[cbor(n(1), with = "bounded")]
        seals: Vec<Numbered>,
        /// Vault rows in the order in which they were put; the first of a space whose epoch has turned since replaces all that were there before.
        #[cbor(n(2), with = "bounded")]
        packs: Vec<ByteVec>,
        /// Whether another frame of this answer follows.
        #[n(3)]
        more: bool,
    },
    /// What was put is kept.
    #[n(4)]
    Stored,
    /// Batches of a space in the order of their positions.
    #[n(5)]
    #[cbor(map)]
    Batches {
        /// The space.
        #[n(0)]
        space: SpaceId,
        /// The position of the first.
        #[n(1)]
        first: u64,
        /// The batches; bodies that the peer does not need or that are dead are left out.
        #[cbor(n(2), with = "bounded")]
        batches: Vec<ByteVec>,
        /// Whether another frame of this answer follows.
        #[n(3)]
        more: bool,
    },
    /// The batch stands in its chain, [`crate::record::Receipt`].
    #[n(6)]
    Receipt(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// The request was not carried out.
    #[n(7)]
    Refused(#[n(0)] Refusal),
    /// Something that the peer may read has changed; sent after [`Request::Subscribe`].
    #[n(8)]
    Changed(#[n(0)] Change),
    /// The server is about to stop; what was answered stands, what was not is to be asked again elsewhere or later.
    #[n(9)]
    Draining,
}

/// What has changed at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Change {
    /// The governance log.
    #[n(0)]
    Gov,
    /// Statements, seals or vault rows.
    #[n(1)]
    Keys,
    /// A space, up to that position.
    #[n(2)]
    Space(#[n(0)] SpaceId, #[n(1)] u64),
}

words! {
    /// Why a server did not carry out a request.
    pub enum Refusal {
        /// The frame is not one, or comes at a moment when it may not.
        Malformed = 0 "malformed",
        /// A version or suite of a later Thicket.
        Version = 1 "version",
        /// The proof of the peer's key does not hold on this connection.
        Proof = 2 "proof",
        /// No such team, and what was sent does not found one.
        UnknownTeam = 3 "unknown_team",
        /// No such invite.
        UnknownInvite = 4 "unknown_invite",
        /// The invite was used or struck.
        SpentInvite = 5 "spent_invite",
        /// The device is not, or no longer, one of the team.
        NotAdmitted = 6 "not_admitted",
        /// The peer's role does not allow it.
        Forbidden = 7 "forbidden",
        /// The log has gone on: pull it, and make the entry anew.
        Behind = 8 "behind",
        /// The entry breaks the rules of the log.
        BadEntry = 9 "bad_entry",
        /// A device that may hold a new epoch has no seal of it.
        MissingSeal = 10 "missing_seal",
        /// The staged vault was not made from the present one, or a row is of an older epoch.
        StaleVault = 11 "stale_vault",
        /// A seal is not to the newest statement of its device, or a statement is not newer.
        StalePrekey = 12 "stale_prekey",
        /// A key is in the vault already.
        KnownKey = 13 "known_key",
        /// A key is shredded.
        Shredded = 14 "shredded",
        /// The batch does not follow the device's last in its space.
        Gap = 15 "gap",
        /// The device sent another batch under this sequence number before: evidence of two histories.
        Fork = 16 "fork",
        /// The signature or the content is not what it says.
        BadBytes = 17 "bad_bytes",
        /// A limit is reached.
        Limit = 18 "limit",
        /// The server's disk is full, or cannot be written.
        Storage = 19 "storage",
        /// The server is stopping.
        Draining = 20 "draining",
    }
}

/// Where one space stands at a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Tip {
    /// The space.
    #[n(0)]
    pub space: SpaceId,
    /// Its chain.
    #[n(1)]
    pub at: ChainPoint,
    /// The number of keys in its vault.
    #[n(2)]
    pub vault: u64,
}

/// What a server signs of where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TipsBody {
    /// Version of the format.
    #[n(0)]
    pub v: u8,
    /// Suite of the cryptography.
    #[n(1)]
    pub suite: u8,
    /// The team.
    #[n(2)]
    pub team: TeamId,
    /// The life of the server's data.
    #[n(3)]
    pub incarnation: Incarnation,
    /// The server's time, milliseconds since 1970.
    #[n(4)]
    pub now_ms: i64,
    /// The head of the governance log; absent where the server does not know the team.
    #[n(5)]
    pub gov: Option<GovPoint>,
    /// The spaces that the peer may read, ascending; none for an invite.
    #[n(6)]
    pub spaces: Vec<Tip>,
}

impl SignedBody for TipsBody {
    const PURPOSE: Purpose = Purpose::Tips;
    const DOMAIN: &'static str = "thicket/tips/1";
}

/// A server's signed word on where everything stands: two that contradict each other are evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tips(Signed<TipsBody>);

impl Tips {
    /// Signs tips with the server's key.
    pub fn sign(body: TipsBody, server: &Signer) -> Result<Self, CborError> {
        Self::decode(&Signed::write(&body, server))
    }

    /// Reads tips and checks their form: version and suite, at most [`TEAM_SPACES_MAX`] spaces, ascending.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let signed = Signed::<TipsBody>::read(bytes)?;
        let TipsBody { v, suite, ref spaces, .. } = signed.body;
        if (v, suite) != (VERSION, SUITE) {
            return Err(Error::message("tips of another version or suite").into());
        }
        let ascending = spaces.is_sorted_by(|before, after| before.space < after.space);
        if !ascending || spaces.len() > TEAM_SPACES_MAX {
            return Err(Error::message("the spaces of tips, ascending").into());
        }
        Ok(Self(signed))
    }

    /// Verifies that the server of this key made them.
    pub fn verify(&self, server: &PublicKey) -> Result<(), BadSignature> {
        self.0.verify(server)
    }

    /// What they say.
    pub fn body(&self) -> &TipsBody {
        &self.0.body
    }

    /// The tips as received.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }
}

/// A request or a reply.
pub trait Frame: Encode<()> + for<'b> Decode<'b, ()> {
    /// Checks what the shape alone does not say: that lists ascend.
    fn check(&self) -> Result<(), FrameError>;
}

impl Frame for Request {
    fn check(&self) -> Result<(), FrameError> {
        match self {
            Self::PullKeys { vaults, .. } => ascending(vaults, |at| at.space, "vaults, ascending by space"),
            Self::Hello(_)
            | Self::PullGov { .. }
            | Self::PutEntry { .. }
            | Self::PutStatement(_)
            | Self::PutSeal(_)
            | Self::PutPack(_)
            | Self::Pull { .. }
            | Self::Push(_)
            | Self::Subscribe
            | Self::PullOwn { .. } => Ok(()),
        }
    }
}

impl Frame for Reply {
    fn check(&self) -> Result<(), FrameError> {
        match self {
            Self::Keys { statements, seals, .. } => {
                ascending(statements, |statement| statement.serial, "statements, ascending by serial")?;
                ascending(seals, |seal| seal.serial, "seals, ascending by serial")
            }
            Self::Welcome { .. }
            | Self::Gov { .. }
            | Self::Appended(_)
            | Self::Stored
            | Self::Batches { .. }
            | Self::Receipt(_)
            | Self::Refused(_)
            | Self::Changed(_)
            | Self::Draining => Ok(()),
        }
    }
}

fn ascending<T, K: PartialOrd>(
    list: &[T],
    key: impl Fn(&T) -> K,
    of: &'static str,
) -> Result<(), FrameError> {
    let sorted = list.is_sorted_by(|before, after| key(before) < key(after));
    if sorted { Ok(()) } else { Err(FrameError::Shape(of)) }
}

/// Lists of at most [`crate::limits::FRAME_LIST_MAX`]: a longer one is refused before anything is allocated.
mod bounded {
    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encoder, Write};
    use minicbor::{Decode, Encode};

    use crate::limits::FRAME_LIST_MAX;

    pub(super) fn encode<C, T: Encode<C>, W: Write>(
        list: &Vec<T>,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        list.encode(e, ctx)
    }

    pub(super) fn decode<'b, C, T: Decode<'b, C>>(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Vec<T>, Error> {
        let most = u64::try_from(FRAME_LIST_MAX).expect("a small constant");
        if d.probe().array()?.is_none_or(|count| count > most) {
            return Err(Error::message("a list in a frame is too long").at(d.position()));
        }
        Vec::decode(d, ctx)
    }
}

/// Writes a request or a reply as it travels, without its length.
pub fn encode<F: Encode<()>>(frame: &F) -> Vec<u8> {
    cbor::encode(frame)
}

/// Reads a request or a reply; the length was checked against [`FRAME_BYTES_MAX`] before it was read.
pub fn decode<F: Frame>(bytes: &[u8]) -> Result<F, FrameError> {
    if bytes.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLarge);
    }
    let frame: F = cbor::decode(bytes)?;
    frame.check()?;
    Ok(frame)
}

/// Why bytes are not a frame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Longer than a frame may be.
    #[error("a frame is too large")]
    TooLarge,
    /// Not canonical CBOR of the shape.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// An order is not what the format says.
    #[error("a frame of another shape: {0}")]
    Shape(&'static str),
}
