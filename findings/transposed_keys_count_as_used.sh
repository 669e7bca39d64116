#!/usr/bin/env bash
# JAX's check of key reuse takes turning an array of typed keys round for a use, so a scan over split keys is refused under vmap.
#
# Guess, before looking: the check knows splits, scans and vmap, so `vmap` of a function that splits its key and scans over the
# parts, which uses each part once, has nothing to fear; and what only moves keys about (transpose, reshape, flip, roll,
# slice) is no use of them.
# Seen (jax and jaxlib 0.10.2, Python 3.11, CPU): with `jax_debug_key_reuse` on, keys of shape (2, 3) that are drawn from once
# each raise KeyReuseError if they were transposed (`.T`, `moveaxis`) or flipped before, under jit and without; reshaped, rolled,
# sliced or gathered they do not. A scan or `lax.map` over split keys runs by itself and raises under `vmap` ("Previously-consumed
# key passed to scan"): batching moves the axis of the tasks behind that of the steps, which is a transposition. With
# `in_axes=1` nothing is moved, and it runs. The numbers are right in every case, with the check off the same.
# Who meets it: whoever checks keys in the tests of code that is written for one and vmapped, as JAX code should be.
# `fold_in` of the step's number in place of split keys, or splitting with the axis of the tasks last, goes round it.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "jax==0.10.2" "jaxlib==0.10.2"
JAX_PLATFORMS=cpu "$place/venv/bin/python" - <<'PY'
import itertools

import jax
import jax.numpy as jnp
from jax.errors import KeyReuseError

seeds = itertools.count()


def fresh(shape):
    """Returns keys that nobody has met."""
    return jax.random.split(jax.random.key(next(seeds)), shape)


def outcome(run, keys):
    try:
        run(keys)
    except KeyReuseError:
        return "refused"
    return "runs"


def draw_once(change):
    def run(keys):
        keys, draw = change(keys), jax.random.normal
        for _ in keys.shape:
            draw = jax.vmap(draw)
        return draw(keys)

    return run


changes = {
    "as they are": lambda keys: keys,
    "transposed": lambda keys: keys.T,
    "moveaxis": lambda keys: jnp.moveaxis(keys, 0, 1),
    "flipped": lambda keys: jnp.flip(keys, 0),
    "reshaped": lambda keys: keys.reshape(6),
    "rolled": lambda keys: jnp.roll(keys, 1, 0),
    "sliced": lambda keys: keys[:1],
    "gathered": lambda keys: keys[jnp.array([1, 0])],
}


def walk(keys):
    return jax.lax.scan(lambda sum, key: (sum + jax.random.normal(key), None), 0.0, keys)[0]


with jax.debug_key_reuse(True):
    seen = {
        name: {outcome(draw_once(change), fresh((2, 3))), outcome(jax.jit(draw_once(change)), fresh((2, 3)))}
        for name, change in changes.items()
    }
    seen["scan"] = {outcome(walk, fresh(3))}
    seen["scan under vmap"] = {outcome(jax.vmap(walk), fresh((2, 3)))}
    seen["map under vmap"] = {outcome(jax.vmap(lambda keys: jax.lax.map(jax.random.normal, keys)), fresh((2, 3)))}
    seen["scan under vmap, in_axes=1"] = {outcome(jax.vmap(walk, in_axes=1), fresh((3, 2)))}
keys = fresh((2, 3))
same = bool(jnp.allclose(jax.vmap(walk)(keys), jnp.stack([walk(keys[0]), walk(keys[1])])))
refused = {name for name, found in seen.items() if found == {"refused"}}
print("jax", jax.__version__, "refused:", sorted(refused), "same numbers without the check:", same)
expected = {"transposed", "moveaxis", "flipped", "scan under vmap", "map under vmap"}
one_outcome_each = all(len(found) == 1 for found in seen.values())
raise SystemExit(0 if refused == expected and same and one_outcome_each else "this has changed")
PY
