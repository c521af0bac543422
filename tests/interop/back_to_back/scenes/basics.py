"""Each op on plain znodes: its reply, and each of its refusals."""

from __future__ import annotations

from rig import ops
from rig.ops import Op

from ..stream import Scene


def scenes() -> list[Scene]:
    """One scene, one connection; parts of it open others where the server hangs up."""
    scene = Scene("basics")
    scene.open("a")
    for part in (_creates, _sequences, _ephemerals, _data, _deletes, _reads, _counts, _versions,
                 _reserved, _large, _specials, _unknown, _close):
        scene.part(part.__name__.strip("_"))
        part(scene)
    return [scene]


def _creates(s: Scene) -> None:
    s.call("a", Op.CREATE, ops.create("/c", b"data"))
    s.call("a", Op.CREATE, ops.create("/c", b"again"))
    s.call("a", Op.CREATE2, ops.create("/c2", b"data"))
    s.call("a", Op.CREATE2, ops.create("/c2", b"again"))
    s.call("a", Op.CREATE, ops.create("/null", None))
    s.call("a", Op.CREATE2, ops.create("/empty", b""))
    for path in ("/c", "/null", "/empty"):
        s.call("a", Op.GET_DATA, ops.watched(path))
    s.call("a", Op.CREATE, ops.create("/c/d/e", b""))
    s.call("a", Op.CREATE, ops.create("/missing/child", b""))
    for flags in (0, 1, 2, 3, 4, 5, 6, 7, -1, 255, 1 << 30):
        for op in (Op.CREATE, Op.CREATE2, Op.CREATE_CONTAINER):
            s.call("a", op, ops.create(f"/c/f{flags & 0xff}-{op}-", b"x", flags=flags))
        s.call("a", Op.CREATE_TTL, ops.create_ttl(f"/c/f{flags & 0xff}-ttl-", b"x", ops.OPEN, flags, 5000))
    s.call("a", Op.GET_CHILDREN2, ops.watched("/c"))
    s.call("a", Op.CREATE, ops.create("/", b""))
    s.call("a", Op.CREATE2, ops.create("/", b"", flags=2))
    s.call("a", Op.CREATE, ops.create("/junk", b"") + b"trailing bytes are passed over")
    for acls in (None, [], [(31, "world", "anyone"), (31, "world", "anyone")]):
        s.call("a", Op.CREATE, ops.create("/acl", b"", acls))
    s.call("a", Op.GET_ACL, ops.path_only("/acl"))


def _sequences(s: Scene) -> None:
    s.call("a", Op.CREATE, ops.create("/s", b""))
    for name in ("q-", "q-", "r-", ""):
        s.call("a", Op.CREATE, ops.create(f"/s/{name}", b"", flags=2))
    s.call("a", Op.CREATE, ops.create("/s/plain", b""))
    s.call("a", Op.CREATE2, ops.create("/s/q-", b"", flags=3))
    s.call("a", Op.DELETE, ops.versioned("/s/plain"))
    s.call("a", Op.CREATE2, ops.create("/s/q-", b"", flags=2))
    s.call("a", Op.CREATE, ops.create("/s/..", b"", flags=2))
    s.call("a", Op.CREATE, ops.create("/s/.", b"", flags=2))
    s.call("a", Op.CREATE, ops.create("/s//", b"", flags=2))
    s.call("a", Op.CREATE, ops.create("/nope/q-", b"", flags=2))
    s.call("a", Op.CREATE, ops.create("/s/0000000009", b""))
    s.call("a", Op.CREATE, ops.create("/s/", b"", flags=2))
    s.call("a", Op.CREATE, ops.create("/s/", b"", flags=2))
    s.call("a", Op.CREATE, ops.create("/", b"", flags=2))
    s.call("a", Op.GET_CHILDREN2, ops.watched("/s"))
    s.call("a", Op.EXISTS, ops.watched("/s"))


