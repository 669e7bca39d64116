#!/usr/bin/env bash
# JAX's check of key reuse refuses every search of mctx 0.0.71 that is given a typed key, though none is used twice.
#
# Guess, before looking: a library of the same house splits its keys properly, so `jax_debug_key_reuse` has nothing to say;
# and whatever it says of a typed key (`jax.random.key`) it says of the raw one (`jax.random.PRNGKey`) too.
# Seen (mctx 0.0.71, jax and jaxlib 0.10.2, Python 3.11, CPU): with the check on, `mctx.gumbel_muzero_policy` raises
# KeyReuseError ("In select_n, argument 2 is already consumed") for a typed key, under jit and without; with the same key as
# raw bits it runs, and gives what it gives for the typed key with the check off. Why: a simulation is a `while_loop` that
# carries a key and splits it in each round, which is right; it is vmapped, and there JAX keeps the rows that have ended by
# choosing between their key of before, which was split, and the new one. The check takes the choice for a second use.
# Who meets it: whoever has the check on in the tests of code that plans with mctx. `jax.random.key_data(key)` mends it, and
# blinds the check for the search.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "mctx==0.0.71" "jax==0.10.2" "jaxlib==0.10.2"
"$place/venv/bin/python" - <<'PY'
import jax
import jax.numpy as jnp
import mctx


def recurrent(params, key, action, state):
    del params, key
    nothing = jnp.zeros(2)
    output = mctx.RecurrentFnOutput(
        reward=jnp.cos(state + action), discount=nothing + 0.9, prior_logits=jnp.zeros((2, 3)), value=nothing
    )
    return output, state + action


def plan(key):
    root = mctx.RootFnOutput(prior_logits=jnp.zeros((2, 3)), value=jnp.zeros(2), embedding=jnp.arange(2.0))
    found = mctx.gumbel_muzero_policy(None, key, root, recurrent, num_simulations=8)
    return found.action, found.action_weights


def outcome(run, key):
    try:
        run(key)
    except Exception as error:
        return f"{type(error).__name__}{' in select_n' * ('select_n' in str(error))}"
    return "runs"


typed = jax.random.key(0)
unchecked = jax.jit(plan)(typed)
raw = jax.jit(plan)(jax.random.key_data(typed))
same = all(bool(jnp.array_equal(a, b)) for a, b in zip(unchecked, raw))
with jax.debug_key_reuse(True):
    seen = {
        "typed, jit": outcome(jax.jit(lambda key: plan(key)), jax.random.key(0)),
        "typed": outcome(plan, jax.random.key(0)),
        "raw, jit": outcome(jax.jit(lambda key: plan(key)), jax.random.key_data(jax.random.key(0))),
    }
print("mctx", mctx.__version__, "jax", jax.__version__, seen, "same numbers:", same)
expected = {"typed, jit": "KeyReuseError in select_n", "typed": "KeyReuseError in select_n", "raw, jit": "runs"}
raise SystemExit(0 if seen == expected and same else "this has changed")
PY
