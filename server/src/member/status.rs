//! What operators ask, answered from the member's parts.
//!
//! Not here: the texts (`admin`).

use std::collections::BTreeMap;

use ringkeeper_engine::quorum::Ensemble;
use ringkeeper_engine::zxid::Zxid;

use super::{Member, Moment, Role};
use crate::admin::{
    ConnectionSession, ConnectionStatus, DirectorySizes, Environment, EphemeralsOf,
    ExpiringSessions, LeaderStatus, Metrics, Mode, NamespaceQuota, OpenFiles, QuorumStatus,
    ServerStatus, SessionDump, SessionList, Status, WatchesOf, open_files,
};
use crate::config::Config;
use crate::frontend::Connection;
use crate::proof::Lines;
use crate::quota::{NamespaceSums, namespaces};
use crate::tree::Tree;

/// The member as one who is asked, at a moment.
pub(super) struct Asked<'a> {
    pub member: &'a mut Member,
    pub at: Moment,
}

impl Asked<'_> {
    /// A moment of the monotonic clock as wall time.
    fn wall_of(&self, monotonic_ms: u64) -> i64 {
        self.at.wall_ms + monotonic_ms as i64 - self.at.now.0 as i64
    }

    fn quorum(&self) -> Option<QuorumStatus> {
        let ensemble = self.ensemble()?;
        let member = &self.member;
        let leading = matches!(member.role, Role::Leading { .. }).then(|| {
            let mut status = LeaderStatus {
                uptime_ms: self.at.now.since(member.serving_since),
                ..LeaderStatus::default()
            };
            for learner in member.replica.learners() {
                status.learners += 1;
                status.synced_followers += u64::from(learner.is_live && learner.votes);
                status.synced_observers += u64::from(learner.is_live && !learner.follows);
                status.synced_non_voting_followers +=
                    u64::from(learner.is_live && learner.follows && !learner.votes);
            }
            status
        });
        let observed = match member.role {
            Role::Observing { leader, .. } => Some(leader.0),
            _ => None,
        };
        Some(QuorumStatus { voters: ensemble.voters().count() as u64, leading, observed })
    }
}

