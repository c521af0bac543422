"""Who may do what: every op against access lists, as nobody, as a user, as another, as super."""

from __future__ import annotations

import base64
import hashlib

from rig import ops
from rig.ops import ADMIN, ALL, CREATE, DELETE, READ, WRITE, Acl, Op

from ..stream import Scene


def digest(user: str, password: str = "pw") -> str:
    """The id that `user:password` authenticates as."""
    hashed = hashlib.sha1(f"{user}:{password}".encode()).digest()
    return f"{user}:{base64.b64encode(hashed).decode()}"


def scenes() -> list[Scene]:
    """With a super user, and once more with the lists not looked at."""
    scene = Scene("access", {"DigestAuthenticationProvider.superDigest": digest("super")})
    for part in (_auth, _lists, _matrix, _checks, _addresses, _super, _multi):
        scene.part(part.__name__.strip("_"))
        part(scene)
    skipped = Scene("skip-acl", {"skipACL": "yes"})
    skipped.part("all")
    _unguarded(skipped)
    return [scene, skipped]


def _auth(s: Scene) -> None:
    s.open("a")
    s.call("a", Op.WHO_AM_I)
    for data in (b"alice:pw", b"alice:pw", b"nocolon", b"a:b:c", b":x", b"x:", b"", b"\xff\xfe:z"):
        s.call("a", Op.AUTH, ops.auth("digest", data))
    s.call("a", Op.AUTH, ops.auth("ip", b"anything"))
    s.call("a", Op.AUTH, ops.auth("digest", b"kind:1", kind=1))
    s.call("a", Op.WHO_AM_I)
    for scheme in ("world", "auth", "super", "sasl", "x509", "nope", "", None, "Digest"):
        s.open("x")
        s.call("x", Op.AUTH, ops.auth(scheme, b"x:y"), ends=True, what=f"scheme-{scheme}")
    s.open("x")
    s.call("x", Op.AUTH, ops.auth("digest", None), ends=True, what="digest-null")
    s.call("a", Op.CLOSE_SESSION, ends=True)


LISTS: list[tuple[str, list[Acl]]] = [
    ("anyone", [(ALL, "world", "anyone")]), ("someone", [(ALL, "world", "someone")]),
    ("world-null", [(ALL, "world", None)]), ("no-scheme", [(ALL, "", "")]),
    ("null-scheme", [(ALL, None, "x")]), ("unknown", [(ALL, "nope", "x")]),
    ("digest", [(ALL, "digest", digest("alice"))]), ("digest-bad", [(ALL, "digest", "alice")]),
    ("digest-three", [(ALL, "digest", "a:b:c")]), ("digest-no-hash", [(ALL, "digest", "a:")]),
    ("digest-no-user", [(ALL, "digest", ":b")]), ("digest-null", [(ALL, "digest", None)]),
    ("auth", [(ALL, "auth", "")]), ("auth-id", [(READ, "auth", "ignored")]),
    ("auth-null", [(READ, "auth", None)]), ("auth-twice", [(READ, "auth", ""), (READ, "auth", "x")]),
    ("super", [(ALL, "super", "")]), ("ip", [(ALL, "ip", "127.0.0.1")]),
    ("ip-net", [(ALL, "ip", "10.0.0.0/8")]), ("ip-bits", [(ALL, "ip", "10.0.0.0/33")]),
    ("ip-zero", [(ALL, "ip", "0.0.0.0/0")]), ("ip-256", [(ALL, "ip", "1.2.3.256")]),
    ("ip-short", [(ALL, "ip", "1.2.3")]), ("ip-slashes", [(ALL, "ip", "1.2.3.4/8/8")]),
    ("ip-leading", [(ALL, "ip", "01.2.3.4")]), ("ip-text", [(ALL, "ip", "localhost")]),
    ("ip-empty", [(ALL, "ip", "")]), ("ip-negative", [(ALL, "ip", "1.2.3.4/-1")]),
    ("ip-null", [(ALL, "ip", None)]), ("ip-v6", [(ALL, "ip", "::1")]),
    ("ip-v6-net", [(ALL, "ip", "fe80::/10")]), ("ip-v6-bits", [(ALL, "ip", "::/129")]),
    ("x509", [(ALL, "x509", "CN=a")]), ("sasl", [(ALL, "sasl", "a")]),
    ("several", [(READ, "world", "anyone"), (ALL, "digest", digest("alice")), (READ, "world", "anyone")]),
    ("good-and-bad", [(READ, "world", "anyone"), (ALL, "nope", "x")]),
    ("utf8", [(ALL, "digest", "\u00fc:\U0001F600")]),
]


