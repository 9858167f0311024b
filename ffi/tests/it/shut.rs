//! What keeps a home shut.

use std::fs;
use std::sync::Arc;

use tempfile::TempDir;
use thicket_ffi::{About, FolderAsks, Home, KeyStore, ThicketError, Unlock, folder_asks};

use crate::fixture::{Desk, SoftKeys, by, founding, open, path};

fn words(passphrase: &str) -> Unlock {
    Unlock::ByPassphrase { passphrase: passphrase.to_owned() }
}

#[tokio::test]
async fn a_passphrase_opens_what_it_shut_and_no_other_does() {
    let folder = TempDir::new().expect("a folder");
    assert_eq!(folder_asks(&path(&folder)), Ok(FolderAsks::NoHome));
    let home = Home::create(path(&folder), founding(), words("right"), 0).await.expect("a home");
    assert_eq!(folder_asks(&path(&folder)), Ok(FolderAsks::Passphrase));
    home.lock().await.expect("it locks");
    assert_eq!(Home::open(path(&folder), words("wrong"), 0).await.map(drop), Err(ThicketError::Locked));
    let keys = Arc::new(SoftKeys::default());
    assert_eq!(open(&folder, &keys).await.map(drop), Err(ThicketError::Locked));
    Home::open(path(&folder), words("right"), 0).await.expect("it opens");
}

#[tokio::test]
async fn a_key_store_never_hands_its_key_to_the_disk_and_a_lost_key_is_told() {
    let desk = Desk::new().await;
    assert_eq!(folder_asks(&path(&desk.folder)), Ok(FolderAsks::KeyStoreKey));
    let name = desk.keys.0.lock().expect("nobody fell").keys().next().cloned().expect("one key");
    let wrapped = fs::read(desk.folder.path().join("ring.key")).expect("the wrapped key");
    let key = desk.keys.unwrap(name, wrapped.clone()).expect("it is there");
    for file in fs::read_dir(desk.folder.path()).expect("the folder") {
        let bytes = fs::read(file.expect("a file").path()).expect("it can be read");
        assert!(!bytes.windows(key.len()).any(|window| window == key), "the key lies in a file");
    }
    assert_ne!(wrapped, key);
    let Desk { folder, keys, home, .. } = desk;
    home.lock().await.expect("it locks");
    let none = Arc::new(SoftKeys::default());
    assert_eq!(open(&folder, &none).await.map(drop), Err(ThicketError::KeyGone));
    fs::rename(folder.path().join("ring.key"), folder.path().join("away")).expect("it is there");
    assert_eq!(open(&folder, &keys).await.map(drop), Err(ThicketError::KeyGone));
    fs::rename(folder.path().join("away"), folder.path().join("ring.key")).expect("it is there");
    open(&folder, &keys).await.expect("it opens");
}

#[tokio::test]
async fn a_second_home_in_a_folder_is_refused_and_takes_nothing_from_the_first() {
    let desk = Desk::new().await;
    let note = desk.write("Kept.", About::Nobody).await;
    desk.home.lock().await.expect("it locks");
    for unlock in [by(&desk.keys), words("other")] {
        let second = Home::create(path(&desk.folder), founding(), unlock, 0).await;
        assert_eq!(second.map(drop), Err(ThicketError::Occupied));
    }
    assert_eq!(desk.keys.0.lock().expect("nobody fell").len(), 1, "no key is left behind");
    let desk = desk.reopen().await;
    assert_eq!(desk.text(&note).await, "Kept.");
}

#[tokio::test]
async fn a_home_that_came_to_nothing_leaves_no_key_and_can_be_tried_again() {
    let (folder, keys) = (TempDir::new().expect("a folder"), Arc::new(SoftKeys::default()));
    fs::write(folder.path().join("somebody-elses"), "x").expect("a file");
    let failed = Home::create(path(&folder), founding(), by(&keys), 0).await;
    assert_eq!(failed.map(drop), Err(ThicketError::Occupied));
    assert!(keys.0.lock().expect("nobody fell").is_empty(), "its key is forgotten");
    fs::remove_file(folder.path().join("somebody-elses")).expect("it is there");
    // A crash between the key and the ring leaves the key alone in the folder.
    fs::write(folder.path().join("ring.key"), "left").expect("a file");
    Home::create(path(&folder), founding(), by(&keys), 0).await.expect("a home");
}

/// A person who does not unlock it, and a platform that throws what it likes.
#[derive(Debug)]
enum Unwilling {
    Refuses,
    Falls,
}

impl KeyStore for Unwilling {
    fn wrap(&self, _: String, _: Vec<u8>) -> Result<Vec<u8>, ThicketError> {
        Err(ThicketError::Locked)
    }

    fn unwrap(&self, _: String, _: Vec<u8>) -> Result<Vec<u8>, ThicketError> {
        match self {
            Self::Refuses => Err(ThicketError::Locked),
            Self::Falls => panic!("on purpose"),
        }
    }

    fn forget(&self, _: String) -> Result<(), ThicketError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_key_store_that_refuses_or_panics_is_an_error_and_the_home_opens_afterwards() {
    let desk = Desk::new().await;
    let note = desk.write("Kept.", About::Nobody).await;
    desk.home.lock().await.expect("it locks");
    let open = |key_store: Unwilling| {
        let key_store: Arc<dyn KeyStore> = Arc::new(key_store);
        Home::open(path(&desk.folder), Unlock::ByKeyStore { key_store }, 0)
    };
    assert_eq!(open(Unwilling::Refuses).await.map(drop), Err(ThicketError::Locked));
    let fallen = open(Unwilling::Falls).await.map(drop);
    assert!(matches!(fallen, Err(ThicketError::Fault { .. })), "{fallen:?}");
    let desk = desk.reopen().await;
    assert_eq!(desk.text(&note).await, "Kept.");
}
