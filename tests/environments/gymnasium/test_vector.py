"""N worlds at once take the course that gymnasium's own vector environment gives the single ones."""

from __future__ import annotations

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from metarl.environments import (
    Environment,
    GymnasiumEnvironment,
    GymnasiumVectorEnvironment,
    Step,
    load,
)
from metarl.errors import InvalidInput

GYMNASIUM = tuple(int(number) for number in gymnasium.__version__.split(".")[:2])


def quitting() -> Environment:
    """Returns worlds that count their steps from a number drawn, until told to quit by action 1."""

    def reset(key, task):
        return task[None], task

    def step(key, state, action, task):
        state = state + 1
        info = {"parity": state.astype(jnp.int32) % 2, "more": {"odd": state % 2 == 1}}
        ends = action == 1
        return Step(state[None], state, state, ends, (state >= task + 4) & ~ends, info)

    return Environment(
        name="quitting",
        settings={},
        observation_space=spaces.Box(0, 1000, (1,), np.float32),
        action_space=spaces.Discrete(2),
        horizon=4,
        draw_task=lambda key, split: 10.0 * jax.random.randint(key, (), 0, 50),
        reset=reset,
        step=step,
    )


@pytest.fixture(scope="module")
def worlds() -> Environment:
    return quitting()


def both(mode, count, environment, **arguments):
    """Returns the vector environment, and gymnasium's own of the single ones."""
    ours = GymnasiumVectorEnvironment(environment, count, autoreset_mode=mode, **arguments)
    singles = [lambda: GymnasiumEnvironment(environment, **arguments)] * count
    return ours, SyncVectorEnv(singles, autoreset_mode=mode)


@pytest.mark.parametrize(
    ("mode", "arguments"),
    [
        (AutoresetMode.NEXT_STEP, {}),
        (AutoresetMode.NEXT_STEP, {"steps": 5, "keep_task": True}),
        (AutoresetMode.SAME_STEP, {}),
        (AutoresetMode.SAME_STEP, {"episodes": 2}),
    ],
)
def test_a_vector_is_gymnasiums_vector_of_the_single_environments(mode, arguments, worlds):
    ours, theirs = both(mode, 3, worlds, **arguments)
    assert ours.metadata["autoreset_mode"] is mode
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert data_equivalence(ours.reset(seed=7), theirs.reset(seed=7), exact=True)
    generator, ended = np.random.default_rng(0), 0
    for _ in range(30):
        actions = (generator.random(3) < 0.3).astype(np.int64)
        our_step, their_step = ours.step(actions), theirs.step(actions)
        for our_part, their_part in zip(our_step, their_step, strict=True):
            assert data_equivalence(our_part, their_part, exact=True)
        ended += int(np.sum(our_step[2] | our_step[3]))
    assert ended >= 9
    assert data_equivalence(ours.reset(), theirs.reset(), exact=True)


def test_discrete_observations_and_random_dynamics_too_are_those_of_the_single_environments():
    ours, theirs = both(AutoresetMode.SAME_STEP, 4, load("mdp"))
    assert data_equivalence(ours.reset(seed=1), theirs.reset(seed=1), exact=True)
    for t in range(12):  # an episode has 10 steps
        actions = np.array([0, 1, t % 5, 4])
        for parts in zip(ours.step(actions), theirs.step(actions), strict=True):
            assert data_equivalence(*parts, exact=True)


def advances_while_another_resets(envs, state_of) -> bool:
    """Whether world 1 takes a step while world 0, which has just ended, is reset."""
    envs.reset(seed=0)
    envs.step(np.array([1, 0]))
    before = state_of(envs)[1]
    envs.step(np.array([0, 0]))
    return bool(state_of(envs)[1] == before + 1)


def test_the_other_worlds_advance_while_one_resets(worlds):
    envs = GymnasiumVectorEnvironment(worlds, 2)
    assert advances_while_another_resets(envs, lambda envs: envs._sessions.trial.environment)


