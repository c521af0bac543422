"""The stream as data: what a scene does, step by step, before any server has answered.

A step never depends on a reply, with one exception: a session that an earlier step was granted can
be named when a connection is opened. So the same steps go to both servers, and the nth step of one
run is compared with the nth of the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterable, Optional, Union

from rig import ops
from rig.ops import Op

MINUTES = 300_000


@dataclass(frozen=True)
class Open:
    """Opens connection `name`; `session` names an earlier connection whose session it claims."""

    name: str
    timeout_ms: int = MINUTES
    session: Optional[str] = None
    password: Optional[bytes] = None
    last_zxid: int = 0
    read_only: Optional[bool] = False
    version: int = 0
    null_password: bool = False


@dataclass(frozen=True)
class Send:
    """One request, and its reply awaited. `ends`: the server closes the connection after it."""

    name: str
    xid: int
    op: int
    body: bytes
    ends: bool = False


@dataclass(frozen=True)
class Pipeline:
    """Several requests in one segment; as many replies awaited."""

    name: str
    requests: tuple[tuple[int, int, bytes], ...]


@dataclass(frozen=True)
class Raw:
    """Bytes on a fresh connection, and everything that comes back until the server closes."""

    data: bytes


@dataclass(frozen=True)
class Bytes:
    """Bytes on an open connection, after which the server closes it."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Word:
    """A four-letter word; which numbers are masked is known by the word."""

    word: str
    argument: bytes = b""


@dataclass(frozen=True)
class Close:
    """The client drops the socket; its session lives on."""

    name: str


@dataclass(frozen=True)
class Pause:
    """Waits, for what a server does by the clock."""

    seconds: float


Step = Union[Open, Send, Pipeline, Raw, Bytes, Word, Close, Pause]


@dataclass
class Scene:
    """Steps for one fresh server with one configuration. Labels name a step in reports."""

    name: str
    config: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    steps: list[tuple[str, Step]] = field(default_factory=list)
    section: str = ""
    _xids: dict[str, int] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)

    def part(self, title: str) -> None:
        """Begins a section; its title stands in the labels of the steps that follow."""
        self.section = title

    def add(self, what: str, step: Step) -> None:
        """Appends a step, labelled scene/section/number/what."""
        number = self._numbers[self.section] = self._numbers.get(self.section, -1) + 1
        self.steps.append((f"{self.name}/{self.section}/{number}/{what}", step))

    def open(self, name: str, **options: object) -> None:
        """Opens a connection."""
        self._xids[name] = 0
        self.add(f"open-{name}", Open(name, **options))  # type: ignore[arg-type]

    def call(self, name: str, op: int, body: bytes = b"", xid: Optional[int] = None,
             ends: bool = False, what: str = "") -> None:
        """One request on a connection, numbered as clients number."""
        special = {Op.PING: -2, Op.AUTH: -4, Op.SET_WATCHES: -8, Op.SET_WATCHES2: -8}
        if xid is None:
            xid = special.get(op, self._next(name))  # type: ignore[call-overload]
        named = Op(op).name.lower() if op in Op.__members__.values() else f"op{op}"
        self.add(what or named, Send(name, xid, op, body, ends))

    def pipeline(self, name: str, requests: Iterable[tuple[int, bytes]], what: str) -> None:
        """Many requests at once."""
        numbered = tuple((self._next(name), op, body) for op, body in requests)
        self.add(what, Pipeline(name, numbered))

    def login(self, name: str, user: str, **options: object) -> None:
        """Opens a connection that has authenticated as `user:pw`."""
        self.open(name, **options)
        self.call(name, Op.AUTH, ops.auth("digest", f"{user}:pw".encode()))

    def raw(self, what: str, data: bytes) -> None:
        """Bytes on a connection of their own."""
        self.add(what, Raw(data))

    def ending_bytes(self, name: str, what: str, data: bytes) -> None:
        """Bytes on an open connection that make the server close it."""
        self.add(what, Bytes(name, data))

    def word(self, word: str, argument: bytes = b"") -> None:
        """A four-letter word."""
        self.add(word, Word(word, argument))

    def close(self, name: str) -> None:
        """Drops a connection."""
        self.add(f"close-{name}", Close(name))

    def pause(self, seconds: float) -> None:
        """Lets the server's clock run."""
        self.add("pause", Pause(seconds))

    def requests(self) -> int:
        """How many requests the scene makes."""
        sizes = (len(s.requests) if isinstance(s, Pipeline) else not isinstance(s, (Close, Pause))
                 for _, s in self.steps)
        return sum(sizes)

    def _next(self, name: str) -> int:
        self._xids[name] = self._xids.get(name, 0) + 1
        return self._xids[name]
