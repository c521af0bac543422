"""How servers of both kinds are brought level, and what breaks an ensemble of both."""
