"""What arrives on the client port and is no client: other protocols, broken handshakes."""

from __future__ import annotations

from rig.jute import buffer, int32, int64
from rig.wire import connect_request

from ..stream import Scene

TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(190)


def scenes() -> list[Scene]:
    """Bytes on fresh connections; the server closes each."""
    scene = Scene("strangers")
    scene.part("protocols")
    scene.raw("http-get", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    scene.raw("http-post", b"POST /commands HTTP/1.1\r\n\r\n")
    scene.raw("http-head", b"HEAD / HTTP/1.0\r\n\r\n")
    scene.raw("tls", TLS_HELLO)
    scene.raw("ssh", b"SSH-2.0-OpenSSH_9.2\r\n")
    scene.raw("redis", b"*1\r\n$4\r\nPING\r\n")
    scene.part("lengths")
    for number in (-1, -0x80000000, 0, 1, 7, 27, 1048576, 0x7FFFFFFF):
        scene.raw(f"length-{number}", int32(number) + bytes(max(0, min(number, 100))))
    scene.part("handshakes")
    whole = connect_request(30000)
    for length in (0, 1, 4, 12, 16, 24, 28, 30, 43):
        scene.raw(f"cut-{length}", int32(length) + whole[:length])
    start = int32(0) + int64(0) + int32(30000) + int64(0)
    for number in (-2, -0x80000000, 17, 0x7FFFFFFF):
        scene.raw(f"password-length-{number}", int32(len(start) + 20) + start + int32(number) + bytes(16))
    unknown = start[:16] + int64(0x1234567890)
    refused = unknown + buffer(bytes(16)) + b"\x00"
    scene.raw("unknown-session", int32(len(refused)) + refused)
    scene.raw("unknown-session-legacy", int32(len(refused) - 1) + refused[:-1])
    scene.part("words")
    for word in (b"xyzw", b"RUOK", b"ruo\x00", b"lead", b"orst", b"\xff\xf4\xff\xfd"):
        scene.raw(f"word-{word.hex()}", word)
    scene.raw("ruok-and-more", b"ruok and more")
    scene.raw("ruok-newline", b"ruok\n")
    return [scene]
