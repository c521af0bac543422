"""Four-letter words, on an empty server and on one with something to tell; whitelisted and not."""

from __future__ import annotations

from rig import ops
from rig.ops import Op

from ..stream import Scene

WORDS = ["ruok", "isro", "srvr", "stat", "conf", "cons", "dump", "envi", "dirs", "hash", "wchs", "wchc",
         "wchp", "gtmk", "mntr"]


def scenes() -> list[Scene]:
    """All words allowed; only the default; a list with spaces and unknown names."""
    every = Scene("words")
    every.part("empty")
    for word in WORDS:
        every.word(word)
    every.part("busy")
    _fill(every)
    for word in WORDS:
        every.word(word)
    every.part("changing")
    every.word("stmk", (0o123).to_bytes(8, "big"))
    every.word("gtmk")
    for word in ("srst", "crst", "srvr", "cons"):
        every.word(word)
    default = Scene("words-default", {"4lw.commands.whitelist": "srvr"})
    listed = Scene("words-listed", {"4lw.commands.whitelist": " srvr , ruok,nope, mntr"})
    for scene in (default, listed):
        scene.part("whitelist")
        for word in [*WORDS, "srst", "crst"]:
            scene.word(word)
    return [every, default, listed]


def _fill(s: Scene) -> None:
    s.open("a")
    s.open("b")
    s.call("a", Op.CREATE, ops.create("/w", b"data"))
    s.call("a", Op.CREATE, ops.create("/w/eph", b"data", flags=1))
    s.call("b", Op.CREATE, ops.create("/w/eph2", b"data", flags=1))
    s.call("a", Op.EXISTS, ops.watched("/w", True))
    s.call("a", Op.GET_CHILDREN, ops.watched("/w", True))
    s.call("b", Op.ADD_WATCH, ops.path_and_number("/w", 1))
    s.call("b", Op.ADD_WATCH, ops.path_and_number("/w/x", 0))
    for _ in range(140):
        s.call("a", Op.SET_DATA, ops.set_data("/w", b"more"))
        s.call("a", Op.EXISTS, ops.watched("/w", True))
    s.call("b", Op.DELETE, ops.versioned("/nothing"))
