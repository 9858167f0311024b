//! What the ring holds.

use minicbor::{Decode, Encode};
use thicket_protocol::ids::{MemberId, TeamId};

use crate::secret::{DatabaseKey, HeldEpoch, IdentitySeed, LocalKey, PrekeySeed};

/// The private half of a prekey statement.
#[derive(Debug, Encode, Decode)]
#[cbor(array)]
pub struct HeldPrekey {
    /// The counter of the statement.
    #[n(0)]
    pub counter: u32,
    /// Its X-Wing seed.
    #[cbor(n(1), with = "crate::secret::in_seal")]
    pub seed: PrekeySeed,
}

/// Everything in the ring's sealed part.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub struct RingContents {
    /// The team.
    #[n(0)]
    pub team: TeamId,
    /// The member whose device it is; absent until the log has admitted the device.
    #[n(1)]
    pub member: Option<MemberId>,
    /// The device's identity.
    #[cbor(n(2), with = "crate::secret::in_seal")]
    pub identity: IdentitySeed,
    /// The key under which values of core.db are sealed.
    #[cbor(n(4), with = "crate::secret::in_seal")]
    pub local: LocalKey,
    /// The local key before it, while rows are sealed again.
    #[cbor(n(5), with = "crate::secret::in_seal_option", has_nil)]
    pub local_before: Option<LocalKey>,
    /// The prekeys whose seals may still come, ascending by counter.
    #[n(6)]
    pub prekeys: Vec<HeldPrekey>,
    /// The epochs' keys, staged ones included.
    #[n(7)]
    pub epochs: Vec<HeldEpoch>,
    /// The key of core.db.
    #[cbor(n(8), with = "crate::secret::in_seal")]
    pub core_db: DatabaseKey,
    /// The key of derived.db.
    #[cbor(n(9), with = "crate::secret::in_seal")]
    pub derived_db: DatabaseKey,
    /// The latest time that a server told, in milliseconds since 1970.
    #[n(10)]
    pub server_time_ms: Option<i64>,
}
