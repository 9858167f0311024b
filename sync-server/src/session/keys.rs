//! What a server demands of statements, seals and vault rows, none of which it could open.

use thicket_protocol::frame::Refusal;
use thicket_protocol::ids::{DeviceId, SpaceId};
use thicket_protocol::keys::{KeyError, Pack, PrekeyStatement, Seal};
use thicket_protocol::record::GovPoint;
use thicket_protocol::team::Team;

use super::{Member, Stop, demand};
use crate::limits::{PACK_BYTES_MAX, SEAL_BYTES_MAX, SEALS_WAITING_MAX, STATEMENT_BYTES_MAX};
use crate::store::Store;

/// Why bytes are not keys, for a peer.
#[allow(clippy::needless_pass_by_value, reason = "it stands behind map_err")]
fn refusal(error: KeyError) -> Refusal {
    if let KeyError::Version { .. } = error { Refusal::Version } else { Refusal::BadBytes }
}

/// Keeps a device's statement about itself; says whether it is new.
pub(super) fn put_statement(store: &mut Store, member: &Member, bytes: &[u8]) -> Result<bool, Stop> {
    demand(bytes.len() <= STATEMENT_BYTES_MAX, Refusal::Limit)?;
    let (team, statement) = (member.team.id(), PrekeyStatement::decode(bytes).map_err(refusal)?);
    let body = statement.body();
    demand(body.device == member.device, Refusal::Forbidden)?;
    let device = member.team.current(&member.device).ok_or(Refusal::NotAdmitted)?;
    demand(body.team == team && statement.verify(&device.key).is_ok(), Refusal::BadBytes)?;
    if let Some((counter, kept)) = store.statement(&team, &member.device)? {
        if kept == bytes {
            return Ok(false);
        }
        demand(body.counter > counter, Refusal::StalePrekey)?;
    }
    demand(store.knows_point(&team, &body.gov)?, Refusal::BadBytes)?;
    store.put_statement(&team, &statement)?;
    Ok(true)
}

/// Checks all that a server can of a seal; `staged` is the point of the entry that it comes with.
pub(super) fn check_seal(
    store: &Store,
    team: &Team,
    bytes: &[u8],
    staged: Option<GovPoint>,
) -> Result<Seal, Stop> {
    demand(bytes.len() <= SEAL_BYTES_MAX, Refusal::Limit)?;
    let seal = Seal::decode(bytes).map_err(refusal)?;
    let body = seal.body();
    let sealer = team.current(&body.sealer).ok_or(Refusal::Forbidden)?;
    demand(body.team == team.id() && seal.verify(&sealer.key).is_ok(), Refusal::BadBytes)?;
    let to = team.current(&body.device).ok_or(Refusal::Forbidden)?;
    let counter = store.statement(&team.id(), &body.device)?.map(|(counter, _)| counter);
    demand(counter == Some(body.counter), Refusal::StalePrekey)?;
    for epoch in &body.epochs {
        let space = team.spaces().get(&epoch.space).ok_or(Refusal::Forbidden)?;
        let both = [sealer, to].iter().all(|device| team.may_hold(&device.member, &epoch.space));
        demand(both, Refusal::Forbidden)?;
        demand(!space.due && space.newest().epoch == epoch.epoch, Refusal::StaleVault)?;
    }
    demand(staged == Some(body.gov) || store.knows_point(&team.id(), &body.gov)?, Refusal::BadBytes)?;
    Ok(seal)
}

/// Keeps a seal by the peer; says to whom, when it is new.
pub(super) fn put_seal(store: &mut Store, member: &Member, bytes: &[u8]) -> Result<Option<DeviceId>, Stop> {
    let team = member.team.id();
    let seal = check_seal(store, &member.team, bytes, None)?;
    let (device, counter) = (seal.body().device, seal.body().counter);
    demand(seal.body().sealer == member.device, Refusal::Forbidden)?;
    if store.has_seal(&team, &seal)? {
        return Ok(None);
    }
    if store.seals_count(&team, &device)? >= SEALS_WAITING_MAX {
        // Seals to earlier statements open nothing that the newest does not.
        store.drop_seals_before(&team, &device, counter)?;
        demand(store.seals_count(&team, &device)? < SEALS_WAITING_MAX, Refusal::Limit)?;
    }
    store.put_seal(&team, &seal)?;
    Ok(Some(device))
}

/// Reads a row of a vault.
pub(super) fn read_pack(bytes: &[u8]) -> Result<Pack, Stop> {
    demand(bytes.len() <= PACK_BYTES_MAX, Refusal::Limit)?;
    Ok(Pack::decode(bytes).map_err(refusal)?)
}

/// Adds a row to a vault; says to which, when it is new.
pub(super) fn put_pack(store: &mut Store, member: &Member, bytes: &[u8]) -> Result<Option<SpaceId>, Stop> {
    let pack = read_pack(bytes)?;
    let team = member.team.id();
    member.demand_space(&pack.space)?;
    let space = member.team.spaces().get(&pack.space).ok_or(Refusal::Forbidden)?;
    demand(!space.due && pack.epoch == space.newest().epoch, Refusal::StaleVault)?;
    for id in &pack.ids {
        demand(!member.team.is_shredded_in(&pack.space, id), Refusal::Shredded)?;
        if let Some(kept) = store.pack_of(&team, &pack.space, id)? {
            // Sent again because the answer was lost.
            return if kept == bytes { Ok(None) } else { Err(Refusal::KnownKey.into()) };
        }
    }
    store.put_pack(&team, &pack, bytes)?;
    Ok(Some(pack.space))
}
