"""What must hold when all clients are at rest."""

from __future__ import annotations

from itertools import groupby
from typing import Sequence

from rig.census import Znode
from rig.jute import Reader
from rig.ledger import faults_of

from .records import LOCKS, Record
from .watchers import Watcher


def faults(tree: dict[str, Znode], records: Sequence[Record], watchers: Sequence[Watcher]) -> list[str]:
    """Everything that does not hold of the writes, the sessions, the locks and the watches."""
    found = []
    for record in records:
        found += record.ledger.faults
        found += _of_writes(record, tree)
        found += _of_session(record, tree)
    found += [f"{path} is left of a lock that nobody holds"
              for path in tree if path.startswith(f"{LOCKS}/") and path.count("/") == 4]
    found += overlaps(records)
    sets = {record.counter: record.sets for record in records}
    for watcher in watchers:
        found += watcher.faults
        found += _of_events(watcher, sets)
    return found


def overlaps(records: Sequence[Record]) -> list[str]:
    """A lock had two holders at once, or holders in another order than that of their znodes."""
    found = []
    holds = sorted((hold for record in records for hold in record.holds),
                   key=lambda hold: (hold.lock, hold.czxid))
    for lock, of_one in groupby(holds, key=lambda hold: hold.lock):
        line = list(of_one)
        found += [f"lock {lock}: client {later.client} held it before client {earlier.client} let go"
                  for earlier, later in zip(line, line[1:]) if later.begun < earlier.ended]
    return found


def _of_writes(record: Record, tree: dict[str, Znode]) -> list[str]:
    below = {path for path in tree if path.startswith(f"{record.log}/")}
    found = faults_of(record.name, record.ledger, below, [record.log], f"{record.number}-")
    data, stat = _read(tree, record.counter)
    if stat.version != record.version or data != b"%d" % record.version:
        found.append(f"{record.name}: {record.counter} is {data!r} at version {stat.version}, "
                     f"it was set to {record.version}")
    return found


def _of_session(record: Record, tree: dict[str, Znode]) -> list[str]:
    if record.alive not in tree:
        return [f"{record.name}: its ephemeral znode is gone"]
    owner = _read(tree, record.alive)[1].owner
    return [] if owner == record.session else [f"{record.alive} is owned by {owner:x}"]


def _of_events(watcher: Watcher, sets: dict[str, dict[int, int]]) -> list[str]:
    """The zxid that came with an event is that of the change; before 3.9 there is none."""
    found = []
    for path, version, zxid in watcher.told:
        known = sets.get(path, {}).get(version, zxid)
        if zxid > 0 and zxid != known:
            found.append(f"{watcher.name}: version {version} of {path} was told with zxid {zxid:x}, "
                         f"it was set at {known:x}")
    return found


class _Stat:
    """The fields that are looked at."""

    def __init__(self, reader: Reader) -> None:
        reader.take(32)
        self.version, self.cversion, _ = reader.int32(), reader.int32(), reader.int32()
        self.owner = reader.int64()


def _read(tree: dict[str, Znode], path: str) -> tuple[bytes, _Stat]:
    reader = Reader(tree[path].data)
    return reader.buffer() or b"", _Stat(reader)
