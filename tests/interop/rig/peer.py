"""A server of an ensemble played by a test: votes, and quorum packets in either role, byte by byte.

A `Voter` speaks on the election port of one real server, as the larger id that dials. A `Link` carries
quorum packets. `ScriptedLeader` and `ScriptedLearner` walk through the handshake and stop there, so
that a test says what it has come to say. Nothing here is shared with what is tested.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from dataclasses import dataclass
from enum import IntEnum
from typing import Callable, Optional

from .jute import Reader, buffer, int32, int64, string, vector
from .ops import OPEN, acl
from .system import Server, System
from .wire import Address, Silence

PROTOCOL = 0x10000
GREETING = -65536
SIGNATURE = string("BenWasHere")
PATIENCE = 20.0


class Kind(IntEnum):
    """Types of quorum packets (`Leader`)."""

    REQUEST = 1
    PROPOSAL = 2
    ACK = 3
    COMMIT = 4
    PING = 5
    REVALIDATE = 6
    SYNC = 7
    INFORM = 8
    COMMITANDACTIVATE = 9
    NEWLEADER = 10
    FOLLOWERINFO = 11
    UPTODATE = 12
    DIFF = 13
    TRUNC = 14
    SNAP = 15
    OBSERVERINFO = 16
    LEADERINFO = 17
    ACKEPOCH = 18
    INFORMANDACTIVATE = 19


class State(IntEnum):
    """What a server says of itself in a vote."""

    LOOKING = 0
    FOLLOWING = 1
    LEADING = 2
    OBSERVING = 3


def at(epoch: int, counter: int) -> int:
    """A zxid."""
    return epoch << 32 | counter


def text(zxid: int) -> str:
    """A zxid for messages."""
    return f"{zxid >> 32}:{zxid & 0xFFFFFFFF}"


@dataclass(frozen=True)
class Packet:
    """A QuorumPacket; `data` None is null, which is not empty."""

    kind: int
    zxid: int = -1
    data: Optional[bytes] = None

    def encode(self) -> bytes:
        """As it travels, without auth ids."""
        return int32(self.kind) + int64(self.zxid) + buffer(self.data) + int32(-1)

    def __str__(self) -> str:
        known = self.kind in Kind.__members__.values()
        return f"{Kind(self.kind).name if known else self.kind} {text(self.zxid)}"


def create_txn(zxid: int, path: str, data: bytes = b"", parent_cversion: int = -1) -> bytes:
    """The payload of a proposal that creates a znode, from a session nobody has."""
    header = int64(0x77) + int32(1) + int64(zxid) + int64(1_700_000_000_000) + int32(1)
    body = string(path) + buffer(data) + vector(OPEN, acl) + b"\x00" + int32(parent_cversion)
    return header + body


def proposal(zxid: int, path: Optional[str] = None, number: int = -1) -> Packet:
    """A proposal that creates `path`, or a znode named after the zxid."""
    name = path or f"/z-{zxid:x}"
    return Packet(Kind.PROPOSAL, zxid, create_txn(zxid, name, b"", number))


def empty_tree() -> bytes:
    """The body of a snapshot of a tree that nobody has written to, with its signature."""
    body = int32(0) + int32(1) + int64(1) + vector(OPEN, acl)
    for path in ("", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"):
        stat = int64(0) * 4 + int32(0) + int32(-1) + int32(0) + int64(0) * 2
        body += string(path) + buffer(b"") + int64(1) + stat
    return body + string("/") + SIGNATURE


def _connect(address: Address) -> socket.socket:
    """Connects, to a server that may still be about to listen."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            sock = socket.create_connection(address, 5.0)
            sock.settimeout(None)
            return sock
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


