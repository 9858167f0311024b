//! Answers that wait to be sent; long ones are read from the store frame by frame.

use std::collections::VecDeque;

use thicket_protocol::frame::{self, Refusal, Reply, VaultAt};
use thicket_protocol::ids::SpaceId;
use thicket_protocol::limits::{BATCH_BYTES_MAX, FRAME_LIST_MAX};

use super::{Member, ServerSession, Standing, Stop, standing};
use crate::limits::{GATHERED_BYTES_MAX, PACK_BYTES_MAX, SEAL_BYTES_MAX};
use crate::store::Store;

/// One answer, or what is left of it.
#[derive(Debug)]
pub(super) enum Answer {
    /// A whole frame.
    Frame(Vec<u8>),
    /// Entries from one up to another.
    Gov { from: u64, end: u64 },
    /// Statements and seals behind serials, and rows behind what is there of each vault.
    Keys { statements: u64, seals: u64, vaults: VecDeque<VaultAt> },
    /// Batches behind a position up to another.
    Batches { space: SpaceId, after: u64, end: u64, with_own: bool },
}

impl Answer {
    /// The answer of one frame.
    pub(super) fn of(reply: &Reply) -> Self {
        Self::Frame(frame::encode(reply))
    }
}

impl ServerSession {
    /// Writes the next frame of an answer, and puts what is left of it back to the front.
    pub(super) fn next_frame(&mut self, store: &mut Store, answer: Answer) -> Result<Vec<u8>, Stop> {
        let (reply, rest) = match answer {
            Answer::Frame(bytes) => return Ok(bytes),
            Answer::Gov { from, end } => self.next_entries(store, from, end)?,
            Answer::Keys { statements, seals, vaults } => {
                let member = self.member(store)?;
                next_keys(store, &member, statements, seals, vaults)?
            }
            Answer::Batches { space, after, end, with_own } => {
                let member = self.member(store)?;
                next_batches(store, &member, space, (after, end), with_own)?
            }
        };
        if let Some(rest) = rest {
            self.answers.push_front(rest);
        }
        Ok(frame::encode(&reply))
    }

    fn next_entries(&self, store: &mut Store, from: u64, end: u64) -> Result<(Reply, Option<Answer>), Stop> {
        let who = self.who.ok_or(Refusal::Malformed)?;
        let team = match standing(store, &who)? {
            Standing::Founder => return Err(Refusal::UnknownTeam.into()),
            Standing::Device(team) | Standing::Paper(team) => team,
        };
        let page = store.entries(&team.id(), from, end, GATHERED_BYTES_MAX)?;
        let rest = page.more.then_some(Answer::Gov { from: page.next, end });
        Ok((Reply::Gov { entries: page.items, more: page.more }, rest))
    }
}

fn next_batches(
    store: &Store,
    member: &Member,
    space: SpaceId,
    (after, end): (u64, u64),
    with_own: bool,
) -> Result<(Reply, Option<Answer>), Stop> {
    member.demand_space(&space)?;
    let spared = (!with_own).then_some(&member.device);
    let page = store.batches(&member.team.id(), &space, (after, end), spared, BATCH_BYTES_MAX)?;
    let rest = page.more.then_some(Answer::Batches { space, after: page.next, end, with_own });
    let first = after.saturating_add(1);
    Ok((Reply::Batches { space, first, batches: page.items, more: page.more }, rest))
}

fn next_keys(
    store: &Store,
    member: &Member,
    statements: u64,
    seals: u64,
    mut vaults: VecDeque<VaultAt>,
) -> Result<(Reply, Option<Answer>), Stop> {
    let team = member.team.id();
    let told = store.statements(&team, statements, GATHERED_BYTES_MAX)?;
    let (mut room, mut more) = (told.room(), told.more);
    let (mut sealed, mut packs) = (Vec::new(), Vec::new());
    let mut seals = seals;
    if !more && room >= SEAL_BYTES_MAX {
        let page = store.seals(&team, &member.device, seals, room)?;
        (seals, room, more, sealed) = (page.next, page.room(), page.more, page.items);
    } else {
        more = true;
    }
    while !more && let Some(mut vault) = vaults.pop_front() {
        // A right that was lost, or an epoch that turned, since it was asked.
        if member.demand_space(&vault.space).is_err() {
            continue;
        }
        let Some(newest) = store.space(&team, &vault.space)? else { continue };
        if vault.epoch != newest.epoch {
            vault = VaultAt { epoch: newest.epoch, version: 0, ..vault };
        }
        if room < PACK_BYTES_MAX || packs.len() >= FRAME_LIST_MAX {
            more = true;
        } else {
            let page = store.packs(&team, &vault.space, vault.version, FRAME_LIST_MAX - packs.len(), room)?;
            (vault.version, room, more) = (page.next, page.room(), page.more);
            packs.extend(page.items);
        }
        if more {
            vaults.push_front(vault);
        }
    }
    let rest = more.then_some(Answer::Keys { statements: told.next, seals, vaults });
    Ok((Reply::Keys { statements: told.items, seals: sealed, packs, more }, rest))
}
