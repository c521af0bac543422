"""Waiting for something to hold."""

from __future__ import annotations

import time
from typing import Callable


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Returns once it holds; fails if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"did not come to hold in {seconds} s"
        time.sleep(0.01)
