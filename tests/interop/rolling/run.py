"""One run: three Java servers with data, the load, every server replaced, and every one back."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Sequence

from rig import ops
from rig.census import SUPER_PROPERTIES, Znode, assert_agree, census, digest_mismatches, zxid_of
from rig.ops import Op
from rig.roamer import Crew, Roamer
from rig.system import RINGKEEPER, Kind, Server, System, java
from rig.waiting import until
from rig.wire import Connection

from . import seed
from .check import faults
from .load import Load
from .prober import Prober
from .records import ALIVE, COUNTERS, LOCKS, LOG, PROBE, Record, longest_gap
from .steps import LOG_FOLDER, level, replace
from .watchers import OneShot, Recursive, Watcher

CONFIG = {"tickTime": "1000", "maxSessionTimeout": "40000", "initLimit": "20"}
PROPERTIES = {**SUPER_PROPERTIES, **seed.PROPERTIES}
SETTLE_SECONDS = 30.0


@dataclass(frozen=True)
class Plan:
    """What a run does. `first` is `followers` or `leader`; `data` what a server starts from, `kept`
    or `empty`; `there` the kind all servers become before they become Java again."""

    version: str
    first: str
    data: str
    there: Kind = RINGKEEPER
    clients: int = 30
    processes: int = 3
    znodes: int = 10_000
    breath: float = 0.05
    linger: float = 4.0

    @property
    def log_apart(self) -> bool:
        """Whether the servers keep their logs in a dataLogDir: half of the runs."""
        return self.first == "leader"

    def __str__(self) -> str:
        return f"{self.version}, {self.first} first, data {self.data}, to {self.there} and back"


@dataclass(frozen=True)
class Stage:
    """One server's replacement: the bounds of its time, and how long the steps took."""

    text: str
    begun: float
    ended: float
    steps: float