def _ephemerals(s: Scene) -> None:
    s.call("a", Op.CREATE, ops.create("/e", b"", flags=1))
    s.call("a", Op.CREATE, ops.create("/e/child", b""))
    s.call("a", Op.CREATE, ops.create("/e/child", b"", flags=3))
    s.call("a", Op.EXISTS, ops.watched("/e"))
    s.call("a", Op.CREATE, ops.create("/eph", b""))
    for name in ("a1", "a2", "b1"):
        s.call("a", Op.CREATE2, ops.create(f"/eph/{name}", b"", flags=1))
    for prefix in ("/", "", None, "/eph", "/eph/a", "/eph/a1", "/e", "/zzz", "eph", "  "):
        s.call("a", Op.GET_EPHEMERALS, ops.path_only(prefix))
    s.call("a", Op.SET_DATA, ops.set_data("/e", b"x"))
    s.call("a", Op.DELETE, ops.versioned("/e"))
    s.call("a", Op.GET_EPHEMERALS, ops.path_only("/"))


def _data(s: Scene) -> None:
    s.call("a", Op.CREATE, ops.create("/v", b"0"))
    for data, version in ((b"1", -1), (b"2", 1), (b"3", 1), (b"4", 9), (None, 2), (b"", 3), (b"5", -2),
                          (b"6", -1), (b"7", 0x7FFFFFFF)):
        s.call("a", Op.SET_DATA, ops.set_data("/v", data, version))
        s.call("a", Op.GET_DATA, ops.watched("/v"))
    s.call("a", Op.SET_DATA, ops.set_data("/missing", b"x"))
    s.call("a", Op.SET_DATA, ops.set_data("/v/missing", b"x"))


def _deletes(s: Scene) -> None:
    s.call("a", Op.CREATE, ops.create("/d", b""))
    s.call("a", Op.CREATE, ops.create("/d/x", b""))
    s.call("a", Op.DELETE, ops.versioned("/d"))
    s.call("a", Op.DELETE, ops.versioned("/d/x", 1))
    s.call("a", Op.DELETE, ops.versioned("/d/y"))
    s.call("a", Op.DELETE, ops.versioned("/d/y/z"))
    s.call("a", Op.DELETE, ops.versioned("/d/x", 0))
    s.call("a", Op.EXISTS, ops.watched("/d"))
    s.call("a", Op.DELETE, ops.versioned("/d", -1))
    s.call("a", Op.DELETE, ops.versioned("/d", -1))


