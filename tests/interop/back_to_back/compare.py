"""Compares two recordings of one scene, token by token.

Zxids are compared through a numbering: the first time both runs show a new highest zxid, the two are
a pair, and from then on one stands for the other. A pair whose distance differs from that of the
pair before is a difference of its own (one server took a zxid where the other took none), told once
and not at each reply after it. Across a pause the distance may change: what a server does by the
clock (a reaper that asks twice) takes as many zxids as it likes. Sessions are paired in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Optional

from .replay import Record
from .stream import Open, Pause, Pipeline, Raw, Send, Word
from .tokens import Token

LOW_HALF = (1 << 32) - 1
Reply = tuple[str, list[Token]]


@dataclass(frozen=True)
class Difference:
    """One step whose outcome differs."""

    label: str
    request: str
    expected: str
    got: str

    def __str__(self) -> str:
        lines = ("sent     " + self.request, "expected " + self.expected, "got      " + self.got)
        return "\n    ".join((self.label, *lines))


@dataclass
class Comparison:
    """State that runs through a scene: which zxid and which session stands for which."""

    zxids: dict[int, int] = field(default_factory=lambda: {0: 0, LOW_HALF: LOW_HALF})
    sessions: dict[bytes, bytes] = field(default_factory=lambda: {bytes(8): bytes(8)})
    distance: int = 0
    jumped: bool = False
    adrift: bool = False

    def scene(self, expected: list[Record], got: list[Record]) -> list[Difference]:
        """All differences of a scene."""
        found = (self._record(a, b) for a, b in zip(expected, got, strict=True))
        return [difference for difference in found if difference]

    def _record(self, expected: Record, got: Record) -> Optional[Difference]:
        self.jumped = False
        self.adrift |= isinstance(expected.step, Pause)
        same = [self._reply(a, b) for a, b in zip_longest(expected.got, got.got)]
        if all(same) and not self.jumped:
            return None
        label = expected.label + (":zxid" if all(same) else "")
        if isinstance(expected.step, Word):
            return Difference(label, describe(expected), *_lines_apart(expected.got, got.got))
        return Difference(label, describe(expected), shown(expected.got), shown(got.got))

    def _reply(self, expected: Optional[Reply], got: Optional[Reply]) -> bool:
        if expected is None or got is None or expected[0] != got[0]:
            return False
        tokens = [self._token(a, b) for a, b in zip_longest(expected[1], got[1])]
        return all(tokens)

    def _token(self, expected: Optional[Token], got: Optional[Token]) -> bool:
        if expected is None or got is None or expected.kind != got.kind:
            return False
        if expected.kind == "zxid":
            return self._zxid(expected.value, got.value)
        if expected.kind == "time":
            return (expected.value == bytes(8)) == (got.value == bytes(8))
        if expected.kind == "session":
            return self.sessions.setdefault(expected.value, got.value) == got.value
        return expected.kind == "password" or expected.value == got.value

    def _zxid(self, expected: bytes, got: bytes) -> bool:
        a, b = (int.from_bytes(value, "big") & LOW_HALF for value in (expected, got))
        if a in self.zxids:
            return self.zxids[a] == b
        if b - a != self.distance:
            self.distance, self.jumped = b - a, not self.adrift
        self.adrift = False
        self.zxids[a] = b
        return True


def _lines_apart(expected: list[Reply], got: list[Reply]) -> tuple[str, str]:
    """The lines that only one of two texts has."""
    a, b = (b"".join(t.value for _, tokens in replies for t in tokens).decode().split("\n")
            for replies in (expected, got))
    return (" | ".join(line for line in a if line not in b) or "the same lines",
            " | ".join(line for line in b if line not in a) or "the same lines")


def describe(record: Record) -> str:
    """The request of a step, for the report."""
    step = record.step
    if isinstance(step, Send):
        return f"{step.name}: xid {step.xid} op {step.op} body {step.body[:120]!r}"
    if isinstance(step, Pipeline):
        return f"{step.name}: {len(step.requests)} requests in one segment"
    if isinstance(step, Raw):
        return f"bytes {step.data[:80]!r}"
    if isinstance(step, (Open, Word)):
        return str(step)
    return type(step).__name__.lower()


def shown(replies: list[Reply]) -> str:
    """Replies as text."""
    texts = (f"{name}[{' '.join(map(str, tokens))}]" for name, tokens in replies)
    return " ".join(texts) or "nothing"
