//! Statements, seals and vaults: what a server demands of keys that it cannot open.

use thicket_protocol::frame::{Change, Refusal, Reply, Request, VaultAt};
use thicket_protocol::governance::{Act, NewSpace, Realm, Role, ShredList, SpaceKind};
use thicket_protocol::ids::SpaceId;
use thicket_protocol::keys::Pack;
use thicket_protocol::limits::FRAME_BYTES_MAX;
use thicket_protocol::record::GovPoint;
use thicket_sync_server::limits::SEALS_WAITING_MAX;

use crate::fixture::{
    IDENTITIES, LEDGER, Link, NOTEBOOK, PRIVATE, Phone, ROSTER, SHARED, World, key_id, pack, refused, turn,
};

fn at(space: SpaceId, epoch: u32, version: u64) -> VaultAt {
    VaultAt { space, epoch, version }
}

#[test]
fn a_statement_is_the_devices_own_newer_and_of_this_log() {
    let mut world = World::new();
    let ben = world.join(12, Role::Fieldworker);
    let (team, head) = (world.team.id(), world.team.head());
    let mut link = Link::of(&mut world.store, team, &ben);
    let mut put = |bytes: Vec<u8>| link.ask(&mut world.store, &Request::PutStatement(bytes));
    refused(&put(world.anna.statement(team, 2, head)), Refusal::Forbidden);
    refused(&put(ben.statement(team, 1, GovPoint { seq: 0, ..head })), Refusal::StalePrekey);
    refused(&put(ben.statement(team, 2, GovPoint { seq: 0, ..head })), Refusal::BadBytes);
    refused(&put(ben.statement(team, 2, GovPoint { seq: 99, ..head })), Refusal::BadBytes);
    let second = ben.statement(team, 2, head);
    let mut forged = second.clone();
    *forged.last_mut().expect("bytes") ^= 1;
    refused(&put(forged), Refusal::BadBytes);
    assert_eq!(put(second.clone()), Reply::Stored);
    assert_eq!(put(second), Reply::Stored, "sent again");
    assert_eq!(link.hints().len(), 1);
    assert_eq!(world.store.statement(&team, &ben.id).expect("read").map(|(counter, _)| counter), Some(2));
    let (statements, ..) = link.pull_keys(&mut world.store, Vec::new());
    assert_eq!(statements, 2, "the newest of each device");
}

#[test]
fn a_seal_is_the_peers_own_to_the_newest_statement_and_of_newest_epochs() {
    let mut world = World::new();
    let ben = world.join(12, Role::Analyst);
    let (team, head) = (world.team.id(), world.team.head());
    let mut ben_link = Link::of(&mut world.store, team, &ben);
    let mut link = world.link();
    let mut put = |bytes: Vec<u8>| link.ask(&mut world.store, &Request::PutSeal(bytes));
    let (anna, to) = (&world.anna, ben.id);
    refused(&put(anna.seal(team, to, 2, head, &[(SHARED, 1)])), Refusal::StalePrekey);
    refused(&put(anna.seal(team, to, 1, head, &[(SHARED, 2)])), Refusal::StaleVault);
    refused(&put(anna.seal(team, to, 1, head, &[(SHARED, 0)])), Refusal::StaleVault);
    refused(&put(anna.seal(team, to, 1, head, &[(IDENTITIES, 1)])), Refusal::Forbidden);
    refused(&put(anna.seal(team, to, 1, GovPoint { seq: 99, ..head }, &[(SHARED, 1)])), Refusal::BadBytes);
    refused(&put(ben.seal(team, anna.id, 1, head, &[(SHARED, 1)])), Refusal::Forbidden);
    let seal = anna.seal(team, to, 1, head, &[(ROSTER, 1), (SHARED, 1)]);
    assert_eq!(put(seal.clone()), Reply::Stored);
    assert_eq!(put(seal), Reply::Stored, "sent again");
    assert_eq!(link.hints().len(), 1);
    assert_eq!(ben_link.pull_keys(&mut world.store, Vec::new()).1, 1);
    assert_eq!(link.pull_keys(&mut world.store, Vec::new()).1, 0, "a seal is its device's alone");
}

