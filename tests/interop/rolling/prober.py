"""Service as seen from outside: one session that writes as often as it is answered."""

from __future__ import annotations

import time
from typing import Sequence

from rig import ops
from rig.ops import Op
from rig.roamer import Roamer
from rig.wire import Address, Connection

from .records import PROBE

PAUSE_SECONDS = 0.01


class Prober(Roamer):
    """Sets one znode, on whatever server takes its session; notes when each set was acknowledged."""

    def __init__(self, servers: Sequence[Address]) -> None:
        super().__init__("prober", servers, 0)
        self.acks: list[float] = []

    def acknowledged(self) -> int:
        """As a roamer."""
        return len(self.acks)

    def work(self, connection: Connection) -> None:
        """One set after the other."""
        while not self.halted.is_set():
            if self.paused.is_set():
                self.rest(connection)
                continue
            body = ops.set_data(PROBE, b"%d" % len(self.acks))
            err, zxid, _ = connection.call(Op.SET_DATA, body)
            if err:
                self.faults.append(f"{self.name}: set answers {err}")
                return
            self.saw(zxid)
            self.acks.append(time.monotonic())
            time.sleep(PAUSE_SECONDS)
