//! The link against a server of its own kind in the same process, and against servers that are none.

#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

use std::future::Future;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use quinn::{Connection, Endpoint, RecvStream, SendStream, VarInt};
use rustls::server::ResolvesServerCert;
use thicket_core::sync::SyncError;
use thicket_protocol::address::ServerAddress;
use thicket_protocol::frame::{ALPN, EXPORTER_LABEL};
use thicket_protocol::limits::FRAME_BYTES_MAX;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::fixture::{ANOTHER, OURS, Ordinary, address, certified, framed, listen, public_key, raw};
use crate::link::{IDLE_MAX, Link, RECEIVE_WINDOW_BYTES, SEND_WINDOW_BYTES, Step, connect};
use crate::{ClientError, Limits};

/// In the tests' own time, which passes only while nothing else happens.
const LONG: Duration = Duration::from_secs(3600);

/// Starts a server that takes one connection, and lets `talk` speak with it.
fn serve<F, T>(server: Endpoint, talk: impl FnOnce(Connection) -> F + Send + 'static) -> JoinHandle<Option<T>>
where
    F: Future<Output = T> + Send,
    T: Send + 'static,
{
    tokio::spawn(async move {
        let connection = server.accept().await?.await.ok()?;
        Some(talk(connection).await)
    })
}

/// Connects to a server that speaks as `talk` does; the stream is opened with an empty frame.
async fn connect_to<F>(
    talk: impl FnOnce(SendStream, RecvStream) -> F + Send + 'static,
) -> (Link, JoinHandle<Option<()>>)
where
    F: Future<Output = ()> + Send,
{
    let server = listen(raw(&public_key(&OURS), &OURS), ALPN);
    let address = address(&server, public_key(&OURS));
    let serving = serve(server, async move |connection: Connection| {
        let (send, mut receive) = connection.accept_bi().await.expect("a stream is opened");
        receive.read_exact(&mut [0; 4]).await.expect("an empty frame opens it");
        talk(send, receive).await;
        connection.closed().await;
    });
    let mut link = connect(&address, &Limits::default()).await.expect("the right server is there");
    link.send(&[]).await.expect("an empty frame is sent");
    (link, serving)
}

async fn connecting_fails(keys: Arc<dyn ResolvesServerCert>, alpn: &[u8]) -> ClientError {
    let server = listen(keys, alpn);
    let address = address(&server, public_key(&OURS));
    let serving = serve(server, async |connection: Connection| connection.close(VarInt::from_u32(0), b""));
    let error = connect(&address, &Limits::default()).await.expect_err("the server is not the one");
    serving.abort();
    error
}

#[tokio::test(start_paused = true)]
async fn the_pinned_server_and_the_device_share_the_exporter() {
    let server = listen(raw(&public_key(&OURS), &OURS), ALPN);
    let address = address(&server, public_key(&OURS));
    let serving = serve(server, async |connection: Connection| {
        let mut exporter = [0; 32];
        connection.export_keying_material(&mut exporter, EXPORTER_LABEL, &[7; 33]).expect("32 bytes are few");
        exporter
    });
    let link = connect(&address, &Limits::default()).await.expect("the right server is there");
    let theirs = serving.await.expect("the server lives").expect("it was connected to");
    assert_eq!(link.exporter(&[7; 33]), theirs);
    assert_ne!(link.exporter(&[8; 33]), theirs, "the context is bound");
}

#[tokio::test(start_paused = true)]
async fn another_key_is_refused() {
    let error = connecting_fails(raw(&public_key(&ANOTHER), &ANOTHER), ALPN).await;
    assert!(matches!(error, ClientError::WrongServerKey), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_public_half_of_the_pinned_key_alone_is_refused() {
    let error = connecting_fails(raw(&public_key(&OURS), &ANOTHER), ALPN).await;
    assert!(matches!(error, ClientError::WrongServerKey), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_with_a_certificate_is_refused() {
    let error = connecting_fails(Arc::new(Ordinary(certified(&public_key(&OURS), &OURS))), ALPN).await;
    assert!(matches!(error, ClientError::WrongServerKey), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn another_protocol_is_not_taken_for_another_key() {
    let error = connecting_fails(raw(&public_key(&OURS), &OURS), b"thicket/0").await;
    assert!(matches!(error, ClientError::OtherProtocol), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_address_is_given_up_when_the_time_is_up() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let port = silent.local_addr().expect("it is bound").port();
    let address = ServerAddress { host: "127.0.0.1".to_owned(), port, key: public_key(&OURS) };
    let limits = Limits { connect: Duration::from_secs(3), whole: None };
    let before = tokio::time::Instant::now();
    let error = connect(&address, &limits).await.expect_err("nobody answers");
    assert!(matches!(error, ClientError::Unreachable(_)), "{error:?}");
    assert_eq!(before.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_has_is_unreachable() {
    let address = ServerAddress { host: "nobody.invalid".to_owned(), port: 1, key: public_key(&OURS) };
    let error = connect(&address, &Limits::default()).await.expect_err("no such name");
    assert!(matches!(error, ClientError::Unreachable(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_name_stands_for_whichever_of_its_addresses_answers() {
    let server = listen(raw(&public_key(&OURS), &OURS), ALPN);
    let address = ServerAddress { host: "localhost".to_owned(), ..address(&server, public_key(&OURS)) };
    let serving = serve(server, async |connection: Connection| connection.closed().await);
    connect(&address, &Limits::default()).await.expect("one address answers").close().await;
    serving.await.expect("the server lives").expect("it was connected to");
}

#[tokio::test(start_paused = true)]
async fn the_largest_frame_comes_and_one_byte_more_is_refused() {
    let (mut link, _serving) = connect_to(async |mut send, _receive| {
        send.write_all(&framed(&vec![3; FRAME_BYTES_MAX])).await.expect("the device reads");
        let too_large = u32::try_from(FRAME_BYTES_MAX + 1).expect("it fits").to_be_bytes();
        send.write_all(&too_large).await.expect("the device reads");
    })
    .await;
    let frame = link.receive().await.expect("it is not too large").expect("it is there");
    assert_eq!(frame, vec![3; FRAME_BYTES_MAX]);
    // Only the length has come: it is refused without waiting for what it announces.
    let error = timeout(LONG, link.receive()).await.expect("it is judged at once").expect_err("too large");
    assert!(matches!(error, ClientError::Sync(SyncError::Protocol(_))), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_frame_may_be_broken_off_anywhere() {
    let frame: Vec<u8> = (0..=255).collect();
    let bytes = framed(&frame);
    for cut in [1, 3, 4, 5, bytes.len() - 1] {
        let (go_on, told) = oneshot::channel::<()>();
        let bytes = bytes.clone();
        let (mut link, _serving) = connect_to(async move |mut send, _receive| {
            send.write_all(&bytes[..cut]).await.expect("the device reads");
            told.await.expect("the test lives");
            send.write_all(&bytes[cut..]).await.expect("the device reads");
        })
        .await;
        timeout(Duration::from_secs(1), link.receive()).await.expect_err("half a frame is none");
        go_on.send(()).expect("the server lives");
        assert_eq!(link.receive().await.expect("all has come"), Some(frame.clone()), "cut at {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_inside_a_frame_is_a_lost_connection() {
    let bytes = framed(b"whole");
    for cut in 1..bytes.len() {
        let bytes = bytes.clone();
        let (mut link, _serving) = connect_to(async move |mut send, _receive| {
            send.write_all(&bytes).await.expect("the device reads");
            send.write_all(&bytes[..cut]).await.expect("the device reads");
            send.finish().expect("it is open");
        })
        .await;
        assert_eq!(link.receive().await.expect("the first is whole"), Some(b"whole".to_vec()));
        let error = link.receive().await.expect_err("the second is not");
        assert!(matches!(error, ClientError::Interrupted(_)), "{error:?} at {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_between_frames_has_ended() {
    let (mut link, _serving) = connect_to(async |mut send, _receive| {
        send.write_all(&framed(b"last")).await.expect("the device reads");
        send.finish().expect("it is open");
    })
    .await;
    assert_eq!(link.receive().await.expect("whole"), Some(b"last".to_vec()));
    assert_eq!(link.receive().await.expect("no frame is cut"), None);
    let error = link.step().await.expect_err("a session cannot go on");
    assert!(matches!(error, ClientError::Interrupted(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_is_a_lost_connection() {
    let server = listen(raw(&public_key(&OURS), &OURS), ALPN);
    let address = address(&server, public_key(&OURS));
    let machine = server.clone();
    let (dead, died) = oneshot::channel();
    let serving = serve(server, async move |connection: Connection| {
        let (_send, mut receive) = connection.accept_bi().await.expect("a stream is opened");
        receive.read_exact(&mut [0; 9]).await.expect("the device says hello");
        // From another port it neither hears nor is heard any more.
        machine.rebind(UdpSocket::bind("127.0.0.1:0").expect("a port is free")).expect("it is a socket");
        dead.send(()).expect("the test waits");
        connection.closed().await
    });
    let mut link = connect(&address, &Limits::default()).await.expect("the right server is there");
    link.send(b"hello").await.expect("QUIC takes it");
    died.await.expect("the server lives until then");
    let before = tokio::time::Instant::now();
    let error = timeout(LONG, link.receive()).await.expect("silence ends").expect_err("nobody is there");
    assert!(matches!(error, ClientError::Interrupted(_)), "{error:?}");
    assert!(before.elapsed() <= IDLE_MAX * 2, "{:?}", before.elapsed());
    serving.abort();
}

#[tokio::test(start_paused = true)]
async fn both_ends_may_send_more_than_the_windows_before_they_read() {
    let frame = vec![9; FRAME_BYTES_MAX];
    let more_than_windows = u64::from(RECEIVE_WINDOW_BYTES).max(SEND_WINDOW_BYTES) + 4 * 1024 * 1024;
    let frames = usize::try_from(more_than_windows).expect("it fits") / FRAME_BYTES_MAX + 1;
    let bytes = framed(&frame);
    let (all_came, told) = oneshot::channel();
    let (mut link, _serving) = connect_to(async move |mut send, mut receive| {
        for _ in 0..frames {
            send.write_all(&bytes).await.expect("the device reads");
        }
        let mut all = vec![0; frames * bytes.len()];
        receive.read_exact(&mut all).await.expect("the device sends");
        all_came.send(all.chunks(bytes.len()).all(|one| one == bytes)).expect("the test waits");
    })
    .await;
    let (mut sent, mut came) = (0, 0);
    while sent < frames || came < frames {
        if sent < frames && !link.writer.is_busy() {
            link.writer.begin(&frame);
        }
        match timeout(LONG, link.step()).await.expect("neither end waits for the other").expect("it stands") {
            Step::Sent => sent += 1,
            Step::Frame(one) => {
                assert_eq!(one, frame);
                came += 1;
            }
        }
    }
    assert!(told.await.expect("the server read to the end"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_goes_on_from_another_network() {
    let (mut link, _serving) = connect_to(async |mut send, mut receive| {
        let mut bytes = [0; 8];
        receive.read_exact(&mut bytes).await.expect("the device sends");
        send.write_all(&bytes).await.expect("the device reads");
    })
    .await;
    link.network_changed().expect("a port is free");
    link.send(b"here").await.expect("QUIC takes it");
    assert_eq!(link.receive().await.expect("the way is found"), Some(b"here".to_vec()));
}
