//! Golden vectors: the formats stay what they are, to the byte, for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use thicket_protocol::cbor;
use thicket_protocol::frame::{self, Refusal, Reply, Request, Tips};
use thicket_protocol::governance::{Act, Entry};
use thicket_protocol::ids::{DeviceId, TeamId};
use thicket_protocol::keys::{Pack, PrekeyStatement, Seal, vault_hash};
use thicket_protocol::record::{Batch, ChainPoint, Head, Item, Receipt, body_aad, body_hash, item_salt};
use thicket_protocol::sign::{self, Purpose};

use crate::samples;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// The vectors as they lie in the repository, by name.
pub(crate) fn stored() -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder()).expect("the vectors are in the repository");
    let read = |file: std::io::Result<fs::DirEntry>| {
        let path = file.expect("the folder can be read").path();
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a vector is text");
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'\n').collect();
        assert!(
            digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')),
            "{name}: lower-case hex"
        );
        let pair = |two: &[u8]| {
            let two = std::str::from_utf8(two).expect("digits are ASCII");
            u8::from_str_radix(two, 16).expect("two hexadecimal digits are a byte")
        };
        (name.trim_end_matches(".hex").to_owned(), digits.chunks(2).map(pair).collect())
    };
    files.map(read).collect()
}

/// The vectors as this code writes them.
fn made() -> BTreeMap<String, Vec<u8>> {
    let batch = samples::batch();
    let (items, bodies) = samples::items();
    let first = ChainPoint::START.next(&batch.hash());
    let rows = [cbor::encode(&samples::pack()), b"another row".to_vec()];
    let mut made: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut put = |name: &str, bytes: Vec<u8>| {
        assert!(made.insert(name.to_owned(), bytes).is_none(), "two vectors are called {name}");
    };
    put("head", cbor::encode(&samples::head()));
    for (name, item) in ["delta", "full", "event", "blob", "checkpoint"].iter().zip(&items) {
        put(&format!("item-{name}"), cbor::encode(item));
    }
    put("batch", batch.encode(|_| true));
    put("batch-bodies_left_out", batch.encode(|index| index == 2));
    put("batch-hash", batch.hash().as_bytes().to_vec());
    put("body-hash", body_hash(&bodies[0]).as_bytes().to_vec());
    put("body-aad", body_aad(&samples::head(), 1, &items[1]));
    put("item-salt", item_salt(&samples::SALT, 255).to_vec());
    put("chain-1", cbor::encode(&first));
    put("chain-2", cbor::encode(&first.next(&samples::hash(0x8b))));
    put("receipt", samples::receipt().bytes().to_vec());
    for (name, act) in samples::acts() {
        let (entry, _) = samples::entry(act);
        put(&format!("entry-{name}"), entry.bytes().to_vec());
        if name == "genesis" {
            put("team-id", entry.hash().as_bytes().to_vec());
        }
    }
    for (name, request) in samples::requests() {
        put(&format!("request-{name}"), frame::encode(&request));
    }
    for (name, reply) in samples::replies() {
        put(&format!("reply-{name}"), frame::encode(&reply));
    }
    put("tips", samples::tips().bytes().to_vec());
    let unknown = Tips::sign(samples::tips_unknown_body(), &samples::server()).expect("it fits its format");
    put("tips-unknown_team", unknown.bytes().to_vec());
    for (name, hello) in samples::hellos() {
        put(&format!("exporter_context-{name}"), hello.peer.exporter_context().to_vec());
    }
    put("invite_code", samples::invite_code().to_string().into_bytes());
    put("invite_seed", samples::invite_code().seed().to_vec());
    put("server_address", samples::server_address().to_string().into_bytes());
    put("statement", samples::statement(&samples::device()).bytes().to_vec());
    let seal = Seal::sign(samples::seal_body(), &samples::device()).expect("the sample fits its format");
    put("seal", seal.bytes().to_vec());
    put("seal-context", seal.body().context());
    put("pack", rows[0].clone());
    put("pack-aad", samples::pack().aad(&samples::TEAM));
    put("pack-ids_hash", Pack::ids_hash(&samples::pack().ids).as_bytes().to_vec());
    put("vault-hash", vault_hash(rows.iter().map(Vec::as_slice)).as_bytes().to_vec());
    put("device-key", samples::device().public_key().as_bytes().to_vec());
    put("device-id", samples::id_of(&samples::device()).as_bytes().to_vec());
    for (name, purpose) in purposes() {
        let signature = samples::device().sign(purpose, &samples::hash(0x8c));
        put(&format!("signature-{name}"), signature.as_bytes().to_vec());
    }
    made
}

