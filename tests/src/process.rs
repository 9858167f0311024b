//! The real programs as processes: homes that `thicket` works on, servers, and what they print.
//!
//! Nothing of this process's own settings reaches them, and each has its folder below one that vanishes.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tempfile::TempDir;
use thicket_core::entropy::SystemEntropy;
use thicket_core::home::{Home as OpenHome, NotesWanted};
use thicket_core::ring::{KdfCost, Wrapping};
use thicket_core::time::Moment;
use thicket_protocol::address::ServerAddress;

/// The passphrase of every home.
pub const PASSPHRASE: &str = "correct horse battery";
/// How long a port is waited for that another process may have taken between a server's two lives.
const PORT_WAIT: Duration = Duration::from_secs(30);
/// More notes than any test writes.
const NOTES_MAX: usize = 100_000;

/// The programs that are driven.
#[derive(Debug, Clone, Copy)]
enum Program {
    Thicket,
    Server,
}

impl Program {
    const fn name(self) -> &'static str {
        match self {
            Self::Thicket => "thicket",
            Self::Server => "thicket-sync-server",
        }
    }

    /// Where it lies: in the folder that this program was built into.
    fn path(self) -> PathBuf {
        static FOLDER: OnceLock<PathBuf> = OnceLock::new();
        let folder = FOLDER.get_or_init(|| {
            let here = std::env::current_exe().expect("a program knows where it lies");
            let folder = here.parent().expect("a program lies in a folder");
            // Tests lie one folder deeper than programs.
            let folder = if folder.ends_with("deps") { folder.parent().expect("above deps") } else { folder };
            build_if_older(folder);
            folder.to_owned()
        });
        folder.join(format!("{}{}", self.name(), std::env::consts::EXE_SUFFIX))
    }
}

/// Builds the programs where they are missing or older than what they are made of: `cargo test -p thicket-tests` alone
/// builds none of them.
fn build_if_older(folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the repository");
    let newest = ["protocol", "core", "client", "sync-server", "cli"]
        .iter()
        .filter_map(|package| newest_below(&root.join(package).join("src")))
        .max();
    let is_fresh = [Program::Thicket, Program::Server].iter().all(|program| {
        let made = fs::metadata(folder.join(format!("{}{}", program.name(), std::env::consts::EXE_SUFFIX)));
        made.and_then(|made| made.modified()).is_ok_and(|made| newest.is_none_or(|newest| newest <= made))
    });
    if is_fresh {
        return;
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root).args(["build", "--quiet", "-p", "thicket-cli", "-p", "thicket-sync-server"]);
    cargo.arg("--target-dir").arg(folder.parent().expect("a profile's folder lies in the target folder"));
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().expect("cargo starts").success(), "the programs do not build");
}

fn newest_below(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    entries
        .filter_map(|entry| {
            let path = entry.path();
            if path.is_dir() { newest_below(&path) } else { entry.metadata().ok()?.modified().ok() }
        })
        .max()
}

/// A folder with everything that one test makes.
#[derive(Debug)]
pub struct Bench {
    folder: TempDir,
}

impl Bench {
    /// Makes the folder.
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        Self { folder: TempDir::new().expect("a folder") }
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and says where it lies.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, bytes).expect("written");
        path_text(&path)
    }

    /// A home of that name, which may not be there yet.
    pub fn home(&self, name: &str) -> Home {
        let passphrase = self.path(&format!("{name}.passphrase"));
        fs::write(&passphrase, format!("{PASSPHRASE}\n")).expect("written");
        let scratch = self.path("tmp");
        fs::create_dir_all(&scratch).expect("made");
        Home { folder: self.path(name), passphrase, scratch }
    }

    /// A new home of a member of that name, alone in its team.
    pub fn founded(&self, name: &str) -> Home {
        let home = self.home(name);
        home.ok(&["init", "--member", name, "--notebook", "Visits"]);
        home
    }

    /// Starts a server on a folder of that name.
    pub fn server(&self, name: &str) -> Server {
        Server::start(&self.path(name), 0)
    }

    /// Two members of one team whose devices hold all keys, and the URL of their server.
    pub fn team(&self, server: &str) -> (Home, Home) {
        let sam = self.home("sam");
        sam.ok(&["init", "--member", "sam", "--notebook", "Visits", "--server", server]);
        let abby = self.home("abby");
        sam.admit(&abby, "abby");
        (sam, abby)
    }
}

/// Lets other processes work for a while.
#[expect(clippy::disallowed_methods, reason = "a process at work tells nobody how far it is")]
pub fn let_it_work(time: Duration) {
    std::thread::sleep(time);
}

/// A path as an argument.
pub fn path_text(path: &Path) -> String {
    path.to_str().expect("a path of ours").to_owned()
}

/// A text in a result.
pub fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

/// A number in a result.
pub fn number_of(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a number: {value}"))
}

