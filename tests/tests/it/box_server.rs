//! The server and who speaks to it: noise and malice over real QUIC, another key at its address, no server, and invites
//! that are wrong in each way.

#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests index what they made")]

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use thicket_client::Limits;
use thicket_client::link::connect;
use thicket_protocol::address::{InviteCode, ServerAddress};
use thicket_protocol::frame::{self, ALPN, Request};
use thicket_protocol::limits::FRAME_BYTES_MAX;
use thicket_tests::process::{Bench, Home, Server, let_it_work, number_of, text_of};
use thicket_tests::sim::Dice;
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// How long anything may take that ends by itself.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than a server of two members needs, and less than what these peers ask it to allocate.
const MEMORY_KIB_MAX: u64 = 600 * 1024;

/// Takes any server: here it is the server that is tried.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// A socket from which anything may be sent to a server.
fn endpoint() -> Endpoint {
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring speaks TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let mut endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).expect("a port is free");
    let quic = QuicClientConfig::try_from(tls).expect("ring has the cipher suite of QUIC's first packets");
    endpoint.set_default_client_config(ClientConfig::new(Arc::new(quic)));
    endpoint
}

async fn reach(endpoint: &Endpoint, server: &ServerAddress) -> Option<Connection> {
    let connecting = endpoint.connect((Ipv4Addr::LOCALHOST, server.port).into(), "thicket").ok()?;
    timeout(PATIENCE, connecting).await.ok()?.ok()
}

/// Opens a stream, says this, and waits until the server has had enough of it.
async fn say(endpoint: &Endpoint, server: &ServerAddress, bytes: &[u8]) {
    let connection = reach(endpoint, server).await.expect("the server takes connections");
    let (mut send, mut receive) = connection.open_bi().await.expect("one stream is free");
    // The server may end the connection while this is on its way.
    let _ = send.write_all(bytes).await;
    let _ = send.finish();
    let answer =
        timeout(PATIENCE, receive.read_to_end(4096)).await.expect("the server does not wait for ever");
    // It answers nothing, or a refusal; never what is a team's.
    assert!(answer.map_or(0, |bytes| bytes.len()) < 64, "noise was answered at length");
    connection.close(0_u32.into(), b"");
}

