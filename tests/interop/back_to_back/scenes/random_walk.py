"""Requests drawn at random over few znodes by three clients, so that every state meets every op.

The seeds are fixed; the draws use nothing but `random.Random`, whose numbers do not change between
versions of Python for the calls made here.
"""

from __future__ import annotations

from random import Random

from rig import ops
from rig.ops import ADMIN, ALL, READ, WRITE, Op

from ..stream import Scene
from .access import digest

SEEDS = (1, 20, 300)
STEPS = 700
CLIENTS = ("alice", "bob", "carol")
NAMES = ("a", "b", "c")


def scenes() -> list[Scene]:
    """A scene a seed."""
    return [_walk(seed) for seed in SEEDS]


def _walk(seed: int) -> Scene:
    draw = Random(seed)
    scene = Scene(f"random-{seed}", {"extendedTypesEnabled": "true"} if seed == 20 else {})
    scene.part("start")
    for client in CLIENTS:
        scene.login(client, client)
    scene.part("walk")
    for _ in range(STEPS):
        client = draw.choice(CLIENTS)
        op, body = _request(draw)
        scene.call(client, op, body)
    return scene


def _path(draw: Random) -> str:
    depth = draw.choice((1, 1, 2, 2, 3))
    return "".join(f"/{draw.choice(NAMES)}" for _ in range(depth))


def _acls(draw: Random) -> list[ops.Acl]:
    who = draw.choice(CLIENTS)
    lists: list[list[ops.Acl]] = [
        ops.OPEN, ops.OPEN, ops.OPEN, ops.OPEN, [(ALL, "digest", digest(who))], [(READ, "world", "anyone")],
        [(ALL, "auth", "")], [(READ | WRITE, "world", "anyone"), (ADMIN, "digest", digest(who))],
        [(ALL, "ip", "127.0.0.0/8")], [(0, "world", "anyone")], [],
    ]
    return draw.choice(lists)


def _data(draw: Random) -> bytes | None:
    return draw.choice((None, b"", b"x", bytes(draw.randrange(200))))


def _version(draw: Random) -> int:
    return draw.choice((-1, -1, -1, 0, 0, 1, 2, 3))


def _write(draw: Random) -> tuple[Op, bytes]:
    """A request that may also stand in a multi."""
    path = _path(draw)
    flags = draw.choice((0, 0, 0, 0, 0, 2))
    kind = draw.randrange(10)
    if kind < 5:
        op = draw.choice((Op.CREATE, Op.CREATE, Op.CREATE2))
        return op, ops.create(path, _data(draw), _acls(draw), flags)
    if kind < 7:
        return Op.DELETE, ops.versioned(path, _version(draw))
    return Op.SET_DATA, ops.set_data(path, _data(draw), _version(draw))


def _multi(draw: Random) -> tuple[Op, bytes]:
    parts = [_check(draw) if draw.randrange(5) == 0 else _write(draw) for _ in range(draw.randrange(1, 5))]
    return Op.MULTI, ops.multi(parts)


def _check(draw: Random) -> tuple[Op, bytes]:
    return Op.CHECK, ops.versioned(_path(draw), _version(draw))


def _multi_read(draw: Random) -> tuple[Op, bytes]:
    parts = [(draw.choice((Op.GET_DATA, Op.GET_CHILDREN)), ops.watched(_path(draw)))
             for _ in range(draw.randrange(4))]
    return Op.MULTI_READ, ops.multi(parts)


def _watch(draw: Random) -> tuple[Op, bytes]:
    path = _path(draw)
    kind = draw.randrange(4)
    if kind == 0:
        return Op.ADD_WATCH, ops.path_and_number(path, draw.randrange(2))
    if kind == 1:
        op = draw.choice((Op.CHECK_WATCHES, Op.REMOVE_WATCHES))
        return op, ops.path_and_number(path, draw.randrange(1, 6))
    lists = [[_path(draw) for _ in range(draw.randrange(3))] for _ in range(5)]
    zxid = draw.choice((0, 1 << 62))
    if kind == 2:
        return Op.SET_WATCHES, ops.set_watches(zxid, *lists[:3])
    return Op.SET_WATCHES2, ops.set_watches(zxid, *lists)


def _read(draw: Random) -> tuple[Op, bytes]:
    path = _path(draw)
    op = draw.choice((Op.EXISTS, Op.GET_DATA, Op.GET_CHILDREN, Op.GET_CHILDREN2, Op.GET_ACL, Op.SYNC,
                      Op.GET_ALL_CHILDREN_NUMBER))
    if op in (Op.GET_ACL, Op.SYNC, Op.GET_ALL_CHILDREN_NUMBER):
        return op, ops.path_only(path)
    return op, ops.watched(path, draw.randrange(3) == 0)


def _request(draw: Random) -> tuple[Op, bytes]:
    kind = draw.randrange(20)
    if kind < 9:
        return _write(draw)
    if kind < 11:
        return Op.SET_ACL, ops.set_acl(_path(draw), _acls(draw), _version(draw))
    if kind < 13:
        return _multi(draw)
    if kind < 14:
        return _multi_read(draw)
    return _watch(draw) if kind < 16 else _read(draw)
