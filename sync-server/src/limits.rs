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
