//! The metadata of a note in its document: the map `meta`, one key a value, and in it the map `about`.

use std::collections::BTreeSet;

use automerge::transaction::Transactable;
use automerge::{AutoCommit, ChangeHash, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value};
use thicket_protocol::ids::{Hash, MemberId};

use crate::document::DocumentError;
use crate::ids::{EncounterId, GenerationId, NoteId, ParticipantId};
use crate::text::Layer;
use crate::view::{DraftOf, Meta, Provenance};

/// Writes the values that are not in the document as they should be.
pub(crate) fn write(document: &mut AutoCommit, meta: &Meta) -> Result<(), DocumentError> {
    let map = map(document, &ROOT, "meta")?;
    let bytes = |id: &[u8]| Some(ScalarValue::Bytes(id.to_vec()));
    let draft_of = meta.draft_of.as_ref().map(|draft| {
        let heads = draft.heads.iter().flat_map(|head| *head.as_bytes());
        draft.generation.as_bytes().iter().copied().chain(heads).collect::<Vec<u8>>()
    });
    let made_from = meta.made_from.iter().flat_map(|head| *head.as_bytes()).collect();
    let wanted = [
        ("note", bytes(meta.note.as_bytes())),
        ("parent", meta.parent.as_ref().and_then(|id| bytes(id.as_bytes()))),
        ("draft_of", draft_of.map(ScalarValue::Bytes)),
        ("author", bytes(meta.author.as_bytes())),
        ("encounter", meta.encounter.as_ref().and_then(|id| bytes(id.as_bytes()))),
        ("layer", Some(meta.layer.as_str().into())),
        ("observed", Some(meta.observed.to_string().into())),
        ("recorded", Some(meta.recorded.to_string().into())),
        ("provenance", Some(meta.provenance.as_str().into())),
        ("nobody", Some(meta.nobody.into())),
        ("ended", meta.ended.then(|| true.into())),
        ("made_from", (!meta.made_from.is_empty()).then_some(ScalarValue::Bytes(made_from))),
    ];
    for (key, value) in wanted {
        match (value, scalar(document, &map, key)?) {
            (None, None) => {}
            (None, Some(_)) => document.delete(&map, key)?,
            (Some(value), Some(present)) if value == present => {}
            (Some(value), _) => document.put(&map, key, value)?,
        }
    }
    let about = self::map(document, &map, "about")?;
    let present = people(document, &about);
    for gone in present.difference(&meta.about) {
        document.delete(&about, gone.to_string())?;
    }
    for come in meta.about.difference(&present) {
        document.put(&about, come.to_string(), true)?;
    }
    Ok(())
}

/// Reads the metadata. What names the note, its author and its times must be there; another value that is missing or of
/// another shape is read as the least that can be said.
pub(crate) fn read(document: &AutoCommit) -> Result<Meta, DocumentError> {
    let map = map(document, &ROOT, "meta")?;
    let bytes = |key| match scalar(document, &map, key) {
        Ok(Some(ScalarValue::Bytes(bytes))) => Some(bytes),
        _ => None,
    };
    let words = |key| match scalar(document, &map, key) {
        Ok(Some(ScalarValue::Str(words))) => words.to_string(),
        _ => String::new(),
    };
    let draft_of = bytes("draft_of").and_then(|bytes| {
        let (generation, heads) = bytes.split_at_checked(GenerationId::LEN)?;
        let heads = heads.chunks(Hash::LEN).map(Hash::from_slice).collect::<Option<_>>()?;
        Some(DraftOf { generation: GenerationId::from_slice(generation)?, heads })
    });
    Ok(Meta {
        note: bytes("note")
            .and_then(|id| NoteId::from_slice(&id))
            .ok_or(DocumentError::NotANote("note id"))?,
        parent: bytes("parent").and_then(|id| GenerationId::from_slice(&id)),
        draft_of,
        author: bytes("author")
            .and_then(|id| MemberId::from_slice(&id))
            .ok_or(DocumentError::NotANote("author"))?,
        encounter: bytes("encounter").and_then(|id| EncounterId::from_slice(&id)),
        layer: words("layer").parse().unwrap_or(Layer::Observation),
        observed: words("observed").parse().map_err(|_| DocumentError::NotANote("time of observation"))?,
        recorded: words("recorded").parse().map_err(|_| DocumentError::NotANote("time of recording"))?,
        provenance: words("provenance").parse().unwrap_or(Provenance::Typed),
        about: people(document, &self::map(document, &map, "about")?),
        nobody: matches!(scalar(document, &map, "nobody")?, Some(ScalarValue::Boolean(true))),
        ended: matches!(scalar(document, &map, "ended")?, Some(ScalarValue::Boolean(true))),
        made_from: bytes("made_from")
            .and_then(|heads| heads.chunks(Hash::LEN).map(Hash::from_slice).collect())
            .unwrap_or_default(),
    })
}

/// Says that all that is in the document now went elsewhere, even where that was said before.
pub(crate) fn end(document: &mut AutoCommit) -> Result<(), DocumentError> {
    let map = map(document, &ROOT, "meta")?;
    // A value that is put where it stands already would be no change.
    document.delete(&map, "ended")?;
    Ok(document.put(&map, "ended", true)?)
}

/// The changes that said so, each for what it had seen.
pub(crate) fn ends(document: &AutoCommit) -> Result<Vec<ChangeHash>, DocumentError> {
    let map = map(document, &ROOT, "meta")?;
    let said = document.get_all(&map, "ended")?;
    let is_end =
        |value: &Value<'_>| matches!(value, Value::Scalar(end) if **end == ScalarValue::Boolean(true));
    let ends = said.iter().filter(|(value, _)| is_end(value));
    Ok(ends.filter_map(|(_, operation)| document.hash_for_opid(operation)).collect())
}

fn map(document: &AutoCommit, parent: &ObjId, key: &'static str) -> Result<ObjId, DocumentError> {
    match document.get(parent, key)? {
        Some((Value::Object(ObjType::Map), id)) => Ok(id),
        Some(_) | None => Err(DocumentError::NotANote(key)),
    }
}

fn scalar(
    document: &AutoCommit,
    map: &ObjId,
    key: &'static str,
) -> Result<Option<ScalarValue>, DocumentError> {
    match document.get(map, key)? {
        Some((Value::Scalar(value), _)) => Ok(Some(value.into_owned())),
        Some((Value::Object(_), _)) | None => Ok(None),
    }
}

fn people(document: &AutoCommit, about: &ObjId) -> BTreeSet<ParticipantId> {
    document.keys(about).filter_map(|key| key.parse().ok()).collect()
}
