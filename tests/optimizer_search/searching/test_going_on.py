"""A search that goes on from an earlier one (`--init-from`), with every strategy, on a table: nothing is trained."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from driving import driven

from metarl.optimizer_search import load_table
from metarl.optimizer_search.searching.search_job import SearchJob
from metarl.optimizer_search.settings.config import (
    AlphaZeroConfig,
    BayesianConfig,
    ControllerConfig,
    DecisionTransformerConfig,
    DreamConfig,
    EvolutionConfig,
    GoExploreConfig,
    GuidedEvolutionConfig,
    JudgeModelConfig,
    PreferenceConfig,
    SearchConfig,
    TrajectoryTransformerConfig,
)
from metarl.optimizer_search.strategies import names
from metarl.optimizer_search.tables import table_programs

K = 16
CONFIG = SearchConfig(
    problem=("quadratic",),
    space="sign",
    depth=2,
    different_operands=True,
    no_final_addition=True,
    reuse_values=True,
    batch_size=K,
    controller=ControllerConfig(hidden=8, embedding=4, epochs=1),
    evolution=EvolutionConfig(population=16, sample=4, first="random"),
    guided_evolution=GuidedEvolutionConfig(generations=1, population=16, elite=8),
    go_explore=GoExploreConfig(cells=64),
    bayesian=BayesianConfig(start=16, memory=128, candidates=2),
    dpo=PreferenceConfig(memory=64, pairs=16, steps=2),
    judge_model=JudgeModelConfig(members=2, hidden=8, steps=2, batch=32, memory=64),
    dream=DreamConfig(dreams=1, rules=16),
    decision_transformer=DecisionTransformerConfig(steps=2, memory=64, batch=16),
    trajectory_transformer=TrajectoryTransformerConfig(
        beams=2, expand=2, steps=2, memory=64, batch=16
    ),
    alphazero=AlphaZeroConfig(simulations=4, steps=2, memory=64, batch=16),
)


# The others learn by the same means; what they compile is dear.
QUICK = ("priority-queue", "go-explore", "bayesian", "mcts", "evolution", "random", "enumeration")
ANY = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in names()]


def job_on_a_table(config, earlier=None, strategy=None):
    """A job, and what it will have proposed; with the compiled strategy of another job if that is given."""
    table = load_table("sign-2-size-6")
    job = SearchJob(config, earlier, table_programs(table))
    strategy = strategy or job._strategy
    proposed = []

    def noting(key, state, count):
        state, proposals = strategy.ask(key, state, count)
        proposed.extend(np.asarray(proposals.tokens))
        return state, proposals

    job._strategy = strategy._replace(ask=noting)
    return job, proposed, strategy


@pytest.mark.parametrize("name", ANY)
def test_a_search_goes_on_from_another_and_proposes_legal_rules_alone(name):
    config = dataclasses.replace(CONFIG, strategy=name)
    job, first, strategy = job_on_a_table(config)
    state, _ = driven(job, None, 3)
    later, then, _ = job_on_a_table(config, (config, *job.save(state)), strategy)
    state, rows = driven(later, None, 3)
    assert len(first) == len(then) == 3 * K and state.counts.generation == 3
    for row in (*first, *then):
        later.grammar.validate(row)
    for value in (value for row in rows for value in row.values()):
        assert not isinstance(value, float) or np.isfinite(value)


def test_enumeration_goes_on_where_rules_are_judged_alike_and_begins_anew_where_they_are_not():
    config = dataclasses.replace(CONFIG, strategy="enumeration")
    job, _, strategy = job_on_a_table(config)
    state, _ = driven(job, None, 2)
    saved = job.save(state)
    for change, expected in (({}, 2 * K), ({"seed": 5}, 0), ({"racing": True}, 0)):
        other = dataclasses.replace(config, **change)
        later, _, _ = job_on_a_table(other, (config, *saved), strategy)
        assert later.init().strategy.proposed == expected, change
