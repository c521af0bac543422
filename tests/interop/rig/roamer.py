"""Sessions that outlive their servers: a thread keeps one, on whichever server takes it.

What a roamer does with its connection is its subclass's; a crew is several of them, made to pause
and go on together. A session that is refused although its timeout has not passed is a fault.
"""

from __future__ import annotations

import threading
import time
from typing import Generic, Optional, Sequence, TypeVar

from .ops import Op
from .wire import Address, Connection, Session, Silence

SESSION_MS = 30_000
REPLY_SECONDS = 8.0
PING_SECONDS = 2.0
PROGRESS_SECONDS = 30.0


class Roamer(threading.Thread):
    """One session. Its home is the server tried first; after that it takes them in turn."""

    def __init__(self, name: str, servers: Sequence[Address], home: int) -> None:
        super().__init__(name=name, daemon=True)
        self.servers = servers
        self.home = home
        self.session: Optional[Session] = None
        self.faults: list[str] = []
        self.halted = threading.Event()
        self.paused = threading.Event()
        self.idle = threading.Event()
        self.homeward = threading.Event()
        self.zxid = 0
        self._turn = home
        self._pinged = 0.0

    def acknowledged(self) -> int:
        """How many writes were answered so far."""
        raise NotImplementedError

    def begin(self, connection: Connection) -> None:
        """Called once for each session, on its first connection."""

    def work(self, connection: Connection) -> None:
        """Works until the connection is lost, `halted` or `homeward` is set; raises what a
        connection raises. With `paused` set it sends nothing new, and calls `rest` when no reply
        is due."""
        raise NotImplementedError

    def run(self) -> None:
        """Connects, works until the connection is lost, and again."""
        while not self.halted.is_set():
            if self.homeward.is_set():
                self._turn = self.home
                self.homeward.clear()
            connection = self._connect()
            if connection is None:
                time.sleep(0.02)
                continue
            try:
                self.work(connection)
            except (OSError, Silence):
                pass
            finally:
                connection.close()

    def rest(self, connection: Connection) -> None:
        """A moment in which nothing is outstanding; a ping now and then keeps the session."""
        if self.paused.is_set():
            self.idle.set()
        if time.monotonic() - self._pinged > PING_SECONDS:
            self._pinged = time.monotonic()
            connection.call(Op.PING)
        time.sleep(0.02)

    def saw(self, zxid: int) -> None:
        """A reply to a write: zxids of one session rise."""
        if zxid <= self.zxid:
            self.faults.append(f"{self.name}: zxid {zxid:x} after {self.zxid:x}")
        self.zxid = max(zxid, self.zxid)

    def _connect(self) -> Optional[Connection]:
        """The session, on the next server that takes it."""
        address = self.servers[self._turn % len(self.servers)]
        self._turn += 1
        try:
            connection = Connection(address, 2.0)
        except OSError:
            return None
        try:
            granted = self._handshake(connection)
            if granted is not None and granted.id == 0:
                self.faults.append(f"{self.name}: its session was refused")
                self.session = granted = None
            if granted is not None and self.session is None:
                self.session = granted
                self.begin(connection)
        except (OSError, Silence):
            granted = None
        if granted is None:
            connection.close()
            return None
        self._pinged = time.monotonic()
        return connection

    def _handshake(self, connection: Connection) -> Optional[Session]:
        if self.session is None:
            return connection.handshake(SESSION_MS)
        return connection.handshake(SESSION_MS, session=self.session.id, last_zxid=self.zxid,
                                    password=self.session.password)


R = TypeVar("R", bound=Roamer)


class Stuck(RuntimeError):
    """Nothing is acknowledged, or a roamer does not come to rest."""


class Crew(Generic[R]):
    """Roamers that are started, paused and halted together."""

    def __init__(self, roamers: Sequence[R]) -> None:
        self.roamers = list(roamers)

    def start(self) -> None:
        """Lets them go."""
        for roamer in self.roamers:
            roamer.start()

    def acknowledged(self) -> int:
        """How many writes of all of them were answered so far."""
        return sum(roamer.acknowledged() for roamer in self.roamers)

    def progress(self, writes: int, seconds: float = PROGRESS_SECONDS) -> None:
        """Returns when that many more writes have been acknowledged."""
        enough, deadline = self.acknowledged() + writes, time.monotonic() + seconds
        while self.acknowledged() < enough:
            if time.monotonic() > deadline:
                raise Stuck(f"no {writes} writes are acknowledged in {seconds} s")
            time.sleep(0.01)

    def pause(self) -> None:
        """Returns when none has anything outstanding."""
        for roamer in self.roamers:
            roamer.idle.clear()
            roamer.paused.set()
        for roamer in self.roamers:
            if not roamer.idle.wait(PROGRESS_SECONDS):
                raise Stuck(f"{roamer.name} does not come to rest")

    def resume(self) -> None:
        """They go on."""
        for roamer in self.roamers:
            roamer.paused.clear()

    def send_home(self) -> None:
        """Each moves its session to its home server, if that takes it."""
        for roamer in self.roamers:
            roamer.homeward.set()

    def halt(self) -> None:
        """They end; their sessions live on."""
        for roamer in self.roamers:
            roamer.halted.set()
        for roamer in self.roamers:
            roamer.join(15)

    def faults(self) -> list[str]:
        """What each has seen that must not be."""
        return [fault for roamer in self.roamers for fault in roamer.faults]
