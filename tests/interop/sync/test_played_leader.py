"""A real learner, and a leader that a test plays: what it is sent, and what it may never say."""

from __future__ import annotations

import socket

import pytest

from rig.jute import int32, int64
from rig.ops import Op
from rig.peer import (Kind, Link, Packet, ScriptedLeader, State, Vote, at, create_txn, empty_tree,
                      proposal)
from rig.waiting import until
from rig.wire import Connection, Silence

MANY = 300


def zxid_shown(leader: ScriptedLeader) -> int:
    """What the learner's clients are shown as the last zxid."""
    lines = [line for line in leader.real.word("srvr").splitlines() if line.startswith("Zxid: ")]
    return int(lines[0].split()[1], 16) if lines else -1


def history(epoch: int, *counters: int) -> list[Packet]:
    """Proposals of an epoch, each with its commit."""
    zxids = [at(epoch, counter) for counter in counters]
    return [packet for zxid in zxids for packet in (proposal(zxid), Packet(Kind.COMMIT, zxid))]


def looking_zxid(leader: ScriptedLeader) -> int:
    """What the server holds, as its vote for itself says; the test must have lost it before."""
    voter = leader.voters[0]
    vote = voter.wait(lambda vote: vote.state == State.LOOKING and vote.leader == 1)
    return vote.zxid


def abandon(leader: ScriptedLeader, link: Link) -> None:
    """The leader goes: votes are no more answered, and the link ends."""
    for voter in leader.voters:
        voter.answer = None
        voter.forget()
    link.close()


def test_every_zxid_is_acknowledged_in_order(played):
    """ACKs are not cumulative for a Java leader: a missing one stops all commits after it."""
    link = played.follow(1)
    zxids = [at(1, counter) for counter in range(1, MANY + 1)]
    link.send(*(proposal(zxid) for zxid in zxids))
    acked = [link.expect(Kind.ACK).zxid for _ in zxids]
    assert acked == zxids
    link.send(*(Packet(Kind.COMMIT, zxid) for zxid in zxids))
    until(lambda: zxid_shown(played) == zxids[-1])
    assert link.gather(0.3) == [], "each zxid is acknowledged once"


def test_proposals_and_commits_may_come_in_any_mixture_and_in_pieces(played):
    link = played.follow(1)
    packets = [proposal(at(1, 1)), proposal(at(1, 2)), Packet(Kind.COMMIT, at(1, 1)),
               proposal(at(1, 3)), Packet(Kind.COMMIT, at(1, 2)), Packet(Kind.COMMIT, at(1, 3))]
    stream = b"".join(packet.encode() for packet in packets)
    for piece in range(0, len(stream), 7):
        link.send_raw(stream[piece:piece + 7])
    assert [link.expect(Kind.ACK).zxid for _ in range(3)] == [at(1, n) for n in (1, 2, 3)]
    until(lambda: zxid_shown(played) == at(1, 3))


@pytest.mark.java_breaks
def test_nothing_but_the_ack_after_newleader(played):
    """PINGs are not answered, proposals not acknowledged. Java 3.8.0 acknowledges DIFF's beside it."""
    played.elect(1)
    link, _ = played.greet(1)
    ping = Packet(Kind.PING, at(1, 0))
    link.send(Packet(Kind.DIFF, 0), ping, *history(1, 1), ping, played.new_leader(1), ping, ping,
              proposal(at(1, 2)), proposal(at(1, 3)), ping)
    assert link.expect(Kind.ACK).zxid == at(1, 0)
    link.send(ping, ping)
    assert link.gather(0.5) == [], "before UPTODATE only the ACK of NEWLEADER leaves"
    link.send(Packet(Kind.UPTODATE), Packet(Kind.COMMIT, at(1, 2)), Packet(Kind.COMMIT, at(1, 3)))
    acked = [link.expect(Kind.ACK).zxid for _ in range(3)]
    assert acked == [at(1, 0), at(1, 2), at(1, 3)]
    until(lambda: zxid_shown(played) == at(1, 3))


def test_clients_are_not_served_before_uptodate(played):
    played.elect(1)
    link, _ = played.greet(1)
    link.send(Packet(Kind.DIFF, 0), played.new_leader(1))
    link.expect(Kind.ACK)
    assert played.real.mode() == ""
    with pytest.raises((AssertionError, OSError, Silence)):
        session = Connection(played.real.client).handshake()
        assert session is not None
    assert link.gather(0.3) == [], "no REQUEST leaves before UPTODATE"
    link.send(Packet(Kind.UPTODATE))
    link.expect(Kind.ACK)
    until(lambda: played.real.mode() == "follower")


def grant_session(link: Link, epoch: int, counter: int) -> int:
    """Answers a forwarded createSession; the session."""
    request = next(packet for packet in link.until(Kind.REQUEST) if packet.kind == Kind.REQUEST)
    assert request.data is not None
    session, timeout = request.data[:8], request.data[16:20]
    assert request.data[8:16] == int32(0) + int32(Op.CREATE_SESSION)
    zxid = at(epoch, counter)
    header = session + int32(0) + int64(zxid) + int64(1_700_000_000_000) + int32(Op.CREATE_SESSION)
    link.send(Packet(Kind.PROPOSAL, zxid, header + timeout), Packet(Kind.COMMIT, zxid))
    link.until(Kind.ACK)
    return int.from_bytes(session, "big")


