"""Every voter leads once, under load: what was acknowledged is there, and Java has no new complaint."""

from __future__ import annotations

from rig.system import RINGKEEPER

from . import scenario
from .ordinary import Ordinary
from .scenario import Outcome

# What only a mixed ensemble makes Java say, and why that is no fault.
MEANT: dict[str, str] = {}


ATTEMPTS = 4


def run(mix: str, version: str) -> tuple[Outcome, dict[int, str]]:
    """The scenario, and each Ringkeeper's role; again where two Java servers struck each other."""
    for attempt in range(ATTEMPTS):
        system = scenario.ensemble(mix, version)
        failed = True
        try:
            outcome = scenario.run(system.start())
            print(f"\n{mix}, {version}\n{outcome.told()}")
            failed = bool(outcome.faults)
        finally:
            system.stop(keep=failed)
        if not (outcome.is_struck and "JJ" in "".join(sorted(mix))):
            break
    roles = {server.id: "observer" if server.id in system.observers else "follower"
             for server in system.servers if server.kind == RINGKEEPER}
    return outcome, roles


def test_every_voter_leads_once_under_load(mix: str, java_version: str, pure: Ordinary, cell) -> None:
    """Leaders killed in turn, then one ended by SIGTERM."""
    outcome, roles = run(mix, java_version)
    for role in set(roles.values()) | {"leader"}:
        cell(role, "every voter leads in turn, under load")
    assert not outcome.is_struck, "ZOOKEEPER-4394: by a Ringkeeper leader, or in every attempt"
    assert not outcome.faults, "\n".join(outcome.faults[:20])
    assert outcome.epoch <= 1 + 2 * len(outcome.changes), "elections without a loss of leaders"
    assert max(outcome.mismatches.values()) <= pure.mismatches
    assert max(outcome.late_mismatches.values()) <= pure.late_mismatches
    fresh = {text: who for text, who in outcome.complaints.items()
             if text not in pure.complaints and text not in MEANT}
    assert not fresh, f"in the logs of these Java servers alone: {fresh}"
