//! Participants, places, encounters.

use thicket_core::home;
use thicket_core::name::Name;

use crate::ids::{EncounterId, MemberId, NotebookId, ParticipantId, PlaceId, read, read_all};
use crate::time::Observed;
use crate::words::{Activity, AgeBand, Gender, ParticipantKind, SiteType};
use crate::{Home, ThicketError};

/// A participant to be added.
#[derive(Debug, Clone, uniffi::Record)]
pub struct NewParticipant {
    /// What the notes call them; not taken by another participant or place of the notebook.
    pub pseudonym: String,
    /// What they are in the field.
    pub kind: ParticipantKind,
    /// Coarse age.
    #[uniffi(default = None)]
    pub age: Option<AgeBand>,
    /// Gender.
    #[uniffi(default = None)]
    pub gender: Option<Gender>,
    /// Who they are; only those who may know it ever get it.
    #[uniffi(default = None)]
    pub real_name: Option<String>,
}

/// A participant as shown.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ParticipantShown {
    /// Who.
    pub id: ParticipantId,
    /// What the notes call them.
    pub pseudonym: String,
    /// What they are in the field.
    pub kind: ParticipantKind,
    /// Who they are, where this member may read it.
    pub real_name: Option<String>,
}

/// A place to be added.
#[derive(Debug, Clone, uniffi::Record)]
pub struct NewPlace {
    /// What the notes call it; not taken by another participant or place of the notebook.
    pub pseudonym: String,
    /// What sort of place it is.
    pub site_type: SiteType,
    /// Which place it is; only those who may know it ever get it.
    #[uniffi(default = None)]
    pub real_name: Option<String>,
}

/// A place as shown.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PlaceShown {
    /// Which.
    pub id: PlaceId,
    /// What the notes call it.
    pub pseudonym: String,
    /// What sort of place it is.
    pub site_type: SiteType,
    /// Which place it is, where this member may read it.
    pub real_name: Option<String>,
}

/// An encounter to be started.
#[derive(Debug, Clone, uniffi::Record)]
pub struct NewEncounter {
    /// What is done; consent is asked for this.
    pub activity: Activity,
    /// Where.
    #[uniffi(default = None)]
    pub place: Option<PlaceId>,
    /// With whom.
    #[uniffi(default = [])]
    pub with: Vec<ParticipantId>,
    /// When.
    pub at: Observed,
}

/// An encounter as shown.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EncounterShown {
    /// Which.
    pub id: EncounterId,
    /// What was done.
    pub activity: Activity,
    /// Where.
    pub place: Option<PlaceId>,
    /// With whom, by id.
    pub with: Vec<ParticipantId>,
    /// When.
    pub at: Observed,
    /// Who recorded it.
    pub by: Option<MemberId>,
}

fn name(text: &str) -> Result<Name, ThicketError> {
    Ok(text.parse()?)
}

/// Reads a name that need not be there.
fn name_if_any(text: Option<&String>) -> Result<Option<Name>, ThicketError> {
    text.map(|text| name(text)).transpose()
}

#[uniffi::export(async_runtime = "tokio")]
impl Home {
    /// Adds a participant: everybody in a scene is one as soon as they are named, mostly without consent yet.
    pub async fn add_participant(
        &self,
        notebook: NotebookId,
        new: NewParticipant,
    ) -> Result<ParticipantId, ThicketError> {
        let new = home::NewParticipant {
            pseudonym: name(&new.pseudonym)?,
            kind: new.kind.into(),
            age: new.age.map(Into::into),
            gender: new.gender.map(Into::into),
            real_name: name_if_any(new.real_name.as_ref())?,
        };
        let added =
            self.write(move |home, now| Ok(home.add_participant(&read(&notebook)?, new, now)?)).await?;
        Ok(ParticipantId::of(added))
    }

    /// Gives a participant another pseudonym; every text shows it at once.
    pub async fn rename_participant(
        &self,
        notebook: NotebookId,
        participant: ParticipantId,
        pseudonym: String,
    ) -> Result<(), ThicketError> {
        let pseudonym = name(&pseudonym)?;
        self.write(move |home, now| {
            Ok(home.rename_participant(&read(&notebook)?, read(&participant)?, pseudonym, now).map(drop)?)
        })
        .await
    }

    /// Lists participants by pseudonym.
    pub async fn participants(&self, notebook: NotebookId) -> Result<Vec<ParticipantShown>, ThicketError> {
        self.read(move |home| {
            let all = home.participants(&read(&notebook)?)?.into_iter();
            let show = |one: home::ParticipantShown| ParticipantShown {
                id: ParticipantId::of(one.id),
                pseudonym: one.pseudonym.to_string(),
                kind: one.kind.into(),
                real_name: one.real_name.map(|name| name.to_string()),
            };
            Ok(all.map(show).collect())
        })
        .await
    }

    /// Adds a place.
    pub async fn add_place(&self, notebook: NotebookId, new: NewPlace) -> Result<PlaceId, ThicketError> {
        let new = home::NewPlace {
            pseudonym: name(&new.pseudonym)?,
            site_type: new.site_type.into(),
            real_name: name_if_any(new.real_name.as_ref())?,
        };
        let added = self.write(move |home, now| Ok(home.add_place(&read(&notebook)?, new, now)?)).await?;
        Ok(PlaceId::of(added))
    }

    /// Lists places by pseudonym.
    pub async fn places(&self, notebook: NotebookId) -> Result<Vec<PlaceShown>, ThicketError> {
        self.read(move |home| {
            let show = |place: home::PlaceShown| PlaceShown {
                id: PlaceId::of(place.id),
                pseudonym: place.pseudonym.to_string(),
                site_type: place.site_type.into(),
                real_name: place.real_name.map(|name| name.to_string()),
            };
            Ok(home.places(&read(&notebook)?)?.into_iter().map(show).collect())
        })
        .await
    }

    /// Starts an encounter.
    pub async fn start_encounter(
        &self,
        notebook: NotebookId,
        new: NewEncounter,
    ) -> Result<EncounterId, ThicketError> {
        let new = home::NewEncounter {
            activity: new.activity.into(),
            place: new.place.as_ref().map(read).transpose()?,
            with: read_all(&new.with)?,
            at: new.at.read()?,
        };
        let started =
            self.write(move |home, now| Ok(home.start_encounter(&read(&notebook)?, new, now)?)).await?;
        Ok(EncounterId::of(started))
    }

    /// Lists encounters, newest first.
    pub async fn encounters(&self, notebook: NotebookId) -> Result<Vec<EncounterShown>, ThicketError> {
        self.read(move |home| {
            let show = |one: home::EncounterShown| EncounterShown {
                id: EncounterId::of(one.id),
                activity: one.activity.into(),
                place: one.place.map(PlaceId::of),
                with: one.with.into_iter().map(ParticipantId::of).collect(),
                at: one.at.into(),
                by: one.by.map(MemberId::of),
            };
            Ok(home.encounters(&read(&notebook)?)?.into_iter().map(show).collect())
        })
        .await
    }
}
