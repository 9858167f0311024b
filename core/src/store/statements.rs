//! Statements on the tables of one file, so that every error names it.

use rusqlite::types::Type;
use rusqlite::{Connection, Params, Row};
use thicket_protocol::cbor;

use super::StoreError;

/// The tables of one file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tables(pub(crate) &'static str);

impl Tables {
    /// Every row that a query finds.
    pub(crate) fn rows<T>(
        self,
        db: &Connection,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let run = || db.prepare_cached(sql)?.query_map(params, read)?.collect();
        self.name(run())
    }

    /// The first row that a query finds, if it finds one.
    pub(crate) fn row<T>(
        self,
        db: &Connection,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let run = || db.prepare_cached(sql)?.query(params)?.next()?.map(read).transpose();
        self.name(run())
    }

    /// The one row that a query always finds.
    pub(crate) fn one<T>(
        self,
        db: &Connection,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.row(db, sql, params, read)?.ok_or_else(|| self.damaged())
    }

    /// Runs a statement, and returns how many rows it changed.
    pub(crate) fn run(self, db: &Connection, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        let run = || db.prepare_cached(sql)?.execute(params);
        self.name(run())
    }

    /// Names the file in an error.
    pub(crate) fn name<T>(self, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        result.map_err(|error| StoreError::of(self.0, error))
    }

    /// What a row that makes no sense means.
    pub(crate) fn damaged(self) -> StoreError {
        StoreError::Damaged { file: self.0 }
    }
}

/// A number as SQLite keeps it: the same bits, so that a lie from outside is kept and not refused.
pub(crate) const fn number(value: u64) -> i64 {
    value.cast_signed()
}

/// A number to compare with or to limit by: what is beyond SQLite's numbers is the greatest of them.
pub(crate) fn bound(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// How many rows at most, as SQLite wants it.
pub(crate) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// Reads a number that [`number`] wrote.
pub(crate) fn read_number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column).map(i64::cast_unsigned)
}

/// Reads a column of CBOR.
pub(crate) fn read_cbor<T: for<'b> minicbor::Decode<'b, ()>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    let bytes = row.get_ref(column)?.as_blob().map_err(|error| nonsense(column, error))?;
    cbor::decode(bytes).map_err(|error| nonsense(column, error))
}

/// Says that a column holds what it never holds.
pub(crate) fn nonsense(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error))
}
