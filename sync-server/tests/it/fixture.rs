//! A team made of protocol types alone, and peers that speak to a session without a socket.

use std::path::Path;

use minicbor::bytes::ByteVec;
use tempfile::TempDir;
use thicket_protocol::frame::{self, Change, Hello, Peer, Refusal, Reply, Request, Tips, VaultAt};
use thicket_protocol::governance::{Act, Admits, Author, Entry, EpochTurn, NewSpace, Realm, Role, SpaceKind};
use thicket_protocol::ids::{
    DeviceId, DocTag, Hash, Incarnation, KeyId, MemberId, NotebookId, PublicKey, Salt, SpaceId, TeamId,
};
use thicket_protocol::keys::{Pack, PrekeyBody, PrekeyStatement, Seal, SealBody, SpaceEpoch, vault_hash};
use thicket_protocol::limits::{XWING_ENCAPSULATION_BYTES, XWING_PUBLIC_BYTES};
use thicket_protocol::record::{
    Batch, BodyParts, ChainPoint, GovPoint, Head, Item, ItemKind, Receipt, Seen, body_hash,
};
use thicket_protocol::sign::{self, SUITE, Signer, VERSION};
use thicket_protocol::team::Team;
use thicket_sync_server::{Hint, ServerSession, Store};

pub(crate) const NOW_MS: i64 = 1_800_000_000_000;
pub(crate) const ROSTER: SpaceId = SpaceId::from_bytes([1; 16]);
pub(crate) const LEDGER: SpaceId = SpaceId::from_bytes([2; 16]);
pub(crate) const SHARED: SpaceId = SpaceId::from_bytes([3; 16]);
pub(crate) const IDENTITIES: SpaceId = SpaceId::from_bytes([4; 16]);
pub(crate) const PRIVATE: SpaceId = SpaceId::from_bytes([6; 16]);
pub(crate) const NOTEBOOK: NotebookId = NotebookId::from_bytes([5; 16]);

/// Opens a store whose randomness is a count.
pub(crate) fn open(folder: &Path) -> Store {
    let mut count = 0;
    Store::open(folder, &mut |out| {
        for byte in out {
            count += 1;
            *byte = count;
        }
    })
    .expect("the store opens")
}

/// A device with its member's name.
pub(crate) struct Phone {
    pub(crate) signer: Signer,
    pub(crate) key: PublicKey,
    pub(crate) id: DeviceId,
    pub(crate) member: MemberId,
}

impl Phone {
    pub(crate) fn new(seed: u8) -> Self {
        let signer = Signer::from_seed(&[seed; 32]);
        let key = signer.public_key();
        Self { id: DeviceId::derive(&key), key, signer, member: MemberId::from_bytes([seed; 16]) }
    }

    pub(crate) fn statement(&self, team: TeamId, counter: u32, gov: GovPoint) -> Vec<u8> {
        let mut key = vec![0; XWING_PUBLIC_BYTES];
        *key.last_mut().expect("a key has bytes") = 9;
        let (v, suite, device, epochs) = (VERSION, SUITE, self.id, Vec::new());
        let body = PrekeyBody { v, suite, team, device, counter, key, gov, epochs };
        PrekeyStatement::sign(body, &self.signer).expect("a statement").bytes().to_vec()
    }

    pub(crate) fn seal(
        &self,
        team: TeamId,
        to: DeviceId,
        counter: u32,
        gov: GovPoint,
        epochs: &[(SpaceId, u32)],
    ) -> Vec<u8> {
        let epochs =
            epochs.iter().map(|(space, epoch)| SpaceEpoch { space: *space, epoch: *epoch }).collect();
        let body = SealBody {
            v: VERSION,
            suite: SUITE,
            team,
            device: to,
            counter,
            sealer: self.id,
            gov,
            epochs,
            encapsulation: vec![3; XWING_ENCAPSULATION_BYTES],
            sealed: vec![4; 64],
        };
        Seal::sign(body, &self.signer).expect("a seal").bytes().to_vec()
    }
}

/// A row of a vault with keys of these numbers.
pub(crate) fn pack(space: SpaceId, epoch: u32, ids: &[u8]) -> Vec<u8> {
    let sealed = vec![7; ids.len() * 32 + 16];
    let ids = ids.iter().map(|id| key_id(*id)).collect();
    thicket_protocol::cbor::encode(&Pack { v: VERSION, suite: SUITE, space, epoch, ids, sealed })
}

pub(crate) fn key_id(id: u8) -> KeyId {
    KeyId::from_bytes([id; 16])
}

