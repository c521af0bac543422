//! Checksums of the log: CRC-32C, the one the processor knows.

/// CRC-32C of the parts one after another.
pub fn crc32c_of(parts: &[&[u8]]) -> u32 {
    parts.iter().fold(0, |crc, part| crc32c::crc32c_append(crc, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_sum_to_the_whole() {
        assert_eq!(crc32c_of(&[b"1234", b"56789"]), 0xe306_9283);
    }
}
