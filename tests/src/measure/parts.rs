//! Where each byte and each microsecond of a note goes, from parts that are measured one by one.

use std::fmt::Write;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};
use thicket_core::body::{Content, NoteBody, pad};
use thicket_core::consent::Occasion;
use thicket_core::home::HomeError;
use thicket_core::ledger::Ledger;
use thicket_core::object::{Envelope, Object, STAMPS_MAX, SignedObject};
use thicket_core::seal::{BodyKeys, SealedBody, make_pack, open_body, seal_body};
use thicket_core::secret::{EpochKey, VaultKey};
use thicket_core::stamp::{NoteFacts, People, Standing, assess};
use thicket_core::time::Observed;
use thicket_protocol::cbor;
use thicket_protocol::governance::Realm;
use thicket_protocol::ids::{DeviceId, DocTag, Hash, Incarnation, MemberId, Salt, SpaceId, TeamId};
use thicket_protocol::keys::SpaceEpoch;
use thicket_protocol::limits::{PACK_KEYS_MAX, TAG_BYTES};
use thicket_protocol::record::{Batch, ChainPoint, GovPoint, Head, Item, ItemKind, Seen};
use thicket_protocol::sign::{SUITE, Signer, VERSION};

use super::verbs::{self, Failure};
use super::work::Work;
use crate::sim::Dice;

/// Items of one batch.
const BATCH_ITEMS: usize = 64;
const SPACE: SpaceId = SpaceId::from_bytes([4; 16]);

/// The device that signs here.
fn signer() -> Signer {
    Signer::from_seed(&[8; 32])
}

fn device() -> DeviceId {
    DeviceId::derive(&signer().public_key())
}

/// One part, as the mean of a note.
#[derive(Debug, Clone)]
pub struct Part {
    /// What it is.
    pub name: &'static str,
    /// Bytes or microseconds of one note.
    pub each: f64,
}

/// As a table.
pub fn table(of: &str, parts: &[Part]) -> String {
    let mut table = format!("\n| {of} | each |\n|---|---|\n");
    for part in parts {
        writeln!(table, "| {} | {:.1} |", part.name, part.each).expect("writing to memory cannot fail");
    }
    table
}

#[expect(clippy::cast_precision_loss, reason = "a few million bytes")]
fn mean(name: &'static str, all: usize, notes: usize) -> Part {
    Part { name, each: all as f64 / notes as f64 }
}

fn time<T>(name: &'static str, notes: usize, work: impl FnOnce() -> T) -> (Part, T) {
    let began = Instant::now();
    let done = black_box(work());
    #[expect(clippy::cast_precision_loss, reason = "a few thousand notes")]
    let each = began.elapsed().as_secs_f64() * 1e6 / notes as f64;
    (Part { name, each }, done)
}

fn head() -> Head {
    let at = ChainPoint { pos: 1_000, root: Hash::from_bytes([0xd1; 32]) };
    Head {
        v: VERSION,
        suite: SUITE,
        space: SPACE,
        device: device(),
        seq: 1_000,
        prev: Hash::from_bytes([0xc3; 32]),
        epoch: 1,
        gov: GovPoint { seq: 100, hash: Hash::from_bytes([0xe5; 32]) },
        seen: Seen { incarnation: Incarnation::from_bytes([6; 16]), at },
        ledger: at,
        salt: Salt::from_bytes([7; 16]),
    }
}

/// Batches of notes, sealed and signed as the outbox does it, and the keys that open them.
struct Sealed {
    batches: Vec<Batch>,
    content: VaultKey,
    notes: Vec<VaultKey>,
}

fn seal_all(padded: &[Vec<u8>]) -> Result<(Sealed, [Part; 2]), Failure> {
    let mut dice = Dice::new(3);
    let content = VaultKey::make(&mut dice);
    let notes: Vec<VaultKey> = padded.iter().map(|_| VaultKey::make(&mut dice)).collect();
    let signer = signer();
    let head = head();
    let mut sealed = Vec::new();
    let (seal, done) =
        time("sealing (AEAD, key derivation, body hash)", padded.len(), || -> Result<(), Failure> {
            for (bodies, keys) in padded.chunks(BATCH_ITEMS).zip(notes.chunks(BATCH_ITEMS)) {
                let mut batch = (Vec::new(), Vec::new());
                for ((body, note), index) in bodies.iter().zip(keys).zip(0..) {
                    let doc_tag = DocTag::from(note.id());
                    let (commit, body_hash) = (Hash::ZERO, Hash::ZERO);
                    let mut item = Item {
                        doc_tag,
                        kind: ItemKind::Full,
                        commit,
                        body_len: 0,
                        body_hash,
                        covers: Vec::new(),
                    };
                    let keys = BodyKeys { content: &content, note: Some(note), participants: &[] };
                    batch.1.push(seal_body(&head, index, &mut item, &keys, body)?);
                    batch.0.push(item);
                }
                sealed.push(batch);
            }
            Ok(())
        });
    done?;
    let (sign, batches) = time("signing batches", padded.len(), || {
        sealed.into_iter().map(|(items, bodies)| Batch::sign(head.clone(), items, bodies, &signer)).collect()
    });
    let batches: Result<Vec<Batch>, _> = batches;
    Ok((Sealed { batches: batches?, content, notes }, [seal, sign]))
}