#[test]
fn seals_that_wait_have_a_limit_which_a_new_statement_lifts() {
    let mut world = World::new();
    let ben = world.join(12, Role::Fieldworker);
    let (team, log) = (world.team.id(), world.team.head());
    let mut link = world.link();
    world.store.begin().expect("a group");
    for index in 0..=SEALS_WAITING_MAX {
        // Each is another, by its device's place in the log or by what it carries.
        let spaces = [(ROSTER, 1), (LEDGER, 1), (SHARED, 1), (IDENTITIES, 1)];
        let carried: Vec<_> =
            (0..4).filter(|bit| (index + 1) >> bit & 1 == 1).map(|bit| spaces[bit]).collect();
        let carried = if carried.is_empty() { vec![spaces[0]] } else { carried };
        let seal = unlike(&world, &ben, &carried, index);
        let reply = link.ask(&mut world.store, &Request::PutSeal(seal));
        let expected = if index < SEALS_WAITING_MAX { Reply::Stored } else { Reply::Refused(Refusal::Limit) };
        assert_eq!(reply, expected, "seal {index}");
    }
    world.store.commit().expect("kept");
    let mut ben_link = Link::of(&mut world.store, team, &ben);
    let statement = ben.statement(team, 2, log);
    assert_eq!(ben_link.ask(&mut world.store, &Request::PutStatement(statement)), Reply::Stored);
    let seal = world.anna.seal(team, ben.id, 2, log, &[(SHARED, 1)]);
    assert_eq!(link.ask(&mut world.store, &Request::PutSeal(seal)), Reply::Stored);
    assert_eq!(ben_link.pull_keys(&mut world.store, Vec::new()).1, 1, "the older ones made room");
}

/// A seal whose ciphertext carries a number.
fn unlike(world: &World, to: &Phone, epochs: &[(SpaceId, u32)], number: u64) -> Vec<u8> {
    use thicket_protocol::keys::Seal;
    let plain = world.anna.seal(world.team.id(), to.id, 1, world.team.head(), epochs);
    let mut body = Seal::decode(&plain).expect("a seal").body().clone();
    body.sealed = [vec![4; 56], number.to_be_bytes().to_vec()].concat();
    Seal::sign(body, &world.anna.signer).expect("a seal").bytes().to_vec()
}

#[test]
fn a_row_is_of_the_newest_epoch_and_no_key_comes_twice() {
    let mut world = World::new();
    let ben = world.join(12, Role::Analyst);
    let mut link = Link::of(&mut world.store, world.team.id(), &ben);
    let mut put = |bytes: Vec<u8>| link.ask(&mut world.store, &Request::PutPack(bytes));
    refused(&put(pack(IDENTITIES, 1, &[60])), Refusal::Forbidden);
    refused(&put(pack(SHARED, 2, &[60])), Refusal::StaleVault);
    refused(&put(pack(SHARED, 0, &[60])), Refusal::StaleVault);
    refused(&put(pack(SHARED, 1, &[31, 60])), Refusal::KnownKey);
    let row = pack(SHARED, 1, &[60, 61]);
    assert_eq!(put(row.clone()), Reply::Stored);
    assert_eq!(put(row.clone()), Reply::Stored, "sent again");
    refused(&put(pack(SHARED, 1, &[61, 62])), Refusal::KnownKey);
    let last = pack(SHARED, 1, &[62]);
    assert_eq!(put(last.clone()), Reply::Stored);
    refused(&put(b"no row".to_vec()), Refusal::BadBytes);
    assert_eq!(link.hints().len(), 2);
    assert_eq!(world.store.space(&world.team.id(), &SHARED).expect("read").expect("there").vault, 4);
    let mut packs = |after| link.pull_keys(&mut world.store, vec![at(SHARED, 1, after)]).2;
    assert_eq!(packs(0), [pack(SHARED, 1, &[31]), row.clone(), last.clone()]);
    assert_eq!(packs(1), [row, last.clone()]);
    assert_eq!(packs(3), [last]);
    assert_eq!(packs(4), Vec::<Vec<u8>>::new());
    let asked = Request::PullKeys { statements: 0, seals: 0, vaults: vec![at(IDENTITIES, 1, 0)] };
    refused(&link.ask(&mut world.store, &asked), Refusal::Forbidden);
    let unsorted = vec![at(SHARED, 1, 0), at(LEDGER, 1, 0)];
    let asked = Request::PullKeys { statements: 0, seals: 0, vaults: unsorted };
    refused(&link.ask(&mut world.store, &asked), Refusal::Malformed);
}

