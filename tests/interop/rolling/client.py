"""A client of kazoo: it writes, holds locks and an ephemeral znode, and watches another client.

Its writes are of two kinds. A sequential create is sent once: what is not answered may be there or
not. A set of its counter names the version it expects: after one that was not answered it reads the
counter behind a `sync`, and from then on knows. Locks are kazoo's, held for a moment with a write.

The watch is one-shot and on another client's counter. An event must be followed by a higher
version; without an event, and without a lost connection, the version must stay what it was.
"""

from __future__ import annotations

import threading
import time
from typing import Callable, Optional

from kazoo.client import KazooClient
from kazoo.exceptions import (BadVersionError, ConnectionClosedError, ConnectionLoss,
                              KazooException, NoNodeError, OperationTimeoutError)
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import EventType, KazooState, WatchedEvent
from kazoo.recipe.lock import Lock

from .records import LOCKS, Hold, Record

SESSION_SECONDS = 20.0
REPLY_SECONDS = 15.0
EVENT_SECONDS = 20.0
HOLD_SECONDS = 0.05
LOCK_SECONDS = 120.0
RETRY = {"max_tries": -1, "delay": 0.02, "backoff": 2, "max_delay": 0.3}
UNKNOWN = (ConnectionLoss, ConnectionClosedError, OperationTimeoutError, KazooTimeoutError)


class SyncedLock(Lock):
    """kazoo's lock, which after a lost reply looks for its znode behind a `sync`: a server that is
    a little behind would make it create a second one, and wait for itself."""

    def _find_node(self) -> Optional[str]:
        self._retry.max_delay = RETRY["max_delay"]
        self.client.sync(self.path)
        return super()._find_node()


class Watch:
    """A one-shot watch on data: at which version it was set, and what it told."""

    def __init__(self) -> None:
        self.version = -1
        self.changed = False
        self.fired = threading.Event()

    def on_event(self, event: WatchedEvent) -> None:
        """Called by kazoo, once: the data changed, or (NONE) the connection is lost."""
        self.changed = event.type == EventType.CHANGED
        self.fired.set()


