#!/usr/bin/env bash
# evosax 0.3.2: where all candidates are equally good CMA-ES gives up its step size, to some millionths in fifty generations.
#
# Guess, before looking: on a plateau CMA-ES takes candidates of equal fitness in any order, as it does where fitness is noise, so the step size walks
# about at random; or grows, as in the many programs after Hansen's that test for equal values to "escape flat fitness".
# Seen (evosax 0.3.2, jax and jaxlib 0.10.2, Python 3.11; 10 dimensions, 16 candidates, twenty seeds): after fifty generations of equal fitness the
# step size is 7.8e-6 of what it was (geometric mean); where the fitness is noise it is 0.75. With a reward for a first coordinate above 3 alone,
# which a fresh candidate earns once in 740, none of 20 runs has met it after a hundred generations, and 14 have where a noise of 0.001 is
# added to the fitness. `Sep_CMA_ES` has 7.6e-6 and 0.8, none and 17.
# Why: candidates of equal fitness share the average of their ranks, and all get the weight of that one rank, which in the middle is next to 0,
# not the average of their weights. So the weights no longer sum to 1, the mean hardly moves, and a short move is read as a step size too long.
# No issue of evosax was found that says so.
# Who meets it: whoever evolves policies by a sparse reward, where the first generations all return 0. Break ties before `tell`.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install \
  "evosax==0.3.2" "flax==0.12.8" "optax==0.2.8" "jax==0.10.2" "jaxlib==0.10.2" "numpy==2.4.6"
JAX_PLATFORMS=cpu "$place/venv/bin/python" -W ignore - <<'PY'
import importlib.metadata

import jax
import jax.numpy as jnp
import numpy as np
from evosax.algorithms import CMA_ES, Sep_CMA_ES

CANDIDATES, DIMENSIONS, GENERATIONS, SEEDS = 16, 10, 100, 20


def searched(algorithm):
    """Tells of runs by the noise on the fitness: the step size after half the generations of no reward, and how many runs met a reward."""
    strategy = algorithm(population_size=CANDIDATES, solution=jnp.zeros(DIMENSIONS))
    params = strategy.default_params

    def run(key, reward, noise):
        def generation(state, key):
            ask_key, tell_key, noise_key = jax.random.split(key, 3)
            population, state = strategy.ask(ask_key, state, params)
            rewarded = population[:, 0] > 3
            fitness = noise * jax.random.normal(noise_key, (CANDIDATES,)) - reward * rewarded
            state, _ = strategy.tell(tell_key, population, fitness, state, params)
            return state, (state.std, jnp.any(rewarded))

        first, later = jax.random.split(key)
        state = strategy.init(first, jnp.zeros(DIMENSIONS), params)
        sizes, met = jax.lax.scan(generation, state, jax.random.split(later, GENERATIONS))[1]
        return sizes[GENERATIONS // 2 - 1], jnp.any(met)

    runs = jax.jit(lambda *settings: jax.lax.map(lambda key: run(key, *settings), jax.random.split(jax.random.key(0), SEEDS)))
    told = {}
    for name, noise in {"equal": 0.0, "noise": 1e-3}.items():
        size = np.exp(np.mean(np.log(runs(0.0, noise)[0])))
        told[name] = float(f"{size:.2g}"), int(np.sum(runs(1.0, noise)[1]))
    return told


seen = {algorithm.__name__: searched(algorithm) for algorithm in (CMA_ES, Sep_CMA_ES)}
print("evosax", importlib.metadata.version("evosax"), f"| (step size, of {SEEDS} runs so many met the reward):", seen)
right = all(
    found["equal"][0] < 1e-4 and found["noise"][0] > 0.1 and 2 * found["equal"][1] < found["noise"][1]
    for found in seen.values()
)
raise SystemExit(0 if right else "this has changed")
PY
