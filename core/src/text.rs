//! Prose whose people and places are tokens: the one value type of a note's title and text.
//!
//! A text is a row of [`Unit`]s: characters, tokens, markers. Every position in core is a position in that row,
//! and since a token and a marker stand as one U+FFFC in [`Prose::text`], it is a position in code points too.
//! A U+FFFC that somebody typed is a character like any other: what is a token is told by the list beside the
//! text, never by the character.

use std::fmt;

use thicket_protocol::words;

use crate::ids::{ParticipantId, PlaceId};

/// How many bytes of UTF-8 a note's text may have; a token counts as the three bytes of U+FFFC.
pub const NOTE_BYTES_MAX: usize = 1_000_000;

/// How many characters a title may have.
pub const TITLE_CHARS_MAX: usize = 1_000;

/// Stands for a token or a marker where a text is written as a string.
pub const OBJECT: char = '\u{fffc}';

/// A reference to a person or a place in a text: never a name, so that a pseudonym can change and a name be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Token {
    /// A participant.
    Person(ParticipantId),
    /// A place.
    Place(PlaceId),
}

impl Token {
    /// Says which kind of thing it refers to: `person` or `place`.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Person(_) => "person",
            Self::Place(_) => "place",
        }
    }
}

impl fmt::Display for Token {
    /// Writes the id in hexadecimal digits, without the kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => id.fmt(f),
            Self::Place(id) => id.fmt(f),
        }
    }
}

words! {
    /// What a passage is: what was done, what was said, or what the writer makes of it.
    pub enum Layer {
        /// What was done.
        Observation = 0 "observation",
        /// What was said.
        Speech = 1 "speech",
        /// What the writer makes of it.
        Interpretation = 2 "interpretation",
    }
}

/// Begins a passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// From here on the text is of this layer.
    Layer(Layer),
    /// Somebody begins to speak: a participant, or somebody who is not named.
    Turn(Option<ParticipantId>),
    /// A marker of a later version: it keeps its place, and what it holds is not read.
    Other,
}

/// One element of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// A character.
    Char(char),
    /// A person or a place.
    Token(Token),
    /// The beginning of a passage.
    Mark(Mark),
}

impl Unit {
    /// Says how many bytes of UTF-8 it counts for.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Char(char) => char.len_utf8(),
            Self::Token(_) | Self::Mark(_) => OBJECT.len_utf8(),
        }
    }

    /// The participant it names, as a token or as the speaker of a turn.
    pub const fn person(self) -> Option<ParticipantId> {
        match self {
            Self::Token(Token::Person(id)) | Self::Mark(Mark::Turn(Some(id))) => Some(id),
            Self::Token(Token::Place(_)) | Self::Mark(_) | Self::Char(_) => None,
        }
    }
}

/// Reads a string as units: characters only, a U+FFFC too.
pub fn units(text: &str) -> Vec<Unit> {
    text.chars().map(Unit::Char).collect()
}

/// Where a token stands, in code points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenAt {
    /// The position.
    pub at: u32,
    /// What stands there.
    pub token: Token,
}

/// Where a marker stands, in code points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MarkAt {
    /// The position.
    pub at: u32,
    /// What stands there.
    pub mark: Mark,
}

/// The lists beside a text do not fit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tokens and markers do not stand where the text has room for them, in ascending order")]
pub struct ProseError;

/// A text as it is kept and sent: a string with U+FFFC for each token and marker, and what stands there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prose {
    text: String,
    tokens: Vec<TokenAt>,
    marks: Vec<MarkAt>,
}

impl Prose {
    /// Takes a string and what stands at some of its U+FFFC, each list ascending and no place taken twice.
    pub fn new(text: String, tokens: Vec<TokenAt>, marks: Vec<MarkAt>) -> Result<Self, ProseError> {
        let prose = Self { text, tokens, marks };
        if prose.tokens.is_empty() && prose.marks.is_empty() {
            return Ok(prose);
        }
        let ascending = |places: &[u32]| places.is_sorted_by(|before, after| before < after);
        let tokens: Vec<u32> = prose.tokens.iter().map(|token| token.at).collect();
        let marks: Vec<u32> = prose.marks.iter().map(|mark| mark.at).collect();
        let placed = prose.units().iter().filter(|unit| !matches!(unit, Unit::Char(_))).count();
        let fits = ascending(&tokens) && ascending(&marks) && placed == tokens.len() + marks.len();
        if fits { Ok(prose) } else { Err(ProseError) }
    }

