//! The bound: the least that an end-to-end encrypted sync could do, in the same run and on the same machine.
//!
//! The same deflated bodies, one AEAD a note, no signature, no consent, through one quinn stream into one plain SQLite
//! transaction, acknowledged; and back, into a row of text that can be listed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, RecvStream, SendStream};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use rusqlite::{Connection, params};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, alg_id};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::sign::{CertifiedKey, public_key_to_spki};
use thicket_client::Limits;
use thicket_client::link::{self, Link};
use thicket_core::body::{NoteBody, pad, unpad};
use thicket_protocol::address::ServerAddress;
use thicket_protocol::frame::ALPN;
use thicket_protocol::ids::PublicKey;
use thicket_protocol::sign::Signer;
use tokio::sync::{broadcast, oneshot};

use super::verbs::Failure;

/// Notes of one frame, as in Thicket's batches.
const FRAME_NOTES: usize = 64;
const SEED: [u8; 32] = [7; 32];
const KEY: [u8; 32] = [9; 32];
/// PKCS #8 before an Ed25519 seed (RFC 8410, section 7).
const PKCS8_ED25519: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// What the bound measured, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// Deflating, sealing, sending, and the server's one transaction.
    pub push_s: f64,
    /// Fetching, opening, inflating, and one transaction of rows of text.
    pub pull_s: f64,
}

/// The bound's server: a thread with an endpoint, until it is dropped.
#[derive(Debug)]
pub struct Store {
    /// Where it listens.
    pub address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Store {
    /// Starts on a new file.
    pub fn start(file: PathBuf) -> Result<Self, Failure> {
        let (end, ended) = oneshot::channel();
        let (told, tell) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime for the bound");
            tokio::task::LocalSet::new().block_on(&runtime, async {
                let endpoint = Endpoint::server(server_config(), (Ipv4Addr::LOCALHOST, 0).into())
                    .expect("a port of this machine");
                told.send(endpoint.local_addr().expect("bound")).expect("who started it waits");
                tokio::select! {
                    () = serve(&endpoint, &file) => {}
                    _ = ended => {}
                }
            });
        });
        Ok(Self { address: tell.recv()?, end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn server_config() -> quinn::ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let pkcs8 = PrivatePkcs8KeyDer::from([PKCS8_ED25519.as_slice(), &SEED].concat());
    let signing = provider.key_provider.load_private_key(PrivateKeyDer::from(pkcs8)).expect("an Ed25519 key");
    let spki = public_key_to_spki(&alg_id::ED25519, key().as_bytes());
    let certified = CertifiedKey::new(vec![CertificateDer::from(spki.to_vec())], signing);
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring speaks TLS 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::new(certified))));
    tls.alpn_protocols = vec![ALPN.to_vec()];
    quinn::ServerConfig::with_crypto(Arc::new(
        QuicServerConfig::try_from(tls).expect("ring has the suite of QUIC"),
    ))
}

fn key() -> PublicKey {
    Signer::from_seed(&SEED).public_key()
}

async fn serve(endpoint: &Endpoint, file: &Path) {
    let (tell, _) = broadcast::channel::<Vec<u8>>(64);
    while let Some(incoming) = endpoint.accept().await {
        let Ok(connection) = incoming.await else { continue };
        let (file, tell) = (file.to_owned(), tell.clone());
        let _served = tokio::task::spawn_local(async move {
            while let Ok((send, receive)) = connection.accept_bi().await {
                if answer(send, receive, &file, &tell).await.is_none() {
                    break;
                }
            }
        });
    }
}

