#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

use std::fs;

use ring::digest::{SHA256, digest};
use tempfile::TempDir;
use thicket_protocol::ids::{MemberId, SpaceId, TeamId};

use super::*;
use crate::secret::tests::{Seeded, digits};
use crate::secret::{DatabaseKey, EpochKey, HeldEpoch, IdentitySeed, LocalKey, PrekeySeed};

/// Planted in every secret: no file may show it.
const CANARY: [u8; 32] = *b"a canary sings in the ring, oh!!";
const PASSPHRASE: &str = "sieben Zwerge, 7 dwarves";

fn cheap() -> KdfCost {
    KdfCost::new(8, 1, 1).expect("the least there is")
}

fn passphrase() -> Wrapping<'static> {
    Wrapping::Passphrase(PASSPHRASE, cheap())
}

fn key(of: u8) -> Wrapping<'static> {
    Wrapping::Key(WrappingKey::from_bytes([of; 32]))
}

fn contents() -> RingContents {
    RingContents {
        team: TeamId::from_bytes([1; 32]),
        member: Some(MemberId::from_bytes([2; 16])),
        identity: IdentitySeed::from_bytes(CANARY),
        local: LocalKey::from_bytes(CANARY),
        local_before: Some(LocalKey::from_bytes(CANARY)),
        prekeys: vec![HeldPrekey { counter: 4, seed: PrekeySeed::from_bytes(CANARY) }],
        epochs: vec![HeldEpoch {
            space: SpaceId::from_bytes([5; 16]),
            epoch: 6,
            key: EpochKey::from_bytes(CANARY),
        }],
        core_db: DatabaseKey::from_bytes(CANARY),
        derived_db: DatabaseKey::from_bytes(CANARY),
        server_time_ms: Some(1_790_000_000_000),
    }
}

/// A ring's contents that tell which write they are of.
fn contents_of(write: i64) -> RingContents {
    RingContents { server_time_ms: Some(write), ..contents() }
}

fn made(wrapping: Wrapping<'_>) -> (TempDir, Ring) {
    let folder = tempfile::tempdir().expect("a folder");
    let ring = Ring::create(folder.path(), wrapping, &contents_of(1), &mut Seeded::new(1)).expect("created");
    (folder, ring)
}

fn written(folder: &TempDir, name: &str) -> Vec<u8> {
    fs::read(folder.path().join(name)).expect("a copy")
}

fn put(folder: &TempDir, name: &str, bytes: &[u8]) {
    fs::write(folder.path().join(name), bytes).expect("written");
}

fn put_both(folder: &TempDir, bytes: &[u8]) {
    put(folder, RING_FILE, bytes);
    put(folder, RING_COPY_FILE, bytes);
}

fn write_of(opened: Result<(Ring, RingContents), RingError>) -> Option<i64> {
    opened.expect("it opens").1.server_time_ms
}

/// Puts the right checksum behind altered bytes.
fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - 32);
    let checksum = digest(&SHA256, &bytes);
    bytes.extend_from_slice(checksum.as_ref());
    bytes
}

#[test]
fn rings_are_frozen() {
    let (folder, _) = made(passphrase());
    insta::assert_snapshot!(digits(&written(&folder, RING_FILE)), @"434 bytes, ac5d8d5ba9fecf00d338765b2f60a02b067e4d0af0bb046398ad7c7592592b1f");
    insta::assert_snapshot!(digits(&written(&folder, RING_FILE)[..62]), @"54484b5452494e4701000000000000000101000000080000000100000001ed06ce28487540c50202eb8f78cc019de34449079eecc6d13bdc7dbcce4c4ec1");
    let (folder, _) = made(key(7));
    insta::assert_snapshot!(digits(&written(&folder, RING_FILE)), @"422 bytes, d3c2304bd9f6caae309c5cd57e9e2deacf11a60a51f37a1b12fd0eccabaec50c");
    insta::assert_snapshot!(digits(&written(&folder, RING_FILE)[..50]), @"54484b5452494e47010000000000000001004d9b0322d57622e4d147f00b02d0b128ed06ce28487540c50202eb8f78cc019d");
    insta::assert_snapshot!(digits(&crate::secret::encode_secret(&contents())), @"332 bytes, c75f9399f77bec8bdc4b9d3b6cc11c05cceafc4c3f8a7925fa290646bbd4c9ec");
}

