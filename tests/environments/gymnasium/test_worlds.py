"""gymnasium environments as a family of tasks: trials on the host are those of compiled worlds."""

from __future__ import annotations

from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

from metarl.environments import (
    SPLITS,
    HostTrials,
    Split,
    Trial,
    from_gymnasium,
    load,
    make_agent,
    play,
    play_on_host,
    play_split,
    record,
)
from metarl.errors import InvalidInput

LENGTHS = (1, 2, 3, 9)


class Counting(gymnasium.Env):
    """The counting family of conftest.py, written for gymnasium; open worlds are counted."""

    observation_space = spaces.Box(np.float32(0), np.float32(4), ())
    action_space = spaces.Discrete(100)
    spec = None
    open = 0

    def __init__(self, steps):
        self.steps = steps
        Counting.open += 1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return np.float32(0), {}

    def step(self, action):
        assert type(action) is int
        self.count += 1
        return np.float32(self.count), float(action), self.count >= self.steps, False, {}

    def close(self):
        Counting.open -= 1


def draw_length(generator, split):
    return {"steps": int(generator.integers(1, 10))}


@pytest.fixture
def counting_on_host():
    return from_gymnasium(Counting, draw_length, horizon=4)


@pytest.fixture
def guessing_agent():
    """Draws its actions, so that its luck is seen in the rewards."""
    return make_agent(_nothing, _guess, _nothing)


def _nothing(*what_happened):
    return ()


def _guess(key, state, observation):
    return jax.random.randint(key, (), 0, 100), state


def make_cartpole(gravity=9.8, length=0.5):
    env = gymnasium.make("CartPole-v1", disable_env_checker=True)
    env.unwrapped.gravity, env.unwrapped.length = gravity, length  # pyright: ignore
    return env


def draw_physics(generator, split):
    return {"gravity": generator.uniform(5, 15), "length": generator.uniform(0.2, 1.0)}


def make_lake(row):
    return gymnasium.make("FrozenLake-v1", desc=["SFF", "FFF", row], is_slippery=True)


def draw_lake(generator, split):
    return {"row": ("GFF", "FGF", "FFG")[generator.integers(3)]}


@pytest.mark.parametrize("budget", [{"episodes": 3}, {"steps": 7}])
def test_a_trial_takes_the_same_course_on_the_host_as_compiled(
    budget, counting, lengths, counting_on_host, guessing_agent
):
    compiled = Trial(counting(), **budget)
    pure = jax.device_get(record(guessing_agent, compiled, jax.random.key(0), lengths(*LENGTHS)))
    with HostTrials(Trial(counting_on_host, **budget), len(LENGTHS)) as trials:
        trials.reset(0, tasks=[{"steps": steps} for steps in LENGTHS])
        for t in range(trials.trial.length):
            valid = pure.transitions.valid[:, t]
            np.testing.assert_array_equal(~trials.over, valid)
            np.testing.assert_array_equal(
                trials.observations[valid], pure.observations[valid, t], strict=True
            )
            transition = trials.step(pure.actions[:, t])
            np.testing.assert_array_equal(transition.valid, valid)
            assert not transition.reward[~valid].any()
            for name in (
                *("reward", "terminated", "truncated", "trial_terminated", "trial_truncated"),
                *("episode", "next_observation", "episode_ended"),
            ):
                got = getattr(transition, name)
                expected = getattr(pure.transitions, name)[:, t]
                assert got.dtype == expected.dtype
                np.testing.assert_array_equal(got[valid], expected[valid], err_msg=name)
        assert trials.over.all()


@pytest.mark.parametrize("budget", [{"episodes": 3}, {"steps": 7}])
def test_an_agent_fares_on_the_host_as_compiled_with_the_same_luck(
    budget, counting, lengths, counting_on_host, guessing_agent
):
    host = play_on_host(
        guessing_agent,
        Trial(counting_on_host, **budget),
        seed=3,
        count=4,
        split="test",
        tasks=[{"steps": steps} for steps in LENGTHS],
        batch=3,
    )
    key = jax.random.split(jax.random.key(3))[1]
    compiled = play(guessing_agent, Trial(counting(), **budget), key, lengths(*LENGTHS))
    np.testing.assert_array_equal(host.returns, compiled.returns)
    np.testing.assert_array_equal(host.lengths, compiled.lengths)


