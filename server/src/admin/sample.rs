//! A made-up server that can be asked, for the tests of the texts.

use ringkeeper_engine::quorum::Ensemble;
use ringkeeper_engine::zxid::Zxid;

use crate::config::{Config, RawConfig};
use crate::proof::Lines;

use super::*;

pub(super) struct Sample {
    pub(super) serving: bool,
    pub(super) resets: (u32, u32),
    pub(super) mask: i64,
    mode: Mode,
    config: Config,
    metrics: Metrics,
    environment: Environment,
}

impl Sample {
    pub(super) fn standalone() -> Self {
        Self::of(Mode::Standalone, "dataDir=/d\nclientPort=2181\n")
    }

    pub(super) fn leader() -> Self {
        Self::of(Mode::Leader, THREE)
    }

    pub(super) fn follower() -> Self {
        Self::of(Mode::Follower, THREE)
    }

    pub(super) fn observer() -> Self {
        Self::of(Mode::Observer, THREE)
    }

    fn of(mode: Mode, file: &str) -> Self {
        let raw = RawConfig::read("zoo.cfg", file.as_bytes(), &[]).expect("well formed");
        let config = raw.with_myid(Some("1".into())).resolve().expect("a good configuration");
        let mut metrics = Metrics { packets_received: 70, packets_sent: 69, ..Metrics::default() };
        [0, 0, 0, 0, 1, 1, 2].into_iter().for_each(|ms| metrics.request_latency.add(ms));
        [61, 48].into_iter().for_each(|size| metrics.proposal_bytes.set(size));
        metrics.commit_count = 7;
        metrics.updatelatency.add(4);
        let entries = [("zookeeper.version", "x"), ("host.name", "zk1")];
        let environment = Environment::of(entries.map(|(key, v)| (key, v.to_owned())).to_vec());
        Self { serving: true, resets: (0, 0), mask: 306, mode, config, metrics, environment }
    }
}

const THREE: &str = "dataDir=/d\nclientPort=2181\ninitLimit=10\nsyncLimit=5\n\
    server.1=zk1:2888:3888\nserver.2=zk2:2888:3888\nserver.3=zk3:2888:3888\n";

const FIRST: i64 = 0x100_0000_0000;

/// The answer, with every word allowed.
pub(super) fn answer_of(sample: &mut Sample, word: Word) -> String {
    let mut out = String::new();
    answer(word, &[], &Whitelist::new(["*"]), sample, &mut out);
    out
}

impl Status for Sample {
    fn server(&self) -> Option<ServerStatus> {
        let leading = LeaderStatus { learners: 2, synced_followers: 2, ..Default::default() };
        let quorum = QuorumStatus {
            voters: 3,
            leading: (self.mode == Mode::Leader).then_some(leading),
            observed: None,
        };
        self.serving.then(|| ServerStatus {
            mode: self.mode,
            zxid: Zxid(0x1_0000_0003),
            outstanding: 0,
            connections: 1,
            uptime_ms: 123_456,
            znodes: 5,
            watches: 3,
            ephemerals: 2,
            approximate_data_bytes: 44,
            sessions: 3,
            quorum: (self.mode != Mode::Standalone).then_some(quorum),
        })
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn ensemble(&self) -> Option<&Ensemble> {
        self.config.quorum.as_ref().map(|quorum| &quorum.ensemble)
    }

    fn environment(&self) -> &Environment {
        &self.environment
    }

    fn connections(&self) -> Vec<ConnectionStatus> {
        let session = ConnectionSession {
            id: FIRST,
            last_operation: last_operation(11),
            established_ms: 1_700_000_000_000,
            timeout_ms: 30_000,
            last_cxid: 3,
            last_zxid: 0x1_0000_0003,
            last_response_ms: 8_712_345,
            last_latency_ms: 0,
            min_latency_ms: 0,
            avg_latency_ms: 0,
            max_latency_ms: 3,
        };
        let connection = |remote: &str, reads, received, sent, session| ConnectionStatus {
            remote: remote.parse().expect("an address"),
            reads,
            writes: false,
            outstanding: 0,
            received,
            sent,
            session,
        };
        vec![
            connection("127.0.0.1:41264", true, 5, 5, Some(session)),
            connection("127.0.0.1:41265", false, 1, 0, None),
        ]
    }

    fn sessions(&self) -> SessionDump {
        let at = |at_ms, sessions: &[i64]| ExpiringSessions { at_ms, sessions: sessions.to_vec() };
        let sessions = match self.mode {
            Mode::Follower => SessionList::Known(vec![(FIRST, 30_000)]),
            _ => SessionList::Tracked(vec![
                at(1_795_188_065_000, &[FIRST]),
                at(1_795_188_068_000, &[FIRST + 1, 2 * FIRST]),
            ]),
        };
        let paths = vec!["/a".to_owned(), "/b".to_owned()];
        let remotes = self.connections().into_iter().map(|connection| {
            (connection.remote, connection.session.map_or(0, |session| session.id))
        });
        SessionDump {
            sessions,
            ephemerals: vec![EphemeralsOf { session: FIRST, paths }],
            connections: remotes.collect(),
            connections_expire_ms: 1_795_188_065_000,
        }
    }

    fn watches(&self) -> Vec<WatchesOf> {
        let of = |session, paths: &[&str]| {
            let paths = paths.iter().map(|path| (*path).to_owned()).collect();
            WatchesOf { session, paths }
        };
        vec![of(FIRST, &["/a", "/b"]), of(FIRST + 1, &["/b"])]
    }

    fn digests(&self) -> Vec<(Zxid, u64)> {
        vec![(Zxid(0x1_0000_0080), 1_371_985_504)]
    }

    fn quotas(&self) -> Vec<NamespaceQuota> {
        vec![NamespaceQuota {
            namespace: "app".to_owned(),
            count_limit: -1,
            bytes_limit: 100,
            usage: Some((1, 10)),
        }]
    }

    fn directory_sizes(&self) -> DirectorySizes {
        DirectorySizes { data_bytes: 4096, log_bytes: 64 << 20 }
    }

    fn open_files(&self) -> OpenFiles {
        OpenFiles { open: 64, max: 1024 }
    }

    fn reset_server_stats(&mut self) {
        self.resets.0 += 1;
    }

    fn reset_connection_stats(&mut self) {
        self.resets.1 += 1;
    }

    fn proof(&self) -> Option<Lines> {
        let line = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let lines = [("proof_state", "equal"), ("proof_leader", "2"), ("proof_mismatches", "4")];
        (self.mode == Mode::Observer).then(|| lines.map(line).to_vec())
    }

    fn trace_mask(&self) -> i64 {
        self.mask
    }

    fn set_trace_mask(&mut self, mask: i64) {
        self.mask = mask;
    }
}
