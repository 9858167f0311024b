//! The team, its members, its notebooks, its server.

use thicket_core::home;
use thicket_core::sync::{Errand, SyncEvent};

use crate::ids::{DeviceId, MemberId, NotebookId, TeamId, read};
use crate::words::{MemberRole, Realm};
use crate::{Home, ThicketError};

/// This device's team.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TeamShown {
    /// The team; while joining only the beginning of its id is known.
    pub id: TeamId,
    /// Its name, once the keys have come.
    pub name: Option<String>,
    /// This device.
    pub device: DeviceId,
    /// Whose it is; none until the log has admitted it.
    pub member: Option<MemberId>,
    /// Members, present and past, by id.
    pub members: Vec<MemberShown>,
}

/// A member as shown.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MemberShown {
    /// Who.
    pub id: MemberId,
    /// What they are called; a short form of the id where that is not known.
    pub name: String,
    /// Their role.
    pub role: MemberRole,
    /// Whether the membership has ended.
    pub is_removed: bool,
}

/// A notebook as shown.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NotebookShown {
    /// Which.
    pub id: NotebookId,
    /// Its name, once the keys have come.
    pub name: Option<String>,
    /// Its realm.
    pub realm: Realm,
    /// Whether it is closed.
    pub is_closed: bool,
}

#[uniffi::export(async_runtime = "tokio")]
impl Home {
    /// Shows the team.
    pub async fn team(&self) -> Result<TeamShown, ThicketError> {
        self.read(|home| {
            let members =
                home.team().into_iter().flat_map(|team| team.members()).map(|(id, member)| MemberShown {
                    id: MemberId::of(id),
                    name: home.member_name(id),
                    role: member.role.into(),
                    is_removed: member.removed,
                });
            Ok(TeamShown {
                id: TeamId::of(home.team_id()),
                name: home.roster().team_name().value().map(|name| name.to_string()),
                device: DeviceId::of(home.device()),
                member: home.member().map(MemberId::of),
                members: members.collect(),
            })
        })
        .await
    }

    /// Lists the notebooks by name.
    pub async fn notebooks(&self) -> Result<Vec<NotebookShown>, ThicketError> {
        self.read(|home| {
            let show = |notebook: home::NotebookShown| NotebookShown {
                id: NotebookId::of(notebook.id),
                name: notebook.name.map(|name| name.to_string()),
                realm: notebook.realm.into(),
                is_closed: notebook.is_closed,
            };
            Ok(home.notebooks().into_iter().map(show).collect())
        })
        .await
    }

    /// Creates a notebook: offline while the team has never been on a server, else there.
    pub async fn create_notebook(&self, name: String, realm: Realm) -> Result<NotebookId, ThicketError> {
        let name: thicket_core::name::Name = name.parse()?;
        let (errand, realm) =
            (Errand::CreateNotebook { name: name.clone(), realm: realm.into() }, realm.into());
        let made = self.write(move |home, now| Ok(home.create_notebook(name, realm, now)?)).await;
        match made {
            Err(ThicketError::NeedsServer) => {
                let created = |event: &SyncEvent| {
                    if let SyncEvent::NotebookCreated(id) = event { Some(NotebookId::of(id)) } else { None }
                };
                self.run(errand, None, created).await
            }
            made => Ok(NotebookId::of(made?)),
        }
    }

    /// Sets the server of a team, as the server prints it: `thicket://HOST:PORT/KEY`. A conflict when the team's log names another key already.
    pub async fn use_server(&self, address: String) -> Result<(), ThicketError> {
        let server = address.parse().map_err(|_| ThicketError::invalid("not a server's address"))?;
        self.write(move |home, now| Ok(home.use_server(&server, now)?)).await
    }

    /// What a member is called.
    pub async fn member_name(&self, member: MemberId) -> Result<String, ThicketError> {
        let member = read(&member)?;
        self.read(move |home| Ok(home.member_name(&member))).await
    }
}
