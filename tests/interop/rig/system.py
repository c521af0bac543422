"""Servers of either kind as processes: one, or an ensemble; each in a folder of its own.

The same zoo.cfg starts both kinds. Ports are found free below the kernel's ephemeral range, so that
no outgoing connection takes one between the search and the bind. Every process is ended by its own
handle; a folder goes when all went well and stays, with logs, when something failed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Collection, Iterator, Optional, Sequence

from . import places
from .wire import Address, Silence, four_letter

HOST = "127.0.0.1"
FIRST_PORT, LAST_PORT = 20000, 32000
START_SECONDS = 30.0

_ports = random.Random(os.getpid()).sample(range(FIRST_PORT, LAST_PORT), LAST_PORT - FIRST_PORT)


def free_port() -> int:
    """A port that nobody listens on; no port is given twice in one run."""
    while _ports:
        port = _ports.pop()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port")


@dataclass(frozen=True)
class Kind:
    """Which program serves: `ringkeeper`, or `java` with a version."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()

    def command(self, config: Path, properties: dict[str, str]) -> list[str]:
        """The command line that serves in the foreground."""
        defines = [f"{key}={value}" for key, value in properties.items()]
        if self.name == "ringkeeper":
            options = [word for define in defines for word in ("-D", define)]
            return [str(places.ringkeeper()), "serve", *options, str(config)]
        flags = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=INFO",
                 "-Dorg.slf4j.simpleLogger.showDateTime=true",
                 "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
                 "-Dzookeeper.admin.enableServer=false", "-XX:-UsePerfData"]
        return ["java", *flags, *(f"-D{define}" for define in defines),
                "-cp", ":".join([places.class_path(self.version), *places.logging_jars(self.version)]),
                "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(config)]


RINGKEEPER = Kind("ringkeeper")


def java(version: Optional[str] = None) -> Kind:
    """Apache ZooKeeper, by default the newest at hand."""
    return Kind("java", version or places.newest_java())


def kind_of(text: str) -> Kind:
    """`ringkeeper`, `java`, `java-3.8.0`, `java-3.9.5`."""
    name, _, version = text.partition("-")
    return RINGKEEPER if name == "ringkeeper" else java(version or None)


@dataclass
class Server:
    """One server: its folder, its ports, and its process while it runs."""

    kind: Kind
    id: int
    folder: Path
    client: Address = field(default_factory=lambda: (HOST, free_port()))
    quorum: Address = field(default_factory=lambda: (HOST, free_port()))
    election: Address = field(default_factory=lambda: (HOST, free_port()))
    properties: dict[str, str] = field(default_factory=dict)
    process: Optional[subprocess.Popen[bytes]] = None

    @property
    def log(self) -> Path:
        """What the process wrote to its standard streams."""
        return self.folder / "out.txt"

    @property
    def connect_string(self) -> str:
        """`host:port` for clients."""
        return f"{self.client[0]}:{self.client[1]}"

    def start(self) -> None:
        """Starts the process, without waiting until it serves."""
        assert self.process is None, f"server {self.id} runs already"
        command = self.kind.command(self.folder / "zoo.cfg", self.properties)
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                cwd=self.folder)

    def end(self, how: signal.Signals = signal.SIGKILL) -> int:
        """Sends the signal and waits for the end; the exit code."""
        assert self.process is not None, f"server {self.id} does not run"
        self.process.send_signal(how)
        code = self.process.wait(30)
        self.process = None
        return code

    def word(self, word: str) -> str:
        """What it answers to a four-letter word; empty if it does not."""
        try:
            return four_letter(self.client, word.encode()).decode()
        except (OSError, Silence):
            return ""

    def mode(self) -> str:
        """leader, follower, observer, standalone, or empty while it does not serve."""
        lines = self.word("srvr").splitlines()
        modes = [line.partition(": ")[2] for line in lines if line.startswith("Mode: ")]
        return modes[0] if modes else ""

    def wait_serving(self, seconds: float = START_SECONDS) -> None:
        """Returns once it serves clients; raises if its process ends or the time is up."""
        deadline = time.monotonic() + seconds
        while not self.mode():
            if self.process is None or self.process.poll() is not None:
                raise RuntimeError(f"server {self.id} ended:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"server {self.id} does not serve:\n{self.tail()}")
            time.sleep(0.03)

    def tail(self, lines: int = 30) -> str:
        """The end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


class System:
    """A standalone server, or an ensemble, in a folder that goes with it.

    Servers have the ids 1, 2, ... in the order of `kinds`; those in `observers` do not vote.
    """

    def __init__(self, kind: Kind, servers: int = 1, config: Optional[dict[str, str]] = None,
                 properties: Optional[dict[str, str]] = None,
                 kinds: Optional[Sequence[Kind]] = None, observers: Collection[int] = ()) -> None:
        kinds = kinds or [kind] * servers
        self.kind = kind
        self.observers = frozenset(observers)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{kind.name}-"))
        self.servers = [Server(each, n, self.folder / str(n), properties=dict(properties or {}))
                        for n, each in enumerate(kinds, 1)]
        for server in self.servers:
            self._configure(server, config or {})

    @classmethod
    def mixed(cls, mix: str, version: Optional[str] = None, **options: object) -> "System":
        """An ensemble by letters: `JRR` is a Java server 1 and Ringkeepers 2 and 3. A small letter
        is an observer. `version` is the Java servers'."""
        kinds = [RINGKEEPER if letter in "Rr" else java(version) for letter in mix]
        observers = [n for n, letter in enumerate(mix, 1) if letter.islower()]
        return cls(kinds[0], kinds=kinds, observers=observers, **options)  # type: ignore[arg-type]

    def __getitem__(self, id: int) -> Server:
        """The server with this id."""
        return self.servers[id - 1]

    def _configure(self, server: Server, extras: dict[str, str]) -> None:
        data = server.folder / "data"
        data.mkdir(parents=True)
        keys = {"dataDir": str(data), "clientPort": str(server.client[1]),
                "clientPortAddress": HOST, "tickTime": "2000", "initLimit": "10", "syncLimit": "5",
                "maxClientCnxns": "0", "admin.enableServer": "false",
                "4lw.commands.whitelist": "*", **extras}
        if len(self.servers) > 1:
            (data / "myid").write_text(f"{server.id}\n")
            if server.id in self.observers:
                keys["peerType"] = "observer"
            for peer in self.servers:
                role = ":observer" if peer.id in self.observers else ""
                keys[f"server.{peer.id}"] = f"{HOST}:{peer.quorum[1]}:{peer.election[1]}{role}"
        text = "".join(f"{key}={value}\n" for key, value in keys.items())
        (server.folder / "zoo.cfg").write_text(text)

    def start(self) -> "System":
        """Starts all servers and returns once all of them serve."""
        try:
            for server in self.servers:
                server.start()
            for server in self.servers:
                server.wait_serving()
        except BaseException:
            self.stop(keep=True)
            raise
        return self

    def stop(self, keep: bool = False) -> None:
        """Ends what runs. With `keep` the folder stays; its place, and what each server did last, are
        printed."""
        if keep:
            self._show_what_they_do()
        for server in self.running():
            server.end()
        if keep:
            print(f"logs and data of {self.kind}: {self.folder}", flush=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _show_what_they_do(self) -> None:
        """The end of every log; a Java server that runs writes there first what its threads do."""
        silent = [server for server in self.running() if server.kind.name == "java"]
        for server in silent:
            assert server.process is not None
            server.process.send_signal(signal.SIGQUIT)
        time.sleep(1 if silent else 0)
        for server in self.servers:
            lines = 400 if server in silent else 30
            print(f"server {server.id}, {server.kind}:\n{server.tail(lines)}", flush=True)

    def running(self) -> Iterator[Server]:
        """The servers whose process has not been ended here."""
        return (server for server in self.servers if server.process is not None)

    def leader(self, seconds: float = START_SECONDS) -> Server:
        """The server that leads, waiting for one to be elected."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for server in self.running():
                if server.mode() in ("leader", "standalone"):
                    return server
            time.sleep(0.05)
        raise RuntimeError("no leader:\n" + "\n".join(s.tail() for s in self.servers))

    def followers(self) -> list[Server]:
        """The running servers that follow."""
        return [server for server in self.running() if server.mode() == "follower"]

    @property
    def connect_string(self) -> str:
        """All servers, for clients that pick one."""
        return ",".join(server.connect_string for server in self.servers)

    def __enter__(self) -> "System":
        return self.start()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.stop(keep=kind is not None)
