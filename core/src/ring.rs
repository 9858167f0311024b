//! The ring: the few secrets that open everything else of a home, in two copies of one small file.

mod contents;
mod format;

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use thicket_protocol::ids::KeyId;

pub use self::contents::{HeldPrekey, RingContents};
use self::format::{Envelope, RING_BYTES_MAX};
pub use self::format::{KDF_LANES_MAX, KDF_MEMORY_KIB_MAX, KDF_PASSES_MAX, KdfCost};
use crate::entropy::Entropy;
use crate::secret::WrappingKey;

/// The first copy, and the one whose word counts.
pub const RING_FILE: &str = "ring";
/// The second copy, written after the first.
pub const RING_COPY_FILE: &str = "ring.copy";
/// Where a platform that wraps the key with one of its own keeps what came of that, beside the ring; core neither reads nor writes it.
pub const WRAPPED_KEY_FILE: &str = "ring.key";
/// Where a copy is written before it takes its name.
const RING_NEW_FILE: &str = "ring.new";

/// What keeps the ring shut.
#[derive(Debug)]
pub enum Wrapping<'w> {
    /// A passphrase, and what a guess at it costs where the ring is wrapped anew; opening takes the file's own.
    Passphrase(&'w str, KdfCost),
    /// A key that the operating system's key store keeps.
    Key(WrappingKey),
}

/// What a ring asks for before it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RingLock {
    /// The passphrase.
    Passphrase,
    /// The key of this name out of the key store, where every other of this home is to be deleted.
    Key(KeyId),
}

/// Why a ring is not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RingError {
    /// There is none in this folder.
    #[error("there is no ring here")]
    Missing,
    /// There is one already, and it is never written over by a new one.
    #[error("there is a ring here already")]
    Exists,
    /// Neither copy is whole.
    #[error("both copies of the ring are damaged")]
    Damaged,
    /// It is whole, and the passphrase or key is another.
    #[error("the passphrase or key does not open the ring")]
    Locked,
    /// A later Thicket wrote it.
    #[error("a ring of version {version}: this Thicket is too old for it")]
    TooNew {
        /// The version.
        version: u8,
    },
    /// It holds more than fits.
    #[error("the ring exceeds {RING_BYTES_MAX} bytes")]
    TooLarge,
    /// A passphrase is to cost less or more than the bounds allow.
    #[error("the passphrase's cost is out of bounds")]
    Cost,
    /// The folder or a file cannot be read or written.
    #[error("the ring cannot be read or written")]
    Storage(#[from] std::io::Error),
}

/// An unlocked ring: it keeps the wrapping key, so that a write asks nobody.
#[derive(Debug)]
pub struct Ring {
    folder: PathBuf,
    generation: u64,
    lock: format::Lock,
    wrapping: WrappingKey,
    copies_agree: bool,
}

