//! FastLeaderElection: who leads.
//!
//! `Election` is one server's part in it, without IO: links come up, bring bytes and close, time
//! passes; it asks for dials and sends and says when a leader is decided. It goes on after that,
//! because settled servers answer those that still look.
//!
//! - `vote`: a vote and what makes two of them equal; `round`: the tallies of one round.
//! - `views`: the ensemble in force and the one about to be.
//! - `greeting`, `notification`, `frames`: bytes; `links`: who dials whom.
//! - `elector`: the part that ties them together and holds the timers.
//!
//! # When an election ends
//! ZooKeeper waits 200 ms (`finalizeWait`) after the last message once a quorum agrees, in case
//! somebody with a better vote is late. Here that wait has a reason or does not happen:
//! - Every voter that can be reached has voted as we do: end at once. Nobody is left whose vote
//!   could change it.
//! - A quorum agrees, but a reachable voter has not said so yet: wait for it, 200 ms at most from
//!   the moment the quorum stood, whatever chatter comes meanwhile.
//!
//! Reachable is a voter with an open link, one that is being dialled, and a larger one that was
//! asked to dial back (`links`). Not reachable is one whose dial was refused or whose link closed:
//! its process is down, and if it is about to start it joins the leader it finds. A voter cut off
//! without a word (power, cable) has an open link until TCP gives up: that costs the 200 ms.
//! Voters without weight, and those that say they may not vote, are never waited for.
//!
//! Ending early is safe: any quorum holds every committed txn in the vote it agrees on. At worst a
//! server that was late had uncommitted txns, which it gives up when it joins.
//!
//! # Silence
//! Each message restarts a Java peer's `finalizeWait`, so little is said: the vote when it changes,
//! once to each link that opens, an answer to who asks, the vote again to who followed when it was
//! told and has begun to look since, and a repetition no faster than ZooKeeper's own notification
//! timeout (200 ms, doubling to 60 s, and from 200 ms again after news: a server that had been alone
//! for an hour would miss a minute of the ensemble's life). A message to a peer is always our newest
//! vote, so what gathers in one step leaves as one message, and nothing is queued for the absent.
//!
//! Deviation from ZooKeeper: it answers observers and strangers at once, with a LOOKING vote while
//! it looks itself, and so may two servers that are strangers to each other, without end. Here they
//! hear of the leader when there is one, at the moment it is decided. Observers answer nobody.
//!
//! Not here: discovery and synchronization with the leader (`zab`), whether a newer ensemble is
//! adopted and which role to take (`replica`).

mod elector;
mod frames;
mod greeting;
mod links;
mod notification;
mod round;
#[cfg(test)]
mod tests;
mod views;
mod vote;

pub use elector::{Election, ElectionCounters, ElectionEffect, ElectionOptions, FINALIZE_MS};
use views::Views;
pub use vote::{ServerState, Vote};
