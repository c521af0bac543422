//! Random requests, randomly deep in the pipeline: what prep foresees is what apply does.

use std::collections::VecDeque;

use super::*;
use crate::wire::multi_end;

/// A small generator whose every draw is in the seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    fn path(&mut self) -> String {
        let mut path = String::new();
        for _ in 0..=self.below(3) {
            path.push('/');
            path.push(char::from(b'a' + self.below(3) as u8));
        }
        path
    }

    fn version(&mut self) -> i32 {
        self.below(4) as i32 - 1
    }

    fn list(&mut self) -> [Acl; 1] {
        let perms = if self.below(8) == 0 { self.below(32) as i32 } else { perms::ALL };
        [Acl::new(perms, "world", "anyone")]
    }

    /// What may stand alone and in a multi; `check` only in a multi.
    fn op(&mut self, is_in_multi: bool, out: &mut Vec<u8>) -> OpCode {
        let path = self.path();
        let data = vec![b'x'; self.below(20) as usize];
        match self.below(if is_in_multi { 8 } else { 7 }) {
            0..=2 => {
                let flags = self.below(4) as i32;
                bodies::create(&path, Some(&data), &self.list(), flags, out);
                if self.below(2) == 0 { OpCode::Create } else { OpCode::Create2 }
            }
            3 => {
                bodies::create_ttl(&path, None, &self.list(), (5, 1000), out);
                OpCode::CreateTtl
            }
            4 | 5 => {
                bodies::versioned(&path, self.version(), out);
                OpCode::Delete
            }
            6 => {
                bodies::set_data(&path, Some(&data), self.version(), out);
                OpCode::SetData
            }
            _ => {
                bodies::versioned(&path, self.version(), out);
                OpCode::Check
            }
        }
    }

    fn request(&mut self, out: &mut Vec<u8>) -> OpCode {
        match self.below(12) {
            0 => {
                let path = self.path();
                bodies::set_acl(&path, &self.list(), self.version(), out);
                OpCode::SetAcl
            }
            1 | 2 => {
                for _ in 0..self.below(5) {
                    let mut body = Vec::new();
                    let op = self.op(true, &mut body);
                    bodies::multi_op(op, out);
                    out.extend_from_slice(&body);
                }
                multi_end(out);
                OpCode::Multi
            }
            3 => {
                out.extend_from_slice(&4000i32.to_be_bytes());
                OpCode::CreateSession
            }
            4 if self.below(4) == 0 => OpCode::CloseSession,
            _ => self.op(false, out),
        }
    }
}

/// A prepared txn, and what prep said of it.
struct Prepared {
    op: OpCode,
    refusal: ErrorCode,
    txn: Vec<u8>,
}

/// Newest suffix handed out below a parent, with the parent's czxid: a new parent counts anew.
type Suffixes = BTreeMap<String, (i64, i64)>;

fn apply_next(server: &mut Server, next: &Prepared, suffixes: &mut Suffixes) {
    let digest = server.db.digest();
    server.apply(&next.txn);
    let applied = &server.applied;
    let is_checked = matches!(applied.digest, DigestCheck::Equal)
        || (!next.refusal.is_ok() && applied.digest == DigestCheck::Absent);
    assert!(is_checked, "P3: {:?} at {:?}", applied.digest, applied.header);
    if next.refusal.is_ok() {
        assert_eq!(applied.err, ErrorCode::OK, "P1: {:?}", applied.header);
        assert!(applied.results.iter().all(|result| result.err.is_ok()), "P1");
    } else {
        let is_multi = next.op == OpCode::Multi && applied.err.is_ok();
        let seen = if is_multi { applied.results.iter().map(|r| r.err).min() } else { None };
        assert!(is_multi || applied.err == next.refusal, "{:?}", applied.header);
        assert!(seen.is_none_or(|err| !err.is_ok()));
        assert_eq!(server.db.digest(), digest, "P2: a refusal changes nothing");
    }
    let Some((above, name)) = server.applied.created_path().and_then(|p| p.rsplit_once('/')) else {
        return;
    };
    if let Ok(suffix) = name.trim_start_matches(char::is_alphabetic).parse::<i64>() {
        let parent = server.stat(above).czxid;
        let last = suffixes.insert(above.to_owned(), (parent, suffix));
        let is_new = last.is_none_or(|(czxid, last)| czxid != parent || last < suffix);
        assert!(is_new, "a suffix was given out twice below {above:?}");
    }
}

