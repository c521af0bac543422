"""The known differences: a table in tests/README.md, read by the comparison itself.

Each row is a pattern of step labels and a reason. A difference that no row covers fails the run, and
so does a row that covers none: the table says what is, not what once was.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from .compare import Difference

HEADING = "## Known differences"


def patterns(readme: Path) -> list[str]:
    """The first column of the table below the heading."""
    found, inside = [], False
    for line in readme.read_text().splitlines():
        if line.startswith("## "):
            inside = line.strip() == HEADING
        elif inside and line.startswith("| `"):
            found.append(line.split("`")[1])
    return found


def judge(differences: list[Difference], known: list[str],
          labels: list[str]) -> tuple[list[Difference], list[str]]:
    """The differences that are not known, and the patterns of replayed steps that cover nothing."""
    unknown = [d for d in differences if not any(fnmatchcase(d.label, p) for p in known)]
    scenes = {label.split("/")[0] for label in labels}
    replayed = [p for p in known if p.split("/")[0] in scenes]
    vanished = [p for p in replayed if not any(fnmatchcase(d.label, p) for d in differences)]
    return unknown, vanished
