//! Asking, agreeing, refusing, withdrawing; where somebody stands.

use std::collections::BTreeSet;

use thicket_core::consent::{Act, Activities, Bound, Consent, Occasion, Withdrawal};
use thicket_core::coverage::{Coverage, Why};
use thicket_core::home;
use thicket_core::time::Moment as CoreMoment;

use crate::ids::{ConsentId, EncounterId, EventId, MemberId, NoteId, NotebookId, ParticipantId, read};
use crate::time::{Moment, Observed};
use crate::words::{
    Activity, Actor, Channel, ConsentMode, ConsentScope, ConsentState, DutyKind, Hold, LifeChange, UseLeft,
    WithdrawalReason,
};
use crate::{Home, ThicketError};

/// The terms of a new agreement; the sheet, the negatives seen and who recorded it are filled in.
#[derive(Debug, Clone, uniffi::Record)]
pub struct ConsentTerms {
    /// Whose.
    pub participant: ParticipantId,
    /// To what.
    pub activity: Activity,
    /// How it was made.
    pub mode: ConsentMode,
    /// What it allows; empty for what an agreement allows by itself: to take notes, and to share them with the team.
    #[uniffi(default = [])]
    pub scope: Vec<ConsentScope>,
    /// How far it goes.
    pub bound: ConsentBound,
    /// When it was given.
    pub at: Observed,
}

/// How far an agreement goes.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum ConsentBound {
    /// As far as the notebook.
    WholeNotebook,
    /// What is observed up to the end of that day.
    UntilDay {
        /// A civil date, as `2026-11-25`.
        day: String,
    },
    /// One occasion alone.
    OneEncounter {
        /// Which.
        encounter: EncounterId,
    },
}

/// What came of an agreement.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Granted {
    /// The consent.
    pub consent: ConsentId,
    /// Where it stands now: an agreement can be struck already, by a negative that covers it.
    pub state: ConsentState,
    /// The negatives that were seen, because this device knew them.
    pub seen: Vec<EventId>,
    /// The notes that it let out of the private space.
    pub released: Vec<NoteId>,
}

/// Something else that happened to consents.
#[derive(Debug, Clone, uniffi::Record)]
pub struct NewEvent {
    /// Whose consent it is about.
    pub participant: ParticipantId,
    /// When it happened.
    pub at: Observed,
    /// Who spoke.
    pub actor: Actor,
    /// What happened.
    pub act: ConsentAct,
}

/// What happened, other than an agreement.
#[derive(Debug, Clone, uniffi::Enum)]
pub enum ConsentAct {
    /// The question was put.
    Asked {
        /// About what; empty for everything.
        activities: Vec<Activity>,
        /// For which occasion alone.
        encounter: Option<EncounterId>,
    },
    /// The answer was put off: "not now".
    PutOff {
        /// About what; empty for everything.
        activities: Vec<Activity>,
        /// For which occasion alone.
        encounter: Option<EncounterId>,
    },
    /// They said no: for the occasion, or else for the time from the day on.
    SaidNo {
        /// To what; empty for everything.
        activities: Vec<Activity>,
        /// For which occasion alone.
        encounter: Option<EncounterId>,
    },
    /// They took their consent back.
    TookBack {
        /// From what; empty for everything.
        activities: Vec<Activity>,
        /// For which occasion alone.
        encounter: Option<EncounterId>,
        /// How it was said and what it asks for.
        terms: WithdrawalTerms,
    },
    /// One consent never was one: a form of the wrong person.
    WasNone {
        /// Which.
        consent: ConsentId,
    },
    /// The scope of one consent became smaller.
    Narrowed {
        /// Which.
        consent: ConsentId,
        /// What remains.
        remaining: Vec<ConsentScope>,
    },
    /// Life changed, and what rested on the state before does not hold from that day on.
    LifeChanged {
        /// How.
        change: LifeChange,
    },
}

