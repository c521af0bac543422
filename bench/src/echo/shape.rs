//! How much is asked at once, written `CONNECTIONSxOUTSTANDING`.

use std::fmt;
use std::str::FromStr;

/// Connections, and requests on their way on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EchoShape {
    pub connections: usize,
    pub outstanding: usize,
}

impl FromStr for EchoShape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no CONNECTIONSxOUTSTANDING");
        let (connections, outstanding) = text.split_once('x').ok_or_else(wrong)?;
        let number = |text: &str| text.parse().ok().filter(|n| *n > 0_usize).ok_or_else(wrong);
        Ok(Self { connections: number(connections)?, outstanding: number(outstanding)? })
    }
}

impl fmt::Display for EchoShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.connections, self.outstanding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_written_as_it_is_read() {
        assert_eq!("30x100".parse::<EchoShape>().unwrap().to_string(), "30x100");
        for text in ["30", "x1", "0x1", "1x0", "1x1x1", "a x b"] {
            assert!(text.parse::<EchoShape>().is_err(), "{text}");
        }
    }
}
