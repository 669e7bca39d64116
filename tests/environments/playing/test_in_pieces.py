"""Playing in pieces: the numbers of playing at once, wherever the cuts are and whoever goes on."""

from __future__ import annotations

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl import rl_baselines
from metarl.environments import (
    NotRepeated,
    Trial,
    from_gymnasium,
    in_pieces,
    load,
    make_agent,
    play_on_host,
    play_split,
)
from metarl.runs import flatten_tree, restore_tree

BANDIT = Trial(load("bandit", arms=2), episodes=30)
GRID = Trial(load("gridworld", size=3), episodes=4)
POLE = Trial(load("cartpole", horizon=20), episodes=2)  # episodes of unknown length
SMALL_DQN = "dqn:hidden=4,layers=1,learn_after=8,batch_size=4,gradient_steps=1"
SMALL_PPO = "ppo:hidden=4,layers=1,steps=16,epochs=1"
SLOW_CASES = {
    "ppo": (SMALL_PPO, POLE),
    "learns-before-it-acts": (
        "go-explore-robust:simulated_steps=60,hidden=4,layers=1,imitation_steps=2,steps=8,epochs=1",
        GRID,
    ),
    "muzero": ("muzero:simulations=2,hidden=8,batch_size=4,learn_after=20", GRID),
}
CASES = {"table": ("q-learning", BANDIT), "unknown-length": (SMALL_DQN, POLE)} | SLOW_CASES


@pytest.fixture(autouse=True)
def _unchecked(keys_unchecked):
    """The updates of PPO are among these."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.slow if name in SLOW_CASES else ()) for name in CASES
    ],
)
def case(request):
    """Some trials of a learner, whose number two devices share, and what comes of them at once."""
    text, trial = CASES[request.param]
    agent = rl_baselines.make(text, trial)
    with jax.debug_key_reuse(False):
        return agent, trial, play_split(agent, trial, 3, 6, "test")


@pytest.mark.parametrize("steps", [[10_000], [1, 2, 9, 10_000]], ids=["at once", "cut"])
def test_pieces_are_the_whole_bit_for_bit(case, steps):
    agent, trial, whole = case
    pieces = in_pieces(agent, trial, 3, np.arange(6), "test")
    walk = pieces.begin()
    for count in steps:
        assert not pieces.over(walk)
        walk = pieces.advance(walk, int(walk.step) + count)
    assert pieces.over(walk)
    same(pieces.played(walk), whole)


def test_another_process_goes_on_from_arrays(case):
    agent, trial, whole = case
    first = in_pieces(agent, trial, 3, np.arange(6), "test")
    arrays = flatten_tree(first.advance(first.begin(), 7))
    second = in_pieces(agent, trial, 3, np.arange(6), "test")
    walk = restore_tree(second.template(7), arrays)
    same(second.played(second.advance(walk, trial.length)), whole)


def test_what_all_worlds_have_in_common_is_kept_once():
    agent = rl_baselines.make(SMALL_DQN, POLE)
    pieces = in_pieces(agent, POLE, 3, np.arange(6), "test")
    memory = pieces.advance(pieces.begin(), 7).memory
    assert memory.step.shape == () and int(memory.step) == 7
    assert memory.experience.rewards.shape[0] == 6


def test_a_chunk_may_begin_at_any_task():
    agent = rl_baselines.make("q-learning", BANDIT)
    whole = play_split(agent, BANDIT, 3, 5, "test")
    pieces = in_pieces(agent, BANDIT, 3, np.arange(2, 5), "test")  # three rows on two devices
    played = pieces.played(pieces.advance(pieces.begin(), 10_000))
    same(played, jax.tree.map(lambda rows: rows[2:], whole))


def test_worlds_on_the_host_take_all_actions_again(frozen_lake):
    trial = Trial(frozen_lake, episodes=5)
    agent = rl_baselines.make("q-learning", trial)
    whole = play_on_host(agent, trial, 3, 4, "test")
    first = in_pieces(agent, trial, 3, np.arange(4), "test")
    walk = first.advance(first.advance(first.begin(), 3), 7)
    assert walk.actions.shape == (7, 4)
    first.close()
    second = in_pieces(agent, trial, 3, np.arange(4), "test")
    walk = restore_tree(second.template(7), flatten_tree(walk))
    same(second.played(second.advance(walk, trial.length)), whole)
    second.close()


class Fickle(gymnasium.Wrapper):
    """A world whose luck is not that of its seed."""

    worlds = 0

    def reset(self, **options):
        Fickle.worlds += 1
        return super().reset(**{**options, "seed": Fickle.worlds})


def _begin(key, trial, task):
    return jnp.float32(0)


def _act(key, memory, observation):
    return jax.random.randint(key, (), 0, 2), memory


def _observe(memory, observation, action, reward, *ends):
    return memory + reward


def test_worlds_that_do_other_things_are_noticed():
    world = from_gymnasium(
        lambda: Fickle(gymnasium.make("CartPole-v1")), lambda generator, split: {}, horizon=10
    )
    trial = Trial(world, episodes=2)
    agent = make_agent(_begin, _act, _observe)
    first = in_pieces(agent, trial, 3, np.arange(2), "test")
    walk = first.advance(first.begin(), 7)
    second = in_pieces(agent, trial, 3, np.arange(2), "test")
    with pytest.raises(NotRepeated):
        second.advance(walk, 9)
    first.close()
    second.close()


def same(played, whole):
    for name, ours, theirs in zip(whole._fields, played, whole, strict=True):
        ours, theirs = np.asarray(ours), np.asarray(theirs)
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, name
        np.testing.assert_array_equal(ours, theirs, err_msg=name)
