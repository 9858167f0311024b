//! Consent: granted, asked for, refused, narrowed, invalidated, withdrawn; and where it stands.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use serde::Serialize;
use thicket_core::consent::{Act, Activities, Bound, Withdrawal};
use thicket_core::home::{ConsentShown, ConsentTerms, EventShown, Home, NewEvent, Recorded};
use thicket_core::ids::{ConsentId, ParticipantId};
use thicket_core::text::Token;
use thicket_core::time::Observed;
use thicket_core::vocabulary::{
    Activity, Actor, Channel, Hold, Mode, Scope, State, UseLeft, WithdrawalReason,
};
use thicket_protocol::ids::NotebookId;

use crate::args::word;
use crate::desk::{self, Desk, just_now, now};
use crate::failure::Failure;
use crate::output::{Page, Shown, Tint, count, plain, short};

/// Consent: per participant and activity, with everything that was ever said about it.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  thicket consent grant Ruth --activity home_visit
  thicket consent withdraw Ruth
  thicket consent show Ruth")]
pub(crate) enum Consent {
    Grant(Grant),
    /// Record that somebody was asked.
    #[command(after_help = "Examples:
  thicket consent ask Ruth --activity interview")]
    Ask(Said),
    /// Record that an answer was put off.
    #[command(after_help = "Examples:
  thicket consent defer Ruth --activity interview")]
    Defer(Said),
    /// Record a no to being asked: for one encounter, or from that day on.
    #[command(after_help = "Examples:
  thicket consent refuse Ruth --activity observation
  thicket consent refuse Ruth --encounter 5f3a")]
    Refuse(Said),
    Narrow(Narrow),
    Invalidate(Invalidate),
    Withdraw(Withdraw),
    Show(Show),
}

impl Consent {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::Grant(grant) => grant.run(desk),
            Self::Ask(said) => {
                said.run(desk, |activities, encounter| Act::Requested { activities, encounter })
            }
            Self::Defer(said) => {
                said.run(desk, |activities, encounter| Act::RequestDeferred { activities, encounter })
            }
            Self::Refuse(said) => {
                said.run(desk, |activities, encounter| Act::Refused { activities, encounter })
            }
            Self::Narrow(narrow) => narrow.run(desk),
            Self::Invalidate(invalidate) => invalidate.run(desk),
            Self::Withdraw(withdraw) => withdraw.run(desk),
            Self::Show(show) => show.run(desk),
        }
    }
}

/// Record a yes: one participant, one activity, one scope.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  thicket consent grant Ruth --activity home_visit
  thicket consent grant Ruth --activity interview --mode written --scope take_notes,team_share,verbatim_quote
  thicket consent grant Ruth --activity observation --bound until:2027-03-31 --at 2026-11-24

Every refusal and withdrawal of this person that this device holds is shown, and counts as seen.")]
pub(crate) struct Grant {
    /// Whose, by pseudonym, id or unique prefix of it.
    participant: String,
    /// To what.
    #[arg(long, value_name = "A", value_parser = word(Activity::ALL, Activity::as_str))]
    activity: Activity,
    /// How it was given.
    #[arg(long, default_value = "verbal", value_parser = word(Mode::ALL, Mode::as_str))]
    mode: Mode,
    /// What it allows.
    #[arg(long, value_delimiter = ',', default_value = "take_notes,team_share",
          value_parser = word(Scope::ALL, Scope::as_str))]
    scope: Vec<Scope>,
    /// How far it goes: notebook, encounter:ID, or until:DATE.
    #[arg(long, default_value = "notebook")]
    bound: String,
    /// When it was given: a date, DATE/morning, or RFC 3339; without it, now.
    #[arg(long, value_name = "T")]
    at: Option<Observed>,
}

#[derive(Serialize)]
struct Granted {
    consent: String,
    state: &'static str,
    seen: Vec<String>,
    released: Vec<String>,
    event: String,
    participant: String,
    activity: &'static str,
    mode: &'static str,
    scope: Vec<&'static str>,
    bound: String,
    at: String,
    #[serde(skip)]
    negatives: Vec<String>,
    #[serde(skip)]
    pseudonym: String,
}

