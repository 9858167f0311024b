//! Every limit: what stands at it is taken, what stands one past it is refused.

use thicket_protocol::cbor;
use thicket_protocol::governance::{Act, Entry, EntryError, ShredList};
use thicket_protocol::ids::{DocTag, Hash, KeyId, SpaceId};
use thicket_protocol::keys::{
    KeyError, Pack, PrekeyBody, PrekeyStatement, Seal, SealBody, SpaceEpoch, check_xwing_public,
};
use thicket_protocol::limits::{
    BATCH_BYTES_MAX, BATCH_ITEMS_MAX, BODY_BYTES_MAX, COVERS_MAX, ENTRY_BYTES_MAX, HEAD_AND_ITEMS_BYTES_MAX,
    PACK_KEYS_MAX, SEAL_EPOCHS_MAX, TAG_BYTES, XWING_ENCAPSULATION_BYTES, XWING_PUBLIC_BYTES,
};
use thicket_protocol::record::{
    Batch, BodyParts, ChainPoint, Head, Item, ItemKind, ItemRef, Receipt, ReceiptBody, RecordError,
};

use crate::samples;

fn batch_of(bodies: Vec<Vec<u8>>) -> Result<Batch, RecordError> {
    let item = |body: &Vec<u8>| samples::item(DocTag::EVENT, ItemKind::Event, body, Vec::new());
    let items = bodies.iter().map(item).collect();
    Batch::sign(samples::head(), items, bodies, &samples::device())
}

/// An encoded byte string of this length, whose header has five bytes.
fn long_bytes(length: usize) -> Vec<u8> {
    assert!(length > 0xffff, "the header has five bytes");
    let header = u32::try_from(length).expect("it fits in memory").to_be_bytes();
    [&[0x5a], header.as_slice(), &vec![0; length]].concat()
}

/// An encoded byte string of this length, whose header has three bytes.
fn middling_bytes(length: usize) -> Vec<u8> {
    let header = u16::try_from(length).expect("at most 65,535 bytes").to_be_bytes();
    assert!(length > 0xff, "the header has three bytes");
    [&[0x59], header.as_slice(), &vec![0; length]].concat()
}

#[test]
fn a_batch_has_1_to_256_items() {
    let small = |count: usize| batch_of(vec![vec![0; 19]; count]);
    assert!(matches!(small(0), Err(RecordError::TooLarge("items"))));
    let full = small(BATCH_ITEMS_MAX).expect("at the limit");
    assert_eq!(Batch::decode(&full.encode(|_| true)).expect("at the limit").items().len(), 256);
    assert!(matches!(small(BATCH_ITEMS_MAX + 1), Err(RecordError::TooLarge("items"))));
}

#[test]
fn head_and_items_have_at_most_64_kib_together() {
    let (device, batch) = (samples::device(), samples::batch());
    let (head, items, bodies) = (batch.head_bytes(), batch.items_bytes(), samples::items().1);
    let room = HEAD_AND_ITEMS_BYTES_MAX - items.len() - head.len() - 2 - 3;
    let decode = |padding: usize| {
        let head = samples::with_key_99(head, &middling_bytes(padding));
        let parts = bodies.iter().cloned().map(Some).collect();
        let bytes = samples::signed_batch(&head, items, &bodies, &device);
        let stored = Batch::from_parts(head, items.to_vec(), *batch.signature(), parts);
        (Batch::decode(&bytes), stored)
    };
    let (read, stored) = decode(room);
    let read = read.expect("at the limit");
    read.verify(&device.public_key()).expect("at the limit");
    assert_eq!(read.head_bytes().len() + read.items_bytes().len(), HEAD_AND_ITEMS_BYTES_MAX);
    stored.expect("at the limit");
    let (read, stored) = decode(room + 1);
    assert!(matches!(read, Err(RecordError::TooLarge("head and items"))));
    assert!(matches!(stored, Err(RecordError::TooLarge("head and items"))));
}

