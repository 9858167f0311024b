//! A generation of a note as an automerge document.
//!
//! Root: `title` Text, `text` Text, `meta` Map. People and places are inline blocks in the texts, maps of one key:
//! `person` or `place` with the id; the beginning of a passage is one too, `layer` with its word or `turn` with the
//! speaker's id or null. See docs/adr/0001-people-are-blocks.md.

use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{
    AutoCommit, AutomergeError, Change, ChangeHash, ObjId, ObjType, ROOT, ReadDoc, SaveOptions, ScalarValue,
    Span, Value, hydrate,
};
use thicket_protocol::ids::{DeviceId, Hash};
use thicket_protocol::sign;

use crate::body::Content;
use crate::chunk;
use crate::diff::diff;
use crate::ids::{GenerationId, ParticipantId, PlaceId};
use crate::text::{
    self, Mark, NOTE_BYTES_MAX, Prose, Splice, TITLE_CHARS_MAX, TextError, Token, Unit, check_text,
    check_title,
};
use crate::view::{EncodedView, Heads, Meta, View};

/// The name under which one device writes into one generation.
///
/// Two histories under one name wedge a document for good, so it is derived from what is never shared: the device,
/// the opening of its home (files that are put back from an old copy are opened anew) and the generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor([u8; 16]);

impl Actor {
    /// Derives the name: the first 16 bytes of H("thicket/actor/1" || device || opening || generation).
    pub fn derive(device: DeviceId, opening: &[u8; 16], generation: GenerationId) -> Self {
        Self(sign::hash("thicket/actor/1", &[device.as_bytes(), opening, generation.as_bytes()]).first_16())
    }

    /// The name for a draft's one change, which is a function of what it began from and what it says: no two changes have it.
    fn for_draft(base: &Heads, draft: &View) -> Self {
        let base: Vec<u8> = base.iter().flat_map(|head| *head.as_bytes()).collect();
        let says = EncodedView::of(draft).content_hash();
        Self(sign::hash("thicket/actor/draft/1", &[says.as_bytes(), &base]).first_16())
    }

    fn id(self) -> automerge::ActorId {
        automerge::ActorId::from(&self.0[..])
    }
}

/// One of the two texts of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The title: one line, no markers.
    Title,
    /// The text.
    Text,
}

impl Field {
    const fn key(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Text => "text",
        }
    }
}

