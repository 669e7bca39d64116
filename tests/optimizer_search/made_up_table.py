"""A table of rules that was made up in a moment: every function of a space, with losses out of a generator.

The space is `sign` at depth 1 without its filters' trouble: which rule a sequence of tokens is, is made up as well,
so no probe is run. A rule has a quality, a learning rate that suits it, and noise from run to run.
"""

from __future__ import annotations

import numpy as np

from metarl.optimizer_search.settings.config import FilterConfig
from metarl.optimizer_search.tables import Places, RuleTable, TableJudge
from metarl.update_rules import Grammar

GRAMMAR = Grammar("sign", 1)
RATES = (10.0 ** (np.arange(-11, 4) / 2.0)).astype(np.float32)
STEPS, CHECKPOINTS = 80, (10, 20, 40, 80)


def made_up_table(
    rules: int = 120,
    replicates: int = 8,
    spread: float = 0.3,
    noise: float = 0.2,
    slope: float = 0.3,
    judges: tuple[str, ...] = ("one", "two"),
    held_out: tuple[str, ...] = ("three",),
    diverging: float = 0.02,
    seed: int = 0,
) -> RuleTable:
    """Returns a table; log losses differ by `spread` between rules, `slope` a half-decade, `noise` a run."""
    generator = np.random.default_rng(seed)
    tokens, known = _functions(rules)
    quality = spread * generator.standard_normal(rules)
    made = [
        _judge(name, "search", quality, replicates, noise, slope, diverging, generator)
        for name in judges
    ]
    made += [
        _judge(name, "held-out", quality, replicates, noise, slope, diverging, generator)
        for name in held_out
    ]
    fingerprints = generator.integers(0, 256, (rules, 16), np.uint8)
    filters = FilterConfig()
    return RuleTable(
        "made-up", "sign", 1, None, filters, tokens, np.ones(rules, int), RATES, tuple(made),
        Places(GRAMMAR, filters, tokens, fingerprints, known),
    )  # fmt: skip


def _functions(rules: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns one sequence a rule, [K, L], and the rule of every sequence, -1 for four in five: they are filtered."""
    numbers = np.random.default_rng(1).permutation(GRAMMAR.size)
    known = np.full(GRAMMAR.size, -1)
    inside = numbers[: GRAMMAR.size // 5]
    known[inside] = np.arange(len(inside)) % rules
    tokens = np.stack(np.unravel_index(inside[:rules], GRAMMAR.slot_sizes), axis=1)
    return tokens.astype(np.int32), known


def _judge(name, role, quality, replicates, noise, slope, diverging, generator) -> TableJudge:
    rules = len(quality)
    best = generator.integers(3, 12, rules)  # the rate that suits
    off = slope * np.abs(np.arange(len(RATES))[None] - best[:, None])  # [K, R]
    level = (-quality[:, None] + off)[:, :, None]  # [K, R, 1]
    draw = generator.standard_normal
    run = level + noise * draw((rules, len(RATES), replicates))
    search = run[..., None] + np.array([1.0, 0.6, 0.3, 0.0])  # [K, R, S, C]
    losses = {
        "search": np.exp(search + 0.1 * noise * draw(search.shape)),
        "choice": np.exp(run + 0.3 * noise * draw(run.shape)),
        "test": np.exp(run + 0.3 * noise * draw(run.shape)),
    }
    gone = generator.random(run.shape) < diverging
    when = generator.integers(0, len(CHECKPOINTS), run.shape)
    late = np.arange(len(CHECKPOINTS)) >= when[..., None]
    losses["search"][gone[..., None] & late] = np.inf
    losses["choice"][gone] = losses["test"][gone] = np.inf
    runs = {split: np.exp(0.1 * draw((3, replicates))) for split in ("choice", "test")}
    runs["search"] = np.exp(0.1 * draw((3, replicates, len(CHECKPOINTS))))
    ends = {split: run[..., -1] if split == "search" else run for split, run in runs.items()}
    adam = {split: run[run.mean(axis=1).argmin()] for split, run in ends.items()}
    start = np.full(replicates, 3.0)  # what is above it half-way is given up
    return TableJudge(
        name, name, "made-up", role, STEPS, CHECKPOINTS, tuple(range(replicates)), adam,
        dict.fromkeys(losses, 1e-3), runs, start, 0.0, {},
        {split: loss.astype(np.float32) for split, loss in losses.items()},
    )  # fmt: skip
