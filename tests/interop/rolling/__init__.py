"""A real ensemble moved from Apache ZooKeeper to Ringkeeper and back, server by server, under load."""