#[test]
fn a_long_vault_comes_in_frames_within_the_limit() {
    let mut world = World::new();
    let mut link = world.link();
    let pages = 150_u16;
    world.store.begin().expect("a group");
    for page in 0..pages {
        let ids = (0..=255_u8).map(|index| {
            let mut id = [0xee; 16];
            id[..2].copy_from_slice(&page.to_be_bytes());
            id[2] = index;
            thicket_protocol::ids::KeyId::from_bytes(id)
        });
        let row =
            Pack { ids: ids.collect(), sealed: vec![0; 256 * 32 + 16], ..decode(&pack(SHARED, 1, &[1])) };
        let row = thicket_protocol::cbor::encode(&row);
        assert_eq!(link.ask(&mut world.store, &Request::PutPack(row)), Reply::Stored);
    }
    world.store.commit().expect("kept");
    let vaults = vec![at(ROSTER, 1, 0), at(LEDGER, 1, 0), at(SHARED, 1, 0), at(IDENTITIES, 1, 0)];
    let request = Request::PullKeys { statements: 0, seals: 0, vaults };
    link.send(&mut world.store, &thicket_protocol::frame::encode(&request));
    let (mut frames, mut rows) = (0, 0);
    while let Some(bytes) = link.session.poll_transmit(&mut world.store) {
        assert!(bytes.len() <= FRAME_BYTES_MAX);
        let Reply::Keys { packs, .. } = thicket_protocol::frame::decode(&bytes).expect("a frame") else {
            panic!("keys")
        };
        (frames, rows) = (frames + 1, rows + packs.len());
    }
    assert!(frames > 1);
    assert_eq!(rows, usize::from(pages) + 4, "each row once");
}

fn decode(bytes: &[u8]) -> Pack {
    Pack::decode(bytes).expect("a row")
}

#[test]
fn a_new_epoch_needs_a_seal_to_everybody_who_may_hold_it() {
    let mut world = World::new();
    let (ben, auditor) = (world.join(12, Role::Fieldworker), world.join(13, Role::Auditor));
    let carla = world.join(14, Role::Analyst);
    let rows = [pack(SHARED, 2, &[31, 32])];
    let act = Act::Epoch { turns: vec![turn(SHARED, 2, 1, &rows)] };
    let (team, point) = (world.team.id(), world.entry(act.clone()).point());
    let seal = |to: &Phone, epochs: &[_]| world.anna.seal(team, to.id, 1, point, epochs);
    let (one, other) = (seal(&ben, &[(SHARED, 2)]), seal(&carla, &[(SHARED, 2)]));
    let (too_much, old) = (seal(&auditor, &[(SHARED, 2)]), seal(&carla, &[(LEDGER, 1)]));
    let by_another = ben.seal(team, carla.id, 1, point, &[(SHARED, 2)]);
    assert_eq!(world.append(act.clone(), &rows, &[]), Err(Refusal::MissingSeal));
    assert_eq!(world.append(act.clone(), &rows, std::slice::from_ref(&one)), Err(Refusal::MissingSeal));
    assert_eq!(world.append(act.clone(), &rows, &[one.clone(), old]), Err(Refusal::MissingSeal));
    assert_eq!(world.append(act.clone(), &rows, &[one.clone(), by_another]), Err(Refusal::Forbidden));
    assert_eq!(
        world.append(act.clone(), &rows, &[one.clone(), other.clone(), too_much]),
        Err(Refusal::Forbidden)
    );
    let before = world.store.space(&team, &SHARED).expect("read").expect("there");
    assert_eq!((before.epoch, before.vault), (1, 1), "nothing of a refused entry is kept");
    world.append(act, &rows, &[one, other]).expect("an epoch");
    let after = world.store.space(&team, &SHARED).expect("read").expect("there");
    assert_eq!((after.epoch, after.vault), (2, 2));
    let mut link = Link::of(&mut world.store, team, &ben);
    let (_, seals, packs) = link.pull_keys(&mut world.store, vec![at(SHARED, 1, 1)]);
    assert_eq!((seals, packs), (1, rows.to_vec()), "who has an older epoch gets the vault whole");
    refused(&link.ask(&mut world.store, &Request::PutPack(pack(SHARED, 1, &[70]))), Refusal::StaleVault);
}

