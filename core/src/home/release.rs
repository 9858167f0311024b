//! Release: a note leaves its author's private space as a new generation with a new key and a stamp; and a draft
//! ends in the shared note that it began from.

use std::collections::BTreeSet;

use thicket_protocol::ids::NotebookId;

use super::documents::Loaded;
use super::keep::Kept;
use super::notes::stamp;
use super::{Home, HomeError, Placed};
use crate::ids::{GenerationId, NoteId};
use crate::secret::VaultKey;
use crate::stamp::Standing;
use crate::store::derived_db::{self, GenerationRow};
use crate::text::{Prose, units};
use crate::time::Moment;
use crate::view::{Meta, View};
use crate::vocabulary::StampStatus;
use crate::words;

impl Home {
    /// Releases a note by hand, or ends its draft. Refused when consent does not cover everybody in it; a real name
    /// in the text does not stop a hand.
    pub fn release_note(&mut self, note: NoteId, now: Moment) -> Result<Placed, HomeError> {
        self.follow()?;
        let row = self.edited(note)?;
        if !row.is_private {
            return Err(HomeError::Conflict("the note is shared already"));
        }
        self.load_ledger(&row.notebook)?;
        self.commit_row(&row, now)?;
        // The commit may have let it out by itself.
        let row = self.edited(note)?;
        let standing = if row.is_private { Standing::ReleasedByHand } else { Standing::Shared };
        let assessment = self.assess(&row, standing)?;
        if !row.is_private {
            return Ok(self.placed(&row, &assessment));
        }
        if assessment.status() != StampStatus::Valid {
            return Err(HomeError::Consent { status: assessment.status() });
        }
        let Some(space) = self.shared_space(&row.notebook) else {
            let role = self.known_team()?.members().get(&row.author).map(|member| member.role);
            let shared = self.known_team()?.space_of(
                &row.notebook,
                thicket_protocol::governance::SpaceKind::Shared,
                None,
            );
            let may = shared
                .is_some_and(|space| self.team().is_some_and(|team| team.may_hold(&row.author, &space)));
            return Err(match role {
                Some(role) if !may => HomeError::Role { role },
                Some(_) | None => HomeError::WaitingForKeys,
            });
        };
        if row.draft_of.is_some() {
            return self.end_draft(&row, now)?.ok_or(HomeError::Consent { status: StampStatus::OnHold });
        }
        self.release(&row, space, standing, now)
    }

    /// Releases every own private note, and ends every draft, that is covered now; unless the name guard finds something. Run after events were
    /// recorded or applied.
    pub fn release_covered(&mut self, now: Moment) -> Result<Vec<NoteId>, HomeError> {
        self.follow()?;
        let derived = self.derived.read();
        let mut candidates: BTreeSet<GenerationId> =
            derived_db::generations_where(derived, None, Some(true), &[StampStatus::Valid])?
                .into_iter()
                .collect();
        candidates.extend(derived_db::drafts(derived, StampStatus::Valid)?);
        let mut released = Vec::new();
        for generation in candidates {
            let Some(row) = derived_db::generation(self.derived.read(), generation)? else { continue };
            self.load_ledger(&row.notebook)?;
            self.commit_row(&row, now)?;
            let Some(row) = derived_db::generation(self.derived.read(), generation)? else { continue };
            match self.let_out(&row, now) {
                Ok(Some(_)) => released.push(row.note),
                Err(error) if error.is_grave() => return Err(error),
                // One note that cannot go, because its document is damaged or has grown too long, keeps no other back.
                Ok(None) | Err(_) => {}
            }
        }
        Ok(released)
    }

    /// Lets a private generation out if everybody in it is covered and no known real name stands in it.
    pub(super) fn let_out(&mut self, row: &GenerationRow, now: Moment) -> Result<Option<Placed>, HomeError> {
        let Ok(member) = self.author(&row.notebook) else { return Ok(None) };
        let Some(space) = self.shared_space(&row.notebook) else { return Ok(None) };
        // The row may lie behind what was just kept, and the document does not.
        let loaded = self.take_document(row.space, row.generation)?;
        let view = loaded.document.view()?;
        self.documents.put(row.generation, loaded);
        let assessment = self.assess_view(&row.notebook, row.generation, &view, Standing::Private)?;
        let may_go = row.author == member
            && !view.meta.ended
            && assessment.status() == StampStatus::Valid
            && self.names_in(&row.notebook, &view)?.is_empty();
        if !may_go {
            return Ok(None);
        }
        if view.meta.draft_of.is_some() {
            return self.end_draft(row, now);
        }
        let rows = derived_db::generations_of(self.derived.read(), row.note)?;
        if rows.iter().any(|other| other.parent == Some(row.generation)) {
            return Ok(None);
        }
        self.release(row, space, Standing::Private, now).map(Some)
    }

