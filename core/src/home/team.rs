//! The team from the inside: founding it, its notebooks, and the entries that this device adds to the log.

use std::collections::BTreeSet;

use rusqlite::Transaction;
use thicket_protocol::address::ServerAddress;
use thicket_protocol::cbor;
use thicket_protocol::frame::TeamPrefix;
use thicket_protocol::governance::{Act, Author, Entry, EpochTurn, NewSpace, Realm, Role, SpaceKind};
use thicket_protocol::ids::{DeviceId, MemberId, NotebookId, SpaceId, TeamId};
use thicket_protocol::keys::{Pack, SpaceEpoch, vault_hash};
use thicket_protocol::team::{Notebook, Team};

use super::ledgers::{find, short};
use super::{DamagedFile, Home, HomeError, Thing};
use crate::entropy::Entropy;
use crate::name::Name;
use crate::object::{Object, SignedObject};
use crate::seal::make_pack;
use crate::secret::{EpochKey, HeldEpoch, VaultKey};
use crate::sheet::InfoSheet;
use crate::store::Durability;
use crate::store::core_db::{self, Sealer, Setting};
use crate::things::{DeviceName, MemberName, NotebookName};
use crate::time::Moment;

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
        let Some(team) = &self.team else { return Vec::new() };
        let shown = |(id, notebook): (&NotebookId, &Notebook)| NotebookShown {
            id: *id,
            name: self.notebook_name(id).cloned(),
            realm: notebook.realm,
            is_closed: notebook.closed,
        };
        let mut all: Vec<_> = team.notebooks().iter().map(shown).collect();
        all.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
        all
    }

    fn notebook_name(&self, notebook: &NotebookId) -> Option<&Name> {
        Some(&self.roster().notebooks().get(notebook)?.value()?.name)
    }

    /// Finds a notebook by id, unique prefix of it, or name.
    pub fn find_notebook(&self, name: &str) -> Result<NotebookId, HomeError> {
        let all = self.team.iter().flat_map(|team| team.notebooks().keys());
        find(Thing::Notebook, name, all.map(|id| (*id, self.notebook_name(id).map(Name::as_str))))
    }

    /// What a member is called; a short form of the id where the roster does not say.
    pub fn member_name(&self, member: &MemberId) -> String {
        let named = self.roster().members().get(member).and_then(|name| name.value());
        named.map_or_else(|| short(member), |named| named.name.to_string())
    }

    /// What a device is called; a short form of the id where the roster does not say.
    pub fn device_name(&self, device: &DeviceId) -> String {
        let named = self.roster().devices().get(device).and_then(|name| name.value());
        named.map_or_else(|| short(device), |named| named.name.to_string())
    }

    /// Sets the server of a team whose log has never been on one; afterwards the log names its key. Conflict when the log names another key already (then only
    /// the address may change).
    pub fn use_server(&mut self, server: &ServerAddress, _now: Moment) -> Result<(), HomeError> {
        match self.known_team()?.server_key() {
            Some(key) if *key == server.key => {}
            Some(_) => return Err(HomeError::Conflict("the team's log names another server key")),
            None if self.is_unfounded()? => {
                let entry = self.next_entry(Act::ServerKey { key: server.key })?;
                self.append_entry(&entry, &[], false)?;
            }
            None => return Err(HomeError::NeedsServer),
        }
        self.keep(&[(Setting::Server, Some(server.to_string().as_bytes()))])
    }

    /// Whether the log has never been on a server: then entries are simply appended, offline.
    pub fn is_unfounded(&self) -> Result<bool, HomeError> {
        let entries = core_db::entries(self.core.read())?;
        Ok(!entries.is_empty() && entries.iter().all(|entry| !entry.on_server))
    }

    /// Creates a notebook of a team whose log has never been on a server; otherwise [`HomeError::NeedsServer`]: [`crate::sync::Errand::CreateNotebook`] does it.
    pub fn create_notebook(
        &mut self,
        name: Name,
        realm: Realm,
        now: Moment,
    ) -> Result<NotebookId, HomeError> {
        let member = self.own_member()?;
        if !self.is_unfounded()? {
            return Err(HomeError::NeedsServer);
        }
        self.check_notebook_name(&name)?;
        let notebook = NotebookId::from_bytes(self.entropy.bytes());
        let staged = self.stage_spaces(notebook, realm, &notebook_kinds(member))?;
        let entry = self.next_entry(staged.act.clone());
        let made = entry.and_then(|entry| {
            let spaces = notebook_spaces(&staged.act, self.known_team()?.roster());
            let objects = notebook_objects(spaces, notebook, name, realm);
            let objects = self.sign_all(objects, now)?;
            self.keep_entry(&entry, &staged.packs, false, &objects)
        });
        if let Err(error) = made {
            // Keys that an entry of the log commits to are never given up.
            if !self.known_team()?.notebooks().contains_key(&notebook) {
                self.drop_staged(&staged)?;
            }
            return Err(error);
        }
        self.catch_up(now)?;
        Ok(notebook)
    }

    /// Refuses a name that another notebook has.
    pub(crate) fn check_notebook_name(&self, name: &Name) -> Result<(), HomeError> {
        let is_taken = self.notebooks().iter().any(|one| one.name.as_ref() == Some(name));
        if is_taken { Err(HomeError::NameTaken(Thing::Notebook)) } else { Ok(()) }
    }
}

