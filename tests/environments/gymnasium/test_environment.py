"""A family as a gymnasium environment: what gymnasium asks of one, and the course that `play` takes."""

from __future__ import annotations

import copy
import pickle

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from metarl.environments import (
    Bandit,
    GymnasiumEnvironment,
    GymnasiumVectorEnvironment,
    Trial,
    load,
    make_agent,
    record,
)
from metarl.environments.gymnasium.registration import IDS
from metarl.environments.gymnasium.session import advance_one
from metarl.errors import InvalidInput


def uniform_agent(actions: int):
    """Returns an agent that draws among so many actions."""
    return make_agent(_nothing, _uniform, _forget, jnp.arange(actions))


def _nothing(actions, key, trial, task):
    return ()


def _uniform(actions, key, state, observation):
    return jax.random.choice(key, actions), state


def _forget(actions, state, *what_happened):
    return state


@pytest.mark.filterwarnings("ignore:.*A Box .* space m.*imum value is .*infinity")
@pytest.mark.filterwarnings("ignore:.*we recommend using a symmetric and normalized space")
@pytest.mark.parametrize("name", IDS)
def test_every_id_passes_gymnasiums_checker(name):
    check_env(gymnasium.make(name).unwrapped)


def test_a_trial_passes_gymnasiums_checker():
    check_env(gymnasium.make("metarl/MDP-v0", steps=15).unwrapped)


@pytest.mark.parametrize(
    ("name", "budget"), [("metarl/Bandit-v0", {"episodes": 9}), ("metarl/MDP-v0", {"steps": 15})]
)
def test_a_trial_takes_the_same_course_in_gymnasium_as_purely(name, budget):
    family = load(IDS[name])
    trial, key = Trial(family, **budget), jax.random.key(5)
    tasks = family.sample_tasks(jax.random.key(6), 2)
    pure = jax.device_get(record(uniform_agent(5), trial, key, tasks))
    for i in range(2):
        env = gymnasium.make(name, **budget)
        options = {
            "task": jax.tree.map(lambda x: x[i], tasks),  # noqa: B023
            "key": jax.random.split(jax.random.fold_in(jax.random.key(5), i))[0],
        }
        observation, _ = env.reset(options=options)
        for t in range(trial.length):
            assert observation == pure.observations[i, t]
            observation, reward, terminated, truncated, info = env.step(pure.actions[i, t])
            expected = jax.tree.map(lambda x: x[i, t], pure.transitions)  # noqa: B023
            assert reward == expected.reward
            assert terminated == expected.trial_terminated
            assert truncated == expected.trial_truncated
            assert info["episode_terminated"] == expected.terminated
            assert info["episode_truncated"] == expected.truncated
            assert info["episode_index"] == expected.episode
            assert info["next_observation"] == expected.next_observation
        assert terminated or truncated
        assert observation == expected.next_observation


def test_an_episode_takes_the_same_course_in_gymnasium_as_purely():
    family = load("mdp")
    trial, key = Trial(family, episodes=1), jax.random.key(5)
    tasks = family.sample_tasks(jax.random.key(6), 1)
    pure = jax.device_get(record(uniform_agent(5), trial, key, tasks))
    env = gymnasium.make("metarl/MDP-v0")
    world_key = jax.random.split(jax.random.fold_in(jax.random.key(5), 0))[0]
    env.reset(options={"task": jax.tree.map(lambda x: x[0], tasks), "key": world_key})
    for t, action in enumerate(pure.actions[0]):
        observation, reward, terminated, truncated, info = env.step(action)
        assert observation == pure.transitions.next_observation[0, t]
        assert reward == pure.transitions.reward[0, t]
        assert (terminated, truncated, info) == (t == 9, False, {})


def test_every_reset_draws_a_task_and_a_seed_draws_it_again():
    env = GymnasiumEnvironment("bandit", arms=2)
    means = []
    for seed in (3, None, None, 3, None):
        env.reset(seed=seed)
        means.append(tuple(env.task.means))
    assert len(set(means[:3])) == 3
    assert means[3:] == means[:2]