#[test]
fn too_many_covered_items_for_64_kib_are_not_signed() {
    let covers = vec![ItemRef { device: samples::id_of(&samples::device()), seq: 1, index: 0 }; COVERS_MAX];
    let item = samples::item(DocTag::EVENT, ItemKind::Full, &[0; 19], covers);
    let sign = |count: usize| {
        Batch::sign(samples::head(), vec![item.clone(); count], vec![vec![0; 19]; count], &samples::device())
    };
    sign(6).expect("some 60 KiB");
    assert!(matches!(sign(7), Err(RecordError::TooLarge("head and items"))));
}

/// Bodies that make a batch of exactly `length` bytes.
fn bodies_for(length: usize) -> Vec<Vec<u8>> {
    let first = vec![0; BODY_BYTES_MAX / 2];
    let with = |second: usize| batch_of(vec![first.clone(), vec![0; second]]).expect("within the limit");
    let second = 0x1_0000;
    let second = second + length - with(second).encode(|_| true).len();
    vec![first, vec![0; second]]
}

#[test]
fn a_batch_has_at_most_1_mib() {
    let full = batch_of(bodies_for(BATCH_BYTES_MAX)).expect("at the limit").encode(|_| true);
    assert_eq!(full.len(), BATCH_BYTES_MAX);
    Batch::decode(&full).expect("at the limit");

    let (device, bodies) = (samples::device(), bodies_for(BATCH_BYTES_MAX + 1));
    let item = |body: &Vec<u8>| samples::item(DocTag::EVENT, ItemKind::Event, body, Vec::new());
    let items = cbor::encode(&bodies.iter().map(item).collect::<Vec<_>>());
    let over = samples::signed_batch(&cbor::encode(&samples::head()), &items, &bodies, &device);
    assert_eq!(over.len(), BATCH_BYTES_MAX + 1);
    assert!(matches!(Batch::decode(&over), Err(RecordError::TooLarge("a batch's bytes"))));
}

/// A batch that every reader refuses would break its device's chain for good.
#[test]
fn a_batch_over_1_mib_is_not_signed() {
    let signed = batch_of(bodies_for(BATCH_BYTES_MAX + 1));
    assert!(matches!(signed, Err(RecordError::TooLarge("a batch's bytes"))));
}

#[test]
fn a_body_has_at_most_968_kib() {
    let full = batch_of(vec![vec![0; BODY_BYTES_MAX]]).expect("at the limit");
    Batch::decode(&full.encode(|_| true)).expect("at the limit");
    let over = batch_of(vec![vec![0; BODY_BYTES_MAX + 1]]);
    assert!(matches!(over, Err(RecordError::TooLarge("a body's bytes"))));
}

#[test]
fn a_body_that_is_left_out_keeps_to_the_limit_too() {
    let batch = samples::batch();
    let read = |body_len: usize| {
        let mut items = batch.items().to_vec();
        items[0].body_len = u32::try_from(body_len).expect("under 4 GiB");
        let bodies = vec![None; items.len()];
        Batch::from_parts(batch.head_bytes().to_vec(), cbor::encode(&items), *batch.signature(), bodies)
    };
    read(BODY_BYTES_MAX).expect("at the limit");
    assert!(matches!(read(BODY_BYTES_MAX + 1), Err(RecordError::TooLarge("a body's bytes"))));
}

#[test]
fn a_full_save_covers_at_most_512_items_and_nothing_else_covers_any() {
    let sign = |kind: ItemKind, count: usize| {
        let covers = vec![ItemRef { device: samples::id_of(&samples::device()), seq: 1, index: 0 }; count];
        let item = samples::item(DocTag::EVENT, kind, &[0; 19], covers);
        Batch::sign(samples::head(), vec![item], vec![vec![0; 19]], &samples::device())
    };
    sign(ItemKind::Full, COVERS_MAX).expect("at the limit");
    assert!(matches!(sign(ItemKind::Full, COVERS_MAX + 1), Err(RecordError::TooLarge("covered items"))));
    for kind in [ItemKind::Delta, ItemKind::Event, ItemKind::Blob, ItemKind::Checkpoint] {
        sign(kind, 0).expect("covers nothing");
        assert!(matches!(sign(kind, 1), Err(RecordError::Contradiction(_))), "{kind:?}");
    }
}

