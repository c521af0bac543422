"""multi and multiRead: results, failures, retyping by flags, and bodies that are not quite one."""

from __future__ import annotations

from rig import ops
from rig.ops import Op, multi_header

from ..stream import Scene

C, C2, BOX, TTL, D, S, K = (Op.CREATE, Op.CREATE2, Op.CREATE_CONTAINER, Op.CREATE_TTL, Op.DELETE,
                            Op.SET_DATA, Op.CHECK)


def scenes() -> list[Scene]:
    """Without and with extended types, which a multi judges by its parts."""
    found = []
    for name, config in (("multis", {}), ("multis-extended", {"extendedTypesEnabled": "true"})):
        scene = Scene(name, config)
        scene.open("a")
        for part in (_results, _failures, _retyping, _bodies, _reads, _rollback, _many):
            scene.part(part.__name__.strip("_"))
            scene.call("a", C, ops.create(f"/{scene.section}", b""))
            part(scene, f"/{scene.section}")
        found.append(scene)
    return found


def _results(s: Scene, p: str) -> None:
    s.call("a", Op.MULTI, ops.multi([]))
    for op in (C, C2, BOX):
        s.call("a", Op.MULTI, ops.multi([(op, ops.create(f"{p}/{op}", b"", flags=4 if op == BOX else 0))]))
    s.call("a", Op.MULTI, ops.multi([(TTL, ops.create_ttl(f"{p}/ttl", b"", ops.OPEN, 5, 60000))]))
    s.call("a", Op.MULTI, ops.multi([(S, ops.set_data(p, b"1")), (K, ops.versioned(p, 1)),
                                     (S, ops.set_data(p, None, 1)), (D, ops.versioned(f"{p}/1"))]))
    s.call("a", Op.MULTI, ops.multi([(K, ops.versioned(p, 2))]))
    for flags in (0, 1, 2, 3):
        s.call("a", Op.MULTI, ops.multi([(C, ops.create(f"{p}/f{flags}", b"", flags=flags)),
                                         (C2, ops.create(f"{p}/g{flags}", b"", flags=flags))]))
    s.call("a", Op.GET_CHILDREN2, ops.watched(p))


def _failures(s: Scene, p: str) -> None:
    good = (S, ops.set_data(p, b"x"))
    bad = [(C, ops.create(p, b"")), (C, ops.create("/no/such", b"")), (D, ops.versioned(f"{p}/no")),
           (D, ops.versioned("/")), (S, ops.set_data(p, b"", 99)), (S, ops.set_data("/no", b"")),
           (K, ops.versioned(p, 99)), (K, ops.versioned("/no")), (K, ops.versioned("t")),
           (C, ops.create("t", b"")), (C, ops.create(f"{p}/", b"")), (C, ops.create(f"{p}/x", b"", [])),
           (C, ops.create(f"{p}/x", b"", [(31, "nope", "x")])), (D, ops.versioned(p, 99))]
    for op, body in bad:
        s.call("a", Op.MULTI, ops.multi([(op, body)]))
        s.call("a", Op.MULTI, ops.multi([good, (op, body), good]))
        s.call("a", Op.MULTI, ops.multi([(op, body), (op, body)]))
    s.call("a", Op.EXISTS, ops.watched(p))


def _retyping(s: Scene, p: str) -> None:
    """Flags decide what a part is, whatever its header says."""
    number = 0
    for op in (C, C2, BOX):
        for flags in (0, 1, 2, 4, 5, 6, 7, -1):
            number += 1
            s.call("a", Op.MULTI, ops.multi([(op, ops.create(f"{p}/n{number}-", b"", flags=flags))]),
                   what=f"op{op}-flags{flags}")
    for flags in (0, 1, 2, 3, 4, 5, 6, 7, -1):
        for ttl in (60000, 0, -1, 1 << 40):
            number += 1
            body = ops.create_ttl(f"{p}/n{number}-", b"", ops.OPEN, flags, ttl)
            s.call("a", Op.MULTI, ops.multi([(TTL, body)]), what=f"op21-flags{flags}-ttl{ttl}")
    s.call("a", Op.GET_CHILDREN2, ops.watched(p))
    for name in (1, 4, 9, 12, 17, 20):
        s.call("a", Op.EXISTS, ops.watched(f"{p}/n{name}-"))


