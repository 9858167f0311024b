//! Bodies of records: who is in it under one key, what it says under another that needs every one of their keys.

use std::collections::BTreeMap;

use thicket_protocol::cbor;
use thicket_protocol::ids::{DocTag, Hash, KeyId, SpaceId};
use thicket_protocol::limits::{BODY_BYTES_MAX, PEOPLE_MAX, TAG_BYTES};
use thicket_protocol::record::{BodyParts, Head, Item, body_aad, body_hash, item_salt};
use zeroize::Zeroizing;

use super::{AeadKey, OpenError, SealError, aead_open, aead_seal};
use crate::ids::ParticipantId;
use crate::secret::{VaultKey, derive};

/// Room for ids in `people`: the length tells this much of how many there are, and no more.
const PEOPLE_BUCKETS: [usize; 5] = [4, 8, 16, 32, PEOPLE_MAX];
/// Length of the `people` part in clear.
const PEOPLE_LENGTH_BYTES: usize = 2;

/// The keys that one body rests on.
#[derive(Debug, Clone, Copy)]
pub struct BodyKeys<'k> {
    /// The content key of the space's epoch.
    pub content: &'k VaultKey,
    /// The note key of the generation; notes, memos and attachments have one.
    pub note: Option<&'k VaultKey>,
    /// The keys of everybody ever named in it, in any order.
    pub participants: &'k [&'k VaultKey],
}

/// A body with what was signed about it.
#[derive(Debug, Clone, Copy)]
pub struct SealedBody<'b> {
    /// The head of its batch.
    pub head: &'b Head,
    /// Its index in the batch.
    pub index: u8,
    /// Its item.
    pub item: &'b Item,
    /// Its bytes.
    pub body: &'b [u8],
}

/// A body that was opened.
#[derive(Debug, PartialEq, Eq)]
pub struct OpenedBody {
    /// Everybody whose key it needed, ascending.
    pub people: Vec<ParticipantId>,
    /// What was sealed, still padded.
    pub content: Vec<u8>,
}

/// Derives the doc tag of a document that rests on a participant's key and on no note key:
/// HKDF(salt none, participant key, "thicket/tag/1" || space || document), 16 bytes.
pub fn derive_doc_tag(participant: &VaultKey, space: &SpaceId, document: &[u8; 16]) -> DocTag {
    DocTag::from_bytes(*derive(&[], &[participant.expose()], &[b"thicket/tag/1", space.as_bytes(), document]))
}

/// Seals `content`, which is padded already, as the body of `item`, and sets the item's `commit`, `body_len` and
/// `body_hash`.
///
/// The doc tag is that of the note key, or [`DocTag::EVENT`] and then without participants, or that of a
/// participant's key. Head, index and item must never be used for another content: the key is made of them.
/// A content of no bytes, more than 64 participants and a body over [`BODY_BYTES_MAX`] are refused.
pub fn seal_body(
    head: &Head,
    index: u8,
    item: &mut Item,
    keys: &BodyKeys<'_>,
    content: &[u8],
) -> Result<Vec<u8>, SealError> {
    let participants: BTreeMap<KeyId, &VaultKey> =
        keys.participants.iter().map(|key| (key.id(), *key)).collect();
    check_doc_tag(item.doc_tag, keys.note, !participants.is_empty())?;
    if content.is_empty() {
        return Err(SealError::Contradiction("a body without content"));
    }
    let has_people = item.doc_tag != DocTag::EVENT;
    let people = has_people.then(|| pad_people(participants.keys())).transpose()?;
    let people_bytes = people.as_ref().map_or(0, |people| people.len() + TAG_BYTES);
    let body_bytes = PEOPLE_LENGTH_BYTES + people_bytes + content.len() + TAG_BYTES;
    let body_len = u32::try_from(body_bytes).ok().filter(|_| body_bytes <= BODY_BYTES_MAX);
    item.body_len = body_len.ok_or(SealError::TooLarge("a body's bytes"))?;

    let salt = item_salt(&head.salt, index);
    let (key, commit) = body_key(head, item.doc_tag, &salt, keys.content, keys.note, &participants);
    item.commit = commit;
    let aad = body_aad(head, index, item);
    let people =
        people.map(|people| aead_seal(&people_key(&salt, keys.content, keys.note), &aad, &[], &people));
    let sealed = aead_seal(&key, &aad, &[], content);
    let body = BodyParts { people: people.as_deref().unwrap_or_default(), sealed: &sealed }.join();
    item.body_hash = body_hash(&body);
    Ok(body)
}

