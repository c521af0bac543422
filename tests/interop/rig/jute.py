"""ZooKeeper's encoding, written and read on its own: no code is shared with what is tested.

Everything is big-endian; a string or buffer is a length and bytes, -1 for null; a vector is a count
and its elements, -1 for null. The writers take lengths apart from content where a test wants to lie.
"""

from __future__ import annotations

import struct
from typing import Callable, Iterable, Optional, TypeVar, Union

T = TypeVar("T")
Text = Union[str, bytes, None]


def boolean(value: bool) -> bytes:
    """One byte, 0 or 1."""
    return b"\x01" if value else b"\x00"


def int32(value: int) -> bytes:
    """Four bytes; values above 2^31-1 are taken as their two's complement."""
    return struct.pack(">I", value & 0xFFFFFFFF)


def int64(value: int) -> bytes:
    """Eight bytes, two's complement."""
    return struct.pack(">Q", value & 0xFFFFFFFFFFFFFFFF)


def buffer(value: Optional[bytes]) -> bytes:
    """A length and the bytes; null is not empty."""
    if value is None:
        return int32(-1)
    return int32(len(value)) + value


def string(value: Text) -> bytes:
    """As a buffer. Bytes go out as they are, so that a test can send what is no UTF-8."""
    return buffer(value.encode() if isinstance(value, str) else value)


def vector(items: Optional[Iterable[T]], write: Callable[[T], bytes]) -> bytes:
    """A count and the elements."""
    if items is None:
        return int32(-1)
    written = [write(item) for item in items]
    return int32(len(written)) + b"".join(written)


class Short(Exception):
    """The bytes ended before the field did."""


class Reader:
    """Reads fields in order; `rest` tells what is left."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        """The next bytes, all of them or an error."""
        if count < 0 or self.at + count > len(self.data):
            raise Short(f"{count} bytes wanted at {self.at} of {len(self.data)}")
        self.at += count
        return self.data[self.at - count:self.at]

    def boolean(self) -> bool:
        """One byte."""
        return self.take(1) != b"\x00"

    def int32(self) -> int:
        """Four bytes, signed."""
        return struct.unpack(">i", self.take(4))[0]

    def int64(self) -> int:
        """Eight bytes, signed."""
        return struct.unpack(">q", self.take(8))[0]

    def buffer(self) -> Optional[bytes]:
        """Bytes, or None for null."""
        length = self.int32()
        return None if length == -1 else self.take(length)

    def string(self) -> Optional[str]:
        """Text; what is no UTF-8 comes back as replacement characters."""
        raw = self.buffer()
        return None if raw is None else raw.decode(errors="replace")

    def vector(self, read: Callable[[], T]) -> Optional[list[T]]:
        """A count and the elements."""
        count = self.int32()
        return None if count == -1 else [read() for _ in range(max(count, 0))]

    @property
    def rest(self) -> int:
        """How many bytes are left."""
        return len(self.data) - self.at