/// A home that the command works on.
#[derive(Debug, Clone)]
pub struct Home {
    /// Its folder.
    pub folder: PathBuf,
    /// The file with its passphrase.
    pub passphrase: PathBuf,
    /// Where temporary files go.
    scratch: PathBuf,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said on standard error.
    pub stderr: String,
}

/// A note as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NoteRead {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub text: String,
    /// When it was observed.
    pub observed_at: String,
    /// When it was written down.
    pub recorded_at: String,
    /// How its stamp reads.
    pub stamp: String,
}

impl Home {
    /// The command with these arguments, its output caught.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(Program::Thicket.path());
        command.env_clear().env("TMPDIR", &self.scratch).env("THICKET_HOME", &self.folder);
        command.arg("--passphrase-file").arg(&self.passphrase).args(args).arg("--json");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A copy of the home in another folder.
    pub fn copied_to(&self, folder: PathBuf) -> Self {
        Self { folder, ..self.clone() }
    }

    /// The same home, tried with another passphrase.
    pub fn with_passphrase(&self, passphrase: &str) -> Self {
        let file = self.folder.with_extension("other-passphrase");
        fs::write(&file, passphrase).expect("written");
        Self { passphrase: file, ..self.clone() }
    }

    /// Runs to the end.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::wait(self.command(args).spawn().expect("the command starts"))
    }

    /// Runs with a text on standard input.
    pub fn run_with(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().expect("the command starts");
        // It may end before it has read everything.
        let _ = child.stdin.take().expect("piped").write_all(input);
        Ran::wait(child)
    }

    /// Runs and expects success.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> Value {
        self.run(args).ok()
    }

    /// Runs and expects an exit code; what was said on standard error is returned.
    #[track_caller]
    pub fn fails(&self, code: i32, args: &[&str]) -> Value {
        let ran = self.run(args);
        assert_eq!(ran.stdout, "", "{args:?}");
        ran.failure(code)
    }

    /// Runs, and kills the process after a while, unless it has ended by then.
    pub fn killed(&self, args: &[&str], after: Duration) -> Ran {
        let mut child = self.command(args).spawn().expect("the command starts");
        let began = Instant::now();
        while began.elapsed() < after && child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let_it_work(Duration::from_millis(1).min(after));
        }
        child.kill().expect("killed, or over already");
        Ran::wait(child)
    }

    /// Writes a note with nobody in it, and returns its id.
    #[track_caller]
    pub fn write(&self, title: &str, text: &str) -> String {
        let ran = self.run_with(&["note", "write", "--no-people", "--title", title, "-"], text.as_bytes());
        text_of(&ran.ok()["note"])
    }

    /// Syncs, and expects that everything went both ways.
    #[track_caller]
    pub fn sync(&self) -> Value {
        let synced = self.ok(&["sync"]);
        assert_eq!(synced["up_to_date"], true, "{synced}");
        synced
    }

    /// Lets another home join as a member, until it holds all keys.
    #[track_caller]
    pub fn admit(&self, other: &Self, member: &str) {
        let code = text_of(&self.ok(&["invite"])["code"]);
        other.ok(&["join", &code, "--member", member]);
        self.sync();
        other.sync();
    }

    /// The ids of all notes, as the command lists them.
    #[track_caller]
    pub fn ids(&self) -> Vec<String> {
        let mut ids = Vec::new();
        let mut page = self.ok(&["note", "list", "--limit", "1000"]);
        loop {
            ids.extend(page["notes"].as_array().expect("a list").iter().map(|note| text_of(&note["id"])));
            let Some(next) = page["next"].as_str().map(str::to_owned) else { break };
            page = self.ok(&["note", "list", "--limit", "1000", "--after", &next]);
        }
        ids.sort();
        ids
    }

    /// Expects that the command finds nothing wrong in the home.
    #[track_caller]
    pub fn verify(&self) {
        let verified = self.ok(&["verify"]);
        assert_eq!(verified["ok"], true, "{verified}");
    }

    /// Reads all notes in this process, as one open home does: a process for each of a thousand notes would take minutes.
    pub fn notes(&self) -> Vec<NoteRead> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later than 1970");
        let now = Moment::new(i64::try_from(since.as_millis()).expect("before the year 9999"), 0);
        let wrapping = Wrapping::Passphrase(PASSPHRASE, KdfCost::default());
        let entropy = Box::new(SystemEntropy::new());
        let home = OpenHome::open(&self.folder, wrapping, now.expect("a moment"), entropy).expect("it opens");
        let page = home.notes(&NotesWanted::default(), None, NOTES_MAX).expect("it can be read");
        let mut read: Vec<NoteRead> = page
            .notes
            .iter()
            .map(|row| {
                let note = home.note(row.id).expect("a note that is listed can be read");
                NoteRead {
                    id: note.id.to_string(),
                    title: note.title,
                    text: note.text,
                    observed_at: note.observed_at.to_string(),
                    recorded_at: note.recorded_at.to_string(),
                    stamp: format!("{:?}", note.stamp),
                }
            })
            .collect();
        home.lock().expect("it closes");
        read.sort();
        read
    }
}

