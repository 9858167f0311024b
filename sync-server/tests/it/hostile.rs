//! Bytes that no honest peer sends: refused, never followed, never the end of the server.

use minicbor::bytes::ByteVec;
use thicket_protocol::frame::{self, Refusal, Reply, Request, VaultAt};
use thicket_protocol::governance::Role;
use thicket_protocol::ids::SpaceId;
use thicket_protocol::limits::{FRAME_BYTES_MAX, FRAME_LIST_MAX};
use thicket_sync_server::limits::{ANSWERS_MAX, PACK_BYTES_MAX, SEAL_BYTES_MAX, STATEMENT_BYTES_MAX};

use crate::fixture::{Link, SHARED, World, pack, put, refused};

/// A small generator of bytes (xorshift64, Marsaglia 2003), so that a failure can be run again.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.next() % 200;
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

#[test]
fn noise_ends_a_session_and_nothing_else() {
    let mut world = World::new();
    let head = world.team.head();
    for seed in 1..2_000 {
        let noise = Noise(seed).bytes();
        for mut link in [Link::new(), world.link()] {
            link.send(&mut world.store, &noise);
            assert_eq!(link.replies(&mut world.store), [Reply::Refused(Refusal::Malformed)], "seed {seed}");
            assert!(link.session.is_closed());
        }
    }
    assert_eq!(world.store.team(&world.team.id()).expect("read").expect("there").head(), head);
}

/// Frames whose every byte is covered by a signature or a hash.
fn signed_frames(world: &mut World) -> Vec<Vec<u8>> {
    let ben = world.join(12, Role::Fieldworker);
    let (team, head) = (world.team.id(), world.team.head());
    let batch = world.batch(&world.anna, SHARED, None, &[50, 51]);
    let rows = [pack(SHARED, 2, &[31])];
    let turns = vec![crate::fixture::turn(SHARED, 2, 1, &rows)];
    let entry = world.entry(thicket_protocol::governance::Act::Epoch { turns });
    let seals = [world.anna.seal(team, ben.id, 1, entry.point(), &[(SHARED, 2)])];
    vec![
        frame::encode(&Request::Push(batch.encode(|_| true))),
        frame::encode(&Request::PutStatement(world.anna.statement(team, 2, head))),
        frame::encode(&Request::PutSeal(world.anna.seal(team, ben.id, 1, head, &[(SHARED, 1)]))),
        frame::encode(&put(entry.bytes(), &rows, &seals)),
    ]
}

#[test]
fn one_wrong_byte_anywhere_is_refused_and_changes_nothing() {
    let mut world = World::new();
    for frame in signed_frames(&mut world) {
        let mut link = world.link();
        for at in 0..frame.len() {
            let mut wrong = frame.clone();
            wrong[at] ^= 1 << (at % 8);
            if link.session.is_closed() {
                link = world.link();
            }
            link.send(&mut world.store, &wrong);
            let replies = link.replies(&mut world.store);
            assert!(matches!(replies.as_slice(), [Reply::Refused(_)]), "byte {at}: {replies:?}");
            assert_eq!(link.hints(), [], "byte {at}");
        }
        let mut link = world.link();
        link.send(&mut world.store, &frame);
        let replies = link.replies(&mut world.store);
        assert!(!matches!(replies.as_slice(), [Reply::Refused(_)]), "the whole frame is fine: {replies:?}");
    }
}

#[test]
fn a_frame_is_read_up_to_its_limit() {
    let mut world = World::new();
    let overhead = frame::encode(&Request::Push(vec![0; 70_000])).len() - 70_000;
    let at_limit = frame::encode(&Request::Push(vec![0; FRAME_BYTES_MAX - overhead]));
    assert_eq!(at_limit.len(), FRAME_BYTES_MAX);
    let mut link = world.link();
    link.send(&mut world.store, &at_limit);
    assert_eq!(link.replies(&mut world.store), [Reply::Refused(Refusal::Limit)], "no batch is so large");
    assert!(!link.session.is_closed());
    link.send(&mut world.store, &frame::encode(&Request::Push(vec![0; FRAME_BYTES_MAX - overhead + 1])));
    assert_eq!(link.replies(&mut world.store), [Reply::Refused(Refusal::Malformed)]);
}

