"""Bytes on the ports between servers: whatever they say, the ensemble goes on serving.

The ports carry no proof of who speaks. So these tests ask for no refusal in particular, but that the
leader stays the leader, that every server serves, and that no promise of an epoch is torn upwards.
"""

from __future__ import annotations

import os
import socket
import time

import pytest

from rig.jute import buffer, int32, int64, string
from rig.system import System
from rig.wire import Connection

from .conftest import honest_work

FOLLOWERINFO, ACKEPOCH, ACK, PING, OBSERVERINFO, PROPOSAL, COMMIT, REQUEST = 11, 18, 3, 5, 16, 2, 4, 1
V1, V2 = -65536, -65535


def initial(sid: int, address: bytes = b"127.0.0.1:1", version: int = V1) -> bytes:
    """The first message of an election connection."""
    return int64(version) + int64(sid) + buffer(address)


def notification(state: int = 0, leader: int = 3, zxid: int = 0, round_: int = 1, epoch: int = 0,
                 config: bytes = b"version=0") -> bytes:
    """A vote, framed."""
    body = int32(state) + int64(leader) + int64(zxid) + int64(round_) + int64(epoch) + int32(2)
    body += buffer(config)
    return int32(len(body)) + body


def packet(kind: int, zxid: int = 0, data: bytes | None = b"") -> bytes:
    """A QuorumPacket without auth ids."""
    return int32(kind) + int64(zxid) + buffer(data) + int32(-1)


def learner(sid: int, epoch: int = 0, kind: int = FOLLOWERINFO, version: int = 0x10000) -> bytes:
    """A learner's introduction."""
    return packet(kind, epoch << 32, int64(sid) + int32(version) + int64(0))


ELECTION = {
    "noise": bytes(range(256)) * 8, "http": b"GET / HTTP/1.1\r\n\r\n",
    "address-empty": initial(9, b""), "address-length-negative": int64(V1) + int64(9) + int32(-1),
    "address-length-huge": int64(V1) + int64(9) + int32(0x7FFFFFFF) + b"x",
    "address-length-2049": int64(V1) + int64(9) + int32(2049) + bytes(2049),
    "address-without-port": initial(9, b"localhost"), "address-not-utf8": initial(9, b"\xff\xfe:1"),
    "version-unknown": initial(9, version=-7), "legacy-sid": int64(9), "sid-own-first": initial(1),
    "sid-own-last": initial(3), "sid-most": initial((1 << 63) - 1), "sid-least": initial(-(1 << 63)),
    "many-addresses": initial(9, b"|".join(b"127.0.0.1:%d" % n for n in range(1, 90)), V2),
    "frame-zero": initial(9) + int32(0), "frame-negative": initial(9) + int32(-1),
    "frame-huge": initial(9) + int32(0x7FFFFFFF), "frame-above-limit": initial(9) + int32(524289),
    "vote-short": initial(9) + int32(10) + bytes(10),
    "vote-empty-config": initial(9) + notification(config=b""),
    "vote-state-99": initial(9) + notification(state=99),
    "vote-leader-unknown": initial(9) + notification(leader=77),
    "vote-zxid-least": initial(9) + notification(zxid=-(1 << 63)),
    "vote-epoch-most": initial(9) + notification(leader=9, epoch=(1 << 63) - 1, round_=(1 << 63) - 1),
    "vote-leading": initial(9) + notification(state=2, leader=9, epoch=1 << 40),
    "vote-config-newer": initial(9) + notification(config=b"server.9=h:1:2:participant\nversion=ffffffff"),
    "vote-config-twice": initial(9) + notification(config=b"server.1=h:1:2\nserver.1=h:1:2\nversion=0"),
    "vote-config-noise": initial(9) + notification(config=bytes(range(256))),
    "vote-config-lies": initial(9) + int32(50) + bytes(40) + int32(2) + int32(0x7FFFFFFF) + b"xx",
}

