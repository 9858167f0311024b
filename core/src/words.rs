//! The words of a text, for search: one tokenizer, for the index and for notes that are not indexed yet.
//!
//! The index is an FTS5 table with `tokenize = 'ascii'` that is fed [`terms`] joined by spaces: that tokenizer parts
//! at ASCII characters other than letters and digits alone, and a term holds none, so each term is one token of the
//! index and its position the same. [`Query::fts5`] and [`Query::matches`] therefore always agree.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::text::{Prose, Token, Unit};

/// How many characters of a word count; what is behind them is not told apart.
pub const TERM_CHARS_MAX: usize = 64;

/// How many words a query may have; the rest is not looked at.
pub const QUERY_WORDS_MAX: usize = 32;

/// How many characters a snippet has at most, the two ellipses apart.
pub const SNIPPET_CHARS_MAX: usize = 160;

/// A word of a text, folded, and where it stands in the text, in code points.
struct Word {
    term: String,
    start: usize,
    end: usize,
}

/// The terms of a text in order: each word folded (NFKD, without combining marks, lower case), each letter of a
/// script that writes no spaces on its own, each token as the term of its id. A speaker counts as a token.
pub fn terms(prose: &Prose) -> Vec<String> {
    let mut terms = Vec::new();
    let mut run = String::new();
    let units = prose.units();
    for unit in units {
        let token = match unit {
            // What was typed as U+FFFC parts words, as it does in a text without tokens.
            Unit::Char(char) => {
                run.push(char);
                continue;
            }
            Unit::Token(token) => Some(token),
            Unit::Mark(_) => unit.person().map(Token::Person),
        };
        terms.extend(words(&run).into_iter().map(|word| word.term));
        run.clear();
        terms.extend(token.map(token_term));
    }
    terms.extend(words(&run).into_iter().map(|word| word.term));
    terms
}

/// The term that stands for a person or a place in the index.
pub fn token_term(token: Token) -> String {
    match token {
        Token::Person(id) => format!("xp{id}"),
        Token::Place(id) => format!("xl{id}"),
    }
}

/// One word of a query, or a run of letters of a script without spaces, which must follow on each other.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    phrase: Vec<String>,
    /// The last term of the phrase may go on.
    open: bool,
    /// Tokens whose pseudonym has the phrase.
    tokens: Vec<String>,
}

/// What is looked for: a text matches when it has every word, or a person or place whose pseudonym has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    wanted: Vec<Wanted>,
}

impl Query {
    /// Reads a query as typed. With `open` the last word may be the beginning of one; `names` are the pseudonyms of
    /// participants and places. A query without a word matches nothing.
    pub fn parse(query: &str, open: bool, names: &BTreeMap<Token, String>) -> Self {
        let mut wanted: Vec<(Wanted, usize)> = Vec::new();
        for word in words(query) {
            let single = is_alone_term(&word.term);
            match wanted.last_mut() {
                Some((last, end))
                    if single && *end == word.start && last.phrase.iter().all(|term| is_alone_term(term)) =>
                {
                    last.phrase.push(word.term);
                    *end = word.end;
                }
                Some(_) | None => {
                    wanted.push((
                        Wanted { phrase: vec![word.term], open: false, tokens: Vec::new() },
                        word.end,
                    ));
                }
            }
        }
        wanted.truncate(QUERY_WORDS_MAX);
        let mut wanted: Vec<Wanted> = wanted.into_iter().map(|(wanted, _)| wanted).collect();
        if let Some(last) = wanted.last_mut() {
            last.open = open;
        }
        let names: Vec<(Token, Vec<String>)> = names
            .iter()
            .map(|(token, name)| (*token, words(name).into_iter().map(|word| word.term).collect()))
            .collect();
        for wanted in &mut wanted {
            let named = names.iter().filter(|(_, name)| find(name, wanted).is_some());
            wanted.tokens = named.map(|(token, _)| token_term(*token)).collect();
        }
        Self { wanted }
    }

