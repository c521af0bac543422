"""Watches of every kind: what fires, in which order, for whom, and what is left afterwards."""

from __future__ import annotations

from rig import ops
from rig.jute import Text
from rig.ops import ALL, READ, Op

from ..stream import Scene
from .access import digest

FAR = 1 << 62


def scenes() -> list[Scene]:
    """`w` watches, `a` acts."""
    scene = Scene("watches")
    scene.open("a")
    scene.open("w")
    for part in (_one_shot, _persistent, _several, _multis, _removal, _catch_up, _forbidden, _own,
                 _lost):
        scene.part(part.__name__.strip("_"))
        scene.call("a", Op.CREATE, ops.create(f"/{scene.section}", b""))
        part(scene, f"/{scene.section}")
    return [scene]


def _life(s: Scene, path: str) -> None:
    """One znode's whole life, with a child's within it."""
    s.call("a", Op.CREATE, ops.create(path, b"1"))
    s.call("a", Op.SET_DATA, ops.set_data(path, b"2"))
    s.call("a", Op.SET_ACL, ops.set_acl(path, ops.OPEN))
    s.call("a", Op.CREATE, ops.create(f"{path}/c", b""))
    s.call("a", Op.SET_DATA, ops.set_data(f"{path}/c", b"3"))
    s.call("a", Op.DELETE, ops.versioned(f"{path}/c"))
    s.call("a", Op.DELETE, ops.versioned(path))


def _one_shot(s: Scene, p: str) -> None:
    s.call("a", Op.CREATE, ops.create(f"{p}/x", b""))
    for op in (Op.EXISTS, Op.GET_DATA, Op.GET_CHILDREN, Op.GET_CHILDREN2):
        s.call("w", op, ops.watched(f"{p}/x", True))
        s.call("w", op, ops.watched(f"{p}/absent", True))
        for action, body in ((Op.SET_DATA, ops.set_data(f"{p}/x", b"1")),
                             (Op.CREATE, ops.create(f"{p}/x/c", b"")),
                             (Op.DELETE, ops.versioned(f"{p}/x/c")),
                             (Op.CREATE, ops.create(f"{p}/absent", b"")),
                             (Op.DELETE, ops.versioned(f"{p}/absent")),
                             (Op.DELETE, ops.versioned(f"{p}/x")),
                             (Op.CREATE, ops.create(f"{p}/x", b""))):
            s.call("a", action, body, what=f"{op.name.lower()}-{action.name.lower()}")
    s.call("w", Op.GET_CHILDREN, ops.watched("/", True))
    s.call("a", Op.CREATE, ops.create("/top", b""))
    s.call("a", Op.CREATE, ops.create("/top2", b""))
    s.call("w", Op.GET_DATA, ops.watched("", True))
    s.call("a", Op.SET_DATA, ops.set_data("/", b"root"))


def _persistent(s: Scene, p: str) -> None:
    for mode in (0, 1, 2, -1, 7):
        s.call("w", Op.ADD_WATCH, ops.path_and_number(f"{p}/x", mode), what=f"mode{mode}")
        _life(s, f"{p}/x")
        _life(s, f"{p}/x")
        s.call("w", Op.REMOVE_WATCHES, ops.path_and_number(f"{p}/x", 3))
    s.call("w", Op.ADD_WATCH, ops.path_and_number("/", 1))
    _life(s, f"{p}/y")
    s.call("w", Op.REMOVE_WATCHES, ops.path_and_number("/", 5))
    s.call("w", Op.ADD_WATCH, ops.path_and_number("/", 0))
    _life(s, "/direct")
    s.call("w", Op.REMOVE_WATCHES, ops.path_and_number("/", 4))
    s.call("w", Op.ADD_WATCH, ops.path_and_number(f"{p}/", 1))
    _life(s, f"{p}/z")


