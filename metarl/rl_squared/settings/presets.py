"""Presets: named settings of a training, for bandits, for MDPs, for other worlds, as in the paper, and for seconds."""

from __future__ import annotations

import dataclasses
from typing import Literal

from metarl.errors import unknown_name
from metarl.policy_gradient import PPOConfig, TRPOConfig

from .config import ImitationConfig, TrainConfig
from .network_config import NetworkConfig
from .world_config import WorldConfig

PresetName = Literal["laptop", "bandit", "mdp", "paper", "smoke"]


def preset(name: PresetName | None = None, world: WorldConfig | None = None) -> TrainConfig:
    """Returns a named set of settings.

    Args:
      name: "laptop" (GRU of 64, minutes on two cores), "bandit" or "mdp" (a fast-weight memory, small
        updates and a control variate), "paper" (the settings of Duan et al.) or "smoke" (seconds; to see
        whether everything works); None takes that of the world, see `preset_of`.
      world: what is to be learnt; the five-armed bandit if None.

    Raises:
      InvalidInput: there is no such preset.
    """
    world = world or WorldConfig()
    name = preset_of(world) if name is None else name
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return dataclasses.replace(PRESETS[name], world=world)


def preset_of(world: WorldConfig) -> PresetName:
    """Returns the name of the preset for a world where none is asked for.

    "mdp" for MDPs, "bandit" for bandits of 50 pulls and more, "laptop" for all others: few pulls are learnt
    as well by its larger network in more steps, and restless arms have no oracle, whose values the control
    variate of the others needs.
    """
    if world.environment == "mdp":
        return "mdp"
    pulls = world.trial_steps or world.episodes or 0
    restless = world.settings().get("rewards") == "restless"
    return "bandit" if world.environment == "bandit" and pulls >= 50 and not restless else "laptop"


def ended_by_the_clock(config: TrainConfig) -> TrainConfig:
    """Returns settings for a training that a time limit alone ends.

    Nothing falls to 0 on the way, as its end is not known in steps, so no entropy is rewarded.
    """
    ppo = dataclasses.replace(config.ppo, entropy_weight=0.0)
    return dataclasses.replace(config, ppo=ppo, env_steps=None)


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
    "mdp": TrainConfig(
        network=NetworkConfig(
            core="outer-product", hidden=64, memory_keys=64, memory_values=16, pairs=True
        ),
        ppo=PPOConfig(learning_rate=3e-3, entropy_weight=0.0, accumulation=4),
        variance_reduction="regret",
        batch_steps=12_800,
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
