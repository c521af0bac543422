"""One real server whose leader the test plays; a real ensemble that a played learner comes to."""

from __future__ import annotations

from typing import Iterator

import pytest

from rig.peer import ScriptedLeader
from rig.system import Kind, System

# Elections are quick; nothing ends because the machine is busy.
QUICK = {"tickTime": "500", "initLimit": "60", "syncLimit": "30", "maxSessionTimeout": "60000"}


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
