//! Fixed values of every type: the golden vectors are made of them, and docs/protocol.md names them.

use minicbor::bytes::ByteVec;
use thicket_protocol::address::{InviteCode, ServerAddress};
use thicket_protocol::cbor;
use thicket_protocol::frame::{
    Change, Hello, Numbered, Peer, Refusal, Reply, Request, TeamPrefix, Tip, Tips, TipsBody, VaultAt,
};
use thicket_protocol::governance::{
    Act, Admits, Author, Entry, EpochTurn, NewSpace, Realm, Role, ShredList, SpaceKind,
};
use thicket_protocol::ids::{
    DeviceId, DocTag, Hash, Incarnation, KeyId, MemberId, NotebookId, PublicKey, Salt, Signature, SpaceId,
    TeamId,
};
use thicket_protocol::keys::{Pack, PrekeyBody, PrekeyStatement, SealBody, SpaceEpoch};
use thicket_protocol::limits::XWING_ENCAPSULATION_BYTES;
use thicket_protocol::record::{
    Batch, BodyParts, ChainPoint, GovPoint, Head, Item, ItemKind, ItemRef, Receipt, ReceiptBody, Seen,
    body_hash,
};
use thicket_protocol::sign::{self, Purpose, SUITE, Signer, VERSION};

pub(crate) const TEAM: TeamId = TeamId::from_bytes([0x10; 32]);
pub(crate) const MEMBER: MemberId = MemberId::from_bytes([0x20; 16]);
pub(crate) const NOTEBOOK: NotebookId = NotebookId::from_bytes([0x30; 16]);
pub(crate) const SPACE: SpaceId = SpaceId::from_bytes([0x40; 16]);
pub(crate) const SALT: Salt = Salt::from_bytes([0x60; 16]);
pub(crate) const INCARNATION: Incarnation = Incarnation::from_bytes([0x70; 16]);

/// The device that signs.
pub(crate) fn device() -> Signer {
    Signer::from_seed(&[1; 32])
}

/// Another device, to which seals go.
pub(crate) fn colleague() -> Signer {
    Signer::from_seed(&[2; 32])
}

/// The secret of an invite.
pub(crate) fn invite() -> Signer {
    Signer::from_seed(&[3; 32])
}

/// The team's server.
pub(crate) fn server() -> Signer {
    Signer::from_seed(&[4; 32])
}

pub(crate) fn id_of(signer: &Signer) -> DeviceId {
    DeviceId::derive(&signer.public_key())
}

pub(crate) fn hash(fill: u8) -> Hash {
    Hash::from_bytes([fill; 32])
}

pub(crate) fn key_id(fill: u8) -> KeyId {
    KeyId::from_bytes([fill; 16])
}

/// Bytes that look random and never change: H("thicket/test/1", counter as u32 || label), one behind another.
pub(crate) fn stream(label: &str, length: usize) -> Vec<u8> {
    let block = |n: u32| *sign::hash("thicket/test/1", &[&n.to_be_bytes(), label.as_bytes()]).as_bytes();
    (0..).flat_map(block).take(length).collect()
}

pub(crate) const GOV: GovPoint = GovPoint { seq: 7, hash: Hash::from_bytes([0x81; 32]) };

pub(crate) fn head() -> Head {
    Head {
        v: VERSION,
        suite: SUITE,
        space: SPACE,
        device: id_of(&device()),
        seq: 300,
        prev: hash(0x82),
        epoch: 2,
        gov: GOV,
        seen: Seen { incarnation: INCARNATION, at: ChainPoint { pos: 70_000, root: hash(0x83) } },
        ledger: ChainPoint { pos: 24, root: hash(0x84) },
        salt: SALT,
    }
}

pub(crate) fn item(doc_tag: DocTag, kind: ItemKind, body: &[u8], covers: Vec<ItemRef>) -> Item {
    let body_len = u32::try_from(body.len()).expect("samples are small");
    let commit = Hash::from_slice(&stream("commit", 32)).expect("32 bytes were drawn");
    Item { doc_tag, kind, commit, body_len, body_hash: body_hash(body), covers }
}