def test_the_splits_hold_different_tasks():
    drawn = set()
    for split in ("train", "validation", "test"):
        env = GymnasiumEnvironment("bandit", split=split)
        env.reset(seed=0)
        drawn.add(tuple(env.task.means))
    assert len(drawn) == 3


def test_a_kept_task_stays_until_the_next_seed():
    env = GymnasiumEnvironment("bandit", keep_task=True)
    env.reset(seed=0)
    first = env.task.means
    env.reset()
    np.testing.assert_array_equal(env.task.means, first)
    env.reset(seed=1)
    assert not np.array_equal(env.task.means, first)
    env.reset(seed=0)
    np.testing.assert_array_equal(env.task.means, first)


def test_an_option_has_the_last_word_on_keeping_the_task():
    env = GymnasiumEnvironment("bandit", keep_task=True)
    env.reset(seed=0)
    first = env.task.means
    env.reset(seed=1, options={"keep_task": True})
    np.testing.assert_array_equal(env.task.means, first)
    env.reset(options={"keep_task": False})
    assert not np.array_equal(env.task.means, first)


def test_a_task_handed_in_is_played():
    env = GymnasiumEnvironment("bandit", arms=2, episodes=20)
    env.reset(seed=0, options={"task": Bandit(jnp.array([0.0, 1.0]))})
    rewards = [env.step(t % 2)[1] for t in range(20)]
    assert rewards == [0.0, 1.0] * 10


