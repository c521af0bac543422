"""Requests that no honest client makes: refused, and every other client is served as before."""

from __future__ import annotations

import itertools
import time

import pytest

from rig import ops
from rig.jute import boolean, buffer, int32, int64, string
from rig.ops import OPEN, Op
from rig.wire import Connection

MARSHALLING, UNIMPLEMENTED, BAD_ARGUMENTS = -5, -6, -8
NO_NODE, NO_AUTH, NODE_EXISTS, INVALID_ACL = -101, -102, -110, -114

_numbers = itertools.count(1)


@pytest.fixture
def client(server):
    """A session on the server under attack."""
    connection = Connection(server.client)
    assert connection.handshake() is not None
    yield connection
    connection.close()


def fresh() -> str:
    """A path that no other test uses."""
    return f"/hostile-{next(_numbers)}"


WRITES = {
    Op.CREATE: ops.create("/x", b"data"), Op.CREATE2: ops.create("/x", b"data"),
    Op.CREATE_CONTAINER: ops.create("/x", b"data", flags=4), Op.DELETE: ops.versioned("/x"),
    Op.CREATE_TTL: ops.create_ttl("/x", b"", OPEN, 5, 1000), Op.SET_DATA: ops.set_data("/x", b"data"),
    Op.SET_ACL: ops.set_acl("/x", OPEN), Op.MULTI: ops.multi([(Op.CHECK, ops.versioned("/x"))]),
    Op.RECONFIG: ops.reconfig("a", "b", "c", -1),
}


@pytest.mark.java_breaks
@pytest.mark.parametrize("op", WRITES, ids=lambda op: op.name.lower())
def test_a_write_cut_short_anywhere_is_refused_and_stops_nobody(client, op):
    """On a Java ensemble one such write hangs every later write until the leader is killed."""
    body = WRITES[op]
    for length in range(len(body)):
        err, _, _ = client.call(op, body[:length])
        assert err == MARSHALLING, f"{length} bytes of {len(body)}: {err}"


LYING_COUNTS = (-2, -0x80000000, 0x7FFFFFFF, 1 << 20, 2_000_000)


@pytest.mark.java_breaks
@pytest.mark.parametrize("count", LYING_COUNTS)
def test_lengths_and_counts_that_lie_cost_an_error_and_no_memory(client, count):
    lie, tail = int32(count), b"0123456789"
    for op, body in (
            (Op.CREATE, lie + tail), (Op.CREATE, string("/x") + lie + tail),
            (Op.CREATE2, string("/x") + buffer(b"") + int32(1) + int32(31) + lie + tail),
            (Op.SET_DATA, string("/x") + lie + tail), (Op.DELETE, lie + tail),
            (Op.GET_DATA, lie + tail), (Op.EXISTS, lie + tail), (Op.GET_CHILDREN2, lie + tail),
            (Op.SYNC, lie + tail), (Op.ADD_WATCH, lie + tail),
            (Op.SET_WATCHES, int64(0) + int32(1) + lie + tail),
            (Op.MULTI, int32(1) + boolean(False) + int32(-1) + lie + tail),
            (Op.MULTI_READ, int32(4) + boolean(False) + int32(-1) + lie + tail)):
        err, _, _ = client.call(op, body)
        assert err == MARSHALLING, f"{op.name}: {err}"


@pytest.mark.java_breaks
def test_a_count_of_two_billion_entries_is_refused_at_once(client):
    begun = time.monotonic()
    for op, body in ((Op.CREATE, string("/x") + buffer(b"") + int32(0x7FFFFFFF) + bytes(10)),
                     (Op.SET_ACL, string("/x") + int32(0x7FFFFFFF) + bytes(10)),
                     (Op.SET_WATCHES, int64(0) + int32(0x7FFFFFFF) + bytes(10))):
        err, _, _ = client.call(op, body)
        assert err in (MARSHALLING, INVALID_ACL, NO_NODE), f"{op.name}: {err}"
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("op", [0, 10, 13, 16 + 1000, 23, 99, 108, -1, -2, -12, 0x7FFFFFFF])
def test_an_unknown_op_is_unimplemented_and_ends_the_connection(client, ended, op):
    client.send(7, op, b"")
    reply = client.receive()
    assert reply is not None and reply[:4] == int32(7) and reply[12:16] == int32(UNIMPLEMENTED)
    assert ended(client) == b""


@pytest.mark.java_breaks
def test_only_the_server_deletes_containers(client, server):
    """On a Java server op 20 deletes any childless znode past its access list."""
    owner = Connection(server.client)
    owner.handshake()
    owner.call(Op.AUTH, ops.auth("digest", b"owner:pw"))
    path = fresh()
    assert owner.call(Op.CREATE, ops.create(path, b"", [(31, "auth", "")]))[0] == 0
    client.send(1, Op.DELETE_CONTAINER, ops.path_only(path))
    reply = client.receive()
    assert reply is not None and reply[12:16] == int32(UNIMPLEMENTED)
    assert owner.call(Op.EXISTS, ops.watched(path))[0] == 0
    owner.close()


