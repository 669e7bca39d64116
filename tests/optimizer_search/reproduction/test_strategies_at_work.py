"""Strategies by searches that train: what is said of made-up searches, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.judging.rewards import FLOOR
from metarl.optimizer_search.reproduction import strategies
from metarl.optimizer_search.reproduction.strategies import Rival, Settings
from metarl.optimizer_search.searching.search_job import SearchJob
from metarl.optimizer_search.settings.config import (
    EvolutionConfig,
    SearchConfig,
    TrainingConfig,
)

RANDOM = Rival("random", "random", batch_size=512)


def searched(choice, fresh):
    return {
        "trained": np.array([10.0, 20.0]),
        "steps": np.array([100.0, 200.0]),
        "best_reward": np.array([0.1, 0.2]),
        "mean_reward": np.array([-1.0, -0.5]),
        "sampled": np.array([64.0, 128.0]),
        "choice_score": np.array(choice),
        "fresh_scores": np.array(fresh),
        "rule": np.array("adam"),
    }


def test_a_rival_is_compared_with_random_search_seed_by_seed_on_fresh_seeds():
    luck = np.linspace(-1.0, 1.0, 8)  # of the seed, which drops out
    noise = np.array([-0.01, 0.01] * 4)
    theirs = [searched(x, x + noise) for x in luck]
    ours = [searched(x + 0.1, x + 0.2 + noise) for x in luck]
    row = strategies._row("ours", ours, theirs, 200.0)
    assert row["fresh_difference"].mean == pytest.approx(0.2)
    assert row["choice_difference"].mean == pytest.approx(0.1)
    assert row["fresh_difference"].high - row["fresh_difference"].low < 1e-6
    assert row["better"] == int(np.sum(luck + 0.2 > 0.01)) == row["searches"] - 4 + 1
    claims = strategies._claims([row], range(1, 9))
    assert "better than random search" in claims[0] and "+0.200 [+0.200, +0.200]" in claims[0]
    alone = strategies._row("random", theirs, theirs, 200.0)
    table = strategies._table([row, alone], Settings(), range(1, 9))
    assert [shown["better"] for shown in table.rows] == [5, alone["better"]]
    assert alone["fresh_difference"] is None and strategies._claims([alone], range(1, 9)) == []


def test_of_fewer_than_eight_searches_no_difference_is_clear():
    theirs = [searched(0.0, [0.0, 0.0]) for _ in range(7)]
    ours = [searched(1.0, [1.0, 1.0 + x]) for x in range(7)]
    claims = strategies._claims([strategies._row("ours", ours, theirs, 200.0)], range(1, 8))
    assert "no clear difference to random search" in claims[0]


def test_who_has_not_ended_a_generation_at_equal_steps_has_found_nothing():
    late = searched(0.0, [0.0, 0.0]) | {"steps": np.array([300.0, 400.0])}
    rows = strategies._rows({"random": [searched(0.0, [0.0, 0.0])] * 8, "late": [late] * 8})
    assert [row["best_at_equal_steps"].mean for row in rows] == [0.2, FLOOR]
    assert strategies._rows({}) == []


def test_a_search_of_a_rival_has_its_own_settings_and_shares_the_rest():
    rival = Rival("small", "evolution", racing=False, evolution=EvolutionConfig(population=8))
    settings = Settings(SearchConfig(budget=50, depth=1), (RANDOM, rival))
    config = rival.config(settings, 3)
    assert config == dataclasses.replace(
        SearchConfig(budget=50, depth=1, seed=3),
        strategy="evolution",
        evolution=EvolutionConfig(population=8),
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rivals": (Rival("a", "ppo"),)}, "different names, random among them, not a"),
        ({"rivals": (RANDOM, RANDOM)}, "must have different names"),
        ({"picked": ("ppo",)}, r"picked must be of random; \['ppo'\] are not"),
        ({"search": SearchConfig(problem=("a", "b"))}, "judged by one problem at one horizon"),
        (
            {"search": SearchConfig(training=TrainingConfig(horizons=(1.0, 4.0)))},
            "judged by one problem at one horizon",
        ),
    ],
)
def test_settings_that_cannot_be_compared_are_refused(change, message):
    with pytest.raises(InvalidInput, match=message):
        Settings(**{"rivals": (RANDOM,), **change})


def test_fresh_seeds_are_run_as_the_search_runs_its_own():
    """Rates that decay in the search decay where its rule is measured once more."""
    training = TrainingConfig(steps=4, seeds=1, schedule="cosine", random_scale=2.0)
    config = SearchConfig(problem=("quadratic",), depth=1, budget=2, training=training)
    job = SearchJob(config.validate())
    settings = Settings(search=config, tuning_seeds=2, report_seeds=3)
    trial = strategies._fresh_panel(job, settings)._trial_of(4)
    assert (trial.schedule, trial.random_scale) == ("cosine", 2.0)
    assert (trial.sweep_replicates, trial.full_replicates) == (2, 3)
    job.close()
