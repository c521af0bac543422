"""Proof mode: an observer of ours in ensembles of Apache ZooKeeper servers."""