/// Whole frames, half ones, and lengths that lie.
fn junk(dice: &mut Dice) -> Vec<Vec<u8>> {
    let framed = |bytes: &[u8]| [&u32::try_from(bytes.len()).expect("short").to_be_bytes(), bytes].concat();
    let mut noise =
        |length: usize| -> Vec<u8> { (0..length).map(|_| dice.roll().to_be_bytes()[0]).collect() };
    let most = u32::try_from(FRAME_BYTES_MAX).expect("a megabyte");
    let mut all = vec![
        Vec::new(),
        vec![0],
        0_u32.to_be_bytes().to_vec(),
        u32::MAX.to_be_bytes().to_vec(),
        (most + 1).to_be_bytes().to_vec(),
        most.to_be_bytes().to_vec(),
        [&4_096_u32.to_be_bytes()[..], &noise(4_096)].concat(),
        [&4_097_u32.to_be_bytes()[..], &noise(4_097)].concat(),
        [&1_000_u32.to_be_bytes()[..], &noise(500)].concat(),
        framed(&frame::encode(&Request::Subscribe)),
        framed(b"GET / HTTP/1.1\r\n\r\n"),
        // Lists within lists, and one that says it is the longest.
        framed(&[0x81; 4_000]),
        framed(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        framed(&[0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        framed(&[0xbf; 64]),
    ];
    all.extend((1..20).map(|length| framed(&noise(length * 13))));
    all
}

/// Expects that the server is there and serves, even if not at once.
#[track_caller]
fn serves(server: &mut Server, home: &Home) {
    assert!(server.is_running());
    let began = Instant::now();
    loop {
        let ran = home.run(&["sync", "--timeout", "10s"]);
        if ran.code == Some(0) {
            assert_eq!(ran.ok()["up_to_date"], true);
            return;
        }
        // Whoever shares an address with a flood may have to come again.
        ran.failure(7);
        assert!(began.elapsed() < PATIENCE, "{ran:?}");
    }
}

#[test]
fn noise_and_malice_at_the_door_do_not_keep_the_server_from_serving() {
    let bench = Bench::new();
    let mut server = bench.server("server");
    let sam = bench.home("sam");
    sam.ok(&["init", "--member", "sam", "--server", &server.url]);
    sam.sync();
    let (address, runtime) = (server.address(), Runtime::new().expect("a runtime"));
    let mut dice = Dice::new(4);
    runtime.block_on(async {
        let endpoint = endpoint();
        for bytes in junk(&mut dice) {
            say(&endpoint, &address, &bytes).await;
        }
    });
    sam.write("between", "written between two attacks");
    serves(&mut server, &sam);

    // Datagrams that are no QUIC, and the beginnings of some.
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    for length in (0..1_400).step_by(7) {
        let mut bytes: Vec<u8> = (0..length).map(|_| dice.roll().to_be_bytes()[0]).collect();
        if let Some(first) = bytes.first_mut().filter(|_| length % 2 == 0) {
            *first |= 0xc0;
        }
        socket.send_to(&bytes, (Ipv4Addr::LOCALHOST, address.port)).expect("sent");
    }
    serves(&mut server, &sam);

    // Many at once: silent ones, ones in the middle of a frame, ones that open no stream; held while a device syncs.
    let held = runtime.block_on(async {
        let endpoint = endpoint();
        let mut held = Vec::new();
        for at in 0..100_u32 {
            let Some(connection) = reach(&endpoint, &address).await else { continue };
            if at % 3 > 0 {
                let (mut send, receive) = connection.open_bi().await.expect("one stream is free");
                let length = if at % 3 == 1 { 4_096_u32 } else { 1 };
                send.write_all(&[&length.to_be_bytes()[..], &[0; 1]].concat()).await.expect("sent");
                held.push((connection, Some((send, receive))));
            } else {
                held.push((connection, None));
            }
        }
        assert!(held.len() > 50, "{} are connected", held.len());
        held
    });
    sam.write("during", "written during an attack");
    serves(&mut server, &sam);
    drop(held);

    // A device of no team, with the pinned key and whole frames.
    runtime.block_on(async {
        for size in [1, 100, 4_096, FRAME_BYTES_MAX] {
            let mut link = connect(&address, &Limits::default()).await.expect("it is there");
            let frame: Vec<u8> = (0..size).map(|_| dice.roll().to_be_bytes()[0]).collect();
            // It may be stopped in the middle.
            let _ = timeout(PATIENCE, link.send(&frame)).await.expect("it ends");
            let answer = timeout(PATIENCE, link.receive()).await.expect("it ends");
            assert!(answer.map_or(0, |frame| frame.map_or(0, |frame| frame.len())) < 64);
        }
    });
    serves(&mut server, &sam);

    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    assert!(peak.is_none_or(|kib: u64| kib < MEMORY_KIB_MAX), "{peak:?} KiB of memory");
    let (status, log) = server.stop();
    assert_eq!(status.code(), Some(0));
    assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");
}

#[test]
fn another_key_at_the_servers_address_is_distrusted_for_that_attempt_alone() {
    let bench = Bench::new();
    let mut server = bench.server("server");
    let (sam, abby) = bench.team(&server.url);
    server.kill();
    let mut other = Server::start(&bench.path("other"), server.port);
    let note = sam.write("meanwhile", "written while another answered");
    for home in [&sam, &abby] {
        home.fails(8, &["sync"]);
    }
    assert_eq!(sam.fails(8, &["invite"])["kind"], "distrust");
    let (_, log) = other.stop();
    assert!(!log.contains("ERROR"), "{log}");
    server.start_again();
    sam.sync();
    abby.sync();
    assert_eq!(text_of(&abby.ok(&["note", "show", &note])["title"]), "meanwhile");
    assert_eq!(sam.ok(&["status"])["evidence"], serde_json::Value::Null);
}

#[test]
fn without_a_server_work_goes_on_and_is_kept() {
    let bench = Bench::new();
    let mut server = bench.server("server");
    let (sam, abby) = bench.team(&server.url);
    let (status, _) = server.stop();
    assert_eq!(status.code(), Some(0));
    sam.write("kept", "written without a server");
    let began = Instant::now();
    sam.fails(7, &["sync", "--timeout", "2s"]);
    sam.fails(7, &["invite", "--offline"]);
    // Somebody who takes everything and answers nothing.
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let port = silent.local_addr().expect("bound").port();
    abby.ok(&["server", "use", &server.url_at(port)]);
    abby.fails(7, &["sync", "--timeout", "2s"]);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    abby.ok(&["server", "use", &server.url]);
    sam.verify();
    server.start_again();
    assert!(number_of(&sam.sync()["sent"]) > 0);
    abby.sync();
    assert_eq!(abby.notes(), sam.notes());
    assert_eq!(abby.notes().len(), 1);
}

#[test]
fn an_invite_that_is_mistyped_unknown_expired_or_used_lets_nobody_in_and_leaves_the_folder_free() {
    let bench = Bench::new();
    let server = bench.server("server");
    let sam = bench.home("sam");
    sam.ok(&["init", "--member", "sam", "--server", &server.url]);
    let code = text_of(&sam.ok(&["invite"])["code"]);
    let short = text_of(&sam.ok(&["invite", "--expires", "1s"])["code"]);
    let expires = Instant::now() + Duration::from_secs(1);
    let abby = bench.home("abby");
    let join = |code: &str| abby.run(&["join", code, "--member", "abby"]);

    let mut mistyped = vec![
        String::new(),
        "TKT".to_owned(),
        code[6..].to_owned(),
        code[..code.len() - 6].to_owned(),
        format!("{code}-{code}"),
    ];
    let chars: Vec<char> = code.chars().collect();
    let mut dice = Dice::new(9);
    for at in (0..chars.len()).step_by(chars.len() / 6) {
        // A symbol that is typed wrongly, and two that change places.
        let mut wrong = chars.clone();
        while wrong[at] == chars[at] || chars[at] == '-' {
            if chars[at] == '-' {
                break;
            }
            wrong[at] = *dice.pick(&['2', '7', 'a', 'k', 'z']).expect("there are some");
        }
        if wrong != chars {
            mistyped.push(wrong.iter().collect());
        }
        if let Some(other) = (at + 1..chars.len())
            .find(|other| chars[*other] != '-' && chars[*other] != chars[at] && chars[at] != '-')
        {
            let mut swapped = chars.clone();
            swapped.swap(at, other);
            mistyped.push(swapped.into_iter().collect());
        }
    }
    for wrong in mistyped {
        join(&wrong).failure(2);
    }

    let known: InviteCode = code.parse().expect("a code");
    let mut unknown = known.clone();
    unknown.secret[3] ^= 1;
    join(&unknown.to_string()).failure(3);
    // A team that this server does not have.
    let other = bench.server("other");
    let elsewhere = InviteCode { server: other.address(), ..known };
    join(&elsewhere.to_string()).failure(3);

    let_it_work(expires.saturating_duration_since(Instant::now()));
    let said = join(&short).failure(5);
    assert!(!text_of(&said["hint"]).is_empty());
    // The folder is as free as before, and the code is read however it is typed.
    let typed = format!(" {} ", code.to_uppercase().replace('-', " "));
    assert_eq!(join(&typed).ok()["waiting"], true);
    sam.sync();
    abby.sync();
    let late = bench.home("late");
    late.fails(11, &["join", &code, "--member", "late"]);
    // Whoever is in already is told so, and keeps the home.
    join(&code).failure(11);
    abby.sync();
    let status = sam.ok(&["status"]);
    assert_eq!(status["devices"].as_array().map(Vec::len), Some(2), "{status}");
}
