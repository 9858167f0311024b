//! Texts as the apps hold them: offsets count UTF-16 code units here, and code points inside. This is the one place between the two.

use thicket_core::home::Home;
use thicket_core::text::{self, OBJECT, Unit};

use crate::ThicketError;
use crate::ids::{ParticipantId, PlaceId, read};
use crate::words::Layer;

/// A text whose people and places are tokens.
///
/// Each token and marker stands as one U+FFFC in `text`; what it is stands in the lists, ascending by place. A U+FFFC that nobody lists is a
/// character that somebody typed.
#[derive(Debug, Clone, PartialEq, Eq, Default, uniffi::Record)]
pub struct Prose {
    /// The string.
    pub text: String,
    /// The tokens, by place.
    #[uniffi(default = [])]
    pub tokens: Vec<TokenAt>,
    /// The markers, by place.
    #[uniffi(default = [])]
    pub marks: Vec<MarkAt>,
}

/// Where a token stands.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TokenAt {
    /// The position, in UTF-16 code units.
    pub at: u32,
    /// What stands there.
    pub token: Token,
}

/// A person or a place in a text.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Token {
    /// A participant.
    Person {
        /// Who.
        participant: ParticipantId,
    },
    /// A place.
    Site {
        /// Which.
        place: PlaceId,
    },
}

/// Where a marker stands.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MarkAt {
    /// The position, in UTF-16 code units.
    pub at: u32,
    /// What stands there.
    pub mark: Mark,
}

/// The beginning of a passage.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Mark {
    /// From here on the text is of this layer.
    Passage {
        /// Which.
        layer: Layer,
    },
    /// Somebody begins to speak.
    Turn {
        /// Who, if they are named.
        speaker: Option<ParticipantId>,
    },
    /// A marker of a later version: it keeps its place.
    Later,
}

/// One edit: `delete` code units go at `at`, and `insert` comes in their place.
///
/// In a list of splices each one counts in the text as the splices before it left it. Neither end may lie inside a surrogate pair.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Splice {
    /// Where, in UTF-16 code units.
    pub at: u32,
    /// How many code units go.
    pub delete: u32,
    /// What comes.
    pub insert: Prose,
}

/// Where the characters of two UTF-16 code units stand: all that is needed to count a text both ways.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Widths {
    /// How many code points the text has.
    chars: u32,
    /// The places of the wide ones, in code points, ascending.
    wide: Vec<u32>,
}

impl Widths {
    pub(crate) fn of(text: &str) -> Self {
        let places = (0u32..).zip(text.chars());
        let wide = places.filter(|(_, char)| char.len_utf16() == 2).map(|(at, _)| at).collect();
        Self { chars: count(text.chars().count()), wide }
    }

    /// Counts a place in code points, at the end of the text or before it, in code units.
    fn units(&self, at: u32) -> u32 {
        at + count(self.wide.partition_point(|wide| *wide < at))
    }

    /// Counts a place in code units in code points; none inside a character or beyond the end.
    fn chars(&self, at: u32) -> Option<u32> {
        let before = self.wide.iter().zip(0u32..).take_while(|(wide, before)| *wide + before < at).count();
        let chars = at.checked_sub(count(before))?;
        (chars <= self.chars && self.units(chars) == at).then_some(chars)
    }

    /// Reads a splice in this text as core counts it, and goes on to the text that it makes.
    fn take(&mut self, splice: &Splice) -> Result<text::Splice, ThicketError> {
        let end = splice.at.checked_add(splice.delete).ok_or_else(ThicketError::misplaced)?;
        let (at, end) = self.chars(splice.at).zip(self.chars(end)).ok_or_else(ThicketError::misplaced)?;
        let (insert, comes) = (splice.insert.read()?, Self::of(&splice.insert.text));
        let chars = (self.chars - (end - at)).checked_add(comes.chars).ok_or_else(ThicketError::misplaced)?;
        let (from, to) =
            (self.wide.partition_point(|wide| *wide < at), self.wide.partition_point(|wide| *wide < end));
        let (ahead, behind) = (self.wide.iter().take(from), self.wide.iter().skip(to));
        let behind = behind.map(|wide| wide - end + at + comes.chars);
        let wide = ahead.copied().chain(comes.wide.iter().map(|wide| wide + at)).chain(behind).collect();
        *self = Self { chars, wide };
        Ok(text::Splice { at, delete: end - at, insert })
    }

