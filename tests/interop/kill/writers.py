"""Sessions that write while servers die, and remember what was acknowledged.

Each write is a sequential create with a prefix of its own, sent once and never again: its ack means
exactly one such znode, its loss at most one.
"""

from __future__ import annotations

import time

from rig import ops
from rig.jute import Reader
from rig.ledger import Ledger
from rig.ops import Op
from rig.roamer import REPLY_SECONDS, Roamer
from rig.wire import Address, Connection

OUTSTANDING = 16

# Rounds are to end in thousands of writes, not in so many that looking at them takes the time.
BREATH_SECONDS = 0.02


class Writer(Roamer):
    """One session that writes below `parent` until it is told to stop."""

    def __init__(self, number: int, servers: list[Address]) -> None:
        super().__init__(f"writer-{number}", servers, number)
        self.number = number
        self.parent = ""
        self.ledger = Ledger(faults=self.faults)
        self.count = 0

    @property
    def mark(self) -> str:
        """The ephemeral znode that says its session lives."""
        return f"/k/alive-{self.number}"

    def acknowledged(self) -> int:
        """As a roamer."""
        return len(self.ledger.acked)

    def begin(self, connection: Connection) -> None:
        """Leaves the mark."""
        connection.send(0x7FFFFFFF, Op.CREATE, ops.create(self.mark, b"", flags=1))
        connection.receive(REPLY_SECONDS)

    def work(self, connection: Connection) -> None:
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
                self.rest(connection)
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
            self.faults.append(f"{self.name}: reply to {xid}, expected {first}")
        prefix = waiting.pop(xid)
        self.saw(zxid)
        if err:
            self.ledger.refused[prefix] = err
        else:
            self.ledger.acked[prefix] = reply.string() or ""
