"""What must hold after a round, asked of every server: nothing lost, nothing twice, all alike."""

from __future__ import annotations

from rig import ops
from rig.ledger import faults_of
from rig.ops import Op
from rig.system import Server, System
from rig.wire import Connection, Session

from .writers import Writer


def children(server: Server, parents: list[str]) -> dict[str, list[str]]:
    """The children of each parent as this server shows them after a sync."""
    connection = Connection(server.client)
    try:
        session = connection.handshake()
        assert isinstance(session, Session), f"server {server.id} takes no session"
        err, _, _ = connection.call(Op.SYNC, ops.path_only("/"))
        assert err == 0, f"server {server.id}: sync answers {err}"
        found = {}
        for parent in parents:
            err, _, reply = connection.call(Op.GET_CHILDREN, ops.watched(parent))
            assert err == 0, f"server {server.id}: getChildren {parent} answers {err}"
            found[parent] = sorted(name or "" for name in reply.vector(reply.string) or [])
        connection.call(Op.CLOSE_SESSION)
        return found
    finally:
        connection.close()


def faults(system: System, writers: list[Writer], parents: list[str]) -> list[str]:
    """Everything that does not hold."""
    found = [fault for writer in writers for fault in writer.ledger.faults]
    views = {server.id: children(server, [*parents, "/k"]) for server in system.servers}
    first = views[system.servers[0].id]
    for number, view in views.items():
        found += [f"server {number} differs from server {system.servers[0].id} below {parent}"
                  for parent in view if view[parent] != first[parent]]
    names = {f"{parent}/{name}" for parent in parents for name in first[parent]}
    for writer in writers:
        found += faults_of(writer.name, writer.ledger, names, parents, f"{writer.number}-")
        if writer.mark[3:] not in first["/k"]:
            found.append(f"{writer.name}: its session's ephemeral znode is gone")
    return found