def test_a_ping_without_sessions_is_answered_with_an_empty_buffer(played):
    """Null would end a Java leader's handler."""
    link = played.follow(1)
    link.send(Packet(Kind.PING, at(1, 0)))
    answer = link.expect(Kind.PING)
    assert (answer.zxid, answer.data) == (at(1, 0), b"")


def test_a_ping_is_answered_with_the_sessions_heard_from(played):
    link = played.follow(1)
    client = Connection(played.real.client)
    client.send_frame(int32(0) + int64(0) + int32(8000) + int64(0) + int32(16) + bytes(16) + b"\0")
    session = grant_session(link, 1, 1)
    assert client.receive() is not None
    client.send(-2, Op.PING)
    assert client.receive() is not None
    link.send(Packet(Kind.PING, at(1, 1)))
    answer = link.until(Kind.PING)[-1]
    assert answer.data == int64(session) + int32(8000)
    client.close()


@pytest.mark.java_breaks
def test_a_gap_inside_an_epoch_is_refused_and_nothing_before_it_lost(played):
    link = played.follow(1)
    link.send(*history(1, 1, 2), proposal(at(1, 4)))
    assert [packet.zxid for packet in link.wait_closed()] in ([], [at(1, 1)], [at(1, 1), at(1, 2)])
    link, report = played.greet(2)
    assert report.zxid == at(1, 2)
    link.send(Packet(Kind.DIFF, at(1, 4)), *history(1, 3, 4), played.new_leader(2))
    link.expect(Kind.ACK)


def test_a_new_epoch_need_not_begin_at_one(played):
    link = played.follow(1)
    link.send(*history(1, 1, 2))
    assert [link.expect(Kind.ACK).zxid for _ in range(2)] == [at(1, 1), at(1, 2)]
    link.close()
    link, report = played.greet(3)
    assert report.zxid == at(1, 2)
    link.send(Packet(Kind.DIFF, at(2, 7)), *history(2, 7, 8), played.new_leader(3))
    link.until(Kind.ACK)


@pytest.mark.java_breaks
@pytest.mark.parametrize("wrong", [at(1, 9), at(2, 1), at(1, 0x7FFFFFFF)])
def test_a_commit_of_what_was_never_proposed_ends_the_link(played, wrong):
    link = played.follow(1)
    link.send(*history(1, 1), proposal(at(1, 2)), Packet(Kind.COMMIT, wrong))
    assert all(packet.kind == Kind.ACK for packet in link.wait_closed())
    link, report = played.greet(2)
    assert report.zxid in (at(1, 1), at(1, 2))
    # What it logged was not decided by that commit: the next leader may take it back.
    link.send(Packet(Kind.TRUNC, at(1, 1)), played.new_leader(2))
    link.expect(Kind.ACK)
    link.send(Packet(Kind.UPTODATE))
    until(lambda: zxid_shown(played) == at(1, 1))


@pytest.mark.java_breaks
@pytest.mark.parametrize("packet", [
    Packet(Kind.PROPOSAL, at(1, 1), create_txn(at(1, 2), "/mislabelled")),
    Packet(Kind.PROPOSAL, at(1, 1), b"short"), Packet(Kind.PROPOSAL, at(1, 1), None),
], ids=["mislabelled", "short", "null"])
def test_a_proposal_that_is_none_ends_the_link_and_changes_nothing(played, packet):
    link = played.follow(1)
    link.send(packet)
    assert link.wait_closed() == []
    _, report = played.greet(2)
    assert report.zxid == 0


def test_unknown_packets_are_passed_over(played):
    link = played.follow(1)
    link.send(Packet(99, 7, b"x"), Packet(Kind.DIFF, 5), *history(1, 1))
    assert link.expect(Kind.ACK).zxid == at(1, 1)
    until(lambda: zxid_shown(played) == at(1, 1))


@pytest.mark.parametrize("text", [None, b"", b"\x00", b"no=config\nat all", b"version=0"])
def test_newleader_may_bring_any_text(played, text):
    """3.4 sends null; what does not parse is of no use, and no reason to part."""
    played.elect(1)
    link, _ = played.greet(1)
    link.send(Packet(Kind.DIFF, 0), Packet(Kind.NEWLEADER, at(1, 0), text))
    assert link.expect(Kind.ACK).zxid == at(1, 0)


@pytest.mark.java_breaks
def test_commitandactivate_decides_as_commit_does(played):
    """Java takes the txn for a reconfig whatever it is, and ends."""
    link = played.follow(1)
    link.send(proposal(at(1, 1)), Packet(Kind.COMMITANDACTIVATE, at(1, 1), int64(3)))
    assert link.expect(Kind.ACK).zxid == at(1, 1)
    until(lambda: zxid_shown(played) == at(1, 1))


