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

# Metrics of Java's own threads, queues and caches, and of ours: the other has no such thing.
MNTR_OWN = re.compile(
    r"zk_((avg|min|max|cnt|sum|p50|p95|p99|p999)_)?("
    r"\w*(commit_proc|commitproc|prep_process|sync_process|session_queue|final_proc|dead_watcher)\w*|"
    r"\w*_per_namespace|add_dead_watcher_stall_time|close_session_prep_time|commit_process_time|"
    r"connection_token_deficit|jvm_pause_time_ms|learner_request_processor_queue_size|"
    r"(local|server)_write_committed_time_ms|netty_queued_buffer_capacity|om_\w+|propagation_latency|"
    r"proposal_ack_creation_latency|proposal_process_time|request_throttle\w*|restore\w*|socket_closing_time|"
    r"session_queues_drained|ensemble_auth_\w+|insecure_admin_count|response_packet\w*|"
    r"snapshot_rate_limited_count|"
    r"stale_(requests|replies)\w*|throttled_ops|tls_handshake_exceeded|skip_learner_request\w*|"
    r"requests_not_forwarded\w*|write_batch_time\w*|limit_\w+|\w*quota_exceeded_error\w*)")
MNTR_QUOTA = re.compile(r"zk_\w+_quota_(count|bytes)_(limit|usage)_per_namespace")


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
        if MNTR_OWN.fullmatch(key) and not MNTR_QUOTA.fullmatch(key):
            continue
        lines.append(f"{key}\t{value if key in MNTR_EXACT else 'N'}")
    return "\n".join(sorted(lines))