@pytest.mark.xfail(GYMNASIUM <= (1, 4), reason="gymnasium 1.4 drops the others' step", strict=True)
def test_the_other_worlds_advance_in_gymnasiums_own_jax_vector_environment():
    functional = pytest.importorskip("gymnasium.experimental.functional")
    from gymnasium.envs.functional_jax_env import FunctionalJaxVectorEnv

    class Quitting(functional.FuncEnv):
        observation_space = spaces.Box(0, 1000, (1,), np.float32)
        action_space = spaces.Discrete(2)

        def initial(self, rng, params=None):
            return jnp.zeros(2, jnp.int32)  # steps taken, whether told to quit

        def transition(self, state, action, rng, params=None):
            return jnp.stack([state[0] + 1, jnp.asarray(action, jnp.int32)])

        def observation(self, state, rng, params=None):
            return state[:1].astype(jnp.float32)

        def reward(self, state, action, next_state, rng, params=None):
            return jnp.zeros(())

        def terminal(self, state, rng, params=None):
            return state[1] == 1

    envs = FunctionalJaxVectorEnv(Quitting(), 2)
    assert advances_while_another_resets(envs, lambda envs: envs.state[:, 0])


def test_the_last_observation_and_info_of_an_episode_are_kept_where_it_resets_at_once(worlds):
    envs = GymnasiumVectorEnvironment(worlds, 2, autoreset_mode="SameStep")
    first, _ = envs.reset(seed=0)
    observations, rewards, terminated, truncated, infos = envs.step([1, 0])
    assert terminated.tolist() == [True, False]
    assert not truncated.any()
    assert infos["_final_obs"].tolist() == [True, False]
    assert infos["final_obs"][0] == first[0] + 1 == rewards[0]
    assert infos["final_obs"][1] is None
    assert infos["final_info"]["parity"].tolist() == [1, 0]
    assert infos["final_info"]["_parity"].tolist() == [True, False]
    assert infos["_parity"].tolist() == [False, True]
    assert observations[0] % 10 == 0, "the next episode's first"
    assert observations[1] == first[1] + 1


def test_the_step_after_an_episode_resets_it_whatever_the_action_is(worlds):
    envs = GymnasiumVectorEnvironment(worlds, 2, autoreset_mode=AutoresetMode.NEXT_STEP)
    first, _ = envs.reset(seed=0)
    observations, *_ = envs.step([1, 0])
    assert observations[0] == first[0] + 1
    observations, rewards, terminated, _, infos = envs.step([1, 0])
    assert observations[0] % 10 == 0
    assert rewards[0] == 0
    assert not terminated.any()
    assert infos["_parity"].tolist() == [False, True]


def test_without_auto_reset_the_caller_resets_those_of_a_mask(worlds):
    ours, theirs = both(AutoresetMode.DISABLED, 3, worlds)
    assert data_equivalence(ours.reset(seed=7), theirs.reset(seed=7), exact=True)
    assert data_equivalence(ours.step([1, 0, 0]), theirs.step([1, 0, 0]), exact=True)
    with pytest.raises(ResetNeeded, match=r"Episodes of worlds \[0\] are over"):
        ours.step([0, 0, 0])
    mask = np.array([True, False, True])
    for seed in (None, [None, None, 5]):
        assert data_equivalence(
            ours.reset(seed=seed, options={"reset_mask": mask}),
            theirs.reset(seed=seed, options={"reset_mask": mask}),
            exact=True,
        )
        ours_stepped, theirs_stepped = ours.step([0, 0, 0]), theirs.step([0, 0, 0])
        assert data_equivalence(ours_stepped, theirs_stepped, exact=True)


def test_tasks_handed_in_are_kept_through_resets_if_so_asked(worlds):
    envs = GymnasiumVectorEnvironment(worlds, 2, autoreset_mode="SameStep", keep_task=True)
    envs.reset(options={"task": np.array([70.0, 30.0], np.float32)})
    for actions in ([1, 0], [0, 1]):
        observations, *_ = envs.step(actions)
    assert observations.ravel().tolist() == [71.0, 30.0]
    assert envs.task.tolist() == [70.0, 30.0]


