//! The sizes that are turned, and the run that each value makes.
//!
//! Not here: running them (the module above).

use crate::compare::Shape;
use crate::compare::table::grouped;
use crate::load::Mix;

const SERVERS: usize = 3;

/// More connections than this share what one of them may have on its way: a hundred each of 5,000
/// would measure only the queue.
const OUTSTANDING_ALL: usize = 3000;

/// The settings of each number of net threads, of both systems.
const NET_THREADS: [&str; 3] = [
    "ringkeeper.netThreads=0\nnio.numWorkerThreads=0\n",
    "ringkeeper.netThreads=1\nnio.numWorkerThreads=1\n",
    "ringkeeper.netThreads=2\nnio.numWorkerThreads=2\n",
];

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
    /// 0 to 2 threads that have the clients' sockets, of one server.
    NetThreads,
    /// As many znodes as --znodes says, which the requests go to at random.
    Znodes,
}

/// One run of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub curve: Curve,
    /// The value of what is turned.
    pub size: usize,
    pub servers: usize,
    /// Lines of `zoo.cfg` that the point wants: a server ignores the other system's.
    pub settings: &'static str,
    pub shape: Shape,
}

impl Point {
    /// Whether one ensemble serves both.
    pub(super) fn shares_ensemble(&self, other: &Self) -> bool {
        (self.servers, self.settings) == (other.servers, other.settings)
    }
}

impl Curve {
    pub fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Outstanding => "outstanding",
            Self::Payload => "payload",
            Self::Servers => "servers",
            Self::NetThreads => "net-threads",
            Self::Znodes => "znodes",
        }
    }

    /// `znodes` are the sizes of that curve.
    fn sizes(self, znodes: &[usize]) -> &[usize] {
        match self {
            Self::Connections => &[10, 30, 100, 300, 1000, 3000, 5000],
            Self::Outstanding => &[1, 3, 10, 30, 100, 300, 1000],
            Self::Payload => &[0, 100, 1 << 10, 10 << 10, 64 << 10],
            Self::Servers => &[1, 3, 5],
            Self::NetThreads => &[0, 1, 2],
            Self::Znodes => znodes,
        }
    }

    /// Its runs, smallest first.
    pub fn points(self, mix: Mix, znodes: &[usize]) -> Vec<Point> {
        self.sizes(znodes).iter().map(|size| self.point(mix, *size)).collect()
    }

    /// A size as it is said.
    pub(super) fn say(self, size: usize) -> String {
        match self {
            Self::Payload if size >= 1024 => format!("{} KiB", size >> 10),
            Self::Payload => format!("{size} B"),
            _ => grouped(size as f64),
        }
    }

    /// Of the file with its picture.
    pub(super) fn picture(self) -> &'static str {
        match self {
            Self::Connections => "scale-connections",
            Self::Outstanding => "scale-outstanding",
            Self::Payload => "scale-payload",
            Self::Servers => "scale-servers",
            Self::NetThreads => "scale-net-threads",
            Self::Znodes => "scale-znodes",
        }
    }

    pub(super) fn caption(self) -> &'static str {
        match self {
            Self::Connections => "More connections, over all servers.",
            Self::Outstanding => "More requests on their way on each of 30 connections.",
            Self::Payload => "More bytes of data in each request or answer.",
            Self::Servers => "More servers on the same machine: each write is written by all.",
            Self::NetThreads => {
                "More threads for the clients' sockets, of one server: of ZooKeeper these are \
                 nio.numWorkerThreads."
            }
            Self::Znodes => {
                "More znodes of 100 bytes in the tree, which the requests go to at random."
            }
        }
    }

    /// What stands below the sizes.
    pub(super) fn axis(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Outstanding => "outstanding on each of 30 connections",
            Self::Payload => "data of a request",
            Self::Servers => "servers",
            Self::NetThreads => "net threads of one server",
            Self::Znodes => "znodes",
        }
    }

    fn point(self, mix: Mix, size: usize) -> Point {
        let mut shape =
            Shape { mix, connections: 30, outstanding: 100, bytes: 100, znodes: 0, rate: None };
        let mut servers = SERVERS;
        let mut settings = "";
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
            Self::NetThreads => {
                servers = 1;
                settings = NET_THREADS[size];
            }
            Self::Znodes => shape.znodes = size as u64,
        }
        Point { curve: self, size, servers, settings, shape }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_turns_one_size_and_bounds_what_is_on_its_way() {
        let points = |curve: Curve| curve.points(Mix::Get, &[1000, 10_000]);
        let connections = points(Curve::Connections);
        assert_eq!(connections.len(), 7);
        assert!(connections.iter().all(|point| point.servers == 3 && point.shape.bytes == 100));
        let last = connections[6].shape;
        assert_eq!((last.connections, last.outstanding), (5000, 1));
        assert_eq!(points(Curve::Payload)[4].shape.outstanding, 1);
        assert_eq!(points(Curve::Payload)[0].shape.outstanding, 100);
        assert_eq!(points(Curve::Servers)[2].servers, 5);
        let threads = points(Curve::NetThreads)[2];
        assert_eq!((threads.servers, threads.size), (1, 2));
        assert!(threads.settings.contains("ringkeeper.netThreads=2"));
        assert_eq!(points(Curve::Znodes)[1].shape.to_string(), "get:30x100/10000");
        assert_eq!(Curve::Payload.say(65_536), "64 KiB");
    }
}