    /// The same for a list of splices; nothing is changed when one of them does not fit.
    pub(crate) fn take_all(&self, splices: &[Splice]) -> Result<(Self, Vec<text::Splice>), ThicketError> {
        let mut after = self.clone();
        let read = splices.iter().map(|splice| after.take(splice)).collect::<Result<_, _>>()?;
        Ok((after, read))
    }
}

impl Prose {
    /// Reads it as core holds it.
    pub(crate) fn read(&self) -> Result<Vec<Unit>, ThicketError> {
        if self.text.contains(OBJECT) || !self.tokens.is_empty() || !self.marks.is_empty() {
            let widths = Widths::of(&self.text);
            let place = |at| widths.chars(at).ok_or_else(ThicketError::misplaced);
            let token = |one: &TokenAt| Ok(text::TokenAt { at: place(one.at)?, token: one.token.read()? });
            let tokens = self.tokens.iter().map(token).collect::<Result<_, ThicketError>>()?;
            let mark = |one: &MarkAt| Ok(text::MarkAt { at: place(one.at)?, mark: one.mark.read()? });
            let marks = self.marks.iter().map(mark).collect::<Result<_, ThicketError>>()?;
            return Ok(text::Prose::new(self.text.clone(), tokens, marks)?.units());
        }
        Ok(text::units(&self.text))
    }
}

impl From<&text::Prose> for Prose {
    fn from(prose: &text::Prose) -> Self {
        let widths = Widths::of(prose.text());
        let mark = |one: &text::MarkAt| MarkAt { at: widths.units(one.at), mark: one.mark.into() };
        Self {
            text: prose.text().to_owned(),
            tokens: tokens_at(&widths, prose.tokens()),
            marks: prose.marks().iter().map(mark).collect(),
        }
    }
}

/// Where names stand in a rendered text.
pub(crate) fn rendered_tokens(text: &str, tokens: &[text::TokenAt]) -> Vec<TokenAt> {
    tokens_at(&Widths::of(text), tokens)
}

fn tokens_at(widths: &Widths, tokens: &[text::TokenAt]) -> Vec<TokenAt> {
    tokens.iter().map(|one| TokenAt { at: widths.units(one.at), token: one.token.into() }).collect()
}

impl Token {
    fn read(&self) -> Result<text::Token, ThicketError> {
        Ok(match self {
            Self::Person { participant } => text::Token::Person(read(participant)?),
            Self::Site { place } => text::Token::Place(read(place)?),
        })
    }
}

impl From<text::Token> for Token {
    fn from(token: text::Token) -> Self {
        match token {
            text::Token::Person(id) => Self::Person { participant: ParticipantId::of(id) },
            text::Token::Place(id) => Self::Site { place: PlaceId::of(id) },
        }
    }
}

impl Mark {
    fn read(&self) -> Result<text::Mark, ThicketError> {
        Ok(match self {
            Self::Passage { layer } => text::Mark::Layer((*layer).into()),
            Self::Turn { speaker } => text::Mark::Turn(speaker.as_ref().map(read).transpose()?),
            Self::Later => text::Mark::Other,
        })
    }
}

impl From<text::Mark> for Mark {
    fn from(mark: text::Mark) -> Self {
        match mark {
            text::Mark::Layer(layer) => Self::Passage { layer: layer.into() },
            text::Mark::Turn(speaker) => Self::Turn { speaker: speaker.map(ParticipantId::of) },
            text::Mark::Other => Self::Later,
        }
    }
}

/// A text with mentions read as tokens, and what in it could not be.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ParsedText {
    /// The text.
    pub prose: Prose,
    /// The mentions that stayed as typed.
    pub unresolved: Vec<Unresolved>,
}

/// A mention that stays as typed.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Unresolved {
    /// What stands between the braces.
    pub name: String,
    /// Whether the name means several, and not nothing.
    pub several: bool,
}

