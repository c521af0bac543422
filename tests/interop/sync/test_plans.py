"""Every plan that brings a learner level, between real servers of both kinds, in both directions.

A mix names the servers by letters; 1 is the learner, 3 the leader. So `RJJ` is a Ringkeeper brought
level by Apache ZooKeeper and `JRR` the reverse. In the tests of TRUNC, 3 is the leader that was cut
off, and 2 the one that brings it level.
"""

from __future__ import annotations

import pytest

from rig.census import metric

from .churn import Churn
from .trio import SOURCES, TOLD, Said, Trio, kill_midway, leave_a_tail, tail, words_of, write

TO_R, TO_J = "RJJ", "JRR"
BEYOND_JAVAS_MEMORY = 700
BEYOND_OUR_MEMORY = 260
LARGE = 90_000


def role(mix: str) -> str:
    """Ringkeeper's, for the table of what was proved."""
    return "follower" if mix in (TO_R, "RJR") else "leader"


def counted(system: Trio) -> tuple[int, int]:
    """How many DIFFs and SNAPs the leader's metrics tell of."""
    return metric(system[3], "diff_count"), metric(system[3], "snap_count")


@pytest.mark.parametrize("mix", [TO_R, TO_J])
def test_diff_from_memory(mix, java_version, cell):
    """Away for fewer txns than either keeps in memory."""
    cell(role(mix), "DIFF from memory")
    with Trio.of(mix, java_version) as system:
        write(system[3], 5, "before")
        system.lose(1)
        before = counted(system)
        write(system[3], 50, "meanwhile")
        assert system.come_back(1, 3) == (["DIFF"], ["memory"])
        with Churn([system[2], system[3]]) as churn:
            churn.go_on(100)
        assert counted(system) == (before[0] + 1, before[1])
        system.check(churn)


@pytest.mark.parametrize("mix", [TO_R, TO_J])
def test_diff_under_load(mix, java_version, cell):
    """Whether memory still reaches back when the learner asks is a matter of the load."""
    cell(role(mix), "DIFF under load")
    with Trio.of(mix, java_version) as system:
        write(system[3], 5, "before")
        system.lose(1)
        before = counted(system)
        with Churn([system[2], system[3]]) as churn:
            churn.go_on(50)
            assert system.come_back(1, 3)[0] == ["DIFF"]
            churn.go_on(100)
        assert counted(system) == (before[0] + 1, before[1])
        system.check(churn)


@pytest.mark.parametrize("mix", [TO_R, TO_J])
def test_diff_from_disk(mix, java_version, cell):
    """Away for more than Java keeps in memory (500 txns) and more than Ringkeeper does (256 KiB)."""
    cell(role(mix), "DIFF from disk")
    with Trio.of(mix, java_version) as system:
        write(system[3], 5, "before")
        system.lose(1)
        write(system[3], BEYOND_OUR_MEMORY, "large", LARGE)
        write(system[3], BEYOND_JAVAS_MEMORY, "small")
        leader = Said(system[3])
        with Churn([system[2], system[3]]) as churn:
            for after in (0.0, 0.05):
                kill_midway(system, 1, words_of(system[1], "DIFF"), after)
            churn.go_on(50)
            assert system.come_back(1, 3)[0] == ["DIFF"]
            churn.go_on(100)
        assert leader.found(SOURCES)[0] == "log"
        system.check(churn)


@pytest.mark.parametrize("mix", ["RJR", "JRJ"])
def test_trunc(mix, java_version, cell):
    """Nothing was decided since: the tail goes, and nothing comes in its place."""
    cell(role(mix), "TRUNC")
    with Trio.of(mix, java_version) as system:
        with Churn(system.servers) as churn:
            churn.go_on(100)
        leave_a_tail(system)
        system.begin(1, 2)
        plans, _ = system.come_back(3, 2)
        assert plans == ["TRUNC"]
        system.check(churn)
        assert tail(system[3]) == 0


@pytest.mark.parametrize("mix", ["RJR", "JRJ"])
def test_trunc_while_the_others_have_gone_on(mix, java_version, cell):
    """A Java leader sends a snapshot to whoever has a tail of a past epoch; ours truncates it."""
    cell(role(mix), "TRUNC then DIFF")
    with Trio.of(mix, java_version) as system:
        with Churn(system.servers) as before:
            before.go_on(100)
        leave_a_tail(system)
        system.begin(1, 2)
        with Churn([system[1], system[2]]) as churn:
            churn.go_on(100)
            plans, _ = system.come_back(3, 2)
            churn.go_on(100)
        assert plans == (["TRUNC"] if mix == "JRJ" else ["SNAP"])
        system.check(before, churn)
        assert tail(system[3]) == 0


@pytest.mark.parametrize("mix", ["RJR", "JRJ"])
def test_a_tail_of_an_epoch_that_nobody_else_has_seen(mix, java_version, cell):
    """Java truncates across epochs, to what ours holds; ours sends a snapshot instead, because a
    Java learner is not known to hold the place."""
    cell(role(mix), "TRUNC across epochs")
    with Trio.of(mix, java_version) as system:
        with Churn(system.servers) as churn:
            churn.go_on(50)
        for server in list(system.running()):
            server.end()
        system.begin(3, 2, 1)
        leave_a_tail(system, session=False)
        system.begin(1, 2)
        plans, _ = system.come_back(3, 2)
        assert plans == (["SNAP"] if mix == "JRJ" else ["TRUNC"])
        system.check(churn)


@pytest.mark.parametrize("mix", ["RJR", "JRJ"])
def test_a_tail_whose_owner_is_elected_is_kept_by_all(mix, java_version, cell):
    """It was never acknowledged, and is everybody's once its owner leads again."""
    cell("leader" if mix == "RJR" else "follower", "a leader's tail becomes everybody's")
    with Trio.of(mix, java_version) as system:
        with Churn(system.servers) as churn:
            churn.go_on(50)
        leave_a_tail(system)
        learner = Said(system[2])
        system.begin(2, 3)
        assert learner.found(TOLD) == ["DIFF"]
        assert system.come_back(1, 3)[0] == ["DIFF"]
        system.check(churn)
        assert {tail(server) for server in system.servers} == {20}


@pytest.mark.parametrize("mix", [TO_R, TO_J])
def test_a_learner_from_nothing(mix, java_version, cell):
    """Java sends a snapshot, fuzzy under load; ours all of a whole log."""
    cell(role(mix), "a learner from nothing")
    with Trio.of(mix, java_version) as system:
        with Churn(system.servers) as churn:
            churn.go_on(200)
            system[1].end()
            system.wipe(1)
            plans, _ = system.come_back(1, 3)
            churn.go_on(200)
        assert plans == (["SNAP"] if mix == TO_R else ["DIFF"])
        system.check(churn)