@pytest.mark.java_breaks
def test_a_client_cannot_begin_its_session_again(client):
    client.send(1, Op.CREATE_SESSION, int32(20000))
    reply = client.receive()
    assert reply is not None and reply[12:16] == int32(UNIMPLEMENTED)


QUOTA_JUNK = {
    "limits-of-nothing": ("/zookeeper/quota/zookeeper_limits", b"count=1,bytes=1"),
    "stats-of-nothing": ("/zookeeper/quota/zookeeper_stats", b"count=1,bytes=1"),
    "no-equals": ("/zookeeper/quota/j/zookeeper_stats", b"junk"),
    "null": ("/zookeeper/quota/j/zookeeper_stats", None),
    "letters": ("/zookeeper/quota/j/zookeeper_limits", b"count=x,bytes=y"),
    "too-large": ("/zookeeper/quota/j/zookeeper_limits", b"count=99999999999999999999,bytes=1"),
    "binary": ("/zookeeper/quota/j/zookeeper_limits", bytes(range(256))),
}


@pytest.mark.java_breaks
@pytest.mark.parametrize("junk", QUOTA_JUNK.values(), ids=QUOTA_JUNK.keys())
def test_junk_below_the_quota_is_a_bad_argument(client, junk):
    """On a Java ensemble some of it ends every server for good."""
    path, data = junk
    client.call(Op.CREATE, ops.create("/zookeeper/quota/j", b""))
    err, _, _ = client.call(Op.CREATE, ops.create(path, data))
    assert err == BAD_ARGUMENTS
    multi = ops.multi([(Op.CREATE, ops.create(path, data))])
    _, _, reply = client.call(Op.MULTI, multi)
    assert int32(BAD_ARGUMENTS) in reply.data


@pytest.mark.java_breaks
def test_junk_set_on_a_live_quota_is_a_bad_argument(client):
    top = fresh()
    quota = f"/zookeeper/quota{top}"
    for path, data in ((top, b""), (quota, b""), (f"{quota}/zookeeper_limits", b"count=10,bytes=100"),
                       (f"{quota}/zookeeper_stats", b"count=0,bytes=0")):
        assert client.call(Op.CREATE, ops.create(path, data))[0] == 0
    for data in (b"junk", None, b"count=x", b"\xff"):
        for name in ("zookeeper_stats", "zookeeper_limits"):
            assert client.call(Op.SET_DATA, ops.set_data(f"{quota}/{name}", data))[0] == BAD_ARGUMENTS
    assert client.call(Op.CREATE, ops.create(f"{top}/below", b"x"))[0] == 0


@pytest.mark.java_breaks
@pytest.mark.parametrize("flags", [0, 1, 2, 3, 4, 7, -1])
def test_a_ttl_below_zero_with_flags_of_no_ttl_is_a_bad_argument(standalone, flags):
    """On a Java server with extended types it ends the server, and each restart of it."""
    connection = Connection(standalone.client)
    connection.handshake()
    for ttl in (-1, -(1 << 63), 0, 1, 1 << 40):
        body = ops.create_ttl(fresh(), b"", OPEN, flags, ttl)
        assert connection.call(Op.CREATE_TTL, body)[0] == BAD_ARGUMENTS
    connection.close()


def test_paths_as_long_as_a_frame_are_answered(client):
    for path in ("/" + "a" * 1_000_000, "/a" * 100_000, "/" * 100_000, "/." * 50_000):
        err, _, _ = client.call(Op.EXISTS, ops.watched(path))
        assert err == NO_NODE
    assert client.call(Op.CREATE, ops.create("/a" * 100_000, b""))[0] == NO_NODE


def test_a_multi_of_very_many_parts_does_all_or_nothing(client):
    path = fresh()
    client.call(Op.CREATE, ops.create(path, b""))
    parts = [(Op.CHECK, ops.versioned(path))] * 20_000
    err, _, reply = client.call(Op.MULTI, ops.multi(parts))
    assert err == 0 and len(reply.data) == 16 + 9 * 20_001


def test_a_multi_whose_txn_would_be_too_large_is_refused(client, server):
    """Sequential names make the txn larger than the request; nothing of it may stay half done."""
    path = fresh()
    client.call(Op.CREATE, ops.create(path, b""))
    name = f"{path}/" + "n" * 100
    parts = [(Op.CREATE, ops.create(name, b"", flags=2))] * 6_000
    client.send(3, Op.MULTI, ops.multi(parts))
    client.receive(30)
    other = Connection(server.client)
    other.handshake()
    _, _, reply = other.call(Op.GET_ALL_CHILDREN_NUMBER, ops.path_only(path))
    assert reply.int32() in (0, 6_000)
    other.close()


