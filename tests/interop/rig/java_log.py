"""What a Java server's log says: complaints, made comparable between runs, and elections.

A complaint is a WARN or ERROR line or the head of a stack trace. Numbers, addresses, paths and names
of threads are taken out, so that two runs in which the same went wrong complain alike.
"""

from __future__ import annotations

import re
from typing import Iterable

from .system import Server

LEVEL = re.compile(r"\b(WARN|ERROR|FATAL)\b\s+(.*)")
TRACE = re.compile(r"^(?:Caused by: )?((?:[a-z]\w*\.)+[A-Z]\w*(?:Exception|Error|Throwable)\b.*)")
LOGGER = re.compile(r"^org\.apache\.zookeeper\.(?:\w+\.)*(\w+) - ")
ELECTION = re.compile(r"New election\. My id")
TOOK = re.compile(r"(LEADING|FOLLOWING|OBSERVING) - LEADER ELECTION TOOK - (\d+) MS")

PLAIN = [
    (re.compile(r"org\.apache\.ZooKeeperService:\S+"), "<bean>"),
    (re.compile(r"(?:localhost|[\w.-]*)/[0-9a-f.:\[\]]+:\d+|\b\d+(?:\.\d+){3}(?::\d+)?"), "<address>"),
    (re.compile(r"\[[^\[\]]*,[^\[\]]*\]"), "<list>"),
    (re.compile(r"(?<=\s)/[\w./-]+"), "<path>"),
    (re.compile(r"0x[0-9a-f]+|\b(?=[0-9a-f]*\d)[0-9a-f]+\b|-?\b\d+\b"), "<n>"),
    (re.compile(r"<n>(?:[ ,:=-]*<n>)+"), "<n>"),
]


def plain(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, word in PLAIN:
        text = pattern.sub(word, text)
    return text.strip()


def complaints(text: str) -> set[str]:
    """Every complaint of a log, without its logger's name: 3.9.5 does not write it."""
    found = set()
    for line in text.splitlines():
        if match := TRACE.match(line):
            found.add(plain(match[1]))
        elif match := LEVEL.search(line):
            found.add(f"{match[1]} {plain(LOGGER.sub('', match[2]))}")
    return found


def complaints_of(servers: Iterable[Server]) -> dict[str, set[int]]:
    """The complaints of the Java servers among these, and who makes them."""
    found: dict[str, set[int]] = {}
    for server in servers:
        if server.kind.name == "java" and server.log.exists():
            for complaint in complaints(server.log.read_text(errors="replace")):
                found.setdefault(complaint, set()).add(server.id)
    return found


def elections(server: Server) -> int:
    """How many elections a Java server has begun."""
    return len(ELECTION.findall(server.log.read_text(errors="replace")))


def elections_took(server: Server) -> list[int]:
    """Milliseconds each of a Java server's elections took by its own account."""
    return [int(ms) for _, ms in TOOK.findall(server.log.read_text(errors="replace"))]
