"""A tree with a znode of every kind, sessions that live on, and what must be equal afterwards."""

from __future__ import annotations

import hashlib
import json
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from rig import ops, places
from rig.census import SUPER_PROPERTIES, Znode, census, differs_by_nature
from rig.ops import OPEN, Op
from rig.system import Server, System, java
from rig.wire import Connection, Session, Silence

# Java's logs are as long as they need be, or every one would be 64 MiB of zeros.
PROPERTIES = {**SUPER_PROPERTIES, "zookeeper.extendedTypesEnabled": "true", "zookeeper.preAllocSize": "64"}
CONFIG = {"snapCount": "24", "tickTime": "500", "maxSessionTimeout": "120000"}
TIMEOUT_MS = 60000
ENSEMBLES = 3
QUOTA = b"count=1000,bytes=100000=;byteHardLimit=-1;countHardLimit=-1"


@dataclass
class Living:
    """A session whose connection is gone, and the ephemerals that it owns."""

    session: Session
    ephemerals: list[str]


def _call(connection: Connection, op: Op, body: bytes) -> None:
    err, _, _ = connection.call(op, body)
    assert err == 0, f"{op.name}: error {err}"


def fill(server: Server, name: str) -> Living:
    """Writes below `/name`: all kinds of znodes, changed, guarded and deleted ones; 150 txns."""
    connection = Connection(server.client)
    session = connection.handshake(TIMEOUT_MS)
    assert session is not None
    top = f"/{name}"
    _call(connection, Op.CREATE, ops.create(top, b"top"))
    _call(connection, Op.AUTH, ops.auth("digest", b"amy:secret"))
    creator = [(ops.ALL, "auth", "")]
    kinds = [ops.create(f"{top}/null", None), ops.create(f"{top}/empty", b""),
             ops.create(f"{top}/queue", b""),
             ops.create(f"{top}/big", bytes(range(256)) * 2000),
             ops.create(f"{top}/gr\u00fc\u00dfe-\u65e5\u672c", b"\x00\xff"),
             ops.create(f"{top}/mine", b"x", creator),
             ops.create(f"{top}/read", b"x", [(ops.READ, "world", "anyone"), (31, "ip", "127.0.0.1")])]
    for body in kinds:
        _call(connection, Op.CREATE, body)
    _call(connection, Op.CREATE_CONTAINER, ops.create(f"{top}/container", b"c", flags=4))
    _call(connection, Op.CREATE, ops.create(f"{top}/container/child", b""))
    _call(connection, Op.CREATE_TTL, ops.create_ttl(f"{top}/ttl", b"t", OPEN, 5, 10 ** 9))
    for path in (f"/zookeeper/quota{top}", f"/zookeeper/quota{top}/zookeeper_limits"):
        _call(connection, Op.CREATE, ops.create(path, QUOTA if "limits" in path else b""))
    _call(connection, Op.CREATE, ops.create(f"/zookeeper/quota{top}/zookeeper_stats", b"count=0,bytes=0"))
    for n in range(40):
        _call(connection, Op.CREATE2, ops.create(f"{top}/queue/seq-", b"s" * n, flags=2))
    acls = [(ops.ALL, "world", "anyone"), (ops.READ, "ip", "10.0.0.0/8")]
    _call(connection, Op.SET_ACL, ops.set_acl(f"{top}/empty", acls))
    for n in range(20):
        _call(connection, Op.SET_DATA, ops.set_data(f"{top}/empty", b"changed %d" % n))
        multi = [(Op.CREATE, ops.create(f"{top}/multi-{n}", b"m")), (Op.CHECK, ops.versioned(top, 0)),
                 (Op.SET_DATA, ops.set_data(f"{top}/null", b"%d" % n))]
        _call(connection, Op.MULTI, ops.multi(multi))
        _call(connection, Op.DELETE, ops.versioned(f"{top}/queue/seq-{n:010}"))
        connection.call(Op.DELETE, ops.versioned(f"{top}/missing"))
        failing = [(Op.CREATE, ops.create(f"{top}/never", b"")), (Op.DELETE, ops.versioned("/missing"))]
        connection.call(Op.MULTI, ops.multi(failing))
    ephemerals = [f"{top}/ephemeral-{n}" for n in range(3)]
    for path in ephemerals:
        _call(connection, Op.CREATE, ops.create(path, b"e", flags=1))
    _call(connection, Op.SET_DATA, ops.set_data(f"{top}/null", None))
    connection.close()
    _one_that_ends(server, top)
    return Living(session, ephemerals)


@contextmanager
def java_ensemble(version: str) -> Iterator[tuple[System, list[Living]]]:
    """Three servers of ZooKeeper, filled by a session each. Ensembles of 3.8.0 have left a create
    unanswered here, with no server of ours near: then it is another ensemble's turn."""
    for left in reversed(range(ENSEMBLES)):
        with System(java(version), 3, config=CONFIG, properties=PROPERTIES) as system:
            try:
                living = [fill(server, f"s{server.id}") for server in system.servers]
            except Silence:
                if left == 0:
                    raise
                continue
            yield system, living
            return


def _one_that_ends(server: Server, top: str) -> None:
    """A session that takes its ephemeral with it."""
    connection = Connection(server.client)
    assert connection.handshake(TIMEOUT_MS) is not None
    _call(connection, Op.CREATE, ops.create(f"{top}/brief", b"", flags=1))
    _call(connection, Op.CLOSE_SESSION, b"")
    connection.close()


def reopen(server: Server, living: Living) -> None:
    """The session goes on with its password, owns its ephemerals, and no other password will do."""
    wrong = Connection(server.client)
    refused = wrong.handshake(TIMEOUT_MS, session=living.session.id, password=bytes(16))
    assert refused is None or refused.id == 0, "a wrong password was taken"
    wrong.close()
    connection = Connection(server.client)
    again = connection.handshake(TIMEOUT_MS, session=living.session.id, password=living.session.password)
    assert again is not None and again.id == living.session.id, f"session {living.session.id:x} is lost"
    err, _, body = connection.call(Op.GET_EPHEMERALS, ops.path_only("/"))
    assert err == 0 and sorted(body.vector(body.string) or []) == sorted(living.ephemerals)
    connection.close()


def tree(server: Server) -> dict[str, Znode]:
    """Every znode that servers agree on."""
    return {path: znode for path, znode in census(server).items() if not differs_by_nature(path)}


def assert_same(before: dict[str, Znode], after: dict[str, Znode]) -> None:
    """No znode was lost, added or changed in data, stat or access list."""
    apart = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    assert not apart, f"{len(apart)} of {len(before)} znodes differ: {sorted(apart)[:5]}"
    assert len(before) > 50


def print_of(folder: Path) -> dict[str, str]:
    """Every file of a folder with a checksum."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def tool(*words: str) -> subprocess.CompletedProcess[str]:
    """`ringkeeper-tools` to its end."""
    return subprocess.run([str(places.tools()), *words], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120, check=False)


def export(server: Server) -> dict[str, object]:
    """A fresh version-2 in place of the stale one; what the tool says of it."""
    done = tool("export", "--replace", "--json", str(server.folder / "zoo.cfg"))
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def refused(system: System, server: Server) -> str:
    """Starts a server that must end with exit code 3; what it said."""
    server.start()
    assert server.process is not None
    assert server.process.wait(60) == 3, server.tail()
    server.process = None
    return server.tail(3)
