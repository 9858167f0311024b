//! The server over real QUIC: the key that it proves, the exporter that a device signs, and how it stops.

use quinn::ConnectionError;
use tempfile::TempDir;
use thicket_protocol::address::ServerAddress;
use thicket_protocol::frame::{self, Hello, Peer, Refusal, Reply, Request, Tips};
use thicket_protocol::ids::PublicKey;
use thicket_protocol::limits::FRAME_BYTES_MAX;
use thicket_protocol::team::Team;
use thicket_sync_server::limits::HELLO_BYTES_MAX;
use thicket_sync_server::{Config, Running, Server, StartError, StoreError};

use crate::fixture::{Phone, genesis, put};
use crate::wire::{Wire, within};

struct Site {
    running: Running,
    key: PublicKey,
    folder: TempDir,
}

async fn start(folder: TempDir) -> Site {
    let running = Server::start(config(&folder)).await.expect("it starts");
    let url: ServerAddress = running.url().parse().expect("the URL is one");
    assert_eq!(url.port, running.address().port());
    Site { running, key: url.key, folder }
}

fn config(folder: &TempDir) -> Config {
    Config { folder: folder.path().to_path_buf(), listen: ([127, 0, 0, 1], 0).into() }
}

/// Founds a team over the wire.
async fn found(site: &Site, phone: &Phone) -> (Team, Wire) {
    let mut wire = Wire::connect(site.running.address(), site.key).await.expect("a connection");
    let (entry, rows) = genesis(phone);
    let team = Team::found(&entry).expect("a team");
    let peer = Peer::Device { team: team.id(), key: phone.key };
    let Reply::Welcome { tips, .. } = wire.hello(peer, phone).await else { panic!("not welcome") };
    let tips = Tips::decode(&tips).expect("tips");
    tips.verify(&site.key).expect("the key of the TLS handshake signs");
    assert_eq!(tips.body().gov, None);
    assert_eq!(wire.ask(&put(entry.bytes(), &rows, &[])).await, Reply::Appended(entry.point()));
    (team, wire)
}

