//! A connection to a server whose key is pinned: frames out, frames in.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{
    ClientConfig, Connection, ConnectionError, Endpoint, IdleTimeout, ReadError, TransportConfig,
    TransportErrorCode, VarInt,
};
use thicket_protocol::address::ServerAddress;
use thicket_protocol::frame::EXPORTER_LABEL;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::frames::{FrameReader, FrameWriter, lost};
use crate::{ClientError, Limits, pin};

/// Addresses of one name that are tried; further ones are left alone.
pub const ADDRESSES_MAX: usize = 8;
/// How long an address may be silent before the next one is tried beside it (RFC 8305, section 5).
pub const ADDRESS_STAGGER: Duration = Duration::from_millis(250);
/// How often a quiet connection says that it is there; routers forget a flow after 30 s.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// After how long a silence the connection counts as lost.
pub const IDLE_MAX: Duration = Duration::from_secs(30);
/// Bytes that the server may send ahead of what was read: several of the largest frames.
pub const RECEIVE_WINDOW_BYTES: u32 = 8 * 1024 * 1024;
/// Bytes that are kept until the server has acknowledged them.
pub const SEND_WINDOW_BYTES: u64 = 8 * 1024 * 1024;
/// How long the end of a connection may take, so that the server hears of it.
pub(crate) const CLOSE_WAIT: Duration = Duration::from_millis(20);

/// The name that TLS wants; the server does not read it, and the real one is nobody's business on the way.
const SERVER_NAME: &str = "thicket";
/// The alert of a peer that shares no application protocol (RFC 7301, section 3.2).
const NO_APPLICATION_PROTOCOL: u64 = 120;

/// What moved on a link.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A frame came.
    Frame(Vec<u8>),
    /// QUIC has taken the frame that was to be sent.
    Sent,
}

/// A connection with its one stream.
#[derive(Debug)]
pub struct Link {
    endpoint: Endpoint,
    connection: Connection,
    pub(crate) writer: FrameWriter,
    pub(crate) reader: FrameReader,
}

impl Link {
    /// Takes the 32 bytes that only the two ends of this connection know (RFC 8446, section 7.5), under
    /// [`EXPORTER_LABEL`] and this context.
    pub fn exporter(&self, context: &[u8]) -> [u8; 32] {
        let mut exporter = [0; 32];
        self.connection
            .export_keying_material(&mut exporter, EXPORTER_LABEL, context)
            .expect("32 bytes are never too many, and the handshake is over");
        exporter
    }

    /// Sends a frame of at most [`thicket_protocol::limits::FRAME_BYTES_MAX`] bytes: returns when QUIC has taken it.
    ///
    /// # Errors
    /// [`ClientError::Interrupted`].
    ///
    /// # Panics
    /// When the frame is larger, or when an earlier call was broken off before it returned.
    pub async fn send(&mut self, frame: &[u8]) -> Result<(), ClientError> {
        self.writer.begin(frame);
        self.writer.flush().await
    }

    /// Waits for a frame; none when the server has ended its side. Cancel-safe.
    ///
    /// # Errors
    /// [`ClientError::Interrupted`]; [`ClientError::Sync`] for a frame that is larger than a frame may be.
    pub async fn receive(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        self.reader.next().await
    }

    /// Waits until a frame has come or the one that is being sent is taken: a server that is busy sending must still be
    /// heard while it does not read. Cancel-safe.
    pub(crate) async fn step(&mut self) -> Result<Step, ClientError> {
        let busy = self.writer.is_busy();
        tokio::select! {
            frame = self.reader.next() => match frame? {
                Some(frame) => Ok(Step::Frame(frame)),
                None => Err(lost(ReadError::ClosedStream)),
            },
            sent = self.writer.flush(), if busy => sent.map(|()| Step::Sent),
        }
    }

    /// Goes on from another socket: the device has changed its network.
    ///
    /// # Errors
    /// Those of binding a socket; the old one then stays.
    pub fn network_changed(&self) -> io::Result<()> {
        self.endpoint.rebind(UdpSocket::bind(any_port(self.connection.remote_address()))?)
    }

    /// Ends the connection and gives the server a moment to hear of it.
    pub async fn close(self) {
        self.connection.close(VarInt::from_u32(0), b"");
        // When the time is up the server finds out by itself, after `IDLE_MAX`.
        let _unheard = tokio::time::timeout(CLOSE_WAIT, self.endpoint.wait_idle()).await;
    }
}

