//! Why a database cannot be read or written, and how SQLite's words are read.

use rusqlite::ffi::ErrorCode;

/// Why a database cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full, read-only or failing; what was acknowledged before is safe.
    #[error("the folder cannot be read or written")]
    Storage(#[source] std::io::Error),
    /// SQLite's own word for the same: full, read-only, not openable, failing.
    #[error("the database cannot be read or written: {0}")]
    Database(&'static str, #[source] rusqlite::Error),
    /// A file is damaged.
    #[error("{file} is damaged")]
    Damaged {
        /// Its name.
        file: &'static str,
    },
    /// A file that must be there is missing.
    #[error("{file} is missing")]
    Missing {
        /// Its name.
        file: &'static str,
    },
    /// A later Thicket wrote it.
    #[error("{file} is of version {version}: this Thicket is too old for it")]
    TooNew {
        /// Its name.
        file: &'static str,
        /// Its version.
        version: u32,
    },
    /// Another process has the home open.
    #[error("another process has this home open")]
    Busy,
    /// SQLite refuses a statement: a fault in Thicket.
    #[error("a fault in a statement")]
    Fault(#[source] rusqlite::Error),
}

impl StoreError {
    /// Reads what SQLite says of a file. A value that is not what its column holds is damage, as a broken page is.
    pub(crate) fn of(file: &'static str, error: rusqlite::Error) -> Self {
        use rusqlite::Error as Sqlite;
        #[expect(clippy::wildcard_enum_match_arm, reason = "the list is rusqlite's, and grows")]
        let code = match &error {
            Sqlite::SqliteFailure(failure, _) => failure.code,
            Sqlite::SqlInputError { error: failure, .. } => failure.code,
            Sqlite::FromSqlConversionFailure(..)
            | Sqlite::InvalidColumnType(..)
            | Sqlite::IntegralValueOutOfRange(..)
            | Sqlite::Utf8Error(..) => return Self::Damaged { file },
            _ => return Self::Fault(error),
        };
        #[expect(clippy::wildcard_enum_match_arm, reason = "the list is SQLite's, and grows")]
        match code {
            ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => Self::Damaged { file },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
                Self::Busy
            }
            ErrorCode::DiskFull => Self::Database("full", error),
            ErrorCode::ReadOnly => Self::Database("read-only", error),
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied => Self::Database("not openable", error),
            ErrorCode::SystemIoFailure => Self::Database("failing", error),
            _ => Self::Fault(error),
        }
    }
}
