#!/usr/bin/env bash
# optax 0.2.8: `optax.rprop` takes each step when the next gradient is there; the first does not move.
#
# Guess, before looking: Rprop's update is a function of the gradient that is passed, of that before it and of the step sizes; the first is
# minus the rate times the gradient's sign.
# Seen (optax 0.2.8, jax and jaxlib 0.10.2, Python 3.11): gradients of signs + + + - + - with rate 0.1 give updates 0, -0.1, -0.12, 0, 0, 0. Written down
# from the paper (and as torch has it) they are -0.1, -0.12, -0.144, 0, -0.072, 0: the same numbers a step earlier, and a step after each
# change of sign. On x^2 from 1 with rate 0.01 it swings by 0.005 about the minimum in steps 41 to 60, the method by 0.0003.
# Why: the update of now is computed and stored, and the stored one of before is returned; where the sign changed that was set to 0,
# so the step after it is lost, and with signs that alternate nothing moves at all.
# Pull request 1725 of optax, open since July 2026, says so. The example in the documentation shows it: the first two values of the objective
# are the same.
# Who meets it: whoever trains in full batches, or holds another rule against Rprop by its number of steps.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "optax==0.2.8" "jax==0.10.2" "jaxlib==0.10.2"
JAX_PLATFORMS=cpu "$place/venv/bin/python" - <<'PY'
import jax.numpy as jnp
import optax


class FromThePaper:
    """Rprop without weight backtracking, for one number (Igel and Huesken 2003, the variant that torch has)."""

    def __init__(self, rate):
        self.size, self.before = rate, 0.0

    def update(self, gradient):
        agreement = gradient * self.before
        if agreement:
            self.size = min(max(self.size * (1.2 if agreement > 0 else 0.5), 1e-6), 50.0)
        self.before = 0.0 if agreement < 0 else gradient
        return -self.size * ((self.before > 0) - (self.before < 0))


class OfOptax:
    def __init__(self, rate):
        self.optimizer = optax.rprop(rate)
        self.state = self.optimizer.init(jnp.zeros(()))

    def update(self, gradient):
        change, self.state = self.optimizer.update(jnp.float32(gradient), self.state)
        return float(change)


def updates(method, gradients):
    return [round(method.update(gradient), 4) + 0.0 for gradient in gradients]  # no -0.0


def swing(method):
    """The largest |x| in steps 41 to 60 on x^2 from 1."""
    places = [1.0]
    for _ in range(60):
        places.append(places[-1] + method.update(2 * places[-1]))
    return round(max(map(abs, places[41:])), 4)


SIGNS = [1.0, 1.0, 1.0, -1.0, 1.0, -1.0]
theirs, meant = updates(OfOptax(0.1), SIGNS), updates(FromThePaper(0.1), SIGNS)
swings = swing(OfOptax(0.01)), swing(FromThePaper(0.01))
print("optax", optax.__version__, theirs, "| from the paper", meant, "| swing on x^2:", swings)
print(updates(OfOptax(0.1), [1.0, -1.0] * 4), updates(FromThePaper(0.1), [1.0, -1.0] * 4))
right = (
    theirs == [0, -0.1, -0.12, 0, 0, 0]
    and meant == [-0.1, -0.12, -0.144, 0, -0.072, 0]
    and swings[0] > 10 * swings[1]
    and not any(updates(OfOptax(0.1), [1.0, -1.0] * 4))
)
raise SystemExit(0 if right else "this has changed")
PY
