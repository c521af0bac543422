"""A running load of every kind of write, and a ledger that tells afterwards what was lost or doubled.

Each worker is one session with a subtree of its own below `/load`, in which nobody else writes. So
the ledger knows of each znode whether it must be there, must not, or may (its last write was sent and
never answered), and holds that against a census:

* `c<k>` created, every second one deleted again; `e<k>` ephemeral; `s<k>-` sequential;
* `a<k>` and `b<k>` by one multi, together with a set of `pair`; `f<k>` by a multi that fails;
* `sum` set again and again: the version in each reply counts the sets, so that one applied twice
  shows; `sum` is also created a second time, which is refused.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Mapping, Optional, Sequence

from . import ops
from .census import Znode
from .jute import Reader
from .ops import Op
from .roamer import REPLY_SECONDS, Crew, Roamer
from .system import Server
from .wire import Address, Connection

ROOT = "/load"
OUTSTANDING = 8
BREATH_SECONDS = 0.05
NO_NODE, NODE_EXISTS, BAD_VERSION = -101, -110, -103
EPHEMERAL, SEQUENTIAL = 1, 2
SUFFIX = 10


@dataclass(frozen=True)
class Stat:
    """The fields of a Stat that the ledger looks at."""

    created: int
    modified: int
    version: int
    owner: int

    @classmethod
    def read(cls, reader: Reader) -> "Stat":
        """From a reply."""
        created, modified = reader.int64(), reader.int64()
        reader.take(16)
        version = reader.int32()
        reader.take(8)
        return cls(created, modified, version, reader.int64())


@dataclass(frozen=True)
class Write:
    """One request on its way: its kind, its number, and what it is about."""

    kind: str
    number: int
    path: str


class Worker(Roamer):
    """One session's writes and what is known of them."""

    def __init__(self, number: int, servers: Sequence[Address], home: int) -> None:
        super().__init__(f"load-{number}", servers, home)
        self.base = f"{ROOT}/{number}"
        self.count = len(KINDS) - 1
        self.acked = 0
        self.unknown = 0
        self.there: dict[str, tuple[bytes, int]] = {}
        self.gone: set[str] = set()
        self.maybe: set[str] = set()
        self.sequential: dict[str, Optional[str]] = {}
        self.owners: dict[str, int] = {}
        self.zxids: list[int] = []
        self.sets: list[tuple[int, int, int]] = []
        self.unknown_sets = 0
        self.version = 0
        self.refusals: Counter[int] = Counter()

    def acknowledged(self) -> int:
        """As a roamer."""
        return self.acked

    def work(self, connection: Connection) -> None:
        """As a roamer. What has no reply when the connection is lost stays unknown for good."""
        waiting: dict[int, Write] = {}
        try:
            while not self.halted.is_set():
                while len(waiting) < OUTSTANDING and not self._holds():
                    self._send(connection, waiting)
                if waiting:
                    frame = connection.receive(REPLY_SECONDS)
                    if frame is None:
                        return
                    self._reply(Reader(frame), waiting)
                elif self.homeward.is_set():
                    return
                else:
                    self.rest(connection)
                if self.count % OUTSTANDING == 0:
                    time.sleep(BREATH_SECONDS)
        finally:
            for write in waiting.values():
                self._lost(write)

    def _holds(self) -> bool:
        return self.paused.is_set() or self.homeward.is_set() or self.halted.is_set()

    def _send(self, connection: Connection, waiting: dict[int, Write]) -> None:
        self.count += 1
        k, data = self.count, b"%d" % self.count
        kind = KINDS[k % len(KINDS)]
        path = f"{self.base}/{LETTER[kind]}{k}"
        op, body = int(Op.CREATE), b""
        if kind == "create":
            body = ops.create(path, data)
        elif kind == "ephemeral":
            body = ops.create(path, data, flags=EPHEMERAL)
            self.owners[path] = self.session.id if self.session else 0
        elif kind == "sequential":
            path += "-"
            self.sequential[path] = None
            body = ops.create(path, data, flags=SEQUENTIAL)
        elif kind == "set":
            path = f"{self.base}/sum"
            op, body = Op.SET_DATA, ops.set_data(path, data)
        elif kind == "delete":
            path = f"{self.base}/c{k - KINDS.index('delete') + KINDS.index('create')}"
            op, body = Op.DELETE, ops.versioned(path)
        elif kind == "refused":
            path = f"{self.base}/sum"
            body = ops.create(path, data)
        elif kind == "multi":
            op, body = Op.MULTI, self._pair(k, data)
        elif kind == "broken":
            op, body = Op.MULTI, ops.multi([(Op.CREATE, ops.create(path, data)),
                                            (Op.CHECK, ops.versioned(f"{self.base}/sum", 1 << 30))])
        waiting[k] = Write(kind, k, path)
        connection.send(k, op, body)

    def _pair(self, k: int, data: bytes) -> bytes:
        return ops.multi([(Op.CREATE, ops.create(f"{self.base}/a{k}", data)),
                          (Op.SET_DATA, ops.set_data(f"{self.base}/pair", data)),
                          (Op.CREATE, ops.create(f"{self.base}/b{k}", data))])

    def _reply(self, reply: Reader, waiting: dict[int, Write]) -> None:
        xid, zxid, err = reply.int32(), reply.int64(), reply.int32()
        first = next(iter(waiting))
        if xid != first:
            self.faults.append(f"{self.name}: reply to {xid}, expected {first}")
        write = waiting.pop(xid)
        self.saw(zxid)
        self.zxids.append(zxid)
        self.acked += 1
        if write.kind in ("multi", "broken"):
            done = err == 0 and reply.int32() != Op.ERROR
            self._outcome(write, zxid, 0 if done else BAD_VERSION, reply)
        else:
            self._outcome(write, zxid, err, reply)

    def _outcome(self, write: Write, zxid: int, err: int, reply: Reader) -> None:
        """Enters an answered write; `err` must be what this kind of write deserves."""
        deserved = {"refused": NODE_EXISTS, "broken": BAD_VERSION}.get(write.kind, 0)
        if write.kind == "delete" and write.path in self.maybe and err == NO_NODE:
            deserved = NO_NODE
        if err != deserved:
            self.faults.append(f"{self.name}: {write.kind} {write.path} answers {err}")
        data = b"%d" % write.number
        if write.kind in ("create", "ephemeral"):
            self.there[write.path] = data, zxid
        elif write.kind == "sequential":
            name = reply.string() or ""
            self.sequential[write.path] = name
            self.there[name] = data, zxid
        elif write.kind == "multi":
            self.there[f"{self.base}/a{write.number}"] = data, zxid
            self.there[f"{self.base}/b{write.number}"] = data, zxid
        elif write.kind == "delete":
            self.there.pop(write.path, None)
            self.maybe.discard(write.path)
            self.gone.add(write.path)
        elif write.kind == "set":
            self._set(write, zxid, Stat.read(reply))
        elif write.kind == "broken":
            self.gone.add(write.path)

    def _set(self, write: Write, zxid: int, stat: Stat) -> None:
        step = stat.version - self.version
        if not 1 <= step <= 1 + self.unknown_sets:
            self.faults.append(f"{self.name}: set {write.number} made version {stat.version} of "
                               f"{self.version} with {self.unknown_sets} unanswered")
        if stat.modified != zxid:
            self.faults.append(f"{self.name}: set at {zxid:x} left mzxid {stat.modified:x}")
        self.version, self.unknown_sets = stat.version, 0
        self.sets.append((write.number, stat.version, zxid))

    def _lost(self, write: Write) -> None:
        """A write without an answer: it may have been done or not."""
        self.unknown += 1
        if write.kind in ("create", "ephemeral"):
            self.maybe.add(write.path)
        elif write.kind == "delete":
            self.there.pop(write.path, None)
            self.maybe.add(write.path)
        elif write.kind == "multi":
            self.maybe |= {f"{self.base}/a{write.number}", f"{self.base}/b{write.number}"}
        elif write.kind == "set":
            self.unknown_sets += 1
        elif write.kind == "broken":
            self.gone.add(write.path)

    def missing(self, tree: Mapping[str, Znode]) -> list[str]:
        """What does not hold of this worker's subtree in a census."""
        mine = {path: znode for path, znode in tree.items() if path.startswith(f"{self.base}/")}
        found = [f"{path} was acknowledged and is lost" for path in self.there.keys() - mine.keys()]
        found += [f"{path} is there and must not be" for path in self.gone & mine.keys()]
        for path, (data, zxid) in self.there.items():
            if path in mine:
                found += self._altered(path, mine[path], data, zxid)
        found += self._twice(mine) + self._halves(mine) + self._sums(mine)
        return [f"{self.name}: {fault}" for fault in found]

    def _altered(self, path: str, znode: Znode, data: bytes, zxid: int) -> list[str]:
        reader = Reader(znode.data)
        held, stat = reader.buffer(), Stat.read(reader)
        wanted = Stat(zxid, zxid, 0, self.owners.get(path, 0))
        return [] if (held, stat) == (data, wanted) else [f"{path}: {held!r}, {stat}; not {wanted}"]

    def _twice(self, mine: Mapping[str, Znode]) -> list[str]:
        names = [path for path in mine if path.startswith(f"{self.base}/s") and "-" in path]
        times = Counter(name[:-SUFFIX] for name in names)
        found = [f"{prefix} is there {count} times" for prefix, count in times.items() if count > 1]
        return found + [f"{name} was never asked for" for name in names
                        if name[:-SUFFIX] not in self.sequential]

    def _halves(self, mine: Mapping[str, Znode]) -> list[str]:
        ends = [{path.rsplit("/", 1)[1][1:] for path in mine if path.startswith(f"{self.base}/{end}")}
                for end in "ab"]
        found = [f"half of multi {number} is there" for number in ends[0] ^ ends[1]]
        reader = Reader(mine[f"{self.base}/pair"].data)
        reader.buffer()
        version = Stat.read(reader).version
        if version != len(ends[0]):
            found.append(f"{len(ends[0])} multis are there, and {version} sets by them")
        return found

    def _sums(self, mine: Mapping[str, Znode]) -> list[str]:
        reader = Reader(mine[f"{self.base}/sum"].data)
        data, stat = reader.buffer(), Stat.read(reader)
        if not self.version <= stat.version <= self.version + self.unknown_sets:
            return [f"sum has version {stat.version}, answered was {self.version}"]
        if self.sets and stat.version == self.version:
            number, _, zxid = self.sets[-1]
            if (data, stat.modified) != (b"%d" % number, zxid):
                return [f"sum holds {data!r} of {stat.modified:x}, not {number} of {zxid:x}"]
        return []


