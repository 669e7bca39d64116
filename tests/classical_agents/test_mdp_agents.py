"""Agents for tabular MDPs, acting."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.classical_agents import make, names, rows
from metarl.classical_agents.mdp_posterior import Prior
from metarl.classical_agents.planning_agent import Settings, planning_agent
from metarl.environments import Trial, load, play, play_split, record
from metarl.errors import InvalidInput

pytestmark = pytest.mark.usefixtures("keys_checked")

SMALL = {"states": 3, "actions": 2, "horizon": 3}
SEARCHING = ("bayes-adaptive", "mcts")  # by simulations: slow at their defaults
PLANNING = [name for name in names("mdp") if name not in ("random", "oracle", *SEARCHING)]


@pytest.fixture(scope="module")
def trial():
    return Trial(load("mdp", **SMALL), episodes=4)


@pytest.fixture(scope="module")
def tasks(trial):
    return trial.environment.sample_tasks(jax.random.key(0), 5)


def test_every_agent_of_the_issue_is_there():
    assert {
        "random", "greedy", "epsilon-greedy", "psrl", "opsrl", "beb", "ucrl2", "ucbvi", "oracle",
    } <= set(names("mdp"))  # fmt: skip


# These plan as others do, with other bonuses; the trees have quick tests of their own.
ALIKE = ("epsilon-greedy", "opsrl", "beb", "ucrl2", "ucbvi", "mcts", "bayes-adaptive")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in ALIKE else []) for n in names("mdp")]
)
def test_a_batch_of_trials_is_the_loop_over_them(name, trial, tasks):
    agent = make(f"{name}:simulations=6" if name in SEARCHING else name, trial)
    together = record(agent, trial, jax.random.key(1), tasks).actions
    assert together.shape == (5, trial.length)
    first = jax.tree.map(lambda leaf: leaf[:1], tasks)
    alone = record(agent, trial, jax.random.key(1), first).actions
    np.testing.assert_array_equal(alone[0], together[0])
    for index in range(5):
        others = jax.tree.map(lambda leaf, i=index: leaf[::-1].at[i].set(leaf[i]), tasks)
        among_others = record(agent, trial, jax.random.key(1), others).actions
        np.testing.assert_array_equal(among_others[index], together[index])


@pytest.mark.parametrize("name", ["greedy", "psrl", pytest.param("ucbvi", marks=pytest.mark.slow)])
def test_with_episodes_of_one_step_it_is_all_one_when_plans_are_made(name):
    trial = Trial(load("mdp", states=3, actions=2, horizon=1), episodes=12)
    tasks = trial.environment.sample_tasks(jax.random.key(0), 5)
    by_episode, by_step = (
        record(make(f"{name}:replan={when}", trial), trial, jax.random.key(1), tasks).actions
        for when in ("episode", "step")
    )
    np.testing.assert_array_equal(by_episode, by_step)


def test_replanning_at_every_step_changes_what_is_done(trial):
    tasks = trial.environment.sample_tasks(jax.random.key(0), 100)
    by_episode, by_step = (
        record(make(f"greedy:replan={when}", trial), trial, jax.random.key(1), tasks).actions
        for when in ("episode", "step")
    )
    np.testing.assert_array_equal(by_episode[:, 0], by_step[:, 0])
    assert np.any(by_episode != by_step)


def test_plans_are_computed_only_where_an_episode_begins(trial, tasks):
    calls = []

    def count(action_values, steps):
        calls.append(int(steps))
        return action_values

    def planner(settings, key, memory):
        del settings, key
        shape = jax.ShapeDtypeStruct(memory.action_values.shape, jnp.float32)
        seen = memory.action_values + jnp.sum(memory.counts.visits)  # of each world
        return jax.pure_callback(count, shape, seen, memory.steps, vmap_method="sequential")

    agent = planning_agent(planner, Settings(Prior(0.0, 1.0, 1.0)))
    jax.block_until_ready(play(agent, trial, jax.random.key(0), tasks))
    assert sorted(calls) == [first for first in (0, 3, 6, 9) for _ in tasks.mean_rewards]


def test_who_knows_the_mdp_earns_its_optimal_return(trial):
    tasks = trial.environment.sample_tasks(jax.random.key(0), 2000)
    earned = play(make("oracle", trial), trial, jax.random.key(1), tasks).totals
    optimum = trial.episodes * jax.vmap(trial.environment.optimal_return)(tasks)
    gaps = np.asarray(earned - optimum)
    assert abs(gaps.mean()) < 3 * gaps.std() / np.sqrt(2000)


@pytest.fixture(scope="module")
def earn():
    """Returns a function: what an agent earns in 300 trials of 10 episodes, of the paper's size."""
    trial = Trial(load("mdp"), episodes=10)
    return lambda text: play_split(make(text, trial), trial, 0, 300, "validation").totals


