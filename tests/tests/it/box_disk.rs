//! A full disk and a folder that nobody may write to, met by the real programs.

#![allow(clippy::indexing_slicing, reason = "tests index JSON by its names")]
#![allow(clippy::print_stderr, reason = "a machine that cannot run a test has to say so")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use thicket_tests::process::{Bench, Home, Ran, Server, number_of, path_text};

/// Whether a process of this machine may mount a small file system of its own; says so where it may not.
fn can_mount() -> bool {
    let try_it = ["-m", "sh", "-c", "mount -t tmpfs -o size=1m none /mnt"];
    let done = Command::new("unshare").args(try_it).stderr(Stdio::null()).status();
    let can = done.is_ok_and(|status| status.success());
    if !can {
        eprintln!(
            "SKIPPED: a full disk was not tried, because this machine lets no process mount a file system of its own"
        );
    }
    can
}

/// A shell in a mount namespace of its own with a small disk at `$DISK`; `$THICKET` is the command with --json.
fn on_a_small_disk(bench: &Bench, home: &Home, size: &str, script: &str) -> Ran {
    let disk = bench.path("disk");
    fs::create_dir_all(&disk).expect("made");
    let thicket = home.command(&[]);
    let program = path_text(Path::new(thicket.get_program()));
    let preamble = format!(
        "set -u; mount -t tmpfs -o size={size},mode=0755 none \"$DISK\"
         thicket() {{ \"$PROGRAM\" --home \"$DISK/home\" --passphrase-file \"$PASSPHRASE\" --json \"$@\"; }}
         run() {{ name=$1; shift; thicket \"$@\" >\"$OUT/$name.out\" 2>\"$OUT/$name.err\"; echo $? >\"$OUT/$name.code\"; }}
         {script}"
    );
    let mut shell = Command::new("unshare");
    shell.args(["-m", "sh", "-c", &preamble]).env("DISK", &disk).env("PROGRAM", program);
    shell.env("PASSPHRASE", &home.passphrase).env("HOME_BEFORE", &home.folder).env("OUT", bench.path(""));
    shell.env("TMPDIR", bench.path("")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ran::wait(shell.spawn().expect("unshare starts"))
}

/// What one command of the script left.
fn ran(bench: &Bench, name: &str) -> Ran {
    let read = |ending: &str| {
        let path = bench.path(&format!("{name}.{ending}"));
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}: {}", path.display()))
    };
    Ran { code: read("code").trim().parse().ok(), stdout: read("out"), stderr: read("err") }
}

fn lines(n: usize) -> String {
    let text = "It rained, and the kettle was on before anybody had sat down. ";
    (0..n)
        .map(|at| {
            // Texts that do not shrink: a disk of some megabytes has to become full.
            let noise: String = (0..60).map(|word| format!("{:016x} ", (at * 60 + word).wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
            format!("{}\n", json!({ "date": "1660-01-01", "title": format!("note {at}"), "text": format!("{text}{noise}") }))
        })
        .collect()
}

#[test]
fn a_full_disk_is_told_and_loses_nothing_that_was_acknowledged() {
    if !can_mount() {
        return;
    }
    const NOTES: usize = 2_000;
    const LINES: u64 = NOTES as u64;
    let bench = Bench::new();
    let home = bench.founded("sam");
    home.write("before", "acknowledged before");
    let file = bench.file("many.jsonl", lines(NOTES));
    let script = "cp -a \"$HOME_BEFORE\" \"$DISK/home\"
        run full import \"$OUT/many.jsonl\" --no-people
        dd if=/dev/zero of=\"$DISK/filler\" bs=1k 2>/dev/null
        run write note write --no-people --title late --file \"$OUT/text\"
        run list note list --limit 1000
        rm \"$DISK/filler\"
        mount -o remount,size=64m \"$DISK\"
        run there note list --limit 1000
        run verify verify
        run rest import \"$OUT/many.jsonl\" --no-people
        run after verify
        cp -a \"$DISK/home\" \"$OUT/home-after\"";
    bench.file("text", "written on a full disk");
    let shell = on_a_small_disk(&bench, &home, "3m", script);
    assert_eq!(shell.code, Some(0), "{}", shell.stderr);
    let full = ran(&bench, "full");
    full.failure(10);
    let acknowledged = number_of(&full.printed().expect("what was imported is told")["imported"]);
    assert!(acknowledged < LINES, "the disk became full");
    assert!(!ran(&bench, "write").stderr.contains("\"bug\""), "{:?}", ran(&bench, "write"));
    let late = ran(&bench, "write");
    if late.code != Some(0) {
        late.failure(10);
    }
    let list = ran(&bench, "list");
    assert!(matches!(list.code, Some(0 | 10)), "{list:?}");
    ran(&bench, "verify").ok();
    let rest = ran(&bench, "rest").ok();
    let [new, old] = [&rest["imported"], &rest["skipped"]].map(number_of);
    assert_eq!(new + old, LINES);
    assert!(old >= acknowledged, "{old} of {acknowledged} acknowledged notes are there");
    ran(&bench, "after").ok();
    let after = home.copied_to(bench.path("home-after"));
    let notes = after.notes();
    assert!(notes.iter().any(|note| note.title == "before" && note.text == "acknowledged before"));
    let wanted = NOTES + 1 + usize::from(late.code == Some(0));
    assert_eq!(notes.len(), wanted);
    drop(file);
}

#[test]
fn no_home_is_made_on_a_full_disk_and_the_next_attempt_makes_one() {
    if !can_mount() {
        return;
    }
    let bench = Bench::new();
    let home = bench.home("sam");
    let script = "run one init --member sam
        mount -o remount,size=64m \"$DISK\"
        run two init --member sam
        run three verify";
    for size in ["16k", "60k", "120k", "200k"] {
        let shell = on_a_small_disk(&bench, &home, size, script);
        assert_eq!(shell.code, Some(0), "{}", shell.stderr);
        let one = ran(&bench, "one");
        if one.code != Some(0) {
            one.failure(10);
            ran(&bench, "two").ok();
        }
        ran(&bench, "three").ok();
    }
}

#[test]
fn a_server_with_a_full_disk_says_so_and_takes_everything_once_there_is_room() {
    if !can_mount() {
        return;
    }
    let bench = Bench::new();
    let outside = bench.server("outside");
    let home = bench.home("sam");
    let command = Server::command(&bench.path("disk/data"), 0);
    let server = path_text(Path::new(command.get_program()));
    bench.file("many.jsonl", lines(1_500));
    let script = format!(
        "\"{server}\" --data \"$DISK/data\" --listen 127.0.0.1:0 >\"$OUT/ready\" 2>\"$OUT/log\" & server=$!
         while ! test -s \"$OUT/ready\"; do sleep 0.05; done
         url=$(sed 's/.*\"url\":\"\\([^\"]*\\)\".*/\\1/' \"$OUT/ready\")
         thicket() {{ \"$PROGRAM\" --home \"$OUT/sam\" --passphrase-file \"$PASSPHRASE\" --json \"$@\"; }}
         run init init --member sam --server \"$url\"
         run import import \"$OUT/many.jsonl\" --no-people
         run full sync --timeout 60s
         run status status
         mount -o remount,size=64m \"$DISK\"
         run again sync --timeout 60s
         run after sync
         kill -TERM $server; wait $server; echo $? >\"$OUT/server.code\""
    );
    let shell = on_a_small_disk(&bench, &home, "1m", &script);
    assert_eq!(shell.code, Some(0), "{}", shell.stderr);
    ran(&bench, "init").ok();
    ran(&bench, "import").ok();
    ran(&bench, "full").failure(7);
    let unsent: u64 = unsent(&ran(&bench, "status").ok());
    assert!(unsent > 0, "not everything went");
    let again = ran(&bench, "again").ok();
    assert_eq!(again["up_to_date"], true, "{again}");
    let after = ran(&bench, "after").ok();
    assert_eq!([&after["sent"], &after["fetched"]].map(number_of), [0, 0]);
    assert_eq!(fs::read_to_string(bench.path("server.code")).expect("it ended").trim(), "0");
    drop(outside);
}

fn unsent(status: &Value) -> u64 {
    status["spaces"].as_array().expect("a list").iter().map(|space| number_of(&space["unsent"])).sum()
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told_and_left_alone() {
    let bench = Bench::new();
    let home = bench.founded("sam");
    home.write("before", "acknowledged before");
    let program = bench.path("thicket");
    fs::copy(home.command(&[]).get_program(), &program).expect("copied");
    let mode =
        |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
    let all = || fs::read_dir(&home.folder).expect("there").map(|entry| entry.expect("read").path());
    mode(&bench.path(""), 0o755);
    let before: Vec<_> = all().map(|path| (path.clone(), fs::read(path).expect("read"))).collect();
    // Mode bits do not bind root: the command runs as nobody.
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    let run = |args: &[&str]| {
        let mut command = if is_root {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        command.env_clear().env("PATH", "/usr/bin:/bin").env("THICKET_HOME", &home.folder);
        command.arg("--passphrase-file").arg(&home.passphrase).args(args).arg("--json");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ran::wait(command.spawn().expect("it starts"))
    };
    bench.file("text", "a text");
    let text = path_text(&bench.path("text"));
    let write = ["note", "write", "--no-people", "--file", text.as_str()];
    // A folder and files that can be read, a folder that alone can be written to, and nothing that can even be read.
    for (folder, file) in [(0o555, 0o444), (0o777, 0o444), (0o555, 0o666), (0o000, 0o600)] {
        all().for_each(|path| mode(&path, file));
        mode(&home.folder, folder);
        for args in [&write[..], &["note", "list"], &["verify"], &["status"]] {
            let ran = run(args);
            if ran.code != Some(0) {
                ran.failure(10);
            }
            assert!(ran.code == Some(10) || args != write, "{folder:o} {file:o}: {ran:?}");
        }
        mode(&home.folder, 0o755);
    }
    for (path, bytes) in before {
        assert_eq!(fs::read(&path).expect("read"), bytes, "{}", path.display());
    }
    home.verify();
}
