//! The client protocol: records, op codes, error codes.