def test_memory_is_kept_through_the_episodes_of_a_trial(counting_on_host, remembering_agent):
    played = play_on_host(
        remembering_agent, Trial(counting_on_host, episodes=2), 0, 1, "train", tasks=[{"steps": 2}]
    )
    assert played.returns.tolist() == [[0 + 1, 2 + 3]]


@pytest.mark.parametrize(
    ("make_env", "draw"), [(make_cartpole, draw_physics), (make_lake, draw_lake)]
)
def test_results_depend_neither_on_the_batch_nor_on_threads(make_env, draw):
    trial = Trial(from_gymnasium(make_env, draw, horizon=12, task="kwargs"), episodes=2)
    agent = make_agent(_nothing, _toss, _nothing)
    one_by_one = play_on_host(agent, trial, 0, 5, "validation", batch=1)
    for batch, threads in ((5, 1), (2, 2)):
        together = play_on_host(agent, trial, 0, 5, "validation", batch=batch, threads=threads)
        np.testing.assert_array_equal(together.returns, one_by_one.returns)
        np.testing.assert_array_equal(together.lengths, one_by_one.lengths)
    assert len(set(map(tuple, one_by_one.lengths.tolist()))) > 1


def _toss(key, state, observation):
    return jax.random.bernoulli(key).astype(jnp.int32), state


def test_cartpole_with_a_task_of_its_own_obeys_its_physics():
    family = from_gymnasium(make_cartpole, draw_physics, task="kwargs")
    assert family.horizon == 500
    assert family.name == "CartPole-v1"
    with HostTrials(Trial(family, episodes=1), 2) as trials:
        start = trials.reset(0, tasks=[{"gravity": 5.0}, {"gravity": 15.0}])
        speed_change = trials.step([1, 1]).next_observation[:, 3] - start[:, 3]
        fallen = [
            (gravity * np.sin(angle) - np.cos(angle) * force)
            / (0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1))
            for gravity, angle, omega in zip((5, 15), start[:, 2], start[:, 3], strict=True)
            for force in [(10 + 0.05 * omega**2 * np.sin(angle)) / 1.1]
        ]
        np.testing.assert_allclose(speed_change, 0.02 * np.array(fallen), rtol=1e-5)


def test_every_split_and_every_seed_has_tasks_of_its_own():
    seen = []
    family = from_gymnasium(
        make_cartpole,
        lambda rng, split: seen.append(rng.uniform()) or {},
        horizon=5,
        task="kwargs",
    )
    seen.clear()
    with HostTrials(Trial(family, episodes=1), 2) as trials:
        trials.reset(0)
        trials.reset(0, split="test")
        trials.reset(0, first=2)
        trials.reset(0)
        trials.reset(1)
    assert seen[6:8] == seen[:2]
    assert len(set(seen)) == 8


def test_the_luck_of_a_world_is_that_of_its_trial():
    family = from_gymnasium(make_cartpole, lambda rng, split: {}, task="kwargs")
    with HostTrials(Trial(family, episodes=2), 3) as trials:
        first, other = trials.reset(0), trials.reset(0, first=1)
    assert len(np.unique(first[:, 0])) == 3
    np.testing.assert_array_equal(first[1:], other[:2])


def test_actions_beyond_the_bounds_of_a_box_are_clipped_for_the_world():
    family = from_gymnasium(
        lambda: gymnasium.make("Pendulum-v1", disable_env_checker=True),
        lambda rng, split: {},
        task="kwargs",
    )
    rewards = []
    for torque in (2.0, 50.0):
        with HostTrials(Trial(family, episodes=1), 1) as trials:
            trials.reset(0)
            rewards.append(trials.step([[torque]]).reward)
    assert rewards[0] == rewards[1]