class Client:
    """One session and the threads that use it."""

    def __init__(self, number: int, of: int, locks: int, hosts: str, breath: float) -> None:
        self.record = Record(number)
        self.watched = Record((number + 1) % of)
        self.breath = breath
        self.halted = threading.Event()
        self.paused = threading.Event()
        self.resting = [threading.Event(), threading.Event()]
        self.kazoo = KazooClient(hosts, timeout=SESSION_SECONDS, connection_retry=dict(RETRY),
                                 command_retry=dict(RETRY))
        self.lock = SyncedLock(self.kazoo, f"{LOCKS}/{number % locks}", str(number))
        self.lock_number = number % locks
        self.kazoo.add_listener(self._on_state)
        self._threads = [threading.Thread(target=work, daemon=True)
                         for work in (self._write, self._lock)]
        self._count = 0
        self._watching: Optional[Watch] = None
        self._lost = threading.Event()

    def begin(self) -> None:
        """Opens the session and lets the threads go."""
        self.kazoo.start(60)
        self.record.session = self.kazoo.client_id[0]
        self.kazoo.create(self.record.counter, b"0")
        self.kazoo.create(self.record.log, b"")
        self.kazoo.create(self.record.alive, b"", ephemeral=True)
        for thread in self._threads:
            thread.start()

    def at_rest(self) -> bool:
        """Whether, being paused, it has nothing outstanding and holds nothing."""
        return all(rest.is_set() for rest in self.resting)

    def pause(self) -> None:
        """Asks it to come to rest."""
        for rest in self.resting:
            rest.clear()
        self.paused.set()

    def last_check(self) -> None:
        """Being at rest, while nobody else writes: what the watch must have told, and the session."""
        try:
            _, stat = self._surely(lambda: self._read(self.watched.counter))
            deadline = time.monotonic() + EVENT_SECONDS
            while self._told() != stat.version and time.monotonic() < deadline:
                self._guarded(self._watch)
                time.sleep(0.02)
            if self._told() != stat.version:
                self.record.fault(f"a watch on {self.watched.counter} at version {self._told()} "
                                  f"was not told of version {stat.version}")
            if (self.kazoo.client_id or (0,))[0] != self.record.session:
                self.record.fault("another session than at the start")
        except KazooException as error:
            self.record.fault(f"last check: {error!r}")

    def _told(self) -> int:
        """The version at which a watch stands that has not fired."""
        watch = self._watching
        return -1 if watch is None or watch.fired.is_set() else watch.version

    def end(self) -> None:
        """Closes the session."""
        self.halted.set()
        for thread in self._threads:
            thread.join(REPLY_SECONDS)
        self.kazoo.remove_listener(self._on_state)
        self.kazoo.stop()
        self.kazoo.close()

    def _on_state(self, state: str) -> None:
        if state == KazooState.SUSPENDED:
            self.record.suspensions += 1
        if state == KazooState.LOST:
            self._lost.set()
            self.record.fault(f"its session was lost: {self.kazoo.client_state}")

    def _write(self) -> None:
        """Writes in turn of each kind, and keeps the watch."""
        while not self.halted.is_set():
            if self.paused.is_set():
                self.resting[0].set()
                time.sleep(0.02)
                continue
            self._guarded(self._set_counter)
            self._guarded(self._create)
            self._guarded(self._watch)
            time.sleep(self.breath)

    def _guarded(self, work: Callable[[], None]) -> None:
        """A lost connection ends the work at hand; anything else is a fault."""
        try:
            work()
        except UNKNOWN:
            time.sleep(0.01)
        except KazooException as error:
            self.record.fault(f"{work.__name__}: {error!r}")
            time.sleep(0.2)

    def _set_counter(self) -> None:
        record = self.record
        wanted = record.version + 1
        try:
            request = self.kazoo.set_async(record.counter, b"%d" % wanted, record.version)
            stat = request.get(timeout=REPLY_SECONDS)
        except UNKNOWN:
            self._find_out(wanted)
            return
        except BadVersionError:
            record.fault(f"{record.counter} had not version {record.version}")
            record.version = self._surely(lambda: self._read(record.counter))[1].version
            return
        self._acked()
        if stat.version != wanted:
            record.fault(f"{record.counter} was set to version {stat.version}, expected {wanted}")
        record.sets[wanted] = stat.mzxid
        record.version = wanted

    def _find_out(self, wanted: int) -> None:
        """After a set without an answer: was it done?"""
        record = self.record
        data, stat = self._surely(lambda: self._read(record.counter))
        if stat.version not in (wanted - 1, wanted) or data != b"%d" % stat.version:
            record.fault(f"{record.counter} is {data!r} at version {stat.version}, "
                         f"expected {wanted - 1} or {wanted}")
        if stat.version == wanted:
            record.sets[wanted] = stat.mzxid
        record.version = stat.version

    def _read(self, path: str) -> tuple[bytes, object]:
        self.kazoo.sync_async(path).get(timeout=REPLY_SECONDS)
        return self.kazoo.get_async(path).get(timeout=REPLY_SECONDS)

    def _surely(self, work: Callable[[], tuple[bytes, object]]) -> tuple[bytes, object]:
        """Again and again until there is an answer; gives up when the session is lost."""
        while True:
            try:
                return work()
            except UNKNOWN:
                if self._lost.is_set() or self.halted.is_set():
                    raise
                time.sleep(0.02)

    def _create(self) -> None:
        ledger = self.record.ledger
        self._count += 1
        prefix = f"{self.record.log}/{self.record.number}-{self._count}-"
        ledger.sent.add(prefix)
        try:
            request = self.kazoo.create_async(prefix, b"%d" % self._count, sequence=True)
            ledger.acked[prefix] = request.get(timeout=REPLY_SECONDS)
        except UNKNOWN:
            return
        except KazooException as error:
            ledger.refused[prefix] = error.code
            raise
        self._acked()

    def _acked(self) -> None:
        self.record.acks.append(time.monotonic())

    def _watch(self) -> None:
        """Registers the watch where there is none, or none any more."""
        before = self._watching
        if before is not None and not before.fired.is_set():
            return
        watch = Watch()
        try:
            request = self.kazoo.get_async(self.watched.counter, watch=watch.on_event)
            _, stat = request.get(timeout=REPLY_SECONDS)
        except NoNodeError:
            if before is not None:
                raise
            return  # The other client has not begun.
        if before is not None and stat.version < before.version + before.changed:
            self.record.fault(f"{self.watched.counter} is at version {stat.version} after "
                              f"{before.version}, event: {before.changed}")
        self.record.events += before is not None and before.changed
        watch.version = stat.version
        self._watching = watch

    def _lock(self) -> None:
        """Takes the lock, writes, lets it go."""
        while not self.halted.is_set():
            if self.paused.is_set():
                self.resting[1].set()
                time.sleep(0.02)
                continue
            self._guarded(self._hold)
            time.sleep(0.1)

    def _hold(self) -> None:
        self.lock.acquire(timeout=LOCK_SECONDS)
        begun = time.monotonic()
        try:
            path = f"{self.lock.path}/{self.lock.node}"
            _, stat = self._surely(lambda: self.kazoo.get_async(path).get(timeout=REPLY_SECONDS))
            time.sleep(HOLD_SECONDS)
        finally:
            ended = time.monotonic()
            self.lock.release()
        if not self._lost.is_set():
            self.record.holds.append(
                Hold(self.lock_number, self.record.number, stat.czxid, begun, ended))
