//! Another local key: after a shred every sealed value is sealed again.

use rusqlite::types::Value;
use rusqlite::{Transaction, params_from_iter};

use super::{CORE, Sealer, open_value};
use crate::secret::LocalKey;
use crate::store::StoreError;

/// Every table with sealed values: its key, and the column that is sealed.
const SEALED: [(&str, &[&str], &str); 5] = [
    ("settings", &["name"], "value"),
    ("own_keys", &["space", "id"], "secret"),
    ("unsent", &["generation"], "body"),
    ("objects", &["space", "hash"], "wire"),
    ("journal", &["generation", "number"], "row"),
];

/// Seals every sealed value again, under the sealer's key instead of `old`. The old values leave the file with the next
/// [`super::Database::checkpoint`].
pub(crate) fn seal_anew(
    tx: &Transaction<'_>,
    old: &LocalKey,
    sealer: &mut Sealer<'_>,
) -> Result<(), StoreError> {
    for (table, key, column) in SEALED {
        let sql = format!("SELECT {}, {column} FROM {table}", key.join(", "));
        let rows = CORE.rows(tx, &sql, [], |row| {
            let name: Vec<Value> = (0..key.len()).map(|at| row.get(at)).collect::<Result<_, _>>()?;
            Ok((name, row.get::<_, Vec<u8>>(key.len())?))
        })?;
        let sql = format!("UPDATE {table} SET {column} = ? WHERE {} = ?", key.join(" = ? AND "));
        for (name, sealed) in rows {
            let row = row_bytes(&name)?;
            let sealed = sealer.seal(table, &row, &open_value(old, table, &row, &sealed)?);
            CORE.run(tx, &sql, params_from_iter([Value::Blob(sealed)].into_iter().chain(name)))?;
        }
    }
    Ok(())
}

/// The key of a row as the functions of its table write it: its columns one behind the other, numbers big-endian.
fn row_bytes(name: &[Value]) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    for value in name {
        match value {
            Value::Text(text) => bytes.extend(text.as_bytes()),
            Value::Blob(blob) => bytes.extend(blob),
            Value::Integer(number) => bytes.extend(number.to_be_bytes()),
            Value::Null | Value::Real(_) => return Err(CORE.damaged()),
        }
    }
    Ok(bytes)
}
