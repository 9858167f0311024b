//! Where the repository lies, and that no test in it is forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in a folder of the repository")
}

/// Every Rust source below a folder, sorted.
pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The modules that a `main.rs` declares.
fn declared(main: &str) -> BTreeSet<&str> {
    main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect()
}

/// Every folder `<package>/tests/it` of the repository.
fn integration_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir(root())
        .expect("the repository can be read")
        .map(|entry| entry.expect("the repository can be read").path().join("tests/it"))
        .filter(|folder| folder.is_dir())
        .collect();
    folders.sort();
    folders
}

#[test]
fn no_integration_test_is_forgotten() {
    let folders = integration_folders();
    assert!(folders.contains(&root().join("tests/tests/it")), "this folder was not looked at");
    for folder in folders {
        let main = fs::read_to_string(folder.join("main.rs")).expect("an integration folder has a main.rs");
        let mut files = BTreeSet::new();
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("the folder can be read").path();
            let stem = path
                .file_stem()
                .expect("a file has a name")
                .to_str()
                .expect("our names are ASCII")
                .to_owned();
            let is_module = path.extension().is_some_and(|end| end == "rs") || path.join("mod.rs").is_file();
            if is_module && stem != "main" {
                files.insert(stem);
            }
        }
        let files: BTreeSet<&str> = files.iter().map(String::as_str).collect();
        assert_eq!(files, declared(&main), "files and `mod` lines of {}", folder.display());
    }
}

#[test]
fn a_commented_module_counts_as_forgotten() {
    assert_eq!(declared("mod one;\n// mod two;\nmod three;\n"), BTreeSet::from(["one", "three"]));
}
