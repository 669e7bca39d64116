"""Numbers in, numbers out: intervals, aggregates, paired comparisons.

A training run ends in one number, its loss, and a diverged run ends in +inf, the worst loss there
is. A handful of such numbers becomes an aggregate that one lucky run cannot win (`iqm`), an
interval that says how far to trust it (`bootstrap_interval`), or the answer to "is ours better than
theirs" when both were run on the same seeds (`paired_difference`). Infinities are numbers like any
other here: nothing becomes NaN and nothing warns. NaN itself is refused, because by then it is too
late to say what it meant.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