    /// Writes units down.
    pub fn from_units(units: &[Unit]) -> Self {
        let mut prose = Self::default();
        for (at, unit) in (0..).zip(units) {
            match *unit {
                Unit::Char(char) => prose.text.push(char),
                Unit::Token(token) => {
                    prose.text.push(OBJECT);
                    prose.tokens.push(TokenAt { at, token });
                }
                Unit::Mark(mark) => {
                    prose.text.push(OBJECT);
                    prose.marks.push(MarkAt { at, mark });
                }
            }
        }
        prose
    }

    /// Reads the units back.
    pub fn units(&self) -> Vec<Unit> {
        let mut tokens = self.tokens.iter().peekable();
        let mut marks = self.marks.iter().peekable();
        (0u32..)
            .zip(self.text.chars())
            .map(|(at, char)| {
                if char == OBJECT {
                    if let Some(token) = tokens.next_if(|token| token.at == at) {
                        return Unit::Token(token.token);
                    }
                    if let Some(mark) = marks.next_if(|mark| mark.at == at) {
                        return Unit::Mark(mark.mark);
                    }
                }
                Unit::Char(char)
            })
            .collect()
    }

    /// The string, with U+FFFC at the place of each token and marker.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tokens, by place.
    pub fn tokens(&self) -> &[TokenAt] {
        &self.tokens
    }

    /// The markers, by place.
    pub fn marks(&self) -> &[MarkAt] {
        &self.marks
    }

    /// The participants named, as tokens or as speakers; one named twice comes twice.
    pub fn people(&self) -> impl Iterator<Item = ParticipantId> {
        let tokens = self.tokens.iter().map(|token| Unit::Token(token.token));
        let marks = self.marks.iter().map(|mark| Unit::Mark(mark.mark));
        tokens.chain(marks).filter_map(Unit::person)
    }
}

/// One edit: `delete` units go at `at`, and `insert` comes in their place.
///
/// In a list of splices each one counts in the text as the splices before it left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splice {
    /// Where, in code points.
    pub at: u32,
    /// How many units go.
    pub delete: u32,
    /// What comes.
    pub insert: Vec<Unit>,
}

impl Splice {
    /// Carries the edit out; false, and nothing done, when it reaches beyond the end.
    #[must_use]
    pub fn apply(&self, units: &mut Vec<Unit>) -> bool {
        let at = self.at as usize;
        let end = at.saturating_add(self.delete as usize);
        let fits = end <= units.len();
        if fits {
            units.splice(at..end, self.insert.iter().copied());
        }
        fits
    }
}

/// Why a text cannot be taken in; the caller keeps it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// A control character that no text holds; line feed and tab are allowed.
    #[error("control character U+{:04X} at position {at}", u32::from(*char))]
    Control {
        /// Where, in code points of the text as given.
        at: usize,
        /// Which.
        char: char,
    },
    /// The text is longer than [`NOTE_BYTES_MAX`].
    #[error("the text has {bytes} bytes, and {NOTE_BYTES_MAX} is the most")]
    TextTooLong {
        /// How many bytes it has.
        bytes: usize,
    },
    /// The title is longer than [`TITLE_CHARS_MAX`].
    #[error("the title has {chars} characters, and {TITLE_CHARS_MAX} is the most")]
    TitleTooLong {
        /// How many characters it has.
        chars: usize,
    },
    /// The title has more than one line.
    #[error("the title goes on in a second line at position {at}")]
    TitleOfSeveralLines {
        /// Where the line ends, in code points.
        at: usize,
    },
    /// Titles have no passages.
    #[error("the title holds a marker at position {at}")]
    TitleWithMark {
        /// Where, in code points.
        at: usize,
    },
}

/// Takes a text in: CRLF becomes LF, other control characters than line feed and tab are refused, and nothing else
/// is altered.
pub fn normalise(text: &str) -> Result<String, TextError> {
    let mut taken = String::with_capacity(text.len());
    let mut chars = text.chars().enumerate().peekable();
    while let Some((at, char)) = chars.next() {
        match char {
            '\r' if chars.peek().is_some_and(|(_, next)| *next == '\n') => {}
            '\n' | '\t' => taken.push(char),
            _ if char.is_control() => return Err(TextError::Control { at, char }),
            _ => taken.push(char),
        }
    }
    Ok(taken)
}

/// Checks that units make a text: no control characters, not too long.
pub fn check_text(units: &[Unit]) -> Result<(), TextError> {
    check_chars(units)?;
    let bytes = units.iter().map(|unit| unit.bytes()).sum();
    if bytes > NOTE_BYTES_MAX { Err(TextError::TextTooLong { bytes }) } else { Ok(()) }
}