impl Ring {
    /// Writes the first ring of a home into its folder, which exists.
    pub fn create(
        folder: &Path,
        wrapping: Wrapping<'_>,
        contents: &RingContents,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, RingError> {
        for name in [RING_FILE, RING_COPY_FILE] {
            if read_copy(&folder.join(name))?.is_some() {
                return Err(RingError::Exists);
            }
        }
        let (lock, wrapping) = format::make_lock(wrapping, entropy)?;
        let mut ring = Self { folder: folder.to_owned(), generation: 0, lock, wrapping, copies_agree: false };
        if let Err(error) = ring.write(contents, entropy) {
            // One copy alone would be a home that nobody was told of; why the other failed is what counts.
            for name in [RING_FILE, RING_COPY_FILE] {
                let _ = std::fs::remove_file(folder.join(name));
            }
            return Err(error);
        }
        Ok(ring)
    }

    /// Says what the ring in this folder asks for.
    pub fn lock_of(folder: &Path) -> Result<RingLock, RingError> {
        Ok(newest(folder)?.0.lock.ask())
    }

    /// Opens the newest whole copy; the other is never tried, since it may hold what was taken out.
    pub fn open(folder: &Path, wrapping: Wrapping<'_>) -> Result<(Self, RingContents), RingError> {
        let (envelope, copies_agree) = newest(folder)?;
        let wrapping = envelope.lock.unlock(wrapping)?;
        let contents = envelope.open(&wrapping)?;
        let Envelope { generation, lock, .. } = envelope;
        Ok((Self { folder: folder.to_owned(), generation, lock, wrapping, copies_agree }, contents))
    }

    /// Reads the newest whole copy again with the wrapping key that is here, after another process may have written it.
    pub fn reopen(&mut self) -> Result<RingContents, RingError> {
        let (envelope, copies_agree) = newest(&self.folder)?;
        let contents = envelope.open(&self.wrapping)?;
        (self.generation, self.lock, self.copies_agree) = (envelope.generation, envelope.lock, copies_agree);
        Ok(contents)
    }

    /// Writes both copies under the same wrapping key and a fresh salt; for what adds to the ring.
    ///
    /// After [`RingError::Storage`] the new contents may stand already: open again to learn which do.
    pub fn write(&mut self, contents: &RingContents, entropy: &mut dyn Entropy) -> Result<(), RingError> {
        let bytes = format::seal(self.generation + 1, &self.lock, &self.wrapping, contents, entropy)?;
        self.put(&bytes)
    }

    /// Writes both copies under another wrapping; for what takes something out, and for another passphrase.
    ///
    /// A fresh key is in the key store before this is called, and the old one is deleted from there after it
    /// returned: then no old copy of the files opens. Under a passphrase an old copy opens with the old one.
    pub fn rewrap(
        &mut self,
        wrapping: Wrapping<'_>,
        contents: &RingContents,
        entropy: &mut dyn Entropy,
    ) -> Result<(), RingError> {
        let (lock, wrapping) = format::make_lock(wrapping, entropy)?;
        let bytes = format::seal(self.generation + 1, &lock, &wrapping, contents, entropy)?;
        (self.lock, self.wrapping) = (lock, wrapping);
        self.put(&bytes)
    }

    /// What the ring asks for when it is opened next.
    pub fn lock(&self) -> RingLock {
        self.lock.ask()
    }

    /// How many times the ring was written.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Tells whether both copies are the same; where not, the next write heals the other, and whoever opens a home
    /// writes at once, since an older copy may hold what was taken out.
    pub fn copies_agree(&self) -> bool {
        self.copies_agree
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), RingError> {
        self.generation += 1;
        self.copies_agree = false;
        for name in [RING_FILE, RING_COPY_FILE] {
            replace(&self.folder, name, bytes)?;
        }
        self.copies_agree = true;
        Ok(())
    }
}

/// Reads both copies and takes the whole one that was written last; tells whether they are the same.
fn newest(folder: &Path) -> Result<(Envelope, bool), RingError> {
    let read = [RING_FILE, RING_COPY_FILE].map(|name| read_copy(&folder.join(name)));
    let same = matches!(&read, [Ok(Some(first)), Ok(Some(second))] if first == second);
    let mut best: Option<Envelope> = None;
    let mut trouble = RingError::Missing;
    for copy in read {
        match copy.and_then(|bytes| bytes.map(Envelope::parse).transpose()) {
            Ok(Some(found)) if best.as_ref().is_none_or(|best| best.generation < found.generation) => {
                best = Some(found);
            }
            Ok(_) => {}
            // What neither copy can help is told by the worse of the two: later version, storage, damage.
            Err(error) if severity(&error) > severity(&trouble) => trouble = error,
            Err(_) => {}
        }
    }
    // A whole copy of a later version may be the newer one.
    if let RingError::TooNew { .. } = trouble {
        return Err(trouble);
    }
    best.map(|best| (best, same)).ok_or(trouble)
}

fn severity(error: &RingError) -> u8 {
    match error {
        RingError::Missing
        | RingError::Exists
        | RingError::Locked
        | RingError::TooLarge
        | RingError::Cost => 0,
        RingError::Damaged => 1,
        RingError::Storage(_) => 2,
        RingError::TooNew { .. } => 3,
    }
}

/// Reads at most one byte more than a ring may have; `None` where there is no file.
fn read_copy(path: &Path) -> Result<Option<Vec<u8>>, RingError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let limit = u64::try_from(RING_BYTES_MAX).expect("a few MiB") + 1;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Replaces a file whole: temporary file, fsync, rename, fsync of the folder.
fn replace(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), RingError> {
    let new = folder.join(RING_NEW_FILE);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&new, folder.join(name))?;
    // Elsewhere a folder cannot be opened, and the file system orders renames itself.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
#[path = "ring/ring_tests.rs"]
mod tests;
