//! Batches: chains, receipts, and what a pull leaves out.

use thicket_protocol::frame::{Change, Refusal, Reply, Request};
use thicket_protocol::governance::{Act, Role, ShredList};
use thicket_protocol::ids::{DocTag, Hash};
use thicket_protocol::limits::FRAME_BYTES_MAX;
use thicket_protocol::record::{Batch, ChainPoint, GovPoint, Head, Item, ItemKind, ItemRef};

use crate::fixture::{LEDGER, Link, ROSTER, SHARED, World, key_id, pack, refused, turn};

fn bodies(batch: &Batch) -> Vec<bool> {
    batch.bodies().iter().map(Option::is_some).collect()
}

#[test]
fn a_batch_sent_again_gets_its_receipt_again() {
    let mut world = World::new();
    let (mut link, batch) = (world.link(), world.batch(&world.anna, SHARED, None, &[50]));
    let first = link.push(&mut world.store, &batch).expect("taken");
    assert_eq!(first.body().at, ChainPoint::START.next(&batch.hash()));
    assert_eq!(link.hints().len(), 1);
    let again = link.push(&mut world.store, &batch).expect("taken before");
    assert_eq!(again.bytes(), first.bytes());
    assert_eq!(link.hints(), [], "nothing has changed");
    assert_eq!(world.store.space(&world.team.id(), &SHARED).expect("read").expect("there").at.pos, 1);
}

#[test]
fn two_histories_of_one_device_are_refused() {
    let mut world = World::new();
    let mut link = world.link();
    let first = world.batch(&world.anna, SHARED, None, &[50]);
    link.push(&mut world.store, &first).expect("taken");
    let other = world.batch(&world.anna, SHARED, None, &[51]);
    assert_eq!(link.push(&mut world.store, &other).expect_err("another history"), Refusal::Fork);
    let after_other = world.batch(&world.anna, SHARED, Some(&other), &[52]);
    assert_eq!(link.push(&mut world.store, &after_other).expect_err("another history"), Refusal::Gap);
    let second = world.batch(&world.anna, SHARED, Some(&first), &[53]);
    let third = world.batch(&world.anna, SHARED, Some(&second), &[54]);
    assert_eq!(link.push(&mut world.store, &third).expect_err("one is missing"), Refusal::Gap);
    link.push(&mut world.store, &second).expect("the next");
    link.push(&mut world.store, &third).expect("the one after");
    assert!(!link.session.is_closed());
}

#[test]
fn a_batch_that_is_not_the_peers_or_not_of_the_log_is_refused() {
    let mut world = World::new();
    let ben = world.join(12, Role::Fieldworker);
    let auditor = world.join(13, Role::Auditor);
    let mut link = world.link();
    let (tags, log) = ([(DocTag::from_bytes([50; 16]), ItemKind::Delta)], world.team.head());
    let anna = |epoch, gov| {
        let change = |(head, _): &mut (Head, Vec<Item>)| (head.epoch, head.gov) = (epoch, gov);
        world.batch_of(&world.anna, SHARED, None, &tags, change)
    };
    let cases = [
        (world.batch(&ben, SHARED, None, &[50]), Refusal::Forbidden, "another device's"),
        (anna(2, log), Refusal::BadBytes, "an epoch that is not there"),
        (anna(0, log), Refusal::BadBytes, "epochs begin at 1"),
        (anna(1, GovPoint { seq: u64::MAX, hash: Hash::ZERO }), Refusal::BadBytes, "beyond the log"),
        (anna(1, GovPoint { seq: 0, hash: Hash::ZERO }), Refusal::BadBytes, "another log"),
    ];
    for (batch, refusal, why) in cases {
        assert_eq!(link.push(&mut world.store, &batch).map(|_| ()), Err(refusal), "{why}");
    }
    let whole = world.batch(&world.anna, SHARED, None, &[50]);
    let without = Request::Push(whole.encode(|_| false));
    refused(&link.ask(&mut world.store, &without), Refusal::BadBytes);
    let mut link = Link::of(&mut world.store, world.team.id(), &auditor);
    let batch = world.batch(&auditor, SHARED, None, &[50]);
    assert_eq!(link.push(&mut world.store, &batch).map(|_| ()), Err(Refusal::Forbidden));
    let batch = world.batch(&auditor, LEDGER, None, &[50]);
    link.push(&mut world.store, &batch).expect("an auditor holds the ledger");
    refused(&link.ask(&mut world.store, &Request::Pull { space: SHARED, after: 0 }), Refusal::Forbidden);
}

