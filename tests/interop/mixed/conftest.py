"""What the mixed suite shares: the pure Java run beside it, and the mixes and orders to test."""

from __future__ import annotations

from itertools import permutations

import pytest

from . import ordinary
from .ordinary import Ordinary

REIGNS = ["JJRr", "JRRj", "RJRr"]
COLD_STARTS = [("JJR", "123"), ("JJR", "321"), ("JRR", "213"), ("JRR", "312"), ("RJR", "132"),
               ("RJR", "231"), ("JJR", ""), ("JRRj", ""), ("RJRr", "")]

VOTERS = ["JJR", "JRJ", "RJJ", "JRR", "RJR", "RRJ"]
ALL_REIGNS = [voters + observer for voters in VOTERS for observer in ("", "r", "j")]
ALL_COLD_STARTS = [(voters, "".join(order)) for voters in VOTERS for order in permutations("123")]
ALL_COLD_STARTS += [(voters + observer, "") for voters in VOTERS for observer in ("", "r", "j")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A few of each, or with `--exhaustive` all. An order is of ids; an empty one is all at once."""
    every = metafunc.config.getoption("--exhaustive")
    if "mix" in metafunc.fixturenames:
        metafunc.parametrize("mix", ALL_REIGNS if every else REIGNS)
    if "cold" in metafunc.fixturenames:
        starts = ALL_COLD_STARTS if every else COLD_STARTS
        metafunc.parametrize("cold", starts, ids=[f"{mix}-{order or 'at-once'}" for mix, order in starts])


@pytest.fixture(scope="session")
def pure(java_version: str) -> Ordinary:
    """What Apache ZooKeeper alone does in the scenario: in a run of this session, and in those kept."""
    outcome = ordinary.run_pure(java_version)
    print(f"\n{ordinary.PURE}, {java_version}\n{outcome.told()}")
    faults = "\n".join(outcome.faults[:20])
    assert not outcome.faults or outcome.struck_by, f"the scenario fails on Java alone:\n{faults}"
    known = ordinary.load(java_version)
    known.add(outcome)
    return known