fn check_doc_tag(tag: DocTag, note: Option<&VaultKey>, has_people: bool) -> Result<(), SealError> {
    match note {
        Some(note) if DocTag::from(note.id()) != tag => {
            Err(SealError::Contradiction("the doc tag is that of the note key"))
        }
        None if tag == DocTag::EVENT && has_people => {
            Err(SealError::Contradiction("an event rests on the content key alone"))
        }
        None if tag != DocTag::EVENT && !has_people => {
            Err(SealError::Contradiction("a body with a doc tag rests on a note key or a participant's"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Opens who is in a body; an event has nobody.
///
/// `note` is the key that the doc tag names, where the reader holds it. Without it the part opens under the content
/// key alone, as bodies have it that rest on no note key; if it does not, the note key is missing.
pub fn open_people(
    sealed: &SealedBody<'_>,
    content: &VaultKey,
    note: Option<&VaultKey>,
) -> Result<Vec<ParticipantId>, OpenError> {
    let parts = sealed.parts()?;
    if sealed.item.doc_tag == DocTag::EVENT {
        return if parts.people.is_empty() { Ok(Vec::new()) } else { Err(OpenError::Damaged) };
    }
    let key = people_key(&sealed.salt(), content, note);
    match aead_open(&key, &sealed.aad(), parts.people) {
        Some(people) => parse_people(&people).ok_or(OpenError::Damaged),
        // The hash tells bytes that were altered on the way from a key that is yet to come.
        None if note.is_none() && body_hash(sealed.body) == sealed.item.body_hash => {
            Err(OpenError::MissingKey(sealed.item.doc_tag.into()))
        }
        None => Err(OpenError::Damaged),
    }
}

/// Opens a body: first who is in it, then, with all their keys, what it says.
///
/// `key_of` looks a key up in the vaults that the reader holds: the note key by the doc tag, then the participants'
/// keys. Fails with [`OpenError::MissingKey`] for the first that it does not know, and with [`OpenError::Damaged`]
/// when the keys are not those that the item commits to or a byte was altered.
pub fn open_body<'k>(
    sealed: &SealedBody<'_>,
    content: &VaultKey,
    key_of: impl Fn(&KeyId) -> Option<&'k VaultKey>,
) -> Result<OpenedBody, OpenError> {
    let tag = sealed.item.doc_tag;
    let note = if tag == DocTag::EVENT { None } else { key_of(&tag.into()) };
    let people = open_people(sealed, content, note)?;
    let mut participants = BTreeMap::new();
    for person in &people {
        let id = KeyId::from(*person);
        participants.insert(id, key_of(&id).ok_or(OpenError::MissingKey(id))?);
    }
    let (key, commit) = body_key(sealed.head, tag, &sealed.salt(), content, note, &participants);
    // Before the cipher: it alone would open one text under two keys.
    if !equal_in_constant_time(commit.as_bytes(), sealed.item.commit.as_bytes()) {
        return Err(OpenError::Damaged);
    }
    let mut content = aead_open(&key, &sealed.aad(), sealed.parts()?.sealed).ok_or(OpenError::Damaged)?;
    Ok(OpenedBody { people, content: std::mem::take(&mut *content) })
}

impl<'b> SealedBody<'b> {
    fn parts(&self) -> Result<BodyParts<'b>, OpenError> {
        if usize::try_from(self.item.body_len) != Ok(self.body.len()) {
            return Err(OpenError::Damaged);
        }
        BodyParts::split(self.body).map_err(|_| OpenError::Damaged)
    }

    fn aad(&self) -> Vec<u8> {
        body_aad(self.head, self.index, self.item)
    }

    fn salt(&self) -> [u8; 17] {
        item_salt(&self.head.salt, self.index)
    }
}

/// Derives a body's key and the commitment to it:
/// HKDF(salt, SK || note key || participant keys, CBOR [suite, space, doc tag, participant key ids]), 64 bytes.
fn body_key(
    head: &Head,
    tag: DocTag,
    salt: &[u8; 17],
    content: &VaultKey,
    note: Option<&VaultKey>,
    participants: &BTreeMap<KeyId, &VaultKey>,
) -> (Zeroizing<AeadKey>, Hash) {
    let keys = [content].into_iter().chain(note).chain(participants.values().copied());
    let ikm: Vec<&[u8]> = keys.map(|key| key.expose().as_slice()).collect();
    let ids: Vec<KeyId> = participants.keys().copied().collect();
    let okm: Zeroizing<[u8; 64]> = derive(salt, &ikm, &[&cbor::encode(&(head.suite, head.space, tag, ids))]);
    let (key, commit) = okm.split_at(32);
    let key: &AeadKey = key.try_into().expect("half of 64 bytes");
    (Zeroizing::new(*key), Hash::from_slice(commit).expect("half of 64 bytes"))
}

/// Compares without ending at the first difference.
fn equal_in_constant_time(left: &[u8; 32], right: &[u8; 32]) -> bool {
    let pairs = left.iter().zip(right);
    pairs.fold(0, |differences, (left, right)| std::hint::black_box(differences | (left ^ right))) == 0
}

/// Derives the key of `people`: HKDF(salt, SK || note key, "thicket/people/1").
fn people_key(salt: &[u8; 17], content: &VaultKey, note: Option<&VaultKey>) -> Zeroizing<AeadKey> {
    let ikm: Vec<&[u8]> = [content].into_iter().chain(note).map(|key| key.expose().as_slice()).collect();
    derive(salt, &ikm, &[b"thicket/people/1"])
}

/// Writes `count || ids || zeros` to the next bucket.
fn pad_people<'k>(ids: impl ExactSizeIterator<Item = &'k KeyId>) -> Result<Vec<u8>, SealError> {
    let fits = people_bucket(ids.len()).zip(u8::try_from(ids.len()).ok());
    let (bucket, count) = fits.ok_or(SealError::TooLarge("participants of a body"))?;
    let mut out = vec![count];
    ids.for_each(|id| out.extend_from_slice(id.as_bytes()));
    out.resize(1 + bucket * KeyId::LEN, 0);
    Ok(out)
}

/// Reads what [`pad_people`] writes, and nothing else: ascending ids, zeros behind them, the right bucket.
fn parse_people(bytes: &[u8]) -> Option<Vec<ParticipantId>> {
    let (count, room) = bytes.split_first()?;
    let count = usize::from(*count);
    let (ids, padding) = room.split_at_checked(count * KeyId::LEN)?;
    let ids: Vec<ParticipantId> = ids.chunks(KeyId::LEN).filter_map(ParticipantId::from_slice).collect();
    let fits = people_bucket(count)? * KeyId::LEN == room.len()
        && padding.iter().all(|byte| *byte == 0)
        && ids.is_sorted_by(|before, after| before < after);
    fits.then_some(ids)
}

fn people_bucket(count: usize) -> Option<usize> {
    PEOPLE_BUCKETS.into_iter().find(|bucket| count <= *bucket)
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