QUORUM = {
    "noise": bytes(range(256)) * 8, "http": b"GET / HTTP/1.1\r\n\r\n", "ack-first": packet(ACK, 1 << 32),
    "ping-first": packet(PING), "type-unknown": packet(99), "proposal-first": packet(PROPOSAL, 5, bytes(40)),
    "commit-first": packet(COMMIT, 5), "request-first": packet(REQUEST, 0, bytes(40)),
    "data-length-negative": int32(FOLLOWERINFO) + int64(0) + int32(-2),
    "data-length-huge": int32(FOLLOWERINFO) + int64(0) + int32(0x7FFFFFFF) + bytes(100),
    "auth-count-huge": int32(FOLLOWERINFO) + int64(0) + int32(0) + int32(0x7FFFFFFF) + bytes(100),
    "info-empty": packet(FOLLOWERINFO, 0, b""), "info-null": packet(FOLLOWERINFO, 0, None),
    "info-short": packet(FOLLOWERINFO, 0, bytes(5)), "sid-unknown": learner(77), "sid-negative": learner(-5),
    "epoch-absurd": learner(2, 0x7FFFFFFE), "epoch-negative": learner(2, -1),
    "observer-nobody-knows": learner(88, kind=OBSERVERINFO),
    "version-absurd": learner(77, version=0x7FFFFFFF),
    "config-version-ahead": packet(FOLLOWERINFO, 0, int64(77) + int32(0x10000) + int64(1 << 62)),
    "info-twice": learner(77) + learner(77),
    "ackepoch-ahead": learner(77) + packet(ACKEPOCH, (1 << 62), int32(0x7FFFFFFF)),
    "ackepoch-short": learner(77) + packet(ACKEPOCH, 0, b"x"),
    "ack-of-the-future": learner(77) + packet(ACKEPOCH, 0, int32(0)) + packet(ACK, 1 << 62),
    "requests-of-nobody": learner(77) + packet(ACKEPOCH, 0, int32(0)) + packet(ACK, 0) +
        packet(REQUEST, 0, int64(1) + int32(1) + int32(5) + string("/x")[:3]),
}


def epoch_of(system: System) -> int:
    """The epoch in which the ensemble writes."""
    connection = Connection(system.leader().client)
    connection.handshake()
    _, zxid, _ = connection.call(9, string("/"))
    connection.call(-11)
    connection.close()
    return zxid >> 32


def attack(system: System, ports: list[tuple[str, int]], data: bytes) -> None:
    """Sends the bytes to each port, waits a moment, hangs up, and looks at the ensemble."""
    leader, epoch = system.leader(), epoch_of(system)
    sockets = []
    for port in ports:
        try:
            sockets.append(socket.create_connection(port, 2.0))
            sockets[-1].sendall(data)
        except OSError:
            continue  # Only a leader listens on its quorum port.
    assert sockets, "nobody listens"
    time.sleep(0.1)
    for server in system.servers:
        honest_work(server)
    for each in sockets:
        each.close()
    for server in system.servers:
        assert server.process is not None and server.process.poll() is None, f"server {server.id} ended"
        honest_work(server)
    assert system.leader() is leader, "the leader lost its place to a stranger"
    assert epoch_of(system) == epoch


@pytest.mark.parametrize("data", ELECTION.values(), ids=ELECTION.keys())
def test_the_election_port_survives(ensemble, data):
    attack(ensemble, [server.election for server in ensemble.servers], data)


def _marked(name: str) -> object:
    """A malformed write that a learner forwards hangs a Java leader, as one from a client does."""
    marks = [pytest.mark.java_breaks] if name == "requests-of-nobody" else []
    return pytest.param(QUORUM[name], id=name, marks=marks)


@pytest.mark.parametrize("data", [_marked(name) for name in QUORUM])
def test_the_quorum_port_survives(ensemble, data):
    attack(ensemble, [server.quorum for server in ensemble.servers], data)


def test_random_bytes_on_both_ports_are_survived(ensemble):
    for _ in range(5):
        attack(ensemble, [server.election for server in ensemble.servers], os.urandom(600))
        attack(ensemble, [server.quorum for server in ensemble.servers], os.urandom(600))


@pytest.mark.java_breaks
def test_connections_that_stay_silent_keep_nobody_out(ensemble):
    """A hundred on each port, and in the midst of them a follower that comes back."""
    ports = [p for server in ensemble.servers for p in (server.election, server.quorum)]
    silent = []
    for port in ports * 35:
        try:
            silent.append(socket.create_connection(port, 2.0))
        except OSError:
            continue
    follower = ensemble.followers()[0]
    follower.end()
    follower.start()
    follower.wait_serving()
    for each in silent:
        each.close()
    for server in ensemble.servers:
        honest_work(server)


def test_two_that_claim_to_be_one_follower_do_not_stop_writes(ensemble):
    follower = ensemble.followers()[0]
    impostors = []
    for server in ensemble.servers:
        try:
            impostors.append(socket.create_connection(server.quorum, 2.0))
            impostors[-1].sendall(learner(follower.id) + packet(ACKEPOCH, 0, int32(0)))
        except OSError:
            continue
    for _ in range(5):
        for server in ensemble.servers:
            honest_work(server)
    for each in impostors:
        each.close()
    time.sleep(0.2)
    for server in ensemble.servers:
        server.wait_serving()
        honest_work(server)