pub(crate) fn turn(space: SpaceId, epoch: u32, made_from: u64, packs: &[Vec<u8>]) -> EpochTurn {
    let vault = vault_hash(packs.iter().map(Vec::as_slice));
    EpochTurn { space, epoch, commit: Hash::from_bytes([6; 32]), content_key: key_id(100), vault, made_from }
}

/// A connection: a session, and the keeping of its promises about frames.
pub(crate) struct Link {
    pub(crate) session: ServerSession,
    pub(crate) changes: Vec<Change>,
}

pub(crate) fn exporter(context: &[u8; 33]) -> [u8; 32] {
    *sign::hash("thicket/test/exporter", &[context]).as_bytes()
}

impl Link {
    pub(crate) fn new() -> Self {
        Self { session: ServerSession::new(), changes: Vec::new() }
    }

    /// A connection on which a device has said who it is.
    pub(crate) fn of(store: &mut Store, team: TeamId, phone: &Phone) -> Self {
        let mut link = Self::new();
        link.hello(store, Peer::Device { team, key: phone.key }, &phone.signer).expect("welcome");
        link
    }

    pub(crate) fn hello(
        &mut self,
        store: &mut Store,
        peer: Peer,
        signer: &Signer,
    ) -> Result<(Tips, u64, u64), Refusal> {
        let hello = Hello::sign(peer, &exporter(&peer.exporter_context()), signer);
        match self.ask(store, &Request::Hello(hello)) {
            Reply::Welcome { tips, statements, seals } => {
                let tips = Tips::decode(&tips).expect("tips");
                tips.verify(&store.public_key()).expect("the server's own tips");
                Ok((tips, statements, seals))
            }
            Reply::Refused(refusal) => Err(refusal),
            other => panic!("no answer to a hello: {other:?}"),
        }
    }

    pub(crate) fn send(&mut self, store: &mut Store, bytes: &[u8]) {
        self.session.handle_frame(store, bytes, NOW_MS, &exporter);
    }

    /// The frames that the session wants to send now, but for hints, which are put aside.
    pub(crate) fn replies(&mut self, store: &mut Store) -> Vec<Reply> {
        let mut replies = Vec::new();
        while let Some(bytes) = self.session.poll_transmit(store) {
            match frame::decode(&bytes).expect("a server's frames are frames") {
                Reply::Changed(change) => self.changes.push(change),
                reply => replies.push(reply),
            }
        }
        replies
    }

    pub(crate) fn ask_all(&mut self, store: &mut Store, request: &Request) -> Vec<Reply> {
        self.send(store, &frame::encode(request));
        self.replies(store)
    }

    pub(crate) fn ask(&mut self, store: &mut Store, request: &Request) -> Reply {
        let mut replies = self.ask_all(store, request);
        assert_eq!(replies.len(), 1, "one answer: {replies:?}");
        replies.remove(0)
    }

    pub(crate) fn hints(&mut self) -> Vec<Hint> {
        std::iter::from_fn(|| self.session.poll_hint()).collect()
    }

    pub(crate) fn push(&mut self, store: &mut Store, batch: &Batch) -> Result<Receipt, Refusal> {
        match self.ask(store, &Request::Push(batch.encode(|_| true))) {
            Reply::Receipt(bytes) => {
                let receipt = Receipt::decode(&bytes).expect("a receipt");
                receipt.verify(&store.public_key()).expect("the server's own receipt");
                Ok(receipt)
            }
            Reply::Refused(refusal) => Err(refusal),
            other => panic!("no answer to a push: {other:?}"),
        }
    }

    /// All batches behind a position, with the position of the first.
    pub(crate) fn pull(&mut self, store: &mut Store, space: SpaceId, after: u64) -> Vec<(u64, Batch)> {
        let mut pulled = Vec::new();
        let replies = self.ask_all(store, &Request::Pull { space, after });
        let last = replies.len() - 1;
        for (index, reply) in replies.into_iter().enumerate() {
            let Reply::Batches { space: of, first, batches, more } = reply else {
                panic!("no batches: {reply:?}")
            };
            assert_eq!((of, more), (space, index < last));
            let batches = batches.iter().map(|bytes| Batch::decode(bytes).expect("a batch"));
            pulled.extend((first..).zip(batches));
        }
        pulled
    }

