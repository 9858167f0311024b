//! How results reach people and scripts: one struct, and two views of it.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::failure::Failure;

/// The widest that prose is set, in columns: longer lines are hard to read.
const MEASURE_MAX: usize = 80;
/// The narrowest.
const MEASURE_MIN: usize = 20;

/// A result: what serde says of it is for scripts, and this for people.
pub(crate) trait Shown: Serialize {
    /// Sets it for a person to read.
    fn set(&self, page: &mut Page);

    /// What the person ought to know besides.
    fn warnings(&self) -> &[String] {
        &[]
    }
}

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// One JSON object instead of text.
    pub(crate) json: bool,
    styled: bool,
    width: usize,
}

impl Output {
    /// Looks whether standard output is a terminal, and how wide.
    pub(crate) fn new(json: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let width = columns.or_else(|| terminal.then(terminal_width).flatten()).unwrap_or(MEASURE_MAX);
        Self { json, styled: terminal && !no_colour, width: width.clamp(MEASURE_MIN, MEASURE_MAX) }
    }

    /// Prints a result, and its warnings on standard error where they are not in the JSON.
    pub(crate) fn print(self, shown: &impl Shown) -> Result<(), Failure> {
        self.print_stream(shown).map(|_| ())
    }

    fn text(self, shown: &impl Shown) -> Result<String, Failure> {
        if self.json {
            let mut line = serde_json::to_string(shown).map_err(Failure::bug)?;
            line.push('\n');
            return Ok(line);
        }
        shown.warnings().iter().for_each(|warning| complain(&format!("warning: {warning}")));
        let mut page = Page::new(self.styled, self.width);
        shown.set(&mut page);
        Ok(page.text)
    }

    /// Prints bytes as they are.
    pub(crate) fn raw(self, bytes: &[u8]) -> Result<(), Failure> {
        self.put(bytes).map(|_| ())
    }

    /// Prints one result of a stream; false when nobody reads it any more.
    pub(crate) fn print_stream(self, shown: &impl Shown) -> Result<bool, Failure> {
        let text = self.text(shown)?;
        self.put(text.as_bytes())
    }

    fn put(self, bytes: &[u8]) -> Result<bool, Failure> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(true),
            // Nobody reads on: `thicket note list | head` is no failure.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::output(&error)),
        }
    }

    /// Whether standard output shows styles.
    pub(crate) const fn shows_styles(self) -> bool {
        self.styled
    }

    /// Prints why a command failed.
    pub(crate) fn print_failure(self, failure: &Failure) {
        #[derive(Serialize)]
        struct Wrapped<'f> {
            error: &'f Failure,
        }
        if self.json {
            let line = serde_json::to_string(&Wrapped { error: failure }).expect("two texts and a word");
            complain(&line);
        } else {
            complain(&format!("thicket: {}", failure.reason));
            match failure.hint.as_str() {
                "" => {}
                // Help and usage have a setting of their own.
                long if long.contains('\n') => complain(&format!("\n{}", long.trim_end())),
                short => complain(&format!("  {short}")),
            }
        }
    }
}

/// Writes a line to standard error; when nobody hears it, nothing can be done.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

fn terminal_width() -> Option<usize> {
    terminal_size::terminal_size().map(|(terminal_size::Width(columns), _)| usize::from(columns))
}

/// Text being set for a person.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    styled: bool,
    width: usize,
}

impl Page {
    /// An empty page.
    pub(crate) fn new(styled: bool, width: usize) -> Self {
        Self { text: String::new(), styled, width }
    }

    /// A line as it is.
    pub(crate) fn line(&mut self, line: impl Display) {
        self.text.push_str(&line.to_string());
        self.text.push('\n');
    }

    /// An empty line.
    pub(crate) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// A heading.
    pub(crate) fn head(&mut self, text: &str) {
        let bold = self.bold(text);
        self.prose(&bold, 0);
    }

    /// Paragraphs wrapped to the width, each line indented.
    pub(crate) fn prose(&mut self, text: &str, indent: usize) {
        let width = self.width.saturating_sub(indent).max(MEASURE_MIN / 2);
        for line in text.lines() {
            if line.trim().is_empty() {
                self.gap();
                continue;
            }
            for wrapped in wrap(line, width) {
                self.text.push_str(&" ".repeat(indent));
                self.line(wrapped);
            }
        }
    }

    /// A label, and beside it prose that is wrapped to the rest of the width.
    pub(crate) fn hanging(&mut self, label: &str, text: &str) {
        let indent = label.width();
        for (at, line) in
            wrap(text, self.width.saturating_sub(indent).max(MEASURE_MIN / 2)).into_iter().enumerate()
        {
            let before = if at == 0 { label.to_owned() } else { " ".repeat(indent) };
            self.line(format_args!("{before}{line}"));
        }
    }

