//! Keys: statements, seals and vault rows that come, and those that this device gives.

use minicbor::bytes::ByteVec;
use thicket_protocol::frame::{Numbered, Refusal, Request, VaultAt};
use thicket_protocol::ids::SpaceId;
use thicket_protocol::limits::FRAME_LIST_MAX;

use super::session::{Asked, Step};
use super::{SyncError, SyncSession};
use crate::home::Home;
use crate::store::core_db::Setting;
use crate::time::Moment;

/// Most times that keys are asked for in one round: for seals, for the vaults that these open, and once more.
const KEYS_ASKED_MAX: u32 = 4;
/// Most frames of one answer.
const KEY_FRAMES_MAX: u32 = 4_096;
/// Most vault rows or seals that are put before their answers are waited for.
const PUT_WINDOW: usize = 32;

/// Keys that were asked for.
#[derive(Debug, Default)]
pub(super) struct KeysAsked {
    statements: u64,
    seals: u64,
    frames: u32,
    has_new: bool,
}

impl SyncSession {
    /// Asks for keys that the welcome or a hint says are new.
    pub(super) fn step_keys(&mut self, home: &mut Home) -> Result<Step, SyncError> {
        let (statements, seals) = key_serials(home)?;
        let (latest_statement, latest_seal) = (self.welcome()?.statements, self.welcome()?.seals);
        let is_hinted = std::mem::take(&mut self.hints.keys);
        let has_seals = seals < latest_seal;
        let vaults = self.wanted_vaults(home, is_hinted, has_seals)?;
        let wants = is_hinted || has_seals || statements < latest_statement || !vaults.is_empty();
        if wants && self.keys_asked < KEYS_ASKED_MAX {
            self.keys_asked += 1;
            let asked = KeysAsked { statements, seals, ..KeysAsked::default() };
            self.ask(&Request::PullKeys { statements, seals, vaults }, Asked::Keys(asked))?;
            return Ok(Step::Asked);
        }
        if !has_seals {
            // Every seal to an earlier prekey was put before the newer statement stood, and has come.
            home.forget_prekeys_before(self.published_before)?;
        }
        Ok(Step::Done)
    }

    /// The vaults of which the server has rows that are not here, with how far they are here. Rows that no key here opens
    /// are not asked for, unless a seal may bring the key.
    fn wanted_vaults(
        &self,
        home: &Home,
        is_hinted: bool,
        has_seals: bool,
    ) -> Result<Vec<VaultAt>, SyncError> {
        let here = home.vaults()?;
        let tips = &self.welcome()?.tips.body().spaces;
        let mut wanted = Vec::new();
        for space in self.own_spaces(home) {
            let Some(at) = home.newest_epoch(&space) else { continue };
            let version = here.get(&space).filter(|of| of.0 == at.epoch).map_or(0, |of| of.1);
            let tip = tips.iter().find(|tip| tip.space == space).map_or(0, |tip| tip.vault);
            let is_held = home.epoch_key(at).is_some();
            let has_more = version < tip || is_hinted || (version == 0 && has_seals);
            if has_more && (is_held || has_seals || is_hinted) {
                wanted.push(VaultAt { space, epoch: at.epoch, version });
            }
        }
        wanted.sort_by_key(|vault| vault.space);
        wanted.truncate(FRAME_LIST_MAX);
        Ok(wanted)
    }

    pub(super) fn take_keys(
        &mut self,
        home: &mut Home,
        mut asked: KeysAsked,
        (statements, seals, packs): (&[Numbered], &[Numbered], &[ByteVec]),
        more: bool,
    ) -> Result<(), SyncError> {
        asked.frames += 1;
        let is_empty = statements.is_empty() && seals.is_empty() && packs.is_empty();
        if asked.frames > KEY_FRAMES_MAX || (more && is_empty) {
            return Err(SyncError::Protocol("an answer without end"));
        }
        asked.statements = last_serial(asked.statements, statements)?;
        asked.seals = last_serial(asked.seals, seals)?;
        if !statements.is_empty() {
            home.take_statements(&bytes_of(statements))?;
        }
        if !seals.is_empty() {
            asked.has_new |= home.take_seals(&bytes_of(seals))?;
        }
        if !packs.is_empty() {
            let packs: Vec<&[u8]> = packs.iter().map(|pack| pack.as_slice()).collect();
            asked.has_new |= home.take_packs(&packs)?;
        }
        if more {
            self.asked.push_front(Asked::Keys(asked));
            return Ok(());
        }
        let (statements, seals) = (self.welcome()?.statements, self.welcome()?.seals);
        // What was replaced since has left gaps behind which nothing will come.
        keep_key_serials(home, asked.statements.max(statements), asked.seals.max(seals))?;
        if asked.has_new {
            home.forget_turned_epochs()?;
            self.keys_came = true;
        }
        Ok(())
    }

    /// Publishes a prekey, when the last one says no longer which epochs are held.
    pub(super) fn step_publish(&mut self, home: &mut Home) -> Result<Step, SyncError> {
        if self.is_publishing_refused {
            return Ok(Step::Done);
        }
        let Some(said) = home.next_statement()? else { return Ok(Step::Done) };
        self.ask(&Request::PutStatement(said.bytes().to_vec()), Asked::Statement(Box::new(said)))?;
        Ok(Step::Asked)
    }

