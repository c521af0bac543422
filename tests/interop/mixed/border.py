"""Four ensembles whose clients can cross from one kind to the other, and sessions that do so."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Optional, Sequence

from rig import ops
from rig.jute import Reader
from rig.ops import Op
from rig.roamer import Roamer
from rig.system import RINGKEEPER, Server, System
from rig.wire import Connection, Session

from . import scenario

EPHEMERAL = 1
START_SECONDS = 40.0
LAG_SECONDS = 20.0
HEARTBEAT_SECONDS = 0.5

# The mix; in which order it starts, so that the first leads: with the second it is a quorum, and has
# the higher id; and the road of a session, by ids, across the border with every step.
ROADS = {"RJJ": ("312", "2131"), "JRR": ("312", "12131"), "JJr": ("213", "13231"), "RRj": ("213", "13231")}


@dataclass
class Border:
    """A running ensemble of both kinds, and the road across."""

    system: System
    road: Sequence[Server]

    @property
    def leader_kind(self) -> str:
        """The kind of the server that leads."""
        return self.system.leader().kind.name

    def of(self, kind: str) -> Server:
        """The follower or observer of this kind that the road passes, else its leader."""
        mine = [server for server in self.road if server.kind.name == kind]
        return next((server for server in mine if server.mode() != "leader"), mine[0])

    def role(self) -> str:
        """What the Ringkeeper on the border is."""
        return "leader" if self.leader_kind == RINGKEEPER.name else self.of(RINGKEEPER.name).mode()


def start(mix: str, version: str) -> Border:
    """The ensemble, with the leader that its road wants."""
    order, road = ROADS[mix]
    system = scenario.ensemble(mix, version)
    try:
        servers = [system[int(id)] for id in order]
        for server in servers[:2]:
            server.start()
        for server in servers[:2]:
            server.wait_serving(START_SECONDS)
        servers[2].start()
        servers[2].wait_serving(START_SECONDS)
        assert servers[0].mode() == "leader"
        return Border(system, [system[int(id)] for id in road])
    except BaseException:
        system.stop(keep=True)
        raise


class Heartbeat(Roamer):
    """A write now and then. A Java server may leave a commit that it was told of, or the answer to
    a sync, until the next commit comes, whoever leads (ZOOKEEPER-4537, in 3.8.0)."""

    def __init__(self, server: Server) -> None:
        super().__init__("heartbeat", [server.client], 0)

    def work(self, connection: Connection) -> None:
        """As a roamer."""
        while not self.halted.wait(HEARTBEAT_SECONDS):
            connection.call(Op.SET_DATA, ops.set_data("/", b""))


class Traveller:
    """One session, on one connection at a time or on two."""

    def __init__(self, server: Server, timeout_ms: int = 20_000) -> None:
        self.zxid = 0
        self.connection = Connection(server.client)
        granted = self.connection.handshake(timeout_ms)
        assert granted is not None and granted.id != 0, f"server {server.id} takes no session"
        self.session: Session = granted

    def move(self, server: Server, keep_old: bool = False,
             password: Optional[bytes] = None) -> Session:
        """The session on a new connection, which is kept if it was granted. `keep_old` leaves the
        old one open, for the caller to close. A server that lags behind what this client has seen
        closes; the client comes again."""
        deadline = time.monotonic() + LAG_SECONDS
        while True:
            connection = Connection(server.client)
            granted = connection.handshake(
                self.session.timeout_ms, session=self.session.id, last_zxid=self.zxid,
                password=self.session.password if password is None else password)
            if granted is not None:
                break
            connection.close()
            assert time.monotonic() < deadline, f"server {server.id} takes no session"
            time.sleep(0.02)
        if granted.id == 0:
            connection.close()
            return granted
        if not keep_old:
            self.connection.close()
        self.connection = connection
        return granted

    def call(self, op: int, body: bytes = b"") -> Reader:
        """A request that must succeed; the reply's body."""
        err, zxid, reader = self.connection.call(op, body)
        assert err == 0, f"{Op(op).name} answers {err}"
        self.zxid = max(self.zxid, zxid)
        return reader

    def create(self, path: str, data: bytes = b"", flags: int = 0) -> None:
        """A znode."""
        self.call(Op.CREATE, ops.create(path, data, flags=flags))

    def close(self) -> None:
        """The session's end."""
        self.connection.call(Op.CLOSE_SESSION)
        self.connection.close()


def exists(server: Server, path: str) -> bool:
    """Whether this server has the znode, after a sync."""
    connection = Connection(server.client)
    try:
        assert connection.handshake() is not None, f"server {server.id} takes no session"
        assert connection.call(Op.SYNC, ops.path_only("/"))[0] == 0
        err, _, _ = connection.call(Op.EXISTS, ops.watched(path))
        connection.call(Op.CLOSE_SESSION)
        assert err in (0, -101), f"exists {path} answers {err}"
        return err == 0
    finally:
        connection.close()
