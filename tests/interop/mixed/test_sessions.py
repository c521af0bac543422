"""Sessions across the border: moved with all they own, refused, kept by pings, expired by either kind."""

from __future__ import annotations

import itertools
import time
from typing import Iterator

import pytest

from rig import census, ops
from rig.jute import Reader
from rig.ops import Op
from rig.roamer import Crew
from rig.system import Server
from rig.wire import Connection, password_of

from . import border as borders
from .border import EPHEMERAL, Border, Heartbeat, Traveller, exists

KINDS = ["java", "ringkeeper"]
TIMEOUT_MS = 5000
GENEROUS_SECONDS = 40.0
CREATED, CHANGED, CHILDREN = 1, 3, 4

_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=list(borders.ROADS))
def border(request: pytest.FixtureRequest, java_version: str) -> Iterator[Border]:
    """Java leads Ringkeeper, Ringkeeper leads Java; the other follows or observes."""
    failures = request.session.testsfailed
    border = borders.start(request.param, java_version)
    crew = Crew([Heartbeat(border.system.leader())])
    crew.start()
    yield border
    crew.halt()
    if request.session.testsfailed == failures:
        census.assert_agree(border.system.servers)
    border.system.stop(keep=request.session.testsfailed > failures)


@pytest.fixture
def root(border: Border) -> str:
    """A znode of this test's own."""
    path = f"/sessions-{next(_numbers)}"
    maker = Traveller(border.system.leader())
    maker.create(path)
    maker.close()
    return path


def wait_gone(servers: list[Server], path: str) -> None:
    """Returns once no server shows the znode."""
    deadline = time.monotonic() + GENEROUS_SECONDS
    while any(exists(server, path) for server in servers):
        assert time.monotonic() < deadline, f"{path} is still there"
        time.sleep(0.05)


def owner_and_made(server: Server, path: str) -> tuple[int, int]:
    """ephemeralOwner and pzxid of a znode at this server, after a sync."""
    connection = Connection(server.client)
    try:
        assert connection.handshake() is not None
        assert connection.call(Op.SYNC, ops.path_only("/"))[0] == 0
        err, _, stat = connection.call(Op.EXISTS, ops.watched(path))
        assert err == 0, f"exists {path} answers {err}"
        stat.take(44)
        owner = stat.int64()
        stat.take(8)
        made = stat.int64()
        connection.call(Op.CLOSE_SESSION)
        return owner, made
    finally:
        connection.close()


def test_a_session_moves_with_its_ephemerals(border: Border, root: str, cell) -> None:
    """Across with every step of the road; what it owns stays, until it is closed at the last."""
    cell(border.role(), "session moved, with its ephemerals")
    traveller = Traveller(border.road[0])
    session = traveller.session
    mine = [f"{root}/0"]
    traveller.create(mine[0], flags=EPHEMERAL)
    for step, server in enumerate(border.road[1:], 1):
        granted = traveller.move(server)
        assert granted == session, f"at server {server.id}"
        mine.append(f"{root}/{step}")
        traveller.create(mine[-1], flags=EPHEMERAL)
        listed = traveller.call(Op.GET_EPHEMERALS, ops.path_only(root))
        assert sorted(listed.vector(listed.string) or []) == mine
        for each in border.system.servers:
            assert {owner_and_made(each, path)[0] for path in mine} == {session.id}
    traveller.close()
    for path in mine:
        wait_gone(border.system.servers, path)


@pytest.mark.parametrize("home", KINDS)
def test_passwords_are_the_same_on_both_kinds(border: Border, home: str, cell) -> None:
    """The id's own, wherever the session was made; another is refused by either kind."""
    cell(border.role(), "passwords")
    traveller = Traveller(border.of(home))
    assert traveller.session.password == password_of(traveller.session.id)
    wrong = bytes([traveller.session.password[0] ^ 1]) + traveller.session.password[1:]
    for kind in KINDS:
        for password in (wrong, b"", bytes(16)):
            refused = traveller.move(border.of(kind), password=password)
            assert refused.id == 0 and refused.password == bytes(16)
        assert traveller.move(border.of(kind)) == traveller.session
    traveller.close()
    for kind in KINDS:
        ended = traveller.move(border.of(kind))
        assert ended.id == 0, f"a closed session is granted by {kind}"


