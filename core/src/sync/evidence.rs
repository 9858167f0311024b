//! What a server must not have said: its words against its earlier words, and against what devices signed.

use thicket_protocol::frame::{Tips, TipsBody};
use thicket_protocol::sign::{SUITE, VERSION};

use super::{SyncError, SyncSession};
use crate::home::Home;
use crate::store::core_db::{self, Setting};
use crate::time::Moment;

impl SyncSession {
    /// Stops sync for good, with the signed words in a file.
    pub(super) fn distrust(
        &self,
        home: &mut Home,
        why: &'static str,
        signed: &[&[u8]],
        now: Moment,
    ) -> SyncError {
        let tips = self.welcome.as_ref().map(|welcome| welcome.tips.bytes());
        let kept = match home.kept(Setting::Tips) {
            Ok(kept) => kept,
            Err(error) => return error.into(),
        };
        let all: Vec<&[u8]> =
            signed.iter().copied().chain(tips).chain(kept.as_deref().map(Vec::as_slice)).collect();
        match home.keep_evidence(why, &all, now) {
            Ok(evidence) => SyncError::Distrust { evidence },
            Err(error) => error.into(),
        }
    }

    /// Reads tips and checks that this server signed them, of this team.
    pub(super) fn read_tips(&self, home: &Home, bytes: &[u8]) -> Result<Tips, SyncError> {
        let tips = Tips::decode(bytes).map_err(|_| SyncError::Protocol("tips that cannot be read"))?;
        let TipsBody { v, suite, team, spaces, .. } = tips.body();
        let is_ours = match &self.code {
            Some(code) => code.team == (*team).into(),
            None => *team == home.team_id(),
        };
        if tips.verify(&self.server.key).is_err() || (*v, *suite) != (VERSION, SUITE) || !is_ours {
            return Err(SyncError::Protocol("tips that this server did not sign for this team"));
        }
        if !spaces.is_sorted_by(|before, after| before.space < after.space) {
            return Err(SyncError::Protocol("tips whose spaces do not ascend"));
        }
        Ok(tips)
    }

    /// Holds the tips of this connection against those of the last, and against what was read and placed since.
    pub(super) fn check_tips(&self, home: &mut Home, now: Moment) -> Result<(), SyncError> {
        let tips = self.welcome()?.tips.body().clone();
        if let Some(bytes) = home.kept(Setting::Tips)?
            && let Ok(before) = Tips::decode(&bytes)
            && before.body().incarnation == tips.incarnation
            && goes_back(before.body(), &tips)
        {
            return Err(self.distrust(home, "tips go back behind earlier tips", &[], now));
        }
        for tip in &tips.spaces {
            let read = home.read_up_to(tip.space)?;
            let known = if tip.at.pos == read.pos {
                Some(read.root)
            } else {
                core_db::root_at(home.core_rows(), tip.space, tip.at.pos)
                    .map_err(crate::home::HomeError::from)?
            };
            let is_fork = tip.at.pos > 0 && known.is_some_and(|root| root != tip.at.root);
            if tip.at.pos < read.pos || is_fork {
                return Err(self.distrust(home, "tips contradict what was read and sent", &[], now));
            }
        }
        Ok(())
    }
}

/// Whether tips take something back that earlier ones of the same life said. Spaces that are missing were taken away.
fn goes_back(before: &TipsBody, after: &TipsBody) -> bool {
    let gov = match (before.gov, after.gov) {
        (Some(before), Some(after)) => {
            after.seq < before.seq || (after.seq == before.seq && after.hash != before.hash)
        }
        (Some(_), None) => true,
        (None, _) => false,
    };
    gov || before.spaces.iter().any(|tip| {
        let now = after.spaces.iter().find(|of| of.space == tip.space);
        now.is_some_and(|now| {
            now.at.pos < tip.at.pos || (now.at.pos == tip.at.pos && now.at.root != tip.at.root)
        })
    })
}