#[test]
fn a_forged_signature_is_refused() {
    let mut world = World::new();
    let (mut link, batch) = (world.link(), world.batch(&world.anna, SHARED, None, &[50]));
    let mut bytes = batch.encode(|_| true);
    let at = bytes.windows(64).position(|part| part == batch.signature().as_bytes()).expect("a signature");
    bytes[at] ^= 1;
    refused(&link.ask(&mut world.store, &Request::Push(bytes)), Refusal::BadBytes);
    assert_eq!(link.pull(&mut world.store, SHARED, 0), []);
}

#[test]
fn a_closed_notebook_takes_nothing_new_and_still_knows_what_it_took() {
    let mut world = World::new();
    let first = world.batch(&world.anna, SHARED, None, &[50]);
    let receipt = world.link().push(&mut world.store, &first).expect("taken");
    let notebook = crate::fixture::NOTEBOOK;
    world.append(Act::Close { notebook }, &[], &[]).expect("closed");
    let mut link = world.link();
    let second = world.batch(&world.anna, SHARED, Some(&first), &[51]);
    assert_eq!(link.push(&mut world.store, &second).map(|_| ()), Err(Refusal::Forbidden));
    assert_eq!(link.push(&mut world.store, &first).expect("taken before").bytes(), receipt.bytes());
    let roster = world.batch(&world.anna, ROSTER, None, &[52]);
    link.push(&mut world.store, &roster).expect("the roster belongs to no notebook");
}

#[test]
fn a_pull_leaves_out_own_and_covered_bodies_and_keeps_the_chain() {
    let mut world = World::new();
    let ben = world.join(12, Role::Fieldworker);
    let (mut anna_link, mut ben_link) = (world.link(), Link::of(&mut world.store, world.team.id(), &ben));
    let first = world.batch(&world.anna, SHARED, None, &[50, 51]);
    anna_link.push(&mut world.store, &first).expect("taken");
    // A full save of document 50 that names both bodies: only the one of its own document is covered.
    let full = [(DocTag::from_bytes([50; 16]), ItemKind::Full)];
    let second = world.batch_of(&ben, SHARED, None, &full, |(_, items)| {
        let item = |index| ItemRef { device: first.head().device, seq: 1, index };
        items[0].covers = vec![item(0), item(1), item(9)];
    });
    ben_link.push(&mut world.store, &second).expect("taken");
    let third = world.join(13, Role::Analyst);
    let mut third_link = Link::of(&mut world.store, world.team.id(), &third);
    let seen = |link: &mut Link, world: &mut World| -> Vec<(u64, Vec<bool>)> {
        let pulled = link.pull(&mut world.store, SHARED, 0);
        pulled.iter().for_each(|(_, batch)| {
            let key = if batch.head().device == ben.id { ben.key } else { world.anna.key };
            batch.verify(&key).expect("a chain verifies without bodies");
        });
        pulled.iter().map(|(pos, batch)| (*pos, bodies(batch))).collect()
    };
    assert_eq!(seen(&mut third_link, &mut world), [(1, vec![false, true]), (2, vec![true])]);
    assert_eq!(seen(&mut ben_link, &mut world), [(1, vec![false, true]), (2, vec![false])]);
    assert_eq!(seen(&mut anna_link, &mut world), [(1, vec![false, false]), (2, vec![true])]);
    assert_eq!(third_link.pull(&mut world.store, SHARED, 2), []);
    assert_eq!(third_link.pull(&mut world.store, SHARED, u64::MAX), []);
}

