//! Devices and a server over real sockets: errands, a watch beside another process, keepers, and a server that goes away.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;
use thicket_client::keeper::Change;
use thicket_client::{ClientError, Keeper, Limits, Stop, WatchEvent, run, watch};
use thicket_core::entropy::SystemEntropy;
use thicket_core::home::{About, Founding, Home, HomeError, NewNote, NotesWanted, PausedHome};
use thicket_core::ring::Wrapping;
use thicket_core::secret::WrappingKey;
use thicket_core::sync::{Errand, Outcome, SyncEvent};
use thicket_core::text::{Layer, units};
use thicket_core::time::{Moment, Observed};
use thicket_core::view::Provenance;
use thicket_protocol::address::{InviteCode, ServerAddress};
use thicket_protocol::governance::{Admits, Realm, Role};
use thicket_sync_server::{Config, Running, Server};
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    Moment::new(i64::try_from(since.as_millis()).expect("it is earlier than the year 9999"), 60)
        .expect("a time")
}

fn wrapping() -> Wrapping<'static> {
    Wrapping::Key(WrappingKey::from_bytes([7; 32]))
}

/// A server and its folder.
struct Site {
    runtime: Runtime,
    running: Option<Running>,
    folder: TempDir,
    address: ServerAddress,
}

impl Site {
    fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let folder = TempDir::new().expect("a folder");
        let config = Config { folder: folder.path().to_path_buf(), listen: ([127, 0, 0, 1], 0).into() };
        let running = runtime.block_on(Server::start(config)).expect("it starts");
        let address = running.url().parse().expect("its URL is an address");
        Self { runtime, running: Some(running), folder, address }
    }

    fn stop(&mut self) {
        self.runtime.block_on(self.running.take().expect("it runs").shutdown());
    }

    /// Starts again on the same folder and port.
    fn start_again(&mut self) {
        let listen = ([127, 0, 0, 1], self.address.port).into();
        let config = Config { folder: self.folder.path().to_path_buf(), listen };
        let running = self.runtime.block_on(Server::start(config)).expect("it starts again");
        assert_eq!(running.url(), self.address.to_string(), "the same folder has the same key");
        self.running = Some(running);
    }
}

/// A device and its folder.
struct Device {
    folder: TempDir,
    home: Home,
}

impl Device {
    fn found(site: &Site) -> Self {
        let name = |text: &str| text.parse().expect("a name");
        let founding = Founding {
            team: name("Team"),
            member: name("Ada"),
            device: name("Desk"),
            notebook: name("Study"),
            realm: Realm::Research,
        };
        let folder = TempDir::new().expect("a folder");
        let made = Home::init(folder.path(), wrapping(), &founding, now(), Box::new(SystemEntropy::new()));
        let (mut home, _) = made.expect("a home");
        home.use_server(&site.address, now()).expect("no server knows the team");
        let mut device = Self { folder, home };
        assert!(device.sync().is_up_to_date);
        device
    }

    /// Joins with an invite of `self`, and gets its keys.
    fn admit(&mut self) -> Self {
        let code = self.invite();
        let folder = TempDir::new().expect("a folder");
        let name = |text: &str| text.parse().expect("a name");
        let entropy = Box::new(SystemEntropy::new());
        let made =
            Home::prepare_join(folder.path(), wrapping(), &code, name("Bo"), name("Phone"), now(), entropy);
        let mut home = made.expect("a home");
        let mut admitted = false;
        run(&mut home, Errand::Join, &Limits::default(), &now, &mut |event| {
            admitted |= *event == SyncEvent::Admitted;
        })
        .expect("the invite is good");
        assert!(admitted);
        let mut device = Self { folder, home };
        assert!(device.sync().waits_for_keys, "nobody has given it keys yet");
        self.sync();
        assert!(device.sync().is_up_to_date, "it has its keys");
        device
    }

    fn invite(&mut self) -> InviteCode {
        let admits = Admits::Member(Role::Fieldworker);
        let expires_ms = u64::try_from(now().unix_ms()).expect("later than 1970") + 86_400_000;
        let mut code = None;
        run(&mut self.home, Errand::Invite { admits, expires_ms }, &Limits::default(), &now, &mut |event| {
            if let SyncEvent::Invited(invited) = event {
                code = Some(invited.clone());
            }
        })
        .expect("a custodian may invite");
        code.expect("the code is told")
    }

    fn sync(&mut self) -> Outcome {
        run(&mut self.home, Errand::Sync, &Limits::default(), &now, &mut |_| {}).expect("the server is there")
    }

