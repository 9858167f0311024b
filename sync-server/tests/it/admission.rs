//! Who may connect, and what each may ask for.

use thicket_protocol::frame::{Hello, Peer, Refusal, Reply, Request, VaultAt};
use thicket_protocol::governance::{Act, Admits, Author, Entry, Role};
use thicket_protocol::ids::TeamId;
use thicket_protocol::sign::Signer;

use crate::fixture::{
    IDENTITIES, LEDGER, Link, Phone, ROSTER, SHARED, World, exporter, genesis, pack, put, refused, turn,
};

#[test]
fn nothing_is_taken_before_a_hello_and_no_second_hello() {
    let mut world = World::new();
    let mut link = Link::new();
    refused(&link.ask(&mut world.store, &Request::PullGov { from: 0 }), Refusal::Malformed);
    assert!(link.session.is_closed());
    assert_eq!(link.ask_all(&mut world.store, &Request::Subscribe), [], "a closed session takes nothing");

    let mut link = world.link();
    let peer = Peer::Device { team: world.team.id(), key: world.anna.key };
    let again = link.hello(&mut world.store, peer, &world.anna.signer);
    assert_eq!(again.map(|_| ()), Err(Refusal::Malformed));
    assert!(link.session.is_closed());
}

#[test]
fn only_the_holder_of_the_key_on_this_connection_is_welcome() {
    let mut world = World::new();
    let (team, anna) = (world.team.id(), Phone::new(11));
    let peer = Peer::Device { team, key: anna.key };
    let mut link = Link::new();
    let stranger = Phone::new(99);
    assert_eq!(link.hello(&mut world.store, peer, &stranger.signer).map(|_| ()), Err(Refusal::Proof));
    assert!(link.session.is_closed());

    let mut link = Link::new();
    let hello = Hello::sign(peer, &[0; 32], &anna.signer);
    refused(&link.ask(&mut world.store, &Request::Hello(hello)), Refusal::Proof);

    let mut link = Link::new();
    let mut hello = Hello::sign(peer, &exporter(&peer.exporter_context()), &anna.signer);
    hello.v = 2;
    refused(&link.ask(&mut world.store, &Request::Hello(hello)), Refusal::Version);
    assert!(link.session.is_closed());

    let mut link = Link::new();
    let peer = Peer::Device { team, key: stranger.key };
    assert_eq!(link.hello(&mut world.store, peer, &stranger.signer).map(|_| ()), Err(Refusal::NotAdmitted));
}

#[test]
fn a_team_is_founded_by_its_own_genesis_and_by_nothing_else() {
    let mut world = World::founded();
    let ben = Phone::new(12);
    let (entry, rows) = genesis(&ben);
    let team = TeamId::from_bytes(*entry.hash().as_bytes());
    let mut link = Link::new();
    let peer = Peer::Device { team, key: ben.key };
    let (tips, ..) = link.hello(&mut world.store, peer, &ben.signer).expect("welcome");
    assert_eq!(tips.body().gov, None);
    assert_eq!(tips.body().spaces, []);
    for request in
        [Request::PullGov { from: 0 }, Request::Subscribe, Request::Pull { space: ROSTER, after: 0 }]
    {
        refused(&link.ask(&mut world.store, &request), Refusal::UnknownTeam);
    }
    let (other, other_rows) = genesis(&world.anna);
    refused(&link.ask(&mut world.store, &put(other.bytes(), &other_rows, &[])), Refusal::Forbidden);
    refused(&link.ask(&mut world.store, &put(entry.bytes(), &[], &[])), Refusal::BadBytes);
    let founded = Reply::Appended(entry.point());
    assert_eq!(link.ask(&mut world.store, &put(entry.bytes(), &rows, &[])), founded);
    assert_eq!(link.ask(&mut world.store, &put(entry.bytes(), &rows, &[])), founded, "sent again");
    assert_eq!(link.ask(&mut world.store, &Request::Subscribe), Reply::Stored, "a device like any other now");

    let carla = Phone::new(13);
    let mut link = Link::new();
    let peer = Peer::Device { team: TeamId::from_bytes([1; 32]), key: carla.key };
    link.hello(&mut world.store, peer, &carla.signer).expect("welcome");
    let (entry, rows) = genesis(&carla);
    refused(&link.ask(&mut world.store, &put(entry.bytes(), &rows, &[])), Refusal::UnknownTeam);
}

