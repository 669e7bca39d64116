"""Presets: named settings of a training, for a laptop, for bandits, as in the paper, and for seconds."""

from __future__ import annotations

import dataclasses
from typing import Literal

from metarl.errors import unknown_name
from metarl.policy_gradient import PPOConfig, TRPOConfig

from .config import ImitationConfig, TrainConfig
from .network_config import NetworkConfig
from .world_config import WorldConfig

PresetName = Literal["laptop", "bandit", "paper", "smoke"]


def preset(name: PresetName, world: WorldConfig | None = None) -> TrainConfig:
    """Returns a named set of settings.

    Args:
      name: "laptop" (GRU of 64, minutes on two cores), "bandit" (a fast-weight memory, small updates
        and a control variate: a minute), "paper" (the settings of Duan et al.) or "smoke" (seconds; to
        see whether everything works).
      world: what is to be learnt; the five-armed bandit if None.

    Raises:
      InvalidInput: there is no such preset.
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return dataclasses.replace(PRESETS[name], world=world or WorldConfig())


PRESETS: dict[str, TrainConfig] = {
    "laptop": TrainConfig(),
    # experiments/rl2_learning
    "bandit": TrainConfig(
        network=NetworkConfig(core="outer-product", hidden=32, memory_keys=16, memory_values=8),
        ppo=PPOConfig(learning_rate=3e-3, entropy_weight=0.03, entropy_decay=True, accumulation=4),
        variance_reduction="regret",
        batch_steps=6_400,
        env_steps=1_000_000,
        validation_every=250_000,
    ),
    "paper": TrainConfig(
        network=NetworkConfig(
            hidden=256,
            activation="relu",
            normalise_weights=True,
            input_deviation=None,
            privileged_value=False,
            beside=256,
        ),
        ppo=PPOConfig(
            learning_rate=1e-3,
            epochs=5,
            minibatches=16,
            clip=0.1,
            max_kl=0.01,
            gae_lambda=0.3,
            value_target="monte_carlo",
            entropy_weight=0.0,
            max_gradient_norm=None,
        ),
        trpo=TRPOConfig(max_kl=0.01, gae_lambda=0.3, value_target="monte_carlo"),
        batch_steps=250_000,
        learning_rate_decay=False,
        env_steps=75_000_000,
    ),
    "smoke": TrainConfig(
        network=NetworkConfig(hidden=16),
        batch_steps=2_000,
        env_steps=20_000,
        imitation=ImitationConfig(env_steps=20_000, batch_steps=2_000),
        value_warm_up=1,
        validation_tasks=100,
        validation_every=10_000,
    ),
}
