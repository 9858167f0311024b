//! The search index: what is in it, what is pending, and one answer from both.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, Transaction, params, params_from_iter};

use super::DERIVED;
use super::lists::{Filter, ListRow, Wanted};
use crate::store::StoreError;
use crate::store::statements::{limit as limit_of, nonsense, read_cbor, read_number};
use crate::view::EncodedView;
use crate::words::{Query, terms};

/// Finds shown notes, newest observation first: what is in the index, and what is pending by its terms, so that the answer is
/// complete and right at every moment.
pub(crate) fn search(
    db: &Connection,
    wanted: &Wanted,
    query: &Query,
    limit: usize,
) -> Result<Vec<ListRow>, StoreError> {
    let Some(fts5) = query.fts5() else { return Ok(Vec::new()) };
    let mut found = search_indexed(db, Filter::of(wanted), fts5, limit)?;
    found.extend(search_pending(db, Filter::of(wanted), query, limit)?);
    found.sort_by_cached_key(ListRow::place);
    found.truncate(limit);
    Ok(found)
}

fn search_indexed(
    db: &Connection,
    mut filter: Filter,
    fts5: String,
    limit: usize,
) -> Result<Vec<ListRow>, StoreError> {
    filter.sql.push_str(" AND g.is_indexed = 1");
    filter.add("g.id IN (SELECT w.rowid FROM words w WHERE w.terms MATCH ?)", fts5);
    let (columns, conditions) = (ListRow::COLUMNS, &filter.sql);
    let sql = format!("SELECT {columns} FROM generations g WHERE {conditions} ORDER BY g.place LIMIT ?");
    let params = filter.params.into_iter().chain([Value::from(limit_of(limit))]);
    DERIVED.rows(db, &sql, params_from_iter(params), ListRow::read)
}

fn search_pending(
    db: &Connection,
    filter: Filter,
    query: &Query,
    limit: usize,
) -> Result<Vec<ListRow>, StoreError> {
    let (columns, conditions) = (ListRow::COLUMNS, &filter.sql);
    let sql = format!(
        "SELECT {columns}, v.view FROM generations g INDEXED BY generations_pending JOIN views v ON v.id = g.id
         WHERE g.is_indexed = 0 AND {conditions} ORDER BY g.place"
    );
    let run = || {
        let mut statement = db.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(filter.params))?;
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(row) = rows.next()?
        {
            if query.matches(&read_terms(row, ListRow::COLUMNS_LEN)?) {
                found.push(ListRow::read(row)?);
            }
        }
        Ok(found)
    };
    DERIVED.name(run())
}

/// Indexes up to `limit` pending generations, newest observation first, and returns how many are left.
pub(crate) fn index_some(tx: &Transaction<'_>, limit: usize) -> Result<u64, StoreError> {
    let sql = "SELECT g.id, v.view FROM generations g JOIN views v ON v.id = g.id
               WHERE g.is_indexed = 0 ORDER BY g.place LIMIT ?1";
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, read_terms(row, 1)?));
    for (id, terms) in DERIVED.rows(tx, sql, [limit_of(limit)], read)? {
        remove(tx, id)?;
        let sql = "INSERT INTO words (rowid, terms) VALUES (?1, ?2)";
        DERIVED.run(tx, sql, params![id, terms.join(" ")])?;
        DERIVED.run(tx, "UPDATE generations SET is_indexed = 1 WHERE id = ?1", [id])?;
    }
    let sql = "SELECT count(*) FROM generations WHERE is_indexed = 0";
    DERIVED.one(tx, sql, [], |row| read_number(row, 0))
}

/// Takes the words that are indexed under an id, if there are any, out of the index.
pub(super) fn remove(tx: &Transaction<'_>, id: i64) -> Result<(), StoreError> {
    DERIVED.run(tx, "DELETE FROM words WHERE rowid = ?1", [id])?;
    Ok(())
}

/// The terms of a view: of its title, then of its text.
fn read_terms(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<String>> {
    let view: EncodedView = read_cbor(row, column)?;
    let view = view.open().map_err(|error| nonsense(column, error))?;
    Ok([terms(&view.title), terms(&view.text)].concat())
}