#[test]
fn a_ring_opens_to_what_was_written() {
    for wrapping in [passphrase, || key(7)] {
        let folder = tempfile::tempdir().expect("a folder");
        Ring::create(folder.path(), wrapping(), &contents(), &mut Seeded::new(1)).expect("created");
        let (ring, opened) = Ring::open(folder.path(), wrapping()).expect("its own lock");
        assert_eq!(*crate::secret::encode_secret(&opened), *crate::secret::encode_secret(&contents()));
        assert!(ring.copies_agree());
        assert_eq!(Ring::lock_of(folder.path()).expect("whole"), ring.lock());
    }
}

#[test]
fn what_is_absent_stays_absent() {
    let (folder, mut ring) = made(key(7));
    let bare = RingContents {
        member: None,
        local_before: None,
        prekeys: vec![],
        epochs: vec![],
        server_time_ms: None,
        ..contents()
    };
    ring.write(&bare, &mut Seeded::new(2)).expect("written");
    let (_, opened) = Ring::open(folder.path(), key(7)).expect("its own key");
    assert!(opened.member.is_none() && opened.local_before.is_none() && opened.server_time_ms.is_none());
    assert!(opened.prekeys.is_empty() && opened.epochs.is_empty());
}

#[test]
fn the_default_cost_is_64_mib_and_three_passes() {
    assert_eq!(KdfCost::new(64 * 1024, 3, 1), Some(KdfCost::default()));
    let (folder, _) = made(Wrapping::Passphrase(PASSPHRASE, KdfCost::default()));
    assert_eq!(digits(&written(&folder, RING_FILE)[17..30]), "01000100000000000300000001");
    Ring::open(folder.path(), passphrase()).expect("the file's own cost counts");
}

#[test]
fn another_passphrase_or_key_is_locked_and_not_damaged() {
    let (folder, _) = made(passphrase());
    for wrong in
        [Wrapping::Passphrase("sieben Zwerge, 8 dwarves", cheap()), Wrapping::Passphrase("", cheap()), key(7)]
    {
        assert!(matches!(Ring::open(folder.path(), wrong), Err(RingError::Locked)));
    }
    let (folder, _) = made(key(7));
    for wrong in [key(8), passphrase()] {
        assert!(matches!(Ring::open(folder.path(), wrong), Err(RingError::Locked)));
    }
}

#[test]
fn a_ring_cut_at_any_length_is_damaged() {
    let (folder, _) = made(passphrase());
    let whole = written(&folder, RING_FILE);
    for length in 0..whole.len() {
        put_both(&folder, &whole[..length]);
        assert!(matches!(Ring::open(folder.path(), passphrase()), Err(RingError::Damaged)), "{length} bytes");
    }
    put_both(&folder, &[whole.as_slice(), &[0]].concat());
    assert!(matches!(Ring::open(folder.path(), passphrase()), Err(RingError::Damaged)));
}

#[test]
fn any_flipped_byte_of_both_copies_is_damage() {
    let (folder, _) = made(key(7));
    let whole = written(&folder, RING_FILE);
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        put_both(&folder, &flipped);
        assert!(matches!(Ring::open(folder.path(), key(7)), Err(RingError::Damaged)), "byte {at}");
    }
}

#[test]
fn altered_bytes_under_a_right_checksum_never_open() {
    for wrapping in [passphrase, || key(7)] {
        let (folder, _) = made(wrapping());
        let whole = written(&folder, RING_FILE);
        for at in 0..whole.len() - 32 {
            let mut altered = whole.clone();
            altered[at] ^= 1;
            put_both(&folder, &summed(altered));
            let refused = match Ring::open(folder.path(), wrapping()) {
                Err(RingError::Damaged) => at < 8 || (17..34).contains(&at),
                Err(RingError::TooNew { version: 0 }) => at == 8,
                Err(RingError::Locked) => at > 8,
                Ok(_) | Err(_) => false,
            };
            assert!(refused, "byte {at}");
        }
    }
}