def test_gymnasium_makes_the_vector_environment_by_id():
    envs = gymnasium.make_vec("metarl/Bandit-v0", num_envs=6, arms=3, autoreset_mode="SameStep")
    assert isinstance(envs, GymnasiumVectorEnvironment)
    assert envs.action_space == spaces.MultiDiscrete([3] * 6)
    envs = gymnasium.wrappers.vector.RecordEpisodeStatistics(envs)
    envs.reset(seed=0)
    *_, infos = envs.step(envs.action_space.sample())
    assert infos["_episode"].all()
    envs.close()


def test_what_is_handed_out_may_be_written_to(worlds):
    envs = GymnasiumVectorEnvironment(worlds, 2)
    observations, _ = envs.reset(seed=0)
    observations += 1
    *stepped, infos = envs.step([1, 0])
    for array in (*stepped, infos["parity"], infos["_parity"]):
        array[:] = 0
    assert envs.step([0, 0])[1][0] == 0, "its reset is not forgotten"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_envs": 0}, "num_envs is 0; it must be"),
        ({"autoreset_mode": "SameStop"}, "autoreset_mode 'SameStop'. Did you mean 'SameStep'"),
        ({"split": "dev"}, "split is 'dev'"),
    ],
)
def test_arguments_of_the_constructor_that_cannot_be_used(arguments, message, worlds):
    with pytest.raises(InvalidInput, match=message):
        GymnasiumVectorEnvironment(worlds, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": [1]}, "seed has 1 members; there must be one for each of 2 worlds"),
        ({"options": {"task": np.array([np.nan, 0.0])}}, "holds NaN"),
        ({"options": {"task": np.zeros(3)}}, r"shape \(3,\); it must be \(2,\)"),
        ({"options": {"reset_mask": np.zeros(2, bool)}}, "must hold 2 bools, not all False"),
        ({"options": {"key": jax.random.key(0)}}, r"of shape \(2,\); received .* of shape \(\)"),
    ],
)
def test_arguments_of_a_reset_that_cannot_be_used(arguments, message, worlds):
    with pytest.raises(InvalidInput, match=message):
        GymnasiumVectorEnvironment(worlds, 2).reset(**arguments)


def test_actions_that_there_are_not(worlds):
    envs = GymnasiumVectorEnvironment(worlds, 2)
    with pytest.raises(ResetNeeded, match="No episode has begun"):
        envs.step([0, 0])
    envs.reset(seed=0)
    with pytest.raises(InvalidInput, match=r"action is \[0, 2\]; it must be in Discrete\(2\)"):
        envs.step([0, 2])
    with pytest.raises(InvalidInput, match=r"action has shape \(3,\); it must be \(2,\)"):
        envs.step([0, 0, 0])


def test_the_mode_is_an_attribute():
    envs = gymnasium.make_vec("metarl/MDP-v0", 2, autoreset_mode="SameStep")
    assert envs.autoreset_mode is AutoresetMode.SAME_STEP  # pyright: ignore
    assert envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


@pytest.mark.parametrize("budget", [{}, {"episodes": 2}])
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_a_limit_of_steps_is_gymnasiums_own(mode, budget):
    settings = {"max_episode_steps": 3, "horizon": 4, **budget}
    ours = gymnasium.make_vec("metarl/MDP-v0", 2, autoreset_mode=mode, **settings)
    theirs = SyncVectorEnv(
        [lambda: gymnasium.make("metarl/MDP-v0", **settings)] * 2, autoreset_mode=mode
    )
    assert data_equivalence(ours.reset(seed=0), theirs.reset(seed=0))
    for t in range(9):
        mine, its = ours.step([t % 5, 0]), theirs.step(np.array([t % 5, 0]))
        for a, b in zip(mine[:4], its[:4], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)
    assert ours.spec is not None and ours.spec.max_episode_steps == 3
