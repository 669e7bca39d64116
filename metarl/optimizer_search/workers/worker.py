"""worker: what judges chunks in a process of its own.

A worker is taught each judgement once, by its recipe, and then asked with chunks of candidates. It runs the same
program as a thread of `LocalEvaluator`, on its one device. That what it was taught is what was meant is seen by the
digest of the specification, which holds the sizes of the problem and its loss before training: a file of the user's
that differs between two machines is noticed before a result of it is believed.

Nothing here knows how the process was started.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from metarl import problems
from metarl.errors import InvalidInput

from ..journal.specification import digest, specification
from ..judging.candidates import (
    Candidates,
    Judgement,
    Recipe,
    Verdicts,
    differ_in_replicates,
    make_judgement,
    on_replicates,
)
from ..judging.evaluators import without_padding
from .surroundings import process_fingerprint, take_over


class Worker:
    """Judges chunks on one device.

    Args:
      settings: of the process that asks, see `surroundings.settings_for_workers`; None leaves this process as it is.
    """

    def __init__(self, settings: Mapping[str, Any] | None = None):
        """Becomes like the process that asks; compiles nothing."""
        if settings is not None:
            take_over(settings)
        self._judgements: dict[str, Judgement] = {}

    def fingerprint(self) -> dict[str, str]:
        """Returns what the bits of this worker depend on."""
        return process_fingerprint()

    def learn(
        self,
        specified: str,
        recipe: Recipe,
        width: int,
        remake: Callable[[Recipe], Judgement] | None = None,
    ) -> str | None:
        """Makes a judgement.

        Args:
          specified: digest of its specification, its name from now on.
          recipe: what it is made from; the problem may be a name in place of a `Problem`.
          width: candidates a chunk.
          remake: makes it of the recipe; `make_judgement` if None.

        Returns:
          None if all is well, else what is wrong with it here.
        """
        if specified in self._judgements:
            return None
        try:
            recipe = loaded(recipe)
            found = self._made(recipe) if remake is None else remake(recipe)
        except InvalidInput as error:
            return str(error)
        here = specification(found, width)
        if digest(here) != specified:
            return f"the judgement comes out as another one: {here}"
        self._judgements[specified] = found
        return None

    def _made(self, recipe: Recipe) -> Judgement:
        """Returns the judgement of a recipe; where only the replicates are new, its program is not compiled again."""
        for known in self._judgements.values():
            if differ_in_replicates(known.recipe, recipe):
                return on_replicates(known, recipe.seeds)
        return make_judgement(*recipe)

    def forget(self, specified: str) -> None:
        """Lets go of a judgement."""
        self._judgements.pop(specified, None)

    def judge(self, specified: str, chunk: tuple) -> Verdicts:
        """Returns the verdicts on the real candidates of a chunk; some hundred bytes each."""
        judgement, chunk = self._judgements[specified], Candidates(*chunk)
        verdicts = judgement.program(judgement.data, jax.device_put(chunk))
        return without_padding(verdicts, chunk)


def by_name(recipe: Recipe) -> Recipe:
    """Returns the recipe with its problem by name where this process knows it under that name."""
    name = recipe.problem.name
    if name in problems.names() and problems.load(name) is recipe.problem:
        return recipe._replace(problem=name)  # type: ignore[arg-type]
    return recipe


def loaded(recipe: Recipe) -> Recipe:
    """Returns the recipe with its problem itself.

    Raises:
      InvalidInput: this process knows no problem of that name.
    """
    problem: Any = recipe.problem
    return recipe._replace(problem=problems.load(problem)) if isinstance(problem, str) else recipe
