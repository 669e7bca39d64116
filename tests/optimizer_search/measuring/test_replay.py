"""A replayed search beside a search job on the same table, which looks its rules up one generation after another."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from metarl.optimizer_search.measuring.replay import Handover, near_rules, replay
from metarl.optimizer_search.measuring.views import Draw, TableViews
from metarl.optimizer_search.running.table_search import choose_from_table
from metarl.optimizer_search.searching.search_job import SearchJob
from metarl.optimizer_search.settings.config import SearchConfig
from metarl.optimizer_search.strategies import make
from metarl.optimizer_search.tables import load_table, table_programs
from metarl.optimizer_search.tables.table_programs import TablePrograms

BUDGET, SEED, CANDIDATES = 100, 3, 8


def test_a_replay_trains_earns_chooses_and_hands_over_what_a_search_job_does():
    table = load_table("sign-1")
    config = SearchConfig(
        problem=("quadratic", "digits-mlp"), space="sign", depth=1, strategy="evolution", budget=BUDGET, seed=SEED,
    )  # fmt: skip
    job = SearchJob(config, programs=table_programs(table))
    views = TableViews(table)
    views.judges = [table.judge(name) for name in config.problem]
    assert isinstance(job.programs, TablePrograms)
    deal = job.programs.deal
    view = views.view(Draw(*map(np.array, (deal.sweep, deal.full, deal.choice, deal.truth))))
    found = replay(
        make("evolution", table.grammar, config),
        jax.random.key(SEED),
        table.place_of,
        view.rewards,
        BUDGET,
        config.batch_size,
    )

    state, trained = job.init(), []
    while not job.finished(state):
        before = set(state.cache)
        state, _ = job.update(state)
        new = [fingerprint for fingerprint in state.cache if fingerprint not in before]
        for fingerprint in new:
            place = table.places.named(fingerprint)
            trained.append(place)
            known = state.cache.get(fingerprint)
            assert known is not None and known.reward == pytest.approx(
                view.rewards[place], abs=1e-5
            )
    assert found.trained.tolist() == trained and len(trained) == BUDGET
    assert found.sampled[-1] == state.counts.sampled
    assert view.steps[found.trained].sum() == state.counts.steps

    chosen = choose_from_table(job.programs, state.archive.best(CANDIDATES))
    for one in chosen:
        assert one.choice.choice_score == pytest.approx(view.choice[one.place], abs=1e-5)
    handed = Handover(near_rules(table), CANDIDATES).place(found.trained, view)
    assert handed == chosen[0].place


def test_enumeration_trains_the_rules_of_a_table_in_their_order():
    table = load_table("sign-1")
    strategy = make("enumeration", table.grammar, SearchConfig(space="sign", depth=1))
    rewards = np.zeros(len(table.tokens), np.float32)
    found = replay(strategy, jax.random.key(0), table.place_of, rewards, 40, 16)
    assert found.trained.tolist() == list(range(40)) and found.sampled[-1] == 48
