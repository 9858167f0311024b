//! Keys that this version does not know: they are signed, kept to the byte, and in nobody's way.

use proptest::prelude::*;
use thicket_protocol::cbor::{self, CborError, DEPTH_MAX};
use thicket_protocol::frame::{self, Request, Tips};
use thicket_protocol::governance::{Act, Entry, EntryError};
use thicket_protocol::keys::{KeyError, Pack, PrekeyStatement, Seal};
use thicket_protocol::record::{Batch, Receipt, RecordError};

use crate::round_trip::config;
use crate::samples;

/// The head of a value with this major type and argument, as short as it can be.
fn header(major: u8, argument: u64) -> Vec<u8> {
    let bytes = argument.to_be_bytes();
    let (short, width) = match argument {
        0..24 => return vec![(major << 5) | bytes[7]],
        24..0x100 => (24, 1),
        0x100..0x1_0000 => (25, 2),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 8),
    };
    [&[(major << 5) | short], &bytes[8 - width..]].concat()
}

fn counted(major: u8, count: usize, content: &[u8]) -> Vec<u8> {
    [&header(major, u64::try_from(count).expect("counts are small")), content].concat()
}

/// Any canonical value, encoded, nested up to four deep.
fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(|number| header(0, number)),
        any::<u64>().prop_map(|number| header(1, number)),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| counted(2, bytes.len(), &bytes)),
        any::<String>().prop_map(|text| counted(3, text.len(), text.as_bytes())),
        (20_u8..=22).prop_map(|simple| vec![0xe0 | simple]),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|values| counted(
                4,
                values.len(),
                &values.concat()
            )),
            prop::collection::btree_map(any::<u64>(), inner, 0..6).prop_map(|map| {
                let pairs: Vec<u8> =
                    map.iter().flat_map(|(key, value)| [header(0, *key), value.clone()].concat()).collect();
                counted(5, map.len(), &pairs)
            }),
        ]
    })
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn an_unknown_key_of_a_head_survives(value in any_value()) {
        let (device, batch) = (samples::device(), samples::batch());
        let head = samples::with_key_99(batch.head_bytes(), &value);
        let bytes = samples::signed_batch(&head, batch.items_bytes(), &samples::items().1, &device);
        let read = Batch::decode(&bytes).expect("an unknown key is no error");
        prop_assert!(read.verify(&device.public_key()).is_ok());
        prop_assert_eq!(read.head(), batch.head());
        prop_assert_eq!(read.head_bytes(), head.as_slice());
        prop_assert_ne!(read.hash(), batch.hash());
        prop_assert_eq!(read.encode(|_| true), bytes);
    }

    #[test]
    fn an_unknown_key_of_an_entry_survives(value in any_value(), which in 0..samples::acts().len()) {
        let device = samples::device();
        let entry = samples::entry(samples::acts().remove(which).1).0;
        let bytes = samples::signed_entry(&samples::with_key_99(&cbor::encode(entry.body()), &value), &device);
        let read = Entry::decode(&bytes).expect("an unknown key is no error");
        prop_assert!(read.verify(&device.public_key()).is_ok());
        prop_assert_eq!(read.body(), entry.body());
        prop_assert_ne!(read.hash(), entry.hash());
        prop_assert_eq!(read.bytes(), bytes.as_slice());
    }

    #[test]
    fn an_unknown_key_of_an_act_survives(value in any_value()) {
        let device = samples::device();
        let entry = samples::entry(Act::Close { notebook: samples::NOTEBOOK }).0;
        // The act stands last in the body, and its map, of one id, last in the act.
        let body = cbor::encode(entry.body());
        let (before, act) = body.split_at(body.len() - 19);
        let body = [before, &samples::with_key_99(act, &value)].concat();
        let bytes = samples::signed_entry(&body, &device);
        let read = Entry::decode(&bytes).expect("an unknown key is no error");
        prop_assert!(read.verify(&device.public_key()).is_ok());
        prop_assert_eq!(read.body(), entry.body());
        prop_assert_eq!(read.bytes(), bytes.as_slice());
    }

    #[test]
    fn an_unknown_key_of_a_statement_or_a_seal_survives(value in any_value()) {
        let device = samples::device();
        let body = cbor::encode(&samples::prekey_body(&device));
        let bytes = samples::signed_statement(&samples::with_key_99(&body, &value), &device);
        let read = PrekeyStatement::decode(&bytes).expect("an unknown key is no error");
        prop_assert!(read.verify(&device.public_key()).is_ok());
        prop_assert_eq!(read.body(), &samples::prekey_body(&device));
        prop_assert_eq!(read.bytes(), bytes.as_slice());

        let body = cbor::encode(&samples::seal_body());
        let bytes = samples::signed_seal(&samples::with_key_99(&body, &value), &device);
        let read = Seal::decode(&bytes).expect("an unknown key is no error");
        prop_assert!(read.verify(&device.public_key()).is_ok());
        prop_assert_eq!(read.body(), &samples::seal_body());
        prop_assert_eq!(read.bytes(), bytes.as_slice());
    }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn an_unknown_key_of_a_receipt_or_of_tips_survives(value in any_value()) {
        let server = samples::server();
        let body = samples::with_key_99(&cbor::encode(&samples::receipt_body()), &value);
        let bytes = samples::signed_receipt(&body, &server);
        let read = Receipt::decode(&bytes).expect("an unknown key is no error");
        prop_assert!(read.verify(&server.public_key()).is_ok());
        prop_assert_eq!((read.body(), read.bytes()), (&samples::receipt_body(), bytes.as_slice()));

        let body = samples::with_key_99(&cbor::encode(&samples::tips_body()), &value);
        let bytes = samples::signed_tips(&body, &server);
        let read = Tips::decode(&bytes).expect("an unknown key is no error");
        prop_assert!(read.verify(&server.public_key()).is_ok());
        prop_assert_eq!((read.body(), read.bytes()), (&samples::tips_body(), bytes.as_slice()));
    }

    #[test]
    fn an_unknown_key_of_a_frame_is_passed_over(value in any_value()) {
        let request = Request::PullGov { from: 8 };
        let bytes = frame::encode(&request);
        let (variant, map) = bytes.split_at(2);
        let bytes = [variant, &samples::with_key_99(map, &value)].concat();
        prop_assert_eq!(frame::decode::<Request>(&bytes).expect("an unknown key is no error"), request);
    }
}

