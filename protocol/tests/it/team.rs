//! Who may sign what: every rule is tried, and a refused entry changes nothing.

use std::collections::BTreeMap;

use thicket_protocol::governance::{Act, Admits, Author, Entry, NewSpace, Realm, Role, ShredList, SpaceKind};
use thicket_protocol::ids::{Hash, Incarnation, MemberId, PublicKey, SpaceId};
use thicket_protocol::keys::{PrekeyBody, PrekeyStatement};
use thicket_protocol::record::GovPoint;
use thicket_protocol::sign::Signer;
use thicket_protocol::team::{InviteState, Policy, Team, TeamError};

use crate::samples;
use crate::story::{
    Anna, Ben, Cleo, Dora, Emil, Finn, IDENTITIES, LEDGER, Log, MEMBERS, NOTEBOOK, OTHER_NOTEBOOK, ROSTER,
    SHARED, Stranger, Who, genesis_act, new_space, no_hash, paper, private, second, space, three_spaces,
    turn, with_turns,
};

fn revokes(device: &Signer) -> Act {
    Act::DeviceRevoke { device: samples::id_of(device), turns: Vec::new() }
}

fn removes(who: Who) -> Act {
    Act::MemberRemove { member: who.member(), turns: Vec::new() }
}

fn changes_role(who: Who, role: Role) -> Act {
    Act::RoleChange { member: who.member(), role, turns: Vec::new() }
}

fn grants(who: Who, granted: bool) -> Act {
    Act::SpaceGrant { notebook: NOTEBOOK, member: who.member(), granted, turns: Vec::new() }
}

fn shreds(ids: &[u8], log: &Log, spaces: &[SpaceId]) -> Act {
    let ids = ShredList::Here(ids.iter().map(|id| samples::key_id(*id)).collect());
    Act::Shred { ids, turns: log.turns(spaces) }
}

fn makes_notebook(spaces: Vec<NewSpace>) -> Act {
    Act::SpaceCreate { notebook: OTHER_NOTEBOOK, realm: Realm::Service, spaces }
}

#[test]
fn a_log_adds_up_to_the_same_team_from_its_bytes() {
    let log = Log::story();
    assert_eq!(log.replayed(), log.team);
    let roles: BTreeMap<MemberId, Role> = MEMBERS.map(|(who, role)| (who.member(), role)).into();
    assert_eq!(log.team.members().iter().map(|(id, of)| (*id, of.role)).collect::<BTreeMap<_, _>>(), roles);
    assert_eq!(log.team.devices().len(), 8);
    assert_eq!(log.team.roster(), ROSTER);
    assert_eq!(log.team.space_of(&NOTEBOOK, SpaceKind::Shared, None), Some(SHARED));
    assert_eq!(log.team.space_of(&NOTEBOOK, SpaceKind::Shared, Some(&Ben.member())), Some(SHARED));
    assert_eq!(log.team.space_of(&NOTEBOOK, SpaceKind::Private, Some(&Ben.member())), Some(private(Ben)));
    assert_eq!(log.team.space_of(&NOTEBOOK, SpaceKind::Private, Some(&Dora.member())), None);
    assert_eq!(log.team.space_of(&NOTEBOOK, SpaceKind::Private, None), None);
    assert_eq!(log.team.space_of(&OTHER_NOTEBOOK, SpaceKind::Ledger, None), None);
    assert_eq!(log.team.ledger_of(&private(Ben)), Some(LEDGER));
    assert_eq!(log.team.ledger_of(&LEDGER), Some(LEDGER));
    assert_eq!(log.team.ledger_of(&ROSTER), Some(ROSTER));
    assert_eq!(log.team.ledger_of(&space(0x99)), None);
    let shared = &log.team.spaces()[&SHARED];
    assert_eq!(shared.epoch(1), Some(shared.newest()));
    assert_eq!((shared.epoch(0), shared.epoch(2)), (None, None));
}

#[test]
fn a_genesis_is_signed_by_its_device_and_makes_the_roster() {
    let genesis = |change: fn(&mut NewSpace)| {
        let mut act = genesis_act();
        if let Act::Genesis { roster, .. } = &mut act {
            change(roster);
        }
        Team::found(&Entry::genesis(act, Anna.id(), &Anna.device()).expect("it fits its format"))
    };
    let team = genesis(|_| ()).expect("a genesis");
    assert!(team.members()[&Anna.member()].ever_custodian);
    let spoiled: [fn(&mut NewSpace); 5] = [
        |roster| roster.kind = SpaceKind::Ledger,
        |roster| roster.owner = Some(Anna.member()),
        |roster| roster.epoch.epoch = 0,
        |roster| roster.epoch.epoch = 2,
        |roster| roster.epoch.made_from = 1,
    ];
    for change in spoiled {
        assert!(matches!(genesis(change), Err(TeamError::Contradiction(_))));
    }
    let signed = |act: Act, author: Who, signer: Who| {
        Team::found(&Entry::genesis(act, author.id(), &signer.device()).expect("it fits its format"))
    };
    assert_eq!(signed(genesis_act(), Anna, Ben), Err(TeamError::Signature));
    assert!(matches!(signed(genesis_act(), Ben, Ben), Err(TeamError::Forbidden(_))));
    let close = Act::Close { notebook: NOTEBOOK };
    assert!(matches!(signed(close, Anna, Anna), Err(TeamError::Contradiction(_))));
    let log = Log::found();
    for change in [
        (|body| body.seq = 1) as fn(&mut thicket_protocol::governance::EntryBody),
        |body| body.prev = no_hash(),
        |body| body.team = Some(samples::TEAM),
    ] {
        let mut body = log.entries[0].body().clone();
        change(&mut body);
        let entry = Entry::sign(body, &Anna.device()).expect("it fits its format");
        assert_eq!(Team::found(&entry), Err(TeamError::NotNext));
    }
    log.contradicts(Anna, genesis_act());
}

