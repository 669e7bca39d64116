#!/usr/bin/env bash
# JAX: `split(key, n)[i]` is `fold_in(key, i)`, bit for bit, and the check of key reuse does not mind.
#
# Guess, before looking: `split` and `fold_in` are two ways from one key to others that have nothing to do with each other; so a key
# that was split for the layers may still be folded with the number of each step.
# Seen (jax and jaxlib 0.10.2, Python 3.11, CPU): for threefry and rbg keys the i-th of n split keys is the key folded with i, whatever n is
# above i, so the weights drawn from `split(key)[0]` and the noise drawn at step 0 from `fold_in(key, 0)` are the same numbers.
# `jax_debug_key_reuse` raises nothing, for it does not take `fold_in` for a use. Keys of unsafe_rbg differ. So do threefry's with
# `jax_threefry_partitionable` off, as it was in older versions.
# The pages of `split` and `fold_in` do not say so; pull request 13341 of jax made them equal, under that flag.
# Who meets it: whoever starts a network from split keys and takes a step's key from the same key by `fold_in`. Use one of the two on any
# key: split it once at the top, and fold only into keys that came from there.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "jax==0.10.2" "jaxlib==0.10.2"
JAX_PLATFORMS=cpu "$place/venv/bin/python" - <<'PY'
import jax
import numpy as np


def same(key, parts, number):
    """Tells whether the key split into so many parts has that of a number among them, in its place."""
    of_split = jax.random.split(key, parts)[number]
    folded = jax.random.fold_in(key, number)
    return bool(np.array_equal(jax.random.key_data(of_split), jax.random.key_data(folded)))


pairs = [(2, 0), (2, 1), (7, 3), (1_000, 999)]
found = {
    kind: {same(jax.random.key(seed, impl=kind), *pair) for pair in pairs for seed in range(5)}
    for kind in ("threefry2x32", "rbg", "unsafe_rbg")
}
with jax.threefry_partitionable(False):
    found["threefry2x32, not partitionable"] = {same(jax.random.key(0), *pair) for pair in pairs}
with jax.debug_key_reuse(True):
    key = jax.random.key(0)
    first, _ = jax.random.split(key)
    weights = jax.random.normal(first, (4,))
    noise = jax.random.normal(jax.random.fold_in(key, 0), (4,))
drawn_twice = bool(np.array_equal(weights, noise))
print("jax", jax.__version__, "equal:", found, "| weights", weights, "| noise of step 0", noise)
expected = {
    "threefry2x32": {True},
    "rbg": {True},
    "unsafe_rbg": {False},
    "threefry2x32, not partitionable": {False},
}
raise SystemExit(0 if found == expected and drawn_twice else "this has changed")
PY
