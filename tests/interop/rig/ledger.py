"""What one client knows of its own sequential creates, and what must hold of them afterwards.

Each create has a prefix of its own and is sent once and never again: its ack means exactly one such
znode, its loss at most one, its refusal none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Collection, Sequence

SUFFIX = 10


@dataclass
class Ledger:
    """The creates of one client, by prefix; and what it saw that must not be."""

    sent: set[str] = field(default_factory=set)
    acked: dict[str, str] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def faults_of(name: str, ledger: Ledger, paths: Collection[str], parents: Sequence[str],
              start: str) -> list[str]:
    """What does not hold of a ledger, given all that is below `parents`.

    `name` is the client's, for the messages; the names of its znodes, and of no other's, begin
    with `start`.
    """
    found = []
    looked_at = tuple(f"{parent}/" for parent in parents)
    for prefix, path in ledger.acked.items():
        if path.startswith(looked_at) and path not in paths:
            found.append(f"{name}: {path} was acknowledged and is lost")
        if path[:-SUFFIX] != prefix:
            found.append(f"{name}: asked for {prefix}, acknowledged was {path}")
    seen: dict[str, int] = {}
    for path in paths:
        seen[path[:-SUFFIX]] = seen.get(path[:-SUFFIX], 0) + 1
    for prefix, times in seen.items():
        if not prefix.rsplit("/", 1)[1].startswith(start):
            continue
        if times > 1:
            found.append(f"{name}: {prefix} is there {times} times")
        if prefix not in ledger.sent:
            found.append(f"{name}: {prefix} was never sent")
        if prefix in ledger.refused:
            found.append(f"{name}: {prefix} was refused and is there")
    return found
