//! The entries of an import, one after another, in bounded memory.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use thicket_core::time::{Day, Observed};

use crate::desk::moment_of;
use crate::failure::{Failure, Kind};

/// The longest line of a .jsonl file, in bytes.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest text file, in bytes: four times what a note holds.
const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How deep folders may lie in each other.
const DEPTH_MAX: usize = 16;
/// The characters of a date at the beginning of a file's name.
const DATE_CHARS: usize = 10;

/// What one note is made of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) observed: Observed,
    pub(super) title: String,
    pub(super) text: String,
}

/// One entry, or why it is none, and where it stands.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) file: String,
    pub(super) line: Option<u64>,
    pub(super) entry: Result<Entry, String>,
    /// Bytes of all files up to here.
    pub(super) bytes_done: u64,
}

/// Goes through the files of an import.
#[derive(Debug)]
pub(super) struct Entries {
    files: std::vec::IntoIter<PathBuf>,
    bytes: u64,
    bytes_done: u64,
    open: Option<Lines>,
}

/// A .jsonl file that is being read.
#[derive(Debug)]
struct Lines {
    file: String,
    from: BufReader<File>,
    line: u64,
    is_broken: bool,
}

impl Entries {
    /// Looks what there is to import.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let found = fs::metadata(path).map_err(|error| Failure::file(path, &error))?;
        let mut files = Vec::new();
        if found.is_dir() {
            list(path, 0, &mut files).map_err(|error| Failure::file(path, &error))?;
            files.sort();
        } else if kind_of(path).is_some() {
            File::open(path).map_err(|error| Failure::file(path, &error))?;
            files.push(path.to_owned());
        } else {
            return Err(Failure::usage(
                format_args!("{} is neither a folder nor a .jsonl, .txt or .md file", path.display()),
                "see `thicket import --help`",
            ));
        }
        if files.is_empty() {
            return Err(Failure::new(
                Kind::NotFound,
                format_args!("there is no .txt, .md or .jsonl file in {}", path.display()),
                "name the folder that holds them",
            ));
        }
        let bytes = files.iter().filter_map(|file| fs::metadata(file).ok()).map(|found| found.len()).sum();
        Ok(Self { files: files.into_iter(), bytes, bytes_done: 0, open: None })
    }

    /// Bytes of all files.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Lists the files of a folder and of the folders in it; links are not followed into folders, hidden names are left out.
fn list(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            if depth < DEPTH_MAX {
                list(&path, depth + 1, files)?;
            }
        } else if kind_of(&path).is_some() && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileKind {
    Lines,
    Text,
}

fn kind_of(path: &Path) -> Option<FileKind> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    match ending.as_str() {
        "jsonl" | "ndjson" => Some(FileKind::Lines),
        "txt" | "md" => Some(FileKind::Text),
        _ => None,
    }
}

impl Iterator for Entries {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            if let Some(lines) = &mut self.open {
                let (taken, entry) = lines.next_entry();
                self.bytes_done += taken;
                match entry {
                    Some(entry) => {
                        let (file, line) = (lines.file.clone(), Some(lines.line));
                        return Some(Found { file, line, entry, bytes_done: self.bytes_done });
                    }
                    None if taken == 0 => self.open = None,
                    None => {}
                }
                continue;
            }
            let path = self.files.next()?;
            let file = path.display().to_string();
            let entry = match kind_of(&path) {
                Some(FileKind::Lines) => match File::open(&path) {
                    Ok(from) => {
                        self.open =
                            Some(Lines { file, from: BufReader::new(from), line: 0, is_broken: false });
                        continue;
                    }
                    Err(error) => Err(format!("it cannot be read: {error}")),
                },
                Some(FileKind::Text) | None => {
                    self.bytes_done += fs::metadata(&path).map_or(0, |found| found.len());
                    text_file(&path)
                }
            };
            return Some(Found { file, line: None, entry, bytes_done: self.bytes_done });
        }
    }
}

impl Lines {
    /// Reads a line: how many bytes it took, and its entry; none where it is blank or the file is at its end.
    fn next_entry(&mut self) -> (u64, Option<Result<Entry, String>>) {
        if self.is_broken {
            return (0, None);
        }
        let (taken, line) = match read_line(&mut self.from) {
            Ok(read) => read,
            Err(error) => {
                self.line += 1;
                self.is_broken = true;
                return (0, Some(Err(format!("it cannot be read from here on: {error}"))));
            }
        };
        if taken > 0 {
            self.line += 1;
        }
        let entry = match line {
            Line::TooLong => Some(Err(format!("the line has more than {LINE_BYTES_MAX} bytes"))),
            Line::Whole(bytes) => {
                let bytes = if self.line == 1 {
                    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)
                } else {
                    &bytes
                };
                if bytes.trim_ascii().is_empty() { None } else { Some(parse_line(bytes)) }
            }
        };
        (taken, entry)
    }
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
}

