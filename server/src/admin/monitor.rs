//! `mntr`: every figure there is, `zk_key<tab>value`.
//!
//! The keys are ZooKeeper's, as far as what they measure exists here; some that are always zero
//! here (TLS, local sessions) stand because monitors ask for them. Ours begin with `zk_limit_` and
//! count how often a bound of `limits.rs` was hit.
//!
//! Not here: counting (`metrics`), gauging (the member).

use std::fmt::{Display, Write as _};

use super::VERSION;
use super::form::JavaDouble;
use super::metrics::{LastMinMax, Summary};
use super::status::{LeaderStatus, Mode, QuorumStatus, ServerStatus, Status};

pub(super) fn monitor(out: &mut String, server: &ServerStatus, status: &dyn Status) {
    let mut lines = Lines(out);
    lines.put("version", VERSION);
    lines.put("server_state", server.mode.name());
    if let Some(quorum) = &server.quorum {
        of_quorum(&mut lines, server.mode, quorum);
    }
    gauges(&mut lines, server, status);
    let metrics = status.metrics();
    if let Some(leading) = server.quorum.as_ref().and_then(|quorum| quorum.leading.as_ref()) {
        of_leader(&mut lines, leading, &metrics.proposal_bytes);
    }
    for quota in status.quotas() {
        let mut put = |name, value| lines.put(&format!("{}_{name}", quota.namespace), value);
        put("quota_count_limit_per_namespace", quota.count_limit);
        put("quota_bytes_limit_per_namespace", quota.bytes_limit);
        if let Some((count, bytes)) = quota.usage {
            put("quota_count_usage_per_namespace", count);
            put("quota_bytes_usage_per_namespace", bytes);
        }
    }
    // Of the proof, what is a number; runs and differences are told by its own word.
    for (key, value) in status.proof().unwrap_or_default() {
        if value.bytes().all(|byte| byte.is_ascii_digit()) {
            lines.put(&key, value);
        }
    }
    for (name, count) in metrics.counters() {
        lines.put(name, count);
    }
    for (name, summary) in metrics.summaries() {
        lines.summary(name, summary);
    }
    for (name, distribution) in metrics.distributions() {
        lines.summary(name, &distribution.summary);
        for (label, per_mille) in [("p50", 500), ("p95", 950), ("p99", 990), ("p999", 999)] {
            lines.put(&format!("{label}_{name}"), distribution.percentile(per_mille));
        }
    }
}

fn of_quorum(lines: &mut Lines<'_>, mode: Mode, quorum: &QuorumStatus) {
    let doing = match mode {
        Mode::Leader => "leading",
        Mode::Observer => "observing",
        Mode::Follower | Mode::Standalone => "following",
    };
    // Compat: the phase is always this one, because only then is a client served
    // (`QuorumPeer.getDetailedPeerState`, 3.9.5).
    lines.put("peer_state", format_args!("{doing} - broadcast"));
    if let Some(leader) = quorum.observed {
        lines.put("observer_master_id", leader);
    }
    lines.put("quorum_size", quorum.voters);
}

fn gauges(lines: &mut Lines<'_>, server: &ServerStatus, status: &dyn Status) {
    let metrics = status.metrics();
    let files = status.open_files();
    let sizes = &metrics.client_response_bytes;
    lines.put("avg_latency", JavaDouble(metrics.request_latency.avg()));
    lines.put("max_latency", metrics.request_latency.max);
    lines.put("min_latency", metrics.request_latency.min());
    lines.put("packets_received", metrics.packets_received);
    lines.put("packets_sent", metrics.packets_sent);
    lines.put("num_alive_connections", server.connections);
    lines.put("outstanding_requests", server.outstanding);
    lines.put("uptime", server.uptime_ms);
    lines.put("znode_count", server.znodes);
    lines.put("watch_count", server.watches);
    lines.put("ephemerals_count", server.ephemerals);
    lines.put("approximate_data_size", server.approximate_data_bytes);
    lines.put("global_sessions", server.sessions);
    lines.put("local_sessions", 0);
    lines.put("open_file_descriptor_count", files.open);
    lines.put("max_file_descriptor_count", files.max);
    lines.put("connection_drop_probability", JavaDouble(0.0));
    lines.put("last_client_response_size", sizes.last);
    lines.put("max_client_response_size", sizes.max);
    lines.put("min_client_response_size", sizes.min);
    lines.put("outstanding_tls_handshake", 0);
    lines.put("auth_failed_count", metrics.auth_failed_count);
    lines.put("non_mtls_remote_conn_count", 0);
    lines.put("non_mtls_local_conn_count", 0);
}

fn of_leader(lines: &mut Lines<'_>, leading: &LeaderStatus, proposals: &LastMinMax) {
    lines.put("learners", leading.learners);
    lines.put("synced_followers", leading.synced_followers);
    lines.put("synced_observers", leading.synced_observers);
    lines.put("synced_non_voting_followers", leading.synced_non_voting_followers);
    lines.put("pending_syncs", leading.pending_syncs);
    lines.put("leader_uptime", leading.uptime_ms);
    lines.put("last_proposal_size", proposals.last);
    lines.put("max_proposal_size", proposals.max);
    lines.put("min_proposal_size", proposals.min);
}

struct Lines<'a>(&'a mut String);

impl Lines<'_> {
    fn put(&mut self, key: &str, value: impl Display) {
        let _ = writeln!(self.0, "zk_{key}\t{value}");
    }

    fn summary(&mut self, name: &str, summary: &Summary) {
        self.put(&format!("avg_{name}"), JavaDouble(summary.avg()));
        self.put(&format!("min_{name}"), summary.min());
        self.put(&format!("max_{name}"), summary.max);
        self.put(&format!("cnt_{name}"), summary.count);
        self.put(&format!("sum_{name}"), summary.sum);
    }
}
