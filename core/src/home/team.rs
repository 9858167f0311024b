//! The team from the inside: founding it, its notebooks, and the entries that this device adds to the log.

use thicket_protocol::address::ServerAddress;
use thicket_protocol::governance::{Act, Entry, Realm, SpaceKind};
use thicket_protocol::ids::{DeviceId, MemberId, NotebookId, TeamId};

use super::{Home, HomeError};
use crate::name::Name;
use crate::time::Moment;

/// What a new team begins with.
#[derive(Debug, Clone)]
pub struct Founding {
    /// The team's name.
    pub team: Name,
    /// The first member's name.
    pub member: Name,
    /// The device's name.
    pub device: Name,
    /// The first notebook's name.
    pub notebook: Name,
    /// Its realm.
    pub realm: Realm,
}

/// What a new team is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Founded {
    /// The team.
    pub team: TeamId,
    /// The first member.
    pub member: MemberId,
    /// The device.
    pub device: DeviceId,
    /// The first notebook.
    pub notebook: NotebookId,
}

/// A notebook as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotebookShown {
    /// Which.
    pub id: NotebookId,
    /// Its name; none while the roster's key has not come.
    pub name: Option<Name>,
    /// Its realm.
    pub realm: Realm,
    /// Whether it is closed.
    pub is_closed: bool,
}

impl Home {
    /// Lists the notebooks by name.
    pub fn notebooks(&self) -> Vec<NotebookShown> {
        todo!()
    }

    /// Finds a notebook by id, unique prefix of it, or name.
    pub fn find_notebook(&self, name: &str) -> Result<NotebookId, HomeError> {
        todo!()
    }

    /// What a member is called; a short form of the id where the roster does not say.
    pub fn member_name(&self, member: &MemberId) -> String {
        todo!()
    }

    /// What a device is called; a short form of the id where the roster does not say.
    pub fn device_name(&self, device: &DeviceId) -> String {
        todo!()
    }

    /// Sets the server of a team whose log has never been on one; afterwards the log names its key. Conflict when the log names another key already (then only
    /// the address may change).
    pub fn use_server(&mut self, server: &ServerAddress, now: Moment) -> Result<(), HomeError> {
        todo!()
    }

    /// Whether the log has never been on a server: then entries are simply appended, offline.
    pub fn is_unfounded(&self) -> Result<bool, HomeError> {
        todo!()
    }

    /// Creates a notebook of a team whose log has never been on a server; otherwise [`HomeError::NeedsServer`]: [`crate::sync::Errand::CreateNotebook`] does it.
    pub fn create_notebook(
        &mut self,
        name: Name,
        realm: Realm,
        now: Moment,
    ) -> Result<NotebookId, HomeError> {
        todo!()
    }
}

/// An act with what it stages: its new epochs' keys are in the ring before it leaves this device.
#[derive(Debug)]
pub(crate) struct Staged {
    /// The act.
    pub(crate) act: Act,
    /// The first rows of its spaces' vaults, in the order that their hashes bind.
    pub(crate) packs: Vec<Vec<u8>>,
}

impl Home {
    /// Draws the keys of new spaces (epoch key, content key, first vault row) and writes the epoch keys into the ring.
    pub(crate) fn stage_spaces(
        &mut self,
        notebook: NotebookId,
        realm: Realm,
        kinds: &[(SpaceKind, Option<MemberId>)],
    ) -> Result<Staged, HomeError> {
        todo!()
    }

    /// Takes staged epochs out of the ring again, after a lost compare-and-swap: what is tried next is drawn afresh.
    pub(crate) fn drop_staged(&mut self, staged: &Staged) -> Result<(), HomeError> {
        todo!()
    }

    /// Makes the entry that follows the log's head, signed by this device.
    pub(crate) fn next_entry(&self, act: Act) -> Result<Entry, HomeError> {
        todo!()
    }

    /// Applies an entry to the team and keeps it, with its vault rows where this device staged them: the first entry founds the team.
    pub(crate) fn append_entry(
        &mut self,
        entry: &Entry,
        packs: &[Vec<u8>],
        is_on_server: bool,
    ) -> Result<(), HomeError> {
        todo!()
    }

    /// Writes the name and the first sheet of a notebook that this device created.
    pub(crate) fn name_notebook(
        &mut self,
        notebook: NotebookId,
        name: Name,
        realm: Realm,
        now: Moment,
    ) -> Result<(), HomeError> {
        todo!()
    }

    /// Writes this member's and this device's names into the roster, once its key is here; names that stand already are not written again.
    pub(crate) fn write_own_names(&mut self, now: Moment) -> Result<(), HomeError> {
        todo!()
    }

    /// The notebooks in which this member has no private space yet, and may have one.
    pub(crate) fn notebooks_without_private_space(&self) -> Vec<NotebookId> {
        todo!()
    }
}
