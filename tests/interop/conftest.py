"""What the pytest suites share: which kind of server is tested, and running ones to test it on."""

from __future__ import annotations

from typing import Callable, Iterator

import pytest

from rig import matrix
from rig.system import Kind, System, kind_of

Cells = Callable[[str, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--subject java` runs a suite against Apache ZooKeeper itself; `--java` is for those suites
    whose ensembles have both kinds."""
    parser.addoption("--subject", default="ringkeeper", help="ringkeeper, java, java-3.8.0, java-3.9.5")
    parser.addoption("--java", default="3.8.0", help="version of the Java servers of a mixed ensemble")
    parser.addoption("--exhaustive", action="store_true", help="every order and mix, not a few of each")


def pytest_configure(config: pytest.Config) -> None:
    """Names the mark of tests that hold here and not of Apache ZooKeeper."""
    config.addinivalue_line("markers", "java_breaks: Apache ZooKeeper answers otherwise, hangs or dies")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--subject java` what does not hold of it is not asked of it."""
    if config.getoption("--subject").startswith("java"):
        for item in items:
            if item.get_closest_marker("java_breaks"):
                item.add_marker(pytest.mark.skip(reason="a defect of Apache ZooKeeper"))


@pytest.fixture(scope="session")
def kind(request: pytest.FixtureRequest) -> Kind:
    """The kind of server under test."""
    return kind_of(request.config.getoption("--subject"))


@pytest.fixture(scope="session")
def java_version(request: pytest.FixtureRequest) -> str:
    """The version of the Java servers in a mixed ensemble."""
    version: str = request.config.getoption("--java")
    return version


@pytest.fixture
def cell(request: pytest.FixtureRequest, java_version: str) -> Iterator[Cells]:
    """`cell(role, scenario)`: this test's outcome counts for Ringkeeper in that role (`rig.matrix`)."""
    named: list[tuple[str, str]] = []
    failures = request.session.testsfailed
    yield lambda role, scenario: named.append((role, scenario))
    passed = request.session.testsfailed == failures
    for role, scenario in named:
        matrix.record(java_version, role, scenario, passed, request.node.nodeid)


# The ways to reach the kernel, by the names that tests go by.
REACTORS = {
    "uring": {"ringkeeper.io": "uring"},
    "poll": {"ringkeeper.io": "poll"},
    "net": {"ringkeeper.io": "uring", "ringkeeper.netThreads": "2"},
}


@pytest.fixture(scope="session")
def io(request: pytest.FixtureRequest, kind: Kind) -> dict[str, str]:
    """Properties of the server under test; suites that run several reactors parametrize this."""
    name = getattr(request, "param", "")
    return REACTORS[name] if name and kind.name == "ringkeeper" else {}


@pytest.fixture(scope="session")
def ensemble(request: pytest.FixtureRequest, kind: Kind, io: dict[str, str]) -> Iterator[System]:
    """Three servers for a whole suite; their logs and data are kept if a test failed."""
    failures = request.session.testsfailed
    system = System(kind, 3, properties=io).start()
    yield system
    system.stop(keep=request.session.testsfailed > failures)