/// Why a document cannot be read or edited.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The bytes are not a document or change as Thicket writes them.
    #[error("bytes are not a document or a change")]
    NotPlain,
    /// Automerge does not take the bytes, or the change does not fit the document.
    #[error("document or change is damaged")]
    Damaged(#[from] AutomergeError),
    /// A change cannot be read.
    #[error("change is damaged")]
    DamagedChange(#[from] automerge::LoadChangeError),
    /// The document is not a note, or the change that makes it one has not come.
    #[error("document has no {0}")]
    NotANote(&'static str),
    /// The splice reaches beyond the end.
    #[error("edit reaches beyond the end, {length} long")]
    OutOfRange {
        /// How long the text is, in units.
        length: usize,
    },
    /// The edit would make a text that is not allowed; nothing of it was done.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Automerge fell over the bytes: no automerge wrote them.
    #[error("document or change is forged")]
    Hostile,
    /// Edits wait for `commit`, and would be mixed with what is to be applied.
    #[error("edits wait to be committed")]
    Uncommitted,
    /// The heads that a draft began from are not all here.
    #[error("the document lacks heads that the draft began from")]
    UnknownHeads,
}

/// What one change did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSummary {
    /// The change.
    pub change: Hash,
    /// How many characters came into the text.
    pub added: usize,
    /// How many units went out of the text; a token is one.
    pub removed: usize,
    /// The people and places that came into title or text, in order.
    pub tokens: Vec<Token>,
    /// Something in the title changed.
    pub title: bool,
    /// Something beside title and text changed.
    pub meta: bool,
}

/// A generation of a note that can be read, edited and merged.
#[derive(Debug)]
pub struct NoteDocument {
    document: AutoCommit,
    actor: Actor,
    /// At least the bytes of the text, if known: saves counting them at every keystroke.
    text_bytes: Option<usize>,
}

impl NoteDocument {
    /// Begins a generation; its first change is committed.
    pub fn new(actor: Actor, meta: &Meta, title: &[Unit], text: &[Unit]) -> Result<Self, DocumentError> {
        check_title(title)?;
        check_text(text)?;
        let mut document = AutoCommit::new().with_actor(actor.id());
        for field in [Field::Title, Field::Text] {
            document.put_object(ROOT, field.key(), ObjType::Text)?;
        }
        let map = document.put_object(ROOT, "meta", ObjType::Map)?;
        document.put_object(&map, "about", ObjType::Map)?;
        let mut note = Self { document, actor, text_bytes: None };
        note.set_meta(meta)?;
        for (field, units) in [(Field::Title, title), (Field::Text, text)] {
            let object = note.object(field.key())?;
            note.write(&object, &Splice { at: 0, delete: 0, insert: units.to_vec() })?;
        }
        note.commit();
        Ok(note)
    }

    /// Opens a generation from what was kept or came of it, in any order; changes whose dependencies are not here
    /// wait for them (see [`NoteDocument::missing`]).
    pub fn load<'c>(
        actor: Actor,
        parts: impl IntoIterator<Item = &'c Content>,
    ) -> Result<Self, DocumentError> {
        let (whole, changes): (Vec<&Content>, Vec<&Content>) =
            parts.into_iter().partition(|part| matches!(part, Content::Full(_)));
        let mut note = Self { document: AutoCommit::new().with_actor(actor.id()), actor, text_bytes: None };
        note.absorb(whole.into_iter().chain(changes))?;
        Ok(note)
    }

    /// Merges what came; doing it twice is harmless. On an error the document is as it was.
    pub fn apply(&mut self, content: &Content) -> Result<(), DocumentError> {
        if self.document.pending_ops() > 0 {
            return Err(DocumentError::Uncommitted);
        }
        self.absorb([content])
    }

    /// Merges all of it into one copy, which is read once and taken if that went well.
    fn absorb<'c>(&mut self, parts: impl IntoIterator<Item = &'c Content>) -> Result<(), DocumentError> {
        // Automerge panics on some changes that no automerge wrote, in the middle of its own work: whatever happens
        // happens to a copy, and what could not be read afterwards is not taken.
        let mut merged = self.document.clone();
        let work = AssertUnwindSafe(|| {
            for part in parts {
                let before = merged.get_heads();
                merge(&mut merged, part)?;
                if let Content::Changes(_) = part {
                    // A whole document was read back change by change when it was loaded.
                    merged.get_changes(&before);
                }
            }
            // A load draws a random actor.
            merged.set_actor(self.actor.id());
            let merged = Self { document: merged, actor: self.actor, text_bytes: None };
            match merged.view() {
                Ok(_) | Err(DocumentError::NotANote(_)) => Ok(merged),
                Err(error) => Err(error),
            }
        });
        *self = catch_unwind(work).map_err(|_| DocumentError::Hostile)??;
        Ok(())
    }

    /// Edits a text. Either all splices are carried out or none; they wait for [`NoteDocument::commit`].
    pub fn splice(&mut self, field: Field, splices: &[Splice]) -> Result<(), DocumentError> {
        let object = self.object(field.key())?;
        let mut length = self.document.length(&object);
        for splice in splices {
            let end = (splice.at as usize).saturating_add(splice.delete as usize);
            if end > length {
                return Err(DocumentError::OutOfRange { length });
            }
            length = length - splice.delete as usize + splice.insert.len();
        }
        match field {
            Field::Title => self.check_title_splices(&object, splices, length)?,
            Field::Text => self.check_text_splices(&object, splices)?,
        }
        splices.iter().try_for_each(|splice| self.write(&object, splice))
    }

    /// A title that grew too long in a merge can be shortened, but not lengthened.
    fn check_title_splices(
        &self,
        object: &ObjId,
        splices: &[Splice],
        chars: usize,
    ) -> Result<(), DocumentError> {
        for splice in splices {
            match check_title(&splice.insert) {
                Ok(()) | Err(TextError::TitleTooLong { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if chars > TITLE_CHARS_MAX && chars > self.document.length(object) {
            return Err(TextError::TitleTooLong { chars }.into());
        }
        Ok(())
    }

    /// A text that grew too long in a merge can be shortened, but not lengthened.
    fn check_text_splices(&mut self, object: &ObjId, splices: &[Splice]) -> Result<(), DocumentError> {
        splices.iter().try_for_each(|splice| text::check_chars(&splice.insert))?;
        let bytes = |units: &[Unit]| units.iter().map(|unit| unit.bytes()).sum::<usize>();
        let before = match self.text_bytes {
            Some(known) => known,
            None => bytes(&self.units(object)?),
        };
        let inserted: usize = splices.iter().map(|splice| bytes(&splice.insert)).sum();
        let mut after = before + inserted;
        if after > NOTE_BYTES_MAX {
            // What is known leaves deletions out; near the limit it has to be counted.
            let mut units = self.units(object)?;
            let before = bytes(&units);
            let fits = splices.iter().all(|splice| splice.apply(&mut units));
            assert!(fits, "the ranges were checked");
            after = bytes(&units);
            if after > NOTE_BYTES_MAX && after > before {
                return Err(TextError::TextTooLong { bytes: after }.into());
            }
        }
        self.text_bytes = Some(after);
        Ok(())
    }

    /// Carries out a splice whose range was checked.
    fn write(&mut self, object: &ObjId, splice: &Splice) -> Result<(), DocumentError> {
        let mut at = splice.at as usize;
        let mut delete = isize::try_from(splice.delete).expect("a text in memory has fewer than 2^31 units");
        for run in
            splice.insert.chunk_by(|left, right| matches!((left, right), (Unit::Char(_), Unit::Char(_))))
        {
            let chars: String = run
                .iter()
                .filter_map(|unit| if let Unit::Char(char) = unit { Some(*char) } else { None })
                .collect();
            if !chars.is_empty() || delete > 0 {
                self.document.splice_text(object, at, delete, &chars)?;
                delete = 0;
            }
            if let [unit @ (Unit::Token(_) | Unit::Mark(_))] = run {
                let block = self.document.split_block(object, at)?;
                if let Some((key, value)) = block_entry(*unit) {
                    self.document.put(&block, key, value)?;
                }
            }
            at += run.len();
        }
        if delete > 0 {
            self.document.splice_text(object, at, delete, "")?;
        }
        Ok(())
    }

    /// Edits a text so that it becomes `new`, keeping what is the same; it waits for [`NoteDocument::commit`].
    pub fn update(&mut self, field: Field, new: &[Unit]) -> Result<(), DocumentError> {
        let old = self.units(&self.object(field.key())?)?;
        self.splice(field, &diff(&old, new))
    }

    /// Writes what of the metadata is different; it waits for [`NoteDocument::commit`]. Each value is merged on its
    /// own, the last writer's wins; people that two devices add are both kept.
    pub fn set_meta(&mut self, meta: &Meta) -> Result<(), DocumentError> {
        crate::meta::write(&mut self.document, meta)
    }

    /// Makes one change of all edits since the last; none when there was no edit.
    pub fn commit(&mut self) -> Option<Hash> {
        if self.document.pending_ops() == 0 {
            return None;
        }
        // The time would be a second, unsealed clock: bodies list when changes were made.
        self.document.commit_with(CommitOptions::default().with_time(0)).map(from_change_hash)
    }

    /// The version. Edits that wait are committed first.
    pub fn heads(&mut self) -> Heads {
        self.document.get_heads().into_iter().map(from_change_hash).collect()
    }

    /// The changes that the version `heads` lacks, not deflated, each behind what it depends on. Heads that are not
    /// here are passed over. Edits that wait are committed first.
    pub fn changes_since(&mut self, heads: &Heads) -> Vec<Vec<u8>> {
        let mut known: Vec<ChangeHash> = heads.iter().map(|head| ChangeHash(*head.as_bytes())).collect();
        known.retain(|head| self.document.get_change_meta_by_hash(head).is_some());
        self.document.get_changes(&known).iter().map(|change| change.raw_bytes().to_vec()).collect()
    }

    /// The whole document, not deflated, without changes that wait for their dependencies. Edits that wait are
    /// committed first.
    pub fn save_uncompressed(&mut self) -> Vec<u8> {
        self.document.save_with_options(SaveOptions { deflate: false, retain_orphans: false })
    }

    /// Changes that others depend on and that have not come. Edits that wait are committed first.
    pub fn missing(&mut self) -> Heads {
        self.document.get_missing_deps(&[]).into_iter().map(from_change_hash).collect()
    }

    /// What the note says now, edits that wait included.
    pub fn view(&self) -> Result<View, DocumentError> {
        let prose = |field: Field| -> Result<Prose, DocumentError> {
            Ok(Prose::from_units(&self.units(&self.object(field.key())?)?))
        };
        Ok(View {
            title: prose(Field::Title)?,
            text: prose(Field::Text)?,
            meta: crate::meta::read(&self.document)?,
        })
    }

    /// Applies what a draft changed as one change at the heads the draft began from, so that it merges with what
    /// others wrote meanwhile. None when the draft changed nothing, or its change is here already. On an error the document is as it was.
    ///
    /// The change is the same on every device, byte for byte: two own devices that end one draft write its text once.
    pub fn apply_draft(&mut self, base: &Heads, draft: &View) -> Result<Option<Hash>, DocumentError> {
        if self.document.pending_ops() > 0 {
            return Err(DocumentError::Uncommitted);
        }
        let began: Vec<ChangeHash> = base.iter().map(|head| ChangeHash(*head.as_bytes())).collect();
        if began.is_empty() || began.iter().any(|head| self.document.get_change_meta_by_hash(head).is_none())
        {
            return Err(DocumentError::UnknownHeads);
        }
        let actor = Actor::for_draft(base, draft);
        let mut branch = Self { document: self.document.fork_at(&began)?, actor, text_bytes: None };
        // A fork draws a random actor.
        branch.document.set_actor(actor.id());
        branch.edit_like(draft)?;
        let Some(change) = branch.commit() else { return Ok(None) };
        if self.document.get_change_meta_by_hash(&ChangeHash(*change.as_bytes())).is_some() {
            return Ok(None);
        }
        self.document.merge(&mut branch.document)?;
        self.text_bytes = None;
        Ok(Some(change))
    }

    fn edit_like(&mut self, draft: &View) -> Result<(), DocumentError> {
        let shared = crate::meta::read(&self.document)?;
        self.update(Field::Title, &draft.title.units())?;
        self.update(Field::Text, &draft.text.units())?;
        // What names the generation and its origin stays the shared note's own.
        let Meta { note, parent, draft_of, author, recorded, ended, made_from, .. } = shared;
        let own = draft.meta.clone();
        self.set_meta(&Meta { note, parent, draft_of, author, recorded, ended, made_from, ..own })
    }

    /// Says that what the note says now went elsewhere; it waits for [`NoteDocument::commit`].
    pub fn end(&mut self) -> Result<(), DocumentError> {
        crate::meta::end(&mut self.document)
    }

    /// The version up to which it was said to have gone elsewhere; empty where that was never said.
    pub fn ended_at(&self) -> Result<Heads, DocumentError> {
        Ok(crate::meta::ends(&self.document)?.into_iter().map(from_change_hash).collect())
    }

    /// The changes that rest on no other: the version that it began as.
    pub fn beginning(&mut self) -> Heads {
        let changes = self.document.get_changes(&[]);
        let first = changes.iter().filter(|change| change.deps().is_empty());
        first.map(|change| from_change_hash(change.hash())).collect()
    }

    /// Tells whether something of a version is not here. Edits that wait are committed first.
    pub fn lacks(&mut self, heads: &Heads) -> bool {
        heads
            .iter()
            .any(|head| self.document.get_change_meta_by_hash(&ChangeHash(*head.as_bytes())).is_none())
    }

    /// What the note said at a version; none where that is not all here. Edits that wait are committed first.
    pub fn view_at(&mut self, heads: &Heads) -> Result<Option<View>, DocumentError> {
        if heads.is_empty() || self.lacks(heads) {
            return Ok(None);
        }
        let at: Vec<ChangeHash> = heads.iter().map(|head| ChangeHash(*head.as_bytes())).collect();
        let document = self.document.fork_at(&at)?;
        Self { document, actor: self.actor, text_bytes: None }.view().map(Some)
    }

    /// Applies to `ours` what is different in `theirs`, both made from `base`, as if two had written at the same time.
    pub fn merge_views(base: &View, ours: &View, theirs: &View) -> Result<View, DocumentError> {
        let (title, text) = (base.title.units(), base.text.units());
        let actor = Actor::for_draft(&Heads::new(), base);
        let mut document = Self::new(actor, &base.meta, &title, &text)?;
        let heads = document.heads();
        document.edit_like(ours)?;
        document.commit();
        document.apply_draft(&heads, theirs)?;
        document.view()
    }

    fn object(&self, key: &'static str) -> Result<ObjId, DocumentError> {
        match self.document.get(ROOT, key)? {
            Some((Value::Object(ObjType::Text), id)) => Ok(id),
            Some(_) | None => Err(DocumentError::NotANote(key)),
        }
    }

    fn units(&self, object: &ObjId) -> Result<Vec<Unit>, DocumentError> {
        let mut units = Vec::new();
        for span in self.document.spans(object)? {
            match span {
                Span::Text { text, .. } => units.extend(text.chars().map(Unit::Char)),
                Span::Block(block) => units.push(block_unit(&block)),
            }
        }
        Ok(units)
    }

    /// What each change did, each behind what it depends on. Edits that wait are committed first.
    pub fn history(&mut self) -> Vec<ChangeSummary> {
        crate::history::summaries(&self.document.get_changes(&[]))
    }
}

/// Puts what came into a document.
fn merge(document: &mut AutoCommit, content: &Content) -> Result<(), DocumentError> {
    match content {
        Content::Full(bytes) => {
            if !chunk::is_plain_document(bytes) {
                return Err(DocumentError::NotPlain);
            }
            let mut whole = AutoCommit::load(bytes)?;
            if document.is_empty() {
                *document = whole;
            } else {
                document.merge(&mut whole)?;
            }
        }
        Content::Changes(changes) => {
            if !changes.iter().all(|change| chunk::is_plain_change(change)) {
                return Err(DocumentError::NotPlain);
            }
            let changes: Result<Vec<Change>, _> = changes.iter().cloned().map(Change::from_bytes).collect();
            document.apply_changes(changes?)?;
        }
    }
    Ok(())
}

pub(crate) fn from_change_hash(hash: ChangeHash) -> Hash {
    Hash::from_bytes(hash.0)
}

/// The one entry of the block that stands for a unit.
fn block_entry(unit: Unit) -> Option<(&'static str, ScalarValue)> {
    let bytes = |id: &[u8]| ScalarValue::Bytes(id.to_vec());
    match unit {
        Unit::Token(Token::Person(id)) => Some(("person", bytes(id.as_bytes()))),
        Unit::Token(Token::Place(id)) => Some(("place", bytes(id.as_bytes()))),
        Unit::Mark(Mark::Layer(layer)) => Some(("layer", layer.as_str().into())),
        Unit::Mark(Mark::Turn(Some(id))) => Some(("turn", bytes(id.as_bytes()))),
        Unit::Mark(Mark::Turn(None)) => Some(("turn", ScalarValue::Null)),
        Unit::Mark(Mark::Other) | Unit::Char(_) => None,
    }
}

/// The unit that a block stands for: what cannot be read keeps its place as a marker.
fn block_unit(block: &hydrate::Map) -> Unit {
    let scalar = |key: &str| match block.get(key) {
        Some(hydrate::Value::Scalar(value)) => Some(value),
        Some(hydrate::Value::Map(_) | hydrate::Value::List(_) | hydrate::Value::Text(_)) | None => None,
    };
    let bytes = |key: &str| match scalar(key) {
        Some(ScalarValue::Bytes(bytes)) => Some(bytes.as_slice()),
        _ => None,
    };
    let person = bytes("person").and_then(ParticipantId::from_slice).map(|id| Unit::Token(Token::Person(id)));
    let place = || bytes("place").and_then(PlaceId::from_slice).map(|id| Unit::Token(Token::Place(id)));
    let turn = || match scalar("turn") {
        Some(ScalarValue::Null) => Some(Mark::Turn(None)),
        _ => bytes("turn").and_then(ParticipantId::from_slice).map(|id| Mark::Turn(Some(id))),
    };
    let layer = || match scalar("layer") {
        Some(ScalarValue::Str(word)) => word.parse().ok().map(Mark::Layer),
        _ => None,
    };
    let mark = || Unit::Mark(turn().or_else(layer).unwrap_or(Mark::Other));
    person.or_else(place).unwrap_or_else(mark)
}