#[test]
fn an_entry_follows_the_head_of_its_own_team() {
    let mut log = Log::found();
    let act = || Act::ServerKey { key: samples::server().public_key() };
    for change in [
        (|body| body.seq += 1) as fn(&mut thicket_protocol::governance::EntryBody),
        |body| body.seq = 0,
        |body| body.seq = u64::MAX,
        |body| body.prev = no_hash(),
        |body| body.prev = Hash::ZERO,
        |body| body.team = Some(samples::TEAM),
        |body| body.team = None,
    ] {
        let mut body = second(&log.team, act());
        change(&mut body);
        let entry = Entry::sign(body, &Anna.device()).expect("it fits its format");
        assert_eq!(log.apply_entry(entry), Err(TeamError::NotNext));
    }
    let entry = Entry::sign(second(&log.team, act()), &Anna.device()).expect("it fits its format");
    log.apply_entry(entry.clone()).expect("it follows");
    assert_eq!(log.apply_entry(entry), Err(TeamError::NotNext), "an entry is applied once");
    assert_eq!(log.team.server_key(), Some(&samples::server().public_key()));
}

#[test]
fn an_entry_is_signed_by_its_author() {
    let mut log = Log::story();
    let act = || Act::ServerKey { key: samples::server().public_key() };
    assert_eq!(log.apply_as(Author::Device(Anna.id()), &Ben.device(), act()), Err(TeamError::Signature));
    assert_eq!(log.apply_as(Author::Device(Anna.id()), &Anna.device_nr(2), act()), Err(TeamError::Signature));
    log.take(Anna, log.invites(9, Admits::Member(Role::Analyst)));
    let joins = log.joins(Stranger);
    let paper_key = Author::Paper(paper(9).public_key());
    assert_eq!(log.apply_as(paper_key, &Stranger.device(), joins), Err(TeamError::Signature));
    // A key is no invite because it is a device's, nor a device because it is an invite's.
    let right = Author::Paper(Anna.device().public_key());
    assert!(matches!(log.apply_as(right, &Anna.device(), act()), Err(TeamError::Forbidden(_))));
    let as_device = Author::Device(samples::id_of(&paper(9)));
    assert!(matches!(log.apply_as(as_device, &paper(9), act()), Err(TeamError::Forbidden(_))));
}

/// The table of who may sign, row by row: the act is right but for its author.
#[test]
fn only_those_of_the_table_may_sign() {
    let mut log = Log::story();
    log.take(Anna, log.invites(9, Admits::Member(Role::Analyst)));
    let custodians = &[Anna, Emil][..];
    let everybody = &[Anna, Emil, Ben, Cleo, Dora, Finn][..];
    let (key, nr) = (samples::server().public_key(), 10);
    let admits = Admits::Member(Role::Custodian);
    let text = samples::hash(1);
    let head = log.team.head();
    let own_device = |who: Who| log.invites(nr, Admits::OwnDevice(who.member()));
    let names_kit = |who: Who| Act::Recovery { member: who.member(), key: Some(key) };
    let table: Vec<(Act, &[Who])> = vec![
        (log.invites(nr, admits), custodians),
        (own_device(Dora), &[Dora]),
        (own_device(Anna), &[Anna]),
        (Act::InviteStrike { key: paper(9).public_key() }, everybody),
        (log.joins(Stranger), &[]),
        (log.adds_device(Ben, &Ben.device_nr(3)), &[Ben]),
        (log.adds_device(Anna, &Anna.device_nr(3)), &[Anna]),
        (revokes(&Ben.device_nr(2)), &[Anna, Emil, Ben]),
        (revokes(&Anna.device_nr(2)), custodians),
        (removes(Ben), custodians),
        (removes(Emil), &[Anna]),
        (changes_role(Ben, Role::Analyst), custodians),
        (makes_notebook(three_spaces(space(1), space(2), space(3))), custodians),
        (grants(Ben, false), custodians),
        (Act::Epoch { turns: log.turns(&[SHARED]) }, custodians),
        (Act::Epoch { turns: log.turns(&[private(Ben)]) }, &[Ben]),
        (Act::Epoch { turns: log.turns(&[private(Ben), SHARED]) }, &[]),
        (Act::Epoch { turns: log.turns(&[private(Anna), ROSTER, IDENTITIES]) }, &[Anna]),
        (shreds(&[1, 2], &log, &[LEDGER, SHARED]), custodians),
        (shreds(&[1, 2], &log, &[]), custodians),
        (shreds(&[1], &log, &[private(Ben)]), &[Ben]),
        (shreds(&[1], &log, &[private(Ben), SHARED]), &[]),
        (Act::Close { notebook: NOTEBOOK }, custodians),
        (names_kit(Ben), &[Ben]),
        (Act::Recovery { member: Ben.member(), key: None }, &[Ben]),
        (Act::ServerKey { key }, custodians),
        (Act::Incarnation { incarnation: samples::INCARNATION, head }, custodians),
        (Act::Policy { notebook: NOTEBOOK, window_hours: 72, text }, custodians),
    ];
    for (act, may) in table {
        for who in [Anna, Emil, Ben, Cleo, Dora, Finn, Stranger] {
            let tried = log.tried(who, log.whole(who, act.clone()));
            if may.contains(&who) {
                assert_eq!(tried, Ok(()), "{who:?}: {act:?}");
            } else {
                assert!(matches!(tried, Err(TeamError::Forbidden(_))), "{who:?}: {tried:?}: {act:?}");
            }
        }
        let admits_one = matches!(act, Act::MemberAdd { .. });
        let by_paper = log.clone().apply_paper(&paper(9), act.clone());
        assert_eq!(by_paper.is_ok(), admits_one, "{by_paper:?}: {act:?}");
    }
}

