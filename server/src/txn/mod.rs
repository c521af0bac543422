//! Transaction records.
