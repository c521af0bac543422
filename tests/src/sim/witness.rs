//! What must hold after every step, seen from outside all servers at once.
//!
//! - One order: a zxid is the same bytes wherever it was ever appended, and a tree's digest at a
//!   zxid is the same on every server, in every life (P1, P14).
//! - What is decided is durable on a quorum at that moment, and every later leader has it (P2).
//! - One leader reigns in an epoch; what a server promised or followed it never forgets (law 10).
//! - What a disk was said to hold, it holds after the power failed (law 2).
//!
//! Not here: what clients see (`client`), the end of a run (`check`).

use std::collections::BTreeMap;

use ringkeeper::member::{Member, Role};
use ringkeeper_engine::checksum::crc32c_of;
use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::log::{Disk, History, Log};
use ringkeeper_engine::quorum::Ensemble;
use ringkeeper_engine::replica::State;
use ringkeeper_engine::zab::packets::{Kind, Packet};
use ringkeeper_engine::zxid::{Epoch, Zxid};

use super::model::{Model, expiry_of};
use super::server::Server;

/// What one server's disk is bound to hold.
#[derive(Clone)]
pub(super) struct Pledge {
    accepted: Epoch,
    current: Epoch,
    durable: Zxid,
    history: History,
    /// A TRUNC or SNAP is being obeyed: what is durable may shrink.
    pub cuts_back: bool,
    /// The epoch its leader offered last, and the newest that it has promised.
    offered: Epoch,
    promised: Epoch,
    /// Appended and looked at.
    seen: Zxid,
}

impl Default for Pledge {
    fn default() -> Self {
        Self {
            accepted: Epoch(0),
            current: Epoch(0),
            durable: Zxid::ZERO,
            history: History::new(Zxid::ZERO),
            cuts_back: false,
            offered: Epoch(0),
            promised: Epoch(0),
            seen: Zxid::ZERO,
        }
    }
}

impl Pledge {
    /// A leader's first packet in what reaches this server.
    pub(super) fn hears(&mut self, kind: Kind, zxid: Zxid) {
        match kind {
            Kind::LeaderInfo => self.offered = zxid.epoch(),
            Kind::Trunc | Kind::Snap => self.cuts_back = true,
            _ => {}
        }
    }

    /// The first packet in what this server sends.
    pub(super) fn says(&mut self, kind: Kind) {
        if kind == Kind::AckEpoch {
            self.promised = self.promised.max(self.offered);
        }
    }

    fn holds(&self, zxid: Zxid) -> bool {
        zxid <= self.durable && has(&self.history, zxid)
    }
}

/// Whether a log with this history has `zxid`, itself or in the snapshot under it.
fn has(history: &History, zxid: Zxid) -> bool {
    zxid <= history.base() || history.contains(zxid)
}

struct Reign {
    server: usize,
    life: u32,
    began_with: Zxid,
}

/// A session that a leader heard from by itself, and must not end before its time.
struct Heard {
    epoch: Epoch,
    at: u64,
    timeout_ms: u64,
}

#[derive(Default)]
pub(super) struct Witness {
    pub model: Model,
    digests: BTreeMap<Zxid, i64>,
    /// Every txn that any log was ever given, and which one stood before it.
    txns: BTreeMap<Zxid, Vec<u8>>,
    before: BTreeMap<Zxid, Zxid>,
    reigns: BTreeMap<Epoch, Reign>,
    heard: BTreeMap<i64, Heard>,
}

impl Witness {
    /// The newest epoch in which a leader began to reign.
    pub(super) fn newest_reign(&self) -> Option<Epoch> {
        self.reigns.last_key_value().map(|(epoch, _)| *epoch)
    }

    pub(super) fn reigns(&self) -> u64 {
        self.reigns.len() as u64
    }

    /// A client spoke to the server that leads: its session is alive from now on.
    pub(super) fn heard(&mut self, session: i64, epoch: Epoch, at: u64, timeout_ms: u64) {
        self.heard.insert(session, Heard { epoch, at, timeout_ms });
    }

