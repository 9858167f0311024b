//! Consent: granted, asked for, refused, narrowed, invalidated, withdrawn; and where it stands.

mod said;
mod show;
mod withdraw;

use clap::{Args, Subcommand};
use serde::Serialize;
use thicket_core::consent::{Act, Bound};
use thicket_core::home::{ConsentTerms, EventShown, Home};
use thicket_core::ids::ParticipantId;
use thicket_core::text::Token;
use thicket_core::time::Observed;
use thicket_core::vocabulary::{Activity, Mode, Scope};
use thicket_protocol::ids::NotebookId;

use self::said::{Invalidate, Narrow, Said};
use self::show::Show;
use self::withdraw::Withdraw;
use crate::args::word;
use crate::desk::{self, Desk, just_now, now};
use crate::failure::Failure;
use crate::output::{Page, Shown, Tint, plain, short};

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
  thicket consent grant Ruth --activity interview --scope take_notes,verbatim_quote
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

fn pseudonym(home: &Home, notebook: &NotebookId, participant: ParticipantId) -> String {
    home.name_of(notebook, Token::Person(participant))
}

fn list(ids: &[String]) -> String {
    ids.iter().map(short).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
