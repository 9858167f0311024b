//! One function for each decoder that takes whatever bytes come: none panics, and what it lets through is written
//! again to the same bytes. Stable tests run them over the vectors, changes of them, and noise.

use thicket_protocol::address::{InviteCode, ServerAddress};
use thicket_protocol::cbor;
use thicket_protocol::frame::{self, Reply, Request, Tips, TipsBody};
use thicket_protocol::governance::{Act, Admits, Entry, EntryBody, Realm, Role, ShredList};
use thicket_protocol::keys::{Pack, PrekeyBody, PrekeyStatement, Seal, vault_hash};
use thicket_protocol::record::{Batch, BodyParts, Receipt, ReceiptBody, body_aad};
use thicket_protocol::team::Team;

use crate::samples;
use crate::story::{self, Anna, Ben, Dora, Log, NOTEBOOK, Stranger};
use crate::vectors;

/// Reads a batch, takes its bodies apart, and writes it again.
pub(crate) fn fuzz_batch(bytes: &[u8]) -> bool {
    let Ok(batch) = Batch::decode(bytes) else { return false };
    assert_eq!(batch.encode(|_| true), bytes);
    let (head, items) = (batch.head_bytes().to_vec(), batch.items_bytes().to_vec());
    let stored = Batch::from_parts(head, items, *batch.signature(), batch.bodies().to_vec());
    assert_eq!(stored.expect("what was decoded can be stored"), batch);
    let bare = Batch::decode(&batch.encode(|_| false)).expect("bodies may be left out");
    assert_eq!(bare.hash(), batch.hash());
    let key = samples::device().public_key();
    assert_eq!(bare.verify(&key).is_ok(), batch.verify(&key).is_ok());
    for ((index, item), body) in (0..=u8::MAX).zip(batch.items()).zip(batch.bodies()) {
        cbor::check(&body_aad(batch.head(), index, item)).expect("the additional data is canonical");
        if let Some(Ok(parts)) = body.as_deref().map(BodyParts::split) {
            assert_eq!(parts.join().as_slice(), body.as_deref().expect("it was split"));
        }
    }
    for point in [batch.head().seen.at, batch.head().ledger] {
        assert_ne!(point.next(&batch.hash()).root, point.root);
    }
    true
}

/// Reads an entry and what it says, and asks all that a reader asks of it.
pub(crate) fn fuzz_entry(bytes: &[u8]) -> bool {
    let Ok(entry) = Entry::decode(bytes) else { return false };
    assert_eq!(entry.bytes(), bytes);
    let body = cbor::encode(entry.body());
    assert_eq!(cbor::decode::<EntryBody>(&body).expect("we wrote it"), *entry.body());
    assert!(entry.body().act.turns().len() <= bytes.len());
    assert_eq!(entry.point().hash, entry.hash());
    let _either = entry.verify(&samples::device().public_key());
    true
}

/// Reads a prekey statement.
pub(crate) fn fuzz_statement(bytes: &[u8]) -> bool {
    let Ok(statement) = PrekeyStatement::decode(bytes) else { return false };
    assert_eq!(statement.bytes(), bytes);
    let body = cbor::encode(statement.body());
    assert_eq!(cbor::decode::<PrekeyBody>(&body).expect("we wrote it"), *statement.body());
    let _either = statement.verify(&samples::device().public_key());
    true
}

/// Reads a seal and derives its context.
pub(crate) fn fuzz_seal(bytes: &[u8]) -> bool {
    let Ok(seal) = Seal::decode(bytes) else { return false };
    assert_eq!(seal.bytes(), bytes);
    let context = seal.body().context();
    let clear = context.strip_prefix(b"thicket/seal/1").expect("the domain stands first");
    cbor::check(clear).expect("the context is canonical");
    let _either = seal.verify(&samples::device().public_key());
    true
}

/// Reads a vault pack; a pack without unknown keys, so a map of six, is written again to the same bytes.
pub(crate) fn fuzz_pack(bytes: &[u8]) -> bool {
    let Ok(pack) = Pack::decode(bytes) else { return false };
    let written = cbor::encode(&pack);
    assert!(written == bytes || bytes[0] > 0xa6, "only unknown keys are lost in reading");
    assert_eq!(Pack::decode(&written).expect("we wrote it"), pack);
    cbor::check(&pack.aad(&samples::TEAM)).expect("the additional data is canonical");
    assert_ne!(Pack::ids_hash(&pack.ids), vault_hash([bytes]));
    true
}

