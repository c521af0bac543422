"""Digests across the border: where nobody is restarted, nobody counts a mismatch."""

from __future__ import annotations

import pytest

from rig.census import digest_mismatches

from .churn import Churn
from .trio import Trio, fill

WRITES = 600


@pytest.mark.parametrize("mix", ["JJR", "RRJ", "JRR", "RJJ"])
def test_no_server_counts_a_mismatch(mix, java_version, cell):
    """Server 3 leads: a Java follower holds its own digests against ours, and ours against Java's."""
    cell("leader" if mix.endswith("R") else "follower", "digests agree txn by txn")
    with Trio.of(mix, java_version) as system:
        with Churn(system.servers, 6) as churn:
            fill(system[1], 500, each=20)
            churn.go_on(WRITES, 60)
        system.check(churn)
        counted = {server.id: digest_mismatches(server) for server in system.servers}
        assert counted == {1: 0, 2: 0, 3: 0}
