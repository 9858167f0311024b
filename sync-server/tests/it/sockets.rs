//! The server over real QUIC: the key that it proves, the exporter that a device signs, and how it stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime, alg_id};
use rustls::sign::public_key_to_spki;
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
use tempfile::TempDir;
use thicket_protocol::address::ServerAddress;
use thicket_protocol::frame::{self, ALPN, EXPORTER_LABEL, Hello, Peer, Refusal, Reply, Request, Tips};
use thicket_protocol::ids::PublicKey;
use thicket_protocol::limits::FRAME_BYTES_MAX;
use thicket_protocol::team::Team;
use thicket_sync_server::limits::HELLO_BYTES_MAX;
use thicket_sync_server::{Config, Running, Server, StartError, StoreError};

use crate::fixture::{Phone, genesis, put};

/// Takes one key alone.
#[derive(Debug)]
struct Pinned {
    key: PublicKey,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let wanted = public_key_to_spki(&alg_id::ED25519, self.key.as_bytes());
        if end_entity.as_ref() == wanted.as_ref() {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 alone is spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let spki = SubjectPublicKeyInfoDer::from(cert.as_ref());
        verify_tls13_signature_with_raw_key(
            message,
            &spki,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// One connection of a device.
struct Wire {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    _endpoint: Endpoint,
}

impl Wire {
    async fn connect(to: SocketAddr, key: PublicKey) -> Result<Self, ConnectionError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(Pinned { key, provider: Arc::clone(&provider) });
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("ring speaks TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let quic = QuicClientConfig::try_from(tls).expect("ring has the suite");
        let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into()).expect("a socket");
        let config = ClientConfig::new(Arc::new(quic));
        let connection = endpoint.connect_with(config, to, "thicket").expect("an address").await?;
        let (send, receive) = connection.open_bi().await?;
        Ok(Self { connection, send, receive, _endpoint: endpoint })
    }

    async fn send(&mut self, request: &Request) {
        self.send_raw(&frame::encode(request)).await;
    }

    async fn send_raw(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).expect("a short frame");
        self.send.write_all(&length.to_be_bytes()).await.expect("the stream is open");
        self.send.write_all(bytes).await.expect("the stream is open");
    }

    /// The next frame; `None` where the server has ended the stream.
    async fn next(&mut self) -> Option<Reply> {
        let mut length = [0; 4];
        self.receive.read_exact(&mut length).await.ok()?;
        let mut bytes = vec![0; usize::try_from(u32::from_be_bytes(length)).expect("a length")];
        self.receive.read_exact(&mut bytes).await.expect("a whole frame");
        Some(frame::decode(&bytes).expect("a frame"))
    }

    async fn ask(&mut self, request: &Request) -> Reply {
        self.send(request).await;
        self.next().await.expect("an answer")
    }

    fn exporter(&self, peer: &Peer) -> [u8; 32] {
        let mut out = [0; 32];
        let made = self.connection.export_keying_material(&mut out, EXPORTER_LABEL, &peer.exporter_context());
        made.expect("a secret of this connection");
        out
    }

    async fn hello(&mut self, peer: Peer, phone: &Phone) -> Reply {
        let hello = Hello::sign(peer, &self.exporter(&peer), &phone.signer);
        self.ask(&Request::Hello(hello)).await
    }
}

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

/// What a test may take at most, so that one that waits for ever fails.
async fn within<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), test).await.expect("it ends")
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
        let statement = phone.statement(team.id(), 1, team.head());
        assert_eq!(wire.ask(&Request::PutStatement(statement)).await, Reply::Stored);
        assert_eq!(other.next().await, Some(Reply::Changed(frame::Change::Keys)));
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