/// Reads a receipt.
pub(crate) fn fuzz_receipt(bytes: &[u8]) -> bool {
    let Ok(receipt) = Receipt::decode(bytes) else { return false };
    assert_eq!(receipt.bytes(), bytes);
    let body = cbor::encode(receipt.body());
    assert_eq!(cbor::decode::<ReceiptBody>(&body).expect("we wrote it"), *receipt.body());
    let _either = receipt.verify(&samples::server().public_key());
    true
}

/// Reads tips.
pub(crate) fn fuzz_tips(bytes: &[u8]) -> bool {
    let Ok(tips) = Tips::decode(bytes) else { return false };
    assert_eq!(tips.bytes(), bytes);
    let body = cbor::encode(tips.body());
    assert_eq!(cbor::decode::<TipsBody>(&body).expect("we wrote it"), *tips.body());
    let _either = tips.verify(&samples::server().public_key());
    true
}

/// Reads a request; what was read is written and read again.
pub(crate) fn fuzz_request(bytes: &[u8]) -> bool {
    let Ok(request) = frame::decode::<Request>(bytes) else { return false };
    let written = frame::encode(&request);
    assert!(written.len() <= bytes.len(), "only unknown things are lost in reading");
    assert_eq!(frame::decode::<Request>(&written).expect("we wrote it"), request);
    if let Request::Hello(hello) = &request {
        let _either = hello.verify(&samples::EXPORTER);
        assert!(hello.peer.exporter_context()[0] <= 1);
    }
    true
}

/// Reads a reply; what was read is written and read again.
pub(crate) fn fuzz_reply(bytes: &[u8]) -> bool {
    let Ok(reply) = frame::decode::<Reply>(bytes) else { return false };
    let written = frame::encode(&reply);
    assert!(written.len() <= bytes.len(), "only unknown things are lost in reading");
    assert_eq!(frame::decode::<Reply>(&written).expect("we wrote it"), reply);
    true
}

/// Reads the code of an invite as it might be typed.
pub(crate) fn fuzz_invite_code(bytes: &[u8]) -> bool {
    let Ok(code) = String::from_utf8_lossy(bytes).parse::<InviteCode>() else { return false };
    assert_eq!(code.to_string().parse(), Ok(code));
    true
}

/// Reads the address of a server: there is one spelling of each.
pub(crate) fn fuzz_server_address(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Ok(address) = text.parse::<ServerAddress>() else { return false };
    assert_eq!(address.to_string(), text);
    true
}

/// Says what would become of whatever act the bytes are, by everybody, and applies it where it is right: a team never
/// panics, and what it says of itself stays true.
pub(crate) fn fuzz_team(bytes: &[u8]) -> bool {
    let Ok(entry) = Entry::decode(bytes) else { return false };
    let mut log = STORY.with(Clone::clone);
    let _alone = Team::found(&entry);
    assert!(log.apply_entry(entry.clone()).is_err(), "it was written for another log");
    let mut taken = false;
    for who in [Anna, Ben, Dora] {
        let act = log.whole(who, entry.body().act.clone());
        taken |= log.apply(who, act).is_ok();
    }
    let by_paper = log.apply_paper(&story::paper(9), entry.body().act.clone());
    taken |= by_paper.is_ok();
    let team = &log.team;
    for (id, space) in team.spaces() {
        assert_eq!(u32::try_from(space.epochs.len()).expect("few"), space.newest().epoch);
        for device in team.holders(id) {
            assert!(team.current(&device).is_some() && team.spaces_of(&device).contains(id));
        }
        assert!(team.ledger_of(id).is_some());
    }
    let custodians = team.members().iter().filter(|(_, of)| of.role == Role::Custodian && !of.removed);
    let devices =
        |member| team.devices().values().filter(move |of| of.member == member && of.revoked.is_none());
    assert!(custodians.flat_map(|(member, _)| devices(*member)).count() > 0, "somebody keeps the team");
    assert_eq!(log.replayed(), log.team);
    taken
}

thread_local! {
    static STORY: Log = {
        let mut log = Log::story();
        log.take(Anna, log.invites(9, Admits::Member(Role::Analyst)));
        log
    };
}

/// Checks any bytes for canonical form: nothing else is asked than that it ends.
pub(crate) fn fuzz_check(bytes: &[u8]) -> bool {
    cbor::check(bytes).is_ok()
}

/// Says whether the bytes were let through.
type Fuzz = fn(&[u8]) -> bool;

