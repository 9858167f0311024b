//! The read model: one row a generation.

use std::collections::BTreeSet;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, Transaction, params, params_from_iter};
use thicket_protocol::cbor;
use thicket_protocol::ids::{MemberId, NotebookId, SpaceId};

use super::{DERIVED, lists, words};
use crate::ids::{EncounterId, GenerationId, NoteId, ParticipantId};
use crate::store::StoreError;
use crate::store::statements::{limit as limit_of, nonsense, read_cbor};
use crate::time::Observed;
use crate::view::Heads;
use crate::vocabulary::StampStatus;

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
    /// The view as written: CBOR of [`crate::view::EncodedView`].
    pub(crate) view: Vec<u8>,
    /// The title as CBOR of [`crate::text::Prose`].
    pub(crate) title: Vec<u8>,
    /// Whether it is the one of its note that lists and search show.
    pub(crate) is_shown: bool,
    /// Whether it says what the shown one was not made from: what its author typed too late.
    pub(crate) is_late: bool,
}

/// Puts a generation's row; when its view has changed, its place in the index becomes pending: the old words find
/// nothing any more, and leave the index when the new ones come.
pub(crate) fn put_generation(tx: &Transaction<'_>, row: &GenerationRow) -> Result<(), StoreError> {
    let sql = "SELECT g.is_indexed, v.view = ?2 FROM generations g JOIN views v ON v.id = g.id
               WHERE g.generation = ?1";
    let params = params![row.generation.as_bytes(), row.view];
    let known: Option<(bool, bool)> = DERIVED.row(tx, sql, params, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let is_indexed = matches!(known, Some((true, true)));
    let id = put_row(tx, row, is_indexed)?;
    if !matches!(known, Some((_, true))) {
        DERIVED.run(tx, "INSERT OR REPLACE INTO views (id, view) VALUES (?1, ?2)", params![id, row.view])?;
    }
    DERIVED.run(tx, "DELETE FROM people WHERE id = ?1", [id])?;
    for participant in &row.people {
        let sql = "INSERT INTO people (id, participant) VALUES (?1, ?2)";
        DERIVED.run(tx, sql, params![id, participant.as_bytes()])?;
    }
    Ok(())
}

fn put_row(tx: &Transaction<'_>, row: &GenerationRow, is_indexed: bool) -> Result<i64, StoreError> {
    let sql = "INSERT INTO generations (generation, space, notebook, is_private, note, parent, draft_of, author, encounter,
                   observed, recorded_ms, place, status, is_shown, is_indexed, title, ever_named, heads, is_late)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
               ON CONFLICT (generation) DO UPDATE SET space = ?2, notebook = ?3, is_private = ?4, note = ?5,
                   parent = ?6, draft_of = ?7, author = ?8, encounter = ?9, observed = ?10, recorded_ms = ?11,
                   place = ?12, status = ?13, is_shown = ?14, is_indexed = ?15, title = ?16, ever_named = ?17,
                   heads = ?18, is_late = ?19
               RETURNING id";
    let params = params![
        row.generation.as_bytes(),
        row.space.as_bytes(),
        row.notebook.as_bytes(),
        row.is_private,
        row.note.as_bytes(),
        row.parent.as_ref().map(GenerationId::as_bytes),
        row.draft_of.as_ref().map(GenerationId::as_bytes),
        row.author.as_bytes(),
        row.encounter.as_ref().map(EncounterId::as_bytes),
        cbor::encode(&row.observed),
        row.recorded_ms,
        lists::place(row.observed, row.recorded_ms, row.note),
        status_number(row.status),
        row.is_shown,
        is_indexed,
        row.title,
        cbor::encode(&row.ever_named),
        cbor::encode(&row.heads),
        row.is_late,
    ];
    DERIVED.one(tx, sql, params, |row| row.get(0))
}

const COLUMNS: &str = "SELECT g.id, g.generation, g.space, g.notebook, g.is_private, g.note, g.parent, g.draft_of,
    g.author, g.encounter, g.observed, g.recorded_ms, g.status, g.is_shown, g.title, g.ever_named, g.heads, v.view, g.is_late
    FROM generations g JOIN views v ON v.id = g.id";

