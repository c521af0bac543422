"""The programs as a new user meets them: quickstart, serve's exit codes, the tools."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from kazoo.client import KazooClient

from rig import places
from rig.system import System, free_port, kind_of
from rig.waiting import until
from rig.wire import four_letter


def run(*command: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """A command to its end."""
    return subprocess.run(list(command), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=seconds, check=False)


def ports_in_a_row(count: int) -> int:
    """The first of so many free ports one after another."""
    while True:
        first = free_port()
        if all(free_for(first + n) for n in range(1, count)):
            return first


def free_for(port: int) -> bool:
    """Whether nobody listens there."""
    try:
        four_letter(("127.0.0.1", port), b"ruok")
        return False
    except OSError:
        return True


def test_quickstart_is_a_real_ensemble_until_it_is_interrupted(tmp_path: Path) -> None:
    """Three servers answer, one leads; Ctrl-C ends all and the program says 0."""
    first = ports_in_a_row(3)
    command = [str(places.ringkeeper()), "quickstart", "--port", str(first), "--data", str(tmp_path)]
    with open(tmp_path / "screen", "wb") as screen:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=screen, stderr=screen)
    try:
        deadline = time.monotonic() + 60
        while "now type" not in (tmp_path / "screen").read_text():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        answers = [four_letter(("127.0.0.1", first + n), b"srvr").decode() for n in range(3)]
        modes = sorted(re.findall(r"Mode: (\w+)", "".join(answers)))
        assert modes == ["follower", "follower", "leader"]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    with pytest.raises(OSError):
        four_letter(("127.0.0.1", first), b"ruok")


def test_quickstart_measures(tmp_path: Path) -> None:
    """`--bench` writes, prints writes a second and latencies, and ends."""
    first = ports_in_a_row(3)
    done = run(str(places.ringkeeper()), "quickstart", "--port", str(first), "--data", str(tmp_path),
               "--bench", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"[1-9][0-9,]* writes/s", done.stdout), done.stdout
    assert "p99.9" in done.stdout


def test_a_bad_configuration_is_named_line_by_line_and_exits_2(tmp_path: Path) -> None:
    """All faults at once, each with file and line; ZooKeeper's exit code."""
    config = tmp_path / "zoo.cfg"
    config.write_text("tickTime=none\ndataDir=/x\nreconfigEnabled=yes\n")
    done = run(str(places.ringkeeper()), "serve", str(config))
    assert done.returncode == 2
    assert "zoo.cfg:1" in done.stderr and "zoo.cfg:3" in done.stderr, done.stderr


@pytest.mark.parametrize("key", ["sslQuorum", "quorum.auth.enableSasl"])
def test_what_secures_a_quorum_elsewhere_is_refused_and_not_ignored(tmp_path: Path, key: str) -> None:
    """Before anything is made or opened, with line, key and reason; and nothing is when it is off."""
    config, data = tmp_path / "zoo.cfg", tmp_path / "data"
    servers = "".join(f"server.{n}=127.0.0.1:{free_port()}:{free_port()}\n" for n in (1, 2, 3))
    plain = f"dataDir={data}\nclientPort={free_port()}\n"
    config.write_text(f"{plain}{key}=true\n{servers}")
    done = run(str(places.ringkeeper()), "serve", str(config))
    assert done.returncode == 2
    assert f"zoo.cfg:3: {key}: " in done.stderr and "not supported" in done.stderr, done.stderr
    assert not data.exists()
    config.write_text(f"{plain}{key}=false\n")
    assert run(str(places.ringkeeper()), "serve", "--check", str(config)).returncode == 0


@pytest.mark.parametrize("check", [["--check"], []], ids=["check", "serve"])
def test_what_is_not_acted_on_is_named_line_by_line(tmp_path: Path, check: list[str]) -> None:
    """Before serving, or instead of it; a check makes nothing in dataDir."""
    config, data = tmp_path / "zoo.cfg", tmp_path / "data"
    config.write_text(f"dataDir={data}\nclientPort={free_port()}\nlocalSessionsEnabled=true\n"
                      "autopurge.purgeInterval=1\nticktime=2000\n")
    command = [str(places.ringkeeper()), "serve", *check, str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(3)]
        for number, line in zip((3, 4, 5), said):
            assert f"zoo.cfg:{number}" in line, said
        if not check:
            assert any("serving" in line for line in process.stderr), "it does not serve"
            process.send_signal(signal.SIGTERM)
        process.stderr.read()
        assert process.wait(30) == 0
    assert data.exists() == (not check)


def test_a_server_whose_trace_takes_no_more_lines_serves_and_ends_as_ever(tmp_path: Path) -> None:
    """A full volume under standard output and error costs the lines; nothing else."""
    config, port = tmp_path / "zoo.cfg", free_port()
    config.write_text(f"dataDir={tmp_path / 'data'}\nclientPort={port}\nlocalSessionsEnabled=true\n")
    command = [str(places.ringkeeper()), "serve", str(config)]
    with open("/dev/full", "wb") as full, subprocess.Popen(command, stdout=full, stderr=full) as process:
        try:
            until(lambda: process.poll() is not None or not free_for(port), 30)
            client = KazooClient(hosts=f"127.0.0.1:{port}")
            client.start(20)
            client.create("/kept", b"")
            client.stop(), client.close()
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        config.write_text("tickTime=none\n")
        assert subprocess.run(command, stdout=full, stderr=full, timeout=30, check=False).returncode == 2
        broken = tmp_path / "broken" / "version-2"
        broken.mkdir(parents=True), (broken / "snapshot.0").write_bytes(b"ZKSN")
        config.write_text(f"dataDir={broken.parent}\nclientPort={port}\n")
        assert subprocess.run(command, stdout=full, stderr=full, timeout=30, check=False).returncode == 3


def test_damaged_data_of_zookeeper_is_not_begun_anew_beside(tmp_path: Path) -> None:
    """A dataDir that holds a broken version-2 alone is refused, and nothing is written."""
    (tmp_path / "version-2").mkdir()
    (tmp_path / "version-2" / "snapshot.0").write_bytes(b"ZKSN")
    config = tmp_path / "zoo.cfg"
    config.write_text(f"dataDir={tmp_path}\nclientPort={free_port()}\n")
    done = run(str(places.ringkeeper()), "serve", str(config))
    assert done.returncode == 3 and "snapshot.0" in done.stderr, done.stderr
    assert not (tmp_path / "ringkeeper").exists()


def test_the_tools_read_what_a_server_wrote() -> None:
    """cli one-shot, log dump and verify, against a running server and its folder."""
    with System(kind_of("ringkeeper")) as ours:
        server = ours.servers[0]
        tools = str(places.tools())
        cli = [tools, "cli", "-server", server.connect_string]
        assert run(*cli, "create", "/made", "by-hand").returncode == 0
        got = run(*cli, "get", "/made")
        assert got.returncode == 0 and "by-hand" in got.stdout
        assert run(*cli, "get", "/missing").returncode == 1
        data = str(server.folder / "data")
        dumped = run(tools, "log", "dump", data)
        assert dumped.returncode == 0 and "create /made,by-hand" in dumped.stdout, dumped.stdout
        lines = run(tools, "log", "dump", "--json", data).stdout.splitlines()
        assert any(json.loads(line).get("type") == "create" for line in lines), lines
        assert run(tools, "log", "verify", data).returncode == 0
        assert server.end(signal.SIGTERM) == 0