/// Reads to the end of a line and holds no more of it than a line may have.
fn read_line(from: &mut impl BufRead) -> io::Result<(u64, Line)> {
    let mut kept = Vec::new();
    let mut taken = 0u64;
    loop {
        let seen = from.fill_buf()?;
        let end = seen.iter().position(|byte| *byte == b'\n');
        let part = seen.get(..end.map_or(seen.len(), |end| end + 1)).unwrap_or(seen);
        let room = (LINE_BYTES_MAX + 2).saturating_sub(kept.len());
        kept.extend_from_slice(part.get(..part.len().min(room)).unwrap_or(part));
        let length = part.len();
        taken += u64::try_from(length).expect("a buffer");
        from.consume(length);
        if end.is_some() || length == 0 {
            break;
        }
    }
    let line = kept.strip_suffix(b"\n").unwrap_or(&kept);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let too_long = line.len() > LINE_BYTES_MAX;
    Ok((taken, if too_long { Line::TooLong } else { Line::Whole(line.to_vec()) }))
}

/// Reads one note of JSON; the reasons repeat nothing of what it says.
fn parse_line(line: &[u8]) -> Result<Entry, String> {
    let text = std::str::from_utf8(line)
        .map_err(|error| format!("it is not UTF-8 at byte {}", error.valid_up_to()))?;
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|error| format!("it is not JSON at column {}", error.column()))?;
    let fields = value.as_object().ok_or("it is not a JSON object")?;
    let field = |name: &str| match fields.get(name) {
        None | Some(serde_json::Value::Null) => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or_else(|| format!("\"{name}\" is not a text")),
    };
    let date = field("date")?.ok_or("it has no \"date\"")?;
    let observed = date.trim().parse().map_err(|error| format!("\"date\": {error}"))?;
    let text = field("text")?.ok_or("it has no \"text\"")?;
    if text.trim().is_empty() {
        return Err("\"text\" is empty".to_owned());
    }
    let title = field("title")?.unwrap_or_default();
    Ok(Entry { observed, title: title.to_owned(), text: text.to_owned() })
}

