//! ACLs as zkCli writes them: `scheme:id:perms`, with commas between.
//!
//! Not here: what they allow.

use ringkeeper::wire::{Acl, perms};

/// In the order `getAcl` prints them.
const LETTERS: [(char, i32); 5] = [
    ('c', perms::CREATE),
    ('d', perms::DELETE),
    ('r', perms::READ),
    ('w', perms::WRITE),
    ('a', perms::ADMIN),
];

/// `world:anyone:cdrwa`.
pub(super) fn open() -> Vec<Acl> {
    vec![Acl::new(perms::ALL, "world", "anyone")]
}

/// Reads a list. The id may hold colons (`digest:user:hash:rw`).
///
/// zkCli skips what it cannot read and goes on, which leaves a znode more open than was meant; here
/// nothing is done instead.
pub(super) fn parse(text: &str) -> Result<Vec<Acl>, String> {
    text.split(',').map(parse_one).collect()
}

fn parse_one(text: &str) -> Result<Acl, String> {
    let form = || format!("{text} does not have the form scheme:id:perm");
    let (scheme, rest) = text.split_once(':').ok_or_else(form)?;
    let (id, letters) = rest.rsplit_once(':').ok_or_else(form)?;
    let mut bits = 0;
    for letter in letters.chars() {
        let known = LETTERS.iter().find(|(known, _)| *known == letter);
        bits |= known.ok_or_else(|| format!("Unknown perm type: {letter}"))?.1;
    }
    Ok(Acl::new(bits, scheme, id))
}

/// `cdrwa`, without what is not allowed.
pub(super) fn letters(bits: i32) -> String {
    LETTERS.iter().filter(|(_, bit)| bits & bit != 0).map(|(letter, _)| letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acls_are_read_and_written() {
        let acls = parse("world:anyone:r,digest:user:ha=sh:cdrwa").expect("good");
        assert_eq!(acls[0], Acl::new(1, "world", "anyone"));
        assert_eq!(acls[1], Acl::new(31, "digest", "user:ha=sh"));
        assert_eq!(letters(31), "cdrwa");
        assert_eq!(letters(perms::WRITE | perms::READ), "rw");
    }

    #[test]
    fn a_bad_entry_spoils_the_list() {
        let error = |text: &str| parse(text).expect_err(text);
        assert_eq!(error("world:r"), "world:r does not have the form scheme:id:perm");
        assert_eq!(error("world:anyone:rx"), "Unknown perm type: x");
        assert!(parse("world:anyone:r,").is_err());
    }
}
