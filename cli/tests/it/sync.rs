//! Several homes and a server.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};
use thicket_sync_server::{Config, Running, Server};
use tokio::runtime::Runtime;

use crate::bench::{Bench, run, str_of, text_of, texts_of};

/// A server in this process.
struct Relay {
    runtime: Runtime,
    running: Running,
}

impl Relay {
    fn start(bench: &Bench, folder: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let config = Config { folder: bench.path(folder), listen: ([127, 0, 0, 1], 0).into() };
        let running = runtime.block_on(Server::start(config)).expect("a server");
        Self { runtime, running }
    }

    fn stop(self) {
        self.runtime.block_on(self.running.shutdown());
    }
}

/// Sam's home with a server, and an invite.
fn team(bench: &Bench) -> (Relay, String) {
    let relay = Relay::start(bench, "server");
    bench.ok_on("sam", &["init", "--member", "Sam", "--notebook", "Visits", "--server", relay.running.url()]);
    let invited = bench.ok_on("sam", &["invite"]);
    assert!(invited["expires_at"].is_string());
    (relay, text_of(&invited["code"]))
}

#[test]
fn a_second_member_joins_and_reads_what_the_first_wrote() {
    let bench = Bench::new();
    let (relay, code) = team(&bench);
    let typo = {
        let mut chars: Vec<char> = code.chars().collect();
        let at = chars.len() / 2;
        chars[at] = if chars[at] == 'a' { 'b' } else { 'a' };
        chars.into_iter().collect::<String>()
    };
    bench.fails_on("abby", 2, "usage", &["join", &typo, "--member", "Abby"]);
    let joined = bench.ok_on("abby", &["join", &code, "--member", "Abby", "--device", "phone"]);
    assert_eq!(joined["waiting"], true);
    assert!(["team", "member", "device"].iter().all(|field| joined[field].is_string()), "{joined}");
    let waiting = bench.ok_on("abby", &["sync"]);
    assert_eq!((&waiting["up_to_date"], &waiting["waiting_for_keys"]), (&false.into(), &true.into()));

    let text = bench.file("text", "Rain. Nobody came.");
    let note = text_of(
        &bench.ok_on("sam", &["note", "write", "--no-people", "--title", "Tuesday", "--file", &text])["note"],
    );
    let sent = bench.ok_on("sam", &["sync"]);
    assert_eq!((&sent["up_to_date"], &sent["released"]), (&true.into(), &json!([])));
    assert!(sent["sent"].as_u64().is_some_and(|sent| sent > 0), "{sent}");
    let fetched = bench.ok_on("abby", &["sync"]);
    assert_eq!(fetched["up_to_date"], true, "{fetched}");
    let (here, there) =
        (bench.ok_on("sam", &["note", "show", &note]), bench.ok_on("abby", &["note", "show", &note]));
    for field in
        ["id", "title", "text", "observed_at", "recorded_at", "author", "stamp", "space", "generation"]
    {
        assert_eq!(here[field], there[field], "{field}");
    }
    let status = bench.ok_on("abby", &["status"]);
    let mut members: Vec<String> = status["devices"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| text_of(&one["member_name"]))
        .collect();
    members.sort();
    assert_eq!(members, ["Abby", "Sam"]);
    bench.fails_on("carl", 11, "conflict", &["join", &code, "--member", "Carl"]);
    let another = text_of(&bench.ok_on("sam", &["invite"])["code"]);
    bench.ok_on("carl", &["join", &another, "--member", "Carl"]);
    relay.stop();
}

#[test]
fn an_invite_ends_when_it_says_and_a_fieldworker_cannot_write_one() {
    let bench = Bench::new();
    let (relay, code) = team(&bench);
    let short = text_of(&bench.ok_on("sam", &["invite", "--expires", "1s"])["code"]);
    // Two commands later more than a second is over.
    bench.ok_on("abby", &["join", &code, "--member", "Abby"]);
    bench.ok_on("sam", &["sync"]);
    bench.ok_on("abby", &["sync"]);
    bench.fails_on("abby", 5, "refused", &["invite"]);
    std::thread::sleep(std::time::Duration::from_secs(1));
    bench.fails_on("carl", 5, "refused", &["join", &short, "--member", "Carl"]);
    relay.stop();
}

#[test]
fn another_device_of_the_same_member_reads_also_what_is_private() {
    let bench = Bench::new();
    let (relay, _) = team(&bench);
    let text = bench.file("text", "for me alone");
    let note = text_of(&bench.ok_on("sam", &["note", "write", "--file", &text])["note"]);
    let code = text_of(&bench.ok_on("sam", &["invite", "--own-device"])["code"]);
    bench.ok_on("phone", &["join", &code, "--member", "Sam", "--device", "phone"]);
    bench.ok_on("sam", &["sync"]);
    bench.ok_on("phone", &["sync"]);
    let shown = bench.ok_on("phone", &["note", "show", &note]);
    assert_eq!((&shown["text"], &shown["space"]), (&"for me alone".into(), &"private".into()));
    relay.stop();
}

