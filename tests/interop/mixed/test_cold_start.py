"""Cold starts in every order: one election, one leader, epoch 1, everybody serves."""

from __future__ import annotations

import time

from rig import census, java_log
from rig.system import RINGKEEPER, Server, System
from rig.waiting import until

from . import scenario

START_SECONDS = 40.0
LOOKING = " LOOKING: nobody is served"


def is_up(server: Server) -> bool:
    """Whether the process answers, serving or not; one that has ended fails the test."""
    assert server.process and server.process.poll() is None, server.tail()
    return bool(server.word("srvr"))


def start_in(system: System, order: str) -> None:
    """The first alone; with the second a quorum, which serves before the third comes."""
    started: list[Server] = []
    for digit in order:
        started.append(system[int(digit)])
        started[-1].start()
        until(lambda: is_up(started[-1]), START_SECONDS)
        if len(started) > 1:
            for server in started:
                server.wait_serving(START_SECONDS)


def elections(server: Server) -> int:
    """How many elections a server has begun, by its log."""
    if server.kind.name == "java":
        return java_log.elections(server)
    return server.log.read_text().count(LOOKING)


def test_a_cold_start_takes_one_election(cold, java_version, cell) -> None:
    """In this order, or at once."""
    mix, order = cold
    system = scenario.ensemble(mix, java_version)
    failed = True
    try:
        begun = time.monotonic()
        if order:
            start_in(system, order)
        else:
            for server in system.servers:
                server.start()
        for server in system.servers:
            server.wait_serving(START_SECONDS)
        modes = {server.id: server.mode() for server in system.servers}
        for server in system.servers:
            if server.kind == RINGKEEPER:
                cell(modes[server.id], "cold start")
        print(f"\n{mix} {order or 'at once'}: {modes} in {time.monotonic() - begun:.2f} s, ms",
              {s.id: java_log.elections_took(s) for s in system.servers if s.kind != RINGKEEPER})
        voters = sorted(mode for mode in modes.values() if mode != "observer")
        assert voters == ["follower", "follower", "leader"], modes
        begun_by = {server.id: elections(server) for server in system.servers}
        most = 1 if order else 2  # Who comes while two agree on one of them may win them over.
        assert max(begun_by.values()) <= most, f"elections begun: {begun_by}"
        census.assert_agree(system.servers)
        assert census.zxid_of(system.leader()) >> 32 == 1
        assert {server.id: server.mode() for server in system.servers} == modes
        failed = False
    finally:
        system.stop(keep=failed)
