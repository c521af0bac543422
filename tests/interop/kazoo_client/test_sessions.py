"""Sessions through kazoo: they outlive connections and servers, and end when they must."""

from __future__ import annotations

import threading
import time
from typing import Optional

from kazoo.protocol.states import KazooState

from rig import ops
from rig.ops import Op
from rig.system import System
from rig.wire import Connection

from rig.waiting import until


def server_of(ensemble: System, client) -> Optional[int]:
    """The index of the server that a client is connected to; None while it is not. It says that it
    is connected for a moment after its socket is gone."""
    try:
        port = client._connection._socket.getpeername()[1]
    except OSError:
        return None
    return next(n for n, server in enumerate(ensemble.servers) if server.client[1] == port)


def test_a_session_moves_when_its_server_dies(ensemble, connect, root):
    client, observer = connect(), connect()
    client.create(root, b"", ephemeral=False)
    client.create(f"{root}/mine", b"", ephemeral=True)
    session, home = client.client_id, server_of(ensemble, client)
    ensemble.servers[home].end()
    try:
        until(lambda: client.connected and server_of(ensemble, client) not in (None, home))
        client.retry(client.set, f"{root}/mine", b"from elsewhere")
        assert client.client_id == session
        observer.retry(observer.sync, root)
        assert observer.retry(observer.exists, f"{root}/mine").owner_session_id == session[0]
    finally:
        ensemble.servers[home].start()
        ensemble.servers[home].wait_serving()


def test_writes_go_on_after_the_leader_died(ensemble, connect, root):
    client = connect()
    client.create(root, b"")
    leader = ensemble.leader()
    leader.end()
    try:
        for n in range(20):
            client.retry(client.set, root, b"%d" % n)
        assert client.get(root)[0] == b"19"
    finally:
        leader.start()
        leader.wait_serving()


def test_a_session_taken_over_elsewhere_leaves_its_old_connection(ensemble, connect, root):
    old = connect(ensemble.servers[0])
    old.create(root, b"", ephemeral=True)
    new = Connection(ensemble.servers[1].client)
    session, password = old.client_id
    granted = new.handshake(10000, session=session, password=password)
    assert granted is not None and granted.id == session
    err, _, _ = new.call(Op.SET_DATA, ops.set_data(root, b"moved"))
    assert err == 0
    new.close()
    # The old client, told by its server that the session moved, comes back and takes it again.
    old.retry(old.set, root, b"back")
    assert old.client_id[0] == session


def test_a_silent_session_expires_once_and_its_ephemerals_with_it(ensemble, connect, root):
    observer = connect()
    observer.create(root)
    silent = Connection(ensemble.servers[2].client)
    session = silent.handshake(4000)
    assert session is not None
    assert silent.call(Op.CREATE, ops.create(f"{root}/e", b"", flags=1))[0] == 0
    begun = time.monotonic()
    observer.sync(root)
    until(lambda: observer.exists(f"{root}/e") is None, 20)
    waited = time.monotonic() - begun
    assert 3.5 <= waited <= 10, f"expired after {waited:.1f} s"
    for server in ensemble.servers:
        again = Connection(server.client)
        refused = again.handshake(4000, session=session.id, password=session.password)
        assert refused is not None and refused.id == 0 and refused.timeout_ms == 0
        again.close()
    silent.close()


def test_reads_and_pings_on_a_follower_keep_a_session_alive(ensemble, root):
    follower = ensemble.followers()[0]
    connection = Connection(follower.client)
    session = connection.handshake(4000)
    assert session is not None
    assert connection.call(Op.CREATE, ops.create(root, b"", flags=1))[0] == 0
    for n in range(18):
        time.sleep(0.5)
        op, body = (Op.PING, b"") if n % 2 else (Op.EXISTS, ops.watched(root))
        assert connection.call(op, body)[0] == 0
    connection.call(Op.CLOSE_SESSION)
    connection.close()


def test_kazoo_hears_that_its_session_was_lost(ensemble, connect, root):
    states: list[str] = []
    client = connect(ensemble.servers[0])
    client.add_listener(states.append)
    session, password = client.client_id
    thief = Connection(ensemble.servers[1].client)
    granted = thief.handshake(10000, session=session, password=password)
    assert granted is not None and granted.id == session
    thief.call(Op.CLOSE_SESSION)
    thief.close()
    until(lambda: KazooState.LOST in states)
    until(lambda: client.connected and client.client_id[0] != session)


def test_a_client_that_saw_more_is_refused_by_a_server_that_knows_less(ensemble):
    ahead = Connection(ensemble.servers[0].client)
    assert ahead.handshake(10000, last_zxid=(1 << 62)) is None
    ahead.close()


def test_sessions_opened_and_closed_by_the_hundred_leave_nothing(ensemble, connect, root):
    observer = connect()
    observer.create(root)

    def churn(server):
        for n in range(40):
            connection = Connection(server.client)
            connection.handshake(10000)
            name = f"{root}/{server.id}-{n}"
            assert connection.call(Op.CREATE, ops.create(name, b"", flags=1))[0] == 0
            connection.call(Op.CLOSE_SESSION)
            connection.close()

    threads = [threading.Thread(target=churn, args=(server,)) for server in ensemble.servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    observer.sync(root)
    assert observer.get_children(root) == []
    assert observer.get(root)[1].cversion == 240