/// Reads a row of [`COLUMNS`], with its id, its people still missing.
fn read_row(row: &Row<'_>) -> rusqlite::Result<(i64, GenerationRow)> {
    let generation =
        |column| row.get::<_, Option<_>>(column).map(|found| found.map(GenerationId::from_bytes));
    let read = GenerationRow {
        generation: GenerationId::from_bytes(row.get(1)?),
        space: SpaceId::from_bytes(row.get(2)?),
        notebook: NotebookId::from_bytes(row.get(3)?),
        is_private: row.get(4)?,
        note: NoteId::from_bytes(row.get(5)?),
        parent: generation(6)?,
        draft_of: generation(7)?,
        author: MemberId::from_bytes(row.get(8)?),
        encounter: row.get::<_, Option<_>>(9)?.map(EncounterId::from_bytes),
        observed: read_cbor(row, 10)?,
        recorded_ms: row.get(11)?,
        status: read_status(row, 12)?,
        is_shown: row.get(13)?,
        title: row.get(14)?,
        ever_named: read_cbor(row, 15)?,
        heads: read_cbor(row, 16)?,
        view: row.get(17)?,
        is_late: row.get(18)?,
        people: BTreeSet::new(),
    };
    Ok((row.get(0)?, read))
}

fn with_people(db: &Connection, (id, row): (i64, GenerationRow)) -> Result<GenerationRow, StoreError> {
    let sql = "SELECT participant FROM people WHERE id = ?1";
    let people = DERIVED.rows(db, sql, [id], |row| row.get(0).map(ParticipantId::from_bytes))?;
    Ok(GenerationRow { people: people.into_iter().collect(), ..row })
}

/// One generation's row.
pub(crate) fn generation(
    db: &Connection,
    generation: GenerationId,
) -> Result<Option<GenerationRow>, StoreError> {
    let sql = format!("{COLUMNS} WHERE g.generation = ?1");
    let found = DERIVED.row(db, &sql, [generation.as_bytes()], read_row)?;
    found.map(|row| with_people(db, row)).transpose()
}

/// All generations of a note, by id.
pub(crate) fn generations_of(db: &Connection, note: NoteId) -> Result<Vec<GenerationRow>, StoreError> {
    let sql = format!("{COLUMNS} WHERE g.note = ?1 ORDER BY g.generation");
    let found = DERIVED.rows(db, &sql, [note.as_bytes()], read_row)?;
    found.into_iter().map(|row| with_people(db, row)).collect()
}

/// The generations that name somebody now, by id.
pub(crate) fn generations_about(
    db: &Connection,
    participant: ParticipantId,
) -> Result<Vec<GenerationId>, StoreError> {
    let sql = "SELECT g.generation FROM people p JOIN generations g ON g.id = p.id
               WHERE p.participant = ?1 ORDER BY g.generation";
    DERIVED.rows(db, sql, [participant.as_bytes()], read_id)
}

/// The generations of an encounter, by id.
pub(crate) fn generations_at(
    db: &Connection,
    encounter: EncounterId,
) -> Result<Vec<GenerationId>, StoreError> {
    let sql = "SELECT generation FROM generations WHERE encounter = ?1 ORDER BY generation";
    DERIVED.rows(db, sql, [encounter.as_bytes()], read_id)
}

/// The shown generations of a notebook with one of these statuses, in a private space or not, by id.
pub(crate) fn generations_where(
    db: &Connection,
    notebook: Option<NotebookId>,
    is_private: Option<bool>,
    statuses: &[StampStatus],
) -> Result<Vec<GenerationId>, StoreError> {
    let mut params: Vec<Value> = Vec::new();
    // Few are private: they have an index of their own.
    let index = if is_private == Some(true) { " INDEXED BY generations_private" } else { "" };
    let mut sql = format!("SELECT generation FROM generations{index} WHERE is_shown = 1 AND status IN (");
    sql.push_str(&vec!["?"; statuses.len()].join(", "));
    sql.push(')');
    params.extend(statuses.iter().map(|status| Value::from(status_number(*status))));
    if let Some(notebook) = notebook {
        sql.push_str(" AND notebook = ?");
        params.push(Value::from(notebook.as_bytes().to_vec()));
    }
    if let Some(is_private) = is_private {
        sql.push_str(if is_private { " AND is_private = 1" } else { " AND is_private = 0" });
    }
    sql.push_str(" ORDER BY generation");
    DERIVED.rows(db, &sql, params_from_iter(params), read_id)
}

