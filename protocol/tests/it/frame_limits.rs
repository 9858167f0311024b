//! How much a frame may carry: what stands at a limit is taken, what stands one past it is refused.

use minicbor::bytes::ByteVec;
use thicket_protocol::cbor::CborError;
use thicket_protocol::frame::{self, FrameError, Numbered, Reply, Request, Tip, Tips, TipsBody, VaultAt};
use thicket_protocol::ids::SpaceId;
use thicket_protocol::keys::SpaceEpoch;
use thicket_protocol::limits::{BATCH_BYTES_MAX, FRAME_BYTES_MAX, FRAME_LIST_MAX, TEAM_SPACES_MAX};
use thicket_protocol::record::ChainPoint;

use crate::limits::many_epochs;
use crate::samples;

fn tips_of(count: usize, change: fn(&mut Vec<Tip>)) -> Result<Tips, CborError> {
    let tip = |held: SpaceEpoch| Tip { space: held.space, at: ChainPoint::START, vault: 0 };
    let mut spaces = many_epochs(count).into_iter().map(tip).collect();
    change(&mut spaces);
    Tips::sign(TipsBody { spaces, ..samples::tips_body() }, &samples::server())
}

#[test]
fn tips_name_at_most_10000_spaces_ascending_and_fit_into_a_frame() {
    let full = tips_of(TEAM_SPACES_MAX, |_| ()).expect("at the limit");
    let welcome = Reply::Welcome { tips: full.bytes().to_vec(), statements: 0, seals: 0 };
    frame::decode::<Reply>(&frame::encode(&welcome)).expect("it fits into a frame");
    assert!(tips_of(TEAM_SPACES_MAX + 1, |_| ()).is_err());
    assert!(tips_of(2, |spaces| spaces.reverse()).is_err());
    assert!(tips_of(2, |spaces| spaces[1] = spaces[0]).is_err());
}

#[test]
fn a_frame_has_at_most_1088_kib() {
    let push = |length: usize| frame::encode(&Request::Push(vec![0; length]));
    let room = FRAME_BYTES_MAX - (push(0x1_0000).len() - 0x1_0000);
    assert_eq!(push(room).len(), FRAME_BYTES_MAX);
    frame::decode::<Request>(&push(room)).expect("at the limit");
    assert!(matches!(frame::decode::<Request>(&push(room + 1)), Err(FrameError::TooLarge)));
    assert!(matches!(frame::decode::<Reply>(&vec![0; FRAME_BYTES_MAX + 1]), Err(FrameError::TooLarge)));
    frame::decode::<Request>(&push(BATCH_BYTES_MAX)).expect("the largest batch fits");
}

#[test]
fn a_list_in_a_frame_has_at_most_4096_parts() {
    let parts = |count: usize| vec![ByteVec::from(Vec::new()); count];
    let vault = |held: SpaceEpoch| VaultAt { space: held.space, epoch: 1, version: 0 };
    let numbered = |count: usize| {
        (1_u64..).map(|serial| Numbered { serial, bytes: Vec::new() }).take(count).collect::<Vec<_>>()
    };
    let vaults = |count: usize| many_epochs(count).into_iter().map(vault).collect::<Vec<_>>();
    let requests = |count: usize| {
        [
            Request::PutEntry { entry: Vec::new(), packs: parts(count), seals: Vec::new() },
            Request::PutEntry { entry: Vec::new(), packs: Vec::new(), seals: parts(count) },
            Request::PullKeys { statements: 0, seals: 0, vaults: vaults(count) },
        ]
    };
    let keys = |statements, seals, packs| Reply::Keys { statements, seals, packs, more: false };
    let replies = |count: usize| {
        let (space, batches) = (samples::SPACE, parts(count));
        [
            Reply::Gov { entries: parts(count), more: false },
            keys(numbered(count), Vec::new(), Vec::new()),
            keys(Vec::new(), numbered(count), Vec::new()),
            keys(Vec::new(), Vec::new(), parts(count)),
            Reply::Batches { space, first: 1, batches, more: false },
        ]
    };
    for request in requests(FRAME_LIST_MAX) {
        assert_eq!(frame::decode::<Request>(&frame::encode(&request)).expect("at the limit"), request);
    }
    for request in requests(FRAME_LIST_MAX + 1) {
        assert!(matches!(frame::decode::<Request>(&frame::encode(&request)), Err(FrameError::Cbor(_))));
    }
    for reply in replies(FRAME_LIST_MAX) {
        assert_eq!(frame::decode::<Reply>(&frame::encode(&reply)).expect("at the limit"), reply);
    }
    for reply in replies(FRAME_LIST_MAX + 1) {
        assert!(matches!(frame::decode::<Reply>(&frame::encode(&reply)), Err(FrameError::Cbor(_))));
    }
}

#[test]
fn the_vaults_and_serials_of_a_frame_ascend() {
    let vault = |fill: u8| VaultAt { space: SpaceId::from_bytes([fill; 16]), epoch: 1, version: 0 };
    let numbered = |serial: u64| Numbered { serial, bytes: Vec::new() };
    for (first, second, right) in [(1, 2, true), (1, 1, false), (2, 1, false)] {
        let vaults = vec![vault(first), vault(second)];
        let request = Request::PullKeys { statements: 0, seals: 0, vaults };
        let read = frame::decode::<Request>(&frame::encode(&request));
        assert_eq!(read.is_ok(), right);
        assert!(right || matches!(read, Err(FrameError::Shape(_))));
        let two = || vec![numbered(first.into()), numbered(second.into())];
        for (statements, seals) in [(two(), Vec::new()), (Vec::new(), two())] {
            let reply = Reply::Keys { statements, seals, packs: Vec::new(), more: false };
            let read = frame::decode::<Reply>(&frame::encode(&reply));
            assert_eq!(read.is_ok(), right);
            assert!(right || matches!(read, Err(FrameError::Shape(_))));
        }
    }
}