#[test]
fn a_revoked_device_and_a_removed_member_sign_nothing() {
    let mut log = Log::story();
    log.take_whole(Anna, revokes(&Emil.device()));
    log.take_whole(Anna, removes(Ben));
    let strike = Act::InviteStrike { key: paper(9).public_key() };
    log.take(Anna, log.invites(9, Admits::Member(Role::Analyst)));
    log.forbids(Emil, strike.clone());
    log.forbids(Ben, strike.clone());
    let second = log.clone().apply_device(&Ben.device_nr(2), strike.clone());
    assert!(matches!(second, Err(TeamError::Forbidden(_))));
    log.take(Dora, strike);
    assert!(log.team.current(&Emil.id()).is_none() && log.team.current(&Ben.id()).is_none());
    assert_eq!(log.team.spaces_of(&Ben.id()), []);
    assert!(log.team.members()[&Ben.member()].removed && !log.team.members()[&Emil.member()].removed);
    // Gone is gone: neither goes twice, and nothing comes to a member who has left.
    log.contradicts(Anna, revokes(&Ben.device()));
    log.contradicts(Anna, revokes(&Emil.device()));
    log.contradicts(Anna, removes(Ben));
    log.contradicts(Anna, removes(Stranger));
    log.contradicts(Anna, changes_role(Ben, Role::Auditor));
    log.contradicts(Anna, grants(Ben, false));
}

#[test]
fn an_invite_admits_one_device_once_in_its_own_role() {
    let mut log = Log::story();
    for role in Role::ALL {
        let mut log = log.clone();
        log.take(Emil, log.invites(9, Admits::Member(*role)));
        log.contradicts(Anna, log.invites(9, Admits::Member(*role)));
        log.apply_paper(&paper(9), log.joins(Stranger)).expect("the invite is open");
        let joined = &log.team.members()[&Stranger.member()];
        assert_eq!((joined.role, joined.ever_custodian), (*role, *role == Role::Custodian));
        assert_eq!(log.team.invites()[&paper(9).public_key()].state, InviteState::Used(Stranger.id()));
        assert_eq!(log.team.devices()[&Stranger.id()].invite, Some(paper(9).public_key()));
        let other = Signer::from_seed(&[0x77; 32]);
        let prekey = log.statement(&other);
        let (member, device) = (MemberId::from_bytes([0x77; 16]), other.public_key());
        let again = log.apply_paper(&paper(9), Act::MemberAdd { member, device, prekey });
        assert!(matches!(again, Err(TeamError::Forbidden(_))), "an invite is used once");
        log.contradicts(Anna, Act::InviteStrike { key: paper(9).public_key() });
    }
    log.take(Ben, log.invites(9, Admits::OwnDevice(Ben.member())));
    let device = Ben.device_nr(3);
    let as_member = log.clone().apply_paper(&paper(9), log.joins(Stranger));
    assert!(matches!(as_member, Err(TeamError::Forbidden(_))), "an invite for a device admits no member");
    let as_other = log.clone().apply_paper(&paper(9), log.adds_device(Anna, &device));
    assert!(matches!(as_other, Err(TeamError::Forbidden(_))), "nor a device of somebody else");
    log.apply_paper(&paper(9), log.adds_device(Ben, &device)).expect("the invite is open");
    assert_eq!(log.team.devices()[&samples::id_of(&device)].member, Ben.member());
    log.take(Anna, log.invites(10, Admits::Member(Role::Analyst)));
    let as_device = log.clone().apply_paper(&paper(10), log.adds_device(Ben, &Ben.device_nr(4)));
    assert!(matches!(as_device, Err(TeamError::Forbidden(_))), "an invite for a member adds no device");
    log.take(Dora, Act::InviteStrike { key: paper(10).public_key() });
    let struck = log.clone().apply_paper(&paper(10), log.joins(Stranger));
    assert!(matches!(struck, Err(TeamError::Forbidden(_))));
    log.contradicts(Anna, Act::InviteStrike { key: paper(11).public_key() });
    let unknown = log.clone().apply_paper(&paper(11), log.joins(Stranger));
    assert!(matches!(unknown, Err(TeamError::Forbidden(_))));
    // A key that is somebody's already is no invite's.
    let key = Ben.device().public_key();
    log.contradicts(Anna, Act::Invite { key, admits: Admits::Member(Role::Analyst), expires_ms: 0 });
}

