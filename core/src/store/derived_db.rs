//! What derived.db holds: the read model and the search index, all of it a function of core.db and the keys.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, Transaction};
use thicket_protocol::ids::{DeviceId, Hash, MemberId, NotebookId, SpaceId};
use thicket_protocol::record::ItemRef;

use super::{Database, StoreError};
use crate::ids::{EncounterId, GenerationId, NoteId, ParticipantId};
use crate::secret::DatabaseKey;
use crate::time::Observed;
use crate::view::Heads;
use crate::vocabulary::StampStatus;
use crate::words::Query;

pub(crate) fn create(_folder: &Path, _key: &DatabaseKey) -> Result<Database, StoreError> {
    todo!()
}

/// Opens the file; one that is missing, damaged or of another version is made anew, empty: its mark is then 0.
pub(crate) fn open_or_renew(_folder: &Path, _key: &DatabaseKey) -> Result<Database, StoreError> {
    todo!()
}

/// The arrival number up to which core.db is taken in.
pub(crate) fn mark(_db: &Connection) -> Result<u64, StoreError> {
    todo!()
}

pub(crate) fn set_mark(_tx: &Transaction<'_>, _mark: u64) -> Result<(), StoreError> {
    todo!()
}

/// Takes an object in, in wire form; false when it was there.
pub(crate) fn put_object(
    _tx: &Transaction<'_>,
    _space: SpaceId,
    _hash: Hash,
    _wire: &[u8],
) -> Result<bool, StoreError> {
    todo!()
}

/// The objects of a space, by hash.
pub(crate) fn objects(_db: &Connection, _space: SpaceId) -> Result<Vec<Vec<u8>>, StoreError> {
    todo!()
}

/// Where a part of a generation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A record.
    Item(ItemRef),
    /// The prepared body that is not sealed yet.
    Unsent,
}

/// One opened body of a generation, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) source: Source,
    pub(crate) base: Heads,
    pub(crate) result: Heads,
    /// The hash of its view, [`crate::view::EncodedView::content_hash`].
    pub(crate) content_hash: Hash,
}

/// Puts a part; one of the same source is replaced.
pub(crate) fn put_part(
    _tx: &Transaction<'_>,
    _generation: GenerationId,
    _part: &Part,
) -> Result<(), StoreError> {
    todo!()
}

pub(crate) fn remove_part(
    _tx: &Transaction<'_>,
    _generation: GenerationId,
    _source: Source,
) -> Result<(), StoreError> {
    todo!()
}

/// The parts of a generation, by source.
pub(crate) fn parts(_db: &Connection, _generation: GenerationId) -> Result<Vec<Part>, StoreError> {
    todo!()
}

/// A generation as lists and readers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GenerationRow {
    pub(crate) generation: GenerationId,
    pub(crate) space: SpaceId,
    pub(crate) notebook: NotebookId,
    /// Whether the space is private.
    pub(crate) is_private: bool,
    pub(crate) note: NoteId,
    pub(crate) parent: Option<GenerationId>,
    pub(crate) draft_of: Option<GenerationId>,
    pub(crate) author: MemberId,
    pub(crate) encounter: Option<EncounterId>,
    pub(crate) observed: Observed,
    pub(crate) recorded_ms: i64,
    /// Everybody ever named in the generation (the set of body keys only grows).
    pub(crate) ever_named: BTreeSet<ParticipantId>,
    /// Everybody who is in the note now.
    pub(crate) people: BTreeSet<ParticipantId>,
    pub(crate) status: StampStatus,
    /// The version that the view shows.
    pub(crate) heads: Heads,
    /// The view as written ([`crate::view::EncodedView`]).
    pub(crate) view: Vec<u8>,
    /// The title as CBOR of [`crate::text::Prose`].
    pub(crate) title: Vec<u8>,
    /// Whether it is the one of its note that lists and search show.
    pub(crate) is_shown: bool,
}

/// Puts a generation's row; when its view has changed, its place in the index becomes pending.
pub(crate) fn put_generation(_tx: &Transaction<'_>, _row: &GenerationRow) -> Result<(), StoreError> {
    todo!()
}