def _lists(s: Scene) -> None:
    """Which lists are taken, and how they read back."""
    s.login("alice", "alice")
    s.open("nobody")
    for name, acls in LISTS:
        for who in ("alice", "nobody"):
            path = f"/l-{name}-{who}"
            s.call(who, Op.CREATE, ops.create(path, b"", acls), what=f"create-{name}")
            s.call(who, Op.GET_ACL, ops.path_only(path), what=f"get-{name}")
    s.call("alice", Op.CREATE, ops.create("/set", b""))
    for name, acls in LISTS[:20]:
        s.call("nobody", Op.SET_ACL, ops.set_acl("/set", acls), what=f"set-{name}")


def _matrix(s: Scene) -> None:
    """Every op on znodes that grant one permission each, to nobody in particular."""
    s.login("bob", "bob")
    for name, perms in (("read", READ), ("write", WRITE), ("create", CREATE), ("delete", DELETE),
                        ("admin", ADMIN), ("none", 0), ("all", ALL)):
        path = f"/m-{name}"
        s.call("bob", Op.CREATE, ops.create(path, b"m"))
        s.call("bob", Op.CREATE, ops.create(f"{path}/child", b"c"))
        s.call("bob", Op.SET_ACL, ops.set_acl(
            path, [(perms, "world", "anyone"), (ALL, "digest", digest("bob"))]))
        for op, body in _every_op(path):
            s.call("nobody", op, body, what=f"{name}-{op.name.lower()}")
        s.call("bob", Op.GET_ACL, ops.path_only(path))
        s.call("bob", Op.SET_DATA, ops.set_data(path, b"bob"))


def _every_op(path: str) -> list[tuple[Op, bytes]]:
    return [
        (Op.EXISTS, ops.watched(path)), (Op.GET_DATA, ops.watched(path)),
        (Op.GET_CHILDREN, ops.watched(path)), (Op.GET_CHILDREN2, ops.watched(path)),
        (Op.GET_ACL, ops.path_only(path)), (Op.GET_ALL_CHILDREN_NUMBER, ops.path_only(path)),
        (Op.SYNC, ops.path_only(path)), (Op.SET_DATA, ops.set_data(path, b"n")),
        (Op.CREATE, ops.create(f"{path}/new", b"")), (Op.CREATE2, ops.create(f"{path}/q-", b"", flags=2)),
        (Op.CREATE_CONTAINER, ops.create(f"{path}/box", b"", flags=4)),
        (Op.DELETE, ops.versioned(f"{path}/child")), (Op.DELETE, ops.versioned(f"{path}/absent")),
        (Op.MULTI, ops.multi([(Op.CHECK, ops.versioned(path))])),
        (Op.MULTI, ops.multi([(Op.SET_DATA, ops.set_data(path, b"n")), (Op.CHECK, ops.versioned(path))])),
        (Op.MULTI_READ, ops.multi([(Op.GET_DATA, ops.watched(path)), (Op.GET_CHILDREN, ops.watched(path))])),
        (Op.EXISTS, ops.watched(f"{path}/absent")), (Op.ADD_WATCH, ops.path_and_number(path, 0)),
        (Op.REMOVE_WATCHES, ops.path_and_number(path, 3)),
        (Op.SET_ACL, ops.set_acl(path, [(ALL, "world", "anyone")], 5)),
    ]


