"""The Java client, of each version at hand, against an ensemble on each reactor."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rig import places
from rig.system import System

STEPS = ["create", "multi", "watches", "persistent", "removal", "access", "reconnect", "takeover", "expiry",
         "async", "queries"]
VERSIONS = ["3.8.0"] + (["3.9.5"] if places.newest_java() == "3.9.5" else [])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Both reactors; Apache ZooKeeper has one."""
    ours = metafunc.config.getoption("--subject") == "ringkeeper"
    metafunc.parametrize("io", ["uring", "poll"] if ours else ["java"], indirect=True, scope="session")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_java_client_goes_its_way(ensemble: System, tmp_path: Path, version: str) -> None:
    source = Path(__file__).with_name("Road.java")
    classes = places.class_path(version)
    subprocess.run(["javac", "-nowarn", "-cp", classes, "-d", str(tmp_path), str(source)], check=True)
    run = subprocess.run(
        ["java", "-cp", f"{tmp_path}:{classes}", "-Dlog4j2.level=ERROR", "Road", ensemble.connect_string,
         version.replace(".", "-")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False)
    held = [line.split()[1] for line in run.stdout.splitlines() if line.startswith("ok ")]
    assert held == STEPS, run.stdout + run.stderr[-3000:]
    assert run.returncode == 0
