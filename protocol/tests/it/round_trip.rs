//! Whatever can be said is read back as it was said, and written again to the same bytes.

use proptest::prelude::*;
use proptest::sample::SizeRange;
use proptest::test_runner::{Config, RngSeed};
use thicket_protocol::cbor;
use thicket_protocol::governance::{
    Act, Admits, Author, Entry, EntryBody, EpochTurn, NewSpace, Realm, Role, ShredList, SpaceKind,
};
use thicket_protocol::ids::{
    DeviceId, DocTag, Hash, Incarnation, KeyId, MemberId, NotebookId, PublicKey, Salt, SpaceId, TeamId,
};
use thicket_protocol::keys::{Pack, PrekeyBody, PrekeyStatement, Seal, SealBody, SpaceEpoch};
use thicket_protocol::limits::XWING_ENCAPSULATION_BYTES;
use thicket_protocol::record::{
    Batch, ChainPoint, GovPoint, Head, Item, ItemKind, ItemRef, Receipt, ReceiptBody, Seen, body_hash,
};
use thicket_protocol::sign::{SUITE, VERSION};

use crate::samples;

/// The same cases at every run, and no file of past failures: a failing case becomes a named test.
pub(crate) fn config(cases: u32) -> Config {
    let rng_seed = RngSeed::Fixed(0x7417_c4e7);
    Config { cases, rng_seed, failure_persistence: None, ..Config::default() }
}

macro_rules! ids {
    ($($name:ident: $id:ident),+ $(,)?) => {
        $(fn $name() -> impl Strategy<Value = $id> { any::<[u8; $id::LEN]>().prop_map($id::from_bytes) })+
    };
}

ids! {
    team: TeamId, member: MemberId, device: DeviceId, notebook: NotebookId, space: SpaceId, key_id: KeyId,
    doc_tag: DocTag, incarnation: Incarnation, hash: Hash, salt: Salt, public_key: PublicKey,
}

fn bytes(size: impl Into<SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), size)
}

fn gov() -> impl Strategy<Value = GovPoint> {
    (any::<u64>(), hash()).prop_map(|(seq, hash)| GovPoint { seq, hash })
}

fn chain() -> impl Strategy<Value = ChainPoint> {
    (any::<u64>(), hash()).prop_map(|(pos, root)| ChainPoint { pos, root })
}

fn head() -> impl Strategy<Value = Head> {
    let seen = (incarnation(), chain()).prop_map(|(incarnation, at)| Seen { incarnation, at });
    let place = (space(), 2..=u64::MAX, hash(), any::<u32>());
    (place, gov(), seen, chain(), salt()).prop_map(|((space, seq, prev, epoch), gov, seen, ledger, salt)| {
        let device = samples::id_of(&samples::device());
        Head { v: VERSION, suite: SUITE, space, device, seq, prev, epoch, gov, seen, ledger, salt }
    })
}

/// An item with its body; only a full save covers others.
fn item() -> impl Strategy<Value = (Item, Vec<u8>)> {
    let covered =
        (device(), any::<u64>(), any::<u8>()).prop_map(|(device, seq, index)| ItemRef { device, seq, index });
    let kind = prop_oneof![
        Just(ItemKind::Delta),
        Just(ItemKind::Full),
        Just(ItemKind::Event),
        Just(ItemKind::Blob),
        Just(ItemKind::Checkpoint),
    ];
    (doc_tag(), kind, hash(), bytes(0..400), prop::collection::vec(covered, 0..5)).prop_map(
        |(doc_tag, kind, commit, body, covers)| {
            let covers = if kind == ItemKind::Full { covers } else { Vec::new() };
            let body_len = u32::try_from(body.len()).expect("bodies are small here");
            (Item { doc_tag, kind, commit, body_len, body_hash: body_hash(&body), covers }, body)
        },
    )
}

fn turn() -> impl Strategy<Value = EpochTurn> {
    (space(), any::<u32>(), hash(), key_id(), hash(), any::<u64>()).prop_map(
        |(space, epoch, commit, content_key, vault, made_from)| EpochTurn {
            space,
            epoch,
            commit,
            content_key,
            vault,
            made_from,
        },
    )
}

fn turns() -> impl Strategy<Value = Vec<EpochTurn>> {
    prop::collection::vec(turn(), 0..4)
}

fn new_space() -> impl Strategy<Value = NewSpace> {
    (prop::sample::select(SpaceKind::ALL), prop::option::of(member()), turn())
        .prop_map(|(kind, owner, epoch)| NewSpace { kind, owner, epoch })
}

