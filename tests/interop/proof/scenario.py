"""Java servers and an observer, filled, under load, and killed."""

from __future__ import annotations

import shutil
import signal
import time

from proof.load import CONFIG, PROPERTIES, Load, wait_calm
from proof.report import PROOF, report
from rig import ops
from rig.census import SUPER_PROPERTIES
from rig.ops import Op
from rig.system import Server, System
from rig.wire import Connection

TICK = {"tickTime": "500", **CONFIG}


def ensemble(mix: str, version: str) -> System:
    """Three voters and an observer, which proves if it is ours; not started."""
    properties = {**SUPER_PROPERTIES, **PROPERTIES}
    system = System.mixed(mix, version, config=TICK, properties=properties)
    if mix.endswith("r"):
        system[4].properties.update(PROOF)
    return system


def kill_leaders_under_load(system: System, rounds: int, step_seconds: float) -> tuple[Server, int]:
    """So often the leader of the first three is killed under load, and comes back, but never the
    last that was not. That one, and how many requests there were."""
    unharmed = list(system.servers[:3])
    with Load(system.servers) as load:
        time.sleep(step_seconds)
        for _ in range(rounds):
            leader = system.leader()
            if leader in unharmed and len(unharmed) == 1:
                break
            leader.end(signal.SIGKILL)
            unharmed = [server for server in unharmed if server is not leader]
            time.sleep(step_seconds)
            leader.start()
            leader.wait_serving(60)
            time.sleep(step_seconds)
    wait_calm(system.leader())
    return unharmed[0], load.sent


def join_by_snapshot(observer: Server) -> None:
    """The observer's data is gone: it is sent the whole tree."""
    observer.end(signal.SIGKILL)
    shutil.rmtree(observer.folder / "data" / "ringkeeper")
    observer.start()
    observer.wait_serving()
    assert report(observer).number("syncs_snap") == 1


def fill(server: Server, parent: str, count: int) -> None:
    """Makes `count` znodes, two levels deep."""
    connection = Connection(server.client, timeout=60)
    assert connection.handshake(30000) is not None
    assert connection.call(Op.CREATE, ops.create(parent))[0] == 0
    for at in range(0, count, 100):
        parts = [(int(Op.CREATE), ops.create(f"{parent}/{n}", b"x" * 40))
                 for n in range(at, min(at + 100, count))]
        assert connection.call(Op.MULTI, ops.multi(parts))[0] == 0
    connection.call(Op.CLOSE_SESSION)
    connection.close()