/// How a withdrawal was said and what it asks for.
#[derive(Debug, Clone, uniffi::Record)]
pub struct WithdrawalTerms {
    /// "From now on", and from when; none for everything ever observed.
    #[uniffi(default = None)]
    pub effective_from: Option<Observed>,
    /// How it came.
    pub channel: Channel,
    /// What it asks to be done with what is there.
    pub hold: Hold,
    /// What use it leaves.
    pub use_left: UseLeft,
    /// Whether the participant is willing to be asked again.
    pub future_collection: bool,
    /// Whether it came after the cut-off of what was agreed.
    #[uniffi(default = false)]
    pub cut_off_applied: bool,
    /// Why, if they said so; nobody has to.
    #[uniffi(default = None)]
    pub reason: Option<WithdrawalReason>,
}

/// What came of an event.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Recorded {
    /// The event.
    pub event: EventId,
    /// The consents that were in force and are not any more.
    pub withdrawn: Vec<ConsentId>,
    /// The notes that it put on hold.
    pub notes_on_hold: Vec<NoteId>,
    /// The notes that it let out: mostly none.
    pub released: Vec<NoteId>,
}

/// How one participant stands to one activity: a consent with its events, or what was said without one.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ConsentShown {
    /// The consent; none where there are only questions or negatives about the activity.
    pub id: Option<ConsentId>,
    /// To what.
    pub activity: Activity,
    /// Where it stands today.
    pub state: ConsentState,
    /// What it allows after everything that narrowed it.
    pub scope: Vec<ConsentScope>,
    /// How far it goes.
    pub bound: Option<ConsentBound>,
    /// Its events, by time.
    pub events: Vec<EventShown>,
}

/// One event as shown.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EventShown {
    /// Its name.
    pub id: EventId,
    /// What happened: `given`, `renewed_given`, `refused`, `withdrawn`, `invalidated`, `requested`, `request_deferred`, `narrowed` or `changed`.
    pub what: String,
    /// When it happened.
    pub at: Observed,
    /// When it was recorded.
    pub recorded_at: Moment,
    /// Who recorded it.
    pub by: MemberId,
}

/// Why no consent covers somebody.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum NotCovered {
    /// Nobody ever asked.
    NeverAsked,
    /// Asked, and not answered.
    Unanswered,
    /// Asked, and put off.
    Deferred,
    /// The consent was none.
    Invalidated,
    /// The consent is for another encounter.
    OutOfBound,
    /// The consent ended before this was observed.
    Expired,
    /// The participant died, or came to decide alone, before this was observed.
    NeedsRenewal,
    /// The consent does not allow these.
    ScopeLacks {
        /// What it does not allow.
        scopes: Vec<ConsentScope>,
    },
    /// The participant refused.
    Refused {
        /// By that event.
        event: EventId,
    },
    /// The participant withdrew.
    Withdrawn {
        /// By that event.
        event: EventId,
    },
    /// There is an agreement by somebody who had not seen that negative: a custodian's to sort out.
    UnseenNegative {
        /// Which negative.
        event: EventId,
    },
}

/// Whether somebody's consent covers what is to be written.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CoverageShown {
    /// Who.
    pub participant: ParticipantId,
    /// The consent that covers it.
    pub consent: Option<ConsentId>,
    /// Why none does.
    pub why: Option<NotCovered>,
    /// How they stand to the activity, for display.
    pub state: ConsentState,
}

/// What the team has to do because of a no.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DutyShown {
    /// What.
    pub kind: DutyKind,
    /// Because of which negative.
    pub negative: EventId,
    /// In which activities.
    pub activities: Vec<Activity>,
}

/// What somebody is told before they are asked.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SheetShown {
    /// Its version, from 1.
    pub version: u32,
    /// The language, as a BCP 47 tag.
    pub language: String,
    /// What is read aloud; none where there is a file instead.
    pub oral_script: Option<String>,
}

impl ConsentBound {
    fn read(&self) -> Result<Bound, ThicketError> {
        Ok(match self {
            Self::WholeNotebook => Bound::Notebook,
            Self::UntilDay { day } => Bound::Until(day.parse()?),
            Self::OneEncounter { encounter } => Bound::Encounter(read(encounter)?),
        })
    }
}

impl From<Bound> for ConsentBound {
    fn from(bound: Bound) -> Self {
        match bound {
            Bound::Notebook => Self::WholeNotebook,
            Bound::Until(day) => Self::UntilDay { day: day.to_string() },
            Bound::Encounter(encounter) => Self::OneEncounter { encounter: EncounterId::of(encounter) },
        }
    }
}

