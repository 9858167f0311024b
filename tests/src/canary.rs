//! Words that were typed and must be found nowhere: not as they were typed, and in no form that programs write text in.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// Words that are looked for in many forms at once.
#[derive(Debug)]
pub struct Canaries {
    /// The forms that begin with each two bytes, and the word that each is of.
    forms: HashMap<[u8; 2], Vec<(Vec<u8>, String)>>,
}

impl Canaries {
    /// Takes words of at least eight ASCII letters and digits: shorter forms would be met by chance.
    pub fn new(words: &[&str]) -> Self {
        let mut forms: HashMap<[u8; 2], Vec<(Vec<u8>, String)>> = HashMap::new();
        for word in words {
            assert!(word.len() >= 8 && word.chars().all(|char| char.is_ascii_alphanumeric()), "{word}");
            for form in forms_of(word) {
                let begins = [form[0], form[1]];
                forms.entry(begins).or_default().push((form, (*word).to_owned()));
            }
        }
        Self { forms }
    }

    /// The words that stand in some bytes.
    pub fn in_bytes(&self, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        for at in 0..bytes.len().saturating_sub(1) {
            let Some(forms) = self.forms.get(&[bytes[at], bytes[at + 1]]) else { continue };
            found.extend(
                forms.iter().filter(|(form, _)| bytes[at..].starts_with(form)).map(|(_, word)| word.clone()),
            );
        }
        found.sort();
        found.dedup();
        found
    }

    /// Expects that no word stands in some bytes.
    #[track_caller]
    pub fn none_in(&self, what: &str, bytes: &[u8]) {
        let found = self.in_bytes(bytes);
        assert!(found.is_empty(), "{found:?} can be read in {what}");
    }

    /// Expects that no word stands in any file below a folder, or in a file's name; says how many bytes were read.
    #[track_caller]
    pub fn none_below(&self, folder: &Path) -> usize {
        let mut read = 0;
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be read").path();
            let name = path.file_name().expect("a file has a name").as_encoded_bytes();
            self.none_in("the name of a file", name);
            if path.is_dir() {
                read += self.none_below(&path);
            } else {
                // Processes that are at work take files away.
                let Some(bytes) = fs::read(&path).ok().or_else(|| (!path.exists()).then(Vec::new)) else {
                    panic!("{} cannot be read", path.display());
                };
                self.none_in(&path.display().to_string(), &bytes);
                read += bytes.len();
            }
        }
        read
    }
}

/// How a word may stand somewhere: in either case, in UTF-8 or UTF-16, as hexadecimal digits, and in Base64 wherever in a
/// text it begins.
fn forms_of(word: &str) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for word in [word.to_owned(), word.to_lowercase(), word.to_uppercase()] {
        let bytes = word.as_bytes();
        forms.push(bytes.to_vec());
        forms.push(word.encode_utf16().flat_map(u16::to_le_bytes).collect());
        forms.push(word.encode_utf16().flat_map(u16::to_be_bytes).collect());
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        forms.push(hex.to_uppercase().into_bytes());
        forms.push(hex.into_bytes());
        for last in [b"+/", b"-_"] {
            forms.extend((0..3).map(|before| base64_of(bytes, before, last)));
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

/// The symbols of Base64 (RFC 4648, sections 4 and 5: two alphabets) that neither so many bytes before nor any bytes behind
/// have a part in.
fn base64_of(bytes: &[u8], before: usize, last: &[u8; 2]) -> Vec<u8> {
    const SYMBOLS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let symbols = [SYMBOLS, last].concat();
    let all = [&[0; 2][..before], bytes].concat();
    let bits: Vec<u8> = all.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let whole =
        bits.chunks_exact(6).map(|six| six.iter().fold(0, |value, bit| value << 1 | usize::from(*bit)));
    whole.skip((before * 8).div_ceil(6)).map(|value| symbols[value]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_in_every_form_and_wherever_it_stands() {
        let canaries = Canaries::new(&["Kettlewhistle7"]);
        let hidden = [
            "Kettlewhistle7".to_owned().into_bytes(),
            b"kettlewhistle7".to_vec(),
            b"K\0e\0t\0t\0l\0e\0w\0h\0i\0s\0t\0l\0e\x007\0".to_vec(),
            b"4b6574746c6577686973746c6537".to_vec(),
            // Base64 of "Kettlewhistle7", "xKettlewhistle7x" and "xxKettlewhistle7".
            b"S2V0dGxld2hpc3RsZTc=".to_vec(),
            b"eEtldHRsZXdoaXN0bGU3eA==".to_vec(),
            b"eHhLZXR0bGV3aGlzdGxlNw==".to_vec(),
        ];
        for form in hidden {
            for before in 0..3 {
                let bytes = [&vec![b'.'; before], form.as_slice(), b"..."].concat();
                assert_eq!(
                    canaries.in_bytes(&bytes),
                    ["Kettlewhistle7"],
                    "{}",
                    String::from_utf8_lossy(&form)
                );
            }
        }
        assert!(canaries.in_bytes(b"Kettlewhistl Kettle whistle7").is_empty());
    }
}