    fn pause(self) -> (TempDir, PausedHome) {
        (self.folder, self.home.pause().expect("it pauses"))
    }
}

fn write(home: &mut Home, title: &str) {
    let new = NewNote {
        notebook: home.only_notebook().expect("there is one"),
        id: None,
        encounter: None,
        title: units(title),
        text: units("The kettle was on before anybody had sat down."),
        about: About::Nobody,
        layer: Layer::Observation,
        observed: Observed::Day(now().day()),
        provenance: Provenance::Typed,
    };
    home.write_note(new, now()).expect("nobody is in it");
}

fn titles(home: &Home) -> Vec<String> {
    let page = home.notes(&NotesWanted::default(), None, 10_000).expect("it can be read");
    let mut titles: Vec<String> = page.notes.into_iter().map(|row| row.title).collect();
    titles.sort();
    titles
}

/// A watch on a thread of its own.
struct Watching {
    events: Receiver<WatchEvent>,
    stop: Stop,
    thread: JoinHandle<Result<PausedHome, ClientError>>,
}

impl Watching {
    fn start(paused: PausedHome) -> Self {
        let (tell, events) = channel();
        let stop = Stop::new();
        let stopped = stop.clone();
        let thread = spawn(move || {
            // Nobody listens any more once the test is over.
            let mut on_event = |event| drop(tell.send(event));
            watch(paused, &Limits::default(), &now, &mut on_event, &stopped)
        });
        Self { events, stop, thread }
    }

    #[track_caller]
    fn until(&self, wanted: impl Fn(&WatchEvent) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).expect("the watch tells what was waited for");
            if wanted(&event) {
                return;
            }
        }
    }

    fn end(self) -> Home {
        self.stop.stop();
        let paused = self.thread.join().expect("the watch does not fall").expect("it was asked to end");
        paused.resume(now()).expect("nobody else has it")
    }
}

fn settled(event: &WatchEvent) -> bool {
    matches!(event, WatchEvent::Sync(SyncEvent::Settled(_)))
}

fn settled_with(sent: u64, fetched: u64) -> impl Fn(&WatchEvent) -> bool {
    move |event| matches!(event, WatchEvent::Sync(SyncEvent::Settled(outcome)) if outcome.sent >= sent && outcome.fetched >= fetched)
}

