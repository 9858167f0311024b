//! The check of everything.

#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

use super::desk::*;
use super::*;

#[test]
fn a_check_finds_a_flipped_byte_and_never_panics() {
    let (desk, mut home, notebook) = Desk::new();
    furnish(&mut home, &notebook);
    let checked = home.verify(now()).expect("a check");
    assert_eq!(checked.problems, Vec::<String>::new());
    home.lock().expect("closed");
    let whole = fs::read(desk.path().join(CORE_FILE)).expect("there");
    let mut told = 0;
    for at in (20_000..whole.len()).step_by(whole.len() / 12) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(desk.path().join(CORE_FILE), bytes).expect("written");
        match desk.open() {
            Err(HomeError::Damaged(DamagedFile::Core)) => told += 1,
            Ok(mut home) => {
                let problems = home.verify(now()).expect("it ends with a report").problems;
                assert!(!problems.is_empty(), "byte {at}");
                told += 1;
            }
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    assert!(told > 5);
}

#[test]
fn a_check_finds_what_is_wrong_in_records_behind_whole_pages() {
    let (desk, mut home, notebook) = Desk::new();
    let (quincy, ..) = furnish(&mut home, &notebook);
    seal_all(&mut home);
    grant(&mut home, &notebook, quincy).expect("a consent");
    seal_all(&mut home);
    let checked = home.verify(now()).expect("a check");
    assert_eq!(checked.problems, Vec::<String>::new());
    assert!(checked.records > 8, "{}", checked.records);
    home.lock().expect("closed");

    let tampering = [
        (
            CORE_FILE,
            "UPDATE batches SET signature = zeroblob(64) WHERE arrival = (SELECT max(arrival) FROM batches)",
        ),
        (
            CORE_FILE,
            "DELETE FROM batches WHERE seq = 1 AND space = (SELECT space FROM batches WHERE seq = 2)",
        ),
        (CORE_FILE, "UPDATE batches SET root = zeroblob(32)"),
        (CORE_FILE, "UPDATE batches SET pos = pos + 1"),
        (
            CORE_FILE,
            "DELETE FROM cursors; UPDATE batches SET pos = NULL, root = NULL; INSERT INTO cursors SELECT DISTINCT space, 1, zeroblob(32) FROM batches",
        ),
        (CORE_FILE, "UPDATE bodies SET body = zeroblob(length(body))"),
        (CORE_FILE, "UPDATE bodies SET body = NULL"),
        (CORE_FILE, "DELETE FROM own_keys; DELETE FROM packs"),
        (DERIVED_FILE, "DELETE FROM generations"),
        (DERIVED_FILE, "UPDATE generations SET heads = x'80'"),
        (DERIVED_FILE, "UPDATE views SET view = (SELECT view FROM views WHERE id = 1)"),
        (DERIVED_FILE, "UPDATE views SET view = x'00'"),
        (DERIVED_FILE, "DELETE FROM objects WHERE hash = (SELECT max(hash) FROM objects)"),
        (DERIVED_FILE, "UPDATE generations SET status = 1 WHERE is_private = 0"),
        (DERIVED_FILE, "UPDATE objects SET space = (SELECT min(space) FROM objects)"),
    ];
    for (file, sql) in tampering {
        let copy = TempDir::new().expect("a folder");
        for entry in fs::read_dir(desk.path()).expect("there") {
            let entry = entry.expect("readable");
            fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("copied");
        }
        let open = || Home::open(copy.path(), key(), now(), Box::new(Seeded::new(98)));
        let mut home = open().expect("whole");
        let database = if file == CORE_FILE { &mut home.core } else { &mut home.derived };
        database
            .write(Durability::Full, |tx| {
                tx.execute_batch(sql).expect(sql);
                Ok::<_, HomeError>(())
            })
            .expect("written");
        home.lock().expect("closed");
        let problems = match open() {
            Ok(mut home) => home.verify(now()).expect("it ends with a report").problems,
            Err(error) => vec![error.to_string()],
        };
        assert!(!problems.is_empty(), "{sql}");
        let told = problems.join(" ");
        assert!(CANARIES.iter().all(|canary| !told.contains(canary)), "{told}");
    }
}
