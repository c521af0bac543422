"""What the clients put down, to be checked when all is over; it travels between processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Sequence

from rig.ledger import Ledger

COUNTERS = "/roll/counter"
LOCKS = "/roll/lock"
LOG = "/roll/log"
ALIVE = "/roll/alive"
PROBE = "/roll/probe"


@dataclass(frozen=True)
class Hold:
    """A lock was held by a client from one moment to another, of the machine's monotonic clock."""

    lock: int
    client: int
    czxid: int
    begun: float
    ended: float


@dataclass
class Record:
    """One client: what was acknowledged to it, and when."""

    number: int
    session: int = 0
    version: int = 0
    sets: dict[int, int] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    acks: list[float] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    events: int = 0
    suspensions: int = 0

    @property
    def name(self) -> str:
        """For messages."""
        return f"client {self.number}"

    @property
    def counter(self) -> str:
        """The znode that only this client sets, each time with the version it expects."""
        return f"{COUNTERS}/{self.number}"

    @property
    def log(self) -> str:
        """Below this it creates sequential znodes."""
        return f"{LOG}/{self.number}"

    @property
    def alive(self) -> str:
        """Its ephemeral znode."""
        return f"{ALIVE}/{self.number}"

    def fault(self, text: str) -> None:
        """Something that must not be."""
        self.ledger.faults.append(f"{self.name}: {text}")


def longest_gap(acks: Sequence[float], begun: float, ended: float) -> float:
    """The longest time within these bounds in which nothing was acknowledged, in seconds.

    What was acknowledged outside does not count: a gap that reaches over a bound is cut there.
    """
    inside = [begun, *(at for at in acks if begun < at < ended), ended]
    return max(later - earlier for earlier, later in zip(inside, inside[1:]))