    /// Makes the successor of a private generation: a fresh document without ancestry, under a key of its own, with its stamp.
    fn release(
        &mut self,
        row: &GenerationRow,
        space: thicket_protocol::ids::SpaceId,
        standing: Standing,
        now: Moment,
    ) -> Result<Placed, HomeError> {
        let loaded = self.take_document(row.space, row.generation)?;
        let before = loaded.document.view()?;
        self.documents.put(row.generation, loaded);
        let meta = Meta { parent: Some(row.generation), draft_of: None, ended: false, ..before.meta };
        let view = View { meta, ..before };
        let key = VaultKey::make(&mut *self.entropy);
        let generation: GenerationId = key.id().into();
        let assessment = self.assess_view(&row.notebook, row.generation, &view, standing)?;
        let stamps = vec![(row.notebook, stamp(&assessment, &view, generation)?)];
        let mut loaded = Loaded::begin(self.actor(generation), &view, now)?;
        let body = loaded.prepare(generation, now)?;
        let (keys, bodies) = (vec![(space, key)], vec![(space, generation, body)]);
        self.keep_act(Kept { keys, bodies, stamps, journals: Vec::new() }, now)?;
        self.documents.put(generation, loaded);
        let stamp = self.stamp_shown(&row.notebook, &assessment);
        Ok(Placed { note: row.note, generation, is_private: false, is_draft: false, stamp })
    }

    /// Applies a draft's difference to the shared document at the heads it began from, and ends the draft, both or neither. None where what
    /// would come of it is not covered, or the shared note is on hold or has a successor.
    fn end_draft(&mut self, draft: &GenerationRow, now: Moment) -> Result<Option<Placed>, HomeError> {
        let Some(origin) = draft.draft_of else { return Ok(None) };
        let Some(shared) = derived_db::generation(self.derived.read(), origin)? else { return Ok(None) };
        if !shared.is_shown || shared.status == StampStatus::OnHold {
            return Ok(None);
        }
        self.commit_row(&shared, now)?;
        let mut ended = self.take_document(draft.space, draft.generation)?;
        let view = ended.document.view()?;
        let Some(began) = &view.meta.draft_of else { return Ok(None) };
        let mut loaded = self.take_document(shared.space, shared.generation)?;
        let change = loaded.document.apply_draft(&began.heads, &view)?;
        let merged = loaded.document.view()?;
        let Some(stamp) = self.restamp(&shared, &merged)? else { return Ok(None) };

        let meta = Meta { ended: true, ..view.meta };
        ended.document.set_meta(&meta)?;
        let mut bodies = vec![(draft.space, draft.generation, ended.prepare(draft.generation, now)?)];
        if change.is_some() {
            let body = loaded.prepare_committed(shared.generation, now)?;
            bodies.push((shared.space, shared.generation, body));
        }
        let stamps = stamp.map(|stamp| (shared.notebook, stamp)).into_iter().collect();
        self.keep_act(Kept { keys: Vec::new(), bodies, stamps, journals: Vec::new() }, now)?;
        self.documents.put(draft.generation, ended);
        self.documents.put(shared.generation, loaded);
        let assessment = self.assess_view(&shared.notebook, shared.generation, &merged, Standing::Shared)?;
        Ok(Some(self.placed(&shared, &assessment)))
    }

    /// The known real names of a notebook that stand in a note's free text, as whole words, whatever their case.
    pub fn guarded_names(&self, notebook: &NotebookId, text: &str) -> Result<Vec<String>, HomeError> {
        self.names_among(notebook, &words::terms(&Prose::from_units(&units(text))))
    }

    /// The known real names that stand in a view's free text; a token is none.
    pub(super) fn names_in(&self, notebook: &NotebookId, view: &View) -> Result<Vec<String>, HomeError> {
        let mut names = self.names_among(notebook, &words::terms(&view.title))?;
        names.extend(self.names_among(notebook, &words::terms(&view.text))?);
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn names_among(&self, notebook: &NotebookId, terms: &[String]) -> Result<Vec<String>, HomeError> {
        let ledger = self.ledger(notebook)?;
        let people = ledger.identities().values().filter_map(|one| one.value()).map(|one| &one.real_name);
        let places =
            ledger.place_identities().values().filter_map(|one| one.value()).map(|one| &one.real_name);
        let mut names: Vec<String> = people
            .chain(places)
            .map(|name| name.to_string())
            .filter(|name| {
                let name = words::terms(&Prose::from_units(&units(name)));
                !name.is_empty() && terms.windows(name.len()).any(|run| run == name)
            })
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }
}
