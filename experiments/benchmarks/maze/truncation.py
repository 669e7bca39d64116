"""What it costs to go back through a long trial, and what it saves to cut the gradient.

    python truncation.py [--steps 1000 --trials 16 --hidden 256 --repeats 5] > truncation.json

For each cut: seconds of the gradient of a GRU policy over all steps of the trials (medians of rounds in turn),
and the memory that its compiled program needs beside its arguments, as XLA says.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import jax
import jax.numpy as jnp

from metarl.controller import categorical_head, gru, recurrent_policy
from metarl.rl_squared.measuring.benchmark import median_seconds

FEATURES, ACTIONS = 320, 3
CUTS: tuple[int | None, ...] = (None, 200, 50, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, usual in (("steps", 1000), ("trials", 16), ("hidden", 256), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    given = parser.parse_args()
    shape = (given.trials, given.steps, FEATURES)
    features = jax.random.normal(jax.random.key(0), shape)
    programs: dict[str, Any] = {}
    memory: dict[str, int] = {}
    for cut in CUTS:
        policy = recurrent_policy(
            jax.ShapeDtypeStruct((FEATURES,), jnp.float32),
            lambda inputs: inputs,
            gru(given.hidden),
            categorical_head(ACTIONS),
            truncate=cut,
        )
        params = policy.init(jax.random.key(1))

        def loss(params: Any, features: jax.Array, policy: Any = policy) -> jax.Array:
            logits, values = policy.apply(params, features)
            return jnp.sum(jax.nn.logsumexp(logits, axis=-1)) + jnp.sum(values**2)

        compiled = jax.jit(jax.grad(loss)).lower(params, features).compile()
        name = "whole" if cut is None else str(cut)
        memory[name] = compiled.memory_analysis().temp_size_in_bytes // 2**20
        programs[name] = lambda compiled=compiled, params=params: compiled(params, features)
    medians = median_seconds(programs, given.repeats, lambda text: print(text, file=sys.stderr))
    whole = medians["whole"]
    ratios = {name: round(value / whole, 2) for name, value in medians.items()}
    document = {**vars(given), "time_over_whole": ratios, "memory_mb": memory}
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
