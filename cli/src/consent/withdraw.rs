//! A withdrawal.

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;
use thicket_core::consent::{Act, Activities, Withdrawal};
use thicket_core::home::NewEvent;
use thicket_core::time::Observed;
use thicket_core::vocabulary::{Activity, Actor, Channel, Hold, UseLeft, WithdrawalReason};

use super::{list, pseudonym};
use crate::args::word;
use crate::desk::{self, Desk, just_now, now};
use crate::failure::Failure;
use crate::output::{Page, Shown, count};

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
    pub(super) fn run(self, desk: &Desk) -> Result<(), Failure> {
        desk.with_home(|home| {
            let notebook = desk.notebook(home)?;
            let participant = desk::participant(home, &notebook, &self.participant)?;
            let encounter =
                self.encounter.as_deref().map(|name| home.find_encounter(&notebook, name)).transpose()?;
            let (at, now) = (self.at.unwrap_or_else(just_now), now());
            let these: BTreeSet<Activity> = self.activity.iter().copied().collect();
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
