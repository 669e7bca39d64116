"""cartpole policy: an optimizer judged inside reinforcement learning, by policy gradient on a cart with a pole.

Every step draws fresh episodes with the policy of the moment, each with a cart and a pole of its own: their
constants lie between a third and three times the usual ones. The loss is the share of the horizon H by which
episodes fall short,

  loss = 1 - mean return / (H + 1),

positive and below 1. Its gradient is the policy gradient of that number,

  -1 / (B (H + 1)) Σ_b Σ_t ∇ log π(a_bt | s_bt) (G_bt - baseline_bt),

with G the rewards from t on, and for a baseline the mean G at t of the other B - 1 episodes, an episode that
has ended counting 0; so the estimate has no bias. Optimizers are judged on episodes whose draws are fixed.

Letters: B episodes, H steps at most.

Reference: Williams (1992), Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement
Learning; Kool, van Hoof and Welling (2019), Buy 4 REINFORCE Samples, Get a Baseline for Free!
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from metarl import environments
from metarl.environments import Environment

from .catalogue import CARDS
from .networks import mlp
from .problem import Problem, Split

HORIZON = 200  # H
PHYSICS_RANGE = 2.0  # constants between 1 / (1 + r) times and 1 + r times the usual ones

_POLICY = mlp(4, 16, 1, activation=jnp.tanh)  # observation -> logit of pushing right
_EPISODES: dict[Split, int] = {"train": 256, "search": 32, "choice": 64, "test": 64}


class Episodes(NamedTuple):
    """What B episodes were like; of each its steps up to the last."""

    observations: jax.Array  # [B, H, 4]
    actions: jax.Array  # [B, H], 1 is right
    rewards: jax.Array  # [B, H], 0 after the end
    running: jax.Array  # [B, H], 1 up to the last step, then 0


def cartpole_policy() -> Problem:
    """Returns the training of a 4-16-1 tanh policy to keep a pole upright, 200 steps at most.

    Examples are seeds of what is drawn when a policy is judged; in training a batch of them says only how many
    episodes to draw.
    """
    world = environments.load("cartpole", horizon=HORIZON, physics_range=PHYSICS_RANGE)
    return Problem.from_card(
        CARDS["cartpole-policy"],
        init=_POLICY.init,
        loss=functools.partial(loss, world),
        evaluate=functools.partial(evaluate, world),
        examples=_seeds().__getitem__,
    )


def loss(
    world: Environment, params: Any, model_state: Any, batch: Any, key: jax.Array
) -> tuple[jax.Array, Any]:
    """Returns the loss of fresh episodes, with the policy gradient for its gradient; and the model state."""
    episodes = draw_episodes(world, params, jax.random.split(key, len(batch["seed"])))
    surrogate = policy_surrogate(params, episodes)
    # worth the loss, with the gradient of the surrogate
    return _shortfall(episodes) + surrogate - lax.stop_gradient(surrogate), model_state


def evaluate(world: Environment, params: Any, model_state: Any, batch: Any) -> dict[str, jax.Array]:
    """Returns loss and mean return of episodes whose draws the seeds fix."""
    del model_state
    episodes = draw_episodes(world, params, jax.vmap(jax.random.key)(batch["seed"]))
    returns = jnp.sum(episodes.rewards, axis=1)
    return {"loss": _shortfall(episodes), "mean return": jnp.mean(returns)}


def draw_episodes(world: Environment, params: Any, keys: jax.Array) -> Episodes:
    """Returns one episode a key, [B]; no gradient passes."""
    params = lax.stop_gradient(params)

    def episode(key: jax.Array) -> Episodes:
        task_key, reset_key, step_key, action_key = jax.random.split(key, 4)
        task = world.draw_task(task_key, "train")
        draws = jax.random.uniform(action_key, (HORIZON,))

        def step(carry: tuple, draw: jax.Array) -> tuple[tuple, tuple]:
            observation, state, running = carry
            right = draw < jax.nn.sigmoid(_logits(params, observation[None, :])[0])
            action = right.astype(jnp.int32)
            result = world.step(step_key, state, action, task)
            ended = result.terminated | result.truncated
            met = (observation, action, running * result.reward, running)
            return (result.observation, result.state, running * (1.0 - ended)), met

        start = (*world.reset(reset_key, task), jnp.float32(1))
        return Episodes(*lax.scan(step, start, draws)[1])

    return jax.vmap(episode)(keys)


def policy_surrogate(params: Any, episodes: Episodes) -> jax.Array:
    """Returns the number [] whose gradient is the policy gradient of the loss; its value means nothing."""
    count = len(episodes.rewards)
    logits = _logits(params, episodes.observations.reshape(-1, 4)).reshape(count, HORIZON)
    signs = 2.0 * episodes.actions - 1.0
    log_probabilities = jax.nn.log_sigmoid(signs * logits)  # [B, H]
    to_go = jnp.cumsum(episodes.rewards[:, ::-1], axis=1)[:, ::-1]  # G [B, H]
    others = jnp.sum(to_go, axis=0, keepdims=True) - to_go
    advantages = episodes.running * (to_go - others / max(count - 1, 1))
    return -jnp.sum(log_probabilities * advantages) / (count * (HORIZON + 1))


def _shortfall(episodes: Episodes) -> jax.Array:
    return 1 - jnp.mean(jnp.sum(episodes.rewards, axis=1)) / (HORIZON + 1)


def _logits(params: Any, observations: jax.Array) -> jax.Array:
    """Returns the logit of pushing right for each of observations [n, 4]."""
    return _POLICY.apply(params, (), observations, True)[0][:, 0]


def _seeds() -> dict[Split, dict[str, np.ndarray]]:
    """Returns the seeds of every split, all different."""
    ends = np.cumsum(list(_EPISODES.values()))
    return {
        split: {"seed": np.arange(end - count, end, dtype=np.uint32)}
        for (split, count), end in zip(_EPISODES.items(), ends, strict=True)
    }
