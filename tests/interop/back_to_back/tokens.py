"""Replies cut into tokens, so that masks fall on fields and everything else stays bytes.

A token is `raw` (compared byte by byte), `zxid` (compared through the numbering of the two runs),
`time` (only whether it is zero), `session` (which of the granted ones) or `set` (elements in no
particular order: Java's hash order). Where a reply does not read as its op's, what is left is raw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional

from rig.jute import Reader, Short
from rig.ops import Op


@dataclass(frozen=True)
class Token:
    """One field: how it is compared, its bytes, its name for the report."""

    kind: str
    value: bytes
    name: str

    def __str__(self) -> str:
        if self.kind == "raw" and len(self.value) in (4, 8):
            return f"{self.name}={int.from_bytes(self.value, 'big', signed=True)}"
        if self.kind in ("zxid", "session"):
            return f"{self.name}=0x{self.value.hex().lstrip('0') or '0'}"
        if self.kind == "time":
            return f"{self.name}={'0' if self.value == bytes(8) else 'T'}"
        return f"{self.name}={self.value!r}"


class Cutter:
    """Reads a reply and keeps a token for each field."""

    def __init__(self, data: bytes) -> None:
        self.reader = Reader(data)
        self.tokens: list[Token] = []

    def field(self, kind: str, size: int, name: str) -> bytes:
        """A field of fixed size."""
        value = self.reader.take(size)
        self.tokens.append(Token(kind, value, name))
        return value

    def int32(self, name: str) -> int:
        """Four bytes, compared as they are."""
        return int.from_bytes(self.field("raw", 4, name), "big", signed=True)

    def text(self, name: str) -> None:
        """A string or buffer with its length."""
        start = self.reader.at
        self.reader.buffer()
        self.tokens.append(Token("raw", self.reader.data[start:self.reader.at], name))

    def stat(self) -> None:
        """A Stat: zxids, times, versions, owner."""
        for kind, size, name in (
                ("zxid", 8, "czxid"), ("zxid", 8, "mzxid"), ("time", 8, "ctime"), ("time", 8, "mtime"),
                ("raw", 4, "version"), ("raw", 4, "cversion"), ("raw", 4, "aversion"),
                ("session", 8, "owner"), ("raw", 4, "dataLength"), ("raw", 4, "numChildren"),
                ("zxid", 8, "pzxid")):
            self.field(kind, size, name)

    def listed(self, name: str, ordered: bool, fields: int = 1) -> None:
        """A vector of strings, or of records of strings."""
        count = self.int32(f"{name}.count")
        start, items = self.reader.at, []
        for _ in range(max(count, 0)):
            at = self.reader.at
            for _ in range(fields):
                self.reader.buffer()
            items.append(self.reader.data[at:self.reader.at])
        if ordered:
            self.tokens.append(Token("raw", self.reader.data[start:self.reader.at], name))
        else:
            self.tokens.append(Token("set", b"".join(sorted(items)), name))

    def acls(self) -> None:
        """A vector of access entries, in order."""
        for n in range(max(self.int32("acls"), 0)):
            self.int32(f"perms{n}")
            self.text(f"scheme{n}")
            self.text(f"id{n}")

    def parts(self) -> None:
        """The results of a multi or multiRead, up to the header that says done."""
        while True:
            kind, done = self.int32("type"), self.field("raw", 1, "done")
            self.int32("err")
            if done != b"\x00":
                return
            if kind == -1:
                self.int32("code")
            else:
                BODIES.get(kind, Cutter.remainder)(self)

    def remainder(self) -> None:
        """All that is left, as it is."""
        if self.reader.rest:
            self.field("raw", self.reader.rest, "rest")


def _path_stat(cut: Cutter) -> None:
    cut.text("path")
    cut.stat()


def _data_stat(cut: Cutter) -> None:
    cut.text("data")
    cut.stat()


def _children(cut: Cutter) -> None:
    cut.listed("children", ordered=False)


def _children_stat(cut: Cutter) -> None:
    _children(cut)
    cut.stat()


def _acl_stat(cut: Cutter) -> None:
    cut.acls()
    cut.stat()


BODIES: dict[int, Callable[[Cutter], None]] = {
    Op.CREATE: lambda cut: cut.text("path"),
    Op.DELETE: lambda cut: None,
    Op.CHECK: lambda cut: None,
    Op.EXISTS: Cutter.stat,
    Op.SET_DATA: Cutter.stat,
    Op.SET_ACL: Cutter.stat,
    Op.GET_DATA: _data_stat,
    Op.GET_ACL: _acl_stat,
    Op.GET_CHILDREN: _children,
    Op.GET_CHILDREN2: _children_stat,
    Op.CREATE2: _path_stat,
    Op.CREATE_CONTAINER: _path_stat,
    Op.CREATE_TTL: _path_stat,
    Op.MULTI: Cutter.parts,
    Op.MULTI_READ: Cutter.parts,
    Op.GET_EPHEMERALS: lambda cut: cut.listed("paths", ordered=False),
    Op.WHO_AM_I: lambda cut: cut.listed("ids", ordered=False, fields=2),
}


def reply(op: Optional[int], frame: bytes) -> list[Token]:
    """The tokens of a reply to `op`, or of an event where `op` is None."""
    cut = Cutter(frame)
    try:
        cut.int32("xid")
        cut.field("zxid", 8, "zxid")
        err = cut.int32("err")
        if op is None:
            cut.int32("event")
            cut.int32("state")
            cut.text("path")
        elif cut.reader.rest and (err == 0 or op == Op.MULTI_READ):
            BODIES.get(op, Cutter.remainder)(cut)
    except Short:
        pass
    cut.remainder()
    return cut.tokens


def connected(frame: bytes) -> list[Token]:
    """The tokens of a ConnectResponse; the password is checked where the session is known."""
    cut = Cutter(frame)
    try:
        cut.int32("protocol")
        cut.int32("timeout")
        cut.field("session", 8, "session")
        cut.int32("password.length")
        cut.field("password", 16, "password")
    except Short:
        pass
    cut.remainder()
    return cut.tokens