/// The drafts with that status, ended ones too, by id.
pub(crate) fn drafts(db: &Connection, status: StampStatus) -> Result<Vec<GenerationId>, StoreError> {
    let sql = "SELECT generation FROM generations INDEXED BY generations_draft
               WHERE draft_of IS NOT NULL AND status = ?1 ORDER BY generation";
    DERIVED.rows(db, sql, [status_number(status)], read_id)
}

/// The notes that are shown and whose ids begin with these hexadecimal digits, up to `limit`, by id; none for other text.
pub(crate) fn notes_with_prefix(
    db: &Connection,
    digits: &str,
    limit: usize,
) -> Result<Vec<NoteId>, StoreError> {
    let bound = |fill: char| -> Option<NoteId> {
        let rest = (NoteId::LEN * 2).checked_sub(digits.len())?;
        format!("{digits}{}", fill.to_string().repeat(rest)).parse().ok()
    };
    let (Some(first), Some(last)) = (bound('0'), bound('f')) else { return Ok(Vec::new()) };
    let sql = "SELECT DISTINCT note FROM generations WHERE is_shown = 1 AND note BETWEEN ?1 AND ?2
               ORDER BY note LIMIT ?3";
    let params = params![first.as_bytes(), last.as_bytes(), limit_of(limit)];
    DERIVED.rows(db, sql, params, |row| row.get(0).map(NoteId::from_bytes))
}

/// The generations that are late edits, by id.
pub(crate) fn late(db: &Connection) -> Result<Vec<GenerationId>, StoreError> {
    let sql = "SELECT generation FROM generations WHERE is_late = 1 ORDER BY generation";
    DERIVED.rows(db, sql, [], read_id)
}

fn read_id(row: &Row<'_>) -> rusqlite::Result<GenerationId> {
    row.get(0).map(GenerationId::from_bytes)
}

/// Sets where a generation stands with regard to consent.
pub(crate) fn set_status(
    tx: &Transaction<'_>,
    generation: GenerationId,
    status: StampStatus,
) -> Result<(), StoreError> {
    let sql = "UPDATE generations SET status = ?2 WHERE generation = ?1";
    DERIVED.run(tx, sql, params![generation.as_bytes(), status_number(status)])?;
    Ok(())
}

/// Sets whether lists and search show a generation, and whether it is a late edit.
pub(crate) fn set_shown(
    tx: &Transaction<'_>,
    generation: GenerationId,
    is_shown: bool,
    is_late: bool,
) -> Result<(), StoreError> {
    let sql = "UPDATE generations SET is_shown = ?2, is_late = ?3 WHERE generation = ?1";
    DERIVED.run(tx, sql, params![generation.as_bytes(), is_shown, is_late])?;
    Ok(())
}

/// Takes a generation out, its parts and its words in the index too. The words leave the file with the next
/// [`super::Database::checkpoint`].
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "a shred calls it, and it is held to its promise before there is one")
)]
pub(crate) fn remove_generation(tx: &Transaction<'_>, generation: GenerationId) -> Result<(), StoreError> {
    let name = generation.as_bytes();
    DERIVED.run(tx, "DELETE FROM parts WHERE generation = ?1", [name])?;
    let sql = "DELETE FROM generations WHERE generation = ?1 RETURNING id";
    let Some(id) = DERIVED.row(tx, sql, [name], |row| row.get::<_, i64>(0))? else { return Ok(()) };
    words::remove(tx, id)?;
    DERIVED.run(tx, "DELETE FROM views WHERE id = ?1", [id])?;
    DERIVED.run(tx, "DELETE FROM people WHERE id = ?1", [id])?;
    Ok(())
}

/// The number of a status in its column.
pub(super) const fn status_number(status: StampStatus) -> i64 {
    match status {
        StampStatus::Valid => 0,
        StampStatus::Pending => 1,
        StampStatus::None => 2,
        StampStatus::OnHold => 3,
        StampStatus::Blocked => 4,
    }
}

pub(super) fn read_status(row: &Row<'_>, column: usize) -> rusqlite::Result<StampStatus> {
    let number: i64 = row.get(column)?;
    let found = StampStatus::ALL.iter().copied().find(|status| status_number(*status) == number);
    found.ok_or_else(|| nonsense(column, std::fmt::Error))
}
