"""Kazoo's recipes, with contenders on different servers."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from kazoo.exceptions import LockTimeout

SECONDS = 20


@pytest.fixture
def three(ensemble, connect):
    """A client on each server."""
    return [connect(server) for server in ensemble.servers]


def together(jobs) -> None:
    """Runs the jobs at once; the first error of any is raised."""
    errors: list[BaseException] = []

    def guarded(job):
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive(), "a contender hangs"
    if errors:
        raise errors[0]


def test_a_lock_is_held_by_one_at_a_time(three, root):
    inside, most, rounds = [0], [0], [0]

    def contend(client, name):
        for _ in range(8):
            with client.Lock(f"{root}/lock", name):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                rounds[0] += 1
                time.sleep(0.002)
                inside[0] -= 1

    together([lambda c=c, n=n: contend(c, f"c{n}") for n, c in enumerate(three * 2)])
    assert most == [1] and rounds == [48]


def test_contenders_stand_in_line_in_the_order_they_came(three, root):
    first = three[0].Lock(f"{root}/lock", "first")
    first.acquire()
    waiting = three[1].Lock(f"{root}/lock", "second")
    with pytest.raises(LockTimeout):
        waiting.acquire(timeout=0.3)
    assert first.contenders() == ["first"]
    first.release()
    assert waiting.acquire(timeout=5)
    waiting.release()


def test_a_lock_is_free_when_its_holders_session_ends(connect, three, root):
    holder = connect()
    holder.Lock(f"{root}/lock", "holder").acquire()
    holder.stop()
    assert three[2].Lock(f"{root}/lock", "next").acquire(timeout=5)


def test_readers_share_and_a_writer_does_not(three, root):
    path = f"{root}/rw"
    one, two = three[0].ReadLock(path, "r1"), three[1].ReadLock(path, "r2")
    writer = three[2].WriteLock(path, "w")
    assert one.acquire(timeout=5) and two.acquire(timeout=5)
    assert not writer.acquire(blocking=False)
    one.release(), two.release()
    assert writer.acquire(timeout=5)
    assert not three[0].ReadLock(path, "r3").acquire(blocking=False)
    writer.release()


def test_a_semaphore_lets_in_as_many_as_it_says(three, root):
    inside, most = [0], [0]
    guard = threading.Lock()

    def enter(client, name):
        for _ in range(5):
            with client.Semaphore(f"{root}/sem", name, max_leases=2):
                with guard:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                time.sleep(0.005)
                with guard:
                    inside[0] -= 1

    together([lambda c=c, n=n: enter(c, f"c{n}") for n, c in enumerate(three)])
    assert most[0] <= 2
    held = [client.Semaphore(f"{root}/sem", "held", max_leases=2) for client in three]
    assert held[0].acquire(timeout=5) and held[1].acquire(timeout=5)
    assert not held[2].acquire(blocking=False)


def test_an_election_has_one_leader_after_another(three, root):
    reigns: list[str] = []
    ruling = [0]

    def reign(name):
        ruling[0] += 1
        assert ruling[0] == 1
        reigns.append(name)
        time.sleep(0.02)
        ruling[0] -= 1

    together([lambda c=c, n=n: c.Election(f"{root}/election", str(n)).run(reign, str(n))
              for n, c in enumerate(three)])
    assert sorted(reigns) == ["0", "1", "2"]


def test_a_party_knows_its_members(three, root):
    parties = [client.Party(f"{root}/party", f"p{n}") for n, client in enumerate(three)]
    for party in parties:
        party.join()
    for client in three:
        client.sync(root)
    assert sorted(parties[2]) == ["p0", "p1", "p2"]
    parties[0].leave()
    three[1].sync(root)
    assert sorted(parties[1]) == ["p1", "p2"]
    shallow = three[0].ShallowParty(f"{root}/shallow", "s")
    shallow.join()
    assert list(shallow) == ["s"]


def test_a_barrier_holds_until_it_is_removed(three, root):
    barrier = three[0].Barrier(f"{root}/barrier")
    barrier.create()
    three[1].sync(root)
    assert not three[1].Barrier(f"{root}/barrier").wait(0.2)
    timer = threading.Timer(0.2, barrier.remove)
    timer.start()
    assert three[1].Barrier(f"{root}/barrier").wait(5)
    timer.join()


def test_a_double_barrier_opens_when_all_have_come_and_all_have_gone(three, root):
    came, gone = [], []

    def pass_through(client, n):
        barrier = client.DoubleBarrier(f"{root}/double", 3, f"d{n}")
        time.sleep(n * 0.1)
        barrier.enter()
        came.append((n, time.monotonic()))
        time.sleep(n * 0.1)
        gone.append((n, time.monotonic()))
        barrier.leave()

    together([lambda c=c, n=n: pass_through(c, n) for n, c in enumerate(three)])
    assert len(came) == len(gone) == 3


def test_a_counter_loses_no_increment(three, root):
    def count(client):
        counter = client.Counter(f"{root}/counter", default=0)
        for _ in range(25):
            counter += 1

    together([lambda c=c: count(c) for c in three])
    three[0].sync(root)
    assert three[0].Counter(f"{root}/counter").value == 75


def test_a_queue_gives_each_entry_once_and_in_order(three, root):
    for n in range(30):
        three[n % 3].Queue(f"{root}/queue").put(b"%02d" % n)
    taken: list[bytes] = []

    def take(client):
        mine = client.Queue(f"{root}/queue")
        while (entry := mine.get()) is not None:
            taken.append(entry)

    for client in three:
        client.sync(root)
    together([lambda c=c: take(c) for c in three])
    assert sorted(taken) == [b"%02d" % n for n in range(30)]


def test_a_locking_queue_gives_back_what_was_not_consumed(connect, three, root):
    filled = three[0].LockingQueue(f"{root}/lq")
    filled.put_all([b"a", b"b", b"c"])
    filled.put(b"urgent", priority=1)
    holder = connect()
    holder.sync(root)
    held = holder.LockingQueue(f"{root}/lq")
    assert held.get(5) == b"urgent"
    holder.stop()
    rest = three[1].LockingQueue(f"{root}/lq")
    three[1].sync(root)
    got = []
    for _ in range(4):
        got.append(rest.get(5))
        assert rest.consume()
    assert got == [b"urgent", b"a", b"b", b"c"]


def test_a_lease_is_one_holders_until_it_runs_out(three, root):
    three[0].ensure_path(root), three[1].sync(root)
    assert three[0].NonBlockingLease(f"{root}/lease", timedelta(seconds=30), identifier="a")
    assert not three[1].NonBlockingLease(f"{root}/lease", timedelta(seconds=30), identifier="b")


def test_a_set_partitioner_gives_every_item_to_one(three, root):
    partitioners = [client.SetPartitioner(f"{root}/sp", ("x", "y", "z"), time_boundary=0.3,
                                          identifier=f"i{n}") for n, client in enumerate(three)]
    deadline = time.monotonic() + SECONDS
    while not all(p.acquired for p in partitioners):
        assert time.monotonic() < deadline
        for p in partitioners:
            if p.release:
                p.release_set()
        time.sleep(0.05)
    assert sorted(item for p in partitioners for item in p) == ["x", "y", "z"]
    together([p.finish for p in partitioners])
