//! What a server demands of a batch.

use thicket_protocol::frame::Refusal;
use thicket_protocol::ids::{DocTag, SpaceId};
use thicket_protocol::record::{Batch, Receipt, ReceiptBody, RecordError};
use thicket_protocol::sign::{SUITE, VERSION};

use super::{Member, Stop, demand};
use crate::store::{Kept, Store};

/// A batch that stands in its chain.
pub(super) struct Pushed {
    /// The signed receipt.
    pub(super) receipt: Vec<u8>,
    /// The space and the position, unless the batch stood there before.
    pub(super) new: Option<(SpaceId, u64)>,
}

/// Takes a batch; one that is sent again gets its receipt again.
pub(super) fn push(store: &mut Store, member: &Member, bytes: &[u8]) -> Result<Pushed, Stop> {
    let batch = Batch::decode(bytes).map_err(|error| {
        if let RecordError::Version { .. } = error {
            Refusal::Version
        } else if let RecordError::TooLarge(_) = error {
            Refusal::Limit
        } else {
            Refusal::BadBytes
        }
    })?;
    let (team, head) = (member.team.id(), batch.head());
    demand(head.device == member.device, Refusal::Forbidden)?;
    let device = member.team.current(&member.device).ok_or(Refusal::NotAdmitted)?;
    demand(batch.verify(&device.key).is_ok(), Refusal::BadBytes)?;
    member.demand_space(&head.space)?;
    if let Some(kept) = store.batch(&team, &head.space, &member.device, head.seq)? {
        demand(kept.hash == batch.hash(), Refusal::Fork)?;
        return Ok(Pushed { receipt: receipt(store, member, &batch, kept), new: None });
    }
    check_place(store, member, &batch)?;
    let dead = dead(member, &batch)?;
    let kept = store.append_batch(&team, &batch, bytes.len(), dead)?;
    let new = Some((head.space, kept.at.pos));
    Ok(Pushed { receipt: receipt(store, member, &batch, kept), new })
}

/// Checks that a new batch goes on from the device's last, the log and the epochs.
fn check_place(store: &Store, member: &Member, batch: &Batch) -> Result<(), Stop> {
    let (team, head) = (&member.team, batch.head());
    // A batch says itself that the first has none before it.
    if let Some(before) = head.seq.checked_sub(1).filter(|before| *before > 0) {
        let before = store.batch(&team.id(), &head.space, &member.device, before)?;
        demand(before.is_some_and(|before| before.hash == head.prev), Refusal::Gap)?;
    }
    let space = team.spaces().get(&head.space).ok_or(Refusal::Forbidden)?;
    let notebook = space.notebook.as_ref().and_then(|notebook| team.notebooks().get(notebook));
    demand(notebook.is_none_or(|notebook| !notebook.closed), Refusal::Forbidden)?;
    demand((1..=space.newest().epoch).contains(&head.epoch), Refusal::BadBytes)?;
    demand(store.knows_point(&team.id(), &head.gov)?, Refusal::BadBytes)
}

/// The indices of bodies that are not kept because their key is shredded; no other body may be left out.
fn dead(member: &Member, batch: &Batch) -> Result<Vec<u8>, Stop> {
    let mut dead = Vec::new();
    for (index, (item, body)) in (0_u8..=u8::MAX).zip(batch.items().iter().zip(batch.bodies())) {
        let (space, tag) = (&batch.head().space, item.doc_tag);
        if tag != DocTag::EVENT && member.team.is_shredded_in(space, &tag.into()) {
            dead.push(index);
        } else {
            demand(body.is_some(), Refusal::BadBytes)?;
        }
    }
    Ok(dead)
}

fn receipt(store: &Store, member: &Member, batch: &Batch, kept: Kept) -> Vec<u8> {
    let body = ReceiptBody {
        v: VERSION,
        suite: SUITE,
        incarnation: store.incarnation(),
        space: batch.head().space,
        device: member.device,
        seq: kept.seq,
        batch: kept.hash,
        at: kept.at,
        dead: kept.dead,
    };
    let receipt = Receipt::sign(body, store.signer()).expect("a receipt of our own making is read back");
    receipt.bytes().to_vec()
}
