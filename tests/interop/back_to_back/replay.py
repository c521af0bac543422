"""Replays a scene against one server and records what comes back, step by step.

After each step every other open connection is pinged, so that the events the step caused are
recorded with it and not with some later one. A reply that does not come is recorded as silence.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Optional

from rig.ops import Op
from rig.wire import (Address, Connection, Session, Silence, connect_request, connect_response,
                      password_of)

from . import words
from .stream import Bytes, Close, Open, Pause, Pipeline, Raw, Scene, Send, Step, Word
from .tokens import Token, connected, reply

PING = (-2).to_bytes(4, "big", signed=True)
EVENT = (-1).to_bytes(4, "big", signed=True)
REPLY_SECONDS = 5.0
SETTLE_SECONDS = 0.1


@dataclass
class Record:
    """What one step brought: a list of replies, each with the name of its connection."""

    label: str
    step: Step
    got: list[tuple[str, list[Token]]] = field(default_factory=list)


def raw(name: str, value: bytes) -> list[Token]:
    """A single token, compared as it is."""
    return [Token("raw", value, name)]


class Replay:
    """One run of one scene."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.connections: dict[str, Connection] = {}
        self.sessions: dict[str, Session] = {}

    def run(self, scene: Scene) -> list[Record]:
        """All steps in order."""
        try:
            return [self._step(label, step) for label, step in scene.steps]
        finally:
            for connection in self.connections.values():
                connection.close()

    def _step(self, label: str, step: Step) -> Record:
        record = Record(label, step)
        actor: Optional[str] = None
        if isinstance(step, Open):
            self._open(step, record)
            actor = step.name
        elif isinstance(step, Send):
            self._send(step, record)
            actor = step.name
        elif isinstance(step, Pipeline):
            self._pipeline(step, record)
            actor = step.name
        elif isinstance(step, Bytes):
            if step.name in self.connections:
                self.connections[step.name].send_raw(step.data)
            self._expect_end(step.name, record)
            actor = step.name
        elif isinstance(step, Raw):
            self._raw(step, record)
        elif isinstance(step, Word):
            self._word(step, record)
        elif isinstance(step, Close):
            self.connections.pop(step.name).close()
            time.sleep(SETTLE_SECONDS)
        elif isinstance(step, Pause):
            time.sleep(step.seconds)
        self._collect(actor, record)
        return record

    def _open(self, step: Open, record: Record) -> None:
        claimed = self.sessions[step.session] if step.session else Session(0, bytes(16), 0, None)
        password = step.password if step.password is not None else claimed.password
        old = self.connections.pop(step.name, None)
        if old:
            old.close()
        connection = Connection(self.address)
        connection.send_frame(connect_request(
            step.timeout_ms, claimed.id, None if step.null_password else password, step.last_zxid,
            step.read_only, step.version))
        frame = self._frame(connection)
        if frame is None or isinstance(frame, Silence):
            record.got.append((step.name, raw("end", str(frame or "closed").encode())))
            connection.close()
            return
        record.got.append((step.name, connected(frame)))
        session = connect_response(frame)
        if session.id and session.password != password_of(session.id):
            record.got.append((step.name, raw("password", b"not derived as Java does")))
        if step.session:
            time.sleep(SETTLE_SECONDS)
        self.sessions[step.name] = session
        self.connections[step.name] = connection

    def _send(self, step: Send, record: Record) -> None:
        connection = self.connections.get(step.name)
        if connection is None:
            record.got.append((step.name, raw("end", b"was closed before")))
            return
        connection.send(step.xid, step.op, step.body)
        wanted = PING if step.op == Op.PING else step.xid.to_bytes(4, "big", signed=True)
        self._read_until(step.name, {wanted: step.op}, 1, record)
        if step.ends:
            self._expect_end(step.name, record)

    def _pipeline(self, step: Pipeline, record: Record) -> None:
        connection = self.connections.get(step.name)
        if connection is None:
            record.got.append((step.name, raw("end", b"was closed before")))
            return
        frames = b""
        for xid, op, body in step.requests:
            head = xid.to_bytes(4, "big", signed=True) + op.to_bytes(4, "big", signed=True)
            frames += (len(head + body)).to_bytes(4, "big") + head + body
        connection.send_raw(frames)
        wanted = {xid.to_bytes(4, "big", signed=True): op for xid, op, _ in step.requests}
        self._read_until(step.name, wanted, len(step.requests), record)

    def _read_until(self, name: str, wanted: dict[bytes, int], count: int, record: Record) -> None:
        """Reads until that many of the wanted replies have come, keeping events on the way."""
        connection = self.connections[name]
        while count:
            frame = self._frame(connection)
            if frame is None or isinstance(frame, Silence):
                record.got.append((name, raw("end", str(frame or "closed").encode())))
                self.connections.pop(name).close()
                return
            op = wanted.get(frame[:4])
            if op is None and Op.CREATE_SESSION in wanted.values() and frame[:4] != EVENT:
                op = Op.CREATE_SESSION
            count -= op is not None
            session = op == Op.CREATE_SESSION and frame[:4] == bytes(4)
            record.got.append((name, connected(frame) if session else reply(op, frame)))

    def _expect_end(self, name: str, record: Record) -> None:
        if name not in self.connections:
            return
        frame = self._frame(self.connections[name])
        while isinstance(frame, bytes):
            record.got.append((name, reply(None, frame)))
            frame = self._frame(self.connections[name])
        record.got.append((name, raw("end", str(frame or "closed").encode())))
        self.connections.pop(name).close()

    def _raw(self, step: Raw, record: Record) -> None:
        connection = Connection(self.address)
        connection.send_raw(step.data)
        try:
            answer = connection.receive_all(REPLY_SECONDS)
        except Silence as silence:
            answer = connection.buffered + str(silence).encode()
        connection.close()
        record.got.append(("raw", raw("bytes", answer)))

    def _word(self, step: Word, record: Record) -> None:
        time.sleep(SETTLE_SECONDS)
        connection = Connection(self.address)
        connection.send_raw(step.word.encode() + step.argument)
        try:
            answer = connection.receive_all(REPLY_SECONDS)
        except Silence as silence:
            answer = str(silence).encode()
        connection.close()
        record.got.append(("word", raw("text", words.masked(step.word, answer))))

    def _collect(self, actor: Optional[str], record: Record) -> None:
        """Pings every connection but the one that acted, and keeps the events before the pong."""
        for name in [n for n in self.connections if n != actor]:
            connection = self.connections[name]
            connection.send(-2, Op.PING)
            frame = self._frame(connection)
            while isinstance(frame, bytes) and frame[:4] != PING:
                record.got.append((name, reply(None, frame)))
                frame = self._frame(connection)
            if not isinstance(frame, bytes):
                record.got.append((name, raw("end", str(frame or "closed").encode())))
                self.connections.pop(name).close()

    def _frame(self, connection: Connection) -> Optional[bytes] | Silence:
        try:
            return connection.receive(REPLY_SECONDS)
        except Silence as silence:
            return silence
