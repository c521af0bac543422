"""Znodes through kazoo: on any server, the same."""

from __future__ import annotations

import threading

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import (BadVersionError, InvalidACLError, NoAuthError, NoChildrenForEphemeralsError,
                              NodeExistsError, NoNodeError, NotEmptyError, RolledBackError)
from kazoo.security import ACL, Id, make_acl, make_digest_acl

from rig.system import System


def everywhere(ensemble: System, connect) -> list[KazooClient]:
    """One client on each server."""
    return [connect(server) for server in ensemble.servers]


def test_a_write_on_one_server_is_read_on_all_after_a_sync(ensemble, connect, root):
    clients = everywhere(ensemble, connect)
    for number, client in enumerate(clients):
        client.create(f"{root}/{number}", b"from %d" % number, makepath=True)
        for other in clients:
            other.sync(root)
            data, stat = other.get(f"{root}/{number}")
            assert data == b"from %d" % number
            assert stat.version == 0 and stat.data_length == len(data)


def test_versions_guard_sets_and_deletes(connect, root):
    client = connect()
    client.create(root, b"0")
    assert client.set(root, b"1", version=0).version == 1
    with pytest.raises(BadVersionError):
        client.set(root, b"2", version=0)
    with pytest.raises(BadVersionError):
        client.delete(root, version=7)
    client.delete(root, version=1)
    with pytest.raises(NoNodeError):
        client.get(root)


def test_refusals_are_told_apart(connect, root):
    client = connect()
    client.create(root)
    client.create(f"{root}/eph", ephemeral=True)
    unknown = [ACL(31, Id("nope", "x"))]
    for call, error in ((lambda: client.create(root), NodeExistsError),
                        (lambda: client.create(f"{root}/no/child"), NoNodeError),
                        (lambda: client.create(f"{root}/eph/child"), NoChildrenForEphemeralsError),
                        (lambda: client.delete(root), NotEmptyError),
                        (lambda: client.get_children("/absent" + root), NoNodeError),
                        (lambda: client.create(f"{root}/bad", acl=unknown), InvalidACLError)):
        with pytest.raises(error):
            call()


def test_sequence_numbers_are_unique_and_rise_across_servers(ensemble, connect, root):
    clients = everywhere(ensemble, connect)
    clients[0].create(root)
    for client in clients:
        client.sync(root)
    names = [clients[n % 3].create(f"{root}/s-", sequence=True) for n in range(60)]
    assert names == sorted(set(names))


def test_concurrent_sequences_from_all_servers_leave_no_gap(ensemble, connect, root):
    clients = everywhere(ensemble, connect)
    clients[0].create(root)
    clients[1].sync(root), clients[2].sync(root)
    waiting = [clients[n % 3].create_async(f"{root}/s-", sequence=True) for n in range(300)]
    names = sorted(call.get(20) for call in waiting)
    assert names == [f"{root}/s-{n:010}" for n in range(300)]


def test_ephemerals_go_everywhere_when_their_session_closes(ensemble, connect, root):
    clients = everywhere(ensemble, connect)
    clients[0].create(root)
    owner = connect(ensemble.servers[1])
    owner.sync(root)
    for n in range(20):
        owner.create(f"{root}/e{n}", ephemeral=True)
    clients[2].sync(root)
    assert len(clients[2].get_children(root)) == 20
    assert clients[2].get(f"{root}/e0")[1].owner_session_id == owner.client_id[0]
    owner.stop()
    for client in clients:
        client.sync(root)
        assert client.get_children(root) == []


def test_a_transaction_does_all_or_nothing(ensemble, connect, root):
    client, other = connect(ensemble.servers[0]), connect(ensemble.servers[2])
    client.create(root, b"0")
    good = client.transaction()
    good.create(f"{root}/a", b"a")
    good.set_data(root, b"1", version=0)
    good.check(root, version=1)
    good.create(f"{root}/s-", sequence=True)
    good.delete(f"{root}/a")
    results = good.commit()
    assert results[0] == f"{root}/a" and results[1].version == 1 and results[2:3] == [True]
    bad = client.transaction()
    bad.create(f"{root}/b", b"b")
    bad.check(root, version=99)
    bad.delete(root)
    results = bad.commit()
    assert isinstance(results[0], RolledBackError) and isinstance(results[1], BadVersionError)
    other.sync(root)
    assert other.get_children(root) == [f"s-{1:010}"]
    assert other.get(root)[0] == b"1"


def test_access_lists_hold_on_every_server(ensemble, connect, root):
    owner = connect(ensemble.servers[0])
    owner.add_auth("digest", "alice:secret")
    acl = [make_digest_acl("alice", "secret", all=True), make_acl("ip", "10.9.8.7", read=True)]
    owner.create(root, b"hidden", acl=acl)
    for server in ensemble.servers:
        stranger = connect(server)
        stranger.sync(root)
        for call in (stranger.get, stranger.get_children, lambda path: stranger.set(path, b"")):
            with pytest.raises(NoAuthError):
                call(root)
        stranger.add_auth("digest", "alice:secret")
        assert stranger.get(root)[0] == b"hidden"
        assert stranger.get_acls(root)[0] == acl
    owner.set_acls(root, [make_acl("world", "anyone", read=True)])
    reader = connect()
    reader.sync(root)
    assert reader.get_acls(root)[1].aversion == 1


def test_auth_given_at_the_start_survives_a_reconnect(ensemble, connect, root):
    client = connect(auth_data=[("digest", "bob:pw")], default_acl=[make_digest_acl("bob", "pw", all=True)])
    client.create(root, b"mine")
    client._connection._socket.shutdown(2)
    assert client.retry(client.get, root)[0] == b"mine"


def test_data_of_every_size_comes_back_as_it_went(ensemble, connect, root):
    writer, reader = connect(ensemble.servers[1]), connect(ensemble.servers[2])
    writer.create(root)
    for size in (0, 1, 4095, 4096, 4097, 65_536, 1_000_000):
        data = bytes(n % 251 for n in range(size))
        writer.create(f"{root}/{size}", data)
        reader.sync(root)
        assert reader.get(f"{root}/{size}")[0] == data


def test_a_deep_tree_is_deleted_leaf_by_leaf(connect, root):
    client = connect()
    client.ensure_path(root + "/a" * 30)
    for n in range(50):
        client.create(f"{root}/wide-{n}", makepath=True)
    client.delete(root, recursive=True)
    assert client.exists(root) is None


def test_unicode_paths_and_names_round_trip(connect, root):
    client = connect()
    for name in ("\u00e9t\u00e9", "\u4e2d\u6587", "sp ace", "..dots", "a\u00a0b"):
        client.create(f"{root}/{name}", name.encode(), makepath=True)
    assert len(client.get_children(root)) == 5
    assert client.get(f"{root}/\u4e2d\u6587")[0] == "\u4e2d\u6587".encode()


def test_requests_of_one_session_are_answered_in_order(connect, root):
    client = connect()
    client.create(root, b"0")
    answers: list[int] = []
    calls = []
    for n in range(200):
        calls.append(client.set_async(root, b"%d" % n))
        calls[-1].rawlink(lambda _, n=n: answers.append(n))
    read = client.get_async(root)
    # Links are called by a thread of kazoo's own, in order; `get` does not wait for it.
    all_linked = threading.Event()
    read.rawlink(lambda _: all_linked.set())
    assert read.get(20)[0] == b"199"
    assert [call.get(20).version for call in calls] == list(range(1, 201))
    assert all_linked.wait(20)
    assert answers == list(range(200))