/// Spoils one thing of a batch before it is signed.
type Change = fn(&mut Head, &mut Vec<Item>, &mut Vec<Vec<u8>>);

#[test]
fn a_batch_that_contradicts_itself_is_refused() {
    let sign = |change: Change| {
        let (mut head, (mut items, mut bodies)) = (samples::head(), samples::items());
        change(&mut head, &mut items, &mut bodies);
        Batch::sign(head, items, bodies, &samples::device())
    };
    sign(|_, _, _| ()).expect("unchanged");
    sign(|head, _, _| (head.seq, head.prev) = (1, Hash::ZERO)).expect("a first batch follows nothing");
    let contradictions: [Change; 5] = [
        |head, _, _| (head.seq, head.prev) = (0, Hash::ZERO),
        |head, _, _| head.seq = 0,
        |head, _, _| head.seq = 1,
        |head, _, _| head.prev = Hash::ZERO,
        |_, _, bodies| drop(bodies.pop()),
    ];
    for change in contradictions {
        assert!(matches!(sign(change), Err(RecordError::Contradiction(_))));
    }
    let wrong_bodies: [Change; 3] = [
        |_, items, _| items[1].body_len += 1,
        |_, items, _| items[1].body_hash = Hash::ZERO,
        |_, _, bodies| bodies[1].push(0),
    ];
    for change in wrong_bodies {
        assert!(matches!(sign(change), Err(RecordError::WrongBody { index: 1 })));
    }
}

#[test]
fn a_body_comes_apart_where_its_length_says() {
    let parts = BodyParts { people: &[1; TAG_BYTES + 1], sealed: &[2; TAG_BYTES + 1] };
    assert_eq!(BodyParts::split(&parts.join()).expect("both are one past the tag"), parts);
    let event = BodyParts { people: &[], sealed: &[2; TAG_BYTES + 1] };
    assert_eq!(BodyParts::split(&event.join()).expect("an event names nobody"), event);
    for refused in [
        BodyParts { people: &[1; TAG_BYTES], sealed: &[2; TAG_BYTES + 1] },
        BodyParts { people: &[1], sealed: &[2; TAG_BYTES + 1] },
        BodyParts { people: &[], sealed: &[2; TAG_BYTES] },
        BodyParts { people: &[1; TAG_BYTES + 1], sealed: &[] },
    ] {
        assert!(matches!(BodyParts::split(&refused.join()), Err(RecordError::BodyShape)), "{refused:?}");
    }
    for short in [&[][..], &[0], &[0, 0], &[0, 1], &[0xff; 40]] {
        assert!(matches!(BodyParts::split(short), Err(RecordError::BodyShape)), "{short:?}");
    }
}

#[test]
fn a_chain_at_the_end_of_the_numbers_still_moves_its_root() {
    let last = ChainPoint { pos: u64::MAX, root: Hash::ZERO };
    let next = last.next(&samples::hash(1));
    assert_eq!(next.pos, u64::MAX);
    assert_ne!(next.root, last.root);
}

#[test]
fn an_entry_has_at_most_256_kib() {
    let (device, body) =
        (samples::device(), cbor::encode(samples::entry(Act::Epoch { turns: Vec::new() }).0.body()));
    let entry =
        |padding: usize| samples::signed_entry(&samples::with_key_99(&body, &long_bytes(padding)), &device);
    let room = ENTRY_BYTES_MAX - (entry(0x1_0000).len() - 0x1_0000);
    let full = entry(room);
    assert_eq!(full.len(), ENTRY_BYTES_MAX);
    Entry::decode(&full).expect("at the limit").verify(&device.public_key()).expect("at the limit");
    assert!(matches!(Entry::decode(&entry(room + 1)), Err(EntryError::TooLarge)));
}