#[test]
fn a_hostile_file_cannot_ask_for_a_terabyte() {
    let (folder, _) = made(passphrase());
    let whole = written(&folder, RING_FILE);
    for (at, asked) in
        [(18, 1 << 30), (18, KDF_MEMORY_KIB_MAX + 1), (22, KDF_PASSES_MAX + 1), (26, KDF_LANES_MAX + 1)]
    {
        let mut hostile = whole.clone();
        hostile[at..at + 4].copy_from_slice(&asked.to_be_bytes());
        put_both(&folder, &summed(hostile));
        assert!(matches!(Ring::lock_of(folder.path()), Err(RingError::Damaged)), "{asked} at {at}");
    }
    let most = (KDF_MEMORY_KIB_MAX, KDF_PASSES_MAX, KDF_LANES_MAX);
    assert!(KdfCost::new(most.0, most.1, most.2).is_some());
    for (memory, passes, lanes) in [(0, 1, 1), (7, 1, 1), (8, 0, 1), (8, 1, 0), (8, 1, 2), (most.0 + 1, 1, 1)]
    {
        assert_eq!(KdfCost::new(memory, passes, lanes), None, "{memory} {passes} {lanes}");
    }
}

#[test]
fn a_later_version_is_told_from_damage() {
    let (folder, _) = made(key(7));
    let mut later = written(&folder, RING_FILE);
    later[8] = 2;
    put(&folder, RING_FILE, &summed(later));
    assert!(matches!(Ring::open(folder.path(), key(7)), Err(RingError::TooNew { version: 2 })));
}

#[test]
fn one_damaged_or_missing_copy_opens_and_is_healed_by_the_next_write() {
    for (broken, whole) in [(RING_FILE, RING_COPY_FILE), (RING_COPY_FILE, RING_FILE)] {
        for missing in [false, true] {
            let (folder, _) = made(key(7));
            put(&folder, broken, b"THKTRING");
            if missing {
                fs::remove_file(folder.path().join(broken)).expect("removed");
            }
            let (mut ring, opened) = Ring::open(folder.path(), key(7)).expect("the other is whole");
            assert!(!ring.copies_agree());
            ring.write(&opened, &mut Seeded::new(2)).expect("written");
            assert!(ring.copies_agree());
            assert_eq!(written(&folder, broken), written(&folder, whole));
        }
    }
}

#[test]
fn a_write_torn_between_the_copies_opens_the_newer() {
    let (folder, mut ring) = made(key(7));
    let before = written(&folder, RING_COPY_FILE);
    ring.write(&contents_of(2), &mut Seeded::new(2)).expect("written");
    let after = written(&folder, RING_FILE);
    // Cut off before the first rename: a half-written temporary file beside two old copies.
    put_both(&folder, &before);
    put(&folder, RING_NEW_FILE, &after[..40]);
    assert_eq!(write_of(Ring::open(folder.path(), key(7))), Some(1));
    // Cut off between the renames.
    put(&folder, RING_FILE, &after);
    assert_eq!(write_of(Ring::open(folder.path(), key(7))), Some(2));
    // The newest counts wherever it lies.
    put(&folder, RING_FILE, &before);
    put(&folder, RING_COPY_FILE, &after);
    let (mut ring, opened) = Ring::open(folder.path(), key(7)).expect("whole copies");
    assert_eq!((opened.server_time_ms, ring.generation(), ring.copies_agree()), (Some(2), 2, false));
    // The next write clears all of it away.
    ring.write(&contents_of(3), &mut Seeded::new(3)).expect("written");
    assert!(!folder.path().join(RING_NEW_FILE).exists());
    assert_eq!(write_of(Ring::open(folder.path(), key(7))), Some(3));
}

#[test]
fn what_was_taken_out_does_not_come_back_from_the_older_copy() {
    let (folder, mut ring) = made(key(7));
    let before = written(&folder, RING_COPY_FILE);
    ring.rewrap(key(8), &contents_of(2), &mut Seeded::new(2)).expect("written");
    assert!(matches!(Ring::open(folder.path(), key(7)), Err(RingError::Locked)));
    put(&folder, RING_COPY_FILE, &before);
    let asked = WrappingKey::from_bytes([8; 32]).id();
    assert_eq!(Ring::lock_of(folder.path()).expect("whole"), RingLock::Key(asked));
    assert!(matches!(Ring::open(folder.path(), key(7)), Err(RingError::Locked)));
    assert_eq!(write_of(Ring::open(folder.path(), key(8))), Some(2));
    ring.write(&contents_of(3), &mut Seeded::new(3)).expect("later writes keep the new lock");
    assert_eq!(write_of(Ring::open(folder.path(), key(8))), Some(3));
}

