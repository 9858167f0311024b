#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

use thicket_protocol::ids::{DeviceId, Incarnation, Salt};
use thicket_protocol::record::{ChainPoint, GovPoint, ItemKind, Seen};
use thicket_protocol::sign::{SUITE, VERSION};

use super::*;
use crate::secret::tests::{Seeded, digits};

const INDEX: u8 = 5;
const CANARY: &[u8] = b"a canary sings in the surgery";

/// A vault: content key, note key, then participant keys.
fn vault(participants: usize) -> Vec<VaultKey> {
    let mut entropy = Seeded::new(1);
    (0..participants + 2).map(|_| VaultKey::make(&mut entropy)).collect()
}

fn head() -> Head {
    let space = SpaceId::from_bytes([2; 16]);
    let seen = Seen { incarnation: Incarnation::from_bytes([4; 16]), at: ChainPoint::START };
    let gov = GovPoint { seq: 7, hash: Hash::ZERO };
    Head {
        v: VERSION,
        suite: SUITE,
        space,
        device: DeviceId::from_bytes([3; 16]),
        seq: 1,
        prev: Hash::ZERO,
        epoch: 1,
        gov,
        seen,
        ledger: ChainPoint::START,
        salt: Salt::from_bytes([5; 16]),
    }
}

fn item(doc_tag: DocTag) -> Item {
    Item {
        doc_tag,
        kind: ItemKind::Delta,
        commit: Hash::ZERO,
        body_len: 0,
        body_hash: Hash::ZERO,
        covers: Vec::new(),
    }
}

/// What a body rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum On {
    Note,
    Participant,
    Content,
}

fn seal(vault: &[VaultKey], on: On, content: &[u8]) -> Result<(Item, Vec<u8>), SealError> {
    let participants: Vec<&VaultKey> = vault[2..].iter().rev().collect();
    let tag = match on {
        On::Note => vault[1].id().into(),
        On::Participant => derive_doc_tag(&vault[2], &head().space, &[6; 16]),
        On::Content => DocTag::EVENT,
    };
    let mut item = item(tag);
    let note = (on == On::Note).then_some(&vault[1]);
    let keys = BodyKeys { content: &vault[0], note, participants: &participants };
    let body = seal_body(&head(), INDEX, &mut item, &keys, content)?;
    Ok((item, body))
}

fn open(vault: &[VaultKey], item: &Item, body: &[u8]) -> Result<OpenedBody, OpenError> {
    let head = head();
    let sealed = SealedBody { head: &head, index: INDEX, item, body };
    open_body(&sealed, &vault[0], |id| vault[1..].iter().find(|key| key.id() == *id))
}

fn ids(vault: &[VaultKey]) -> Vec<ParticipantId> {
    let mut ids: Vec<ParticipantId> = vault[2..].iter().map(|key| key.id().into()).collect();
    ids.sort();
    ids
}

#[test]
fn bodies_are_frozen() {
    let (item, body) = seal(&vault(2), On::Note, CANARY).expect("a note");
    insta::assert_snapshot!(item.commit, @"ce006c87f0d9ec6ac881ab4e50ec529c18e4172fcc8e00f18e02cc8524ed2ce3");
    insta::assert_snapshot!(digits(&body), @"00511d3303f45b3cff0b0f0c557a8ceae66dd999e5e5d1dd5f11a6ba5a3e656e89a62c9eea5b5b627429ddbb1492c474b9ec84b80015957f005a60a9d81e66e604e838cd6dd2f8f5f543e7b1b8294ecf2331dadd109b3b4be7454ccf81e645912a36bfb649c8d5dc6f3b70328a5d3101c1f3e3034ab27514f9088b0ddc7ca6a9");
    insta::assert_snapshot!(digits(&seal(&vault(1), On::Participant, CANARY).expect("a participant").1), @"0051353c894a5f57da5a9cf3e3c15245ddd7beca5e03a3451bc4057e4f53c84ae3e198a8a12a8957b44e3c9bb8f779ce9c1a4622d1b0aab1f18e12587c4393d39f0bc9605e7d397459052d0ef3a9c84217f179c8e8c73f86cb9b55eae98605aca4f47e84cc48fc13a6aaa0ad43285801ef512df007aeccf593f2301434112d87");
    insta::assert_snapshot!(digits(&seal(&vault(0), On::Content, CANARY).expect("an event").1), @"000073cf017f93d5924574c097b8155d4ee8288c4417ef8e41afad1ad48599d6c66419b524b468b1381a5f73b36a96");
    insta::assert_snapshot!(derive_doc_tag(&vault(1)[2], &head().space, &[6; 16]), @"69636d008f84769d5c7059a5a45ccedd");
}

