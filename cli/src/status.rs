//! Where everything stands, and whether all is whole.

use std::collections::BTreeMap;

use serde::Serialize;
use thicket_core::home::{DeviceStatus, HeldNote, HeldWhy, Home, SpaceStatus};

use crate::desk::{Desk, moment_of, now};
use crate::failure::{Failure, Kind};
use crate::output::{Page, Shown, Tint, count, cut, plain, short};
use crate::stamp::Stamp;

/// How many held notes of a space are listed for a person; a script gets all.
const HELD_SHOWN: usize = 20;

/// Show what is unsent, what is held and why, and when each device was last heard from.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thicket status
  thicket status --json")]
pub(crate) struct Status {}

#[derive(Serialize)]
struct HeldRow {
    note: String,
    why: &'static str,
    stamp: Stamp,
    #[serde(skip)]
    title: String,
    #[serde(skip)]
    words: String,
}

#[derive(Serialize)]
struct SpaceRow {
    id: String,
    kind: &'static str,
    notebook: Option<String>,
    unsent: u64,
    waiting: u64,
    has_key: bool,
    held: Vec<HeldRow>,
    last_sync: Option<String>,
}

#[derive(Serialize)]
struct DeviceRow {
    id: String,
    name: Option<String>,
    member: String,
    member_name: String,
    last_heard: Option<String>,
    waits_for_keys: bool,
    revoked: bool,
    this_device: bool,
}

#[derive(Serialize)]
struct Stands {
    team: String,
    server: Option<String>,
    last_sync: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<String>,
    spaces: Vec<SpaceRow>,
    devices: Vec<DeviceRow>,
    #[serde(skip)]
    notebooks: BTreeMap<String, String>,
}

impl Shown for Stands {
    fn set(&self, page: &mut Page) {
        match (&self.server, &self.last_sync) {
            (None, _) => page.line("No server is set: everything is on this device alone."),
            (Some(server), None) => page.line(format_args!("Never synced with {server}")),
            (Some(server), Some(at)) => page.line(format_args!("Up to date with {server}, {}", plain(at))),
        }
        if let Some(evidence) = &self.evidence {
            let stopped = page.tinted(Tint::Held, "Sync has stopped");
            page.prose(&format!("{stopped}: the server's signed words contradict each other. The evidence stands in {evidence}."), 0);
        }
        let mut before = None;
        for space in &self.spaces {
            let notebook = space
                .notebook
                .as_ref()
                .map(|id| self.notebooks.get(id).cloned().unwrap_or_else(|| short(id)));
            if before.as_ref() != Some(&notebook) {
                page.gap();
                page.head(
                    &notebook.as_ref().map_or_else(|| "Team".to_owned(), |name| format!("Notebook {name}")),
                );
            }
            before = Some(notebook);
            set_space(page, space);
        }
        page.gap();
        page.head("Devices");
        let row = |device: &DeviceRow| {
            let heard = if device.this_device {
                "this one".to_owned()
            } else {
                device.last_heard.as_deref().map_or_else(|| "never heard from".to_owned(), plain)
            };
            let more = match (device.revoked, device.waits_for_keys) {
                (true, _) => "revoked",
                (false, true) => "waits for keys",
                (false, false) => "",
            };
            let name = device.name.clone().unwrap_or_else(|| short(&device.id));
            [format!("  {name}"), device.member_name.clone(), heard, more.to_owned()]
        };
        let rows: Vec<_> = self.devices.iter().map(row).collect();
        page.table(["  name", "member", "last heard", ""], &rows);
    }
}

fn set_space(page: &mut Page, space: &SpaceRow) {
    let mut parts = Vec::new();
    if !space.has_key {
        parts.push(page.tinted(Tint::Waits, "its keys have not come yet"));
    }
    if space.unsent > 0 {
        parts.push(format!("{} unsent", space.unsent));
    }
    if space.waiting > 0 {
        parts.push(format!("{} cannot be read yet", space.waiting));
    }
    if !space.held.is_empty() {
        let held = u64::try_from(space.held.len()).unwrap_or(u64::MAX);
        parts.push(page.tinted(Tint::Waits, &format!("{} held", count(held, "note", "notes"))));
    }
    let says = if parts.is_empty() { "nothing unsent".to_owned() } else { parts.join(", ") };
    page.line(format_args!("  {:<12}{says}", space.kind));
    for held in space.held.iter().take(HELD_SHOWN) {
        page.line(format_args!("    {}  {}", short(&held.note), cut(&held.title, 50)));
        page.prose(&held.words, 16);
    }
    if space.held.len() > HELD_SHOWN {
        page.line(format_args!(
            "    and {} more: `thicket status --json` lists all",
            space.held.len() - HELD_SHOWN
        ));
    }
}