def test_environments_share_no_space_and_none_of_its_luck():
    first, second = GymnasiumEnvironment("bandit"), GymnasiumEnvironment("bandit")
    first.action_space.seed(0)
    second.action_space.seed(0)
    assert [first.action_space.sample() for _ in range(9)] == [
        second.action_space.sample() for _ in range(9)
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"arms": 0}, "arms is 0; it must be"),
        ({"armz": 3}, "no setting 'armz'. Did you mean 'arms'"),
        ({"split": "dev"}, "split is 'dev'; it must be one of train, validation, test"),
        ({"episodes": 2, "steps": 9}, "either of episodes or of steps"),
        ({"episodes": 0}, "episodes is 0; it must be"),
    ],
)
def test_arguments_of_the_constructor_that_cannot_be_used(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        GymnasiumEnvironment("bandit", **arguments)


def test_an_environment_takes_no_settings_beside_it():
    with pytest.raises(InvalidInput, match="has its settings already; received arms beside it"):
        GymnasiumEnvironment(load("bandit"), arms=3)


@pytest.mark.parametrize("make", [gymnasium.make, gymnasium.make_vec])
@pytest.mark.parametrize("name", IDS)
def test_an_unknown_keyword_is_pythons_type_error_for_those_who_probe(name, make):
    words = r"__init__\(\) got an unexpected keyword argument 'frameskip'. Environment .* has no"
    with pytest.raises(TypeError, match=words) as caught:
        make(name, frameskip=1)
    assert isinstance(caught.value, InvalidInput)


def test_a_keyword_beside_an_environment_is_a_type_error_too():
    with pytest.raises(TypeError, match=r"got an unexpected keyword argument 'frameskip'"):
        GymnasiumEnvironment(load("bandit"), frameskip=1)


@pytest.mark.parametrize("make", [GymnasiumEnvironment, GymnasiumVectorEnvironment])
@pytest.mark.parametrize("mode", ["human", "rgb_array"])
def test_a_render_mode_with_nothing_to_draw_is_a_warning(mode, make, counting):
    with pytest.warns(UserWarning, match=f"render_mode is '{mode}'; this family draws nothing"):
        env = make(counting(), render_mode=mode)
    env.reset(seed=0)
    assert env.render_mode is None and env.render() is None


@pytest.mark.parametrize(
    ("arguments", "longest"),
    [({}, 10), ({"horizon": 7}, 7), ({"episodes": 3}, 30), ({"steps": 4}, 4)],
)
def test_the_spec_tells_how_long_an_episode_may_be(arguments, longest):
    env = gymnasium.make("metarl/MDP-v0", **arguments)
    assert env.spec is not None
    again, many = gymnasium.make(env.spec), gymnasium.make_vec("metarl/MDP-v0", **arguments)
    for spec in (env.spec, again.spec, many.spec):
        assert spec is not None and spec.max_episode_steps == longest


def test_an_environment_may_be_truncated_earlier():
    env = GymnasiumEnvironment("mdp", max_episode_steps=2)
    env.reset(seed=0)
    assert [env.step(0)[2:4] for _ in range(2)] == [(False, False), (False, True)]
    with pytest.raises(InvalidInput, match="max_episode_steps is 0; it must be a whole number"):
        GymnasiumEnvironment("mdp", max_episode_steps=0)


def number_of_programs() -> int:
    """Returns how many programs have been compiled for single steps."""
    return advance_one._cache_size()  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_alike_by_the_same_programs(copied):
    """copy.deepcopy compiled all anew and kept the old programs; pickle failed on a local object."""
    env = gymnasium.make("metarl/CartPole-v0", horizon=300)
    env.reset(seed=3)
    env.step(0)
    programs = number_of_programs()
    twin = copied(env)
    for _ in range(2):
        for mine, its in zip(env.step(1), twin.step(1), strict=True):
            np.testing.assert_array_equal(mine, its)
    assert number_of_programs() == programs
    first, second = (each.reset(seed=5)[0] for each in (env, twin))
    np.testing.assert_array_equal(first, second)


def test_a_copy_and_what_it_came_from_go_their_own_ways():
    env = GymnasiumEnvironment("cartpole")
    env.reset(seed=3)
    twin = copy.deepcopy(env)
    ahead = [env.step(1)[0] for _ in range(3)]
    np.testing.assert_array_equal([twin.step(1)[0] for _ in range(3)], ahead)


def test_a_family_is_pickled_by_name_and_settings():
    family = load("mdp", states=3)
    assert copy.deepcopy(Trial(family, 2)) == pickle.loads(pickle.dumps(Trial(family, 2)))
    assert pickle.loads(pickle.dumps(family)) is family
    assert copy.deepcopy([family])[0] is family
    assert b"draw_task" not in pickle.dumps(family)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": Bandit(jnp.array([0.1, jnp.nan]))}, "task.means holds NaN"),
        ({"task": Bandit(jnp.zeros(3))}, r"shape \(3,\); it must be \(2,\)"),
        ({"task": [0.1, 0.2]}, "is a list of another structure; a task of 'bandit'"),
        ({"taks": None}, "Unknown reset option 'taks'. Did you mean 'task'"),
        ({"key": 3}, r"options\['key'\] must be made by jax.random.key"),
    ],
)
def test_options_that_cannot_be_used(options, message):
    with pytest.raises(InvalidInput, match=message):
        GymnasiumEnvironment("bandit", arms=2).reset(options=options)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (2, r"action is 2; it must be in Discrete\(2\)"),
        (-1, "action is -1"),
        (0.5, "action is 0.5"),
        ([0], r"action has shape \(1,\); it must be \(\)"),
    ],
)
def test_actions_that_there_are_not(action, message):
    env = GymnasiumEnvironment("bandit", arms=2)
    env.reset(seed=0)
    with pytest.raises(InvalidInput, match=message):
        env.step(action)


def test_a_step_needs_an_episode():
    env = GymnasiumEnvironment("bandit")
    with pytest.raises(ResetNeeded, match="No episode has begun"):
        env.step(0)
    env.reset(seed=0)
    env.step(0)
    with pytest.raises(ResetNeeded, match="The episode is over"):
        env.step(0)


def test_gymnasiums_statistics_of_episodes_count_a_trial():
    """They write into `info["episode"]`, which must be theirs alone."""
    env = gymnasium.wrappers.RecordEpisodeStatistics(
        gymnasium.make("metarl/Bandit-v0", arms=2, episodes=4)
    )
    env.reset(seed=0)
    rewards = []
    for _ in range(4):
        _, reward, terminated, _, info = env.step(0)
        rewards.append(reward)
    assert terminated and info["episode_index"] == 3
    assert info["episode"]["l"] == 4 and info["episode"]["r"] == sum(rewards)