/// The spaces that a notebook begins with.
pub(super) fn notebook_kinds(member: MemberId) -> [(SpaceKind, Option<MemberId>); 4] {
    [
        (SpaceKind::Ledger, None),
        (SpaceKind::Shared, None),
        (SpaceKind::Identities, None),
        (SpaceKind::Private, Some(member)),
    ]
}

/// The roster, and the ledger that an act makes.
pub(super) fn notebook_spaces(act: &Act, roster: SpaceId) -> (SpaceId, SpaceId) {
    let Act::SpaceCreate { spaces, .. } = act else { unreachable!("notebooks are made by this act") };
    let ledger = spaces.iter().find(|space| space.kind == SpaceKind::Ledger);
    (roster, ledger.expect("a notebook begins with a ledger").epoch.space)
}

/// What a notebook is called, and the sheet that it begins with.
pub(super) fn notebook_objects(
    (roster, ledger): (SpaceId, SpaceId),
    notebook: NotebookId,
    name: Name,
    realm: Realm,
) -> Vec<(SpaceId, Object)> {
    vec![
        (roster, Object::NotebookName(NotebookName { notebook, name, realm })),
        (ledger, Object::Sheet(InfoSheet::first(notebook))),
    ]
}

/// An act with what it stages: its new epochs' keys are in the ring before it leaves this device.
#[derive(Debug)]
pub(crate) struct Staged {
    /// The act.
    pub(crate) act: Act,
    /// The first rows of its spaces' vaults, in the order that their hashes bind.
    pub(crate) packs: Vec<Vec<u8>>,
}