#[test]
fn a_shred_drops_bodies_for_ever_and_keeps_the_chain() {
    let mut world = World::new();
    let ben = world.join(12, Role::Fieldworker);
    let first = world.batch(&world.anna, SHARED, None, &[50, 51]);
    let receipt = world.link().push(&mut world.store, &first).expect("taken");
    assert!(world.disk_has(b"body 1/0 of the phone"));
    let rows = [pack(SHARED, 2, &[31, 32])];
    let shred = Act::Shred { ids: ShredList::Here(vec![key_id(50)]), turns: vec![turn(SHARED, 2, 1, &rows)] };
    let entry = world.entry(shred.clone());
    let seals = [world.anna.seal(world.team.id(), ben.id, 1, entry.point(), &[(SHARED, 2)])];
    world.append(shred, &rows, &seals).expect("shredded");
    let mut link = Link::of(&mut world.store, world.team.id(), &ben);
    let pulled = link.pull(&mut world.store, SHARED, 0);
    assert_eq!(bodies(&pulled[0].1), [false, true]);
    assert_eq!(pulled[0].1.hash(), first.hash());
    let again = world.link().push(&mut world.store, &first).expect("taken before");
    assert_eq!(again.bytes(), receipt.bytes(), "the receipt says what was so when it came");

    let late = world.batch(&ben, SHARED, None, &[50, 53]);
    let receipt = link.push(&mut world.store, &late).expect("taken, so that the chain has no hole");
    assert_eq!(receipt.body().dead, [0]);
    let without = world.batch(&ben, SHARED, Some(&late), &[50, 54]);
    let request = Request::Push(without.encode(|index| index == 1));
    let Reply::Receipt(_) = link.ask(&mut world.store, &request) else { panic!("a dead body may stay away") };
    let pulled = world.link().pull(&mut world.store, SHARED, 1);
    assert_eq!(pulled.iter().map(|(_, batch)| bodies(batch)).collect::<Vec<_>>(), vec![[false, true]; 2]);

    assert!(!world.disk_has(b"body 1/0 of the phone"), "a shredded body left the disk");
    assert!(world.disk_has(b"body 1/1 of the phone"), "the other body is still there");
}

#[test]
fn a_shred_that_was_cut_off_from_the_log_is_finished_by_the_next_start_or_commit() {
    let mut world = World::new();
    let first = world.batch(&world.anna, SHARED, None, &[50]);
    world.link().push(&mut world.store, &first).expect("taken");
    let outside = rusqlite::Connection::open(world.folder.path().join("server.db")).expect("a database");
    outside.execute_batch("BEGIN; SELECT count(*) FROM gov;").expect("a reader that stays");
    let rows = [pack(SHARED, 2, &[32])];
    let shred = Act::Shred { ids: ShredList::Here(vec![key_id(50)]), turns: vec![turn(SHARED, 2, 1, &rows)] };
    world.append(shred, &rows, &[]).expect("shredded");
    assert!(world.disk_has(SECRET), "the reader keeps the log from being cut");
    let killed = crate::store::copy(world.folder.path());
    outside.execute_batch("COMMIT").expect("it leaves");
    drop(crate::fixture::open(killed.path()));
    assert!(!crate::fixture::folder_has(killed.path(), SECRET));
    let next = world.batch(&world.anna, SHARED, Some(&first), &[51]);
    world.link().push(&mut world.store, &next).expect("taken");
    assert!(!world.disk_has(SECRET));
}

const SECRET: &[u8] = b"body 1/0 of the phone";