impl Shown for Granted {
    fn set(&self, page: &mut Page) {
        let yes = page.tinted(Tint::Good, self.state);
        page.head(&format!("{}: {} {yes}", self.pseudonym, self.activity));
        page.line(format_args!("  allows  {}", self.scope.join(", ")));
        page.line(format_args!("  bound   {}", self.bound));
        page.line(format_args!("  mode    {}, {}", self.mode, plain(&self.at)));
        if self.negatives.is_empty() {
            page.line("  seen    no refusal or withdrawal is known on this device");
        }
        for negative in &self.negatives {
            page.line(format_args!("  seen    {negative}"));
        }
        if !self.released.is_empty() {
            page.line(format_args!("  released {}", list(&self.released)));
        }
        page.line(format_args!("Consent {}", short(&self.consent)));
    }
}

impl Grant {
    fn run(self, desk: &Desk) -> Result<(), Failure> {
        desk.with_home(|home| {
            let notebook = desk.notebook(home)?;
            let participant = desk::participant(home, &notebook, &self.participant)?;
            let now = now();
            // Read before the grant: what stands then is what the grant has seen.
            let before = home.consents(&notebook, &participant, now)?;
            let terms = ConsentTerms {
                participant,
                activity: self.activity,
                mode: self.mode,
                scope: self.scope.iter().copied().collect(),
                bound: bound(home, &notebook, &self.bound)?,
                at: self.at.unwrap_or_else(just_now),
            };
            let granted = home.record_consent(&notebook, terms.clone(), now)?;
            let mut negatives: Vec<&EventShown> = before
                .iter()
                .flat_map(|consent| &consent.events)
                .filter(|event| granted.seen.contains(&event.hash))
                .collect();
            negatives.sort_by_key(|event| (event.recorded_at, event.hash));
            negatives.dedup_by_key(|event| event.hash);
            let told = |event: &EventShown| {
                format!(
                    "{} {}, recorded by {}",
                    event.what,
                    plain(&event.at.to_string()),
                    home.member_name(&event.by)
                )
            };
            Ok(Granted {
                consent: granted.consent.to_string(),
                state: granted.state.as_str(),
                seen: granted.seen.iter().map(ToString::to_string).collect(),
                released: granted.released.iter().map(ToString::to_string).collect(),
                event: granted.event.to_string(),
                participant: participant.to_string(),
                activity: terms.activity.as_str(),
                mode: terms.mode.as_str(),
                scope: terms.scope.iter().map(|scope| scope.as_str()).collect(),
                bound: terms.bound.to_string(),
                at: terms.at.to_string(),
                negatives: negatives.into_iter().map(told).collect(),
                pseudonym: pseudonym(home, &notebook, participant),
            })
        })
    }
}