def test_a_multi_within_a_multi_is_refused(client):
    inner = ops.multi([(Op.CHECK, ops.versioned("/"))])
    assert client.call(Op.MULTI, ops.multi([(Op.MULTI, inner)]))[0] == MARSHALLING


def test_watches_set_by_the_hundred_thousand_are_carried_or_refused(client):
    paths = [f"/w{n}" for n in range(60_000)]
    assert client.call(Op.SET_WATCHES, ops.set_watches(1 << 62, [], paths, []))[0] == 0
    body = ops.path_and_number("/", 1)
    for _ in range(2_000):
        assert client.call(Op.ADD_WATCH, body)[0] == 0


def test_another_s_watch_cannot_be_removed(client, server):
    owner = Connection(server.client)
    owner.handshake()
    path = fresh()
    owner.call(Op.CREATE, ops.create(path, b""))
    owner.call(Op.GET_DATA, ops.watched(path, True))
    assert client.call(Op.REMOVE_WATCHES, ops.path_and_number(path, 3))[0] == -121
    owner.call(Op.SET_DATA, ops.set_data(path, b"x"))
    assert client.call(Op.EXISTS, ops.watched("/"))[0] == 0
    owner.close()


def test_auth_packets_by_the_thousand_do_not_grow_a_session_without_bound(server):
    flood = Connection(server.client)
    flood.handshake()
    for n in range(3_000):
        flood.send(-4, Op.AUTH, ops.auth("digest", b"user%d:pw" % n))
    try:
        for _ in range(3_000):
            if flood.receive() is None:
                break
        if flood.call(Op.CREATE, ops.create(fresh(), b"", [(31, "auth", "")]))[0] == 0:
            flood.call(Op.WHO_AM_I)
    except ConnectionError:
        pass
    flood.close()


@pytest.mark.java_breaks
def test_a_list_of_ten_thousand_entries_is_stored_or_refused_at_once(client):
    """A Java server compares each entry with each other, for nine seconds, while all writes wait."""
    path, begun = fresh(), time.monotonic()
    acls = [(1, "ip", f"10.{n // 250}.{n % 250}.1") for n in range(10_000)]
    err, _, _ = client.call(Op.CREATE, ops.create(path, b"", [*OPEN, *acls]))
    if err == 0:
        _, _, reply = client.call(Op.GET_ACL, ops.path_only(path))
        assert reply.int32() == 10_001
    assert time.monotonic() - begun < 2


def test_ten_thousand_requests_without_reading_are_all_answered_in_order(server):
    connection = Connection(server.client)
    connection.handshake()
    count = 10_000
    frames = b"".join(
        int32(8 + len(body)) + int32(xid) + int32(op) + body
        for xid in range(1, count + 1)
        for op, body in [(Op.EXISTS, ops.watched("/")) if xid % 3 else (Op.SYNC, ops.path_only("/"))])
    connection.send_raw(frames)
    for xid in range(1, count + 1):
        reply = connection.receive(20)
        assert reply is not None and reply[:4] == int32(xid)
    connection.close()


def test_requests_after_the_session_s_end_are_dropped(client, ended):
    close = int32(8) + int32(1) + int32(Op.CLOSE_SESSION)
    path = fresh()
    body = int32(2) + int32(Op.CREATE) + ops.create(path, b"")
    client.send_raw(close + close + int32(len(body)) + body)
    answer = ended(client)
    assert answer[:8] == int32(16) + int32(1)


@pytest.mark.java_breaks
def test_ephemerals_beyond_what_a_close_can_carry_end_with_their_session(server):
    """The closeSession txn lists every path; it must not be larger than what peers accept."""
    connection = Connection(server.client)
    connection.handshake()
    top = fresh()
    connection.call(Op.CREATE, ops.create(top, b""))
    made = 0
    for _ in range(20):
        name = f"{top}/" + "e" * 900
        parts = [(Op.CREATE, ops.create(name, b"", flags=3))] * 300
        err, _, reply = connection.call(Op.MULTI, ops.multi(parts))
        made += 300 if err == 0 and reply.int32() != -1 else 0
    connection.call(Op.CLOSE_SESSION)
    connection.close()
    other = Connection(server.client)
    other.handshake()
    other.call(Op.SYNC, ops.path_only("/"))
    _, _, reply = other.call(Op.GET_ALL_CHILDREN_NUMBER, ops.path_only(top))
    assert made > 0 and reply.int32() == 0
    other.close()


def test_no_secret_of_a_client_reaches_the_log(client, server):
    secrets = (b"planted-password", b"planted-data")
    client.call(Op.AUTH, ops.auth("digest", b"user:planted-password"))
    client.call(Op.CREATE, ops.create(fresh(), b"planted-data", [(31, "auth", "")]))
    client.call(Op.CREATE, ops.create("/no/such", b"planted-data"))
    client.send(-4, Op.AUTH, ops.auth("nope", b"user:planted-password"))
    client.receive()
    log = server.log.read_bytes()
    assert not [secret for secret in secrets if secret in log]