/// A later version may add to a place or to an item; the pair of a variant's number and content stays a pair.
#[test]
fn an_array_inside_signed_bytes_may_be_longer_unless_it_is_a_variant() {
    let device = samples::device();
    let entry = samples::entry(Act::Close { notebook: samples::NOTEBOOK }).0;
    let body = cbor::encode(entry.body());
    // The body ends with the act: [12, {0: notebook}].
    let (before, act) = body.split_at(body.len() - 21);
    assert_eq!(act[..2], [0x82, 12]);
    let longer = [before, &[0x83], &act[1..], &[0x00]].concat();
    assert!(Entry::decode(&samples::signed_entry(&longer, &device)).is_err());

    let body = cbor::encode(&samples::prekey_body(&device));
    // The body ends with an epoch: [space, 1].
    let (before, epoch) = body.split_at(body.len() - 19);
    assert_eq!(epoch[..2], [0x82, 0x50]);
    let bytes = samples::signed_statement(&[before, &[0x83], &epoch[1..], &[0x00]].concat(), &device);
    let read = PrekeyStatement::decode(&bytes).expect("an unknown element is no error");
    assert!(read.verify(&device.public_key()).is_ok());
    assert_eq!((read.body(), read.bytes()), (&samples::prekey_body(&device), bytes.as_slice()));
}

