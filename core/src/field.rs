//! A small field for tests: people, places, times, and signed events about them.

use std::collections::BTreeSet;

use thicket_protocol::ids::{DeviceId, Hash, MemberId, NotebookId, SpaceId};
use thicket_protocol::sign::Signer;

use crate::consent::{Act, Activities, Bound, Consent, ConsentEvent, Occasion, Withdrawal};
use crate::ids::{ConsentId, EncounterId, ParticipantId};
use crate::ledger::Ledger;
use crate::object::{Envelope, Object, Signatory, SignedObject, Verified};
use crate::sheet::InfoSheet;
use crate::time::{Moment, Observed};
use crate::vocabulary::{Activity, Actor, Channel, Hold, LawfulBasis, Mode, Scope, UseLeft};

pub(crate) const SPACE: SpaceId = SpaceId::from_bytes([0x5a; 16]);
pub(crate) const NOTEBOOK: NotebookId = NotebookId::from_bytes([0x4b; 16]);
pub(crate) const MEMBER: MemberId = MemberId::from_bytes([0x33; 16]);
pub(crate) const SAM: ParticipantId = ParticipantId::from_bytes([1; 16]);
pub(crate) const ABBY: ParticipantId = ParticipantId::from_bytes([2; 16]);
pub(crate) const NOBODY_KNOWN: ParticipantId = ParticipantId::from_bytes([9; 16]);
pub(crate) const MON: &str = "2026-11-23";
pub(crate) const TUE: &str = "2026-11-24";
pub(crate) const WED: &str = "2026-11-25";

pub(crate) fn encounter(number: u8) -> EncounterId {
    EncounterId::from_bytes([number; 16])
}

pub(crate) fn consent_id(number: u8) -> ConsentId {
    ConsentId::from_bytes([number; 16])
}

pub(crate) fn time(text: &str) -> Observed {
    text.parse().expect("a time of the test")
}

pub(crate) fn moment() -> Moment {
    Moment::new(1_795_600_000_000, 60).expect("a moment of the test")
}

pub(crate) fn signer() -> Signer {
    Signer::from_seed(&[7; 32])
}

pub(crate) fn signatory(custodian: bool) -> Signatory {
    Signatory { key: signer().public_key(), member: MEMBER, custodian }
}

pub(crate) fn envelope(what: Object) -> Envelope {
    Envelope::new(SPACE, MEMBER, DeviceId::derive(&signer().public_key()), moment(), what)
}

pub(crate) fn signed(envelope: Envelope) -> Verified {
    let object = SignedObject::sign(envelope, &signer()).expect("within the limits");
    object.verify(&SPACE, &signatory(true)).expect("signed by its signatory")
}

pub(crate) fn event(participant: ParticipantId, at: &str, actor: Actor, act: Act) -> Verified {
    let (at, evidence) = (time(at), BTreeSet::new());
    let event = ConsentEvent { participant, at, actor, witness: None, evidence, act };
    signed(envelope(Object::Consent(event)))
}

/// Sam's own words.
pub(crate) fn sam(at: &str, act: Act) -> Verified {
    event(SAM, at, Actor::Participant, act)
}

pub(crate) fn terms(number: u8, activity: Activity, bound: Bound) -> Consent {
    Consent {
        id: consent_id(number),
        activity,
        bound,
        mode: Mode::Verbal,
        scope: Consent::default_scope(),
        sheet: InfoSheet::first(NOTEBOOK).named(),
        language: None,
        interpreter: None,
        controller: None,
        lawful_basis: LawfulBasis::PublicTask,
        retention: None,
        withdrawal_method: Channel::InPerson,
        cut_off: None,
    }
}

pub(crate) fn given(consent: Consent, seen: &[&Verified]) -> Act {
    Act::Given { consent, seen: hashes(seen) }
}

/// An agreement to be observed, as far as the notebook.
pub(crate) fn agrees(number: u8, seen: &[&Verified]) -> Act {
    given(terms(number, Activity::Observation, Bound::Notebook), seen)
}

pub(crate) fn refuses(activity: Activity, encounter: Option<EncounterId>) -> Act {
    Act::Refused { activities: Activities::one(activity), encounter }
}

pub(crate) fn withdrawal(effective_from: Option<&str>, hold: Hold) -> Withdrawal {
    Withdrawal {
        received_at: moment(),
        effective_from: effective_from.map(time),
        channel: Channel::InPerson,
        hold,
        use_left: UseLeft::None,
        future_collection: false,
        cut_off_applied: false,
        reason: None,
    }
}

pub(crate) fn withdraws(activities: Activities) -> Act {
    Act::Withdrawn { activities, encounter: None, terms: withdrawal(None, Hold::Keep) }
}

pub(crate) fn hash(verified: &Verified) -> Hash {
    verified.object().hash()
}

pub(crate) fn hashes(all: &[&Verified]) -> BTreeSet<Hash> {
    all.iter().map(|one| hash(one)).collect()
}

pub(crate) fn ledger<'v>(all: impl IntoIterator<Item = &'v Verified>) -> Ledger {
    let mut ledger = Ledger::new();
    for one in all {
        ledger.insert(one);
    }
    ledger
}

pub(crate) fn observed(at: &str) -> Occasion {
    Occasion::observation(time(at))
}

pub(crate) fn need() -> BTreeSet<Scope> {
    Consent::default_scope()
}

/// Every order of `all`, by Heap's method; six events have 720.
pub(crate) fn permutations(all: &[Verified]) -> Vec<Vec<&Verified>> {
    fn exchange<'v>(length: usize, order: &mut Vec<&'v Verified>, out: &mut Vec<Vec<&'v Verified>>) {
        if length <= 1 {
            out.push(order.clone());
            return;
        }
        for turn in 0..length {
            exchange(length - 1, order, out);
            order.swap(if length.is_multiple_of(2) { turn } else { 0 }, length - 1);
        }
    }
    let (mut order, mut out) = (all.iter().collect::<Vec<_>>(), Vec::new());
    exchange(order.len(), &mut order, &mut out);
    out
}
