//! What is left of a home when its process dies, and when the power goes.

use std::fs;
use std::path::Path;

use super::dice::Dice;

/// Copies a home as its files stand at this moment: what a killed process leaves.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder for the copy");
    for entry in fs::read_dir(from).expect("the home's folder") {
        let entry = entry.expect("an entry of the folder");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("its type").is_file() {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Replaces a folder's files by those of another.
pub(super) fn replace(folder: &Path, by: &Path) {
    fs::remove_dir_all(folder).expect("removed");
    copy(by, folder);
}

/// Where the frames of the newest generation end in a write-ahead log: what lies behind them is older, and was
/// not written since it was begun anew (SQLite's file format, section 4.1: 32 bytes of header with the page size at 8 and
/// the salts at 16; each frame has 24 bytes, its salts at 8).
pub(super) fn wal_end(bytes: &[u8]) -> usize {
    let Some(header) = bytes.get(..32) else { return 0 };
    let page = usize::try_from(u32::from_be_bytes([header[8], header[9], header[10], header[11]]))
        .expect("a page size fits");
    let (frame, salts) = (24 + page, &header[16..24]);
    let mut end = 32;
    while bytes.get(end + 8..end + 16) == Some(salts) && bytes.len() >= end + frame {
        end += frame;
    }
    end
}

/// Cuts a log at a random byte behind `synced`, as when the power goes before the rest was written.
pub(super) fn tear(wal: &Path, synced: usize, dice: &mut Dice) {
    let Ok(bytes) = fs::read(wal) else { return };
    let end = wal_end(&bytes);
    if end > synced {
        let keep = synced + dice.below(end - synced + 1);
        fs::write(wal, &bytes[..keep]).expect("the log is cut");
    }
}
