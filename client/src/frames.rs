//! Frames on a stream: each behind its length as four bytes, big-endian.

use quinn::{Chunk, ReadError, RecvStream, SendStream};
use thicket_core::sync::SyncError;
use thicket_protocol::limits::FRAME_BYTES_MAX;

use crate::ClientError;

const LENGTH_BYTES: usize = size_of::<u32>();

/// Reads frames; what came of one is kept when the wait for the rest is broken off.
#[derive(Debug)]
pub(crate) struct FrameReader {
    stream: RecvStream,
    length: Vec<u8>,
    /// Bytes that the frame has; none while its length is read.
    wanted: Option<usize>,
    frame: Vec<u8>,
}

impl FrameReader {
    pub(crate) const fn new(stream: RecvStream) -> Self {
        Self { stream, length: Vec::new(), wanted: None, frame: Vec::new() }
    }

    /// Waits for the next whole frame; none when the peer has ended its side between two frames. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        loop {
            let Some(wanted) = self.wanted else {
                let Some(chunk) = self.chunk(LENGTH_BYTES - self.length.len()).await? else {
                    return if self.length.is_empty() { Ok(None) } else { Err(cut()) };
                };
                self.length.extend_from_slice(&chunk.bytes);
                if let Ok(length) = <[u8; LENGTH_BYTES]>::try_from(self.length.as_slice()) {
                    self.begin(u32::from_be_bytes(length))?;
                }
                continue;
            };
            if self.frame.len() == wanted {
                self.wanted = None;
                return Ok(Some(std::mem::take(&mut self.frame)));
            }
            let Some(chunk) = self.chunk(wanted - self.frame.len()).await? else { return Err(cut()) };
            self.frame.extend_from_slice(&chunk.bytes);
        }
    }

    /// Makes room for a frame, unless it is larger than a frame may be.
    fn begin(&mut self, length: u32) -> Result<(), ClientError> {
        let wanted = usize::try_from(length).unwrap_or(usize::MAX);
        if wanted > FRAME_BYTES_MAX {
            return Err(SyncError::Protocol("a frame is larger than a frame may be").into());
        }
        self.length.clear();
        self.frame = Vec::with_capacity(wanted);
        self.wanted = Some(wanted);
        Ok(())
    }

    async fn chunk(&mut self, bytes_max: usize) -> Result<Option<Chunk>, ClientError> {
        self.stream.read_chunk(bytes_max, true).await.map_err(lost)
    }
}

/// The peer ended its side in the middle of a frame.
fn cut() -> ClientError {
    lost(ReadError::ClosedStream)
}

/// Writes one frame at a time, as fast as flow control lets it.
#[derive(Debug)]
pub(crate) struct FrameWriter {
    stream: SendStream,
    /// The frame with its length, and how much of it QUIC has taken.
    bytes: Vec<u8>,
    taken: usize,
}

impl FrameWriter {
    pub(crate) const fn new(stream: SendStream) -> Self {
        Self { stream, bytes: Vec::new(), taken: 0 }
    }

    /// Tells whether QUIC has not yet taken all of a frame.
    pub(crate) fn is_busy(&self) -> bool {
        self.taken < self.bytes.len()
    }

    /// Takes the next frame; the one before must have been taken.
    pub(crate) fn begin(&mut self, frame: &[u8]) {
        assert!(!self.is_busy(), "one frame is written at a time");
        assert!(frame.len() <= FRAME_BYTES_MAX, "a frame of ours is never too large");
        let length = u32::try_from(frame.len()).expect("a frame is shorter than 4 GiB");
        self.bytes.clear();
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(frame);
        self.taken = 0;
    }

    /// Waits until QUIC has taken the frame. Cancel-safe; at once when there is none.
    pub(crate) async fn flush(&mut self) -> Result<(), ClientError> {
        while let Some(left) = self.bytes.get(self.taken..).filter(|left| !left.is_empty()) {
            self.taken += self.stream.write(left).await.map_err(lost)?;
        }
        Ok(())
    }
}

/// The connection was lost.
pub(crate) fn lost(error: impl std::error::Error + Send + Sync + 'static) -> ClientError {
    ClientError::Interrupted(Box::new(error))
}