def _several(s: Scene, p: str) -> None:
    """One event for each connection, trigger and table, however many watches match."""
    s.call("w", Op.ADD_WATCH, ops.path_and_number(p, 1))
    s.call("w", Op.ADD_WATCH, ops.path_and_number(f"{p}/x", 1))
    s.call("w", Op.ADD_WATCH, ops.path_and_number(f"{p}/x", 0))
    s.call("w", Op.EXISTS, ops.watched(f"{p}/x", True))
    _life(s, f"{p}/x")
    s.call("a", Op.CREATE, ops.create(f"{p}/x", b""))
    s.call("w", Op.GET_DATA, ops.watched(f"{p}/x", True))
    s.call("w", Op.GET_CHILDREN, ops.watched(f"{p}/x", True))
    s.call("a", Op.DELETE, ops.versioned(f"{p}/x"))
    s.open("w2")
    s.call("w2", Op.EXISTS, ops.watched(f"{p}/x", True))
    s.call("w2", Op.GET_CHILDREN, ops.watched(p, True))
    _life(s, f"{p}/x")
    s.word("wchs")
    s.word("wchp")
    s.call("w2", Op.CLOSE_SESSION, ends=True)
    s.call("w", Op.REMOVE_WATCHES, ops.path_and_number(p, 3))


def _multis(s: Scene, p: str) -> None:
    s.call("w", Op.ADD_WATCH, ops.path_and_number(p, 1))
    s.call("w", Op.GET_CHILDREN, ops.watched(p, True))
    parts = [(Op.CREATE, ops.create(f"{p}/a", b"")), (Op.CREATE, ops.create(f"{p}/a/b", b"")),
             (Op.SET_DATA, ops.set_data(f"{p}/a", b"1")), (Op.DELETE, ops.versioned(f"{p}/a/b")),
             (Op.CREATE, ops.create(f"{p}/s-", b"", flags=2)), (Op.CHECK, ops.versioned(f"{p}/a"))]
    s.call("a", Op.MULTI, ops.multi(parts))
    s.call("a", Op.MULTI, ops.multi([*parts[2:3], (Op.CREATE, ops.create(f"{p}/a", b""))]))
    s.call("w", Op.MULTI, ops.multi([(Op.DELETE, ops.versioned(f"{p}/a"))]))
    s.call("w", Op.MULTI_READ, ops.multi([(Op.GET_DATA, ops.watched(p, True))]))
    s.call("a", Op.SET_DATA, ops.set_data(p, b"x"))
    s.pipeline("w", [(Op.CREATE, ops.create(f"{p}/p", b"")), (Op.GET_DATA, ops.watched(f"{p}/p", True)),
                     (Op.SET_DATA, ops.set_data(f"{p}/p", b"1")), (Op.DELETE, ops.versioned(f"{p}/p")),
                     (Op.EXISTS, ops.watched(f"{p}/p"))], "own-events-between-own-replies")
    s.call("w", Op.REMOVE_WATCHES, ops.path_and_number(p, 5))


def _set_all_kinds(s: Scene, path: str) -> None:
    s.call("w", Op.GET_DATA, ops.watched(path, True))
    s.call("w", Op.GET_CHILDREN, ops.watched(path, True))
    s.call("w", Op.ADD_WATCH, ops.path_and_number(path, 0))
    s.call("w", Op.ADD_WATCH, ops.path_and_number(path, 1))


def _removal(s: Scene, p: str) -> None:
    for kind in (1, 2, 3, 4, 5, 0, 6, -1):
        for op in (Op.CHECK_WATCHES, Op.REMOVE_WATCHES):
            s.call("w", op, ops.path_and_number(p, kind), what=f"none-set-{kind}")
    _set_all_kinds(s, p)
    for kind in (1, 2, 3, 4, 5):
        s.call("w", Op.CHECK_WATCHES, ops.path_and_number(p, kind), what=f"all-set-{kind}")
        s.call("a", Op.REMOVE_WATCHES, ops.path_and_number(p, kind), what=f"of-another-{kind}")
    for kind in (5, 4, 2, 1, 3):
        s.call("w", Op.REMOVE_WATCHES, ops.path_and_number(p, kind), what=f"each-{kind}")
        s.call("w", Op.REMOVE_WATCHES, ops.path_and_number(p, kind), what=f"again-{kind}")
    for kind in (1, 2, 3, 4, 5):
        _set_all_kinds(s, p)
        s.call("w", Op.REMOVE_WATCHES, ops.path_and_number(p, kind), what=f"left-by-{kind}")
        s.call("a", Op.SET_DATA, ops.set_data(p, b"x"))
        s.call("a", Op.CREATE, ops.create(f"{p}/k{kind}", b""))
        s.call("w", Op.REMOVE_WATCHES, ops.path_and_number(p, 3))
    s.call("w", Op.EXISTS, ops.watched(f"{p}/absent", True))
    s.call("w", Op.CHECK_WATCHES, ops.path_and_number(f"{p}/absent", 2))
    s.call("w", Op.REMOVE_WATCHES, ops.path_and_number(f"{p}/absent", 2))
    s.call("a", Op.CREATE, ops.create(f"{p}/absent", b""))


