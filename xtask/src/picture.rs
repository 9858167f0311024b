//! The picture of the demonstration: what `thicket demo` prints, set as an SVG.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use crate::machine;

/// Where the picture lies, from the repository's root.
const PICTURE: &str = "docs/demo.svg";
const CHAR_WIDTH: f32 = 7.8;
const LINE_HEIGHT: usize = 19;
const MARGIN: usize = 24;
const BAR: usize = 34;

/// A run of characters of one look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Run {
    text: String,
    look: Look,
}

/// How characters look, as far as a terminal's codes (ECMA-48, SGR) say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Look {
    bold: bool,
    dim: bool,
    colour: Option<u8>,
}

/// Runs the demonstration and writes the picture.
pub(crate) fn draw() -> ExitCode {
    let no_vendor = match machine::can_build() {
        Ok(no_vendor) => no_vendor,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            return ExitCode::FAILURE;
        }
    };
    let mut cargo = machine::cargo(&["run", "--release", "--quiet", "-p", "thicket-cli", "--", "demo"]);
    if no_vendor {
        cargo.env("OPENSSL_NO_VENDOR", "1");
    }
    cargo.env("COLUMNS", "100").env("CLICOLOR_FORCE", "1").stderr(Stdio::inherit());
    match told(&mut cargo).and_then(|text| write(&text)) {
        Ok(()) => {
            eprintln!("xtask: drawn to {PICTURE}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn told(cargo: &mut Command) -> Result<String, String> {
    let output = cargo.output().map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        return Err("the demonstration failed".to_owned());
    }
    String::from_utf8(output.stdout).map_err(|_| "the demonstration printed what is no text".to_owned())
}

fn write(text: &str) -> Result<(), String> {
    let house = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository");
    fs::write(house.join(PICTURE), svg(text)).map_err(|error| format!("cannot write {PICTURE}: {error}"))
}

/// Sets lines of a terminal as a picture that reads on light and dark pages.
fn svg(text: &str) -> String {
    let lines: Vec<Vec<Run>> = text.trim_end().lines().map(runs).collect();
    let chars =
        lines.iter().map(|line| line.iter().map(|run| run.text.chars().count()).sum()).max().unwrap_or(0);
    let width = 2 * MARGIN + scaled(chars);
    let height = BAR + 2 * MARGIN + lines.len() * LINE_HEIGHT;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"thicket demo\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"10\" fill=\"#16211b\"/>\n\
         <circle cx=\"22\" cy=\"19\" r=\"6\" fill=\"#e0685c\"/><circle cx=\"42\" cy=\"19\" r=\"6\" fill=\"#e2b64d\"/><circle cx=\"62\" cy=\"19\" r=\"6\" fill=\"#6fb56b\"/>\n\
         <g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"13\" fill=\"#dfe8df\" xml:space=\"preserve\">\n"
    );
    for (at, line) in lines.iter().enumerate() {
        let (mut x, y) = (0, BAR + MARGIN + at * LINE_HEIGHT + LINE_HEIGHT / 2);
        for run in line {
            let length = run.text.chars().count();
            if !run.text.trim().is_empty() {
                writeln!(
                    svg,
                    "<text x=\"{}\" y=\"{y}\" textLength=\"{}\"{}>{}</text>",
                    MARGIN + scaled(x),
                    scaled(length),
                    attributes(run.look),
                    escaped(&run.text)
                )
                .expect("writing to memory cannot fail");
            }
            x += length;
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a screen is narrow"
)]
fn scaled(chars: usize) -> usize {
    (chars as f32 * CHAR_WIDTH).round() as usize
}

fn attributes(look: Look) -> String {
    const COLOURS: [&str; 8] =
        ["#8fa196", "#ef8d80", "#9fd49a", "#ecca75", "#9cc4ee", "#d3a9e0", "#93d3cf", "#ffffff"];
    let mut attributes = String::new();
    if let Some(colour) = look.colour.and_then(|colour| COLOURS.get(usize::from(colour))) {
        attributes.push_str(&format!(" fill=\"{colour}\""));
    }
    if look.bold {
        attributes.push_str(" font-weight=\"bold\"");
    }
    if look.dim {
        attributes.push_str(" opacity=\"0.65\"");
    }
    attributes
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Takes a line apart at its escape sequences.
fn runs(line: &str) -> Vec<Run> {
    let mut runs = vec![Run::default()];
    let mut rest = line;
    while let Some((before, sequence)) = rest.split_once("\u{1b}[") {
        push(&mut runs, before);
        let end = sequence.find(|char: char| char.is_ascii_alphabetic()).unwrap_or(0);
        let (codes, behind) = sequence.split_at(end);
        let mut look = runs.last().map(|run| run.look).unwrap_or_default();
        if behind.starts_with('m') {
            codes.split(';').for_each(|code| look.change(code));
        }
        runs.push(Run { text: String::new(), look });
        rest = behind.get(1..).unwrap_or_default();
    }
    push(&mut runs, rest);
    runs.retain(|run| !run.text.is_empty());
    runs
}

fn push(runs: &mut [Run], text: &str) {
    if let Some(run) = runs.last_mut() {
        run.text.push_str(text);
    }
}

impl Look {
    fn change(&mut self, code: &str) {
        match code.parse::<u8>() {
            Ok(1) => self.bold = true,
            Ok(2) => self.dim = true,
            Ok(22) => (self.bold, self.dim) = (false, false),
            Ok(39) => self.colour = None,
            Ok(code @ 30..=37) => self.colour = Some(code - 30),
            Ok(code @ 90..=97) => self.colour = Some(code - 90),
            Ok(0) | Err(_) => *self = Self::default(),
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_begin_and_end_where_the_terminal_says() {
        let run = |text: &str, look| Run { text: text.to_owned(), look };
        let bold = Look { bold: true, ..Look::default() };
        assert_eq!(
            runs("a \u{1b}[1mb\u{1b}[0m \u{1b}[32mc\u{1b}[39md"),
            [
                run("a ", Look::default()),
                run("b", bold),
                run(" ", Look::default()),
                run("c", Look { colour: Some(2), ..Look::default() }),
                run("d", Look::default()),
            ]
        );
    }

    #[test]
    fn text_stays_text_in_the_picture() {
        let drawn = svg("1 < 2 & 3 > 2\n");
        assert!(drawn.contains("1 &lt; 2 &amp; 3 &gt; 2"), "{drawn}");
        assert_eq!(drawn.matches("<text").count(), 1);
    }
}
