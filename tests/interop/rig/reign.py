"""Who leads: leaders ended, a chosen server made the leader, and how long each change took."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from typing import Callable

from .system import Server, System

CHANGE_SECONDS = 40.0


@dataclass(frozen=True)
class Change:
    """One change of leader: who went, who came, and the seconds between."""

    how: str
    old: Server
    new: Server
    seconds: float

    def __str__(self) -> str:
        return (f"{self.how}: {self.old.id} ({self.old.kind}) -> {self.new.id} ({self.new.kind}) "
                f"in {self.seconds:.2f} s")


def depose(system: System, how: signal.Signals = signal.SIGKILL,
           meanwhile: Callable[[], None] = lambda: None) -> Change:
    """Ends the leader, waits for the others to elect one, calls `meanwhile`, starts it again."""
    old = system.leader()
    begun = time.monotonic()
    old.end(how)
    new = system.leader(CHANGE_SECONDS)
    change = Change(how.name, old, new, time.monotonic() - begun)
    meanwhile()
    old.start()
    old.wait_serving(CHANGE_SECONDS)
    return change


def crown(system: System, chosen: Server, write: Callable[[], None],
          how: signal.Signals = signal.SIGKILL) -> Change:
    """Makes one of three voters the leader, whatever its id.

    The third voter is ended first. What `write` then gets acknowledged, it lacks. Then the leader
    is ended and the third comes back: of the two that are there the chosen has the longer log.
    """
    old = system.leader()
    voters = [s for s in system.servers if s.id not in system.observers]
    (third,) = (s for s in voters if s not in (old, chosen))
    third.end()
    write()
    old.end(how)
    begun = time.monotonic()
    third.start()
    new = system.leader(CHANGE_SECONDS)
    change = Change(f"{how.name}, chosen", old, new, time.monotonic() - begun)
    assert new is chosen, f"{change}, but {chosen.id} has the longer log"
    old.start()
    for server in system.servers:
        server.wait_serving(CHANGE_SECONDS)
    return change
