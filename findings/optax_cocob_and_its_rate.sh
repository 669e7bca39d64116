#!/usr/bin/env bash
# optax 0.2.8: `learning_rate` of `optax.contrib.cocob` changes nothing: 0.01, 1 and 100 are one and the same run.
#
# Guess, before looking: COCOB chooses its own steps, and `learning_rate`, which is "optional" and there "to e.g. inject some scheduler", multiplies
# them, as in `optax.contrib.dog` and `dowg`, which choose theirs too.
# Seen (optax 0.2.8, jax and jaxlib 0.10.2, Python 3.11; forty random gradients): with rates of 0.01 and 100 the updates of `cocob` along one path are
# those with 1, to 1e-4 of the largest; those of `dog` and `dowg` are a hundredth and a hundred times as large. What does change the steps of
# `cocob` is `alpha`: the first is 1 / alpha long.
# Why: the rate multiplies the gradients before the coin betting, whose bets do not mind their scale; that is what the method is for. So a constant
# cancels, and a schedule weighs gradients of some steps against those of others. No issue of optax was found that says so.
# Who meets it: whoever tunes optimizers over one grid of rates, and finds COCOB robust.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install \
  "optax==0.2.8" "jax==0.10.2" "jaxlib==0.10.2" "numpy==2.4.6"
JAX_PLATFORMS=cpu "$place/venv/bin/python" - <<'PY'
import jax
import jax.numpy as jnp
import numpy as np
import optax

luck = np.random.default_rng(0)
START = jnp.asarray(luck.normal(size=20), jnp.float32)
GRADIENTS = jnp.asarray(luck.normal(size=(40, 20)), jnp.float32)


def path(optimizer):
    """Where the parameters are before each step [40, 20]."""

    def step(carry, gradient):
        params, state = carry
        change, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, change), state), params

    return jax.lax.scan(step, (START, optimizer.init(START)), GRADIENTS)[1]


def updates(optimizer, params):
    """The updates [40, 20] of an optimizer that is led along a path."""

    def step(state, seen):
        params, gradient = seen
        change, state = optimizer.update(gradient, state, params)
        return state, change

    return np.asarray(jax.lax.scan(step, optimizer.init(START), (params, GRADIENTS))[1])


def ratio(found, reference):
    """By which factor updates differ from others, and whether by nothing else."""
    factor = float(np.sum(found * reference) / np.sum(reference**2))
    return round(factor, 4), float(np.abs(found - factor * reference).max() / np.abs(factor * reference).max()) < 1e-4


cocob, seen = optax.contrib.cocob, {}
for name, rule in {"cocob": cocob, "dog": optax.contrib.dog, "dowg": optax.contrib.dowg}.items():
    params = path(rule(1.0))
    reference = updates(rule(1.0), params)
    seen[name] = {rate: ratio(updates(rule(rate), params), reference) for rate in (0.01, 100.0)}
params = path(cocob())
first = {alpha: round(float(np.abs(updates(cocob(alpha=alpha), params)[0]).max()), 4) for alpha in (10, 100)}
print("optax", optax.__version__, "| (factor, and nothing else), by rate:", seen, "| first step of cocob by alpha:", first)
scaled = {0.01: (0.01, True), 100.0: (100.0, True)}
expected = {"cocob": {0.01: (1.0, True), 100.0: (1.0, True)}, "dog": scaled, "dowg": scaled}
raise SystemExit(0 if seen == expected and first == {10: 0.1, 100: 0.01} else "this has changed")
PY
