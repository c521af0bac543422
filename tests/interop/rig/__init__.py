"""What the interop suites share: starting servers of either kind, and speaking to them in raw bytes."""
