"""What the word `proof` says."""

from __future__ import annotations

from dataclasses import dataclass

from rig.system import Server
from rig.waiting import until

PROOF = {"ringkeeper.proof": "true"}


@dataclass(frozen=True)
class Report:
    """The lines of one answer."""

    lines: list[tuple[str, str]]

    def __getitem__(self, key: str) -> str:
        """The value of a key that stands once, without its `proof_`."""
        found = self.all(key)
        assert len(found) == 1, f"{key} stands {len(found)} times in {self.lines}"
        return found[0]

    def number(self, key: str) -> int:
        """As a number."""
        return int(self[key], 0)

    def all(self, key: str) -> list[str]:
        """The values of a key that may stand several times."""
        return [value for name, value in self.lines if name == f"proof_{key}"]

    def text(self) -> str:
        """On lines."""
        return "\n".join(f"{key}\t{value}" for key, value in self.lines)


def report(server: Server) -> Report:
    """What a server in proof mode says now."""
    text = server.word("proof")
    lines = [line.partition("\t") for line in text.splitlines()]
    assert lines and all(tab for _, tab, _ in lines), f"no report: {text!r}"
    return Report([(key, value) for key, _, value in lines])


def wait_equal(server: Server, seconds: float = 60) -> Report:
    """Returns once it observes and its digests are equal."""
    until(lambda: server.word("proof") and report(server)["state"] == "equal", seconds)
    return report(server)
