//! FastLeaderElection: who leads.