class Link:
    """A quorum connection, seen from whichever end the test plays."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffered = b""

    def send(self, *packets: Packet) -> None:
        """All of them in one segment, as far as the kernel lets it."""
        self.send_raw(b"".join(packet.encode() for packet in packets))

    def send_raw(self, data: bytes) -> None:
        """Bytes as they are; that the other end has closed is told by the next read."""
        try:
            self.socket.sendall(data)
        except OSError:
            pass

    def read(self, seconds: float = PATIENCE) -> Optional[Packet]:
        """The next packet; None once the other end has closed. `Silence` if nothing comes."""
        head = self._exactly(16, seconds)
        if head is None:
            return None
        kind, zxid, length = struct.unpack(">iqi", head)
        data = self._exactly(length, seconds) if length > 0 else b"" if length == 0 else None
        count = self._exactly(4, seconds)
        assert count is not None, "cut inside a packet"
        for _ in range(max(struct.unpack(">i", count)[0], 0) * 2):
            size = self._exactly(4, seconds)
            assert size is not None, "cut inside a packet"
            self._exactly(max(struct.unpack(">i", size)[0], 0), seconds)
        return Packet(kind, zxid, data)

    def expect(self, kind: Kind, seconds: float = PATIENCE) -> Packet:
        """The next packet, which must be of this kind."""
        packet = self.read(seconds)
        assert packet is not None, f"closed, awaited {kind.name}"
        assert packet.kind == kind, f"{packet}, awaited {kind.name}"
        return packet

    def until(self, kind: Kind, seconds: float = PATIENCE) -> list[Packet]:
        """All packets up to the first of this kind, that one last."""
        deadline, seen = time.monotonic() + seconds, []
        while not seen or seen[-1].kind != kind:
            packet = self.read(deadline - time.monotonic())
            assert packet is not None, f"closed after {[str(each) for each in seen[-5:]]}"
            seen.append(packet)
        return seen

    def gather(self, seconds: float) -> list[Packet]:
        """What comes within this time."""
        deadline, seen = time.monotonic() + seconds, []
        while (left := deadline - time.monotonic()) > 0:
            try:
                packet = self.read(left)
            except Silence:
                break
            if packet is None:
                break
            seen.append(packet)
        return seen

    def wait_closed(self, seconds: float = PATIENCE) -> list[Packet]:
        """Everything until the other end closes; fails if it does not."""
        deadline, seen = time.monotonic() + seconds, []
        while (packet := self.read(deadline - time.monotonic())) is not None:
            seen.append(packet)
        return seen

    def skip_snapshot(self) -> int:
        """Reads past a snapshot's body and its signature; how many bytes there were."""
        read = 0
        while (end := self.buffered.find(SIGNATURE)) < 0:
            keep = len(SIGNATURE) - 1
            read += max(len(self.buffered) - keep, 0)
            self.buffered = self.buffered[-keep:]
            assert self._more(PATIENCE), "closed inside a snapshot"
        self.buffered = self.buffered[end + len(SIGNATURE):]
        return read + end

    def close(self) -> None:
        """Ends the link."""
        self.socket.close()

    def _exactly(self, count: int, seconds: float) -> Optional[bytes]:
        deadline = time.monotonic() + seconds
        while len(self.buffered) < count:
            if not self._more(deadline - time.monotonic()):
                return None
        taken, self.buffered = self.buffered[:count], self.buffered[count:]
        return taken

    def _more(self, seconds: float) -> bool:
        self.socket.settimeout(max(seconds, 0.001))
        try:
            more = self.socket.recv(1 << 18)
        except TimeoutError as silent:
            raise Silence(f"nothing for {seconds:.1f} s") from silent
        except OSError:
            more = b""
        self.buffered += more
        return bool(more)


@dataclass(frozen=True)
class Vote:
    """What a notification says."""

    state: State
    leader: int
    zxid: int = 0
    round: int = 1
    epoch: int = 0


class Voter:
    """A voter of a larger id than the real server it dials.

    It keeps what it hears, with the time, and answers a server that looks with `answer` if that is
    set. It listens in a thread of its own until `close`, and dials again when it is hung up on.
    """

    def __init__(self, id: int, server: Server, config: bytes) -> None:
        assert id > server.id, "the larger id dials"
        self.id = id
        self.config = config
        self.answer: Optional[Vote] = None
        self.heard: list[tuple[float, Vote]] = []
        self.texts: list[bytes] = []
        self.server = server
        self.closed = threading.Event()
        self.socket = self._dial()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def tell(self, vote: Vote) -> None:
        """One notification."""
        body = int32(vote.state) + int64(vote.leader) + int64(vote.zxid) + int64(vote.round)
        body += int64(vote.epoch) + int32(2) + buffer(self.config)
        try:
            self.socket.sendall(buffer(body))
        except OSError:
            pass

    def last(self) -> Optional[Vote]:
        """What the server said last."""
        return self.heard[-1][1] if self.heard else None

    def wait(self, holds: Callable[[Vote], bool], seconds: float = PATIENCE) -> Vote:
        """The first vote for which it holds, of those still unread and those to come."""
        deadline = time.monotonic() + seconds
        looked = 0
        while True:
            heard = self.heard[looked:]
            for _, vote in heard:
                if holds(vote):
                    return vote
            looked += len(heard)
            assert time.monotonic() < deadline, f"not heard, the last is {self.last()}"
            time.sleep(0.005)

    def forget(self) -> None:
        """Begins a new list."""
        self.heard = []

    def close(self) -> None:
        """Hangs up."""
        self.closed.set()
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self._thread.join(5)

    def _dial(self) -> socket.socket:
        sock = _connect(self.server.election)
        sock.sendall(int64(GREETING) + int64(self.id) + buffer(b"127.0.0.1:1"))
        return sock

    def _listen(self) -> None:
        while not self.closed.is_set():
            self._listen_once()
            try:
                if not self.closed.wait(0.05):
                    self.socket.close()
                    self.socket = self._dial()
            except OSError:
                continue

    def _listen_once(self) -> None:
        buffered = b""
        while True:
            try:
                more = self.socket.recv(1 << 16)
            except OSError:
                return
            if not more:
                return
            buffered += more
            while len(buffered) >= 4:
                end = 4 + struct.unpack(">i", buffered[:4])[0]
                if len(buffered) < end:
                    break
                self._hear(Reader(buffered[4:end]))
                buffered = buffered[end:]

    def _hear(self, reader: Reader) -> None:
        state, leader, zxid = State(reader.int32()), reader.int64(), reader.int64()
        vote = Vote(state, leader, zxid, reader.int64(), reader.int64())
        assert reader.int32() == 2, "the version of a notification"
        self.texts.append(reader.buffer() or b"")
        self.heard.append((time.monotonic(), vote))
        if state == State.LOOKING and self.answer is not None:
            self.tell(self.answer)