    /// True when there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// The query for the index, or none when there is nothing to look for (FTS5 has no empty query).
    pub fn fts5(&self) -> Option<String> {
        let groups: Vec<String> = self
            .wanted
            .iter()
            .map(|wanted| {
                let star = if wanted.open { " *" } else { "" };
                let tokens = wanted.tokens.iter().map(|token| format!(" OR \"{token}\"")).collect::<String>();
                format!("(\"{}\"{star}{tokens})", wanted.phrase.join(" "))
            })
            .collect();
        (!groups.is_empty()).then(|| groups.join(" AND "))
    }

    /// Says whether a text with these [`terms`] matches, exactly as the index would.
    pub fn matches(&self, terms: &[String]) -> bool {
        let found = |wanted: &Wanted| {
            find(terms, wanted).is_some() || terms.iter().any(|term| wanted.tokens.contains(term))
        };
        !self.is_empty() && self.wanted.iter().all(found)
    }

    /// Cuts about [`SNIPPET_CHARS_MAX`] characters out of a rendered text around the first hit, or from the
    /// beginning when the hit is elsewhere; line ends become spaces.
    pub fn snippet(&self, rendered: &str) -> String {
        let words = words(rendered);
        let terms: Vec<String> = words.iter().map(|word| word.term.clone()).collect();
        let hits = self.wanted.iter().filter_map(|wanted| find(&terms, wanted));
        let hit = hits.min().and_then(|at| words.get(at)).map_or(0, |word| word.start);
        let length = rendered.chars().count();
        let wished = hit.saturating_sub(SNIPPET_CHARS_MAX / 3).min(length.saturating_sub(SNIPPET_CHARS_MAX));
        // Begin with a whole word where that does not lose the hit.
        let start = words.iter().map(|word| word.start).find(|start| *start >= wished).unwrap_or(wished);
        let start = if wished == 0 || start > hit { wished } else { start };
        let end = length.min(start + SNIPPET_CHARS_MAX);
        let cut: String = rendered.chars().skip(start).take(end - start).collect();
        let cut = cut.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("{}{cut}{}", if start > 0 { "…" } else { "" }, if end < length { "…" } else { "" })
    }
}

/// Where the phrase begins among the terms.
fn find(terms: &[String], wanted: &Wanted) -> Option<usize> {
    let (last, before) = wanted.phrase.split_last()?;
    terms.windows(wanted.phrase.len()).position(|window| {
        let Some((end, begin)) = window.split_last() else { return false };
        begin == before && if wanted.open { end.starts_with(last.as_str()) } else { end == last }
    })
}

/// Parts a text into words.
fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    // The word that is being read, if any, and how many characters it has.
    let mut open: Option<usize> = None;
    for (at, char) in text.chars().enumerate() {
        if is_invisible(char) || is_combining_mark(char) {
            continue;
        }
        fold(char, |folded| {
            if !folded.is_alphanumeric() {
                open = None;
                return;
            }
            let alone = is_alone(folded);
            match (words.last_mut(), open) {
                (Some(word), Some(chars)) if !alone => {
                    if chars < TERM_CHARS_MAX {
                        word.term.push(folded);
                    }
                    word.end = at + 1;
                    open = Some(chars + 1);
                }
                (Some(_) | None, _) => {
                    words.push(Word { term: folded.to_string(), start: at, end: at + 1 });
                    open = (!alone).then_some(1);
                }
            }
        });
    }
    words
}

/// Folds a character: NFKD, lower case, no combining marks, one sigma. Each character on its own is enough: NFKD of a
/// string differs only in the order of the marks that are dropped.
fn fold(char: char, mut take: impl FnMut(char)) {
    if char.is_ascii() {
        return take(char.to_ascii_lowercase());
    }
    let folded = std::iter::once(char).nfkd().flat_map(char::to_lowercase);
    folded
        .filter(|char| !is_combining_mark(*char))
        .for_each(|char| take(if char == 'ς' { 'σ' } else { char }));
}