fn run(seed: u64, requests: usize) {
    println!("seed {seed}");
    let mut draw = Draw(seed | 1);
    let mut server = Server::new();
    let mut log: Vec<Vec<u8>> = Vec::new();
    let mut pipeline: VecDeque<Prepared> = VecDeque::new();
    let mut suffixes = Suffixes::new();
    let mut succeeded = 0;
    for _ in 0..requests {
        let mut body = Vec::new();
        let op = draw.request(&mut body);
        let session = SessionId(SESSION.0 + draw.below(4) as i64);
        let (refusal, txn) = server.prepare(session, op, &body);
        succeeded += usize::from(refusal.is_ok());
        log.push(txn.clone());
        pipeline.push_back(Prepared { op, refusal, txn });
        let depth = draw.below(30) as usize;
        while pipeline.len() > depth {
            let Some(next) = pipeline.pop_front() else { break };
            apply_next(&mut server, &next, &mut suffixes);
        }
    }
    for next in pipeline {
        apply_next(&mut server, &next, &mut suffixes);
    }
    assert_eq!(server.prep.outstanding(), 0);
    assert!(succeeded > requests / 8, "too few requests went well: {succeeded}");
    assert_eq!(TreeDigest::of(&mut server.db.tree), server.db.digest(), "D1");
    check_replays(&mut server, &log, draw.below(log.len() as u64) as usize);
}

/// A2: whoever replays the log gets the same tree; and whoever replays its end over a tree that
/// holds it already does no harm.
fn check_replays(server: &mut Server, log: &[Vec<u8>], from: usize) {
    let mut again = Server::new();
    let mut applied = Applied::default();
    for txn in log {
        again.db.apply(txn, None, &mut applied).unwrap();
    }
    assert_eq!(again.db.digest(), server.db.digest(), "A2");
    assert_eq!(again.db.sessions(), server.db.sessions(), "A2");
    assert_eq!(again.db.acls.len(), server.db.acls.len(), "A2");
    for txn in &log[from..] {
        again.db.apply(txn, None, &mut applied).unwrap();
    }
    assert_eq!(again.db.digest(), server.db.digest(), "replayed from {from}");
    assert_eq!(again.db.sessions(), server.db.sessions(), "replayed from {from}");
    assert_eq!(TreeDigest::of(&mut again.db.tree), again.db.digest());
}

#[test]
fn what_prep_foresees_is_what_apply_does() {
    for seed in 1..=40 {
        run(seed * 0x9e37_79b9, 1500);
    }
}

/// A request as a client might mangle it: cut, with bytes changed, or with lengths blown up.
fn mangle(draw: &mut Draw, body: &mut Vec<u8>) {
    for _ in 0..=draw.below(3) {
        let at = draw.below(body.len() as u64 + 1) as usize;
        match draw.below(4) {
            0 => body.truncate(at),
            1 => body.insert(at, draw.below(256) as u8),
            2 if at < body.len() => body[at] = draw.below(256) as u8,
            _ if at + 4 <= body.len() => {
                let length = [i32::MIN, -2, -1, 0, 1, 1 << 20, i32::MAX][draw.below(7) as usize];
                body[at..at + 4].copy_from_slice(&length.to_be_bytes());
            }
            _ => {}
        }
    }
}

/// W1: whatever the bytes, a request is answered; and what became a txn applies as foreseen.
#[test]
fn mangled_requests_are_answered_like_others() {
    let mut draw = Draw(7);
    let mut server = Server::new();
    for _ in 0..20_000 {
        let mut body = Vec::new();
        let op = draw.request(&mut body);
        mangle(&mut draw, &mut body);
        if op == OpCode::CloseSession {
            continue;
        }
        let (refusal, txn) = server.prepare(SESSION, op, &body);
        let next = Prepared { op, refusal, txn };
        apply_next(&mut server, &next, &mut Suffixes::new());
        let read = OpCode::from_code(draw.below(108) as i32).unwrap_or(OpCode::MultiRead);
        server.read(read, |out| out.extend_from_slice(&body));
        let op = OpCode::SetWatches2;
        server.db.set_watches(&mut server.watches, ConnId(1), op, &body, &mut |_| {});
    }
    assert_eq!(TreeDigest::of(&mut server.db.tree), server.db.digest());
}
