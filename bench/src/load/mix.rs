//! Which operations a load asks, in which proportion.
//!
//! Not here: their bytes (`requests`), when they are asked (`state`).

/// Which operations, in which proportion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mix {
    /// setData of the connection's znode.
    Set,
    /// Persistent znodes; deleted after the measurement.
    Create,
    /// Each znode made is deleted by the next request.
    CreateDelete,
    /// getData of the connection's znode.
    Get,
    /// Nine getData, one setData.
    Mixed,
    /// A multi of check, setData, create, and delete of what the multi before created.
    Multi,
    /// One connection sets a znode that all others watch; an operation is an event delivered, and
    /// its latency counts from the set. --outstanding is the sets on their way.
    FanOut,
    /// Sessions come and go: connect, make ephemeral znodes (--outstanding of them, all at once),
    /// close. An operation is the whole life of a session.
    Ephemeral,
}

impl Mix {
    pub fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Create => "create",
            Self::CreateDelete => "create-delete",
            Self::Get => "get",
            Self::Mixed => "mixed",
            Self::Multi => "multi",
            Self::FanOut => "fan-out",
            Self::Ephemeral => "ephemeral",
        }
    }

    /// In words, for tables.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Set => "setData",
            Self::Create => "create",
            Self::CreateDelete => "create and delete",
            Self::Get => "getData",
            Self::Mixed => "9 getData : 1 setData",
            Self::Multi => "multi of 4",
            Self::FanOut => "events of a watch",
            Self::Ephemeral => "session with ephemerals",
        }
    }
}
