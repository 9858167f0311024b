//! The program itself: what it prints, how it stops, how it fails, and that a kill loses nothing it answered.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use quinn::ConnectionError;
use tempfile::TempDir;
use thicket_protocol::address::ServerAddress;
use thicket_protocol::frame::{Peer, Reply, Request};
use thicket_protocol::record::{Batch, Receipt};
use thicket_protocol::team::Team;

use crate::fixture::{Link, Phone, ROSTER, World, genesis, open, put};
use crate::wire::{Wire, within};

fn program(folder: &Path, port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thicket-sync-server"));
    let listen = format!("127.0.0.1:{port}");
    command.arg("--data").arg(folder).args(["--listen", &listen, "--log-format", "json"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts the program and reads the line by which it says that it is ready.
fn start(folder: &Path, port: u16) -> (Child, ServerAddress) {
    let mut child = program(folder, port).spawn().expect("it starts");
    let mut line = String::new();
    let out = child.stdout.as_mut().expect("its output");
    BufReader::new(out).read_line(&mut line).expect("a line");
    let rest = line.strip_prefix("{\"listening\":\"127.0.0.1:").expect("where it listens");
    let (port, rest) = rest.split_once("\",\"url\":\"").expect("its URL");
    let url: ServerAddress = rest.strip_suffix("\"}\n").expect("one object").parse().expect("a URL");
    assert_eq!(url.port.to_string(), port);
    (child, url)
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([name, &id]).status().expect("kill runs").success());
}

fn fails(folder: &Path) -> (ExitStatus, String) {
    let done = program(folder, 0).output().expect("it runs");
    assert_eq!(done.stdout, b"");
    (done.status, String::from_utf8(done.stderr).expect("text"))
}

#[test]
fn it_stops_with_success_on_either_signal_and_keeps_its_key() {
    let folder = TempDir::new().expect("a folder");
    let mut keys = Vec::new();
    for name in ["-TERM", "-INT"] {
        let (child, url) = start(folder.path(), 0);
        signal(&child, name);
        let done = child.wait_with_output().expect("it ends");
        assert_eq!(done.status.code(), Some(0), "{name}");
        let log = String::from_utf8(done.stderr).expect("text");
        assert!(log.lines().count() >= 3, "{log}");
        assert!(log.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "{log}");
        keys.push(url.key);
    }
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn each_failure_has_its_exit_status_and_says_why() {
    let folder = TempDir::new().expect("a folder");
    let (mut child, url) = start(folder.path(), 0);
    let (status, said) = fails(folder.path());
    assert_eq!(status.code(), Some(9), "{said}");
    assert!(said.contains("another server is running on"), "{said}");

    let other = TempDir::new().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_thicket-sync-server"));
    let listen = format!("127.0.0.1:{}", url.port);
    let done = command.arg("--data").arg(other.path()).args(["--listen", &listen]).output().expect("it runs");
    assert_eq!(done.status.code(), Some(9), "the address is taken");

    child.kill().expect("killed");
    child.wait().expect("it ends");
    fs::write(folder.path().join("server.key"), b"short").expect("written");
    let (status, said) = fails(folder.path());
    assert_eq!(status.code(), Some(6), "{said}");
    assert!(said.contains("server.key is damaged"), "{said}");

    let file = folder.path().join("server.db");
    let (status, said) = fails(&file);
    assert_eq!(status.code(), Some(10), "a file is no folder: {said}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_thicket-sync-server"));
    assert_eq!(command.output().expect("it runs").status.code(), Some(2), "flags are missing");
}

#[tokio::test]
async fn a_device_learns_at_once_that_its_server_was_killed_and_is_back() {
    within(async {
        let (folder, phone) = (TempDir::new().expect("a folder"), Phone::new(11));
        let (mut child, url) = start(folder.path(), 0);
        let to = ([127, 0, 0, 1], url.port).into();
        let mut wire = Wire::connect(to, url.key).await.expect("a connection");
        let (entry, _) = genesis(&phone);
        let team = Team::found(&entry).expect("a team").id();
        let peer = Peer::Device { team, key: phone.key };
        assert!(matches!(wire.hello(peer, &phone).await, Reply::Welcome { .. }));
        child.kill().expect("killed");
        child.wait().expect("it ends");
        let (mut child, _) = start(folder.path(), url.port);
        wire.send(&Request::Subscribe).await;
        assert!(matches!(wire.connection.closed().await, ConnectionError::Reset));
        child.kill().expect("killed");
        child.wait().expect("it ends");
    })
    .await;
}

/// Pushes batches one behind another without waiting, until the server is gone; gives the receipts that came.
async fn push_until_killed(
    url: &ServerAddress,
    phone: &Phone,
    team: &Team,
    batches: &[Batch],
    child: &mut Child,
    after: usize,
) -> Vec<Receipt> {
    let to = ([127, 0, 0, 1], url.port).into();
    let mut wire = Wire::connect(to, url.key).await.expect("a connection");
    let peer = Peer::Device { team: team.id(), key: phone.key };
    assert!(matches!(wire.hello(peer, phone).await, Reply::Welcome { .. }));
    for batch in batches {
        wire.send(&Request::Push(batch.encode(|_| true))).await;
    }
    let mut receipts = Vec::new();
    while receipts.len() < after {
        let Some(Reply::Receipt(bytes)) = wire.next().await else { panic!("a receipt") };
        receipts.push(Receipt::decode(&bytes).expect("a receipt"));
    }
    child.kill().expect("killed");
    child.wait().expect("it ends");
    receipts
}

#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing_that_was_answered() {
    within(async {
        let (world, phone) = (World::founded(), Phone::new(11));
        let (mut batches, mut before) = (Vec::new(), None);
        for tag in 0..40 {
            let batch = world.batch(&world.anna, ROSTER, before.as_ref(), &[tag, 200]);
            before = Some(batch.clone());
            batches.push(batch);
        }
        for round in 0..12 {
            let folder = TempDir::new().expect("a folder");
            let (mut child, url) = start(folder.path(), 0);
            let to = ([127, 0, 0, 1], url.port).into();
            let mut wire = Wire::connect(to, url.key).await.expect("a connection");
            let peer = Peer::Device { team: world.team.id(), key: phone.key };
            assert!(matches!(wire.hello(peer, &phone).await, Reply::Welcome { .. }));
            let (entry, rows) = genesis(&phone);
            let founded = wire.ask(&put(entry.bytes(), &rows, &[])).await;
            assert_eq!(founded, Reply::Appended(entry.point()));
            let after = round * 3;
            let receipts = push_until_killed(&url, &phone, &world.team, &batches, &mut child, after).await;
            assert_eq!(receipts.len(), after);
            let mut store = open(folder.path());
            assert_eq!(store.public_key(), url.key);
            let at = store.space(&world.team.id(), &ROSTER).expect("read").expect("there").at;
            assert!(at.pos >= after as u64, "round {round}: {} of {after}", at.pos);
            let mut link = Link::of(&mut store, world.team.id(), &phone);
            for (batch, receipt) in batches.iter().zip(&receipts) {
                let again = link.push(&mut store, batch).expect("taken before");
                assert_eq!(again.bytes(), receipt.bytes());
            }
            for batch in &batches {
                link.push(&mut store, batch).expect("the rest goes on from what is there");
            }
        }
    })
    .await;
}