def _checks(s: Scene) -> None:
    """Order of checks: what is missing, what is forbidden, what is wrong."""
    s.call("bob", Op.CREATE, ops.create("/closed", b"", [(ALL, "digest", digest("bob"))]))
    s.call("nobody", Op.CREATE, ops.create("/closed/a/b", b""))
    s.call("nobody", Op.CREATE, ops.create("/closed/a", b"", None))
    s.call("nobody", Op.CREATE, ops.create("/closed/", b""))
    s.call("nobody", Op.CREATE, ops.create("/closed/.", b"", flags=9))
    s.call("nobody", Op.SET_DATA, ops.set_data("/closed", b"", 99))
    s.call("bob", Op.SET_DATA, ops.set_data("/closed", b"", 99))
    s.call("nobody", Op.SET_ACL, ops.set_acl("/closed", [], 99))
    s.call("nobody", Op.DELETE, ops.versioned("/closed/x", 99))
    s.call("nobody", Op.GET_ACL, ops.path_only("/closed"))


def _addresses(s: Scene) -> None:
    """What address lists let in."""
    for name, who in (("own", "127.0.0.1"), ("net", "127.0.0.0/8"), ("odd", "126.0.0.0/7"),
                      ("other", "127.0.0.2"), ("zero", "0.0.0.0/0"), ("bit", "127.0.0.0/32")):
        s.call("nobody", Op.CREATE, ops.create(f"/ip-{name}", b"", [(ALL, "ip", who)]))
        s.call("nobody", Op.GET_DATA, ops.watched(f"/ip-{name}"), what=f"get-{name}")
        s.call("bob", Op.GET_ACL, ops.path_only(f"/ip-{name}"), what=f"acl-{name}")


def _super(s: Scene) -> None:
    """The super user passes every list."""
    s.login("root", "super")
    s.call("root", Op.WHO_AM_I)
    for path in ("/closed", "/m-none", "/zookeeper/config"):
        s.call("root", Op.GET_ACL, ops.path_only(path))
        s.call("root", Op.EXISTS, ops.watched(path))
        s.call("root", Op.SET_ACL, ops.set_acl(path, [(ALL, "auth", "")]))
        s.call("root", Op.GET_ACL, ops.path_only(path))
    s.call("root", Op.SET_DATA, ops.set_data("/m-none", b"root"))
    s.call("root", Op.CREATE, ops.create("/m-none/root", b""))
    s.call("nobody", Op.AUTH, ops.auth("digest", b"super:wrong"))
    s.call("nobody", Op.SET_DATA, ops.set_data("/closed", b""))


def _multi(s: Scene) -> None:
    """A multi is judged in the state its own earlier parts make."""
    mine = [(ALL, "digest", digest("bob"))]
    s.call("nobody", Op.MULTI, ops.multi([(Op.CREATE, ops.create("/mm", b"", mine)),
                                          (Op.CREATE, ops.create("/mm/x", b""))]))
    s.call("nobody", Op.EXISTS, ops.watched("/mm"))
    s.call("bob", Op.MULTI, ops.multi([(Op.CREATE, ops.create("/mm", b"", mine)),
                                       (Op.CREATE, ops.create("/mm/x", b""))]))
    s.call("nobody", Op.MULTI, ops.multi([(Op.DELETE, ops.versioned("/mm/x"))]))


def _unguarded(s: Scene) -> None:
    s.login("bob", "bob")
    s.open("nobody")
    s.call("bob", Op.CREATE, ops.create("/closed", b"", [(ALL, "digest", digest("bob"))]))
    for op, body in _every_op("/closed"):
        s.call("nobody", op, body)
    s.call("nobody", Op.CREATE, ops.create("/bad", b"", [(ALL, "nope", "x")]))
    s.call("nobody", Op.CREATE, ops.create("/bad", b"", []))
    s.call("nobody", Op.SET_DATA, ops.set_data("/zookeeper/config", b"x"))
