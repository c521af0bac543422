//! The sizes that are turned, and the run that each value makes.
//!
//! Not here: running them (the module above).

use crate::compare::Shape;
use crate::load::Mix;

const SERVERS: usize = 3;

/// More connections than this share what one of them may have on its way: a hundred each of 5,000
/// would measure only the queue.
const OUTSTANDING_ALL: usize = 3000;

/// What is turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Curve {
    /// 10 to 5,000 connections, together at most 3,000 requests on their way, at least one each.
    Connections,
    /// 1 to 1,000 requests on their way on each of 30 connections.
    Outstanding,
    /// 0 bytes to 64 KiB; large ones with fewer requests on their way.
    Payload,
    /// 1, 3 and 5 servers.
    Servers,
}

/// One run of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub curve: Curve,
    /// The value of what is turned.
    pub size: usize,
    pub servers: usize,
    pub shape: Shape,
}

impl Curve {
    pub fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Outstanding => "outstanding",
            Self::Payload => "payload",
            Self::Servers => "servers",
        }
    }

    fn sizes(self) -> &'static [usize] {
        match self {
            Self::Connections => &[10, 30, 100, 300, 1000, 3000, 5000],
            Self::Outstanding => &[1, 3, 10, 30, 100, 300, 1000],
            Self::Payload => &[0, 100, 1 << 10, 10 << 10, 64 << 10],
            Self::Servers => &[1, 3, 5],
        }
    }

    /// Its runs, smallest first.
    pub fn points(self) -> Vec<Point> {
        self.sizes().iter().map(|size| self.point(*size)).collect()
    }

    fn point(self, size: usize) -> Point {
        let mut shape = Shape {
            mix: Mix::Set,
            connections: 30,
            outstanding: 100,
            bytes: 100,
            znodes: 0,
            rate: None,
        };
        let mut servers = SERVERS;
        match self {
            Self::Connections => {
                shape.connections = size;
                shape.outstanding = (OUTSTANDING_ALL / size).clamp(1, 100);
            }
            Self::Outstanding => shape.outstanding = size,
            Self::Payload => {
                shape.bytes = size;
                // At most 100 KiB on its way on a connection.
                shape.outstanding = ((100 << 10) / size.max(1)).clamp(1, 100);
            }
            Self::Servers => servers = size,
        }
        Point { curve: self, size, servers, shape }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_turns_one_size_and_bounds_what_is_on_its_way() {
        let points = Curve::Connections.points();
        assert_eq!(points.len(), 7);
        assert!(points.iter().all(|point| point.servers == 3 && point.shape.bytes == 100));
        let last = points[6].shape;
        assert_eq!((last.connections, last.outstanding), (5000, 1));
        assert_eq!(Curve::Payload.points()[4].shape.outstanding, 1);
        assert_eq!(Curve::Payload.points()[0].shape.outstanding, 100);
        assert_eq!(Curve::Servers.points()[2].servers, 5);
    }
}
