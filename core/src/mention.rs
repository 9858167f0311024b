//! People and places in texts that come from or go to where only characters are: `@{Pseudonym}` or `@{id-prefix}`.
//!
//! In an editor a text is written with `@{name}` for a token, `@{>name}` and `@{>}` for a turn, `@{=layer}` for the
//! beginning of a layer, `@{=?}` for a marker that this version does not know, and `@{=person id}` or `@{=place id}`
//! with the whole id for what no name means here: it is understood without being known. An `@{` that is only characters has a
//! backslash before it, and backslashes that stand before an `@{` are doubled; elsewhere a backslash is a backslash.
//! [`parse`] reads the same form back.

use crate::text::{Mark, Prose, Token, TokenAt, Unit};

/// How many characters stand between the braces of a mention at most; more is only text.
pub const MENTION_CHARS_MAX: usize = 200;

/// What a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved {
    /// Exactly one participant or place.
    One(Token),
    /// Nothing that is known.
    None,
    /// More than one.
    Several,
}

/// A mention that stays as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// Where its `@` stands in the text that came in, in code points.
    pub at: usize,
    /// What was between the braces.
    pub name: String,
    /// True if the name means several, false if it means nothing that is known.
    pub several: bool,
}

/// A text taken in, and what in it could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The text with its tokens.
    pub units: Vec<Unit>,
    /// The mentions that stayed as typed.
    pub unresolved: Vec<Unresolved>,
}

/// A text with names in the places of its tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// Where in it each token's name begins, in code points.
    pub tokens: Vec<TokenAt>,
}

/// Reads a text in which mentions are written out; one that names exactly one thing becomes a token.
pub fn parse(text: &str, resolve: impl Fn(&str) -> Resolved) -> Parsed {
    let chars: Vec<char> = text.chars().collect();
    let mut parsed = Parsed { units: Vec::with_capacity(chars.len()), unresolved: Vec::new() };
    let mut rest = chars.as_slice();
    while let Some(char) = rest.first() {
        let at = chars.len() - rest.len();
        let slashes = rest.iter().take_while(|char| **char == '\\').count();
        let behind = rest.get(slashes..).unwrap_or_default();
        if !behind.starts_with(&['@', '{']) {
            let taken = slashes.max(1);
            parsed.units.extend(std::iter::repeat_n(Unit::Char(*char), taken));
            rest = rest.get(taken..).unwrap_or_default();
            continue;
        }
        parsed.units.extend(std::iter::repeat_n(Unit::Char('\\'), slashes / 2));
        let mention = if slashes.is_multiple_of(2) {
            mention(behind, at + slashes, &resolve, &mut parsed)
        } else {
            None
        };
        let taken = match mention {
            Some((unit, taken)) => {
                parsed.units.push(unit);
                taken
            }
            None => {
                parsed.units.extend([Unit::Char('@'), Unit::Char('{')]);
                2
            }
        };
        rest = behind.get(taken..).unwrap_or_default();
    }
    parsed
}

/// Reads the mention at the beginning of `chars`, and how many characters it has.
fn mention(
    chars: &[char],
    at: usize,
    resolve: impl Fn(&str) -> Resolved,
    parsed: &mut Parsed,
) -> Option<(Unit, usize)> {
    let inner = chars.get(2..)?;
    let length = inner.iter().take(MENTION_CHARS_MAX + 1).position(|char| matches!(char, '}' | '\n'))?;
    if inner.get(length) != Some(&'}') {
        return None;
    }
    let name: String = inner.iter().take(length).collect();
    let unit = match name.chars().next() {
        Some('=') => marker(&name).map(Unit::Mark).or_else(|| exact(&name).map(Unit::Token)),
        Some('>') if name.len() == 1 => Some(Unit::Mark(Mark::Turn(None))),
        Some('>') => match speaker(name.trim_start_matches('>'), resolve) {
            Resolved::One(Token::Person(id)) => Some(Unit::Mark(Mark::Turn(Some(id)))),
            Resolved::One(Token::Place(_)) | Resolved::None | Resolved::Several => None,
        },
        Some(_) | None => match resolve(&name) {
            Resolved::One(token) => Some(Unit::Token(token)),
            Resolved::None => None,
            Resolved::Several => {
                parsed.unresolved.push(Unresolved { at, name, several: true });
                return None;
            }
        },
    };
    if unit.is_none() {
        parsed.unresolved.push(Unresolved { at, name, several: false });
    }
    unit.map(|unit| (unit, length + 3))
}

fn speaker(name: &str, resolve: impl Fn(&str) -> Resolved) -> Resolved {
    exact(name).map_or_else(|| resolve(name), Resolved::One)
}

