"""judges: by what a rule is judged: a problem, and for how many steps it is trained there.

A problem at two horizons is two judges, each with its own program, its own sweep of learning rates and its own tuned
Adam; a reward is the mean over judges. At one times its steps a judge has the name of its problem (`digits-mlp`), at
other horizons the multiple is part of the name (`digits-mlp x4`). Rewards, references and the columns of archive, cache
and records go by judge: the problems in the order given, each at its horizons in the order given.

Letters: N steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from metarl.errors import require
from metarl.problems import Problem
from metarl.reading import MOST_HORIZON

from ..training.seeding import Stage, replicate_seeds


class Judge(NamedTuple):
    """A problem and a horizon."""

    name: str
    problem: Problem
    horizon: float  # multiple of the problem's usual steps
    steps: int  # N, of a full run
    draw: int = 0  # which of a stage's draws of seeds is its own

    def seeds(self, root: int, stage: Stage, count: int) -> list[int]:
        """Returns the judge's own seeds: two horizons of a problem share no start and no split."""
        return replicate_seeds(root, stage, count * (self.draw + 1))[count * self.draw :]


def judge_name(problem: str, horizon: float) -> str:
    """Returns the name of the judge that a problem's name and a horizon make.

    >>> judge_name("digits-mlp", 4.0)
    'digits-mlp x4'
    """
    return problem if horizon == 1 else f"{problem} x{horizon:g}"


def judges_of(
    problems: Iterable[Problem], steps: int | None = None, horizons: Sequence[float] = (1.0,)
) -> list[Judge]:
    """Returns the judges that problems and horizons make.

    Args:
      problems: of different names.
      steps: the usual steps of all; each problem's own if None.
      horizons: multiples of the usual steps.
    """
    return [
        Judge(
            judge_name(problem.name, horizon),
            problem,
            horizon,
            max(1, round(horizon * (steps or problem.steps))),
            draw,
        )
        for problem in problems
        for draw, horizon in enumerate(horizons)
    ]


def judges_named(texts: Sequence[str], load: Callable[[str], Problem]) -> list[Judge]:
    """Returns the judges of these names, `digits-mlp` or `digits-mlp x4`: inverse of a judge's name.

    Args:
      texts: names of judges; several horizons of a problem have draws of seeds of their own, in the order given.
      load: finds a problem by its name.

    Raises:
      InvalidInput: there is no such problem, or a horizon is no positive number.
    """
    judges: list[Judge] = []
    for text in texts:
        name, _, multiple = text.partition(" x")
        problem = load(name)
        try:
            horizon = float(multiple) if multiple else 1.0
        except ValueError:
            horizon = math.nan
        require(
            0 < horizon <= MOST_HORIZON,
            f"Judge {text!r}: a horizon is a positive multiple of the problem's steps, at most {MOST_HORIZON:,}, as in "
            f"'{name} x4'.",
        )
        draw = sum(judge.problem.name == problem.name for judge in judges)
        judges += [judge._replace(draw=draw) for judge in judges_of([problem], None, [horizon])]
    return judges


def rounds(judges: Sequence[Judge]) -> list[list[Judge]]:
    """Returns the judges of each horizon, the shortest first: who fails there need not be trained for longer."""
    return [
        [judge for judge in judges if judge.horizon == horizon]
        for horizon in sorted({judge.horizon for judge in judges})
    ]