/// The names of the vectors that each function must let through, and the function.
const FUZZERS: [(&str, Fuzz); 12] = [
    ("batch", fuzz_batch),
    ("entry-", fuzz_entry),
    ("statement", fuzz_statement),
    ("seal", fuzz_seal),
    ("pack", fuzz_pack),
    ("receipt", fuzz_receipt),
    ("tips", fuzz_tips),
    ("request-", fuzz_request),
    ("reply-", fuzz_reply),
    ("invite_code", fuzz_invite_code),
    ("server_address", fuzz_server_address),
    ("head", fuzz_check),
];

/// xorshift64* (Vigna, 2016): small, and the same for ever.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).expect("bounds are small");
        usize::try_from(self.next() % bound).expect("it is below a small bound")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }

    /// One to four changes: a byte, a bit, a cut, an insertion, a stretch doubled, a stretch of another vector.
    fn changed(&mut self, bytes: &[u8], other: &[u8]) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(changed.len());
            match (self.below(6), changed.get_mut(at)) {
                (0, Some(byte)) => *byte = self.byte(),
                (1, Some(byte)) => *byte ^= 1 << self.below(8),
                (2, Some(_)) => {
                    let end = (at + 1 + self.below(8)).min(changed.len());
                    changed.drain(at..end);
                }
                (3, _) => changed.insert(at, self.byte()),
                (4, _) => {
                    let end = (at + self.below(40)).min(changed.len());
                    let stretch = changed[at..end].to_vec();
                    changed.splice(at..at, stretch);
                }
                _ => {
                    let from = self.below(other.len());
                    let stretch = other[from..(from + self.below(40)).min(other.len())].to_vec();
                    let end = (at + stretch.len()).min(changed.len());
                    changed.splice(at..end, stretch);
                }
            }
        }
        changed
    }
}

#[test]
fn every_vector_of_a_type_passes_its_fuzz_function() {
    let corpus = vectors::stored();
    for (prefix, fuzz) in FUZZERS {
        let whole = |name: &str| name == prefix || (prefix.ends_with('-') && name.starts_with(prefix));
        let passed = corpus.iter().filter(|(name, bytes)| whole(name) && fuzz(bytes)).count();
        assert_eq!(passed, corpus.keys().filter(|name| whole(name)).count(), "{prefix}");
        assert!(passed > 0, "{prefix} has a vector");
    }
    assert!(fuzz_batch(&corpus["batch-bodies_left_out"]));
}

/// What the story's people would write, changed everywhere: most is refused, some is taken, nothing breaks.
#[test]
fn no_team_breaks_on_whatever_is_signed() {
    let log = STORY.with(Clone::clone);
    let (turns, spaces) = (
        log.turns(&[story::SHARED, story::LEDGER]),
        story::three_spaces(story::space(1), story::space(2), story::space(3)),
    );
    let mut acts: Vec<Act> = samples::acts().into_iter().map(|(_, act)| act).collect();
    acts.extend([
        log.invites(10, Admits::Member(Role::Custodian)),
        log.joins(Stranger),
        log.adds_device(Ben, &Ben.device_nr(3)),
        Act::DeviceRevoke { device: Ben.id(), turns: turns.clone() },
        Act::MemberRemove { member: Ben.member(), turns: turns.clone() },
        Act::RoleChange { member: Ben.member(), role: Role::Auditor, turns: turns.clone() },
        Act::RoleChange { member: Anna.member(), role: Role::Auditor, turns: Vec::new() },
        Act::SpaceGrant { notebook: NOTEBOOK, member: Anna.member(), granted: false, turns: Vec::new() },
        Act::SpaceCreate { notebook: story::OTHER_NOTEBOOK, realm: Realm::Service, spaces },
        Act::Shred {
            ids: ShredList::Here(vec![samples::key_id(1), samples::key_id(2)]),
            turns: turns.clone(),
        },
        Act::Epoch { turns },
        Act::Close { notebook: NOTEBOOK },
    ]);
    let device = samples::device();
    let bodies: Vec<Vec<u8>> =
        acts.into_iter().map(|act| cbor::encode(samples::entry(act).0.body())).collect();
    let mut noise = Noise(0x7ea3);
    let (mut taken, mut refused) = (0, 0);
    for body in &bodies {
        if fuzz_team(&samples::signed_entry(body, &device)) {
            taken += 1;
        }
    }
    assert!(taken > 10, "{taken} acts are right as they are");
    for _ in 0..3_000 {
        let (one, other) = (&bodies[noise.below(bodies.len())], &bodies[noise.below(bodies.len())]);
        let changed = noise.changed(one, other);
        if fuzz_team(&samples::signed_entry(&changed, &device)) { taken += 1 } else { refused += 1 }
    }
    assert!(taken > 100 && refused > 100, "both happen: {taken} taken, {refused} refused");
}

