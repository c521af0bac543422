//! One simulated server: a disk that outlives its lives, and the member of the present one.
//!
//! Not here: the network and the clock (`world`), when it dies (`faults`).

use std::rc::Rc;

use ringkeeper::admin::Environment;
use ringkeeper::config::Config;
use ringkeeper::member::{Member, MemberOptions, Output, Role, SnapshotTask};
use ringkeeper::snapshot::Format;
use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::log::{Log, LogOptions, MemoryDisk};
use ringkeeper_engine::quorum::Ensemble;
use ringkeeper_engine::replica::{Replica, ReplicaOptions, Timing};

use super::options::Plan;
use super::witness::{Pledge, Witness};

/// A tick of the simulated servers.
pub(super) const TICK_MS: u64 = 500;

pub(super) struct Server {
    pub disk: MemoryDisk,
    pub member: Option<Member>,
    /// Which life this is; what belongs to an earlier one is dropped.
    pub life: u32,
    /// The earliest moment for which a tick has been asked for.
    pub tick_at: Option<u64>,
    pub outputs: Vec<Output>,
    /// Who writes its snapshots.
    pub task: SnapshotTask,
    /// What its disk is bound to hold.
    pub pledge: Pledge,
    pub ensemble: Option<Ensemble>,
    /// Which side it was on when last looked at.
    pub role: Role,
    /// Its disk takes so many times as long, until then.
    pub slow: (u64, u64),
    /// What it sends and gets takes so many milliseconds more, until then.
    pub lag: (u64, u64),
}

impl Server {
    pub(super) fn new() -> Self {
        Self {
            disk: MemoryDisk::new(),
            member: None,
            life: 0,
            tick_at: None,
            outputs: Vec::new(),
            task: SnapshotTask::default(),
            pledge: Pledge::default(),
            ensemble: None,
            role: Role::Looking,
            slow: (1, 0),
            lag: (0, 0),
        }
    }

    /// Starts a new life from what the disk holds. `Err` where it cannot start.
    pub(super) fn boot(
        &mut self,
        number: usize,
        plan: &Plan,
        witness: &Witness,
    ) -> Result<(), String> {
        assert!(self.member.is_none(), "a server lives one life at a time");
        self.life += 1;
        self.tick_at = None;
        self.task = SnapshotTask::default();
        let me = ServerId(number as i64 + 1);
        let options = LogOptions {
            segment_bytes: plan.segment_bytes,
            batch_bytes_max: 8192,
            passes_over: true,
            ..LogOptions::new(me, 0)
        };
        let entropy = plan.seed ^ (u64::from(self.life) << 32) ^ number as u64;
        let opened = Log::open(&mut self.disk, options, entropy).map_err(|e| e.to_string())?;
        if let Some(damage) = opened.report.damage {
            return Err(format!("damaged after a mere power cut: {damage:?}"));
        }
        witness.check_recovered(&self.pledge, &opened.log, &mut self.disk)?;
        self.pledge = Pledge::default();
        let config = config(plan, number);
        let ensemble = config.quorum.as_ref().map(|quorum| quorum.ensemble.clone());
        let ensemble = ensemble.ok_or("the simulated servers are an ensemble")?;
        self.ensemble = Some(ensemble.clone());
        let replica = Replica::new(replica_options(&config, ensemble), opened.log);
        let options = MemberOptions {
            config: Rc::new(config),
            environment: Rc::new(Environment::of(Vec::new())),
            entropy,
        };
        self.member = Some(Member::new(options, replica));
        Ok(())
    }

    /// The power goes: everything but what was synced is lost, as `seed` has it.
    pub(super) fn crash(&mut self, seed: u64) {
        self.member = None;
        self.outputs.clear();
        self.task = SnapshotTask::default();
        self.disk.crash(seed);
    }
}

fn config(plan: &Plan, number: usize) -> Config {
    let mut text = format!(
        "dataDir=/simulated\ntickTime={TICK_MS}\ninitLimit=10\nsyncLimit=5\nclientPort=2181\n\
         snapCount={}\nmaxClientCnxns=0\n",
        plan.snapshot_txns
    );
    let shape = plan.shape;
    for server in 1..=shape.servers {
        let role = if server > shape.servers - shape.observers { ":observer" } else { "" };
        let ports = format!("{}:{}", 2000 + server, 3000 + server);
        text.push_str(&format!("server.{server}=127.0.0.1:{ports}{role}\n"));
    }
    text.push_str(shape.quorums);
    let myid = (number + 1).to_string();
    let mut read = |path: &std::path::Path| {
        let is_myid = path.ends_with("myid");
        Ok(if is_myid { myid.clone().into_bytes() } else { text.clone().into_bytes() })
    };
    ringkeeper::config::load("simulated.cfg", &[], &mut read)
        .unwrap_or_else(|faults| panic!("the simulator's own configuration: {faults:?}"))
}

fn replica_options(config: &Config, ensemble: Ensemble) -> ReplicaOptions {
    ReplicaOptions {
        me: config.me,
        ensemble,
        timing: Timing {
            tick_ms: config.timing.tick_ms,
            init_limit: config.timing.init_limit_ticks,
            sync_limit: config.timing.sync_limit_ticks,
        },
        standalone: false,
        may_vote_empty: true,
        snapshots: Box::new(Format),
    }
}
