//! Participants, places and encounters: who and what notes are about.

use clap::Subcommand;
use serde::Serialize;
use thicket_core::home::{Home, NewEncounter, NewParticipant, NewPlace};
use thicket_core::ids::ParticipantId;
use thicket_core::name::Name;
use thicket_core::text::Token;
use thicket_core::time::Observed;
use thicket_core::vocabulary::{Activity, AgeBand, Gender, Kind, SiteType};
use thicket_protocol::ids::NotebookId;

use crate::args::word;
use crate::desk::{self, Desk, just_now, now};
use crate::failure::Failure;
use crate::output::{Page, Shown, plain, short};

/// Participants: everybody who is written about, by pseudonym.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  thicket participant add Ruth --kind client
  thicket participant list")]
pub(crate) enum Participant {
    /// Add somebody who is written about.
    #[command(after_help = "Examples:
  thicket participant add Ruth --kind client
  thicket participant add \"Dr Gray\" --kind professional --real-name \"Anna Weiss\"

The real name is sealed to those who may read identities; notes hold the pseudonym alone.")]
    Add {
        /// What the notes call them.
        pseudonym: Name,
        /// Who they are; kept apart from the notes.
        #[arg(long, value_name = "N")]
        real_name: Option<Name>,
        /// What they are in the field.
        #[arg(long, default_value = "other", value_parser = word(Kind::ALL, Kind::as_str))]
        kind: Kind,
        /// Their age, coarsely.
        #[arg(long, value_parser = word(AgeBand::ALL, AgeBand::as_str))]
        age: Option<AgeBand>,
        /// Their gender, as they name it.
        #[arg(long, value_parser = word(Gender::ALL, Gender::as_str))]
        gender: Option<Gender>,
    },
    /// Give somebody another pseudonym; every note shows it at once.
    #[command(after_help = "Examples:
  thicket participant rename Ruth Naomi")]
    Rename {
        /// Who, by pseudonym, id or unique prefix of it.
        participant: String,
        /// What the notes are to call them.
        pseudonym: Name,
    },
    /// List who is written about.
    #[command(after_help = "Examples:
  thicket participant list
  thicket participant list --json")]
    List,
}

#[derive(Serialize)]
struct Added {
    #[serde(skip_serializing_if = "Option::is_none")]
    participant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(skip)]
    says: String,
}

impl Shown for Added {
    fn set(&self, page: &mut Page) {
        page.prose(&self.says, 0);
    }
}

#[derive(Serialize)]
struct ParticipantRow {
    id: String,
    pseudonym: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    real_name: Option<String>,
}

#[derive(Serialize)]
struct Participants {
    participants: Vec<ParticipantRow>,
}

impl Shown for Participants {
    fn set(&self, page: &mut Page) {
        if self.participants.is_empty() {
            return page.line("Nobody yet: add somebody with `thicket participant add PSEUDONYM`.");
        }
        let row = |one: &ParticipantRow| {
            [
                short(&one.id),
                one.kind.to_owned(),
                one.pseudonym.clone(),
                one.real_name.clone().unwrap_or_default(),
            ]
        };
        let rows: Vec<_> = self.participants.iter().map(row).collect();
        page.table(["id", "kind", "pseudonym", "real name"], &rows);
    }
}

impl Participant {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::Add { pseudonym, real_name, kind, age, gender } => desk.with_home(|home| {
                let notebook = desk.notebook(home)?;
                let new = NewParticipant {
                    pseudonym: pseudonym.clone(),
                    kind,
                    age,
                    gender,
                    real_name: real_name.clone(),
                };
                let id = home.add_participant(&notebook, new, now())?;
                let says = format!(
                    "{pseudonym} ({kind}) can be written about now, as @{{{pseudonym}}}. Id {}.",
                    short(id)
                );
                Ok(Added { participant: Some(id.to_string()), place: None, says })
            }),
            Self::Rename { participant, pseudonym } => desk.with_home(|home| {
                let notebook = desk.notebook(home)?;
                let id = desk::participant(home, &notebook, &participant)?;
                home.rename_participant(&notebook, id, pseudonym.clone(), now())?;
                let says = format!("Every note shows {pseudonym} now.");
                Ok(Added { participant: Some(id.to_string()), place: None, says })
            }),
            Self::List => desk.with_home(|home| {
                let all = home.participants(&desk.notebook(home)?)?;
                let row = |one: thicket_core::home::ParticipantShown| ParticipantRow {
                    id: one.id.to_string(),
                    pseudonym: one.pseudonym.to_string(),
                    kind: one.kind.as_str(),
                    real_name: one.real_name.map(|name| name.to_string()),
                };
                Ok(Participants { participants: all.into_iter().map(row).collect() })
            }),
        }
    }
}

/// Places that notes speak of, by pseudonym.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  thicket place add \"The Hall\" --site-type community
  thicket place list")]
pub(crate) enum Place {
    /// Add a place.
    #[command(after_help = "Examples:
  thicket place add \"The Hall\" --site-type community
  thicket place add \"North Surgery\" --site-type surgery --real-name \"12 Hill Road\"")]
    Add {
        /// What the notes call it.
        pseudonym: Name,
        /// Which place it is; kept apart from the notes.
        #[arg(long, value_name = "N")]
        real_name: Option<Name>,
        /// What sort of place it is.
        #[arg(long, value_name = "T", default_value = "other", value_parser = word(SiteType::ALL, SiteType::as_str))]
        site_type: SiteType,
    },
    /// List the places.
    #[command(after_help = "Examples:
  thicket place list")]
    List,
}

