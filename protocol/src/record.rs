//! What travels: batches of records, each a signed clear head with items, and bodies that only keys open.
//!
//! ```text
//! batch = [head: bstr, items: bstr, signature, bodies: [bstr | null]]
//! batch hash = H("thicket/batch/1", head || items)
//! ```
//!
//! Head and items are carried as byte strings, so what is hashed is what was received. With them and the
//! signature the chain of a device verifies without a single body.

use minicbor::bytes::{ByteSlice, ByteVec};
use minicbor::{Decode, Encode};

use crate::cbor::{self, CborError};
use crate::ids::{DeviceId, DocTag, Hash, Incarnation, PublicKey, Salt, Signature, SpaceId};
use crate::limits::{
    BATCH_BYTES_MAX, BATCH_ITEMS_MAX, BODY_BYTES_MAX, COVERS_MAX, HEAD_AND_ITEMS_BYTES_MAX, TAG_BYTES,
};
use crate::sign::{self, BadSignature, Purpose, SUITE, Signer, VERSION};
use crate::signed::{Signed, SignedBody};

/// A place in the governance log: how many entries there are, and the hash of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct GovPoint {
    /// The sequence number of the entry, from 0 (genesis).
    #[n(0)]
    pub seq: u64,
    /// The hash of that entry.
    #[n(1)]
    pub hash: Hash,
}

/// A place in the server's chain of one space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ChainPoint {
    /// How many batches stand in the chain; the first has position 1.
    #[n(0)]
    pub pos: u64,
    /// root_n = H("thicket/root/1", root_{n-1} || batch hash); 32 zero bytes at position 0.
    #[n(1)]
    pub root: Hash,
}

impl ChainPoint {
    /// Where every chain begins.
    pub const START: Self = Self { pos: 0, root: Hash::ZERO };

    /// The place after one more batch.
    #[must_use]
    pub fn next(&self, batch: &Hash) -> Self {
        let root = sign::hash("thicket/root/1", &[self.root.as_bytes(), batch.as_bytes()]);
        // A position comes from outside: no chain is so long, and a lie about one must not end the program.
        Self { pos: self.pos.saturating_add(1), root }
    }
}

/// What the author had seen of the server's chain of this space: a server that shows two people different
/// histories is caught at the first head that crosses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Seen {
    /// The life of the server's data in which that was so; roots are compared only within one.
    #[n(0)]
    pub incarnation: Incarnation,
    /// How far the author had read.
    #[n(1)]
    pub at: ChainPoint,
}

/// The clear head of a batch: enough to order, verify and relay it, nothing of what it says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Head {
    /// Version of the format.
    #[n(0)]
    pub v: u8,
    /// Suite of the cryptography.
    #[n(1)]
    pub suite: u8,
    /// The space that the batch belongs to.
    #[n(2)]
    pub space: SpaceId,
    /// The device that made and signed it.
    #[n(3)]
    pub device: DeviceId,
    /// The device's own count of batches in this space, from 1.
    #[n(4)]
    pub seq: u64,
    /// The batch hash of the device's batch before in this space; zero for the first.
    #[n(5)]
    pub prev: Hash,
    /// The epoch whose content key the bodies rest on.
    #[n(6)]
    pub epoch: u32,
    /// How far the author had applied the governance log.
    #[n(7)]
    pub gov: GovPoint,
    /// How far the author had read this space.
    #[n(8)]
    pub seen: Seen,
    /// How far the author had read the notebook's ledger; it equals `seen.at` in a ledger and in the roster.
    #[n(9)]
    pub ledger: ChainPoint,
    /// Of which, with the index, the salt of each item is made.
    #[n(10)]
    pub salt: Salt,
}

/// What an item's body holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum ItemKind {
    /// New changes of a document.
    #[n(0)]
    Delta,
    /// A whole document.
    #[n(1)]
    Full,
    /// Signed ledger or roster objects.
    #[n(2)]
    Event,
    /// A segment of an attachment.
    #[n(3)]
    Blob,
    /// Reserved: where a new device may begin.
    #[n(4)]
    Checkpoint,
}

