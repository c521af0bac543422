"""What Java leaves behind when it is killed, and what a disk makes of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Callable

import pytest

from rig import ops
from rig.census import digest_mismatches
from rig.ops import Op
from rig.system import RINGKEEPER, System, java
from rig.wire import Connection
from .world import CONFIG, PROPERTIES, assert_same, fill, print_of, refused, tool, tree

HEADER = 16
ROUNDS = 40


def recorded(snapshot: Path) -> int:
    """The zxid of the digest in a snapshot: later than its name, where it is fuzzy."""
    done = tool("snapshot", "dump", "--json", str(snapshot))
    assert done.returncode in (0, 1), done.stderr
    digest = json.loads(done.stdout.splitlines()[-1]).get("recordedDigest") if done.returncode == 0 else None
    return int(digest["zxid"], 16) if digest else -1


def named(snapshot: Path) -> int:
    """The zxid in a snapshot's name."""
    return int(snapshot.name.split(".")[1], 16)


def churn(connection: Connection, count: int) -> None:
    """Creates, sets and deletes all over a wide tree, in flight together."""
    for n in range(count):
        connection.send(3 * n + 1, Op.CREATE, ops.create(f"/wide/x-{n}", b"x" * 50))
        connection.send(3 * n + 2, Op.SET_DATA, ops.set_data(f"/wide/n-{n * 7 % 3000}", b"set %d" % n))
        connection.send(3 * n + 3, Op.DELETE, ops.versioned(f"/wide/x-{n // 2}"))
    for _ in range(3 * count):
        assert connection.receive(30) is not None


def test_a_fuzzy_snapshot_and_the_log_over_it_make_the_same_tree() -> None:
    """Snapshots written while thousands of txns go by hold parts of them: the log brings the rest."""
    with System(java("3.8.0"), config={**CONFIG, "snapCount": "300"}, properties=PROPERTIES) as system:
        server = system[1]
        folder = server.folder / "data" / "version-2"
        connection = Connection(server.client)
        assert connection.handshake(60000) is not None
        connection.call(Op.CREATE, ops.create("/wide", b""))
        for n in range(3000):
            connection.send(n + 1, Op.CREATE, ops.create(f"/wide/n-{n}", b"y" * 200))
        for _ in range(3000):
            assert connection.receive(30) is not None
        for _ in range(ROUNDS):
            churn(connection, 400)
            fuzzy = [each for each in folder.glob("snapshot.*") if recorded(each) > named(each)]
            if fuzzy:
                break
        assert fuzzy, "no snapshot was caught by a txn"
        written = tree(server)
        server.end()
        oldest = min(fuzzy, key=named)
        for snapshot in folder.glob("snapshot.*"):
            if named(snapshot) > named(oldest):
                snapshot.unlink()
        server.kind = RINGKEEPER
        server.start()
        server.wait_serving(60)
        assert f"{oldest.name} " in server.log.read_text(errors="replace")
        assert_same(written, tree(server))
        assert digest_mismatches(server) == 0


Damage = Callable[[Path], str]


def _newest(folder: Path, kind: str) -> Path:
    return max(folder.glob(f"{kind}.*"), key=named)


def torn_log(folder: Path) -> str:
    """The last txn is cut, as by a crash."""
    log = _newest(folder, "log")
    whole = log.read_bytes().rstrip(b"\0")
    log.write_bytes(whole[:-3])
    return ""


def empty_log(folder: Path) -> str:
    """A log was begun, and nothing came."""
    (folder / "log.7fffffff").write_bytes(b"")
    return ""


def junk(folder: Path) -> str:
    """Names that are nobody's."""
    (folder / "snapshot.zz").write_bytes(b"junk")
    (folder / "log.old").write_bytes(b"junk")
    return ""


def flipped_log(folder: Path) -> str:
    """A bit of a txn has changed."""
    log = _newest(folder, "log")
    content = bytearray(log.read_bytes())
    content[HEADER + 20] ^= 4
    log.write_bytes(content)
    return f"{log.name}: at offset {HEADER}: the checksum of the txn"


def lost_log(folder: Path) -> str:
    """A log is missing between the snapshot and the end."""
    for snapshot in sorted(folder.glob("snapshot.*"), key=named)[1:]:
        snapshot.unlink()
    logs = sorted(folder.glob("log.*"), key=named)
    logs[1].unlink()
    return f"{logs[2].name}: at offset {HEADER}: the txn {hex(named(logs[2]))} stands after"


def cut_snapshots(folder: Path) -> str:
    """Every snapshot is cut."""
    for snapshot in folder.glob("snapshot.*"):
        snapshot.write_bytes(snapshot.read_bytes()[:100])
    return "no snapshot reads back"


def old_epoch(folder: Path) -> str:
    """A promise that is no number."""
    (folder / "acceptedEpoch").write_text("one")
    return "acceptedEpoch: "


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a Java server left when it was killed."""
    with System(java("3.8.0"), config=CONFIG, properties=PROPERTIES) as system:
        fill(system[1], "a")
        system[1].end()
        kept = tmp_path_factory.mktemp("original") / "version-2"
        shutil.copytree(system[1].folder / "data" / "version-2", kept)
    return kept


@pytest.mark.parametrize("damage", [torn_log, empty_log, junk])
def test_what_a_crash_leaves_is_imported(original: Path, damage: Damage) -> None:
    """And said: what was left out."""
    system = System(RINGKEEPER, config=CONFIG, properties=PROPERTIES)
    folder = system[1].folder / "data" / "version-2"
    shutil.copytree(original, folder)
    damage(folder)
    with system:
        said = system[1].log.read_text(errors="replace")
        expected = {"torn_log": "torn end of log.", "empty_log": "log.7fffffff not used",
                    "junk": "snapshot.zz not used"}[damage.__name__]
        assert "imported version-2" in said and expected in said, said
        assert len(tree(system[1])) > 50


@pytest.mark.parametrize("damage", [flipped_log, lost_log, cut_snapshots, old_epoch])
def test_damage_is_named_and_nothing_is_imported(original: Path, damage: Damage) -> None:
    """File, offset, what is wrong, what can be done; exit code 3, and no folder of ours."""
    system = System(RINGKEEPER, config=CONFIG, properties=PROPERTIES)
    data = system[1].folder / "data"
    shutil.copytree(original, data / "version-2")
    expected = damage(data / "version-2")
    stood = print_of(data)
    try:
        said = refused(system, system[1])
        assert expected in said and "Nothing was imported. " in said, said
        check = tool("import", "--check", str(data))
        assert check.returncode == 1 and expected in check.stderr, check.stderr
        assert print_of(data) == stood
    finally:
        system.stop()
