//! Looks at the outside of automerge's bytes before automerge does.
//!
//! Automerge can deflate a change, and each column of a document, and inflates them without a limit. What Thicket
//! writes is never deflated inside (a body is deflated once, as a whole, and inflated with a limit), so bytes that
//! are can only be a bomb. It also takes a document whose checksum is wrong, as long as its heads are right. The
//! format is automerge's binary document format, version 1.

use ring::digest::{SHA256, digest};

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const DOCUMENT: u8 = 0;
const CHANGE: u8 = 1;
const HASH_BYTES: usize = 32;

/// The bit of a column's specification that says it is deflated.
const DEFLATED: u64 = 0b1000;

/// Says whether the bytes are one change, undamaged and not deflated.
pub(crate) fn is_plain_change(bytes: &[u8]) -> bool {
    contents(bytes, CHANGE).is_some()
}

/// Says whether the bytes are one whole document, undamaged and with no column deflated.
pub(crate) fn is_plain_document(bytes: &[u8]) -> bool {
    let columns_are_plain = |mut rest: &[u8]| {
        for _ in 0..number(&mut rest)? {
            let length = number(&mut rest)?;
            take(&mut rest, length)?;
        }
        for _ in 0..number(&mut rest)? {
            take(&mut rest, HASH_BYTES as u64)?;
        }
        // The columns of the changes, then those of the operations.
        for _ in 0..2 {
            for _ in 0..number(&mut rest)? {
                let specification = number(&mut rest)?;
                number(&mut rest)?;
                if specification & DEFLATED != 0 {
                    return None;
                }
            }
        }
        Some(())
    };
    contents(bytes, DOCUMENT).and_then(columns_are_plain).is_some()
}

/// The contents of a chunk of this kind, if there is one and nothing behind it.
fn contents(bytes: &[u8], kind: u8) -> Option<&[u8]> {
    let mut rest = bytes.strip_prefix(&MAGIC)?;
    let checksum = take(&mut rest, 4)?;
    if !digest(&SHA256, rest).as_ref().starts_with(checksum) || take(&mut rest, 1)? != [kind] {
        return None;
    }
    let length = number(&mut rest)?;
    (u64::try_from(rest.len()).ok()? == length).then_some(rest)
}

fn take<'b>(rest: &mut &'b [u8], length: u64) -> Option<&'b [u8]> {
    let (taken, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = behind;
    Some(taken)
}

/// Reads an unsigned LEB128 number of up to 63 bits.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let byte = *take(rest, 1)?.first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use automerge::transaction::Transactable;
    use automerge::{AutoCommit, ROOT};

    use super::*;

    #[test]
    fn what_is_deflated_inside_is_refused() {
        let mut document = AutoCommit::new();
        document.put(ROOT, "long", "x".repeat(10_000)).expect("a map takes strings");
        document.commit();
        assert!(is_plain_document(&document.save_nocompress()));
        assert!(!is_plain_document(&document.save()));
        let mut change = document.get_last_local_change().expect("one change");
        assert!(is_plain_change(change.raw_bytes()));
        assert!(!is_plain_document(change.raw_bytes()));
        assert!(!is_plain_change(&change.bytes()));
    }

    #[test]
    fn one_chunk_and_nothing_else_is_taken() {
        let mut document = AutoCommit::new();
        document.put(ROOT, "short", "x").expect("a map takes strings");
        document.commit();
        let bytes = document.save_nocompress();
        assert!(!is_plain_document(&[]));
        assert!(!is_plain_document(&[&bytes[..], &bytes].concat()));
        for at in 0..bytes.len() {
            assert!(!is_plain_document(bytes.get(..at).expect("shorter")));
        }
        assert_eq!(number(&mut &[0x80; 12][..]), None);
    }
}
