"""Service as seen from outside: one session that writes as often as it is answered."""

from __future__ import annotations

import threading
import time
from typing import Optional, Sequence

from rig import ops
from rig.ops import Op
from rig.wire import Address, Connection, Session, Silence

from .records import PROBE

SESSION_MS = 20_000
PATIENCE_SECONDS = 2.0
PAUSE_SECONDS = 0.01
REST_SECONDS = 60.0


class Prober(threading.Thread):
    """Sets one znode, on whatever server takes its session; notes when each set was acknowledged."""

    def __init__(self, servers: Sequence[Address]) -> None:
        super().__init__(name="prober", daemon=True)
        self.servers = list(servers)
        self.acks: list[float] = []
        self.faults: list[str] = []
        self.halted = threading.Event()
        self.paused = threading.Event()
        self._resting = threading.Event()
        self._session: Optional[Session] = None
        self._zxid = 0

    def pause(self) -> None:
        """Returns once it has nothing outstanding."""
        self._resting.clear()
        self.paused.set()
        assert self._resting.wait(REST_SECONDS), "the prober does not come to rest"

    def run(self) -> None:
        """Goes from server to server as each stops answering."""
        turn = 0
        while not self.halted.is_set():
            turn += 1
            try:
                connection = Connection(self.servers[turn % len(self.servers)], PATIENCE_SECONDS)
            except OSError:
                time.sleep(PAUSE_SECONDS)
                continue
            try:
                self._probe(connection)
            except (OSError, Silence):
                time.sleep(PAUSE_SECONDS)
            finally:
                connection.close()

    def _probe(self, connection: Connection) -> None:
        held = self._session
        known = {} if held is None else {"session": held.id, "password": held.password}
        granted = connection.handshake(SESSION_MS, last_zxid=self._zxid, **known)
        if granted is None:
            raise ConnectionError("closed instead of a session")
        if granted.id == 0:
            self.faults.append("prober: its session was refused")
            self._session = None
            return
        self._session = granted
        while not self.halted.is_set():
            if self.paused.is_set():
                self._resting.set()
                connection.call(Op.PING)
                time.sleep(0.1)
                continue
            body = ops.set_data(PROBE, b"%d" % len(self.acks))
            err, zxid, _ = connection.call(Op.SET_DATA, body)
            if err:
                self.faults.append(f"prober: set answers {err}")
                return
            if zxid <= self._zxid:
                self.faults.append(f"prober: zxid {zxid:x} after {self._zxid:x}")
            self._zxid = max(zxid, self._zxid)
            self.acks.append(time.monotonic())
            time.sleep(PAUSE_SECONDS)
