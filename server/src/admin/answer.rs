//! What each word answers.
//!
//! The answer is sent as it is and the connection closed. A word that the whitelist does not know
//! is told so; while nobody is served, the words that need a tree say that instead.
//!
//! Not here: the longer texts (`brief`, `dump`, `monitor`).

use std::fmt::Write as _;

use ringkeeper_engine::quorum::{Address, Role};

use crate::config::{BACKLOG_DEFAULT, Config};

use super::status::Status;
use super::{Whitelist, Word, brief, dump, monitor};

const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

/// Appends the answer to `word`. `argument` is what followed it, see [`Word::argument_bytes`].
pub fn answer(
    word: Word,
    argument: &[u8],
    whitelist: &Whitelist,
    status: &mut dyn Status,
    out: &mut String,
) {
    if !whitelist.allows(word) {
        let _ =
            writeln!(out, "{} is not executed because it is not in the whitelist.", word.name());
        return;
    }
    let Some(server) = status.server() else {
        return without_service(word, argument, status, out);
    };
    match word {
        Word::Conf => configuration(out, status),
        Word::Cons => brief::connections(out, status),
        Word::Crst => {
            status.reset_connection_stats();
            out.push_str("Connection stats reset.\n");
        }
        Word::Dirs => {
            let sizes = status.directory_sizes();
            let _ = writeln!(out, "datadir_size: {}", sizes.data_bytes);
            let _ = writeln!(out, "logdir_size: {}", sizes.log_bytes);
        }
        Word::Dump => dump::sessions(out, &status.sessions()),
        Word::Hash => {
            for (zxid, digest) in status.digests() {
                let _ = writeln!(out, "{:x}: {digest}", zxid.0);
            }
        }
        Word::Mntr => monitor::monitor(out, &server, status),
        Word::Srst => {
            status.reset_server_stats();
            out.push_str("Server stats reset.\n");
        }
        Word::Srvr => brief::server(out, &server, status.metrics(), None),
        Word::Stat => {
            brief::server(out, &server, status.metrics(), Some(&status.connections()));
        }
        Word::Wchc => dump::watches_by_session(out, status),
        Word::Wchp => dump::watches_by_path(out, status),
        Word::Wchs => dump::watch_summary(out, status),
        Word::Isro => out.push_str("rw"),
        Word::Envi | Word::Gtmk | Word::Proof | Word::Ruok | Word::Stmk | Word::TelnetClose => {
            always(word, argument, status, out);
        }
    }
}

fn without_service(word: Word, argument: &[u8], status: &mut dyn Status, out: &mut String) {
    match word {
        Word::Isro => out.push_str("null"),
        word if word.needs_no_service() => always(word, argument, status, out),
        // Compat: this one text ends without a newline (`DigestCommand`, 3.9.5).
        Word::Hash => out.push_str(NOT_SERVING),
        _ => {
            let _ = writeln!(out, "{NOT_SERVING}");
        }
    }
}

/// Words that answer the same whether clients are served or not.
fn always(word: Word, argument: &[u8], status: &mut dyn Status, out: &mut String) {
    match word {
        Word::Ruok => out.push_str("imok"),
        Word::Envi => {
            out.push_str("Environment:\n");
            for (key, value) in status.environment().entries() {
                let _ = writeln!(out, "{key}={value}");
            }
        }
        Word::Proof => match status.proof() {
            Some(lines) => lines.iter().for_each(|(key, value)| {
                let _ = writeln!(out, "{key}\t{value}");
            }),
            None => out.push_str("This server is not in proof mode (ringkeeper.proof).\n"),
        },
        Word::Gtmk => {
            let _ = write!(out, "{}", status.trace_mask());
        }
        Word::Stmk => {
            // Without its eight bytes there is no mask to set, and no answer.
            let Ok(mask) = <[u8; 8]>::try_from(argument) else { return };
            let mask = i64::from_be_bytes(mask);
            status.set_trace_mask(mask);
            let _ = write!(out, "{mask}");
        }
        _ => {}
    }
}

