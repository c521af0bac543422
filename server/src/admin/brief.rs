//! `srvr`, `stat`, `cons`: the figures of a server and of its connections, one a line.
//!
//! Not here: `mntr` (`monitor`).

use std::fmt::Write as _;

use super::form::{JavaAddress, JavaDouble};
use super::status::{ConnectionSession, ConnectionStatus, Mode, ServerStatus, Status};
use super::{Metrics, VERSION};

// Writing to a String cannot fail, here and in the other texts.

/// `srvr`, and with the connections `stat`.
pub(super) fn server(
    out: &mut String,
    server: &ServerStatus,
    metrics: &Metrics,
    connections: Option<&[ConnectionStatus]>,
) {
    let _ = writeln!(out, "Zookeeper version: {VERSION}");
    if let Some(connections) = connections {
        out.push_str("Clients:\n");
        connections.iter().for_each(|connection| line(out, connection, true));
        out.push('\n');
    }
    let latency = &metrics.request_latency;
    let (min, avg, max) = (latency.min(), JavaDouble(latency.avg()), latency.max);
    let _ = writeln!(out, "Latency min/avg/max: {min}/{avg}/{max}");
    let _ = writeln!(out, "Received: {}", metrics.packets_received);
    let _ = writeln!(out, "Sent: {}", metrics.packets_sent);
    let _ = writeln!(out, "Connections: {}", server.connections);
    let _ = writeln!(out, "Outstanding: {}", server.outstanding);
    let _ = writeln!(out, "Zxid: {}", server.zxid);
    let _ = writeln!(out, "Mode: {}", server.mode.name());
    let _ = writeln!(out, "Node count: {}", server.znodes);
    if server.mode == Mode::Leader {
        let sizes = &metrics.proposal_bytes;
        let (last, min, max) = (sizes.last, sizes.min, sizes.max);
        let _ = writeln!(out, "Proposal sizes last/min/max: {last}/{min}/{max}");
    }
}

/// `cons`.
pub(super) fn connections(out: &mut String, status: &dyn Status) {
    for connection in status.connections() {
        line(out, &connection, false);
    }
    out.push('\n');
}

fn line(out: &mut String, connection: &ConnectionStatus, brief: bool) {
    let interest = u8::from(connection.reads) | u8::from(connection.writes) << 2;
    let _ = write!(
        out,
        " {}[{interest:x}](queued={},recved={},sent={}",
        JavaAddress(connection.remote),
        connection.outstanding,
        connection.received,
        connection.sent,
    );
    if let Some(session) = connection.session.as_ref().filter(|_| !brief) {
        of_session(out, session);
    }
    out.push_str(")\n");
}

fn of_session(out: &mut String, session: &ConnectionSession) {
    let _ = write!(
        out,
        ",sid={:#x},lop={},est={},to={}",
        session.id, session.last_operation, session.established_ms, session.timeout_ms
    );
    if session.last_cxid >= 0 {
        let _ = write!(out, ",lcxid={:#x}", session.last_cxid);
    }
    let _ = write!(
        out,
        ",lzxid={:#x},lresp={},llat={},minlat={},avglat={},maxlat={}",
        session.last_zxid,
        session.last_response_ms,
        session.last_latency_ms,
        session.min_latency_ms,
        session.avg_latency_ms,
        session.max_latency_ms,
    );
}