def test_every_world_is_closed(counting_on_host):
    before = Counting.open
    with HostTrials(Trial(counting_on_host, episodes=1), 3, threads=2) as trials:
        trials.reset(0)
        trials.reset(1)
        assert Counting.open == before + 3
    trials.close()
    assert Counting.open == before
    with pytest.raises(RuntimeError), HostTrials(Trial(counting_on_host, episodes=1), 3) as trials:
        trials.reset(0)
        raise RuntimeError("in the middle")
    assert Counting.open == before


def test_a_family_from_gymnasium_is_loaded_by_the_name_of_its_factory(tmp_path, monkeypatch):
    (tmp_path / "lakes.py").write_text("""
import gymnasium
from metarl.environments import from_gymnasium

def lake(slippery=True):
    def make_env(row):
        return gymnasium.make("FrozenLake-v1", desc=["SFF", "FFF", row], is_slippery=slippery)

    def draw(generator, split):
        return {"row": ("GFF", "FGF", "FFG")[generator.integers(3)]}

    return from_gymnasium(make_env, draw, horizon=20)
""")
    monkeypatch.syspath_prepend(tmp_path)
    family = load("lakes:lake", slippery=False)
    assert (family.name, dict(family.settings)) == ("lakes:lake", {"slippery": False})
    played = play_on_host(
        make_agent(_nothing, _toss, _nothing), Trial(family, episodes=2), 0, 2, "test"
    )
    assert played.returns.shape == (2, 2)


def test_compiled_and_host_worlds_are_told_apart(counting_on_host, guessing_agent):
    with pytest.raises(InvalidInput, match=r"stepped on the host.*play it with play_on_host"):
        play_split(guessing_agent, Trial(counting_on_host, episodes=1), 0, 2, "test")
    with pytest.raises(InvalidInput, match="'bandit' is compiled; it is played by play"):
        HostTrials(Trial(load("bandit"), episodes=1), 2)


@pytest.mark.parametrize("space", ["observation_space", "action_space"])
def test_a_space_that_is_not_supported_is_named_with_a_remedy(space):
    class Odd(Counting):
        pass

    setattr(Odd, space, spaces.Dict({"text": spaces.Text(3)}))
    with pytest.raises(
        InvalidInput, match=r"Dict is not supported; .*FlattenObservation.*TransformAction"
    ):
        from_gymnasium(Odd, draw_length, horizon=4)


def test_actions_that_are_not_counted_from_0_are_refused():
    class Shifted(Counting):
        action_space = spaces.Discrete(3, start=1)

    with pytest.raises(InvalidInput, match=r"Discrete\(3, start=1\) starts at 1; .*TransformAct"):
        from_gymnasium(Shifted, draw_length, horizon=4)


@pytest.mark.parametrize(
    ("make_env", "draw", "horizon", "message"),
    [
        (Counting, draw_length, None, "Counting: nothing says how long an episode may be"),
        (Counting, draw_length, 0, "horizon is 0; it must be a whole number of at least 1"),
        (Counting, lambda rng, split: 3, 4, "sample_kwargs gave int; it must give a dict"),
        (Counting, lambda rng: {}, 4, "sample_kwargs raised TypeError"),
        (Counting, lambda rng, split: {"stops": 1}, 4, "make_env with {'stops': 1} raised TypeErr"),
        (lambda steps: "env", draw_length, 4, "make_env gave str; it must give a gymnasium.Env"),
    ],
)
def test_families_that_cannot_be_made(make_env, draw, horizon, message):
    with pytest.raises(InvalidInput, match=message):
        from_gymnasium(make_env, draw, horizon=horizon)