#[test]
fn a_staged_vault_is_the_one_that_the_entry_names_made_from_the_present_one() {
    let mut world = World::new();
    let late = Request::PutPack(pack(SHARED, 1, &[32]));
    assert_eq!(world.link().ask(&mut world.store, &late), Reply::Stored);
    let rows = [pack(SHARED, 2, &[31]), pack(SHARED, 2, &[32])];
    let act = |made_from, rows: &[Vec<u8>]| Act::Epoch { turns: vec![turn(SHARED, 2, made_from, rows)] };
    assert_eq!(world.append(act(1, &rows), &rows, &[]), Err(Refusal::StaleVault), "a key came meanwhile");
    assert_eq!(world.append(act(2, &rows), &rows[..1], &[]), Err(Refusal::BadBytes), "a row is missing");
    let turned_round = [rows[1].clone(), rows[0].clone()];
    assert_eq!(world.append(act(2, &rows), &turned_round, &[]), Err(Refusal::BadBytes), "another order");
    let stray = [rows[0].clone(), rows[1].clone(), pack(LEDGER, 2, &[22])];
    assert_eq!(world.append(act(2, &rows), &stray, &[]), Err(Refusal::BadEntry), "a row of no turn");
    let twice = [rows[0].clone(), pack(SHARED, 2, &[31])];
    assert_eq!(world.append(act(2, &twice), &twice, &[]), Err(Refusal::KnownKey), "a key twice");
    world.append(act(2, &rows), &rows, &[]).expect("an epoch");
}

#[test]
fn a_shredded_key_leaves_the_vault_and_never_comes_back() {
    let mut world = World::new();
    let shred = |rows: &[Vec<u8>]| Act::Shred {
        ids: ShredList::Here(vec![key_id(31)]),
        turns: vec![turn(SHARED, 2, 1, rows)],
    };
    let kept = [pack(SHARED, 2, &[31, 32])];
    assert_eq!(world.append(shred(&kept), &kept, &[]), Err(Refusal::Shredded), "it is still in it");
    let old_row = pack(SHARED, 1, &[31]);
    assert!(world.disk_has(&old_row));
    let rows = [pack(SHARED, 2, &[32])];
    world.append(shred(&rows), &rows, &[]).expect("shredded");
    let mut link = world.link();
    refused(&link.ask(&mut world.store, &Request::PutPack(pack(SHARED, 2, &[31, 33]))), Refusal::Shredded);
    assert_eq!(link.pull_keys(&mut world.store, vec![at(SHARED, 2, 0)]).2, rows);
    let again = [pack(SHARED, 3, &[31])];
    let act = Act::Epoch { turns: vec![turn(SHARED, 3, 1, &again)] };
    assert_eq!(world.append(act, &again, &[]), Err(Refusal::Shredded));
    assert!(!world.disk_has(&old_row), "the old vault left the disk");
}

#[test]
fn a_space_that_somebody_left_takes_no_key_before_it_turns() {
    let mut world = World::new();
    let (ben, lost) = (world.join(12, Role::Analyst), Phone::new(15));
    let (team, member) = (world.team.id(), ben.member);
    let rows = [pack(PRIVATE, 1, &[61])];
    let space = NewSpace { kind: SpaceKind::Private, owner: Some(member), epoch: turn(PRIVATE, 1, 0, &rows) };
    let act = Act::SpaceCreate { notebook: NOTEBOOK, realm: Realm::Research, spaces: vec![space] };
    world.append_by(&ben, act, &rows, &[]).expect("a private space is its owner's to make");
    let prekey = lost.statement(team, 1, world.team.head());
    world.append_by(&ben, Act::DeviceAdd { member, device: lost.key, prekey }, &[], &[]).expect("added");
    let (mut link, head) = (Link::of(&mut world.store, team, &ben), world.team.head());
    let seal = ben.seal(team, lost.id, 1, head, &[(PRIVATE, 1)]);
    assert_eq!(link.ask(&mut world.store, &Request::PutSeal(seal)), Reply::Stored);
    assert_eq!(link.ask(&mut world.store, &Request::PutPack(pack(PRIVATE, 1, &[62]))), Reply::Stored);
    let private = Request::Pull { space: PRIVATE, after: 0 };
    refused(&world.link().ask(&mut world.store, &private), Refusal::Forbidden);

    // The custodian revokes the lost phone, and cannot turn what she does not hold.
    let staged = [pack(ROSTER, 2, &[12]), pack(LEDGER, 2, &[22]), pack(SHARED, 2, &[32])];
    let spaces = [ROSTER, LEDGER, SHARED].iter().zip(&staged);
    let turns = spaces.map(|(space, row)| turn(*space, 2, 1, std::slice::from_ref(row))).collect();
    let act = Act::DeviceRevoke { device: lost.id, turns };
    let point = world.entry(act.clone()).point();
    let epochs = [(ROSTER, 2), (LEDGER, 2), (SHARED, 2)];
    let seals = [world.anna.seal(team, ben.id, 1, point, &epochs)];
    world.append(act, &staged, &seals).expect("revoked");
    refused(&link.ask(&mut world.store, &Request::PutPack(pack(PRIVATE, 1, &[63]))), Refusal::StaleVault);
    let seal = ben.seal(team, ben.id, 1, world.team.head(), &[(PRIVATE, 1)]);
    refused(&link.ask(&mut world.store, &Request::PutSeal(seal)), Refusal::StaleVault);
    let rows = [pack(PRIVATE, 2, &[61, 62, 64])];
    let act = Act::Epoch { turns: vec![turn(PRIVATE, 2, 2, &rows)] };
    world.append_by(&ben, act, &rows, &[]).expect("its owner turns it");
    assert_eq!(link.ask(&mut world.store, &Request::PutPack(pack(PRIVATE, 2, &[63]))), Reply::Stored);
}

