//! Access control lists: what a stored list means, which lists may be stored, and where they are
//! kept once for all znodes that share them.
//!
//! Not here: how a connection proves an id (`auth`), which permission an op needs (`prep`,
//! `frontend`).

mod address;
mod check;
mod fixup;
mod table;

pub use check::{AclRules, is_super, mask_digests, permits};
pub use fixup::{Schemes, fixup};
pub use table::AclTable;
