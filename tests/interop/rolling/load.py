"""The kazoo clients, spread over several processes: one is too slow for thirty of them."""

from __future__ import annotations

import logging
import multiprocessing
import time
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import SynchronizedArray
from typing import Optional, Sequence

from .client import Client
from .records import Record

SPAWN = multiprocessing.get_context("spawn")
ANSWER_SECONDS = 150.0
PROGRESS_SECONDS = 90.0


class Load:
    """All clients. Whoever begins it ends it."""

    def __init__(self, clients: int, processes: int, hosts: str, breath: float) -> None:
        self.clients = clients
        self.acked: SynchronizedArray = SPAWN.Array("q", clients)
        self._workers: list[tuple[multiprocessing.process.BaseProcess, Connection]] = []
        for turn in range(processes):
            ours, theirs = SPAWN.Pipe()
            numbers = range(turn, clients, processes)
            process = SPAWN.Process(
                target=work, args=(list(numbers), clients, hosts, breath, self.acked, theirs),
                daemon=True)
            self._workers.append((process, ours))

    def begin(self) -> None:
        """Returns once every client has a session."""
        for process, _ in self._workers:
            process.start()
        self._hear()

    def pause(self) -> None:
        """Returns once no client has anything outstanding."""
        self._tell("pause")

    def resume(self) -> None:
        """Lets them go on."""
        self._tell("resume")

    def last_check(self) -> None:
        """What each client can see at rest goes into its record."""
        self._tell("check")

    def records(self) -> list[Record]:
        """What all clients have put down so far."""
        found = [record for answer in self._tell("records") for record in answer]
        return sorted(found, key=lambda record: record.number)

    def end(self) -> None:
        """Closes all sessions; also where a process no longer answers."""
        for process, pipe in self._workers:
            if process.is_alive():
                try:
                    pipe.send("end")
                except OSError:
                    pass
        for process, _ in self._workers:
            if process.pid is not None:
                process.join(60)
                if process.is_alive():
                    process.kill()

    def wait_progress(self, writes: int) -> None:
        """Returns once every client has had that many more writes acknowledged."""
        begun, deadline = list(self.acked), time.monotonic() + PROGRESS_SECONDS
        while behind := [n for n in range(self.clients) if self.acked[n] < begun[n] + writes]:
            assert time.monotonic() < deadline, f"no progress: clients {behind}"
            time.sleep(0.05)

    def _tell(self, order: str) -> list[list[Record]]:
        for _, pipe in self._workers:
            pipe.send(order)
        return self._hear()

    def _hear(self) -> list[list[Record]]:
        answers = []
        for process, pipe in self._workers:
            assert pipe.poll(ANSWER_SECONDS), f"clients of process {process.pid} do not answer"
            answers.append(pipe.recv())
        return answers


def work(numbers: Sequence[int], of: int, hosts: str, breath: float, acked: SynchronizedArray,
         pipe: Connection) -> None:
    """One process: runs its clients and does as it is told."""
    logging.getLogger("kazoo").setLevel(logging.ERROR)
    clients = [Client(number, of, max(of // 3, 1), hosts, breath) for number in numbers]
    for client in clients:
        client.begin()
    pipe.send([])
    while (order := _order(pipe, clients, acked)) != "end":
        if order == "pause":
            for client in clients:
                client.pause()
            while not all(client.at_rest() for client in clients):
                time.sleep(0.02)
        if order == "resume":
            for client in clients:
                client.paused.clear()
        if order == "check":
            for client in clients:
                client.last_check()
        pipe.send([client.record for client in clients] if order == "records" else [])
    for client in clients:
        client.end()


def _order(pipe: Connection, clients: Sequence[Client], acked: SynchronizedArray) -> Optional[str]:
    """The next order; until it comes, what was acknowledged is told."""
    while not pipe.poll(0.1):
        for client in clients:
            acked[client.record.number] = len(client.record.acks)
    return pipe.recv()