    /// After a step of `servers[number]`.
    pub(super) fn after_step(
        &mut self,
        number: usize,
        servers: &mut [Server],
        now: u64,
    ) -> Result<(), String> {
        let Some(member) = &servers[number].member else { return Ok(()) };
        let mut pledge = std::mem::take(&mut servers[number].pledge);
        let told = self.look(number, member, &mut pledge, now);
        servers[number].pledge = pledge;
        told.map_err(|why| format!("server {}: {why}", number + 1))?;
        self.check_decided(number, servers).map_err(|why| format!("server {}: {why}", number + 1))
    }

    fn look(
        &mut self,
        number: usize,
        member: &Member,
        pledge: &mut Pledge,
        now: u64,
    ) -> Result<(), String> {
        let log = member.replica().log();
        let (applied, status) = (member.database().last_zxid(), member.replica().status());
        let is_learner = matches!(status.state, State::Following | State::Observing);
        if member.role().serves() {
            pledge.cuts_back = false;
        } else if is_learner && applied > log.durable() {
            return Err(format!("applies {applied:?} before it is durable (L2)"));
        }
        if log.durable() < pledge.durable && !pledge.cuts_back {
            return Err(format!("durable {:?} after {:?}", log.durable(), pledge.durable));
        }
        self.look_at_appended(number, member, pledge, now)?;
        let superblock = log.superblock();
        (pledge.accepted, pledge.current) = (superblock.accepted_epoch, superblock.current_epoch);
        pledge.durable = log.durable();
        if pledge.history != *log.history() {
            pledge.history.clone_from(log.history());
        }
        self.check_tree(member)
    }

    /// A zxid is the same txn in whatever log it ever stood.
    fn look_at_appended(
        &mut self,
        number: usize,
        member: &Member,
        pledge: &mut Pledge,
        now: u64,
    ) -> Result<(), String> {
        let replica = member.replica();
        let last = replica.log().appended();
        if !has(replica.log().history(), pledge.seen) || pledge.seen > last {
            // Cut back: what is left was looked at before.
            pledge.seen = replica.log().history().base().max(replica.proposals().base());
        }
        let mut before = pledge.seen.max(replica.proposals().base());
        for (zxid, payload) in replica.proposals().payloads(pledge.seen, last) {
            let known = *self.before.entry(zxid).or_insert(before);
            if known != before {
                return Err(format!("{zxid:?} after {before:?}, elsewhere after {known:?} (P1)"));
            }
            before = zxid;
            if let Some(session) = expiry_of(payload)
                && !self.txns.contains_key(&zxid)
            {
                self.check_expiry(session.0, zxid, now)?;
            }
            let known = self.txns.entry(zxid).or_insert_with(|| payload.to_vec());
            if known != payload {
                return Err(format!("{zxid:?} is not what server {number} was given (P1)"));
            }
        }
        pledge.seen = last;
        Ok(())
    }

    /// P9: whom its leader hears does not expire. A leader notes a connection once a tick.
    fn check_expiry(&self, session: i64, zxid: Zxid, now: u64) -> Result<(), String> {
        let Some(heard) = self.heard.get(&session) else { return Ok(()) };
        let due = heard.at + heard.timeout_ms - super::server::TICK_MS;
        if heard.epoch == zxid.epoch() && now < due {
            return Err(format!(
                "session {session:#x} ends at {now}, heard at {}, timeout {} (P9)",
                heard.at, heard.timeout_ms
            ));
        }
        Ok(())
    }

    /// The tree is the one that everybody has, or had, at this zxid.
    fn check_tree(&mut self, member: &Member) -> Result<(), String> {
        let db = member.database();
        let (zxid, digest) = (db.last_zxid(), db.digest().0);
        let known = *self.digests.entry(zxid).or_insert(digest);
        if known != digest {
            return Err(format!("digest {digest} at {zxid:?}, another had {known} (P1, P14)"));
        }
        if db.digest_mismatches() > 0 {
            return Err("a txn's digest did not match (P14)".into());
        }
        Ok(())
    }

    fn check_decided(&mut self, number: usize, servers: &[Server]) -> Result<(), String> {
        let server = &servers[number];
        let Some(member) = &server.member else { return Ok(()) };
        let status = member.replica().status();
        if let Role::Leading { epoch } = member.role()
            && status.is_serving
        {
            let reign = Reign { server: number, life: server.life, began_with: status.decided };
            let known = self.reigns.entry(epoch).or_insert(reign);
            if (known.server, known.life) != (number, server.life) {
                return Err(format!("{epoch:?} is server {}'s", known.server + 1));
            }
            if status.decided > self.model.last() {
                check_quorum(status.decided, servers)?;
            }
            self.decide(epoch, status.decided)?;
        }
        let applied = member.database().last_zxid();
        if member.role().serves() && applied > self.model.last() {
            return Err(format!("{applied:?} is applied, {:?} decided", self.model.last()));
        }
        Ok(())
    }

