"""J to R and back: every byte of every znode, access list and session."""

from __future__ import annotations

import json
import signal
from typing import Optional

import pytest

from rig import places
from rig.census import assert_agree, digest_mismatches, wait_level
from rig.system import RINGKEEPER, System, java
from .world import (CONFIG, PROPERTIES, assert_same, export, fill, java_ensemble, print_of,
                    refused, reopen, tool, tree)

VERSIONS = ["3.8.0"] + (["3.9.5"] if places.newest_java() == "3.9.5" else [])
COMPRESSION = "zookeeper.snapshot.compression.method"
CASES = [(version, None) for version in VERSIONS] + [("3.8.0", "gz"), (VERSIONS[-1], "snappy")]


@pytest.mark.parametrize("version, packing", CASES, ids=lambda value: str(value or "plain"))
def test_a_server_alone_goes_over_and_back(version: str, packing: Optional[str]) -> None:
    """Killed as Java, served as Ringkeeper from its version-2, exported, served as Java again; and
    after Java has gone on, Ringkeeper refuses what has become stale until it is imported anew."""
    packed = {COMPRESSION: packing} if packing else {}
    with System(java(version), config=CONFIG, properties={**PROPERTIES, **packed}) as system:
        server = system[1]
        data = server.folder / "data"
        living = [fill(server, "a"), fill(server, "b")]
        written = tree(server)
        server.end()
        if packing:
            assert list((data / "version-2").glob(f"snapshot.*.{packing}")), "nothing was packed"
        stood = print_of(data / "version-2")

        server.kind = RINGKEEPER
        server.start()
        server.wait_serving()
        assert "imported version-2" in server.log.read_text(errors="replace")
        assert_same(written, tree(server))
        for each in living:
            reopen(server, each)
        living.append(fill(server, "c"))
        assert digest_mismatches(server) == 0
        assert print_of(data / "version-2") == stood, "version-2 was written to"
        server.end()
        server.start()
        server.wait_serving()
        written = tree(server)
        assert server.end(signal.SIGTERM) == 0, server.tail()

        bare = tool("export", str(server.folder / "zoo.cfg"))
        assert bare.returncode == 1 and "--replace" in bare.stderr, bare.stderr
        said = export(server)
        assert print_of(data / "version-2.1") == stood, "what was there is kept"
        assert (data / "version-2" / f"snapshot.{str(said['snapshot'])[2:]}").exists()

        server.kind = java(version)
        server.start()
        server.wait_serving()
        assert_same(written, tree(server))
        for each in living:
            reopen(server, each)
        assert digest_mismatches(server) == 0
        fill(server, "d")
        written = tree(server)
        server.end()

        server.kind = RINGKEEPER
        assert "a ZooKeeper server has run there since" in refused(system, server)
        done = tool("import", "--replace", "--json", str(server.folder / "zoo.cfg"))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["renamed"] == [str(data / "ringkeeper.1")]
        server.start()
        server.wait_serving()
        assert_same(written, tree(server))


def test_an_exported_directory_may_be_left_unused() -> None:
    """An operator who changes his mind starts Ringkeeper again beside what he exported."""
    with System(RINGKEEPER, config=CONFIG, properties=PROPERTIES) as system:
        server = system[1]
        fill(server, "a")
        running = tool("export", str(server.folder / "zoo.cfg"))
        assert running.returncode == 1 and "another server is running" in running.stderr
        assert server.end(signal.SIGTERM) == 0
        assert export(server)["renamed"] == []
        server.start()
        server.wait_serving()
        fill(server, "b")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_ensemble_goes_over_and_back(version: str) -> None:
    """Three servers are stopped, all at once, and started as the other kind: epochs, trees and
    sessions are those that were, and the next reign is a later one."""
    with java_ensemble(version) as (system, living):
        for kind in (RINGKEEPER, java(version)):
            zxid = wait_level(system.servers)
            written = tree(system[1])
            for server in system.servers:
                server.end()
                if kind != RINGKEEPER:
                    epoch = int(str(export(server)["accepted_epoch"]))
                    assert epoch >= zxid >> 32
                server.kind = kind
            for server in system.servers:
                server.start()
            for server in system.servers:
                server.wait_serving()
            assert_agree(system.servers)
            assert_same(written, tree(system[2]))
            assert wait_level(system.servers) >> 32 > zxid >> 32, "a new epoch"
            for server, each in zip(reversed(system.servers), living):
                reopen(server, each)
