"""Writes of every kind, through all servers, going on while servers die.

Nothing is asserted of the answers: what counts is what the servers make of the txns. Each writer has
a session of its own on one server, and opens another where its connection ends.
"""

from __future__ import annotations

import random
import threading
import time
from itertools import islice
from typing import Iterator, Sequence

from rig import ops
from rig.census import zxid_of
from rig.ops import Op
from rig.system import Server
from rig.wire import Connection, Silence

WRITERS = 4
NAMES = 40
IN_FLIGHT = 16
PAUSE_SECONDS = 0.02
CALM_SECONDS = 3.0
EPHEMERAL, SEQUENTIAL, CONTAINER, TTL = 1, 2, 4, 5
READ_ONLY: list[ops.Acl] = [(ops.READ | ops.ADMIN, "world", "anyone"), (ops.ALL, "ip", "127.0.0.1")]
SESSION_MS, TTL_MS = 2000, 1000
CONFIG = {"extendedTypesEnabled": "true"}
PROPERTIES = {"znode.container.checkIntervalMs": "500"}

Request = tuple[int, bytes]


def requests(writer: int, seed: int) -> Iterator[Request]:
    """Creates, sets, deletes, multis (some of which fail), ephemerals, sequentials, containers, TTL
    znodes, access lists and quotas, and some that are refused; without end."""
    dice = random.Random(f"{seed}/{writer}")
    yield Op.CREATE, ops.create("/load")
    yield Op.CREATE, ops.create(f"/load/{writer}")
    yield Op.CREATE, ops.create("/zookeeper/quota/load")
    yield Op.CREATE, ops.create("/zookeeper/quota/load/zookeeper_limits", b"count=-1,bytes=-1")
    yield Op.CREATE, ops.create("/zookeeper/quota/load/zookeeper_stats", b"count=0,bytes=0")
    while True:
        path = f"/load/{writer}/n{dice.randrange(NAMES)}"
        yield from _one(dice, path)


def _one(dice: random.Random, path: str) -> Iterator[Request]:
    data = bytes(dice.randrange(256) for _ in range(dice.randrange(60)))
    match dice.randrange(14):
        case 0:
            yield Op.CREATE, ops.create(path, data)
        case 1:
            yield Op.CREATE2, ops.create(path, data)
        case 2:
            yield Op.CREATE2, ops.create(path + "-", data, flags=SEQUENTIAL)
        case 3:
            yield Op.CREATE, ops.create(path, data, flags=EPHEMERAL)
        case 4:
            yield Op.CREATE2, ops.create("/load/e-", data, flags=EPHEMERAL | SEQUENTIAL)
        case 5:
            yield Op.CREATE_CONTAINER, ops.create(path, data, flags=CONTAINER)
            yield Op.CREATE2, ops.create(path + "/c", data)
        case 6:
            yield Op.CREATE_TTL, ops.create_ttl(path, data, ops.OPEN, TTL, TTL_MS)
        case 7 | 8:
            yield Op.SET_DATA, ops.set_data(path, data)
        case 9 | 10:
            yield Op.DELETE, ops.versioned(path + "/c")
            yield Op.DELETE, ops.versioned(path)
        case 11:
            yield Op.SET_ACL, ops.set_acl(path, READ_ONLY if data else ops.OPEN)
        case 12:
            yield Op.MULTI, ops.multi([
                (Op.CREATE, ops.create(path + "m", data)), (Op.SET_DATA, ops.set_data(path + "m", b"x")),
                (Op.CREATE2, ops.create(path + "m/s-", data, flags=SEQUENTIAL)),
                (Op.CHECK, ops.versioned(path + "m"))])
        case _:
            yield Op.MULTI, ops.multi([
                (Op.SET_DATA, ops.set_data("/load", data)), (Op.DELETE, ops.versioned("/not/there"))])


class Load:
    """Writers on these servers, from `with` to its end. Afterwards all their sessions are closed."""

    def __init__(self, servers: Sequence[Server], seed: int = 1) -> None:
        print(f"load: seed {seed}")
        self.sent = 0
        self._halted = threading.Event()
        self._writers = [
            threading.Thread(target=self._run, args=(n, seed, servers), daemon=True)
            for n in range(WRITERS)]

    def _run(self, writer: int, seed: int, servers: Sequence[Server]) -> None:
        stream = requests(writer, seed)
        turn = writer
        while not self._halted.is_set():
            turn += 1
            try:
                self._write(Connection(servers[turn % len(servers)].client, 5), stream)
            except (OSError, Silence):
                self._halted.wait(0.05)

    def _write(self, connection: Connection, stream: Iterator[Request]) -> None:
        try:
            if connection.handshake(SESSION_MS) is None:
                raise ConnectionError("refused")
            while not self._halted.wait(PAUSE_SECONDS):
                for xid, (op, body) in enumerate(islice(stream, IN_FLIGHT), 1):
                    connection.send(xid, op, body)
                    self.sent += 1
                for _ in range(IN_FLIGHT):
                    if connection.receive() is None:
                        raise ConnectionError("closed instead of a reply")
            connection.call(Op.CLOSE_SESSION)
        finally:
            connection.close()

    def __enter__(self) -> "Load":
        for writer in self._writers:
            writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._halted.set()
        for writer in self._writers:
            writer.join(30)
            assert not writer.is_alive(), "a writer does not end"


def wait_calm(leader: Server, seconds: float = 60) -> None:
    """Returns once nothing is written any more: no session expires, no TTL or container ends."""
    deadline, seen, since = time.monotonic() + seconds, -1, time.monotonic()
    while time.monotonic() - since < CALM_SECONDS:
        assert time.monotonic() < deadline, "it does not become calm"
        zxid = zxid_of(leader)
        if zxid != seen:
            seen, since = zxid, time.monotonic()
        time.sleep(0.1)