/// A thief or a leaver must not come back by an invite written beforehand.
#[test]
fn an_invite_ends_with_the_right_to_write_it() {
    let mut log = Log::story();
    log.take(Emil, log.invites(9, Admits::Member(Role::Custodian)));
    log.take(Emil, log.invites(10, Admits::OwnDevice(Emil.member())));
    log.take(Anna, log.invites(11, Admits::Member(Role::Analyst)));
    let state = |log: &Log, nr: u8| log.team.invites()[&paper(nr).public_key()].state;
    let after = |act: Act| {
        let mut log = log.clone();
        log.take_whole(Anna, act);
        [9, 10, 11].map(|nr| state(&log, nr) == InviteState::Open)
    };
    assert_eq!(after(removes(Emil)), [false, false, true]);
    assert_eq!(after(revokes(&Emil.device())), [false, false, true]);
    assert_eq!(after(changes_role(Emil, Role::Fieldworker)), [false, true, true]);
    assert_eq!(after(changes_role(Ben, Role::Custodian)), [true, true, true]);
}

#[test]
fn a_recovery_kit_admits_one_device_of_its_member() {
    let mut log = Log::story();
    log.take(Ben, Act::Recovery { member: Ben.member(), key: Some(paper(9).public_key()) });
    log.take_whole(Anna, revokes(&Ben.device()));
    log.take_whole(Anna, revokes(&Ben.device_nr(2)));
    let device = Ben.device_nr(3);
    let other = log.clone().apply_paper(&paper(9), log.adds_device(Cleo, &device));
    assert!(matches!(other, Err(TeamError::Forbidden(_))));
    let member = log.clone().apply_paper(&paper(9), log.joins(Stranger));
    assert!(matches!(member, Err(TeamError::Forbidden(_))));
    log.contradicts(Anna, log.invites(9, Admits::Member(Role::Analyst)));
    log.contradicts(Cleo, Act::Recovery { member: Cleo.member(), key: Some(paper(9).public_key()) });
    let mut destroyed = log.clone();
    destroyed
        .apply_device(&Ben.device(), Act::Recovery { member: Ben.member(), key: None })
        .expect_err("revoked");
    log.apply_paper(&paper(9), log.adds_device(Ben, &device)).expect("the kit was not used");
    assert_eq!(log.team.devices()[&samples::id_of(&device)].invite, None);
    let again = log.apply_paper(&paper(9), log.adds_device(Ben, &Ben.device_nr(4)));
    assert!(matches!(again, Err(TeamError::Forbidden(_))));

    let mut log = Log::story();
    for key in [Some(paper(9).public_key()), Some(paper(10).public_key()), None] {
        log.take(Ben, Act::Recovery { member: Ben.member(), key });
        let old = log.clone().apply_paper(&paper(9), log.adds_device(Ben, &device));
        assert_eq!(old.is_ok(), key == Some(paper(9).public_key()), "new words, or none, end the old ones");
    }
    log.take(Ben, Act::Recovery { member: Ben.member(), key: Some(paper(9).public_key()) });
    log.take_whole(Anna, removes(Ben));
    log.apply_paper(&paper(9), log.adds_device(Ben, &device)).expect_err("the member has left");
}