def _reads(s: Scene) -> None:
    for op in (Op.EXISTS, Op.GET_DATA, Op.GET_CHILDREN, Op.GET_CHILDREN2):
        for path in ("/", "/c", "/null", "/missing", "/c/missing", "/zookeeper", "/zookeeper/quota"):
            s.call("a", op, ops.watched(path))
    for path in ("/", "/c", "/missing", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"):
        s.call("a", Op.GET_ACL, ops.path_only(path))
    s.call("a", Op.SYNC, ops.path_only("/c"))
    s.call("a", Op.SYNC, ops.path_only("/missing"))
    s.call("a", Op.WHO_AM_I)
    s.call("a", Op.PING)


def _counts(s: Scene) -> None:
    for path in ("/", "/c", "/s", "/null", "/missing", "/zookeeper", ""):
        s.call("a", Op.GET_ALL_CHILDREN_NUMBER, ops.path_only(path))


def _versions(s: Scene) -> None:
    s.call("a", Op.CREATE, ops.create("/acls", b""))
    for version in (0, 0, 1, -1, -2, 7):
        s.call("a", Op.SET_ACL, ops.set_acl("/acls", ops.OPEN, version))
    s.call("a", Op.GET_ACL, ops.path_only("/acls"))
    s.call("a", Op.SET_ACL, ops.set_acl("/missing", ops.OPEN))
    s.call("a", Op.SET_ACL, ops.set_acl("/acls", None))
    s.call("a", Op.SET_ACL, ops.set_acl("/acls", []))
    for perms in (0, 255, -1):
        s.call("a", Op.CREATE, ops.create(f"/acls/p{perms}", b"", [(perms, "world", "anyone")]))
        s.call("a", Op.GET_ACL, ops.path_only(f"/acls/p{perms}"))
        s.call("a", Op.GET_DATA, ops.watched(f"/acls/p{perms}"))


def _reserved(s: Scene) -> None:
    for path in ("/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"):
        s.call("a", Op.DELETE, ops.versioned(path))
        s.call("a", Op.SET_DATA, ops.set_data(path, b"set"))
        s.call("a", Op.EXISTS, ops.watched(path))
        s.call("a", Op.SET_ACL, ops.set_acl(path, ops.OPEN))
        s.call("a", Op.CREATE, ops.create(path, b""))
    s.call("a", Op.CREATE, ops.create("/zookeeper/mine", b""))
    s.call("a", Op.CREATE, ops.create("/zookeeper/config/mine", b""))
    s.call("a", Op.GET_CHILDREN2, ops.watched("/zookeeper"))
    s.call("a", Op.DELETE, ops.versioned("/zookeeper/mine"))
    s.call("a", Op.RECONFIG, ops.reconfig(None, None, None, -1))
    s.call("a", Op.RECONFIG, ops.reconfig("server.2=h:1:2;3", "", "", -1))


def _large(s: Scene) -> None:
    for size in (4095, 4096, 65536, 1_000_000):
        s.call("a", Op.CREATE, ops.create(f"/large{size}", bytes(size)))
        s.call("a", Op.EXISTS, ops.watched(f"/large{size}"))
    s.call("a", Op.GET_DATA, ops.watched("/large65536"))
    s.call("a", Op.SET_DATA, ops.set_data("/large4095", b"y" * 1_048_000))
    s.call("a", Op.CREATE, ops.create("/" + "n" * 60_000, b""))


def _specials(s: Scene) -> None:
    """Ops and xids are not tied together."""
    for xid in (0, -2, -4, -5, -8, 7, 7, 3):
        s.call("a", Op.GET_DATA, ops.watched("/c"), xid=xid, what=f"xid{xid}")
    s.call("a", Op.SET_WATCHES, ops.set_watches(0, [], [], []), xid=5)
    s.call("a", Op.AUTH, ops.auth("digest", b"x:y"), xid=9)
    s.call("a", Op.PING, b"with a body")
    s.call("a", Op.SASL, ops.buffer(b"token"), xid=1000)
    s.pipeline("a", [(Op.CREATE, ops.create("/p1", b"")), (Op.GET_DATA, ops.watched("/p1")),
                     (Op.DELETE, ops.versioned("/p1")), (Op.GET_DATA, ops.watched("/p1")),
                     (Op.CREATE, ops.create("/p1", b"")), (Op.CREATE, ops.create("/p1/x", b"")),
                     (Op.DELETE, ops.versioned("/p1")), (Op.SYNC, ops.path_only("/")),
                     (Op.EXISTS, ops.watched("/p1"))], "dependent")
    s.pipeline("a", [(Op.CREATE, ops.create("/p2-", b"", flags=2)) for _ in range(60)], "sixty")


def _unknown(s: Scene) -> None:
    s.open("u")
    s.call("u", Op.SASL, ops.buffer(None), ends=True, what="sasl-null")
    for op in (0, 10, 13, 23, 99, 108, 1000, -1, -12, 0x7FFFFFFF, -0x80000000):
        s.open("u")
        body = ops.versioned("/c") if op == 13 else b""
        s.call("u", op, body, ends=True, what=f"op{op}")
    s.open("u")
    s.call("u", Op.CREATE_SESSION, ops.int32(20000), what="createSession")
    s.close("u")
    s.open("v")
    s.call("v", Op.CREATE, ops.create("/of-nobody", b""))
    s.call("v", Op.DELETE_CONTAINER, ops.path_only("/of-nobody"), what="deleteContainer")
    s.call("v", Op.EXISTS, ops.watched("/of-nobody"), what="connection-after-deleteContainer")
    s.call("a", Op.EXISTS, ops.watched("/of-nobody"), what="exists-after-deleteContainer")


def _close(s: Scene) -> None:
    s.open("x")
    s.call("x", Op.CREATE, ops.create("/x-eph", b"", flags=1))
    s.call("x", Op.CLOSE_SESSION, ends=True)
    s.call("a", Op.EXISTS, ops.watched("/x-eph"))
    s.open("x", session="x")
    s.call("a", Op.CLOSE_SESSION, b"with a body", ends=True)
