//! A request becomes a txn or a refusal.
