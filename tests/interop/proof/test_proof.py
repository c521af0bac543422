"""Proof mode beside Apache ZooKeeper: equal digests of every txn, and a divergence pinned to its path."""

from __future__ import annotations

import shutil
import signal
import time
from typing import Callable

import pytest

from proof.files import doctor, snapshots, zxids
from proof.load import Load, wait_calm
from proof.report import PROOF, report, wait_equal
from proof.scenario import TICK, ensemble, fill, join_by_snapshot, kill_leaders_under_load
from rig import ops
from rig.census import assert_agree, digest_mismatches, wait_level
from rig.ops import Op
from rig.system import System
from rig.waiting import until
from rig.wire import Connection

BULK = 5_000

Cells = Callable[[str, str], None]


@pytest.fixture
def step_seconds(request: pytest.FixtureRequest) -> float:
    """How long the load goes on between two events."""
    return 10.0 if request.config.getoption("--exhaustive") else 2.0


def test_every_digest_of_a_java_ensemble_is_equal_also_when_its_leaders_die(
        java_version: str, cell: Cells, step_seconds: float) -> None:
    """Every txn is seen; what differs at a Java leader's start ends by itself; the trees agree."""
    cell("observer", "proof mode under load, leaders killed")
    with ensemble("JJJr", java_version) as system:
        observer = system[4]
        unharmed, sent = kill_leaders_under_load(system, 2, step_seconds)
        znodes = assert_agree(system.servers)
        end = wait_level(system.servers)
        said = wait_equal(observer)
        print(f"{sent} requests, {znodes} znodes\n{said.text()}")
        mismatches = {s.id: digest_mismatches(s) for s in system.servers}
        print(f"digest mismatches by server: {mismatches}")
        assert said.number("last_zxid") == end
        assert said.number("txns") == len(set(zxids(unharmed.folder / "data")))
        assert said.number("lasting_runs") == said.number("diverged_runs") == 0
        assert said.number("mismatches") == said.number("transient_mismatches") == mismatches[4]
        assert said.number("digests_equal") > said.number("txns") // 2
        kinds = {"create", "create2", "createContainer", "createTTL", "delete", "deleteContainer",
                 "setData", "setACL", "multi", "error", "createSession", "closeSession"}
        seen = {key.removeprefix("proof_txns_") for key, _ in said.lines}
        assert kinds <= seen, f"not seen: {kinds - seen}"


def test_a_snapshot_taken_under_load_is_completed_before_it_is_compared(
        java_version: str, cell: Cells, step_seconds: float) -> None:
    """A Java leader's snapshot holds parts of later txns. An observer that is sent one under load is
    equal from the first txn on that it serves."""
    cell("observer", "proof mode begun under load, by SNAP")
    with ensemble("JJJr", java_version) as system:
        observer = system[4]
        fill(system[1], "/bulk", BULK)
        with Load(system.servers[:3]):
            for _ in range(3):
                observer.end(signal.SIGKILL)
                shutil.rmtree(observer.folder / "data" / "ringkeeper")
                observer.start()
                observer.wait_serving(60)
                time.sleep(step_seconds / 2)
                said = report(observer)
                print(said.text())
                assert said.number("syncs_snap") == 1
                assert said.number("mismatches") == 0
                assert said["state"] == "equal"
        wait_calm(system[1])
        assert_agree(system.servers)


def test_a_lasting_difference_is_pinned_to_its_path(java_version: str, cell: Cells) -> None:
    """One byte of one znode on the observer's disk is not the leader's: reported, pinned to exactly
    that path, and gone once the observer has the leader's tree."""
    cell("observer", "proof mode, a divergence pinned")
    with ensemble("JJJr", java_version) as system:
        observer = system[4]
        fill(system[1], "/app", 50)
        writer = Connection(system[1].client)
        assert writer.handshake(30000) is not None
        err, _, _ = writer.call(Op.CREATE, ops.create("/app/0/victim", b"the-leaders-own-data"))
        assert err == 0
        join_by_snapshot(observer)
        observer.end(signal.SIGTERM)
        (snapshot,) = snapshots(observer.folder / "data")
        doctor(snapshot, b"the-leaders-own-data", b"the-leaders-0wn-data")
        observer.start()
        observer.wait_serving()
        said = report(observer)
        assert said.number("mismatches") == 0, "nothing was written since"

        deadline = time.monotonic() + 60
        while not (said := report(observer)).number("diverged_runs"):
            assert time.monotonic() < deadline, said.text()
            err, _, _ = writer.call(Op.SET_DATA, ops.set_data("/app/1", b"%f" % time.monotonic()))
            assert err == 0
            time.sleep(0.05)
        said = wait_equal(observer)
        print(said.text())
        assert said.number("lasting_runs") == said.number("diverged_runs") == 1
        assert said["compared_subtree"] == "/app/0/victim"
        assert (said["compared_differing"], said["compared_doubtful"]) == ("1", "0")
        assert said["compared_explains"] == "yes"
        assert said.all("difference") == ["/app/0/victim data: ours 20 bytes, 0x30 at 12, "
                                          "leader's 20 bytes, 0x6f at 12"]
        assert "at or below /app/0/victim" in observer.log.read_text()

        mismatches = said.number("mismatches")
        for _ in range(50):
            writer.call(Op.SET_DATA, ops.set_data("/app/2", b"%f" % time.monotonic()))
        writer.call(Op.CLOSE_SESSION)
        writer.close()
        assert_agree(system.servers)
        assert wait_equal(observer).number("mismatches") == mismatches, "afterwards all is equal"


def test_the_java_servers_need_not_know_the_observer(java_version: str, cell: Cells) -> None:
    """Their files do not name it, and no server is restarted: it joins all the same, and comes back
    when the leader has died."""
    cell("observer", "proof mode beside servers whose zoo.cfg does not name it")
    system = ensemble("JJJr", java_version)
    for server in system.servers[:3]:
        file = server.folder / "zoo.cfg"
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(line for line in lines if not line.startswith("server.4=")))
    with system:
        leader = system.leader()
        fill(leader, "/before", 10)
        leader.end(signal.SIGKILL)
        others = [server for server in system.servers if server is not leader]
        fill(system.leader(), "/after", 10)
        assert_agree(others)
        said = wait_equal(system[4])
        assert said.number("last_zxid") == wait_level(others)
        assert said.number("lasting_runs") == 0 < said.number("digests_equal")


def test_a_server_that_votes_is_refused(java_version: str) -> None:
    """At start, with the reason and the configuration's exit code."""
    system = System.mixed("JJR", java_version, config=TICK)
    voter = system[3]
    voter.properties.update(PROOF)
    try:
        voter.start()
        process = voter.process
        assert process is not None
        until(lambda: process.poll() is not None)
        assert voter.end() == 2
        assert "ringkeeper.proof: this server votes, and a proof must not" in voter.log.read_text()
    finally:
        system.stop()


def test_elsewhere_the_word_says_that_there_is_no_proof(java_version: str) -> None:
    """The word is ours; a server that was not asked to prove says so."""
    with System.mixed("R") as system:
        assert system[1].word("proof") == "This server is not in proof mode (ringkeeper.proof).\n"