impl From<Why> for NotCovered {
    fn from(why: Why) -> Self {
        match why {
            Why::NeverAsked => Self::NeverAsked,
            Why::Asked => Self::Unanswered,
            Why::Deferred => Self::Deferred,
            Why::Invalidated => Self::Invalidated,
            Why::OutOfBound => Self::OutOfBound,
            Why::Expired => Self::Expired,
            Why::NeedsRenewal => Self::NeedsRenewal,
            Why::ScopeLacks(scopes) => Self::ScopeLacks { scopes: words(scopes) },
            Why::Refused(event) => Self::Refused { event: EventId::of(event) },
            Why::Withdrawn(event) => Self::Withdrawn { event: EventId::of(event) },
            Why::UnseenNegative(event) => Self::UnseenNegative { event: EventId::of(event) },
        }
    }
}

/// Mirrors a set of words, in their order.
fn words<C, W: From<C>>(set: BTreeSet<C>) -> Vec<W> {
    set.into_iter().map(W::from).collect()
}

fn scopes(scopes: &[ConsentScope]) -> BTreeSet<thicket_core::vocabulary::Scope> {
    scopes.iter().map(|scope| (*scope).into()).collect()
}

fn activities(these: &[Activity]) -> Activities {
    if these.is_empty() {
        return Activities::All;
    }
    Activities::These(these.iter().map(|activity| (*activity).into()).collect())
}

impl WithdrawalTerms {
    fn read(&self, now: CoreMoment) -> Result<Withdrawal, ThicketError> {
        Ok(Withdrawal {
            received_at: now,
            effective_from: self.effective_from.as_ref().map(Observed::read).transpose()?,
            channel: self.channel.into(),
            hold: self.hold.into(),
            use_left: self.use_left.into(),
            future_collection: self.future_collection,
            cut_off_applied: self.cut_off_applied,
            reason: self.reason.map(Into::into),
        })
    }
}

impl ConsentAct {
    fn read(&self, now: CoreMoment) -> Result<Act, ThicketError> {
        let occasion = |encounter: &Option<EncounterId>| encounter.as_ref().map(read).transpose();
        Ok(match self {
            Self::Asked { activities: about, encounter } => {
                Act::Requested { activities: activities(about), encounter: occasion(encounter)? }
            }
            Self::PutOff { activities: about, encounter } => {
                Act::RequestDeferred { activities: activities(about), encounter: occasion(encounter)? }
            }
            Self::SaidNo { activities: about, encounter } => {
                Act::Refused { activities: activities(about), encounter: occasion(encounter)? }
            }
            Self::TookBack { activities: about, encounter, terms } => Act::Withdrawn {
                activities: activities(about),
                encounter: occasion(encounter)?,
                terms: terms.read(now)?,
            },
            Self::WasNone { consent } => Act::Invalidated { consent: read(consent)? },
            Self::Narrowed { consent, remaining } => {
                Act::Narrowed { consent: read(consent)?, remaining: scopes(remaining) }
            }
            Self::LifeChanged { change } => Act::Changed { change: (*change).into() },
        })
    }
}

