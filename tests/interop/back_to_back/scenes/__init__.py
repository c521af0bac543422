"""The scenes of the stream, in the order in which they are replayed."""

from __future__ import annotations

from ..stream import Scene
from . import access, basics, expiry, extended, malformed, multis, odd_paths, quotas, random_walk
from . import sessions, strangers, watches, words


def all_scenes() -> list[Scene]:
    """Every scene, built anew; the same each time."""
    modules = (basics, odd_paths, access, watches, multis, sessions, malformed, strangers, words,
               quotas, extended, expiry, random_walk)
    return [scene for module in modules for scene in module.scenes()]
