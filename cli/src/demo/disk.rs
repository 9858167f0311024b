//! What lies on a disk: its size, whether words can be found in it, and what its bytes look like.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// How many bytes are shown.
const EXCERPT_BYTES: usize = 64;
/// How many different values an excerpt has at least: text and empty pages have far fewer.
const EXCERPT_VALUES_MIN: usize = 52;
/// How many bytes stand on a line of an excerpt.
const LINE_BYTES: usize = 16;

/// Every file of a folder, read.
pub(super) struct Disk {
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Disk {
    /// Reads a folder and the folders in it.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        let mut files = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let failed = |error: std::io::Error| Failure::file(&folder, &error);
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = fs::read(&path).map_err(failed)?;
                    files.push((path, bytes));
                }
            }
        }
        files.sort();
        Ok(Self { files })
    }

    pub(super) fn count(&self) -> usize {
        self.files.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.files.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// How many of these words stand in some file, as UTF-8 or as UTF-16.
    pub(super) fn found(&self, needles: &[&str]) -> usize {
        let holds = |needle: &&&str| {
            let wide: Vec<u8> = needle.encode_utf16().flat_map(u16::to_le_bytes).collect();
            self.files.iter().any(|(_, bytes)| finds(bytes, needle.as_bytes()) || finds(bytes, &wide))
        };
        needles.iter().filter(holds).count()
    }

    /// Some of the densest bytes, in hexadecimal digits.
    pub(super) fn excerpt(&self) -> Vec<String> {
        let mut chunks = self.files.iter().flat_map(|(_, bytes)| bytes.chunks_exact(EXCERPT_BYTES));
        let dense = chunks.find(|chunk| chunk.iter().collect::<BTreeSet<_>>().len() >= EXCERPT_VALUES_MIN);
        let line =
            |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
        dense.unwrap_or_default().chunks(LINE_BYTES).map(line).collect()
    }
}

fn finds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_where_they_are_and_dense_bytes_are_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("inner")).expect("made");
        fs::write(folder.path().join("inner/a"), "some kettle here").expect("written");
        let wide: Vec<u8> = "Weiss".encode_utf16().flat_map(u16::to_le_bytes).collect();
        fs::write(folder.path().join("b"), wide).expect("written");
        fs::write(folder.path().join("c"), (0..64).collect::<Vec<u8>>()).expect("written");
        let disk = Disk::read(folder.path()).expect("read");
        assert_eq!(disk.found(&["kettle", "Weiss", "absent"]), 2);
        assert_eq!((disk.count(), disk.bytes()), (3, 16 + 10 + 64));
        assert_eq!(
            disk.excerpt().first().map(String::as_str),
            Some("00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f")
        );
    }
}
