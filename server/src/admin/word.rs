//! The four-letter words, and which of them are allowed.
//!
//! Not here: what they answer (`answer`).

/// A command that is the first four bytes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    Conf,
    Cons,
    Crst,
    Dirs,
    Dump,
    Envi,
    Gtmk,
    Hash,
    Isro,
    Mntr,
    /// Of our own, and one letter longer than the others.
    Proof,
    Ruok,
    Srst,
    Srvr,
    Stat,
    Stmk,
    Wchc,
    Wchp,
    Wchs,
    /// What a telnet client sends when it is told to close. Answered with nothing.
    TelnetClose,
}

const TELNET_CLOSE: [u8; 4] = [0xff, 0xf4, 0xff, 0xfd];

const WORDS: [(Word, &str); 20] = [
    (Word::Conf, "conf"),
    (Word::Cons, "cons"),
    (Word::Crst, "crst"),
    (Word::Dirs, "dirs"),
    (Word::Dump, "dump"),
    (Word::Envi, "envi"),
    (Word::Gtmk, "gtmk"),
    (Word::Hash, "hash"),
    (Word::Isro, "isro"),
    (Word::Mntr, "mntr"),
    (Word::Proof, "proof"),
    (Word::Ruok, "ruok"),
    (Word::Srst, "srst"),
    (Word::Srvr, "srvr"),
    (Word::Stat, "stat"),
    (Word::Stmk, "stmk"),
    (Word::Wchc, "wchc"),
    (Word::Wchp, "wchp"),
    (Word::Wchs, "wchs"),
    (Word::TelnetClose, "telnet close"),
];

impl Word {
    pub fn of(bytes: [u8; 4]) -> Option<Self> {
        if bytes == TELNET_CLOSE {
            return Some(Self::TelnetClose);
        }
        if bytes == *b"proo" {
            return Some(Self::Proof);
        }
        WORDS.iter().find(|(_, name)| name.as_bytes() == bytes).map(|&(word, _)| word)
    }

    pub fn name(self) -> &'static str {
        let (_, name) = WORDS.iter().find(|&&(word, _)| word == self).expect("WORDS has them all");
        name
    }

    /// Bytes that follow the first four and belong to the word: the new mask of `stmk`, the last
    /// letter of `proof`.
    pub fn argument_bytes(self) -> usize {
        match self {
            Self::Stmk => 8,
            Self::Proof => 1,
            _ => 0,
        }
    }

    /// Whether it is answered while the server serves nobody.
    pub(super) fn needs_no_service(self) -> bool {
        use Word::{Envi, Gtmk, Isro, Proof, Ruok, Stmk, TelnetClose};
        matches!(self, Ruok | Proof | Envi | Gtmk | Stmk | Isro | TelnetClose)
    }
}

/// The words that are executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whitelist(Vec<Word>);

impl Whitelist {
    /// From the entries of `4lw.commands.whitelist`; `*` stands for all.
    ///
    /// Compat: `srvr` is always among them, because `zkServer.sh status` asks it
    /// (`FourLetterCommands.isEnabled`, 3.9.5).
    pub fn new<'a>(entries: impl IntoIterator<Item = &'a str>) -> Self {
        let mut words = vec![Word::Srvr];
        for entry in entries {
            let allowed = |name: &str| entry == "*" || entry == name;
            words.extend(WORDS.iter().filter(|(_, name)| allowed(name)).map(|&(word, _)| word));
        }
        words.sort_unstable();
        words.dedup();
        Self(words)
    }

    pub fn allows(&self, word: Word) -> bool {
        self.0.contains(&word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_by_its_four_bytes_and_no_other() {
        for (word, name) in WORDS {
            match name.as_bytes().try_into() {
                Ok(bytes) => assert_eq!(Word::of(bytes), Some(word)),
                Err(_) if word == Word::TelnetClose => {
                    assert_eq!(Word::of(TELNET_CLOSE), Some(word));
                }
                Err(_) => {
                    let head = name.as_bytes().first_chunk().expect("four letters");
                    assert_eq!(Word::of(*head), Some(word));
                    assert_eq!(word.argument_bytes(), name.len() - head.len());
                }
            }
        }
        assert_eq!(Word::of(*b"lead"), None, "the HTTP admin server's alone");
        assert_eq!(Word::of(*b"RUOK"), None);
    }

    #[test]
    fn srvr_is_always_allowed_and_a_star_allows_all() {
        let none = Whitelist::new([]);
        assert!(none.allows(Word::Srvr) && !none.allows(Word::Ruok));
        let some = Whitelist::new(["mntr", "nonsense"]);
        assert!(some.allows(Word::Mntr) && some.allows(Word::Srvr) && !some.allows(Word::Stat));
        let all = Whitelist::new(["mntr", "*"]);
        assert!(WORDS.iter().all(|&(word, _)| all.allows(word)));
    }
}
