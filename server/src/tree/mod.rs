//! The znodes.
