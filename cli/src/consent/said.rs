//! What else is said about consent: questions, refusals, a narrower scope, a consent that never was one.

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;
use thicket_core::consent::{Act, Activities};
use thicket_core::home::{ConsentShown, Home, NewEvent, Recorded, Thing};
use thicket_core::ids::{ConsentId, EncounterId, ParticipantId};
use thicket_core::time::Observed;
use thicket_core::vocabulary::{Activity, Actor, Scope, State};
use thicket_protocol::ids::NotebookId;

use super::{list, pseudonym};
use crate::args::word;
use crate::desk::{self, Desk, just_now, now};
use crate::failure::Failure;
use crate::output::{Page, Shown, short};

/// What was said, by whom, about what.
#[derive(Debug, Args)]
pub(crate) struct Said {
    /// Who, by pseudonym, id or unique prefix of it.
    participant: String,
    /// About what; without it, about everything.
    #[arg(long, value_name = "A", value_parser = word(Activity::ALL, Activity::as_str))]
    activity: Option<Activity>,
    /// For one encounter alone.
    #[arg(long, value_name = "E")]
    encounter: Option<String>,
    /// Who spoke.
    #[arg(long, default_value = "participant", value_parser = word(Actor::ALL, Actor::as_str))]
    actor: Actor,
    /// When: a date, DATE/morning, or RFC 3339; without it, now.
    #[arg(long, value_name = "T")]
    at: Option<Observed>,
}

#[derive(Serialize)]
struct Happened {
    event: String,
    state: &'static str,
    notes_on_hold: Vec<String>,
    released: Vec<String>,
    #[serde(skip)]
    who: String,
}

impl Happened {
    fn new(recorded: &Recorded, state: State, who: String) -> Self {
        Self {
            event: recorded.event.to_string(),
            state: state.as_str(),
            notes_on_hold: recorded.notes_on_hold.iter().map(ToString::to_string).collect(),
            released: recorded.released.iter().map(ToString::to_string).collect(),
            who,
        }
    }
}

impl Shown for Happened {
    fn set(&self, page: &mut Page) {
        page.line(format_args!("{} stands now as: {}", self.who, self.state));
        if !self.notes_on_hold.is_empty() {
            page.line(format_args!("On hold: {}", list(&self.notes_on_hold)));
        }
        page.line(format_args!("Event {}", short(&self.event)));
    }
}

impl Said {
    pub(super) fn run(
        self,
        desk: &Desk,
        act: impl Fn(Activities, Option<EncounterId>) -> Act,
    ) -> Result<(), Failure> {
        desk.with_home(|home| {
            let notebook = desk.notebook(home)?;
            let participant = desk::participant(home, &notebook, &self.participant)?;
            let encounter =
                self.encounter.as_deref().map(|name| home.find_encounter(&notebook, name)).transpose()?;
            let activities = self.activity.map_or(Activities::All, Activities::one);
            let at = self.at.unwrap_or_else(just_now);
            let event = NewEvent { participant, at, actor: self.actor, act: act(activities, encounter) };
            let recorded = home.record_event(&notebook, event, now())?;
            let state = state_of(home, &notebook, participant, |consent| {
                self.activity.is_none_or(|activity| consent.activity == activity)
            })?;
            Ok(Happened::new(&recorded, state, pseudonym(home, &notebook, participant)))
        })
    }
}

/// The gravest state among the consents that are meant.
fn state_of(
    home: &Home,
    notebook: &NotebookId,
    participant: ParticipantId,
    meant: impl Fn(&ConsentShown) -> bool,
) -> Result<State, Failure> {
    let consents = home.consents(notebook, &participant, now())?;
    Ok(consents
        .iter()
        .filter(|consent| meant(consent))
        .map(|consent| consent.state)
        .max()
        .unwrap_or(State::NeverAsked))
}

/// Record that a consent allows less now; to widen it is a new grant.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  thicket consent narrow 5f3a --scope take_notes")]
pub(crate) struct Narrow {
    /// Which consent, by id or unique prefix of it.
    consent: String,
    /// What remains allowed.
    #[arg(long, required = true, value_delimiter = ',', value_parser = word(Scope::ALL, Scope::as_str))]
    scope: Vec<Scope>,
    /// When: a date, DATE/morning, or RFC 3339; without it, now.
    #[arg(long, value_name = "T")]
    at: Option<Observed>,
}

impl Narrow {
    pub(super) fn run(self, desk: &Desk) -> Result<(), Failure> {
        let remaining: BTreeSet<Scope> = self.scope.into_iter().collect();
        about_one(desk, &self.consent, self.at, Actor::Participant, |consent| Act::Narrowed {
            consent,
            remaining: remaining.clone(),
        })
    }
}

/// Record that a consent never was one: a form of the wrong person, a signature that is none.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  thicket consent invalidate 5f3a

It strikes this one consent; others stand.")]
pub(crate) struct Invalidate {
    /// Which consent, by id or unique prefix of it.
    consent: String,
    /// When: a date, DATE/morning, or RFC 3339; without it, now.
    #[arg(long, value_name = "T")]
    at: Option<Observed>,
}

impl Invalidate {
    pub(super) fn run(self, desk: &Desk) -> Result<(), Failure> {
        about_one(desk, &self.consent, self.at, Actor::Researcher, |consent| Act::Invalidated { consent })
    }
}

/// Records an event about one consent.
fn about_one(
    desk: &Desk,
    wanted: &str,
    at: Option<Observed>,
    actor: Actor,
    act: impl Fn(ConsentId) -> Act,
) -> Result<(), Failure> {
    desk.with_home(|home| {
        let notebook = desk.notebook(home)?;
        let consent = home.find_consent(&notebook, wanted)?;
        let participant = whose(home, &notebook, consent)?;
        let at = at.unwrap_or_else(just_now);
        let event = NewEvent { participant, at, actor, act: act(consent) };
        let recorded = home.record_event(&notebook, event, now())?;
        let state = state_of(home, &notebook, participant, |shown| shown.id == Some(consent))?;
        Ok(Happened::new(&recorded, state, pseudonym(home, &notebook, participant)))
    })
}

/// The participant whose consent it is.
fn whose(home: &Home, notebook: &NotebookId, consent: ConsentId) -> Result<ParticipantId, Failure> {
    for one in home.participants(notebook)? {
        if home.consents(notebook, &one.id, now())?.iter().any(|shown| shown.id == Some(consent)) {
            return Ok(one.id);
        }
    }
    Err(Failure::not_found(Thing::Participant))
}