/// Reads a bound; an encounter may be named by a unique prefix.
fn bound(home: &Home, notebook: &NotebookId, text: &str) -> Result<Bound, Failure> {
    if let Some(encounter) = text.strip_prefix("encounter:") {
        return Ok(Bound::Encounter(home.find_encounter(notebook, encounter)?));
    }
    text.parse().map_err(|error| {
        Failure::usage(format_args!("--bound {text}: {error}"), "see `thicket consent grant --help`")
    })
}

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
    fn run(
        self,
        desk: &Desk,
        act: impl FnOnce(Activities, Option<thicket_core::ids::EncounterId>) -> Act,
    ) -> Result<(), Failure> {
        desk.with_home(|home| {
            let notebook = desk.notebook(home)?;
            let participant = desk::participant(home, &notebook, &self.participant)?;
            let encounter = self.encounter.map(|name| home.find_encounter(&notebook, &name)).transpose()?;
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
    fn run(self, desk: &Desk) -> Result<(), Failure> {
        let remaining: BTreeSet<Scope> = self.scope.into_iter().collect();
        about_one(desk, &self.consent, self.at, Actor::Participant, |consent| Act::Narrowed {
            consent,
            remaining,
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
    fn run(self, desk: &Desk) -> Result<(), Failure> {
        about_one(desk, &self.consent, self.at, Actor::Researcher, |consent| Act::Invalidated { consent })
    }
}

/// Records an event about one consent.
fn about_one(
    desk: &Desk,
    wanted: &str,
    at: Option<Observed>,
    actor: Actor,
    act: impl FnOnce(ConsentId) -> Act,
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
    Err(Failure::not_found(thicket_core::home::Thing::Participant))
}

fn pseudonym(home: &Home, notebook: &NotebookId, participant: ParticipantId) -> String {
    home.name_of(notebook, Token::Person(participant))
}

/// Record a withdrawal; notes that rest on the consent go on hold at once.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  thicket consent withdraw Ruth
  thicket consent withdraw Ruth --activity interview --from-now-on
  thicket consent withdraw Ruth --encounter 5f3a --channel telephone

It goes to everybody with the next sync, and wins whatever others wrote meanwhile.")]
pub(crate) struct Withdraw {
    /// Who, by pseudonym, id or unique prefix of it.
    participant: String,
    /// From what; from everything when none is named.
    #[arg(long, value_name = "A", value_parser = word(Activity::ALL, Activity::as_str))]
    activity: Vec<Activity>,
    /// From one encounter alone.
    #[arg(long, value_name = "E")]
    encounter: Option<String>,
    /// Leave what was observed before.
    #[arg(long)]
    from_now_on: bool,
    /// When it was said: a date, DATE/morning, or RFC 3339; without it, now.
    #[arg(long, value_name = "T")]
    at: Option<Observed>,
    /// Who spoke.
    #[arg(long, default_value = "participant", value_parser = word(Actor::ALL, Actor::as_str))]
    actor: Actor,
    /// How the message came.
    #[arg(long, default_value = "in_person", value_parser = word(Channel::ALL, Channel::as_str))]
    channel: Channel,
    /// What is to be done with what is there.
    #[arg(long, default_value = "keep", value_parser = word(Hold::ALL, Hold::as_str))]
    hold: Hold,
    /// What use is left.
    #[arg(long = "use", default_value = "none", value_parser = word(UseLeft::ALL, UseLeft::as_str))]
    use_left: UseLeft,
    /// Why, if they said so; nobody has to.
    #[arg(long, value_parser = word(WithdrawalReason::ALL, WithdrawalReason::as_str))]
    reason: Option<WithdrawalReason>,
    /// They are willing to be asked again.
    #[arg(long)]
    may_ask_again: bool,
}

#[derive(Serialize)]
struct Withdrawn {
    withdrawn: Vec<String>,
    notes_on_hold: Vec<String>,
    event: String,
    #[serde(skip)]
    who: String,
}

impl Shown for Withdrawn {
    fn set(&self, page: &mut Page) {
        page.head(&format!("{} has withdrawn.", self.who));
        let consents = u64::try_from(self.withdrawn.len()).unwrap_or(u64::MAX);
        page.line(format_args!("  {} not in force any more", count(consents, "consent is", "consents are")));
        if self.notes_on_hold.is_empty() {
            page.line("  no note rests on it on this device");
        } else {
            page.line(format_args!("  on hold {}", list(&self.notes_on_hold)));
        }
        page.prose("Capture goes on: what you write about them stays in your private space. Tell the others with `thicket sync`.", 0);
    }
}

impl Withdraw {
    fn run(self, desk: &Desk) -> Result<(), Failure> {
        desk.with_home(|home| {
            let notebook = desk.notebook(home)?;
            let participant = desk::participant(home, &notebook, &self.participant)?;
            let encounter = self.encounter.map(|name| home.find_encounter(&notebook, &name)).transpose()?;
            let (at, now) = (self.at.unwrap_or_else(just_now), now());
            let these: BTreeSet<Activity> = self.activity.into_iter().collect();
            let activities = if these.is_empty() { Activities::All } else { Activities::These(these) };
            let terms = Withdrawal {
                received_at: now,
                effective_from: self.from_now_on.then_some(at),
                channel: self.channel,
                hold: self.hold,
                use_left: self.use_left,
                future_collection: self.may_ask_again,
                cut_off_applied: false,
                reason: self.reason,
            };
            let act = Act::Withdrawn { activities, encounter, terms };
            let recorded =
                home.record_event(&notebook, NewEvent { participant, at, actor: self.actor, act }, now)?;
            Ok(Withdrawn {
                withdrawn: recorded.withdrawn.iter().map(ToString::to_string).collect(),
                notes_on_hold: recorded.notes_on_hold.iter().map(ToString::to_string).collect(),
                event: recorded.event.to_string(),
                who: pseudonym(home, &notebook, participant),
            })
        })
    }
}

/// Show how somebody stands to every activity that anything was said about.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  thicket consent show Ruth
  thicket consent show Ruth --json")]
pub(crate) struct Show {
    /// Who, by pseudonym, id or unique prefix of it.
    participant: String,
}

#[derive(Serialize)]
struct EventRow {
    event: String,
    what: &'static str,
    at: String,
    recorded_at: String,
    by: String,
    by_name: String,
}

#[derive(Serialize)]
struct ConsentRow {
    id: Option<String>,
    activity: &'static str,
    state: &'static str,
    scope: Vec<&'static str>,
    bound: Option<String>,
    events: Vec<EventRow>,
}

#[derive(Serialize)]
struct Consents {
    participant: String,
    pseudonym: String,
    consents: Vec<ConsentRow>,
}

impl Shown for Consents {
    fn set(&self, page: &mut Page) {
        page.head(&self.pseudonym);
        if self.consents.is_empty() {
            page.line("  was never asked about anything.");
        }
        for consent in &self.consents {
            let id = consent.id.as_ref().map(short).unwrap_or_default();
            page.line(format_args!("  {}: {}  {id}", consent.activity, consent.state));
            if !consent.scope.is_empty() {
                let bound = consent.bound.as_deref().unwrap_or_default();
                page.line(format_args!("    allows {}; bound {bound}", consent.scope.join(", ")));
            }
            for event in &consent.events {
                page.line(format_args!(
                    "    {}  {}, recorded by {}",
                    plain(&event.at),
                    event.what,
                    event.by_name
                ));
            }
        }
    }
}

impl Show {
    fn run(self, desk: &Desk) -> Result<(), Failure> {
        desk.with_home(|home| {
            let notebook = desk.notebook(home)?;
            let participant = desk::participant(home, &notebook, &self.participant)?;
            let event = |event: EventShown| EventRow {
                event: event.hash.to_string(),
                what: event.what,
                at: event.at.to_string(),
                recorded_at: event.recorded_at.to_string(),
                by: event.by.to_string(),
                by_name: home.member_name(&event.by),
            };
            let row = |consent: ConsentShown| ConsentRow {
                id: consent.id.map(|id| id.to_string()),
                activity: consent.activity.as_str(),
                state: consent.state.as_str(),
                scope: consent.scope.iter().map(|scope| scope.as_str()).collect(),
                bound: consent.bound.map(|bound| bound.to_string()),
                events: consent.events.into_iter().map(event).collect(),
            };
            Ok(Consents {
                participant: participant.to_string(),
                pseudonym: pseudonym(home, &notebook, participant),
                consents: home.consents(&notebook, &participant, now())?.into_iter().map(row).collect(),
            })
        })
    }
}

fn list(ids: &[String]) -> String {
    ids.iter().map(short).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_a_grant_are_those_of_the_notebook() {
        let command = <crate::args::Args as clap::Parser>::try_parse_from([
            "thicket",
            "consent",
            "grant",
            "Ruth",
            "--activity",
            "interview",
        ]);
        let Ok(crate::args::Args { command: crate::args::Command::Consent(Consent::Grant(grant)), .. }) =
            command
        else {
            panic!("a grant")
        };
        assert_eq!(
            grant.scope.iter().copied().collect::<BTreeSet<_>>(),
            thicket_core::consent::Consent::default_scope()
        );
        assert_eq!((grant.mode, grant.bound.parse()), (Mode::Verbal, Ok(Bound::Notebook)));
    }
}