#[derive(Serialize)]
struct PlaceRow {
    id: String,
    pseudonym: String,
    site_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    real_name: Option<String>,
}

#[derive(Serialize)]
struct Places {
    places: Vec<PlaceRow>,
}

impl Shown for Places {
    fn set(&self, page: &mut Page) {
        if self.places.is_empty() {
            return page.line("No place yet: add one with `thicket place add PSEUDONYM`.");
        }
        let row = |one: &PlaceRow| {
            let real = one.real_name.clone().unwrap_or_default();
            [short(&one.id), one.site_type.to_owned(), one.pseudonym.clone(), real]
        };
        let rows: Vec<_> = self.places.iter().map(row).collect();
        page.table(["id", "site", "pseudonym", "real name"], &rows);
    }
}

impl Place {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::Add { pseudonym, real_name, site_type } => desk.with_home(|home| {
                let notebook = desk.notebook(home)?;
                let new = NewPlace { pseudonym: pseudonym.clone(), site_type, real_name: real_name.clone() };
                let id = home.add_place(&notebook, new, now())?;
                let says = format!(
                    "{pseudonym} ({site_type}) can be written about now, as @{{{pseudonym}}}. Id {}.",
                    short(id)
                );
                Ok(Added { participant: None, place: Some(id.to_string()), says })
            }),
            Self::List => desk.with_home(|home| {
                let row = |one: thicket_core::home::PlaceShown| PlaceRow {
                    id: one.id.to_string(),
                    pseudonym: one.pseudonym.to_string(),
                    site_type: one.site_type.as_str(),
                    real_name: one.real_name.map(|name| name.to_string()),
                };
                let all = home.places(&desk.notebook(home)?)?;
                Ok(Places { places: all.into_iter().map(row).collect() })
            }),
        }
    }
}

/// Encounters: the occasions that notes are written about.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  thicket encounter start --activity home_visit --with Ruth
  thicket encounter list")]
pub(crate) enum Encounter {
    /// Start an encounter; notes and consents can name it.
    #[command(after_help = "Examples:
  thicket encounter start --activity home_visit --with Ruth
  thicket encounter start --activity meeting --place \"The Hall\" --with Ruth,Sam --at 2026-11-24/morning")]
    Start {
        /// What is done.
        #[arg(long, value_name = "A", value_parser = word(Activity::ALL, Activity::as_str))]
        activity: Activity,
        /// Where, by pseudonym, id or unique prefix of it.
        #[arg(long, value_name = "P")]
        place: Option<String>,
        /// With whom.
        #[arg(long, value_name = "P1,P2", value_delimiter = ',')]
        with: Vec<String>,
        /// When: a date, DATE/morning (afternoon, evening, night), or RFC 3339; without it, now.
        #[arg(long, value_name = "T")]
        at: Option<Observed>,
    },
    /// List encounters, newest first.
    #[command(after_help = "Examples:
  thicket encounter list")]
    List,
}

#[derive(Serialize)]
struct EncounterRow {
    id: String,
    activity: &'static str,
    place: Option<String>,
    with: Vec<String>,
    at: String,
    by: Option<String>,
    #[serde(skip)]
    names: String,
}

#[derive(Serialize)]
struct Started {
    encounter: String,
    activity: &'static str,
    at: String,
}

impl Shown for Started {
    fn set(&self, page: &mut Page) {
        page.line(format_args!("Started: {}, {}", self.activity, plain(&self.at)));
        page.line(format_args!("Name it with --encounter {}", short(&self.encounter)));
    }
}

#[derive(Serialize)]
struct Encounters {
    encounters: Vec<EncounterRow>,
}

impl Shown for Encounters {
    fn set(&self, page: &mut Page) {
        if self.encounters.is_empty() {
            return page.line("None yet: start one with `thicket encounter start --activity A`.");
        }
        let row =
            |one: &EncounterRow| [short(&one.id), plain(&one.at), one.activity.to_owned(), one.names.clone()];
        let rows: Vec<_> = self.encounters.iter().map(row).collect();
        page.table(["id", "when", "activity", "with"], &rows);
    }
}

impl Encounter {
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::Start { activity, place, with, at } => desk.with_home(|home| {
                let notebook = desk.notebook(home)?;
                let place = place.as_deref().map(|place| desk::place(home, &notebook, place)).transpose()?;
                let with = desk::participants(home, &notebook, &with)?;
                let at = at.unwrap_or_else(just_now);
                let id =
                    home.start_encounter(&notebook, NewEncounter { activity, place, with, at }, now())?;
                Ok(Started { encounter: id.to_string(), activity: activity.as_str(), at: at.to_string() })
            }),
            Self::List => desk.with_home(|home| encounters(home, &desk.notebook(home)?)),
        }
    }
}

fn encounters(home: &Home, notebook: &NotebookId) -> Result<Encounters, Failure> {
    let name = |who: &ParticipantId| home.name_of(notebook, Token::Person(*who));
    let row = |one: thicket_core::home::EncounterShown| EncounterRow {
        id: one.id.to_string(),
        activity: one.activity.as_str(),
        place: one.place.map(|place| place.to_string()),
        names: one.with.iter().map(name).collect::<Vec<_>>().join(", "),
        with: one.with.iter().map(ToString::to_string).collect(),
        at: one.at.to_string(),
        by: one.by.map(|member| member.to_string()),
    };
    Ok(Encounters { encounters: home.encounters(notebook)?.into_iter().map(row).collect() })
}
