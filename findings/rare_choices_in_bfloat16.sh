#!/usr/bin/env bash
# JAX: with logits in bfloat16, a uniform choice among 50,000 falls on the first few hundred.
#
# Guess, before looking: logits in bfloat16 are rounded, by at most some parts in a thousand, and the choice that is drawn from
# them has the chances of what was rounded, `softmax(logits)`, for the random numbers themselves cost nothing to draw in float32.
# Seen (jax and jaxlib 0.10.2, Python 3.11, CPU), `jax.random.categorical`: 1,000 draws with 50,000 equal logits lie below 1,000 each in bfloat16; in
# float16 below 10,000; in float32 anywhere. Of a million draws with chances 0.9, 0.09, 0.009, 0.0009 and 0.0001, the last but one comes
# up 52 times in bfloat16 and not 900, the last never. `jax.random.bernoulli` with p = 0.001 in bfloat16 is true 7.6 times too often. With
# `mode="high"` all of these are right within the rounding of the logits.
# Why: the noise is drawn in the type of the logits. A uniform bfloat16 has 128 values, so Gumbel noise ends at 4.84, many choices
# share the highest, and the first of them is taken.
# The documentation names a limit for float32 alone (chances below about 1e-7), and `mode`; a reader of it expects nothing at 1e-3.
# Who meets it: whoever samples tokens or discrete actions from a network in half precision. Cast logits to float32 first.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "jax==0.10.2" "jaxlib==0.10.2"
JAX_PLATFORMS=cpu "$place/venv/bin/python" - <<'PY'
import jax
import jax.numpy as jnp
import numpy as np

CHANCES = np.array([0.9, 0.09, 0.009, 0.0009, 0.0001])
MANY, DRAWS = 50_000, 1_000_000
key = jax.random.key(7)


def highest_of_equal(kind):
    """The largest of 1,000 choices among 50,000 equal ones."""
    one = jax.jit(lambda key: jax.random.categorical(key, jnp.zeros(MANY, kind)))
    return int(jnp.max(jax.lax.map(one, jax.random.split(key, 1_000))))


def counts(kind, mode=None):
    logits = jnp.log(jnp.array(CHANCES)).astype(kind)
    return np.bincount(jax.random.categorical(key, logits, shape=(DRAWS,), mode=mode), minlength=5)


def heads(kind, mode="low"):
    return int(jnp.sum(jax.random.bernoulli(key, jnp.asarray(0.001, kind), (DRAWS,), mode=mode)))


highest = {kind.__name__: highest_of_equal(kind) for kind in (jnp.float32, jnp.float16, jnp.bfloat16)}
low, full, high = counts(jnp.bfloat16), counts(jnp.float32), counts(jnp.bfloat16, "high")
tosses = heads(jnp.bfloat16), heads(jnp.float32), heads(jnp.bfloat16, "high")
print(
    f"jax {jax.__version__} | the largest of 1,000 choices among {MANY} equal ones: {highest}",
    f"| counts in bfloat16 {low}, float32 {full}, bfloat16 with mode high {high} | tosses with p = 0.001: {tosses}",
)
right = (
    highest["bfloat16"] < 1_000
    and highest["float16"] < 10_000
    and highest["float32"] > 49_000
    and low[3] < 200
    and low[4] == 0
    and min(full[3], high[3]) > 700
    and min(full[4], high[4]) > 50
    and tosses[0] > 7_000
    and max(tosses[1:]) < 1_200
)
raise SystemExit(0 if right else "this has changed")
PY
