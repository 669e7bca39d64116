"""navix, XLand-MiniGrid and brax as families: seeds or rule sets are the task, nothing resets by itself."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import SPLITS, check_environment, from_xminigrid, load
from metarl.environments.adapters.pieces import draw_seed
from metarl.errors import InvalidInput


class Params(NamedTuple):
    """As xminigrid's: the clock, and the rule set of a world that has some."""

    max_steps: int | None = 5
    ruleset: Any = None

    def replace(self, **changes: Any) -> Params:
        return self._replace(**changes)


class Moment(NamedTuple):
    """As xminigrid's TimeStep."""

    place: Any
    goal: Any
    step_num: Any
    step_type: Any
    reward: Any
    discount: Any
    observation: Any


class Line:
    """Walks to a goal that the key lays, or a rule set says."""

    def num_actions(self, params):
        return 2

    def reset(self, params, key):
        goal = 1 + jax.random.randint(key, (), 0, 3) if params.ruleset is None else params.ruleset
        return Moment(0, goal, 0, jnp.uint8(0), 0.0, 1.0, jnp.stack([0, goal]).astype(jnp.uint8))

    def step(self, params, before, action):
        place, time = before.place + action, before.step_num + 1
        there, late = place >= before.goal, time == params.max_steps
        return Moment(
            place,
            before.goal,
            time,
            jnp.where(there | late, 2, 1).astype(jnp.uint8),
            jnp.where(there, 1.0, 0.0),
            jnp.where(there, 0.0, 1.0),
            jnp.stack([place, before.goal]).astype(jnp.uint8),
        )


class Rules:
    """As a benchmark of xminigrid."""

    def __init__(self, count):
        self.count = count

    def num_rulesets(self):
        return self.count

    def get_ruleset(self, number):
        return jnp.asarray(number) + 2


def test_the_goal_terminates_the_clock_truncates_and_a_seed_lays_the_grid():
    family = from_xminigrid(Line(), Params())

    @jax.jit
    def walk(seed):
        task = family.sample_task(jax.random.key(seed))
        goals = [family.reset(jax.random.key(k), task)[0][1] for k in range(2)]
        _, state = family.reset(jax.random.key(0), task)
        on, still = state, state
        ends = []
        for _ in range(5):
            step = family.step(jax.random.key(0), on, jnp.int32(1), task)
            rest = family.step(jax.random.key(0), still, jnp.int32(0), task)
            on, still = step.state, rest.state
            ends.append((step.terminated, step.truncated, rest.terminated, rest.truncated))
        return goals, jnp.array(ends)

    seen = set()
    for seed in range(12):
        (first, again), ends = jax.device_get(walk(seed))
        assert first == again
        seen.add(int(first))
        assert ends[:, 0].tolist() == [t + 1 >= first for t in range(5)]
        assert ends[:, 3].tolist() == [False] * 4 + [True] and not ends[:, 2].any()
        assert not (ends[:, 0] & ends[:, 1]).any()
    assert seen == {1, 2, 3}


def test_rule_sets_are_dealt_to_the_splits():
    family = from_xminigrid(Line(), Params(), rulesets=Rules(45))
    drawn = {
        split: set(np.asarray(family.sample_tasks(jax.random.key(0), 300, split)).tolist())
        for split in SPLITS
    }
    assert [len(drawn[split]) for split in SPLITS] == [28, 6, 6]
    assert set.union(*drawn.values()) == set(range(2, 42))


def test_seeds_of_one_split_are_in_no_other():
    def rests(split):
        keys = jax.random.split(jax.random.key(0), 2000)
        return set((jax.vmap(lambda key: draw_seed(key, split).seed)(keys) % 20).tolist())

    assert [rests(split) for split in SPLITS] == [set(range(14)), {14, 15, 16}, {17, 18, 19}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rulesets": Rules(19)}, "19 rule sets are too few .* at least 20"),
        ({"params": Params(None)}, "nothing says how long an episode may be"),
        ({"horizon": 0}, "horizon is 0; it must be a whole number of at least 1"),
    ],
)
def test_what_cannot_be_used_is_named(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        from_xminigrid(**({"world": Line(), "params": Params()} | arguments))


@pytest.mark.parametrize("library", ["navix", "xminigrid", "brax.envs"])
def test_a_library_that_is_not_there_is_asked_for(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    name = library.partition(".")[0]
    with pytest.raises(InvalidInput, match=f"{library} cannot be imported .* pip install '{name}'"):
        load(f"{name}:anything")


@pytest.mark.extras
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("keys_unchecked")
@pytest.mark.parametrize(
    ("library", "name", "settings"),
    [
        ("navix", "navix:Navix-Empty-Random-5x5-v0", {"horizon": 12}),
        ("navix", "navix:Navix-DoorKey-5x5-v0", {"horizon": 12, "view": "whole"}),
        ("xminigrid", "xminigrid:MiniGrid-FourRooms", {"horizon": 12}),
        ("brax", "brax:inverted_pendulum", {"horizon": 12, "backend": "spring"}),
        ("brax", "brax:halfcheetah", {"horizon": 3, "goal": "velocity", "backend": "spring"}),
    ],
)
def test_their_own_worlds_keep_our_laws(library, name, settings):
    pytest.importorskip(library, reason=f"no {library}")
    with jax.numpy_rank_promotion("allow"):  # brax promotes ranks
        family = check_environment(load(name, **settings))
    assert load(name, **settings) is family and family.horizon == settings["horizon"]
    if library != "brax":
        task = family.sample_task(jax.random.key(0))
        looks = [family.reset(jax.random.key(k), task)[0] for k in range(2)]
        np.testing.assert_array_equal(*looks)


def test_a_library_that_fails_otherwise_is_told_too(monkeypatch, tmp_path):
    (tmp_path / "navix.py").write_text("raise AttributeError('made for another jax')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "navix", raising=False)
    with pytest.raises(InvalidInput, match="AttributeError: made for another jax"):
        load("navix:anything")


@pytest.mark.extras
@pytest.mark.filterwarnings("ignore")
def test_worlds_that_need_more_say_so():
    pytest.importorskip("xminigrid", reason="no xminigrid")
    with pytest.raises(InvalidInput, match="needs rule sets, which xminigrid reads with pickle"):
        load("xminigrid:XLand-MiniGrid-R1-9x9")
    pytest.importorskip("brax", reason="no brax")
    with pytest.raises(
        InvalidInput, match="'inverted_pendulum' of brax does not tell x_velocity, by which"
    ):
        load("brax:inverted_pendulum", goal="velocity", backend="spring")
