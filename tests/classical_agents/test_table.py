"""The table of agents, its texts, and what is said about wrong ones."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest
from gymnasium import spaces

from metarl.classical_agents import PRESETS, grid, make, names, parse, rows, tune, world_of
from metarl.environments import Trial, load, play_split
from metarl.errors import InvalidInput

WORLDS = {
    "bandit": lambda: Trial(load("bandit", arms=3), episodes=4),
    "gaussian-bandit": lambda: Trial(load("bandit", arms=3, rewards="gaussian"), episodes=4),
    "mdp": lambda: Trial(load("mdp", states=3, actions=2, horizon=3), episodes=2),
    "maze": lambda: Trial(load("maze", size=3, width=13, height=13, horizon=9), episodes=2),
    "dark-room": lambda: Trial(load("dark-room", size=3, horizon=4), episodes=2),
    "key-to-door": lambda: Trial(load("key-to-door", size=3), episodes=2),
    "two-step": lambda: Trial(load("two-step", rounds=3), episodes=1),
    "harlow": lambda: Trial(load("harlow", bits=4), episodes=3),
    "contextual-bandit": lambda: Trial(load("contextual-bandit"), episodes=3),
    "point-robot": lambda: Trial(load("point-robot"), episodes=2),
    "rule-grid": lambda: Trial(load("rule-grid"), episodes=2),
    "pictured-grid": lambda: Trial(load("gridworld", size=3, pixels=2), episodes=2),
    "memory-planning": lambda: Trial(load("memory-planning"), episodes=2),
    "any": lambda: Trial(load("pendulum"), steps=3),
}
LINEAR = ("linear-thompson", "linear-ucb")  # their arms have features
FORGETTING = (
    *("ucb1-without-prior", "discounted-ucb", "sliding-window-ucb"),
    *("discounted-thompson", "discounted-greedy"),
)


@pytest.mark.parametrize("world", WORLDS)
def test_every_environment_has_its_world(world):
    assert world_of(WORLDS[world]().environment) == world


def test_a_restless_bandit_is_a_bandit_and_an_mdp_of_one_state_is_none():
    assert world_of(load("bandit", rewards="restless", pulls=9)) == "bandit"
    assert world_of(load("mdp", states=1)) == "mdp"


@pytest.mark.parametrize("world", WORLDS)
def test_no_two_rows_of_a_world_share_a_name(world):
    of_world = [row.name for row in rows() if row.world == world]
    assert len(of_world) == len(set(of_world))


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.name}-{row.world}")
def test_every_row_says_what_it_is_and_accepts_its_own_values(row):
    assert row.caption and row.formula
    assert row.paper or row.name in ("random", "oracle")
    for name, setting in row.settings.items():
        assert setting.meaning
        assert row.check(name, str(setting.default)) == setting.default
    for preset, values in row.presets.items():
        assert preset in PRESETS
        assert row.values({}, preset) == row.values(values)
    for preset, axes in row.grids.items():
        assert preset in PRESETS
        assert all(row.check(name, str(value)) == value for name in axes for value in axes[name])


@pytest.mark.parametrize("world", WORLDS)
def test_every_agent_of_a_world_can_be_made_with_every_preset(world):
    trial = WORLDS[world]()
    for name in names(world):
        if (world, name) != ("any", "oracle") and name not in LINEAR:
            for text in (name, *(f"{name}:preset={preset}" for preset in PRESETS)):
                assert callable(make(text, trial).act), text


def test_the_agents_of_the_bandit_worlds_are_those_promised():
    assert set(names("bandit")) == {
        *("random", "greedy", "epsilon-greedy", "ucb1", "kl-ucb", "thompson"),
        *("optimistic-thompson", "gittins", "whittle", "bayes-optimal", "oracle"),
        *("bayes-ucb", "ids", "exp3", "bayes-adaptive", *FORGETTING),
    }
    assert set(names("gaussian-bandit")) == {
        *("random", "greedy", "epsilon-greedy", "ucb1", "thompson", "optimistic-thompson"),
        *("bayes-ucb", "ids", "gittins", "knowledge-gradient", "oracle", *FORGETTING, *LINEAR),
    }
    assert set(names("maze")) == {"random", "frontier", "steady-frontier", "cartographer", "oracle"}
    assert set(names("dark-room")) == {"random", "searcher", "oracle"}
    assert set(names("key-to-door")) == {"random", "oracle"}
    assert set(names("two-step")) == {"random", "model-free", "model-based", "oracle"}
    assert set(names("harlow")) == {"random", "win-stay-lose-shift", "oracle"}
    assert set(names("contextual-bandit")) == {"random", "greedy", "oracle", *LINEAR}
    assert set(names("point-robot")) == {"random", "trilateration", "oracle"}
    assert set(names("rule-grid")) == {"random", "experimenter", "oracle"}
    assert set(names("pictured-grid")) == {"random", "oracle"}
    assert set(names("memory-planning")) == {"random", "mapper", "oracle"}
    assert names("any") == ("random",)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("thompson", "thompson"),
        ("ucb1:c=.20", "ucb1:c=0.2"),
        ("optimistic-thompson: samples=5", "optimistic-thompson:samples=5"),
        ("greedy:preset=matched", "greedy:preset=matched"),
        ("ucb1:c=1,preset=paper,ties=random", "ucb1:preset=paper,c=1,ties=random"),
        ("greedy:prior_mean=1.5,prior_weight=1", "greedy:prior_mean=1.5,prior_weight=1"),
    ],
)
def test_a_text_is_read_and_written(text, canonical):
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gitins", r"Unknown agent 'gitins'. Did you mean 'gittins'\?"),
        ("ucb1:d=0.2", r"Unknown setting of agent 'ucb1' 'd'.*Known: c, "),
        ("ucb1:prior_sucesses=2", r"Did you mean 'prior_successes'\?"),
        ("ucb1:c=high", r"ucb1: c is 'high'; it must be a number, at least 0\."),
        ("ucb1:c=-1", r"c is '-1'; it must be a number, at least 0\."),
        ("ucb1:c=nan", r"c is 'nan'; it must be a number"),
        ("ucb1:c=inf", r"c is 'inf'; it must be a number"),
        ("epsilon-greedy:epsilon=1.5", r"it must be a number from 0 to 1\."),
        ("optimistic-thompson:samples=2.5", r"it must be a whole number from 1 to 10000\."),
        ("optimistic-thompson:samples=0", r"it must be a whole number from 1"),
        ("greedy:ties=last", r"ties is 'last'; it must be random or first\."),
        ("greedy:preset=papers", r"Unknown preset 'papers'. Did you mean 'paper'\?"),
        ("ucb1:", r"after the colon settings are missing"),
        ("ucb1:c", r"'c' is not of the form name=value"),
        ("ucb1:c=1,c=2", r"'c' is given twice"),
        ("", r"Unknown agent ''"),
    ],
)
def test_a_wrong_text_is_answered_with_what_is_accepted(text, message):
    with pytest.raises(InvalidInput, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("text", "world", "message"),
    [
        ("gittins", "mdp", r"'gittins' is for bandits with Bernoulli .*, not for MDPs"),
        ("whittle", "gaussian-bandit", r"not for bandits with Gaussian rewards; agents for those:"),
        ("psrl", "bandit", r"'psrl' is for MDPs .*, not for bandits with Bernoulli rewards"),
        (
            "greedy:prior_weight=1",
            "bandit",
            r"world 'bandit' has no setting 'prior_weight'; it has",
        ),
        (
            "whittle:prior_successes=0.25,prior_failures=0.25",
            "bandit",
            r"of the prior Beta\(0.25, 0.25\) the closed form gives .* Take gittins",
        ),
        ("gittins:horizon=infinite", "bandit", r"without a horizon it must be below 1"),
        ("thompson", "any", r"not for environments of other kinds; agents for those: random\."),
    ],
)
def test_an_agent_that_does_not_fit_is_refused(text, world, message):
    with pytest.raises(InvalidInput, match=message):
        make(text, WORLDS[world]())


def test_agents_too_large_for_memory_are_refused_with_a_way_out():
    trial = Trial(load("bandit", arms=10), episodes=1000)
    with pytest.raises(InvalidInput, match="use a discount without a horizon"):
        make("gittins", trial)
    with pytest.raises(InvalidInput, match="does not fit into memory"):
        make("bayes-optimal", trial)


def test_the_oracle_refuses_a_bandit_whose_means_change():
    trial = Trial(load("bandit", rewards="restless", pulls=5), episodes=1)
    with pytest.raises(InvalidInput, match="a restless bandit's change"):
        make("oracle", trial)


def test_random_actions_in_a_box_of_whole_numbers_are_its_members():
    space = spaces.Box(-2, np.array([0, 3]), (2,), np.int8)
    trial = Trial(dataclasses.replace(load("pendulum"), action_space=space), steps=3)
    agent = make("random", trial)
    drawn = [agent.act(jax.random.key(i), (), None)[0] for i in range(60)]
    assert all(space.contains(np.asarray(action)) for action in drawn)
    assert set(np.stack(drawn)[:, 1].tolist()) == {-2, -1, 0, 1, 2, 3}


def test_random_actions_without_bounds_are_refused():
    space = spaces.Box(-np.inf, 1.0, (2,))
    trial = Trial(dataclasses.replace(load("pendulum"), action_space=space), steps=3)
    with pytest.raises(InvalidInput, match=r"'random' cannot draw from Box.*with finite bounds\."):
        make("random", trial)


def test_a_grid_holds_every_combination_and_keeps_what_is_fixed():
    assert grid("ucb1", "bandit", "matched") == [f"ucb1:c={i / 10:g}" for i in range(11)]
    assert grid("ucb1:c=0.3", "bandit", "matched") == ["ucb1:c=0.3"]
    assert grid("greedy", "bandit", "paper") == ["greedy:preset=paper"]
    assert grid("thompson", "bandit", "matched") == ["thompson"]
    with pytest.raises(InvalidInput, match="Unknown preset 'best'"):
        grid("ucb1", "bandit", "best")


def test_tuning_chooses_the_best_of_the_grid_on_validation_tasks():
    trial = Trial(load("bandit", arms=4), episodes=30)
    chosen = tune("epsilon-greedy", trial, tasks=300, seed=3)
    earned = {
        text: play_split(make(text, trial), trial, 3, 300, "validation").totals.mean()
        for text in grid("epsilon-greedy", "bandit", "matched")
    }
    assert chosen == max(earned, key=earned.__getitem__)
    assert tune("thompson", trial) == "thompson"
