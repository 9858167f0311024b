//! Where a note stands with regard to consent: what the ledger says of everybody in it.

use std::collections::{BTreeMap, BTreeSet};

use thicket_protocol::ids::NotebookId;

use super::derive::open_view;
use super::{Home, HomeError, StampShown, SubjectShown, Thing};
use crate::consent::Occasion;
use crate::ids::{GenerationId, ParticipantId};
use crate::stamp::{Assessment, Basis, NoteFacts, Outcome, People, Standing, assess};
use crate::store::derived_db::GenerationRow;
use crate::text::{Mark, Token};
use crate::view::View;
use crate::vocabulary::{Role, StampStatus};

impl Home {
    /// Where a generation stands now.
    pub(super) fn status_of(&self, row: &GenerationRow, view: &View) -> Result<StampStatus, HomeError> {
        let standing = if row.is_private { Standing::Private } else { Standing::Shared };
        Ok(self.assess_view(&row.notebook, row.generation, view, standing)?.status())
    }

    /// Assesses a generation as the ledger stands: a shared one whose stamp has not come is pending.
    pub(crate) fn assess(&self, row: &GenerationRow, standing: Standing) -> Result<Assessment, HomeError> {
        self.assess_view(&row.notebook, row.generation, &open_view(row)?, standing)
    }

    /// Assesses what a generation says, or would say.
    pub(super) fn assess_view(
        &self,
        notebook: &NotebookId,
        generation: GenerationId,
        view: &View,
        standing: Standing,
    ) -> Result<Assessment, HomeError> {
        let ledger = self.ledger(notebook)?;
        let realm = self.known_team()?.notebooks().get(notebook).map(|notebook| notebook.realm);
        let realm = realm.ok_or(HomeError::NotFound(Thing::Notebook))?;
        let stamp = |id: &GenerationId| ledger.stamps().get(id).and_then(|register| register.value());
        let own = stamp(&generation);
        let origin = view.meta.draft_of.as_ref().map(|draft| &draft.generation);
        let declared =
            own.or_else(|| origin.and_then(stamp)).map(|stamp| stamp.declared()).unwrap_or_default();
        let people =
            if standing == Standing::Shared && own.is_none() { People::Unassessed } else { people_of(view) };
        let encounter = view.meta.encounter.and_then(|id| ledger.encounters().get(&id)?.value());
        let occasion = match encounter {
            Some(encounter) => Occasion::at(encounter.id, encounter.activity, view.meta.observed),
            None => Occasion::observation(view.meta.observed),
        };
        let facts = NoteFacts { realm, people, occasion, standing, also_needs: BTreeSet::new(), declared };
        Ok(assess(ledger, &facts))
    }

    /// Shows an assessment with names.
    pub(super) fn stamp_shown(&self, notebook: &NotebookId, assessment: &Assessment) -> StampShown {
        let subjects = assessment.findings().iter().map(|finding| {
            let (basis, why) = match &finding.outcome {
                Outcome::Rests(basis) | Outcome::Custodians(basis) => (Some(basis), None),
                Outcome::Lacks { why, .. } => (None, Some(why.clone())),
            };
            let consent = match basis {
                Some(Basis::Consent { consent, .. }) => Some(*consent),
                Some(
                    Basis::SitePermission { .. }
                    | Basis::OtherLawful { .. }
                    | Basis::PublicSpace
                    | Basis::NoneRecorded { .. },
                )
                | None => None,
            };
            SubjectShown {
                participant: finding.participant,
                pseudonym: self.name_of(notebook, Token::Person(finding.participant)),
                role: finding.role,
                basis: basis.map(Basis::as_str),
                consent,
                why,
            }
        });
        StampShown { status: assessment.status(), subjects: subjects.collect() }
    }
}

/// Everybody in a note as they appear: whoever speaks is quoted, whoever is named by hand was observed.
fn people_of(view: &View) -> People {
    let mut people: BTreeMap<ParticipantId, Role> =
        view.people().into_iter().map(|person| (person, Role::Mentioned)).collect();
    people.extend(view.meta.about.iter().map(|person| (*person, Role::Observed)));
    people.extend(view.text.marks().iter().filter_map(|mark| match mark.mark {
        Mark::Turn(Some(person)) => Some((person, Role::Speaker)),
        Mark::Turn(None) | Mark::Layer(_) | Mark::Other => None,
    }));
    match (people.is_empty(), view.meta.nobody) {
        (false, _) => People::These(people),
        (true, true) => People::Nobody,
        (true, false) => People::Unassessed,
    }
}
