"""Generations in flight: what a search finds does not depend on what is ready first, nor on where it was stopped."""

from __future__ import annotations

import dataclasses
import itertools
import random
import time

import jax
import numpy as np
import pytest
from driving import bits, driven

from metarl.errors import InvalidInput
from metarl.optimizer_search.journal.journal import Journal
from metarl.optimizer_search.journal.journaled import journaling
from metarl.optimizer_search.judging.evaluators import LocalEvaluator, in_order, local_evaluator
from metarl.optimizer_search.searching.in_flight import GenerationThreads, InFlight
from metarl.optimizer_search.searching.search_job import SearchJob
from metarl.optimizer_search.settings.config import (
    ControllerConfig,
    EvolutionConfig,
    SearchConfig,
    TrainingConfig,
)
from metarl.optimizer_search.strategies import Proposals

WIDTH = 4
CONFIG = SearchConfig(
    problem=("toy_problem:logistic",),
    strategy="evolution",
    space="sign",
    depth=1,
    budget=14,
    batch_size=8,
    lag=2,
    seed=4,
    controller=ControllerConfig(hidden=8, embedding=4, epochs=1),
    evolution=EvolutionConfig(population=4, sample=2, first="random"),
    training=TrainingConfig(steps=6, learning_rates=(0.1, 1.0), seeds=2, horizons=(0.5, 1.0)),
)


class Killed(BaseException):
    """Stands for a process that is gone."""


class Shuffled(LocalEvaluator):
    """Gives results late and in another order each time; keeps the order in which evaluations ended."""

    def __init__(self, judgements, seed, dies_after=None):
        super().__init__(judgements, WIDTH)
        self.random, self.dies_after = random.Random(seed), dies_after
        self.trained, self.ended, self.numbers = 0, [], itertools.count()

    def as_completed(self, tokens, rates, judges=None):
        results = list(super().as_completed(tokens, rates, judges))
        self.random.shuffle(results)
        for result in results:
            if self.dies_after is not None and self.trained >= self.dies_after:
                raise Killed
            self.trained += len(result.verdicts.rate)
            yield result

    def evaluate(self, tokens, rates, judges=None):
        number = next(self.numbers)
        found = in_order(self.as_completed(tokens, rates, judges), judges or self.judges)
        time.sleep(0.2 if number % 3 == 0 else 0.0)
        self.ended.append(number)
        return found


@pytest.fixture(scope="module")
def twin(toy):
    """A search whose compiled programs all others take over."""
    job = SearchJob(CONFIG)
    yield job
    job.close()


@pytest.fixture
def search(twin):
    """(backend, settings) -> a new job."""
    jobs = []

    def make(backend=local_evaluator, **settings):
        job = SearchJob(dataclasses.replace(CONFIG, **settings))
        job.programs.share(twin.programs)
        job.programs.train_with(backend)
        jobs.append(job)
        return job

    yield make
    for job in jobs:
        job.close()


def on_one_device(judgements):
    return LocalEvaluator(judgements, WIDTH, jax.local_devices()[:1])


@pytest.fixture(scope="module")
def whole(twin):
    """A search on one thread that nothing disturbed: its log and its last bits, by strategy."""

    class Found(dict):
        def __missing__(self, strategy):
            job = SearchJob(dataclasses.replace(CONFIG, strategy=strategy))
            job.programs.share(twin.programs)
            job.programs.train_with(on_one_device)
            state, rows = driven(job)
            self[strategy] = rows, bits(job, state)
            assert len(rows) > 3 and any(row["best_reward"] is not None for row in rows)
            job.close()
            return self[strategy]

    return Found()


CONTROLLER = pytest.mark.slow  # the quick form: an evolution, which draws and remembers as much


@pytest.mark.parametrize("strategy", ["evolution", pytest.param("ppo", marks=CONTROLLER)])
def test_two_threads_find_what_one_finds(whole, search, strategy):
    job = search(strategy=strategy)
    state, rows = driven(job)
    assert (rows, bits(job, state)) == whole[strategy]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_completion_changes_nothing(whole, search, seed):
    evaluators = []

    def backend(judgements):
        evaluators.append(Shuffled(judgements, seed))
        return evaluators[-1]

    job = search(backend)
    state, rows = driven(job)
    ended = evaluators[0].ended
    assert (rows, bits(job, state)) == whole["evolution"]
    assert ended != sorted(ended), "nothing was overtaken"


@pytest.mark.parametrize(
    ("strategy", "session"), [("evolution", 1), pytest.param("ppo", 3, marks=CONTROLLER)]
)
def test_a_search_stopped_and_resumed_equals_one_that_was_not(whole, search, strategy, session):
    job = search(strategy=strategy)
    state, rows = driven(job, generations=session)
    while not job.finished(state):
        assert len(state.in_flight) == CONFIG.lag
        arrays, meta = job.save(state)
        assert any(name.startswith("in_flight|1|") for name in arrays)
        job.close()
        job = search(strategy=strategy)
        state, more = driven(job, job.load(arrays, meta), generations=session)
        rows += more
    assert len(rows) > session and (rows, bits(job, state)) == whole[strategy]


