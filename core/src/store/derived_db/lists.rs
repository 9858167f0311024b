//! Lists of shown notes, page by page.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use thicket_protocol::ids::{MemberId, NotebookId};

use super::DERIVED;
use super::generations::{read_status, status_number};
use crate::ids::{EncounterId, GenerationId, NoteId, ParticipantId};
use crate::store::StoreError;
use crate::store::statements::{limit as limit_of, read_cbor};
use crate::time::Observed;
use crate::vocabulary::StampStatus;

/// Which shown notes a list is to have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) notebook: Option<NotebookId>,
    pub(crate) participant: Option<ParticipantId>,
    pub(crate) encounter: Option<EncounterId>,
    pub(crate) status: Option<StampStatus>,
    /// The earliest, in the order of [`Observed`].
    pub(crate) since: Option<Observed>,
    /// The latest; a bare day includes all of it.
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

impl ListRow {
    /// The columns that a row is read from, of `generations g`.
    pub(super) const COLUMNS: &str =
        "g.note, g.generation, g.title, g.observed, g.recorded_ms, g.author, g.is_private, g.status";
    /// How many columns that are.
    pub(super) const COLUMNS_LEN: usize = 8;

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            note: NoteId::from_bytes(row.get(0)?),
            generation: GenerationId::from_bytes(row.get(1)?),
            title: row.get(2)?,
            observed: read_cbor(row, 3)?,
            recorded_ms: row.get(4)?,
            author: MemberId::from_bytes(row.get(5)?),
            is_private: row.get(6)?,
            status: read_status(row, 7)?,
        })
    }

    pub(super) fn place(&self) -> Vec<u8> {
        place(self.observed, self.recorded_ms, self.note)
    }
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
    db: &Connection,
    wanted: &Wanted,
    after: Option<After>,
    limit: usize,
) -> Result<Vec<ListRow>, StoreError> {
    let filter = list_filter(wanted, after);
    let sql = list_sql(&filter);
    let params = filter.params.into_iter().chain([Value::from(limit_of(limit))]);
    DERIVED.rows(db, &sql, params_from_iter(params), ListRow::read)
}

pub(super) fn list_filter(wanted: &Wanted, after: Option<After>) -> Filter {
    let mut filter = Filter::of(wanted);
    if let Some(After { observed, recorded_ms, note }) = after {
        filter.add("g.place > ?", place(observed, recorded_ms, note));
    }
    filter
}

pub(super) fn list_sql(filter: &Filter) -> String {
    format!("SELECT {} FROM generations g WHERE {} ORDER BY g.place LIMIT ?", ListRow::COLUMNS, filter.sql)
}

/// Bytes that sort as a list does: the complement of the observation's and of the recording's, then the note.
pub(super) fn place(observed: Observed, recorded_ms: i64, note: NoteId) -> Vec<u8> {
    let observed = observed.sort_key().map(|byte| !byte);
    let recorded = (!recorded_ms ^ i64::MIN).to_be_bytes();
    [observed.as_slice(), &recorded, note.as_bytes()].concat()
}

/// What rows of `generations g` have to be, as conditions with their values in order.
pub(super) struct Filter {
    pub(super) sql: String,
    pub(super) params: Vec<Value>,
}

impl Filter {
    pub(super) fn of(wanted: &Wanted) -> Self {
        // Said as the indexes say it, so that they are used.
        let mut filter = Self { sql: "g.is_shown = 1".to_owned(), params: Vec::new() };
        if let Some(notebook) = wanted.notebook {
            filter.add("g.notebook = ?", notebook.as_bytes().to_vec());
        }
        if let Some(participant) = wanted.participant {
            let sql = "g.id IN (SELECT p.id FROM people p WHERE p.participant = ?)";
            filter.add(sql, participant.as_bytes().to_vec());
        }
        if let Some(encounter) = wanted.encounter {
            filter.add("g.encounter = ?", encounter.as_bytes().to_vec());
        }
        if let Some(status) = wanted.status {
            filter.add("g.status = ?", status_number(status));
        }
        // Places go down as times go up.
        if let Some(since) = wanted.since {
            let mut last = since.sort_key().map(|byte| !byte).to_vec();
            last.extend([u8::MAX; PLACE_BYTES - Observed::SORT_KEY_BYTES]);
            filter.add("g.place <= ?", last);
        }
        if let Some(until) = wanted.until {
            let key = until.sort_key().map(|byte| !byte);
            let first = match until {
                Observed::Day(_) => key.iter().copied().take(DAY_BYTES).collect(),
                Observed::Part(..) | Observed::Minute(_) => key.to_vec(),
            };
            filter.add("g.place >= ?", first);
        }
        if let Some(reader) = wanted.reader {
            let sql = "(g.status <> ? OR g.author = ?)";
            filter.add(sql, status_number(StampStatus::OnHold));
            filter.params.push(Value::from(reader.as_bytes().to_vec()));
        }
        filter
    }

    pub(super) fn add(&mut self, condition: &str, value: impl Into<Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.params.push(value.into());
    }
}

/// The bytes of a place: observation, recording, note.
const PLACE_BYTES: usize = Observed::SORT_KEY_BYTES + 8 + NoteId::LEN;
/// The first bytes of a place, which are those of the day.
const DAY_BYTES: usize = 4;
