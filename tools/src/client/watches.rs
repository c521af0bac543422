//! The watches a session has, so that they can be set again at another server.
//!
//! Not here: delivering (`event`).

use std::collections::BTreeSet;

use ringkeeper::wire::OpCode;
use ringkeeper_engine::jute::Writer;

use super::event::{Event, EventType};

/// Paths as the server knows them, by the table and the manner of the watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Watches {
    pub(super) data: BTreeSet<String>,
    pub(super) exist: BTreeSet<String>,
    pub(super) child: BTreeSet<String>,
    pub(super) persistent: BTreeSet<String>,
    pub(super) recursive: BTreeSet<String>,
}

impl Watches {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes out the one-shot watches that an event used up.
    pub(super) fn fired(&mut self, event: &Event) {
        let Some(path) = &event.path else { return };
        match event.kind {
            EventType::None => {}
            EventType::Created | EventType::DataChanged => {
                self.data.remove(path);
                self.exist.remove(path);
            }
            EventType::ChildrenChanged => {
                self.child.remove(path);
            }
            EventType::Deleted => {
                self.data.remove(path);
                self.exist.remove(path);
                self.child.remove(path);
            }
        }
    }

    /// Forgets what is watched at `path`.
    pub(super) fn forget(&mut self, path: &str) {
        for set in [
            &mut self.data,
            &mut self.exist,
            &mut self.child,
            &mut self.persistent,
            &mut self.recursive,
        ] {
            set.remove(path);
        }
    }

    /// The body of a `setWatches2` after `zxid`, and its op.
    pub(super) fn encode(&self, zxid: i64) -> (OpCode, Vec<u8>) {
        let mut body = Vec::new();
        Writer(&mut body).long(zxid);
        for set in [&self.data, &self.exist, &self.child, &self.persistent, &self.recursive] {
            Writer(&mut body).count(set.len());
            set.iter().for_each(|path| Writer(&mut body).ustring(path));
        }
        (OpCode::SetWatches2, body)
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::State;
    use super::*;

    #[test]
    fn one_shot_watches_are_used_up_and_persistent_ones_stay() {
        let path = "/a".to_owned();
        let all = BTreeSet::from([path.clone()]);
        let mut watches = Watches {
            data: all.clone(),
            exist: all.clone(),
            child: all.clone(),
            persistent: all.clone(),
            recursive: all,
        };
        let event =
            |kind| Event { kind, path: Some(path.clone()), ..Event::of_state(State::Connected) };
        watches.fired(&event(EventType::DataChanged));
        assert!(watches.data.is_empty() && watches.exist.is_empty() && !watches.child.is_empty());
        watches.fired(&event(EventType::Deleted));
        assert!(watches.child.is_empty());
        assert!(!watches.persistent.is_empty() && !watches.recursive.is_empty());
        watches.forget("/a");
        assert!(watches.is_empty());
    }
}
