"""Data as an ensemble of some years has it: znodes of all kinds, access lists, quotas.

All of it lies below `/seed` and the quotas of that, and nobody changes it afterwards: whatever
becomes of the servers, every byte and every Stat field must stay.
"""

from __future__ import annotations

from typing import Iterator

from rig import ops
from rig.ops import ALL, OPEN, READ, WRITE, Acl, Op
from rig.census import Znode, differs_by_nature
from rig.jute import Reader
from rig.system import Server
from rig.wire import Connection

PROPERTIES = {"zookeeper.extendedTypesEnabled": "true"}
AUTH = b"seed:secret"
SEQUENTIAL = 2
CONTAINER = 4
TTL, SEQUENTIAL_TTL = 5, 6
YEAR_MS = 365 * 24 * 3600 * 1000
IN_FLIGHT = 200
ACCESS: list[list[Acl]] = [
    OPEN,
    [(ALL, "auth", "")],
    [(READ, "world", "anyone"), (ALL, "digest", "someone:0123456789012345678901234567=")],
    [(ALL, "ip", "127.0.0.1"), (READ, "ip", "10.0.0.0/8"), (WRITE, "world", "anyone")],
]

Request = tuple[int, bytes]


def plant(server: Server, znodes: int) -> None:
    """Writes about that many znodes through one server."""
    connection = Connection(server.client, 30)
    try:
        assert connection.handshake(30000) is not None, f"server {server.id} refuses a session"
        err, _, _ = connection.call(Op.AUTH, ops.auth("digest", AUTH))
        assert err == 0, f"auth answers {err}"
        _send_all(connection, _requests(znodes))
        connection.call(Op.CLOSE_SESSION)
    finally:
        connection.close()


def planted(tree: dict[str, Znode]) -> dict[str, Znode]:
    """What of a census must stay as it is."""
    roots = ("/seed", "/zookeeper/quota/seed")
    return {path: znode for path, znode in tree.items()
            if path.startswith(roots) and not differs_by_nature(path)}


def _send_all(connection: Connection, requests: Iterator[Request]) -> None:
    """Keeps some in flight; none may be refused."""
    sent: list[int] = []
    waiting = 0
    for op, body in requests:
        sent.append(op)
        connection.send(len(sent), op, body)
        waiting += 1
        if waiting == IN_FLIGHT:
            _receive(connection, sent)
            waiting -= 1
    for _ in range(waiting):
        _receive(connection, sent)


def _receive(connection: Connection, sent: list[int]) -> None:
    frame = connection.receive(30)
    assert frame is not None, "the server closed the connection while data was planted"
    reply = Reader(frame)
    xid, _, err = reply.int32(), reply.int64(), reply.int32()
    assert err == 0, f"planting: request {xid} of op {sent[xid - 1]} answers {err}"


def _requests(znodes: int) -> Iterator[Request]:
    yield Op.CREATE, ops.create("/seed", b"root of it all")
    yield Op.CREATE, ops.create("/zookeeper/quota/seed", b"")
    yield from _special()
    folders = max(znodes // 100, 1)
    for folder in range(folders):
        path = f"/seed/folder-{folder:04}"
        yield Op.CREATE, ops.create(path, b"", ACCESS[folder % 2])
        yield from _folder(path, folder)


def _folder(path: str, folder: int) -> Iterator[Request]:
    """99 children, some of which are changed or deleted again."""
    for n in range(99):
        data = bytes((folder + n + at) % 251 for at in range((n * 37) % 300)) if n % 9 else None
        access = ACCESS[n % len(ACCESS)] if n % 5 == 0 else OPEN
        if n % 10 == 7:
            yield Op.CREATE, ops.create(f"{path}/job-", data, access, flags=SEQUENTIAL)
        elif n % 10 == 8:
            yield Op.CREATE_TTL, ops.create_ttl(f"{path}/ttl-{n}", data, access, TTL, YEAR_MS + n)
        else:
            yield Op.CREATE, ops.create(f"{path}/znode-{n}", data, access)
            if n % 20 == 1:
                yield Op.SET_DATA, ops.set_data(f"{path}/znode-{n}", b"changed once")
                yield Op.SET_DATA, ops.set_data(f"{path}/znode-{n}", b"changed twice")
                yield Op.SET_ACL, ops.set_acl(f"{path}/znode-{n}", ACCESS[2])
            if n % 20 == 2:
                yield Op.DELETE, ops.versioned(f"{path}/znode-{n}")


def _special() -> Iterator[Request]:
    """One of each that a loop would not make."""
    yield Op.CREATE, ops.create("/seed/large", bytes(range(256)) * 2000)
    yield Op.CREATE, ops.create("/seed/empty", b"")
    yield Op.CREATE, ops.create("/seed/null", None)
    yield Op.CREATE, ops.create("/seed/Grüße-世界", "ü".encode())
    yield Op.CREATE_CONTAINER, ops.create("/seed/container", b"c", flags=CONTAINER)
    yield Op.CREATE, ops.create("/seed/container/child", b"")
    yield Op.CREATE_TTL, ops.create_ttl("/seed/ttl-", b"", OPEN, SEQUENTIAL_TTL, YEAR_MS)
    path = "/seed/deep"
    yield from _quota(path, "count=1000000,bytes=1000000000")
    for level in range(40):
        yield Op.CREATE, ops.create(path, b"%d" % level)
        path += f"/{level}"
    yield Op.CREATE, ops.create("/seed/limited", b"")
    yield from _quota("/seed/limited", "count=10,bytes=1000;count=20;bytes=-1")
    parts = [(Op.CREATE, ops.create(f"/seed/limited/{n}", b"in a multi")) for n in range(3)]
    yield Op.MULTI, ops.multi(parts)


def _quota(path: str, limits: str) -> Iterator[Request]:
    """As `setquota` does it."""
    parent = f"/zookeeper/quota{path}"
    yield Op.CREATE, ops.create(parent, b"")
    yield Op.CREATE, ops.create(f"{parent}/zookeeper_limits", limits.encode())
    yield Op.CREATE, ops.create(f"{parent}/zookeeper_stats", b"count=1,bytes=1")