class Run:
    """One ensemble and its load, from beginning to end."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        apart = {"dataLogDir": f"./{LOG_FOLDER}"} if plan.log_apart else {}
        self.system = System.mixed("JJJ", plan.version, config={**CONFIG, **apart},
                                   properties=PROPERTIES)
        addresses = [server.client for server in self.system.servers]
        self.load = Load(plan.clients, plan.processes, self.system.connect_string, plan.breath)
        self.locks = max(plan.clients // 3, 1)
        self.watchers: list[Watcher] = [
            kind(addresses, plan.clients, self.locks, turn)
            for turn, kind in enumerate((OneShot, Recursive, OneShot, Recursive))]
        self.prober = Prober(addresses)
        self.crew: Crew[Roamer] = Crew([*self.watchers, self.prober])
        self.probing = Crew([self.prober])
        self.stages: list[Stage] = []
        self.level_at = 0
        self.records: list[Record] = []
        self.found: list[str] = []
        self._planted: dict[str, Znode] = {}

    def begin(self) -> None:
        """Servers, data, clients; returns once every client has written."""
        self.system.start()
        leader = self.system.leader()
        seed.plant(leader, self.plan.znodes)
        self._make_parents(leader)
        assert_agree(self.system.servers)
        self._planted = seed.planted(census(leader))
        self.load.begin()
        self.crew.start()
        self.load.wait_progress(5)

    def move(self, kind: Kind) -> None:
        """Every server becomes one of this kind, under load; then all must agree."""
        left = list(self.system.servers)
        while left:
            leader = self.system.leader()
            ordered = sorted(left, key=lambda s: (s is leader) == (self.plan.first == "followers"))
            left.remove(ordered[0])
            self._replace(ordered[0], kind, "leader" if ordered[0] is leader else "follower")
        self._rest()
        self.load.resume()
        self.probing.resume()
        self.load.wait_progress(2)

    def check(self) -> list[str]:
        """Brings all to rest; what did not hold."""
        self._rest()
        self.load.last_check()
        self.records = self.load.records()
        self._watchers_see_the_end()
        tree = census(self.system[1])
        self.found += faults(tree, self.records, self.watchers) + self.prober.faults
        self.found += [f"{who.name} died" for who in self.crew.roamers if not who.is_alive()]
        for server in self.system.servers:
            text = server.log.read_text(errors="replace")
            self.found += [f"server {server.id}: {line}" for line in text.splitlines()
                           if re.search(r"panicked|OutOfMemoryError", line)]
        return self.found

    def end(self, failed: bool) -> None:
        """Ends everything; logs and data stay if it failed."""
        self.load.end()
        if self.prober.ident is not None:
            self.crew.halt()
        self.system.stop(keep=failed)

    def _replace(self, server: Server, kind: Kind, role: str) -> None:
        text = f"{server.id} ({role}) {server.kind} -> {kind}"
        begun = time.monotonic()
        replace(self.system, server, kind, self.plan.data)
        steps = time.monotonic() - begun
        self.level_at = zxid_of(self.system.leader())
        self.load.wait_progress(5)
        time.sleep(self.plan.linger)
        assert level(self.system), f"after {text}: {[s.mode() for s in self.system.servers]}"
        self.stages.append(Stage(text, begun, time.monotonic(), steps))
        mismatches = [digest_mismatches(s) for s in self.system.servers]
        print(f"  {text}: {steps:.1f} s, leader now {self.system.leader().id}, "
              f"digest mismatches {mismatches}", flush=True)

    def _rest(self) -> None:
        """No load; all servers must agree, and have what was there from the start."""
        self.load.pause()
        self.probing.pause()
        assert_agree(self.system.servers, self.level_at)
        self._compare_planted()

    def _compare_planted(self) -> None:
        found = seed.planted(census(self.system[1]))
        apart = [path for path in found.keys() | self._planted.keys()
                 if found.get(path) != self._planted.get(path)]
        self.found += [f"{path} is not what it was: {found.get(path)}, was {self._planted.get(path)}"
                       for path in sorted(apart)[:5]]

    def _watchers_see_the_end(self) -> None:
        """Each watcher must reach the last version of every counter, and stay there for a round."""
        last = {record.counter: record.version for record in self.records}

        def arrived(watcher: Watcher) -> bool:
            return all(watcher.versions.get(path) == version for path, version in last.items())

        try:
            until(lambda: all(arrived(watcher) for watcher in self.watchers), SETTLE_SECONDS)
            rounds = [watcher.rounds + 2 for watcher in self.watchers]
            until(lambda: all(w.rounds >= n for w, n in zip(self.watchers, rounds)), SETTLE_SECONDS)
        except AssertionError as error:
            behind = [watcher.name for watcher in self.watchers if not arrived(watcher)]
            self.found.append(f"watchers do not see the end: {behind} {error}")

    def _make_parents(self, server: Server) -> None:
        connection = Connection(server.client)
        try:
            connection.handshake()
            folders = ["/roll", COUNTERS, LOCKS, LOG, ALIVE, PROBE]
            for path in folders + [f"{LOCKS}/{n}" for n in range(self.locks)]:
                err, _, _ = connection.call(Op.CREATE, ops.create(path, b""))
                assert err == 0, f"create {path} answers {err}"
            connection.call(Op.CLOSE_SESSION)
        finally:
            connection.close()


def gaps(stages: Sequence[Stage], records: Sequence[Record], prober: Prober) -> str:
    """A table: for each replacement, the longest time without an acknowledged write, in ms."""
    rows = ["| replaced | steps, s | outside | client, median | client, longest |",
            "| --- | ---: | ---: | ---: | ---: |"]
    for stage in stages:
        outside = longest_gap(prober.acks, stage.begun, stage.ended)
        each = sorted(longest_gap(record.acks, stage.begun, stage.ended) for record in records)
        rows.append(f"| {stage.text} | {stage.steps:.1f} | {outside * 1000:.0f} | "
                    f"{each[len(each) // 2] * 1000:.0f} | {each[-1] * 1000:.0f} |")
    return "\n".join(rows)


def summary(run: Run) -> str:
    """How much was there to go wrong."""
    acks = sum(len(record.acks) for record in run.records)
    unknown = sum(len(r.ledger.sent) - len(r.ledger.acked) for r in run.records)
    return (f"{acks} writes acknowledged, {unknown} creates unanswered, "
            f"{sum(len(r.holds) for r in run.records)} locks held, "
            f"{sum(r.events for r in run.records)} events to kazoo, "
            f"{sum(w.events for w in run.watchers)} in raw bytes, "
            f"{sum(r.suspensions for r in run.records)} connections lost, "
            f"{len(run.prober.acks)} probes")


def back(plan: Plan) -> Kind:
    """What the ensemble was."""
    return java(plan.version)
