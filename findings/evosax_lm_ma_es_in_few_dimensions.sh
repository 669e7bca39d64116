#!/usr/bin/env bash
# evosax 0.3.2: `LM_MA_ES` turns to NaN in its second generation when the population is more than twice the number of dimensions.
#
# Guess, before looking: a larger population makes a strategy slower a generation and surer, never wrong; CMA_ES and LM_MA_ES, a relative of it with a small
# memory, have no setting that one has to choose, and both go down a sphere of 10 dimensions, with 20 candidates or with 40.
# Seen (evosax 0.3.2, jax and jaxlib 0.10.2, Python 3.11, CPU): LM_MA_ES does with 20, CMA_ES with 40. With 21 every candidate of LM_MA_ES is
# NaN from the second generation on; with 64 in 4 dimensions likewise. Nothing is raised, and `best_fitness` stays at the best
# of the first generation, so a log of it shows a search that found nothing better.
# Why: the rate of the first direction that it remembers is population / dimensions, as in the paper (Loshchilov et al. 2017), which is about
# thousands of dimensions; the update has the root of rate * (2 - rate).
# Issue 55 of evosax (2023, closed) tells of NaN there too, in an older version. The docstring names no bound.
# Who meets it: whoever runs a list of strategies on few numbers (the coefficients of a learned optimizer, hyperparameters) with the population that
# an accelerator likes. Keep it below twice the dimensions, or take CMA_ES there.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "evosax==0.3.2" "jax==0.10.2" "jaxlib==0.10.2" "numpy==2.4.6"
JAX_PLATFORMS=cpu "$place/venv/bin/python" -W ignore - <<'PY'
import jax
import jax.numpy as jnp
from evosax.algorithms import CMA_ES, LM_MA_ES

GENERATIONS = 10


def search(kind, population_size, dimensions):
    """The best of the first generation and of all, and the first generation (from 1) with a candidate that is NaN, or None."""
    strategy = kind(population_size=population_size, solution=jnp.zeros(dimensions))
    params = strategy.default_params
    state = strategy.init(jax.random.key(0), jnp.ones(dimensions), params)
    firsts, unknown = None, None
    for generation in range(1, GENERATIONS + 1):
        ask_key, tell_key = jax.random.split(jax.random.fold_in(jax.random.key(1), generation))
        population, state = strategy.ask(ask_key, state, params)
        if unknown is None and bool(jnp.isnan(population).any()):
            unknown = generation
            assert bool(jnp.isnan(population).all())
        state, _ = strategy.tell(tell_key, population, jnp.sum(population**2, axis=-1), state, params)
        firsts = float(state.best_fitness) if firsts is None else firsts
    return firsts, float(state.best_fitness), unknown


found = {
    (kind.__name__, *size): search(kind, *size)
    for kind, *sizes in ((CMA_ES, (40, 10)), (LM_MA_ES, (20, 10), (21, 10), (64, 4)))
    for size in sizes
}
for (kind, population_size, dimensions), (first, best, unknown) in found.items():
    print(f"{kind}, {population_size} in {dimensions}: {first:.3g}, {GENERATIONS} generations later {best:.3g}; NaN from generation {unknown}")
lost = {name for name in found if name[0] == "LM_MA_ES" and name[1] > 2 * name[2]}
wrong = [
    name
    for name, (first, best, unknown) in found.items()
    if ((unknown, best) != (2, first) if name in lost else (unknown is not None or best >= first))
]
raise SystemExit(f"this has changed: {wrong}" if wrong else 0)
PY
