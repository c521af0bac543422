"""One scenario, run by a mixed ensemble and by a pure Java one beside it: every voter leads once.

Under load, leaders are killed until every voter has led; then one leader is ended by SIGTERM. What
the load was told, what the servers hold, what Java counts and what it complains of is the outcome.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, field

from rig import census, java_log
from rig.load import Load
from rig.reign import Change, crown, depose
from rig.roamer import Stuck
from rig.system import Server, System

CONFIG = {"tickTime": "500", "initLimit": "20", "syncLimit": "10", "maxSessionTimeout": "60000"}
STEP_WRITES = 60

# Defects by which a Java learner of a Java leader falls over, in 3.8.0. Ringkeeper sends a learner
# nothing uncommitted before NEWLEADER and acknowledges nothing before it has, so neither can be had
# from it or by it.
STRUCK = {
    # The leader sends uncommitted proposals before NEWLEADER and their commits before UPTODATE. The
    # learner logs them, falls over, comes back, logs them once more, and after its next start has
    # applied them twice.
    'because "pif" is null': "ZOOKEEPER-4394",
    # The learner acknowledges a proposal of its synchronization before NEWLEADER; the leader is left
    # without a quorum until initLimit has passed.
    "NEWLEADER ACK from sid": "ZOOKEEPER-4685",
}


@dataclass
class Outcome:
    """What a run of the scenario left behind."""

    changes: list[Change] = field(default_factory=list)
    led: set[int] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    znodes: int = 0
    epoch: int = 0
    acknowledged: int = 0
    unknown: int = 0
    mismatches: dict[int, int] = field(default_factory=dict)
    late_mismatches: dict[int, int] = field(default_factory=dict)
    complaints: dict[str, set[int]] = field(default_factory=dict)

    @property
    def struck_by(self) -> set[str]:
        """The defects of `STRUCK` that happened; Java servers may differ afterwards."""
        return {name for part, name in STRUCK.items()
                if any(part in complaint for complaint in self.complaints)}

    def told(self) -> str:
        """For the reader of a test's output."""
        lines = [f"{self.acknowledged} acknowledged, {self.unknown} unanswered, {self.znodes} znodes, "
                 f"epoch {self.epoch}, mismatches {self.mismatches}, later {self.late_mismatches}"
                 f"{', struck by ' + ', '.join(self.struck_by) if self.struck_by else ''}"]
        return "\n".join(f"  {line}" for line in [*map(str, self.changes), *lines])


def ensemble(mix: str, version: str) -> System:
    """As the scenario wants it, not started."""
    return System.mixed(mix, version, config=CONFIG, properties=census.SUPER_PROPERTIES)


def mismatches(system: System) -> dict[int, int]:
    """What the Java servers have counted since they started."""
    return {s.id: census.digest_mismatches(s) for s in system.servers if s.kind.name == "java"}


def reigns(system: System, load: Load, outcome: Outcome) -> None:
    """The leader is killed until every voter has led."""
    voters = {server.id for server in system.servers} - system.observers
    outcome.led.add(system.leader().id)

    def write() -> None:
        load.progress(STEP_WRITES)

    def enter(change: Change) -> None:
        outcome.changes.append(change)
        outcome.led.add(change.new.id)
        load.progress(STEP_WRITES)
        settle(system, load, outcome)

    while outcome.led != voters:
        before = set(outcome.led)
        enter(depose(system, meanwhile=write))
        if outcome.led == before:
            enter(crown(system, system[min(voters - outcome.led)], write))
    enter(depose(system, signal.SIGTERM, meanwhile=write))


def settle(system: System, load: Load, outcome: Outcome) -> None:
    """Everybody at home and level; the mismatches counted, which then must not go on."""
    load.send_home()
    load.progress(STEP_WRITES)
    counted = mismatches(system)
    load.progress(STEP_WRITES)
    for id, count in mismatches(system).items():
        outcome.mismatches[id] = max(count, outcome.mismatches.get(id, 0))
        outcome.late_mismatches[id] = max(count - counted[id], outcome.late_mismatches.get(id, 0))


def run(system: System) -> Outcome:
    """The scenario on a started ensemble."""
    outcome, load = Outcome(), Load(system.servers)
    load.start()
    try:
        load.progress(STEP_WRITES)
        reigns(system, load, outcome)
        load.pause()
        outcome.znodes = census.assert_agree(system.servers, have_lost_roles=True)
        outcome.epoch = census.zxid_of(system.leader()) >> 32
        outcome.faults = load.check(census.census(system.servers[0]))
    except (Stuck, AssertionError) as fault:
        outcome.faults = [str(fault), *load.faults(), *map(tail, system.servers)]
    finally:
        load.halt()
    outcome.acknowledged = load.acknowledged()
    outcome.unknown = sum(worker.unknown for worker in load.roamers)
    outcome.complaints = java_log.complaints_of(system.servers)
    return outcome


def tail(server: Server) -> str:
    """The end of a server's log, for a fault."""
    return f"-- {server.id} {server.kind} {server.mode()}\n{server.tail()}"
