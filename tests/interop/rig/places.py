"""Where things are: the repository, the cache, the programs."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
CACHE = REPOSITORY / "tests" / ".cache"
JARS_3_9_5 = CACHE / "zookeeper-3.9.5"
DEBIAN_JARS = Path("/usr/share/java")
DEBIAN_CONF = Path("/etc/zookeeper/conf")


def ringkeeper() -> Path:
    """The server's program: the release build, or what RINGKEEPER names."""
    return Path(os.environ.get("RINGKEEPER") or _target() / "release" / "ringkeeper")


def tools() -> Path:
    """The tools' program, beside the server's."""
    return ringkeeper().with_name("ringkeeper-tools")


def _target() -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")


def class_path(version: str) -> str:
    """The class path of an Apache ZooKeeper: `3.9.5` from the cache, `3.8.0` from Debian."""
    if version == "3.9.5":
        return str(JARS_3_9_5 / "*")
    return f"{DEBIAN_CONF}:{DEBIAN_JARS / 'zookeeper.jar'}"


def logging_jars(version: str) -> list[str]:
    """What a server needs beside its class path to write a log: Debian's has no backend for one."""
    return [] if version == "3.9.5" else [str(DEBIAN_JARS / "slf4j-simple.jar")]


def newest_java() -> str:
    """The newest Apache ZooKeeper at hand."""
    return "3.9.5" if (JARS_3_9_5 / "zookeeper-3.9.5.jar").exists() else "3.8.0"
