"""Bytes on the client port that no client sends: the connection ends, the server goes on."""

from __future__ import annotations

import os
import socket
import time

import pytest

from rig.jute import buffer, int32, int64
from rig.wire import Connection, connect_request

FRAME_MAX = 1048575
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(190)
WHOLE = connect_request(30000)

FIRST_BYTES = {
    "length-minus-one": int32(-1), "length-least": int32(-0x80000000), "length-zero": int32(0),
    "length-one": int32(1) + b"x", "length-above-limit": int32(FRAME_MAX + 1) + bytes(64),
    "length-most": int32(0x7FFFFFFF) + bytes(64), "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": TLS_HELLO, "ssh": b"SSH-2.0-x\r\n", "noise": bytes(range(128, 256)) * 4,
    "handshake-cut": int32(20) + WHOLE[:20], "handshake-password-lies":
        int32(44) + int32(0) + int64(0) + int32(30000) + int64(0) + int32(0x7FFFFFFF) + bytes(16),
    "handshake-password-negative":
        int32(44) + int32(0) + int64(0) + int32(30000) + int64(0) + int32(-2) + bytes(16),
    "handshake-zxid-ahead": int32(45) + connect_request(30000, last_zxid=(1 << 63) - 1),
    "unknown-word": b"xyzw",
}


@pytest.mark.parametrize("data", FIRST_BYTES.values(), ids=FIRST_BYTES.keys())
def test_first_bytes_that_are_no_handshake_end_the_connection(server, ended, data):
    connection = Connection(server.client)
    connection.send_raw(data)
    answer = ended(connection)
    assert len(answer) < 400, "an answer to a stranger is short"


@pytest.mark.parametrize("length", [0, 1, 7, -1, -0x80000000, FRAME_MAX + 1, 0x7FFFFFFF])
def test_a_frame_of_impossible_length_ends_an_open_session_s_connection(server, ended, length):
    connection = Connection(server.client)
    assert connection.handshake() is not None
    connection.send_raw(int32(length) + bytes(max(0, min(length, 64))))
    assert ended(connection) == b""


def test_a_frame_of_exactly_the_limit_is_taken(server):
    connection = Connection(server.client)
    connection.handshake()
    connection.send_frame(int32(1) + int32(3) + buffer(b"/x") + b"\0" + bytes(FRAME_MAX - 15))
    reply = connection.receive()
    assert reply is not None and reply[:4] == int32(1)
    connection.close()


def test_a_handshake_byte_by_byte_is_a_handshake(server):
    connection = Connection(server.client)
    for byte in int32(len(WHOLE)) + WHOLE:
        connection.send_raw(bytes([byte]))
        time.sleep(0.002)
    assert connection.receive() is not None
    connection.close()


def test_a_four_letter_word_in_pieces_is_answered(server, ended):
    connection = Connection(server.client)
    for byte in b"ruok":
        connection.send_raw(bytes([byte]))
        time.sleep(0.02)
    assert ended(connection) == b"imok"


def test_random_bytes_from_a_hundred_connections_are_survived(server):
    print("entropy is the system's; a failure is reproduced from the server's log")
    connections = [Connection(server.client) for _ in range(100)]
    for connection in connections:
        connection.send_raw(os.urandom(512))
    for connection in connections:
        connection.close()


def test_random_bytes_within_a_session_are_survived(server):
    for n in range(50):
        connection = Connection(server.client)
        connection.handshake()
        connection.send_frame(int32(n) + os.urandom(4 + n * 7))
        connection.close()


def test_a_connection_that_never_speaks_is_dropped(standalone, ended):
    connection = Connection(standalone.client)
    assert ended(connection, 40.0) == b""


@pytest.mark.java_breaks
def test_a_handshake_of_a_byte_a_second_is_cut_off(standalone, ended):
    """The deadline runs from the accept; a Java server begins it anew with each byte."""
    connection = Connection(standalone.client)
    begun = time.monotonic()
    connection.socket.settimeout(1.0)
    for byte in int32(len(WHOLE)) + WHOLE:
        connection.send_raw(bytes([byte]))
        try:
            if connection.socket.recv(64) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    assert time.monotonic() - begun < 30
    connection.close()


def test_connections_come_and_go_by_the_hundred(server):
    for n in range(400):
        stranger = socket.create_connection(server.client, 5.0)
        if n % 2:
            stranger.sendall(int32(45) + WHOLE[:n % 45])
        stranger.close()


def test_a_client_that_never_reads_costs_the_others_nothing(server):
    connection = Connection(server.client)
    connection.handshake()
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.socket.settimeout(2.0)
    request = int32(8 + 7) + int32(1) + int32(8) + buffer(b"/" + b"z") + b"\0"
    try:
        for _ in range(2000):
            connection.socket.sendall(request * 50)
    except OSError:
        pass
    connection.close()


def test_a_thousand_connections_at_once_are_taken_or_refused(server):
    sockets = []
    for _ in range(1000):
        try:
            sockets.append(socket.create_connection(server.client, 2.0))
        except OSError:
            break
    assert len(sockets) > 200
    for each in sockets:
        each.close()


def test_timeouts_beyond_reason_are_clamped(server):
    for timeout in (-1, 0, -0x80000000, 0x7FFFFFFF):
        connection = Connection(server.client)
        session = connection.handshake(timeout)
        assert session is not None and 4000 <= session.timeout_ms <= 40000
        connection.close()


def test_a_guessed_password_never_opens_a_session(server):
    owner = Connection(server.client)
    session = owner.handshake()
    assert session is not None
    for guess in (bytes(16), b"", os.urandom(16), session.password[:-1], session.password + b"\0"):
        thief = Connection(server.client)
        refused = thief.handshake(session=session.id, password=guess)
        assert refused is not None and refused.id == 0 and refused.password == bytes(16)
        thief.close()
    owner.close()
