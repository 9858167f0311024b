//! SQLite's write-ahead log, walked before SQLite sees it.
//!
//! SQLite takes the first frame that does not hold for the end of the log, and opens without those behind it: right
//! after a power cut, and a silent loss where a bit has flipped in the middle. The format is that of
//! <https://www.sqlite.org/fileformat2.html#walformat>.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::StoreError;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// The magic number, but for its last bit, which says in what order checksums read their words.
const MAGIC: u32 = 0x377f_0682;

/// Refuses a log in which transactions that were complete lie behind a frame that does not hold.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    match File::open(path) {
        Ok(file) => match is_whole(&mut BufReader::new(file)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::Damaged {
                path: path.to_path_buf(),
                reason: "what devices were told is kept lies behind a broken place in it; put the folder back from \
                         a backup, or go on without what lies there by moving this one file away",
            }),
            Err(error) => Err(StoreError::io(path)(error)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StoreError::io(path)(error)),
    }
}

/// A checksum of SQLite: two sums over pairs of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sum(u32, u32);

impl Sum {
    fn add(self, bytes: &[u8], big_endian: bool) -> Self {
        let word = |bytes: &[u8]| if big_endian { be(bytes, 0) } else { be(bytes, 0).swap_bytes() };
        bytes.chunks_exact(8).fold(self, |Self(mut first, mut second), pair| {
            let (left, right) = pair.split_at(4);
            first = first.wrapping_add(word(left)).wrapping_add(second);
            second = second.wrapping_add(word(right)).wrapping_add(first);
            Self(first, second)
        })
    }

    fn read(bytes: &[u8], at: usize) -> Self {
        Self(be(bytes, at), be(bytes, at + 4))
    }
}

/// The word at a place; 0 where the bytes end before it.
fn be(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// Fills a buffer, or says that the log ends before.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_whole(log: &mut impl Read) -> io::Result<bool> {
    let mut header = [0; HEADER_BYTES];
    if !fill(log, &mut header)? {
        return Ok(true);
    }
    let (magic, page_bytes) = (be(&header, 0), be(&header, 8));
    let big_endian = magic & 1 == 1;
    let (summed, _) = header.split_at(HEADER_BYTES - 8);
    let header_holds =
        magic & !1 == MAGIC && Sum(0, 0).add(summed, big_endian) == Sum::read(&header, HEADER_BYTES - 8);
    if !header_holds || !page_bytes.is_power_of_two() || !(512..=65_536).contains(&page_bytes) {
        // A header is synced before the first frame is written.
        return Ok(!fill(log, &mut [0; FRAME_HEADER_BYTES])?);
    }
    let mut frame = vec![0; FRAME_HEADER_BYTES + usize::try_from(page_bytes).unwrap_or_default()];
    let salts = Sum::read(&header, 16);
    let mut sum = Sum::read(&header, HEADER_BYTES - 8);
    // Of the first frame that does not hold: whether its transaction has ended since. What comes behind that end was
    // begun when the broken one was complete and on the disk.
    let mut broken: Option<bool> = None;
    while fill(log, &mut frame)? {
        let (head, page) = frame.split_at(FRAME_HEADER_BYTES);
        let (counted, _) = head.split_at(8);
        let told = Sum::read(head, 16);
        let holds = Sum::read(head, 8) == salts && sum.add(counted, big_endian).add(page, big_endian) == told;
        let commits = be(head, 4) != 0;
        match &mut broken {
            None if !holds => broken = Some(commits),
            None => {}
            Some(true) if holds => return Ok(false),
            Some(has_ended) => *has_ended |= holds && commits,
        }
        // The checksum as it stands, so that a frame behind a broken one is judged by itself.
        sum = told;
    }
    Ok(true)
}
