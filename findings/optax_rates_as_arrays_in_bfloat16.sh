#!/usr/bin/env bash
# Four optimizers of optax 0.2.8 change the types of their state at the first step, in bfloat16 and with the rate as an array.
#
# Guess, before looking: how a learning rate is given (a number, a schedule, an array) does not matter to an optimizer's state,
# which has to keep its types to be carried through `lax.scan`; at most the updates come out in float32.
# Seen (optax 0.2.8, jax and jaxlib 0.10.2, Python 3.11, CPU), parameters in bfloat16, of 36 optimizers that take a rate: with
# a Python number or a schedule every state keeps its types. With `jnp.float32(1e-3)`, as from `jax.vmap` over rates, nearly all
# updates are float32, and the states of `optax.lars`, `optax.contrib.cocob`, `schedule_free_sgd` and `schedule_free_adamw` have
# float32 leaves after one update where `init` made bfloat16; so `lax.scan` over steps raises TypeError for these four.
# Why: a Python number is weakly typed and takes the parameters' type, an array does not; and these four keep in their state
# what the rate was multiplied into.
# Who meets it: whoever tunes a bfloat16 network by vmapping a scanned training over learning rates. Casting the state after
# each update to the types that `init` gave it mends it.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "optax==0.2.8" "jax==0.10.2" "jaxlib==0.10.2"
"$place/venv/bin/python" -W ignore - <<'PY'
import inspect

import jax
import jax.numpy as jnp
import optax

PARAMS = {"w": jnp.ones((4, 4), jnp.bfloat16), "b": jnp.ones(4, jnp.bfloat16)}
RATES = {
    "number": 1e-3,
    "schedule": optax.cosine_decay_schedule(1e-3, 100),
    "array": jnp.float32(1e-3),
}
NAMES = """
    adabelief adadelta adan adafactor adagrad adam adamax adamaxw adamw amsgrad fromage lamb lars lion nadam nadamw
    noisy_sgd novograd optimistic_adam_v2 rmsprop sgd sign_sgd signum yogi
    contrib.acprop contrib.ademamix contrib.adopt contrib.cocob contrib.dog contrib.dowg contrib.momo contrib.momo_adam
    contrib.muon contrib.schedule_free_adamw contrib.schedule_free_sgd contrib.simplified_ademamix
""".split()


def made(name, rate):
    place, _, own = name.rpartition(".")
    factory = getattr(optax.contrib if place else optax, own)
    assert "learning_rate" in inspect.signature(factory).parameters, name
    return optax.with_extra_args_support(factory(learning_rate=rate))


def types(tree):
    return [leaf.dtype for leaf in jax.tree.leaves(tree)]


def step(optimizer):
    return lambda state: optimizer.update(PARAMS, state, PARAMS, value=jnp.float32(1.0), grad=PARAMS)


def drifts(optimizer):
    state = jax.eval_shape(optimizer.init, PARAMS)
    return types(state) != types(jax.eval_shape(step(optimizer), state)[1])


def scanned(optimizer):
    try:
        jax.lax.scan(lambda state, _: (step(optimizer)(state)[1], None), optimizer.init(PARAMS), length=2)
    except TypeError:
        return "TypeError"
    return "runs"


seen = {
    kind: [name for name in NAMES if drifts(made(name, rate))] for kind, rate in RATES.items()
}
four = ["lars", "contrib.cocob", "contrib.schedule_free_adamw", "contrib.schedule_free_sgd"]
in_scans = {
    kind: {scanned(made(name, RATES[kind])) for name in four} for kind in ("number", "array")
}
print("optax", optax.__version__, "jax", jax.__version__, len(NAMES), "optimizers", seen, in_scans)
expected = {"number": [], "schedule": [], "array": four}
right = seen == expected and in_scans == {"number": {"runs"}, "array": {"TypeError"}}
raise SystemExit(0 if right else "this has changed")
PY