/// `conf`.
fn configuration(out: &mut String, status: &dyn Status) {
    let config = status.config();
    let mut put = |key: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(out, "{key}={value}");
    };
    let sizes = status.directory_sizes();
    let client = config.client_port.as_ref();
    // Compat: -1 stands for Java's own default, as in the file.
    let backlog = client.map_or(-1, |client| match client.backlog {
        BACKLOG_DEFAULT => -1,
        backlog => i64::from(backlog),
    });
    put("clientPort", &client.map_or(-1, |client| i32::from(client.port)));
    put("secureClientPort", &-1);
    put("dataDir", &config.data.data_dir.join("ringkeeper").display());
    put("dataDirSize", &sizes.data_bytes);
    put("dataLogDir", &config.data.data_log_dir.join("ringkeeper/log").display());
    put("dataLogSize", &sizes.log_bytes);
    put("tickTime", &config.timing.tick_ms);
    put("maxClientCnxns", &config.connections.per_address_max.unwrap_or(0));
    put("minSessionTimeout", &config.sessions.timeout_ms_min);
    put("maxSessionTimeout", &config.sessions.timeout_ms_max);
    put("clientPortListenBacklog", &backlog);
    put("serverId", &config.quorum.as_ref().map_or(0, |_| config.me.0));
    quorum_configuration(out, config, status);
}