#[test]
fn the_tag_of_events_cannot_be_shredded() {
    let mut world = World::new();
    let events = [(DocTag::EVENT, ItemKind::Event)];
    let first = world.batch_of(&world.anna, LEDGER, None, &events, |_| {});
    world.link().push(&mut world.store, &first).expect("taken");
    let ids = ShredList::Here(vec![DocTag::EVENT.into()]);
    world.append(Act::Shred { ids, turns: Vec::new() }, &[], &[]).expect("an entry");
    let second = world.batch_of(&world.anna, LEDGER, Some(&first), &events, |_| {});
    let receipt = world.link().push(&mut world.store, &second).expect("taken");
    assert_eq!(receipt.body().dead, []);
    let ben = world.join(12, Role::Fieldworker);
    let pulled = Link::of(&mut world.store, world.team.id(), &ben).pull(&mut world.store, LEDGER, 0);
    assert_eq!(pulled.iter().map(|(_, batch)| bodies(batch)).collect::<Vec<_>>(), vec![[true]; 2]);
}

#[test]
fn a_long_pull_comes_in_frames_within_the_limit_and_as_of_its_request() {
    let mut world = World::new();
    let ben = world.join(12, Role::Fieldworker);
    let (mut link, mut before) = (world.link(), None);
    let tags: Vec<u8> = (0..=255).collect();
    for _ in 0..60 {
        let batch = world.batch(&world.anna, SHARED, before.as_ref(), &tags);
        link.push(&mut world.store, &batch).expect("taken");
        before = Some(batch);
    }
    let mut link = Link::of(&mut world.store, world.team.id(), &ben);
    let request = thicket_protocol::frame::encode(&Request::Pull { space: SHARED, after: 0 });
    link.send(&mut world.store, &request);
    let mut frames = Vec::new();
    while let Some(frame) = link.session.poll_transmit(&mut world.store) {
        if frames.is_empty() {
            let batch = world.batch(&world.anna, SHARED, before.as_ref(), &[1]);
            world.link().push(&mut world.store, &batch).expect("taken");
        }
        frames.push(frame);
    }
    assert!(frames.len() > 2, "{} frames", frames.len());
    let mut next = 1;
    for (index, bytes) in frames.iter().enumerate() {
        assert!(bytes.len() <= FRAME_BYTES_MAX);
        let Reply::Batches { first, batches, more, .. } =
            thicket_protocol::frame::decode(bytes).expect("a frame")
        else {
            panic!("batches")
        };
        assert_eq!((first, more), (next, index + 1 < frames.len()));
        next += batches.len() as u64;
    }
    assert_eq!(next, 61);
}

#[test]
fn a_change_is_told_to_whom_it_concerns_and_to_nobody_else() {
    let mut world = World::new();
    let ben = world.join(12, Role::Fieldworker);
    let auditor = world.join(13, Role::Auditor);
    let mut links: Vec<Link> =
        [&ben, &auditor].map(|phone| Link::of(&mut world.store, world.team.id(), phone)).into();
    let mut silent = Link::of(&mut world.store, world.team.id(), &ben);
    for link in &mut links {
        assert_eq!(link.ask(&mut world.store, &Request::Subscribe), Reply::Stored);
    }
    let mut link = world.link();
    let first = world.batch(&world.anna, SHARED, None, &[50]);
    let second = world.batch(&world.anna, SHARED, Some(&first), &[51]);
    link.push(&mut world.store, &first).expect("taken");
    link.push(&mut world.store, &second).expect("taken");
    let hints = link.hints();
    for link in links.iter_mut().chain([&mut silent]) {
        hints.iter().for_each(|hint| link.session.handle_hint(hint));
        assert_eq!(link.replies(&mut world.store), []);
    }
    assert_eq!(links[0].changes, [Change::Space(SHARED, 2)], "two changes are one hint");
    assert_eq!(links[1].changes, [], "an auditor does not hold it");
    assert_eq!(silent.changes, [], "who did not ask is not told");
}
