//! Texts that come in: from a file, from standard input, or from an editor.
//!
//! What is typed in an editor must lie in a file while it is typed: one that nobody else can read, in memory where the
//! system has such a folder, overwritten and removed once the note is saved. If it cannot be saved, the file stays and
//! the command says where.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::failure::{Failure, Kind};

/// The most that is read of a text, in bytes: more than any note has, also with its mentions written out.
const INPUT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Where a text comes from.
#[derive(Debug, clap::Args)]
pub(crate) struct Source {
    /// File with the text, or - for standard input; without it $VISUAL or $EDITOR opens.
    #[arg(long, value_name = "F", conflicts_with = "stdin")]
    file: Option<PathBuf>,
    /// Read the text from standard input.
    #[arg(value_name = "-", value_parser = ["-"], hide_possible_values = true)]
    stdin: Option<String>,
}

impl Source {
    /// Whether a text was given with the command.
    pub(crate) fn is_given(&self) -> bool {
        self.file.is_some() || self.stdin.is_some()
    }

    /// Reads the text that was given with the command; none where an editor is to open.
    pub(crate) fn read(&self) -> Result<Option<String>, Failure> {
        match &self.file {
            Some(path) if path.as_os_str() != "-" => {
                let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
                read_text(file).map_err(|error| Failure::file(path, &error))?.map(Some)
            }
            None if self.stdin.is_none() => Ok(None),
            Some(_) | None => {
                let read = read_text(io::stdin().lock());
                read.map_err(|error| Failure::file(Path::new("standard input"), &error))?.map(Some)
            }
        }
    }
}

/// Reads a whole text: UTF-8, a mark at its beginning left out.
fn read_text(from: impl Read) -> io::Result<Result<String, Failure>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(INPUT_BYTES_MAX).expect("a few MiB") + 1;
    from.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > INPUT_BYTES_MAX {
        return Ok(Err(Failure::usage(
            format_args!("the text has more than {INPUT_BYTES_MAX} bytes"),
            "a note has at most 1,000,000 bytes: part it into several",
        )));
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
        Err(error) => Err(Failure::usage(
            format_args!("the text is not UTF-8 at byte {}", error.utf8_error().valid_up_to()),
            "save it as UTF-8",
        )),
    })
}

/// A text that was typed in an editor, and the file it lies in until it is safe.
#[derive(Debug)]
pub(crate) struct Typed {
    /// The text.
    pub(crate) text: String,
    draft: Draft,
}

impl Typed {
    /// Says in a failure where the text is, and leaves it there.
    pub(crate) fn keep(self, failure: Failure) -> Failure {
        let path = self.draft.leave();
        let hint =
            format!("what you typed stands in {}: give it with --file; {}", path.display(), failure.hint);
        failure.hinting(hint)
    }
}

/// Opens an editor on a terminal and waits until it is closed.
pub(crate) fn edit(before: &str) -> Result<Typed, Failure> {
    let give = "give the text with --file FILE, or with - from standard input";
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return Err(Failure::usage("a text is wanted, and there is no terminal for an editor", give));
    }
    let named = ["VISUAL", "EDITOR"].into_iter().find_map(|name| std::env::var(name).ok());
    let editor = named.filter(|editor| !editor.trim().is_empty());
    let editor = editor.ok_or_else(|| Failure::usage("neither VISUAL nor EDITOR names an editor", give))?;
    let draft = Draft::make(before).map_err(|error| Failure::file(&temporary_folder(), &error))?;
    let status = editor_command(&editor, &draft.path).status();
    let text = draft.read();
    match (status, text) {
        (Ok(status), Ok(Ok(mut text))) if status.success() => {
            // Editors end the last line, also where it had no end.
            if text.ends_with('\n') && !before.ends_with('\n') {
                text.pop();
            }
            Ok(Typed { text, draft })
        }
        (Ok(status), Ok(Ok(text))) => {
            let failure =
                Failure::usage(format_args!("the editor ended with {status}; nothing was saved"), "");
            // What was not changed is no loss.
            Err(if text == before { failure } else { Typed { text, draft }.keep(failure) })
        }
        (Err(error), _) => {
            Err(Failure::usage(format_args!("the editor {editor} cannot be started: {error}"), give))
        }
        (Ok(_), Ok(Err(failure))) => Err(Typed { text: String::new(), draft }.keep(failure)),
        (Ok(_), Err(error)) => {
            let failure =
                Failure::new(Kind::Storage, format_args!("what was typed cannot be read: {error}"), "");
            Err(Typed { text: String::new(), draft }.keep(failure))
        }
    }
}