pub(crate) fn parse(
    home: &Home,
    notebook: &crate::ids::NotebookId,
    text: &str,
) -> Result<ParsedText, ThicketError> {
    let parsed = home.parse_text(&read(notebook)?, text)?;
    let unresolved = parsed.unresolved.into_iter();
    Ok(ParsedText {
        prose: Prose::from(&text::Prose::from_units(&parsed.units)),
        unresolved: unresolved.map(|one| Unresolved { name: one.name, several: one.several }).collect(),
    })
}

/// A number of characters of a text in memory; no text that is taken in comes near the end of 32 bits.
fn count(chars: usize) -> u32 {
    u32::try_from(chars).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splice(at: u32, delete: u32, text: &str) -> Splice {
        let insert = Prose { text: text.to_owned(), ..Prose::default() };
        Splice { at, delete, insert }
    }

    #[test]
    fn every_place_counts_both_ways_and_none_lies_inside_a_character() {
        for text in ["", "plain", "é😀\u{301}", "😀😀a😀", "\u{fffc}😀\u{fffc}𝔘"] {
            let widths = Widths::of(text);
            let mut known = vec![(0, 0)];
            let (mut chars, mut units) = (0, 0);
            for char in text.chars() {
                (chars, units) = (chars + 1, units + count(char.len_utf16()));
                known.push((chars, units));
            }
            for at in 0..=units + 1 {
                let expected = known.iter().find(|(_, units)| *units == at).map(|(chars, _)| *chars);
                assert_eq!(widths.chars(at), expected, "{text:?} at {at}");
            }
            for (chars, units) in known {
                assert_eq!(widths.units(chars), units, "{text:?} at {chars}");
            }
        }
    }

    /// Carries splices out on UTF-16 as an app does, and on units as core does: both end at the same text.
    #[test]
    fn splices_in_utf16_do_what_they_do_in_the_app() {
        let (mut app, mut units) = ("a😀b".encode_utf16().collect::<Vec<_>>(), text::units("a😀b"));
        let mut widths = Widths::of("a😀b");
        for edit in
            [splice(4, 0, "𝔘𝔘"), splice(0, 1, ""), splice(2, 3, "ß"), splice(0, 2, "x😀"), splice(6, 0, "!")]
        {
            let (after, read) = widths.take_all(std::slice::from_ref(&edit)).expect("it fits");
            let (at, end) = (edit.at as usize, (edit.at + edit.delete) as usize);
            app.splice(at..end, edit.insert.text.encode_utf16());
            assert!(read.iter().all(|splice| splice.apply(&mut units)));
            let text = String::from_utf16(&app).expect("no character was cut");
            assert_eq!(units, text::units(&text));
            assert_eq!(after, Widths::of(&text), "{text:?}");
            widths = after;
        }
    }

    #[test]
    fn a_splice_inside_a_character_or_beyond_the_end_changes_nothing() {
        let widths = Widths::of("a😀");
        for bad in
            [splice(2, 0, "x"), splice(1, 1, ""), splice(4, 0, ""), splice(0, 9, ""), splice(1, u32::MAX, "")]
        {
            let error = widths
                .take_all(&[splice(0, 0, ""), splice(3, 0, "ok"), splice(3, 2, ""), bad])
                .expect_err("it does not fit");
            assert_eq!(error, ThicketError::misplaced());
        }
        assert_eq!(widths, Widths::of("a😀"));
    }

    #[test]
    fn tokens_keep_their_places_behind_wide_characters() {
        let person =
            |at| TokenAt { at, token: Token::Person { participant: ParticipantId("01".repeat(16)) } };
        let turn = MarkAt { at: 0, mark: Mark::Turn { speaker: None } };
        let prose = Prose {
            text: "\u{fffc}😀\u{fffc}\u{fffc}".to_owned(),
            tokens: vec![person(3)],
            marks: vec![turn],
        };
        let units = prose.read().expect("it fits");
        assert_eq!(units.iter().filter(|unit| matches!(unit, Unit::Char(_))).count(), 2);
        assert_eq!(Prose::from(&text::Prose::from_units(&units)), prose);
        for at in [1, 2, 5, 9] {
            let misplaced = Prose { tokens: vec![person(at)], ..prose.clone() };
            assert_eq!(misplaced.read(), Err(ThicketError::misplaced()), "{at}");
        }
    }
}
