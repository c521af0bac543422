"""zkCli.sh of the Debian package, one command a run: the same output, errors and exit code.

The commands run in order against a fresh server of each kind, side by side, and are compared one by
one. Masked are the port, times, session ids, and what the logging library says of itself.
"""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from rig.system import Kind, System, java

ZKCLI = "/usr/share/zookeeper/bin/zkCli.sh"

# What the logging library says of itself, and the greeting, which a command that needs no server may
# or may not outrun.
NOISE = re.compile(r"SLF4J|^$|^WATCHER::$|state:SyncConnected type:None")

# The greeting whole, which its own thread may print in the midst of another line.
GREETING = re.compile(r"\nWATCHER::\n(?=\nWatchedEvent state:SyncConnected type:None)"
                      r"|\nWatchedEvent state:SyncConnected type:None[^\n]*\n")

COMMANDS = [
    "ls /", "create /a data", "create /a again", "create -s /a/s- one", "create -s /a/s- two", "ls /a",
    "ls -s /a", "ls -R /", "get /a", "get -s /a", "get /nope", "stat /a", "stat /nope", "set /a more",
    "set -v 0 /a wrong-version", "set -s /a again", "set /nope x", "create /no/parent x", "create -e /e eph",
    "delete /e", "ls /", "create -c /box", "create -t 1000 /ttl x", "getAcl /a", "getAcl -s /a",
    "getAcl /nope",
    "create /acl x digest:u:h:cdrwa,world:anyone:ra", "getAcl /acl", "set /acl refused", "delete /acl",
    "setAcl /a world:anyone:cdra", "set /a refused", "setAcl -v 9 /a world:anyone:cdrwa", "setAcl /a bad",
    "addauth digest u:p", "whoami", "delete /a", "delete -v 7 /a/s-0000000000", "delete /a/s-0000000000",
    "getAllChildrenNumber /", "getEphemerals", "getEphemerals /a", "create /q x", "setquota -n 3 /q",
    "listquota /q", "create /q/1", "create /q/2", "create /q/3", "listquota /q", "delquota /q",
    "listquota /q",
    "sync /", "sync /nope", "deleteall /a", "ls /", "deleteall /nope", "delete /zookeeper", "delete /",
    "create relative x", "ls relative", "config", "config -s", "reconfig -remove 1", "bogus", "create",
    "version",
    "get -w /q", "removewatches /q", "addWatch /q", "addWatch -m PERSISTENT /q", "history", "printwatches on",
]


@dataclass(frozen=True)
class Outcome:
    """What one run left, masked."""

    out: str
    err: str
    code: int


def masked(text: str, port: int) -> str:
    """The text without what differs from run to run."""
    lines = GREETING.sub("", text.replace(f":{port}", ":PORT")).splitlines()
    text = "\n".join(line for line in lines if not NOISE.search(line))
    text = re.sub(r"\w{3} \w{3} \d\d \d\d:\d\d:\d\d UTC \d{4}", "TIME", text)
    return re.sub(r"0x[0-9a-f]{9,}", "LONG", text)


def outcomes(kind: Kind) -> list[Outcome]:
    """All commands against one fresh server."""
    found = []
    with System(kind) as system:
        server = system.servers[0]
        for command in COMMANDS:
            run = subprocess.run([ZKCLI, "-server", server.connect_string, *command.split()],
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                                 check=False)
            port = server.client[1]
            found.append(Outcome(masked(run.stdout, port), masked(run.stderr, port), run.returncode))
    return found


@pytest.fixture(scope="module")
def both(kind: Kind) -> tuple[list[Outcome], list[Outcome]]:
    """Every command against Apache ZooKeeper and against the subject."""
    with ThreadPoolExecutor(2) as pool:
        expected, got = pool.map(outcomes, (java(), kind))
    return expected, got


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=[f"{n}:{c}" for n, c in enumerate(COMMANDS)])
def test_a_command_ends_as_against_apache_zookeeper(both, number):
    expected, got = both
    assert got[number] == expected[number]