def test_a_search_killed_in_the_middle_goes_on_from_checkpoint_and_journal(whole, search, tmp_path):
    def session(journal, dies_after, saved):
        made = []

        def backend(judgements):
            made.append(Shuffled(judgements, seed=3, dies_after=dies_after))
            return made[0]

        job = search(journaling(backend, journal))
        state, rows = (job.init(), []) if saved is None else (job.load(*saved[0]), saved[1])
        try:
            while not job.finished(state):
                state, metrics = job.update(state)
                rows = [*rows, metrics]
                if len(rows) == 2:  # the only checkpoint that there will be
                    saved = job.save(state), rows
        except Killed:
            return saved, made[0].trained, None
        finally:
            job.close()
        return saved, made[0].trained, (rows, bits(job, state))

    trained, saved, found = 0, None, None
    for dies_after in (5, 6, None):
        with Journal(tmp_path / "journal.jsonl") as journal:
            saved, here, found = session(journal, dies_after, saved)
        trained += here
    assert found == whole["evolution"]
    with Journal(tmp_path / "journal.jsonl") as journal:
        # what was handed on by the evaluator is in the journal, and was trained once
        assert trained == len(journal) >= 2 * 14 - 4


def test_the_lag_is_part_of_what_is_found_and_the_budget_holds(whole, search):
    job = search(lag=0)
    state, rows = driven(job)
    assert state.in_flight == () and rows[-1]["trained"] == CONFIG.budget
    assert rows != whole["evolution"][0]
    assert whole["evolution"][0][-1]["trained"] == CONFIG.budget


@pytest.mark.parametrize("lag", [1, 2, 5])
def test_a_rule_in_flight_is_not_trained_again(search, lag):
    asked = []

    class Spy(LocalEvaluator):
        def as_completed(self, tokens, rates, judges=None):
            assert judges is not None
            asked.extend((judges[0], tuple(row)) for row in tokens.tolist())
            return super().as_completed(tokens, rates, judges)

    job = search(lambda judgements: Spy(judgements, WIDTH), strategy="random", lag=lag)
    state, _ = driven(job)
    first = [tokens for judge, tokens in asked if judge == "toy x0.5"]
    assert len(first) == CONFIG.budget == state.counts.trained == len(state.cache)
    prints = {bytes(p) for p in job.programs.probes.outputs(np.array(first)).update}
    assert len(prints) == CONFIG.budget
    counts = state.counts
    filtered = sum(counts.filtered.values())
    assert counts.sampled == counts.trained + counts.repeated + filtered + counts.beyond_budget


def test_a_repetition_with_a_budget_ends_as_a_search_that_ran_out_of_time(search):
    timed = search(budget=None, minutes=1.0)
    state, rows = driven(timed, generations=2)
    before = state.counts.trained
    while (
        state.counts.trained == before
    ):  # the driver stops with a generation that trained something
        state, metrics = timed.update(state)
        rows.append(metrics)
    again = search(budget=state.counts.trained)
    state_again, rows_again = driven(again)
    assert rows_again == rows and state.counts == state_again.counts
    ours, theirs = (bits(*pair)[0] for pair in ((timed, state), (again, state_again)))
    assert ours == theirs


def test_a_search_with_generations_in_flight_can_be_started_from(search, twin):
    job = search()
    state, _ = driven(job, generations=2)
    taken = SearchJob(CONFIG, (CONFIG, *job.save(state))).init()
    assert taken.in_flight == () and len(taken.cache) == len(state.cache)


def test_a_checkpoint_that_lost_a_generation_is_refused(search):
    job = search()
    state, _ = driven(job, generations=1)
    arrays, meta = job.save(state)
    lost = {name: a for name, a in arrays.items() if not name.startswith("in_flight|0|")}
    with pytest.raises(InvalidInput, match="damaged: of the generations in flight it holds 1"):
        job.load(lost, meta)


def test_closing_in_the_middle_of_a_generation_waits_for_the_chunks_that_have_begun(search):
    judged = []

    class Slow(LocalEvaluator):
        def _judge(self, name, first, chunk):
            judged.append(first)
            time.sleep(0.2)
            return super()._judge(name, first, chunk)

    settings = {"strategy": "random", "batch_size": 128, "budget": 1000}
    job = search(lambda judgements: Slow(judgements, 1), **settings)
    state = job.init()
    for _ in range(CONFIG.lag + 1):
        state = job._ask(state)
    job._train_ahead(state.in_flight)
    job.close()
    assert sum(len(flight.sorting.new) for flight in state.in_flight) > 8
    assert len(judged) <= 2 * len(jax.local_devices())


def test_a_failure_in_flight_reaches_the_caller_when_its_turn_comes():
    def train(flight):
        if flight.generation == 1:
            raise RuntimeError("out of memory")
        return flight.generation

    flights = [InFlight(number, Proposals(np.zeros((1, 5))), None) for number in range(3)]  # type: ignore[arg-type]
    crew = GenerationThreads(train, lag=2)
    for flight in flights:
        crew.begin(flight)
    assert crew.finish(flights[0]) == 0
    with pytest.raises(RuntimeError, match="out of memory"):
        crew.finish(flights[1])
    assert crew.finish(flights[2]) == 2
    crew.close()


def test_a_negative_lag_is_refused():
    with pytest.raises(InvalidInput, match="lag is -1; it must not be negative"):
        dataclasses.replace(CONFIG, lag=-1).validate()
