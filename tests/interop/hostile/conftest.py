"""An honest client, who must be served whatever the others send."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

from rig import ops
from rig.ops import Op
from rig.system import Kind, Server, System
from rig.wire import Connection

MEMORY_GROWTH_MIB = 200
STANDALONE = {"extendedTypesEnabled": "true", "enforceQuota": "true"}

_numbers = itertools.count(1)


def honest_work(server: Server) -> None:
    """A session, a write, a read and its end, each answered within seconds."""
    connection = Connection(server.client, 5.0)
    session = connection.handshake(10000)
    assert session is not None and session.id != 0, f"server {server.id} takes no session"
    path = f"/honest-{next(_numbers)}"
    for op, body in ((Op.CREATE, ops.create(path, b"honest")), (Op.GET_DATA, ops.watched(path)),
                     (Op.DELETE, ops.versioned(path)), (Op.CLOSE_SESSION, b"")):
        err, _, _ = connection.call(op, body)
        assert err == 0, f"server {server.id}: op {op} answers {err}"
    connection.close()


def memory_mib(server: Server) -> int:
    """The resident memory of a server's process."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


@pytest.fixture(scope="session")
def standalone(kind: Kind, request: pytest.FixtureRequest) -> Iterator[Server]:
    """One server with extended types and quotas on."""
    system = System(kind, 1, STANDALONE).start()
    yield system.servers[0]
    system.stop(keep=request.session.testsfailed > 0)


@pytest.fixture(scope="session")
def standalone_net(kind: Kind, request: pytest.FixtureRequest) -> Iterator[Server]:
    """The same, with net threads."""
    system = System(kind, 1, {**STANDALONE, "ringkeeper.netThreads": "2"}).start()
    yield system.servers[0]
    system.stop(keep=request.session.testsfailed > 0)


@pytest.fixture(params=["standalone", "standalone_net", "leader", "follower"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of each role; after the test all of its ensemble serve, and none has grown fat."""
    role = request.param
    if role.startswith("standalone"):
        target = request.getfixturevalue(role)
        everyone = [target]
    else:
        system: System = request.getfixturevalue("ensemble")
        everyone = system.servers
        target = system.leader() if role == "leader" else system.followers()[0]
    before = memory_mib(target)
    yield target
    for each in everyone:
        assert each.process is not None and each.process.poll() is None, f"server {each.id} ended"
        honest_work(each)
    assert memory_mib(target) < before + MEMORY_GROWTH_MIB


@pytest.fixture
def ended() -> Callable[[Connection, float], bytes]:
    """Reads until the server closes, and says what came before; a server that does not close fails."""

    def read(connection: Connection, seconds: float = 15.0) -> bytes:
        deadline = time.monotonic() + seconds
        got = connection.receive_all(seconds)
        assert time.monotonic() < deadline
        connection.close()
        return got

    return read