/// The editor as a person writes it into the variable: with arguments, for the shell to part.
fn editor_command(editor: &str, path: &Path) -> Command {
    if cfg!(windows) {
        let mut words = editor.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or(editor));
        command.args(words).arg(path);
        return command;
    }
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("{editor} \"$@\"")).arg(editor).arg(path);
    command
}

/// A folder in memory where the system has one, else the folder for temporary files.
fn temporary_folder() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let in_memory = runtime.into_iter().chain([PathBuf::from("/dev/shm")]);
    in_memory.into_iter().find(|folder| folder.is_dir()).unwrap_or_else(std::env::temp_dir)
}

/// A folder of our own with the file that the editor works on; everything in it is overwritten when it goes.
#[derive(Debug)]
struct Draft {
    folder: Option<TempDir>,
    path: PathBuf,
}

impl Draft {
    fn make(text: &str) -> io::Result<Self> {
        Self::make_in(&temporary_folder(), text).or_else(|_| Self::make_in(&std::env::temp_dir(), text))
    }

    fn make_in(folder: &Path, text: &str) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("thicket-").tempdir_in(folder)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700))?;
            options.mode(0o600);
        }
        let path = folder.path().join("note.md");
        options.open(&path)?.write_all(text.as_bytes())?;
        Ok(Self { folder: Some(folder), path })
    }

    fn read(&self) -> io::Result<Result<String, Failure>> {
        read_text(File::open(&self.path)?)
    }

    /// Leaves the file where it is.
    fn leave(mut self) -> PathBuf {
        if let Some(folder) = self.folder.take() {
            let _ = folder.keep();
        }
        self.path.clone()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            // Editors leave copies of their own beside the file.
            for entry in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
                let _ = overwrite(&entry.path());
            }
        }
    }
}

/// Writes zeros over a file.
fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    io::copy(&mut io::repeat(0).take(length), &mut file)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_for_its_owner_alone_and_vanishes_with_its_copies() {
        let draft = Draft::make("before").expect("made");
        let (file, folder) = (draft.path.clone(), draft.path.parent().expect("in a folder").to_owned());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
            assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        }
        fs::write(folder.join("note.md~"), "a copy").expect("written");
        drop(draft);
        assert!(!file.exists() && !folder.exists());
    }

    #[test]
    fn what_cannot_be_saved_stays_and_the_failure_says_where() {
        let draft = Draft::make("typed for an hour").expect("made");
        let path = draft.path.clone();
        let typed = Typed { text: "typed for an hour".to_owned(), draft };
        let failure = typed.keep(Failure::new(Kind::Storage, "the disk is full", "make room"));
        assert!(failure.hint.contains(&path.display().to_string()) && failure.hint.contains("make room"));
        assert_eq!(fs::read_to_string(&path).expect("still there"), "typed for an hour");
        fs::remove_dir_all(path.parent().expect("in a folder")).expect("removed");
    }

    #[test]
    fn overwriting_leaves_nothing_but_zeros() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("note");
        fs::write(&path, "secret").expect("written");
        overwrite(&path).expect("overwritten");
        assert_eq!(fs::read(&path).expect("read"), [0; 6]);
    }

    #[test]
    fn a_text_is_utf_8_without_its_mark_and_within_its_limit() {
        let read = |bytes: &[u8]| read_text(bytes).expect("memory reads").map_err(|failure| failure.kind);
        assert_eq!(read("\u{feff}é\r\n".as_bytes()).as_deref(), Ok("é\r\n"));
        assert_eq!(read(b"a\xff"), Err(Kind::Usage));
        assert!(read(&vec![b'x'; INPUT_BYTES_MAX]).is_ok());
        assert_eq!(read(&vec![b'x'; INPUT_BYTES_MAX + 1]), Err(Kind::Usage));
    }
}
