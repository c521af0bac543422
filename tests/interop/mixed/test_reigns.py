"""Every voter leads once, under load: what was acknowledged is there, and Java has no new complaint."""

from __future__ import annotations

from . import ordinary, scenario
from .ordinary import Ordinary
from .scenario import STRUCK, Outcome

# Complaints that have nothing to do with the other servers' kind, and so rare that the pure runs kept
# may not show them.
ELSEWHERE = {
    "fsync-ing the write ahead log": "a slow disk",
    "CancelledKeyException causing close of session": "a learner without a leader closes its clients",
    "Error sending data synchronously": "the same, while one is answered",
    "java.nio.channels.": "the same: only clients' connections are such",
    "Exception when using channel": "a server was killed while a vote was sent to it",
}

# What Java says of a log that holds a txn twice: after ZOOKEEPER-4394, and never otherwise.
TWICE = "WARN Current zxid"

# How often a mix is run in which two Java voters strike each other: until they do not, or, after
# that many times, until at least nothing was lost by it.
ATTEMPTS, ATTEMPTS_MAX = 3, 8


def check(outcome: Outcome, pure: Ordinary) -> None:
    """What must hold after the scenario where no defect of Java's has struck."""
    assert not outcome.struck_by, "no Java server follows another: this is Ringkeeper's doing"
    assert not outcome.faults, "\n".join(outcome.faults[:20])
    assert outcome.epoch <= 1 + 2 * len(outcome.changes), "elections without a loss of leaders"
    assert max(outcome.mismatches.values()) <= ordinary.mismatches_of_any_version()
    assert max(outcome.late_mismatches.values()) <= pure.late_mismatches
    known = {text for text in pure.complaints
             if not text.startswith(TWICE) and not any(part in text for part in STRUCK)}
    fresh = {text: who for text, who in outcome.complaints.items()
             if text not in known and not any(part in text for part in ELSEWHERE)}
    assert not fresh, f"in the logs of these Java servers alone: {fresh}"


def test_every_voter_leads_once_under_load(mix: str, java_version: str, pure: Ordinary, cell) -> None:
    """Leaders killed in turn, then one ended by SIGTERM."""
    for role in {"leader", "follower", *(["observer"] if "r" in mix else [])}:
        cell(role, "every voter leads in turn, under load")
    java_follows_java = mix.count("J") > 1
    for attempt in range(1, ATTEMPTS_MAX + 1):
        system = scenario.ensemble(mix, java_version)
        failed = True
        try:
            outcome = scenario.run(system.start())
            print(f"\n{mix}, {java_version}\n{outcome.told()}")
            is_struck = bool(outcome.struck_by) and java_follows_java
            if not is_struck:
                check(outcome, pure)
            failed = False
        finally:
            system.stop(keep=failed)
        if not is_struck or not outcome.faults and attempt >= ATTEMPTS:
            return
    raise AssertionError(f"in {ATTEMPTS_MAX} runs Java servers lost or doubled writes")
