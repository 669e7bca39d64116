"""chart: a drawing, what stands below it, and what its file is called."""

from __future__ import annotations

from typing import NamedTuple

from metarl.reporting import Drawing


class Chart(NamedTuple):
    """A drawing, what stands below it, and what its file is called."""

    name: str
    drawing: Drawing
    caption: str
