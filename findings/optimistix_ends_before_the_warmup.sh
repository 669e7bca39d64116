#!/usr/bin/env bash
# optimistix 0.1.0: `OptaxMinimiser` with a warm-up, or with `MultiSteps`, returns where it began and calls it successful.
#
# Guess, before looking: `optimistix.minimise(f, OptaxMinimiser(optimizer, rtol, atol), y0)` takes any optimizer of optax, and walks until it is at a
# minimum to within the tolerances, or says that it used up its steps.
# Seen (optimistix 0.1.0, optax 0.2.8, jax and jaxlib 0.10.2, Python 3.11): on (y - 3)^2 from 10 with tolerances of 1e-4 `adam(0.1)` ends at 2.999.
# With a rate that rises from 0 to 0.1 in 100 steps it ends at 9.999 after two, of 10,000, with the result "successful"; with
# `MultiSteps(adam(0.1), 4)` at 10.0 after two. `atol=1e-12, rtol=1e-12` does not save `MultiSteps`.
# Why: it ends when a step is small, in y and in f. The first of a warm-up is 0 long, and so is each but the last of a window of mini-steps.
# The page names the tolerances, and not that they are of a step and not of the gradient or of the distance that is left.
# Who meets it: whoever brings a training's optimizer along, whose schedule begins at 0. Begin it above, at what a step may be at the end.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install \
  "optimistix==0.1.0" "equinox==0.13.8" "lineax==0.1.1" "optax==0.2.8" "jax==0.10.2" "jaxlib==0.10.2"
JAX_PLATFORMS=cpu "$place/venv/bin/python" -W ignore - <<'PY'
import importlib.metadata

import jax.numpy as jnp
import optax
import optimistix


def found(optimizer, tolerance=1e-4):
    """Where the solver ended, after how many steps, and whether it calls that a success."""
    solver = optimistix.OptaxMinimiser(optimizer, rtol=tolerance, atol=tolerance)
    solution = optimistix.minimise(lambda y, _: (y - 3) ** 2, solver, jnp.float32(10), max_steps=10_000, throw=False)
    successful = bool(solution.result == optimistix.RESULTS.successful)
    return round(float(solution.value), 3), int(solution.stats["num_steps"]), successful


def warmed_up(first):
    return optax.adam(optax.warmup_constant_schedule(first, 0.1, 100))


windows = optax.MultiSteps(optax.adam(0.1), 4).gradient_transformation()
seen = {
    "adam": found(optax.adam(0.1)),
    "warm-up from 0": found(warmed_up(0.0)),
    "warm-up from 0.01": found(warmed_up(0.01)),
    "MultiSteps": found(windows),
    "MultiSteps, 1e-12": found(windows, 1e-12),
}
print("optimistix", importlib.metadata.version("optimistix"), "| (y, steps, successful):", seen)


def near(name):
    value, _, successful = seen[name]
    return abs(value - 3) < 0.01 and successful


right = (
    near("adam")
    and near("warm-up from 0.01")
    and seen["warm-up from 0"] == (9.999, 2, True)
    and seen["MultiSteps"] == seen["MultiSteps, 1e-12"] == (10.0, 2, True)
)
raise SystemExit(0 if right else "this has changed")
PY