/// A body with `people` of `people` bytes and a sealed part of `sealed` bytes.
pub(crate) fn body(label: &str, people: usize, sealed: usize) -> Vec<u8> {
    let (people, sealed) = (stream(&format!("people of {label}"), people), stream(label, sealed));
    BodyParts { people: &people, sealed: &sealed }.join()
}

/// One item of every kind, with its body.
pub(crate) fn items() -> (Vec<Item>, Vec<Vec<u8>>) {
    let covers = |seq| ItemRef { device: id_of(&device()), seq, index: 3 };
    let note = DocTag::from(key_id(0x50));
    let bodies = vec![
        body("delta", 81, 80),
        body("full", 145, 300),
        body("event", 0, 64),
        body("blob", 81, 48),
        body("checkpoint", 0, 32),
    ];
    let items = vec![
        item(note, ItemKind::Delta, &bodies[0], Vec::new()),
        item(DocTag::from(key_id(0x51)), ItemKind::Full, &bodies[1], vec![covers(1), covers(299)]),
        item(DocTag::EVENT, ItemKind::Event, &bodies[2], Vec::new()),
        item(note, ItemKind::Blob, &bodies[3], Vec::new()),
        item(DocTag::EVENT, ItemKind::Checkpoint, &bodies[4], Vec::new()),
    ];
    (items, bodies)
}

pub(crate) fn batch() -> Batch {
    let (items, bodies) = items();
    Batch::sign(head(), items, bodies, &device()).expect("the sample fits its format")
}

pub(crate) fn receipt_body() -> ReceiptBody {
    ReceiptBody {
        v: VERSION,
        suite: SUITE,
        incarnation: INCARNATION,
        space: SPACE,
        device: id_of(&device()),
        seq: 300,
        batch: hash(0x8d),
        at: ChainPoint { pos: 70_001, root: hash(0x85) },
        dead: vec![0, 3],
    }
}

pub(crate) fn receipt() -> Receipt {
    Receipt::sign(receipt_body(), &server()).expect("the sample fits its format")
}

pub(crate) fn server_address() -> ServerAddress {
    ServerAddress::from_parts("sync.example.org", 4430, server().public_key()).expect("an address")
}

pub(crate) fn invite_code() -> InviteCode {
    InviteCode { secret: [0x61; 16], team: TeamPrefix::from(TEAM), server: server_address() }
}

pub(crate) const EXPORTER: [u8; 32] = [0x8e; 32];

