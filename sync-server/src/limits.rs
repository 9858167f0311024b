//! Limits of this server beside those of the protocol.

/// Most requests of one peer whose answers wait to be sent.
pub const ANSWERS_MAX: usize = 64;
/// Bytes of keys or entries that one frame of a longer answer gathers; what comes last may go beyond it by its own size.
pub const GATHERED_BYTES_MAX: usize = 768 * 1024;
/// Largest seal: 1,024 epochs in the clear and sealed.
pub const SEAL_BYTES_MAX: usize = 128 * 1024;
/// Largest prekey statement.
pub const STATEMENT_BYTES_MAX: usize = 64 * 1024;
/// Largest row of a vault: 256 ids and keys.
pub const PACK_BYTES_MAX: usize = 16 * 1024;
/// Most seals that wait for one device.
pub const SEALS_WAITING_MAX: u64 = 1_024;
/// Most teams of one server.
pub const TEAMS_MAX: u64 = 100_000;
/// Largest first frame of a connection: nothing is known of the peer yet.
pub const HELLO_BYTES_MAX: usize = 4 * 1024;
/// Bytes of frames that one connection may have waiting for the store.
pub const WAITING_BYTES_MAX: usize = 2 * thicket_protocol::limits::FRAME_BYTES_MAX;
/// Bytes behind which no more is read from the store for a peer that reads slowly.
pub const UNSENT_BYTES_MAX: usize = 1024 * 1024;
/// Most connections at a time.
pub const CONNECTIONS_MAX: usize = 1_024;
/// Handshakes at a time from which on every address has to prove that it is one (QUIC Retry, RFC 9000, section 8.1.2).
pub const HANDSHAKES_UNPROVEN_MAX: usize = 32;
/// Handshakes that one address may begin at once.
pub const HANDSHAKES_BURST_MAX: u32 = 120;
/// Handshakes that one address may begin each second, in the long run.
pub const HANDSHAKES_A_SECOND: u32 = 10;
/// Most addresses whose handshakes are counted.
pub const ADDRESSES_COUNTED_MAX: usize = 16 * 1024;
/// Most frames that are made durable together.
pub const GROUP_FRAMES_MAX: usize = 256;
/// Within what time a peer completes its handshake and says who it is.
pub const HELLO_TIMEOUT_MS: u64 = 10_000;
/// Within what time a frame that has begun arrives, or is read by the peer.
pub const FRAME_TIMEOUT_MS: u64 = 60_000;
/// After what silence a connection is given up.
pub const IDLE_TIMEOUT_MS: u32 = 60_000;
/// After what silence the server shows that it is there.
pub const KEEP_ALIVE_MS: u64 = 20_000;
/// How long a stopping server waits for what it has begun.
pub const DRAIN_TIMEOUT_MS: u64 = 10_000;
