"""Snapshots between real servers, while writes arrive and while the learner is killed in their midst.

Server 3 is a Ringkeeper that comes with nothing to two Java servers, is sent a snapshot, and leads
afterwards. Its log begins with that snapshot, so a Java server that comes with nothing to it gets one
as well. With `--exhaustive` the tree has 500,000 znodes.
"""

from __future__ import annotations

from typing import Iterator

import pytest

from rig.census import zxid_of

from .churn import Churn
from .trio import TOLD, Trio, fill, kill_midway, words_of

SMALL, LARGE = 10_000, 500_000
KILLED_AFTER = (0.0, 0.02, 0.1)
# `hash` shows every 128th zxid.
WRITES_AFTER = 300


@pytest.fixture(scope="module")
def system(request: pytest.FixtureRequest, java_version: str) -> Iterator[Trio]:
    """Two Java servers and a Ringkeeper, and a tree."""
    znodes = LARGE if request.config.getoption("--exhaustive") else SMALL
    failures = request.session.testsfailed
    trio = Trio.of("JJR", java_version, initLimit="120")
    try:
        trio.begin(1, 2, 3)
        fill(trio[2], znodes)
        yield trio
    finally:
        trio.stop(keep=request.session.testsfailed > failures)


def _killed_and_levelled(system: Trio, id: int, leader: int, others: Churn) -> int:
    """Kills a server in the midst of its snapshots, then lets it come level; the zxid after which
    all trees must be the same. Where one was whole by the time of the kill the next plan is DIFF."""
    plans = []
    for after in KILLED_AFTER:
        said = kill_midway(system, id, words_of(system[id], "SNAP"), after)
        plans += [plan for word, plan in TOLD.items() if word in said]
    plans += system.come_back(id, leader)[0]
    assert plans[0] == "SNAP" and "TRUNC" not in plans
    level = zxid_of(system[leader])
    others.go_on(WRITES_AFTER)
    return level


def test_a_java_leaders_snapshot(system, cell):
    """It is written while the tree changes, and holds some of what is sent again after it."""
    cell("follower", "SNAP under load")
    system.lose(3)
    system.wipe(3)
    with Churn([system[1], system[2]]) as churn:
        churn.go_on(50)
        level = _killed_and_levelled(system, 3, 2, churn)
    system.check(churn, digests_from=level)


def test_a_ringkeeper_leaders_snapshot(system, cell):
    """3 leads, since 2 was killed and has no more than it."""
    cell("leader", "SNAP under load")
    system.lose(1)
    system.wipe(1)
    system[2].end()
    system.begin(2)
    assert system[3].mode() == "leader"
    with Churn([system[2], system[3]]) as churn:
        churn.go_on(50)
        level = _killed_and_levelled(system, 1, 3, churn)
    system.check(churn, digests_from=level)
