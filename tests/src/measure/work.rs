//! The workload: notes with edits, a line of JSON each, read from a file or made from a seed.

use std::fmt::Write;
use std::io::{self, BufRead};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::sim::Dice;

/// One note of the workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Its place in the order.
    pub i: u64,
    /// Its name in the workload.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its text before the edits; ASCII.
    pub body: String,
    /// The edits, one save each: position, characters deleted, text inserted.
    pub edits: Vec<(usize, usize, String)>,
}

impl Work {
    /// The text after the edits.
    pub fn edited(&self) -> String {
        let mut body = self.body.clone();
        for (at, deleted, inserted) in &self.edits {
            body.replace_range(*at..*at + *deleted, inserted);
        }
        body
    }
}

/// Reads the first `n` lines of a workload.
pub fn read(path: &Path, n: usize) -> io::Result<Vec<Work>> {
    let lines = io::BufReader::new(std::fs::File::open(path)?).lines().take(n);
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

/// Words of field notes; the frequencies are Zipf's, so that the texts deflate as prose does.
const WORDS: &str = "the and of to a in she he was it that her they for with on had at as his said we not but be this \
    have there which from when were what their one so about all up out would if then no some them me who could into \
    time been like just more over home door kitchen tea chair table window garden street surgery nurse doctor \
    receptionist waiting room letter form benefit rent bill heating cold cough knee walking stick bus taxi driver \
    neighbour daughter son husband wife sister cat dog photograph radio television quiet loud laughed cried nodded \
    shrugged pointed asked answered explained remembered forgot promised refused agreed wondered worried tired \
    better worse morning afternoon evening yesterday tomorrow Monday Tuesday Wednesday Thursday Friday week month \
    appointment referral group lunch club choir allotment library church hall volunteer coffee biscuit bread milk \
    shopping list pharmacy tablets blood pressure diabetes sleep pain hope money debt pension housing damp mould \
    repair landlord council phone call message visit notes writing hand slowly carefully again always never \
    sometimes perhaps because although while until before after between behind under near far small large old new";

/// Makes the first `n` notes of a workload from a seed: about 590 words each, three edits.
pub fn make(seed: u64, n: usize) -> Vec<Work> {
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    (0..n)
        .map(|i| {
            let at = u64::try_from(i).expect("a count fits");
            let mut dice = Dice::new(seed ^ (at.wrapping_mul(0x9e37_79b9)));
            let length = 470 + dice.below(240);
            let body = prose(&mut dice, &words, length);
            let mut now = body.clone();
            let edits = (0..3).map(|_| edit(&mut dice, &words, &mut now)).collect();
            let title = format!("Visit {i}: {}", prose(&mut dice, &words, 4).replace('\n', ""));
            Work { i: at, id: format!("note-{i:06}"), title, body, edits }
        })
        .collect()
}

fn prose(dice: &mut Dice, words: &[&str], length: usize) -> String {
    let mut text = String::new();
    for at in 0..length {
        // A product of two rolls falls off about as the frequencies of words do.
        let word = words[dice.below(words.len()) * dice.below(words.len()) / words.len()];
        let end = if at + 1 == length || dice.percent(8) { ". " } else { " " };
        write!(text, "{word}{end}").expect("writing to memory cannot fail");
        if end == ". " && dice.percent(12) {
            text.push('\n');
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn edit(dice: &mut Dice, words: &[&str], now: &mut String) -> (usize, usize, String) {
    let (at, inserted) = (dice.below(now.len()), prose(dice, words, 3));
    let deleted = dice.below(20).min(now.len() - at);
    now.replace_range(at..at + deleted, &inserted);
    (at, deleted, inserted)
}
