"""The two-step task against its words, and its agents against loops."""

from __future__ import annotations

import functools
import itertools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.classical_agents import make
from metarl.environments import Trial, TwoStepTask, check_environment, load, record
from metarl.environments.cognition.two_step import TwoStepState
from metarl.errors import InvalidInput

ROUNDS, TASKS = 60, 2000
SHARP = "learning_rate=0.3,inverse_temperature=1000000"
MODEL_BASED, MODEL_FREE = f"model-based:{SHARP}", f"model-free:{SHARP}"


@pytest.fixture(scope="module")
def family():
    return load("two-step", rounds=ROUNDS)


@pytest.fixture(scope="module")
def trial(family):
    return Trial(family, episodes=1)


@pytest.fixture(scope="module")
def played(trial):
    """Returns what an agent did: choices, second-stage states and rewards [N, rounds]."""

    @functools.cache
    def play(text):
        @jax.jit
        def run():
            tasks = trial.environment.sample_tasks(jax.random.key(1), TASKS)
            return record(make(text, trial), trial, jax.random.key(2), tasks)

        recording = jax.device_get(run())
        happened = recording.transitions
        return SimpleNamespace(
            actions=recording.actions[:, ::2],
            states=happened.next_observation[:, ::2],
            rewards=happened.reward[:, 1::2],
            quiet=happened.reward[:, ::2],
        )

    return play


def test_stages_take_turns_and_the_first_pays_nothing(played):
    seen = played(MODEL_BASED)
    assert set(seen.states.ravel().tolist()) == {1, 2}
    assert not seen.quiet.any() and set(seen.rewards.ravel().tolist()) == {0, 1}


def test_four_of_five_transitions_are_common(played):
    """Five standard errors: fails once in a million runs."""
    seen = played(MODEL_BASED)
    common = seen.states == seen.actions + 1
    assert abs(common.mean() - 0.8) < 5 * np.sqrt(0.16 / common.size)


def test_rewards_and_reversals_are_as_often_as_said(family):
    """Five standard errors: fails once in a million runs."""
    many = 20_000
    task = TwoStepTask(jnp.float32(0.8), jnp.float32(0.9), jnp.int32(0), jnp.float32(0.025))

    @jax.jit
    def many_steps(state, action):
        keys = jax.random.split(jax.random.key(5), many)
        return jax.vmap(lambda key: family.step(key, state, action, task))(keys)

    for better, chance in ((1, 0.1), (2, 0.9)):
        state = TwoStepState(jnp.int32(2), jnp.int32(better), jnp.int32(5))
        step = many_steps(state, jnp.int32(0))
        assert abs(step.reward.mean() - chance) < 5 * np.sqrt(0.09 / many)
        reversed_ = (step.state.better != better).mean()
        assert abs(reversed_ - 0.025) < 5 * np.sqrt(0.025 * 0.975 / many)
        assert (step.state.place == 0).all() and (step.state.time == 6).all()
    first = TwoStepState(jnp.int32(0), jnp.int32(1), jnp.int32(4))
    step = many_steps(first, jnp.int32(1))
    assert (step.state.better == 1).all() and not step.terminated.any()


def test_the_reasoner_believes_what_bayes_rule_says(played):
    """Against a loop over rounds with a table of two hypotheses."""
    reasoner = played("oracle")
    decided = 0
    for n in range(40):
        belief = {1: 0.5, 2: 0.5}
        for action, state, reward in zip(
            reasoner.actions[n], reasoner.states[n], reasoner.rewards[n], strict=True
        ):
            worth = [0.8 * belief[1] + 0.2 * belief[2], 0.2 * belief[1] + 0.8 * belief[2]]
            if abs(worth[0] - worth[1]) > 1e-4:
                assert action == int(worth[1] > worth[0])
                decided += 1
            for better in belief:
                chance = 0.9 if state == better else 0.1
                belief[better] *= chance if reward else 1 - chance
            total = belief[1] + belief[2]
            stays = {better: belief[better] / total for better in belief}
            belief = {b: 0.975 * stays[b] + 0.025 * stays[3 - b] for b in (1, 2)}
    assert decided > 1000


@pytest.mark.slow
def test_who_reasons_earns_most_then_who_plans_then_who_repeats(played):
    """Four standard errors each: fails once in 10,000 runs."""
    order = ("random", MODEL_FREE, MODEL_BASED, "oracle")
    ranking = [played(text).rewards.sum(1) for text in order]
    for less, more in itertools.pairwise(ranking):
        error = np.sqrt((less.var() + more.var()) / TASKS)
        assert more.mean() - less.mean() > 4 * error


@pytest.mark.parametrize(
    "name", ["model-based", pytest.param("model-free", marks=pytest.mark.slow)]
)
def test_a_learner_is_the_loop_that_its_formula_says(name, played):
    """With β = ∞ its choice is the better action wherever the loop's values differ."""
    seen = played(f"{name}:{SHARP}")
    decided = 0
    for n in range(30):
        values, led_to = np.full(2, 0.5), np.ones((2, 2))
        for action, state, reward in zip(
            seen.actions[n], seen.states[n], seen.rewards[n], strict=True
        ):
            chances = led_to / led_to.sum(1, keepdims=True)
            worth = chances @ values if name == "model-based" else values
            if abs(worth[0] - worth[1]) > 1e-3:
                assert action == int(worth[1] > worth[0])
                decided += 1
            led_to[action, state - 1] += 1
            learnt = state - 1 if name == "model-based" else action
            values[learnt] += 0.3 * (reward - values[learnt])
    assert decided > 500


@pytest.mark.slow
def test_every_task_is_the_same_unless_drawn_and_then_none_is():
    check_environment(load("two-step", rounds=2))
    assert load("two-step").shared_tasks
    drawn = load("two-step", rounds=2, drawn=True)
    tasks = drawn.sample_tasks(jax.random.key(0), 500)
    assert not drawn.shared_tasks and len(set(tasks.common.tolist())) > 490
    assert set(tasks.swapped.tolist()) == {0, 1}
    assert tasks.common.min() >= 0.65 and tasks.common.max() <= 0.95


def test_swapped_actions_lead_to_the_other_state(family):
    task = TwoStepTask(jnp.float32(1), jnp.float32(0.9), jnp.int32(1), jnp.float32(0))
    state = TwoStepState(jnp.int32(0), jnp.int32(1), jnp.int32(0))
    assert family.step(jax.random.key(0), state, jnp.int32(0), task).observation == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rounds": 0}, "rounds is 0; it must be a whole number of at least 1"),
        ({"common": 0.4}, "common is 0.4; it must be a finite number of at least 0.5"),
        ({"reward": 1.2}, "reward is 1.2; it must be from 0.5 to 1"),
        ({"reversal": 0.6}, "reversal is 0.6; it must be from 0 to 0.5"),
        ({"drawn": True, "common": 0.8}, "with drawn=true each task has its own"),
        ({"drawn": 1}, "drawn is 1; it must be true or false"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        load("two-step", **settings)
