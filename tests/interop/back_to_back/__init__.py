"""One recorded stream of requests, replayed against two servers whose replies must be the same."""