#[test]
fn lists_and_keys_beyond_their_limits_are_refused() {
    let mut world = World::new();
    let entry = world.entry(thicket_protocol::governance::Act::Close { notebook: crate::fixture::NOTEBOOK });
    let empty = |count: usize| vec![ByteVec::from(Vec::new()); count];
    let request = |packs, seals| Request::PutEntry { entry: entry.bytes().to_vec(), packs, seals };
    let vaults = |count: usize| {
        let space = |index: usize| {
            let mut id = [0xff; 16];
            id[..8].copy_from_slice(&(index as u64).to_be_bytes());
            SpaceId::from_bytes(id)
        };
        let at = |index| VaultAt { space: space(index), epoch: 1, version: 0 };
        Request::PullKeys { statements: 0, seals: 0, vaults: (0..count).map(at).collect() }
    };
    let mut ask = |request: &Request, refusal| {
        let mut link = world.link();
        refused(&link.ask(&mut world.store, request), refusal);
    };
    ask(&request(empty(FRAME_LIST_MAX), Vec::new()), Refusal::BadBytes);
    ask(&request(empty(FRAME_LIST_MAX + 1), Vec::new()), Refusal::Malformed);
    ask(&request(Vec::new(), empty(FRAME_LIST_MAX)), Refusal::BadBytes);
    ask(&request(Vec::new(), empty(FRAME_LIST_MAX + 1)), Refusal::Malformed);
    ask(&vaults(FRAME_LIST_MAX), Refusal::Forbidden);
    ask(&vaults(FRAME_LIST_MAX + 1), Refusal::Malformed);
    for (limit, make) in [
        (PACK_BYTES_MAX, Request::PutPack as fn(Vec<u8>) -> Request),
        (SEAL_BYTES_MAX, Request::PutSeal),
        (STATEMENT_BYTES_MAX, Request::PutStatement),
    ] {
        ask(&make(vec![0; limit]), Refusal::BadBytes);
        ask(&make(vec![0; limit + 1]), Refusal::Limit);
    }
}

#[test]
fn who_asks_on_without_reading_is_stopped() {
    let mut world = World::new();
    let mut link = world.link();
    let request = frame::encode(&Request::PullGov { from: 0 });
    for _ in 0..ANSWERS_MAX {
        assert!(link.session.wants_frame());
        link.send(&mut world.store, &request);
    }
    assert!(!link.session.wants_frame());
    link.send(&mut world.store, &request);
    assert!(link.session.is_closed());
    let replies = link.replies(&mut world.store);
    assert_eq!(replies.len(), ANSWERS_MAX + 1);
    assert_eq!(replies.last(), Some(&Reply::Refused(Refusal::Limit)));
}

#[test]
fn numbers_beyond_every_count_are_no_places() {
    let mut world = World::new();
    let mut link = world.link();
    let asked = Request::PullGov { from: u64::MAX };
    assert_eq!(link.ask(&mut world.store, &asked), Reply::Gov { entries: Vec::new(), more: false });
    let vaults = vec![VaultAt { space: SHARED, epoch: u32::MAX, version: u64::MAX }];
    let asked = Request::PullKeys { statements: u64::MAX, seals: u64::MAX, vaults };
    let Reply::Keys { statements, seals, packs, more } = link.ask(&mut world.store, &asked) else {
        panic!("keys")
    };
    assert_eq!(
        (statements.len(), seals.len(), packs.len(), more),
        (0, 0, 1, false),
        "another epoch: the whole"
    );
    let asked = Request::Pull { space: SHARED, after: u64::MAX };
    let Reply::Batches { batches, more: false, .. } = link.ask(&mut world.store, &asked) else {
        panic!("batches")
    };
    assert_eq!(batches.len(), 0);
}
