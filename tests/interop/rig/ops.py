"""Requests: op codes, and the body of each as bytes."""

from __future__ import annotations

from enum import IntEnum
from typing import Iterable, Optional, Sequence

from .jute import Text, boolean, buffer, int32, int64, string, vector

READ, WRITE, CREATE, DELETE, ADMIN, ALL = 1, 2, 4, 8, 16, 31

Acl = tuple[int, Text, Text]
OPEN: list[Acl] = [(ALL, "world", "anyone")]


class Op(IntEnum):
    """ZooDefs.OpCode."""

    NOTIFICATION = 0
    CREATE = 1
    DELETE = 2
    EXISTS = 3
    GET_DATA = 4
    SET_DATA = 5
    GET_ACL = 6
    SET_ACL = 7
    GET_CHILDREN = 8
    SYNC = 9
    PING = 11
    GET_CHILDREN2 = 12
    CHECK = 13
    MULTI = 14
    CREATE2 = 15
    RECONFIG = 16
    CHECK_WATCHES = 17
    REMOVE_WATCHES = 18
    CREATE_CONTAINER = 19
    DELETE_CONTAINER = 20
    CREATE_TTL = 21
    MULTI_READ = 22
    AUTH = 100
    SET_WATCHES = 101
    SASL = 102
    GET_EPHEMERALS = 103
    GET_ALL_CHILDREN_NUMBER = 104
    SET_WATCHES2 = 105
    ADD_WATCH = 106
    WHO_AM_I = 107
    CREATE_SESSION = -10
    CLOSE_SESSION = -11
    ERROR = -1


def acl(entry: Acl) -> bytes:
    """One entry of an access list."""
    perms, scheme, who = entry
    return int32(perms) + string(scheme) + string(who)


def create(path: Text, data: Optional[bytes] = b"", acls: Optional[Sequence[Acl]] = OPEN,
           flags: int = 0) -> bytes:
    """For ops 1, 15 and 19."""
    return string(path) + buffer(data) + vector(acls, acl) + int32(flags)


def create_ttl(path: Text, data: Optional[bytes], acls: Optional[Sequence[Acl]], flags: int,
               ttl: int) -> bytes:
    """For op 21."""
    return create(path, data, acls, flags) + int64(ttl)


def versioned(path: Text, version: int = -1) -> bytes:
    """For delete and check."""
    return string(path) + int32(version)


def set_data(path: Text, data: Optional[bytes], version: int = -1) -> bytes:
    """For op 5."""
    return string(path) + buffer(data) + int32(version)


def set_acl(path: Text, acls: Optional[Sequence[Acl]], version: int = -1) -> bytes:
    """For op 7."""
    return string(path) + vector(acls, acl) + int32(version)


def watched(path: Text, watch: bool = False) -> bytes:
    """For exists, getData, getChildren and getChildren2."""
    return string(path) + boolean(watch)


def path_only(path: Text) -> bytes:
    """For getACL, sync, getEphemerals, getAllChildrenNumber and deleteContainer."""
    return string(path)


def path_and_number(path: Text, number: int) -> bytes:
    """For addWatch (mode), checkWatches and removeWatches (type)."""
    return string(path) + int32(number)


def auth(scheme: Text, credentials: Optional[bytes], kind: int = 0) -> bytes:
    """For op 100."""
    return int32(kind) + string(scheme) + buffer(credentials)


def set_watches(zxid: int, *lists: Optional[Iterable[Text]]) -> bytes:
    """For ops 101 (three lists) and 105 (five)."""
    return int64(zxid) + b"".join(vector(paths, string) for paths in lists)


def multi_header(kind: int, done: bool = False, err: int = -1) -> bytes:
    """What stands before each part of a multi."""
    return int32(kind) + boolean(done) + int32(err)


def multi(parts: Iterable[tuple[int, bytes]]) -> bytes:
    """For multi and multiRead."""
    body = b"".join(multi_header(kind) + part for kind, part in parts)
    return body + multi_header(-1, done=True)


def reconfig(joining: Text, leaving: Text, members: Text, version: int) -> bytes:
    """For op 16."""
    return string(joining) + string(leaving) + string(members) + int64(version)
