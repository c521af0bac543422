"""Four-letter words' answers, with what is the machine's or the moment's masked line by line."""

from __future__ import annotations

import re

MASKS: dict[str, list[tuple[str, str]]] = {
    "srvr": [(r"(?m)^Zookeeper version: .*$", "Zookeeper version: V"),
             (r"(?m)^Latency min/avg/max: [-0-9.]+/[-0-9.]+/[-0-9.]+$", "Latency: L"),
             (r"(?m)^(Received|Sent): \d+$", r"\1: N"),
             (r"(?m)^Zxid: 0x[0-9a-f]*?([0-9a-f]{1,8})$", "Zxid: Z")],
    "conf": [(r"(?m)^(clientPort|dataDir|dataLogDir)=.*$", r"\1=P"),
             (r"(?m)^(dataDirSize|dataLogSize)=\d+$", r"\1=N")],
    "cons": [(r"127\.0\.0\.1:\d+\[[0-9a-f]+\]", "A[I]"), (r"sid=0x[0-9a-f]+", "sid=S"),
             (r"(recved|sent)=\d+", r"\1=N"), (r"(lzxid)=0x[0-9a-f]+", r"\1=Z"),
             (r"(est|lresp|llat|minlat|avglat|maxlat)=\d+", r"\1=N")],
    "dump": [(r"0x[0-9a-f]{5,}", "S"), (r"127\.0\.0\.1:\d+", "A"),
             (r"expire at .*", "expire at T"), (r"Sets \(\d+\)/\(\d+\):", "Sets (B)/(S):"),
             (r"(?m)^\d+ expire at T\n", "")],
    "envi": [(r"(?m)^([a-z.]+)=.*$", r"\1=…")],
    "dirs": [(r"size: \d+", "size: N")],
    "hash": [(r"(?m)^[0-9a-f]+: \d+$", "Z: D")],
    "wchc": [(r"0x[0-9a-f]{5,}", "S")],
    "wchp": [(r"0x[0-9a-f]{5,}", "S")],
}
MASKS["stat"] = MASKS["srvr"] + MASKS["cons"]

# Keys of mntr whose value is the same wherever the same stream was replayed.
MNTR_EXACT = {
    "zk_server_state", "zk_znode_count", "zk_watch_count", "zk_ephemerals_count",
    "zk_approximate_data_size", "zk_global_sessions", "zk_local_sessions",
    "zk_num_alive_connections", "zk_outstanding_requests", "zk_auth_failed_count",
}


def masked(word: str, answer: bytes) -> bytes:
    """The answer with its masks laid on; lines whose order means nothing are sorted."""
    text = answer.decode(errors="replace")
    if word == "mntr":
        return _mntr(text).encode()
    for pattern, replacement in MASKS.get(word, []):
        text = re.sub(pattern, replacement, text)
    if word in ("cons", "dump", "wchc", "wchp", "stat"):
        text = "\n".join(sorted(text.split("\n")))
    return text.encode()


def _mntr(text: str) -> str:
    lines = []
    for line in text.splitlines():
        key, _, value = line.partition("\t")
        lines.append(f"{key}\t{value if key in MNTR_EXACT else 'N'}")
    return "\n".join(sorted(lines))
