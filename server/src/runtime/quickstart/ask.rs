//! Four-letter words from outside: one connection, four bytes, text until the end.
//!
//! Not here: what they answer (`crate::admin`).

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(2);

/// An answer is read no further; nothing asked here is near that long.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

pub(super) fn ask(address: SocketAddr, word: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect_timeout(&address, TIMEOUT)?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    connection.set_write_timeout(Some(TIMEOUT))?;
    connection.write_all(word.as_bytes())?;
    let mut answer = String::new();
    connection.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

/// How a server serves, `None` while it does not.
pub(super) fn mode(address: SocketAddr) -> Option<String> {
    mode_of(&ask(address, "srvr").ok()?)
}

fn mode_of(srvr: &str) -> Option<String> {
    srvr.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_stands_in_srvr_and_not_while_nobody_is_served() {
        assert_eq!(mode_of("Zxid: 0x1\nMode: follower\n").as_deref(), Some("follower"));
        assert_eq!(mode_of("This ZooKeeper instance is not currently serving requests\n"), None);
    }
}
