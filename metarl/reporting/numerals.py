"""Numbers as people read them: as many digits as the interval supports.

An interval decides how many decimals mean anything: it is resolved into 5 to 50 units of the last
one, and the estimate and both bounds show the same decimals, `0.131 [0.128, 0.134]`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol, runtime_checkable

SMALLEST_POSITIONAL = 1e-3
LARGEST_POSITIONAL = 1e6


@runtime_checkable
class IntervalLike(Protocol):
    """Anything with an estimate and two bounds, such as `metarl.statistics.Interval`."""

    @property
    def estimate(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


class IntervalText(NamedTuple):
    """The two parts of a printed interval."""

    estimate: str
    bounds: str  # "[low, high]", "[–]" where there is no interval


def number_text(value: Any, digits: int = 3) -> str:
    """Returns a number with `digits` significant digits, integers in full.

    >>> number_text(0.0031623), number_text(1e-5), number_text(12345), number_text(float("inf"))
    ('0.00316', '1e-5', '12345', 'inf')
    """
    number = float(value)
    if math.isfinite(number) and number == int(number) and abs(number) < LARGEST_POSITIONAL:
        return str(int(number))
    if not math.isfinite(number):
        return str(number)
    if SMALLEST_POSITIONAL <= abs(number) < LARGEST_POSITIONAL:
        decimals = max(digits - 1 - math.floor(math.log10(abs(number))), 0)
        return f"{number:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{number:.0f}"
    mantissa, exponent = f"{number:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def counted(count: int, noun: str) -> str:
    """Returns a count with its noun, which is one that takes an s in the plural.

    >>> counted(1, "rule"), counted(12_000, "old checkpoint"), counted(2, "search")
    ('1 rule', '12,000 old checkpoints', '2 searches')
    """
    ending = "es" if noun.endswith(("ch", "s", "x")) else "s"
    return f"{count:,} {noun}" + (ending if count != 1 else "")


def interval_text(interval: IntervalLike) -> IntervalText:
    """Returns the estimate and the bounds of an interval with the decimals it supports.

    >>> from types import SimpleNamespace as Interval
    >>> " ".join(interval_text(Interval(estimate=0.13123, low=0.12834, high=0.13411)))
    '0.131 [0.128, 0.134]'

    Of too few numbers there is no interval: it is all of the line, or of the ratios, and a dash stands in its place.

    >>> " ".join(interval_text(Interval(estimate=0.9123, low=0.0, high=math.inf)))
    '0.912 [–]'
    """
    if interval.high == math.inf and interval.low in (-math.inf, 0.0):
        return IntervalText(number_text(interval.estimate), "[–]")
    numbers = [float(interval.estimate), float(interval.low), float(interval.high)]
    finite = [number for number in numbers if math.isfinite(number)]
    spread = max(finite, default=0.0) - min(finite, default=0.0)
    largest = max(map(abs, finite), default=0.0)
    if spread == 0 or largest >= LARGEST_POSITIONAL or spread < 1e-6:
        shown = [number_text(number) for number in numbers]
    else:
        decimals = max(math.ceil(0.7 - math.log10(spread)), 0)
        shown = [f"{number:.{decimals}f}" for number in numbers]
    return IntervalText(shown[0], f"[{shown[1]}, {shown[2]}]")