/// Names an item wherever it stands in a server's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct ItemRef {
    /// The device of its batch.
    #[n(0)]
    pub device: DeviceId,
    /// The device's sequence number of its batch.
    #[n(1)]
    pub seq: u64,
    /// Its index in the batch.
    #[n(2)]
    pub index: u8,
}

/// One record of a batch, without its body.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Item {
    /// The document that it belongs to.
    #[n(0)]
    pub doc_tag: DocTag,
    /// What its body holds.
    #[n(1)]
    pub kind: ItemKind,
    /// Commitment to the body's key: the AEAD alone does not commit.
    #[n(2)]
    pub commit: Hash,
    /// Length of the body in bytes.
    #[n(3)]
    pub body_len: u32,
    /// H("thicket/body/1", body).
    #[n(4)]
    pub body_hash: Hash,
    /// The earlier items that a full save replaces, for reading; only a shred drops a body.
    #[n(5)]
    pub covers: Vec<ItemRef>,
}

/// The hash by which an item names its body.
pub fn body_hash(body: &[u8]) -> Hash {
    sign::hash("thicket/body/1", &[body])
}

/// A body taken apart: `u16 length || people || sealed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyParts<'b> {
    /// The sealed list of participant keys; empty for events on the content key alone.
    pub people: &'b [u8],
    /// The sealed content.
    pub sealed: &'b [u8],
}

impl<'b> BodyParts<'b> {
    /// Takes a body apart; the length is big-endian.
    pub fn split(body: &'b [u8]) -> Result<Self, RecordError> {
        let (length, rest) = body.split_first_chunk::<2>().ok_or(RecordError::BodyShape)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (people, sealed) = rest.split_at_checked(length).ok_or(RecordError::BodyShape)?;
        let people_fit = people.is_empty() || people.len() > TAG_BYTES;
        if !people_fit || sealed.len() <= TAG_BYTES {
            return Err(RecordError::BodyShape);
        }
        Ok(Self { people, sealed })
    }

    /// Puts a body together; `people` is far shorter than 64 KiB by [`crate::limits::PEOPLE_MAX`].
    pub fn join(&self) -> Vec<u8> {
        let length = u16::try_from(self.people.len()).expect("people is at most 64 ids and a tag");
        [&length.to_be_bytes(), self.people, self.sealed].concat()
    }
}

/// The additional data of both sealed parts of a body:
/// CBOR [suite, space, device, epoch, salt, index, [doc tag, kind, commit, body_len, covers]].
pub fn body_aad(head: &Head, index: u8, item: &Item) -> Vec<u8> {
    cbor::encode(&(
        head.suite,
        head.space,
        head.device,
        head.epoch,
        head.salt,
        index,
        (item.doc_tag, item.kind, item.commit, item.body_len, &item.covers),
    ))
}

/// The salt of one item: the batch's salt, then the index.
pub fn item_salt(salt: &Salt, index: u8) -> [u8; 17] {
    let mut out = [0; 17];
    out.iter_mut().zip(salt.as_bytes().iter().chain([&index])).for_each(|(to, from)| *to = *from);
    out
}

/// Why bytes are not a batch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not canonical CBOR of the shape.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// A version or suite of a later Thicket.
    #[error("a record of version {v}, suite {suite}: this Thicket is too old for it")]
    Version {
        /// The version.
        v: u8,
        /// The suite.
        suite: u8,
    },
    /// More than a limit allows.
    #[error("a record exceeds the limit on {0}")]
    TooLarge(&'static str),
    /// Head and items contradict each other.
    #[error("a record contradicts itself: {0}")]
    Contradiction(&'static str),
    /// A body does not have the length or hash of its item.
    #[error("body {index} is not the one that its item names")]
    WrongBody {
        /// The item's index.
        index: usize,
    },
    /// A body is too short to be one.
    #[error("a body is too short to be one")]
    BodyShape,
    /// The signature is not the device's.
    #[error(transparent)]
    Signature(#[from] BadSignature),
}

#[derive(Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    head: ByteVec,
    #[n(1)]
    items: ByteVec,
    #[n(2)]
    signature: Signature,
    #[n(3)]
    bodies: Vec<Option<ByteVec>>,
}

/// What one device had to send to one space at one moment, with everything that its hash and signature cover
/// kept as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    head: Head,
    items: Vec<Item>,
    head_bytes: Vec<u8>,
    items_bytes: Vec<u8>,
    signature: Signature,
    hash: Hash,
    bodies: Vec<Option<Vec<u8>>>,
}