    pub(crate) fn pull_keys(
        &mut self,
        store: &mut Store,
        vaults: Vec<VaultAt>,
    ) -> (usize, usize, Vec<Vec<u8>>) {
        let mut got = (0, 0, Vec::new());
        for reply in self.ask_all(store, &Request::PullKeys { statements: 0, seals: 0, vaults }) {
            let Reply::Keys { statements, seals, packs, .. } = reply else { panic!("no keys: {reply:?}") };
            got.0 += statements.len();
            got.1 += seals.len();
            got.2.extend(packs.into_iter().map(Vec::from));
        }
        got
    }
}

/// A team on a server: a custodian's phone, a notebook, and what a client would know of the log.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) folder: TempDir,
    pub(crate) anna: Phone,
    pub(crate) team: Team,
}

impl World {
    /// A team of one, without a notebook.
    pub(crate) fn founded() -> Self {
        let folder = TempDir::new().expect("a folder");
        let (mut store, anna) = (open(folder.path()), Phone::new(11));
        let (genesis, rows) = genesis(&anna);
        let team = Team::found(&genesis).expect("a team");
        let mut link = Link::of(&mut store, team.id(), &anna);
        let request = put(genesis.bytes(), &rows, &[]);
        assert_eq!(link.ask(&mut store, &request), Reply::Appended(genesis.point()));
        Self { store, folder, anna, team }
    }

    /// A team of one with a notebook, whose phone has published its first statement.
    pub(crate) fn new() -> Self {
        let mut world = Self::founded();
        let rows = [pack(LEDGER, 1, &[21]), pack(SHARED, 1, &[31]), pack(IDENTITIES, 1, &[41])];
        let spaces =
            [(SpaceKind::Ledger, LEDGER), (SpaceKind::Shared, SHARED), (SpaceKind::Identities, IDENTITIES)];
        let spaces = spaces.iter().zip(&rows).map(|((kind, space), row)| NewSpace {
            kind: *kind,
            owner: None,
            epoch: turn(*space, 1, 0, std::slice::from_ref(row)),
        });
        let act = Act::SpaceCreate { notebook: NOTEBOOK, realm: Realm::Research, spaces: spaces.collect() };
        world.append(act, &rows, &[]).expect("a notebook");
        let statement = world.anna.statement(world.team.id(), 1, world.team.head());
        let mut link = world.link();
        assert_eq!(link.ask(&mut world.store, &Request::PutStatement(statement)), Reply::Stored);
        world
    }

    /// Whether some file of the server has these bytes.
    pub(crate) fn disk_has(&self, wanted: &[u8]) -> bool {
        folder_has(self.folder.path(), wanted)
    }

    pub(crate) fn link(&mut self) -> Link {
        Link::of(&mut self.store, self.team.id(), &self.anna)
    }

    pub(crate) fn entry(&self, act: Act) -> Entry {
        entry(&self.team, &self.anna, act)
    }

    /// Lets the first phone append an entry.
    pub(crate) fn append(&mut self, act: Act, packs: &[Vec<u8>], seals: &[Vec<u8>]) -> Result<(), Refusal> {
        append(&mut self.store, &mut self.team, &self.anna, act, packs, seals)
    }

    /// Lets another phone append an entry.
    pub(crate) fn append_by(
        &mut self,
        phone: &Phone,
        act: Act,
        packs: &[Vec<u8>],
        seals: &[Vec<u8>],
    ) -> Result<(), Refusal> {
        append(&mut self.store, &mut self.team, phone, act, packs, seals)
    }

    pub(crate) fn invite(&mut self, seed: u8, role: Role) -> Signer {
        let paper = Signer::from_seed(&[seed; 32]);
        let act = Act::Invite {
            key: paper.public_key(),
            admits: Admits::Member(role),
            expires_ms: 1_900_000_000_000,
        };
        self.append(act, &[], &[]).expect("an invite");
        paper
    }

    /// Makes the entry by which a phone joins.
    pub(crate) fn joining(&self, paper: &Signer, phone: &Phone) -> Entry {
        let prekey = phone.statement(self.team.id(), 1, self.team.head());
        let act = Act::MemberAdd { member: phone.member, device: phone.key, prekey };
        let author = Author::Paper(paper.public_key());
        Entry::next(self.team.id(), self.team.head(), author, act, paper).expect("an entry")
    }

    /// Invites a phone and lets it join.
    pub(crate) fn join(&mut self, seed: u8, role: Role) -> Phone {
        let (paper, phone) = (self.invite(seed + 100, role), Phone::new(seed));
        let entry = self.joining(&paper, &phone);
        let mut link = Link::new();
        let peer = Peer::Paper { team: self.team.id().into(), key: paper.public_key() };
        link.hello(&mut self.store, peer, &paper).expect("welcome");
        let request = put(entry.bytes(), &[], &[]);
        assert_eq!(link.ask(&mut self.store, &request), Reply::Appended(entry.point()));
        self.team.apply(&entry).expect("the server takes what the team takes");
        phone
    }