#[tokio::test]
async fn a_device_founds_a_team_and_finds_it_again_after_a_restart() {
    within(async {
        let (site, phone) = (start(TempDir::new().expect("a folder")).await, Phone::new(11));
        let (team, wire) = found(&site, &phone).await;
        let Site { running, key, folder } = site;
        drop(wire);
        running.shutdown().await;
        let site = start(folder).await;
        assert_eq!(site.key, key, "the same folder always has the same key");
        let mut wire = Wire::connect(site.running.address(), key).await.expect("a connection");
        let peer = Peer::Device { team: team.id(), key: phone.key };
        let Reply::Welcome { tips, .. } = wire.hello(peer, &phone).await else { panic!("not welcome") };
        let tips = Tips::decode(&tips).expect("tips");
        assert_eq!(tips.body().gov, Some(team.head()));
        assert_eq!(tips.body().spaces.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_proof_of_another_connection_is_refused_and_ends_the_connection() {
    within(async {
        let (site, phone) = (start(TempDir::new().expect("a folder")).await, Phone::new(11));
        let (team, other) = found(&site, &phone).await;
        let peer = Peer::Device { team: team.id(), key: phone.key };
        let stolen = Hello::sign(peer, &other.exporter(&peer), &phone.signer);
        let mut wire = Wire::connect(site.running.address(), site.key).await.expect("a connection");
        assert_eq!(wire.ask(&Request::Hello(stolen)).await, Reply::Refused(Refusal::Proof));
        assert_eq!(wire.next().await, None);
    })
    .await;
}

#[tokio::test]
async fn a_server_with_another_key_is_not_talked_to() {
    within(async {
        let site = start(TempDir::new().expect("a folder")).await;
        let other = Phone::new(12).key;
        let refused = Wire::connect(site.running.address(), other).await;
        assert!(matches!(refused.map(|_| ()), Err(ConnectionError::TransportError(_))));
    })
    .await;
}

#[tokio::test]
async fn frames_beyond_their_limit_end_the_connection_before_they_are_read() {
    within(async {
        let (site, phone) = (start(TempDir::new().expect("a folder")).await, Phone::new(11));
        let (_, mut wire) = found(&site, &phone).await;
        let beyond = u32::try_from(FRAME_BYTES_MAX + 1).expect("a length");
        wire.send.write_all(&beyond.to_be_bytes()).await.expect("written");
        assert_eq!(wire.next().await, None);
        assert!(matches!(wire.connection.closed().await, ConnectionError::ApplicationClosed(close) if close.error_code == 1_u32.into()));

        let mut wire = Wire::connect(site.running.address(), site.key).await.expect("a connection");
        let beyond = u32::try_from(HELLO_BYTES_MAX + 1).expect("a length");
        wire.send.write_all(&beyond.to_be_bytes()).await.expect("written");
        assert_eq!(wire.next().await, None, "a stranger's first frame is short");
    })
    .await;
}

#[tokio::test]
async fn many_requests_may_be_on_their_way_and_are_answered_in_order() {
    within(async {
        let (site, phone) = (start(TempDir::new().expect("a folder")).await, Phone::new(11));
        let (_, mut wire) = found(&site, &phone).await;
        for index in 0..500 {
            let request = if index % 2 == 0 { Request::PullGov { from: 0 } } else { Request::Subscribe };
            wire.send(&request).await;
        }
        for index in 0..500 {
            let reply = wire.next().await.expect("an answer");
            let fits =
                if index % 2 == 0 { matches!(reply, Reply::Gov { .. }) } else { reply == Reply::Stored };
            assert!(fits, "answer {index}: {reply:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_change_is_pushed_to_the_teams_other_connections() {
    within(async {
        let (site, phone) = (start(TempDir::new().expect("a folder")).await, Phone::new(11));
        let (team, mut wire) = found(&site, &phone).await;
        let mut other = Wire::connect(site.running.address(), site.key).await.expect("a connection");
        let peer = Peer::Device { team: team.id(), key: phone.key };
        assert!(matches!(other.hello(peer, &phone).await, Reply::Welcome { .. }));
        assert_eq!(other.ask(&Request::Subscribe).await, Reply::Stored);
        assert_eq!(wire.ask(&Request::Subscribe).await, Reply::Stored);
        let statement = phone.statement(team.id(), 1, team.head());
        assert_eq!(wire.ask(&Request::PutStatement(statement)).await, Reply::Stored);
        assert_eq!(other.next().await, Some(Reply::Changed(frame::Change::Keys)));
        let next = wire.ask(&Request::PullGov { from: 1 }).await;
        assert_eq!(next, Reply::Gov { entries: Vec::new(), more: false }, "who changed it is not told");
    })
    .await;
}

#[tokio::test]
async fn a_stopping_server_answers_what_it_received_says_so_and_closes() {
    within(async {
        let (site, phone) = (start(TempDir::new().expect("a folder")).await, Phone::new(11));
        let (team, mut wire) = found(&site, &phone).await;
        let statement = phone.statement(team.id(), 1, team.head());
        assert_eq!(wire.ask(&Request::PutStatement(statement.clone())).await, Reply::Stored);
        let address = site.running.address();
        let stopping = tokio::spawn(site.running.shutdown());
        let mut told = Vec::new();
        while let Some(reply) = wire.next().await {
            told.push(reply);
        }
        assert_eq!(told, [Reply::Draining]);
        drop(wire);
        stopping.await.expect("it stops");
        let store = crate::fixture::open(site.folder.path());
        assert_eq!(store.statement(&team.id(), &phone.id).expect("read"), Some((1, statement)));
        tokio::net::UdpSocket::bind(address).await.expect("the address is free again");
    })
    .await;
}

#[tokio::test]
async fn two_servers_never_share_a_folder() {
    within(async {
        let site = start(TempDir::new().expect("a folder")).await;
        let second = Server::start(config(&site.folder)).await;
        assert!(matches!(second.map(|_| ()), Err(StartError::Store(StoreError::Busy { .. }))));
    })
    .await;
}