    /// Replays what a leader has decided: what all others decided before it, and more (P2). One
    /// that is deposed and does not know decides nothing new.
    fn decide(&mut self, epoch: Epoch, decided: Zxid) -> Result<(), String> {
        let last = self.model.last();
        let is_newest = self.newest_reign() == Some(epoch);
        if decided <= last {
            let is_behind = is_newest && decided < last;
            return if is_behind { Err(format!("leads without {last:?} (P2)")) } else { Ok(()) };
        }
        if !is_newest {
            return Err(format!("decides {decided:?}, and a newer leader reigns (P2)"));
        }
        let mut line = Vec::new();
        let mut zxid = decided;
        while zxid > last {
            line.push(zxid);
            let before = self.before.get(&zxid).copied();
            zxid = before.ok_or_else(|| format!("{zxid:?} is decided, and in nobody's log"))?;
        }
        if zxid != last {
            return Err(format!("decided {decided:?} without {last:?}, decided before (P2)"));
        }
        for zxid in line.into_iter().rev() {
            self.model.apply(zxid, &self.txns[&zxid])?;
        }
        Ok(())
    }

    /// The power is back and the log recovered: it holds what it was said to hold.
    pub(super) fn check_recovered(
        &self,
        pledge: &Pledge,
        log: &Log,
        disk: &mut dyn Disk,
    ) -> Result<(), String> {
        let superblock = log.superblock();
        let (accepted, current) = (superblock.accepted_epoch, superblock.current_epoch);
        if accepted < pledge.accepted.max(pledge.promised) || current < pledge.current {
            return Err(format!(
                "epochs {accepted:?}, {current:?} after {:?}, {:?}, promised {:?} (law 10)",
                pledge.accepted, pledge.current, pledge.promised
            ));
        }
        if !pledge.cuts_back && !has(log.history(), pledge.durable) {
            return Err(format!("lost {:?}, which was durable (law 2)", pledge.durable));
        }
        if let Some(reign) = self.reigns.get(&current)
            && !has(log.history(), reign.began_with)
        {
            return Err(format!("{current:?} without {:?} (law 1)", reign.began_with));
        }
        let mut cursor = log.cursor(log.history().base());
        let mut chunk = Vec::new();
        let mut sum = Vec::new();
        while cursor.next(disk, log, &mut chunk, 64 << 10).map_err(|error| format!("{error:?}"))?
            > 0
        {
            sum.append(&mut chunk);
        }
        self.check_bytes(log, &sum)
    }

    /// What was read from a log is what was once given to one.
    fn check_bytes(&self, log: &Log, read: &[u8]) -> Result<(), String> {
        let mut rest = read;
        let mut last = log.history().base();
        while let Ok(packet) = Packet::read(rest) {
            let payload = packet.data("txn").map_err(|error| error.to_string())?;
            let known = self.txns.get(&packet.zxid).map(|known| crc32c_of(&[known]));
            if known.is_some_and(|known| known != crc32c_of(&[payload])) {
                return Err(format!("the log holds another {:?} than was given", packet.zxid));
            }
            last = packet.zxid;
            rest = &rest[packet.bytes.len()..];
        }
        if last == log.appended() { Ok(()) } else { Err(format!("the log ends at {last:?}")) }
    }
}

/// D1: a quorum has it on disk.
fn check_quorum(zxid: Zxid, servers: &[Server]) -> Result<(), String> {
    let Some(ensemble) = servers.iter().find_map(|server| server.ensemble.as_ref()) else {
        return Ok(());
    };
    let ensemble: &Ensemble = ensemble;
    let holds = |id: ServerId| {
        servers.get(id.0 as usize - 1).is_some_and(|server| server.pledge.holds(zxid))
    };
    if ensemble.is_quorum(holds) {
        Ok(())
    } else {
        Err(format!("{zxid:?} is decided, and not durable on a quorum (P2)"))
    }
}
