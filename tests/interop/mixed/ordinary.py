"""What pure Java ensembles complain of and count in the scenario: `mixed/ordinary/<version>.json`.

One run beside a mixed one shows only some of what can happen, for much of it is a race of Java's
threads against a kill. So what many runs have shown is kept, and a mixed run is held against that and
the run beside it. `python -m mixed.ordinary --java 3.8.0 --rounds 10` runs more and adds to it.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from . import scenario
from .scenario import Outcome

FOLDER = Path(__file__).with_name("ordinary")
PURE = "JJJj"


@dataclass
class Ordinary:
    """How many runs were seen, every complaint, and the most digest mismatches of one server."""

    runs: int = 0
    mismatches: int = 0
    late_mismatches: int = 0
    complaints: set[str] = field(default_factory=set)

    def add(self, outcome: Outcome) -> None:
        """One more run. Where the servers have come to differ, their mismatches are no measure."""
        self.runs += 1
        self.complaints |= outcome.complaints.keys()
        if not outcome.faults:
            self.mismatches = max(self.mismatches, *outcome.mismatches.values())
            self.late_mismatches = max(self.late_mismatches, *outcome.late_mismatches.values())


def load(version: str) -> Ordinary:
    """What is kept for a version."""
    path = FOLDER / f"{version}.json"
    if not path.exists():
        return Ordinary()
    kept = json.loads(path.read_text())
    return Ordinary(kept["runs"], kept["mismatches"], kept["late_mismatches"],
                    set(kept["complaints"]))


def mismatches_of_any_version() -> int:
    """The most that one Java server has counted. It comes of a race in every version: a learner that
    leaves its role applies its log to the tree while its CommitProcessor still works on that."""
    return max(load(path.stem).mismatches for path in FOLDER.glob("*.json"))


def save(version: str, ordinary: Ordinary) -> None:
    """Keeps it."""
    FOLDER.mkdir(exist_ok=True)
    kept = {"runs": ordinary.runs, "mismatches": ordinary.mismatches,
            "late_mismatches": ordinary.late_mismatches, "complaints": sorted(ordinary.complaints)}
    (FOLDER / f"{version}.json").write_text(json.dumps(kept, indent=1) + "\n")


def run_pure(version: str) -> Outcome:
    """The scenario on Apache ZooKeeper alone. A fault there, but for a defect of `STRUCK`, is the
    scenario's."""
    system = scenario.ensemble(PURE, version)
    faulty = True
    try:
        outcome = scenario.run(system.start())
        faulty = bool(outcome.faults) and not outcome.struck_by
        return outcome
    finally:
        system.stop(keep=faulty)


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--java", default="3.8.0")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    faulty = 0
    for number in range(1, options.rounds + 1):
        outcome = run_pure(options.java)
        kept = load(options.java)
        fresh = outcome.complaints.keys() - kept.complaints
        kept.add(outcome)
        save(options.java, kept)
        faulty += bool(outcome.faults) and not outcome.struck_by
        print(f"run {number} on {options.java}: {len(fresh)} new complaints\n{outcome.told()}")
        print("".join(f"  {line}\n" for line in [*sorted(fresh), *outcome.faults[:20]]), flush=True)
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
