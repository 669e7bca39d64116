"""cores: how many this process may use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Returns the number of cores this process may use; a container or `taskset` may leave it fewer than there are."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1
