"""One real server whose leader the test plays; a real ensemble that a played learner comes to."""

from __future__ import annotations

from typing import Iterator

import pytest

from rig.peer import ScriptedLeader
from rig.system import Kind, System

# Elections are quick; nothing ends because the machine is busy.
QUICK = {"tickTime": "500", "initLimit": "60", "syncLimit": "30", "maxSessionTimeout": "60000"}


def pytest_configure(config: pytest.Config) -> None:
    """Names the mark of tests that hold here and not of Apache ZooKeeper."""
    config.addinivalue_line("markers", "java_breaks: Apache ZooKeeper answers otherwise, hangs or dies")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--subject java` what does not hold of it is not asked of it."""
    if config.getoption("--subject").startswith("java"):
        for item in items:
            if item.get_closest_marker("java_breaks"):
                item.add_marker(pytest.mark.skip(reason="a defect of Apache ZooKeeper"))


@pytest.fixture
def played(request: pytest.FixtureRequest, kind: Kind) -> Iterator[ScriptedLeader]:
    """Server 1 of three is real and starts from nothing; the test is servers 2 and 3."""
    failures = request.session.testsfailed
    system = System(kind, 3, config=QUICK)
    try:
        system[1].start()
        with ScriptedLeader(system) as leader:
            yield leader
    finally:
        system.stop(keep=request.session.testsfailed > failures)
