//! Randomness from the kernel, for ids, incarnations and passwords. Everywhere else entropy is an
//! argument (AI-1).

use rustix::rand::{GetRandomFlags, getrandom};

/// Fills `into` with bytes that nobody can predict.
///
/// # Panics
/// If the kernel has no entropy to give, which it only lacks in the first second of a machine's
/// life: then this waits.
pub fn fill(into: &mut [u8]) {
    let mut filled = 0;
    while filled < into.len() {
        match getrandom(&mut into[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => panic!("the kernel gives no randomness: {errno}"),
        }
    }
}

/// One unpredictable number.
pub fn random_u64() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        assert_ne!(random_u64(), random_u64());
        let mut bytes = [0; 1000];
        fill(&mut bytes);
        assert!(bytes[992..] != [0; 8], "the end is filled too");
    }
}