#[test]
fn without_a_server_everything_is_kept_and_exit_7_says_so() {
    let bench = Bench::founded();
    bench.fails(7, "offline", &["sync"]);
    bench.fails(7, "offline", &["sync", "--offline"]);
    bench.fails(7, "offline", &["invite", "--offline"]);
    bench.fails(7, "offline", &["invite"]);
    bench.ok(&["notebook", "create", "Second", "--offline"]);
    let relay = Relay::start(&bench, "server");
    bench.ok(&["server", "use", relay.running.url()]);
    relay.stop();
    bench.fails(7, "offline", &["sync", "--timeout", "2s"]);
}

#[test]
fn another_server_at_the_same_address_is_distrusted_and_gets_nothing() {
    let bench = Bench::new();
    let (relay, _) = team(&bench);
    let other = Relay::start(&bench, "other");
    // The address of the other, and the key of the first.
    let key = relay.running.url().rsplit_once('/').expect("a key").1.to_owned();
    let (address, _) = other.running.url().rsplit_once('/').expect("an address");
    bench.ok_on("sam", &["server", "use", &format!("{address}/{key}")]);
    bench.fails_on("sam", 8, "distrust", &["sync"]);
    bench.ok_on("sam", &["server", "use", relay.running.url()]);
    assert_eq!(bench.ok_on("sam", &["sync"])["up_to_date"], true, "only that attempt was refused");
    relay.stop();
    other.stop();
}

#[test]
fn a_withdrawal_reaches_the_other_device_and_a_consent_releases_there() {
    let bench = Bench::new();
    let (relay, code) = team(&bench);
    bench.ok_on("abby", &["join", &code, "--member", "Abby"]);
    bench.ok_on("sam", &["sync"]);
    bench.ok_on("abby", &["sync"]);
    bench.ok_on("sam", &["participant", "add", "Ruth"]);
    let text = bench.file("text", "@{Ruth} waved.");
    let note = text_of(&bench.ok_on("sam", &["note", "write", "--file", &text])["note"]);
    bench.ok_on("sam", &["sync"]);
    bench.ok_on("abby", &["sync"]);
    bench.fails_on("abby", 3, "not_found", &["note", "show", &note]);
    bench.ok_on("abby", &["consent", "grant", "Ruth", "--activity", "observation"]);
    bench.ok_on("abby", &["sync"]);
    assert_eq!(texts_of(&bench.ok_on("sam", &["sync"])["released"]), [note.as_str()]);
    bench.ok_on("abby", &["sync"]);
    let shown = bench.ok_on("abby", &["note", "show", &note]);
    assert_eq!((&shown["text"], &shown["stamp"]["status"]), (&"Ruth waved.".into(), &"valid".into()));
    bench.ok_on("abby", &["consent", "withdraw", "Ruth"]);
    bench.ok_on("abby", &["sync"]);
    bench.ok_on("sam", &["sync"]);
    assert_eq!(bench.ok_on("sam", &["note", "show", &note])["stamp"]["status"], "on_hold");
    relay.stop();
}

#[test]
fn a_watch_sends_what_another_command_writes() {
    let bench = Bench::new();
    let (relay, _) = team(&bench);
    let mut watch = bench
        .command_on("sam", &["sync", "--watch", "--json"])
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(watch.stdout.take().expect("piped")).lines();
    let mut next = |event: &str| -> Value {
        loop {
            let line = lines.next().expect("the watch goes on").expect("a line");
            let told: Value = serde_json::from_str(&line).expect("JSON");
            if told["event"] == event {
                return told;
            }
        }
    };
    next("synced");
    let text = bench.file("text", "later");
    bench.ok_on("sam", &["note", "write", "--no-people", "--file", &text]);
    while next("synced")["sent"] == 0 {}
    watch.kill().expect("killed");
    watch.wait().expect("ended");
    relay.stop();
}

#[test]
fn the_demo_tells_its_story_and_leaves_nothing_behind() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("tmp")).expect("made");
    let demo = |args: &[&str]| {
        let args = [&["demo", "--json"], args].concat();
        run(
            bench
                .command(&args)
                .env_remove("THICKET_HOME")
                .env_remove("THICKET_PASSPHRASE")
                .env("TMPDIR", bench.path("tmp")),
            b"",
        )
    };
    let ran = demo(&[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let steps: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(
        steps.iter().map(|step| step["step"].clone()).collect::<Vec<_>>(),
        (1..=8).map(Value::from).collect::<Vec<_>>()
    );
    assert_eq!(std::fs::read_dir(bench.path("tmp")).expect("there").count(), 0);

    let kept = bench.path("kept");
    assert_eq!(demo(&["--keep", str_of(&kept)]).code, 0);
    let mut list = bench.command_on("kept/sam", &["note", "list", "--json"]);
    let listed = run(list.env("THICKET_PASSPHRASE", "demo"), b"").json();
    assert_eq!(listed["notes"].as_array().map(Vec::len), Some(4));
    demo(&["--keep", str_of(&kept)]).failure(11, "conflict");
}
