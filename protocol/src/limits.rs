//! Every limit that stands between the network and memory, checked before anything is allocated.

/// Largest frame on the wire, without its four length bytes.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024 + 64 * 1024;
/// Largest batch: head, items, signature and bodies.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Largest head and items of a batch together.
pub const HEAD_AND_ITEMS_BYTES_MAX: usize = 64 * 1024;
/// Most items of a batch; the index of an item is one byte.
pub const BATCH_ITEMS_MAX: usize = 256;
/// Largest body of an item: length, `people` and the sealed part.
pub const BODY_BYTES_MAX: usize = 960 * 1024 + 8 * 1024;
/// Most earlier items that a full save names as covered.
pub const COVERS_MAX: usize = 512;
/// Largest governance entry.
pub const ENTRY_BYTES_MAX: usize = 256 * 1024;
/// Most participants ever named in one generation.
pub const PEOPLE_MAX: usize = 64;
/// Most keys of one vault pack.
pub const PACK_KEYS_MAX: usize = 256;
/// Most devices of one member at a time.
pub const MEMBER_DEVICES_MAX: usize = 16;
/// Most devices of one team, revoked ones included.
pub const TEAM_DEVICES_MAX: usize = 2_000;
/// Most spaces of one team.
pub const TEAM_SPACES_MAX: usize = 10_000;
/// Most epochs that one seal carries.
pub const SEAL_EPOCHS_MAX: usize = 1_024;
/// Bytes of an X-Wing public key: ML-KEM-768 encapsulation key, then X25519.
pub const XWING_PUBLIC_BYTES: usize = 1_216;
/// Bytes of an X-Wing encapsulation.
pub const XWING_ENCAPSULATION_BYTES: usize = 1_120;
/// What ChaCha20-Poly1305 adds to a text.
pub const TAG_BYTES: usize = 16;
/// Most entries, statements, seals, packs or cursors in one frame.
pub const FRAME_LIST_MAX: usize = 4_096;
/// Longest name of a server's host (RFC 1035, section 2.3.4, written out).
pub const HOST_BYTES_MAX: usize = 253;
