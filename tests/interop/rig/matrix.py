"""What was proved, by Java version, Ringkeeper's role and scenario: kept in a folder, shown as a table.

A test that proves a cell names it with the fixture `cell`; a program calls `record`. Each leaves one
small file in the cache, which its next run replaces. The table in `server/README.md` is made of them:

    python -m rig.matrix --clear     forgets all results
    python -m rig.matrix             writes the table; the exit code is 1 if a cell has failed
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Iterable

from . import places

FOLDER = places.CACHE / "matrix"
README = places.REPOSITORY / "server" / "README.md"
BEGIN, END = "<!-- matrix -->", "<!-- /matrix -->"
CHAPTER = "## Moving from Apache ZooKeeper"
LEGEND = """Tests passed of those run with real Java servers, by their version and by Ringkeeper's role;
made by `tests/interop/rig/matrix.py` (`tests/README.md`, "Mixed ensembles").

"""
ROLES = ("leader", "follower", "observer")


@dataclass(frozen=True)
class Cell:
    """One test's outcome for one cell. `role` is Ringkeeper's; `version` that of the Java servers."""

    version: str
    role: str
    scenario: str
    test: str
    passed: bool


def record(version: str, role: str, scenario: str, passed: bool, test: str) -> None:
    """Keeps an outcome; a later one of the same test for the same cell replaces it."""
    assert role in ROLES, f"no role {role}: {', '.join(ROLES)}"
    cell = Cell(version, role, scenario, test, passed)
    name = hashlib.sha256("\n".join((version, role, scenario, test)).encode()).hexdigest()[:16]
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(asdict(cell), indent=1) + "\n")


def cells() -> list[Cell]:
    """All outcomes at hand, in one order."""
    found = [Cell(**json.loads(path.read_text())) for path in FOLDER.glob("*.json")]
    return sorted(found, key=lambda cell: (cell.scenario, cell.version, cell.role, cell.test))


def table(found: Iterable[Cell]) -> str:
    """A row a scenario, a column a version and role; `passed/run` where a test has spoken."""
    found = list(found)
    versions = sorted({cell.version for cell in found})
    columns = [(version, role) for version in versions for role in ROLES]
    head = ["scenario", *(f"{version} {role}" for version, role in columns)]
    rows = [head, ["---", *(":---:" for _ in columns)]]
    for scenario in sorted({cell.scenario for cell in found}):
        rows.append([scenario, *(_tally(found, scenario, *column) for column in columns)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _tally(found: Iterable[Cell], scenario: str, version: str, role: str) -> str:
    said = [cell.passed for cell in found
            if (cell.scenario, cell.version, cell.role) == (scenario, version, role)]
    return f"{sum(said)}/{len(said)}" if said else ""


def write(text: str, readme: Path = README) -> None:
    """Puts the table between the markers, making chapter and markers where they are missing."""
    whole = readme.read_text()
    if BEGIN not in whole:
        chapter = "" if CHAPTER in whole else f"\n{CHAPTER}\n"
        whole = f"{whole.rstrip()}\n{chapter}\n{BEGIN}\n{END}\n"
    before, _, rest = whole.partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{text}{END}{after}")


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clear", action="store_true", help="forget all results")
    if parser.parse_args().clear:
        for path in FOLDER.glob("*.json"):
            path.unlink()
        return 0
    found = cells()
    if not found:
        print("no results: run the suites first")
        return 1
    write(LEGEND + table(found))
    failed = [cell for cell in found if not cell.passed]
    for cell in failed:
        print(f"failed: {cell.scenario}, {cell.role}, {cell.version}: {cell.test}")
    print(f"{len(found)} results, {len(failed)} failed: {README}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
