"""Watches in raw bytes, kept over reconnects as ZooKeeper's own client keeps them (setWatches).

What is checked rests on one promise: an event comes before any reply that shows its change. So on
one connection, without an event, a read must show the version at which the watch stands; and with
a recursive watch, each change is one event, neither more nor fewer. After a reconnect one-shot
watches are owed the event that was missed; recursive ones only count anew.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Callable, Optional, Sequence

from rig import ops
from rig.jute import Reader, int64, string, vector
from rig.ops import Op
from rig.roamer import Roamer
from rig.wire import Address, Connection

from .records import COUNTERS, LOCKS

PAUSE_SECONDS = 0.05
CREATED, DELETED, CHANGED, CHILDREN = 1, 2, 3, 4
RECURSIVE = 1
EVENT_XID, WATCHES_XID = -1, -8

Answer = Callable[[int, Reader], None]


class Watcher(Roamer):
    """One session that reads all targets again and again; what it sees of watches is a subclass's.

    A target is a znode: a counter, whose data changes, or a lock's folder, whose children do. Its
    version rises by one with each change (a folder's as `cversion` shows it to clients).
    """

    def __init__(self, name: str, servers: Sequence[Address], counters: int, locks: int,
                 turn: int) -> None:
        super().__init__(name, servers, turn)
        self.targets = [f"{COUNTERS}/{n}" for n in range(counters)]
        self.targets += [f"{LOCKS}/{n}" for n in range(locks)]
        self.told: list[tuple[str, int, int]] = []
        self.events = 0
        self.rounds = 0
        self.versions: dict[str, int] = {}
        self._is_new = True
        self._xid = 0
        self._connection: Optional[Connection] = None
        self._waiting: deque[tuple[int, Answer]] = deque()

    def acknowledged(self) -> int:
        """It writes nothing."""
        return 0

    def begin(self, connection: Connection) -> None:
        """As a roamer."""
        self._is_new = True

    def work(self, connection: Connection) -> None:
        """Sees to the watches, then reads; events come in between."""
        self._connection = connection
        self._waiting.clear()
        self.on_connected(again=not self._is_new)
        self._is_new = False
        while not self.halted.is_set():
            for target in self.targets:
                self.read(target, False, self.on_version)
            while self._waiting:
                self._receive(connection)
            self.rounds += 1
            time.sleep(PAUSE_SECONDS)

    def on_connected(self, again: bool) -> None:
        """A connection has begun; `again` if the session had one before."""
        raise NotImplementedError

    def on_event(self, kind: int, path: str, zxid: int) -> None:
        """A watch has fired."""
        raise NotImplementedError

    def on_version(self, target: str, version: int) -> None:
        """A read without a watch shows this version."""
        raise NotImplementedError

    def fault(self, text: str) -> None:
        """Something that must not be."""
        self.faults.append(f"{self.name}: {text}")

    def ask(self, op: int, body: bytes, answer: Answer, xid: Optional[int] = None) -> None:
        """Sends a request; replies are handed out in its order."""
        assert self._connection is not None
        self._xid += 1
        xid = self._xid if xid is None else xid
        self._waiting.append((xid, answer))
        self._connection.send(xid, op, body)

    def read(self, target: str, watch: bool, seen: Callable[[str, int], None]) -> None:
        """Asks for a target's version."""
        is_counter = target.startswith(COUNTERS)

        def answer(err: int, reply: Reader) -> None:
            if err:
                self.fault(f"reading {target} answers {err}")
                return
            if is_counter:
                reply.buffer()
            else:
                reply.vector(reply.string)
            reply.take(32)
            version, cversion = reply.int32(), reply.int32()
            seen(target, version if is_counter else cversion)

        op = Op.GET_DATA if is_counter else Op.GET_CHILDREN2
        self.ask(op, ops.watched(target, watch), answer)

    def _receive(self, connection: Connection) -> None:
        frame = connection.receive()
        if frame is None:
            raise ConnectionError("closed")
        reply = Reader(frame)
        xid, zxid, err = reply.int32(), reply.int64(), reply.int32()
        if xid == EVENT_XID:
            kind, _, path = reply.int32(), reply.int32(), reply.string() or ""
            self.on_event(kind, path, zxid)
            return
        expected, answer = self._waiting.popleft()
        if xid != expected:
            self.fault(f"reply to {xid}, expected {expected}")
        self.zxid = max(self.zxid, zxid)
        answer(err, reply)

    def must_succeed(self, err: int, _reply: Reader) -> None:
        """The answer to a request that has nothing to tell."""
        if err:
            self.fault(f"a request answers {err}")


class OneShot(Watcher):
    """A watch on each target, set anew after each event."""

    def __init__(self, servers: Sequence[Address], counters: int, locks: int, turn: int) -> None:
        super().__init__(f"watcher {turn}, one-shot", servers, counters, locks, turn)
        self._armed: dict[str, int] = {}
        self._at_least: dict[str, int] = {}

    def on_connected(self, again: bool) -> None:
        """Watches that stand are handed on; the others are set."""
        if not again:
            self._armed.clear()
        if self._armed:
            data = [path for path in self._armed if path.startswith(COUNTERS)]
            children = [path for path in self._armed if not path.startswith(COUNTERS)]
            body = ops.set_watches(self.zxid, data, [], children)
            self.ask(Op.SET_WATCHES, body, self.must_succeed, WATCHES_XID)
        for target in self.targets:
            if target not in self._armed:
                self._arm(target)

    def _arm(self, target: str) -> None:
        self.read(target, True, self._stands)

    def _stands(self, target: str, version: int) -> None:
        least = self._at_least.get(target, 0)
        if version < least:
            self.fault(f"{target} shows version {version}, and must be at {least} at least")
        self._armed[target] = self.versions[target] = version

    def on_event(self, kind: int, path: str, zxid: int) -> None:
        """It must be owed; then the watch is set anew."""
        expected = CHANGED if path.startswith(COUNTERS) else CHILDREN
        if path not in self._armed or kind != expected:
            self.fault(f"event {kind} on {path} that no watch owes")
            return
        self.events += 1
        changed = self._armed.pop(path) + 1
        self._at_least[path] = changed
        self.told.append((path, changed, zxid))
        self._arm(path)

    def on_version(self, target: str, version: int) -> None:
        """Where a watch stands nothing may have changed."""
        stands = self._armed.get(target)
        if stands is not None and version != stands:
            self.fault(f"{target} shows version {version}; the watch set at {stands} told nothing")
            self._armed.pop(target)
            self._arm(target)


class Recursive(Watcher):
    """Two persistent recursive watches, above all counters and above all locks."""

    def __init__(self, servers: Sequence[Address], counters: int, locks: int, turn: int) -> None:
        super().__init__(f"watcher {turn}, recursive", servers, counters, locks, turn)
        self._counted: dict[str, int] = {}

    def on_connected(self, again: bool) -> None:
        """Counting begins anew: events of the time between are owed to nobody."""
        self._counted.clear()
        if again:
            lists = b"".join(vector(paths, string) for paths in ([], [], [], [], [COUNTERS, LOCKS]))
            self.ask(Op.SET_WATCHES2, int64(self.zxid) + lists, self.must_succeed, WATCHES_XID)
            return
        for path in (COUNTERS, LOCKS):
            self.ask(Op.ADD_WATCH, ops.path_and_number(path, RECURSIVE), self.must_succeed)

    def on_event(self, kind: int, path: str, zxid: int) -> None:
        """One change more. Before 3.9 the parent's change is told as well."""
        if kind == CHILDREN:
            return
        target = path if path.startswith(COUNTERS) else path.rpartition("/")[0]
        expected = (CHANGED,) if target is path else (CREATED, DELETED)
        if kind not in expected or target not in self.targets:
            self.fault(f"event {kind} on {path}")
            return
        self.events += 1
        if target in self._counted:
            self._counted[target] += 1
            if target is path:
                self.told.append((target, self._counted[target], zxid))

    def on_version(self, target: str, version: int) -> None:
        """It must be where the events lead."""
        counted = self._counted.get(target)
        if counted is not None and counted != version:
            self.fault(f"{target} shows version {version}, its events lead to {counted}")
        if version < self.versions.get(target, 0):
            self.fault(f"{target} shows version {version} after {self.versions[target]}")
        self._counted[target] = self.versions[target] = version
