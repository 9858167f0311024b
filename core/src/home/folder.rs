//! The folder of a home while it is made: a crash leaves a whole home, or something that the next attempt clears away.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::HomeError;
use crate::ring::{RING_COPY_FILE, RING_FILE, WRAPPED_KEY_FILE};
use crate::store::{CORE_FILE, DERIVED_FILE, HomeLock, LOCK_FILE};

/// Stands in a folder in which a home is being made; it goes when the ring, which is written last, stands.
const UNFINISHED_FILE: &str = "unfinished";
/// The ring's temporary file.
const RING_NEW_FILE: &str = "ring.new";

/// Tells whether a ring lies in the folder: then a home does.
pub(super) fn holds_home(folder: &Path) -> bool {
    [RING_FILE, RING_COPY_FILE].iter().any(|name| folder.join(name).exists())
}

/// Makes the folder ready for a new home, under the home's lock. What an attempt that was cut short has left is cleared away; anything else that
/// lies there, the files of a home that lost its ring above all, is left alone.
pub(super) fn begin(folder: &Path) -> Result<HomeLock, HomeError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(trouble)?;
    survey(folder)?;
    let lock = HomeLock::take(folder)?;
    // Another process may have been here between the look and the lock.
    for left in survey(folder)? {
        fs::remove_file(folder.join(left)).map_err(storage)?;
    }
    File::create(folder.join(UNFINISHED_FILE)).and_then(|file| file.sync_all()).map_err(storage)?;
    sync(folder).map_err(storage)?;
    Ok(lock)
}

/// Refuses a folder in which no home may be made; nothing is changed.
pub(super) fn look(folder: &Path) -> Result<(), HomeError> {
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(trouble(error)),
        Ok(_) => survey(folder).map(|_| ()),
    }
}

/// Says that the home is whole; called again after a crash, it does what was left to do.
pub(super) fn finish(folder: &Path) -> Result<(), HomeError> {
    match fs::remove_file(folder.join(UNFINISHED_FILE)) {
        Ok(()) => sync(folder).map_err(storage),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(storage(error)),
    }
}

/// Lists what is to be cleared away; `Occupied` when something else is there.
fn survey(folder: &Path) -> Result<Vec<String>, HomeError> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(trouble)? {
        let name = entry.map_err(storage)?.file_name();
        names.insert(name.into_string().map_err(|_| HomeError::Occupied)?);
    }
    let is_unfinished = names.remove(UNFINISHED_FILE);
    names.remove(LOCK_FILE);
    // It has to stand before the ring does, else a crash between the two leaves a home that nothing opens.
    names.remove(WRAPPED_KEY_FILE);
    let is_left = |name: &String| {
        name == RING_NEW_FILE || [CORE_FILE, DERIVED_FILE].iter().any(|file| name.starts_with(file))
    };
    if names.is_empty() || (is_unfinished && names.iter().all(is_left)) {
        Ok(names.into_iter().collect())
    } else {
        Err(HomeError::Occupied)
    }
}

/// A file where the folder should be is in the way as what lies in a folder is.
fn trouble(error: io::Error) -> HomeError {
    let is_in_the_way = matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::AlreadyExists);
    if is_in_the_way { HomeError::Occupied } else { storage(error) }
}

fn storage(error: io::Error) -> HomeError {
    HomeError::Storage(Box::new(error))
}

/// Makes the names in the folder survive a power cut.
fn sync(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}
