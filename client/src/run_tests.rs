//! An errand against servers that misbehave: it ends with a reason, and the home goes on.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use quinn::{Connection, RecvStream, SendStream, VarInt};
use thicket_core::sync::{Errand, Outcome, SyncError};
use thicket_protocol::address::ServerAddress;
use thicket_protocol::frame::{self, ALPN, Change, Refusal, Reply};
use thicket_protocol::limits::FRAME_BYTES_MAX;

use crate::fixture::{ANOTHER, OURS, address, framed, home, listen, now, public_key, raw};
use crate::{ClientError, Limits, run};

/// A server on a thread of its own that waits for a frame and then does as `talk` does, for one connection.
fn misbehaving<F: Future<Output = ()>>(
    talk: impl FnOnce(Connection, SendStream, RecvStream) -> F + Send + 'static,
) -> (ServerAddress, JoinHandle<()>) {
    let (tell, told) = mpsc::channel();
    let serving = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let server = listen(raw(&public_key(&OURS), &OURS), ALPN);
            tell.send(address(&server, public_key(&OURS))).expect("the test waits");
            let Some(incoming) = server.accept().await else { return };
            let Ok(connection) = incoming.await else { return };
            let (send, mut receive) = connection.accept_bi().await.expect("a stream is opened");
            receive.read_exact(&mut [0; 4]).await.expect("a hello");
            talk(connection, send, receive).await;
        });
    });
    (told.recv().expect("it listens"), serving)
}

/// Syncs a new home with that server, and makes sure that the home has survived it.
fn sync(address: &ServerAddress, limits: &Limits) -> Result<Outcome, ClientError> {
    let (_folder, mut home) = home();
    home.use_server(address, now()).expect("a team that no server knows");
    let ended = run(&mut home, Errand::Sync, limits, &now, &mut |_| {});
    home.pause().expect("it pauses").resume(now()).expect("it opens again").lock().expect("it locks");
    ended
}

/// What the device says when the server answers its hello with these bytes.
fn answered(bytes: Vec<u8>) -> ClientError {
    let (address, serving) =
        misbehaving(async move |connection: Connection, mut send: SendStream, _receive| {
            send.write_all(&bytes).await.expect("the device reads");
            connection.closed().await;
        });
    let error = sync(&address, &Limits::default()).expect_err("no such server is synced with");
    serving.join().expect("the server lives");
    error
}

#[test]
fn garbage_is_named_and_never_a_panic() {
    let reply = |reply: &Reply| framed(&frame::encode(reply));
    let too_large = u32::try_from(FRAME_BYTES_MAX + 1).expect("it fits").to_be_bytes().to_vec();
    for bytes in [
        framed(&[]),
        framed(&[0xff; 100]),
        framed(&[0x9f; FRAME_BYTES_MAX]),
        framed(&frame::encode(&Reply::Stored).repeat(2)),
        too_large,
        reply(&Reply::Stored),
        reply(&Reply::Receipt(vec![1; 40])),
        reply(&Reply::Welcome { tips: vec![0; 10], statements: 0, seals: 0 }),
        reply(&Reply::Gov { entries: Vec::new(), more: true }),
    ] {
        let shown = bytes.get(..bytes.len().min(24)).map(<[u8]>::to_vec);
        let error = answered(bytes);
        assert!(matches!(error, ClientError::Sync(SyncError::Protocol(_))), "{shown:02x?}: {error:?}");
    }
}

#[test]
fn a_refusal_and_a_stopping_server_are_told_apart() {
    let error = answered(framed(&frame::encode(&Reply::Refused(Refusal::NotAdmitted))));
    assert!(matches!(error, ClientError::Sync(SyncError::Refused(Refusal::NotAdmitted))), "{error:?}");
    assert!(!error.passes());
    let error = answered(framed(&frame::encode(&Reply::Draining)));
    assert!(matches!(error, ClientError::Sync(SyncError::Draining)), "{error:?}");
    assert!(error.passes());
}

#[test]
fn a_connection_that_breaks_inside_a_frame_is_an_interruption() {
    let (address, serving) = misbehaving(async |connection: Connection, mut send: SendStream, _receive| {
        send.write_all(&[0, 0, 1, 0, 7]).await.expect("the device reads");
        connection.close(VarInt::from_u32(1), b"");
    });
    let error = sync(&address, &Limits::default()).expect_err("the answer never came");
    assert!(matches!(error, ClientError::Interrupted(_)), "{error:?}");
    serving.join().expect("the server lives");
}

#[test]
fn a_server_that_only_hints_is_given_up_when_the_time_is_up() {
    let (address, serving) = misbehaving(async |connection: Connection, mut send: SendStream, _receive| {
        let hint = framed(&frame::encode(&Reply::Changed(Change::Gov)));
        while send.write_all(&hint).await.is_ok() {}
        connection.closed().await;
    });
    let limits = Limits { whole: Some(Duration::from_millis(500)), ..Limits::default() };
    let error = sync(&address, &limits).expect_err("it never welcomed");
    assert!(
        matches!(error, ClientError::TimedOut { .. } | ClientError::Sync(SyncError::Protocol(_))),
        "{error:?}"
    );
    serving.join().expect("the server lives");
}

#[test]
fn a_silent_server_is_given_up_when_the_time_is_up() {
    let (address, serving) =
        misbehaving(async |connection: Connection, _send, _receive| drop(connection.closed().await));
    let limits = Limits { whole: Some(Duration::from_millis(500)), ..Limits::default() };
    let error = sync(&address, &limits).expect_err("it never answered");
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error:?}");
    serving.join().expect("the server lives");
}

#[test]
fn another_server_at_the_address_is_not_talked_to() {
    let (address, serving) = misbehaving(async |_connection, _send, _receive| {});
    let address = ServerAddress { key: public_key(&ANOTHER), ..address };
    let error = sync(&address, &Limits::default()).expect_err("another key");
    assert!(matches!(error, ClientError::WrongServerKey), "{error:?}");
    serving.join().expect("the server lives");
}
