"""How much memory the process has taken."""

from __future__ import annotations

import resource
import sys


def peak_memory_mb() -> float:
    """Returns the peak memory of this process so far; Linux counts kilobytes, macOS bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 if sys.platform != "darwin" else 1024**2)