/// Reads a token that is written as its kind and its whole id.
fn exact(name: &str) -> Option<Token> {
    match name.strip_prefix('=')?.split_once(' ')? {
        ("person", id) => id.parse().ok().map(Token::Person),
        ("place", id) => id.parse().ok().map(Token::Place),
        _ => None,
    }
}

fn marker(name: &str) -> Option<Mark> {
    match name.strip_prefix('=')? {
        "?" => Some(Mark::Other),
        word => word.parse().ok().map(Mark::Layer),
    }
}

/// Writes a text with a name in the place of each token, and a name and a colon where somebody begins to speak;
/// layers are not shown.
pub fn render(prose: &Prose, names: impl Fn(Token) -> String) -> Rendered {
    let mut rendered = Rendered { text: String::with_capacity(prose.text().len()), tokens: Vec::new() };
    let mut at = 0u32;
    for unit in prose.units() {
        let before = rendered.text.len();
        match unit {
            Unit::Char(char) => rendered.text.push(char),
            Unit::Token(token) => {
                rendered.tokens.push(TokenAt { at, token });
                rendered.text.push_str(&names(token));
            }
            Unit::Mark(Mark::Turn(Some(id))) => {
                let token = Token::Person(id);
                rendered.tokens.push(TokenAt { at, token });
                rendered.text.push_str(&names(token));
                rendered.text.push_str(": ");
            }
            Unit::Mark(Mark::Turn(None) | Mark::Layer(_) | Mark::Other) => {}
        }
        let written = rendered.text.get(before..).unwrap_or_default().chars().count();
        at += u32::try_from(written).expect("a rendered text has fewer than 2^32 characters");
    }
    rendered
}