impl Batch {
    /// Signs a new batch; each body must be the one that its item names, and what no reader would take is not signed.
    pub fn sign(
        head: Head,
        items: Vec<Item>,
        bodies: Vec<Vec<u8>>,
        signer: &Signer,
    ) -> Result<Self, RecordError> {
        check_version(&head)?;
        let (head_bytes, items_bytes) = (cbor::encode(&head), cbor::encode(&items));
        let hash = batch_hash(&head_bytes, &items_bytes);
        let signature = signer.sign(Purpose::Batch, &hash);
        let bodies = bodies.into_iter().map(Some).collect();
        let batch = Self { head, items, head_bytes, items_bytes, signature, hash, bodies };
        batch.check()?;
        if batch.encode(|_| true).len() > BATCH_BYTES_MAX {
            return Err(RecordError::TooLarge("a batch's bytes"));
        }
        Ok(batch)
    }

    /// Reads a batch and checks all that needs no key: form, limits, bodies against their items.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > BATCH_BYTES_MAX {
            return Err(RecordError::TooLarge("a batch's bytes"));
        }
        let wire: Wire = cbor::decode_envelope(bytes, 4)?;
        let bodies = wire.bodies.into_iter().map(|body| body.map(Vec::from)).collect();
        Self::from_parts(wire.head.into(), wire.items.into(), wire.signature, bodies)
    }

    /// Puts a batch together from what a store kept of it; `None` stands for a body that is left out.
    pub fn from_parts(
        head_bytes: Vec<u8>,
        items_bytes: Vec<u8>,
        signature: Signature,
        bodies: Vec<Option<Vec<u8>>>,
    ) -> Result<Self, RecordError> {
        if head_bytes.len() + items_bytes.len() > HEAD_AND_ITEMS_BYTES_MAX {
            return Err(RecordError::TooLarge("head and items"));
        }
        let head: Head = cbor::decode(&head_bytes)?;
        check_version(&head)?;
        let items: Vec<Item> = cbor::decode(&items_bytes)?;
        let hash = batch_hash(&head_bytes, &items_bytes);
        let batch = Self { head, items, head_bytes, items_bytes, signature, hash, bodies };
        batch.check()?;
        Ok(batch)
    }

    /// Writes the batch as it travels, without the bodies for which `keep` says no.
    pub fn encode(&self, keep: impl Fn(usize) -> bool) -> Vec<u8> {
        // Borrowed, not through `Wire`: a batch of a megabyte is not copied to be written.
        let bodies = self.bodies.iter().enumerate();
        let bodies: Vec<Option<&ByteSlice>> = bodies
            .map(|(index, body)| body.as_deref().filter(|_| keep(index)).map(<&ByteSlice>::from))
            .collect();
        let (head, items) = (self.head_bytes.as_slice(), self.items_bytes.as_slice());
        cbor::encode(&(<&ByteSlice>::from(head), <&ByteSlice>::from(items), self.signature, bodies))
    }

    fn check(&self) -> Result<(), RecordError> {
        if self.head_bytes.len() + self.items_bytes.len() > HEAD_AND_ITEMS_BYTES_MAX {
            return Err(RecordError::TooLarge("head and items"));
        }
        if self.items.is_empty() || self.items.len() > BATCH_ITEMS_MAX {
            return Err(RecordError::TooLarge("items"));
        }
        if self.head.seq == 0 || (self.head.seq == 1) != (self.head.prev == Hash::ZERO) {
            return Err(RecordError::Contradiction("sequence number and batch before"));
        }
        if self.bodies.len() != self.items.len() {
            return Err(RecordError::Contradiction("as many bodies as items"));
        }
        for (index, (item, body)) in self.items.iter().zip(&self.bodies).enumerate() {
            check_item(item)?;
            if let Some(body) = body
                && (usize::try_from(item.body_len) != Ok(body.len()) || item.body_hash != body_hash(body))
            {
                return Err(RecordError::WrongBody { index });
            }
        }
        Ok(())
    }

    /// Verifies the one signature, which covers the head, every item, and every body by its hash.
    pub fn verify(&self, device_key: &PublicKey) -> Result<(), RecordError> {
        if DeviceId::derive(device_key) != self.head.device {
            return Err(BadSignature.into());
        }
        Ok(sign::verify(device_key, Purpose::Batch, &self.hash, &self.signature)?)
    }

    /// The clear head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The items, in order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The bodies, one an item; `None` where it was left out.
    pub fn bodies(&self) -> &[Option<Vec<u8>>] {
        &self.bodies
    }

    /// H("thicket/batch/1", head || items).
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The head as received.
    pub fn head_bytes(&self) -> &[u8] {
        &self.head_bytes
    }

    /// The items as received.
    pub fn items_bytes(&self) -> &[u8] {
        &self.items_bytes
    }

    /// The signature as received.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }
}