#[test]
fn a_device_comes_with_its_own_first_statement() {
    let mut log = Log::story();
    log.take(Anna, log.invites(9, Admits::Member(Role::Analyst)));
    log.take(Ben, log.invites(10, Admits::OwnDevice(Ben.member())));
    let device = Stranger.device();
    let prekey = |change: fn(&mut PrekeyBody), signer: &Signer| {
        let mut body = log.prekey(&device);
        change(&mut body);
        PrekeyStatement::sign(body, signer).expect("it fits its format").bytes().to_vec()
    };
    let foreign = Signer::from_seed(&[0x66; 32]);
    let whole = prekey(|_| (), &device);
    let wrong = [
        prekey(|body| body.team = samples::TEAM, &device),
        prekey(|body| body.device = Anna.id(), &device),
        prekey(|body| body.counter = 2, &device),
        prekey(|body| body.epochs = samples::epochs(), &device),
        prekey(|body| body.gov.seq += 1, &device),
        prekey(|_| (), &foreign),
        log.statement(&foreign),
        Vec::new(),
        whole[..whole.len() - 1].to_vec(),
    ];
    let key = device.public_key();
    for (prekey, right) in wrong.into_iter().map(|prekey| (prekey, false)).chain([(whole, true)]) {
        let member = Stranger.member();
        let joined = log
            .clone()
            .apply_paper(&paper(9), Act::MemberAdd { member, device: key, prekey: prekey.clone() });
        let add = Act::DeviceAdd { member: Ben.member(), device: key, prekey };
        for tried in [joined, log.clone().apply_paper(&paper(10), add.clone()), log.tried(Ben, add)] {
            assert_eq!(tried.is_ok(), right, "{tried:?}");
            assert!(right || matches!(tried, Err(TeamError::Contradiction(_))), "{tried:?}");
        }
    }
    // Neither a member's id nor a device's key is given twice, not even after it has gone.
    log.take_whole(Anna, revokes(&Ben.device_nr(2)));
    log.contradicts(Ben, log.adds_device(Ben, &Ben.device_nr(2)));
    log.contradicts(Ben, log.adds_device(Ben, &Anna.device()));
    let (prekey, member) = (log.statement(&device), Ben.member());
    let taken = log.apply_paper(&paper(9), Act::MemberAdd { member, device: key, prekey });
    assert!(matches!(taken, Err(TeamError::Contradiction(_))));
}

#[test]
fn the_last_custodian_stays() {
    let mut log = Log::story();
    // A leaver would know the keys that are made to keep him out.
    log.forbids(Anna, log.whole(Anna, removes(Anna)));
    log.forbids(Anna, log.whole(Anna, revokes(&Anna.device())));
    log.take_whole(Anna, revokes(&Emil.device()));
    // Emil is a custodian still, but has no device to act on.
    for role in [Role::Fieldworker, Role::Auditor] {
        log.forbids(Anna, log.whole(Anna, changes_role(Anna, role)));
    }
    log.take_whole(Anna, revokes(&Anna.device_nr(2)));
    log.forbids(Anna, log.whole(Anna, revokes(&Anna.device())));

    let mut log = Log::story();
    log.take_whole(Anna, changes_role(Anna, Role::Fieldworker));
    assert!(log.team.members()[&Anna.member()].ever_custodian);
    log.forbids(Anna, log.whole(Anna, removes(Ben)));
    log.forbids(Emil, log.whole(Emil, changes_role(Emil, Role::Fieldworker)));
    log.contradicts(Emil, changes_role(Emil, Role::Custodian));
    log.take_whole(Emil, removes(Anna));
}

#[test]
fn a_role_holds_what_the_table_says() {
    let log = Log::story();
    let all = [ROSTER, LEDGER, SHARED, IDENTITIES];
    let held = |who: Who| log.team.spaces_of(&who.id());
    for who in [Anna, Emil, Ben, Finn] {
        assert_eq!(held(who), [&all[..], &[private(who)]].concat(), "{who:?}");
    }
    assert_eq!(held(Cleo), [ROSTER, LEDGER, SHARED, private(Cleo)]);
    assert_eq!(held(Dora), [ROSTER, LEDGER]);
    assert_eq!(held(Stranger), []);
    let holders = |space: SpaceId| log.team.holders(&space);
    let ascending = |mut ids: Vec<_>| {
        ids.sort();
        ids
    };
    let bens = ascending(vec![Ben.id(), samples::id_of(&Ben.device_nr(2))]);
    assert_eq!(holders(private(Ben)), bens);
    assert_eq!(holders(ROSTER), log.team.devices().keys().copied().collect::<Vec<_>>());
    let annas = [Anna.id(), samples::id_of(&Anna.device_nr(2))];
    let others = [Emil.id(), Finn.id()];
    assert_eq!(holders(IDENTITIES), ascending([&annas[..], &others, &bens].concat()));
    assert_eq!(holders(space(0x99)), []);
}