def test_sessions_live_by_pings_and_expire_without(border: Border, root: str, cell) -> None:
    """At either kind, under either kind of leader. What an expired session owned goes with one txn."""
    cell(border.role(), "sessions kept by pings, and expired")
    for name in (f"{kind}-{part}" for kind in KINDS for part in "ab"):
        maker = Traveller(border.system.leader())
        maker.create(f"{root}/{name}")
        maker.close()
    kept = {kind: Traveller(border.of(kind), TIMEOUT_MS) for kind in KINDS}
    silent = {kind: Traveller(border.of(kind), TIMEOUT_MS) for kind in KINDS}
    for kind in KINDS:
        kept[kind].create(f"{root}/kept-{kind}", flags=EPHEMERAL)
    spoke = time.monotonic()
    for kind in KINDS:
        for part in "ab":
            silent[kind].create(f"{root}/{kind}-{part}/mine", flags=EPHEMERAL)
    gone: dict[str, float] = {}
    watcher = Traveller(border.system.leader())
    while len(gone) < len(KINDS) or time.monotonic() < spoke + 1.5 * TIMEOUT_MS / 1000:
        assert time.monotonic() < spoke + GENEROUS_SECONDS, f"expired is only {gone}"
        for kind in KINDS:
            kept[kind].call(Op.PING)
            err, _, _ = watcher.connection.call(Op.EXISTS, ops.watched(f"{root}/{kind}-a/mine"))
            if err:
                gone.setdefault(kind, time.monotonic() - spoke)
        time.sleep(0.1)
    watcher.close()
    print(f"\n{border.leader_kind} leads; sessions of {TIMEOUT_MS} ms at each kind went after {gone}")
    assert min(gone.values()) >= TIMEOUT_MS / 1000
    for kind in KINDS:
        for server in border.system.servers:
            for each in kept.values():
                each.call(Op.PING)
            assert not exists(server, f"{root}/{kind}-b/mine")
            assert owner_and_made(server, f"{root}/kept-{kind}")[0] == kept[kind].session.id
            parents = {owner_and_made(server, f"{root}/{kind}-{part}")[1] for part in "ab"}
            assert len(parents) == 1, "one closeSession takes all that the session owned"
    for kind in KINDS:
        kept[kind].close()
        silent[kind].connection.receive_all(GENEROUS_SECONDS)
        for other in KINDS:
            ended = silent[kind].move(border.of(other))
            assert ended.id == 0, f"an expired session is granted by {other}"


@pytest.mark.parametrize("home", KINDS)
def test_watches_move_with_their_session(border: Border, root: str, home: str, cell) -> None:
    """What was missed on the way is told before the answer; what was not still fires later."""
    cell(border.role(), "watches registered again after a move")
    away = border.of(next(kind for kind in KINDS if kind != home))
    traveller, other = Traveller(border.of(home)), Traveller(border.system.leader())
    for name in ("set", "still"):
        other.create(f"{root}/{name}")
    traveller.call(Op.SYNC, ops.path_only("/"))
    for path in (f"{root}/set", f"{root}/still"):
        traveller.call(Op.GET_DATA, ops.watched(path, watch=True))
    traveller.connection.call(Op.EXISTS, ops.watched(f"{root}/new", watch=True))
    traveller.call(Op.GET_CHILDREN, ops.watched(root, watch=True))
    traveller.connection.close()
    other.call(Op.SET_DATA, ops.set_data(f"{root}/set", b"x"))
    other.create(f"{root}/new")
    left_at = traveller.zxid
    assert traveller.move(away) == traveller.session
    traveller.call(Op.SYNC, ops.path_only("/"))
    lists = ([f"{root}/set", f"{root}/still"], [f"{root}/new"], [root])
    traveller.connection.send(-8, Op.SET_WATCHES, ops.set_watches(left_at, *lists))
    seen = [event(traveller.connection) for _ in range(3)]
    assert seen == [(CHANGED, f"{root}/set"), (CREATED, f"{root}/new"), (CHILDREN, root)]
    answer = Reader(traveller.connection.receive() or b"")
    assert (answer.int32(), answer.int64() >= 0, answer.int32()) == (-8, True, 0)
    other.call(Op.SET_DATA, ops.set_data(f"{root}/still", b"y"))
    assert event(traveller.connection) == (CHANGED, f"{root}/still")
    traveller.close()
    other.close()


def event(connection: Connection) -> tuple[int, str]:
    """The next frame, which must be an event: type and path."""
    frame = Reader(connection.receive(GENEROUS_SECONDS) or b"")
    xid, _, err = frame.int32(), frame.int64(), frame.int32()
    assert (xid, err) == (-1, 0), f"xid {xid}, not an event"
    kind, state, path = frame.int32(), frame.int32(), frame.string()
    assert state == 3
    return kind, path or ""


def test_the_old_connection_of_a_moved_session_writes_no_more(border: Border, root: str, cell) -> None:
    """Its write is refused as moved, which closes the connection; the session lives on the new one."""
    cell(border.role(), "session moved, its old connection still open")
    traveller = Traveller(border.road[0])
    for step, server in enumerate(border.road[1:], 1):
        old = traveller.connection
        assert traveller.move(server, keep_old=True) == traveller.session
        traveller.create(f"{root}/new-{step}", flags=EPHEMERAL)
        old.send(1000 + step, Op.CREATE, ops.create(f"{root}/old-{step}"))
        assert old.receive(GENEROUS_SECONDS) is None, "SessionMoved closes without a reply"
        old.close()
        traveller.call(Op.SYNC, ops.path_only("/"))
        listed = traveller.call(Op.GET_CHILDREN, ops.watched(root))
        assert sorted(listed.vector(listed.string) or []) == [f"new-{n}" for n in range(1, step + 1)]
    traveller.close()
