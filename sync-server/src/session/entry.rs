//! What a server demands of a governance entry, and of the keys that it stages.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::ByteVec;
use thicket_protocol::frame::Refusal;
use thicket_protocol::governance::{Act, Author, Entry, EpochTurn, ShredList};
use thicket_protocol::ids::{DeviceId, SpaceId, TeamId};
use thicket_protocol::keys::{Pack, PrekeyStatement, SpaceEpoch, vault_hash};
use thicket_protocol::team::{Team, TeamError};

use super::{Standing, Stop, demand, keys};
use crate::limits::TEAMS_MAX;
use crate::store::{Staged, StagedVault, Store};

/// Appends an entry with all that it stages, or nothing; says whether it brought keys.
pub(super) fn put_entry(
    store: &mut Store,
    id: TeamId,
    standing: &Standing,
    entry: &Entry,
    packs: &[ByteVec],
    seals: &[ByteVec],
) -> Result<bool, Stop> {
    let team = match standing {
        Standing::Founder => found(store, id, entry)?,
        Standing::Device(team) | Standing::Paper(team) => {
            let mut team = Team::clone(team);
            team.apply(entry).map_err(refusal)?;
            team
        }
    };
    let act = &entry.body().act;
    let mut staged = Staged { vaults: stage_vaults(store, &team, &act.turns(), packs)?, ..Staged::default() };
    let mut given = BTreeSet::new();
    for bytes in seals {
        let seal = keys::check_seal(store, &team, bytes, Some(entry.point()))?;
        demand(Author::Device(seal.body().sealer) == entry.body().author, Refusal::Forbidden)?;
        given.extend(seal.body().epochs.iter().map(|epoch| (seal.body().device, *epoch)));
        staged.seals.push(seal);
    }
    demand_seals(store, &team, entry, &given)?;
    if let Act::MemberAdd { prekey, .. } | Act::DeviceAdd { prekey, .. } = act {
        let statement = PrekeyStatement::decode(prekey).map_err(|_| Refusal::BadEntry)?;
        demand(store.knows_point(&id, &statement.body().gov)?, Refusal::BadEntry)?;
        staged.statement = Some(statement);
    }
    if let Act::Shred { ids: ShredList::Here(ids), .. } = act {
        staged.shredded.clone_from(ids);
    }
    let new_keys = !staged.vaults.is_empty() || !staged.seals.is_empty() || staged.statement.is_some();
    store.append_entry(team, entry, &staged)?;
    Ok(new_keys)
}

fn found(store: &Store, id: TeamId, genesis: &Entry) -> Result<Team, Stop> {
    let team = Team::found(genesis).map_err(|_| Refusal::UnknownTeam)?;
    demand(team.id() == id, Refusal::UnknownTeam)?;
    demand(store.teams_count()? < TEAMS_MAX, Refusal::Limit)?;
    Ok(team)
}

fn refusal(error: TeamError) -> Refusal {
    match error {
        TeamError::NotNext => Refusal::Behind,
        TeamError::Forbidden(_) => Refusal::Forbidden,
        TeamError::Limit(_) => Refusal::Limit,
        // What this server has no word for is a rule that it does not know.
        TeamError::Signature | TeamError::Contradiction(_) | _ => Refusal::BadEntry,
    }
}

/// Sorts the staged rows to the epochs that they belong to, and checks each vault against its turn.
fn stage_vaults(
    store: &Store,
    team: &Team,
    turns: &[&EpochTurn],
    packs: &[ByteVec],
) -> Result<Vec<StagedVault>, Stop> {
    let mut rows: BTreeMap<SpaceId, Vec<(Vec<u8>, Pack)>> =
        turns.iter().map(|turn| (turn.space, Vec::new())).collect();
    let mut known = BTreeSet::new();
    for bytes in packs {
        let pack = keys::read_pack(bytes)?;
        let turns_here = turns.iter().any(|turn| (turn.space, turn.epoch) == (pack.space, pack.epoch));
        demand(turns_here, Refusal::BadEntry)?;
        for id in &pack.ids {
            demand(!team.is_shredded_in(&pack.space, id), Refusal::Shredded)?;
            demand(known.insert((pack.space, *id)), Refusal::KnownKey)?;
        }
        if let Some(rows) = rows.get_mut(&pack.space) {
            rows.push((bytes.to_vec(), pack));
        }
    }
    turns
        .iter()
        .map(|turn| {
            let packs = rows.remove(&turn.space).unwrap_or_default();
            let hash = vault_hash(packs.iter().map(|(bytes, _)| bytes.as_slice()));
            demand(hash == turn.vault, Refusal::BadBytes)?;
            let present = store.space(&team.id(), &turn.space)?.map_or(0, |space| space.vault);
            demand(turn.made_from == present, Refusal::StaleVault)?;
            Ok(StagedVault { space: turn.space, epoch: turn.epoch, packs })
        })
        .collect()
}

/// Demands a seal of every new epoch to every device that may hold it. A device that never published a statement
/// cannot be sealed to, and is given the epoch later.
fn demand_seals(
    store: &Store,
    team: &Team,
    entry: &Entry,
    given: &BTreeSet<(DeviceId, SpaceEpoch)>,
) -> Result<(), Stop> {
    for turn in entry.body().act.turns() {
        let epoch = SpaceEpoch { space: turn.space, epoch: turn.epoch };
        for device in team.holders(&turn.space) {
            let has = entry.body().author == Author::Device(device)
                || given.contains(&(device, epoch))
                || store.statement(&team.id(), &device)?.is_none();
            demand(has, Refusal::MissingSeal)?;
        }
    }
    Ok(())
}
