//! The digest of the tree.