/// Connects to a server and makes sure that it holds the key of its address.
///
/// All addresses of a name are tried, each a little after the one before; the first that answers with the key wins.
///
/// # Errors
/// [`ClientError::Unreachable`], [`ClientError::WrongServerKey`], [`ClientError::OtherProtocol`].
pub async fn connect(address: &ServerAddress, limits: &Limits) -> Result<Link, ClientError> {
    let deadline = Instant::now() + limits.connect;
    // IPv6 addresses already stand in brackets.
    let host = format!("{}:{}", address.host, address.port);
    let found = timeout_at(deadline, tokio::net::lookup_host(host)).await.map_err(|_| silent())?;
    let mut addresses =
        found.map_err(ClientError::Unreachable)?.take(ADDRESSES_MAX).collect::<Vec<_>>().into_iter();
    let config = client_config(address);

    // Dropping the set ends the attempts that lost.
    let mut attempts = JoinSet::new();
    let mut failure = None;
    loop {
        if let Some(next) = addresses.next() {
            attempts.spawn(attempt(next, config.clone()));
        } else if attempts.is_empty() {
            return Err(failure.unwrap_or_else(silent));
        }
        tokio::select! {
            Some(ended) = attempts.join_next() => {
                match ended.expect("an attempt neither panics nor is aborted") {
                    Ok(link) => return Ok(link),
                    Err(error) => failure = Some(plainer(failure, error)),
                }
            }
            () = sleep(ADDRESS_STAGGER), if addresses.len() > 0 => {}
            () = sleep_until(deadline) => return Err(failure.unwrap_or_else(silent)),
        }
    }
}

async fn attempt(address: SocketAddr, config: ClientConfig) -> Result<Link, ClientError> {
    let endpoint = Endpoint::client(any_port(address)).map_err(ClientError::Unreachable)?;
    let connecting = endpoint.connect_with(config, address, SERVER_NAME).map_err(unreachable_for)?;
    let connection = connecting.await.map_err(refused)?;
    let (send, receive) = connection.open_bi().await.map_err(lost)?;
    Ok(Link { endpoint, connection, writer: FrameWriter::new(send), reader: FrameReader::new(receive) })
}

/// Any port of the family of that address.
fn any_port(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

fn client_config(address: &ServerAddress) -> ClientConfig {
    let tls = QuicClientConfig::try_from(pin::tls_config(&address.key))
        .expect("ring has the cipher suite of QUIC's first packets");
    let mut transport = TransportConfig::default();
    transport
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(IdleTimeout::try_from(IDLE_MAX).expect("half a minute fits")))
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        // The server opens nothing.
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None);
    let mut config = ClientConfig::new(Arc::new(tls));
    config.transport_config(Arc::new(transport));
    config
}

/// Of two failures the one that says more: somebody who answered wrongly, rather than nobody.
fn plainer(before: Option<ClientError>, now: ClientError) -> ClientError {
    match before {
        Some(before @ (ClientError::WrongServerKey | ClientError::OtherProtocol)) => before,
        _ => now,
    }
}

/// Sorts what ends a handshake.
fn refused(error: ConnectionError) -> ClientError {
    let code = match &error {
        ConnectionError::VersionMismatch => return ClientError::OtherProtocol,
        ConnectionError::TransportError(error) => error.code,
        ConnectionError::ConnectionClosed(close) => close.error_code,
        ConnectionError::ApplicationClosed(_)
        | ConnectionError::Reset
        | ConnectionError::TimedOut
        | ConnectionError::LocallyClosed
        | ConnectionError::CidsExhausted => return unreachable_for(error),
    };
    // CRYPTO_ERROR with the alert in its low byte (RFC 9001, section 4.8).
    match u64::from(code).checked_sub(u64::from(TransportErrorCode::crypto(0))) {
        Some(NO_APPLICATION_PROTOCOL) => ClientError::OtherProtocol,
        // Whatever else TLS fails at, the other end has not proved the key: it has no raw key, another, or only the public half.
        Some(alert) if alert <= u64::from(u8::MAX) => ClientError::WrongServerKey,
        Some(_) | None => unreachable_for(error),
    }
}

fn unreachable_for(error: impl std::error::Error + Send + Sync + 'static) -> ClientError {
    ClientError::Unreachable(io::Error::other(error))
}

fn silent() -> ClientError {
    ClientError::Unreachable(io::ErrorKind::TimedOut.into())
}