#[test]
fn additional_data_is_frozen() {
    let (item, _) = seal(&vault(2), On::Note, CANARY).expect("a note");
    insta::assert_snapshot!(digits(&body_aad(&head(), INDEX, &item)), @"870150020202020202020202020202020202025003030303030303030303030303030303015005050505050505050505050505050505058550d0fe930a3f690693c1457499a53509d6005820ce006c87f0d9ec6ac881ab4e50ec529c18e4172fcc8e00f18e02cc8524ed2ce3188080");
}

#[test]
fn a_body_opens_with_its_keys_and_shows_who_is_in_it() {
    for (on, participants) in
        [(On::Note, 0), (On::Note, 1), (On::Note, 5), (On::Participant, 1), (On::Content, 0)]
    {
        let vault = vault(participants);
        let (item, body) = seal(&vault, on, CANARY).expect("sealed");
        assert_eq!(item.body_hash, body_hash(&body));
        assert!(!body.windows(6).any(|window| window == b"canary"));
        let opened = open(&vault, &item, &body).expect("its own keys");
        assert_eq!(
            (opened.people, opened.content.as_slice()),
            (ids(&vault), CANARY),
            "{on:?} {participants}"
        );
    }
}

#[test]
fn any_flipped_byte_of_a_body_is_damage() {
    for (on, participants) in [(On::Note, 3), (On::Participant, 1), (On::Content, 0)] {
        let vault = vault(participants);
        let (item, body) = seal(&vault, on, b"text").expect("sealed");
        for at in 0..body.len() {
            let mut flipped = body.clone();
            flipped[at] ^= 1;
            let opened = open(&vault, &item, &flipped);
            assert!(matches!(opened, Err(OpenError::Damaged)), "{on:?} byte {at}: {opened:?}");
            let cut = open(&vault, &item, &body[..at]);
            assert!(matches!(cut, Err(OpenError::Damaged)), "{on:?} {at} bytes: {cut:?}");
        }
    }
}

#[test]
fn a_body_opens_under_its_own_head_index_and_item_alone() {
    let vault = vault(1);
    let (item, body) = seal(&vault, On::Note, CANARY).expect("sealed");
    let refused = |head: &Head, index: u8, item: &Item| {
        let sealed = SealedBody { head, index, item, body: &body };
        let opened = open_body(&sealed, &vault[0], |id| vault.iter().find(|key| key.id() == *id));
        assert!(matches!(opened, Err(OpenError::Damaged)), "{opened:?}");
    };
    refused(&Head { space: SpaceId::from_bytes([9; 16]), ..head() }, INDEX, &item);
    refused(&Head { device: DeviceId::from_bytes([9; 16]), ..head() }, INDEX, &item);
    refused(&Head { epoch: 2, ..head() }, INDEX, &item);
    refused(&Head { salt: Salt::from_bytes([9; 16]), ..head() }, INDEX, &item);
    refused(&head(), INDEX + 1, &item);
    refused(&head(), INDEX, &Item { kind: ItemKind::Full, ..item.clone() });
    refused(&head(), INDEX, &Item { commit: Hash::ZERO, ..item });
}

#[test]
fn each_missing_key_is_named() {
    let vault = vault(2);
    let (item, body) = seal(&vault, On::Note, CANARY).expect("sealed");
    let head = head();
    let sealed = SealedBody { head: &head, index: INDEX, item: &item, body: &body };
    for missing in &vault[1..] {
        let opened = open_body(&sealed, &vault[0], |id| {
            vault[1..].iter().find(|key| key.id() == *id && *id != missing.id())
        });
        assert!(matches!(opened, Err(OpenError::MissingKey(id)) if id == missing.id()), "{opened:?}");
    }
    assert!(matches!(open_people(&sealed, &vault[1], Some(&vault[1])), Err(OpenError::Damaged)));
}

#[test]
fn another_key_set_fails_on_the_commitment_before_the_cipher() {
    let vault = vault(1);
    let (mut item, _) = seal(&vault, On::Note, CANARY).expect("sealed");
    // Somebody who holds all keys writes a body whose cipher opens, under a commitment to another key set.
    let other = VaultKey::make(&mut Seeded::new(9));
    let salt = item_salt(&head().salt, INDEX);
    let committed = BTreeMap::from([(vault[2].id(), &other)]);
    item.commit = body_key(&head(), item.doc_tag, &salt, &vault[0], Some(&vault[1]), &committed).1;
    let participants = BTreeMap::from([(vault[2].id(), &vault[2])]);
    let (key, _) = body_key(&head(), item.doc_tag, &salt, &vault[0], Some(&vault[1]), &participants);
    let aad = body_aad(&head(), INDEX, &item);
    let people = pad_people(participants.keys()).expect("one");
    let people = aead_seal(&people_key(&salt, &vault[0], Some(&vault[1])), &aad, &[], &people);
    let body = BodyParts { people: &people, sealed: &aead_seal(&key, &aad, &[], CANARY) }.join();
    item.body_hash = body_hash(&body);
    let sealed_part = BodyParts::split(&body).expect("its form").sealed;
    assert!(aead_open(&key, &aad, sealed_part).is_some(), "the cipher alone would open it");
    assert!(matches!(open(&vault, &item, &body), Err(OpenError::Damaged)));
}

