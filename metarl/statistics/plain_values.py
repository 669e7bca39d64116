"""Intervals and numbers as JSON can hold them, and back.

An estimate is called by its kind, such as "iqm" or "mean"; infinities, for which JSON has no words, are texts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .bootstrap import Interval


def interval_to_json(interval: Interval | None, estimate: str = "iqm") -> dict[str, float] | None:
    """Returns an interval as plain values, the estimate called by its kind; None stays None.

    >>> interval_to_json(Interval(0.5, 0.25, 0.75), "mean")
    {'mean': 0.5, 'low': 0.25, 'high': 0.75}
    """
    if interval is None:
        return None
    return {estimate: interval.estimate, "low": interval.low, "high": interval.high}


def interval_from_json(
    value: Mapping[str, float | str | None] | None, estimate: str = "iqm"
) -> Interval | None:
    """Returns the interval that `interval_to_json` was given; its numbers as `number_from_json` reads them."""
    if value is None:
        return None
    return Interval(*(number_from_json(value[name]) for name in (estimate, "low", "high")))


def infinities_to_json(value: Any) -> Any:
    """Returns nested plain values with every infinity as a text.

    >>> infinities_to_json({"losses": [1.0, float("inf")]})
    {'losses': [1.0, 'inf']}
    """
    if isinstance(value, dict):
        return {key: infinities_to_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [infinities_to_json(item) for item in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def number_from_json(value: float | str | None) -> float:
    """Returns a number of a document: infinities are texts; null, where JSON lost one, is a diverged loss, +inf.

    >>> number_from_json("-inf"), number_from_json(None)
    (-inf, inf)
    """
    return math.inf if value is None else float(value)
