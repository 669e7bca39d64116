"""A table whose best function is known: every strategy hands it over, or as good a one as its trainings can miss.

The functions are those of `sign` at depth 1, what they are worth is a random order, without noise. So whatever a
strategy makes of what it is told, the n of N functions that it trains are any n of them with equal probability, and
that the best r are not among them has the probability C(N - r, n) / C(N, n). Whoever trains all hands over
the best: enumeration must, Bayesian optimisation does as a rule.
"""

from __future__ import annotations

import dataclasses
from math import comb
from typing import Any

import numpy as np
import pytest
from driving import driven

from metarl.optimizer_search import load_table
from metarl.optimizer_search.running.table_search import choose_from_table
from metarl.optimizer_search.searching.search_job import SearchJob
from metarl.optimizer_search.settings.config import (
    AlphaZeroConfig,
    BayesianConfig,
    ControllerConfig,
    DecisionTransformerConfig,
    DreamConfig,
    EvolutionConfig,
    GuidedEvolutionConfig,
    ImaginationConfig,
    JudgeModelConfig,
    PreferenceConfig,
    SearchConfig,
    TrajectoryTransformerConfig,
)
from metarl.optimizer_search.strategies import names
from metarl.optimizer_search.tables import table_programs, truth

ERROR = 1e-4 / 25  # of one strategy, so that of up to 25 together it is below 1e-4
GENERATIONS = 64  # at most
LEAST_TRAINED = 50  # of 125: so everybody hands over one of the best 22; random search trains 77
QUICK = ("random", "evolution", "enumeration", "go-explore", "bayesian", "mcts", "priority-queue")
CONFIG = SearchConfig(
    problem=("quadratic",),
    space="sign",
    depth=1,
    batch_size=32,
    controller=ControllerConfig(hidden=8, embedding=4, epochs=1),
    evolution=EvolutionConfig(population=16, sample=4),
    guided_evolution=GuidedEvolutionConfig(generations=2, population=16, elite=8),
    bayesian=BayesianConfig(memory=128, candidates=4, fitted=64),
    dpo=PreferenceConfig(memory=128, pairs=16, steps=2),
    judge_model=JudgeModelConfig(members=2, hidden=8, steps=2, batch=32, memory=128),
    dream=DreamConfig(dreams=1, rules=16),
    imagination=ImaginationConfig(candidates=2),
    decision_transformer=DecisionTransformerConfig(steps=2, memory=128, batch=16),
    trajectory_transformer=TrajectoryTransformerConfig(
        beams=2, expand=2, steps=2, memory=128, batch=16
    ),
    alphazero=AlphaZeroConfig(simulations=4, steps=2, memory=128, batch=16),
)
ANY = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in names()]


@pytest.fixture(scope="module")
def known():
    """The table, and the places of its functions, the best first."""
    table = load_table("sign-1")
    functions = len(table.tokens)
    scores = np.random.default_rng(0).permutation(np.linspace(-1.0, 1.0, functions))
    judge = table.judge("quadratic")
    losses = {
        split: np.broadcast_to(
            np.exp(-scores).reshape(-1, *[1] * (values.ndim - 1)), values.shape
        ).astype(np.float32)
        for split, values in judge._losses.items()
    }
    judge = dataclasses.replace(
        judge,
        adam={split: np.ones_like(values) for split, values in judge.adam.items()},
        adam_runs={split: np.ones_like(values) for split, values in judge.adam_runs.items()},
        start=np.full_like(judge.start, 10.0),
        _losses=losses,
    )
    table = dataclasses.replace(table, judges=(judge,))
    np.testing.assert_allclose(truth(table, "quadratic"), scores, atol=1e-6)
    return table, np.argsort(-scores)


def worst_rank(trained, functions):
    """The rank that the best of so many trained functions exceeds with at most the error."""
    rest = range(functions - trained + 1)
    likely = (comb(functions - r, trained) / comb(functions, trained) for r in rest)
    return sum(probability > ERROR for probability in likely)


def test_the_worst_rank_that_is_let_pass_is_counted():
    assert worst_rank(125, 125) == 1
    drawn = [np.random.default_rng(seed).permutation(125)[:60].min() for seed in range(4000)]
    for rank in (2, 5):
        share = comb(125 - rank, 60) / comb(125, 60)
        assert np.mean(np.array(drawn) >= rank) == pytest.approx(share, abs=0.02)
    assert worst_rank(LEAST_TRAINED, 125) == 22


@pytest.mark.parametrize("name", ANY)
def test_a_strategy_hands_over_the_best_function_or_one_of_the_few_that_it_may_miss(known, name):
    table, order = known
    config = dataclasses.replace(CONFIG, strategy=name, budget=len(table.tokens))
    job = SearchJob(config, programs=table_programs(table))
    state, _ = driven(job, generations=GENERATIONS)
    trained, best = state.counts.trained, state.archive.best(1)[0]
    programs: Any = job.programs
    chosen = choose_from_table(programs, state.archive.best(config.final.candidates))[0]
    assert chosen.place == table.place_of(best.tokens[None])[0]  # there is no noise
    rank = 1 + order.tolist().index(chosen.place)
    assert trained >= (len(order) if name == "enumeration" else LEAST_TRAINED)
    assert rank <= worst_rank(trained, len(order))
