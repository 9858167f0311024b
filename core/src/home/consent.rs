//! Recording what happens to consents, and showing where they stand.

use std::collections::BTreeSet;

use thicket_protocol::governance::{Role, SpaceKind};
use thicket_protocol::ids::{Hash, MemberId, NotebookId};

use super::ledgers::find;
use super::{Home, HomeError, Thing};
use crate::consent::{Act, Activities, Bound, Consent, ConsentEvent};
use crate::ids::{ConsentId, NoteId, ParticipantId};
use crate::ledger::{Ledger, RecordedEvent};
use crate::object::Object;
use crate::sheet::InfoSheet;
use crate::store::derived_db;
use crate::time::{Day, Moment, Observed};
use crate::vocabulary::{Activity, Actor, Channel, LawfulBasis, Mode, Scope, StampStatus, State};

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
    ///
    /// A correction, which answers negatives that were entered for the wrong person, is a custodian's.
    pub fn record_consent(
        &mut self,
        notebook: &NotebookId,
        terms: ConsentTerms,
        now: Moment,
    ) -> Result<Granted, HomeError> {
        self.check_participant(notebook, &terms.participant)?;
        let ledger = self.ledger(notebook)?;
        let ConsentTerms { participant, activity, mode, scope, bound, at } = terms;
        if let Bound::Encounter(encounter) = bound
            && !ledger.encounters().contains_key(&encounter)
        {
            return Err(HomeError::NotFound(Thing::Encounter));
        }
        if scope.is_empty() {
            return Err(HomeError::Invalid("a consent allows something"));
        }
        let (seen, sheet) = (ledger.seen_now(&participant), newest_sheet(ledger, notebook, activity).named());
        let actor = match mode {
            Mode::Correction => {
                self.check_correction(&seen)?;
                Actor::Researcher
            }
            Mode::Proxy => Actor::Proxy,
            Mode::Written | Mode::Verbal | Mode::VerbalAudio | Mode::RemotePhone | Mode::RemoteWritten => {
                Actor::Participant
            }
        };
        let id = ConsentId::from_bytes(self.entropy.bytes());
        let consent = Consent {
            id,
            activity,
            bound,
            mode,
            scope,
            sheet,
            language: None,
            interpreter: None,
            controller: None,
            lawful_basis: LawfulBasis::Consent,
            retention: None,
            withdrawal_method: Channel::InPerson,
            cut_off: None,
        };
        let act = Act::Given { consent, seen: seen.clone() };
        let event = self.record_act(notebook, NewEvent { participant, at, actor, act }, now)?;
        let released = self.release_covered(now)?;
        let state = self.ledger(notebook)?.consent_state(&id, self.today(now));
        Ok(Granted { consent: id, event, state, seen, released })
    }

    fn check_correction(&self, seen: &BTreeSet<Hash>) -> Result<(), HomeError> {
        let role = self.own_role()?;
        if role != Role::Custodian {
            return Err(HomeError::Role { role });
        }
        if seen.is_empty() {
            return Err(HomeError::Invalid("there is no refusal or withdrawal to correct"));
        }
        Ok(())
    }

    /// Records what else happened. A withdrawal puts notes on hold at once; one that changes nothing is a conflict.
    pub fn record_event(
        &mut self,
        notebook: &NotebookId,
        event: NewEvent,
        now: Moment,
    ) -> Result<Recorded, HomeError> {
        self.check_participant(notebook, &event.participant)?;
        let participant = event.participant;
        check_event(self.ledger(notebook)?, &event)?;
        let is_narrowing = matches!(event.act, Act::Narrowed { .. });
        let before = self.on_hold(&participant)?;
        let hash = self.record_act(notebook, event, now)?;
        let after = self.on_hold(&participant)?;
        let ledger = self.ledger(notebook)?;
        let mut withdrawn = ledger.affected(&participant, &hash);
        // What was narrowed is in force for what is left.
        withdrawn.retain(|consent| !is_narrowing || ledger.scope(consent).is_empty());
        let released = self.release_covered(now)?;
        let notes_on_hold = after.difference(&before).copied().collect();
        Ok(Recorded { event: hash, withdrawn, notes_on_hold, released })
    }

    fn record_act(&mut self, notebook: &NotebookId, event: NewEvent, now: Moment) -> Result<Hash, HomeError> {
        let NewEvent { participant, at, actor, act } = event;
        let event = ConsentEvent { participant, at, actor, witness: None, evidence: BTreeSet::new(), act };
        let space = self.space(notebook, SpaceKind::Ledger)?;
        let sign = |at| self.sign_object(space, Object::Consent(event.clone()), BTreeSet::new(), at);
        let (mut object, mut recorded_at) = (sign(now)?, now);
        // What is said twice in one millisecond is two events, not one that is known already.
        while self.ledger(notebook)?.holds(&object.hash()) {
            let next = Moment::new(recorded_at.unix_ms() + 1, recorded_at.offset_minutes());
            recorded_at = next.map_err(|_| HomeError::Invalid("the clock is at the end of time"))?;
            object = sign(recorded_at)?;
        }
        let hash = object.hash();
        self.record_objects(&[object], now)?;
        Ok(hash)
    }

    /// The day by which a consent's end is judged, where this device is: a clock that was set back revives none.
    fn today(&self, now: Moment) -> Day {
        Moment::new(self.judged_ms(now), now.offset_minutes()).unwrap_or(now).day()
    }

    /// The shown notes about somebody that are on hold.
    fn on_hold(&self, participant: &ParticipantId) -> Result<BTreeSet<NoteId>, HomeError> {
        let db = self.derived.read();
        let mut notes = BTreeSet::new();
        for generation in derived_db::generations_about(db, *participant)? {
            if let Some(row) = derived_db::generation(db, generation)?
                && row.is_shown
                && row.status == StampStatus::OnHold
            {
                notes.insert(row.note);
            }
        }
        Ok(notes)
    }

    fn check_participant(&self, notebook: &NotebookId, participant: &ParticipantId) -> Result<(), HomeError> {
        self.check_fieldwork(notebook)?;
        let is_known = self.ledger(notebook)?.participants().contains_key(participant);
        if is_known { Ok(()) } else { Err(HomeError::NotFound(Thing::Participant)) }
    }

    /// Shows how a participant stands to every activity that anything was said about.
    pub fn consents(
        &self,
        notebook: &NotebookId,
        participant: &ParticipantId,
        now: Moment,
    ) -> Result<Vec<ConsentShown>, HomeError> {
        let ledger = self.ledger(notebook)?;
        if !ledger.participants().contains_key(participant) {
            return Err(HomeError::NotFound(Thing::Participant));
        }
        let (events, today) = (ledger.events(participant), self.today(now));
        let consents = ledger.consents(participant);
        let mut shown: Vec<_> = consents
            .iter()
            .map(|consent| ConsentShown {
                id: Some(consent.id),
                activity: consent.activity,
                state: ledger.consent_state(&consent.id, today),
                scope: ledger.scope(&consent.id),
                bound: Some(consent.bound),
                events: shown_events(&events, |act| match act.consent() {
                    Some(id) => id == consent.id,
                    None => about(act).is_none_or(|activities| activities.hold(consent.activity)),
                }),
            })
            .collect();
        let agreed: BTreeSet<Activity> = consents.iter().map(|consent| consent.activity).collect();
        for activity in activities_of(&events, !agreed.is_empty()) {
            if !agreed.contains(&activity) {
                shown.push(ConsentShown {
                    id: None,
                    activity,
                    state: ledger.state(participant, activity, today),
                    scope: BTreeSet::new(),
                    bound: None,
                    events: shown_events(&events, |act| about(act).is_some_and(|of| of.hold(activity))),
                });
            }
        }
        shown.sort_by_key(|one| (one.activity, one.id));
        Ok(shown)
    }

    /// Shows what somebody is told before they are asked for an activity: the sheet that a consent recorded now would name.
    pub fn information_sheet(
        &self,
        notebook: &NotebookId,
        activity: Activity,
    ) -> Result<InfoSheet, HomeError> {
        Ok(newest_sheet(self.ledger(notebook)?, notebook, activity))
    }

    /// Finds a consent by id or unique prefix of it.
    pub fn find_consent(&self, notebook: &NotebookId, name: &str) -> Result<ConsentId, HomeError> {
        let ledger = self.ledger(notebook)?;
        let given = ledger.terms.keys().filter(|id| ledger.consent(id).is_some());
        find(Thing::Consent, name, given.map(|id| (*id, None)))
    }
}

