//! Who changed what in a note, read from its documents.

use std::collections::BTreeMap;

use thicket_protocol::ids::{DeviceId, Hash, MemberId, SpaceId};
use thicket_protocol::record::ItemRef;

use super::outbox::read_unsent;
use super::take::Opened;
use super::{DamagedFile, Home, HomeError, Thing};
use crate::body::{CommitTime, Content, NoteBody};
use crate::document::NoteDocument;
use crate::ids::{GenerationId, NoteId};
use crate::store::core_db::{self, BodyState};
use crate::store::derived_db::{self, GenerationRow};
use crate::time::Moment;

/// One change of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeShown {
    /// The change.
    pub change: Hash,
    /// When it was made, where its author's device said so.
    pub at: Option<Moment>,
    /// Who made it, where that is known.
    pub member: Option<MemberId>,
    /// On which device.
    pub device: Option<DeviceId>,
    /// The generation that it belongs to.
    pub generation: GenerationId,
    /// Characters that came into the text.
    pub added: usize,
    /// Characters and tokens that went out of it.
    pub removed: usize,
    /// People and places that came in, as they are called.
    pub named: Vec<String>,
    /// Whether the title changed.
    pub title: bool,
    /// Whether something beside title and text changed.
    pub meta: bool,
}

impl Home {
    /// Who changed what when, oldest first: generation by generation, in each as its changes rest on each other.
    pub fn history(&self, note: NoteId) -> Result<Vec<ChangeShown>, HomeError> {
        let rows = derived_db::generations_of(self.derived.read(), note)?;
        let shown = rows.iter().find(|row| row.is_shown).ok_or(HomeError::NotFound(Thing::Note))?;
        self.check_hold(shown)?;
        let mut changes = Vec::new();
        for row in in_order(&rows) {
            let bodies = self.bodies_of(row.space, row.generation)?;
            let mut commits: BTreeMap<Hash, (CommitTime, DeviceId)> = BTreeMap::new();
            for (from, body) in &bodies {
                let device = from.map_or(self.device, |item| item.device);
                commits.extend(body.commits.iter().map(|commit| (commit.change, (*commit, device))));
            }
            for summary in self.load_from(row.generation, &bodies)?.history() {
                let commit = commits.get(&summary.change);
                let device = commit.map(|(_, device)| *device);
                changes.push(ChangeShown {
                    change: summary.change,
                    at: commit.and_then(|(time, _)| Moment::new(time.at_ms, time.zone_minutes).ok()),
                    member: device.and_then(|device| self.member_of(&device)),
                    device,
                    generation: row.generation,
                    added: summary.added,
                    removed: summary.removed,
                    named: summary.tokens.iter().map(|token| self.name_of(&row.notebook, *token)).collect(),
                    title: summary.title,
                    meta: summary.meta,
                });
            }
        }
        Ok(changes)
    }

    fn member_of(&self, device: &DeviceId) -> Option<MemberId> {
        Some(self.team.as_ref()?.devices().get(device)?.member)
    }

    /// Opens every body of a generation that is here and opens, records first, then what is not sealed yet.
    pub(crate) fn bodies_of(
        &self,
        space: SpaceId,
        generation: GenerationId,
    ) -> Result<Vec<(Option<ItemRef>, NoteBody)>, HomeError> {
        let mut bodies = Vec::new();
        for part in core_db::parts_of(self.core.read(), space, generation.into())? {
            let (Some(body), BodyState::Kept) = (&part.body, part.state) else { continue };
            if let Ok(Opened::Note(note)) = self.open_item(&part.head, part.at.index, &part.item, body) {
                bodies.push((Some(part.at), note.body));
            }
        }
        if let Some(row) = core_db::unsent(self.core.read(), &self.secrets.local, generation)? {
            let unsent =
                read_unsent(&row.body).and_then(|unsent| NoteBody::decode_padded(unsent.padded).ok());
            bodies.push((None, unsent.ok_or(HomeError::Damaged(DamagedFile::Core))?));
        }
        Ok(bodies)
    }

    /// Loads a document from its bodies, under this device's name.
    pub(super) fn load_from(
        &self,
        generation: GenerationId,
        bodies: &[(Option<ItemRef>, NoteBody)],
    ) -> Result<NoteDocument, HomeError> {
        let contents: Vec<&Content> = bodies.iter().map(|(_, body)| &body.content).collect();
        Ok(NoteDocument::load(self.actor(generation), contents)?)
    }
}

/// Generations, each behind its parent and behind what it is a draft of; else by id.
fn in_order(rows: &[GenerationRow]) -> Vec<&GenerationRow> {
    let mut left: Vec<&GenerationRow> = rows.iter().collect();
    let mut ordered: Vec<&GenerationRow> = Vec::with_capacity(rows.len());
    while !left.is_empty() {
        let waits = |row: &GenerationRow| {
            left.iter()
                .any(|other| Some(other.generation) == row.parent || Some(other.generation) == row.draft_of)
        };
        // Parents in a circle cannot be made by this version; one that was made elsewhere must not hang a reader.
        let at = left.iter().position(|row| !waits(row)).unwrap_or(0);
        ordered.push(left.remove(at));
    }
    ordered
}
