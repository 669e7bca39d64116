"""specification: what a verdict depends on, in full and as plain JSON; and from it the identity of a result.

A verdict of a judge on a rule is a function of the judge's recipe (problem, grammar, trial, held-out split, seeds,
executor), of the width of the program, of the precision and the threads of its arithmetic, of the rule's tokens and of
the learning rates to sweep. Random keys inside the program come from the replicate's seed and the step alone; worker,
device, lane, time and order are in none of it. So a result can be known by the hash of what it depends on: computed
twice it is the same, and whoever computes it may write it down for all.

Letters: W candidates a call, L tokens, R learning rates, S replicates.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import asdict
from typing import Any

import jax
import numpy as np

from metarl.update_rules import LANGUAGE, Grammar, Space

from ..judging.candidates import Judgement, Trial
from ..training.schedules import CONSTANT

_SPREADS = ("random_horizon", "random_scale", "random_batch", "random_width")


def specification(judgement: Judgement, width: int) -> dict[str, Any]:
    """Returns all that verdicts of a judgement depend on beside the rule and its learning rates, as JSON can hold it.

    A problem stands there by its name, its sizes and its loss before training, so that one of the user's that was
    changed under its name is seen to be another wherever that loss or a size has changed.

    Args:
      judgement: of one judge.
      width: W.
    """
    recipe, layout = judgement.recipe, judgement.layout
    return {
        "problem": recipe.problem.name,
        "sizes": {"train": layout.train, "held_out": layout.held, "batch": layout.batch},
        "loss_before_training": plain_number(judgement.baseline),
        "language": LANGUAGE["version"],
        "grammar": _grammar(recipe.grammar),
        "trial": _trial(recipe.trial),
        "held_out": recipe.held_out,
        "seeds": list(recipe.seeds),
        "executor": recipe.executor,
        "width": width,
        "device": jax.devices()[0].device_kind,
        "matmul_precision": jax.config.jax_default_matmul_precision,  # type: ignore[attr-defined]
        "threads": xla_threads(),
    }


def digest(document: Any) -> str:
    """Returns the SHA-256 of a JSON document, whatever the order of its names."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def identity(specified: str, tokens: np.ndarray, rates: np.ndarray) -> str:
    """Returns the name of a result: the SHA-256 of all that it depends on.

    Args:
      specified: digest of the judge's specification, which holds the seeds.
      tokens: of the rule, [L].
      rates: learning rates to sweep, [R] float32.
    """
    grid = np.asarray(rates, np.float32).tolist()
    return digest({"specification": specified, "tokens": tokens.tolist(), "rates": grid})


def plain_number(value: float) -> float | str:
    """Returns a number as strict JSON can hold it: "inf", "-inf" and "nan" are texts; `float` is the inverse."""
    return value if math.isfinite(value) else repr(float(value))


def xla_threads() -> int:
    """Returns how many threads XLA shares among the CPU devices of this process: large sums depend on it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(int(os.environ.get("NPROC") or cores or 1), len(jax.devices("cpu")))


def _trial(trial: Trial) -> dict[str, Any]:
    """Returns how rules are run; what was so before there was a choice is not named: results stay known."""
    unnamed = {"schedule": CONSTANT, **dict.fromkeys(_SPREADS, 1.0)}
    return {
        name: value
        for name, value in asdict(trial).items()
        if name not in unnamed or value != unnamed[name]
    }


def _grammar(grammar: Grammar) -> dict[str, Any]:
    space = grammar.space
    assert isinstance(space, Space)
    return {
        "operands": list(space.operands),
        "unary": list(space.unary),
        "binary": list(space.binary),
        "depth": grammar.depth,
        # not named where it is not so, as before there was a choice: results stay known
        **({"normalised": True} if grammar.normalised else {}),
    }
