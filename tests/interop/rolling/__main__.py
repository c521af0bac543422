"""Moves an ensemble of Apache ZooKeeper to Ringkeeper and back, server by server, under load.

    python -m rolling                                 short: 3.8.0, and 3.9.5 where its jars are
    python -m rolling --java 3.9.5 --clients 30       long: every order and every kind of data
    python -m rolling --java 3.9.5 --there java       Java replaced by Java: is it the test?
    python -m rolling --steps ringkeeper kept         the steps, as server/README.md shows them

Gaps in service are measured and shown, never judged.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from rig import places
from rig.matrix import record
from rig.system import kind_of

from .run import Plan, Run, back, gaps, summary
from .steps import EMPTY, KEPT, LISTS, document

README = places.REPOSITORY / "server" / "README.md"
SCENARIO = "all servers replaced and put back under load"


def documented() -> list[str]:
    """The lists of steps that the document does not show as they are taken here."""
    text = README.read_text()
    return [f"server/README.md does not show the steps to {to}, data {data}:\n{document(to, data)}"
            for to, data in LISTS if to != "java again" and document(to, data) not in text]


def attempt(plan: Plan) -> list[str]:
    """One run; what did not hold."""
    print(f"rolling: {plan}, {plan.clients} clients, {plan.znodes} znodes", flush=True)
    begun, run, found = time.monotonic(), Run(plan), ["it did not come to its end"]
    try:
        run.begin()
        run.move(plan.there)
        run.move(back(plan))
        found = run.check()
        print(f"{gaps(run.stages, run.records, run.prober)}\n{summary(run)}")
    except (AssertionError, RuntimeError, OSError):
        found = [*run.found, *run.crew.faults(), traceback.format_exc()]
    finally:
        run.end(failed=bool(found))
    print("".join(f"    {fault}\n" for fault in found[:30]), end="")
    print(f"  {'FAILED' if found else 'passed'} in {time.monotonic() - begun:.0f} s", flush=True)
    return found


def plans(options: argparse.Namespace) -> list[Plan]:
    """What is asked for; without a version, a run of each kind between few servers and clients."""
    if options.java is None:
        short = {"clients": 12, "processes": 2, "znodes": 2000, "linger": 1.5}
        found = [Plan("3.8.0", "followers", KEPT, **short)]
        if places.newest_java() == "3.9.5":
            found.append(Plan("3.9.5", "leader", EMPTY, **short))
        return found
    full = {"there": options.there, "clients": options.clients, "processes": options.processes,
            "znodes": options.znodes, "linger": options.linger}
    return [Plan(options.java, first, data, **full)
            for data in options.data.split(",") for first in options.first.split(",")]


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--java", choices=("3.8.0", "3.9.5"))
    parser.add_argument("--there", type=kind_of, default="ringkeeper", help="ringkeeper or java-<version>")
    parser.add_argument("--first", default="followers,leader")
    parser.add_argument("--data", default=f"{KEPT},{EMPTY}")
    parser.add_argument("--clients", type=int, default=30)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--znodes", type=int, default=10_000)
    parser.add_argument("--linger", type=float, default=4.0, help="seconds of load after each server")
    parser.add_argument("--steps", nargs=2, metavar=("TO", "DATA"))
    options = parser.parse_args()
    if options.steps:
        print(document(*options.steps), end="")
        return 0
    missing = documented()
    print("".join(missing), end="")
    passed, failed = int(not missing), int(bool(missing))
    for plan in plans(options):
        found = attempt(plan)
        passed, failed = passed + (not found), failed + bool(found)
        if plan.there.name == "ringkeeper":
            for role in ("leader", "follower"):
                record(plan.version, role, SCENARIO, not found, f"rolling {plan.first} {plan.data}")
    print(f"rolling: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