#[test]
fn a_list_too_long_for_an_entry_is_not_signed() {
    let id = |held: SpaceEpoch| KeyId::from_bytes(*held.space.as_bytes());
    let ids = |count: usize| Act::Shred {
        ids: ShredList::Here(many_epochs(count).into_iter().map(id).collect()),
        turns: Vec::new(),
    };
    let sign = |count: usize| {
        let author = samples::entry(Act::Close { notebook: samples::NOTEBOOK }).0.body().author;
        Entry::next(samples::TEAM, samples::GOV, author, ids(count), &samples::device())
    };
    sign(15_000).expect("255,000 bytes");
    assert!(matches!(sign(15_500), Err(EntryError::TooLarge)));
}

#[test]
fn the_ids_of_a_shred_ascend() {
    let author = samples::entry(Act::Close { notebook: samples::NOTEBOOK }).0.body().author;
    let sign = |ids: &[u8]| {
        let ids = ShredList::Here(ids.iter().map(|id| samples::key_id(*id)).collect());
        let act = Act::Shred { ids, turns: Vec::new() };
        Entry::next(samples::TEAM, samples::GOV, author, act, &samples::device())
    };
    sign(&[1, 2, 3]).expect("ascending");
    for refused in [&[1, 1][..], &[2, 1], &[1, 3, 2]] {
        assert!(matches!(sign(refused), Err(EntryError::Shape(_))), "{refused:?}");
    }
}

#[test]
fn an_entry_after_the_last_number_does_not_panic() {
    let head = thicket_protocol::record::GovPoint { seq: u64::MAX, hash: Hash::ZERO };
    let author = samples::entry(Act::Close { notebook: samples::NOTEBOOK }).0.body().author;
    let act = Act::Close { notebook: samples::NOTEBOOK };
    let entry = Entry::next(samples::TEAM, head, author, act, &samples::device()).expect("the form is right");
    assert_eq!(entry.body().seq, u64::MAX);
}

#[test]
fn the_dead_bodies_of_a_receipt_ascend() {
    let sign = |dead: &[u8]| {
        Receipt::sign(ReceiptBody { dead: dead.to_vec(), ..samples::receipt_body() }, &samples::server())
    };
    for fine in [&[][..], &[0], &[0, 1, 255]] {
        sign(fine).expect("ascending");
    }
    for refused in [&[0, 0][..], &[1, 0]] {
        assert!(matches!(sign(refused), Err(RecordError::Contradiction(_))));
    }
}

#[test]
fn a_prekey_is_an_x_wing_key_to_which_somebody_can_seal() {
    let good = samples::xwing_public("prekey");
    assert_eq!(good.len(), XWING_PUBLIC_BYTES);
    check_xwing_public(&good).expect("every coefficient is reduced");
    let refused = |key: &[u8]| assert!(matches!(check_xwing_public(key), Err(KeyError::UnusablePrekey)));
    refused(&[]);
    refused(&good[..XWING_PUBLIC_BYTES - 1]);
    refused(&[good.as_slice(), &[1]].concat());
    refused(&[&good[..XWING_PUBLIC_BYTES - 32], &[0; 32]].concat());
    // The lower coefficient of three bytes, then the upper: 3,328 is the last that is reduced.
    for at in [0, 573, 1_149] {
        let with = |three: [u8; 3]| [&good[..at], &three, &good[at + 3..]].concat();
        check_xwing_public(&with([0x00, 0x0d, 0x00])).expect("3,328 below");
        check_xwing_public(&with([0x00, 0x00, 0xd0])).expect("3,328 above");
        refused(&with([0x01, 0x0d, 0x00]));
        refused(&with([0x00, 0x10, 0xd0]));
    }
    let body = PrekeyBody { key: vec![0xff; XWING_PUBLIC_BYTES], ..samples::prekey_body(&samples::device()) };
    assert!(matches!(PrekeyStatement::sign(body, &samples::device()), Err(KeyError::UnusablePrekey)));
}

pub(crate) fn many_epochs(count: usize) -> Vec<SpaceEpoch> {
    let space = |n: usize| {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&u64::try_from(n).expect("counts are small").to_be_bytes());
        SpaceEpoch { space: SpaceId::from_bytes(id), epoch: 1 }
    };
    (0..count).map(space).collect()
}