fn stamps(bodies: &[NoteBody]) -> Result<Vec<SignedObject>, Failure> {
    let signer = signer();
    let facts = NoteFacts {
        realm: Realm::Research,
        people: People::Nobody,
        occasion: Occasion::observation(Observed::Minute(verbs::now())),
        standing: Standing::Private,
        also_needs: Default::default(),
        declared: Default::default(),
    };
    let ledger = Ledger::new();
    let mut signed = Vec::new();
    for some in bodies.chunks(STAMPS_MAX) {
        let mut stamps = Vec::new();
        for body in some {
            let view = body.view.open()?;
            stamps.push(assess(&ledger, &facts).stamp(
                view.meta.note,
                body.document,
                body.view.content_hash(),
            )?);
        }
        let (by, at) = (MemberId::from_bytes([1; 16]), verbs::now());
        let envelope = Envelope::new(SPACE, by, device(), at, Object::Stamps(stamps));
        signed.push(SignedObject::sign(envelope, &signer)?);
    }
    Ok(signed)
}

/// Where the bytes of a note go, as it travels in full batches.
pub fn bytes(bodies: &[NoteBody]) -> Result<Vec<Part>, Failure> {
    let n = bodies.len();
    let sum = |size: &dyn Fn(&NoteBody) -> usize| bodies.iter().map(size).sum::<usize>();
    let deflated = |body: &NoteBody| {
        let padded = body.encode_padded();
        thicket_core::body::unpad(&padded).map_or(0, <[u8]>::len)
    };
    let bare = |body: &NoteBody| NoteBody {
        content: Content::Full(Vec::new()),
        commits: Vec::new(),
        ..body.clone()
    };
    let view = sum(&|body| deflated(&bare(body)));
    let with_changes = sum(&|body| deflated(&NoteBody { commits: Vec::new(), ..body.clone() }));
    let all = sum(&deflated);
    let padded: Vec<Vec<u8>> = bodies.iter().map(NoteBody::encode_padded).collect();
    let padding = padded.iter().map(Vec::len).sum::<usize>() - all;
    let (sealed, _) = seal_all(&padded)?;
    let mut parts = (0, 0, 0, 0);
    for batch in &sealed.batches {
        parts.0 += batch.head_bytes().len();
        parts.1 += batch.items_bytes().len();
        parts.2 += batch.signature().as_bytes().len();
        parts.3 += batch.bodies().iter().flatten().map(Vec::len).sum::<usize>();
    }
    let content: usize = padded.iter().map(Vec::len).sum();
    let epoch = EpochKey::make(&mut Dice::new(4));
    let (team, at) = (TeamId::from_bytes([9; 32]), SpaceEpoch { space: SPACE, epoch: 1 });
    let mut packs = 0;
    for keys in sealed.notes.chunks(PACK_KEYS_MAX) {
        let keys: Vec<&VaultKey> = keys.iter().collect();
        packs += cbor::encode(&make_pack(&team, at, &epoch, &keys)?).len();
    }
    let stamps: usize = stamps(bodies)?.iter().map(|object| pad(&object.to_wire()).len()).sum();
    Ok(vec![
        mean("view and heads, deflated", view, n),
        mean("document, deflated behind the view", with_changes - view, n),
        mean("times of changes", all - with_changes, n),
        mean("padding, with the length", padding, n),
        mean("tag of the content", TAG_BYTES * n, n),
        mean("people, with length and tag", parts.3 - content - TAG_BYTES * n, n),
        mean("item of the batch (document tag, commitment, hash, length)", parts.1, n),
        mean("head of the batch", parts.0, n),
        mean("signature of the batch", parts.2, n),
        mean("row of the vault", packs, n),
        mean("stamp, packed", stamps, n),
        mean("all", all + padding + parts.0 + parts.1 + parts.2 + parts.3 - content + packs + stamps, n),
    ])
}

