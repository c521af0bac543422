"""The rounds: who is killed, when it comes back, and what is checked before the next."""

from __future__ import annotations

import time
from random import Random

from rig import ops
from rig.ops import Op
from rig.roamer import Crew, Stuck
from rig.system import Server, System
from rig.wire import Connection

from .check import faults
from .writers import Writer

WRITERS = 6


class Trial:
    """One ensemble, its writers, and the rounds they go through together."""

    def __init__(self, system: System, seed: int) -> None:
        self.system = system
        self.draw = Random(seed)
        self.writers = [Writer(n, [s.client for s in system.servers]) for n in range(WRITERS)]
        self.crew = Crew(self.writers)
        self.parents: list[str] = []

    def begin(self) -> None:
        """Makes the parent of everything and lets the writers go."""
        self._create("/k")
        self._next_parent()
        self.crew.start()

    def end(self) -> None:
        """Stops the writers."""
        self.crew.halt()

    def round(self, kind: str) -> list[str]:
        """One round of one kind; what did not hold."""
        self._progress(20)
        time.sleep(self.draw.uniform(0.05, 0.4))
        getattr(self, f"_{kind}")()
        for server in self.system.servers:
            server.wait_serving()
        self._progress(5)
        self.crew.pause()
        found = faults(self.system, self.writers, self.parents[-1:])
        self._next_parent()
        self.crew.resume()
        return found

    def last_check(self) -> list[str]:
        """All rounds once more."""
        self.crew.pause()
        return faults(self.system, self.writers, self.parents)

    def acked(self) -> int:
        """How many writes were acknowledged so far."""
        return self.crew.acknowledged()

    def _leader(self) -> None:
        self._kill_and_restart([self.system.leader()])

    def _follower(self) -> None:
        self._kill_and_restart([self.draw.choice(self.system.followers())])

    def _all(self) -> None:
        self._kill_and_restart(list(self.system.servers))

    def _turn(self) -> None:
        """Each in turn, the next as soon as the one before serves again."""
        for server in self.system.servers:
            server.end()
            server.start()
            server.wait_serving()

    def _majority(self) -> None:
        """The leader and one more: writes stop, and go on when both are back."""
        leader = self.system.leader()
        other = next(s for s in self.system.servers if s is not leader)
        self._kill_and_restart([leader, other])

    def _kill_and_restart(self, servers: list[Server]) -> None:
        for server in servers:
            server.end()
        if len(servers) == 1:
            self._progress(20)  # The others go on without it.
        time.sleep(self.draw.uniform(0, 0.3))
        for server in servers:
            server.start()

    def _progress(self, writes: int) -> None:
        """Returns when that many more writes have been acknowledged."""
        try:
            self.crew.progress(writes)
        except Stuck as stuck:
            tails = "\n".join(f"-- {s.id} {s.mode()}\n{s.tail()}" for s in self.system.servers)
            raise RuntimeError(f"{stuck}\n{tails}") from stuck

    def _next_parent(self) -> None:
        parent = f"/k/{len(self.parents)}"
        self._create(parent)
        self.parents.append(parent)
        for writer in self.writers:
            writer.parent = parent

    def _create(self, path: str) -> None:
        connection = Connection(self.system.leader().client)
        connection.handshake()
        err, _, _ = connection.call(Op.CREATE, ops.create(path, b""))
        connection.call(Op.CLOSE_SESSION)
        connection.close()
        if err:
            raise RuntimeError(f"create {path} answers {err}")