#[test]
fn no_decoder_panics_on_another_types_bytes() {
    for bytes in vectors::stored().values() {
        for (_, fuzz) in FUZZERS {
            fuzz(bytes);
        }
    }
}

#[test]
fn no_decoder_panics_on_changed_vectors() {
    let corpus: Vec<Vec<u8>> = vectors::stored().into_values().collect();
    let mut noise = Noise(0x7417_c4e7);
    for _ in 0..6_000 {
        let (one, other) = (noise.below(corpus.len()), noise.below(corpus.len()));
        let bytes = noise.changed(&corpus[one], &corpus[other]);
        for (_, fuzz) in FUZZERS {
            fuzz(&bytes);
        }
    }
}

/// Inside the envelope, where most changes would stop at the signature's length: heads, items and bodies are changed
/// and wrapped again, so that the readers behind the envelope see them.
#[test]
fn no_decoder_panics_on_changed_bodies_in_a_good_envelope() {
    let mut noise = Noise(0x5eed);
    let (device, batch) = (samples::device(), samples::batch());
    let (head, items) = (batch.head_bytes(), batch.items_bytes());
    let bodies: Vec<Vec<u8>> = samples::items().1;
    let acts: Vec<Vec<u8>> =
        samples::acts().into_iter().map(|(_, act)| cbor::encode(samples::entry(act).0.body())).collect();
    let (statement, seal) =
        (cbor::encode(&samples::prekey_body(&device)), cbor::encode(&samples::seal_body()));
    let (receipt, tips) = (cbor::encode(&samples::receipt_body()), cbor::encode(&samples::tips_body()));
    let (mut read, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let (one, other) = (&acts[noise.below(acts.len())], &acts[noise.below(acts.len())]);
        for decoded in [
            fuzz_batch(&samples::signed_batch(&noise.changed(head, items), items, &bodies, &device)),
            fuzz_batch(&samples::signed_batch(head, &noise.changed(items, head), &bodies, &device)),
            fuzz_entry(&samples::signed_entry(&noise.changed(one, other), &device)),
            fuzz_statement(&samples::signed_statement(&noise.changed(&statement, one), &device)),
            fuzz_seal(&samples::signed_seal(&noise.changed(&seal, one), &device)),
            fuzz_receipt(&samples::signed_receipt(&noise.changed(&receipt, &tips), &device)),
            fuzz_tips(&samples::signed_tips(&noise.changed(&tips, &receipt), &device)),
        ] {
            if decoded { read += 1 } else { refused += 1 }
        }
    }
    assert!(read > 300 && refused > 300, "both happen: {read} read, {refused} refused");
}

#[test]
fn no_decoder_panics_on_noise() {
    let mut noise = Noise(0xb0d1);
    for _ in 0..4_000 {
        let length = noise.below(600);
        let mut bytes = noise.bytes(length);
        for (_, fuzz) in FUZZERS {
            fuzz(&bytes);
        }
        // Noise rarely begins like one of our types: give it the first bytes of an envelope or of a map.
        if let Some((first, second)) =
            bytes.split_first_mut().and_then(|(first, rest)| Some((first, rest.first_mut()?)))
        {
            *first = [0x82, 0x84, 0xa6, 0xa7][noise.below(4)];
            *second = [0x58, 0x59, 0x00, 0x40][noise.below(4)];
        }
        for (_, fuzz) in FUZZERS {
            fuzz(&bytes);
        }
    }
}

#[test]
fn lengths_that_nobody_can_hold_are_refused_before_anything_is_allocated() {
    for major in 0..8_u8 {
        for length in
            [&[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..], &[0x1a, 0x7f, 0xff, 0xff, 0xff]]
        {
            let huge: Vec<u8> = length
                .iter()
                .enumerate()
                .map(|(at, byte)| if at == 0 { byte | (major << 5) } else { *byte })
                .collect();
            for envelope in [&[][..], &[0x82], &[0x84], &[0xa6, 0x00], &[0xa7, 0x00]] {
                for (_, fuzz) in &FUZZERS[..11] {
                    assert!(!fuzz(&[envelope, &huge].concat()));
                }
            }
        }
    }
}
