//! Homes in a folder that vanishes, and the command run on them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The passphrase of every home of these tests.
pub(crate) const PASSPHRASE: &str = "correct horse";

/// A folder with homes in it.
pub(crate) struct Bench {
    folder: TempDir,
}

/// What a run of the command left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().expect("a folder") }
    }

    /// A bench with one home, of a member Sam.
    pub(crate) fn founded() -> Self {
        let bench = Self::new();
        bench.ok(&["init", "--member", "Sam", "--team", "Study", "--notebook", "Visits"]);
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file beside the homes.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("in the folder")).expect("made");
        std::fs::write(&path, bytes).expect("written");
        path.to_str().expect("a path of ours").to_owned()
    }

    /// The command on the home `home`, with nothing of this process's own settings.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_on("home", args)
    }

    pub(crate) fn command_on(&self, home: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thicket"));
        command.env_clear().env("THICKET_PASSPHRASE", PASSPHRASE).env("TMPDIR", self.folder.path());
        command.env("THICKET_HOME", self.path(home)).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs with --json and expects success.
    pub(crate) fn ok(&self, args: &[&str]) -> Value {
        self.ok_on("home", args)
    }

    pub(crate) fn ok_on(&self, home: &str, args: &[&str]) -> Value {
        let ran = run(self.command_on(home, args).arg("--json"), b"");
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        ran.json()
    }

    /// Runs with --json and a text on standard input, and expects success.
    pub(crate) fn ok_with(&self, args: &[&str], input: &str) -> Value {
        let ran = run(self.command(args).arg("--json"), input.as_bytes());
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        ran.json()
    }

    /// Runs with --json and expects a failure of that exit code and kind; nothing may stand on standard output.
    pub(crate) fn fails(&self, code: i32, kind: &str, args: &[&str]) -> Value {
        self.fails_on("home", code, kind, args)
    }

    pub(crate) fn fails_on(&self, home: &str, code: i32, kind: &str, args: &[&str]) -> Value {
        let ran = run(self.command_on(home, args).arg("--json"), b"");
        assert_eq!(ran.stdout, "", "{args:?}");
        ran.failure(code, kind)
    }

    /// Writes a note and returns its id.
    pub(crate) fn write(&self, text: &str, args: &[&str]) -> String {
        let all = [&["note", "write", "-"], args].concat();
        text_of(&self.ok_with(&all, text)["note"])
    }
}

impl Ran {
    /// The one JSON object on standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// The error on standard error, checked.
    pub(crate) fn failure(&self, code: i32, kind: &str) -> Value {
        assert_eq!(self.code, code, "{} {}", self.stdout, self.stderr);
        let error: Value = serde_json::from_str(&self.stderr).expect("an error in JSON");
        let error = error["error"].clone();
        assert_eq!(error["kind"], kind);
        assert!(error["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{error}");
        assert!(error["hint"].is_string(), "{error}");
        error
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Ran {
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().expect("the binary starts");
    if !input.is_empty() {
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(input).expect("the command reads its input");
    }
    let output = child.wait_with_output().expect("it ends");
    Ran {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

pub(crate) fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

pub(crate) fn texts_of(value: &Value) -> Vec<String> {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}")).iter().map(text_of).collect()
}

pub(crate) fn str_of(path: &Path) -> &str {
    path.to_str().expect("a path of ours")
}
