//! The `ringkeeper-tools` program.

fn main() {}