pub(crate) fn generation(
    _db: &Connection,
    _generation: GenerationId,
) -> Result<Option<GenerationRow>, StoreError> {
    todo!()
}

/// All generations of a note, by id.
pub(crate) fn generations_of(_db: &Connection, _note: NoteId) -> Result<Vec<GenerationRow>, StoreError> {
    todo!()
}

/// The generations that name somebody now, by id.
pub(crate) fn generations_about(
    _db: &Connection,
    _participant: ParticipantId,
) -> Result<Vec<GenerationId>, StoreError> {
    todo!()
}

/// The generations of an encounter, by id.
pub(crate) fn generations_at(
    _db: &Connection,
    _encounter: EncounterId,
) -> Result<Vec<GenerationId>, StoreError> {
    todo!()
}

/// The shown generations of a notebook with one of these statuses, in a private space or not, by id.
pub(crate) fn generations_where(
    _db: &Connection,
    _notebook: Option<NotebookId>,
    _is_private: Option<bool>,
    _statuses: &[StampStatus],
) -> Result<Vec<GenerationId>, StoreError> {
    todo!()
}

pub(crate) fn set_status(
    _tx: &Transaction<'_>,
    _generation: GenerationId,
    _status: StampStatus,
) -> Result<(), StoreError> {
    todo!()
}

pub(crate) fn set_shown(
    _tx: &Transaction<'_>,
    _generation: GenerationId,
    _is_shown: bool,
) -> Result<(), StoreError> {
    todo!()
}

/// Takes a generation out, its words in the index too.
pub(crate) fn remove_generation(_tx: &Transaction<'_>, _generation: GenerationId) -> Result<(), StoreError> {
    todo!()
}

/// Which shown notes a list is to have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) notebook: Option<NotebookId>,
    pub(crate) participant: Option<ParticipantId>,
    pub(crate) encounter: Option<EncounterId>,
    pub(crate) status: Option<StampStatus>,
    pub(crate) since: Option<Observed>,
    pub(crate) until: Option<Observed>,
    /// Leaves out what is on hold and was written by anybody else but this member.
    pub(crate) reader: Option<MemberId>,
}

/// A row of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListRow {
    pub(crate) note: NoteId,
    pub(crate) generation: GenerationId,
    pub(crate) title: Vec<u8>,
    pub(crate) observed: Observed,
    pub(crate) recorded_ms: i64,
    pub(crate) author: MemberId,
    pub(crate) is_private: bool,
    pub(crate) status: StampStatus,
}

/// Where a page of a list ends; the next begins behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct After {
    pub(crate) observed: Observed,
    pub(crate) recorded_ms: i64,
    pub(crate) note: NoteId,
}

/// Lists shown notes, newest observation first, then newest recording, then by id; by index alone, whatever the number of notes.
pub(crate) fn list(
    _db: &Connection,
    _wanted: &Wanted,
    _after: Option<After>,
    _limit: usize,
) -> Result<Vec<ListRow>, StoreError> {
    todo!()
}

/// How many shown notes there are, by status, private or not.
pub(crate) fn count(_db: &Connection, _wanted: &Wanted) -> Result<u64, StoreError> {
    todo!()
}

/// Finds shown notes, newest observation first: what is in the index, and what is pending by its terms, so that the answer is
/// complete and right at every moment.
pub(crate) fn search(
    _db: &Connection,
    _wanted: &Wanted,
    _query: &Query,
    _limit: usize,
) -> Result<Vec<ListRow>, StoreError> {
    todo!()
}

/// Indexes up to `limit` pending generations, and returns how many are left.
pub(crate) fn index_some(_tx: &Transaction<'_>, _limit: usize) -> Result<u64, StoreError> {
    todo!()
}

/// When each device was last heard from: the newest recording or batch known of it, ms since 1970.
pub(crate) fn heard(_db: &Connection) -> Result<Vec<(DeviceId, i64)>, StoreError> {
    todo!()
}

pub(crate) fn hear(_tx: &Transaction<'_>, _device: DeviceId, _at_ms: i64) -> Result<(), StoreError> {
    todo!()
}