/// Writes a text for an editor, so that [`parse`] with the same `resolve` gives the same units back; a name that
/// does not mean the token alone is written as its kind and whole id, so that a person whom this device does not know
/// yet, or no longer, is not lost by an edit.
pub fn render_for_editor(
    prose: &Prose,
    names: impl Fn(Token) -> String,
    resolve: impl Fn(&str) -> Resolved,
) -> String {
    let mention = |token: Token| {
        let name = names(token);
        let readable = !name.starts_with(['=', '>']) && !name.contains(['}', '\n']);
        let short = name.chars().count() < MENTION_CHARS_MAX;
        let exact = readable && short && resolve(&name) == Resolved::One(token);
        if exact { name } else { format!("={} {token}", token.kind()) }
    };
    let mut text = String::with_capacity(prose.text().len());
    let mut slashes = 0;
    let units = prose.units();
    for (at, unit) in units.iter().enumerate() {
        let written = match *unit {
            Unit::Char('@') if units.get(at + 1) == Some(&Unit::Char('{')) => {
                text.extend(std::iter::repeat_n('\\', slashes + 1));
                slashes = 0;
                text.push('@');
                continue;
            }
            Unit::Char(char) => {
                text.push(char);
                slashes = if char == '\\' { slashes + 1 } else { 0 };
                continue;
            }
            Unit::Token(token) => mention(token),
            Unit::Mark(Mark::Turn(Some(id))) => format!(">{}", mention(Token::Person(id))),
            Unit::Mark(Mark::Turn(None)) => ">".to_owned(),
            Unit::Mark(Mark::Layer(layer)) => format!("={}", layer.as_str()),
            Unit::Mark(Mark::Other) => "=?".to_owned(),
        };
        text.extend(std::iter::repeat_n('\\', slashes));
        slashes = 0;
        text.push_str("@{");
        text.push_str(&written);
        text.push('}');
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::{ParticipantId, PlaceId};
    use crate::text::{Layer, units};

    const SAM: Token = Token::Person(ParticipantId::from_bytes([1; 16]));
    const BRACE: Token = Token::Person(ParticipantId::from_bytes([2; 16]));
    const HALL: Token = Token::Place(PlaceId::from_bytes([3; 16]));
    const TWIN: Token = Token::Place(PlaceId::from_bytes([4; 16]));
    const ALL: [Token; 4] = [SAM, BRACE, HALL, TWIN];
    /// Nothing here knows it, and a place has the same id.
    const STRANGER: Token = Token::Person(ParticipantId::from_bytes([5; 16]));
    const NOWHERE: Token = Token::Place(PlaceId::from_bytes([5; 16]));

    fn name(token: Token) -> String {
        match token {
            SAM => "Sam",
            BRACE => "B}{",
            HALL | TWIN => "Hall",
            Token::Person(_) | Token::Place(_) => "?",
        }
        .to_owned()
    }

    fn resolve(name: &str) -> Resolved {
        let hits: Vec<Token> = ALL
            .into_iter()
            .filter(|token| {
                self::name(*token) == name || (name.len() > 3 && token.to_string().starts_with(name))
            })
            .collect();
        match hits.as_slice() {
            [] => Resolved::None,
            [token] => Resolved::One(*token),
            [_, _, ..] => Resolved::Several,
        }
    }

    #[test]
    fn a_mention_becomes_a_token_when_it_names_exactly_one() {
        let parsed = parse("é @{Sam} at @{0303}, @{Hall}, @{Nobody} @{", resolve);
        let expected = [
            units("é "),
            vec![Unit::Token(SAM)],
            units(" at "),
            vec![Unit::Token(HALL)],
            units(", @{Hall}, @{Nobody} @{"),
        ];
        assert_eq!(parsed.units, expected.concat());
        assert_eq!(
            parsed.unresolved,
            [
                Unresolved { at: 21, name: "Hall".to_owned(), several: true },
                Unresolved { at: 30, name: "Nobody".to_owned(), several: false },
            ]
        );
    }

    #[test]
    fn a_mention_has_a_limit() {
        let named = |length: usize| {
            let text = format!("@{{{}}}", "x".repeat(length));
            let long = "x".repeat(length);
            parse(&text, |name| if name == long { Resolved::One(SAM) } else { Resolved::None }).units
        };
        assert_eq!(named(MENTION_CHARS_MAX), [Unit::Token(SAM)]);
        assert_eq!(named(MENTION_CHARS_MAX + 1).len(), MENTION_CHARS_MAX + 4);
    }

    #[test]
    fn rendering_names_each_token_and_tells_where() {
        let prose = Prose::from_units(&parse("@{=speech}@{>Sam}é @{0303}!", resolve).units);
        let rendered = render(&prose, name);
        assert_eq!(rendered.text, "Sam: é Hall!");
        assert_eq!(rendered.tokens, [TokenAt { at: 0, token: SAM }, TokenAt { at: 7, token: HALL }]);
    }

    #[test]
    fn what_looks_like_a_mention_and_is_not_stays_text_in_an_editor() {
        let prose = Prose::from_units(&units(r"\\@{Sam} \ @{"));
        let text = render_for_editor(&prose, name, resolve);
        assert_eq!(text, r"\\\\\@{Sam} \ \@{");
        assert_eq!(parse(&text, resolve).units, prose.units());
    }

    #[test]
    fn a_person_whom_this_device_does_not_know_is_not_lost_in_an_editor() {
        let stranger = ParticipantId::from_bytes([5; 16]);
        let all = [
            Unit::Mark(Mark::Turn(Some(stranger))),
            Unit::Token(STRANGER),
            Unit::Char(' '),
            Unit::Token(NOWHERE),
        ];
        let text = render_for_editor(&Prose::from_units(&all), name, resolve);
        let id = "05".repeat(16);
        assert_eq!(text, format!("@{{>=person {id}}}@{{=person {id}}} @{{=place {id}}}"));
        let parsed = parse(&text, resolve);
        assert_eq!((parsed.units.as_slice(), parsed.unresolved.as_slice()), (&all[..], &[][..]));
        for typed in ["@{=person 05}", "@{=place}", "@{>=place 05050505050505050505050505050505}"] {
            let parsed = parse(typed, resolve);
            assert_eq!((parsed.units, parsed.unresolved.len()), (units(typed), 1), "{typed}");
        }
    }

    fn unit() -> impl Strategy<Value = Unit> {
        let token = prop::sample::select([&ALL[..], &[STRANGER, NOWHERE]].concat());
        let mark = prop::sample::select(vec![
            Mark::Layer(Layer::Speech),
            Mark::Turn(None),
            Mark::Turn(Some(ParticipantId::from_bytes([2; 16]))),
            Mark::Turn(Some(ParticipantId::from_bytes([5; 16]))),
            Mark::Other,
        ]);
        prop_oneof![
            8 => prop::sample::select("@{}\\>=Sam\n\u{fffc}é".chars().collect::<Vec<_>>()).prop_map(Unit::Char),
            2 => token.prop_map(Unit::Token),
            1 => mark.prop_map(Unit::Mark),
        ]
    }

    proptest! {
        #[test]
        fn what_an_editor_shows_reads_back_as_the_same_text(units in prop::collection::vec(unit(), 0..40)) {
            let prose = Prose::from_units(&units);
            let text = render_for_editor(&prose, name, resolve);
            let parsed = parse(&text, resolve);
            prop_assert_eq!(parsed.units, units);
            prop_assert_eq!(parsed.unresolved, []);
        }
    }
}
