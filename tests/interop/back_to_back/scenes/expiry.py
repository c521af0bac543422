"""Sessions that end by the clock: expired once, never before their time, never silently replaced."""

from __future__ import annotations

from rig import ops
from rig.ops import Op

from ..stream import Scene


def scenes() -> list[Scene]:
    """Short ticks, so that an expiry takes a second."""
    scene = Scene("expiry", {"tickTime": "200"})
    scene.open("o")
    scene.call("o", Op.ADD_WATCH, ops.path_and_number("/", 1))
    scene.part("silent")
    scene.open("s", timeout_ms=1000)
    scene.call("s", Op.CREATE, ops.create("/gone", b"", flags=1))
    scene.close("s")
    scene.call("o", Op.EXISTS, ops.watched("/gone"))
    scene.pause(3.0)
    scene.call("o", Op.EXISTS, ops.watched("/gone"))
    scene.open("s", session="s")
    scene.part("touched")
    scene.open("t", timeout_ms=1000)
    scene.call("t", Op.CREATE, ops.create("/kept", b"", flags=1))
    for _ in range(6):
        scene.pause(0.4)
        scene.call("t", Op.PING)
    for _ in range(6):
        scene.pause(0.4)
        scene.call("t", Op.EXISTS, ops.watched("/kept"))
    scene.part("reopened")
    scene.close("t")
    scene.pause(0.4)
    scene.open("t", session="t", timeout_ms=1000)
    scene.call("t", Op.GET_EPHEMERALS, ops.path_only("/"))
    scene.call("t", Op.CLOSE_SESSION, ends=True)
    scene.part("timeouts")
    for timeout in (0, 399, 400, 3999, 4000, 700_000):
        scene.open("n", timeout_ms=timeout)
        scene.call("n", Op.CLOSE_SESSION, ends=True)
    return [scene]
