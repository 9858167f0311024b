//! The files of a home: made whole, opened whole, healed or told of, and silent.

#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

use super::desk::*;
use super::*;

fn is_send<T: Send>() {}

#[test]
fn a_home_goes_from_thread_to_thread() {
    is_send::<Home>();
    is_send::<PausedHome>();
}

#[test]
fn a_founded_team_is_there_again_when_its_home_is_opened() {
    let desk = Desk { folder: TempDir::new().expect("a folder") };
    let (home, founded) = desk.init(1).expect("an empty folder");
    assert_eq!((home.team_id(), home.device()), (founded.team, founded.device));
    assert_eq!(home.only_notebook().expect("one"), founded.notebook);
    assert!(home.is_unfounded().expect("a log"));
    let kinds = [SpaceKind::Ledger, SpaceKind::Shared, SpaceKind::Identities, SpaceKind::Private];
    for kind in kinds {
        let space = home.space(&founded.notebook, kind).expect("made with the notebook");
        assert!(home.holds_epoch(&space), "{kind}");
    }
    let roster = home.team().expect("founded").roster();
    assert!(home.holds_epoch(&roster), "the genesis commits to the key that the ring holds");
    let names = |home: &Home| {
        let notebook = home.notebooks()[0].name.clone().expect("named");
        [notebook.to_string(), home.member_name(&founded.member), home.device_name(&founded.device)]
    };
    assert_eq!(names(&home), ["LedbetterCanary", "MembersCanary", "PhoneCanary"]);
    home.lock().expect("closed");
    let home = desk.open().expect("whole");
    assert_eq!(names(&home), ["LedbetterCanary", "MembersCanary", "PhoneCanary"]);
    assert_eq!((home.team_id(), home.member()), (founded.team, Some(founded.member)));
    assert_eq!(home.ledger(&founded.notebook).expect("known").sheets().len(), 1);
}

#[test]
fn another_passphrase_or_key_opens_nothing_and_changes_nothing() {
    let folder = TempDir::new().expect("a folder");
    let cost = KdfCost::new(8, 1, 1).expect("in bounds");
    let with = |passphrase| Wrapping::Passphrase(passphrase, cost);
    let open = |wrapping| Home::open(folder.path(), wrapping, now(), Box::new(Seeded::new(2)));
    let (home, _) = Home::init(folder.path(), with("right"), &founding(), now(), Box::new(Seeded::new(1)))
        .expect("an empty folder");
    drop(home);
    assert!(matches!(open(with("wrong")), Err(HomeError::Locked)));
    assert!(matches!(open(key()), Err(HomeError::Locked)));
    assert!(open(with("right")).is_ok());
}

#[test]
fn nothing_that_lies_in_a_folder_is_ever_written_over() {
    let (desk, home, _) = Desk::new();
    drop(home);
    assert!(matches!(desk.init(2), Err(HomeError::Occupied)));
    assert!(desk.open().is_ok());

    // A home whose ring is lost may have a copy of it elsewhere.
    for name in [RING_FILE, RING_COPY_FILE] {
        fs::remove_file(desk.path().join(name)).expect("there");
    }
    assert!(matches!(desk.init(2), Err(HomeError::Occupied)));
    assert!(matches!(desk.open(), Err(HomeError::NotFound(Thing::Home))));
    assert!(desk.path().join(CORE_FILE).exists());

    let other = TempDir::new().expect("a folder");
    fs::write(other.path().join("thesis.txt"), "years").expect("written");
    let init = |path: &Path| Home::init(path, key(), &founding(), now(), Box::new(Seeded::new(1)));
    assert!(matches!(init(other.path()), Err(HomeError::Occupied)));
    assert_eq!(fs::read_dir(other.path()).expect("there").count(), 1, "not even a lock was left");
    assert!(matches!(init(&other.path().join("thesis.txt")), Err(HomeError::Occupied)));
    assert!(matches!(
        Home::open(&other.path().join("nowhere"), key(), now(), Box::new(Seeded::new(1))),
        Err(HomeError::NotFound(Thing::Home))
    ));
    assert!(!other.path().join("nowhere").exists());
}