KINDS = ("create", "set", "sequential", "multi", "delete", "ephemeral", "set", "broken", "create",
         "set", "refused", "multi")
LETTER = {"create": "c", "set": "", "sequential": "s", "multi": "a", "delete": "c",
          "ephemeral": "e", "broken": "f", "refused": ""}


class Load(Crew[Worker]):
    """The workers of an ensemble, some at home at each server."""

    def __init__(self, servers: Sequence[Server], each: int = 2) -> None:
        addresses = [server.client for server in servers]
        super().__init__([Worker(n, addresses, n % len(addresses))
                          for n in range(each * len(addresses))])
        self.first = servers[0]

    def start(self) -> None:
        """Makes what the workers need, and lets them go."""
        connection = Connection(self.first.client)
        try:
            assert connection.handshake() is not None, "no session to begin with"
            paths = [ROOT] + [f"{worker.base}{leaf}" for worker in self.roamers
                              for leaf in ("", "/sum", "/pair")]
            for path in paths:
                err, _, _ = connection.call(Op.CREATE, ops.create(path))
                assert err == 0, f"create {path} answers {err}"
            connection.call(Op.CLOSE_SESSION)
        finally:
            connection.close()
        super().start()

    def check(self, tree: Mapping[str, Znode]) -> list[str]:
        """Everything that does not hold of a census taken while they rest."""
        times = Counter(zxid for worker in self.roamers for zxid in worker.zxids)
        found = [f"zxid {zxid:x} answered {count} writes" for zxid, count in times.items() if count > 1]
        found += [fault for worker in self.roamers for fault in worker.missing(tree)]
        return self.faults() + found
