//! The digest of a znode whose data stayed: worked out of the one it had.
//!
//! A digest is a CRC-32 of path, data and stat, in this order, and a CRC is linear: two messages of
//! one length differ in their checksums by what the bytes in which they differ make of it, each for
//! itself and by its distance from the end. Where a child comes or goes, only its parent's pzxid and
//! cversion differ, of a new list only the aversion; neither path nor data are looked at again.
//!
//! Perf: every create and delete changes a parent, so this is half of their digests.
//!
//! Not here: the whole digest of a znode, and the tree's (`digest`).

use super::is_local;
use crate::tree::StatBesideData;

/// The digest that a znode has after its stat changed so, and before.
pub fn changed(path: &str, digest: u32, before: StatBesideData, after: StatBesideData) -> u32 {
    if is_local(path) {
        return digest;
    }
    let pzxid = (before.pzxid ^ after.pzxid).to_be_bytes();
    let cversion = (before.cversion ^ after.cversion).to_be_bytes();
    let aversion = (before.aversion ^ after.aversion).to_be_bytes();
    let bytes = pzxid.iter().chain(&cversion).chain(&aversion);
    bytes.zip(&EFFECTS).fold(digest, |digest, (byte, effects)| digest ^ effects[*byte as usize])
}

/// How many bytes of the message follow each of those: in the digest's order a stat is czxid, mzxid,
/// pzxid, ctime and mtime, 8 bytes each, version, cversion and aversion, 4 each, and the owner's 8.
const FOLLOWED_BY: [usize; 16] = [43, 42, 41, 40, 39, 38, 37, 36, 15, 14, 13, 12, 11, 10, 9, 8];

/// What a byte makes of the checksum at each of these places.
static EFFECTS: [[u32; 256]; 16] = {
    let mut effects = [[0; 256]; 16];
    let mut at = 0;
    while at < 16 {
        let mut byte = 0;
        while byte < 256 {
            let mut state = after_byte(byte as u32);
            let mut left = FOLLOWED_BY[at];
            while left > 0 {
                state = after_byte(state & 0xff) ^ state >> 8;
                left -= 1;
            }
            effects[at][byte] = state;
            byte += 1;
        }
        at += 1;
    }
    effects
};

/// CRC-32 of zlib and Ethernet, reflected.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// The state that a byte leaves behind which nothing went before.
const fn after_byte(byte: u32) -> u32 {
    let mut state = byte;
    let mut bit = 0;
    while bit < 8 {
        state = if state & 1 == 1 { state >> 1 ^ POLYNOMIAL } else { state >> 1 };
        bit += 1;
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::of_znode;
    use crate::tree::StatPersisted;

    #[test]
    fn it_is_what_path_data_and_stat_make() {
        let mut draw = 1_u64;
        let mut next = || {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (draw >> 1) as i64 >> (draw % 50)
        };
        for round in 0..2_000_usize {
            let before = StatPersisted {
                czxid: next(),
                mzxid: next(),
                ctime: next(),
                mtime: next(),
                version: next() as i32,
                cversion: next() as i32,
                aversion: next() as i32,
                owner: next(),
                pzxid: next(),
            };
            let mut after = before;
            for field in 0..3 {
                match field {
                    0 if round & 1 > 0 => after.pzxid = next(),
                    1 if round & 2 > 0 => after.cversion = next() as i32,
                    2 if round & 4 > 0 => after.aversion = next() as i32,
                    _ => {}
                }
            }
            let data = vec![round as u8; round % 300];
            for path in ["", "/a", "/a/0000000017", "/zookeeper/quota"] {
                let was = of_znode(path, Some(&data), &before);
                let is = of_znode(path, Some(&data), &after);
                assert_eq!(changed(path, was, before.beside_data(), after.beside_data()), is);
            }
        }
    }
}