#[test]
fn a_new_passphrase_shuts_out_the_old_one() {
    let (folder, mut ring) = made(passphrase());
    let new = || Wrapping::Passphrase("quite another", cheap());
    ring.rewrap(new(), &contents_of(2), &mut Seeded::new(2)).expect("written");
    assert!(matches!(Ring::open(folder.path(), passphrase()), Err(RingError::Locked)));
    assert_eq!(write_of(Ring::open(folder.path(), new())), Some(2));
}

#[test]
fn no_salt_is_used_for_two_writes() {
    let (folder, mut ring) = made(key(7));
    let mut entropy = Seeded::new(2);
    let mut salts = std::collections::BTreeSet::new();
    for _ in 0..3 {
        ring.write(&contents(), &mut entropy).expect("written");
        salts.insert(written(&folder, RING_FILE)[34..50].to_vec());
    }
    assert_eq!(salts.len(), 3);
}

#[test]
fn no_file_shows_a_secret_and_nobody_else_may_read_it() {
    let (folder, mut ring) = made(passphrase());
    ring.rewrap(key(7), &contents(), &mut Seeded::new(2)).expect("written");
    let files: Vec<_> =
        fs::read_dir(folder.path()).expect("a folder").map(|file| file.expect("a file")).collect();
    assert_eq!(files.len(), 2);
    for file in files {
        let bytes = fs::read(file.path()).expect("a file");
        for secret in [&CANARY[..8], &PASSPHRASE.as_bytes()[..8], &[7; 8]] {
            assert!(!bytes.windows(8).any(|window| window == secret), "{:?}", file.path());
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(file.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
        }
    }
}

#[test]
fn a_missing_ring_is_told_from_one_that_cannot_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(matches!(Ring::open(folder.path(), key(7)), Err(RingError::Missing)));
    assert!(matches!(Ring::lock_of(&folder.path().join("nowhere")), Err(RingError::Missing)));
    fs::create_dir(folder.path().join(RING_FILE)).expect("a folder in its place");
    assert!(matches!(Ring::open(folder.path(), key(7)), Err(RingError::Storage(_))));
    let (whole, _) = made(key(7));
    put(&folder, RING_COPY_FILE, &written(&whole, RING_FILE));
    let (mut ring, opened) = Ring::open(folder.path(), key(7)).expect("the copy is whole");
    assert!(matches!(ring.write(&opened, &mut Seeded::new(2)), Err(RingError::Storage(_))));
    let nowhere = Ring::create(&folder.path().join("nowhere"), key(7), &contents(), &mut Seeded::new(1));
    assert!(matches!(nowhere, Err(RingError::Storage(_))));
}

#[test]
fn a_ring_is_never_created_over_another() {
    let (folder, _) = made(key(7));
    put(&folder, RING_FILE, b"damaged");
    let again = Ring::create(folder.path(), key(8), &contents(), &mut Seeded::new(2));
    assert!(matches!(again, Err(RingError::Exists)));
    assert_eq!(write_of(Ring::open(folder.path(), key(7))), Some(1));
}

#[test]
fn a_ring_has_a_greatest_size_and_one_past_it_leaves_the_old_one() {
    let (folder, mut ring) = made(key(7));
    let held = |epochs: usize| RingContents {
        epochs: (0..epochs)
            .map(|_| HeldEpoch {
                space: SpaceId::from_bytes([5; 16]),
                epoch: 6,
                key: EpochKey::from_bytes(CANARY),
            })
            .collect(),
        ..contents_of(2)
    };
    let bytes_of = |epochs| crate::secret::encode_secret(&held(epochs)).len();
    let around = written(&folder, RING_FILE).len() - crate::secret::encode_secret(&contents_of(1)).len();
    let each = (bytes_of(67_000) - bytes_of(66_000)) / 1_000;
    let most = 66_000 + (RING_BYTES_MAX - around - bytes_of(66_000)) / each;
    assert!(matches!(ring.write(&held(most + 1), &mut Seeded::new(2)), Err(RingError::TooLarge)));
    assert!(matches!(ring.rewrap(key(8), &held(most + 1), &mut Seeded::new(2)), Err(RingError::TooLarge)));
    assert_eq!(write_of(Ring::open(folder.path(), key(7))), Some(1));
    ring.write(&held(most), &mut Seeded::new(2)).expect("at the limit");
    assert_eq!(write_of(Ring::open(folder.path(), key(7))), Some(2));
    put_both(&folder, &summed(vec![0; RING_BYTES_MAX + 1]));
    assert!(matches!(Ring::open(folder.path(), key(7)), Err(RingError::Damaged)));
}