#[test]
fn every_space_turns_that_somebody_is_to_hold_no_longer() {
    let log = Log::story();
    let with =
        |by: Who, act: &Act, turns: &[SpaceId]| log.tried(by, with_turns(act.clone(), log.turns(turns)));
    let all = [ROSTER, LEDGER, SHARED, IDENTITIES];
    let with_own = [ROSTER, LEDGER, SHARED, IDENTITIES, private(Ben)];
    let annas_too = [ROSTER, LEDGER, SHARED, IDENTITIES, private(Anna)];
    let table: Vec<(Who, Act, &[SpaceId])> = vec![
        (Anna, revokes(&Ben.device_nr(2)), &all),
        (Ben, revokes(&Ben.device_nr(2)), &with_own),
        (Anna, revokes(&Anna.device_nr(2)), &annas_too),
        (Emil, revokes(&Dora.device()), &[ROSTER, LEDGER]),
        (Anna, removes(Ben), &all),
        (Anna, removes(Cleo), &[ROSTER, LEDGER, SHARED]),
        (Anna, changes_role(Ben, Role::LinkWorker), &[]),
        (Anna, changes_role(Ben, Role::Custodian), &[]),
        (Anna, changes_role(Ben, Role::Analyst), &[IDENTITIES]),
        (Anna, changes_role(Ben, Role::Auditor), &[SHARED, IDENTITIES]),
        (Anna, changes_role(Dora, Role::Fieldworker), &[]),
        (Anna, changes_role(Anna, Role::Fieldworker), &[]),
        (Anna, changes_role(Anna, Role::Auditor), &[]),
        (Anna, grants(Ben, false), &[LEDGER, SHARED, IDENTITIES]),
        (Anna, grants(Dora, false), &[LEDGER]),
        (Anna, grants(Anna, false), &[]),
    ];
    for (by, act, needed) in table {
        assert_eq!(log.team.must_turn(&by.id(), &act), needed, "{act:?}");
        assert_eq!(with(by, &act, needed), Ok(()), "{act:?}");
        for left_out in needed {
            let fewer: Vec<SpaceId> = needed.iter().filter(|space| *space != left_out).copied().collect();
            let tried = with(by, &act, &fewer);
            assert!(matches!(tried, Err(TeamError::Contradiction(_))), "{tried:?}: {act:?}");
        }
    }
    // A custodian may turn more; another member only what has to.
    assert_eq!(with(Anna, &removes(Cleo), &[ROSTER, LEDGER, SHARED, IDENTITIES, private(Anna)]), Ok(()));
    let more = with(Anna, &removes(Ben), &[ROSTER, LEDGER, SHARED, IDENTITIES, private(Ben)]);
    assert!(matches!(more, Err(TeamError::Forbidden(_))), "nobody turns what he does not hold: {more:?}");
    // Whoever takes from himself does not make the keys that keep him out.
    let own = with(Anna, &changes_role(Anna, Role::Auditor), &[SHARED]);
    assert!(matches!(own, Err(TeamError::Forbidden(_))), "{own:?}");
    let given = Log::clone(&log).apply(
        Anna,
        Act::SpaceGrant { notebook: NOTEBOOK, member: Ben.member(), granted: true, turns: Vec::new() },
    );
    assert!(matches!(given, Err(TeamError::Contradiction(_))), "{given:?}");
}

#[test]
fn nothing_turns_again_for_a_member_whose_last_device_has_gone() {
    let mut log = Log::story();
    log.take_whole(Anna, revokes(&Cleo.device()));
    for act in [removes(Cleo), changes_role(Cleo, Role::Auditor), grants(Cleo, false)] {
        assert_eq!(log.team.must_turn(&Anna.id(), &act), []);
        assert_eq!(log.tried(Anna, act), Ok(()));
    }
}

#[test]
fn who_was_a_custodian_once_is_remembered() {
    let mut log = Log::story();
    let ever = |log: &Log| log.team.members()[&Ben.member()].ever_custodian;
    log.take_whole(Anna, changes_role(Ben, Role::LinkWorker));
    assert!(!ever(&log));
    for role in [Role::Custodian, Role::Fieldworker] {
        log.take_whole(Anna, changes_role(Ben, role));
        assert!(ever(&log));
    }
}

#[test]
fn an_epoch_is_one_more_than_the_newest_and_turns_once_an_entry() {
    let mut log = Log::story();
    let epoch = |turns| Act::Epoch { turns };
    for turns in [
        Vec::new(),
        vec![turn(SHARED, 0)],
        vec![turn(SHARED, 1)],
        vec![turn(SHARED, 3)],
        vec![turn(SHARED, 2), turn(SHARED, 2)],
        vec![turn(SHARED, 2), turn(SHARED, 3)],
        vec![turn(space(0x99), 1)],
        vec![turn(space(0x99), 2)],
        vec![turn(LEDGER, 2), turn(SHARED, 1)],
    ] {
        log.contradicts(Anna, epoch(turns));
    }
    let before = log.newest();
    log.take(Anna, epoch(vec![turn(SHARED, 2), turn(LEDGER, 2)]));
    log.take(Emil, epoch(vec![turn(SHARED, 3)]));
    let mut after = before;
    after.extend([(SHARED, 3), (LEDGER, 2)]);
    assert_eq!(log.newest(), after);
    let shared = &log.team.spaces()[&SHARED];
    assert_eq!(shared.epochs, [turn(SHARED, 1), turn(SHARED, 2), turn(SHARED, 3)]);
    assert_eq!(shared.epoch(2), Some(&turn(SHARED, 2)));
}

