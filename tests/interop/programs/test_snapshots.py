"""A snapshot written here is one that Apache ZooKeeper starts from."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

from kazoo.client import KazooClient
from kazoo.security import make_acl, make_digest_acl

from rig.system import System, java, kind_of

TICK = "/tick"


def tree_of(client: KazooClient, path: str = "/") -> dict[str, tuple[object, ...]]:
    """Every znode below `path` but the reserved ones and `TICK`: data, access list, stat."""
    found: dict[str, tuple[object, ...]] = {}
    pending = [path]
    while pending:
        at = pending.pop()
        if at == TICK or at.startswith("/zookeeper"):
            continue
        data, stat = client.get(at)
        acls, _ = client.get_acls(at)
        # The root counts the ticks' znode and what was written after the snapshot.
        found[at] = (data, acls, stat if at != "/" else None)
        pending += [f"{at.rstrip('/')}/{child}" for child in client.get_children(at)]
    return found


def write(client: KazooClient) -> None:
    """Znodes of all kinds that survive their session."""
    client.add_auth("digest", "user:secret")
    client.create("/plain", b"data")
    client.create("/empty", b"")
    client.create("/grüße/\u65e5\u672c", b"\x00\xff" * 50, makepath=True)
    read_only = make_acl("world", "anyone", read=True)
    client.create("/guarded", b"x", acl=[make_digest_acl("user", "secret", all=True), read_only])
    for _ in range(50):
        client.create("/plain/n-", b"y" * 100, sequence=True)
    client.delete("/plain/n-0000000007")
    client.set("/plain", b"changed")


def newest_snapshot(data: Path) -> tuple[int, Path]:
    """The newest snapshot of a data directory of ours, with its zxid."""
    files = [path for path in (data / "ringkeeper").glob("snapshot.*") if path.suffix != ".aside"]
    return max(((int(path.suffix[1:], 16), path) for path in files), default=(0, data))


def test_java_starts_from_our_snapshot() -> None:
    """Znodes, access lists and stats are the same, and no digest differs."""
    with System(kind_of("ringkeeper"), config={"snapCount": "20"}) as ours:
        server = ours.servers[0]
        client = KazooClient(hosts=server.connect_string)
        client.start(20)
        write(client)
        client.create(TICK, b"")
        written = client.exists(TICK).czxid
        deadline = time.monotonic() + 20
        while newest_snapshot(server.folder / "data")[0] <= written:
            assert time.monotonic() < deadline, server.tail()
            client.set(TICK, b"again")
        expected = tree_of(client)
        client.stop()
        client.close()
        assert server.end(signal.SIGTERM) == 0, server.tail()
        _, snapshot = newest_snapshot(server.folder / "data")
        theirs = System(java())
        version = theirs.servers[0].folder / "data" / "version-2"
        version.mkdir()
        shutil.copy(snapshot, version / snapshot.name)
        (version / "currentEpoch").write_text("0")
        (version / "acceptedEpoch").write_text("0")
        with theirs:
            client = KazooClient(hosts=theirs.connect_string)
            client.start(30)
            client.add_auth("digest", "user:secret")
            assert tree_of(client) == expected
            client.stop()
            client.close()
            figures = theirs.servers[0].word("mntr").splitlines()
            assert "zk_digest_mismatches_count\t0" in figures
