//! One value has one encoding: every other writing of the same value is refused, though its signature fits.

use minicbor::bytes::ByteVec;
use thicket_protocol::cbor;
use thicket_protocol::frame::{self, Reply, Request, Tips};
use thicket_protocol::governance::Entry;
use thicket_protocol::ids::Signature;
use thicket_protocol::keys::{Pack, PrekeyStatement, Seal};
use thicket_protocol::record::{Batch, Receipt};

use crate::samples;

/// A head of a canonical value: where it stands, how long it is, its major type and its argument.
struct HeadAt {
    at: usize,
    length: usize,
    major: u8,
    argument: u64,
}

/// Every head in canonical bytes, in order.
fn heads(bytes: &[u8]) -> Vec<HeadAt> {
    let (mut heads, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let (major, short) = (bytes[at] >> 5, bytes[at] & 0x1f);
        let length = match short {
            24 => 2,
            25 => 3,
            26 => 5,
            27 => 9,
            _ => 1,
        };
        let argument = match length {
            1 => u64::from(short),
            _ => bytes[at + 1..at + length].iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
        };
        let content =
            if matches!(major, 2 | 3) { usize::try_from(argument).expect("it lies in memory") } else { 0 };
        heads.push(HeadAt { at, length, major, argument });
        at += length + content;
    }
    heads
}

/// The end of the value that begins with head `index`, as an index of heads.
fn value_end(heads: &[HeadAt], index: usize) -> usize {
    let HeadAt { major, argument, .. } = heads[index];
    let inside = match major {
        4 => argument,
        5 => 2 * argument,
        _ => 0,
    };
    (0..inside).fold(index + 1, |next, _| value_end(heads, next))
}

fn replaced(bytes: &[u8], head: &HeadAt, with: &[u8]) -> Vec<u8> {
    [&bytes[..head.at], with, &bytes[head.at + head.length..]].concat()
}

/// The same value written otherwise, in every way that RFC 8949 allows at every place.
fn other_writings(bytes: &[u8]) -> Vec<Vec<u8>> {
    let heads = heads(bytes);
    let start = |index: usize| heads.get(index).map_or(bytes.len(), |head| head.at);
    let mut writings =
        vec![[bytes, &[0xf6]].concat(), [bytes, &[0]].concat(), [&[0xd9, 0xd9, 0xf7], bytes].concat()];
    for (index, head) in heads.iter().enumerate() {
        let kind = head.major << 5;
        for (short, width) in [(24, 1), (25, 2), (26, 4), (27, 8)] {
            if width + 1 > head.length && head.major != 7 {
                let argument = head.argument.to_be_bytes();
                writings.push(replaced(bytes, head, &[&[kind | short], &argument[8 - width..]].concat()));
            }
        }
        if matches!(head.major, 2..=5) {
            let end = match head.major {
                2 | 3 => start(index + 1),
                _ => start(value_end(&heads, index)),
            };
            let content = &bytes[head.at + head.length..end];
            // A byte string of indefinite length is made of pieces that have their own heads.
            let piece =
                if matches!(head.major, 2 | 3) { &bytes[head.at..head.at + head.length] } else { &[] };
            let whole = [&bytes[..head.at], &[kind | 0x1f], piece, content, &[0xff], &bytes[end..]].concat();
            writings.push(whole);
        }
        if head.major == 5 && head.argument >= 2 {
            let first = index + 1;
            let second = value_end(&heads, first + 1);
            let third = value_end(&heads, second + 1);
            let (first, second, third) = (start(first), start(second), start(third));
            // Two keys in the other order, then one key twice in the place of two.
            let (before, one, two, after) =
                (&bytes[..first], &bytes[first..second], &bytes[second..third], &bytes[third..]);
            writings.push([before, two, one, after].concat());
            writings.push([before, one, one, after].concat());
        }
    }
    writings
}

#[track_caller]
fn only_one_writing_is_taken(bytes: &[u8], accepts: impl Fn(&[u8]) -> bool) {
    assert!(accepts(bytes), "the canonical writing is accepted");
    let writings = other_writings(bytes);
    assert!(writings.len() > 10, "there are other writings");
    for writing in writings {
        assert_ne!(writing, bytes);
        assert!(!accepts(&writing), "{writing:02x?}");
    }
}

#[test]
fn another_writing_of_a_head_or_of_items_is_refused() {
    let (device, batch) = (samples::device(), samples::batch());
    let bodies = samples::items().1;
    only_one_writing_is_taken(batch.head_bytes(), |head| {
        Batch::decode(&samples::signed_batch(head, batch.items_bytes(), &bodies, &device)).is_ok()
    });
    only_one_writing_is_taken(batch.items_bytes(), |items| {
        Batch::decode(&samples::signed_batch(batch.head_bytes(), items, &bodies, &device)).is_ok()
    });
}

