//! Sessions: ids, passwords, expiry, ownership.
