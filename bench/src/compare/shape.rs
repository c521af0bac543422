//! What is compared: a mix over so many connections with so many requests on their way.
//!
//! Written `mix:CONNECTIONSxOUTSTANDING`, with `:BYTES` where it is not 100 bytes, `/ZNODES` where
//! so many are made beforehand, and `@RATE` where it is an open loop of so many requests a second.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use clap::ValueEnum as _;

use crate::load::{LoadOptions, Mix};

const BYTES_DEFAULT: usize = 100;

/// One line of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub mix: Mix,
    pub connections: usize,
    pub outstanding: usize,
    pub bytes: usize,
    /// Made before the load, which goes to them at random.
    pub znodes: u64,
    /// Requests a second of an open loop.
    pub rate: Option<u32>,
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("\"{text}\" is no MIX:CONNECTIONSxOUTSTANDING[:BYTES][/ZNODES][@RATE]");
        let (closed, rate) = match text.split_once('@') {
            Some((closed, rate)) => (closed, Some(rate.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let (closed, znodes) = match closed.split_once('/') {
            Some((closed, znodes)) => (closed, znodes.parse().map_err(|_| wrong())?),
            None => (closed, 0),
        };
        let mut parts = closed.split(':');
        let mix = parts.next().and_then(|mix| Mix::from_str(mix, false).ok()).ok_or_else(wrong)?;
        let (connections, outstanding) =
            parts.next().and_then(|size| size.split_once('x')).ok_or_else(wrong)?;
        let number = |text: &str| text.parse().ok().filter(|n| *n > 0_usize).ok_or_else(wrong);
        let bytes = parts.next().map(|bytes| bytes.parse().map_err(|_| wrong()));
        let bytes = bytes.unwrap_or(Ok(BYTES_DEFAULT))?;
        if parts.next().is_some() || rate == Some(0) {
            return Err(wrong());
        }
        let (connections, outstanding) = (number(connections)?, number(outstanding)?);
        Ok(Self { mix, connections, outstanding, bytes, znodes, rate })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mix, connections, outstanding, bytes, znodes, rate } = self;
        write!(f, "{}:{connections}x{outstanding}", mix.name())?;
        if *bytes != BYTES_DEFAULT {
            write!(f, ":{bytes}")?;
        }
        if *znodes > 0 {
            write!(f, "/{znodes}")?;
        }
        rate.map_or(Ok(()), |rate| write!(f, "@{rate}"))
    }
}

impl Shape {
    /// The load on these servers, from one thread.
    pub(crate) fn load(&self, servers: Vec<SocketAddr>, seconds: u64, warmup: u64) -> LoadOptions {
        let Self { mix, connections, outstanding, bytes, znodes, rate } = *self;
        LoadOptions {
            servers,
            mix,
            connections,
            outstanding,
            bytes,
            znodes,
            seconds,
            warmup,
            rate,
            threads: 1,
            io: None,
        }
    }

    /// In words, for tables.
    pub fn describe(&self) -> String {
        let Self { mix, connections, outstanding, bytes, rate, .. } = self;
        let what = mix.describe();
        match rate {
            Some(rate) => {
                format!("{what} {bytes} B, {connections} connections, open loop {rate}/s")
            }
            None => format!("{what} {bytes} B, {connections} x {outstanding}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_written_as_it_is_read() {
        for text in [
            "set:30x100",
            "create-delete:1x1",
            "get:5000x2:1024/70",
            "set:1x1:0",
            "set:30x100@5000",
        ] {
            assert_eq!(text.parse::<Shape>().unwrap().to_string(), text);
        }
        for text in ["set", "sett:1x1", "set:0x1", "set:1x1:1:1", "set:1", "set:1x1@0", "set:1x1@x"]
        {
            assert!(text.parse::<Shape>().is_err(), "{text}");
        }
    }
}
