//! Who belongs to the ensemble, and what counts as a quorum of it.
//!
//! - `address`: a host and a port, IPv6 in brackets.
//! - `ensemble`: the members, their roles and weights, majority and hierarchical quorums.
//! - `text`: the text of an ensemble, as in zoo.cfg, in notifications and in `/zookeeper/config`.
//!
//! Not here: names of hosts are never resolved; files and their versions (`server::config`).

mod address;
mod ensemble;
mod text;

pub use address::{Address, AddressError};
pub use ensemble::{Ensemble, Member, Role};
pub use text::{EnsembleError, MemberError};