def test_tasks_must_share_their_spaces():
    def make_env(rows):
        return gymnasium.make("FrozenLake-v1", desc=["SG"] * rows)

    family = from_gymnasium(make_env, lambda rng, split: {"rows": 2}, horizon=9, task="kwargs")
    with (
        HostTrials(Trial(family, episodes=1), 1) as trials,
        pytest.raises(InvalidInput, match=r"observation_space is Discrete\(6\).*must share"),
    ):
        trials.reset(0, tasks=[{"rows": 3}])


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("observation", np.float32(np.nan), "Broken: observation holds NaN or infinity"),
        ("observation", np.zeros(2, np.float32), r"has shape \(2,\); its space says \(\)"),
        ("observation", "left", r"Broken: an observation is of type <U4; it must hold numbers"),
        ("reward", np.nan, "Broken: reward holds NaN or infinity"),
        (
            "reward",
            np.ones(1),
            r"Broken: reward is array\(\[1.\]\), of type ndarray; it must be one",
        ),
        ("reward", "1", "Broken: reward is '1', of type str; it must be one number"),
        ("reward", None, "Broken: reward is None, of type NoneType; it must be one number"),
        ("terminated", "no", "Broken: terminated is 'no', of type str; it must be one number"),
    ],
)
def test_what_a_world_must_not_give(part, value, message):
    class Broken(Counting):
        def step(self, action):
            names = ("observation", "reward", "terminated", "truncated", "info")
            given = dict(zip(names, super().step(action), strict=True)) | {part: value}
            return tuple(given.values())

    family = from_gymnasium(Broken, draw_length, horizon=4)
    with HostTrials(Trial(family, episodes=1), 1) as trials:
        trials.reset(0)
        with pytest.raises(InvalidInput, match=message):
            trials.step([0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed is -1; it must be a whole number of at least 0"),
        ({"seed": 0, "split": "dev"}, "split is 'dev'"),
        ({"seed": 0, "tasks": [{"steps": 1}]}, "There are 1 tasks; there must be one for each"),
        ({"seed": 0, "tasks": [{"steps": np.nan}] * 2}, "the task's 'steps' holds NaN"),
    ],
)
def test_resets_that_cannot_be_done(arguments, message, counting_on_host):
    with (
        HostTrials(Trial(counting_on_host, episodes=1), 2) as trials,
        pytest.raises(InvalidInput, match=message),
    ):
        trials.reset(**arguments)


def test_actions_that_there_are_not(counting_on_host):
    with HostTrials(Trial(counting_on_host, episodes=1), 2) as trials:
        trials.reset(0)
        with pytest.raises(InvalidInput, match=r"action is \[0, 100\]; it must be in Discrete"):
            trials.step([0, 100])


def test_an_agent_that_sees_the_task_cannot_play_on_the_host(counting_on_host):
    agent = make_agent(_nothing, _guess, _nothing, sees_task=True)
    with pytest.raises(InvalidInput, match="only agents that learn it by acting can play there"):
        play_on_host(agent, Trial(counting_on_host, episodes=1), 0, 1, "test")


class Rooms(gymnasium.Env):
    """The goal's place comes from the seed of `reset`, as a layout does in MiniGrid."""

    observation_space = spaces.Discrete(1000)
    action_space = spaces.Discrete(2)
    spec = None

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.goal = int(self.np_random.integers(1000))
        return self.goal, {}

    def step(self, action):
        return self.goal, 0.0, True, False, {}


def no_kwargs(generator, split):
    return {}


def goals_of(family, split: Split = "train", episodes=4):
    """Returns the goals [E, B] of the inner episodes of two trials."""
    with HostTrials(Trial(family, episodes=episodes), 2) as trials:
        seen = [trials.reset(0, split=split)]
        for _ in range(episodes - 1):
            trials.step([0, 0])
            seen.append(trials.observations)
    return np.stack(seen)


def test_a_trial_keeps_the_task_that_is_in_the_seed():
    """Each inner episode was another task, without a word."""
    goals = goals_of(from_gymnasium(Rooms, no_kwargs, horizon=5, task="seed"))
    assert (goals == goals[0]).all() and goals[0, 0] != goals[0, 1]
    luck = goals_of(from_gymnasium(Rooms, no_kwargs, horizon=5, task="kwargs"))
    assert len(np.unique(luck[:, 0])) > 1
    np.testing.assert_array_equal(luck[0] == goals[0], [False, False])  # no seed of another split


