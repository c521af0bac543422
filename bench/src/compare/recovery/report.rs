//! What came out of kills and restarts, as a table and as JSON with every value in it.
//!
//! Not here: how it was measured (`failover`, `restart`).

use serde_json::{Value, json};

use super::Restart;
use crate::compare::sample::Spread;
use crate::compare::table::{Table, grouped};

/// One thing of each system.
#[derive(Clone, Debug)]
pub struct Both<T> {
    pub ringkeeper: T,
    pub zookeeper: T,
}

/// From the leader's kill to the next acknowledged write, of every round.
#[derive(Clone, Debug, Default)]
pub struct Failover {
    pub ringkeeper_us: Vec<u64>,
    pub zookeeper_us: Vec<u64>,
}

/// All of it. What was left out is not there.
#[derive(Clone, Debug)]
pub struct Recovery {
    pub znodes: u32,
    pub failover: Option<Failover>,
    /// By number of servers, which `Restart` has a figure for each of.
    pub restarts: Vec<Both<Restart>>,
}

impl Recovery {
    pub(in crate::compare) fn table(&self) -> Table {
        let mut table = Table::new(&["recovery", "Ringkeeper", "ZooKeeper", "ratio"]);
        if let Some(failover) = &self.failover {
            table.push(failover.row());
        }
        for restart in &self.restarts {
            self.push_restart(restart, &mut table);
        }
        table
    }

    fn push_restart(&self, restart: &Both<Restart>, table: &mut Table) {
        let Both { ringkeeper, zookeeper } = restart;
        let znodes = grouped(self.znodes.into());
        let servers = match ringkeeper.resident_bytes.len() {
            1 => "standalone server".to_owned(),
            count => format!("{count} servers"),
        };
        let ms = |restart: &Restart| restart.first_read_us as f64 / 1000.0;
        table.push([
            format!("restart with {znodes} znodes to the first read, {servers}, ms"),
            grouped(ms(ringkeeper)),
            grouped(ms(zookeeper)),
            ratio(ms(ringkeeper), ms(zookeeper)),
        ]);
        let made = [ringkeeper, zookeeper].map(|restart| &restart.resident_bytes);
        let again = [ringkeeper, zookeeper].map(|restart| &restart.resident_bytes_restarted);
        let moments = [("once made", made), ("after the restart", again)];
        for (moment, [ringkeeper, zookeeper]) in moments {
            table.push([
                format!("resident memory with {znodes} znodes, {moment}, {servers}, MB each"),
                megabytes(ringkeeper),
                megabytes(zookeeper),
                ratio(sum(ringkeeper), sum(zookeeper)),
            ]);
        }
    }

    pub(in crate::compare) fn to_json(&self) -> Value {
        let restarts = self.restarts.iter().map(|versus| {
            json!({
                "ringkeeper": restart_json(&versus.ringkeeper),
                "zookeeper": restart_json(&versus.zookeeper),
            })
        });
        json!({
            "leader_killed_to_next_write_us": self.failover.as_ref().map(|failover| json!({
                "ringkeeper": failover_json(&failover.ringkeeper_us),
                "zookeeper": failover_json(&failover.zookeeper_us),
            })),
            "znodes": self.znodes,
            "restarts": restarts.collect::<Vec<_>>(),
        })
    }
}

impl Failover {
    fn row(&self) -> [String; 4] {
        let spread = |times: &[u64]| Spread::of(times.iter().map(|us| *us as f64 / 1000.0));
        let (ringkeeper, zookeeper) = (spread(&self.ringkeeper_us), spread(&self.zookeeper_us));
        let cell = |spread: Spread| {
            let Spread { median, least, greatest } = spread;
            format!("{median:.1} ({least:.1} to {greatest:.1})")
        };
        let kills = self.ringkeeper_us.len();
        [
            format!("leader killed to next acknowledged write, {kills} kills, ms"),
            cell(ringkeeper),
            cell(zookeeper),
            ratio(ringkeeper.median, zookeeper.median),
        ]
    }
}

fn failover_json(times: &[u64]) -> Value {
    let mut json = Spread::of(times.iter().map(|us| *us as f64)).to_json();
    json["all"] = json!(times);
    json
}

fn restart_json(restart: &Restart) -> Value {
    json!({
        "servers": restart.resident_bytes.len(),
        "first_read_us": restart.first_read_us,
        "resident_bytes": restart.resident_bytes,
        "resident_bytes_restarted": restart.resident_bytes_restarted,
        "filled_us": restart.filled_us,
    })
}

/// Ringkeeper's by ZooKeeper's: of times and of memory, below 1 is better.
fn ratio(ringkeeper: f64, zookeeper: f64) -> String {
    format!("**{:.2}**", ringkeeper / zookeeper.max(f64::MIN_POSITIVE))
}

fn sum(bytes: &[u64]) -> f64 {
    bytes.iter().sum::<u64>() as f64
}

fn megabytes(bytes: &[u64]) -> String {
    let each: Vec<String> = bytes.iter().map(|bytes| (bytes / 1_000_000).to_string()).collect();
    each.join(" / ")
}

#[cfg(test)]
mod tests {
    use super::super::super::made_up;

    #[test]
    fn a_row_for_the_kills_and_three_for_each_restart() {
        let recovery = made_up::recovery();
        let rows = recovery.table().rows;
        assert_eq!(rows.len(), 1 + 3 * 2);
        assert_eq!(rows[0][1..], ["21.0 (20.0 to 25.0)", "370.0 (350.0 to 400.0)", "**0.06**"]);
        assert_eq!(rows[1][0], "restart with 1,000,000 znodes to the first read, 3 servers, ms");
        assert_eq!(rows[1][1..], ["300", "3,000", "**0.10**"]);
        assert_eq!(rows[2][1..], ["250 / 251 / 252", "830 / 831 / 832", "**0.30**"]);
        assert!(rows[4][0].contains("standalone server"), "{rows:?}");
    }

    #[test]
    fn the_json_has_every_kill() {
        let json = made_up::recovery().to_json();
        let times = &json["leader_killed_to_next_write_us"]["ringkeeper"];
        assert_eq!(times["all"], serde_json::json!([21_000, 25_000, 20_000]));
        assert_eq!(times["median"], 21_000.0);
        assert_eq!(json["restarts"][1]["zookeeper"]["servers"], 1);
    }
}