/// The newest sheet of a notebook that explains an activity; every notebook begins with one.
fn newest_sheet(ledger: &Ledger, notebook: &NotebookId, activity: Activity) -> InfoSheet {
    let sheets = ledger.sheets().values().filter_map(|register| register.value());
    let fitting = sheets.filter(|sheet| sheet.notebook == *notebook && sheet.activities.hold(activity));
    let newest = fitting.max_by_key(|sheet| (sheet.version, sheet.id));
    newest.map_or_else(|| InfoSheet::first(*notebook), InfoSheet::clone)
}

/// Refuses an event that speaks of another's consent, and one that stands already as it is.
fn check_event(ledger: &Ledger, event: &NewEvent) -> Result<(), HomeError> {
    let (participant, case) = (&event.participant, || ledger.case(&event.participant));
    if let Some(id) = event.act.consent() {
        let of = ledger.consent(&id).map(|(of, _)| of);
        if of != Some(*participant) {
            return Err(HomeError::NotFound(Thing::Consent));
        }
    }
    if let Act::Refused { encounter, .. }
    | Act::Withdrawn { encounter, .. }
    | Act::Requested { encounter, .. }
    | Act::RequestDeferred { encounter, .. } = &event.act
        && encounter.is_some_and(|encounter| !ledger.encounters().contains_key(&encounter))
    {
        return Err(HomeError::NotFound(Thing::Encounter));
    }
    let is_again = match &event.act {
        Act::Given { .. } | Act::RenewedGiven { .. } => {
            return Err(HomeError::Invalid("an agreement is recorded as a consent"));
        }
        Act::Withdrawn { activities, .. } => {
            let stands = |(hash, before): (&Hash, &RecordedEvent)| {
                says_the_same_no(&before.event.act, &event.act)
                    && !case().any(|(_, after)| answers(ledger, &after.event.act, hash, activities))
            };
            if case().any(stands) {
                return Err(HomeError::Conflict("already withdrawn"));
            }
            false
        }
        Act::Invalidated { consent } => case().any(
            |(_, before)| matches!(&before.event.act, Act::Invalidated { consent: struck } if struck == consent),
        ),
        Act::Narrowed { consent, remaining } => ledger.scope(consent).is_subset(remaining),
        Act::Refused { .. } | Act::Requested { .. } | Act::RequestDeferred { .. } | Act::Changed { .. } => {
            false
        }
    };
    if is_again { Err(HomeError::Conflict("it stands already")) } else { Ok(()) }
}