#[test]
fn what_an_author_does_not_hold_is_due_until_a_holder_turns_it() {
    let mut log = Log::story();
    log.take_whole(Anna, revokes(&Ben.device_nr(2)));
    assert_eq!(log.due(), [private(Ben)]);
    log.forbids(Anna, Act::Epoch { turns: log.turns(&[private(Ben)]) });
    log.take(Ben, Act::Epoch { turns: log.turns(&[private(Ben)]) });
    assert_eq!(log.due(), []);
    // The last device of a member who stays: another device of hers is to turn it.
    log.take_whole(Anna, revokes(&Cleo.device()));
    assert_eq!(log.due(), [private(Cleo)]);
    // Nobody is left whose private space it was.
    log.take_whole(Anna, removes(Finn));
    assert_eq!(log.due(), [private(Cleo)]);

    // A custodian who takes a notebook from himself leaves its turning to the others, even those who may only hold it.
    let mut log = Log::story();
    log.take_whole(Anna, grants(Anna, false));
    assert_eq!(log.due(), [LEDGER, SHARED, IDENTITIES, private(Anna)]);
    log.forbids(Dora, Act::Epoch { turns: log.turns(&[SHARED]) });
    log.forbids(Ben, Act::Epoch { turns: log.turns(&[ROSTER]) });
    log.take(Cleo, Act::Epoch { turns: log.turns(&[SHARED]) });
    assert_eq!(log.due(), [LEDGER, IDENTITIES, private(Anna)]);
    log.take_whole(Anna, removes(Finn));
    assert_eq!(log.due(), [LEDGER, SHARED, IDENTITIES, private(Anna)]);
}

#[test]
fn a_denied_member_keeps_nothing_of_the_notebook() {
    let mut log = Log::story();
    log.take_whole(Anna, grants(Ben, false));
    assert_eq!(log.team.spaces_of(&Ben.id()), [ROSTER]);
    assert!(!log.team.holders(&private(Ben)).contains(&Ben.id()));
    log.forbids(Ben, Act::Epoch { turns: log.turns(&[private(Ben)]) });
    log.contradicts(Anna, log.whole(Anna, grants(Ben, false)));
    assert_eq!(log.due(), [private(Ben)]);
    let turning = Act::SpaceGrant {
        notebook: NOTEBOOK,
        member: Ben.member(),
        granted: true,
        turns: log.turns(&[SHARED]),
    };
    log.contradicts(Anna, turning);
    log.take(Anna, grants(Ben, true));
    assert_eq!(log.team.spaces_of(&Ben.id()).len(), 5);
    log.take(Ben, Act::Epoch { turns: log.turns(&[private(Ben)]) });
    assert_eq!(log.due(), []);

    let mut log = Log::story();
    log.take_whole(Anna, grants(Dora, false));
    log.take(Anna, changes_role(Dora, Role::Fieldworker));
    log.forbids(Dora, log.makes_private(Dora));
    let (notebook, member) = (OTHER_NOTEBOOK, Ben.member());
    log.contradicts(Anna, Act::SpaceGrant { notebook, member, granted: false, turns: Vec::new() });
    log.contradicts(Anna, grants(Stranger, false));
}

#[test]
fn a_notebook_begins_with_three_spaces_and_grows_by_private_ones() {
    let mut log = Log::story();
    let three = || three_spaces(space(1), space(2), space(3));
    let own = |who: Who| new_space(SpaceKind::Private, Some(who), space(4));
    let with = |more: &[NewSpace]| makes_notebook([three().as_slice(), more].concat());
    assert_eq!(log.tried(Anna, with(&[own(Anna)])), Ok(()));
    log.forbids(Anna, with(&[own(Ben)]));
    log.forbids(Anna, with(&[new_space(SpaceKind::Private, None, space(4))]));
    log.contradicts(Anna, with(&[own(Anna), new_space(SpaceKind::Private, Some(Anna), space(5))]));
    log.contradicts(Anna, with(&[new_space(SpaceKind::Ledger, None, space(4))]));
    log.contradicts(Anna, with(&[new_space(SpaceKind::Roster, None, space(4))]));
    log.contradicts(Anna, makes_notebook(Vec::new()));
    log.contradicts(Anna, makes_notebook(vec![own(Anna)]));
    for left_out in 0..3 {
        let mut two = three();
        two.remove(left_out);
        log.contradicts(Anna, makes_notebook(two));
    }
    let spoiled = |change: fn(&mut NewSpace)| {
        let mut spaces = three();
        change(&mut spaces[1]);
        makes_notebook(spaces)
    };
    log.contradicts(Anna, spoiled(|space| space.epoch.epoch = 2));
    log.contradicts(Anna, spoiled(|space| space.epoch.epoch = 0));
    log.contradicts(Anna, spoiled(|space| space.epoch.made_from = 1));
    log.contradicts(Anna, spoiled(|of| of.epoch.space = space(1)));
    log.contradicts(Anna, spoiled(|space| space.epoch.space = SHARED));
    log.forbids(Anna, spoiled(|space| space.owner = Some(Anna.member())));
    log.take(Anna, makes_notebook(three()));
    assert_eq!(log.team.notebooks()[&OTHER_NOTEBOOK].realm, Realm::Service);

    let grows = |realm, spaces| Act::SpaceCreate { notebook: OTHER_NOTEBOOK, realm, spaces };
    log.contradicts(Ben, grows(Realm::Research, vec![own(Ben)]));
    log.contradicts(Ben, grows(Realm::Service, Vec::new()));
    log.forbids(Ben, grows(Realm::Service, vec![own(Cleo)]));
    log.forbids(Anna, grows(Realm::Service, vec![own(Ben)]));
    log.forbids(Dora, grows(Realm::Service, vec![own(Dora)]));
    log.forbids(Stranger, grows(Realm::Service, vec![own(Stranger)]));
    log.contradicts(Anna, grows(Realm::Service, vec![new_space(SpaceKind::Shared, None, space(5))]));
    log.contradicts(Anna, grows(Realm::Service, three_spaces(space(5), space(6), space(7))));
    log.take(Ben, grows(Realm::Service, vec![own(Ben)]));
    let another = grows(Realm::Service, vec![new_space(SpaceKind::Private, Some(Ben), space(5))]);
    log.contradicts(Ben, another);
    log.contradicts(Cleo, grows(Realm::Service, vec![own(Cleo)]));
    assert_eq!(log.team.ledger_of(&space(4)), Some(space(1)));
}