#[test]
fn an_init_that_was_cut_short_leaves_room_for_the_next() {
    let made = ["core.db", "core.db-wal", "derived.db", "ring.new"];
    for steps in 0..=made.len() {
        // As a crash leaves it before the ring stands: some files, one of them half written.
        let desk = Desk { folder: TempDir::new().expect("a folder") };
        fs::create_dir(desk.path()).expect("made");
        for name in ["lock", "unfinished"].iter().chain(&made[..steps]) {
            fs::write(desk.path().join(name), "half").expect("written");
        }
        let (mut home, founded) = desk.init(2).expect("cleared away");
        assert_eq!(home.only_notebook().expect("one"), founded.notebook);
        assert_eq!(home.verify(now()).expect("a check").problems, Vec::<String>::new(), "after {steps}");
    }

    let (desk, home, notebook) = Desk::new();
    home.lock().expect("closed");
    // As a crash leaves it behind the ring: it is a home.
    fs::write(desk.path().join("unfinished"), "").expect("written");
    fs::remove_file(desk.path().join(RING_COPY_FILE)).expect("there");
    assert!(matches!(desk.init(3), Err(HomeError::Occupied)));
    let home = desk.open().expect("whole");
    assert_eq!(home.only_notebook().expect("one"), notebook);
    assert!(!desk.path().join("unfinished").exists());
    assert!(desk.path().join(RING_COPY_FILE).exists(), "the other copy is healed at once");
}

#[test]
fn a_damaged_copy_of_the_ring_is_healed_and_two_are_told() {
    let (desk, home, _) = Desk::new();
    drop(home);
    let flip = |name: &str| {
        let path = desk.path().join(name);
        let mut bytes = fs::read(&path).expect("there");
        bytes[40] ^= 1;
        fs::write(&path, bytes).expect("written");
    };
    for name in [RING_FILE, RING_COPY_FILE] {
        flip(name);
        drop(desk.open().expect("the other copy is whole"));
        let copies = [RING_FILE, RING_COPY_FILE].map(|name| fs::read(desk.path().join(name)).expect("there"));
        assert_eq!(copies[0], copies[1]);
    }
    flip(RING_FILE);
    flip(RING_COPY_FILE);
    assert!(matches!(desk.open(), Err(HomeError::Damaged(DamagedFile::Ring))));
}

#[test]
fn one_process_has_a_home_and_a_paused_home_lets_others_in() {
    let (desk, home, notebook) = Desk::new();
    assert!(matches!(desk.open(), Err(HomeError::Busy)));
    let paused = home.pause().expect("closed");
    let mut other = desk.open().expect("let in");
    person(&mut other, &notebook, "Sam");
    // It also writes the ring.
    other.create_notebook(name("Second"), Realm::Service, now()).expect("offline, before the first sync");
    drop(other);
    let home = paused.resume(now()).expect("opened without a passphrase");
    assert_eq!(home.notebooks().len(), 2);
    assert_eq!(home.participants(&notebook).expect("known").len(), 1);
    let second = home.find_notebook("second").expect("named");
    assert!(home.holds_epoch(&home.space(&second, SpaceKind::Private).expect("made")));
}

#[test]
fn a_lost_or_damaged_derived_db_is_made_again_with_the_same_answers() {
    let (desk, mut home, notebook) = Desk::new();
    let (quincy, ..) = furnish(&mut home, &notebook);
    grant(&mut home, &notebook, quincy).expect("a consent");
    let before = read_all(&home, &notebook);
    assert!(before.contains("HarbourCanary"));
    home.lock().expect("closed");
    let path = desk.path().join(DERIVED_FILE);
    let harms: [&dyn Fn(); 3] = [
        &|| fs::remove_file(&path).expect("there"),
        &|| fs::write(&path, [1; 20_000]).expect("written"),
        &|| fs::write(&path, []).expect("written"),
    ];
    for harm in harms {
        harm();
        let home = desk.open().expect("core.db is whole");
        assert_eq!(read_all(&home, &notebook), before);
        home.lock().expect("closed");
    }
}

