"""A real leader of two, and a third server that a test plays: which plan it is given, what it is sent."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Iterator

import pytest

from rig import ops
from rig.ops import Op
from rig.peer import PROTOCOL, Kind, Packet, ScriptedLearner, at, text
from rig.system import Kind as ServerKind
from rig.system import System
from rig.waiting import until
from rig.wire import Connection

from .conftest import QUICK

CUMULATIVE = 0x10100
FIRST_EPOCH_TXNS = 12
NONE_EXISTS, NODE_EXISTS, BAD_VERSION = -101, -110, -103


@dataclass
class Led:
    """An ensemble whose servers 1 and 2 are real and level: the last zxids of its two epochs."""

    system: System
    first: int
    second: int


def write(system: System, count: int, prefix: str) -> int:
    """Creates so many znodes by one session that it closes; the last zxid."""
    connection = Connection(system.leader().client)
    assert connection.handshake() is not None
    for number in range(count):
        err, _, _ = connection.call(Op.CREATE, ops.create(f"/{prefix}-{number}"))
        assert err == 0
    err, zxid, _ = connection.call(Op.CLOSE_SESSION)
    assert err == 0
    connection.close()
    return zxid


@pytest.fixture(scope="module")
def led(request: pytest.FixtureRequest, kind: ServerKind) -> Iterator[Led]:
    """Two reigns, each with a few txns; what it holds does not change after that."""
    failures = request.session.testsfailed
    system = System(kind, 3, config=QUICK)
    reigns = []
    try:
        for reign in ("a", "b"):
            for server in system.servers[:2]:
                server.start()
            for server in system.servers[:2]:
                server.wait_serving()
            reigns.append(write(system, FIRST_EPOCH_TXNS, reign))
            if reign == "a":
                for server in list(system.running()):
                    server.end()
        yield Led(system, *reigns)
    finally:
        system.stop(keep=request.session.testsfailed > failures)


def levelled(led: Led, reported: int, protocol: int = PROTOCOL, observes: bool = False) -> Packet:
    """The plan for a learner that reports a zxid; checks that what follows brings it level."""
    leader = led.system.leader()
    with ScriptedLearner(leader.quorum, 3, protocol, observes) as learner:
        plan, *rest = learner.join(reported, reported >> 32 if reported >= 0 else 0)
    last = plan.zxid if plan.kind in (Kind.SNAP, Kind.TRUNC) else reported
    proposed = [packet.zxid for packet in rest if packet.kind == Kind.PROPOSAL]
    committed = [packet.zxid for packet in rest if packet.kind == Kind.COMMIT]
    for zxid in proposed:
        assert zxid == last + 1 or zxid >> 32 > last >> 32, f"{text(zxid)} after {text(last)}"
        last = zxid
    assert last == led.second or (last & 0xFFFFFFFF == 0 and not proposed), text(last)
    if protocol == PROTOCOL:
        assert committed == proposed, "each proposal is decided by a commit of its own"
    else:
        assert committed[-1:] == proposed[-1:], "one commit for all before it"
    kinds = [packet.kind for packet in rest]
    assert kinds.index(Kind.NEWLEADER) >= len(proposed) + len(committed), "NEWLEADER is the last"
    return plan


def test_what_it_holds_is_answered_with_diff(led):
    for reported in (led.second, led.first, at(1, 5), at(2, 3)):
        plan = levelled(led, reported)
        assert (plan.kind, plan.zxid) == (Kind.DIFF, led.second), text(reported)


def test_the_first_zxid_of_an_epoch_is_never_truncated(led):
    """Whoever opened an epoch and proposed nothing in it has all that was decided before."""
    assert levelled(led, at(2, 0)).kind == Kind.DIFF


def test_a_longer_tail_of_an_epoch_is_truncated_to_its_last_decided_zxid(led):
    plan = levelled(led, led.second + 3)
    assert (plan.kind, plan.zxid) == (Kind.TRUNC, led.second)


@pytest.mark.java_breaks
def test_a_longer_tail_of_a_past_epoch_is_truncated_and_what_came_after_sent(led):
    """Java sends a snapshot."""
    plan = levelled(led, led.first + 20)
    assert (plan.kind, plan.zxid) == (Kind.TRUNC, led.first)


@pytest.mark.java_breaks
@pytest.mark.parametrize("reported", [at(5, 5), at(9, 1), at(3, 1)], ids=text)
def test_a_java_learner_is_truncated_only_to_what_it_holds(led, reported):
    """Java sends TRUNC across epochs, and a Java learner keeps what should have gone."""
    assert levelled(led, reported).kind == Kind.SNAP


@pytest.mark.java_breaks
@pytest.mark.parametrize("reported", [at(5, 5), at(3, 1)], ids=text)
def test_one_that_verifies_is_truncated_across_epochs(led, reported):
    plan = levelled(led, reported, CUMULATIVE)
    assert (plan.kind, plan.zxid) == (Kind.TRUNC, led.second)


@pytest.mark.parametrize("reported", [-1, at(9, 0)], ids=["none", "9:0"])
def test_what_proves_nothing_is_answered_with_a_snapshot(led, reported):
    assert levelled(led, reported).kind == Kind.SNAP


@pytest.mark.java_breaks
def test_an_empty_learner_gets_all_of_a_whole_log(led):
    """Java needs a txn at or before what the learner has."""
    assert levelled(led, 0).kind == Kind.DIFF


def test_an_observer_is_levelled_as_a_follower_is(led):
    for reported, kind in ((led.second, Kind.DIFF), (led.second + 2, Kind.TRUNC), (-1, Kind.SNAP)):
        assert levelled(led, reported, observes=True).kind == kind


@pytest.mark.java_breaks
def test_acks_of_history_that_overtake_newleaders_do_not_stand_for_it(led):
    """As a follower of 3.8.0 may send them: a Java leader does not count that follower (ZOOKEEPER-4685)."""
    leader = led.system.leader()
    with ScriptedLearner(leader.quorum, 3) as learner:
        assert learner.report(at(2, 3), 2).kind == Kind.DIFF
        history = learner.link.until(Kind.NEWLEADER)
        acks = [Packet(Kind.ACK, each.zxid) for each in history if each.kind == Kind.PROPOSAL]
        learner.link.send(*acks)
        assert Kind.UPTODATE not in {packet.kind for packet in learner.link.gather(0.5)}
        learner.link.send(Packet(Kind.ACK, history[-1].zxid))
        learner.link.until(Kind.UPTODATE)


@pytest.mark.java_breaks
def test_a_learner_from_before_3_4_is_refused(led):
    """Java serves the protocol of 3.3 still."""
    with pytest.raises(AssertionError, match="closed"):
        ScriptedLearner(led.system.leader().quorum, 3, 0x9999)


def fail_in_every_way(client: Connection, number: int) -> None:
    """Writes that are refused, each of which takes a zxid, among some that are not."""
    path = f"/churn-{number}"
    calls = [
        (Op.CREATE, ops.create(path), 0), (Op.CREATE, ops.create(path), NODE_EXISTS),
        (Op.SET_DATA, ops.set_data(path, b"x", 77), BAD_VERSION),
        (Op.DELETE, ops.versioned("/nobody"), NONE_EXISTS),
        (Op.CREATE, ops.create("/nobody/below"), NONE_EXISTS),
        (Op.SET_ACL, ops.set_acl(path, ops.OPEN, 9), BAD_VERSION),
        (Op.DELETE, ops.versioned(path), 0),
    ]
    for op, body, expected in calls:
        assert client.call(op, body)[0] == expected, (op, expected)
    client.call(Op.MULTI, ops.multi([(Op.CREATE, ops.create(path)),
                                     (Op.CHECK, ops.versioned("/nobody"))]))


def test_a_leader_leaves_no_gap_whatever_fails_and_commits_each_zxid(kind):
    """Refused writes, failed multis, sessions that come, go and expire: every zxid is proposed."""
    system = System(kind, 3, config=QUICK)
    try:
        for server in system.servers[:2]:
            server.start()
        for server in system.servers[:2]:
            server.wait_serving()
        with ScriptedLearner(system.leader().quorum, 3) as learner:
            learner.join()
            _churn(system)
            seen = _live(learner, 6.0)
        proposed = [packet.zxid for packet in seen if packet.kind == Kind.PROPOSAL]
        committed = [packet.zxid for packet in seen if packet.kind == Kind.COMMIT]
        assert len(proposed) > 100
        assert proposed == list(range(proposed[0], proposed[0] + len(proposed)))
        assert committed == proposed[:len(committed)] and len(committed) >= len(proposed) - 1
    finally:
        system.stop()


def _churn(system: System) -> None:
    """The writes, at leader and follower; the last session is left to expire."""
    for number in range(10):
        for server in system.servers[:2]:
            client = Connection(server.client)
            assert client.handshake(1000) is not None
            fail_in_every_way(client, number)
            if number % 2:
                client.call(Op.CLOSE_SESSION)
            client.close()


def _live(learner: ScriptedLearner, seconds: float) -> list[Packet]:
    """What a live learner is sent, while it acknowledges and answers as it must."""
    deadline, seen = time.monotonic() + seconds, []
    while time.monotonic() < deadline:
        fresh = learner.link.gather(0.2)
        for packet in fresh:
            if packet.kind == Kind.PROPOSAL:
                learner.link.send(Packet(Kind.ACK, packet.zxid))
            elif packet.kind == Kind.PING:
                learner.link.send(Packet(Kind.PING, packet.zxid, b""))
        seen += fresh
    return seen


def test_a_learner_that_says_anything_but_its_ack_after_newleader_is_left(led):
    leader = led.system.leader()
    with ScriptedLearner(leader.quorum, 3) as learner:
        learner.report(led.second, 2)
        learner.link.until(Kind.NEWLEADER)
        learner.link.send(Packet(Kind.PING, at(learner.epoch, 0), b""))
        learner.link.wait_closed()
    assert leader.mode() == "leader"


@pytest.mark.java_breaks
def test_a_ping_answered_with_null_harms_nobody(led):
    """A Java leader's handler ends on it."""
    leader = led.system.leader()
    with ScriptedLearner(leader.quorum, 3) as learner:
        learner.join(led.second, 2)
        learner.link.until(Kind.PING)
        learner.link.send(Packet(Kind.PING, at(learner.epoch, 0), None))
        learner.link.until(Kind.PING)
        learner.link.until(Kind.PING)
    until(lambda: leader.mode() == "leader")