class ScriptedLeader:
    """Servers 2 and 3 of an ensemble whose server 1 is real: 3 leads, 2 follows it."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.real = system[1]
        self.listener = socket.create_server(system[3].quorum)
        self.listener.settimeout(PATIENCE)
        self.voters: list[Voter] = []
        self.links: list[Link] = []

    def __enter__(self) -> "ScriptedLeader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends everything that is open."""
        for each in (*self.links, *self.voters, self.listener):
            each.close()

    def elect(self, epoch: int, zxid: int = 0) -> None:
        """Has server 1 hear, whenever it looks, that 3 leads."""
        if not self.voters:
            self.voters = [Voter(id, self.real, config_text(self.system)) for id in (2, 3)]
        for voter in self.voters:
            state = State.LEADING if voter.id == 3 else State.FOLLOWING
            voter.answer = Vote(state, 3, zxid, 1, epoch)
            voter.tell(voter.answer)

    def accept(self) -> Link:
        """The learner's next connection."""
        sock, _ = self.listener.accept()
        link = Link(sock)
        self.links.append(link)
        return link

    def greet(self, epoch: int) -> tuple[Link, Packet]:
        """A learner's connection up to its ACKEPOCH, which comes with it."""
        link = self.accept()
        link.expect(Kind.FOLLOWERINFO)
        link.send(Packet(Kind.LEADERINFO, at(epoch, 0), int32(PROTOCOL)))
        return link, link.expect(Kind.ACKEPOCH)

    def new_leader(self, epoch: int) -> Packet:
        """NEWLEADER with the text of the ensemble."""
        return Packet(Kind.NEWLEADER, at(epoch, 0), config_text(self.system))

    def follow(self, epoch: int, *history: Packet) -> Link:
        """A learner brought into broadcast: by DIFF, `history`, NEWLEADER and UPTODATE."""
        self.elect(epoch)
        link, _ = self.greet(epoch)
        link.send(Packet(Kind.DIFF, at(epoch, 0)), *history, self.new_leader(epoch))
        link.expect(Kind.ACK)
        link.send(Packet(Kind.UPTODATE))
        assert link.expect(Kind.ACK).zxid == at(epoch, 0)
        return link


def config_text(system: System) -> bytes:
    """The ensemble as its members announce it, without client ports."""
    lines = []
    for server in system.servers:
        role = "observer" if server.id in system.observers else "participant"
        lines.append(f"server.{server.id}=127.0.0.1:{server.quorum[1]}:{server.election[1]}:{role}")
    return ("\n".join(lines) + "\nversion=0").encode()


class ScriptedLearner:
    """A server that comes to a real leader's quorum port."""

    def __init__(self, leader: Address, id: int, protocol: int = PROTOCOL, observes: bool = False,
                 accepted: int = 0) -> None:
        self.link = Link(_connect(leader))
        kind = Kind.OBSERVERINFO if observes else Kind.FOLLOWERINFO
        info = int64(id) + int32(protocol) + int64(0)
        self.link.send(Packet(kind, at(accepted, 0), info))
        self.epoch = self.link.expect(Kind.LEADERINFO).zxid >> 32

    def __enter__(self) -> "ScriptedLearner":
        return self

    def __exit__(self, *_: object) -> None:
        self.link.close()

    def report(self, zxid: int, current: int) -> Packet:
        """Says what it holds; the plan that it is given."""
        self.link.send(Packet(Kind.ACKEPOCH, zxid, int32(current)))
        plan = self.link.read()
        assert plan is not None, "closed instead of a plan"
        return plan

    def join(self, zxid: int = 0, current: int = 0) -> list[Packet]:
        """Comes level and into broadcast; what it was sent, with what comes beside UPTODATE."""
        plan = self.report(zxid, current)
        if plan.kind == Kind.SNAP:
            self.link.skip_snapshot()
        history = self.link.until(Kind.NEWLEADER)
        self.link.send(Packet(Kind.ACK, history[-1].zxid))
        live = self.link.until(Kind.UPTODATE)
        self.link.send(Packet(Kind.ACK, at(self.epoch, 0)))
        return [plan, *history, *live]
