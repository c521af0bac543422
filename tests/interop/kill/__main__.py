"""Kills servers of a real ensemble under writes and checks that nothing acknowledged is lost.

    python -m kill [--subject ringkeeper] [--rounds 20] [--io uring,poll] [--seed N]

Each round kills the leader, a follower, all three at once, a majority, or each in turn.
"""

from __future__ import annotations

import argparse
import sys
import time

from rig.system import Kind, System, kind_of

from .rounds import Trial

KINDS = ("leader", "follower", "all", "leader", "turn", "follower", "majority", "all")


def trial(kind: Kind, io: str, rounds: int, seed: int) -> tuple[int, int]:
    """One ensemble through all rounds: how many passed, how many failed."""
    properties = {"ringkeeper.io": io} if kind.name == "ringkeeper" else {}
    system = System(kind, 3, properties=properties)
    passed = failed = 0
    try:
        run = Trial(system.start(), seed)
        run.begin()
        for number in range(rounds):
            what, begun = KINDS[number % len(KINDS)], time.monotonic()
            found = run.round(what)
            passed, failed = passed + (not found), failed + bool(found)
            print(f"  {io} round {number + 1} {what}: {run.acked()} acknowledged, "
                  f"{time.monotonic() - begun:.1f} s{': FAILED' if found else ''}", flush=True)
            print("".join(f"    {fault}\n" for fault in found[:20]), end="")
            if found:
                break
        found = run.last_check() if not failed else []
        passed, failed = passed + (not found), failed + bool(found)
        print("".join(f"    {fault}\n" for fault in found[:20]), end="")
        run.end()
    except RuntimeError as error:
        print(f"  {error}")
        failed += 1
    finally:
        system.stop(keep=failed > 0)
    return passed, failed


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subject", default="ringkeeper", type=kind_of)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--io", default="uring,poll")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"kill: {options.subject}, seed {options.seed}", flush=True)
    backends = options.io.split(",") if options.subject.name == "ringkeeper" else ["java"]
    results = [trial(options.subject, io, options.rounds, options.seed) for io in backends]
    passed, failed = (sum(column) for column in zip(*results))
    print(f"kill: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