/// Draws the keys of a notebook's new spaces: an epoch key each, and a vault of one row with one content key.
pub(super) fn draw_spaces(
    team: &TeamId,
    notebook: NotebookId,
    realm: Realm,
    kinds: &[(SpaceKind, Option<MemberId>)],
    entropy: &mut dyn Entropy,
) -> Result<(Staged, Vec<HeldEpoch>), HomeError> {
    let (mut spaces, mut packs, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for (kind, owner) in kinds {
        let at = SpaceEpoch { space: SpaceId::from_bytes(entropy.bytes()), epoch: 1 };
        let (key, content) = (EpochKey::make(entropy), VaultKey::make(entropy));
        let pack = cbor::encode(&make_pack(team, at, &key, &[&content])?);
        let vault = vault_hash([pack.as_slice()]);
        let (commit, content_key) = (key.commit(team, at), content.id());
        let epoch = EpochTurn { space: at.space, epoch: at.epoch, commit, content_key, vault, made_from: 0 };
        spaces.push(NewSpace { kind: *kind, owner: *owner, epoch });
        packs.push(pack);
        held.push(HeldEpoch { space: at.space, epoch: at.epoch, key });
    }
    Ok((Staged { act: Act::SpaceCreate { notebook, realm, spaces }, packs }, held))
}

/// Keeps an entry, and the vault rows that it stages as rows of the vaults here.
pub(super) fn write_entry(
    tx: &Transaction<'_>,
    entry: &Entry,
    packs: &[Vec<u8>],
    is_on_server: bool,
) -> Result<(), HomeError> {
    core_db::add_entry(tx, entry.point().seq, entry.bytes(), is_on_server, packs)?;
    for bytes in packs {
        let pack = Pack::decode(bytes).map_err(|_| HomeError::fault("a staged vault row"))?;
        let keys = u64::try_from(pack.ids.len()).expect("at most 256");
        core_db::add_pack(tx, pack.space, pack.epoch, keys, bytes)?;
    }
    Ok(())
}

impl Home {
    /// The member whose device it is.
    pub(crate) fn own_member(&self) -> Result<MemberId, HomeError> {
        self.secrets.member.ok_or(HomeError::WaitingForKeys)
    }

    /// The role of this member, while device and member are current.
    pub(crate) fn own_role(&self) -> Result<Role, HomeError> {
        let (team, member) = (self.known_team()?, self.own_member()?);
        let current = team.current(&self.device).is_some();
        let of = team.members().get(&member).filter(|of| current && !of.removed);
        of.map(|of| of.role).ok_or(HomeError::Rule("this device is not of the team any more"))
    }

    /// The space of a notebook of that kind; of private ones the own.
    pub(crate) fn space(&self, notebook: &NotebookId, kind: SpaceKind) -> Result<SpaceId, HomeError> {
        let team = self.known_team()?;
        if !team.notebooks().contains_key(notebook) {
            return Err(HomeError::NotFound(Thing::Notebook));
        }
        let own = self.own_member()?;
        team.space_of(notebook, kind, Some(&own)).ok_or(HomeError::WaitingForKeys)
    }

    /// Tells whether this member may do field work in a notebook: write into its ledger, its identities and what is shared. Auditors and analysts may not, and
    /// nobody in a notebook that is closed.
    pub(crate) fn check_fieldwork(&self, notebook: &NotebookId) -> Result<(), HomeError> {
        let of = self.known_team()?.notebooks().get(notebook).ok_or(HomeError::NotFound(Thing::Notebook))?;
        let role = self.own_role()?;
        match role {
            Role::Fieldworker | Role::Custodian | Role::LinkWorker => {}
            Role::Analyst | Role::Auditor => return Err(HomeError::Role { role }),
        }
        if of.denied.contains(&self.own_member()?) {
            return Err(HomeError::Rule("access to this notebook was taken"));
        }
        if of.closed { Err(HomeError::Rule("this notebook is closed")) } else { Ok(()) }
    }

    /// Draws the keys of new spaces (epoch key, content key, first vault row) and writes the epoch keys into the ring.
    pub(crate) fn stage_spaces(
        &mut self,
        notebook: NotebookId,
        realm: Realm,
        kinds: &[(SpaceKind, Option<MemberId>)],
    ) -> Result<Staged, HomeError> {
        let team = self.known_team()?.id();
        let (staged, held) = draw_spaces(&team, notebook, realm, kinds, self.entropy.as_mut())?;
        self.secrets.epochs.extend(held);
        if let Err(error) = self.keep_ring() {
            self.forget_epochs(&staged);
            return Err(error);
        }
        Ok(staged)
    }

    /// Takes staged epochs out of the ring again, after a lost compare-and-swap: what is tried next is drawn afresh.
    pub(crate) fn drop_staged(&mut self, staged: &Staged) -> Result<(), HomeError> {
        self.forget_epochs(staged);
        self.keep_ring()
    }

    fn forget_epochs(&mut self, staged: &Staged) {
        let turns = staged.act.turns();
        let is_staged =
            |held: &HeldEpoch| turns.iter().any(|turn| turn.space == held.space && turn.epoch == held.epoch);
        self.secrets.epochs.retain(|held| !is_staged(held));
    }

    /// Makes the entry that follows the log's head, signed by this device.
    pub(crate) fn next_entry(&self, act: Act) -> Result<Entry, HomeError> {
        let team = self.known_team()?;
        team.may(self.device, &act)?;
        let author = Author::Device(self.device);
        Ok(Entry::next(team.id(), team.head(), author, act, &self.secrets.identity.signer())?)
    }

    /// Applies an entry to the team and keeps it, with its vault rows where this device staged them: the first entry founds the team.
    pub(crate) fn append_entry(
        &mut self,
        entry: &Entry,
        packs: &[Vec<u8>],
        is_on_server: bool,
    ) -> Result<(), HomeError> {
        self.keep_entry(entry, packs, is_on_server, &[])
    }

    /// The same with objects that stand or fall with the entry.
    fn keep_entry(
        &mut self,
        entry: &Entry,
        packs: &[Vec<u8>],
        is_on_server: bool,
        objects: &[SignedObject],
    ) -> Result<(), HomeError> {
        let team = match &self.team {
            Some(team) => {
                let mut team = team.clone();
                team.apply(entry)?;
                team
            }
            None => {
                let team = Team::found(entry)?;
                check_team(&self.secrets.team, &team.id())?;
                team
            }
        };
        let mut sealer = Sealer { key: &self.secrets.local, entropy: self.entropy.as_mut() };
        self.core.write(Durability::Full, |tx| {
            write_entry(tx, entry, packs, is_on_server)?;
            for object in objects {
                let space = object.envelope().space;
                core_db::add_object(tx, &mut sealer, space, object.hash(), &object.to_wire())?;
            }
            Ok::<_, HomeError>(())
        })?;
        let is_new = self.team.is_none();
        self.team = Some(team);
        self.settle()?;
        if is_new {
            self.load_roster()?;
        }
        if !packs.is_empty() {
            self.load_keys()?;
        }
        Ok(())
    }

    /// Draws what follows from the log: the team's whole id once it is known, the member that this device belongs to, and room for the ledger
    /// of every notebook.
    pub(super) fn settle(&mut self) -> Result<(), HomeError> {
        self.register_notebooks();
        let Some(team) = &self.team else { return Ok(()) };
        let (id, member) = (team.id(), team.devices().get(&self.device).map(|device| device.member));
        let member = self.secrets.member.or(member);
        if (self.secrets.team, self.secrets.member) == (id, member) {
            return Ok(());
        }
        check_team(&self.secrets.team, &id)?;
        (self.secrets.team, self.secrets.member) = (id, member);
        self.keep_ring()
    }

    /// Writes the name and the first sheet of a notebook that this device created; what stands already is not written again.
    pub(crate) fn name_notebook(
        &mut self,
        notebook: NotebookId,
        name: Name,
        realm: Realm,
        now: Moment,
    ) -> Result<(), HomeError> {
        let spaces = (self.known_team()?.roster(), self.space(&notebook, SpaceKind::Ledger)?);
        let mut objects = notebook_objects(spaces, notebook, name, realm);
        let has_name = self.notebook_name(&notebook).is_some();
        let has_sheet = !self.ledger(&notebook)?.sheets().is_empty();
        objects.retain(|(space, _)| if *space == spaces.0 { !has_name } else { !has_sheet });
        let objects = self.sign_all(objects, now)?;
        self.record_objects(&objects, now)
    }

    fn sign_all(&self, objects: Vec<(SpaceId, Object)>, now: Moment) -> Result<Vec<SignedObject>, HomeError> {
        let sign = |(space, what)| self.sign_object(space, what, BTreeSet::new(), now);
        objects.into_iter().map(sign).collect()
    }

    /// Writes this member's and this device's names into the roster, once its key is here; names that stand already are not written again.
    pub(crate) fn write_own_names(&mut self, now: Moment) -> Result<(), HomeError> {
        let names = self.kept(Setting::OwnNames)?;
        let (Some(names), Some(team)) = (names, &self.team) else { return Ok(()) };
        let (roster, member, device) = (team.roster(), self.own_member()?, self.device);
        if !self.holds_epoch(&roster) {
            return Ok(());
        }
        let (name, device_name): (Name, Name) =
            cbor::decode(&names).map_err(|_| HomeError::Damaged(DamagedFile::Core))?;
        let mut objects = Vec::new();
        if !self.roster().members().contains_key(&member) {
            objects.push((roster, Object::MemberName(MemberName { member, name })));
        }
        if !self.roster().devices().contains_key(&device) {
            objects.push((roster, Object::DeviceName(DeviceName { device, member, name: device_name })));
        }
        let objects = self.sign_all(objects, now)?;
        self.record_objects(&objects, now)?;
        self.keep(&[(Setting::OwnNames, None)])
    }

    /// The notebooks in which this member has no private space yet, and may have one.
    pub(crate) fn notebooks_without_private_space(&self) -> Vec<NotebookId> {
        let (Some(team), Some(member)) = (&self.team, self.secrets.member) else { return Vec::new() };
        let may = self.own_role().is_ok_and(|role| role.may_hold(SpaceKind::Private));
        let lacks = |(id, notebook): &(&NotebookId, &Notebook)| {
            let has = team.space_of(id, SpaceKind::Private, Some(&member)).is_some();
            may && !has && !notebook.closed && !notebook.denied.contains(&member)
        };
        team.notebooks().iter().filter(lacks).map(|(id, _)| *id).collect()
    }
}

/// The ring knows the team; before the log has come it knows the beginning of its id, which is all that an invite tells.
fn check_team(known: &TeamId, founded: &TeamId) -> Result<(), HomeError> {
    let is_prefix = *known == known_prefix(TeamPrefix::from(*founded));
    if known == founded || is_prefix { Ok(()) } else { Err(HomeError::Conflict("the log is another team's")) }
}

/// What stands for a team's id while only its beginning is known: the rest is zeros.
pub(super) fn known_prefix(prefix: TeamPrefix) -> TeamId {
    let mut id = [0; TeamId::LEN];
    id.iter_mut().zip(prefix.as_bytes()).for_each(|(to, from)| *to = *from);
    TeamId::from_bytes(id)
}
