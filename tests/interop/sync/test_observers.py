"""An observer that comes back, across the border: DIFF and INFORM under load, and from nothing."""

from __future__ import annotations

import pytest

from .churn import Churn
from .trio import Trio, write


@pytest.mark.parametrize("mix", ["RRj", "JJr"])
def test_an_observer_comes_back_and_comes_with_nothing(mix, java_version, cell):
    """Server 2 leads. Java gives an empty learner a snapshot, ours all of a whole log."""
    cell("leader" if mix == "RRj" else "observer", "an observer is brought level")
    with Trio.of(mix, java_version) as system:
        with Churn(system.servers[:2]) as churn:
            churn.go_on(100)
            system[3].end()
            churn.go_on(50)
            plans, _ = system.come_back(3, 2)
            assert plans == ["DIFF"]
            assert system[3].mode() == "observer"
            system[3].end()
            system.wipe(3)
            plans, _ = system.come_back(3, 2)
            assert plans == (["DIFF"] if mix == "RRj" else ["SNAP"])
            churn.go_on(100)
        with Churn([system[3]]) as through:
            through.go_on(50)
        system.lose(3)
        write(system[2], 50, "meanwhile")
        assert system.come_back(3, 2) == (["DIFF"], ["memory"])
        system.check(churn, through)
