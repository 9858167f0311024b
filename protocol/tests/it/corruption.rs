//! No single byte of anything signed can be changed unseen.

use thicket_protocol::governance::Entry;
use thicket_protocol::keys::{PrekeyStatement, Seal};
use thicket_protocol::record::{Batch, Receipt};

use crate::samples;

/// Every bit alone, and all of them.
const FLIPS: [u8; 9] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff];

/// Changes every byte in turn, cuts the bytes short at every length, and asks that all of it is refused.
#[track_caller]
fn refused_when_changed(bytes: &[u8], accepts: impl Fn(&[u8]) -> bool) {
    assert!(accepts(bytes), "unchanged it is accepted");
    let mut changed = bytes.to_vec();
    for at in 0..bytes.len() {
        for flip in FLIPS {
            changed[at] ^= flip;
            assert!(!accepts(&changed), "byte {at} of {} changed by {flip:02x} goes unseen", bytes.len());
            changed[at] ^= flip;
        }
        assert!(!accepts(&bytes[..at]), "cut at {at} of {}", bytes.len());
    }
}

#[test]
fn every_changed_byte_of_a_batch_is_refused() {
    let key = samples::device().public_key();
    let accepts = |bytes: &[u8]| Batch::decode(bytes).is_ok_and(|batch| batch.verify(&key).is_ok());
    refused_when_changed(&samples::batch().encode(|_| true), accepts);
    refused_when_changed(&samples::batch().encode(|index| index == 2), accepts);
}

#[test]
fn every_changed_byte_of_an_entry_is_refused() {
    for (name, act) in samples::acts() {
        // The two entries that carry a statement are as good as one here; the statement has its own test.
        if name == "device_add" {
            continue;
        }
        let (entry, key) = samples::entry(act);
        refused_when_changed(entry.bytes(), |bytes| {
            Entry::decode(bytes).is_ok_and(|entry| entry.verify(&key).is_ok())
        });
    }
}

#[test]
fn every_changed_byte_of_a_statement_is_refused() {
    let key = samples::device().public_key();
    refused_when_changed(samples::statement(&samples::device()).bytes(), |bytes| {
        PrekeyStatement::decode(bytes).is_ok_and(|statement| statement.verify(&key).is_ok())
    });
}

#[test]
fn every_changed_byte_of_a_seal_is_refused() {
    let device = samples::device();
    let seal = Seal::sign(samples::seal_body(), &device).expect("the sample fits its format");
    refused_when_changed(seal.bytes(), |bytes| {
        Seal::decode(bytes).is_ok_and(|seal| seal.verify(&device.public_key()).is_ok())
    });
}

#[test]
fn every_changed_byte_of_a_receipt_is_refused() {
    let key = samples::server().public_key();
    refused_when_changed(samples::receipt().bytes(), |bytes| {
        Receipt::decode(bytes).is_ok_and(|receipt| receipt.verify(&key).is_ok())
    });
}

#[test]
fn another_devices_key_verifies_nothing() {
    let (device, other) = (samples::device(), samples::colleague().public_key());
    assert!(samples::batch().verify(&other).is_err());
    assert!(samples::statement(&device).verify(&other).is_err());
    assert!(
        Seal::sign(samples::seal_body(), &device)
            .expect("the sample fits its format")
            .verify(&other)
            .is_err()
    );
    assert!(samples::receipt().verify(&other).is_err());
    for (name, act) in samples::acts() {
        assert!(samples::entry(act).0.verify(&other).is_err(), "{name}");
    }
}

#[test]
fn a_head_in_another_devices_name_is_refused_though_the_signature_fits() {
    let (device, colleague) = (samples::device(), samples::colleague());
    let (items, bodies) = samples::items();
    let batch = Batch::sign(samples::head(), items, bodies, &colleague).expect("the form is right");
    assert!(batch.verify(&colleague.public_key()).is_err());
    assert!(batch.verify(&device.public_key()).is_err());
    let statement =
        PrekeyStatement::sign(samples::prekey_body(&device), &colleague).expect("the form is right");
    assert!(statement.verify(&colleague.public_key()).is_err());
    let seal = Seal::sign(samples::seal_body(), &colleague).expect("the form is right");
    assert!(seal.verify(&colleague.public_key()).is_err());
}
