//! A team: its server, its notebooks, those who join, and what each role may do and see.

#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

use super::desk::*;
use super::*;

#[test]
fn a_server_is_set_before_the_first_sync_and_its_key_once() {
    let (desk, mut home, _) = Desk::new();
    assert_eq!(home.server().expect("readable"), None);
    let at = |port, byte| {
        ServerAddress::from_parts("example.org", port, PublicKey::from_bytes([byte; 32])).expect("a host")
    };
    home.use_server(&at(1, 1), now()).expect("none named yet");
    home.use_server(&at(2, 1), now()).expect("the same key elsewhere");
    let other = home.use_server(&at(2, 2), now());
    assert!(matches!(other, Err(HomeError::Conflict(_))));
    drop(home);
    let home = desk.open().expect("whole");
    assert_eq!(home.server().expect("readable"), Some(at(2, 1)));
    assert_eq!(home.team().expect("founded").server_key(), Some(&PublicKey::from_bytes([1; 32])));
}

#[test]
fn a_notebook_that_was_created_offline_is_whole() {
    let (desk, mut home, first) = Desk::new();
    let taken = home.create_notebook(name("LedbetterCanary"), Realm::Service, now());
    assert!(matches!(taken, Err(HomeError::NameTaken(Thing::Notebook))));
    let second = home.create_notebook(name("Second"), Realm::Service, now()).expect("a new name");
    assert!(matches!(home.only_notebook(), Err(HomeError::Ambiguous(Thing::Notebook))));
    drop(home);
    let mut home = desk.open().expect("whole");
    assert_eq!(home.find_notebook("Second").expect("named"), second);
    assert_eq!(home.find_notebook(&prefix(first, 10)).expect("found"), first);
    assert_eq!(home.ledger(&second).expect("known").sheets().len(), 1);
    person(&mut home, &second, "Sam");
    assert_eq!(home.participants(&first).expect("known").len(), 0, "each notebook has its own people");
    let problems = home.verify(now()).expect("a check").problems;
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn a_join_that_was_cut_short_goes_on_and_another_code_takes_its_place() {
    let folder = TempDir::new().expect("a folder");
    let code = |byte| InviteCode {
        secret: [byte; 16],
        team: TeamPrefix::from_bytes([byte; 16]),
        server: ServerAddress::from_parts("example.org", 1, PublicKey::from_bytes([1; 32])).expect("a host"),
    };
    let join = |byte, seed| {
        let (member, device, entropy) = (name("Abby"), name("Phone"), Box::new(Seeded::new(seed)));
        Home::prepare_join(folder.path(), key(), &code(byte), member, device, now(), entropy)
    };
    let home = join(1, 1).expect("an empty folder");
    let device = home.device();
    assert_eq!((home.member(), home.team().is_none()), (None, true));
    assert_eq!(home.team_id().as_bytes()[..16], [1; 16]);
    assert!(matches!(home.only_notebook(), Err(HomeError::NotFound(Thing::Notebook))));
    let status = home.status().expect("a status");
    assert_eq!((status.spaces.len(), status.devices.len()), (0, 0));
    assert!(status.server.is_some());
    drop(home);
    assert_eq!(join(1, 2).expect("goes on").device(), device, "no second identity is made");
    let home = join(2, 3).expect("no team has admitted it");
    assert_eq!((home.device(), home.team_id().as_bytes()[..16].to_vec()), (device, vec![2; 16]));
    drop(home);
    assert!(matches!(
        Home::init(folder.path(), key(), &founding(), now(), Box::new(Seeded::new(1))),
        Err(HomeError::Occupied)
    ));
}

#[test]
fn after_an_invite_that_did_not_serve_another_of_the_same_team_does() {
    let (_desk, home, _) = Desk::new();
    let folder = TempDir::new().expect("a folder");
    let server = ServerAddress::from_parts("example.org", 1, PublicKey::from_bytes([1; 32])).expect("a host");
    let code = |secret, team| InviteCode { secret: [secret; 16], team, server: server.clone() };
    let team = home.team_id().into();
    let mut guest = join(folder.path(), &code(1, team)).expect("an empty folder");
    for row in core_db::entries(home.core.read()).expect("a log") {
        guest.append_entry(&Entry::decode(&row.bytes).expect("an entry"), &[], true).expect("it follows");
    }
    assert_eq!(guest.team_id(), home.team_id(), "the whole id is known now");
    drop(guest);
    let guest = join(folder.path(), &code(2, team)).expect("it was not admitted yet");
    assert_eq!((guest.team_id(), guest.member()), (home.team_id(), None));
    let kept = guest.kept(Setting::Joining).expect("readable").expect("kept");
    assert_eq!(kept.as_slice(), code(2, team).to_string().as_bytes());
    drop(guest);
    let other = join(folder.path(), &code(3, TeamPrefix::from_bytes([9; 16])));
    assert!(matches!(other, Err(HomeError::Occupied)), "one home is one team");
}

/// A second member's home, whose device the log of the first has admitted in that role; it has no keys yet.
fn admitted(home: &mut Home, role: Role) -> (TempDir, Home, InviteCode) {
    let folder = TempDir::new().expect("a folder");
    let server = ServerAddress::from_parts("example.org", 1, PublicKey::from_bytes([1; 32])).expect("a host");
    let code = InviteCode { secret: [3; 16], team: home.team_id().into(), server };
    let paper = InviteSecret::from_bytes(code.seed());
    let invite =
        GovernanceAct::Invite { key: paper.public_key(), admits: Admits::Member(role), expires_ms: 1 };
    let invite = home.next_entry(invite).expect("a custodian invites");
    home.append_entry(&invite, &[], false).expect("it follows");
    let mut guest = join(folder.path(), &code).expect("an empty folder");
    let statement = PrekeyStatement::sign(
        PrekeyBody {
            v: VERSION,
            suite: SUITE,
            team: home.team_id(),
            device: guest.device(),
            counter: 1,
            key: derive_prekey_public(&guest.secrets.prekeys[0].seed),
            gov: invite.point(),
            epochs: Vec::new(),
        },
        &guest.secrets.identity.signer(),
    )
    .expect("a statement");
    let member = MemberId::from_bytes([8; 16]);
    let device = guest.secrets.identity.signer().public_key();
    let act = GovernanceAct::MemberAdd { member, device, prekey: statement.bytes().to_vec() };
    let author = Author::Paper(paper.public_key());
    let add = Entry::next(home.team_id(), invite.point(), author, act, &paper.signer()).expect("an entry");
    home.append_entry(&add, &[], false).expect("the paper admits");
    for row in core_db::entries(home.core.read()).expect("a log") {
        guest.append_entry(&Entry::decode(&row.bytes).expect("an entry"), &[], true).expect("it follows");
    }
    assert_eq!((guest.member(), guest.team_id()), (Some(member), home.team_id()));
    (folder, guest, code)
}

fn join(folder: &Path, code: &InviteCode) -> Result<Home, HomeError> {
    let (member, device, entropy) = (name("Abby"), name("Phone"), Box::new(Seeded::new(50)));
    Home::prepare_join(folder, key(), code, member, device, now(), entropy)
}

#[test]
fn roles_keep_field_work_to_those_who_do_it() {
    let (_desk, mut home, notebook) = Desk::new();
    let sam = person(&mut home, &notebook, "Sam");
    for role in [Role::Auditor, Role::Analyst] {
        let (_desk, mut first, notebook) = Desk::new();
        let (_folder, mut guest, _) = admitted(&mut first, role);
        let refused = |error: HomeError| matches!(error, HomeError::Role { role: of } if of == role);
        let new = NewPlace { pseudonym: name("Hall"), site_type: SiteType::Office, real_name: None };
        assert!(refused(guest.add_place(&notebook, new, now()).expect_err("no field work")));
        let new = NewParticipant {
            pseudonym: name("Sam"),
            kind: Kind::Client,
            age: None,
            gender: None,
            real_name: None,
        };
        assert!(refused(guest.add_participant(&notebook, new, now()).expect_err("no field work")));
        assert!(refused(grant(&mut guest, &notebook, sam).expect_err("no field work")));
        assert!(refused(guest.record_event(&notebook, withdrawal(sam), now()).expect_err("no field work")));
        let visit = NewEncounter {
            activity: Activity::Meeting,
            place: None,
            with: BTreeSet::new(),
            at: Observed::Minute(now()),
        };
        assert!(refused(guest.start_encounter(&notebook, visit, now()).expect_err("no field work")));
        assert_eq!(guest.participants(&notebook).expect("readable").len(), 0);
        let created = guest.create_notebook(name("Own"), Realm::Research, now());
        assert!(matches!(created, Err(HomeError::NeedsServer)));
    }
}

#[test]
fn a_new_member_without_keys_takes_notes_and_sees_what_waits() {
    let (_desk, mut home, notebook) = Desk::new();
    let (folder, mut guest, code) = admitted(&mut home, Role::Fieldworker);
    let sam = person(&mut guest, &notebook, "Sam");
    let written = note(&mut guest, notebook, "", "Met @{Sam}", About::Unsaid);
    assert!(written.is_private);
    let all = note(&mut guest, notebook, "", "Nobody was there", About::Nobody);
    assert!(all.is_private, "nothing is sealed to a space whose keys are not here");
    let status = guest.status().expect("a status");
    let held: BTreeSet<_> =
        status.spaces.iter().flat_map(|space| &space.held).map(|held| (held.note, held.why)).collect();
    let expected = [(written.note, HeldWhy::NoConsent), (all.note, HeldWhy::WaitingForKeys)];
    assert_eq!(held, BTreeSet::from(expected));
    assert!(status.spaces.iter().all(|space| !space.has_key));
    let waits: Vec<bool> = status.devices.iter().map(|device| device.waits_for_keys).collect();
    assert_eq!(waits.iter().filter(|waits| **waits).count(), 1, "its own device, not the founder's");
    assert_eq!(guest.notebooks_without_private_space(), [notebook]);
    guest.lock().expect("closed");
    let guest = join(folder.path(), &code).expect("admitted by this very code");
    assert_eq!(guest.participants(&notebook).expect("known")[0].id, sam);
    assert_eq!(guest.note(written.note).expect("shown").text, "Met Sam");
    drop(guest);
    let other = InviteCode { secret: [4; 16], ..code };
    assert!(matches!(join(folder.path(), &other), Err(HomeError::Occupied)));
}

/// Gives the guest what the home may share: its keys, as a seal and the vaults would, and its records.
fn share(home: &mut Home, guest: &mut Home) {
    seal_all(home);
    let team = home.team().expect("founded").clone();
    let guest_id = guest.member().expect("admitted");
    let spaces: Vec<SpaceId> =
        team.spaces().keys().filter(|id| team.may_hold(&guest_id, id)).copied().collect();
    for space in &spaces {
        let at = home.newest_epoch(space).expect("of the log");
        if guest.epoch_key(at).is_none() {
            guest.secrets.epochs.extend(home.copy_epoch(at));
        }
    }
    guest.keep_ring().expect("written");
    let packs = core_db::packs(home.core.read()).expect("readable");
    let own = core_db::own_keys(home.core.read(), &home.secrets.local).expect("readable");
    let mut sealer = Sealer { key: &guest.secrets.local, entropy: guest.entropy.as_mut() };
    guest
        .core
        .write(Durability::Full, |tx| {
            for (space, bytes) in packs.iter().filter(|(space, _)| spaces.contains(space)) {
                core_db::add_pack(tx, *space, 1, 1, bytes)?;
            }
            for (space, key) in own.iter().filter(|(space, _)| spaces.contains(space)) {
                core_db::add_own_key(tx, &mut sealer, *space, key)?;
            }
            Ok::<_, HomeError>(())
        })
        .expect("written");
    guest.load_keys().expect("whole");
    for space in spaces {
        let cursor = core_db::cursor(guest.core.read(), space).expect("readable");
        let mut at = cursor;
        let mut batches = Vec::new();
        for (_, batch) in core_db::batches_after(home.core.read(), 0, 1_000).expect("readable") {
            if batch.head().space == space && batch.head().seq > cursor.pos {
                at = at.next(&batch.hash());
                batches.push((at, batch));
            }
        }
        guest.take_batches(space, batches, now()).expect("verified");
    }
}

#[test]
fn a_note_on_hold_is_out_of_everybodys_sight_but_its_authors_and_the_custodians() {
    let (_desk, mut home, notebook) = Desk::new();
    let (_folder, mut guest, _) = admitted(&mut home, Role::Fieldworker);
    let sam = person(&mut home, &notebook, "Sam");
    grant(&mut home, &notebook, sam).expect("a consent");
    let written = note(&mut home, notebook, "Visit", "Met @{Sam} at the harbour", About::Unsaid).note;
    share(&mut home, &mut guest);
    assert_eq!(guest.notebooks()[0].name, Some(name("LedbetterCanary")));
    let listed = |home: &Home| home.notes(&NotesWanted::default(), None, 10).expect("a list").notes.len();
    let found = |home: &Home| home.search(None, "harbour sam", false, 10).expect("a search").len();
    assert_eq!(guest.note(written).expect("shared").text, "Met Sam at the harbour");
    assert_eq!((listed(&guest), found(&guest)), (1, 1));
    assert_eq!(guest.history(written).expect("shared")[0].member, home.member());
    assert_eq!(guest.verify(now()).expect("a check").problems, Vec::<String>::new());

    home.record_event(&notebook, withdrawal(sam), now()).expect("a withdrawal");
    share(&mut home, &mut guest);
    let on_hold = |error| matches!(error, HomeError::Consent { status: StampStatus::OnHold });
    assert!(on_hold(guest.note(written).expect_err("on hold")));
    assert!(on_hold(guest.history(written).expect_err("on hold")));
    assert_eq!((listed(&guest), found(&guest)), (0, 0));
    assert_eq!((listed(&home), found(&home)), (1, 1), "its author sees it, marked");
    let held =
        |home: &Home| home.status().expect("a status").spaces.iter().map(|one| one.held.len()).sum::<usize>();
    assert_eq!((held(&home), held(&guest)), (1, 0));
}

#[test]
fn a_correction_is_a_custodians_and_answers_a_negative_that_was_entered_wrongly() {
    let (_desk, mut home, notebook) = Desk::new();
    let sam = person(&mut home, &notebook, "Sam");
    let written = note(&mut home, notebook, "", "Met @{Sam}", About::Unsaid);
    grant(&mut home, &notebook, sam).expect("a consent");
    let wrong = home.record_event(&notebook, withdrawal(sam), now()).expect("of the wrong person");
    let terms = |participant| ConsentTerms {
        participant,
        activity: Activity::Observation,
        mode: Mode::Correction,
        scope: Consent::default_scope(),
        bound: Bound::Notebook,
        at: Observed::Minute(now()),
    };
    let corrected = home.record_consent(&notebook, terms(sam), now()).expect("a custodian");
    assert_eq!(corrected.seen, BTreeSet::from([wrong.event]));
    assert_eq!(home.note(written.note).expect("shown").stamp.status, StampStatus::Valid);

    let (_folder, mut guest, _) = admitted(&mut home, Role::Fieldworker);
    let abby = person(&mut guest, &notebook, "Abby");
    guest.record_event(&notebook, withdrawal(abby), now()).expect("everybody records what is said");
    let refused = guest.record_consent(&notebook, terms(abby), now());
    assert!(matches!(refused, Err(HomeError::Role { role: Role::Fieldworker })));
}
