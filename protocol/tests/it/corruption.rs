//! No single byte of anything signed can be changed unseen.

use thicket_protocol::frame::{Hello, Peer, Tips};
use thicket_protocol::governance::Entry;
use thicket_protocol::ids::{PublicKey, Signature, TeamId};
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
fn every_changed_byte_of_tips_is_refused() {
    let key = samples::server().public_key();
    let unknown = Tips::sign(samples::tips_unknown_body(), &samples::server()).expect("it fits its format");
    for tips in [samples::tips(), unknown] {
        refused_when_changed(tips.bytes(), |bytes| {
            Tips::decode(bytes).is_ok_and(|tips| tips.verify(&key).is_ok())
        });
    }
}

#[test]
fn a_changed_connection_key_or_proof_admits_nobody() {
    for (name, hello) in samples::hellos() {
        hello.verify(&samples::EXPORTER).expect(name);
        for at in 0..32 {
            let mut exporter = samples::EXPORTER;
            exporter[at] ^= 1;
            assert!(hello.verify(&exporter).is_err(), "{name}: another connection");
        }
        let spoiled = |bytes: &[u8], at: usize| {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 1;
            bytes
        };
        for at in 0..64 {
            let proof = Signature::from_slice(&spoiled(hello.proof.as_bytes(), at)).expect("64 bytes");
            assert!(Hello { proof, ..hello.clone() }.verify(&samples::EXPORTER).is_err(), "{name}");
        }
        for at in 0..32 {
            let key = PublicKey::from_slice(&spoiled(hello.peer.key().as_bytes(), at)).expect("32 bytes");
            let peer = match hello.peer {
                Peer::Device { team, .. } => Peer::Device { team, key },
                Peer::Paper { team, .. } => Peer::Paper { team, key },
            };
            assert!(Hello { peer, ..hello.clone() }.verify(&samples::EXPORTER).is_err(), "{name}");
        }
    }
}

/// Who speaks and for which team is bound by the exporter's context, which differs for every team and role.
#[test]
fn no_two_peers_have_one_exporter_context() {
    let key = samples::device().public_key();
    let other = TeamId::from_bytes([0x11; 32]);
    let mut contexts: Vec<[u8; 33]> = [
        Peer::Device { team: samples::TEAM, key },
        Peer::Device { team: other, key },
        Peer::Paper { team: samples::TEAM.into(), key },
        Peer::Paper { team: other.into(), key },
    ]
    .iter()
    .map(Peer::exporter_context)
    .collect();
    contexts.sort();
    contexts.dedup();
    assert_eq!(contexts.len(), 4);
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
    assert!(samples::tips().verify(&other).is_err());
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
