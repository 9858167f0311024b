//! The team: founding it, its server, its invites, joining it, its notebooks.

use std::path::Path;

use clap::Subcommand;
use serde::Serialize;
use thicket_core::home::{Founding, Home, HomeError};
use thicket_core::name::Name;
use thicket_core::sync::{Errand, SyncEvent};
use thicket_core::vocabulary::Realm;
use thicket_protocol::address::{InviteCode, ServerAddress};
use thicket_protocol::governance::{Admits, Role};
use thicket_protocol::ids::NotebookId;

use crate::args::{duration, word};
use crate::desk::{Desk, entropy, moment_of, now, while_busy, wrapping};
use crate::failure::{Failure, Kind};
use crate::output::{Page, Shown, plain, short};
use crate::passphrase::Purpose;
use crate::sync;

/// Begin a team of your own: its first member, device and notebook.
///
/// Whoever is alone in a team and forgets the passphrase loses everything: nobody can bring it back.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thicket init --member Sam
  thicket init --member Sam --team \"Link worker study\" --notebook \"Home visits\" --device laptop
  thicket init --member Sam --realm service --server thicket://sync.example.org:4433/KEY

--notebook names the first notebook; without it, it is called \"Field notes\".")]
pub(crate) struct Init {
    /// What the team is to call you.
    #[arg(long, value_name = "NAME")]
    member: Name,
    /// What the team is called.
    #[arg(long, value_name = "NAME")]
    team: Option<Name>,
    /// What this device is called.
    #[arg(long, value_name = "NAME", default_value = "computer")]
    device: Name,
    /// Whether the first notebook is a study or a service caseload.
    #[arg(long, default_value = "research", value_parser = word(Realm::ALL, Realm::as_str))]
    realm: Realm,
    /// Server to sync with, as it prints itself: thicket://HOST:PORT/KEY.
    #[arg(long, value_name = "URL")]
    server: Option<ServerAddress>,
}

#[derive(Serialize)]
struct Founded {
    team: String,
    member: String,
    device: String,
    notebook: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(skip)]
    names: [String; 4],
    #[serde(skip)]
    folder: String,
}

impl Shown for Founded {
    fn set(&self, page: &mut Page) {
        let [team, member, device, notebook] = &self.names;
        page.head(&format!("The team {team} stands, with you alone in it."));
        page.table(
            ["", "name", "id"],
            &[
                ["member".into(), member.clone(), short(&self.member)],
                ["device".into(), device.clone(), short(&self.device)],
                ["notebook".into(), notebook.clone(), short(&self.notebook)],
            ],
        );
        page.gap();
        page.line(format_args!("Home    {}", self.folder));
        if let Some(server) = &self.server {
            page.line(format_args!("Server  {server}"));
        }
        page.gap();
        let warning = page.bold("If you forget the passphrase, everything in this home is lost.");
        page.prose(&format!("{warning} You are alone in this team, so nobody can bring it back."), 0);
    }
}

impl Init {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        let folder = desk.folder()?;
        let or = |name: Option<Name>, else_named: &str| match name {
            Some(name) => Ok(name),
            None => else_named.parse().map_err(|error| Failure::usage(error, "choose a shorter name")),
        };
        let founding = Founding {
            team: or(self.team, &format!("Team of {}", self.member))?,
            notebook: or(None, desk.globals.notebook.as_deref().unwrap_or("Field notes"))?,
            member: self.member,
            device: self.device,
            realm: self.realm,
        };
        make_parent(&folder)?;
        // Told before a passphrase is asked for.
        Home::may_be_made_in(&folder)?;
        let passphrase = desk.passphrase(Purpose::Make)?;
        let now = now();
        let (mut home, founded) = Home::init(&folder, wrapping(&passphrase), &founding, now, entropy())?;
        if let Some(server) = &self.server {
            home.use_server(server, now)?;
        }
        let Founding { team, member, device, notebook, .. } = founding;
        desk.output.print(&Founded {
            team: founded.team.to_string(),
            member: founded.member.to_string(),
            device: founded.device.to_string(),
            notebook: founded.notebook.to_string(),
            server: self.server.as_ref().map(ToString::to_string),
            names: [team, member, device, notebook].map(|name| name.to_string()),
            folder: folder.display().to_string(),
        })?;
        desk.close(home)
    }
}

