"""Containers and TTL znodes, and the reaper of both. The clock runs only in pauses."""

from __future__ import annotations

from rig import ops
from rig.ops import Op

from ..stream import Scene

MOST = (1 << 40) - 1


def scenes() -> list[Scene]:
    """A reaper that looks often; every wait is several of its rounds."""
    scene = Scene("extended", {"extendedTypesEnabled": "true"}, {"znode.container.checkIntervalMs": "200"})
    scene.open("a")
    scene.open("w")
    for part in (_refusals, _ttl, _reaping, _containers):
        scene.part(part.__name__.strip("_"))
        part(scene)
    return [scene]


def _ttl(s: Scene) -> None:
    s.call("a", Op.CREATE_TTL, ops.create_ttl("/t", b"x", ops.OPEN, 5, 3_600_000))
    s.call("a", Op.EXISTS, ops.watched("/t"))
    s.call("a", Op.CREATE, ops.create("/t/child", b""))
    s.call("a", Op.CREATE, ops.create("/t/eph", b"", flags=1))
    s.call("a", Op.GET_EPHEMERALS, ops.path_only("/"))
    s.call("a", Op.CREATE_TTL, ops.create_ttl("/t/s-", b"x", ops.OPEN, 6, MOST))
    s.call("a", Op.CREATE_TTL, ops.create_ttl("/t", b"x", ops.OPEN, 5, 1000))
    s.call("a", Op.SET_DATA, ops.set_data("/t", b"y"))


def _refusals(s: Scene) -> None:
    """A negative ttl with flags that are no TTL's ends a Java server (`hostile` has that one)."""
    for flags in (0, 1, 2, 3, 4, 5, 6, 7, -1):
        for ttl in (0, MOST, MOST + 1) if 0 <= flags <= 4 else (0, -1, MOST, MOST + 1, -(1 << 63)):
            s.call("a", Op.CREATE_TTL, ops.create_ttl(f"/f{flags}-", b"", ops.OPEN, flags, ttl))
    for op in (Op.CREATE, Op.CREATE2, Op.CREATE_CONTAINER):
        for flags in (5, 6):
            s.call("a", op, ops.create(f"/x{op}-{flags}", b"", flags=flags))
    s.call("a", Op.CREATE_TTL, ops.create_ttl("/no/parent", b"", ops.OPEN, 5, 1000))
    s.call("a", Op.CREATE_TTL, ops.create_ttl("/acl", b"", [], 5, 1000))


def _reaping(s: Scene) -> None:
    s.call("w", Op.ADD_WATCH, ops.path_and_number("/", 1))
    s.call("a", Op.CREATE_TTL, ops.create_ttl("/short", b"", ops.OPEN, 5, 300))
    s.pause(1.5)
    s.call("a", Op.EXISTS, ops.watched("/short"))
    s.call("a", Op.CREATE_TTL, ops.create_ttl("/parent", b"", ops.OPEN, 5, 700))
    s.call("a", Op.CREATE, ops.create("/parent/child", b""))
    s.pause(2.0)
    s.call("a", Op.EXISTS, ops.watched("/parent"))
    s.call("a", Op.DELETE, ops.versioned("/parent/child"))
    s.pause(1.0)
    s.call("a", Op.EXISTS, ops.watched("/parent"))


def _containers(s: Scene) -> None:
    s.call("a", Op.CREATE_CONTAINER, ops.create("/box", b"", flags=4))
    s.pause(1.0)
    s.call("a", Op.EXISTS, ops.watched("/box"))
    s.call("a", Op.CREATE, ops.create("/box/in", b""))
    s.call("a", Op.DELETE, ops.versioned("/box/in"))
    s.pause(1.0)
    s.call("a", Op.EXISTS, ops.watched("/box"))
    s.call("a", Op.CREATE_CONTAINER, ops.create("/box", b"", flags=0))
    s.call("a", Op.DELETE, ops.versioned("/box"))
    s.call("a", Op.MULTI, ops.multi([(Op.CREATE, ops.create("/mbox", b"", flags=4)),
                                     (Op.CREATE, ops.create("/mbox/c", b"")),
                                     (Op.DELETE, ops.versioned("/mbox/c"))]))
    s.pause(1.0)
    s.call("a", Op.EXISTS, ops.watched("/mbox"))