/// An unknown key is signed like every other: taken out again, the signature no longer fits.
#[test]
fn an_unknown_key_cannot_be_taken_out_or_put_in_unseen() {
    let device = samples::device();
    let body = cbor::encode(&samples::prekey_body(&device));
    let longer = samples::with_key_99(&body, &[0x00]);
    for (sealed, shown) in [(&body, &longer), (&longer, &body)] {
        let signed = samples::signed_statement(sealed, &device);
        let signature = &signed[signed.len() - 66..];
        let envelope = [&counted(2, shown.len(), shown), signature].concat();
        let swapped =
            PrekeyStatement::decode(&[&[0x82], envelope.as_slice()].concat()).expect("the form is right");
        assert!(swapped.verify(&device.public_key()).is_err());
    }
}

#[test]
fn an_unknown_value_nests_as_deep_as_the_limit_and_no_deeper() {
    let (device, batch) = (samples::device(), samples::batch());
    let decode = |depth: usize| {
        let value = [vec![0x81; depth - 1], vec![0x00]].concat();
        let head = samples::with_key_99(batch.head_bytes(), &value);
        Batch::decode(&samples::signed_batch(&head, batch.items_bytes(), &samples::items().1, &device))
    };
    decode(DEPTH_MAX - 1).expect("the map of the head is the first level");
    assert!(matches!(decode(DEPTH_MAX), Err(RecordError::Cbor(CborError::TooDeep))));
}

#[test]
fn a_later_version_or_suite_is_named_and_not_read() {
    let (device, batch) = (samples::device(), samples::batch());
    // Version and suite are the first two values of every map: a_ 00 v 01 suite.
    let changed = |map: &[u8], v: u8, suite: u8| [&map[..2], &[v, 0x01, suite], &map[5..]].concat();
    for (version, of) in [(0, 1), (2, 1), (1, 0), (1, 2)] {
        let head = changed(batch.head_bytes(), version, of);
        let bytes = samples::signed_batch(&head, batch.items_bytes(), &samples::items().1, &device);
        assert!(
            matches!(Batch::decode(&bytes), Err(RecordError::Version { v, suite }) if (v, suite) == (version, of))
        );
        let body = cbor::encode(samples::entry(samples::acts().remove(0).1).0.body());
        let bytes = samples::signed_entry(&changed(&body, version, of), &device);
        assert!(
            matches!(Entry::decode(&bytes), Err(EntryError::Version { v, suite }) if (v, suite) == (version, of))
        );
        let named = |error: KeyError| {
            assert!(
                matches!(error, KeyError::Version { v, suite } if (v, suite) == (version, of)),
                "{error}"
            );
        };
        let body = changed(&cbor::encode(&samples::receipt_body()), version, of);
        assert!(
            matches!(Receipt::decode(&samples::signed_receipt(&body, &device)), Err(RecordError::Version { v, suite }) if (v, suite) == (version, of))
        );
        let body = changed(&cbor::encode(&samples::tips_body()), version, of);
        assert!(Tips::decode(&samples::signed_tips(&body, &device)).is_err());
        let body = changed(&cbor::encode(&samples::prekey_body(&device)), version, of);
        named(
            PrekeyStatement::decode(&samples::signed_statement(&body, &device)).expect_err("another version"),
        );
        let body = changed(&cbor::encode(&samples::seal_body()), version, of);
        named(Seal::decode(&samples::signed_seal(&body, &device)).expect_err("another version"));
        named(
            Pack::decode(&changed(&cbor::encode(&samples::pack()), version, of))
                .expect_err("another version"),
        );
    }
}

/// What this Thicket would refuse to read, it does not sign.
#[test]
fn a_head_of_another_version_is_not_signed() {
    let (items, bodies) = samples::items();
    let mut head = samples::head();
    head.v = 2;
    let signed = Batch::sign(head, items, bodies, &samples::device());
    assert!(matches!(signed, Err(RecordError::Version { v: 2, suite: 1 })));
}