fn show(one: home::ConsentShown) -> ConsentShown {
    let event = |event: home::EventShown| EventShown {
        id: EventId::of(event.hash),
        what: event.what.to_owned(),
        at: event.at.into(),
        recorded_at: event.recorded_at.into(),
        by: MemberId::of(event.by),
    };
    ConsentShown {
        id: one.id.map(ConsentId::of),
        activity: one.activity.into(),
        state: one.state.into(),
        scope: words(one.scope),
        bound: one.bound.map(Into::into),
        events: one.events.into_iter().map(event).collect(),
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl Home {
    /// Shows what is to be read aloud before somebody is asked: the newest sheet that explains the activity.
    pub async fn sheet(&self, notebook: NotebookId, activity: Activity) -> Result<SheetShown, ThicketError> {
        self.read(move |home| {
            let sheet = home.information_sheet(&read(&notebook)?, activity.into())?;
            Ok(SheetShown {
                version: sheet.version,
                language: sheet.language.to_string(),
                oral_script: sheet.oral_script.map(|script| script.to_string()),
            })
        })
        .await
    }

    /// Records that somebody agreed, and releases what that covers.
    pub async fn agree(&self, notebook: NotebookId, terms: ConsentTerms) -> Result<Granted, ThicketError> {
        let scope = scopes(&terms.scope);
        let terms = home::ConsentTerms {
            participant: read(&terms.participant)?,
            activity: terms.activity.into(),
            mode: terms.mode.into(),
            scope: if scope.is_empty() { Consent::default_scope() } else { scope },
            bound: terms.bound.read()?,
            at: terms.at.read()?,
        };
        let granted =
            self.write(move |home, now| Ok(home.record_consent(&read(&notebook)?, terms, now)?)).await?;
        Ok(Granted {
            consent: ConsentId::of(granted.consent),
            state: granted.state.into(),
            seen: granted.seen.into_iter().map(EventId::of).collect(),
            released: granted.released.into_iter().map(NoteId::of).collect(),
        })
    }

    /// Records what else happened: a question, a no, a withdrawal. A withdrawal puts notes on hold at once.
    pub async fn record_event(
        &self,
        notebook: NotebookId,
        event: NewEvent,
    ) -> Result<Recorded, ThicketError> {
        let recorded = self
            .write(move |home, now| {
                let event = home::NewEvent {
                    participant: read(&event.participant)?,
                    at: event.at.read()?,
                    actor: event.actor.into(),
                    act: event.act.read(now)?,
                };
                Ok(home.record_event(&read(&notebook)?, event, now)?)
            })
            .await?;
        Ok(Recorded {
            event: EventId::of(recorded.event),
            withdrawn: recorded.withdrawn.into_iter().map(ConsentId::of).collect(),
            notes_on_hold: recorded.notes_on_hold.into_iter().map(NoteId::of).collect(),
            released: recorded.released.into_iter().map(NoteId::of).collect(),
        })
    }

    /// Shows how a participant stands to every activity that anything was said about.
    pub async fn consents(
        &self,
        notebook: NotebookId,
        participant: ParticipantId,
    ) -> Result<Vec<ConsentShown>, ThicketError> {
        let now = self.now();
        self.read(move |home| {
            let all = home.consents(&read(&notebook)?, &read(&participant)?, now)?;
            Ok(all.into_iter().map(show).collect())
        })
        .await
    }

    /// Shows whether consent covers ordinary notes about these people: at an encounter, or in passing where there is none.
    ///
    /// `at` is when it is observed.
    pub async fn coverage(
        &self,
        notebook: NotebookId,
        participants: Vec<ParticipantId>,
        encounter: Option<EncounterId>,
        at: Observed,
    ) -> Result<Vec<CoverageShown>, ThicketError> {
        let now = self.now();
        self.read(move |home| {
            let (ledger, at) = (home.ledger(&read(&notebook)?)?, at.read()?);
            let occasion = match encounter.as_ref().map(read).transpose()? {
                None => Occasion::observation(at),
                Some(id) => {
                    let known = ledger.encounters().get(&id).and_then(|known| known.value());
                    let missing = ThicketError::NotFound { what: crate::words::Thing::Encounter };
                    Occasion::at(id, known.ok_or(missing)?.activity, at)
                }
            };
            let cover = |participant: &ParticipantId| {
                let id = read(participant)?;
                let (consent, why) = match ledger.covered(&id, &occasion, &Consent::default_scope()) {
                    Coverage::Covered { consent, .. } => (Some(ConsentId::of(consent)), None),
                    Coverage::NotCovered(why) => (None, Some(why.into())),
                };
                let state = ledger.state(&id, occasion.activity(), now.day()).into();
                Ok(CoverageShown { participant: participant.clone(), consent, why, state })
            };
            participants.iter().map(cover).collect()
        })
        .await
    }

    /// Shows what the team has to do because of somebody's no, the strictest first.
    pub async fn duties(
        &self,
        notebook: NotebookId,
        participant: ParticipantId,
    ) -> Result<Vec<DutyShown>, ThicketError> {
        self.read(move |home| {
            let duties = home.ledger(&read(&notebook)?)?.duties(&read(&participant)?).into_iter();
            let show = |duty: thicket_core::duties::Duty| DutyShown {
                kind: duty.kind.into(),
                negative: EventId::of(duty.negative),
                activities: words(duty.activities),
            };
            Ok(duties.map(show).collect())
        })
        .await
    }
}
