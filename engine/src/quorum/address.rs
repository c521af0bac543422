//! A host and a port, as text.
//!
//! The host stays what the operator wrote. Resolving it is the world's work, at each dial anew.

use std::fmt;

use crate::limits::HOST_BYTES_MAX;

/// Where a server listens. The host carries no brackets; `Display` adds them where it needs them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    pub host: String,
    pub port: u16,
}

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("the host is empty, too long, or holds a character that no host has")]
    Host,
    #[error("the brackets of an IPv6 address are not in pairs around it")]
    Brackets,
    #[error("the port is missing or no number from 0 to 65535")]
    Port,
    #[error("there is more after the port")]
    Trailing,
}

impl Address {
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port }
    }

    /// `host:port`, `[v6]:port`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (host, rest) = split_host(text)?;
        match rest {
            Some(port) if port.contains(':') => Err(AddressError::Trailing),
            Some(port) => Ok(Self::new(host, parse_port(port)?)),
            None => Err(AddressError::Port),
        }
    }

    /// An address to bind to, which nobody can dial.
    pub fn is_wildcard(&self) -> bool {
        self.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_unspecified())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Host(&self.host), self.port)
    }
}

/// A host as it stands before a colon.
pub(super) struct Host<'a>(pub(super) &'a str);

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') { write!(f, "[{}]", self.0) } else { f.write_str(self.0) }
    }
}

/// The host without its brackets, and what stands after the colon that ends it.
pub(super) fn split_host(text: &str) -> Result<(&str, Option<&str>), AddressError> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(inner) => {
            let (host, rest) = inner.split_once(']').ok_or(AddressError::Brackets)?;
            match rest.strip_prefix(':') {
                Some(rest) => (host, Some(rest)),
                None if rest.is_empty() => (host, None),
                None => return Err(AddressError::Brackets),
            }
        }
        None => match text.split_once(':') {
            Some((host, rest)) => (host, Some(rest)),
            None => (text, None),
        },
    };
    let is_good = |byte: u8| byte.is_ascii_graphic() && !b"[]|;=,/".contains(&byte);
    if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.bytes().all(is_good) {
        return Err(AddressError::Host);
    }
    Ok((host, rest))
}

pub(super) fn parse_port(text: &str) -> Result<u16, AddressError> {
    text.parse().map_err(|_| AddressError::Port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_it_is_written() {
        for text in ["zk1.example.org:3888", "10.0.0.1:0", "[2001:db8::1]:3888", "[::]:65535"] {
            assert_eq!(Address::parse(text).map(|a| a.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(Address::parse("[::1]:2181"), Ok(Address::new("::1", 2181)));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let check = |text: &str, error| assert_eq!(Address::parse(text), Err(error), "{text}");
        check("", AddressError::Host);
        check(":1", AddressError::Host);
        check("a b:1", AddressError::Host);
        check("a\n:1", AddressError::Host);
        check(&format!("{}:1", "a".repeat(HOST_BYTES_MAX + 1)), AddressError::Host);
        check("host", AddressError::Port);
        check("host:", AddressError::Port);
        check("host:65536", AddressError::Port);
        check("host:-1", AddressError::Port);
        check("::1:2888", AddressError::Host);
        check("host:1:2", AddressError::Trailing);
        check("[::1", AddressError::Brackets);
        check("[::1]2888", AddressError::Brackets);
        check("[]:1", AddressError::Host);
    }

    #[test]
    fn a_wildcard_is_known_in_both_families() {
        assert!(Address::new("0.0.0.0", 1).is_wildcard());
        assert!(Address::new("::", 1).is_wildcard());
        assert!(!Address::new("127.0.0.1", 1).is_wildcard());
        assert!(!Address::new("localhost", 1).is_wildcard());
    }
}