#[test]
fn a_body_needs_every_one_of_its_keys() {
    let vault = vault(2);
    let (item, body) = seal(&vault, On::Note, CANARY).expect("sealed");
    let head = head();
    let sealed = SealedBody { head: &head, index: INDEX, item: &item, body: &body };
    let other = VaultKey::make(&mut Seeded::new(9));
    for replaced in 1..vault.len() {
        let opened = open_body(&sealed, &vault[0], |id| {
            let found = vault.iter().position(|key| key.id() == *id)?;
            Some(if found == replaced { &other } else { &vault[found] })
        });
        assert!(matches!(opened, Err(OpenError::Damaged)), "{replaced}: {opened:?}");
    }
    let opened = open_body(&sealed, &other, |id| vault.iter().find(|key| key.id() == *id));
    assert!(matches!(opened, Err(OpenError::Damaged)), "{opened:?}");
}

#[test]
fn length_hides_the_exact_number_of_people() {
    let length = |participants| seal(&vault(participants), On::Note, b"text").map(|(_, body)| body.len());
    for (bucket, least) in PEOPLE_BUCKETS.into_iter().zip([0, 5, 9, 17, 33]) {
        let wanted = 2 + 1 + bucket * 16 + 16 + 4 + 16;
        assert_eq!(length(least).expect("fits"), wanted, "{least}");
        assert_eq!(length(bucket).expect("fits"), wanted, "{bucket}");
    }
    assert!(matches!(length(PEOPLE_MAX + 1), Err(SealError::TooLarge(_))));
}

#[test]
fn people_are_read_in_their_one_form_alone() {
    let vault = vault(2);
    let written =
        pad_people(ids(&vault).into_iter().map(KeyId::from).collect::<Vec<_>>().iter()).expect("two");
    assert_eq!(parse_people(&written), Some(ids(&vault)));
    let swapped = [&written[..1], &written[17..33], &written[1..17], &written[33..]].concat();
    let twice = [&written[..17], &written[1..17], &written[33..]].concat();
    let more = [&[5], &written[1..]].concat();
    let unpadded = written[..33].to_vec();
    let wide = [written.as_slice(), &[0; 64]].concat();
    let mut dirty = written;
    dirty[64] = 1;
    let huge = vec![0xff; 1 + 255 * 16];
    for wrong in [swapped, twice, more, unpadded, wide, dirty, huge, Vec::new()] {
        assert_eq!(parse_people(&wrong), None, "{}", digits(&wrong));
    }
}

#[test]
fn a_body_has_a_greatest_length() {
    let room = BODY_BYTES_MAX - PEOPLE_LENGTH_BYTES - TAG_BYTES;
    let vault = vault(0);
    let (item, body) = seal(&vault, On::Content, &vec![0; room]).expect("at the limit");
    assert_eq!((usize::try_from(item.body_len), body.len()), (Ok(BODY_BYTES_MAX), BODY_BYTES_MAX));
    assert!(matches!(seal(&vault, On::Content, &vec![0; room + 1]), Err(SealError::TooLarge(_))));
    assert!(matches!(seal(&vault, On::Content, &[]), Err(SealError::Contradiction(_))));
}

#[test]
fn a_doc_tag_that_contradicts_the_keys_is_refused() {
    let vault = vault(1);
    let refused = |tag, note, participants: &[&VaultKey]| {
        let keys = BodyKeys { content: &vault[0], note, participants };
        let sealed = seal_body(&head(), INDEX, &mut item(tag), &keys, CANARY);
        assert!(matches!(sealed, Err(SealError::Contradiction(_))), "{sealed:?}");
    };
    refused(DocTag::from_bytes([9; 16]), Some(&vault[1]), &[]);
    refused(DocTag::EVENT, Some(&vault[1]), &[]);
    refused(DocTag::EVENT, None, &[&vault[2]]);
    refused(DocTag::from_bytes([9; 16]), None, &[]);
}