def test_where_the_seed_is_the_task_the_splits_have_seeds_of_their_own(monkeypatch):
    seeds: dict[str, set[Any]] = {}
    family = from_gymnasium(Rooms, no_kwargs, horizon=5, task="seed")
    reset, hears = gymnasium.Env.reset, SPLITS[0]

    def hearing(self, *, seed=None, options=None):
        seeds.setdefault(hears, set()).add(seed)
        return reset(self, seed=seed, options=options)

    monkeypatch.setattr(gymnasium.Env, "reset", hearing)
    for hears in SPLITS:
        goals_of(family, hears)
    assert all(len(heard) == 2 for heard in seeds.values())
    assert {seed % 3 for seed in seeds["test"]} == {2}
    assert {seed % 3 for seed in seeds["train"]} == {0}


def test_what_a_seed_does_is_seen_and_said():
    with pytest.warns(UserWarning, match="so the seed is taken for the task.*Say task='seed'"):
        assert from_gymnasium(Rooms, no_kwargs, horizon=5).seed_is_task
    assert not from_gymnasium(Counting, draw_length, horizon=4).seed_is_task


def test_a_seed_that_decides_nothing_cannot_be_the_task():
    class Careless(Rooms):
        calls = 0

        def reset(self, *, seed=None, options=None):
            Careless.calls += 1
            return Careless.calls, {}

    assert not from_gymnasium(Careless, no_kwargs, horizon=5).seed_is_task
    with pytest.raises(
        InvalidInput, match="task='seed', but two resets with seed 1 give different"
    ):
        from_gymnasium(Careless, no_kwargs, horizon=5, task="seed")
    with pytest.raises(InvalidInput, match="task is 'sead'; it must be 'kwargs' or 'seed'"):
        from_gymnasium(Rooms, no_kwargs, horizon=5, task="sead")  # pyright: ignore


def failing(part, value=None):
    """Returns a world whose `part` raises, or gives a value, from its second trial on."""

    class Failing(Counting):
        trials = 0

        def __init__(self):
            super().__init__(steps=2)
            Failing.trials += 1

    def fail(self, *arguments, **settings):
        if Failing.trials < 2:
            return getattr(Counting, part)(self, *arguments, **settings)
        if value is None:
            raise KeyError("the window")
        return value

    setattr(Failing, part, fail)
    return from_gymnasium(Failing, no_kwargs, horizon=4)


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        (
            "reset",
            None,
            r"Failing: reset\(seed=...\) raised KeyError: 'the window' \(.*test_worlds",
        ),
        ("step", None, r"Failing: step raised KeyError: 'the window' \(.*test_worlds.py:\d+\)"),
        ("close", None, "Failing: close raised KeyError: 'the window'"),
        ("reset", 0, "Failing: reset gave int; gymnasium's gives a pair, observation and info"),
        ("step", (0, 0.0, True, {}), "step gave 4 values; gymnasium's gives five.*old gym"),
    ],
)
def test_a_world_that_fails_is_named_with_its_own_error(part, value, message):
    trials = HostTrials(Trial(failing(part, value), episodes=1), 1)
    with pytest.raises(InvalidInput, match=message) as caught:
        trials.reset(0)
        trials.step([0])
        trials.close()
    if value is None:
        assert isinstance(caught.value.__cause__, KeyError)


def test_a_world_without_seeds_is_named():
    class Seedless(Counting):
        def reset(self):
            return np.float32(0), {}

    with pytest.raises(InvalidInput, match=r"Seedless: reset\(seed=...\) raised TypeError.*'seed'"):
        from_gymnasium(Seedless, draw_length, horizon=4)


def test_a_world_that_fails_to_close_hides_no_earlier_fault_and_keeps_no_other_open():
    trial = Trial(failing("close"), episodes=1)
    before = Counting.open
    with pytest.raises(RuntimeError, match="in the middle"), HostTrials(trial, 2) as trials:
        trials.reset(0)
        raise RuntimeError("in the middle")
    assert Counting.open == before + 2  # theirs failed; all were tried
