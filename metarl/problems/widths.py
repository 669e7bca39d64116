"""Problems whose hidden layers are so many times as wide: the same examples, loss and metric, other networks.

A problem says so itself by its `at_width`: for problems of `classification` and `regression` the network knows
(`mlp`, the convolutional and residual ones, and what they are in series with), others have a function of their own.
Inputs, outputs and what lies between two networks, such as an autoencoder's code, keep their size. Starting weights are
those of a network of that width.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

from metarl.errors import require
from metarl.user_code import made_by

from .problem import Problem


def at_width(problem: Problem, factor: float) -> Problem:
    """Returns a problem with hidden layers so many times as wide; the same object at every call.

    Args:
      problem: at a factor of 1 it is returned itself.
      factor: of the units of each hidden layer, which are rounded, at least 1; above 0.

    Returns:
      A problem of which `init`, `loss` and `evaluate` count; card and examples are those of `problem`.

    Raises:
      InvalidInput: the problem has no widths.
    """
    if factor == 1.0:
        return problem
    require_widths([problem])
    assert problem.at_width is not None
    return _made(problem.at_width, problem.name, factor)


@functools.cache  # programs are known by the functions that they are compiled from
def _made(make: Callable[[float], Problem], name: str, factor: float) -> Problem:
    return made_by(make, f"Problem {name!r}: at_width({factor:g})", Problem, factor)


def require_widths(problems: Iterable[Problem]) -> None:
    """Refuses problems without hidden layers that could be widened.

    Raises:
      InvalidInput: names them all.
    """
    narrow = [repr(problem.name) for problem in problems if problem.at_width is None]
    require(
        not narrow,
        f"--training.random-width varies the hidden layers of a network; {', '.join(narrow)} "
        f"{'has none' if len(narrow) == 1 else 'have none'} that can be widened. Leave "
        f"{'it' if len(narrow) == 1 else 'them'} out, or the flag; in Python a problem says by at_width what it is "
        "at another width.",
    )