/// Where the time of a note goes on the devices that write and read it.
pub fn times(dir: &Path, work: &[Work], bodies: &[NoteBody]) -> Result<Vec<Part>, Failure> {
    let n = bodies.len();
    let (deflate, padded) = time("deflating, at the save", n, || -> Vec<Vec<u8>> {
        bodies.iter().map(NoteBody::encode_padded).collect()
    });
    let (sealed, [seal, sign]) = seal_all(&padded)?;
    let (stamp, signed) = time("assessing, stamping, signing packed stamps", n, || stamps(bodies));
    signed?;
    let verifier = signer().public_key();
    let (verify, verified) = time("verifying batches", n, || {
        sealed.batches.iter().map(|batch| batch.verify(&verifier)).collect::<Result<Vec<()>, _>>()
    });
    verified?;
    let (unseal, opened) = time("opening (AEAD, key derivation)", n, || {
        let mut opened = Vec::new();
        for (batch, keys) in sealed.batches.iter().zip(sealed.notes.chunks(BATCH_ITEMS)) {
            for (((item, body), note), index) in batch.items().iter().zip(batch.bodies()).zip(keys).zip(0..) {
                let body = body.as_deref().unwrap_or_default();
                let sealed_body = SealedBody { head: batch.head(), index, item, body };
                opened.push(open_body(&sealed_body, &sealed.content, |_| Some(note))?.content);
            }
        }
        Ok::<_, thicket_core::seal::OpenError>(opened)
    });
    let opened = opened?;
    let (inflate, read) = time("inflating and reading the body", n, || {
        opened.iter().map(|content| NoteBody::decode_padded(content)).collect::<Result<Vec<_>, _>>()
    });
    let read = read?;
    let (view, views) =
        time("reading the view", n, || read.iter().map(|body| body.view.open()).collect::<Vec<_>>());
    drop(views);
    let core = core_rows(dir, &sealed)?;
    let [rebuild, index] = derived(dir, work)?;
    Ok(vec![deflate, seal, sign, stamp, core, verify, unseal, inflate, view, rebuild, index])
}

/// Inserting into an encrypted database with the tables, the pragmas and the row sizes of core.db, one transaction a batch.
fn core_rows(dir: &Path, sealed: &Sealed) -> Result<Part, Failure> {
    let mut database = Connection::open(dir.join("rows.db"))?;
    database.execute_batch(
        "PRAGMA cipher_log_level = NONE; PRAGMA key = \"x'0707070707070707070707070707070707070707070707070707070707070707'\";
         PRAGMA cipher_page_size = 4096; PRAGMA secure_delete = ON; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA cache_size = -8192;
         CREATE TABLE batches (arrival INTEGER PRIMARY KEY, head BLOB NOT NULL, items BLOB NOT NULL, signature BLOB NOT NULL);
         CREATE TABLE bodies (id INTEGER PRIMARY KEY, space BLOB NOT NULL, doc_tag BLOB NOT NULL, state INTEGER NOT NULL, body BLOB);
         CREATE INDEX bodies_of_document ON bodies (space, doc_tag);",
    )?;
    let (part, done) =
        time("core.db, inserting (encrypted, one durable transaction a batch)", sealed.notes.len(), || {
            for batch in &sealed.batches {
                let tx = database.transaction()?;
                tx.prepare_cached("INSERT INTO batches (head, items, signature) VALUES (?1, ?2, ?3)")?
                    .execute(params![
                        batch.head_bytes(),
                        batch.items_bytes(),
                        batch.signature().as_bytes()
                    ])?;
                for (item, body) in batch.items().iter().zip(batch.bodies()) {
                    tx.prepare_cached(
                        "INSERT INTO bodies (space, doc_tag, state, body) VALUES (?1, ?2, 0, ?3)",
                    )?
                    .execute(params![
                        SPACE.as_bytes(),
                        item.doc_tag.as_bytes(),
                        body
                    ])?;
                }
                tx.commit()?;
            }
            Ok::<_, rusqlite::Error>(())
        });
    done?;
    Ok(part)
}

/// Making derived.db anew from a real home, and its search index.
fn derived(dir: &Path, work: &[Work]) -> Result<[Part; 2], Failure> {
    let home = dir.join("home-of-parts");
    let (mut made, _) = verbs::create(&home, work)?;
    verbs::index_all(&mut made)?;
    made.lock()?;
    for name in ["derived.db", "derived.db-wal", "derived.db-shm"] {
        // Only the first is always there.
        drop(fs::remove_file(home.join("home").join(name)));
    }
    let (rebuild, opened) =
        time("derived.db made anew (opens and inflates the bodies, stamps)", work.len(), || {
            verbs::open(&home)
        });
    let mut opened = opened?;
    let (index, done) = time("search index", work.len(), || -> Result<(), HomeError> {
        while opened.index_some(200)? > 0 {}
        Ok(())
    });
    done?;
    opened.lock()?;
    Ok([rebuild, index])
}
