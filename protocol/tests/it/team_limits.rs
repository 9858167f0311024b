//! How much a team may be: what stands at a limit is taken, what stands one past it is refused.

use thicket_protocol::governance::{Act, Admits, Author, Entry, Realm, Role};
use thicket_protocol::ids::{MemberId, NotebookId, SpaceId};
use thicket_protocol::limits::{MEMBER_DEVICES_MAX, TEAM_DEVICES_MAX, TEAM_SPACES_MAX};
use thicket_protocol::sign::Signer;
use thicket_protocol::team::TeamError;

use crate::samples;
use crate::story::{Anna, Ben, Log, NOTEBOOK, three_spaces};

fn seed(number: usize) -> Signer {
    let mut seed = [0x5a; 32];
    seed[..8].copy_from_slice(&u64::try_from(number).expect("small").to_be_bytes());
    Signer::from_seed(&seed)
}

fn id(number: usize) -> [u8; 16] {
    u128::try_from(number + 1).expect("small").to_be_bytes()
}

/// Applies without comparing with the team before, which would take long for a large one.
fn quickly(log: &mut Log, author: Author, signer: &Signer, act: Act) -> Result<(), TeamError> {
    let entry = Entry::next(log.team.id(), log.team.head(), author, act, signer).expect("it fits its format");
    log.team.apply(&entry)
}

#[test]
fn a_member_has_at_most_16_devices_at_a_time() {
    let mut log = Log::story();
    let current = log.team.devices().values().filter(|device| device.member == Ben.member()).count();
    for number in current..MEMBER_DEVICES_MAX {
        log.take(Ben, log.adds_device(Ben, &seed(number)));
    }
    let one_more = log.adds_device(Ben, &seed(99));
    assert_eq!(log.tried(Ben, one_more.clone()), Err(TeamError::Limit("devices of a member")));
    log.take(Ben, log.invites(9, Admits::OwnDevice(Ben.member())));
    let by_invite = log.clone().apply_paper(&crate::story::paper(9), one_more.clone());
    assert_eq!(by_invite, Err(TeamError::Limit("devices of a member")));
    log.take(Anna, log.adds_device(Anna, &seed(100)));
    log.take_whole(Ben, Act::DeviceRevoke { device: samples::id_of(&seed(8)), turns: Vec::new() });
    log.take(Ben, one_more);
}

#[test]
fn a_team_has_at_most_2000_devices_in_its_life() {
    let mut log = Log::found();
    let device = Anna.device();
    let anna = Author::Device(Anna.id());
    // A member for every 16 devices; the founder has one of the 2,000.
    for number in 1..TEAM_DEVICES_MAX {
        let (first, joining) = (number - number % MEMBER_DEVICES_MAX, seed(number));
        let (member, prekey) = (MemberId::from_bytes(id(first)), log.statement(&joining));
        let key = joining.public_key();
        if number == first || number == 1 {
            let paper = seed(1_000_000 + number);
            let admits = Admits::Member(Role::Auditor);
            let invite = Act::Invite { key: paper.public_key(), admits, expires_ms: 0 };
            quickly(&mut log, anna, &device, invite).expect("an invite");
            let joins = Act::MemberAdd { member, device: key, prekey: log.statement(&joining) };
            quickly(&mut log, Author::Paper(paper.public_key()), &paper, joins).expect("within the limit");
        } else {
            let mate = seed(first.max(1));
            let add = Act::DeviceAdd { member, device: key, prekey };
            quickly(&mut log, Author::Device(samples::id_of(&mate)), &mate, add).expect("within the limit");
        }
    }
    assert_eq!(log.team.devices().len(), TEAM_DEVICES_MAX);
    let one_more = seed(TEAM_DEVICES_MAX);
    let add = log.adds_device(Anna, &one_more);
    assert_eq!(quickly(&mut log, anna, &device, add), Err(TeamError::Limit("devices of a team")));
    // Revoked ones are remembered, and count.
    let gone = samples::id_of(&seed(17));
    let revoke = log.whole(Anna, Act::DeviceRevoke { device: gone, turns: Vec::new() });
    quickly(&mut log, anna, &device, revoke).expect("a current device");
    let add = log.adds_device(Anna, &one_more);
    assert_eq!(quickly(&mut log, anna, &device, add), Err(TeamError::Limit("devices of a team")));
}

#[test]
fn a_team_has_at_most_10000_spaces() {
    let mut log = Log::found();
    let (device, anna) = (Anna.device(), Author::Device(Anna.id()));
    let makes = |number: usize| {
        let space = |nr: usize| SpaceId::from_bytes(id(number * 3 + nr));
        let (notebook, spaces) =
            (NotebookId::from_bytes(id(number)), three_spaces(space(0), space(1), space(2)));
        Act::SpaceCreate { notebook, realm: Realm::Research, spaces }
    };
    // With the roster exactly the limit.
    for number in 0..(TEAM_SPACES_MAX - 1) / 3 {
        quickly(&mut log, anna, &device, makes(number)).expect("within the limit");
    }
    assert_eq!(log.team.spaces().len(), TEAM_SPACES_MAX);
    let past = quickly(&mut log, anna, &device, makes(TEAM_SPACES_MAX));
    assert_eq!(past, Err(TeamError::Limit("spaces of a team")));
    let Act::SpaceCreate { spaces, .. } = log.makes_private(Anna) else { unreachable!("it makes a space") };
    let notebook = NotebookId::from_bytes(id(0));
    let past =
        quickly(&mut log, anna, &device, Act::SpaceCreate { notebook, realm: Realm::Research, spaces });
    assert_eq!(past, Err(TeamError::Limit("spaces of a team")));
    assert!(!log.team.notebooks().contains_key(&NOTEBOOK));
}