@pytest.mark.slow
def test_learning_agents_stand_between_random_and_the_oracle(earn):
    earned = {name: earn(name).mean() for name in ("random", *PLANNING, "oracle")}
    assert abs(earned["random"] - 100) < 8
    for name in PLANNING:
        assert earned["random"] + 20 < earned[name] < earned["oracle"] - 40, name


@pytest.mark.parametrize(
    ("text", "known"),
    [
        pytest.param("psrl:prior_mean=0", 138.1, marks=pytest.mark.slow),
        ("epsilon-greedy:preset=paper", 132.8),
        ("greedy:preset=paper", 134.8),
        ("greedy:prior_mean=1.5,prior_weight=1", 156.9),
        ("beb:scale=5e-4,prior_mean=1", 156.4),
    ],
)
def test_ten_episodes_earn_what_is_known_for_them(text, known, earn):
    assert abs(earn(text).mean() - known) < 6  # four standard errors of 300 trials


def test_random_actions_are_as_frequent_as_epsilon_says(trial):
    tasks = trial.environment.sample_tasks(jax.random.key(0), 100)
    certain = record(make("epsilon-greedy:epsilon=0", trial), trial, jax.random.key(1), tasks)
    always = record(make("epsilon-greedy:epsilon=1", trial), trial, jax.random.key(1), tasks)
    greedy = record(make("greedy", trial), trial, jax.random.key(1), tasks)
    np.testing.assert_array_equal(certain.actions, greedy.actions)
    assert abs(np.mean(always.actions == 0) - 0.5) < 0.06


def test_a_short_trial_is_the_beginning_of_a_long_one(trial, tasks):
    longer = Trial(trial.environment, episodes=6)
    short, long = (
        play(make("opsrl", which), which, jax.random.key(1), tasks).returns
        for which in (trial, longer)
    )
    np.testing.assert_array_equal(short, long[:, :4])


def test_every_row_has_both_presets_or_no_beliefs():
    for row in rows("mdp"):
        if row.world == "mdp" and row.beliefs:
            assert set(row.presets) == {"paper", "matched"}, row.name
            assert row.presets["matched"]["prior_mean"] == 1, row.name
            for preset, grid in row.grids.items():
                for name, values in grid.items():
                    assert [row.check(name, str(v)) for v in values] == list(values), preset


def test_an_oracle_needs_tasks_that_are_tables():
    untold = dataclasses.replace(load("gridworld"), draw_task=lambda key, split: jax.numpy.zeros(2))
    trial = Trial(untold, episodes=2)
    with pytest.raises(InvalidInput, match="needs tasks that are tables of an MDP"):
        make("oracle", trial)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("psrl:prior_weight=0", "prior_weight is '0'; it must be a number, at least 1e-09"),
        ("opsrl:samples=2.5", "samples is '2.5'; it must be a whole number"),
        ("opsrl:sample=2", "Did you mean 'samples'"),
        ("greedy:replan=never", "it must be episode or step"),
        ("ucrl3", "Did you mean 'ucrl2'"),
        ("beb:scale=nan", "scale is 'nan'; it must be a number, at least 0"),
    ],
)
def test_what_cannot_be_understood_is_said(text, message, trial):
    with pytest.raises(InvalidInput, match=message):
        make(text, trial)


def test_an_mdp_agent_does_not_fit_a_bandit():
    with pytest.raises(InvalidInput, match="'psrl' is for MDPs"):
        make("psrl", Trial(load("bandit"), episodes=3))
