"""Racing: what a loop over rules would do, at any place and after any stop; told in the order of the rungs."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import pytest
from driving import bits, driven

from metarl.errors import InvalidInput
from metarl.optimizer_search import load_table
from metarl.optimizer_search.journal.journal import Journal
from metarl.optimizer_search.journal.journaled import journaling
from metarl.optimizer_search.judging.evaluators import LocalEvaluator
from metarl.optimizer_search.searching.earnings import train
from metarl.optimizer_search.searching.racing import lowered, tried_rates
from metarl.optimizer_search.searching.search_job import SearchJob
from metarl.optimizer_search.settings.config import (
    ControllerConfig,
    EvolutionConfig,
    SearchConfig,
    TrainingConfig,
)
from metarl.optimizer_search.tables import table_programs
from metarl.optimizer_search.tables.table_programs import TablePrograms

TABLE = SearchConfig(
    problem=("quadratic", "digits-mlp"),
    strategy="evolution",
    space="sign",
    depth=1,
    budget=50,
    batch_size=24,
    seed=5,
    racing=True,
    controller=ControllerConfig(hidden=8, embedding=4, epochs=1),
    evolution=EvolutionConfig(population=8, sample=3, first="random"),
)
TOY = dataclasses.replace(
    TABLE,
    problem=("toy_problem:logistic",),
    strategy="random",
    budget=9,
    batch_size=12,
    training=TrainingConfig(
        steps=8, learning_rates=(0.01, 0.1, 1.0, 10.0), seeds=2, schedule="cosine"
    ),
)


@pytest.fixture(scope="module")
def sign():
    return load_table("sign-1")


def test_stopped_rules_are_below_those_that_went_on_and_keep_their_order():
    short, full = np.array([0.5, -1.0, 0.2]), np.array([0.1, -5.0, 0.3])
    np.testing.assert_allclose(lowered(short, full), [0.1, -1.4, -0.2])
    np.testing.assert_allclose(lowered(short - 1, full), short - 1)
    np.testing.assert_allclose(lowered(short, np.array([-5.0])), short)
    assert lowered(np.array([1.0, -4.0]), np.array([-4.5])).tolist() == [-4.5, -5.0]


def test_a_generation_is_raced_as_a_loop_over_the_table_races_it(sign):
    job = SearchJob(TABLE, programs=table_programs(sign))
    programs = job.programs
    assert isinstance(programs, TablePrograms)
    tokens = sign.tokens[np.random.default_rng(0).permutation(len(sign.tokens))[:20]]
    sorting = programs.sort(tokens, {})
    earned = train(tokens, sorting, programs)
    assert earned is not None
    logs, at_short, short, two = np.log10(sign.rates), 1, [], []
    for place, row in enumerate(tokens):
        rule, scores, rates = int(sign.place_of(row[None])[0]), [], []
        for judge in programs.judges:
            own, update = sign.judge(judge.name), sorting.outputs.update[place][None]
            tried = tried_rates(programs, judge, update)[0]
            assert len(tried) == 3
            at = [int(np.abs(logs - np.log10(rate)).argmin()) for rate in tried]
            column = programs.deal.sweep[0]
            ends = sign.losses(own)[rule, :, column, at_short]
            best = min(at, key=lambda r: ends[r])
            at += [best - 1, best + 1]
            adam = own.adam_runs["search"][:, column, at_short].min()
            hopeless = not ends[at].min() < own.start[column]
            scores.append(-np.inf if hopeless else np.clip(np.log(adam / ends[at].min()), -5, 5))
            rates.append(sorted(at, key=lambda r: ends[r])[:2])
        short.append(np.mean(scores) if np.isfinite(scores).all() else -5.0)
        two.append(rates)
    order = np.argsort(-np.array(short), kind="stable")
    going = [k for k in order[: int(np.ceil(20 / 6))] if short[k] > -5]
    full = {}
    for k in going:
        rule, scores = int(sign.place_of(tokens[k][None])[0]), []
        for judge, rates in zip(programs.judges, two[k], strict=True):
            columns = list(programs.deal.full)
            ends = sign.losses(judge.name)[rule][:, columns, -1]
            best = min(rates, key=lambda r: ends[r].mean())
            adam = programs.references[judge.name].losses
            scores.append(np.clip(np.log(adam / ends[best]), -5, 5).mean())
        full[k] = np.mean(scores) if np.isfinite(scores).all() else -5.0
    stopped = [k for k in range(20) if k not in full]
    assert [earned.rewards[k] for k in full] == pytest.approx(list(full.values()), abs=1e-4)
    least = min(value for value in full.values() if value > -5)
    lasting = [k for k in stopped if short[k] > -5]
    drop = max(0.0, max(short[k] for k in lasting) - least)
    assert [earned.rewards[k] for k in lasting] == pytest.approx(
        [max(short[k] - drop, -5) for k in lasting], abs=1e-4
    )
    assert np.isinf(earned.losses[stopped]).all() and np.isfinite(earned.losses[list(full)]).all()
    every = SearchJob(dataclasses.replace(TABLE, racing=False), programs=table_programs(sign))
    in_full = train(tokens, sorting, every.programs)
    assert in_full is not None and earned.steps < 0.5 * in_full.steps


@pytest.mark.parametrize("strategy", ["ppo", "evolution"])
def test_a_raced_search_on_a_table_that_was_stopped_equals_one_that_was_not(sign, strategy):
    config = dataclasses.replace(TABLE, strategy=strategy)
    make = partial(SearchJob, config, programs=table_programs(sign))
    job = make()
    state, rows = driven(job)
    assert state.counts.trained >= 40 and 5 <= len(state.archive.best(99)) < 30
    first = make()
    stopped, before = driven(first, first.init(), 2)
    second = make()
    resumed, after = driven(second, second.load(*first.save(stopped)))
    assert before + after == rows
    assert bits(second, resumed) == bits(job, state)


def test_a_raced_search_finds_all_it_trained_in_the_journal(toy, tmp_path):
    def run(width, journal):
        job = SearchJob(TOY)
        local = lambda judgements: LocalEvaluator(judgements, width)  # noqa: E731
        job.programs.train_with(journaling(local, journal))
        state, rows = driven(job)
        saved = bits(job, state)
        job.close()
        return rows, saved

    with Journal(tmp_path / "journal.jsonl") as journal:
        rows, saved = run(4, journal)
        known = len(journal)
        again, saved_again = run(4, journal)
        assert len(journal) == known > 9
    assert (rows, saved) == (again, saved_again)


def test_racing_is_refused_where_there_are_no_losses_to_compare():
    with pytest.raises(InvalidInput, match="--racing compares losses; it goes with --reward loss"):
        SearchConfig(racing=True, reward="accuracy").validate()