#[test]
fn a_private_shred_reaches_no_further_than_its_space() {
    let mut world = World::new();
    let ben = world.join(12, Role::Fieldworker);
    let rows = [pack(PRIVATE, 1, &[61])];
    let owner = Some(ben.member);
    let space = NewSpace { kind: SpaceKind::Private, owner, epoch: turn(PRIVATE, 1, 0, &rows) };
    let act = Act::SpaceCreate { notebook: NOTEBOOK, realm: Realm::Research, spaces: vec![space] };
    world.append_by(&ben, act, &rows, &[]).expect("a private space");
    let mut link = Link::of(&mut world.store, world.team.id(), &ben);
    for space in [PRIVATE, SHARED] {
        let batch = world.batch(&ben, space, None, &[50]);
        link.push(&mut world.store, &batch).expect("taken");
    }
    let rows = [pack(PRIVATE, 2, &[62])];
    let ids = ShredList::Here(vec![key_id(50)]);
    let act = Act::Shred { ids, turns: vec![turn(PRIVATE, 2, 1, &rows)] };
    world.append_by(&ben, act, &rows, &[]).expect("a member shreds in the own private space");
    let pulled = world.link().pull(&mut world.store, SHARED, 0);
    assert!(pulled[0].1.bodies()[0].is_some(), "what is shared stays");
    let database = rusqlite::Connection::open(world.folder.path().join("server.db")).expect("a database");
    let left: i64 = database
        .query_row("SELECT count(*) FROM bodies WHERE space = ?", [PRIVATE.as_bytes()], |row| row.get(0))
        .expect("a count");
    assert_eq!(left, 0, "what is private is gone");
}

#[test]
fn new_keys_are_told_to_those_who_may_hold_them() {
    let mut world = World::new();
    let (ben, auditor) = (world.join(12, Role::Analyst), world.join(13, Role::Auditor));
    let (team, head) = (world.team.id(), world.team.head());
    let mut links = [&ben, &auditor].map(|phone| Link::of(&mut world.store, team, phone));
    for link in &mut links {
        assert_eq!(link.ask(&mut world.store, &Request::Subscribe), Reply::Stored);
    }
    let mut told = |world: &mut World, request: &Request| {
        let mut link = world.link();
        assert_eq!(link.ask(&mut world.store, request), Reply::Stored);
        let hints = link.hints();
        links.each_mut().map(|link| {
            hints.iter().for_each(|hint| link.session.handle_hint(hint));
            assert_eq!(link.replies(&mut world.store), []);
            std::mem::take(&mut link.changes)
        })
    };
    let keys = vec![Change::Keys];
    let row = Request::PutPack(pack(SHARED, 1, &[60]));
    assert_eq!(told(&mut world, &row), [keys.clone(), Vec::new()], "an auditor does not hold it");
    let seal = Request::PutSeal(world.anna.seal(team, auditor.id, 1, head, &[(LEDGER, 1)]));
    assert_eq!(told(&mut world, &seal), [Vec::new(), keys.clone()], "a seal is its device's alone");
    let statement = Request::PutStatement(world.anna.statement(team, 2, head));
    assert_eq!(told(&mut world, &statement), [keys.clone(), keys], "a statement is everybody's");
}
