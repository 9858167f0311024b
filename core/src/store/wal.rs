//! Walks a write-ahead log before SQLite does (SQLite file format, section 4: "The Write-Ahead Log").
//!
//! SQLite takes the first frame that does not verify for the torn end of the log and silently forgets all behind it:
//! one flipped bit in the middle loses what was acknowledged long ago. Here the frame of a commit that verifies *behind*
//! a frame that does not means damage. Frames of no commit are left by transactions that were rolled back or killed,
//! and mean nothing. Headers, salts and checksums are in the clear and over the bytes as they lie, so no key is needed.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const MAGIC_LITTLE_ENDIAN: u32 = 0x377f_0682;
const MAGIC_BIG_ENDIAN: u32 = 0x377f_0683;
const FORMAT: u32 = 3_007_000;
const PAGE_BYTES_MIN: u32 = 512;
const PAGE_BYTES_MAX: u32 = 65_536;

/// What a walk finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walk {
    /// No log, or one that ends somewhere and has nothing of its own behind the end.
    Whole,
    /// A commit of this log lies behind what does not verify.
    Damaged,
}

/// Walks the log at `path`; a missing one is whole.
pub(super) fn walk(path: &Path) -> io::Result<Walk> {
    match File::open(path) {
        Ok(file) => walk_bytes(BufReader::with_capacity(1 << 17, file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Walk::Whole),
        Err(error) => Err(error),
    }
}

pub(super) fn walk_bytes(mut log: impl Read) -> io::Result<Walk> {
    let mut header = [0; HEADER_BYTES];
    if !read_whole(&mut log, &mut header)? {
        return Ok(Walk::Whole);
    }
    let Some(header) = Header::read(&header) else {
        // SQLite syncs the header before any frame, so frames behind a header that does not verify were readable once.
        return Ok(if has_content(log)? { Walk::Damaged } else { Walk::Whole });
    };
    let mut frame = vec![0; FRAME_HEADER_BYTES + header.page_bytes];
    // What the next frame's checksum may go on from. Behind a broken frame that is the checksum that it carries (its
    // page was hit) or the one that it ought to carry (the checksum itself was hit).
    let mut seeds = [header.checksum; 2];
    let (mut is_broken, mut is_chained) = (false, true);
    while read_whole(&mut log, &mut frame)? {
        let frame = Frame::read(&frame);
        let [first, second] = seeds.map(|seed| header.sum(header.sum(seed, frame.numbers), frame.page));
        let is_ours = frame.salts == header.salts && frame.page_number != 0;
        let verifies = is_ours && (frame.checksum == first || frame.checksum == second);
        // Behind a frame whose header is gone nothing can verify: there the salts alone have to tell.
        if is_broken && is_ours && frame.is_commit && (verifies || !is_chained) {
            return Ok(Walk::Damaged);
        }
        is_broken |= !verifies;
        is_chained = is_ours;
        seeds = [frame.checksum, first];
    }
    Ok(Walk::Whole)
}

struct Header {
    is_big_endian: bool,
    page_bytes: usize,
    salts: [u8; 8],
    checksum: (u32, u32),
}

impl Header {
    fn read(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let magic = word(bytes, 0);
        let page_bytes = word(bytes, 8);
        let is_page = page_bytes.is_power_of_two() && (PAGE_BYTES_MIN..=PAGE_BYTES_MAX).contains(&page_bytes);
        if ![MAGIC_LITTLE_ENDIAN, MAGIC_BIG_ENDIAN].contains(&magic) || word(bytes, 4) != FORMAT || !is_page {
            return None;
        }
        let header = Self {
            is_big_endian: magic == MAGIC_BIG_ENDIAN,
            page_bytes: usize::try_from(page_bytes).ok()?,
            salts: *bytes.get(16..)?.first_chunk()?,
            checksum: (word(bytes, 24), word(bytes, 28)),
        };
        (header.sum((0, 0), bytes.get(..24)?) == header.checksum).then_some(header)
    }

    /// The checksum of the format, section 4.2: two sums over pairs of words.
    fn sum(&self, seed: (u32, u32), bytes: &[u8]) -> (u32, u32) {
        let word = |bytes: &[u8; 4]| {
            if self.is_big_endian { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) }
        };
        let (words, _) = bytes.as_chunks::<4>();
        let (pairs, _) = words.as_chunks::<2>();
        pairs.iter().fold(seed, |(first, second), [even, odd]| {
            let first = first.wrapping_add(word(even)).wrapping_add(second);
            (first, second.wrapping_add(word(odd)).wrapping_add(first))
        })
    }
}

struct Frame<'f> {
    page_number: u32,
    /// Page number and size of the database, the part of the frame's header that the checksum covers.
    numbers: &'f [u8],
    /// The last frame of a transaction holds the size of the database after it.
    is_commit: bool,
    salts: [u8; 8],
    checksum: (u32, u32),
    page: &'f [u8],
}

impl<'f> Frame<'f> {
    fn read(bytes: &'f [u8]) -> Self {
        let (header, page) = bytes.split_at(FRAME_HEADER_BYTES);
        let (numbers, rest) = header.split_at(8);
        Self {
            page_number: word(header, 0),
            numbers,
            is_commit: word(header, 4) != 0,
            salts: *rest.first_chunk().expect("a frame's header has 24 bytes"),
            checksum: (word(header, 16), word(header, 20)),
            page,
        }
    }
}

/// A big-endian word of a header.
fn word(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk).expect("headers have fixed lengths");
    u32::from_be_bytes(*word)
}

/// Fills `out`, or says that the log ends before.
fn read_whole(log: &mut impl Read, out: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(out) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Tells whether anything but zeros follows.
fn has_content(mut log: impl Read) -> io::Result<bool> {
    let mut part = [0; 4096];
    loop {
        match log.read(&mut part)? {
            0 => return Ok(false),
            read if part.iter().take(read).any(|byte| *byte != 0) => return Ok(true),
            _ => {}
        }
    }
}
