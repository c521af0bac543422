//! A line taken apart into words, with quotes kept together.
//!
//! Compat: a quote begins a quoted word only at a word's head, and within one there is no escape
//! (`ZooKeeperMain.MyCommandOptions.ARGS_PATTERN`, 3.9.5).
//!
//! Not here: what the words mean.

pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(head) = rest.chars().next() {
        let quoted = matches!(head, '"' | '\'').then(|| rest[1..].find(head)).flatten();
        let (word, after) = match quoted {
            Some(end) => (&rest[1..=end], &rest[end + 2..]),
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_words_together() {
        let check = |line: &str, expected: &[&str]| assert_eq!(words(line), expected, "{line}");
        check("  create /a  \"one two\" ", &["create", "/a", "one two"]);
        check("set /a 'it \"is\"'", &["set", "/a", "it \"is\""]);
        check("set /a \"\"", &["set", "/a", ""]);
        check("set /a it's", &["set", "/a", "it's"]);
        check("set /a \"open", &["set", "/a", "\"open"]);
        check("set /é 'ü'", &["set", "/é", "ü"]);
        check("   ", &[]);
    }
}