#[test]
fn an_invite_admits_one_device_and_opens_nothing_else() {
    let mut world = World::new();
    let (paper, ben) = (world.invite(77, Role::Fieldworker), Phone::new(12));
    let peer = Peer::Paper { team: world.team.id().into(), key: paper.public_key() };
    let mut link = Link::new();
    let (tips, ..) = link.hello(&mut world.store, peer, &paper).expect("welcome");
    assert_eq!(tips.body().gov, Some(world.team.head()));
    assert_eq!(tips.body().spaces, [], "paper is told of no space");
    let forbidden = [
        Request::PullKeys { statements: 0, seals: 0, vaults: Vec::new() },
        Request::Pull { space: ROSTER, after: 0 },
        Request::Subscribe,
        Request::PutStatement(ben.statement(world.team.id(), 1, world.team.head())),
    ];
    for request in forbidden {
        refused(&link.ask(&mut world.store, &request), Refusal::Forbidden);
    }
    let Reply::Gov { entries, more: false } = link.ask(&mut world.store, &Request::PullGov { from: 0 })
    else {
        panic!("no entries")
    };
    assert_eq!(entries.len(), 3);

    let author = Author::Paper(paper.public_key());
    let (team, head) = (world.team.id(), world.team.head());
    let strike = Act::InviteStrike { key: paper.public_key() };
    let strike = Entry::next(team, head, author, strike, &paper).expect("an entry");
    refused(&link.ask(&mut world.store, &put(strike.bytes(), &[], &[])), Refusal::Forbidden);
    let joining = world.joining(&paper, &ben);
    let appended = Reply::Appended(joining.point());
    assert_eq!(link.ask(&mut world.store, &put(joining.bytes(), &[], &[])), appended);
    assert_eq!(link.ask(&mut world.store, &put(joining.bytes(), &[], &[])), appended, "sent again");
    assert_eq!(link.hints().len(), 2, "the log and the new statement, once");

    let mut link = Link::new();
    assert_eq!(link.hello(&mut world.store, peer, &paper).map(|_| ()), Err(Refusal::SpentInvite));
    let mut link = Link::new();
    let peer = Peer::Device { team, key: ben.key };
    let (tips, statements, seals) = link.hello(&mut world.store, peer, &ben.signer).expect("welcome");
    let spaces: Vec<_> = tips.body().spaces.iter().map(|tip| (tip.space, tip.vault)).collect();
    assert_eq!(spaces, [(ROSTER, 1), (LEDGER, 1), (SHARED, 1), (IDENTITIES, 1)]);
    assert_eq!((statements, seals), (2, 0), "its first statement came with its entry");
}

#[test]
fn invites_unknown_struck_or_of_no_team_are_told_apart() {
    let mut world = World::new();
    let unknown = Signer::from_seed(&[78; 32]);
    let hello = |world: &mut World, paper: &Signer, team: TeamId| {
        let peer = Peer::Paper { team: team.into(), key: paper.public_key() };
        Link::new().hello(&mut world.store, peer, paper).map(|_| ())
    };
    let team = world.team.id();
    assert_eq!(hello(&mut world, &unknown, team), Err(Refusal::UnknownInvite));
    assert_eq!(hello(&mut world, &unknown, TeamId::from_bytes([7; 32])), Err(Refusal::UnknownTeam));
    let paper = world.invite(77, Role::Analyst);
    assert_eq!(hello(&mut world, &paper, team), Ok(()));
    world.append(Act::InviteStrike { key: paper.public_key() }, &[], &[]).expect("struck");
    assert_eq!(hello(&mut world, &paper, team), Err(Refusal::SpentInvite));
}

#[test]
fn a_recovery_kit_admits_a_device_of_its_member() {
    let mut world = World::new();
    let (kit, phone) = (Signer::from_seed(&[79; 32]), Phone::new(12));
    let member = world.anna.member;
    world.append(Act::Recovery { member, key: Some(kit.public_key()) }, &[], &[]).expect("named");
    let peer = Peer::Paper { team: world.team.id().into(), key: kit.public_key() };
    let mut link = Link::new();
    link.hello(&mut world.store, peer, &kit).expect("welcome");
    let prekey = phone.statement(world.team.id(), 1, world.team.head());
    let act = Act::DeviceAdd { member, device: phone.key, prekey };
    let author = Author::Paper(kit.public_key());
    let entry = Entry::next(world.team.id(), world.team.head(), author, act, &kit).expect("an entry");
    assert_eq!(link.ask(&mut world.store, &put(entry.bytes(), &[], &[])), Reply::Appended(entry.point()));
    Link::of(&mut world.store, world.team.id(), &phone);
}

#[test]
fn of_two_entries_at_one_place_the_second_comes_too_late() {
    let mut world = World::new();
    let ben = world.join(12, Role::Custodian);
    let invite = |author: &Phone, seed: u8| {
        let key = Signer::from_seed(&[seed; 32]).public_key();
        let act = Act::Invite { key, admits: Admits::Member(Role::Analyst), expires_ms: 1 };
        let (team, head) = (world.team.id(), world.team.head());
        Entry::next(team, head, Author::Device(author.id), act, &author.signer).expect("an entry")
    };
    let (first, second) = (invite(&world.anna, 61), invite(&ben, 62));
    let mut link = world.link();
    assert_eq!(link.ask(&mut world.store, &put(first.bytes(), &[], &[])), Reply::Appended(first.point()));
    let mut ben_link = Link::of(&mut world.store, world.team.id(), &ben);
    refused(&ben_link.ask(&mut world.store, &put(second.bytes(), &[], &[])), Refusal::Behind);
    refused(&ben_link.ask(&mut world.store, &put(first.bytes(), &[], &[])), Refusal::Forbidden);
    let head = world.store.team(&world.team.id()).expect("read").expect("there").head();
    assert_eq!(head, first.point());
}

