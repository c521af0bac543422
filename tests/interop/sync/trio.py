"""Three servers, one of which goes away and comes back; which plan it is then given."""

from __future__ import annotations

import re
import shutil
import signal
import time
from pathlib import Path
from typing import Optional, Sequence

from rig import ops
from rig.census import assert_agree, census, wait_level
from rig.ops import Op
from rig.system import RINGKEEPER, Server, System, java
from rig.waiting import until
from rig.wire import Connection, Silence

from .churn import Churn
from .conftest import QUICK

AT_A_TIME = 20
# What a learner says of the plan it was given, and a Java leader of where a DIFF comes from.
TOLD = {
    "told DIFF": "DIFF", "told TRUNC": "TRUNC", "told SNAP": "SNAP",
    "Getting a diff from the leader": "DIFF", "Truncating log to get in sync": "TRUNC",
    "Getting a snapshot from leader": "SNAP",
}
SOURCES = {
    "Using committedLog for peer": "memory", "Use txnlog and committedLog for peer": "log",
    'history="memory"': "memory", 'history="the log"': "log",
}


class Said:
    """What a server writes to its log from here on."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.begun = server.log.stat().st_size if server.log.exists() else 0

    def text(self) -> str:
        """All of it."""
        with open(self.server.log, "rb") as log:
            log.seek(self.begun)
            return log.read().decode(errors="replace")

    def found(self, words: dict[str, str]) -> list[str]:
        """The meanings of the words that occur, in their order."""
        pattern = "|".join(re.escape(word) for word in words)
        return [words[match] for match in re.findall(pattern, self.text())]


class Trio(System):
    """An ensemble by letters. Server 3 leads after `begin`, and 2 when 3 is away."""

    order: Sequence[int] = (3, 2, 1)

    @classmethod
    def of(cls, mix: str, version: str, **config: str) -> "Trio":
        """As `System.mixed`, with short ticks. An observer (3) comes last."""
        trio = cls.mixed(mix, version, config={**QUICK, **config})
        assert isinstance(trio, cls)
        if trio.observers:
            trio.order = (2, 1, 3)
        return trio

    def __enter__(self) -> "Trio":
        self.begin(*self.order)
        return self

    def begin(self, *ids: int) -> None:
        """Starts these servers: the first two elect the larger of them where their data is equal,
        then the others come."""
        try:
            for some in (ids[:2], ids[2:]):
                for id in some:
                    self[id].start()
                for id in some:
                    self[id].wait_serving()
            leader = max(ids[:2])
            if len(ids) > 1:
                assert self[leader].mode() == "leader", f"{leader} leads not:\n{self[leader].tail()}"
        except BaseException:
            self.stop(keep=True)
            raise

    def come_back(self, id: int, leader: int) -> tuple[list[str], list[str]]:
        """Starts a server and waits until it serves: the plans it was given, and their sources."""
        learner, source = Said(self[id]), Said(self[leader])
        self[id].start()
        self[id].wait_serving(60)
        return learner.found(TOLD), source.found(SOURCES)

    def lose(self, id: int) -> None:
        """Kills a server that holds all there is."""
        wait_level(list(self.running()))
        self[id].end()

    def wipe(self, id: int) -> None:
        """Takes from a server all that it held, but its number."""
        data = self[id].folder / "data"
        for entry in data.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)

    def check(self, *churns: Churn, digests_from: int = 0) -> None:
        """All servers agree (`assert_agree`), and hold what was acknowledged."""
        assert_agree(list(self.running()), digests_from)
        tree = census(next(self.running()))
        missing = [fault for churn in churns for fault in churn.missing(tree)]
        assert not missing, missing[:10]


def write(server: Server, count: int, prefix: str, size: int = 10) -> None:
    """Sets a znode so many times, to so many bytes, with several requests on their way."""
    connection = Connection(server.client, 30)
    assert connection.handshake(30000) is not None
    connection.call(Op.CREATE, ops.create(f"/{prefix}"))
    for first in range(0, count, AT_A_TIME):
        numbers = range(first, min(first + AT_A_TIME, count))
        for number in numbers:
            connection.send(number + 10, Op.SET_DATA, ops.set_data(f"/{prefix}", bytes(size)))
        for _ in numbers:
            _await_reply(connection, server)
    connection.call(Op.CLOSE_SESSION)
    connection.close()


def fill(server: Server, znodes: int, below: str = "/many", each: int = 500) -> None:
    """Creates so many znodes, in multis of `each`."""
    connection = Connection(server.client, 60)
    assert connection.handshake(40000) is not None
    connection.call(Op.CREATE, ops.create(below))
    waiting = 0
    for first in range(0, znodes, each):
        parts = [(Op.CREATE, ops.create(f"{below}/{number:07}", b"%100d" % number))
                 for number in range(first, min(first + each, znodes))]
        connection.send(first + 10, Op.MULTI, ops.multi(parts))
        waiting += 1
        if waiting == 8:
            _await_reply(connection, server)
            waiting -= 1
    for _ in range(waiting):
        _await_reply(connection, server)
    assert connection.call(Op.CLOSE_SESSION)[0] == 0
    connection.close()


def _await_reply(connection: Connection, server: Server, seconds: float = 60) -> None:
    """Takes the next reply.

    Apache ZooKeeper 3.8.0 may sleep over a commit until there is another (ZOOKEEPER-4537, a lost
    wake-up of its CommitProcessor; mended in 3.8.1 and 3.9.0): a second client makes it one.
    """
    deadline = time.monotonic() + seconds
    patience = 5.0 if server.kind == java("3.8.0") else seconds
    while True:
        try:
            assert connection.receive(patience) is not None
            return
        except Silence:
            if time.monotonic() > deadline:
                raise
        other = Connection(server.client)
        assert other.handshake() is not None
        other.close()


def freeze(servers: Sequence[Server]) -> None:
    """Stops processes where they stand, to their last thread: what is sent to them stays with the
    kernel."""
    for server in servers:
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
    for server in servers:
        until(lambda server=server: _is_stopped(server), 20)


def _is_stopped(server: Server) -> bool:
    assert server.process is not None
    threads = Path(f"/proc/{server.process.pid}/task").iterdir()
    states = [(thread / "stat").read_text().rpartition(") ")[2][0] for thread in threads]
    return set(states) == {"T"}


def leave_a_tail(system: Trio, count: int = 20, session: bool = True) -> None:
    """The leader logs proposals that nobody else ever reads; afterwards no process runs.

    `session` false: the tail is of sessions being created, and the epoch has no other txn.
    """
    leader, others = system[3], [system[1], system[2]]
    connections = []
    before = 0
    if session:
        connections.append(Connection(leader.client))
        assert connections[0].handshake(30000) is not None
        wait_level(system.servers)
        freeze(others)
        before = _proposed(leader)
        for number in range(count):
            connections[0].send(number + 1, Op.CREATE, ops.create(f"/tail-{number}"))
    else:
        freeze(others)
        before = _proposed(leader)
        for _ in range(count):
            connections.append(Connection(leader.client))
            connections[-1].send_frame(bytes(12) + b"\0\0\x75\x30" + bytes(8) + b"\0\0\0\x10" + bytes(17))
    until(lambda: _proposed(leader) >= before + count, 20)
    time.sleep(0.3)
    for server in (leader, *others):
        server.end()
    for connection in connections:
        connection.close()


def _proposed(server: Server) -> int:
    """How many proposals a leader has made."""
    lines = [line for line in server.word("mntr").splitlines() if "zk_proposal_count" in line]
    return int(lines[0].split()[1]) if lines else 0


def tail(server: Server) -> int:
    """How many znodes of the tail a server shows."""
    return sum(path.startswith("/tail-") for path in census(server))


def kill_midway(system: Trio, id: int, word: str, after: float) -> Optional[str]:
    """Starts a server and kills it a moment after it has said `word`; what it had said by then."""
    said = Said(system[id])
    system[id].start()
    until(lambda: word in said.text() or system[id].mode(), 30)
    time.sleep(after)
    system[id].end()
    return said.text()


def words_of(server: Server, plan: str) -> str:
    """How a learner of this kind says that it is given the plan."""
    ours = server.kind == RINGKEEPER
    return next(word for word, meaning in TOLD.items()
                if meaning == plan and word.startswith("told") == ours)