fn says_the_same_no(before: &Act, now: &Act) -> bool {
    let (
        Act::Withdrawn { activities, encounter, terms },
        Act::Withdrawn { activities: again, encounter: there, terms: new },
    ) = (before, now)
    else {
        return false;
    };
    (activities, encounter, terms.effective_from) == (again, there, new.effective_from)
}

/// Tells whether an act is an agreement that had seen a negative: then saying no again says something new.
fn answers(ledger: &Ledger, act: &Act, negative: &Hash, activities: &Activities) -> bool {
    let (activity, seen) = match act {
        Act::Given { consent, seen } => (Some(consent.activity), seen),
        Act::RenewedGiven { consent, seen, .. } => (ledger.consent(consent).map(|(_, of)| of.activity), seen),
        Act::Refused { .. }
        | Act::Withdrawn { .. }
        | Act::Invalidated { .. }
        | Act::Requested { .. }
        | Act::RequestDeferred { .. }
        | Act::Narrowed { .. }
        | Act::Changed { .. } => return false,
    };
    seen.contains(negative) && activity.is_some_and(|activity| activities.hold(activity))
}

/// The activities that a question or negative is about; an act about a consent or a life as a whole names none.
const fn about(act: &Act) -> Option<&Activities> {
    match act {
        Act::Refused { activities, .. }
        | Act::Withdrawn { activities, .. }
        | Act::Requested { activities, .. }
        | Act::RequestDeferred { activities, .. } => Some(activities),
        Act::Given { .. }
        | Act::RenewedGiven { .. }
        | Act::Invalidated { .. }
        | Act::Narrowed { .. }
        | Act::Changed { .. } => None,
    }
}

/// Every activity that questions and negatives name; one about all of them names none where another row shows it.
fn activities_of(events: &[(Hash, &RecordedEvent)], is_shown: bool) -> BTreeSet<Activity> {
    let mut named = BTreeSet::new();
    let mut all = false;
    for activities in events.iter().filter_map(|(_, recorded)| about(&recorded.event.act)) {
        match activities {
            Activities::All => all = true,
            Activities::These(these) => named.extend(these),
        }
    }
    if all && named.is_empty() && !is_shown { Activities::All.known() } else { named }
}

fn shown_events(events: &[(Hash, &RecordedEvent)], is_about: impl Fn(&Act) -> bool) -> Vec<EventShown> {
    let about = events.iter().filter(|(_, recorded)| is_about(&recorded.event.act));
    about
        .map(|(hash, recorded)| EventShown {
            hash: *hash,
            what: recorded.event.act.as_str(),
            at: recorded.event.at,
            recorded_at: recorded.recorded_at,
            by: recorded.by,
        })
        .collect()
}
