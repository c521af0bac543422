//! What goes wrong: power cuts, partitions, broken links; and the end of it.
//!
//! Not here: what must hold all the same (`check`).

use std::collections::BTreeSet;

use ringkeeper::wire::SessionId;

use super::client::Client;
use super::server::Server;
use super::world::{Happening, World};

/// Within this a healed ensemble takes writes.
const RECOVERY_MS: u64 = 10_000;

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
            self.heal_network();
        }
        if self.faults.chance(self.plan.link_break_rate) {
            let ends = self.network.all_ends();
            if let Some(end) = self.faults.pick(&ends).copied() {
                self.break_link(end);
            }
        }
        if self.faults.chance(self.plan.slow_disk_rate) {
            let server = self.any_server();
            let (factor, ms) = (self.faults.between(10, 60), self.faults.between(500, 5_000));
            self.servers[server].slow = (factor, self.now + ms);
        }
        if self.faults.chance(self.plan.lag_rate) {
            let server = self.any_server();
            let (extra, ms) = (self.faults.between(20, 400), self.faults.between(500, 5_000));
            self.servers[server].lag = (extra, self.now + ms);
        }
        Ok(())
    }

    fn any_server(&mut self) -> usize {
        self.faults.below(self.plan.shape.servers as u64) as usize
    }

    fn leader(&self) -> Option<usize> {
        let leads = |server: &Server| server.member.as_ref().is_some_and(|m| m.role().leads());
        self.servers.iter().position(leads)
    }

    /// One server loses its power, often the leader, or all of them do; each comes back.
    fn crash_some(&mut self) {
        let all = self.faults.chance(150);
        let any = self.any_server();
        let leader = self.leader().filter(|_| self.faults.chance(300));
        for server in 0..self.plan.shape.servers {
            if all || server == leader.unwrap_or(any) {
                self.crash_somehow(server);
            }
        }
    }

    fn crash_somehow(&mut self, server: usize) {
        if self.servers[server].member.is_none() {
            return;
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

    /// Something delicate begins at `server`: the power may go in the midst of it, here, at the
    /// leader as well, or everywhere.
    pub(super) fn lie_in_ambush(&mut self, server: usize) {
        if self.is_healed || !self.faults.chance(self.plan.ambush_rate) {
            return;
        }
        self.report.ambushes += 1;
        let ms = self.faults.below(4 * self.plan.disk_ms.1 + 2);
        let everywhere = self.faults.chance(400);
        let leader = self.leader().filter(|_| self.faults.chance(300));
        for victim in 0..self.plan.shape.servers {
            if everywhere || victim == server || Some(victim) == leader {
                let life = self.servers[victim].life;
                self.after(ms, Happening::Cut { server: victim, life });
            }
        }
    }

    /// The power of `server` is gone.
    pub(super) fn crash(&mut self, server: usize) {
        self.report.crashes += 1;
        let seed = self.faults.draw();
        self.servers[server].crash(seed);
        for end in self.network.ends_of(server) {
            self.break_link(end);
        }
        self.drop_clients_of(server);
        let longest = if self.faults.chance(300) { 500 } else { 6_000 };
        let pause = 50 + self.faults.below(longest);
        self.after(pause, Happening::Boot { server });
    }

    /// Cuts the servers in two, or the leader off from most others.
    fn partition(&mut self) {
        self.report.partitions += 1;
        let leader = self.leader().filter(|_| self.faults.chance(400));
        let mut group: BTreeSet<usize> = leader.into_iter().collect();
        for server in 0..self.plan.shape.servers {
            if self.faults.chance(if leader.is_some() { 200 } else { 500 }) {
                group.insert(server);
            }
        }
        // Half of them are silent: links look whole until somebody loses patience.
        let is_silent = self.faults.chance(500);
        for end in self.network.partition(&group, self.plan.shape.servers) {
            if is_silent {
                self.network.stick(end);
            } else {
                self.break_link(end);
            }
        }
    }

    fn heal_network(&mut self) {
        for end in self.network.heal() {
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
        for server in &mut self.servers {
            (server.slow, server.lag) = ((1, 0), (0, 0));
        }
        self.heal_network();
        for server in 0..self.plan.shape.servers {
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
        let alive = self.sessions_alive();
        let is_over = *self.witness.model.sessions() == alive;
        is_over && self.clients.iter().all(|client| client.is_idle() && self.has_recovered(client))
    }

    /// The sessions that clients hold.
    pub(super) fn sessions_alive(&self) -> BTreeSet<SessionId> {
        self.clients.iter().map(|client| client.session()).collect()
    }

    /// Whether a write of this client that was asked for after the healing was acknowledged.
    fn has_recovered(&self, client: &Client) -> bool {
        client.acked_asked_ms >= self.plan.trouble_ms
    }

    /// Liveness: once all is healed, the ensemble takes writes again within a bound.
    pub(super) fn check_recovery(&mut self) -> Result<(), String> {
        if !self.is_healed || self.report.recovery_ms > 0 {
            return Ok(());
        }
        let since = self.now - self.plan.trouble_ms;
        if self.clients.iter().any(|client| self.has_recovered(client)) {
            self.report.recovery_ms = since.max(1);
        } else if since > RECOVERY_MS {
            let state = self.state();
            return Err(format!("no write acknowledged {since} ms after the healing: {state}"));
        }
        Ok(())
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
