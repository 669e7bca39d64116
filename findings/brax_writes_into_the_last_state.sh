#!/usr/bin/env bash
# brax 0.14.2: a step writes its metrics into the state that it was given.
#
# Guess, before looking: `following = env.step(state, action)` leaves `state` as it was, as everything in JAX.
# Seen (brax 0.14.2, jax 0.10.2, Python 3.11): bodies such as `halfcheetah` call `state.metrics.update(...)`, and `metrics` is a
# dict, which `state.replace` hands on as it is. So the state before the step has the metrics of the step after it, and
# of any other step that was taken from it; its observation, reward and physics are untouched. Inside a jitted function
# the caller's dict is a copy, and nothing is seen.
# Who meets it: whoever keeps states and steps without jit, or more than once from one state within a jitted function (a
# tree search, a look ahead). A copy mends it: `state.replace(metrics=dict(state.metrics))`.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "brax==0.14.2" "jax<0.11"
JAX_PLATFORMS=cpu "$place/venv/bin/python" - <<'PYTHON'
import jax
import jax.numpy as jnp
from brax import envs

world = envs.get_environment("halfcheetah", backend="spring")
ones = jnp.ones(world.action_size)


@jax.jit
def two_from_one(key):
    state = world.reset(key)
    before = state.metrics["x_velocity"]
    forth = world.step(state, ones)
    after_one = state.metrics["x_velocity"]
    back = world.step(state, -ones)
    of_steps = forth.metrics["x_velocity"], back.metrics["x_velocity"]
    return before, after_one, state.metrics["x_velocity"], of_steps


before, after_one, after_two, (forth, back) = map(
    lambda x: tuple(map(float, x)) if isinstance(x, tuple) else float(x), two_from_one(jax.random.PRNGKey(0))
)
print(f"x_velocity of the first state: {before:.4f}; after a step from it {after_one:.4f}, after another {after_two:.4f}")
print(f"x_velocity that the two later states show: {forth:.4f} and {back:.4f}")
if before != 0 or after_one == before or after_two == after_one:
    raise SystemExit("this has changed: the first state keeps its metrics")
if forth != back:
    raise SystemExit("this has changed: the two later states have metrics of their own")
PYTHON
