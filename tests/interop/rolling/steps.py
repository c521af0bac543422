"""The steps that an operator takes at one server, as `server/README.md` shows them, and as done here.

Text and deed stand side by side: `document()` is what the chapter must contain, word for word, and
`replace` does nothing else than these steps, in their order.
"""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Sequence

from rig import places
from rig.census import zxid_of
from rig.system import Kind, Server, System

STEP_SECONDS = 120.0
KEPT = "kept"
EMPTY = "empty"

# As dataLogDir, beside `data`, where a run keeps the log apart.
LOG_FOLDER = "txnlog"


@dataclass
class Replacement:
    """One server, and what its steps hand on to each other."""

    system: System
    server: Server
    kind: Kind
    noted: int = 0

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        """Returns once it holds."""
        deadline = time.monotonic() + STEP_SECONDS
        while not holds():
            process = self.server.process
            assert process is None or process.poll() is None, (
                f"server {self.server.id} ended:\n{self.server.tail()}")
            tails = "\n".join(f"-- {s.id} {s.mode()}\n{s.tail(8)}" for s in self.system.servers)
            assert time.monotonic() < deadline, f"waiting in vain: {what}\n{tails}"
            time.sleep(0.05)

    def move_aside(self, name: str) -> None:
        """Renames a folder of dataDir and dataLogDir to `<name>.old`."""
        folders = [self.server.folder / each / name for each in ("data", LOG_FOLDER)]
        found = [folder for folder in folders if folder.exists()]
        assert found, f"server {self.server.id} has no {name}"
        for folder in found:
            folder.rename(_unused(folder.with_name(f"{name}.old")))


@dataclass(frozen=True)
class Step:
    """One line of the document, and the same as a deed."""

    text: str
    act: Callable[[Replacement], None]


def mntr(server: Server, key: str) -> Optional[str]:
    """One line of `mntr`."""
    for line in server.word("mntr").splitlines():
        name, _, value = line.partition("\t")
        if name == key:
            return value
    return None


def level(system: System) -> bool:
    """Whether every server serves, and the leader counts all others as synced."""
    modes = [server.mode() for server in system.servers]
    if sorted(modes) != ["follower"] * (len(modes) - 1) + ["leader"]:
        return False
    leader = system.servers[modes.index("leader")]
    return mntr(leader, "zk_synced_followers") == str(len(modes) - 1)


def _healthy(it: Replacement) -> None:
    it.wait(lambda: level(it.system), "all serve and the leader counts all others as synced")


def _note(it: Replacement) -> None:
    it.noted = zxid_of(it.system.leader())


def _stop(it: Replacement) -> None:
    it.server.end(signal.SIGTERM)


def _start(it: Replacement) -> None:
    it.server.kind = it.kind
    it.server.start()


def _caught_up(it: Replacement) -> None:
    it.wait(lambda: it.server.mode() != "" and zxid_of(it.server) >= it.noted,
            f"server {it.server.id} serves and shows zxid {it.noted:x} or more")


def _move_version_2(it: Replacement) -> None:
    it.move_aside("version-2")


def _move_ringkeeper(it: Replacement) -> None:
    it.move_aside("ringkeeper")


def _export(it: Replacement) -> None:
    run = subprocess.run([str(places.tools()), "export", "zoo.cfg"], cwd=it.server.folder,
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"export of server {it.server.id}:\n{run.stdout}{run.stderr}"


def _unused(path: Path) -> Path:
    number = 1
    found = path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}{number}")
    return found


LEVEL = Step(
    "Every server answers `srvr` with a `Mode:`, and on the leader `mntr` shows "
    "`zk_synced_followers` equal to the number of the other voters. If not, stop here.", _healthy)
NOTE = Step("Note the `Zxid:` that `srvr` shows on the leader.", _note)
CAUGHT_UP = Step(
    "Wait until `srvr` on this server shows a `Mode:` and a `Zxid:` not below the noted one.",
    _caught_up)
AGAIN = Step(
    "Wait until the first step holds again (`srvr` on all, `zk_synced_followers` on whoever leads "
    "by then). Only then go on to the next server.", _healthy)

STOP_JAVA = Step("Stop the Java server (SIGTERM) and wait until its process is gone.", _stop)
START_RINGKEEPER = Step(
    "Start `ringkeeper serve zoo.cfg`: the same file, `myid`, dataDir and ports; JVM flags "
    "`-Dkey=value` as `-D key=value`.", _start)
AWAY_VERSION_2 = Step(
    "`mv version-2 version-2.old` in dataDir and dataLogDir: no server may ever start from it again.",
    _move_version_2)
STOP_RINGKEEPER = Step("Stop Ringkeeper (SIGTERM) and wait until its process is gone.", _stop)
START_JAVA = Step("Start the Java server as it was started before.", _start)
AWAY_RINGKEEPER = Step(
    "`mv ringkeeper ringkeeper.old` in dataDir and dataLogDir: no server may ever start from it "
    "again.", _move_ringkeeper)

EXPORT = Step("`ringkeeper-tools export zoo.cfg` writes `version-2` in dataDir and dataLogDir.", _export)

LISTS: dict[tuple[str, str], Sequence[Step]] = {
    ("ringkeeper", KEPT): [LEVEL, NOTE, STOP_JAVA, START_RINGKEEPER, CAUGHT_UP, AGAIN,
                           AWAY_VERSION_2],
    ("ringkeeper", EMPTY): [LEVEL, NOTE, STOP_JAVA, AWAY_VERSION_2, START_RINGKEEPER, CAUGHT_UP,
                            AGAIN],
    ("java", KEPT): [LEVEL, NOTE, STOP_RINGKEEPER, EXPORT, START_JAVA, CAUGHT_UP, AGAIN,
                     AWAY_RINGKEEPER],
    ("java", EMPTY): [LEVEL, NOTE, STOP_RINGKEEPER, AWAY_RINGKEEPER, START_JAVA, CAUGHT_UP, AGAIN],
    ("java again", KEPT): [LEVEL, NOTE, STOP_JAVA, START_JAVA, CAUGHT_UP, AGAIN],
    ("java again", EMPTY): [LEVEL, NOTE, STOP_JAVA, AWAY_VERSION_2, START_JAVA, CAUGHT_UP, AGAIN],
}


def document(to: str, data: str) -> str:
    """The numbered list of the chapter."""
    return "".join(f"{n}. {step.text}\n" for n, step in enumerate(LISTS[to, data], 1))


def replace(system: System, server: Server, kind: Kind, data: str) -> None:
    """Takes all steps at one server."""
    to = "java again" if server.kind.name == kind.name == "java" else kind.name
    it = Replacement(system, server, kind)
    for step in LISTS[to, data]:
        step.act(it)