    /// Gives keys to the devices that lack them.
    pub(super) fn step_reseal(&mut self, home: &mut Home, now: Moment) -> Result<Step, SyncError> {
        let judged_ms = home.judged_ms(now);
        let mut seals = home.re_seals(judged_ms)?;
        seals.retain(|seal| !self.seals_refused.contains(&(seal.to, seal.mark)));
        if seals.is_empty() {
            return Ok(Step::Done);
        }
        for seal in seals.into_iter().take(PUT_WINDOW) {
            let (to, mark) = (seal.to, seal.mark);
            self.ask(&Request::PutSeal(seal.bytes), Asked::Seal { to, mark })?;
        }
        Ok(Step::Asked)
    }

    /// Adds own keys to vaults, and fetches the vaults behind them: their rows stand among those of others, and only what
    /// came back is known to be there.
    pub(super) fn step_packs(&mut self, home: &mut Home) -> Result<Step, SyncError> {
        let (mut packs, mut left, mut spaces) = (Vec::new(), 0, Vec::new());
        for space in self.own_spaces(home) {
            let keys = home.own_keys_of(space)?;
            if keys == 0 || !self.may_send(home, &space) {
                continue;
            }
            left += keys;
            spaces.push(space);
            packs.extend(home.packs_to_send(space)?);
        }
        if packs.is_empty() {
            return Ok(Step::Done);
        }
        // Own keys that do not come back: the next round finds out why.
        if self.own_keys_left.is_some_and(|before| left >= before) {
            self.is_short = true;
            return Ok(Step::Done);
        }
        self.own_keys_left = Some(left);
        packs.truncate(PUT_WINDOW);
        for pack in packs {
            self.ask(&Request::PutPack(pack), Asked::Pack)?;
        }
        self.ask_vaults(home, &spaces)?;
        Ok(Step::Asked)
    }

    fn ask_vaults(&mut self, home: &Home, spaces: &[SpaceId]) -> Result<(), SyncError> {
        let here = home.vaults()?;
        let (statements, seals) = key_serials(home)?;
        let at = |space: &SpaceId| {
            let at = home.newest_epoch(space)?;
            let version = here.get(space).filter(|of| of.0 == at.epoch).map_or(0, |of| of.1);
            Some(VaultAt { space: *space, epoch: at.epoch, version })
        };
        let mut vaults: Vec<VaultAt> = spaces.iter().filter_map(at).collect();
        vaults.sort_by_key(|vault| vault.space);
        let asked = KeysAsked { statements, seals, ..KeysAsked::default() };
        self.ask(&Request::PullKeys { statements, seals, vaults }, Asked::Keys(asked))
    }

    /// A row was refused: another holds its keys, or the epoch has turned. The vault that is fetched behind it tells.
    pub(super) fn take_refused_pack(&mut self, refusal: Refusal) -> Result<(), SyncError> {
        match refusal {
            Refusal::KnownKey => Ok(()),
            Refusal::StaleVault | Refusal::Shredded => {
                self.hints.gov = true;
                Ok(())
            }
            Refusal::Malformed
            | Refusal::Version
            | Refusal::Proof
            | Refusal::UnknownTeam
            | Refusal::UnknownInvite
            | Refusal::SpentInvite
            | Refusal::NotAdmitted
            | Refusal::Forbidden
            | Refusal::Behind
            | Refusal::BadEntry
            | Refusal::MissingSeal
            | Refusal::StalePrekey
            | Refusal::Gap
            | Refusal::Fork
            | Refusal::BadBytes
            | Refusal::Limit
            | Refusal::Storage
            | Refusal::Draining => Err(SyncError::Refused(refusal)),
        }
    }
}

fn bytes_of(numbered: &[Numbered]) -> Vec<&[u8]> {
    numbered.iter().map(|one| one.bytes.as_slice()).collect()
}

fn last_serial(before: u64, numbered: &[Numbered]) -> Result<u64, SyncError> {
    numbered.iter().try_fold(before, |before, one| {
        let follows = one.serial > before;
        follows.then_some(one.serial).ok_or(SyncError::Protocol("serials that do not ascend"))
    })
}

/// The last statement and the last seal that were taken in.
fn key_serials(home: &Home) -> Result<(u64, u64), SyncError> {
    let read = |name| -> Result<u64, SyncError> {
        let kept = home.kept(name)?;
        let kept = kept.and_then(|bytes| bytes.as_slice().try_into().ok()).map(u64::from_be_bytes);
        Ok(kept.unwrap_or(0))
    };
    Ok((read(Setting::StatementsSerial)?, read(Setting::SealsSerial)?))
}

fn keep_key_serials(home: &mut Home, statements: u64, seals: u64) -> Result<(), SyncError> {
    if key_serials(home)? == (statements, seals) {
        return Ok(());
    }
    Ok(home.keep(&[
        (Setting::StatementsSerial, Some(&statements.to_be_bytes())),
        (Setting::SealsSerial, Some(&seals.to_be_bytes())),
    ])?)
}
