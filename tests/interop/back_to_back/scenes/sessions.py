"""The handshake and what follows it: negotiation, reopening, moving, refusals."""

from __future__ import annotations

from rig import ops
from rig.ops import Op

from ..stream import MINUTES, Scene


def scenes() -> list[Scene]:
    """One scene; `o` looks on."""
    scene = Scene("sessions")
    scene.open("o")
    for part in (_negotiation, _reopening, _wrong, _moving, _closing, _legacy):
        scene.part(part.__name__.strip("_"))
        part(scene)
    return [scene]


def _negotiation(s: Scene) -> None:
    for timeout in (0, 1, -1, 3999, 4000, 4001, 39999, 599_999, 600_001, 0x7FFFFFFF, -0x80000000):
        s.open("n", timeout_ms=timeout)
        s.call("n", Op.CLOSE_SESSION, ends=True)
    for version in (1, -1, 99):
        s.open("n", version=version)
        s.call("n", Op.CLOSE_SESSION, ends=True)
    for zxid in (-1, -(1 << 63), 1 << 62, (1 << 63) - 1):
        s.open("n", last_zxid=zxid)
    s.open("n", password=b"")
    s.open("n", null_password=True)
    s.open("n", password=b"x" * 100)
    s.open("n", read_only=True)
    s.call("n", Op.EXISTS, ops.watched("/"))


def _reopening(s: Scene) -> None:
    s.open("r")
    s.call("r", Op.CREATE, ops.create("/r-eph", b"", flags=1))
    s.close("r")
    s.call("o", Op.EXISTS, ops.watched("/r-eph"))
    s.open("r", session="r", timeout_ms=5000)
    s.call("r", Op.GET_EPHEMERALS, ops.path_only("/"))
    s.call("r", Op.CREATE, ops.create("/r-eph2", b"", flags=1))
    s.close("r")
    s.open("r", session="r", timeout_ms=MINUTES, last_zxid=-5)
    s.call("r", Op.GET_EPHEMERALS, ops.path_only("/"))
    s.call("r", Op.WHO_AM_I)
    s.open("r", session="r", last_zxid=1 << 62)
    s.open("r", session="r")
    s.call("r", Op.EXISTS, ops.watched("/r-eph"))


def _wrong(s: Scene) -> None:
    """A wrong password is refused, and costs the good connection."""
    s.open("good")
    s.call("good", Op.CREATE, ops.create("/good-eph", b"", flags=1))
    for password in (bytes(16), b"", b"x" * 16, b"x" * 17):
        s.open("bad", session="good", password=password)
        s.open("good", session="good")
    s.open("bad", session="good", null_password=True)
    s.open("bad", session="good", password=bytes(16), read_only=None)
    s.open("good", session="good")
    s.call("good", Op.EXISTS, ops.watched("/good-eph"))
    s.call("good", Op.CLOSE_SESSION, ends=True)
    s.open("good", session="good")
    s.open("good", session="good", read_only=None)
    s.call("o", Op.EXISTS, ops.watched("/good-eph"))


def _moving(s: Scene) -> None:
    """A second connection takes the session over; the first is closed."""
    s.open("one")
    s.call("one", Op.CREATE, ops.create("/moving", b"", flags=1))
    s.call("one", Op.GET_DATA, ops.watched("/moving", True))
    s.open("two", session="one")
    s.call("two", Op.SET_DATA, ops.set_data("/moving", b"two"))
    s.open("one", session="two")
    s.call("one", Op.SET_DATA, ops.set_data("/moving", b"one"))
    s.call("one", Op.CLOSE_SESSION, ends=True)
    s.call("o", Op.EXISTS, ops.watched("/moving"))


def _closing(s: Scene) -> None:
    """Nothing is sent behind a closeSession here: whether Java drops it, answers -112 or takes a zxid
    for it is a race of its threads. `hostile` asks ours to drop it.
    """
    s.open("c")
    s.call("o", Op.CREATE, ops.create("/closing", b""))
    s.call("o", Op.ADD_WATCH, ops.path_and_number("/closing", 1))
    s.call("c", Op.CREATE, ops.create("/closing/only", b"", flags=1))
    s.call("c", Op.MULTI, ops.multi([(Op.DELETE, ops.versioned("/closing/only")),
                                     (Op.CREATE, ops.create("/closing/only", b"", flags=1))]))
    s.call("c", Op.CLOSE_SESSION, ends=True)
    s.open("c")
    s.pipeline("c", [(Op.CREATE, ops.create("/closing/eph", b"", flags=1)),
                     (Op.CLOSE_SESSION, b"")], "behind-a-write")
    s.call("o", Op.GET_CHILDREN2, ops.watched("/closing"))


def _legacy(s: Scene) -> None:
    """A client without the readOnly byte gets no such byte."""
    s.open("old", read_only=None)
    s.call("old", Op.CREATE, ops.create("/old", b"", flags=1))
    s.close("old")
    s.open("old", session="old", read_only=None)
    s.call("old", Op.GET_EPHEMERALS, ops.path_only("/"))
    s.open("old", session="old", read_only=None, password=b"wrong")
    s.open("old", read_only=None, last_zxid=1 << 62)