/// Frames begin with what is wanted: `p` puts notes, `c` commits, `g` gets all, `l` puts one and tells the others, `s` is told.
async fn answer(
    mut send: SendStream,
    mut receive: RecvStream,
    file: &Path,
    tell: &broadcast::Sender<Vec<u8>>,
) -> Option<()> {
    let database = open(file);
    database
        .execute_batch("CREATE TABLE IF NOT EXISTS notes(n INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        .ok()?;
    let mut told = None;
    loop {
        let frame = match &mut told {
            None => read(&mut receive).await?,
            Some(told) => {
                let told: &mut broadcast::Receiver<Vec<u8>> = told;
                write(&mut send, &told.recv().await.ok()?).await?;
                continue;
            }
        };
        let (verb, rest) = frame.split_first()?;
        match verb {
            b'p' => {
                if database.is_autocommit() {
                    database.execute_batch("BEGIN IMMEDIATE").ok()?;
                }
                for body in bodies(rest) {
                    database
                        .prepare_cached("INSERT INTO notes(body) VALUES(?1)")
                        .ok()?
                        .execute([body])
                        .ok()?;
                }
            }
            b'c' => {
                database.execute_batch("COMMIT").ok()?;
                write(&mut send, b"ok").await?;
            }
            b'g' => {
                let mut statement = database.prepare("SELECT body FROM notes ORDER BY n").ok()?;
                let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).ok()?;
                let all: Vec<Vec<u8>> = rows.filter_map(Result::ok).collect();
                drop(statement);
                for some in all.chunks(FRAME_NOTES) {
                    write(&mut send, &frame_of(b'n', some)).await?;
                }
                write(&mut send, b"e").await?;
            }
            b'l' => {
                database.prepare_cached("INSERT INTO notes(body) VALUES(?1)").ok()?.execute([rest]).ok()?;
                drop(tell.send(rest.to_vec()));
                write(&mut send, b"ok").await?;
            }
            _ => {
                told = Some(tell.subscribe());
                write(&mut send, b"ok").await?;
            }
        }
    }
}

/// A plain database, as durable as Thicket's.
fn open(file: &Path) -> Connection {
    let database = Connection::open(file).expect("a file in a temporary folder");
    database.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL").expect("plain pragmas");
    database
}

async fn read(receive: &mut RecvStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    receive.read_exact(&mut length).await.ok()?;
    let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).ok()?];
    receive.read_exact(&mut frame).await.ok()?;
    Some(frame)
}

async fn write(send: &mut SendStream, frame: &[u8]) -> Option<()> {
    send.write_all(&u32::try_from(frame.len()).ok()?.to_be_bytes()).await.ok()?;
    send.write_all(frame).await.ok()
}

fn frame_of(verb: u8, bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut frame = vec![verb];
    for body in bodies {
        frame.extend(u32::try_from(body.len()).expect("a body is short").to_be_bytes());
        frame.extend_from_slice(body);
    }
    frame
}

fn bodies(mut rest: &[u8]) -> Vec<&[u8]> {
    let mut bodies = Vec::new();
    while let Some((length, more)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).expect("a length fits");
        let Some((body, more)) = more.split_at_checked(length) else { break };
        bodies.push(body);
        rest = more;
    }
    bodies
}

fn cipher() -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &KEY).expect("32 bytes"))
}