#[test]
fn a_closed_notebook_takes_no_space_and_no_policy_but_its_keys_turn() {
    let mut log = Log::story();
    let policy = |hours| Act::Policy { notebook: NOTEBOOK, window_hours: hours, text: samples::hash(1) };
    log.take(Anna, policy(72));
    log.take(Emil, policy(24));
    let named = Policy { window_hours: 24, text: samples::hash(1) };
    assert_eq!(log.team.notebooks()[&NOTEBOOK].policy, Some(named));
    log.contradicts(Anna, Act::Close { notebook: OTHER_NOTEBOOK });
    let elsewhere = Act::Policy { notebook: OTHER_NOTEBOOK, window_hours: 1, text: samples::hash(1) };
    log.contradicts(Anna, elsewhere);
    log.take(Anna, changes_role(Dora, Role::Fieldworker));
    log.take(Anna, Act::Close { notebook: NOTEBOOK });
    assert!(log.team.notebooks()[&NOTEBOOK].closed);
    log.contradicts(Anna, Act::Close { notebook: NOTEBOOK });
    log.contradicts(Anna, policy(48));
    log.contradicts(Dora, log.makes_private(Dora));
    log.take_whole(Anna, removes(Ben));
    log.take(Anna, shreds(&[1], &log, &[SHARED]));
}

#[test]
fn a_members_own_shred_does_not_reach_into_what_others_share() {
    let mut log = Log::story();
    let key = samples::key_id;
    log.take(Ben, shreds(&[1, 2], &log, &[private(Ben)]));
    assert!(log.team.is_shredded(&key(1)) && !log.team.is_shredded(&key(3)));
    assert!(log.team.is_shredded_in(&private(Ben), &key(1)));
    assert!(!log.team.is_shredded_in(&SHARED, &key(1)) && !log.team.is_shredded_in(&private(Anna), &key(1)));
    log.take(Anna, shreds(&[2, 3], &log, &[SHARED, LEDGER]));
    for space in [SHARED, IDENTITIES, private(Ben)] {
        assert!(log.team.is_shredded_in(&space, &key(2)) && log.team.is_shredded_in(&space, &key(3)));
    }
    // Narrowing never follows widening.
    log.take(Ben, shreds(&[3], &log, &[private(Ben)]));
    assert!(log.team.is_shredded_in(&SHARED, &key(3)));
    assert_eq!(log.newest()[&private(Ben)], 3);
    let staged = Act::Shred { ids: ShredList::Staged(samples::hash(1)), turns: log.turns(&[SHARED]) };
    log.contradicts(Anna, staged);
}

#[test]
fn a_servers_new_life_is_accepted_at_the_head_and_once() {
    let mut log = Log::story();
    let life = |incarnation, head| Act::Incarnation { incarnation, head };
    let head = log.team.head();
    log.contradicts(Anna, life(samples::INCARNATION, GovPoint { seq: head.seq + 1, ..head }));
    log.contradicts(Anna, life(samples::INCARNATION, GovPoint { hash: no_hash(), ..head }));
    log.contradicts(Anna, life(samples::INCARNATION, log.entries[0].point()));
    log.take(Anna, life(samples::INCARNATION, head));
    log.contradicts(Emil, life(samples::INCARNATION, log.team.head()));
    let other = Incarnation::from_bytes([0x71; 16]);
    log.take(Emil, life(other, log.team.head()));
    assert_eq!(log.team.incarnation(), Some(other));
    for key in [1, 2] {
        let key: PublicKey = Signer::from_seed(&[key; 32]).public_key();
        log.take(Anna, Act::ServerKey { key });
        assert_eq!(log.team.server_key(), Some(&key));
    }
}

#[test]
fn what_must_turn_is_nobodys_duty_who_is_not_of_the_team() {
    let log = Log::story();
    assert_eq!(log.team.must_turn(&Stranger.id(), &removes(Ben)), []);
    assert_eq!(log.team.must_turn(&Anna.id(), &Act::Epoch { turns: log.turns(&[SHARED]) }), []);
}
