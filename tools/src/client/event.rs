//! What a client hears without asking: watches that fire, and how its connection fares.
//!
//! Not here: where watches are kept (`watches`).

use std::fmt;

use ringkeeper_engine::jute::{Reader, WireError};

/// How the session stands (`Watcher.Event.KeeperState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Connecting,
    Connected,
    Expired,
    Closed,
}

impl State {
    /// As zkCli's prompt spells it (`ZooKeeper.States`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Connecting => "CONNECTING",
            Self::Connected => "CONNECTED",
            Self::Expired | Self::Closed => "CLOSED",
        }
    }
}

/// What happened (`Watcher.Event.EventType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// Nothing happened to a znode: the state changed.
    None,
    Created,
    Deleted,
    DataChanged,
    ChildrenChanged,
}

impl EventType {
    fn from_code(code: i32) -> Result<Self, WireError> {
        Ok(match code {
            -1 => Self::None,
            1 => Self::Created,
            2 => Self::Deleted,
            3 => Self::DataChanged,
            4 => Self::ChildrenChanged,
            code => return Err(WireError::UnknownCode { field: "event.type", code }),
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Created => "NodeCreated",
            Self::Deleted => "NodeDeleted",
            Self::DataChanged => "NodeDataChanged",
            Self::ChildrenChanged => "NodeChildrenChanged",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub kind: EventType,
    pub state: State,
    /// `None` where the state changed.
    pub path: Option<String>,
    /// The txn that did it; -1 where it is not known.
    pub zxid: i64,
}

impl Event {
    pub(super) fn of_state(state: State) -> Self {
        Self { kind: EventType::None, state, path: None, zxid: -1 }
    }

    /// Reads what follows the header of a notification.
    pub(super) fn decode(zxid: i64, reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let kind = EventType::from_code(reader.int("event.type")?)?;
        reader.int("event.state")?;
        let path = reader.ustring("event.path")?.map(std::borrow::Cow::into_owned);
        Ok(Self { kind, state: State::Connected, path, zxid })
    }

    /// As seen by a client whose root is `chroot`.
    pub(super) fn below(mut self, chroot: &str) -> Self {
        self.path = self.path.map(|path| match path.strip_prefix(chroot) {
            Some("") => "/".to_owned(),
            Some(rest) => rest.to_owned(),
            None => path,
        });
        self
    }
}

impl fmt::Display for Event {
    /// As `WatchedEvent.toString`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Connected => "SyncConnected",
            State::Connecting => "Disconnected",
            State::Expired => "Expired",
            State::Closed => "Closed",
        };
        let path = self.path.as_deref().unwrap_or("null");
        write!(
            f,
            "WatchedEvent state:{state} type:{} path:{path} zxid: {}",
            self.kind.name(),
            self.zxid
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_printed_as_java_prints_them() {
        assert_eq!(
            Event::of_state(State::Connected).to_string(),
            "WatchedEvent state:SyncConnected type:None path:null zxid: -1"
        );
        let bytes = [0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 2, b'/', b'a'];
        let event = Event::decode(7, &mut Reader::new(&bytes)).expect("a good event");
        let expected = "WatchedEvent state:SyncConnected type:NodeDataChanged path:/a zxid: 7";
        assert_eq!(event.to_string(), expected);
        assert!(Event::decode(7, &mut Reader::new(&[0, 0, 0, 99])).is_err());
    }

    #[test]
    fn a_chroot_is_taken_off() {
        let at =
            |path: &str| Event { path: Some(path.into()), ..Event::of_state(State::Connected) };
        assert_eq!(at("/app/a").below("/app").path.as_deref(), Some("/a"));
        assert_eq!(at("/app").below("/app").path.as_deref(), Some("/"));
        assert_eq!(at("/a").below("").path.as_deref(), Some("/a"));
    }
}