    /// Rows in columns, as wide as their widest cell; the last column is not padded.
    pub(crate) fn table<const N: usize>(&mut self, heads: [&str; N], rows: &[[String; N]]) {
        let mut widths = heads.map(UnicodeWidthStr::width);
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let mut put = |cells: [&str; N], dim: bool| {
            let mut line = String::new();
            for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
                line.push_str(cell);
                if at + 1 < N {
                    line.push_str(&" ".repeat(width - cell.width() + 2));
                }
            }
            let line = if dim { self.dim(line.trim_end()) } else { line.trim_end().to_owned() };
            self.line(line);
        };
        put(heads, true);
        for row in rows {
            put(row.each_ref().map(String::as_str), false);
        }
    }

    /// Bold, where the terminal shows it.
    pub(crate) fn bold(&self, text: &str) -> String {
        self.styled("1", text)
    }

    /// Dim, where the terminal shows it.
    pub(crate) fn dim(&self, text: &str) -> String {
        self.styled("2", text)
    }

    /// In the colour of what is good, of what waits, or of what is held back.
    pub(crate) fn tinted(&self, tint: Tint, text: &str) -> String {
        let code = match tint {
            Tint::Good => "32",
            Tint::Waits => "33",
            Tint::Held => "31",
        };
        self.styled(code, text)
    }

    fn styled(&self, code: &str, text: &str) -> String {
        if self.styled { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// What a colour says; the words beside it say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tint {
    /// All is well.
    Good,
    /// Something is awaited.
    Waits,
    /// Something is held back.
    Held,
}

/// Breaks a line at white space so that no part is wider than `width`; a longer word stands alone.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    let mut columns = 0;
    for word in line.split_whitespace() {
        let word_columns = visible_width(word);
        if !open.is_empty() && columns + 1 + word_columns > width {
            lines.push(std::mem::take(&mut open));
            columns = 0;
        }
        if !open.is_empty() {
            open.push(' ');
            columns += 1;
        }
        open.push_str(word);
        columns += word_columns;
    }
    lines.push(open);
    lines
}

/// How wide a word stands on a terminal; the codes of our own styles take no room.
fn visible_width(word: &str) -> usize {
    let mut width = 0;
    for (at, part) in word.split('\u{1b}').enumerate() {
        let shown = if at == 0 { part } else { part.split_once('m').map_or("", |(_, shown)| shown) };
        width += shown.width();
    }
    width
}

/// Cuts a text to a number of columns, with an ellipsis where something is missing.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    for char in text.chars() {
        kept.push(char);
        if kept.width() >= columns {
            kept.pop();
            break;
        }
    }
    kept.push('…');
    kept
}

/// The first digits of an id, enough to name it by.
pub(crate) fn short(id: impl Display) -> String {
    id.to_string().chars().take(10).collect()
}

/// A time as people read it: the day, and the minute where it is known, in the zone where it was lived.
pub(crate) fn plain(at: &str) -> String {
    match at.split_once('T') {
        Some((day, time)) => format!("{day} {}", time.chars().take(5).collect::<String>()),
        None => at.replace('/', ", "),
    }
}

/// "1 note", "2 notes".
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_wrapped_to_the_width_and_paragraphs_stay_apart() {
        let mut page = Page::new(false, 20);
        page.prose("one two three four five six\n\nseven", 2);
        assert_eq!(page.text, "  one two three four\n  five six\n\n  seven\n");
    }

    #[test]
    fn a_word_wider_than_the_line_stands_alone_and_wide_letters_count_twice() {
        assert_eq!(wrap("a verylongword b", 4), ["a", "verylongword", "b"]);
        assert_eq!(wrap("日本 語", 5), ["日本", "語"]);
    }

    #[test]
    fn styles_take_no_room_and_are_left_out_where_they_are_not_wanted() {
        let styled = Page::new(true, 80);
        let bold = styled.bold("Sam");
        assert_eq!(bold, "\u{1b}[1mSam\u{1b}[0m");
        assert_eq!(visible_width(&bold), 3);
        assert_eq!(Page::new(false, 80).bold("Sam"), "Sam");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut page = Page::new(false, 80);
        page.table(["id", "name"], &[["a1".into(), "Sam".into()], ["日本".into(), String::new()]]);
        assert_eq!(page.text, "id    name\na1    Sam\n日本\n");
    }

    #[test]
    fn a_time_is_read_without_its_seconds_and_a_day_stays_a_day() {
        assert_eq!(plain("2026-11-25T15:05:06.25+01:00"), "2026-11-25 15:05");
        assert_eq!(plain("1660-01-01"), "1660-01-01");
        assert_eq!(plain("2026-11-25/morning"), "2026-11-25, morning");
    }

    #[test]
    fn a_cut_text_says_that_something_is_missing() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "long…");
        assert_eq!(cut("日本語", 4), "日…");
    }
}
