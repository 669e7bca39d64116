#!/usr/bin/env bash
# optax 0.2.8: `optax.adan` is nearly Adam: it weighs the difference of gradients by 0.08 where Adan weighs it by 0.92.
#
# Guess, before looking: `optax.adan` is Adan as its paper (Xie et al. 2022) and its authors' code have it, with b's that are one less the
# paper's betas, as the default b1 = 0.98, b2 = 0.92, b3 = 0.99 for 0.02, 0.08, 0.01 shows; bias correction aside.
# Seen (optax 0.2.8, jax and jaxlib 0.10.2, Python 3.11; random gradients): the first update is Adan's; those after it differ by 46 to 75 % from
# Adan's and by 6 to 8 % from those of Adam with b1 = 0.98 and b2 = 0.99. They agree to 1e-6 with Adan's equations in which the weight of
# the difference is 1 - b2 where it should be b2, in the numerator and in the denominator. No other b2 mends it, for b2 is also
# the decay of the average of the differences.
# The documentation has the paper's equation, with 1 - beta2 and in the paper's betas, over arguments that are called decay rates; the authors' code
# has beta2 of that kind there. Pull request 1715 of optax, open since June 2026, says so.
# Who meets it: whoever compares optimizers and takes Adan from optax.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install \
  "optax==0.2.8" "jax==0.10.2" "jaxlib==0.10.2" "numpy==2.4.6"
JAX_PLATFORMS=cpu "$place/venv/bin/python" - <<'PY'
import jax.numpy as jnp
import numpy as np
import optax

RATE, B1, B2, B3, EPS = 0.01, 0.98, 0.92, 0.99, 1e-8
gradients = np.random.default_rng(0).normal(size=(8, 50))


def written_down(weight):
    """Adan's updates [8, 50], with b = 1 - beta and bias correction, for a weight of the differences."""
    average = differences = squares = np.zeros(50)
    before, found = gradients[0], []
    for step, gradient in enumerate(gradients, start=1):
        change, before = gradient - before, gradient
        average = B1 * average + (1 - B1) * gradient
        differences = B2 * differences + (1 - B2) * change
        squares = B3 * squares + (1 - B3) * (gradient + weight * change) ** 2
        ahead = average / (1 - B1**step) + weight * differences / (1 - B2**step)
        found.append(-RATE * ahead / (np.sqrt(squares / (1 - B3**step)) + EPS))
    return np.array(found)


def of_optax():
    optimizer, found = optax.adan(RATE, b1=B1, b2=B2, b3=B3, eps=EPS), []
    params = jnp.zeros(50)
    state = optimizer.init(params)
    for gradient in gradients:
        change, state = optimizer.update(jnp.asarray(gradient, jnp.float32), state, params)
        found.append(np.asarray(change))
    return np.array(found)


def of_adam():
    average = squares = np.zeros(50)
    found = []
    for step, gradient in enumerate(gradients, start=1):
        average = B1 * average + (1 - B1) * gradient
        squares = B3 * squares + (1 - B3) * gradient**2
        scale = np.sqrt(squares / (1 - B3**step)) + EPS
        found.append(-RATE * average / (1 - B1**step) / scale)
    return np.array(found)


def apart(found, reference):
    """How far apart updates are, relative to their length, step by step."""
    return np.linalg.norm(found - reference, axis=1) / np.linalg.norm(reference, axis=1)


theirs = of_optax()
from_adan, from_adam = apart(theirs, written_down(B2)), apart(theirs, of_adam())
from_other = apart(theirs, written_down(1 - B2))
print("optax", optax.__version__, "| from Adan:", from_adan.round(2), "| from Adam:", from_adam.round(2))
print("from Adan with 1 - b2 for b2 as the weight:", from_other.max())
right = (
    from_adan[0] < 1e-5
    and from_adan[1:].min() > 0.4
    and from_adam.max() < 0.1
    and from_other.max() < 1e-5
)
raise SystemExit(0 if right else "this has changed")
PY