    /// The next batch of a phone in a space: one body of each tag.
    pub(crate) fn batch(&self, phone: &Phone, space: SpaceId, before: Option<&Batch>, tags: &[u8]) -> Batch {
        let items: Vec<_> =
            tags.iter().map(|tag| (DocTag::from_bytes([*tag; 16]), ItemKind::Delta)).collect();
        self.batch_of(phone, space, before, &items, |_| {})
    }

    pub(crate) fn batch_of(
        &self,
        phone: &Phone,
        space: SpaceId,
        before: Option<&Batch>,
        items: &[(DocTag, ItemKind)],
        change: impl FnOnce(&mut (Head, Vec<Item>)),
    ) -> Batch {
        let seq = before.map_or(1, |before| before.head().seq + 1);
        let at = ChainPoint::START;
        let head = Head {
            v: VERSION,
            suite: SUITE,
            space,
            device: phone.id,
            seq,
            prev: before.map_or(Hash::ZERO, Batch::hash),
            epoch: 1,
            gov: self.team.head(),
            seen: Seen { incarnation: Incarnation::from_bytes([0; 16]), at },
            ledger: at,
            salt: Salt::from_bytes([8; 16]),
        };
        let body = |index: usize| {
            let mark = format!("body {seq}/{index} of the phone {}", phone.id);
            BodyParts { people: &[1; 40], sealed: mark.as_bytes() }.join()
        };
        let bodies: Vec<_> = (0..items.len()).map(body).collect();
        let items = items.iter().zip(&bodies).map(|((doc_tag, kind), body)| Item {
            doc_tag: *doc_tag,
            kind: *kind,
            commit: Hash::from_bytes([2; 32]),
            body_len: u32::try_from(body.len()).expect("a short body"),
            body_hash: body_hash(body),
            covers: Vec::new(),
        });
        let mut parts = (head, items.collect());
        change(&mut parts);
        Batch::sign(parts.0, parts.1, bodies, &phone.signer).expect("a batch")
    }
}

fn entry(team: &Team, phone: &Phone, act: Act) -> Entry {
    Entry::next(team.id(), team.head(), Author::Device(phone.id), act, &phone.signer).expect("an entry")
}

fn append(
    store: &mut Store,
    team: &mut Team,
    phone: &Phone,
    act: Act,
    packs: &[Vec<u8>],
    seals: &[Vec<u8>],
) -> Result<(), Refusal> {
    let entry = entry(team, phone, act);
    match Link::of(store, team.id(), phone).ask(store, &put(entry.bytes(), packs, seals)) {
        Reply::Appended(point) => {
            assert_eq!(point, entry.point());
            team.apply(&entry).expect("the server takes what the team takes");
            Ok(())
        }
        Reply::Refused(refusal) => Err(refusal),
        other => panic!("no answer to an entry: {other:?}"),
    }
}

pub(crate) fn folder_has(folder: &Path, wanted: &[u8]) -> bool {
    std::fs::read_dir(folder).expect("the folder").any(|file| {
        let bytes = std::fs::read(file.expect("a file").path()).expect("readable");
        bytes.windows(wanted.len()).any(|part| part == wanted)
    })
}

pub(crate) fn genesis(phone: &Phone) -> (Entry, Vec<Vec<u8>>) {
    let rows = vec![pack(ROSTER, 1, &[11])];
    let roster = NewSpace { kind: SpaceKind::Roster, owner: None, epoch: turn(ROSTER, 1, 0, &rows) };
    let nonce = Hash::from_bytes([9; 32]);
    let act = Act::Genesis { member: phone.member, device: phone.key, roster, nonce };
    (Entry::genesis(act, phone.id, &phone.signer).expect("a genesis"), rows)
}

pub(crate) fn put(entry: &[u8], packs: &[Vec<u8>], seals: &[Vec<u8>]) -> Request {
    let bytes = |list: &[Vec<u8>]| list.iter().cloned().map(ByteVec::from).collect();
    Request::PutEntry { entry: entry.to_vec(), packs: bytes(packs), seals: bytes(seals) }
}

#[track_caller]
pub(crate) fn refused(reply: &Reply, refusal: Refusal) {
    assert_eq!(reply, &Reply::Refused(refusal));
}
