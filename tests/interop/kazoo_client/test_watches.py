"""Watches through kazoo: bare ones, and what kazoo builds on them."""

from __future__ import annotations

import queue

import pytest
from kazoo.protocol.states import EventType
from kazoo.recipe.cache import TreeCache, TreeEvent
from kazoo.recipe.watchers import ChildrenWatch, DataWatch, PatientChildrenWatch

from rig.waiting import until

SECONDS = 10


@pytest.fixture
def pair(ensemble, connect, root):
    """One who watches, one who acts, on different servers; and the znode between them."""
    watcher, actor = connect(ensemble.servers[0]), connect(ensemble.servers[1])
    actor.create(root, b"0")
    watcher.sync(root)
    return watcher, actor


def test_each_kind_of_one_shot_watch_fires_once(pair, root):
    watcher, actor = pair
    events: queue.Queue = queue.Queue()
    watcher.get(root, watch=events.put)
    watcher.get_children(root, watch=events.put)
    watcher.exists(f"{root}/new", watch=events.put)
    actor.set(root, b"1")
    actor.set(root, b"2")
    assert events.get(timeout=SECONDS).type == EventType.CHANGED
    actor.create(f"{root}/new")
    actor.create(f"{root}/other")
    got = {(events.get(timeout=SECONDS).type) for _ in range(2)}
    assert got == {EventType.CREATED, EventType.CHILD}
    actor.delete(f"{root}/new")
    watcher.sync(root)
    assert events.empty()


def test_an_event_comes_before_the_data_it_tells_of(pair, root):
    watcher, actor = pair
    order: list[str] = []
    for n in range(50):
        watcher.get(root, watch=lambda event: order.append("event"))
        actor.set(root, b"%d" % n)
        watcher.sync(root)
        assert watcher.get(root)[0] == b"%d" % n
        until(lambda n=n: len(order) == n + 1, 2)


def test_a_data_watch_sees_every_state_it_is_given_time_for(pair, root):
    watcher, actor = pair
    seen: list[object] = []
    DataWatch(watcher, f"{root}/d", lambda data, stat: seen.append(data))
    until(lambda: seen == [None])
    for n in range(10):
        actor.ensure_path(f"{root}/d")
        actor.set(f"{root}/d", b"%d" % n)
        until(lambda n=n: seen[-1] == b"%d" % n)
    actor.delete(f"{root}/d")
    until(lambda: seen[-1] is None)


def test_a_children_watch_follows_the_children(pair, root):
    watcher, actor = pair
    seen: list[list[str]] = []
    ChildrenWatch(watcher, root, lambda children: seen.append(sorted(children)))
    for n in range(10):
        actor.create(f"{root}/{n}")
        until(lambda n=n: seen[-1] == [str(k) for k in range(n + 1)])
    for n in range(10):
        actor.delete(f"{root}/{n}")
    until(lambda: seen[-1] == [])


def test_a_patient_children_watch_waits_for_rest(pair, root):
    watcher, actor = pair
    result = PatientChildrenWatch(watcher, root, time_boundary=0.5).start()
    for n in range(5):
        actor.create(f"{root}/{n}")
    children, _ = result.get(timeout=SECONDS)
    assert sorted(children) == ["0", "1", "2", "3", "4"]


def test_a_tree_cache_equals_the_tree_at_rest(pair, root):
    watcher, actor = pair
    cache = TreeCache(watcher, root)
    ready: queue.Queue = queue.Queue()
    cache.listen(lambda event: ready.put(event.event_type))
    cache.start()
    while ready.get(timeout=SECONDS) != TreeEvent.INITIALIZED:
        pass
    for n in range(20):
        actor.create(f"{root}/{n % 4}/{n}", b"%d" % n, makepath=True)
    actor.delete(f"{root}/3", recursive=True)
    actor.set(f"{root}/0/4", b"changed")
    until(lambda: cache.get_data(f"{root}/0/4", None) and cache.get_data(f"{root}/0/4").data == b"changed")
    until(lambda: cache.get_children(root) == {"0", "1", "2"})
    assert cache.get_data(f"{root}/1/13").data == b"13"
    cache.close()


def test_watches_are_set_again_after_a_move_to_another_server(ensemble, connect, root):
    watcher, actor = connect(), connect(ensemble.servers[0])
    actor.create(root, b"0")
    watcher.sync(root)
    data: list[bytes] = []
    children: list[list[str]] = []
    DataWatch(watcher, root, lambda value, stat: data.append(value))
    ChildrenWatch(watcher, root, lambda names: children.append(sorted(names)))
    session = watcher.client_id
    for n in range(5):
        watcher._connection._socket.shutdown(2)
        actor.set(root, b"while away %d" % n)
        actor.create(f"{root}/{n}")
        until(lambda n=n: data[-1] == b"while away %d" % n)
        until(lambda n=n: str(n) in children[-1])
    assert watcher.client_id == session
