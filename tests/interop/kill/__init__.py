"""A real ensemble under writes, whose servers are killed: what was acknowledged is there afterwards."""
