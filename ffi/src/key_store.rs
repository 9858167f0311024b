//! What keeps a home shut: a passphrase, or a key that the platform's key store wraps.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::sync::Arc;

use thicket_core::entropy::SystemEntropy;
use thicket_core::ring::{KdfCost, Ring, RingError, RingLock, WRAPPED_KEY_FILE, Wrapping};
use thicket_core::secret::{SECRET_BYTES, WrappingKey};
use zeroize::Zeroizing;

use crate::ThicketError;

/// The platform's key store: Android Keystore, iOS Keychain. It wraps the home's key with one of its own that never leaves it.
///
/// Called on a thread that may wait for a person. Throw [`ThicketError::Locked`] when the person did not unlock it and
/// [`ThicketError::KeyGone`] when the key is not there any more.
#[uniffi::export(foreign)]
pub trait KeyStore: Send + Sync {
    /// Makes a key of the key store under this name and wraps `key` with it; what comes back may lie in a file.
    fn wrap(&self, name: String, key: Vec<u8>) -> Result<Vec<u8>, ThicketError>;

    /// Gives back what was wrapped under this name.
    fn unwrap(&self, name: String, wrapped: Vec<u8>) -> Result<Vec<u8>, ThicketError>;

    /// Deletes the key of this name; then what it wrapped is lost for ever. No error when there is none.
    fn forget(&self, name: String) -> Result<(), ThicketError>;
}

/// What opens a home.
#[derive(Clone, uniffi::Enum)]
pub enum Unlock {
    /// A passphrase; a guess at it costs 64 MiB and three passes of Argon2id.
    ByPassphrase {
        /// As typed. The copies that the platform makes of it are the platform's to wipe.
        passphrase: String,
    },
    /// The key store.
    ByKeyStore {
        /// Which.
        key_store: Arc<dyn KeyStore>,
    },
}

/// What a folder asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FolderAsks {
    /// There is no home in it yet.
    NoHome,
    /// A passphrase.
    Passphrase,
    /// A key of the key store.
    KeyStoreKey,
}

/// Tells what a folder asks for before it opens; whichever screen comes first depends on it.
#[uniffi::export]
pub fn folder_asks(folder: &str) -> Result<FolderAsks, ThicketError> {
    asks(Path::new(folder))
}

fn asks(folder: &Path) -> Result<FolderAsks, ThicketError> {
    match Ring::lock_of(folder) {
        Ok(RingLock::Passphrase) => Ok(FolderAsks::Passphrase),
        Ok(RingLock::Key(_)) => Ok(FolderAsks::KeyStoreKey),
        Err(RingError::Missing) => Ok(FolderAsks::NoHome),
        Err(error) => Err(error.into()),
    }
}

impl Unlock {
    /// Calls `make` with what is to keep a new home shut. A key that was made for a home that came to nothing is forgotten.
    pub(crate) fn shut<T>(
        &self,
        folder: &Path,
        make: impl FnOnce(Wrapping<'_>) -> Result<T, ThicketError>,
    ) -> Result<T, ThicketError> {
        match self {
            Self::ByPassphrase { passphrase } => make(Wrapping::Passphrase(passphrase, KdfCost::default())),
            Self::ByKeyStore { .. } if holds_home(folder)? => Err(ThicketError::Occupied),
            Self::ByKeyStore { key_store } => {
                let key = WrappingKey::make(&mut SystemEntropy::new());
                let name = key.id().to_string();
                let wrapped = key_store.wrap(name.clone(), key.expose().to_vec())?;
                let kept = keep(folder, &wrapped).map_err(|_| ThicketError::Storage);
                let made = kept.and_then(|()| make(Wrapping::Key(key)));
                // Where the ring stands by now, so does the home, and needs its key.
                if made.is_err() && holds_home(folder) == Ok(false) {
                    // The first error says more than that of clearing up.
                    let _ = fs::remove_file(folder.join(WRAPPED_KEY_FILE));
                    let _ = key_store.forget(name);
                }
                made
            }
        }
    }

    /// Asks for what opens a home that is there; the key store, and the person behind it, are asked once.
    pub(crate) fn key(self, folder: &Path) -> Result<Key, ThicketError> {
        match (self, Ring::lock_of(folder)?) {
            (Self::ByPassphrase { passphrase }, RingLock::Passphrase) => {
                Ok(Key::Passphrase(Zeroizing::new(passphrase)))
            }
            (Self::ByKeyStore { key_store }, RingLock::Key(name)) => {
                let wrapped = fs::read(folder.join(WRAPPED_KEY_FILE)).map_err(|error| {
                    let is_gone = error.kind() == ErrorKind::NotFound;
                    if is_gone { ThicketError::KeyGone } else { ThicketError::Storage }
                })?;
                let key = Zeroizing::new(key_store.unwrap(name.to_string(), wrapped)?);
                let key: &[u8; SECRET_BYTES] =
                    key.as_slice().try_into().map_err(|_| ThicketError::KeyGone)?;
                Ok(Key::Unwrapped(WrappingKey::from_bytes(*key)))
            }
            (Self::ByPassphrase { .. }, RingLock::Key(_))
            | (Self::ByKeyStore { .. }, RingLock::Passphrase) => Err(ThicketError::Locked),
        }
    }
}

/// What opens a home that is there.
pub(crate) enum Key {
    Passphrase(Zeroizing<String>),
    Unwrapped(WrappingKey),
}

impl Key {
    pub(crate) fn wrapping(&self) -> Wrapping<'_> {
        match self {
            Self::Passphrase(passphrase) => Wrapping::Passphrase(passphrase, KdfCost::default()),
            Self::Unwrapped(key) => Wrapping::Key(WrappingKey::from_bytes(*key.expose())),
        }
    }
}

/// Tells whether a home stands in a folder, whatever it asks for.
pub(crate) fn holds_home(folder: &Path) -> Result<bool, ThicketError> {
    Ok(asks(folder)? != FolderAsks::NoHome)
}

/// Writes the wrapped key so that it survives a power cut before the home that needs it stands.
fn keep(folder: &Path, wrapped: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = File::create(folder.join(WRAPPED_KEY_FILE))?;
    file.write_all(wrapped)?;
    file.sync_all()?;
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}