def test_after_the_synchronization_the_vote_shows_the_new_epoch(played):
    """A joiner compares leader and epoch: with the election's epoch it would never come in."""
    played.elect(4)
    link, _ = played.greet(7)
    link.send(Packet(Kind.DIFF, 0), played.new_leader(7))
    link.expect(Kind.ACK)
    link.send(Packet(Kind.UPTODATE))
    link.expect(Kind.ACK)
    until(lambda: played.real.mode() == "follower")
    voter = played.voters[0]
    voter.forget()
    voter.tell(Vote(State.LOOKING, 2, 0, 1, 0))
    vote = voter.wait(lambda vote: vote.state == State.FOLLOWING)
    assert (vote.leader, vote.epoch) == (3, 7)


@pytest.mark.java_breaks
def test_a_truncation_to_what_it_lacks_keeps_the_data_until_a_snapshot_is_whole(played):
    """It asks for a snapshot (-1), which no leader counts as a promise, and votes with what it has."""
    link = played.follow(1)
    link.send(*history(1, 1, 2, 3))
    assert [link.expect(Kind.ACK).zxid for _ in range(3)] == [at(1, n) for n in (1, 2, 3)]
    link.close()
    link, report = played.greet(3)
    assert report.zxid == at(1, 3)
    link.send(Packet(Kind.TRUNC, at(2, 5)))
    assert link.wait_closed() == []

    for restart in (False, True):
        link, report = played.greet(3)
        if report.zxid != -1:
            assert restart, "a process that was killed asks once more"
            link.send(Packet(Kind.TRUNC, at(2, 5)))
            assert link.wait_closed() == []
            link, report = played.greet(3)
        assert report.zxid == -1
        link.send(Packet(Kind.SNAP, at(2, 5)))
        link.send_raw(empty_tree()[:-20])
        abandon(played, link)
        assert looking_zxid(played) == at(1, 3)
        if not restart:
            played.real.end()
            played.real.start()
        played.elect(3)

    link, report = played.greet(3)
    if report.zxid != -1:
        link.send(Packet(Kind.TRUNC, at(2, 5)))
        link, report = played.greet(3)
    link.send(Packet(Kind.SNAP, at(2, 5)))
    link.send_raw(empty_tree())
    link.send(played.new_leader(3))
    assert link.expect(Kind.ACK).zxid == at(3, 0)
    link.send(Packet(Kind.UPTODATE))
    link.expect(Kind.ACK)
    until(lambda: zxid_shown(played) == at(2, 5))
    link.close()
    _, report = played.greet(4)
    assert report.zxid == at(2, 5)


@pytest.mark.java_breaks
def test_who_lacks_the_place_of_a_truncation_promises_the_next_leader_all_the_same(played):
    """-1 is not counted: said to a leader that has no quorum yet, it could keep it from having one."""
    link = played.follow(1)
    link.send(*history(1, 1, 2))
    assert [link.expect(Kind.ACK).zxid for _ in range(2)] == [at(1, 1), at(1, 2)]
    link.close()
    for epoch in (3, 4):
        link, report = played.greet(epoch)
        assert (report.zxid, report.data) == (at(1, 2), int32(1)), "what it holds, and a promise"
        link.send(Packet(Kind.TRUNC, at(2, 5)))
        assert link.wait_closed() == []
        link, report = played.greet(epoch)
        assert (report.zxid, report.data) == (-1, int32(-1))
        link.close()
    link, report = played.greet(5)
    link.send(Packet(Kind.DIFF, at(1, 2)), played.new_leader(5))
    assert link.expect(Kind.ACK).zxid == at(5, 0)


def test_a_truncation_takes_back_what_was_applied(played):
    link = played.follow(1)
    link.send(*history(1, 1, 2, 3, 4))
    until(lambda: zxid_shown(played) == at(1, 4))
    before = int(played.real.word("srvr").rpartition("Node count: ")[2].split()[0])
    link.close()
    link, report = played.greet(2)
    assert report.zxid == at(1, 4)
    link.send(Packet(Kind.TRUNC, at(1, 2)), *history(2, 1), played.new_leader(2))
    link.until(Kind.ACK)
    link.send(Packet(Kind.UPTODATE))
    until(lambda: zxid_shown(played) == at(2, 1))
    after = int(played.real.word("srvr").rpartition("Node count: ")[2].split()[0])
    assert after == before - 1, "two are gone and one has come"


def test_a_leader_of_a_lower_epoch_is_not_followed(played):
    link = played.follow(5)
    link.close()
    played.elect(4)
    link = played.accept()
    assert link.expect(Kind.FOLLOWERINFO).zxid == at(5, 0)
    link.send(Packet(Kind.LEADERINFO, at(4, 0), int32(0x10000)))
    assert link.wait_closed() == []


@pytest.mark.java_breaks
def test_the_quorum_port_listens_before_the_election_ends(played):
    """The others may see its end first: who is refused is back in an election 0.4 s later."""
    until(lambda: _listens(played))
    assert played.real.mode() == ""


def _listens(leader: ScriptedLeader) -> bool:
    try:
        socket.create_connection(leader.real.quorum, 1.0).close()
        return True
    except OSError:
        return False