/// Opens a home as another process does: it waits while the watch works.
fn open_beside(folder: &Path) -> Home {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Home::open(folder, wrapping(), now(), Box::new(SystemEntropy::new())) {
            Ok(home) => return home,
            Err(HomeError::Busy) if Instant::now() < deadline => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn what_one_member_writes_another_reads() {
    let site = Site::start();
    let mut ada = Device::found(&site);
    write(&mut ada.home, "before");
    let mut bo = ada.admit();
    write(&mut ada.home, "after");
    write(&mut bo.home, "from the field");
    assert!(bo.sync().is_up_to_date);
    assert!(ada.sync().is_up_to_date);
    assert!(bo.sync().is_up_to_date);
    assert_eq!(titles(&ada.home), ["after", "before", "from the field"]);
    assert_eq!(titles(&bo.home), ["after", "before", "from the field"]);
    let idle = ada.sync();
    assert_eq!((idle.sent, idle.fetched), (0, 0), "nothing travels twice");
}

#[test]
fn a_watch_sends_what_another_process_writes_and_fetches_what_comes() {
    let site = Site::start();
    let mut ada = Device::found(&site);
    let bo = ada.admit();
    let ((ada_folder, ada), (_bo_folder, bo)) = (ada.pause(), bo.pause());
    let (ada, bo) = (Watching::start(ada), Watching::start(bo));
    ada.until(settled);
    bo.until(settled);
    let mut beside = open_beside(ada_folder.path());
    write(&mut beside, "written beside");
    beside.lock().expect("it locks");
    ada.until(settled_with(1, 0));
    bo.until(settled_with(0, 1));
    assert_eq!(titles(&bo.end()), ["written beside"]);
    assert_eq!(titles(&ada.end()), ["written beside"]);
}

#[test]
fn another_process_may_keep_the_home_and_sync_it_beside_a_watch() {
    let site = Site::start();
    let mut ada = Device::found(&site);
    let mut bo = ada.admit();
    let (folder, paused) = ada.pause();
    let watching = Watching::start(paused);
    watching.until(settled);
    let home = open_beside(folder.path());
    let mut beside = Device { folder, home };
    // The watch is told of this, and has to wait for the home, which meanwhile gets it in another way.
    write(&mut bo.home, "fetched beside");
    bo.sync();
    write(&mut beside.home, "sent beside");
    assert_eq!(beside.sync().fetched, bo.sync().fetched, "one note each");
    write(&mut beside.home, "left to the watch");
    let Device { folder: _folder, home } = beside;
    home.lock().expect("it locks");
    watching.until(settled_with(1, 0));
    write(&mut bo.home, "left to the watch too");
    bo.sync();
    watching.until(settled_with(0, 1));
    let expected = ["fetched beside", "left to the watch", "left to the watch too", "sent beside"];
    assert_eq!(titles(&watching.end()), expected);
    bo.sync();
    assert_eq!(titles(&bo.home), expected);
}

#[test]
fn a_watch_outlives_its_server_and_keeps_what_was_written_meanwhile() {
    let mut site = Site::start();
    let mut ada = Device::found(&site);
    let mut bo = ada.admit();
    let (folder, paused) = ada.pause();
    let watching = Watching::start(paused);
    watching.until(settled);
    site.stop();
    watching.until(|event| matches!(event, WatchEvent::Offline { .. }));
    let mut beside = open_beside(folder.path());
    write(&mut beside, "while it was away");
    beside.lock().expect("it locks");
    site.start_again();
    watching.until(|event| matches!(event, WatchEvent::Connected));
    watching.until(settled);
    drop(watching.end());
    bo.sync();
    assert_eq!(titles(&bo.home), ["while it was away"]);
}

#[test]
fn a_server_that_is_gone_is_unreachable_and_all_work_is_kept() {
    let mut site = Site::start();
    let mut ada = Device::found(&site);
    let mut bo = ada.admit();
    site.stop();
    write(&mut ada.home, "kept");
    let limits = Limits { connect: Duration::from_millis(300), whole: None };
    let error = run(&mut ada.home, Errand::Sync, &limits, &now, &mut |_| {}).expect_err("nobody is there");
    assert!(matches!(error, ClientError::Unreachable(_)), "{error:?}");
    site.start_again();
    assert!(ada.sync().is_up_to_date);
    bo.sync();
    assert_eq!(titles(&bo.home), ["kept"]);
}

#[test]
fn syncs_cut_short_anywhere_lose_nothing_and_send_nothing_twice() {
    const NOTES: usize = 300;
    let site = Site::start();
    let mut ada = Device::found(&site);
    let mut bo = ada.admit();
    let expected: Vec<String> = (0..NOTES).map(|note| format!("note {note:03}")).collect();
    for title in &expected {
        write(&mut ada.home, title);
    }
    // Each attempt gets a little further; the first end while the connection is made, the last in the middle of the work.
    let mut cut = 0;
    for device in [&mut ada, &mut bo] {
        for millis in (0..60).step_by(3) {
            let limits = Limits { whole: Some(Duration::from_millis(millis)), ..Limits::default() };
            cut += usize::from(run(&mut device.home, Errand::Sync, &limits, &now, &mut |_| {}).is_err());
        }
        assert!(device.sync().is_up_to_date);
    }
    assert!(cut > 0, "some were cut short");
    assert_eq!(titles(&bo.home), expected);
    assert!(bo.home.verify(now()).expect("it can be read").problems.is_empty());
}

#[test]
fn keepers_show_each_other_what_is_written_while_they_are_connected() {
    let site = Site::start();
    let mut ada = Device::found(&site);
    let bo = ada.admit();
    let (Device { folder: _ada_folder, home: ada }, Device { folder: _bo_folder, home: bo }) = (ada, bo);
    let ada = Keeper::start(ada, Arc::new(now)).expect("a thread");
    let bo = Keeper::start(bo, Arc::new(now)).expect("a thread");
    site.runtime.block_on(async {
        ada.sync(Errand::Sync, Limits::default()).await.expect("the server is there");
        bo.sync(Errand::Sync, Limits::default()).await.expect("the server is there");
        let mut feed = bo.feed();
        ada.write(|home| write(home, "live")).await.expect("it is open");
        timeout(PATIENCE, async {
            while bo.read(titles).await.expect("it is open").is_empty() {
                feed.next().await.expect("it is open");
            }
        })
        .await
        .expect("it comes by itself");
        // The device goes to another network, and the connection with it.
        bo.network_changed().await.expect("it is open");
        bo.write(|home| write(home, "from another network")).await.expect("it is open");
        let mut feed = ada.feed();
        timeout(PATIENCE, async {
            while ada.read(titles).await.expect("it is open").len() < 2 {
                let change = feed.next().await.expect("it is open");
                assert_ne!(change, Change::Offline);
            }
        })
        .await
        .expect("it comes by itself");
        ada.close().await.expect("it locks");
        bo.close().await.expect("it locks");
    });
}