#[test]
fn an_entry_that_breaks_the_logs_rules_changes_nothing() {
    let mut world = World::new();
    let ben = world.join(12, Role::Fieldworker);
    let mut link = Link::of(&mut world.store, world.team.id(), &ben);
    let (team, head) = (world.team.id(), world.team.head());
    let close = Act::Close { notebook: crate::fixture::NOTEBOOK };
    let entry = |act, signer: &Signer| Entry::next(team, head, Author::Device(ben.id), act, signer);
    let by_no_right = entry(close.clone(), &ben.signer).expect("an entry");
    refused(&link.ask(&mut world.store, &put(by_no_right.bytes(), &[], &[])), Refusal::Forbidden);
    let forged = entry(close, &world.anna.signer).expect("an entry");
    refused(&link.ask(&mut world.store, &put(forged.bytes(), &[], &[])), Refusal::BadEntry);
    refused(&link.ask(&mut world.store, &put(b"no entry", &[], &[])), Refusal::BadEntry);
    assert!(!link.session.is_closed(), "a wrong entry is no reason to go");
    assert_eq!(world.store.team(&team).expect("read").expect("there").head(), head);
    assert_eq!(link.hints(), []);
}

#[test]
fn a_revoked_device_is_refused_on_the_connection_that_it_has() {
    let mut world = World::new();
    let ben = world.join(12, Role::Auditor);
    let mut link = Link::of(&mut world.store, world.team.id(), &ben);
    let first = world.batch(&world.anna, ROSTER, None, &[50]);
    world.link().push(&mut world.store, &first).expect("taken");
    link.send(&mut world.store, &thicket_protocol::frame::encode(&Request::Pull { space: ROSTER, after: 0 }));

    let rows = [vec![pack(ROSTER, 2, &[12])], vec![pack(LEDGER, 2, &[22])]];
    let turns = vec![turn(ROSTER, 2, 1, &rows[0]), turn(LEDGER, 2, 1, &rows[1])];
    let act = Act::DeviceRevoke { device: ben.id, turns };
    world.append(act, &rows.concat(), &[]).expect("revoked");
    assert_eq!(link.replies(&mut world.store), [Reply::Refused(Refusal::NotAdmitted)], "not even what waits");
    refused(&link.ask(&mut world.store, &Request::PullGov { from: 0 }), Refusal::NotAdmitted);
    let peer = Peer::Device { team: world.team.id(), key: ben.key };
    let again = Link::new().hello(&mut world.store, peer, &ben.signer);
    assert_eq!(again.map(|_| ()), Err(Refusal::NotAdmitted));
}

#[test]
fn a_right_that_is_taken_ends_what_was_asked_under_it() {
    let mut world = World::new();
    let ben = world.join(12, Role::Fieldworker);
    let first = world.batch(&world.anna, SHARED, None, &[50]);
    world.link().push(&mut world.store, &first).expect("taken");
    let mut link = Link::of(&mut world.store, world.team.id(), &ben);
    let vaults = vec![VaultAt { space: SHARED, epoch: 1, version: 0 }];
    let keys = Request::PullKeys { statements: 0, seals: 0, vaults };
    for request in [Request::Pull { space: SHARED, after: 0 }, keys] {
        link.send(&mut world.store, &thicket_protocol::frame::encode(&request));
    }
    let rows = [pack(SHARED, 2, &[32]), pack(IDENTITIES, 2, &[42])];
    let turns = [SHARED, IDENTITIES].iter().zip(&rows);
    let turns = turns.map(|(space, row)| turn(*space, 2, 1, std::slice::from_ref(row))).collect();
    let act = Act::RoleChange { member: ben.member, role: Role::Auditor, turns };
    world.append(act, &rows, &[]).expect("narrowed");
    let replies = link.replies(&mut world.store);
    refused(&replies[0], Refusal::Forbidden);
    let Reply::Keys { packs, more: false, .. } = &replies[1] else { panic!("keys: {replies:?}") };
    assert_eq!((packs.len(), replies.len()), (0, 2));
}

#[test]
fn a_stopping_server_refuses_what_comes_after_it_said_so() {
    let mut world = World::new();
    let mut link = world.link();
    link.session.drain();
    link.session.drain();
    assert_eq!(link.replies(&mut world.store), [Reply::Draining], "said once");
    let batch = world.batch(&world.anna, SHARED, None, &[50]);
    assert_eq!(link.push(&mut world.store, &batch).map(|_| ()), Err(Refusal::Draining));
    assert_eq!(world.store.batch(&world.team.id(), &SHARED, &world.anna.id, 1).expect("read"), None);
}
