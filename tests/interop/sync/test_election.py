"""How a server speaks in elections: seldom enough for Java, which begins its 200 ms anew each time."""

from __future__ import annotations

import time
from typing import Iterator

import pytest

from rig.peer import State, Vote, Voter, config_text
from rig.system import Kind, System
from rig.waiting import until

from .conftest import QUICK

# Pauses of 0.2, 0.4, 0.8 and 1.6 s: four repetitions after the first, and no more.
WATCHED_SECONDS = 3.2
REPEATED_AT_MOST = 5


@pytest.fixture
def alone(request: pytest.FixtureRequest, kind: Kind) -> Iterator[System]:
    """Server 1 of three; the others are played."""
    failures = request.session.testsfailed
    system = System(kind, 3, config=QUICK)
    system[1].start()
    yield system
    system.stop(keep=request.session.testsfailed > failures)


def test_a_lasting_election_is_quiet_towards_each_peer(alone):
    """Two who hear and do not vote: what is said to either is counted."""
    voters = [Voter(id, alone[1], config_text(alone)) for id in (2, 3)]
    for voter in voters:
        voter.wait(lambda vote: vote.state == State.LOOKING)
    time.sleep(WATCHED_SECONDS)
    for voter in voters:
        begun = voter.heard[0][0]
        said = [vote for moment, vote in voter.heard if moment < begun + WATCHED_SECONDS]
        assert len(said) <= REPEATED_AT_MOST, f"{len(said)} notifications to {voter.id}"
        voter.wait(lambda vote: vote == said[0])
        until(lambda voter=voter, said=said: len(voter.heard) > len(said), 60)
    for voter in voters:
        voter.close()


def test_a_voter_that_cannot_vote_is_not_answered_over_and_over(alone):
    """It answers whatever it hears; if this server did so too, both would speak without end."""
    voter = Voter(2, alone[1], config_text(alone))
    voter.answer = Vote(State.LOOKING, 2, -1, 1, 0)
    first = voter.wait(lambda vote: vote.state == State.LOOKING)
    voter.answer = Vote(State.LOOKING, 2, -1, first.round, 0)
    voter.forget()
    time.sleep(WATCHED_SECONDS)
    assert len(voter.heard) <= REPEATED_AT_MOST
    voter.close()


def test_a_vote_carries_the_ensemble_of_version_zero(alone):
    """A higher version restarts a Java server's election, an empty text can deafen it."""
    voter = Voter(3, alone[1], config_text(alone))
    voter.wait(lambda vote: vote.state == State.LOOKING)
    text = voter.texts[-1].decode()
    lines = text.splitlines()
    assert lines[-1] == "version=0"
    assert [line.partition("=")[0] for line in lines[:-1]] == ["server.1", "server.2", "server.3"]
    voter.close()
