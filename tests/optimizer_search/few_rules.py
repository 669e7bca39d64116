"""Eight rules of a space that is quick to compile, at two learning rates, before two judges.

The space has draws, so that keys which knew of lane, chunk, device or worker would be seen.
"""

from __future__ import annotations

import numpy as np

from metarl.optimizer_search.judging.candidates import Judgement, Trial, make_judgement
from metarl.problems import Problem
from metarl.update_rules import Grammar, Space

SPACE = Space("few", ("g", "m", "noise", "adam"), ("x", "-x"), ("*", "+"), "quick to compile")
GRAMMAR = Grammar(SPACE, depth=1)
TRIAL = Trial(sweep_steps=2, full_steps=3, sweep_replicates=1, full_replicates=2, num_rates=2)
WIDTH = 3
RULES = 8  # two full chunks and one padded


def two_judges(problem: Problem) -> dict[str, Judgement]:
    """The same problem under two names, on other replicates."""
    return {
        name: make_judgement(problem, GRAMMAR, TRIAL, "search", seeds)
        for name, seeds in (("one", [1, 2, 3]), ("two", [4, 5, 6]))
    }


def tokens_and_rates() -> tuple[np.ndarray, np.ndarray]:
    """Tokens [K, L], and rates [K, R] that differ by rule."""
    tokens = GRAMMAR.sample(np.random.default_rng(0), RULES)
    return tokens, np.array([[0.01 * (i + 1), 0.1] for i in range(RULES)], np.float32)