fn quorum_configuration(out: &mut String, config: &Config, status: &dyn Status) {
    let Some(quorum) = &config.quorum else { return };
    let Some(ensemble) = status.ensemble() else { return };
    let ports = |addresses: &[Address]| {
        let ports: Vec<String> = addresses.iter().map(|a| a.port.to_string()).collect();
        ports.join("|")
    };
    let me = ensemble.member(config.me);
    let _ = writeln!(out, "initLimit={}", config.timing.init_limit_ticks);
    let _ = writeln!(out, "syncLimit={}", config.timing.sync_limit_ticks);
    out.push_str("electionAlg=3\n");
    let _ = writeln!(out, "electionPort={}", me.map_or(String::new(), |me| ports(&me.election)));
    let _ = writeln!(out, "quorumPort={}", me.map_or(String::new(), |me| ports(&me.quorum)));
    let _ = writeln!(out, "peerType={}", u8::from(quorum.role == Role::Observer));
    // Compat: a blank before the line's end, and none after the text (`QuorumZooKeeperServer`).
    let _ = write!(out, "membership: \n{}", ensemble.to_text());
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, answer_of};
    use super::*;

    #[test]
    fn a_word_that_is_not_whitelisted_is_told_so() {
        let mut out = String::new();
        let whitelist = Whitelist::new([]);
        answer(Word::Ruok, &[], &whitelist, &mut Sample::standalone(), &mut out);
        assert_eq!(out, "ruok is not executed because it is not in the whitelist.\n");
    }

    #[test]
    fn while_nobody_is_served_only_some_words_answer() {
        let mut sample = Sample::standalone();
        sample.serving = false;
        let mut check = |word, expected: &str| assert_eq!(answer_of(&mut sample, word), expected);
        let not_serving = format!("{NOT_SERVING}\n");
        check(Word::Srvr, &not_serving);
        check(Word::Mntr, &not_serving);
        check(Word::Dirs, &not_serving);
        check(Word::Hash, NOT_SERVING);
        check(Word::Ruok, "imok");
        check(Word::Isro, "null");
        check(Word::Gtmk, "306");
        check(Word::TelnetClose, "");
    }

    #[test]
    fn short_answers_are_zookeepers() {
        let mut sample = Sample::leader();
        let mut check = |word, expected: &str| assert_eq!(answer_of(&mut sample, word), expected);
        check(Word::Ruok, "imok");
        check(Word::Isro, "rw");
        check(Word::Srst, "Server stats reset.\n");
        check(Word::Crst, "Connection stats reset.\n");
        check(Word::Dirs, "datadir_size: 4096\nlogdir_size: 67108864\n");
        check(Word::Hash, "100000080: 1371985504\n");
        check(Word::Envi, "Environment:\nzookeeper.version=x\nhost.name=zk1\n");
        assert_eq!(sample.resets, (1, 1));
    }

    #[test]
    fn proof_answers_in_proof_mode_alone_and_its_numbers_stand_in_mntr() {
        let told = "proof_state\tequal\nproof_leader\t2\nproof_mismatches\t4\n";
        assert_eq!(answer_of(&mut Sample::observer(), Word::Proof), told);
        let mut away = Sample::observer();
        away.serving = false;
        assert_eq!(answer_of(&mut away, Word::Proof), told, "also while nobody is served");
        let elsewhere = answer_of(&mut Sample::leader(), Word::Proof);
        assert_eq!(elsewhere, "This server is not in proof mode (ringkeeper.proof).\n");
        let mntr = answer_of(&mut Sample::observer(), Word::Mntr);
        assert!(mntr.contains("\nzk_proof_mismatches\t4\n") && !mntr.contains("proof_state"));
    }

    #[test]
    fn stmk_sets_the_mask_that_follows_it() {
        let mut sample = Sample::standalone();
        let mut out = String::new();
        let whitelist = Whitelist::new(["*"]);
        answer(Word::Stmk, &512i64.to_be_bytes(), &whitelist, &mut sample, &mut out);
        assert_eq!((out.as_str(), sample.mask), ("512", 512));
        assert_eq!(answer_of(&mut sample, Word::Gtmk), "512");
        assert_eq!(answer_of(&mut sample, Word::Stmk), "", "its argument is missing");
    }

    #[test]
    fn srvr_of_a_leader_ends_with_the_proposal_sizes() {
        let expected = format!(
            "Zookeeper version: {}\n\
             Latency min/avg/max: 0/0.5714/2\n\
             Received: 70\n\
             Sent: 69\n\
             Connections: 1\n\
             Outstanding: 0\n\
             Zxid: 0x100000003\n\
             Mode: leader\n\
             Node count: 5\n\
             Proposal sizes last/min/max: 48/48/61\n",
            super::super::VERSION
        );
        assert_eq!(answer_of(&mut Sample::leader(), Word::Srvr), expected);
        let standalone = answer_of(&mut Sample::standalone(), Word::Srvr);
        assert!(standalone.ends_with("Mode: standalone\nNode count: 5\n"));
    }

    #[test]
    fn stat_has_the_connections_in_short_and_cons_in_full() {
        let stat = answer_of(&mut Sample::leader(), Word::Stat);
        let expected = "Clients:\n \
             /127.0.0.1:41264[1](queued=0,recved=5,sent=5)\n \
             /127.0.0.1:41265[0](queued=0,recved=1,sent=0)\n\nLatency";
        assert!(stat.contains(expected), "{stat}");
        assert_eq!(
            answer_of(&mut Sample::leader(), Word::Cons),
            " /127.0.0.1:41264[1](queued=0,recved=5,sent=5,sid=0x10000000000,lop=PING,\
             est=1700000000000,to=30000,lcxid=0x3,lzxid=0x100000003,lresp=8712345,llat=0,\
             minlat=0,avglat=0,maxlat=3)\n \
             /127.0.0.1:41265[0](queued=0,recved=1,sent=0)\n\n"
        );
    }

    #[test]
    fn conf_of_a_member_ends_with_the_ensemble() {
        assert_eq!(
            answer_of(&mut Sample::leader(), Word::Conf),
            "clientPort=2181\nsecureClientPort=-1\ndataDir=/d/ringkeeper\ndataDirSize=4096\n\
             dataLogDir=/d/ringkeeper/log\ndataLogSize=67108864\ntickTime=3000\nmaxClientCnxns=60\n\
             minSessionTimeout=6000\nmaxSessionTimeout=60000\nclientPortListenBacklog=-1\n\
             serverId=1\ninitLimit=10\nsyncLimit=5\nelectionAlg=3\nelectionPort=3888\n\
             quorumPort=2888\npeerType=0\nmembership: \n\
             server.1=zk1:2888:3888:participant\nserver.2=zk2:2888:3888:participant\n\
             server.3=zk3:2888:3888:participant\nversion=0"
        );
        let standalone = answer_of(&mut Sample::standalone(), Word::Conf);
        assert!(standalone.ends_with("serverId=0\n"));
    }

    #[test]
    fn dump_lists_sessions_by_the_moment_they_expire() {
        assert_eq!(
            answer_of(&mut Sample::leader(), Word::Dump),
            "SessionTracker dump:\n\
             Session Sets (2)/(3):\n\
             1 expire at Fri Nov 20 15:21:05 UTC 2026:\n\t0x10000000000\n\
             2 expire at Fri Nov 20 15:21:08 UTC 2026:\n\t0x10000000001\n\t0x20000000000\n\
             ephemeral nodes dump:\n\
             Sessions with Ephemerals (1):\n\
             0x10000000000:\n\t/a\n\t/b\n\
             Connections dump:\n\
             Connections Sets (1)/(2):\n\
             2 expire at Fri Nov 20 15:21:05 UTC 2026:\n\
             \tip: /127.0.0.1:41264 sessionId: 0x10000000000\n\
             \tip: /127.0.0.1:41265 sessionId: 0x0\n"
        );
        let learner = answer_of(&mut Sample::follower(), Word::Dump);
        assert!(learner.contains("Global Sessions(1):\n0x10000000000\t30000ms\n"), "{learner}");
    }

    #[test]
    fn watches_are_listed_by_session_by_path_and_in_sum() {
        let check =
            |word, expected: &str| assert_eq!(answer_of(&mut Sample::leader(), word), expected);
        check(Word::Wchs, "2 connections watching 2 paths\nTotal watches:3\n");
        check(Word::Wchc, "0x10000000000\n\t/a\n\t/b\n0x10000000001\n\t/b\n\n");
        check(Word::Wchp, "/a\n\t0x10000000000\n/b\n\t0x10000000000\n\t0x10000000001\n\n");
    }

    #[test]
    fn mntr_has_the_keys_monitors_ask_for() {
        let mntr = answer_of(&mut Sample::leader(), Word::Mntr);
        assert!(mntr.starts_with(&format!(
            "zk_version\t{}\nzk_server_state\tleader\n",
            super::super::VERSION
        )));
        let has = |line: &str| assert!(mntr.lines().any(|l| l == line), "{line} in\n{mntr}");
        has("zk_peer_state\tleading - broadcast");
        has("zk_quorum_size\t3");
        has("zk_avg_latency\t0.5714");
        has("zk_znode_count\t5");
        has("zk_synced_followers\t2");
        has("zk_min_proposal_size\t48");
        has("zk_min_client_response_size\t-1");
        has("zk_connection_drop_probability\t0.0");
        has("zk_app_quota_count_limit_per_namespace\t-1");
        has("zk_commit_count\t7");
        has("zk_avg_fsynctime\t0.0");
        has("zk_cnt_updatelatency\t1");
        has("zk_p999_updatelatency\t4");
        let keys: Vec<&str> = mntr.lines().filter_map(|l| l.split('\t').next()).collect();
        let mut distinct = keys.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(keys.len(), distinct.len(), "no key stands twice");
        let standalone = answer_of(&mut Sample::standalone(), Word::Mntr);
        assert!(!standalone.contains("zk_peer_state") && !standalone.contains("zk_learners"));
    }
}
