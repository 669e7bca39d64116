"""Strategies by searches that train: what is said of made-up searches, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.judging.rewards import FLOOR
from metarl.optimizer_search.reproduction import strategies
from metarl.optimizer_search.reproduction.fresh import FreshJudges, fresh_panel
from metarl.optimizer_search.reproduction.strategies import Rival, Settings
from metarl.optimizer_search.searching.search_job import SearchJob
from metarl.optimizer_search.settings.config import (
    EvolutionConfig,
    SearchConfig,
    TrainingConfig,
)
from metarl.update_rules import parse

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
        "judge_scores": np.array([choice, -choice]),
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


def test_a_search_is_ahead_once_it_has_a_better_rule_than_random_search_ever_finds():
    """From the generation on in which it has; one that is as good in the end never is."""
    theirs, good = searched(0.0, [0.0, 0.0]), np.array([0.3, 0.4])
    late = {"best_reward": np.array([0.2, 0.3])}
    ours = [theirs | {"best_reward": good}, theirs | late, theirs]
    row = strategies._row("ours", ours, [theirs] * 3, 200.0)
    assert row["ahead_after"] == [10, 20, None] and row["ahead_after_median"] == 20.0


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
        (
            {"held_out": ("lorenz", "digits-mlp")},
            "that the searches do not see, not lorenz, digits-mlp; the searches see digits-mlp",
        ),
        ({"held_out": ("lorenz", "lorenz")}, "must be different problems"),
        (
            {"search": SearchConfig(training=TrainingConfig(one_rate=True))},
            "tuned for each problem; leave search.training.one_rate out",
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
    trial = fresh_panel(job, job.problems, (1.0,), 2, 3)._trial_of(4)
    assert (trial.schedule, trial.random_scale) == ("cosine", 2.0)
    assert (trial.sweep_replicates, trial.full_replicates) == (2, 3)
    job.close()


def test_rules_are_told_apart_problem_by_problem():
    """The rows of a problem hold its own column of scores, those of random search taken off by seed."""
    luck = np.linspace(-1.0, 1.0, 8)
    runs = {
        "random": [searched(x, [x]) for x in luck],
        "ours": [searched(x + 0.25, [x]) for x in luck],
    }
    settings = Settings(SearchConfig(problem=("quadratic",)), (RANDOM,), held_out=("lorenz",))
    table = strategies._problem_table(runs, settings, range(1, 9))
    told = {(row["problem"], row["strategy"]): row for row in table.rows}
    assert [row["seen"] for row in table.rows] == ["yes", "yes", "no", "no"]
    assert told["quadratic", "ours"]["difference"].mean == pytest.approx(0.25)
    assert told["lorenz", "ours"]["difference"].mean == pytest.approx(-0.25)
    assert told["quadratic", "ours"]["ahead"] == 5 and told["lorenz", "ours"]["ahead"] == 3
    assert told["lorenz", "random"]["difference"] is None


@pytest.fixture(scope="module")
def job():
    training = TrainingConfig(steps=4, horizons=(1.0, 2.0), seeds=1, schedule="cosine")
    config = SearchConfig(problem=("quadratic",), depth=1, budget=2, training=training)
    made = SearchJob(config.validate())
    yield made
    made.close()


def test_adam_is_worth_nothing_beside_itself_wherever_it_is_tuned(job):
    """Rates about its own, and decades first where none is known: the same number, so no difference at all."""
    adam = job.grammar.to_tokens(parse("adam"))
    for rate in (None, np.array([0.1, 0.1])):
        panel = fresh_panel(job, job.problems, (1.0, 2.0), 2, 3)
        fresh = FreshJudges(panel, None if rate is None else lambda name: 0.1)
        found = fresh.less_adams(adam, rate)
        assert set(found.by_judge) == {"quadratic", "quadratic x2"}
        assert found.replicates.shape == (1, 3) and not found.replicates.any()
        assert not any(scores.any() for scores in found.by_judge.values())
        panel.close()


def test_a_rule_whose_rate_is_not_known_is_tuned_over_decades_to_an_eighth_of_one(job):
    """The gradient's sign wants another rate than the gradient; both are found from the same decades."""
    panel = fresh_panel(job, job.problems, (1.0, 2.0), 2, 3)
    fresh = FreshJudges(panel)
    tuned = {
        text: fresh._tuned(job.grammar.to_tokens(parse(text)), None).rates["quadratic"][0]
        for text in ("g", "sign(g)")
    }
    eighths = {text: np.log10(rate) * 8 for text, rate in tuned.items()}
    assert all(abs(place - round(place)) < 1e-3 for place in eighths.values())
    assert tuned["g"] != tuned["sign(g)"]
    panel.close()
