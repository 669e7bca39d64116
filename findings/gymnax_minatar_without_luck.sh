#!/usr/bin/env bash
# gymnax 1.0.1: a policy without luck of its own plays one and the same episode of SpaceInvaders-MinAtar under every key, and two of Breakout.
#
# Taken for granted until the numbers said otherwise: sixteen keys give sixteen episodes, as in MinAtar itself, where the last action is repeated with a
# probability of 0.1.
# Seen (gymnax 1.0.1, jax and jaxlib 0.10.2, Python 3.11 and 3.13): of 64 keys one episode in SpaceInvaders for each of five policies, two in Breakout; in
# Asterix and Freeway, where a step draws, dozens.
# Why: gymnax's MinAtar repeats no actions, SpaceInvaders draws nothing at all, and Breakout only from which side the ball comes. Who
# wants luck has to bring it: a policy that samples, or a wrapper that repeats actions.
# Who meets it: whoever takes the mean over greedy episodes for the worth of a policy. discogen 1.3.0 scores agents by 16 of them: in SpaceInvaders
# that is one episode, and its mean varies from one training to the next as a single episode does.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "gymnax==1.0.1" "six==1.17.0" "jax==0.10.2" "jaxlib==0.10.2"
JAX_PLATFORMS=cpu "$place/venv/bin/python" - <<'PY'
import importlib.metadata
import math

import gymnax
import jax
import jax.numpy as jnp
import numpy as np

KEYS, STEPS, POLICIES = 64, 300, 5


def episodes(name):
    """How many different episodes KEYS keys give, for each of POLICIES random linear policies, which take their best action."""
    environment, params = gymnax.make(f"{name}-MinAtar")
    size = math.prod(environment.observation_space(params).shape)

    def play(key, weights):
        reset_key, steps_key = jax.random.split(key)
        observation, state = environment.reset(reset_key, params)

        def step(carry, key):
            observation, state, alive = carry
            action = jnp.argmax(observation.reshape(-1).astype(jnp.float32) @ weights)
            observation, state, reward, done, *_ = environment.step(key, state, action, params)
            return (observation, state, alive * (1 - done)), jnp.stack([action * alive, reward * alive, alive])

        start = observation, state, jnp.float32(1)
        return jax.lax.scan(step, start, jax.random.split(steps_key, STEPS))[1].ravel()

    play_all = jax.jit(jax.vmap(play, (0, None)))
    counts = []
    for policy in range(POLICIES):
        weights = jax.random.normal(jax.random.key(100 + policy), (size, environment.num_actions))
        told = np.asarray(play_all(jax.random.split(jax.random.key(policy), KEYS), weights))
        counts.append(len(np.unique(told, axis=0)))
    return counts


counts = {name: episodes(name) for name in ("SpaceInvaders", "Breakout", "Asterix", "Freeway")}
print("gymnax", importlib.metadata.version("gymnax"), "different episodes of", KEYS, counts)
right = (
    counts["SpaceInvaders"] == [1] * POLICIES
    and counts["Breakout"] == [2] * POLICIES
    and min(*counts["Asterix"], *counts["Freeway"]) > KEYS / 2
)
raise SystemExit(0 if right else "this has changed")
PY
