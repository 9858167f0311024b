//! How somebody stands to every activity.

use clap::Args;
use serde::Serialize;
use thicket_core::home::{ConsentShown, EventShown};

use super::pseudonym;
use crate::desk::{self, Desk, now};
use crate::failure::Failure;
use crate::output::{Page, Shown, plain, short};

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
    pub(super) fn run(self, desk: &Desk) -> Result<(), Failure> {
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