fn nonce(n: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// Deflates and seals a body; without the padding, which the bound does not send.
fn seal(cipher: &LessSafeKey, n: u64, body: &NoteBody) -> Vec<u8> {
    let padded = body.encode_padded();
    let mut sealed = unpad(&padded).expect("it was padded just now").to_vec();
    cipher.seal_in_place_append_tag(nonce(n), Aad::empty(), &mut sealed).expect("short");
    sealed
}

fn unseal(cipher: &LessSafeKey, n: u64, sealed: &[u8]) -> Result<NoteBody, Failure> {
    let mut sealed = sealed.to_vec();
    let open = cipher
        .open_in_place(nonce(n), Aad::empty(), &mut sealed)
        .map_err(|_| "a note of the bound does not open")?;
    Ok(NoteBody::decode_padded(&pad(open))?)
}

async fn connect(address: SocketAddr) -> Result<Link, Failure> {
    let address = ServerAddress { host: address.ip().to_string(), port: address.port(), key: key() };
    Ok(link::connect(&address, &Limits::default()).await?)
}

async fn expect(link: &mut Link, frame: &[u8]) -> Result<(), Failure> {
    if link.receive().await?.as_deref() == Some(frame) {
        Ok(())
    } else {
        Err("the bound's server does not answer".into())
    }
}

/// Pushes the bodies and pulls them again.
pub fn measure(address: SocketAddr, dir: &Path, notes: &[NoteBody]) -> Result<Bound, Failure> {
    let runtime = runtime()?;
    let push_s = runtime.block_on(push(address, notes))?;
    let pull_s = runtime.block_on(pull(address, dir, notes.len()))?;
    Ok(Bound { push_s, pull_s })
}

/// Pushes the bodies and pulls them again, and tells how much `count` went up by each.
pub fn measure_each(
    address: SocketAddr,
    dir: &Path,
    notes: &[NoteBody],
    count: impl Fn() -> f64,
) -> Result<(f64, f64), Failure> {
    let runtime = runtime()?;
    let began = count();
    runtime.block_on(push(address, notes))?;
    let pushed = count();
    runtime.block_on(pull(address, dir, notes.len()))?;
    Ok((pushed - began, count() - pushed))
}

/// Sockets have a thread of their own, as Thicket's have.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

async fn push(address: SocketAddr, notes: &[NoteBody]) -> Result<f64, Failure> {
    let began = Instant::now();
    let (mut link, cipher) = (connect(address).await?, cipher());
    let mut n = 0;
    for some in notes.chunks(FRAME_NOTES) {
        let mut sealed = Vec::with_capacity(some.len());
        for body in some {
            sealed.push(seal(&cipher, n, body));
            n += 1;
        }
        link.send(&frame_of(b'p', &sealed)).await?;
    }
    link.send(b"c").await?;
    expect(&mut link, b"ok").await?;
    let push_s = began.elapsed().as_secs_f64();
    link.close().await;
    Ok(push_s)
}

async fn pull(address: SocketAddr, dir: &Path, notes: usize) -> Result<f64, Failure> {
    let file = dir.join("bound-reader.db");
    let began = Instant::now();
    let (mut link, cipher) = (connect(address).await?, cipher());
    let database = open(&file);
    database.execute_batch(
        "CREATE TABLE notes(n INTEGER PRIMARY KEY, body BLOB, title TEXT, text TEXT); BEGIN IMMEDIATE",
    )?;
    link.send(b"g").await?;
    let mut n = 0_u64;
    loop {
        let frame = link.receive().await?.ok_or("the bound's server ended")?;
        let (verb, rest) = frame.split_first().ok_or("an empty frame")?;
        if *verb == b'e' {
            break;
        }
        for sealed in bodies(rest) {
            let view = unseal(&cipher, n, sealed)?.view.open()?;
            n += 1;
            database
                .prepare_cached("INSERT INTO notes(body, title, text) VALUES(?1, ?2, ?3)")?
                .execute(params![sealed, view.title.text(), view.text.text()])?;
        }
    }
    database.execute_batch("COMMIT")?;
    let pull_s = began.elapsed().as_secs_f64();
    link.close().await;
    if usize::try_from(n) == Ok(notes) { Ok(pull_s) } else { Err("the bound lost notes".into()) }
}

/// Sends one note after another to a reader who waits for them; tells the milliseconds of each from before it is
/// deflated to when its text is readable.
pub fn live(
    address: SocketAddr,
    note: &NoteBody,
    edits: usize,
    every: Duration,
) -> Result<Vec<f64>, Failure> {
    let (told, tell) = std::sync::mpsc::channel::<Result<Instant, String>>();
    let reader = thread::spawn(move || {
        let runtime = runtime().expect("a runtime for the bound");
        let done: Result<(), Failure> = runtime.block_on(async {
            let mut link = connect(address).await?;
            link.send(b"s").await?;
            expect(&mut link, b"ok").await?;
            told.send(Ok(Instant::now()))?;
            let cipher = cipher();
            for n in 0..edits {
                let sealed = link.receive().await?.ok_or("the bound's server ended")?;
                let _text = unseal(&cipher, u64::try_from(n)?, &sealed)?.view.open()?.text;
                told.send(Ok(Instant::now()))?;
            }
            link.close().await;
            Ok(())
        });
        if let Err(error) = done {
            drop(told.send(Err(error.to_string())));
        }
    });
    tell.recv()??;
    let live_ms = runtime()?.block_on(async {
        let (mut link, cipher) = (connect(address).await?, cipher());
        let mut live_ms = Vec::with_capacity(edits);
        for n in 0..edits {
            tokio::time::sleep(every).await;
            let began = Instant::now();
            let sealed = seal(&cipher, u64::try_from(n)?, note);
            link.send(&[b"l".as_slice(), &sealed].concat()).await?;
            expect(&mut link, b"ok").await?;
            let seen = tell.recv()??;
            live_ms.push((seen - began).as_secs_f64() * 1_000.0);
        }
        link.close().await;
        Ok::<_, Failure>(live_ms)
    })?;
    drop(reader.join());
    Ok(live_ms)
}
