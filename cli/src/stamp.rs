//! Where a note stands with regard to consent, for scripts and in words.

use serde::Serialize;
use thicket_core::coverage::Why;
use thicket_core::home::{Placed, StampShown, SubjectShown};
use thicket_core::vocabulary::StampStatus;

use crate::output::{Page, Shown, Tint, short};

/// A stamp as every command prints it.
#[derive(Debug, Serialize)]
pub(crate) struct Stamp {
    pub(crate) status: &'static str,
    pub(crate) subjects: Vec<Subject>,
    #[serde(skip)]
    pub(crate) words: String,
    #[serde(skip)]
    pub(crate) tint: Tint,
}

/// One participant of a stamp.
#[derive(Debug, Serialize)]
pub(crate) struct Subject {
    pub(crate) participant: String,
    pub(crate) pseudonym: String,
    role: &'static str,
    basis: Option<&'static str>,
    consent: Option<String>,
    why: Option<&'static str>,
}

impl From<&StampShown> for Stamp {
    fn from(stamp: &StampShown) -> Self {
        let subject = |one: &SubjectShown| Subject {
            participant: one.participant.to_string(),
            pseudonym: one.pseudonym.clone(),
            role: one.role.as_str(),
            basis: one.basis,
            consent: one.consent.map(|consent| consent.to_string()),
            why: one.why.as_ref().map(word),
        };
        Self {
            status: stamp.status.as_str(),
            subjects: stamp.subjects.iter().map(subject).collect(),
            words: words(stamp),
            tint: tint(stamp.status),
        }
    }
}

/// The colour of a status.
pub(crate) const fn tint(status: StampStatus) -> Tint {
    match status {
        StampStatus::Valid => Tint::Good,
        StampStatus::Pending | StampStatus::None => Tint::Waits,
        StampStatus::OnHold | StampStatus::Blocked => Tint::Held,
    }
}

/// The stamp in words: the status, and who it waits for and why.
fn words(stamp: &StampShown) -> String {
    let status = match stamp.status {
        StampStatus::Valid if stamp.subjects.is_empty() => "nobody is in it",
        StampStatus::Valid => "everybody in it agreed",
        StampStatus::Pending if stamp.subjects.is_empty() => "it was not said who is in it",
        StampStatus::Pending => "an answer is awaited",
        StampStatus::None => "somebody was not asked for this",
        StampStatus::OnHold => "on hold",
        StampStatus::Blocked => "cannot be shared",
    };
    let reasons: Vec<String> = stamp
        .subjects
        .iter()
        .filter_map(|one| one.why.as_ref().map(|why| format!("{} {}", one.pseudonym, reason(why))))
        .collect();
    if reasons.is_empty() { status.to_owned() } else { format!("{status}: {}", reasons.join(", ")) }
}

fn reason(why: &Why) -> String {
    match why {
        Why::NeverAsked => "was never asked".to_owned(),
        Why::Asked => "was asked and has not answered".to_owned(),
        Why::Deferred => "put the answer off".to_owned(),
        Why::Invalidated => "has a consent that was none".to_owned(),
        Why::OutOfBound => "agreed for another encounter".to_owned(),
        Why::Expired => "had agreed until an earlier day".to_owned(),
        Why::NeedsRenewal => "has to be asked anew".to_owned(),
        Why::ScopeLacks(lacks) => {
            let lacks: Vec<&str> = lacks.iter().map(|scope| scope.as_str()).collect();
            format!("did not agree to {}", lacks.join(", "))
        }
        Why::Refused(_) => "refused".to_owned(),
        Why::Withdrawn(_) => "withdrew".to_owned(),
        Why::UnseenNegative(_) => "said no before, and whoever noted the yes had not seen it".to_owned(),
    }
}

const fn word(why: &Why) -> &'static str {
    match why {
        Why::NeverAsked => "never_asked",
        Why::Asked => "asked",
        Why::Deferred => "deferred",
        Why::Invalidated => "invalidated",
        Why::OutOfBound => "out_of_bound",
        Why::Expired => "expired",
        Why::NeedsRenewal => "needs_renewal",
        Why::ScopeLacks(_) => "scope_lacks",
        Why::Refused(_) => "refused",
        Why::Withdrawn(_) => "withdrawn",
        Why::UnseenNegative(_) => "unseen_negative",
    }
}

/// The space as commands spell it.
pub(crate) const fn space(is_private: bool) -> &'static str {
    if is_private { "private" } else { "shared" }
}

/// Where a note stands after it was written, edited or released.
#[derive(Debug, Serialize)]
pub(crate) struct Saved {
    note: String,
    space: &'static str,
    stamp: Stamp,
    generation: String,
    draft: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Saved {
    /// Tells where it stands, and what its author ought to know.
    pub(crate) fn new(placed: &Placed, warnings: Vec<String>) -> Self {
        Self {
            note: placed.note.to_string(),
            space: space(placed.is_private),
            stamp: (&placed.stamp).into(),
            generation: placed.generation.to_string(),
            draft: placed.is_draft,
            warnings,
        }
    }
}

impl Shown for Saved {
    fn set(&self, page: &mut Page) {
        page.line(format_args!("Saved {}", short(&self.note)));
        let words = page.tinted(self.stamp.tint, &self.stamp.words);
        page.line(format_args!("  stamp  {words}"));
        let place = match (self.draft, self.space) {
            (true, _) => "a draft in your private space; the team sees the note as it was",
            (false, "private") => "your private space: nobody else can read it",
            (false, _) => "shared with the team at the next sync",
        };
        page.line(format_args!("  space  {place}"));
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
