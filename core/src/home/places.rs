//! Where notes may lie: the shared space when all is covered, the private one otherwise, and where they wait for keys.

use std::collections::BTreeMap;

use thicket_protocol::governance::{Role, SpaceKind};
use thicket_protocol::ids::{MemberId, NotebookId, SpaceId};

use super::{Home, HomeError, Thing};
use crate::ids::NoteId;
use crate::secret::VaultKey;
use crate::store::Durability;
use crate::store::core_db::{self, Sealer};
use crate::time::Moment;

impl Home {
    /// This member, who may write notes in the notebook.
    pub(super) fn author(&self, notebook: &NotebookId) -> Result<MemberId, HomeError> {
        let team = self.known_team()?;
        let member = self.member().ok_or(HomeError::WaitingForKeys)?;
        let open = team.notebooks().get(notebook).ok_or(HomeError::NotFound(Thing::Notebook))?;
        if open.closed {
            return Err(HomeError::Rule("the notebook is closed"));
        }
        match team.members().get(&member).map(|member| member.role) {
            Some(Role::Auditor) => Err(HomeError::Role { role: Role::Auditor }),
            Some(Role::Custodian | Role::Fieldworker | Role::LinkWorker | Role::Analyst) => Ok(member),
            None => Err(HomeError::WaitingForKeys),
        }
    }

    /// The shared space of a notebook, where this device can seal to it.
    pub(super) fn shared_space(&self, notebook: &NotebookId) -> Option<SpaceId> {
        let (team, member) = (self.team()?, self.member()?);
        let space = team.space_of(notebook, SpaceKind::Shared, None)?;
        (team.may_hold(&member, &space) && self.holds_epoch(&space)).then_some(space)
    }

    /// Where private notes go: this member's private space, or, until there is one, where they wait for it.
    pub(super) fn private_space(&self, notebook: &NotebookId) -> Result<SpaceId, HomeError> {
        let team = self.known_team()?;
        let member = self.member().ok_or(HomeError::WaitingForKeys)?;
        let space = team.space_of(notebook, SpaceKind::Private, Some(&member));
        Ok(space.unwrap_or(SpaceId::from_bytes(*notebook.as_bytes())))
    }

    /// Moves what waits for this member's private spaces to those that there are now.
    pub(crate) fn place_waiting(&mut self) -> Result<(), HomeError> {
        let (Some(team), Some(member)) = (&self.team, self.secrets.member) else { return Ok(()) };
        let places: BTreeMap<SpaceId, SpaceId> = team
            .notebooks()
            .keys()
            .filter_map(|notebook| {
                let space = team.space_of(notebook, SpaceKind::Private, Some(&member))?;
                Some((SpaceId::from_bytes(*notebook.as_bytes()), space))
            })
            .collect();
        let Self { core, secrets, entropy, .. } = self;
        let mut waiting = 0;
        for waits in places.keys() {
            waiting += core_db::count_unsent(core.read(), *waits)?.0;
        }
        if waiting == 0 {
            return Ok(());
        }
        let keys = core_db::own_keys(core.read(), &secrets.local)?;
        let mut moved: Vec<(SpaceId, SpaceId, VaultKey)> = Vec::new();
        for (waits, key) in keys {
            moved.extend(places.get(&waits).map(|space| (waits, *space, key)));
        }
        let mut bodies = Vec::new();
        for (waits, space) in &places {
            let rows = core_db::unsent_after(core.read(), &secrets.local, Some(*waits), 0, usize::MAX)?;
            bodies.extend(rows.into_iter().map(|row| (*space, row)));
        }
        core.write(Durability::Full, |tx| -> Result<(), HomeError> {
            let mut sealer = Sealer { key: &secrets.local, entropy: &mut **entropy };
            for (waits, space, key) in &moved {
                core_db::remove_own_keys(tx, *waits, &[key.id()])?;
                core_db::add_own_key(tx, &mut sealer, *space, key)?;
            }
            for (space, row) in &bodies {
                core_db::put_unsent(tx, &mut sealer, *space, row.generation, &row.body)?;
            }
            Ok(())
        })?;
        for (_, space, key) in moved {
            self.keys.insert(space, key);
        }
        self.follow().map(drop)
    }

    /// Goes on with all that waited, after keys came: places what was written without them, opens what did not
    /// open, and releases what is covered.
    pub(crate) fn settle_waiting(&mut self, now: Moment) -> Result<Vec<NoteId>, HomeError> {
        self.place_waiting()?;
        self.take_waiting(now)?;
        self.release_covered(now)
    }
}
