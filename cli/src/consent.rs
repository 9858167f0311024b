//! Consent: granted, asked for, refused, narrowed, invalidated, withdrawn; and where it stands.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use serde::Serialize;
use thicket_core::consent::{Act, Activities, Bound, Consent as Terms, Withdrawal};
use thicket_core::home::{ConsentShown, ConsentTerms, Home, HomeError, NewEvent, Recorded};
use thicket_core::ids::{ConsentId, EncounterId, ParticipantId};
use thicket_core::time::Observed;
use thicket_core::vocabulary::{Activity, Actor, Channel, Hold, Mode, Scope, State, UseLeft, WithdrawalReason};
use thicket_protocol::ids::NotebookId;

use crate::args::word;
use crate::desk::{self, Desk, just_now, now};
use crate::failure::Failure;
use crate::output::{Page, Shown, Tint, count, short};

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
        desk.with_home_shown(|home| {
            let notebook = desk.notebook(home)?;
            match self {
                Self::Grant(grant) => grant.run(home, &notebook).map(Result::Granted),
                Self::Ask(said) => said.run(home, &notebook, Question::Asked).map(Result::Event),
                Self::Defer(said) => said.run(home, &notebook, Question::Deferred).map(Result::Event),
                Self::Refuse(said) => said.run(home, &notebook, Question::Refused).map(Result::Event),
                Self::Narrow(narrow) => narrow.run(home, &notebook).map(Result::Event),
                Self::Invalidate(invalidate) => invalidate.run(home, &notebook).map(Result::Event),
                Self::Withdraw(withdraw) => withdraw.run(home, &notebook).map(Result::Withdrawn),
                Self::Show(show) => show.run(home, &notebook).map(Result::Consents),
            }
        })
    }
}