fn act() -> impl Strategy<Value = Act> {
    let (role, realm) = (|| prop::sample::select(Role::ALL), prop::sample::select(Realm::ALL));
    let admits = prop_oneof![role().prop_map(Admits::Member), member().prop_map(Admits::OwnDevice)];
    let ids = prop_oneof![
        prop::collection::btree_set(key_id(), 0..20)
            .prop_map(|ids| ShredList::Here(ids.into_iter().collect())),
        hash().prop_map(ShredList::Staged),
    ];
    let people = prop_oneof![
        (member(), public_key(), new_space(), hash())
            .prop_map(|(member, device, roster, nonce)| Act::Genesis { member, device, roster, nonce }),
        (public_key(), admits, any::<u64>()).prop_map(|(key, admits, expires_ms)| Act::Invite {
            key,
            admits,
            expires_ms
        }),
        public_key().prop_map(|key| Act::InviteStrike { key }),
        (member(), public_key(), bytes(0..300)).prop_map(|(member, device, prekey)| Act::MemberAdd {
            member,
            device,
            prekey
        }),
        (member(), public_key(), bytes(0..300)).prop_map(|(member, device, prekey)| Act::DeviceAdd {
            member,
            device,
            prekey
        }),
        (device(), turns()).prop_map(|(device, turns)| Act::DeviceRevoke { device, turns }),
        (member(), turns()).prop_map(|(member, turns)| Act::MemberRemove { member, turns }),
        (member(), role(), turns()).prop_map(|(member, role, turns)| Act::RoleChange { member, role, turns }),
        (member(), prop::option::of(public_key())).prop_map(|(member, key)| Act::Recovery { member, key }),
    ];
    let places = prop_oneof![
        (notebook(), realm, prop::collection::vec(new_space(), 0..5))
            .prop_map(|(notebook, realm, spaces)| Act::SpaceCreate { notebook, realm, spaces }),
        (notebook(), member(), any::<bool>(), turns()).prop_map(|(notebook, member, granted, turns)| {
            Act::SpaceGrant { notebook, member, granted, turns }
        }),
        turns().prop_map(|turns| Act::Epoch { turns }),
        (ids, turns()).prop_map(|(ids, turns)| Act::Shred { ids, turns }),
        notebook().prop_map(|notebook| Act::Close { notebook }),
        public_key().prop_map(|key| Act::ServerKey { key }),
        (incarnation(), gov()).prop_map(|(incarnation, head)| Act::Incarnation { incarnation, head }),
        (notebook(), any::<u32>(), hash()).prop_map(|(notebook, window_hours, text)| Act::Policy {
            notebook,
            window_hours,
            text
        }),
    ];
    prop_oneof![people, places]
}

fn epochs(count: impl Into<SizeRange>) -> impl Strategy<Value = Vec<SpaceEpoch>> {
    let held = prop::collection::btree_map(space(), any::<u32>(), count);
    held.prop_map(|held| held.into_iter().map(|(space, epoch)| SpaceEpoch { space, epoch }).collect())
}

