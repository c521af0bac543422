"""A follower whose tree is wrong, outside proof mode: told under a Java leader, mended under ours."""

from __future__ import annotations

import signal
from typing import Callable

import pytest

from proof.files import doctor, snapshots
from proof.scenario import TICK
from rig import ops
from rig.census import SUPER_PROPERTIES, assert_agree, census, digest_mismatches, wait_level
from rig.ops import Op
from rig.system import Server, System
from rig.waiting import until
from rig.wire import Connection

Cells = Callable[[str, str], None]
WRITES = 40
RIGHT, WRONG = b"the-leaders-own-data", b"the-leaders-0wn-data"


def write(server: Server) -> None:
    """So many txns that a snapshot is due."""
    connection = Connection(server.client)
    assert connection.handshake(30000) is not None
    connection.call(Op.CREATE, ops.create("/right", RIGHT))
    connection.call(Op.CREATE, ops.create("/busy"))
    for n in range(WRITES):
        assert connection.call(Op.SET_DATA, ops.set_data("/busy", b"%d" % n))[0] == 0
    connection.call(Op.CLOSE_SESSION)
    connection.close()


def with_a_wrong_follower(system: System) -> Server:
    """Server 1 comes back with one byte of `/right` another, and follows; then there are writes."""
    follower, leader = system[1], system.leader()
    assert leader is not follower
    write(leader)
    wait_level(system.servers)
    until(lambda: any(RIGHT in path.read_bytes() for path in snapshots(follower.folder / "data")))
    follower.end(signal.SIGTERM)
    files = snapshots(follower.folder / "data")
    doctor(max(files, key=lambda path: int(path.suffix[1:], 16)), RIGHT, WRONG)
    follower.start()
    follower.wait_serving()
    write(leader)
    return follower


@pytest.fixture
def config() -> dict[str, str]:
    """A snapshot every few txns."""
    return {**TICK, "snapCount": "10"}


def test_under_a_java_leader_it_is_counted_and_told_once(
        java_version: str, cell: Cells, config: dict[str, str]) -> None:
    """It goes on following: a Java leader's digest is no proof."""
    cell("follower", "a tree that differs: told, not acted on")
    with System.mixed("RJJ", java_version, config=config, properties=SUPER_PROPERTIES) as system:
        follower = with_a_wrong_follower(system)
        wait_level(system.servers)
        assert digest_mismatches(follower) >= WRITES
        assert follower.mode() == "follower"
        assert follower.log.read_text().count("differs from the one the leader foresaw") == 1
        assert WRONG in census(follower)["/right"].data, "nothing was done about it"


def test_under_a_ringkeeper_leader_it_is_proof_and_mended(
        java_version: str, cell: Cells, config: dict[str, str]) -> None:
    """It leaves for the leader's tree."""
    cell("follower", "a tree that differs: mended")
    with System.mixed("RJR", java_version, config=config, properties=SUPER_PROPERTIES) as system:
        assert system.leader().id == 3
        follower = with_a_wrong_follower(system)
        until(lambda: "only a snapshot can bring this server level" in follower.log.read_text())
        follower.wait_serving()
        assert_agree(system.servers)
        assert RIGHT in census(follower)["/right"].data
