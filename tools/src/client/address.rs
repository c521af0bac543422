//! The connect string: `host:port,host:port/chroot`.
//!
//! Not here: resolving names; that is done at each connecting, anew.

use std::fmt;
use std::str::FromStr;

use ringkeeper::wire::is_valid_path;
use ringkeeper_engine::quorum::Address;

/// ZooKeeper's client port, where a server is named without one.
const PORT_DEFAULT: u16 = 2181;

/// Servers and the path that takes the root's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectString {
    /// At least one.
    pub servers: Vec<Address>,
    /// Empty, or a path without a slash at its end.
    pub chroot: String,
}

/// Why a text is no connect string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectStringError {
    #[error("\"{0}\" is no server: write host or host:port, an IPv6 address in brackets")]
    Server(String),
    #[error("\"{0}\" is no path to take for the root")]
    Chroot(String),
}

impl FromStr for ConnectString {
    type Err = ConnectStringError;

    fn from_str(text: &str) -> Result<Self, ConnectStringError> {
        let (servers, chroot) = match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let chroot = if chroot == "/" { "" } else { chroot };
        if !chroot.is_empty() && !is_valid_path(chroot) {
            return Err(ConnectStringError::Chroot(chroot.to_owned()));
        }
        let servers = servers.split(',').map(str::trim).map(server).collect::<Result<_, _>>()?;
        Ok(Self { servers, chroot: chroot.to_owned() })
    }
}

fn server(text: &str) -> Result<Address, ConnectStringError> {
    let with_port = || Address::parse(&format!("{text}:{PORT_DEFAULT}"));
    Address::parse(text)
        .or_else(|_| with_port())
        .map_err(|_| ConnectStringError::Server(text.to_owned()))
}

impl fmt::Display for ConnectString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<String> = self.servers.iter().map(ToString::to_string).collect();
        write!(f, "{}{}", servers.join(","), self.chroot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_chroot_are_told_apart() {
        let check = |text: &str, expected: &str| {
            let parsed: ConnectString = text.parse().expect(text);
            assert_eq!(parsed.to_string(), expected);
        };
        check("localhost", "localhost:2181");
        check("a:1,b,[::1]:3/app/one", "a:1,b:2181,[::1]:3/app/one");
        check("a:1/", "a:1");
    }

    #[test]
    fn what_is_no_connect_string_is_refused() {
        let refused = |text: &str| assert!(text.parse::<ConnectString>().is_err(), "{text}");
        refused("");
        refused("a:1,,b:1");
        refused("a:port");
        refused("a:1//app");
        refused("a:1/app/");
    }
}
