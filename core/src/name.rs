//! Text that people give to things: names of one line, and short passages.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

/// The longest [`Name`], in characters.
pub const NAME_CHARS_MAX: usize = 200;

/// The longest [`Passage`], in characters.
pub const PASSAGE_CHARS_MAX: usize = 4_000;

/// Text that cannot be a name or passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing but white space.
    #[error("a name or passage is empty")]
    Empty,
    /// Longer than the limit.
    #[error("a name or passage has more than {limit} characters")]
    TooLong {
        /// The limit, in characters.
        limit: usize,
    },
    /// A control character; a passage may have line feeds and tabs.
    #[error("a name or passage has a control character")]
    Control,
    /// White space before or behind a name, which would make two names look like one.
    #[error("a name has white space at its edge")]
    Edge,
}

macro_rules! text_type {
    ($(#[$attr:meta])* pub struct $name:ident, $check:ident) => {
        $(#[$attr])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                $check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        /// Shows the length alone: what people typed never gets into a log.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({} bytes)", stringify!($name), self.0.len())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: encode::Write>(
                &self,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), encode::Error<W::Error>> {
                e.str(&self.0)?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
                let at = d.position();
                d.str()?.parse().map_err(|error| decode::Error::custom::<NameError>(error).at(at))
            }
        }
    };
}

text_type! {
    /// A pseudonym, a real name or the name of a thing: 1 to 200 characters on one line, no white space at the edges.
    pub struct Name, check_name
}
text_type! {
    /// A short free text: 1 to 4,000 characters, with line feeds and tabs but no other control character.
    pub struct Passage, check_passage
}

fn check_name(text: &str) -> Result<(), NameError> {
    if text.trim() != text && !text.trim().is_empty() {
        return Err(NameError::Edge);
    }
    check_text(text, NAME_CHARS_MAX, |_| false)
}

fn check_passage(text: &str) -> Result<(), NameError> {
    check_text(text, PASSAGE_CHARS_MAX, |c| matches!(c, '\n' | '\t'))
}

fn check_text(text: &str, limit: usize, allowed: fn(char) -> bool) -> Result<(), NameError> {
    if text.trim().is_empty() {
        return Err(NameError::Empty);
    }
    if text.chars().nth(limit).is_some() {
        return Err(NameError::TooLong { limit });
    }
    if text.chars().any(|c| c.is_control() && !allowed(c)) {
        return Err(NameError::Control);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use thicket_protocol::cbor;

    use super::*;

    #[test]
    fn a_name_ends_at_its_limit_in_characters() {
        let (at, past) = ("é".repeat(NAME_CHARS_MAX), "é".repeat(NAME_CHARS_MAX + 1));
        let name: Name = at.parse().expect("at the limit");
        assert_eq!(cbor::decode::<Name>(&cbor::encode(&name)).expect("decodes"), name);
        assert_eq!(past.parse::<Name>(), Err(NameError::TooLong { limit: NAME_CHARS_MAX }));
        assert!(cbor::decode::<Name>(&cbor::encode(&past)).is_err());
    }

    #[test]
    fn a_name_does_not_show_itself_to_a_log() {
        let name: Name = "Sam".parse().expect("a name");
        assert_eq!(format!("{name:?}"), "Name(3 bytes)");
    }

    #[test]
    fn a_passage_ends_at_its_limit_in_characters() {
        let (at, past) = ("x".repeat(PASSAGE_CHARS_MAX), "x".repeat(PASSAGE_CHARS_MAX + 1));
        assert!(at.parse::<Passage>().is_ok());
        assert_eq!(past.parse::<Passage>(), Err(NameError::TooLong { limit: PASSAGE_CHARS_MAX }));
    }

    #[test]
    fn a_name_is_one_visible_line() {
        for (wrong, error) in [
            ("", NameError::Empty),
            (" \n", NameError::Empty),
            ("Sam ", NameError::Edge),
            ("Sam\nAbby", NameError::Control),
            ("Sam\0", NameError::Control),
        ] {
            assert_eq!(wrong.parse::<Name>(), Err(error), "{wrong:?}");
        }
        assert!("two\nlines\tand a tab".parse::<Passage>().is_ok());
        assert_eq!("bell\u{7}".parse::<Passage>(), Err(NameError::Control));
    }
}
