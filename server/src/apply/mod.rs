//! A committed txn changes the tree.
