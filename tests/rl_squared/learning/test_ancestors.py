"""An agent is a start exactly where its weights have the same shapes and compute the same in the network asked for."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.rl_squared import NetworkConfig, TrainConfig, TrainedAgent, WorldConfig
from metarl.rl_squared.agent.agent import make_trial
from metarl.rl_squared.agent.inputs import Inputs, make_encoder
from metarl.rl_squared.agent.network import make_policy
from metarl.rl_squared.learning.ancestors import require_same_network

MDP = WorldConfig("mdp", states=3, actions=2, horizon=2, episodes=2)
MAZE = WorldConfig("maze", size=3, episodes=1)

# Of every setting of a network: its core, other settings beside, the world, and two of its values.
CHANGES = [
    ("core", {}, MDP, "gru", "lstm"),
    ("hidden", {}, MDP, 8, 16),
    ("activation", {}, MDP, "tanh", "relu"),
    ("activation", {"core": "lstm"}, MDP, "tanh", "relu"),
    ("normalise_weights", {}, MDP, False, True),
    ("normalise_weights", {"core": "lstm"}, MDP, False, True),
    ("input_deviation", {}, MDP, 0.5, None),
    ("memory_keys", {"core": "outer-product"}, MDP, 4, 8),
    ("memory_values", {"core": "outer-product"}, MDP, 4, 8),
    ("layers", {"core": "lru"}, MDP, 1, 2),
    ("layers", {"core": "gru"}, MDP, 1, 2),
    ("heads", {"core": "delta-rule"}, MDP, 2, 4),
    ("heads", {"core": "transformer", "context": 4}, MDP, 2, 4),
    ("heads", {"core": "lru"}, MDP, 2, 4),
    ("context", {"core": "transformer"}, MDP, 2, 3),
    ("context", {"core": "transformer"}, MDP, 4, 2),
    ("context", {"core": "transformer"}, MDP, 4, 5),  # trials have four steps
    ("context", {"core": "gru"}, MDP, 2, 3),
    ("value", {}, MDP, "separate", "shared"),
    ("privileged_value", {}, MDP, True, False),
    ("pairs", {}, MDP, False, True),
    ("inner_values", {}, MDP, False, True),
    ("inner_trust", {"core": "outer-product", "inner_values": True}, MDP, 0.0, 20.0),
    ("filters", {}, MAZE, 2, 4),
    ("pixel_units", {}, MAZE, None, 4),
    ("beside", {}, MAZE, 2, 4),
    ("truncate", {}, MDP, None, 2),
]


@pytest.mark.parametrize(
    ("name", "beside", "world", "first", "second"),
    CHANGES,
    ids=[f"{c[0]}-{c[1].get('core', 'gru')}-{c[3]}-{c[4]}" for c in CHANGES],
)
def test_an_agent_is_a_start_for_what_computes_the_same(name, beside, world, first, second):
    configs = [
        TrainConfig(
            world=world, network=NetworkConfig(**{"hidden": 8, "layers": 1, **beside, name: value})
        )
        for value in (first, second)
    ]
    same = _computes_the_same(*configs)
    for own, asked in (configs, configs[::-1]):
        if same:
            require_same_network(_agent(own), asked)
        else:
            with pytest.raises(InvalidInput, match="another network than asked for") as refusal:
                require_same_network(_agent(own), asked)
            flag = name.replace("_", "-")
            assert f"--network.{flag}" in str(refusal.value) or f"--network.no-{flag}" in str(
                refusal.value
            )


def test_every_setting_of_a_network_is_looked_at():
    assert {change[0] for change in CHANGES} == {
        field.name for field in dataclasses.fields(NetworkConfig)
    }


@pytest.mark.parametrize(
    ("own", "own_episodes", "asked", "episodes", "said"),
    [
        (None, 2, None, 3, None),  # the whole of longer trials
        (4, 2, None, 3, None),  # as much as the whole of its own
        (3, 2, 3, 9, None),  # what it had
        (3, 2, None, 1, None),  # more than the whole of the new ones, of two steps
        (3, 2, None, 2, "that looks back 3 steps, not .*: --network.context 3"),
        (None, 2, 3, 2, "heads, not .* that looks back 3 steps.*: --network.context None"),
    ],
)
def test_a_transformer_may_look_back_as_far_as_it_did(own, own_episodes, asked, episodes, said):
    def settings(context, episodes):
        world = dataclasses.replace(MDP, episodes=episodes)
        network = NetworkConfig("transformer", hidden=8, context=context)
        return TrainConfig(world=world, network=network, init_from="earlier")

    agent, config = _agent(settings(own, own_episodes)), settings(asked, episodes)
    if said is None:
        return require_same_network(agent, config)
    with pytest.raises(InvalidInput, match=f"Agent 'earlier' has another network.* {said}"):
        require_same_network(agent, config)


def test_who_has_no_context_is_not_told_to_give_one():
    own = NetworkConfig("gru-delta-rule", hidden=8, context=1)
    agent = _agent(TrainConfig(world=MDP, network=own))
    with pytest.raises(InvalidInput, match="Give the same --network settings: ") as refused:
        require_same_network(agent, TrainConfig(world=MDP, init_from="earlier"))
    assert "--network.core gru-delta-rule --network.hidden 8" in str(refused.value)
    assert "context" not in str(refused.value)


def _agent(config: TrainConfig) -> TrainedAgent:
    return TrainedAgent({}, config)  # of which the settings alone are looked at


def _computes_the_same(first: TrainConfig, second: TrainConfig) -> bool:
    """Tells whether acting weights of one network fit another, with which they compute the same in a trial."""
    trial = make_trial(first.world)
    policies = [make_policy(trial.environment, c.network, acting=True) for c in (first, second)]
    shapes = [jax.eval_shape(policy.init, jax.random.key(0)) for policy in policies]
    if shapes[0] != shapes[1]:
        return False
    draw = np.random.default_rng(0).normal
    seen = make_encoder(trial.environment, first.network).example()
    inputs = Inputs(
        jax.tree.map(lambda x: draw(size=(1, trial.length, *x.shape)).astype(np.float32), seen),
        jnp.zeros((1, trial.length, 0)),
    )
    params = jax.tree.map(lambda x: draw(size=x.shape).astype(np.float32), shapes[0])
    given = [jax.tree.leaves(jax.jit(policy.apply)(params, inputs)[0]) for policy in policies]
    return all(np.allclose(a, b, rtol=1e-4, atol=1e-4) for a, b in zip(*given, strict=True))