impl Ran {
    /// Waits for the end of a process.
    pub fn wait(child: Child) -> Self {
        let output = child.wait_with_output().expect("it ends");
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// The one JSON object on standard output, where a whole one stands there.
    pub fn printed(&self) -> Option<Value> {
        serde_json::from_str(&self.stdout).ok()
    }

    /// Expects success.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.code, Some(0), "{} {}", self.stdout, self.stderr);
        self.printed().unwrap_or_else(|| panic!("no JSON: {}", self.stdout))
    }

    /// Expects an exit code, with the error of its kind, a reason and a hint, and nothing else on standard error.
    #[track_caller]
    pub fn failure(&self, code: i32) -> Value {
        const KINDS: [&str; 11] = [
            "bug",
            "usage",
            "not_found",
            "locked",
            "refused",
            "damaged",
            "offline",
            "distrust",
            "busy",
            "storage",
            "conflict",
        ];
        assert_eq!(self.code, Some(code), "{} {}", self.stdout, self.stderr);
        let said: Value = serde_json::from_str(&self.stderr)
            .unwrap_or_else(|error| panic!("{error}, not an error in JSON: {}", self.stderr));
        let kind = usize::try_from(code - 1).ok().and_then(|at| KINDS.get(at)).expect("a code of the list");
        let error = said["error"].clone();
        assert_eq!(error["kind"], *kind, "{said}");
        for field in ["reason", "hint"] {
            assert!(error[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {said}");
        }
        error
    }
}

/// A server that runs until it is killed, stopped or dropped.
#[derive(Debug)]
pub struct Server {
    /// Its URL.
    pub url: String,
    /// Its port.
    pub port: u16,
    folder: PathBuf,
    child: Option<Child>,
    log: Option<JoinHandle<String>>,
    // Kept open: a server that prints more must not be stopped by it.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts one on a folder and waits for the line that says that it is ready; port 0 picks one.
    pub fn start(folder: &Path, port: u16) -> Self {
        let began = Instant::now();
        loop {
            match Self::try_start(folder, port) {
                Ok(server) => return server,
                Err((Some(9), _)) if began.elapsed() < PORT_WAIT => {
                    let_it_work(Duration::from_millis(50));
                }
                Err((code, said)) => panic!("the server ended with {code:?}: {said}"),
            }
        }
    }

    /// The program with the arguments of a server.
    pub fn command(folder: &Path, port: u16) -> Command {
        let mut command = Command::new(Program::Server.path());
        command.env_clear().arg("--data").arg(folder).args(["--listen", &format!("127.0.0.1:{port}")]);
        command.args(["--log-format", "json"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn try_start(folder: &Path, port: u16) -> Result<Self, (Option<i32>, String)> {
        let mut child = Self::command(folder, port).spawn().expect("the server starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("UTF-8");
        let Ok(ready) = serde_json::from_str::<Value>(&line) else {
            let ran = Ran::wait(child);
            return Err((ran.code, ran.stderr));
        };
        let url = text_of(&ready["url"]);
        let address: ServerAddress = url.parse().expect("a URL");
        let mut stderr = child.stderr.take().expect("piped");
        let log = std::thread::spawn(move || {
            let mut said = Vec::new();
            // What it had said when it was killed is all there is.
            let _ = stderr.read_to_end(&mut said);
            String::from_utf8_lossy(&said).into_owned()
        });
        let folder = folder.to_owned();
        Ok(Self { url, port: address.port, folder, child: Some(child), log: Some(log), _stdout: stdout })
    }

    /// Its address and key.
    pub fn address(&self) -> ServerAddress {
        self.url.parse().expect("a URL")
    }

    /// Where its data lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its URL at another port, with the same key: what stands in between there.
    pub fn url_at(&self, port: u16) -> String {
        ServerAddress { port, ..self.address() }.to_string()
    }

    /// Its process's id.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Tells whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().is_ok_and(|ended| ended.is_none()))
    }

    /// Kills it; what it had said on standard error is returned.
    pub fn kill(&mut self) -> String {
        let (_, said) = self.end("-KILL");
        said
    }

    /// Stops it as an operator does.
    pub fn stop(&mut self) -> (ExitStatus, String) {
        self.end("-TERM")
    }

    fn end(&mut self, signal: &str) -> (ExitStatus, String) {
        let mut child = self.child.take().expect("it runs");
        let id = child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill runs").success());
        let status = child.wait().expect("it ends");
        (status, self.log.take().expect("it ran").join().expect("reading does not panic"))
    }

    /// Starts it again on the same folder and port.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "it runs");
        let again = Self::start(&self.folder, self.port);
        assert_eq!(again.url, self.url, "the same folder has the same key");
        *self = again;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
