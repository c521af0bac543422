//! How both systems come back: from the death of their leader, and from a stop with many znodes.
//!
//! The kills go round by round in turns, A B, B A, on the ensembles that the load has warmed. The
//! restarts have the machine to themselves: one system's servers at a time.
//!
//! - `link`: a client whose every step waits.
//! - `failover`, `restart`: what is measured.
//! - `report`: the table and the raw figures.
//!
//! Not here: starting and ending processes (`ensemble`).

mod failover;
mod link;
mod report;
mod restart;

use std::path::Path;

use super::{Ensemble, EnsembleError, System};

pub use failover::leader_killed;
pub use link::LinkError;
pub use report::{Both, Failover, Recovery};
pub use restart::{Restart, restart};

/// Data of each znode.
const BYTES: usize = 100;

/// Fewer servers lose their quorum with one.
const SERVERS_MIN: u8 = 3;

/// What is measured beside the load.
#[derive(Clone, Debug, clap::Args)]
pub struct RecoveryOptions {
    /// Leave out kills and restarts.
    #[arg(long)]
    pub no_recovery: bool,
    /// How often each system's leader is killed; with fewer than 3 servers never.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub kills: u16,
    /// Znodes of 100 bytes that servers are restarted with; none leaves the restarts out.
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u32).range(..=10_000_000))]
    pub znodes: u32,
}

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error("{0}")]
    Ensemble(#[from] EnsembleError),
    #[error("{0}")]
    Link(#[from] LinkError),
    #[error("{system}: {error}")]
    Round { system: &'static str, error: Box<RecoveryError> },
    #[error("no server leads")]
    NoLeader,
    #[error("no server follows")]
    NoFollower,
    #[error("no write was acknowledged within a minute of the leader's end")]
    NoWrite,
    #[error("no read was answered within two minutes of the start")]
    NoRead,
    #[error("a request that must succeed was refused with code {0}")]
    Refused(i32),
}

/// Kills each leader so often as the options say, in turns. `sides` are Ringkeeper's ensemble and
/// ZooKeeper's, with their names.
pub(super) fn failover(
    options: &RecoveryOptions,
    servers: u8,
    sides: [(&'static str, &mut Ensemble); 2],
    say: &dyn Fn(String),
) -> Result<Option<Failover>, RecoveryError> {
    if servers < SERVERS_MIN || options.kills == 0 {
        return Ok(None);
    }
    let round = |(name, ensemble): &mut (&'static str, &mut Ensemble), kill: u16| {
        let failed = |error| RecoveryError::Round { system: name, error: Box::new(error) };
        let us = leader_killed(ensemble).map_err(failed)?;
        let (ms, of) = (us as f64 / 1000.0, options.kills);
        say(format!("{name:<12} leader killed, {kill} of {of}: next write after {ms:.1} ms"));
        Ok::<_, RecoveryError>(us)
    };
    let [mut ringkeeper, mut zookeeper] = sides;
    let mut times = Failover::default();
    for kill in 1..=options.kills {
        if kill % 2 == 1 {
            times.ringkeeper_us.push(round(&mut ringkeeper, kill)?);
            times.zookeeper_us.push(round(&mut zookeeper, kill)?);
        } else {
            times.zookeeper_us.push(round(&mut zookeeper, kill)?);
            times.ringkeeper_us.push(round(&mut ringkeeper, kill)?);
        }
    }
    Ok(Some(times))
}

/// Fills, stops and starts ensembles of `servers`, and single servers, one system after the other.
pub(super) fn restarts(
    options: &RecoveryOptions,
    servers: u8,
    [ringkeeper, zookeeper]: &[System; 2],
    folder: &Path,
    say: &dyn Fn(String),
) -> Result<Vec<Both<Restart>>, RecoveryError> {
    if options.znodes == 0 {
        return Ok(Vec::new());
    }
    let measure = |system: &System, count: u8| {
        let (name, znodes) = (system.short_name(), options.znodes);
        say(format!("{name:<12} {count} servers, making {znodes} znodes"));
        let failed = |error| RecoveryError::Round { system: name, error: Box::new(error) };
        let restarted = restart(system, count.into(), znodes, folder).map_err(failed)?;
        let ms = restarted.first_read_us as f64 / 1000.0;
        let mb: Vec<u64> = restarted.resident_bytes.iter().map(|bytes| bytes / 1_000_000).collect();
        say(format!("{name:<12} restarted: first read after {ms:.0} ms; {mb:?} MB before"));
        Ok::<_, RecoveryError>(restarted)
    };
    let mut counts = vec![servers, 1];
    counts.dedup();
    counts
        .into_iter()
        .map(|count| {
            let ringkeeper = measure(ringkeeper, count)?;
            Ok(Both { ringkeeper, zookeeper: measure(zookeeper, count)? })
        })
        .collect()
}
