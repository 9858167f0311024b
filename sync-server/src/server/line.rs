//! One connection: frames from its stream to the store's thread, and frames from there into the stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use quinn::{Connection, Incoming, RecvStream, SendStream, VarInt};
use thicket_protocol::limits::FRAME_BYTES_MAX;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::desk::{Frame, ToDesk};
use super::handshakes::UnderWay;
use crate::limits::{
    FRAME_TIMEOUT_MS, HELLO_BYTES_MAX, HELLO_TIMEOUT_MS, UNSENT_BYTES_MAX, WAITING_BYTES_MAX,
};

/// Everything was said.
pub(super) const CLOSE_DONE: u32 = 0;
/// A frame was too long, or too slow.
pub(super) const CLOSE_MALFORMED: u32 = 1;
/// The store failed, and nothing that was not answered is kept.
pub(super) const CLOSE_FAILED: u32 = 2;

/// How much of a line's answers was not written yet.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    bytes: AtomicUsize,
    /// Whether the store's thread waits to be told that there is room.
    waiting: AtomicBool,
}

impl Unsent {
    /// Whether another frame may be made; when not, the line tells the store's thread later.
    pub(super) fn has_room(&self) -> bool {
        if self.bytes.load(Ordering::SeqCst) < UNSENT_BYTES_MAX {
            return true;
        }
        self.waiting.store(true, Ordering::SeqCst);
        // The writer may have made room before it could see that it is waited for.
        self.bytes.load(Ordering::SeqCst) < UNSENT_BYTES_MAX
    }

    pub(super) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
    }

    /// Counts a frame as written; says whether the store's thread is to be told.
    fn take(&self, bytes: usize) -> bool {
        let left = self.bytes.fetch_sub(bytes, Ordering::SeqCst) - bytes;
        left < UNSENT_BYTES_MAX && self.waiting.swap(false, Ordering::SeqCst)
    }
}

/// Serves one peer to the end of its connection.
pub(super) async fn serve(
    incoming: Incoming,
    number: u64,
    to_desk: mpsc::Sender<ToDesk>,
    handshake: UnderWay,
) {
    let hello = Duration::from_millis(HELLO_TIMEOUT_MS);
    let greet = async {
        let connection = incoming.await.ok()?;
        let (send, mut receive) = connection.accept_bi().await.ok()?;
        let first = read_frame(&mut receive, HELLO_BYTES_MAX).await;
        Some((connection, send, receive, first))
    };
    let Ok(Some((connection, send, receive, first))) = timeout(hello, greet).await else { return };
    drop(handshake);
    let Ok(first) = first else {
        connection.close(VarInt::from_u32(CLOSE_MALFORMED), b"malformed");
        return;
    };
    let unsent = Arc::new(Unsent::default());
    let (out, answers) = mpsc::unbounded_channel();
    let opened = ToDesk::Opened { number, connection: connection.clone(), out, unsent: Arc::clone(&unsent) };
    let waiting = Arc::new(Semaphore::new(WAITING_BYTES_MAX));
    // The store's thread ends after every line; where it is gone by a fault, the line ends too.
    if to_desk.send(opened).await.is_ok() {
        let write = write_frames(send, answers, &unsent, number, &to_desk);
        let read = read_frames(receive, first, &waiting, number, &to_desk);
        tokio::pin!(write);
        tokio::select! {
            biased;
            () = &mut write => {}
            read = read => {
                if read.is_err() {
                    connection.close(VarInt::from_u32(CLOSE_MALFORMED), b"malformed");
                }
                let _ = to_desk.send(ToDesk::Ended { number }).await;
                write.await;
            }
        }
    }
    connection.close(VarInt::from_u32(CLOSE_DONE), b"done");
    let _ = to_desk.send(ToDesk::Closed { number }).await;
}

/// What is wrong with a peer's stream.
#[derive(Debug)]
enum Unreadable {
    /// It has ended.
    Ended,
    /// It breaks a limit.
    Malformed,
}

/// Reads frames until the peer has ended.
async fn read_frames(
    mut receive: RecvStream,
    first: Vec<u8>,
    waiting: &Arc<Semaphore>,
    number: u64,
    to_desk: &mpsc::Sender<ToDesk>,
) -> Result<(), Unreadable> {
    let mut next = Ok(first);
    loop {
        let bytes = match next {
            Ok(bytes) => bytes,
            Err(Unreadable::Ended) => return Ok(()),
            Err(Unreadable::Malformed) => return Err(Unreadable::Malformed),
        };
        let share = u32::try_from(bytes.len()).map_err(|_| Unreadable::Malformed)?;
        let held = Arc::clone(waiting).acquire_many_owned(share).await.map_err(|_| Unreadable::Ended)?;
        let frame = Frame { bytes, _held: held };
        if to_desk.send(ToDesk::Frame { number, frame }).await.is_err() {
            return Ok(());
        }
        next = read_frame(&mut receive, FRAME_BYTES_MAX).await;
    }
}

/// Reads one frame behind its length; nothing is allocated before the length is found fit.
async fn read_frame(receive: &mut RecvStream, most: usize) -> Result<Vec<u8>, Unreadable> {
    let mut length = [0; 4];
    receive.read_exact(&mut length).await.map_err(|_| Unreadable::Ended)?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| Unreadable::Malformed)?;
    if length == 0 || length > most {
        return Err(Unreadable::Malformed);
    }
    let mut bytes = vec![0; length];
    let read = timeout(Duration::from_millis(FRAME_TIMEOUT_MS), receive.read_exact(&mut bytes)).await;
    read.map_err(|_| Unreadable::Malformed)?.map_err(|_| Unreadable::Ended)?;
    Ok(bytes)
}

/// Writes frames until the store's thread has no more, or the peer takes none.
async fn write_frames(
    mut send: SendStream,
    mut answers: mpsc::UnboundedReceiver<Vec<u8>>,
    unsent: &Unsent,
    number: u64,
    to_desk: &mpsc::Sender<ToDesk>,
) {
    let limit = Duration::from_millis(FRAME_TIMEOUT_MS);
    while let Some(frame) = answers.recv().await {
        let length = u32::try_from(frame.len()).expect("a frame is at most a little over a megabyte");
        let write = async {
            send.write_all(&length.to_be_bytes()).await?;
            send.write_all(&frame).await
        };
        if !matches!(timeout(limit, write).await, Ok(Ok(()))) {
            return;
        }
        if unsent.take(frame.len()) && to_desk.send(ToDesk::Room { number }).await.is_err() {
            return;
        }
    }
    // Whoever closes at once would take back what is still on its way.
    if send.finish().is_ok() {
        let _ = timeout(limit, send.stopped()).await;
    }
}

/// Closes a connection whose requests were lost with the store.
pub(super) fn close_failed(connection: &Connection) {
    connection.close(VarInt::from_u32(CLOSE_FAILED), b"failed");
}
