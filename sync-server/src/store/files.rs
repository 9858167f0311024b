//! The folder of a server, its key file, and what can go wrong with either.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use zeroize::Zeroizing;

/// Why a store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another server runs on the folder.
    #[error("another server is running on {}", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// A file is not what a server left there.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The log of a team no longer follows its own rules.
    #[error("server.db is damaged: a governance log in it does not hold")]
    BadLog,
    /// The database was written by a later Thicket.
    #[error("{} was written by a later version of this server", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// A file or the disk refuses.
    #[error("{} cannot be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The database refuses.
    #[error("server.db cannot be read or written")]
    Sqlite(#[from] rusqlite::Error),
    /// An earlier error gave up everything that was written together.
    #[error("what was written together was given up")]
    GroupLost,
}

impl StoreError {
    /// Says which file the system spoke of.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    /// Tells damage from a disk that refuses, on opening.
    pub(crate) fn sqlite(error: rusqlite::Error, path: &Path) -> Self {
        let damaged = |reason| Self::Damaged { path: path.to_path_buf(), reason };
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => damaged("it is not a database"),
            Some(ErrorCode::DatabaseCorrupt) => damaged("the database is malformed"),
            _ if matches!(error, rusqlite::Error::QueryReturnedNoRows) => damaged("it was never completed"),
            _ => Self::Sqlite(error),
        }
    }

    /// Whether a file is at fault, and not the disk under it.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::BadLog => true,
            Self::Sqlite(error) => {
                matches!(
                    error.sqlite_error_code(),
                    Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
                )
            }
            Self::Busy { .. } | Self::Newer { .. } | Self::Io { .. } | Self::GroupLost => false,
        }
    }
}

/// The seed of the server's key; wiped when dropped.
pub(crate) struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    pub(crate) fn draw(fill: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        fill(bytes.as_mut());
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// Makes the folder, closed to others, where there is none.
pub(crate) fn make_folder(folder: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(StoreError::io(folder))
}

/// Whether there is a file with something in it.
pub(crate) fn has_content(path: &Path) -> Result<bool, StoreError> {
    match fs::metadata(path) {
        Ok(told) => Ok(told.len() > 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io(path)(error)),
    }
}

pub(crate) fn read_seed(path: &Path) -> Result<Seed, StoreError> {
    let bytes = Zeroizing::new(fs::read(path).map_err(StoreError::io(path))?);
    let seed = <[u8; 32]>::try_from(bytes.as_slice());
    let reason = "a key has 32 bytes: put it back from a backup";
    let seed = seed.map_err(|_| StoreError::Damaged { path: path.to_path_buf(), reason })?;
    Ok(Seed(Zeroizing::new(seed)))
}

/// Writes the key's file whole: a temporary file, synced, renamed, and the folder synced.
pub(crate) fn write_seed(path: &Path, seed: &Seed) -> Result<(), StoreError> {
    let temporary = path.with_extension("key.new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || {
        let mut file = options.open(&temporary)?;
        file.write_all(seed.bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        let folder = path.parent().expect("the key lies in a folder");
        #[cfg(unix)]
        File::open(folder)?.sync_all()?;
        Ok(())
    };
    write().map_err(StoreError::io(path))
}
