//! What each change of a document did, read from its operations.

use automerge::legacy::{Key, ObjectId, OpId, OpType};
use automerge::{Change, ObjType, ScalarValue};

use crate::document::{ChangeSummary, from_change_hash};
use crate::ids::{ParticipantId, PlaceId};
use crate::text::Token;

/// The objects that the root's keys have meant so far.
#[derive(Default)]
struct Objects {
    title: Vec<ObjectId>,
    text: Vec<ObjectId>,
    meta: Vec<ObjectId>,
}

/// Sums up changes, each of which stands behind what it depends on.
pub(crate) fn summaries(changes: &[Change]) -> Vec<ChangeSummary> {
    let mut objects = Objects::default();
    changes.iter().map(|change| summary(change, &mut objects)).collect()
}

fn summary(change: &Change, objects: &mut Objects) -> ChangeSummary {
    let change_hash = from_change_hash(change.hash());
    let mut summary = ChangeSummary {
        change: change_hash,
        added: 0,
        removed: 0,
        tokens: Vec::new(),
        title: false,
        meta: false,
    };
    let expanded = change.decode();
    for (number, op) in (expanded.start_op.get()..).zip(&expanded.operations) {
        let key = if let Key::Map(key) = &op.key { key.as_str() } else { "" };
        let in_text = objects.text.contains(&op.obj);
        let in_title = objects.title.contains(&op.obj);
        let in_meta = objects.meta.contains(&op.obj);
        match &op.action {
            OpType::Make(kind) => {
                let made = ObjectId::Id(OpId::new(number, &expanded.actor_id));
                match (kind, key) {
                    (ObjType::Text, "title") if op.obj == ObjectId::Root => objects.title.push(made),
                    (ObjType::Text, "text") if op.obj == ObjectId::Root => objects.text.push(made),
                    (ObjType::Map, "meta") if op.obj == ObjectId::Root => objects.meta.push(made),
                    (ObjType::Map, "about") if in_meta => objects.meta.push(made),
                    _ => {}
                }
            }
            OpType::Put(ScalarValue::Str(chars)) if in_text && op.insert => {
                summary.added += chars.chars().count();
            }
            OpType::Put(ScalarValue::Bytes(id)) if !in_meta => summary.tokens.extend(token(key, id)),
            OpType::Delete if in_text => summary.removed += 1,
            OpType::Put(_)
            | OpType::Delete
            | OpType::Increment(_)
            | OpType::MarkBegin(_)
            | OpType::MarkEnd(_) => {}
        }
        summary.title |= in_title;
        summary.meta |= in_meta;
    }
    summary
}

fn token(key: &str, id: &[u8]) -> Option<Token> {
    match key {
        "person" => ParticipantId::from_slice(id).map(Token::Person),
        "place" => PlaceId::from_slice(id).map(Token::Place),
        _ => None,
    }
}