/// Checks that units make a title: one line, no markers, not too long.
pub fn check_title(units: &[Unit]) -> Result<(), TextError> {
    check_chars(units)?;
    if let Some(at) = units.iter().position(|unit| *unit == Unit::Char('\n')) {
        return Err(TextError::TitleOfSeveralLines { at });
    }
    if let Some(at) = units.iter().position(|unit| matches!(unit, Unit::Mark(_))) {
        return Err(TextError::TitleWithMark { at });
    }
    let chars = units.len();
    if chars > TITLE_CHARS_MAX { Err(TextError::TitleTooLong { chars }) } else { Ok(()) }
}

/// Refuses control characters in units; a carriage return is one, since [`normalise`] takes line ends in.
pub(crate) fn check_chars(units: &[Unit]) -> Result<(), TextError> {
    for (at, unit) in units.iter().enumerate() {
        if let Unit::Char(char) = *unit
            && char.is_control()
            && !matches!(char, '\n' | '\t')
        {
            return Err(TextError::Control { at, char });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAM: Token = Token::Person(ParticipantId::from_bytes([1; 16]));

    #[test]
    fn a_typed_object_character_is_never_a_token() {
        let typed = vec![Unit::Char(OBJECT), Unit::Token(SAM), Unit::Char(OBJECT)];
        let prose = Prose::from_units(&typed);
        assert_eq!(prose.text(), "\u{fffc}\u{fffc}\u{fffc}");
        assert_eq!(prose.tokens(), [TokenAt { at: 1, token: SAM }]);
        assert_eq!(prose.units(), typed);
    }

    #[test]
    fn a_list_that_does_not_fit_its_text_is_refused() {
        let token = |at| TokenAt { at, token: SAM };
        let mark = |at| MarkAt { at, mark: Mark::Turn(None) };
        let prose = |tokens: &[TokenAt], marks: &[MarkAt]| {
            Prose::new("a\u{fffc}\u{fffc}".to_owned(), tokens.to_vec(), marks.to_vec())
        };
        assert!(prose(&[token(1), token(2)], &[]).is_ok());
        assert!(prose(&[token(1)], &[mark(2)]).is_ok());
        for (tokens, marks) in [
            (&[token(0)][..], &[][..]),
            (&[token(3)], &[]),
            (&[token(2), token(1)], &[]),
            (&[token(1), token(1)], &[]),
            (&[token(1)], &[mark(1)]),
        ] {
            assert_eq!(prose(tokens, marks), Err(ProseError), "{tokens:?} {marks:?}");
        }
    }

    #[test]
    fn only_line_ends_are_altered_and_control_characters_are_named_by_their_place() {
        assert_eq!(normalise("a\r\nb\tc\n\u{301}\u{fffc}").as_deref(), Ok("a\nb\tc\n\u{301}\u{fffc}"));
        for (text, at, char) in
            [("é\0", 1, '\0'), ("a\rb", 1, '\r'), ("\u{85}", 0, '\u{85}'), ("ab\u{1b}", 2, '\u{1b}')]
        {
            assert_eq!(normalise(text), Err(TextError::Control { at, char }));
        }
    }

    #[test]
    fn a_text_and_a_title_have_their_limits() {
        let long = |count: usize| vec![Unit::Char('x'); count];
        assert_eq!(check_text(&long(NOTE_BYTES_MAX)), Ok(()));
        assert_eq!(
            check_text(&long(NOTE_BYTES_MAX + 1)),
            Err(TextError::TextTooLong { bytes: NOTE_BYTES_MAX + 1 })
        );
        let mut token = long(NOTE_BYTES_MAX - 3);
        token.push(Unit::Token(SAM));
        assert_eq!(check_text(&token), Ok(()));
        assert_eq!(check_title(&long(TITLE_CHARS_MAX)), Ok(()));
        assert_eq!(
            check_title(&long(TITLE_CHARS_MAX + 1)),
            Err(TextError::TitleTooLong { chars: TITLE_CHARS_MAX + 1 })
        );
        assert_eq!(check_title(&units("a\nb")), Err(TextError::TitleOfSeveralLines { at: 1 }));
        assert_eq!(check_title(&[Unit::Mark(Mark::Turn(None))]), Err(TextError::TitleWithMark { at: 0 }));
    }

    #[test]
    fn a_splice_beyond_the_end_does_nothing() {
        let mut text = units("abc");
        assert!(!Splice { at: 2, delete: 2, insert: vec![] }.apply(&mut text));
        assert!(!Splice { at: 4, delete: 0, insert: vec![] }.apply(&mut text));
        assert!(!Splice { at: u32::MAX, delete: u32::MAX, insert: vec![] }.apply(&mut text));
        assert_eq!(text, units("abc"));
        assert!(Splice { at: 1, delete: 2, insert: units("é") }.apply(&mut text));
        assert_eq!(text, units("aé"));
    }
}
