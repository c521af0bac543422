"""What the pytest suites share: which kind of server is tested, and running ones to test it on."""

from __future__ import annotations

from typing import Iterator

import pytest

from rig.system import Kind, System, kind_of


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--subject java` runs a suite against Apache ZooKeeper itself."""
    parser.addoption("--subject", default="ringkeeper", help="ringkeeper, java, java-3.8.0, java-3.9.5")


@pytest.fixture(scope="session")
def kind(request: pytest.FixtureRequest) -> Kind:
    """The kind of server under test."""
    return kind_of(request.config.getoption("--subject"))


@pytest.fixture(scope="session")
def io(request: pytest.FixtureRequest, kind: Kind) -> dict[str, str]:
    """Properties of the server under test; suites that run both reactors parametrize this."""
    backend = getattr(request, "param", "")
    return {"ringkeeper.io": backend} if backend and kind.name == "ringkeeper" else {}


@pytest.fixture(scope="session")
def ensemble(request: pytest.FixtureRequest, kind: Kind, io: dict[str, str]) -> Iterator[System]:
    """Three servers for a whole suite; their logs and data are kept if a test failed."""
    failures = request.session.testsfailed
    system = System(kind, 3, properties=io).start()
    yield system
    system.stop(keep=request.session.testsfailed > failures)
