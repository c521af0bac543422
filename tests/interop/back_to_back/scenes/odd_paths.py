"""Every op that takes a path, with every path that is not quite one."""

from __future__ import annotations

from rig import ops
from rig.jute import Text
from rig.ops import Op

from ..stream import Scene

PATHS: list[Text] = [
    "", "t", "/", "//", "/t/", "/t//x", "//t", "/./t", "/t/.", "/t/..", "/../t", "/t/../t", "/t/...",
    "/.t", "/t.", "/t/ ", "/t b", "/t\0", "\0", "/\0/t", "/t\x01", "/t\x1f", "/t\x20", "/t\x7e", "/t\x7f",
    "/t\x9f", "/t\xa0", b"/t\xed\xa0\x80", b"/t\xed\xbf\xbf", "/t\ue000", "/t\uf8ff", "/t\uf900",
    "/t\uffef", "/t\ufff0", "/t\uffff", "/t\U0001F600", "/t\u00fc\u4e2d", b"/t\xff", b"/t\xc0\x80",
    b"/t\xe2\x82", b"\xed\xa0\xbd\xed\xb8\x80", "/zookeeper", "/zookeeper/", "/zookeeper/quota",
    "/zookeeper/config", "/zookeeper/config/x", None, "/t" * 300, "relative/path", "/t\n", "/t\t",
]


def scenes() -> list[Scene]:
    """One scene: the ops in turn, each over all paths."""
    scene = Scene("odd-paths")
    scene.open("a")
    scene.call("a", Op.CREATE, ops.create("/t", b"t"))
    bodies = {
        Op.EXISTS: lambda p: ops.watched(p, True), Op.GET_DATA: lambda p: ops.watched(p, True),
        Op.GET_CHILDREN: ops.watched, Op.GET_CHILDREN2: lambda p: ops.watched(p, True),
        Op.GET_ACL: ops.path_only, Op.SYNC: ops.path_only, Op.GET_EPHEMERALS: ops.path_only,
        Op.GET_ALL_CHILDREN_NUMBER: ops.path_only, Op.SET_DATA: lambda p: ops.set_data(p, b"s"),
        Op.SET_ACL: lambda p: ops.set_acl(p, ops.OPEN), Op.DELETE: lambda p: ops.versioned(p, 77),
        Op.ADD_WATCH: lambda p: ops.path_and_number(p, 0),
        Op.CHECK_WATCHES: lambda p: ops.path_and_number(p, 3),
        Op.REMOVE_WATCHES: lambda p: ops.path_and_number(p, 3),
        Op.CREATE2: lambda p: ops.create(p, b"new"),
        Op.CREATE: lambda p: ops.create(p, b"new", flags=2),
    }
    for op, body in bodies.items():
        scene.part(op.name.lower())
        for number, path in enumerate(PATHS):
            scene.call("a", op, body(path), what=f"path{number}")
    scene.part("multi")
    for number, path in enumerate(PATHS):
        parts = [(Op.CHECK, ops.versioned(path)), (Op.SET_DATA, ops.set_data(path, b"m", 77))]
        scene.call("a", Op.MULTI, ops.multi(parts), what=f"path{number}")
    return [scene]
