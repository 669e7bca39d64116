"""What families say of their tasks: agents believe it, and what they assume beyond is pointed out."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from metarl.classical_agents import doubts, make, rows
from metarl.environments import (
    BanditDistribution,
    MDPDistribution,
    Trial,
    load,
    play,
    play_split,
)
from metarl.errors import InvalidInput

GAUSSIAN = {"rewards": "gaussian", "arms": 3, "mean": 5.0, "deviation": 0.5, "noise": 2.0}
IN_WORDS = "prior_mean=5,prior_deviation=0.5,noise=2"
UNUSUAL_MDP = {"reward_mean": 3.0, "reward_deviation": 0.5, "reward_noise": 2.0, "alpha": 0.25}


def trial_of(name: str, episodes: int = 6, **settings) -> Trial:
    return Trial(load(name, **settings), episodes=episodes)


def mdp_trial(**settings) -> Trial:
    return trial_of("mdp", 2, states=3, actions=2, horizon=3, **settings)


def numbers_of(text: str, trial: Trial) -> list[np.ndarray]:
    """Returns the numbers that an agent is built with."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves(make(text, trial))]


def undeclared(trial: Trial) -> Trial:
    return dataclasses.replace(
        trial, environment=dataclasses.replace(trial.environment, distribution=None)
    )


@pytest.mark.parametrize(
    ("trial", "agent", "words"),
    [
        (trial_of("bandit", **GAUSSIAN), "thompson", IN_WORDS),
        (trial_of("bandit", **GAUSSIAN), "ucb1", IN_WORDS),
        (trial_of("bandit", **GAUSSIAN), "thompson:preset=paper", IN_WORDS),
        (
            trial_of("bandit", prior_successes=2.0, prior_failures=5.0),
            "gittins",
            "prior_successes=2,prior_failures=5",
        ),
        (mdp_trial(**UNUSUAL_MDP), "psrl", "prior_mean=3,prior_weight=16,prior_alpha=0.25,noise=2"),
        (
            mdp_trial(**UNUSUAL_MDP),
            "ucrl2:preset=matched",
            "prior_mean=3,prior_weight=16,prior_alpha=0.25,noise=2",
        ),
    ],
)
def test_agents_believe_what_the_family_says_of_its_tasks(trial, agent, words):
    separator = "," if ":" in agent else ":"
    told, in_words = numbers_of(agent, trial), numbers_of(f"{agent}{separator}{words}", trial)
    jax.tree.map(np.testing.assert_array_equal, told, in_words)
    elsewhere = numbers_of(agent, undeclared(trial))
    assert any(np.any(a != b) for a, b in zip(told, elsewhere, strict=True))


def test_what_is_given_comes_before_what_is_told_and_the_papers_prior_too():
    trial = mdp_trial(**UNUSUAL_MDP)
    in_words = "psrl:prior_mean=0,prior_weight=1,prior_alpha=1,noise=1"
    jax.tree.map(
        np.testing.assert_array_equal,
        numbers_of("psrl:preset=paper", trial),
        numbers_of(in_words, trial),
    )
    weight_alone = numbers_of("psrl:prior_weight=0.5", mdp_trial())
    both = numbers_of("psrl:prior_weight=0.5,prior_alpha=0.5", mdp_trial())
    jax.tree.map(np.testing.assert_array_equal, weight_alone, both)


def test_with_the_true_prior_thompson_learns_where_the_standard_one_does_not():
    trial = trial_of("bandit", 50, rewards="gaussian", arms=5, mean=5, deviation=0.5)
    earned = {
        text: np.asarray(play_split(make(text, trial), trial, 0, 1000, "test").totals)
        for text in ("thompson", "thompson:prior_mean=0,prior_deviation=1", "random")
    }
    told, standard, random = earned.values()

    def above(a, b):  # 6 standard errors: error rate below 1e-8
        return np.mean(a - b) > 6 * np.std(a - b) / np.sqrt(len(a))

    assert above(told, random + 8) and above(told, standard + 8)


def test_the_scale_of_rewards_changes_nothing_but_the_scale_of_returns():
    def plays(scale: float):
        settings = {"mean": 3 * scale, "deviation": scale, "noise": scale}
        trial = trial_of("bandit", 12, rewards="gaussian", arms=4, **settings)
        tasks = trial.environment.sample_tasks(jax.random.key(0), 20)
        return [
            play(make(text, trial), trial, jax.random.key(1), tasks).totals / scale
            for text in ("ucb1", "thompson")
        ]

    for small, large in zip(plays(1 / 16), plays(1.0), strict=True):
        np.testing.assert_allclose(small, large, rtol=1e-4)


@pytest.mark.parametrize(
    ("text", "trial", "found"),
    [
        ("gittins", trial_of("bandit"), ()),
        ("thompson", trial_of("bandit", **GAUSSIAN), ()),
        ("psrl:preset=matched", mdp_trial(), ()),
        ("random", trial_of("bandit", rewards="restless", pulls=5), ()),
        (
            "thompson",
            trial_of("bandit", rewards="restless", pulls=5),
            ("assumes arms that stay as they are",),
        ),
        (
            "gittins",
            trial_of("bandit", rewards="correlated"),
            ("assumes arms that tell nothing of each other",),
        ),
        ("ucb1", trial_of("bandit", rewards="correlated"), ()),
        (
            "thompson:prior_mean=0",
            trial_of("bandit", **GAUSSIAN),
            ("believes prior_mean=0 where the tasks have prior_mean=5",),
        ),
        (
            "psrl:preset=paper",
            mdp_trial(),
            ("believes prior_mean=0 where the tasks have prior_mean=1",),
        ),
        (
            "psrl",
            trial_of("gridworld"),
            (
                "believes prior_mean=1, prior_weight=1, prior_alpha=1, noise=1; "
                "the family does not say what its tasks are",
            ),
        ),
    ],
)
def test_what_an_agent_assumes_beyond_what_is_so_is_told(text, trial, found):
    assert doubts(text, trial) == found


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rewards": "correlated"}, "the arms of this bandit tell of each other"),
        ({"rewards": "restless", "pulls": 5}, "the arms of this bandit change within a trial"),
    ],
)
def test_nobody_is_called_bayes_optimal_who_is_not(settings, message):
    with pytest.raises(InvalidInput, match=message):
        make("bayes-optimal", trial_of("bandit", **settings))


def test_every_setting_that_is_told_is_one_of_the_row():
    said = {
        "bandit": BanditDistribution(),
        "gaussian-bandit": BanditDistribution("gaussian", (0.0, 1.0), 1.0),
        "mdp": MDPDistribution(),
    }
    for row in rows():
        if row.world in said:
            told = row.told(said[row.world], {})
            assert set(told) == set(row.beliefs) <= set(row.settings), row.name


@pytest.mark.parametrize(
    ("make_one", "message"),
    [
        (
            lambda: dataclasses.replace(BanditDistribution(), rewards="poisson"),
            "rewards are 'poisson'",
        ),
        (lambda: BanditDistribution(prior=(0.0, 1.0)), "must be a and b of Beta"),
        (lambda: BanditDistribution("gaussian", (0.0, 1.0), -1.0), "noise at least 0"),
        (lambda: MDPDistribution(alpha=0.0), "alpha must be above 0"),
    ],
)
def test_distributions_that_are_none_are_refused(make_one, message):
    with pytest.raises(InvalidInput, match=message):
        make_one()