fn purposes() -> [(&'static str, Purpose); 8] {
    [
        ("batch", Purpose::Batch),
        ("governance", Purpose::Governance),
        ("prekey", Purpose::Prekey),
        ("seal", Purpose::Seal),
        ("object", Purpose::Object),
        ("receipt", Purpose::Receipt),
        ("tips", Purpose::Tips),
        ("connection", Purpose::Connection),
    ]
}

/// Hexadecimal digits, 32 bytes a line.
fn hex(bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    bytes.chunks(32).map(line).collect()
}

#[test]
fn every_format_is_what_it_was() {
    let (stored, made) = (stored(), made());
    let changed: Vec<String> = made
        .iter()
        .filter(|(name, bytes)| stored.get(*name) != Some(bytes))
        .map(|(name, bytes)| format!("--- {name}.hex\n{}", hex(bytes)))
        .collect();
    assert!(
        changed.is_empty(),
        "the code writes another format than the vectors hold:\n{}",
        changed.concat()
    );
    let names: BTreeSet<&String> = stored.keys().collect();
    assert_eq!(names, made.keys().collect(), "every stored vector is compared");
}

/// What an earlier Thicket wrote opens for ever: here the stored bytes are read, not those of this code.
#[test]
fn every_stored_vector_decodes_verifies_and_says_what_the_sample_says() {
    let stored = stored();
    let device = samples::device().public_key();
    assert_eq!(cbor::decode::<Head>(&stored["head"]).expect("a head"), samples::head());
    for (name, item) in ["delta", "full", "event", "blob", "checkpoint"].iter().zip(samples::items().0) {
        assert_eq!(cbor::decode::<Item>(&stored[&format!("item-{name}")]).expect("an item"), item);
    }
    let batch = Batch::decode(&stored["batch"]).expect("a batch");
    batch.verify(&device).expect("signed by the device");
    assert_eq!(batch, samples::batch());
    assert_eq!(batch.hash().as_bytes().as_slice(), stored["batch-hash"]);
    let receipt = Receipt::decode(&stored["receipt"]).expect("a receipt");
    receipt.verify(&samples::server().public_key()).expect("signed by the server");
    assert_eq!(receipt, samples::receipt());
    for (name, request) in samples::requests() {
        let read: Request = frame::decode(&stored[&format!("request-{name}")]).expect("a request");
        assert_eq!(read, request, "{name}");
        if let Request::Hello(hello) = read {
            hello.verify(&samples::EXPORTER).expect("signed by the peer");
        }
    }
    for (name, reply) in samples::replies() {
        let read: Reply = frame::decode(&stored[&format!("reply-{name}")]).expect("a reply");
        assert_eq!(read, reply, "{name}");
    }
    for (name, body) in [("tips", samples::tips_body()), ("tips-unknown_team", samples::tips_unknown_body())]
    {
        let tips = Tips::decode(&stored[name]).expect("tips");
        tips.verify(&samples::server().public_key()).expect("signed by the server");
        assert_eq!(*tips.body(), body);
    }
    let text = |name: &str| String::from_utf8(stored[name].clone()).expect("text");
    assert_eq!(text("invite_code").parse(), Ok(samples::invite_code()));
    assert_eq!(text("server_address").parse(), Ok(samples::server_address()));
    for (name, act) in samples::acts() {
        let entry = Entry::decode(&stored[&format!("entry-{name}")]).expect("an entry");
        let (made, key) = samples::entry(act);
        entry.verify(&key).expect("signed by its author");
        assert_eq!(entry, made, "{name}");
    }
    let statement = PrekeyStatement::decode(&stored["statement"]).expect("a statement");
    statement.verify(&device).expect("signed by the device");
    assert_eq!(*statement.body(), samples::prekey_body(&samples::device()));
    let seal = Seal::decode(&stored["seal"]).expect("a seal");
    seal.verify(&device).expect("signed by the sealer");
    assert_eq!(*seal.body(), samples::seal_body());
    assert_eq!(Pack::decode(&stored["pack"]).expect("a pack"), samples::pack());
    for (name, purpose) in purposes() {
        let signature = stored[&format!("signature-{name}")].as_slice();
        let signature = signature.try_into().map(thicket_protocol::ids::Signature::from_bytes);
        let signature = signature.expect("a signature has 64 bytes");
        assert_eq!(sign::verify(&device, purpose, &samples::hash(0x8c), &signature), Ok(()), "{name}");
    }
}

#[test]
fn a_batch_without_bodies_has_the_hash_and_the_signature_of_the_whole_one() {
    let bare = Batch::decode(&stored()["batch-bodies_left_out"]).expect("a batch");
    bare.verify(&samples::device().public_key()).expect("the signature needs no body");
    assert_eq!(bare.hash(), samples::batch().hash());
    let kept: Vec<bool> = bare.bodies().iter().map(Option::is_some).collect();
    assert_eq!(kept, [false, false, true, false, false]);
}

/// Every hash once more, from ring alone, as docs/protocol.md writes it.
#[test]
fn hashes_are_what_the_page_says() {
    let hash = |domain: &str, rest: &[&[u8]]| {
        let length = [u8::try_from(domain.len()).expect("domains are short")];
        let bytes = [&length[..], domain.as_bytes(), &rest.concat()].concat();
        ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref().to_vec()
    };
    let stored = stored();
    let batch = samples::batch();
    assert_eq!(hash("thicket/batch/1", &[batch.head_bytes(), batch.items_bytes()]), stored["batch-hash"]);
    assert_eq!(hash("thicket/body/1", &[&samples::items().1[0]]), stored["body-hash"]);
    assert_eq!(hash("thicket/device/1", &[&stored["device-key"]])[..16], stored["device-id"]);
    assert_eq!(hash("thicket/pack-ids/1", &[&[0x50; 16], &[0x51; 16], &[0x52; 16]]), stored["pack-ids_hash"]);
    let rows =
        [hash("thicket/vault-row/1", &[&stored["pack"]]), hash("thicket/vault-row/1", &[b"another row"])];
    assert_eq!(hash("thicket/vault/1", &[&rows[0], &rows[1]]), stored["vault-hash"]);
    let root = hash("thicket/root/1", &[&[0; 32], &stored["batch-hash"]]);
    assert_eq!(stored["chain-1"], [&[0x82, 0x01, 0x58, 0x20], root.as_slice()].concat());
    let root = hash("thicket/root/1", &[&root, &[0x8b; 32]]);
    assert_eq!(stored["chain-2"], [&[0x82, 0x02, 0x58, 0x20], root.as_slice()].concat());
    let connection = hash("thicket/connection/1", &[&samples::EXPORTER]);
    for (name, hello) in samples::hellos() {
        let said = [b"thicket/sig/connection/1".as_slice(), &[0], &connection].concat();
        ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, hello.peer.key())
            .verify(&said, hello.proof.as_bytes())
            .expect(name);
    }
    assert_eq!(stored["exporter_context-hello_device"], [&[0][..], &[0x10; 32]].concat());
    assert_eq!(stored["exporter_context-hello_paper"], [&[1][..], &[0x10; 16], &[0; 16]].concat());
    assert_eq!(hash("thicket/invite/1", &[&[0x61; 16]]), stored["invite_seed"]);
    let genesis = &stored["entry-genesis"];
    let body = &genesis[4..genesis.len() - 66];
    assert_eq!(genesis[..2], [0x82, 0x59], "an envelope begins with a body of 256 bytes or more");
    assert_eq!(hash("thicket/gov/1", &[body]), stored["team-id"]);
    assert!(
        TeamId::from_slice(&stored["team-id"]).is_some()
            && DeviceId::from_slice(&stored["device-id"]).is_some()
    );
}

