//! The `ringkeeper` program.

fn main() {}