/// Characters that do not part a word though nobody sees them: soft hyphen, joiners, marks of direction.
const fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Letters of scripts that write no spaces between words: each is a term. Thai, Lao, Myanmar, Khmer, kana, Han.
const fn is_alone(char: char) -> bool {
    matches!(
        char,
        '\u{e00}'..='\u{eff}'
            | '\u{1000}'..='\u{109f}'
            | '\u{1780}'..='\u{17ff}'
            | '\u{3005}'..='\u{3007}'
            | '\u{3021}'..='\u{3029}'
            | '\u{3040}'..='\u{30ff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}'
    )
}

fn is_alone_term(term: &str) -> bool {
    term.chars().all(is_alone)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::{ParticipantId, PlaceId};
    use crate::text::units;

    const SAM: Token = Token::Person(ParticipantId::from_bytes([0xa1; 16]));
    const HALL: Token = Token::Place(PlaceId::from_bytes([0xb2; 16]));

    fn names() -> BTreeMap<Token, String> {
        BTreeMap::from([(SAM, "Sam O'Neill".to_owned()), (HALL, "Old Hall".to_owned())])
    }

    fn plain(text: &str) -> Vec<String> {
        terms(&Prose::from_units(&units(text)))
    }

    #[track_caller]
    fn check(query: &str, text: &str, matches: bool) {
        let query = Query::parse(query, false, &BTreeMap::new());
        assert_eq!(query.matches(&plain(text)), matches, "{query:?} {text:?}");
    }

    #[test]
    fn words_are_folded() {
        assert_eq!(
            plain("Café CAFE\u{301} naïve ﬁve Straße Σοφός ΣΟΦΟΣ"),
            ["cafe", "cafe", "naive", "five", "straße", "σοφοσ", "σοφοσ"]
        );
        assert_eq!(plain("don't 07.08.19 x²"), ["don", "t", "07", "08", "19", "x2"]);
        assert_eq!(plain("co\u{ad}op a\u{200d}b"), ["coop", "ab"]);
    }

    #[test]
    fn scripts_without_spaces_are_found_by_their_letters_in_order() {
        assert_eq!(plain("東京へ行く"), ["東", "京", "へ", "行", "く"]);
        check("京へ", "東京へ行く", true);
        check("へ京", "東京へ行く", false);
        check("京 行", "東京へ行く", true);
        check("x東京", "x 東京", true);
    }

    #[test]
    fn hostile_text_gives_words_and_no_panic() {
        assert_eq!(plain("\0a\0b\u{fffc}c\u{fffd}"), ["a", "b", "c"]);
        assert_eq!(plain("a\u{300}\u{301}\u{302}\u{303}b"), ["ab"]);
        assert_eq!(plain("\u{300}\u{301}"), Vec::<String>::new());
        assert_eq!(plain("👩\u{200d}👩\u{200d}👧 family"), ["family"]);
        assert_eq!(plain("\u{202e}שלום\u{202c} مرحبا"), ["שלום", "مرحبا"]);
        assert_eq!(plain("\u{fdfa}").len(), 4);
        assert_eq!(plain(""), Vec::<String>::new());
    }

    #[test]
    fn a_word_counts_up_to_its_limit() {
        let word = |length: usize| "é".repeat(length);
        check(&word(TERM_CHARS_MAX), &word(TERM_CHARS_MAX - 1), false);
        check(&word(TERM_CHARS_MAX), &word(TERM_CHARS_MAX + 1), true);
        check(&word(TERM_CHARS_MAX + 9), &word(1_000_000), true);
        assert_eq!(plain(&word(1_000_000)), ["e".repeat(TERM_CHARS_MAX)]);
    }

    #[test]
    fn a_query_has_a_limit() {
        let words = |count: usize| (0..count).map(|n| format!("w{n} ")).collect::<String>();
        check(&words(QUERY_WORDS_MAX), &words(QUERY_WORDS_MAX - 1), false);
        check(&words(QUERY_WORDS_MAX + 1), &words(QUERY_WORDS_MAX), true);
    }

    #[test]
    fn the_last_word_may_go_on_when_asked() {
        let text = plain("She went to the surgery");
        for (query, open, matches) in [
            ("surg", true, true),
            ("surg", false, false),
            ("went surg", true, true),
            ("wen surgery", true, false),
        ] {
            assert_eq!(Query::parse(query, open, &BTreeMap::new()).matches(&text), matches, "{query}");
        }
    }

    #[test]
    fn a_person_is_found_by_pseudonym_and_the_text_holds_the_id() {
        let prose = Prose::from_units(&[units("met"), vec![Unit::Token(SAM)], units("at noon")].concat());
        let terms = terms(&prose);
        assert_eq!(terms, ["met", "xpa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1", "at", "noon"]);
        let query = |text: &str, open| Query::parse(text, open, &names());
        assert!(query("sam noon", false).matches(&terms));
        assert!(query("sam o'neill", false).matches(&terms));
        assert!(query("neil", true).matches(&terms));
        assert!(!query("hall", false).matches(&terms));
        assert_eq!(
            query("old s", true).fts5().as_deref(),
            Some(
                "(\"old\" OR \"xlb2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2\") AND (\"s\" * OR \"xpa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1\")"
            )
        );
    }

    #[test]
    fn a_query_without_words_matches_nothing() {
        let query = Query::parse("\" * '--", true, &names());
        assert!(query.is_empty() && query.fts5().is_none() && !query.matches(&plain("a")));
    }

    #[test]
    fn a_snippet_shows_the_first_hit() {
        let text = format!("{} the Café\nwas shut {}", "é before ".repeat(60), "after ".repeat(60));
        let query = Query::parse("cafe", false, &BTreeMap::new());
        let snippet = query.snippet(&text);
        assert!(
            snippet.starts_with("…") && snippet.ends_with('…') && snippet.contains("the Café was shut"),
            "{snippet}"
        );
        assert!(snippet.chars().count() <= SNIPPET_CHARS_MAX + 2);
        assert_eq!(query.snippet("a cafe"), "a cafe");
        assert_eq!(query.snippet(""), "");
        assert_eq!(query.snippet("nothing here"), "nothing here");
        assert!(query.snippet(&format!("cafe {}", "x".repeat(500))).starts_with("cafe x"));
    }

    fn index() -> rusqlite::Connection {
        let index = rusqlite::Connection::open_in_memory().expect("memory");
        index
            .execute_batch("CREATE VIRTUAL TABLE notes USING fts5(terms, tokenize = 'ascii')")
            .expect("fts5");
        index
    }

    fn token_or_char() -> impl Strategy<Value = Unit> {
        prop_oneof![
            8 => prop::sample::select("aàbB1é \n'\"*-東京\u{301}\u{fffc}\0ﬁ½\u{200d}".chars().collect::<Vec<_>>()).prop_map(Unit::Char),
            2 => any::<char>().prop_map(Unit::Char),
            1 => prop::sample::select(vec![Unit::Token(SAM), Unit::Token(HALL)]),
        ]
    }

    proptest! {
        #[test]
        fn the_index_and_the_text_always_agree(
            text in prop::collection::vec(token_or_char(), 0..30),
            query in "[aàbBs1é 東京o*\"\\-]{0,6}",
            open in any::<bool>(),
        ) {
            let terms = terms(&Prose::from_units(&text));
            prop_assert!(terms.iter().all(|term| term.chars().all(char::is_alphanumeric)));
            let query = Query::parse(&query, open, &names());
            let Some(fts5) = query.fts5() else { return Ok(()) };
            let index = index();
            index.execute("INSERT INTO notes VALUES (?1)", [terms.join(" ")]).expect("a row");
            let hits: i64 = index
                .query_row("SELECT count(*) FROM notes WHERE notes MATCH ?1", [&fts5], |row| row.get(0))
                .expect("a query that FTS5 reads");
            prop_assert_eq!(hits == 1, query.matches(&terms), "{}", fts5);
        }

        #[test]
        fn a_snippet_is_short_whatever_the_text(text in ".{0,400}", query in ".{0,8}") {
            let query = Query::parse(&query, true, &BTreeMap::new());
            prop_assert!(query.snippet(&text).chars().count() <= SNIPPET_CHARS_MAX + 2);
        }
    }
}
