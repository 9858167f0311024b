//! Who has proved a key on a connection, and what that allows at the moment of a request.

use std::sync::Arc;

use thicket_protocol::frame::{Refusal, Reply, Tip, Tips, TipsBody};
use thicket_protocol::ids::{DeviceId, PublicKey, SpaceId, TeamId};
use thicket_protocol::record::GovPoint;
use thicket_protocol::sign::{SUITE, VERSION};
use thicket_protocol::team::{InviteState, Team};

use super::{Stop, demand};
use crate::store::Store;

/// Who has proved its key on this connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who {
    Device {
        team: TeamId,
        key: PublicKey,
        device: DeviceId,
    },
    /// `admitted` once it has admitted its device on this connection.
    Paper {
        team: TeamId,
        key: PublicKey,
        admitted: bool,
    },
}

/// What somebody may do at the moment of a request.
pub(super) enum Standing {
    /// A device of a team that is not there yet.
    Founder,
    /// A current device.
    Device(Arc<Team>),
    /// The holder of an invite or of a recovery kit.
    Paper(Arc<Team>),
}

/// A current device with its team.
pub(super) struct Member {
    pub(super) team: Arc<Team>,
    pub(super) device: DeviceId,
}

impl Member {
    /// Demands that the device may hold a space now.
    pub(super) fn demand_space(&self, space: &SpaceId) -> Result<(), Stop> {
        let holds = self.team.current(&self.device).is_some_and(|of| self.team.may_hold(&of.member, space));
        demand(holds, Refusal::Forbidden)
    }
}

/// Judges what a peer may do now.
pub(super) fn standing(store: &mut Store, who: &Who) -> Result<Standing, Stop> {
    match who {
        Who::Device { team, key, device } => match store.team(team)? {
            None => Ok(Standing::Founder),
            Some(team) => {
                demand(team.current(device).is_some_and(|of| of.key == *key), Refusal::NotAdmitted)?;
                Ok(Standing::Device(team))
            }
        },
        Who::Paper { team, key, admitted } => {
            let team = store.team(team)?.ok_or(Refusal::UnknownTeam)?;
            let is_kit = team.members().values().any(|member| member.kit.as_ref() == Some(key));
            let state = team.invites().get(key).map(|invite| invite.state);
            match state {
                Some(InviteState::Open) => {}
                _ if is_kit || *admitted => {}
                Some(InviteState::Used(_) | InviteState::Struck) => return Err(Refusal::SpentInvite.into()),
                None => return Err(Refusal::UnknownInvite.into()),
            }
            Ok(Standing::Paper(team))
        }
    }
}

/// Tells a peer where everything stands that it may read.
pub(super) fn welcome(store: &mut Store, who: &Who, standing: &Standing, now_ms: i64) -> Result<Reply, Stop> {
    let id = match who {
        Who::Device { team, .. } | Who::Paper { team, .. } => *team,
    };
    let (mut gov, mut spaces, mut serials): (Option<GovPoint>, _, _) = (None, Vec::new(), (0, 0));
    if let Standing::Device(team) | Standing::Paper(team) = standing {
        gov = Some(team.head());
    }
    if let (Who::Device { device, .. }, Standing::Device(team)) = (who, standing) {
        for space in team.spaces_of(device) {
            if let Some(state) = store.space(&id, &space)? {
                spaces.push(Tip { space, at: state.at, vault: state.vault });
            }
        }
        serials = store.serials(&id, device)?;
    }
    let incarnation = store.incarnation();
    let body = TipsBody { v: VERSION, suite: SUITE, team: id, incarnation, now_ms, gov, spaces };
    let tips = Tips::sign(body, store.signer()).expect("tips of our own making are read back");
    Ok(Reply::Welcome { tips: tips.bytes().to_vec(), statements: serials.0, seals: serials.1 })
}