fn check_version(head: &Head) -> Result<(), RecordError> {
    if head.v == VERSION && head.suite == SUITE {
        Ok(())
    } else {
        Err(RecordError::Version { v: head.v, suite: head.suite })
    }
}

fn check_item(item: &Item) -> Result<(), RecordError> {
    if usize::try_from(item.body_len).is_ok_and(|length| length > BODY_BYTES_MAX) {
        return Err(RecordError::TooLarge("a body's bytes"));
    }
    if item.covers.len() > COVERS_MAX {
        return Err(RecordError::TooLarge("covered items"));
    }
    if !item.covers.is_empty() && item.kind != ItemKind::Full {
        return Err(RecordError::Contradiction("only a full save covers others"));
    }
    Ok(())
}

fn batch_hash(head: &[u8], items: &[u8]) -> Hash {
    sign::hash("thicket/batch/1", &[head, items])
}

/// What a server says of a batch that it has taken.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ReceiptBody {
    /// Version of the format.
    #[n(0)]
    pub v: u8,
    /// Suite of the cryptography.
    #[n(1)]
    pub suite: u8,
    /// The life of the server's data.
    #[n(2)]
    pub incarnation: Incarnation,
    /// The space.
    #[n(3)]
    pub space: SpaceId,
    /// The device that sent the batch.
    #[n(4)]
    pub device: DeviceId,
    /// The device's sequence number.
    #[n(5)]
    pub seq: u64,
    /// The batch.
    #[n(6)]
    pub batch: Hash,
    /// Where it stands in the server's chain.
    #[n(7)]
    pub at: ChainPoint,
    /// Indices of bodies that were not kept because their doc tag is shredded, ascending.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub dead: Vec<u8>,
}

impl SignedBody for ReceiptBody {
    const PURPOSE: Purpose = Purpose::Receipt;
    const DOMAIN: &'static str = "thicket/receipt/1";
}

/// A server's signed word that it has taken a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt(Signed<ReceiptBody>);

impl Receipt {
    /// Signs a receipt with the server's key.
    pub fn sign(body: ReceiptBody, server: &Signer) -> Result<Self, RecordError> {
        Self::decode(&Signed::write(&body, server))
    }

    /// Reads a receipt.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let signed = Signed::<ReceiptBody>::read(bytes)?;
        let ReceiptBody { v, suite, ref dead, .. } = signed.body;
        if (v, suite) != (VERSION, SUITE) {
            return Err(RecordError::Version { v, suite });
        }
        if !dead.is_sorted_by(|before, after| before < after) {
            return Err(RecordError::Contradiction("dead bodies, ascending"));
        }
        Ok(Self(signed))
    }

    /// Verifies the receipt against the server's key.
    pub fn verify(&self, server: &PublicKey) -> Result<(), BadSignature> {
        self.0.verify(server)
    }

    /// What it says.
    pub fn body(&self) -> &ReceiptBody {
        &self.0.body
    }

    /// The receipt as received.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }
}