/// Makes the folder above the home, so that a first home needs no preparation.
fn make_parent(folder: &Path) -> Result<(), Failure> {
    match folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => std::fs::create_dir_all(parent).map_err(|error| Failure::file(parent, &error)),
        None => Ok(()),
    }
}

/// The server that the team syncs with.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  thicket server use thicket://sync.example.org:4433/KEY
  thicket server show")]
pub(crate) enum Server {
    /// Set the server, as it prints itself when it starts.
    #[command(after_help = "Examples:
  thicket server use thicket://sync.example.org:4433/KEY

The key at the end is what keeps another server from taking its place: copy it whole.")]
    Use {
        /// Address and key: thicket://HOST:PORT/KEY.
        url: ServerAddress,
    },
    /// Show which server is set.
    #[command(after_help = "Examples:
  thicket server show")]
    Show,
}

#[derive(Serialize)]
struct ServerShown {
    server: Option<String>,
}

impl Shown for ServerShown {
    fn set(&self, page: &mut Page) {
        match &self.server {
            Some(server) => page.line(format_args!("This team syncs with {server}")),
            None => page.prose(
                "No server is set: everything stays on this device. Set one with `thicket server use URL`.",
                0,
            ),
        }
    }
}

impl Server {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        desk.with_home(|home| {
            if let Self::Use { url } = &self {
                home.use_server(url, now())?;
            }
            Ok(ServerShown { server: home.server()?.map(|server| server.to_string()) })
        })
    }
}

/// Write an invite that lets one person, or another device of your own, into the team.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thicket invite
  thicket invite --role analyst --expires 2d
  thicket invite --own-device

The code lets in whoever types it first: read it aloud or hand it over, and send it to nobody else.
It changes the team, so it needs the server.")]
pub(crate) struct Invite {
    /// Role of the new member.
    #[arg(long, default_value = "fieldworker", value_parser = word(Role::ALL, Role::as_str), conflicts_with = "own_device")]
    role: Role,
    /// Invite another device of your own.
    #[arg(long)]
    own_device: bool,
    /// How long the code is good for.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
    expires: std::time::Duration,
}

#[derive(Serialize)]
struct Invited {
    code: String,
    expires_at: String,
}

impl Shown for Invited {
    fn set(&self, page: &mut Page) {
        page.prose(&self.code, 0);
        page.gap();
        page.prose(&format!("Good for one person, until {}. They type:", plain(&self.expires_at)), 0);
        page.line("  thicket join CODE --member NAME");
    }
}

impl Invite {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        desk.needs_server()?;
        desk.with_home(|home| {
            let expires_ms =
                now().unix_ms() + i64::try_from(self.expires.as_millis()).expect("at most ten years");
            let admits = if self.own_device {
                let own = home.member().ok_or(HomeError::WaitingForKeys)?;
                Admits::OwnDevice(own)
            } else {
                Admits::Member(self.role)
            };
            let errand =
                Errand::Invite { admits, expires_ms: u64::try_from(expires_ms).map_err(Failure::bug)? };
            let mut code = None;
            sync::run(home, errand, sync::WAIT, &mut |event| {
                if let SyncEvent::Invited(written) = event {
                    code = Some(written.clone());
                }
            })?;
            let code = code.ok_or_else(|| Failure::bug("an invite was written and its code is not there"))?;
            let expires_at = moment_of(expires_ms).map(|moment| moment.to_string()).unwrap_or_default();
            Ok(Invited { code: code.to_string(), expires_at })
        })
    }
}

/// Join a team with the code of an invite.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thicket join TKT1-XXXX-XXXX-… --member Ruth
  thicket --home ~/second join XXXX XXXX … --member Ruth --device phone

Then sync: the keys come when a device of the team has synced, and you sync after it.
A join that was cut short goes on when it is run again.")]
pub(crate) struct Join {
    /// The code, in one word or several.
    #[arg(required = true, num_args = 1.., value_name = "CODE")]
    code: Vec<String>,
    /// What the team is to call you.
    #[arg(long, value_name = "NAME")]
    member: Name,
    /// What this device is called.
    #[arg(long, value_name = "NAME", default_value = "computer")]
    device: Name,
}

#[derive(Serialize)]
struct Joined {
    team: String,
    member: String,
    device: String,
    waiting: bool,
}

impl Shown for Joined {
    fn set(&self, page: &mut Page) {
        page.head("You are in the team.");
        page.prose(
            "Its keys come with the next sync of a device that has them, and then with yours: run `thicket sync`. \
             Until then there is nothing to read yet.",
            0,
        );
        page.gap();
        page.line(format_args!("member {}  device {}", short(&self.member), short(&self.device)));
    }
}

