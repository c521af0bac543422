"""Files of either kind of server, read and doctored: txn logs of Java, snapshots of ours."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Iterator

HEADER = 16
SEAL = struct.Struct(">qi1s")
DIGEST, ZXID = 20, 8


def zxids(data: Path) -> list[int]:
    """The zxids in a Java server's log, in order; `data` is its dataDir."""
    files = sorted((data / "version-2").glob("log.*"), key=lambda path: int(path.suffix[1:], 16))
    return [zxid for path in files for zxid in _zxids_of(path.read_bytes())]


def _zxids_of(log: bytes) -> Iterator[int]:
    """Entries are: long adler32, int length, bytes, `B`. Zeros end them."""
    at = HEADER
    while at + 12 <= len(log):
        _, length = struct.unpack_from(">qi", log, at)
        if length <= 0:
            return
        (zxid,) = struct.unpack_from(">q", log, at + 12 + 12)
        yield zxid
        at += 12 + length + 1


def snapshots(data: Path) -> list[Path]:
    """Our snapshots in a data directory."""
    return [path for path in (data / "ringkeeper").glob("snapshot.*") if path.suffix != ".aside"]


def doctor(path: Path, old: bytes, new: bytes) -> None:
    """Replaces the only `old` in a snapshot of ours, and seals it again so that it reads."""
    content = bytearray(path.read_bytes())
    assert len(old) == len(new) and content.count(old) == 1, f"{old!r} in {path}: {content.count(old)}"
    content[content.index(old):content.index(old) + len(old)] = new
    third = len(content) - SEAL.size
    second = third - ZXID - SEAL.size
    first = second - DIGEST - SEAL.size
    for at in (first, second, third):
        assert SEAL.unpack_from(content, at)[1:] == (1, b"/"), f"no seal at {at} of {path}"
        SEAL.pack_into(content, at, zlib.adler32(content[:at]), 1, b"/")
    path.write_bytes(content)
