"""Whether servers agree: zxid, digests, and every field of every znode.

Reading goes over plain connections with the rights of `super` where the servers were started with
`SUPER_PROPERTIES`, so that no access list hides a difference. What ZooKeeper itself keeps different
from server to server is left out: `/zookeeper/config` and the statistics of quotas.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Iterator, Sequence

from . import ops
from .jute import Reader
from .ops import Op
from .system import Server
from .wire import Connection

SUPER = b"super:census"
SUPER_PROPERTIES = {
    "zookeeper.DigestAuthenticationProvider.superDigest": "super:pZIxzsB1QosV1VFbSWLf9e+yiUk=",
}
IN_FLIGHT = 300
AUTH_FAILED = -115


@dataclass(frozen=True)
class Znode:
    """One znode as a client sees it: the replies' bytes, which hold data, Stat and access list."""

    data: bytes
    acl: bytes


def census(server: Server) -> dict[str, Znode]:
    """Every znode of a server, by path."""
    connection = Connection(server.client, timeout=30)
    try:
        assert connection.handshake(30000) is not None, f"server {server.id} refuses a session"
        err, _, _ = connection.call(Op.AUTH, ops.auth("digest", SUPER))
        assert err in (0, AUTH_FAILED), f"server {server.id}: auth {err}"
        found: dict[str, Znode] = {}
        level = ["/"]
        while level:
            level = [child for paths in _batches(level) for child in _read(connection, paths, found)]
        connection.call(Op.CLOSE_SESSION)
        return found
    finally:
        connection.close()


def _batches(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    return (paths[at:at + IN_FLIGHT] for at in range(0, len(paths), IN_FLIGHT))


def _read(connection: Connection, paths: Sequence[str], found: dict[str, Znode]) -> list[str]:
    """Reads these znodes; their children's paths. A znode that goes meanwhile is left out."""
    requests = [(path, op) for path in paths for op in (Op.GET_DATA, Op.GET_ACL, Op.GET_CHILDREN)]
    for xid, (path, op) in enumerate(requests, 1):
        body = ops.path_only(path) if op == Op.GET_ACL else ops.watched(path)
        connection.send(xid, op, body)
    replies: deque[Reader] = deque()
    for _ in requests:
        frame = connection.receive(30)
        assert frame is not None, "the server closed the connection during a census"
        replies.append(Reader(frame))
    below = []
    for path in paths:
        data, acl, children = (_body(replies.popleft()) for _ in range(3))
        if data is None or acl is None or children is None:
            continue
        found[path] = Znode(data, acl)
        names = Reader(children)
        base = path.rstrip("/")
        below += [f"{base}/{name}" for name in names.vector(names.string) or []]
    return below


def _body(reply: Reader) -> bytes | None:
    reply.int32(), reply.int64()
    err = reply.int32()
    assert err in (0, -101), f"census: error {err}"
    return reply.take(reply.rest) if err == 0 else None


def differs_by_nature(path: str) -> bool:
    """Whether ZooKeeper lets this znode differ between servers that agree."""
    return path == "/zookeeper/config" or path.endswith("/zookeeper_stats")


def zxid_of(server: Server) -> int:
    """The last zxid a server has applied."""
    lines = [line for line in server.word("srvr").splitlines() if line.startswith("Zxid: ")]
    return int(lines[0].split()[1], 16) if lines else -1


def metric(server: Server, key: str) -> int:
    """A number that `mntr` shows as `zk_<key>`; 0 where it shows none."""
    for line in server.word("mntr").splitlines():
        name, _, value = line.partition("\t")
        if name == f"zk_{key}":
            return int(value)
    return 0


def digest_mismatches(server: Server) -> int:
    """What the server has counted since its start."""
    return metric(server, "digest_mismatches_count")


def hashes(server: Server) -> dict[str, str]:
    """`hash`: the tree's digest by zxid, every 128th."""
    pairs = (line.split(": ") for line in server.word("hash").splitlines() if ": " in line)
    return {zxid: digest for zxid, digest in pairs}


def wait_level(servers: Sequence[Server], seconds: float = 20) -> int:
    """Returns once all servers stand at one zxid and stay there for a moment; that zxid."""
    deadline = time.monotonic() + seconds
    while True:
        seen = {server.id: zxid_of(server) for server in servers}
        if len(set(seen.values())) == 1 and -1 not in seen.values():
            time.sleep(0.2)
            if {zxid_of(server) for server in servers} == set(seen.values()):
                return next(iter(seen.values()))
        assert time.monotonic() < deadline, f"the servers do not come level: {seen}"
        time.sleep(0.05)


def _take_a_zxid(server: Server) -> None:
    connection = Connection(server.client)
    try:
        assert connection.handshake(30000) is not None, f"server {server.id} refuses a session"
        connection.call(Op.CLOSE_SESSION)
    finally:
        connection.close()


def assert_agree(servers: Sequence[Server], since: int = 0, have_lost_roles: bool = False) -> int:
    """All servers stand at one zxid with the same digests and the same trees; how many znodes.

    There must be no load. A session is opened and closed first, and by each census: that takes
    zxids and changes no znode. Without a txn in its epoch a leader names the epoch's first zxid
    and its followers the last of the epoch before.

    Digests are compared after the zxid `since`. A Java leader's snapshot holds parts of the txns that
    follow it: whoever was sent one has other digests for these, and shows them in `hash` for good.
    Where Java servers `have_lost_roles` under load, those that have counted mismatches may show other
    digests of the epochs that ended (`mixed.ordinary`): how many they may count is the test's to say.
    """
    _take_a_zxid(servers[0])
    epoch_begin = wait_level(servers) >> 32 << 32
    raced = {server.id for server in servers
             if have_lost_roles and server.kind.name == "java" and digest_mismatches(server)}
    histories = {server.id: hashes(server) for server in servers}
    for id, history in histories.items():
        for other, theirs in histories.items():
            after = max(since, epoch_begin) if raced & {id, other} else since
            apart = {zxid for zxid in history.keys() & theirs.keys()
                     if history[zxid] != theirs[zxid] and int(zxid, 16) > after}
            assert not apart, f"servers {id} and {other} differ in their digests at {sorted(apart)[:5]}"
    trees = {server.id: census(server) for server in servers}
    first_id, first = next(iter(trees.items()))
    for id, tree in trees.items():
        apart = [path for path in first.keys() | tree.keys()
                 if first.get(path) != tree.get(path) and not differs_by_nature(path)]
        shown = [(path, first.get(path), tree.get(path)) for path in sorted(apart)[:3]]
        assert not apart, f"servers {first_id} and {id} differ in {len(apart)} znodes: {shown}"
    return len(first)
