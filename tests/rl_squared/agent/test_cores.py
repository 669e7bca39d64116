"""Every core in every outer loop: it trains, it is saved, it acts as it was trained; what is refused."""

from __future__ import annotations

import dataclasses
import re

import jax
import numpy as np
import pytest

from metarl.environments import play_split
from metarl.errors import InvalidInput
from metarl.rl_squared import (
    ImitationConfig,
    NetworkConfig,
    TrainConfig,
    WorldConfig,
    load,
    make_job,
    save,
    train,
)
from metarl.rl_squared.agent.network import fit_to
from metarl.rl_squared.learning.ancestors import _described
from metarl.rl_squared.settings.network_config import CORES
from metarl.runs import SilentProgress

BANDIT = WorldConfig(arms=2, episodes=5)
PENDULUM = WorldConfig("pendulum", horizon=5, episodes=1)
MAZE = WorldConfig("maze", size=3, horizon=4, setting=("width=16", "height=13"), episodes=1)
TINY = TrainConfig(
    world=BANDIT,
    network=NetworkConfig(hidden=8, heads=2, layers=1),
    batch_steps=80,
    env_steps=80,
    imitation=ImitationConfig(env_steps=80, batch_steps=80),
    validation_tasks=4,
    value_warm_up=1,
)


def with_network(config: TrainConfig = TINY, **settings) -> TrainConfig:
    return dataclasses.replace(config, network=dataclasses.replace(config.network, **settings))


RUNS = {
    "reinforce, transformer, shared value": dataclasses.replace(
        with_network(core="transformer", value="shared"), algorithm="reinforce"
    ),
    "ppo, lru, shared value": with_network(core="lru", value="shared"),
    "ppo, transformer, two layers": with_network(core="transformer", layers=2),
    "trpo, delta-rule": dataclasses.replace(with_network(core="delta-rule"), algorithm="trpo"),
    "trpo, transformer": dataclasses.replace(with_network(core="transformer"), algorithm="trpo"),
    "gaussian, delta-rule": dataclasses.replace(with_network(core="delta-rule"), world=PENDULUM),
    "images, gru-delta-rule": dataclasses.replace(with_network(core="gru-delta-rule"), world=MAZE),
    "images, lru": dataclasses.replace(with_network(core="lru"), world=MAZE),
    "truncated, transformer": with_network(core="transformer", context=3, truncate=2),
    "imitation, delta-rule": dataclasses.replace(
        with_network(core="delta-rule"), warm_start="thompson"
    ),
}


@pytest.mark.slow  # the quick forms: every core unrolled, in test_unrolling, and a GRU that is trained
@pytest.mark.parametrize("name", RUNS)
def test_an_agent_is_trained_saved_and_acts_again(tmp_path, name):
    agent = train(RUNS[name], tmp_path / "run", progress=SilentProgress())
    again = load(save(agent, tmp_path / "agent.npz"))
    assert again.config.network == RUNS[name].network
    jax.tree.map(np.testing.assert_array_equal, agent.params, again.params)
    kept, loaded = (play_split(x.as_agent(), x.trial, 0, 4, "test") for x in (agent, again))
    np.testing.assert_array_equal(kept.totals, loaded.totals)
    assert np.isfinite(kept.totals).all()


def test_a_transformer_looks_back_over_the_trial_unless_told_otherwise():
    job = make_job(with_network(core="transformer"))
    cache = job.policy.initial_state(3).policy[0]
    assert cache.keys.shape == (3, 5, 2, 4)
    assert fit_to(job.trial, NetworkConfig(core="transformer", context=2)).context == 2
    assert fit_to(job.trial, NetworkConfig()) == NetworkConfig()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"core": "mamba"}, f"core is 'mamba'; it must be one of {', '.join(CORES)}."),
        ({"context": 0}, "context is 0; it must be from 1 to 65536, or None."),
        ({"context": -3}, "context is -3; it must be from 1"),
        ({"layers": 0}, "layers is 0; it must be from 1 to 64."),
        ({"heads": 0}, "heads is 0; it must be from 1 to 65536."),
        (
            {"core": "transformer", "hidden": 12},
            "hidden is 12; with 4 heads of transformer it must be a multiple of 8.",
        ),
        (
            {"core": "delta-rule", "hidden": 10},
            "hidden is 10; with 4 heads of delta-rule it must be a multiple of 4.",
        ),
        (
            {"core": "gru-delta-rule", "hidden": 6},
            "hidden is 6; with 4 heads of gru-delta-rule it must be a multiple of 4.",
        ),
    ],
)
def test_settings_that_make_no_network_are_refused(settings, message):
    with pytest.raises(InvalidInput, match="^" + re.escape(message)):
        NetworkConfig(**settings)


def test_a_network_is_told_by_all_that_its_weights_mean():
    config = with_network(core="delta-rule", layers=3)
    assert _described(config.network) == "delta-rule-8 of 3 layers with 2 heads"
    assert _described(with_network(core="lru").network) == "lru-8 of 1 layers"
    assert _described(with_network(core="gru").network) == "gru-8"
