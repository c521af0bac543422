"""One connection to a server, in raw bytes: frames, the handshake, four-letter words."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Optional

from .jute import Reader, boolean, buffer, int32, int64
from .ops import Op

PASSWORD_SECRET = 0xB3415C00
Address = tuple[str, int]


class Silence(Exception):
    """The server neither answered nor closed the connection in time."""


@dataclass(frozen=True)
class Session:
    """What a ConnectResponse grants; id 0 is the refusal of an expired or foreign session."""

    id: int
    password: bytes
    timeout_ms: int
    read_only: Optional[bool]


def connect_request(timeout_ms: int, session: int = 0, password: Optional[bytes] = bytes(16),
                    last_zxid: int = 0, read_only: Optional[bool] = False,
                    version: int = 0) -> bytes:
    """A ConnectRequest; `read_only=None` is the legacy form without that byte."""
    body = int32(version) + int64(last_zxid) + int32(timeout_ms) + int64(session) + buffer(password)
    return body if read_only is None else body + boolean(read_only)


def connect_response(frame: bytes) -> Session:
    """Reads a ConnectResponse."""
    reader = Reader(frame)
    reader.int32()
    timeout, session, password = reader.int32(), reader.int64(), reader.buffer()
    read_only = reader.boolean() if reader.rest else None
    return Session(session, password or b"", timeout, read_only)


def password_of(session: int) -> bytes:
    """What `java.util.Random(session ^ secret).nextBytes` gives: ZooKeeper's session password."""
    state = ((session ^ PASSWORD_SECRET) ^ 0x5DEECE66D) & (1 << 48) - 1
    out = b""
    for _ in range(4):
        state = (state * 0x5DEECE66D + 0xB) & (1 << 48) - 1
        out += struct.pack("<I", state >> 16 & 0xFFFFFFFF)
    return out


class Connection:
    """A socket that carries frames. Whoever opens it closes it."""

    def __init__(self, address: Address, timeout: float = 10.0) -> None:
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffered = b""
        self.xid = 0

    def send_raw(self, data: bytes) -> None:
        """Bytes as they are; an error means the server has closed, which the next read tells."""
        try:
            self.socket.sendall(data)
        except OSError:
            pass

    def send_frame(self, body: bytes) -> None:
        """A length and a body."""
        self.send_raw(int32(len(body)) + body)

    def send(self, xid: int, op: int, body: bytes = b"") -> None:
        """A request with its header."""
        self.send_frame(int32(xid) + int32(op) + body)

    def receive(self, timeout: float = 10.0) -> Optional[bytes]:
        """The next frame; None if the server has closed the connection."""
        head = self._exactly(4, timeout)
        return head and self._exactly(struct.unpack(">i", head)[0], timeout)

    def receive_all(self, timeout: float = 10.0) -> bytes:
        """Everything until the server closes."""
        while self._more(timeout):
            pass
        return self.buffered

    def handshake(self, timeout_ms: int = 30000, **options: object) -> Optional[Session]:
        """Opens a session, or reopens one; None if the server closes instead of answering."""
        self.send_frame(connect_request(timeout_ms, **options))  # type: ignore[arg-type]
        frame = self.receive()
        return connect_response(frame) if frame else None

    def call(self, op: int, body: bytes = b"") -> tuple[int, int, Reader]:
        """One request and its reply, as (err, zxid, reader of the body); events are passed over."""
        self.xid += 1
        xid = {Op.PING: -2, Op.AUTH: -4, Op.SET_WATCHES: -8}.get(Op(op), self.xid)
        self.send(xid, op, body)
        while (frame := self.receive()) is not None:
            reader = Reader(frame)
            replied, zxid, err = reader.int32(), reader.int64(), reader.int32()
            if replied == xid:
                return err, zxid, reader
        raise ConnectionError("closed instead of a reply")

    def close(self) -> None:
        """Closes the socket; the session lives on."""
        self.socket.close()

    def _exactly(self, count: int, timeout: float) -> Optional[bytes]:
        while len(self.buffered) < count:
            if not self._more(timeout):
                return None
        taken, self.buffered = self.buffered[:count], self.buffered[count:]
        return taken

    def _more(self, timeout: float) -> bool:
        self.socket.settimeout(timeout)
        try:
            more = self.socket.recv(1 << 16)
        except TimeoutError as silent:
            raise Silence(f"nothing for {timeout} s") from silent
        except OSError:
            more = b""
        self.buffered += more
        return bool(more)


def four_letter(address: Address, word: bytes, timeout: float = 5.0) -> bytes:
    """What a four-letter word is answered with."""
    connection = Connection(address, timeout)
    try:
        connection.send_raw(word)
        return connection.receive_all(timeout)
    finally:
        connection.close()
