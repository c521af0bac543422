//! The options of one command, wherever they stand among its words.
//!
//! Not here: which command has which (`usage`).

use std::collections::BTreeMap;

/// The words of a command, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    flags: BTreeMap<char, Option<String>>,
    /// Without the command's own name.
    pub(super) operands: Vec<String>,
}

impl Options {
    /// `allowed` lists letters; one that a colon follows takes a value, as in getopt.
    pub(super) fn parse(words: &[String], allowed: &str) -> Result<Self, String> {
        let mut options = Self { flags: BTreeMap::new(), operands: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let letters = word.strip_prefix('-').filter(|rest| is_option(rest, allowed));
            let Some(letters) = letters else {
                if word.len() > 1 && word.starts_with('-') && word[1..].parse::<f64>().is_err() {
                    return Err(format!("Unrecognized option: {word}"));
                }
                options.operands.push(word.clone());
                continue;
            };
            for letter in letters.chars() {
                let value = if takes_value(letter, allowed) {
                    let missing = || format!("Missing argument for option: {letter}");
                    Some(words.next().ok_or_else(missing)?.clone())
                } else {
                    None
                };
                options.flags.insert(letter, value);
            }
        }
        Ok(options)
    }

    pub(super) fn has(&self, letter: char) -> bool {
        self.flags.contains_key(&letter)
    }

    /// The value of an option that takes one, `default` where it was not given.
    pub(super) fn number<T: std::str::FromStr>(
        &self,
        letter: char,
        default: T,
    ) -> Result<T, String> {
        let Some(text) = self.flags.get(&letter).and_then(Option::as_ref) else {
            return Ok(default);
        };
        text.parse().map_err(|_| format!("-{letter}: \"{text}\" is not a number in bounds"))
    }

    pub(super) fn text(&self, letter: char) -> Option<&str> {
        self.flags.get(&letter).and_then(Option::as_deref)
    }
}

/// Whether all letters are options, so that `-sw` is two and `-1` is none.
fn is_option(letters: &str, allowed: &str) -> bool {
    let known = |letter: char| letter != ':' && allowed.contains(letter);
    !letters.is_empty() && letters.chars().all(known)
}

fn takes_value(letter: char, allowed: &str) -> bool {
    allowed.split_once(letter).is_some_and(|(_, after)| after.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str, allowed: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words, allowed)
    }

    #[test]
    fn options_may_stand_anywhere_and_together() {
        let options = parse("/a -sw -v 7 data", "swv:").expect("good");
        assert!(options.has('s') && options.has('w'));
        assert_eq!(options.number('v', -1), Ok(7));
        assert_eq!(options.operands, ["/a", "data"]);
        assert_eq!(parse("/a", "v:").expect("good").number('v', -1), Ok(-1));
    }

    #[test]
    fn what_is_no_option_is_said_and_a_negative_number_is_an_operand() {
        let error = |line: &str| parse(line, "sv:").expect_err(line);
        assert_eq!(error("-x /a"), "Unrecognized option: -x");
        assert_eq!(error("/a -v"), "Missing argument for option: v");
        assert_eq!(parse("/a -1", "sv:").expect("good").operands, ["/a", "-1"]);
        assert_eq!(parse("/a -", "s").expect("good").operands, ["/a", "-"]);
        assert!(parse("/a -v many", "v:").expect("good").number('v', -1).is_err());
    }
}
