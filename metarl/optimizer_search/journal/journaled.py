"""journaled: an evaluator that answers from a journal what is known, and has only the rest trained.

What is sent on is cut into other chunks than it would have been, which changes no bit: a candidate's bits depend
neither on its neighbours nor on its place. Results are in the journal before they are handed on.

Letters: K candidates, L tokens, R learning rates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..judging.candidates import Judgement, Verdicts
from ..judging.evaluators import (
    Backend,
    Evaluator,
    Result,
    begin_compiling,
    in_order,
    look_up_while_waiting,
)
from .journal import Journal, JournalEntry
from .specification import digest, identity, specification


class Journaled:
    """An evaluator with a memory on disk.

    Args:
      evaluator: where candidates are trained that the journal does not know; closed with this one.
      journal: open; it may serve many evaluators.
    """

    def __init__(self, evaluator: Evaluator, journal: Journal):
        """Writes down what each judge's verdicts depend on."""
        self._evaluator, self._journal = evaluator, journal
        self._specifications = {
            name: specification(judgement, evaluator.width)
            for name, judgement in evaluator.judgements.items()
        }
        self._digests = {name: digest(found) for name, found in self._specifications.items()}

    @property
    def judgements(self) -> Mapping[str, Judgement]:
        """The program of each judge."""
        return self._evaluator.judgements

    @property
    def width(self) -> int:
        """W, candidates a call."""
        return self._evaluator.width

    def as_completed(
        self, tokens: np.ndarray, rates: np.ndarray, judges: Sequence[str] | None = None
    ) -> Iterator[Result]:
        """Yields the verdicts that are known, candidate by candidate, then the others as they are there.

        Args:
          tokens: rules, int32 [K, L].
          rates: learning rates to sweep, [K, R].
          judges: names of those to ask; all if None.
        """
        unknown: dict[tuple[int, ...], list[str]] = {}  # places -> judges that do not know them
        keys: dict[str, list[str]] = {}
        for name in judges or self.judgements:
            missing, keys[name] = [], []
            for place, row in enumerate(zip(tokens, rates, strict=True)):
                keys[name].append(identity(self._digests[name], *row))
                known = self._known(name, keys[name][-1])
                if known is None:
                    missing.append(place)
                else:
                    yield Result(name, place, known)
            if missing:
                unknown.setdefault(tuple(missing), []).append(name)
        try:
            for places, names in unknown.items():
                rows = np.array(places)
                for result in self._evaluator.as_completed(tokens[rows], rates[rows], names):
                    yield from self._landed(result, rows, tokens, rates, keys[result.judge])
        finally:
            self._journal.sync()

    def evaluate(
        self, tokens: np.ndarray, rates: np.ndarray, judges: Sequence[str] | None = None
    ) -> dict[str, Verdicts]:
        """Returns the verdicts of all candidates in their order, by judge; see `as_completed`."""
        return in_order(self.as_completed(tokens, rates, judges), judges or list(self.judgements))

    def prepare(self) -> None:
        """Has the evaluator begin to compile what it will be asked for."""
        begin_compiling(self._evaluator)

    def look_up_while_waiting(self, look_up: Callable[[], None]) -> None:
        """Has a function called while the evaluator is waited for."""
        look_up_while_waiting(self._evaluator, look_up)

    def close(self) -> None:
        """Closes the evaluator; the journal stays open."""
        self._evaluator.close()

    def _known(self, name: str, key: str) -> Verdicts | None:
        """Returns a verdict as a batch of one, None if the journal has none that fits the judge's trial."""
        known = self._journal.get(key)
        if known is None:
            return None
        trial = self.judgements[name].recipe.trial
        sizes = [trial.num_rates + 2 * trial.refine] * 2 + [trial.full_replicates] * 2
        lists = (known.rates, known.sweep, known.losses, known.metrics)
        if [len(numbers) for numbers in lists] != sizes:
            return None
        return Verdicts(*(np.asarray(x)[None] for x in known))

    def _landed(
        self,
        result: Result,
        rows: np.ndarray,
        tokens: np.ndarray,
        rates: np.ndarray,
        keys: Sequence[str],
    ) -> Iterator[Result]:
        """Writes new verdicts down and yields them at the places of their candidates among all.

        Args:
          result: of candidates that the journal did not know.
          rows: the places of those among all.
          tokens: of all.
          rates: of all.
          keys: identities of the judge's results on all.
        """
        name, count = result.judge, len(result.verdicts.rate)
        places: list[int] = rows[result.first : result.first + count].tolist()
        entries = [
            JournalEntry(
                keys[place],
                self._digests[name],
                tokens[place],
                rates[place],
                Verdicts(*(x[i] for x in result.verdicts)),
            )
            for i, place in enumerate(places)
        ]
        self._journal.add(entries, self._specifications[name])
        if places[-1] - places[0] == count - 1:  # side by side, as nearly always
            yield Result(name, places[0], Verdicts(*map(np.asarray, result.verdicts)))
            return
        for i, place in enumerate(places):
            yield Result(
                name, place, Verdicts(*(np.asarray(x)[i : i + 1] for x in result.verdicts))
            )


def journaling(backend: Backend, journal: Journal) -> Backend:
    """Returns a backend whose evaluators know the journal."""

    def journaled(judgements: Mapping[str, Judgement]) -> Any:
        return Journaled(backend(judgements), journal)

    return journaled
