//! The main way on one home: people, consent, notes.

use crate::bench::{Bench, run, text_of, texts_of};

#[test]
fn a_note_waits_for_consent_and_is_released_and_put_on_hold() {
    let bench = Bench::founded();
    let ruth = text_of(&bench.ok(&["participant", "add", "Ruth", "--kind", "client"])["participant"]);
    let written = bench.ok_with(&["note", "write", "-", "--title", "Visit"], "Met @{Ruth} at noon.");
    assert_eq!((&written["space"], &written["stamp"]["status"]), (&"private".into(), &"none".into()));
    let subject = &written["stamp"]["subjects"][0];
    assert_eq!((&subject["participant"], &subject["pseudonym"]), (&ruth.as_str().into(), &"Ruth".into()));
    assert!(subject["basis"].is_null() && subject["consent"].is_null(), "{subject}");
    let note = text_of(&written["note"]);

    let held = bench.ok(&["status"]);
    let all: Vec<_> = held["spaces"]
        .as_array()
        .expect("a list")
        .iter()
        .flat_map(|space| space["held"].as_array().expect("a list"))
        .collect();
    assert_eq!(
        (all.len(), &all[0]["note"], &all[0]["why"]),
        (1, &note.as_str().into(), &"no_consent".into())
    );
    let error = bench.fails(5, "refused", &["note", "release", &note]);
    assert!(text_of(&error["hint"]).contains("Ruth"), "{error}");

    let granted = bench.ok(&["consent", "grant", "Ruth", "--activity", "observation"]);
    assert_eq!(texts_of(&granted["released"]), [note.as_str()]);
    assert_eq!(
        (&granted["state"], texts_of(&granted["scope"])),
        (&"given".into(), vec!["take_notes".to_owned(), "team_share".to_owned()])
    );
    assert_eq!(texts_of(&granted["seen"]), Vec::<String>::new());
    let shown = bench.ok(&["note", "show", &note[..12]]);
    assert_eq!((&shown["space"], &shown["stamp"]["status"]), (&"shared".into(), &"valid".into()));
    assert_eq!(shown["stamp"]["subjects"][0]["basis"], "consent");
    assert_eq!(shown["stamp"]["subjects"][0]["consent"], granted["consent"]);
    for field in [
        "id",
        "title",
        "text",
        "layer",
        "observed_at",
        "recorded_at",
        "author",
        "people",
        "space",
        "generation",
        "stamp",
        "encounter",
    ] {
        assert!(shown.get(field).is_some(), "{field} is missing");
    }

    let withdrawn = bench.ok(&["consent", "withdraw", "Ruth"]);
    assert_eq!(texts_of(&withdrawn["withdrawn"]), [text_of(&granted["consent"])]);
    assert_eq!(texts_of(&withdrawn["notes_on_hold"]), [note.as_str()]);
    let listed = bench.ok(&["note", "list", "--stamp", "on_hold"]);
    assert_eq!(listed["notes"][0]["id"], note.as_str());
    let states = bench.ok(&["consent", "show", "Ruth"]);
    assert_eq!(
        (&states["consents"][0]["state"], states["consents"][0]["events"].as_array().map(Vec::len)),
        (&"withdrawn".into(), Some(2))
    );

    let again = bench.ok(&["consent", "grant", "Ruth", "--activity", "observation"]);
    assert_eq!(texts_of(&again["seen"]).len(), 1, "the withdrawal is known here, and so seen");
}

#[test]
fn a_text_is_kept_as_it_came_and_tokens_stand_beside_it() {
    let bench = Bench::founded();
    let ruth = bench.ok(&["participant", "add", "Ruth"])["participant"].clone();
    bench.ok(&["place", "add", "The Hall", "--site-type", "community"]);
    let written = bench.ok_with(&["note", "write", "-"], "\u{feff}é @{Ruth}\r\nin @{The Hall}, @{Nobody}\n");
    assert_eq!(texts_of(&written["warnings"]).len(), 1, "{written}");
    let shown = bench.ok(&["note", "show", &text_of(&written["note"])]);
    assert_eq!(shown["text"], "é Ruth\nin The Hall, @{Nobody}\n");
    let tokens = shown["tokens"].as_array().expect("a list");
    assert_eq!(
        (tokens.len(), &tokens[0]["at"], &tokens[0]["kind"], &tokens[0]["id"]),
        (2, &2.into(), &"person".into(), &ruth)
    );
    assert_eq!((&tokens[1]["at"], &tokens[1]["kind"]), (&10.into(), &"place".into()));
    assert_eq!(shown["people"], serde_json::json!([ruth]));
}

#[test]
fn an_edit_changes_what_it_names_and_history_says_who() {
    let bench = Bench::founded();
    let note = bench.write("one two", &["--no-people", "--at", "2026-11-24/morning"]);
    bench.ok(&["note", "edit", &note, "--title", "Later"]);
    bench.ok_with(&["note", "edit", &note, "-"], "one two three");
    let shown = bench.ok(&["note", "show", &note]);
    assert_eq!((&shown["title"], &shown["text"]), (&"Later".into(), &"one two three".into()));
    assert_eq!(
        (&shown["observed_at"], &shown["stamp"]["status"]),
        (&"2026-11-24/morning".into(), &"valid".into())
    );
    let history = bench.ok(&["note", "history", &note]);
    let changes = history["changes"].as_array().expect("a list");
    assert_eq!(changes.len(), 3, "{history}");
    for change in changes {
        assert_eq!(change["member_name"], "Sam");
        assert!(
            change["at"].is_string() && change["device"].is_string() && change["summary"].is_string(),
            "{change}"
        );
    }
    assert_eq!(changes[2]["summary"], "+6");
}

