"""Data directories of Apache ZooKeeper and of Ringkeeper become each other, and nothing is lost."""
