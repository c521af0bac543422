//! One server, whole and pure.