/// Reads one text file as a note.
fn text_file(path: &Path) -> Result<Entry, String> {
    let unread = |error: io::Error| format!("it cannot be read: {error}");
    let file = File::open(path).map_err(unread)?;
    let changed = file.metadata().and_then(|found| found.modified()).map_err(unread)?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(FILE_BYTES_MAX).expect("a few MiB") + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(format!("it has more than {FILE_BYTES_MAX} bytes"));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| format!("it is not UTF-8 at byte {}", error.utf8_error().valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let (day, title) = split_name(&stem);
    let changed_ms = changed.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let changed_day = || i64::try_from(changed_ms).ok().and_then(moment_of).map(|moment| moment.day());
    let day = day.or_else(changed_day).ok_or("its date is not known")?;
    Ok(Entry { observed: Observed::Day(day), title: title.to_owned(), text: text.to_owned() })
}

/// Parts a file's name into the date that it begins with, if it does, and a title.
fn split_name(stem: &str) -> (Option<Day>, &str) {
    let date = stem.get(..DATE_CHARS).and_then(|date| date.parse().ok());
    match date {
        Some(day) => {
            let rest = stem.get(DATE_CHARS..).unwrap_or_default();
            (
                Some(day),
                rest.trim_matches(|char: char| char.is_whitespace() || matches!(char, '-' | '_' | '.')),
            )
        }
        None => (None, stem.trim()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests index what they made")]

    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("in the folder")).expect("made");
            fs::write(path, bytes).expect("written");
        }
        folder
    }

    fn all(path: &Path) -> Vec<Found> {
        Entries::open(path).expect("there").collect()
    }

    fn line(bytes: &[u8]) -> Vec<(Option<u64>, Result<Entry, String>)> {
        let folder = folder(&[("a.jsonl", bytes)]);
        all(folder.path()).into_iter().map(|found| (found.line, found.entry)).collect()
    }

    fn entry(date: &str, title: &str, text: &str) -> Entry {
        Entry { observed: date.parse().expect("a date"), title: title.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_mark_line_ends_of_windows_and_blank_lines_are_no_matter() {
        let found = line(b"\xef\xbb\xbf{\"date\":\"1660-01-01\",\"text\":\"a\"}\r\n\r\n  \n{\"date\":\"2026-11-25/morning\",\"text\":\"b\\r\\nc\",\"title\":\"T\",\"more\":[1]}");
        assert_eq!(
            found,
            [
                (Some(1), Ok(entry("1660-01-01", "", "a"))),
                (Some(4), Ok(entry("2026-11-25/morning", "T", "b\r\nc"))),
            ]
        );
    }

    #[test]
    fn a_bad_line_is_named_and_the_next_is_read() {
        let bad: [(&[u8], &str); 10] = [
            (b"{", "not JSON"),
            (b"[1]", "not a JSON object"),
            (b"{\"text\":\"a\"}", "no \"date\""),
            (b"{\"date\":\"1660-01-01\"}", "no \"text\""),
            (b"{\"date\":\"1660-01-01\",\"text\":\" \"}", "empty"),
            (b"{\"date\":\"1660-02-30\",\"text\":\"a\"}", "not a date"),
            (b"{\"date\":\"2026-11-25T10:00:00\",\"text\":\"a\"}", "zone"),
            (b"{\"date\":1660,\"text\":\"a\"}", "\"date\" is not a text"),
            (b"{\"date\":\"1660-01-01\",\"text\":7}", "\"text\" is not a text"),
            (b"\xff\xfe", "not UTF-8"),
        ];
        for (bytes, reason) in bad {
            let good = b"\n{\"date\":\"1660-01-01\",\"text\":\"good\"}\n";
            let found = line(&[bytes, good].concat());
            assert_eq!(found.len(), 2, "{reason}");
            let told = found[0].1.as_ref().expect_err("a bad line");
            assert!(told.contains(reason), "{told} is not about {reason}");
            assert_eq!(found[1], (Some(2), Ok(entry("1660-01-01", "", "good"))));
        }
    }

    #[test]
    fn a_line_has_its_limit_and_the_next_is_read() {
        let long = |length: usize| {
            let frame = "{\"date\":\"1660-01-01\",\"text\":\"\"}".len();
            format!("{{\"date\":\"1660-01-01\",\"text\":\"{}\"}}\r\n", "x".repeat(length - frame))
        };
        let found = line(format!("{}{}", long(LINE_BYTES_MAX), long(LINE_BYTES_MAX + 1)).as_bytes());
        assert!(found[0].1.is_ok());
        assert!(found[1].1.as_ref().is_err_and(|reason| reason.contains("more than")), "{:?}", found[1].0);
        let (taken, kept) = read_line(&mut vec![b'x'; 3 * LINE_BYTES_MAX].as_slice()).expect("memory reads");
        assert!(matches!(kept, Line::TooLong));
        assert_eq!(taken, 3 * u64::try_from(LINE_BYTES_MAX).expect("a few MiB"));
    }

    #[test]
    fn a_folder_is_read_by_name_with_dates_and_titles_of_its_names() {
        let folder = folder(&[
            ("2026-11-24 First visit.txt", b"\xef\xbb\xbfone\n"),
            ("inner/1660-01-01.md", b"two"),
            ("later.md", b"three"),
            (".hidden.txt", b"no"),
            ("picture.png", b"no"),
        ]);
        let found: Vec<Entry> =
            all(folder.path()).into_iter().map(|found| found.entry.expect("read")).collect();
        assert_eq!(found[0], entry("2026-11-24", "First visit", "one\n"));
        assert_eq!(found[1], entry("1660-01-01", "", "two"));
        assert_eq!((found[2].title.as_str(), found[2].text.as_str()), ("later", "three"));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn files_that_are_no_notes_are_named() {
        let folder = folder(&[
            ("a.txt", b" \n"),
            ("b.txt", b"\xff"),
            ("c.txt", &vec![b'x'; FILE_BYTES_MAX + 1]),
            ("d.txt", &vec![b'x'; FILE_BYTES_MAX]),
            ("e.jsonl", b""),
        ]);
        let found = all(folder.path());
        let told: Vec<_> =
            found.iter().map(|found| found.entry.as_ref().err().map_or("", String::as_str)).collect();
        assert_eq!(told.len(), 4, "an empty .jsonl has no notes");
        assert!(
            told[0].contains("empty") && told[1].contains("UTF-8") && told[2].contains("more than"),
            "{told:?}"
        );
        assert_eq!(told[3], "");
    }

    #[test]
    fn what_is_not_there_or_holds_nothing_is_not_found() {
        let empty = folder(&[]);
        let kind = |path: &Path| Entries::open(path).map(|_| ()).map_err(|failure| failure.kind);
        assert_eq!(kind(empty.path()), Err(Kind::NotFound));
        assert_eq!(kind(&empty.path().join("nowhere")), Err(Kind::NotFound));
        let other = folder(&[("a.pdf", b"x")]);
        assert_eq!(kind(&other.path().join("a.pdf")), Err(Kind::Usage));
    }
}