#[test]
fn another_writing_of_an_entrys_body_is_refused() {
    let device = samples::device();
    for (_, act) in samples::acts() {
        let body = cbor::encode(samples::entry(act).0.body());
        only_one_writing_is_taken(&body, |body| Entry::decode(&samples::signed_entry(body, &device)).is_ok());
    }
}

#[test]
fn another_writing_of_a_statement_or_a_seal_is_refused() {
    let device = samples::device();
    only_one_writing_is_taken(&cbor::encode(&samples::prekey_body(&device)), |body| {
        PrekeyStatement::decode(&samples::signed_statement(body, &device)).is_ok()
    });
    only_one_writing_is_taken(&cbor::encode(&samples::seal_body()), |body| {
        Seal::decode(&samples::signed_seal(body, &device)).is_ok()
    });
}

#[test]
fn another_writing_of_a_pack_or_a_receipt_is_refused() {
    only_one_writing_is_taken(&cbor::encode(&samples::pack()), |bytes| Pack::decode(bytes).is_ok());
    only_one_writing_is_taken(&cbor::encode(&samples::receipt_body()), |body| {
        Receipt::decode(&samples::signed_receipt(body, &samples::server())).is_ok()
    });
}

#[test]
fn another_writing_of_tips_is_refused() {
    only_one_writing_is_taken(&cbor::encode(&samples::tips_body()), |body| {
        Tips::decode(&samples::signed_tips(body, &samples::server())).is_ok()
    });
}

#[test]
fn another_writing_of_a_frame_is_refused() {
    for (_, request) in samples::requests() {
        only_one_writing_is_taken(&frame::encode(&request), |bytes| frame::decode::<Request>(bytes).is_ok());
    }
    for (_, reply) in samples::replies() {
        only_one_writing_is_taken(&frame::encode(&reply), |bytes| frame::decode::<Reply>(bytes).is_ok());
    }
}

#[test]
fn another_writing_of_an_envelope_is_refused() {
    let entry = samples::entry(samples::acts().remove(0).1).0;
    let seal = Seal::sign(samples::seal_body(), &samples::device()).expect("the sample fits its format");
    for (bytes, accepts) in [
        (samples::batch().encode(|_| true), (|bytes| Batch::decode(bytes).is_ok()) as fn(&[u8]) -> bool),
        (entry.bytes().to_vec(), |bytes| Entry::decode(bytes).is_ok()),
        (samples::statement(&samples::device()).bytes().to_vec(), |bytes| {
            PrekeyStatement::decode(bytes).is_ok()
        }),
        (seal.bytes().to_vec(), |bytes| Seal::decode(bytes).is_ok()),
        (samples::receipt().bytes().to_vec(), |bytes| Receipt::decode(bytes).is_ok()),
        (samples::tips().bytes().to_vec(), |bytes| Tips::decode(bytes).is_ok()),
    ] {
        only_one_writing_is_taken(&bytes, accepts);
    }
}

/// Nothing signs what stands behind the signature: an envelope has its parts and no more.
#[test]
fn an_envelope_with_a_part_too_many_is_refused() {
    let longer = |bytes: &[u8]| [&[bytes[0] + 1], &bytes[1..], &[0x00]].concat();
    let device = samples::device();
    assert!(Batch::decode(&longer(&samples::batch().encode(|_| true))).is_err());
    assert!(Entry::decode(&longer(samples::entry(samples::acts().remove(0).1).0.bytes())).is_err());
    assert!(PrekeyStatement::decode(&longer(samples::statement(&device).bytes())).is_err());
    let seal = Seal::sign(samples::seal_body(), &device).expect("the sample fits its format");
    assert!(Seal::decode(&longer(seal.bytes())).is_err());
    assert!(Receipt::decode(&longer(samples::receipt().bytes())).is_err());
    assert!(Tips::decode(&longer(samples::tips().bytes())).is_err());
}

#[test]
fn an_envelope_with_a_part_too_few_is_refused() {
    let body = ByteVec::from(cbor::encode(samples::entry(samples::acts().remove(0).1).0.body()));
    assert!(Entry::decode(&cbor::encode(&[body])).is_err());
    let (head, items) = (samples::batch().head_bytes().to_vec(), samples::batch().items_bytes().to_vec());
    let signature: Signature = *samples::batch().signature();
    assert!(Batch::decode(&cbor::encode(&(ByteVec::from(head), ByteVec::from(items), signature))).is_err());
}