const fn why(why: HeldWhy) -> &'static str {
    match why {
        HeldWhy::Unassessed => "unassessed",
        HeldWhy::Pending => "pending",
        HeldWhy::NoConsent => "no_consent",
        HeldWhy::Blocked => "blocked",
        HeldWhy::OnHold => "on_hold",
        HeldWhy::RealName => "real_name",
        HeldWhy::WaitingForKeys => "waiting_for_keys",
        HeldWhy::StampMissing => "stamp_missing",
        HeldWhy::Draft => "draft",
    }
}

/// Why a note is held, and what would let it go.
fn words(held: &HeldNote) -> String {
    let stamp = Stamp::from(&held.stamp).words;
    match held.why {
        HeldWhy::Unassessed => "it was not said who is in it: `thicket note edit NOTE --about …` or --no-people".to_owned(),
        HeldWhy::Pending | HeldWhy::NoConsent | HeldWhy::Blocked | HeldWhy::OnHold => stamp,
        HeldWhy::RealName => "a known real name stands in its text: put @{Pseudonym} in its place, or `thicket note release NOTE`".to_owned(),
        HeldWhy::WaitingForKeys => "the keys of the space have not come yet".to_owned(),
        HeldWhy::StampMissing => "its stamp has not come yet".to_owned(),
        HeldWhy::Draft => format!("your draft of a shared note: {stamp}"),
    }
}

impl Status {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        desk.with_home(|home| stands(home))
    }
}

fn stands(home: &Home) -> Result<Stands, Failure> {
    let status = home.status()?;
    let at = |ms: i64| moment_of(ms).map(|moment| moment.to_string());
    let last_sync = status.last_sync_ms.and_then(at);
    let space = |space: SpaceStatus| SpaceRow {
        id: space.id.to_string(),
        kind: space.kind.as_str(),
        notebook: space.notebook.map(|notebook| notebook.to_string()),
        unsent: space.unsent,
        waiting: space.waiting,
        has_key: space.has_key,
        held: space.held.iter().map(|held| held_row(home, held)).collect(),
        last_sync: last_sync.clone(),
    };
    let this = home.device();
    let device = |device: DeviceStatus| DeviceRow {
        id: device.id.to_string(),
        name: device.name,
        member: device.member.to_string(),
        member_name: home.member_name(&device.member),
        last_heard: device.last_heard_ms.and_then(at),
        waits_for_keys: device.waits_for_keys,
        revoked: device.is_revoked,
        this_device: device.id == this,
    };
    let named = home
        .notebooks()
        .into_iter()
        .filter_map(|notebook| Some((notebook.id.to_string(), notebook.name?.to_string())));
    Ok(Stands {
        team: home.team_id().to_string(),
        server: status.server.map(|server| server.to_string()),
        evidence: status.evidence,
        spaces: status.spaces.into_iter().map(space).collect(),
        devices: status.devices.into_iter().map(device).collect(),
        last_sync,
        notebooks: named.collect(),
    })
}

fn held_row(home: &Home, held: &HeldNote) -> HeldRow {
    let shown = home.note(held.note);
    let title =
        shown.map(|note| if note.title.is_empty() { note.text } else { note.title }).unwrap_or_default();
    HeldRow {
        note: held.note.to_string(),
        why: why(held.why),
        stamp: (&held.stamp).into(),
        title: title.lines().next().unwrap_or_default().to_owned(),
        words: words(held),
    }
}

/// Check everything in this home: every page, signature, chain, body and document.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thicket verify
  thicket verify --json")]
pub(crate) struct Verify {}

#[derive(Serialize)]
struct Verified {
    ok: bool,
    records: u64,
    problems: Vec<String>,
}

impl Shown for Verified {
    fn set(&self, page: &mut Page) {
        if self.ok {
            let whole = page.tinted(Tint::Good, "All is whole.");
            page.line(format_args!("{whole} {} checked.", count(self.records, "record", "records")));
            return;
        }
        page.head("Something is wrong:");
        for problem in &self.problems {
            page.prose(problem, 2);
        }
    }
}

impl Verify {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        let mut home = desk.open()?;
        let found = home.verify(now())?;
        let verified =
            Verified { ok: found.problems.is_empty(), records: found.records, problems: found.problems };
        desk.output.print(&verified)?;
        desk.close(home)?;
        if verified.ok {
            return Ok(());
        }
        Err(Failure::new(
            Kind::Damaged,
            "something in this home is not as it should be",
            "copy the whole folder away first; what was synced is safe with the server and the other devices",
        ))
    }
}
