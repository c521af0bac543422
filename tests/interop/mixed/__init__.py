"""Ensembles of both kinds: elections, load, leaders killed in turn, sessions that cross the border."""