#[test]
fn an_editor_is_not_waited_for_where_there_is_no_terminal() {
    let bench = Bench::founded();
    let ran = run(bench.command(&["note", "write", "--json"]).env("EDITOR", "cat"), b"");
    ran.failure(2, "usage");
}

#[test]
fn what_is_not_there_is_exit_3_and_what_is_not_clear_exit_2() {
    let bench = Bench::founded();
    bench.fails(3, "not_found", &["note", "show", "00000000000000000000000000000000"]);
    bench.fails(3, "not_found", &["consent", "show", "Ruth"]);
    bench.fails(3, "not_found", &["note", "write", "--about", "Ruth", "--file", &bench.file("t", "x")]);
    bench.fails(3, "not_found", &["note", "write", "--file", "nowhere.txt"]);
    bench.fails(3, "not_found", &["note", "list", "--encounter", "00"]);
    // A prefix has four digits at least; of so many ids two begin with the same four, but once in a hundred thousand runs.
    let lines: String =
        (0..1_200).map(|at| format!("{{\"date\":\"2026-01-01\",\"text\":\"{at}\"}}\n")).collect();
    bench.ok(&["import", &bench.file("many.jsonl", lines), "--no-people"]);
    let one = bench.ok(&["note", "list", "--limit", "1000"]);
    let two = bench.ok(&["note", "list", "--limit", "1000", "--after", &text_of(&one["next"])]);
    let pages = [&one, &two].map(|page| page["notes"].as_array().expect("a list"));
    let mut first: Vec<String> =
        pages.into_iter().flatten().map(|note| text_of(&note["id"])[..4].to_owned()).collect();
    assert_eq!(first.len(), 1_200);
    first.sort();
    let twice = first.windows(2).find(|pair| pair[0] == pair[1]).expect("among so many");
    bench.fails(2, "usage", &["note", "show", &twice[0]]);
}

#[test]
fn lists_go_on_where_a_page_ended_and_keep_to_their_days() {
    let bench = Bench::founded();
    let lines: String =
        (1..=5).map(|day| format!("{{\"date\":\"1660-01-{day:02}\",\"text\":\"day {day}\"}}\n")).collect();
    bench.ok(&["import", &bench.file("five.jsonl", lines), "--no-people"]);
    let dates = |page: &serde_json::Value| -> Vec<String> {
        page["notes"].as_array().expect("a list").iter().map(|note| text_of(&note["observed_at"])).collect()
    };
    let one = bench.ok(&["note", "list", "--limit", "3"]);
    let two = bench.ok(&["note", "list", "--limit", "3", "--after", &text_of(&one["next"])]);
    assert_eq!(dates(&one), ["1660-01-05", "1660-01-04", "1660-01-03"]);
    assert_eq!(
        (dates(&two), two.get("next")),
        (vec!["1660-01-02".to_owned(), "1660-01-01".to_owned()], None)
    );
    let some = bench.ok(&["note", "list", "--since", "1660-01-02", "--until", "1660-01-03"]);
    assert_eq!(dates(&some), ["1660-01-03", "1660-01-02"]);
    bench.fails(2, "usage", &["note", "list", "--after", "nonsense"]);
    assert_eq!(bench.ok(&["note", "search", "DAY", "4"])["notes"][0]["observed_at"], "1660-01-04");
    let nothing = bench.ok(&["note", "search", "nowhere"]);
    assert_eq!(nothing["notes"], serde_json::json!([]));
}

#[test]
fn an_encounter_bounds_a_consent_and_a_refusal() {
    let bench = Bench::founded();
    bench.ok(&["participant", "add", "Ruth"]);
    let start = ["encounter", "start", "--activity", "home_visit", "--with", "Ruth"];
    let (one, two) = (text_of(&bench.ok(&start)["encounter"]), text_of(&bench.ok(&start)["encounter"]));
    bench.ok(&[
        "consent",
        "grant",
        "Ruth",
        "--activity",
        "home_visit",
        "--bound",
        &format!("encounter:{}", &one[..12]),
    ]);
    let status = |encounter: &str| {
        let note = bench.write("@{Ruth}", &["--encounter", encounter]);
        bench.ok(&["note", "show", &note])["stamp"]["status"].clone()
    };
    assert_eq!((status(&one), status(&two)), ("valid".into(), "none".into()));
    let refused = bench.ok(&["consent", "refuse", "Ruth", "--encounter", &two]);
    assert!(refused["event"].is_string() && refused["state"].is_string(), "{refused}");
    assert_eq!((status(&one), status(&two)), ("valid".into(), "blocked".into()));
    let listed = bench.ok(&["encounter", "list"]);
    assert_eq!(listed["encounters"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_whole_home_verifies() {
    let bench = Bench::founded();
    bench.write("x", &["--no-people"]);
    let verified = bench.ok(&["verify"]);
    assert_eq!((&verified["ok"], &verified["problems"]), (&true.into(), &serde_json::json!([])));
    assert!(verified["records"].is_u64());
}
