//! What the tests that are more than one module share.

pub mod chance;
pub mod election_net;
pub mod sim;
