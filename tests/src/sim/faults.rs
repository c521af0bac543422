//! What goes wrong: power cuts, partitions, broken links; and the end of it.
//!
//! Not here: what must hold all the same (`check`).

use std::collections::BTreeSet;

use super::world::{Happening, World};

impl World {
    /// One moment of trouble, drawn from the plan's rates, and the next one.
    pub(super) fn fault(&mut self) -> Result<(), String> {
        if self.is_healed {
            return Ok(());
        }
        let pause = 200 + self.faults.below(1_600);
        self.after(pause, Happening::Fault);
        if self.faults.chance(self.plan.crash_rate) {
            self.crash_some();
        }
        if self.faults.chance(self.plan.partition_rate) {
            self.partition();
        } else if self.faults.chance(300) {
            self.network.heal();
        }
        if self.faults.chance(self.plan.link_break_rate) {
            let ends = self.network.all_ends();
            if let Some(end) = self.faults.pick(&ends).copied() {
                self.break_link(end);
            }
        }
        Ok(())
    }

    /// One server loses its power, or all of them do; each comes back after a while.
    fn crash_some(&mut self) {
        let all = self.faults.chance(150);
        let one = self.faults.below(self.plan.servers as u64) as usize;
        for server in 0..self.plan.servers {
            if !all && server != one || self.servers[server].member.is_none() {
                continue;
            }
            if self.plan.cuts_verbs && self.faults.chance(500) {
                // The power goes somewhere inside the next blocking verbs.
                let verbs = self.faults.below(12);
                self.servers[server].disk.cut_after(verbs);
                let life = self.servers[server].life;
                self.after(2_000, Happening::Cut { server, life });
            } else {
                self.crash(server);
            }
        }
    }

    /// The power of `server` is gone.
    pub(super) fn crash(&mut self, server: usize) {
        self.report.crashes += 1;
        let seed = self.faults.next();
        self.servers[server].crash(seed);
        for end in self.network.ends_of(server) {
            self.break_link(end);
        }
        self.drop_clients_of(server);
        let pause = 50 + self.faults.below(6_000);
        self.after(pause, Happening::Boot { server });
    }

    fn partition(&mut self) {
        self.report.partitions += 1;
        let mut group = BTreeSet::new();
        for server in 0..self.plan.servers {
            if self.faults.chance(500) {
                group.insert(server);
            }
        }
        for end in self.network.partition(&group, self.plan.servers) {
            self.break_link(end);
        }
    }

    /// Whatever is on the link is lost; each end hears of it in its own time.
    pub(super) fn break_link(&mut self, end: super::network::End) {
        let Some(other) = self.network.disconnect(end) else { return };
        for end in [end, other] {
            let delay = 1 + self.faults.below(300);
            self.after(delay, Happening::LinkClosed { end });
        }
    }

    /// Nothing goes wrong any more; whoever is down comes back.
    pub(super) fn heal(&mut self) {
        self.is_healed = true;
        self.network.heal();
        for server in 0..self.plan.servers {
            if self.servers[server].disk.is_cut() {
                self.crash(server);
            }
            if self.servers[server].member.is_none() {
                self.after(100, Happening::Boot { server });
            }
        }
    }

    /// Whether everybody serves, nothing is under way, and all trees have come as far.
    pub(super) fn is_at_rest(&self) -> bool {
        let mut last = None;
        for server in &self.servers {
            let Some(member) = &server.member else { return false };
            let zxid = member.database().last_zxid();
            let is_level = *last.get_or_insert(zxid) == zxid;
            if !is_level || !member.role().serves() || !member.is_quiet() {
                return false;
            }
        }
        self.clients.iter().all(super::client::Client::is_idle)
    }

    /// Who is what, for a run that does not come to rest.
    pub(super) fn state(&self) -> String {
        let one = |server: &super::server::Server| match &server.member {
            Some(member) => {
                let (role, zxid) = (member.role(), member.database().last_zxid());
                format!("{role:?} at {zxid:?} quiet {}", member.is_quiet())
            }
            None => "down".to_owned(),
        };
        let servers: Vec<String> = self.servers.iter().map(one).collect();
        let idle: Vec<bool> = self.clients.iter().map(|client| client.is_idle()).collect();
        format!("{} | clients idle: {idle:?}", servers.join(", "))
    }
}
