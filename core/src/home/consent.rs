//! Recording what happens to consents, and showing where they stand.

use std::collections::BTreeSet;

use thicket_protocol::ids::{Hash, MemberId, NotebookId};

use super::{Home, HomeError};
use crate::consent::{Act, Bound};
use crate::ids::{ConsentId, NoteId, ParticipantId};
use crate::time::{Moment, Observed};
use crate::vocabulary::{Activity, Actor, Mode, Scope, State};

/// The terms of a new agreement; everything else is filled in: the notebook's newest sheet, the negatives seen.
#[derive(Debug, Clone)]
pub struct ConsentTerms {
    /// Whose.
    pub participant: ParticipantId,
    /// To what.
    pub activity: Activity,
    /// How it was made.
    pub mode: Mode,
    /// What it allows.
    pub scope: BTreeSet<Scope>,
    /// How far it goes.
    pub bound: Bound,
    /// When it was given.
    pub at: Observed,
}

/// What came of an agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The consent.
    pub consent: ConsentId,
    /// Its event.
    pub event: Hash,
    /// Where the consent stands now.
    pub state: State,
    /// The negatives that were seen, because this device knew them.
    pub seen: BTreeSet<Hash>,
    /// The notes that it let out of the private space by itself.
    pub released: Vec<NoteId>,
}

/// Another event to be recorded: a question, a refusal, a withdrawal, a narrowing, an invalidation, a change.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Whose consent it is about.
    pub participant: ParticipantId,
    /// When it happened.
    pub at: Observed,
    /// Who spoke.
    pub actor: Actor,
    /// What happened; not an agreement.
    pub act: Act,
}

/// What came of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The event.
    pub event: Hash,
    /// The consents that were in force and are not any more.
    pub withdrawn: BTreeSet<ConsentId>,
    /// The notes that it put on hold.
    pub notes_on_hold: Vec<NoteId>,
    /// The notes that it let out (an invalidated negative cannot; a narrowing never does): mostly none.
    pub released: Vec<NoteId>,
}

/// One event of a consent as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventShown {
    /// Its name.
    pub hash: Hash,
    /// What happened, [`Act::as_str`].
    pub what: &'static str,
    /// When it happened.
    pub at: Observed,
    /// When it was recorded.
    pub recorded_at: Moment,
    /// Who recorded it.
    pub by: MemberId,
}

/// How one participant stands to one activity: a consent with its events, or what was said without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentShown {
    /// The consent; none where there are only questions or negatives about the activity.
    pub id: Option<ConsentId>,
    /// To what.
    pub activity: Activity,
    /// Where it stands today.
    pub state: State,
    /// What it allows after everything that narrowed it.
    pub scope: BTreeSet<Scope>,
    /// How far it goes.
    pub bound: Option<Bound>,
    /// Its events, by time.
    pub events: Vec<EventShown>,
}

impl Home {
    /// Records a grant of consent, with every negative that this device knows as seen, and releases what it covers.
    pub fn record_consent(
        &mut self,
        notebook: &NotebookId,
        terms: ConsentTerms,
        now: Moment,
    ) -> Result<Granted, HomeError> {
        todo!()
    }

    /// Records what else happened. A withdrawal puts notes on hold at once.
    pub fn record_event(
        &mut self,
        notebook: &NotebookId,
        event: NewEvent,
        now: Moment,
    ) -> Result<Recorded, HomeError> {
        todo!()
    }

    /// Shows how a participant stands to every activity that anything was said about.
    pub fn consents(
        &self,
        notebook: &NotebookId,
        participant: &ParticipantId,
        now: Moment,
    ) -> Result<Vec<ConsentShown>, HomeError> {
        todo!()
    }

    /// Finds a consent by id or unique prefix of it.
    pub fn find_consent(&self, notebook: &NotebookId, name: &str) -> Result<ConsentId, HomeError> {
        todo!()
    }
}
