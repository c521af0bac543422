"""Each op's body cut short at several lengths, and with each length and count in it lied about."""

from __future__ import annotations

from rig import ops
from rig.jute import boolean, buffer, int32, int64, string
from rig.ops import Op

from ..stream import Scene

BODIES: list[tuple[Op, bytes]] = [
    (Op.CREATE, ops.create("/never", b"data")), (Op.CREATE2, ops.create("/never", b"data")),
    (Op.CREATE_CONTAINER, ops.create("/never", b"data", flags=4)),
    (Op.CREATE_TTL, ops.create_ttl("/never", b"data", ops.OPEN, 5, 1000)),
    (Op.DELETE, ops.versioned("/m", 99)), (Op.EXISTS, ops.watched("/m", True)),
    (Op.GET_DATA, ops.watched("/m", True)), (Op.SET_DATA, ops.set_data("/m", b"data", 99)),
    (Op.GET_ACL, ops.path_only("/m")), (Op.SET_ACL, ops.set_acl("/m", ops.OPEN, 99)),
    (Op.GET_CHILDREN, ops.watched("/m", True)), (Op.GET_CHILDREN2, ops.watched("/m", True)),
    (Op.SYNC, ops.path_only("/m")), (Op.CHECK_WATCHES, ops.path_and_number("/m", 3)),
    (Op.REMOVE_WATCHES, ops.path_and_number("/m", 3)), (Op.ADD_WATCH, ops.path_and_number("/m", 0)),
    (Op.SET_WATCHES, ops.set_watches(0, ["/m"], ["/m"], ["/m"])),
    (Op.SET_WATCHES2, ops.set_watches(0, ["/m"], ["/m"], ["/m"], ["/m"], ["/m"])),
    (Op.GET_EPHEMERALS, ops.path_only("/m")), (Op.GET_ALL_CHILDREN_NUMBER, ops.path_only("/m")),
    (Op.RECONFIG, ops.reconfig("a", "b", "c", -1)),
    (Op.MULTI, ops.multi([(Op.SET_DATA, ops.set_data("/m", b"x", 99)), (Op.CHECK, ops.versioned("/m"))])),
    (Op.MULTI_READ, ops.multi([(Op.GET_DATA, ops.watched("/m")), (Op.GET_CHILDREN, ops.watched("/m"))])),
]

LIES = {"null": -1, "minus-two": -2, "least": -0x80000000, "most": 0x7FFFFFFF, "rest-and-one": 100,
        "max": 1048575, "max-and-some": 3 << 20}


def scenes() -> list[Scene]:
    """One scene: truncations, then lies; after each op an honest request shows the server lives."""
    scene = Scene("malformed")
    scene.open("a")
    scene.call("a", Op.CREATE, ops.create("/m", b"m"))
    scene.part("truncated")
    for op, body in BODIES:
        for length in sorted({0, 1, 3, 4, 5, len(body) // 2, len(body) - 5, len(body) - 1}):
            scene.call("a", op, body[:length], what=f"{op.name.lower()}-{length}")
        scene.call("a", Op.EXISTS, ops.watched("/m"))
    scene.part("lies")
    for what, number in LIES.items():
        lie = int32(number)
        for op, body in _lying(lie):
            scene.call("a", op, body, what=f"{what}-{op.name.lower()}")
        scene.call("a", Op.EXISTS, ops.watched("/m"))
    scene.part("headers")
    _ends(scene)
    return [scene]


def _lying(lie: bytes) -> list[tuple[Op, bytes]]:
    """Bodies in which one length or count is the lie."""
    path, data, one = string("/m"), buffer(b"d"), int32(1) + ops.acl(ops.OPEN[0])
    tail = b"0123456789"
    return [
        (Op.CREATE, lie + tail), (Op.CREATE, path + lie + tail), (Op.CREATE, path + data + lie + tail),
        (Op.CREATE2, path + data + int32(1) + int32(31) + lie + tail),
        (Op.CREATE2, path + data + int32(1) + int32(31) + string("world") + lie + tail),
        (Op.SET_DATA, lie + tail), (Op.SET_DATA, path + lie + tail), (Op.DELETE, lie + tail),
        (Op.SET_ACL, path + lie + one[4:] + int32(99)), (Op.SET_ACL, lie + one), (Op.GET_DATA, lie + tail),
        (Op.GET_CHILDREN, lie + tail), (Op.EXISTS, lie + tail), (Op.GET_ACL, lie + tail),
        (Op.SYNC, lie + tail), (Op.ADD_WATCH, lie + tail), (Op.REMOVE_WATCHES, lie + tail),
        (Op.SET_WATCHES, int64(0) + lie + string("/m") + int32(0) + int32(0)),
        (Op.SET_WATCHES, int64(0) + int32(1) + lie + int32(0) + int32(0)),
        (Op.MULTI, int32(Op.SET_DATA) + boolean(False) + int32(-1) + lie + tail),
        (Op.MULTI, lie + boolean(False) + int32(-1) + tail),
        (Op.MULTI_READ, int32(Op.GET_DATA) + boolean(False) + int32(-1) + lie + tail),
    ]


def _ends(s: Scene) -> None:
    """Frames that end the connection."""
    for length in range(8):
        s.open("x")
        s.ending_bytes("x", f"header-of-{length}", int32(length) + bytes(length))
    for number in (-1, -0x80000000, 1048576, 0x7FFFFFFF):
        s.open("x")
        s.ending_bytes("x", f"length-{number}", int32(number) + bytes(100))
    for op, body in ((Op.AUTH, ops.auth("digest", b"a:b")), (Op.SASL, buffer(b"token"))):
        for length in (0, 3, 5, len(body) - 1):
            s.open("x")
            s.call("x", op, body[:length], ends=True, what=f"{op.name.lower()}-{length}")
    s.open("x")
    s.call("x", Op.AUTH, int32(0) + int32(-2), ends=True, what="auth-lie")
    s.call("a", Op.EXISTS, ops.watched("/m"))
