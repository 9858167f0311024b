//! What a home promises, through its own methods alone.

mod check;
mod desk;
mod field;
mod files;
mod members;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use thicket_protocol::address::ServerAddress;
use thicket_protocol::governance::{Act as GovernanceAct, Admits, Author, Realm, Role, SpaceKind};
use thicket_protocol::ids::{PublicKey, SpaceId};
use thicket_protocol::keys::{PrekeyBody, PrekeyStatement};
use thicket_protocol::sign::{SUITE, VERSION};

use super::*;
use crate::consent::{Act, Activities, Bound, Consent, Withdrawal};
use crate::coverage::Why;
use crate::ids::{NoteId, ParticipantId};
use crate::ring::{KdfCost, RING_COPY_FILE, RING_FILE};
use crate::seal::derive_prekey_public;
use crate::secret::WrappingKey;
use crate::secret::tests::Seeded;
use crate::store::{CORE_FILE, DERIVED_FILE, LOCK_FILE};
use crate::text::{Layer, units};
use crate::time::Observed;
use crate::view::Provenance;
use crate::vocabulary::{Activity, Actor, Channel, Hold, Kind, Mode, SiteType, StampStatus, State, UseLeft};