def _bodies(s: Scene, p: str) -> None:
    part = multi_header(S) + ops.set_data(p, b"b")
    end = multi_header(-1, done=True)
    bodies = {
        "no-end": part, "nothing": b"", "end-only": end, "two-ends": part + end + end,
        "odd-end-type": part + multi_header(7, done=True, err=3), "junk-after": part + end + b"junk",
        "err-in-header": multi_header(S, err=-101) + ops.set_data(p, b"c") + end,
        "nested": multi_header(Op.MULTI) + ops.multi([]) + end,
        "get-data": multi_header(Op.GET_DATA) + ops.watched(p) + end,
        "mixed": part + multi_header(Op.GET_DATA) + ops.watched(p) + end,
        "mixed-other": multi_header(Op.GET_DATA) + ops.watched(p) + part + end,
        "unknown": multi_header(99) + end, "error-part": multi_header(-1) + ops.int32(-4) + end,
        "set-acl": multi_header(Op.SET_ACL) + ops.set_acl(p, ops.OPEN) + end,
        "exists": multi_header(Op.EXISTS) + ops.watched(p) + end,
        "delete-container": multi_header(Op.DELETE_CONTAINER) + ops.path_only(p) + end,
        "cut-header": multi_header(S)[:5], "cut-part": part[:-2], "done-and-part": multi_header(S, done=True),
    }
    for name, body in bodies.items():
        s.call("a", Op.MULTI, body, what=f"multi-{name}")
        s.call("a", Op.MULTI_READ, body, what=f"multiread-{name}")
    s.call("a", Op.GET_DATA, ops.watched(p))


def _reads(s: Scene, p: str) -> None:
    s.call("a", Op.MULTI_READ, ops.multi([]))
    s.call("a", Op.MULTI_READ, ops.multi([(Op.GET_DATA, ops.watched(p)), (Op.GET_DATA, ops.watched("/no")),
                                          (Op.GET_CHILDREN, ops.watched("/no")),
                                          (Op.GET_CHILDREN, ops.watched(p)),
                                          (Op.GET_DATA, ops.watched(None)), (Op.GET_DATA, ops.watched("t"))]))
    s.call("a", Op.MULTI_READ, ops.multi([(Op.GET_DATA, ops.watched(p, True))] * 40))
    s.call("a", Op.MULTI_READ, ops.multi([(Op.GET_CHILDREN2, ops.watched(p))]))
    s.call("a", Op.MULTI_READ, ops.multi([(Op.EXISTS, ops.watched(p))]))
    s.call("a", Op.SET_DATA, ops.set_data(p, b"no event follows"))


def _rollback(s: Scene, p: str) -> None:
    """A failed multi gives back its sequence numbers and versions."""
    s.call("a", Op.MULTI, ops.multi([(C, ops.create(f"{p}/s-", b"", flags=2)),
                                     (C, ops.create(f"{p}/s-", b"", flags=2)),
                                     (S, ops.set_data(p, b"1")), (K, ops.versioned("/no"))]))
    s.call("a", C, ops.create(f"{p}/s-", b"", flags=2))
    s.call("a", Op.EXISTS, ops.watched(p))
    s.pipeline("a", [
        (Op.MULTI, ops.multi([(C, ops.create(f"{p}/m", b"")), (K, ops.versioned("/no"))])),
        (C2, ops.create(f"{p}/m", b"")), (S, ops.set_data(f"{p}/m", b"1", 0)),
        (Op.MULTI, ops.multi([(D, ops.versioned(f"{p}/m", 1)), (C, ops.create(f"{p}/m", b"2")),
                              (S, ops.set_data(f"{p}/m", b"3", 0)), (D, ops.versioned(f"{p}/m", 9))])),
        (S, ops.set_data(f"{p}/m", b"4", 1)), (C, ops.create(f"{p}/s-", b"", flags=2)),
        (Op.EXISTS, ops.watched(f"{p}/m"))], "pipelined")
    s.call("a", Op.MULTI, ops.multi([(D, ops.versioned(p)), (C, ops.create(f"{p}/m/x", b""))]))
    s.call("a", Op.MULTI, ops.multi([(C, ops.create(f"{p}/t", b"")), (C, ops.create(f"{p}/t/u", b"")),
                                     (D, ops.versioned(f"{p}/t/u")), (D, ops.versioned(f"{p}/t"))]))
    s.call("a", Op.EXISTS, ops.watched(p))


def _many(s: Scene, p: str) -> None:
    s.call("a", Op.MULTI, ops.multi([(C, ops.create(f"{p}/q-", bytes(10), flags=2)) for _ in range(500)]))
    s.call("a", Op.MULTI, ops.multi([(S, ops.set_data(p, b"%d" % n, n)) for n in range(200)]))
    s.call("a", Op.MULTI, ops.multi([(D, ops.versioned(f"{p}/q-{n:010}")) for n in range(500)]))
    s.call("a", Op.GET_CHILDREN2, ops.watched(p))
