"""Quotas: what is counted, what is enforced, and in which order with the other checks."""

from __future__ import annotations

from rig import ops
from rig.ops import Op

from ..stream import Scene

ROOT = "/zookeeper/quota"


def scenes() -> list[Scene]:
    """Enforced, and only counted."""
    found = []
    for name, config in (("quotas", {"enforceQuota": "true"}), ("quotas-soft", {})):
        scene = Scene(name, config)
        scene.open("a")
        for part in (_limits, _counts, _bytes, _nested, _removal):
            scene.part(part.__name__.strip("_"))
            part(scene)
        found.append(scene)
    return found


def _quota(s: Scene, path: str, limits: bytes) -> None:
    """As the command line client does: folders, then limits, then stats."""
    parts = path.strip("/").split("/")
    for depth in range(1, len(parts) + 1):
        s.call("a", Op.CREATE, ops.create(f"{ROOT}/{'/'.join(parts[:depth])}", b""))
    s.call("a", Op.CREATE, ops.create(f"{ROOT}{path}/zookeeper_limits", limits))
    s.call("a", Op.CREATE, ops.create(f"{ROOT}{path}/zookeeper_stats", b"count=0,bytes=0"))


def _stats(s: Scene, path: str) -> None:
    s.call("a", Op.GET_DATA, ops.watched(f"{ROOT}{path}/zookeeper_stats"))


def _limits(s: Scene) -> None:
    s.call("a", Op.CREATE, ops.create("/q", b"12345"))
    s.call("a", Op.CREATE, ops.create("/q/old", b"123"))
    _quota(s, "/q", b"count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=4")
    s.call("a", Op.GET_DATA, ops.watched(f"{ROOT}/q/zookeeper_limits"))
    _stats(s, "/q")


def _counts(s: Scene) -> None:
    for name in ("a", "b", "c", "a", "d/e"):
        s.call("a", Op.CREATE, ops.create(f"/q/{name}", b"xy"))
        _stats(s, "/q")
    s.call("a", Op.MULTI, ops.multi([(Op.CREATE, ops.create("/q/m1", b"")),
                                     (Op.CREATE, ops.create("/q/m2", b""))]))
    _stats(s, "/q")
    s.call("a", Op.DELETE, ops.versioned("/q/a"))
    s.call("a", Op.CREATE, ops.create("/q/s-", b"", flags=2))
    s.call("a", Op.CREATE, ops.create("/q/s-", b"", flags=3))
    s.call("a", Op.CREATE_CONTAINER, ops.create("/q/box", b"", flags=4))
    s.call("a", Op.CREATE, ops.create("/qq", b"not below /q"))
    _stats(s, "/q")
    s.call("a", Op.SET_DATA,
           ops.set_data(f"{ROOT}/q/zookeeper_limits", b"count=9,bytes=-1=;countHardLimit=9"))
    s.call("a", Op.CREATE, ops.create("/q/more", b""))
    _stats(s, "/q")


def _bytes(s: Scene) -> None:
    s.call("a", Op.CREATE, ops.create("/b", b"1234567890"))
    _quota(s, "/b", b"count=-1,bytes=12=;byteHardLimit=20;countHardLimit=-1")
    _stats(s, "/b")
    for data in (b"x" * 15, b"x" * 20, b"x" * 21, b"x" * 5, None, b""):
        s.call("a", Op.SET_DATA, ops.set_data("/b", data))
        _stats(s, "/b")
    s.call("a", Op.SET_DATA, ops.set_data("/b", b"x" * 30, 99))
    s.call("a", Op.CREATE, ops.create("/b/c", b"y" * 21))
    s.call("a", Op.CREATE, ops.create("/b/c", b"y" * 20))
    s.call("a", Op.CREATE, ops.create("/b/c", b"y" * 50))
    s.call("a", Op.SET_DATA, ops.set_data("/b", b"z"))
    s.call("a", Op.MULTI, ops.multi([(Op.SET_DATA, ops.set_data("/b/c", b"")),
                                     (Op.SET_DATA, ops.set_data("/b", b"z" * 18))]))
    _stats(s, "/b")


def _nested(s: Scene) -> None:
    for path in ("/n", "/n/in", "/n/in/deep", "/n/other"):
        s.call("a", Op.CREATE, ops.create(path, b"12"))
    _quota(s, "/n", b"count=3,bytes=-1")
    _quota(s, "/n/in", b"count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3")
    for path in ("/n/in/x", "/n/in/y", "/n/in/deep/z", "/n/other/x"):
        s.call("a", Op.CREATE, ops.create(path, b"1"))
        _stats(s, "/n")
        _stats(s, "/n/in")


def _removal(s: Scene) -> None:
    s.call("a", Op.DELETE, ops.versioned(f"{ROOT}/q/zookeeper_limits"))
    s.call("a", Op.CREATE, ops.create("/q/free", b""))
    _stats(s, "/q")
    s.call("a", Op.DELETE, ops.versioned(f"{ROOT}/q/zookeeper_stats"))
    s.call("a", Op.CREATE, ops.create("/q/free2", b""))
    s.call("a", Op.CREATE, ops.create(f"{ROOT}/lonely", b""))
    s.call("a", Op.CREATE, ops.create(f"{ROOT}/lonely/zookeeper_limits", b"count=1,bytes=1"))
    s.call("a", Op.CREATE, ops.create("/lonely", b"some data"))
    s.word("mntr")