def _catch_up(s: Scene, p: str) -> None:
    s.call("a", Op.CREATE, ops.create(f"{p}/x", b""))
    x, gone = f"{p}/x", f"{p}/gone"
    for zxid in (0, FAR, -1):
        for lists in (([x, gone], [], []), ([], [x, gone], []), ([], [], [x, gone]),
                      ([x], [x], [x]), ([gone, x, gone], [gone, x], [gone, x])):
            s.call("w", Op.SET_WATCHES, ops.set_watches(zxid, *lists))
        s.call("w", Op.SET_WATCHES2, ops.set_watches(zxid, [x], [gone], [x], [gone], [p]))
        s.call("a", Op.SET_DATA, ops.set_data(x, b"1"))
        s.call("a", Op.CREATE, ops.create(gone, b""))
        s.call("a", Op.CREATE, ops.create(f"{x}/c", b""))
        s.call("a", Op.DELETE, ops.versioned(f"{x}/c"))
        s.call("a", Op.DELETE, ops.versioned(gone))
        for path in (x, gone, p):
            s.call("w", Op.REMOVE_WATCHES, ops.path_and_number(path, 3))
    broken: list[list[list[Text] | None]] = [
        [None, [], []], [[], None, []], [[], [], None], [["t", "", None], [], []]]
    for parts in broken:
        s.call("w", Op.SET_WATCHES, ops.set_watches(0, *parts))
    s.call("w", Op.SET_WATCHES2, ops.set_watches(0, [], [], [], None, []))
    s.call("w", Op.SET_WATCHES2, ops.set_watches(0, [], [], []))


def _forbidden(s: Scene, p: str) -> None:
    """An event goes only to who may read, by the list at the moment it fires."""
    mine = [(ALL, "digest", digest("bob"))]
    s.login("bob", "bob")
    s.call("bob", Op.CREATE, ops.create(f"{p}/secret", b"", mine))
    for name in ("w", "bob"):
        s.call(name, Op.ADD_WATCH, ops.path_and_number(p, 1))
        s.call(name, Op.EXISTS, ops.watched(f"{p}/secret/new", True))
        s.call(name, Op.GET_CHILDREN, ops.watched(p, True))
    s.call("bob", Op.SET_DATA, ops.set_data(f"{p}/secret", b"1"))
    s.call("bob", Op.CREATE, ops.create(f"{p}/secret/new", b"", mine))
    s.call("bob", Op.CREATE, ops.create(f"{p}/secret/open", b"", ops.OPEN))
    s.call("bob", Op.SET_ACL, ops.set_acl(f"{p}/secret", [(READ, "world", "anyone"), *mine]))
    s.call("bob", Op.SET_DATA, ops.set_data(f"{p}/secret", b"2"))
    s.call("bob", Op.DELETE, ops.versioned(f"{p}/secret/new"))
    s.call("bob", Op.DELETE, ops.versioned(f"{p}/secret/open"))
    s.call("bob", Op.SET_ACL, ops.set_acl(f"{p}/secret", mine))
    s.call("bob", Op.DELETE, ops.versioned(f"{p}/secret"))
    s.call("w", Op.SET_WATCHES, ops.set_watches(0, [f"{p}/secret"], [], []))
    s.call("w", Op.REMOVE_WATCHES, ops.path_and_number(p, 3))
    s.call("bob", Op.CLOSE_SESSION, ends=True)


def _own(s: Scene, p: str) -> None:
    """The event stands before the reply of the write that caused it."""
    s.call("w", Op.EXISTS, ops.watched(f"{p}/x", True))
    s.call("w", Op.GET_CHILDREN, ops.watched(p, True))
    s.call("w", Op.CREATE, ops.create(f"{p}/x", b"", flags=1))
    s.call("a", Op.EXISTS, ops.watched(f"{p}/x", True))
    s.call("a", Op.GET_CHILDREN, ops.watched(p, True))
    s.call("w", Op.CLOSE_SESSION, ends=True)


def _lost(s: Scene, p: str) -> None:
    """Watches end with the connection, not with the session."""
    s.open("w")
    s.call("w", Op.ADD_WATCH, ops.path_and_number(p, 1))
    s.close("w")
    s.open("w", session="w")
    _life(s, f"{p}/x")
    s.word("wchs")
