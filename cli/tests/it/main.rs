//! The `thicket` command, tried as a script would: through the real binary.

#![allow(
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests index what they made, ids of plain digits, and JSON by its names"
)]

mod bench;
mod home;
mod import;
mod kill;
mod note;
mod sync;
mod usage;

/// A file that is not listed above would not be run.
#[test]
fn every_file_here_is_part_of_the_run() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = include_str!("main.rs");
    for entry in std::fs::read_dir(folder).expect("the folder of this file") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name of ours");
        let stem = name.strip_suffix(".rs").expect("a Rust file");
        assert!(stem == "main" || main.contains(&format!("mod {stem};")), "{name} is not listed");
    }
}
