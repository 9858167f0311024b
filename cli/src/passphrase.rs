//! Where the passphrase comes from: a file, the environment, or a prompt on a terminal.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use zeroize::Zeroizing;

use crate::failure::{Failure, Kind};

/// The variable that holds the passphrase.
const VARIABLE: &str = "THICKET_PASSPHRASE";

/// The longest passphrase, in bytes.
const PASSPHRASE_BYTES_MAX: usize = 1_024;

/// What the passphrase is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To open a home that is there.
    Open,
    /// To shut a home that is being made: a prompt asks twice.
    Make,
}

/// Reads the passphrase.
pub(crate) fn read(file: Option<&Path>, purpose: Purpose) -> Result<Zeroizing<String>, Failure> {
    if let Some(file) = file {
        return one_line(read_file(file)?);
    }
    match std::env::var(VARIABLE) {
        Ok(passphrase) => return check(Zeroizing::new(passphrase)),
        Err(std::env::VarError::NotUnicode(_)) => {
            return Err(Failure::usage(
                format_args!("{VARIABLE} is not UTF-8"),
                "give it with --passphrase-file",
            ));
        }
        Err(std::env::VarError::NotPresent) => {}
    }
    // A text may come through standard input while somebody sits at the terminal: the prompt goes there directly.
    if !(io::stdin().is_terminal() || io::stderr().is_terminal()) {
        return Err(Failure::new(
            Kind::Locked,
            "a passphrase is wanted, and there is no terminal to ask for it on",
            format_args!("give --passphrase-file FILE, or set {VARIABLE}"),
        ));
    }
    let typed = ask(match purpose {
        Purpose::Open => "Passphrase: ",
        Purpose::Make => "Choose a passphrase for this device: ",
    })?;
    if purpose == Purpose::Make && *ask("Once more: ")? != *typed {
        return Err(Failure::usage("the two passphrases differ", "nothing was made: run it again"));
    }
    check(typed)
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|error| {
        Failure::new(
            Kind::Locked,
            format_args!("no passphrase could be read: {error}"),
            "give --passphrase-file FILE",
        )
    })
}

fn read_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let limit = u64::try_from(PASSPHRASE_BYTES_MAX).expect("a small number") + 3;
    let mut text = Zeroizing::new(String::new());
    let read = File::open(path).and_then(|file| file.take(limit).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(Failure::usage(
            "the passphrase file is not UTF-8",
            "write the passphrase into it as one line of text",
        )),
        Err(error) => Err(Failure::file(path, &error)),
    }
}

/// Takes the one line of a file; its end is no part of the passphrase.
fn one_line(text: Zeroizing<String>) -> Result<Zeroizing<String>, Failure> {
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains('\n') {
        return Err(Failure::usage("the passphrase file has more than one line", "one line is wanted"));
    }
    check(Zeroizing::new(line.to_owned()))
}

fn check(passphrase: Zeroizing<String>) -> Result<Zeroizing<String>, Failure> {
    match passphrase.len() {
        0 => Err(Failure::new(
            Kind::Locked,
            "the passphrase is empty",
            "give one, or leave it out to be asked",
        )),
        1..=PASSPHRASE_BYTES_MAX => Ok(passphrase),
        _ => Err(Failure::usage(
            format_args!("the passphrase has more than {PASSPHRASE_BYTES_MAX} bytes"),
            "choose a shorter one",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<String, Kind> {
        one_line(Zeroizing::new(text.to_owned())).map(|line| line.to_string()).map_err(|failure| failure.kind)
    }

    #[test]
    fn a_passphrase_file_is_one_line_whose_end_does_not_count() {
        for text in ["two words", "two words\n", "two words\r\n"] {
            assert_eq!(line(text).as_deref(), Ok("two words"), "{text:?}");
        }
        assert_eq!(line(" padded \n").as_deref(), Ok(" padded "), "white space is part of it");
        assert_eq!(line("one\ntwo\n"), Err(Kind::Usage));
        assert_eq!(line("\n"), Err(Kind::Locked));
    }

    #[test]
    fn a_passphrase_ends_at_its_limit() {
        assert!(line(&"x".repeat(PASSPHRASE_BYTES_MAX)).is_ok());
        assert_eq!(line(&"x".repeat(PASSPHRASE_BYTES_MAX + 1)), Err(Kind::Usage));
    }
}