/// A request, reply or refusal added to the code without a vector fails here: numbers are given without gaps.
#[test]
fn every_frame_has_a_vector() {
    fn known<F: frame::Frame>(most: u8) -> BTreeSet<u8> {
        let known = |index: &u8| match cbor::decode::<F>(&[0x82, *index, 0x80]) {
            Ok(_) => true,
            Err(cbor::CborError::Shape(error)) => !error.is_unknown_variant(),
            Err(_) => false,
        };
        (0..most).filter(known).collect()
    }
    let requests: BTreeSet<u8> =
        samples::requests().iter().map(|(_, request)| frame::encode(request)[1]).collect();
    assert_eq!(requests, known::<Request>(24));
    assert_eq!(requests, (0..11).collect());
    let replies: BTreeSet<u8> = samples::replies().iter().map(|(_, reply)| frame::encode(reply)[1]).collect();
    assert_eq!(replies, known::<Reply>(24));
    assert_eq!(replies, (0..10).collect());
    let refusals: Vec<u8> = Refusal::ALL.iter().map(|refusal| cbor::encode(refusal)[0]).collect();
    assert_eq!(refusals, (0..21).collect::<Vec<u8>>());
}

/// An act added to the code without a vector fails here: numbers are given without gaps.
#[test]
fn every_act_has_a_vector() {
    let known = |index: u8| match cbor::decode::<Act>(&[0x82, index, 0xa0]) {
        Ok(_) => true,
        Err(cbor::CborError::Shape(error)) => !error.is_unknown_variant(),
        Err(_) => false,
    };
    let known: BTreeSet<u8> = (0..24).filter(|index| known(*index)).collect();
    let sampled: BTreeSet<u8> = samples::acts().iter().map(|(_, act)| cbor::encode(act)[1]).collect();
    assert_eq!(sampled, known);
    assert_eq!(known, (0..17).collect());
}