impl Status for Asked<'_> {
    fn server(&self) -> Option<ServerStatus> {
        let member = &self.member;
        let mode = match member.role {
            Role::Looking => return None,
            Role::Standalone => Mode::Standalone,
            Role::Leading { .. } => Mode::Leader,
            Role::Following { .. } => Mode::Follower,
            Role::Observing { .. } => Mode::Observer,
        };
        let tree = &member.db.tree;
        Some(ServerStatus {
            mode,
            zxid: member.db.last_zxid(),
            outstanding: member.outstanding as u64,
            connections: member.front.count() as u64,
            uptime_ms: self.at.now.since(member.started),
            znodes: tree.count() as u64,
            watches: member.watches.counts().watches as u64,
            ephemerals: tree.ephemerals_count() as u64,
            approximate_data_bytes: tree.approximate_data_size(),
            sessions: member.db.sessions().len() as u64,
            quorum: self.quorum(),
        })
    }

    fn metrics(&self) -> &Metrics {
        &self.member.metrics
    }

    fn config(&self) -> &Config {
        &self.member.options.config
    }

    fn ensemble(&self) -> Option<&Ensemble> {
        self.member.options.config.quorum.as_ref().map(|quorum| &quorum.ensemble)
    }

    fn environment(&self) -> &Environment {
        &self.member.options.environment
    }

    fn connections(&self) -> Vec<ConnectionStatus> {
        let front = &self.member.front;
        front.ids().filter_map(|id| front.get(id)).map(connection_status).collect()
    }

    fn sessions(&self) -> SessionDump {
        let member = &self.member;
        let sessions = match &member.tracker {
            Some(tracker) => {
                let mut buckets: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
                for (session, ends) in tracker.iter() {
                    buckets.entry(self.wall_of(ends.0)).or_default().push(session.0);
                }
                let bucket = |(at_ms, mut sessions): (i64, Vec<i64>)| {
                    sessions.sort_unstable();
                    ExpiringSessions { at_ms, sessions }
                };
                SessionList::Tracked(buckets.into_iter().map(bucket).collect())
            }
            None => SessionList::Known(
                member.db.sessions().iter().map(|(session, ms)| (session.0, *ms)).collect(),
            ),
        };
        let tree = &member.db.tree;
        let mut owners: Vec<i64> = tree.sessions_with_ephemerals().collect();
        owners.sort_unstable();
        let ephemerals = owners
            .into_iter()
            .map(|session| EphemeralsOf { session, paths: ephemeral_paths(tree, session) });
        let front = &member.front;
        let connections = front
            .ids()
            .filter_map(|id| front.get(id))
            .map(|connection| (connection.peer, connection.session.map_or(0, |session| session.0)));
        let expire = front.idle_deadline().map_or(self.at.now.0, |deadline| deadline.0);
        SessionDump {
            sessions,
            ephemerals: ephemerals.collect(),
            connections: connections.collect(),
            connections_expire_ms: self.wall_of(expire),
        }
    }

    fn watches(&self) -> Vec<WatchesOf> {
        let member = &self.member;
        let session = |conn| {
            let connection = member.front.get(conn)?;
            connection.session.map(|session| session.0)
        };
        let mut all: Vec<WatchesOf> = member
            .watches
            .data_by_connection()
            .map(|(conn, paths)| WatchesOf {
                session: session(conn).unwrap_or_default(),
                paths: paths.map(str::to_owned).collect(),
            })
            .filter(|watching| !watching.paths.is_empty())
            .collect();
        all.sort_by_key(|watching| watching.session);
        all
    }

    fn digests(&self) -> Vec<(Zxid, u64)> {
        self.member
            .db
            .history()
            .iter()
            .map(|record| (record.zxid, record.digest.0 as u64))
            .collect()
    }

    fn quotas(&self) -> Vec<NamespaceQuota> {
        let quota = |(namespace, sums): (String, NamespaceSums)| NamespaceQuota {
            namespace,
            count_limit: sums.count_limit,
            bytes_limit: sums.bytes_limit,
            usage: sums.usage.map(|usage| (usage.count, usage.bytes)),
        };
        namespaces(&self.member.db.tree).into_iter().map(quota).collect()
    }

    fn directory_sizes(&self) -> DirectorySizes {
        DirectorySizes {
            data_bytes: self.member.checkpoint.bytes_on_disk(),
            log_bytes: self.member.replica.log().bytes_on_disk(),
        }
    }

    fn open_files(&self) -> OpenFiles {
        open_files()
    }

    fn reset_server_stats(&mut self) {
        self.member.metrics.reset();
    }

    fn reset_connection_stats(&mut self) {
        let ids: Vec<_> = self.member.front.ids().collect();
        for id in ids {
            if let Some(connection) = self.member.front.get_mut(id) {
                connection.counters.reset();
            }
        }
    }

    fn proof(&self) -> Option<Lines> {
        self.member.proof_report(self.at)
    }

    fn trace_mask(&self) -> i64 {
        self.member.trace_mask
    }

    fn set_trace_mask(&mut self, mask: i64) {
        self.member.trace_mask = mask;
    }
}

fn ephemeral_paths(tree: &Tree, session: i64) -> Vec<String> {
    let path = |id| {
        let mut path = String::new();
        tree.path_into(id, &mut path);
        path
    };
    tree.ephemerals(session).map(path).collect()
}

fn connection_status(connection: &Connection) -> ConnectionStatus {
    let counters = &connection.counters;
    let is_timed = counters.latencies > 0;
    ConnectionStatus {
        remote: connection.peer,
        reads: !connection.is_throttled,
        writes: false,
        outstanding: connection.held.len() as u64,
        received: counters.received,
        sent: counters.sent,
        session: connection.session.map(|session| ConnectionSession {
            id: session.0,
            last_operation: counters.last_op,
            established_ms: counters.established_wall_ms,
            timeout_ms: connection.timeout_ms,
            last_cxid: counters.last_cxid,
            last_zxid: counters.last_zxid,
            last_response_ms: counters.last_response_ms,
            last_latency_ms: counters.last_latency_ms,
            min_latency_ms: if is_timed { counters.latency_ms_min } else { 0 },
            avg_latency_ms: counters.latency_ms_sum.checked_div(counters.latencies).unwrap_or(0),
            max_latency_ms: counters.latency_ms_max,
        }),
    }
}