#[test]
fn a_statement_holds_at_most_1024_epochs_ascending() {
    let sign = |epochs: Vec<SpaceEpoch>| {
        let device = samples::device();
        PrekeyStatement::sign(PrekeyBody { epochs, ..samples::prekey_body(&device) }, &device)
    };
    sign(Vec::new()).expect("a new device holds none");
    sign(many_epochs(SEAL_EPOCHS_MAX)).expect("at the limit");
    for refused in [
        many_epochs(SEAL_EPOCHS_MAX + 1),
        many_epochs(2).into_iter().rev().collect(),
        many_epochs(1).repeat(2),
    ] {
        assert!(matches!(sign(refused), Err(KeyError::Shape(_))));
    }
}

#[test]
fn the_counters_of_statements_begin_at_1() {
    let sign = |counter: u32| {
        let device = samples::device();
        PrekeyStatement::sign(PrekeyBody { counter, ..samples::prekey_body(&device) }, &device)
    };
    sign(1).expect("the first");
    sign(u32::MAX).expect("the last");
    assert!(matches!(sign(0), Err(KeyError::Shape(_))));
}

#[test]
fn a_seal_carries_1_to_1024_epochs_ascending() {
    let sign =
        |epochs: Vec<SpaceEpoch>| Seal::sign(SealBody { epochs, ..samples::seal_body() }, &samples::device());
    sign(many_epochs(1)).expect("at the limit");
    sign(many_epochs(SEAL_EPOCHS_MAX)).expect("at the limit");
    for refused in [
        Vec::new(),
        many_epochs(SEAL_EPOCHS_MAX + 1),
        many_epochs(2).into_iter().rev().collect(),
        many_epochs(1).repeat(2),
    ] {
        assert!(matches!(sign(refused), Err(KeyError::Shape(_))));
    }
}

#[test]
fn a_seal_has_one_encapsulation_and_more_than_a_tag() {
    let sign = |encapsulation: usize, sealed: usize| {
        let (encapsulation, sealed) = (vec![1; encapsulation], vec![2; sealed]);
        Seal::sign(SealBody { encapsulation, sealed, ..samples::seal_body() }, &samples::device())
    };
    sign(XWING_ENCAPSULATION_BYTES, TAG_BYTES + 1).expect("at the limit");
    for (encapsulation, sealed) in [
        (XWING_ENCAPSULATION_BYTES - 1, TAG_BYTES + 1),
        (XWING_ENCAPSULATION_BYTES + 1, TAG_BYTES + 1),
        (XWING_ENCAPSULATION_BYTES, TAG_BYTES),
        (XWING_ENCAPSULATION_BYTES, 0),
    ] {
        assert!(matches!(sign(encapsulation, sealed), Err(KeyError::Shape(_))));
    }
}

#[test]
fn a_pack_has_1_to_256_keys_ascending_and_as_many_sealed() {
    let ids = |count: usize| -> Vec<KeyId> {
        many_epochs(count).into_iter().map(|held| KeyId::from_bytes(*held.space.as_bytes())).collect()
    };
    let decode = |ids: Vec<KeyId>, sealed: usize| {
        Pack::decode(&cbor::encode(&Pack { ids, sealed: vec![0; sealed], ..samples::pack() }))
    };
    let sealed = |count: usize| count * 32 + TAG_BYTES;
    decode(ids(1), sealed(1)).expect("at the limit");
    decode(ids(PACK_KEYS_MAX), sealed(PACK_KEYS_MAX)).expect("at the limit");
    for (ids, sealed) in [
        (Vec::new(), sealed(0)),
        (ids(PACK_KEYS_MAX + 1), sealed(PACK_KEYS_MAX + 1)),
        (ids(2).into_iter().rev().collect(), sealed(2)),
        (ids(1).repeat(2), sealed(2)),
        (ids(2), sealed(2) - 1),
        (ids(2), sealed(2) + 1),
    ] {
        assert!(matches!(decode(ids, sealed), Err(KeyError::Shape(_))));
    }
}
