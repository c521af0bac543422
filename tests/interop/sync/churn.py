"""Writers that change the same few znodes again and again, and know afterwards what must be there.

A snapshot that a Java leader sends while it works holds what came after its zxid too, and those txns
come once more: znodes that are deleted and created again, set, given other access lists or changed
by a multi are where that goes wrong. Each writer is one session at a time with a parent of its own
and one request on its way. A znode whose last change was never answered is left alone for good.
"""

from __future__ import annotations

import random
import threading
import time
from typing import Mapping, Optional, Sequence

from rig import ops
from rig.census import Znode
from rig.jute import Reader
from rig.ops import ALL, Op
from rig.system import Server
from rig.wire import Connection, Silence

ROOT = "/churn"
SLOTS = 40
SESSION_GONE = (-112, -118, -4)
Change = tuple[int, bytes, dict[str, Optional[bytes]]]


class Writer(threading.Thread):
    """One client; `certain` is what each of its znodes was last acknowledged to hold (None: gone)."""

    def __init__(self, number: int, servers: Sequence[Server], seed: int) -> None:
        super().__init__(daemon=True)
        self.base = f"{ROOT}-{seed}-{number}"
        self.draw = random.Random(f"{seed}/{number}")
        self.servers = servers
        self.paths = [f"{self.base}/{slot}-0" for slot in range(SLOTS)]
        self.certain: dict[str, Optional[bytes]] = {}
        self.acked = 0
        self.faults: list[str] = []
        self.halted = threading.Event()

    def run(self) -> None:
        """Writes until halted, at whichever server takes it."""
        while not self.halted.is_set():
            try:
                connection = Connection(self.draw.choice(self.servers).client, 3.0)
            except OSError:
                time.sleep(0.05)
                continue
            try:
                self._work(connection)
            except (OSError, Silence):
                time.sleep(0.05)
            finally:
                connection.close()

    def _work(self, connection: Connection) -> None:
        if connection.handshake(10000) is None:
            return
        connection.call(Op.CREATE, ops.create(self.base))
        while not self.halted.is_set():
            op, body, after = self._change()
            before = {path: self.certain.pop(path, None) for path in after}
            try:
                err, _, reply = connection.call(op, body)
            except (OSError, Silence):
                self._retire(after)
                raise
            if err in SESSION_GONE:
                self.certain.update(before)
                return
            if err or (op == Op.MULTI and reply.int32() == Op.ERROR):
                self.faults.append(f"op {op} on {sorted(after)} answers {err}")
                self._retire(after)
                continue
            self.certain.update(after)
            self.acked += 1
        connection.call(Op.CLOSE_SESSION)

    def _retire(self, paths: Mapping[str, Optional[bytes]]) -> None:
        for path in paths:
            slot, _, times = path.rpartition("-")
            self.paths[self.paths.index(path)] = f"{slot}-{int(times) + 1}"

    def _change(self) -> Change:
        path, other = self.draw.sample(self.paths, 2)
        data = b"%d" % self.draw.getrandbits(40)
        held = self.certain.get(path)
        if held is None:
            op = self.draw.choice((Op.CREATE, Op.CREATE2))
            return op, ops.create(path, data), {path: data}
        way = self.draw.randrange(6)
        if way < 2:
            return Op.SET_DATA, ops.set_data(path, data), {path: data}
        if way == 2:
            return Op.DELETE, ops.versioned(path), {path: None}
        if way == 3:
            perms = self.draw.choice((ALL, ALL & ~ops.CREATE, ALL & ~ops.DELETE))
            return Op.SET_ACL, ops.set_acl(path, [(perms, "world", "anyone")]), {path: held}
        parts = [(Op.DELETE, ops.versioned(path)), (Op.CREATE, ops.create(path, data))]
        after: dict[str, Optional[bytes]] = {path: data}
        if self.certain.get(other) is not None:
            parts.insert(1, (Op.SET_DATA, ops.set_data(other, data)))
            after[other] = data
        return Op.MULTI, ops.multi(parts), after

    def missing(self, tree: Mapping[str, Znode]) -> list[str]:
        """What does not hold of this writer's znodes in a census."""
        found = list(self.faults)
        for path, data in self.certain.items():
            znode = tree.get(path)
            held = Reader(znode.data).buffer() if znode else None
            if held != data:
                found.append(f"{path} holds {held!r}, acknowledged was {data!r}")
        return found


class Churn:
    """Some writers, from `with` to its end."""

    _count = 0

    def __init__(self, servers: Sequence[Server], writers: int = 3) -> None:
        Churn._count += 1
        self.writers = [Writer(n, servers, Churn._count) for n in range(writers)]

    def __enter__(self) -> "Churn":
        for writer in self.writers:
            writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self.writers:
            writer.halted.set()
        for writer in self.writers:
            writer.join(20)

    def acked(self) -> int:
        """How many writes were acknowledged."""
        return sum(writer.acked for writer in self.writers)

    def go_on(self, writes: int, seconds: float = 30) -> None:
        """Returns when so many more are acknowledged."""
        enough, deadline = self.acked() + writes, time.monotonic() + seconds
        while self.acked() < enough:
            assert time.monotonic() < deadline, f"{self.acked()} of {enough} writes acknowledged"
            time.sleep(0.01)

    def missing(self, tree: Mapping[str, Znode]) -> list[str]:
        """What does not hold of a census taken after its end."""
        return [fault for writer in self.writers for fault in writer.missing(tree)]
