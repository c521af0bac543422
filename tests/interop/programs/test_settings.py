"""Settings that show in nothing but what the kernel does for a connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.system import System, kind_of
from rig.wire import Connection

ESTABLISHED = "01"
KEEPALIVE_TIMER = "02"


def timers(port: int) -> list[str]:
    """The kernel's timer of each connection that was accepted on a port (`proc_net_tcp`)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = [row for row in rows if int(row[1].split(":")[1], 16) == port and row[3] == ESTABLISHED]
    return [row[5].split(":")[0] for row in ours]


@pytest.mark.parametrize("net_threads", ["0", "1"])
@pytest.mark.parametrize("keepalive", ["true", "false"])
def test_client_tcp_keep_alive_has_the_kernel_probe_clients(net_threads: str, keepalive: str) -> None:
    config = {"clientTcpKeepAlive": keepalive, "ringkeeper.netThreads": net_threads}
    system = System(kind_of("ringkeeper"), 1, config).start()
    try:
        connection = Connection(system.servers[0].client)
        assert connection.handshake(10000) is not None
        armed = [timer == KEEPALIVE_TIMER for timer in timers(system.servers[0].client[1])]
        assert armed == [keepalive == "true"]
        connection.close()
    finally:
        system.stop()
