//! The watches of one client, and the events they owe it (P6, P7).
//!
//! Each watch stands at a place in the order of all changes. Before an answer of some zxid, every
//! change up to it that the watch matches must have been told; an event must be the next one that
//! some watch matches. What happened while the client was away is told by `setWatches`, once for
//! each one-shot watch, without a zxid; persistent ones begin anew.
//!
//! A client never holds two watches that one change would fire in one table.
//!
//! Not here: who watches what (`client`).

use ringkeeper::wire::{EventKind, parent_of};
use ringkeeper_engine::zxid::Zxid;

use crate::sim::model::{Change, Model};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Child,
    Persistent,
    Recursive,
}

#[derive(Debug)]
struct Watch {
    path: String,
    kind: Kind,
    /// The first change that it has not been held against.
    place: usize,
    /// Told of by the `setWatches` that is under way.
    is_caught_up: bool,
}

impl Watch {
    /// What this watch tells of a change.
    fn event_of(&self, change: &Change) -> Option<EventKind> {
        let is_it = change.path == self.path;
        let is_child =
            parent_of(&change.path) == Some(&self.path) && change.kind != EventKind::DataChanged;
        let below = || change.path.strip_prefix(&self.path).is_some_and(|p| p.starts_with('/'));
        match self.kind {
            Kind::Data if is_it => Some(change.kind),
            Kind::Child if is_child => Some(EventKind::ChildrenChanged),
            Kind::Child if is_it && change.kind == EventKind::Deleted => Some(EventKind::Deleted),
            Kind::Persistent if is_it => Some(change.kind),
            Kind::Persistent if is_child => Some(EventKind::ChildrenChanged),
            Kind::Recursive if is_it || below() => Some(change.kind),
            _ => None,
        }
    }

    /// The next change up to `upto` that this watch tells of, and its place.
    fn next<'m>(&mut self, model: &'m Model, upto: Zxid) -> Option<(EventKind, &'m Change)> {
        while let Some(change) = model.changes.get(self.place).filter(|c| c.zxid <= upto) {
            if let Some(kind) = self.event_of(change) {
                return Some((kind, change));
            }
            self.place += 1;
        }
        None
    }

    /// The path that an event of this watch names.
    fn named<'c>(&'c self, change: &'c Change) -> &'c str {
        if self.kind == Kind::Recursive { &change.path } else { &self.path }
    }

    fn is_one_shot(&self) -> bool {
        matches!(self.kind, Kind::Data | Kind::Child)
    }
}

#[derive(Default, Debug)]
pub(super) struct Watching {
    watches: Vec<Watch>,
    /// Where `setWatches` begins to look, while its answer is due.
    since: Option<Zxid>,
    pub told: u64,
}

impl Watching {
    pub(super) fn is_empty(&self) -> bool {
        self.watches.is_empty()
    }

    /// The session is another one.
    pub(super) fn clear(&mut self) {
        self.watches.clear();
        self.since = None;
    }

    pub(super) fn paths(&self, kind: Option<Kind>) -> impl Iterator<Item = &str> {
        self.watches.iter().filter(move |w| Some(w.kind) == kind).map(|w| w.path.as_str())
    }

    pub(super) fn has(&self, path: &str, kind: Kind) -> bool {
        self.watches.iter().any(|watch| watch.path == path && watch.kind == kind)
    }

    /// An answer at `zxid` has set a watch, or found it set.
    pub(super) fn add(&mut self, path: &str, kind: Kind, zxid: Zxid, model: &Model) {
        if !self.has(path, kind) {
            let place = model.place_after(zxid);
            let path = path.to_owned();
            self.watches.push(Watch { path, kind, place, is_caught_up: false });
        }
    }

    /// `setWatches` is sent on a new connection.
    pub(super) fn resume(&mut self, since: Zxid) {
        self.since = Some(since);
        self.watches.iter_mut().for_each(|watch| watch.is_caught_up = false);
    }

    /// An event came.
    pub(super) fn event(
        &mut self,
        (kind, path, zxid): (i32, &str, i64),
        model: &Model,
    ) -> Result<(), String> {
        self.told += 1;
        if self.since.is_some() {
            let fits = |w: &&mut Watch| w.is_one_shot() && w.path == path && !w.is_caught_up;
            let is_child = kind == EventKind::ChildrenChanged as i32;
            let mut fitting = self.watches.iter_mut().filter(fits);
            let watch = fitting.find(|w| (w.kind == Kind::Child) == is_child);
            return match watch {
                Some(watch) if zxid == -1 => {
                    watch.is_caught_up = true;
                    Ok(())
                }
                _ => Err(format!("event {kind} of {path} at {zxid:#x} before its watch (P7)")),
            };
        }
        let at = self.watches.iter_mut().position(|watch| {
            let next = watch.next(model, Zxid(zxid)).map(|(k, c)| (k as i32, c.zxid, c.clone()));
            next.is_some_and(|(k, z, c)| k == kind && z.0 == zxid && watch.named(&c) == path)
        });
        let Some(at) = at else {
            return Err(format!("event {kind} of {path} at {zxid:#x}: no watch owes it (P7)"));
        };
        if self.watches[at].is_one_shot() {
            self.watches.swap_remove(at);
        } else {
            self.watches[at].place += 1;
        }
        Ok(())
    }

    /// An answer of `zxid` came: nothing up to it is still untold.
    pub(super) fn check_told(&mut self, zxid: Zxid, model: &Model) -> Result<(), String> {
        if self.since.is_some() {
            return Ok(());
        }
        for watch in &mut self.watches {
            let owed = watch.next(model, zxid).map(|(kind, change)| (kind, change.zxid));
            if let Some((kind, owed)) = owed {
                let path = &watch.path;
                return Err(format!(
                    "{kind:?} of {owed:?} for the {:?} watch on {path} is due before the answer \
                     of {zxid:?} (P6, P7)",
                    watch.kind
                ));
            }
        }
        Ok(())
    }

    /// `setWatches` is answered at `zxid`: what was missed has been told, the rest is watched.
    pub(super) fn resumed(&mut self, zxid: Zxid, model: &Model) -> Result<(), String> {
        let Some(since) = self.since.take() else { return Ok(()) };
        for watch in self.watches.iter_mut().filter(|watch| watch.is_one_shot()) {
            watch.place = model.place_after(since);
            let is_due = watch.next(model, zxid).is_some();
            if is_due != watch.is_caught_up {
                let (path, kind) = (&watch.path, watch.kind);
                let how = if is_due { "missed" } else { "told of nothing" };
                return Err(format!("{kind:?} watch on {path} {how} since {since:?} (P7)"));
            }
        }
        self.watches.retain(|watch| !watch.is_caught_up);
        self.watches.iter_mut().for_each(|watch| watch.place = model.place_after(zxid));
        Ok(())
    }
}
