"""Sessions that write while servers die, and remember what was acknowledged.

Each write is a sequential create with a prefix of its own, sent once and never again: its ack means
exactly one such znode, its loss at most one. A writer keeps its session across connections; a
session that is refused although its timeout has not passed is a failure of its own.
"""

from __future__ import annotations

import threading
import time
from typing import Optional

from rig import ops
from rig.jute import Reader
from rig.ledger import Ledger
from rig.ops import Op
from rig.wire import Address, Connection, Session, Silence

SESSION_MS = 30_000
OUTSTANDING = 16
REPLY_SECONDS = 8.0

# Rounds are to end in thousands of writes, not in so many that looking at them takes the time.
BREATH_SECONDS = 0.02


class Writer(threading.Thread):
    """One session that writes below `parent` until it is told to stop."""

    def __init__(self, number: int, servers: list[Address]) -> None:
        super().__init__(name=f"writer-{number}", daemon=True)
        self.number = number
        self.servers = servers
        self.turn = number
        self.parent = ""
        self.ledger = Ledger()
        self.session: Optional[Session] = None
        self.count = 0
        self.halted = threading.Event()
        self.paused = threading.Event()
        self.idle = threading.Event()
        self._zxid = 0

    @property
    def mark(self) -> str:
        """The ephemeral znode that says its session lives."""
        return f"/k/alive-{self.number}"

    def run(self) -> None:
        """Connects, writes until the connection is lost, and again."""
        while not self.halted.is_set():
            connection = self._connect()
            if connection is None:
                time.sleep(0.02)
                continue
            try:
                self._write(connection)
            except (OSError, Silence):
                pass
            finally:
                connection.close()

    def _connect(self) -> Optional[Connection]:
        """The session, on the next server that takes it."""
        self.turn += 1
        try:
            connection = Connection(self.servers[self.turn % len(self.servers)], 2.0)
        except OSError:
            return None
        try:
            granted = self._handshake(connection)
        except (OSError, Silence):
            granted = None
        if granted is None:
            connection.close()
            return None
        if granted.id == 0:
            self.ledger.faults.append(f"{self.name}: its session was refused")
            self.session = None
            connection.close()
            return None
        if self.session is None:
            self.session = granted
            connection.send(0x7FFFFFFF, Op.CREATE, ops.create(self.mark, b"", flags=1))
            connection.receive(REPLY_SECONDS)
        return connection

    def _handshake(self, connection: Connection) -> Optional[Session]:
        if self.session is None:
            return connection.handshake(SESSION_MS)
        return connection.handshake(SESSION_MS, session=self.session.id, last_zxid=self._zxid,
                                    password=self.session.password)

    def _write(self, connection: Connection) -> None:
        """Keeps some requests outstanding; whatever has no reply at the end is unknown for good."""
        waiting: dict[int, str] = {}
        while not self.halted.is_set():
            while len(waiting) < OUTSTANDING and not self.paused.is_set():
                self.count += 1
                prefix = f"{self.parent}/{self.number}-{self.count}-"
                self.ledger.sent.add(prefix)
                waiting[self.count] = prefix
                connection.send(self.count, Op.CREATE, ops.create(prefix, b"%d" % self.count, flags=2))
            if not waiting:
                self.idle.set()
                time.sleep(0.02)
                continue
            frame = connection.receive(REPLY_SECONDS)
            if frame is None:
                return
            self._reply(Reader(frame), waiting)
            if self.count % OUTSTANDING == 0:
                time.sleep(BREATH_SECONDS)

    def _reply(self, reply: Reader, waiting: dict[int, str]) -> None:
        xid, zxid, err = reply.int32(), reply.int64(), reply.int32()
        first = next(iter(waiting))
        if xid != first:
            self.ledger.faults.append(f"{self.name}: reply to {xid}, expected {first}")
        prefix = waiting.pop(xid)
        if zxid <= self._zxid:
            self.ledger.faults.append(f"{self.name}: zxid {zxid:x} after {self._zxid:x}")
        self._zxid = max(zxid, self._zxid)
        if err:
            self.ledger.refused[prefix] = err
        else:
            self.ledger.acked[prefix] = reply.string() or ""