proptest! {
    #![proptest_config(config(128))]

    #[test]
    fn a_batch_reads_back_as_it_was_signed(
        head in head(),
        parts in prop::collection::vec(item(), 1..12),
        kept in any::<u16>(),
    ) {
        let signer = samples::device();
        let (items, bodies): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let batch = Batch::sign(head.clone(), items.clone(), bodies.clone(), &signer).expect("it fits");
        let whole = batch.encode(|_| true);
        let read = Batch::decode(&whole).expect("it was written so");
        prop_assert!(read.verify(&signer.public_key()).is_ok());
        prop_assert_eq!(read.head(), &head);
        prop_assert_eq!(read.items(), items.as_slice());
        prop_assert_eq!(read.bodies(), bodies.into_iter().map(Some).collect::<Vec<_>>());
        prop_assert_eq!(read.encode(|_| true), whole);

        let bytes = batch.encode(|index| kept >> index & 1 == 1);
        let read = Batch::decode(&bytes).expect("bodies may be left out");
        prop_assert!(read.verify(&signer.public_key()).is_ok());
        prop_assert_eq!(read.hash(), batch.hash());
        for (index, body) in read.bodies().iter().enumerate() {
            prop_assert_eq!(body.is_some(), kept >> index & 1 == 1);
        }
        prop_assert_eq!(read.encode(|_| true), bytes);
        let parts = (read.head_bytes().to_vec(), read.items_bytes().to_vec(), read.bodies().to_vec());
        let stored = Batch::from_parts(parts.0, parts.1, *read.signature(), parts.2).expect("a store kept it");
        prop_assert_eq!(stored, read);
    }

    #[test]
    fn an_entry_reads_back_as_it_was_signed(
        act in act(),
        author in prop_oneof![device().prop_map(Author::Device), public_key().prop_map(Author::Paper)],
        place in (prop::option::of(team()), any::<u64>(), hash()),
    ) {
        let signer = samples::device();
        let (team, seq, prev) = place;
        let body = EntryBody { v: VERSION, suite: SUITE, team, seq, prev, author, act };
        let entry = Entry::sign(body.clone(), &signer).expect("it fits");
        let read = Entry::decode(entry.bytes()).expect("it was written so");
        prop_assert!(read.verify(&signer.public_key()).is_ok());
        prop_assert_eq!(read.body(), &body);
        prop_assert_eq!(samples::signed_entry(&cbor::encode(read.body()), &signer), entry.bytes());
        prop_assert_eq!(read, entry);
    }

    #[test]
    fn a_statement_reads_back_as_it_was_signed(
        place in (team(), 1..=u32::MAX, gov()), label in any::<String>(), epochs in epochs(0..9),
    ) {
        let signer = samples::device();
        let (team, counter, gov) = place;
        let key = samples::xwing_public(&label);
        let body = PrekeyBody { team, counter, key, gov, epochs, ..samples::prekey_body(&signer) };
        let statement = PrekeyStatement::sign(body.clone(), &signer).expect("it fits");
        let read = PrekeyStatement::decode(statement.bytes()).expect("it was written so");
        prop_assert!(read.verify(&signer.public_key()).is_ok());
        prop_assert_eq!(read.body(), &body);
        prop_assert_eq!(samples::signed_statement(&cbor::encode(read.body()), &signer), statement.bytes());
    }

    #[test]
    fn a_seal_reads_back_as_it_was_signed(
        place in (team(), device(), any::<u32>(), gov()),
        epochs in epochs(1..9),
        encapsulation in bytes(XWING_ENCAPSULATION_BYTES),
        sealed in bytes(17..300),
    ) {
        let signer = samples::device();
        let (team, device, counter, gov) = place;
        let clear = samples::seal_body();
        let body = SealBody { team, device, counter, gov, epochs, encapsulation, sealed, ..clear };
        let seal = Seal::sign(body.clone(), &signer).expect("it fits");
        let read = Seal::decode(seal.bytes()).expect("it was written so");
        prop_assert!(read.verify(&signer.public_key()).is_ok());
        prop_assert_eq!(read.body(), &body);
        prop_assert_eq!(read.body().context(), seal.body().context());
        prop_assert_eq!(samples::signed_seal(&cbor::encode(read.body()), &signer), seal.bytes());
    }

    #[test]
    fn a_pack_reads_back_as_it_was_written(
        ids in prop::collection::btree_set(key_id(), 1..40), space in space(), epoch in any::<u32>(),
    ) {
        let sealed = samples::stream("pack", ids.len() * 32 + 16);
        let pack = Pack { v: VERSION, suite: SUITE, space, epoch, ids: ids.into_iter().collect(), sealed };
        let bytes = cbor::encode(&pack);
        let read = Pack::decode(&bytes).expect("it was written so");
        prop_assert_eq!(cbor::encode(&read), bytes);
        prop_assert_eq!(read, pack);
    }

    #[test]
    fn a_receipt_reads_back_as_it_was_signed(
        place in ((incarnation(), space(), device(), any::<u64>(), chain()), hash()),
        dead in prop::collection::btree_set(any::<u8>(), 0..20),
    ) {
        let ((incarnation, space, device, seq, at), batch) = place;
        let dead = dead.into_iter().collect();
        let signer = samples::server();
        let clear = samples::receipt_body();
        let body = ReceiptBody { incarnation, space, device, seq, batch, at, dead, ..clear };
        let receipt = Receipt::sign(body.clone(), &signer).expect("it fits");
        let read = Receipt::decode(receipt.bytes()).expect("it was written so");
        prop_assert!(read.verify(&signer.public_key()).is_ok());
        prop_assert_eq!(read.body(), &body);
        prop_assert_eq!(samples::signed_receipt(&cbor::encode(read.body()), &signer), receipt.bytes());
    }
}
