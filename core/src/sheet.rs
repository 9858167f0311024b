//! Information sheets: what somebody is told before they are asked.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use ring::digest::{SHA256, digest};
use thicket_protocol::ids::{Hash, NotebookId};
use thicket_protocol::sign;

use crate::consent::{Activities, SheetVersion};
use crate::ids::SheetId;
use crate::name::{Name, Passage};
use crate::time::Day;
use crate::vocabulary::Point;

/// The script that every notebook begins with, to be read aloud before the question.
pub const ORAL_SCRIPT: &str = "\
I write notes about how people work and live here, to learn from it. May I write about you today? \
I would note what is done and said. In the notes you have another name, and so has every place. \
The notes are encrypted; only the people I work with can read them, and they see the other name. \
If you tell me that somebody is in danger I may have to pass that on. \
You need not agree, and nothing changes for you if you do not. You can stop at any time, today or later, \
by telling me or anybody in the team, without a reason: we then stop writing about you, and what is there \
is put away or erased, as you wish. What has gone out in a report by then cannot be called back. \
We keep the notes no longer than the work needs them. Do you have a question? Do you agree?";

/// One version of an information sheet.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct InfoSheet {
    /// The sheet, through its versions.
    #[n(0)]
    pub id: SheetId,
    /// The notebook it is for.
    #[n(1)]
    pub notebook: NotebookId,
    /// The activities it explains.
    #[n(2)]
    pub activities: Activities,
    /// The version, from 1.
    #[n(3)]
    pub version: u32,
    /// Whether the change from the version before is one that people should be asked about anew.
    #[n(4)]
    pub material_change: bool,
    /// The language, as a BCP 47 tag.
    #[n(5)]
    pub language: Name,
    /// Since when it is in use; without, since the notebook began.
    #[n(6)]
    pub valid_from: Option<Day>,
    /// Until when it was in use.
    #[n(7)]
    pub valid_to: Option<Day>,
    /// SHA-256 of the file, or of the oral script in UTF-8.
    #[n(8)]
    pub sha256: Hash,
    /// What is read aloud, where there is no file.
    #[n(9)]
    pub oral_script: Option<Passage>,
    /// What it states.
    #[n(10)]
    pub states: BTreeSet<Point>,
}

impl InfoSheet {
    /// Derives the sheet that every notebook begins with: [`ORAL_SCRIPT`], version 1, the same wherever it is made.
    pub fn first(notebook: NotebookId) -> Self {
        let id = sign::hash("thicket/sheet/1", &[notebook.as_bytes()]);
        let id = id.as_bytes().first_chunk().copied().expect("a hash has more than sixteen bytes");
        Self {
            id: SheetId::from_bytes(id),
            notebook,
            activities: Activities::All,
            version: 1,
            material_change: false,
            language: "en".parse().expect("a constant name"),
            valid_from: None,
            valid_to: None,
            sha256: sha256(ORAL_SCRIPT.as_bytes()),
            oral_script: Some(ORAL_SCRIPT.parse().expect("a constant passage within its limit")),
            states: Point::ALL.iter().copied().collect(),
        }
    }

    /// Names this version, as a consent does.
    pub const fn named(&self) -> SheetVersion {
        SheetVersion { sheet: self.id, version: self.version, sha256: self.sha256 }
    }
}

/// Hashes a file or script without a domain, so that `sha256sum` gives the same (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> Hash {
    Hash::from_slice(digest(&SHA256, bytes).as_ref()).expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sheet_is_the_same_on_every_device_of_a_notebook_and_of_no_other() {
        let (one, other) = (NotebookId::from_bytes([1; 16]), NotebookId::from_bytes([2; 16]));
        assert_eq!(InfoSheet::first(one), InfoSheet::first(one));
        assert_ne!(InfoSheet::first(one).id, InfoSheet::first(other).id);
        assert_eq!(InfoSheet::first(one).named().version, 1);
    }

    #[test]
    fn the_hash_of_a_script_is_what_any_tool_computes() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // FIPS 180-4, "abc"
        assert_eq!(sha256(b"abc").to_string(), known);
    }
}
