//! Threads, loops, boot, shutdown, fatal.
