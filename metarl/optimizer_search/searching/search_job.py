"""search job: one generation after another, from asking for rules to telling what they are worth.

    ask        the strategy proposes K rules
    sort       filtered out on probes; met before (by fingerprint); new (sorting.py)
    train      the new ones, by every judge: each problem at each horizon (earnings.py, programs.py)
    remember   cache (all rules judged), archive (the best), records (the best so far)
    reward     finite numbers; the floor for whatever failed; what is known for a rule met before
    tell       the strategy learns

All randomness of generation n comes from the root seed and n, so a search that was resumed equals one that was not.
With `lag` generations in flight (see `in_flight`) the first two steps run ahead of the others, by a fixed number.

A search ends before its budget where nothing new comes any more: a space has only so many distinct rules, and filters
may pass none of them. It is given up after 100 generations and 5,000 rules in a row of which none was new.

Letters: K rules of a generation.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import jax
import numpy as np

from metarl import problems as problem_suite
from metarl.problems import Problem
from metarl.runs import (
    GivenUp,
    Interrupted,
    Interruption,
    Progress,
    RunDirectory,
    compilation_seconds,
    drive,
)
from metarl.update_rules import LANGUAGE, Grammar

from .. import strategies
from ..journal.journal import FILE, Journal
from ..journal.journaled import journaling
from ..judging.evaluators import Backend, local_evaluator
from ..settings.config import SearchConfig
from ..settings.language import in_this_language, require_same_language
from ..writing.breeding import forgotten
from . import in_flight
from .archive import Archive
from .cache import Cache
from .counts import Counts, barren_text, describe, generation_row
from .earnings import Earned, remember, told_rewards, train
from .in_flight import GenerationThreads, InFlight
from .programs import SHARED_WITH_ARCHIVE, SearchPrograms, grammar_of
from .records import Records
from .search_state import SearchState, restored
from .time_spent import TimeSpent

DEFAULT_BUDGET = 2_000
_CHECKPOINT_SECONDS = 10.0
_BARREN_GENERATIONS = 100  # in a row without a new rule,
_BARREN_RULES = 5_000  # and rules in these: then there is none to be had

Earlier = tuple[SearchConfig, dict[str, np.ndarray], Any]


class SearchJob:
    """A search as a job for `runs.drive`.

    Args:
      config: the settings, valid.
      earlier: settings, checkpoint arrays and their meta of a run to start from (`init_from`).
      programs: makes that by which rules are judged, of the grammar, the problems and the settings.

    Attributes:
      time: what this session was spent on.

    Raises:
      InvalidInput: an unknown problem, space or strategy, or a problem that cannot be trained on.
    """

    def __init__(
        self,
        config: SearchConfig,
        earlier: Earlier | None = None,
        programs: Callable[
            [Grammar, Sequence[Problem], SearchConfig], SearchPrograms
        ] = SearchPrograms,
    ):
        """Looks everything up by name; nothing is compiled before the first generation."""
        self.config, self._earlier = config, earlier
        self.grammar = grammar_of(config)
        self._strategy = strategies.make(config.strategy, self.grammar, config)
        self.problems = [problem_suite.load(name) for name in dict.fromkeys(config.problem)]
        self.programs = programs(self.grammar, self.problems, config)
        self.time = TimeSpent()
        self._interruption: Interruption | None = None
        self._key = jax.random.key(config.seed)
        self._budget = config.budget or (None if config.minutes else DEFAULT_BUDGET)
        self._threads: GenerationThreads[Earned | None] = GenerationThreads(self._train, config.lag)

    def init(self) -> SearchState:
        """Returns the state before the first generation."""
        fresh = SearchState(self._fresh_strategy(), Archive(), Cache(), Counts())
        if self._earlier is None:
            return fresh
        before, arrays, meta = self._earlier
        taken, _ = restored(arrays, Counts(), self._fresh_strategy())
        taken = replace(taken, records=Records())
        # rewards are comparable only where the same replicates judged in the same way
        same = all(getattr(self.config, n) == getattr(before, n) for n in SHARED_WITH_ARCHIVE)
        same = same and in_this_language(meta)
        return taken if same else replace(fresh, strategy=forgotten(taken.strategy))

    def update(self, state: SearchState) -> tuple[SearchState, dict[str, Any]]:
        """Asks for the next generation, and tells the strategy of the oldest one in flight."""
        with self.time.generation():
            return self._update(state)

    def heed(self, interruption: Interruption) -> None:
        """Lets a generation be given up when a stop is requested; what is known of its rules is in the journal."""
        self._interruption = interruption
        self.programs.look_up_while_waiting(self._look_up)

    def _look_up(self) -> None:
        if self._interruption is not None and self._interruption.requested:
            raise GivenUp

    def finished(self, state: SearchState) -> bool:
        """Tells whether the budget is spent, or nothing new has come for long."""
        spent = self._budget is not None and state.counts.trained >= self._budget
        return spent or self.is_barren(state)

    def is_barren(self, state: SearchState) -> bool:
        """Tells whether so many rules in a row were filtered or known that there is no point in going on."""
        return is_barren(state.counts.barren, self.config.batch_size)

    def position(self, state: SearchState) -> tuple[int, int | None]:
        """Returns the rules trained, and the budget."""
        return state.counts.trained, self._budget

    def save(self, state: SearchState) -> tuple[dict[str, np.ndarray], Any]:
        """Returns the state as arrays and JSON."""
        meta = {"counts": asdict(state.counts), "language": LANGUAGE["version"]}
        return state.to_arrays(), meta

    def load(self, arrays: dict[str, np.ndarray], meta: Any) -> SearchState:
        """Inverse of `save`.

        Raises:
          InvalidInput: the arrays are those of another strategy or controller, or of another version of the rule
            language: rewards and fingerprints of the two cannot be mixed.
        """
        require_same_language(meta, "The checkpoint of this search")
        state, flying = restored(arrays, Counts(**meta["counts"]), self._fresh_strategy())
        # sorted anew: what is trained and what is in flight before a generation are the same set as when it was asked
        for proposals in in_flight.from_arrays(flying, self._example_proposals):
            state = self._take_off(state, proposals)
        return state

    def close(self) -> None:
        """Frees threads and devices."""
        self.programs.close()
        self._threads.close()

    def _update(self, state: SearchState) -> tuple[SearchState, dict[str, Any]]:
        while len(state.in_flight) <= self.config.lag:
            state = self._ask(state)
        self._train_ahead(state.in_flight)
        flight, *later = state.in_flight
        with self.time.part("training"):
            earned = self._threads.finish(flight)
        remember(flight.tokens, flight.sorting, earned, state.archive, state.cache)
        rewards = told_rewards(flight.sorting, earned, state.cache, self.programs.floor)
        strategy, learning = self._tell(state, flight, rewards)
        steps = 0 if earned is None else earned.steps
        counts = state.counts.after(flight.sorting, rewards, self.programs.floor, steps)
        for best in state.archive.best(1):
            state.records.note(counts.trained, best)
        state = replace(state, strategy=strategy, counts=counts, in_flight=tuple(later))
        return state, {**self._row(state, flight, rewards), **learning}

    def _ask(self, state: SearchState) -> SearchState:
        """Has the strategy propose the next generation."""
        key = self._keys(state.next_generation)[0]
        with self.time.part("strategy"):
            strategy, proposals = self._strategy.ask(key, state.strategy, self.config.batch_size)
            jax.block_until_ready(proposals.tokens)  # or the wait for it counts as something else
        return self._take_off(replace(state, strategy=strategy), proposals)

    def _take_off(self, state: SearchState, proposals: strategies.Proposals) -> SearchState:
        """Sorts the rules of the next generation, and puts it behind those in flight."""
        with self.time.part("sorting"):
            sorting = self.programs.sort(
                np.asarray(proposals.tokens),
                state.cache,
                [flight.sorting for flight in state.in_flight],
                None if self._budget is None else max(0, self._budget - state.begun),
            )
        flight = InFlight(state.next_generation, proposals, sorting)
        return replace(state, in_flight=(*state.in_flight, flight))

    def _train(self, flight: InFlight) -> Earned | None:
        """Trains the new rules of a generation; the state plays no part."""
        return train(flight.tokens, flight.sorting, self.programs)

    def _train_ahead(self, flights: tuple[InFlight, ...]) -> None:
        """Has generations trained ahead; what their threads share is made here, once."""
        if self.config.lag == 0:
            return
        self.programs.prepare()
        for flight in flights:
            self._threads.begin(flight)

    def _tell(
        self, state: SearchState, flight: InFlight, rewards: np.ndarray
    ) -> tuple[Any, dict[str, float]]:
        """Tells the strategy what the rules of a generation are worth; returns its state and what it logs."""
        floor = np.float32(self.programs.floor)
        feedback = strategies.Feedback(rewards, flight.sorting.repeated, floor)
        key = self._keys(state.counts.generation)[1]
        with self.time.part("strategy"):
            return self._strategy.tell(key, state.strategy, flight.proposals, feedback)

    def _row(self, state: SearchState, flight: InFlight, rewards: np.ndarray) -> dict[str, Any]:
        """Returns what is logged of a generation."""
        best = state.archive.best(1)
        reward = float(best[0].reward) if best else None
        rule = state.archive.texts(self.grammar, 1)[0] if best else None
        return generation_row(state.counts, flight.sorting, rewards, reward, rule)

    def _example_proposals(self) -> strategies.Proposals:
        """Returns proposals as this strategy makes them."""
        fresh = self._fresh_strategy()
        return self._strategy.ask(self._keys(0)[0], fresh, self.config.batch_size)[1]

    def _fresh_strategy(self) -> Any:
        return self._strategy.init(self._keys(-1)[0])

    def _keys(self, generation: int) -> tuple[jax.Array, jax.Array]:
        return _folded(self._key, generation + 1)


@jax.jit
def _folded(key: jax.Array, number: int) -> tuple[jax.Array, jax.Array]:
    """Returns two keys of a number; compiled, for a search on a table asks more often than it trains."""
    first, second = jax.random.split(jax.random.fold_in(key, number))
    return first, second


def is_barren(generations: int, batch_size: int) -> bool:
    """Tells whether so many generations in a row without a new rule are enough to end a search."""
    return generations >= _BARREN_GENERATIONS and generations * batch_size >= _BARREN_RULES


def drive_search(
    job: SearchJob,
    run: RunDirectory,
    progress: Progress,
    *,
    minutes: float | None = None,
    owner: RunDirectory | None = None,
    backend: Backend | None = None,
) -> SearchState:
    """Runs a search to its end, or goes on with one, and returns its last state.

    Args:
      job: the search; its threads are freed at the end.
      run: its directory.
      progress: where it tells how it goes.
      minutes: a time limit, in which the compiling that the search waits for does not count.
      owner: the run that a person resumes, if that is not the search's own.
      backend: where candidates are trained, with a journal of its own; this process, and the run's journal, if None.

    Raises:
      Interrupted: a signal came; everything is kept.
    """
    with contextlib.ExitStack() as stack:
        if backend is None:
            stack.enter_context(run.lock())
            journal = stack.enter_context(Journal(run.path / FILE, progress.message))
            backend = journaling(local_evaluator, journal)
        job.programs.train_with(backend)
        stack.callback(job.close)
        state, outcome = drive(
            job,
            run,
            progress,
            minutes=minutes,
            checkpoint_seconds=_CHECKPOINT_SECONDS,
            unit="rules",
            describe=describe,
            owner=owner or run,
            compiling=compilation_seconds,
        )
    if job.is_barren(state):
        config = job.config
        progress.message(barren_text(state.counts, config.batch_size, config.filters.max_size))
    if outcome == "interrupted":
        raise Interrupted
    return state
