"""Presets: a world brings its own where none is asked for, from the command line as from Python."""

from __future__ import annotations

import dataclasses

import pytest

from metarl.cli.train import parse
from metarl.environments import load
from metarl.errors import InvalidInput
from metarl.rl_squared import PRESETS, TrainConfig, WorldConfig, preset, preset_of


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "laptop"),
        (["--arms", "5", "--episodes", "49"], "laptop"),
        (["--arms", "10", "--episodes", "100"], "bandit"),
        (["--environment", "bandit", "--trial-steps", "50"], "bandit"),
        (["--episodes=50", "--setting", "noise=0.5", "rewards=gaussian"], "bandit"),
        (["--environment=mdp"], "mdp"),
        (["--episodes", "100", "--setting", "rewards=restless"], "laptop"),
        (["--environment", "maze"], "laptop"),
        (["--environment", "my_module:factory"], "laptop"),
        (["--environment", "mdp", "--preset", "laptop"], "laptop"),
        (["--environment", "maze", "--preset", "mdp"], "mdp"),
    ],
)
def test_where_no_preset_is_typed_the_world_brings_its_own(words, name):
    config = parse(words, "metarl train").train.config()
    assert dataclasses.replace(config, world=WorldConfig()) == PRESETS[name]
    if "--preset" not in words:
        assert preset(world=config.world) == config


def test_what_is_typed_changes_the_preset_of_the_world():
    config = parse(["--environment", "mdp", "--seed", "3", "--ppo.epochs", "2"], "metarl train")
    ppo = dataclasses.replace(PRESETS["mdp"].ppo, epochs=2)
    assert config.train.config() == dataclasses.replace(
        preset(world=WorldConfig("mdp")), seed=3, ppo=ppo
    )


def test_a_time_limit_alone_takes_the_place_of_the_budget_in_steps():
    long = ["--episodes", "100"]
    timed = parse([*long, "--minutes", "5"], "metarl train").train.config()
    assert (timed.minutes, timed.env_steps, timed.ppo.entropy_weight) == (5.0, None, 0.0)
    assert timed.variance_reduction == "regret"
    both = parse([*long, "--minutes", "5", "--env-steps", "7"], "metarl train").train.config()
    assert (both.minutes, both.env_steps) == (5.0, 7)
    assert both.ppo == PRESETS["bandit"].ppo
    named = parse(["--preset", "bandit", "--minutes", "5"], "metarl train").train.config()
    assert named == dataclasses.replace(PRESETS["bandit"], minutes=5.0)


@pytest.mark.parametrize("rewards", ["bernoulli", "gaussian", "linear", "restless"])
def test_the_preset_of_a_world_asks_for_nothing_that_the_world_has_not(rewards):
    world = WorldConfig(setting=(f"rewards={rewards}",), episodes=100)
    environment = load("bandit", rewards=rewards)
    if preset(world=world).variance_reduction == "regret":
        assert environment.oracle is not None and environment.mean_reward is not None
    else:
        assert environment.oracle is None


def test_an_unknown_preset_is_refused_with_those_there_are():
    with pytest.raises(InvalidInput, match=r"Unknown preset 'bandits'\. Did you mean 'bandit'\?"):
        preset("bandits")  # type: ignore[arg-type]


def test_experiments_that_name_laptop_keep_its_settings():
    assert preset("laptop") == TrainConfig()
    assert preset_of(WorldConfig("cartpole")) == "laptop"