#[test]
fn a_derived_db_whose_damage_shows_late_is_made_again() {
    let (desk, mut home, notebook) = Desk::new();
    furnish(&mut home, &notebook);
    let before = read_all(&home, &notebook);
    home.lock().expect("closed");
    let path = desk.path().join(DERIVED_FILE);
    let whole = fs::read(&path).expect("there");
    let pages = whole.len() / 4_096;
    let mut late = 0;
    for page in 1..pages {
        let mut bytes = whole.clone();
        bytes[page * 4_096 + 100] ^= 1;
        fs::write(&path, bytes).expect("written");
        let mut home = desk.open().expect("core.db is whole");
        match home.notes(&NotesWanted::default(), None, 10) {
            Ok(_) => {}
            Err(HomeError::Damaged(DamagedFile::Derived)) => {
                late += 1;
                home.renew_derived(now()).expect("made again");
            }
            Err(error) => panic!("page {page}: {error}"),
        }
        // Whatever page it was: a check finds and heals it.
        let _ = home.verify(now()).expect("a check");
        assert_eq!(read_all(&home, &notebook), before, "page {page}");
        assert_eq!(home.verify(now()).expect("a check").problems, Vec::<String>::new());
        home.lock().expect("closed");
    }
    assert!(late > 0, "a page that only a list reads was among them");
}

#[test]
fn a_lost_or_damaged_core_db_is_told_and_left_alone() {
    let (desk, home, _) = Desk::new();
    home.lock().expect("closed");
    let path = desk.path().join(CORE_FILE);
    let whole = fs::read(&path).expect("there");
    for harmed in [&whole[..100], &[7; 40_000][..], &[]] {
        fs::write(&path, harmed).expect("written");
        assert!(matches!(desk.open(), Err(HomeError::Damaged(DamagedFile::Core))));
        assert_eq!(fs::read(&path).expect("there"), harmed);
    }
    fs::remove_file(&path).expect("there");
    assert!(matches!(desk.open(), Err(HomeError::Damaged(DamagedFile::Core))));
    assert!(!path.exists());
    fs::write(&path, whole).expect("written");
    assert!(desk.open().is_ok());
}

/// Every file of a home, as it is while it is open.
fn assert_no_canary(folder: &Path) {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).expect("there") {
        let entry = entry.expect("readable");
        names.push(entry.file_name().into_string().expect("ASCII"));
        let bytes = fs::read(entry.path()).expect("readable");
        for canary in CANARIES {
            for form in [canary.to_owned(), canary.to_lowercase()] {
                let found = bytes.windows(form.len()).any(|window| window == form.as_bytes());
                assert!(!found, "{canary} stands in {:?}", entry.file_name());
            }
        }
    }
    for name in [RING_FILE, RING_COPY_FILE, CORE_FILE, DERIVED_FILE, LOCK_FILE] {
        assert!(names.iter().any(|found| found == name), "{name} was looked at");
    }
}

#[test]
fn no_word_that_was_typed_stands_in_any_file_not_even_while_they_are_open() {
    let (desk, mut home, notebook) = Desk::new();
    let (quincy, private, shared) = furnish(&mut home, &notebook);
    assert_no_canary(&desk.path());
    home.journal(
        shared,
        crate::document::Field::Text,
        &[crate::text::Splice { at: 0, delete: 0, insert: units("VisitCanary ") }],
        now(),
    )
    .expect("typed");
    assert_no_canary(&desk.path());
    home.index_some(100).expect("indexed");
    grant(&mut home, &notebook, quincy).expect("a consent");
    home.commit_note(private, now()).expect("saved");
    assert_no_canary(&desk.path());
    home.lock().expect("closed");
    assert_no_canary(&desk.path());
    let home = desk.open().expect("whole");
    let shown = format!("{home:?}");
    assert!(CANARIES.iter().all(|canary| !shown.contains(canary)));
    assert!(home.note(shared).expect("shown").text.starts_with("VisitCanary"), "the canaries are in it");
}