impl Join {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        desk.needs_server()?;
        let code: InviteCode = self.code.join(" ").parse().map_err(Failure::from)?;
        let folder = desk.folder()?;
        make_parent(&folder)?;
        let was_empty = Home::may_be_made_in(&folder).is_ok();
        let passphrase = desk.passphrase(if was_empty { Purpose::Make } else { Purpose::Open })?;
        let mut home = while_busy(|| {
            let (member, device) = (self.member.clone(), self.device.clone());
            Home::prepare_join(&folder, wrapping(&passphrase), &code, member, device, now(), entropy())
        })?;
        if let Err(failure) = sync::run(&mut home, Errand::Join, sync::WAIT, &mut |_| {}) {
            drop(home);
            let is_final = matches!(failure.kind, Kind::NotFound | Kind::Refused | Kind::Conflict);
            if is_final && was_empty {
                // Nobody was let in: the folder is as free for another code as it was before.
                let _ = std::fs::remove_dir_all(&folder);
            }
            return Err(failure);
        }
        // Admitted is admitted: the first sync only saves a step, and runs again.
        let first = sync::run(&mut home, Errand::Sync, sync::WAIT, &mut |_| {});
        let waiting = first.as_ref().map_or(true, |outcome| outcome.waits_for_keys);
        let member = home.member().ok_or_else(|| Failure::bug("admitted, and nobody's device"))?;
        desk.output.print(&Joined {
            team: home.team_id().to_string(),
            member: member.to_string(),
            device: home.device().to_string(),
            waiting,
        })?;
        desk.close(home)
    }
}

/// Notebooks: one for each study or caseload.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  thicket notebook list
  thicket notebook create \"Second study\"")]
pub(crate) enum Notebook {
    /// List the notebooks.
    #[command(after_help = "Examples:
  thicket notebook list
  thicket notebook list --json")]
    List,
    /// Create a notebook; a team that has been on a server needs it for this.
    #[command(after_help = "Examples:
  thicket notebook create \"Second study\"
  thicket notebook create Caseload --realm service")]
    Create {
        /// What it is called.
        name: Name,
        /// Whether it is a study or a service caseload.
        #[arg(long, default_value = "research", value_parser = word(Realm::ALL, Realm::as_str))]
        realm: Realm,
    },
}

#[derive(Serialize)]
struct NotebookRow {
    id: String,
    name: Option<String>,
    realm: &'static str,
    closed: bool,
}

#[derive(Serialize)]
struct Notebooks {
    notebooks: Vec<NotebookRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notebook: Option<String>,
}

impl Shown for Notebooks {
    fn set(&self, page: &mut Page) {
        let rows: Vec<_> = self
            .notebooks
            .iter()
            .map(|row| {
                let name = row.name.clone().unwrap_or_else(|| "(its name has not come yet)".to_owned());
                [short(&row.id), row.realm.to_owned(), name]
            })
            .collect();
        page.table(["id", "realm", "name"], &rows);
    }
}

impl Notebook {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        desk.with_home(|home| {
            let created = match &self {
                Self::List => None,
                Self::Create { name, realm } => Some(create(desk, home, name.clone(), *realm)?),
            };
            let row = |notebook: thicket_core::home::NotebookShown| NotebookRow {
                id: notebook.id.to_string(),
                name: notebook.name.map(|name| name.to_string()),
                realm: notebook.realm.as_str(),
                closed: notebook.is_closed,
            };
            let notebooks = home.notebooks().into_iter().map(row).collect();
            Ok(Notebooks { notebooks, notebook: created.map(|id| id.to_string()) })
        })
    }
}

/// Creates a notebook: here alone as long as the team has not been on a server, else through it.
fn create(desk: &Desk, home: &mut Home, name: Name, realm: Realm) -> Result<NotebookId, Failure> {
    if home.is_unfounded()? {
        return Ok(home.create_notebook(name, realm, now())?);
    }
    desk.needs_server()?;
    let mut created = None;
    sync::run(home, Errand::CreateNotebook { name, realm }, sync::WAIT, &mut |event| {
        if let SyncEvent::NotebookCreated(id) = event {
            created = Some(*id);
        }
    })?;
    created.ok_or_else(|| Failure::new(Kind::Bug, "a notebook was created and its id is not there", ""))
}