/// A device's hello, and that of an invite's holder.
pub(crate) fn hellos() -> [(&'static str, Hello); 2] {
    let (device, paper) = (device(), invite());
    let by_device = Peer::Device { team: TEAM, key: device.public_key() };
    let by_paper = Peer::Paper { team: TeamPrefix::from(TEAM), key: paper.public_key() };
    [
        ("hello_device", Hello::sign(by_device, &EXPORTER, &device)),
        ("hello_paper", Hello::sign(by_paper, &EXPORTER, &paper)),
    ]
}

/// One request of every kind; what is carried is short here, and the vectors of the carried things are elsewhere.
pub(crate) fn requests() -> Vec<(&'static str, Request)> {
    let carried = |label: &str| stream(label, 24);
    let vaults = vec![
        VaultAt { space: SPACE, epoch: 2, version: 300 },
        VaultAt { space: SpaceId::from_bytes([0x41; 16]), epoch: 1, version: 0 },
    ];
    let mut requests: Vec<_> =
        hellos().into_iter().map(|(name, hello)| (name, Request::Hello(hello))).collect();
    let (packs, seals) =
        (vec![carried("pack").into()], vec![carried("seal").into(), carried("other").into()]);
    requests.extend([
        ("pull_gov", Request::PullGov { from: 8 }),
        ("put_entry", Request::PutEntry { entry: carried("entry"), packs, seals }),
        ("pull_keys", Request::PullKeys { statements: 40, seals: 0, vaults }),
        ("put_statement", Request::PutStatement(carried("statement"))),
        ("put_seal", Request::PutSeal(carried("seal"))),
        ("put_pack", Request::PutPack(carried("pack"))),
        ("pull", Request::Pull { space: SPACE, after: 70_000 }),
        ("push", Request::Push(carried("batch"))),
        ("subscribe", Request::Subscribe),
        ("pull_own", Request::PullOwn { space: SPACE, after: 70_000 }),
    ]);
    requests
}

/// One reply of every kind, and of every shape that a kind has.
pub(crate) fn replies() -> Vec<(&'static str, Reply)> {
    let carried = |label: &str| stream(label, 24);
    let numbered = |serial, label| Numbered { serial, bytes: carried(label) };
    let entries = vec![carried("entry").into(), carried("next entry").into()];
    let statements = vec![numbered(41, "statement"), numbered(300, "other statement")];
    let (seals, packs) = (vec![numbered(1, "seal")], vec![carried("pack").into()]);
    let (first, batches) = (70_001, vec![carried("batch").into()]);
    vec![
        ("welcome", Reply::Welcome { tips: carried("tips"), statements: 300, seals: 1 }),
        ("gov", Reply::Gov { entries, more: true }),
        ("appended", Reply::Appended(GOV)),
        ("keys", Reply::Keys { statements, seals, packs, more: false }),
        ("stored", Reply::Stored),
        ("batches", Reply::Batches { space: SPACE, first, batches, more: false }),
        ("receipt", Reply::Receipt(carried("receipt"))),
        ("refused", Reply::Refused(Refusal::Behind)),
        ("changed_gov", Reply::Changed(Change::Gov)),
        ("changed_keys", Reply::Changed(Change::Keys)),
        ("changed_space", Reply::Changed(Change::Space(SPACE, 70_001))),
        ("draining", Reply::Draining),
    ]
}

pub(crate) fn tips_body() -> TipsBody {
    let tip = |fill: u8, pos, vault| Tip {
        space: SpaceId::from_bytes([fill; 16]),
        at: ChainPoint { pos, root: hash(0x85) },
        vault,
    };
    TipsBody {
        v: VERSION,
        suite: SUITE,
        team: TEAM,
        incarnation: INCARNATION,
        now_ms: 1_800_000_000_000,
        gov: Some(GOV),
        spaces: vec![tip(0x40, 70_001, 1_000), tip(0x41, 1, 1)],
    }
}

pub(crate) fn tips() -> Tips {
    Tips::sign(tips_body(), &server()).expect("the sample fits its format")
}

/// Tips of a server that does not know the team.
pub(crate) fn tips_unknown_body() -> TipsBody {
    TipsBody { gov: None, spaces: Vec::new(), now_ms: -1, ..tips_body() }
}

/// An X-Wing public key that every check lets through: reduced coefficients, then the seed and the X25519 half.
pub(crate) fn xwing_public(label: &str) -> Vec<u8> {
    let drawn = stream(label, 4 * 768 / 2 + 64);
    let (coefficients, rest) = drawn.split_at(4 * 768 / 2);
    let packed = coefficients.chunks_exact(4).flat_map(|four| {
        let low = u32::from(u16::from_be_bytes([four[0], four[1]]) % 3_329);
        let high = u32::from(u16::from_be_bytes([four[2], four[3]]) % 3_329);
        let [first, second, third, _] = (low | (high << 12)).to_le_bytes();
        [first, second, third]
    });
    packed.chain(rest.iter().copied()).collect()
}

pub(crate) fn epochs() -> Vec<SpaceEpoch> {
    vec![
        SpaceEpoch { space: SPACE, epoch: 2 },
        SpaceEpoch { space: SpaceId::from_bytes([0x41; 16]), epoch: 1 },
    ]
}

pub(crate) fn prekey_body(of: &Signer) -> PrekeyBody {
    PrekeyBody {
        v: VERSION,
        suite: SUITE,
        team: TEAM,
        device: id_of(of),
        counter: 1,
        key: xwing_public("prekey"),
        gov: GOV,
        epochs: epochs(),
    }
}

pub(crate) fn statement(of: &Signer) -> PrekeyStatement {
    PrekeyStatement::sign(prekey_body(of), of).expect("the sample fits its format")
}

pub(crate) fn seal_body() -> SealBody {
    SealBody {
        v: VERSION,
        suite: SUITE,
        team: TEAM,
        device: id_of(&colleague()),
        counter: 1,
        sealer: id_of(&device()),
        gov: GOV,
        epochs: epochs(),
        encapsulation: stream("encapsulation", XWING_ENCAPSULATION_BYTES),
        sealed: stream("seal", 116),
    }
}

pub(crate) fn pack() -> Pack {
    let ids = vec![key_id(0x50), key_id(0x51), key_id(0x52)];
    Pack { v: VERSION, suite: SUITE, space: SPACE, epoch: 2, ids, sealed: stream("pack", 3 * 32 + 16) }
}

pub(crate) fn turn(space: SpaceId, epoch: u32) -> EpochTurn {
    let (commit, vault, made_from) = (hash(0x86), hash(0x87), 1_000);
    EpochTurn { space, epoch, commit, content_key: key_id(0x53), vault, made_from }
}

fn new_space(kind: SpaceKind, owner: Option<MemberId>) -> NewSpace {
    NewSpace { kind, owner, epoch: EpochTurn { made_from: 0, ..turn(SPACE, 1) } }
}

/// One act of every kind, and of every shape that a kind has; the names are those of the vectors.
pub(crate) fn acts() -> Vec<(&'static str, Act)> {
    let (member, notebook, turns) = (MEMBER, NOTEBOOK, vec![turn(SPACE, 3)]);
    let (key, joined) = (invite().public_key(), colleague());
    let (prekey, device) = (statement(&joined).bytes().to_vec(), joined.public_key());
    let spaces = vec![
        new_space(SpaceKind::Ledger, None),
        new_space(SpaceKind::Shared, None),
        new_space(SpaceKind::Identities, None),
        new_space(SpaceKind::Private, Some(member)),
    ];
    let roster = new_space(SpaceKind::Roster, None);
    let (admits, expires_ms) = (Admits::Member(Role::LinkWorker), 1_800_000_000_000);
    let ids = vec![key_id(0x50), key_id(0x51)];
    vec![
        ("genesis", Act::Genesis { member, device: self::device().public_key(), roster, nonce: hash(0x88) }),
        ("invite_member", Act::Invite { key, admits, expires_ms }),
        ("invite_own_device", Act::Invite { key, admits: Admits::OwnDevice(member), expires_ms }),
        ("invite_strike", Act::InviteStrike { key }),
        ("member_add", Act::MemberAdd { member, device, prekey: prekey.clone() }),
        ("device_add", Act::DeviceAdd { member, device, prekey }),
        ("device_revoke", Act::DeviceRevoke { device: id_of(&joined), turns: turns.clone() }),
        ("member_remove", Act::MemberRemove { member, turns: turns.clone() }),
        ("role_change", Act::RoleChange { member, role: Role::Auditor, turns: turns.clone() }),
        ("space_create", Act::SpaceCreate { notebook, realm: Realm::Service, spaces }),
        ("space_grant_given", Act::SpaceGrant { notebook, member, granted: true, turns: Vec::new() }),
        ("space_grant_taken", Act::SpaceGrant { notebook, member, granted: false, turns: turns.clone() }),
        ("epoch", Act::Epoch { turns: turns.clone() }),
        ("shred_here", Act::Shred { ids: ShredList::Here(ids), turns: turns.clone() }),
        ("shred_staged", Act::Shred { ids: ShredList::Staged(hash(0x89)), turns }),
        ("close", Act::Close { notebook }),
        ("recovery", Act::Recovery { member, key: Some(key) }),
        ("recovery_destroyed", Act::Recovery { member, key: None }),
        ("server_key", Act::ServerKey { key: server().public_key() }),
        ("incarnation", Act::Incarnation { incarnation: INCARNATION, head: GOV }),
        ("policy", Act::Policy { notebook, window_hours: 72, text: hash(0x8a) }),
    ]
}

/// The entry of an act, and the key that signed it: an invite's for a `member_add`, the device's for all others.
pub(crate) fn entry(act: Act) -> (Entry, PublicKey) {
    let (device, paper) = (device(), invite());
    let (made, signer) = match &act {
        Act::Genesis { .. } => (Entry::genesis(act, id_of(&device), &device), device),
        Act::MemberAdd { .. } => {
            (Entry::next(TEAM, GOV, Author::Paper(paper.public_key()), act, &paper), paper)
        }
        Act::Invite { .. }
        | Act::InviteStrike { .. }
        | Act::DeviceAdd { .. }
        | Act::DeviceRevoke { .. }
        | Act::MemberRemove { .. }
        | Act::RoleChange { .. }
        | Act::SpaceCreate { .. }
        | Act::SpaceGrant { .. }
        | Act::Epoch { .. }
        | Act::Shred { .. }
        | Act::Close { .. }
        | Act::Recovery { .. }
        | Act::ServerKey { .. }
        | Act::Incarnation { .. }
        | Act::Policy { .. } => {
            (Entry::next(TEAM, GOV, Author::Device(id_of(&device)), act, &device), device)
        }
    };
    (made.expect("the sample fits its format"), signer.public_key())
}

/// Wraps a body of an entry, a statement or a seal, as a second implementation would: domain and purpose stand here
/// once more, and do not come from the code under test.
pub(crate) fn signed(domain: &'static str, purpose: Purpose, body: &[u8], signer: &Signer) -> Vec<u8> {
    let signature = signer.sign(purpose, &sign::hash(domain, &[body]));
    cbor::encode(&(ByteVec::from(body.to_vec()), signature))
}

pub(crate) fn signed_entry(body: &[u8], signer: &Signer) -> Vec<u8> {
    signed("thicket/gov/1", Purpose::Governance, body, signer)
}

pub(crate) fn signed_statement(body: &[u8], signer: &Signer) -> Vec<u8> {
    signed("thicket/prekey/1", Purpose::Prekey, body, signer)
}

pub(crate) fn signed_seal(body: &[u8], signer: &Signer) -> Vec<u8> {
    signed("thicket/seal/1", Purpose::Seal, body, signer)
}

pub(crate) fn signed_receipt(body: &[u8], signer: &Signer) -> Vec<u8> {
    signed("thicket/receipt/1", Purpose::Receipt, body, signer)
}

pub(crate) fn signed_tips(body: &[u8], signer: &Signer) -> Vec<u8> {
    signed("thicket/tips/1", Purpose::Tips, body, signer)
}

pub(crate) fn signed_batch(head: &[u8], items: &[u8], bodies: &[Vec<u8>], signer: &Signer) -> Vec<u8> {
    let signature: Signature = signer.sign(Purpose::Batch, &sign::hash("thicket/batch/1", &[head, items]));
    let bodies: Vec<Option<ByteVec>> = bodies.iter().map(|body| Some(body.clone().into())).collect();
    cbor::encode(&(ByteVec::from(head.to_vec()), ByteVec::from(items.to_vec()), signature, bodies))
}

/// Adds a key that this version does not know, 99, with an encoded value, to an encoded map of fewer than 23 keys.
pub(crate) fn with_key_99(map: &[u8], value: &[u8]) -> Vec<u8> {
    let (header, rest) = map.split_first().expect("a map has a header");
    assert!((0xa0..0xb7).contains(header), "a small map");
    [&[header + 1], rest, &[0x18, 99], value].concat()
}
