"""A Java server that elects a Ringkeeper finds its quorum port open, whoever saw the end first."""

from __future__ import annotations

import re

from rig.system import Server

from .churn import Churn
from .trio import Said, Trio

REFUSALS = re.compile(r"(?:Failed connect to|Unexpected exception, tries=\d+.*connecting to) .*?:(\d+)")


def refused(said: Said, by: Server) -> list[str]:
    """The lines that tell of a refused connection to a server's quorum port."""
    return [line for line in said.text().splitlines()
            if (found := REFUSALS.search(line)) and int(found[1]) == by.quorum[1]]


def test_a_java_follower_is_never_refused_by_the_ringkeeper_that_it_elects(java_version, cell):
    """Server 3 leads at the start; when it is killed, 2 does; then 3 comes back and 2 is killed."""
    cell("leader", "its port is open before it is elected")
    with Trio.of("JRR", java_version) as system:
        said = Said(system[1])
        with Churn([system[1]], 1) as churn:
            churn.go_on(10)
            for leader, other in ((3, 2), (2, 3), (3, 2)):
                assert system[leader].mode() == "leader"
                system[leader].end()
                assert system.leader() is system[other]
                system[1].wait_serving()
                churn.go_on(10)
                assert refused(said, system[other]) == []
                system[leader].start()
                system[leader].wait_serving()
        system.check(churn)
