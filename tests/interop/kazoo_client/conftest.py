"""Kazoo clients for the tests: made on demand, stopped at the end of each test."""

from __future__ import annotations

import itertools
from typing import Callable, Iterator, Optional

import pytest
from kazoo.client import KazooClient
from kazoo.retry import KazooRetry

from rig.system import Server, System

Connect = Callable[..., KazooClient]
REACTORS = ["uring", "poll", "net"]

_numbers = itertools.count(1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Both reactors serve real clients, and so do net threads; Apache ZooKeeper has one way."""
    if "io" in metafunc.fixturenames:
        ours = metafunc.config.getoption("--subject") == "ringkeeper"
        metafunc.parametrize("io", REACTORS if ours else ["java"], indirect=True, scope="session")


@pytest.fixture
def connect(ensemble: System) -> Iterator[Connect]:
    """A function that connects a client: to one server, or to whichever takes it."""
    clients: list[KazooClient] = []

    def make(server: Optional[Server] = None, **options: object) -> KazooClient:
        hosts = server.connect_string if server else ensemble.connect_string
        retry = KazooRetry(max_tries=-1, delay=0.05, max_delay=0.5)
        options = {"timeout": 10.0, "connection_retry": retry, **options}
        client = KazooClient(hosts=hosts, **options)
        client.start(timeout=20)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.stop()
        client.close()


@pytest.fixture
def root(ensemble: System) -> str:
    """A path that no other test uses."""
    return f"/test-{next(_numbers)}"
