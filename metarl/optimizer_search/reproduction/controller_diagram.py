"""controller diagram: the controller unrolled, with the probabilities of a real one at every choice.

A controller that has learnt nothing and one that a search has trained write the same rule, the one that the trained
one finds likeliest among those it samples; what differs are the probabilities.

Letters: L tokens of a rule, W width, the largest vocabulary.

Reference: Bello et al. (2017), figure 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metarl.controller import (
    TokenPolicy,
    sample_tokens,
    token_inputs,
)
from metarl.reporting import Column, Table, WritingRow, WritingStep, number_text, sequence_chart
from metarl.update_rules import Grammar, Rule, Space

from ..reports.chart import Chart
from ..searching.programs import grammar_of
from ..searching.search_job import SearchJob
from ..settings.config import SearchConfig
from ..writing.writer import writer
from .searches import run_search
from .work import Findings, Work

_SLOTS = ("operand 1", "operand 2", "unary 1", "unary 2", "binary")
_SAMPLES = 512


@dataclass(frozen=True)
class Settings:
    """The search that trains the controller."""

    search: SearchConfig = field(default_factory=lambda: SearchConfig(strategy="ppo"))


def draw_controller(work: Work) -> Findings:
    """Trains a controller, and draws it and an untrained one as they write one rule."""
    config: SearchConfig = work.settings.search
    part = work.arrays("probabilities", lambda: _measured(work, config))
    grammar = grammar_of(config)
    tokens = part["tokens"]
    rule = grammar.to_rule(tokens).canonical()
    charts, rows = [], []
    for name, told in (("untrained", "before any search"), ("trained", _trained(config))):
        drawing = sequence_chart(
            writing_rows(grammar, tokens, part[name]),
            "LSTM",
            f"The controller writes {rule}, {told}.",
        )
        charts.append(Chart(f"controller-{name}", drawing, _caption(rule, told)))
        chosen = part[name][np.arange(len(tokens)), tokens]
        rows.append(_row(f"controller {told}", part[name], chosen))
    before, after = (row["probability"] for row in rows)
    claim = (
        f"The rule {rule} has probability {before:.2g} before any search and {after:.2g} {_trained(config)}, "
        f"{number_text(after / before)} times as much."
    )
    return Findings(
        claims=[claim],
        tables={"probabilities": _table(rows, rule)},
        charts=charts,
        numbers={"rule": str(rule), "tokens": tokens.tolist(), "probabilities": [before, after]},
    )


def _measured(work: Work, config: SearchConfig) -> Mapping[str, Any]:
    """Returns the tokens [L] of one rule, and the probabilities [L, W] of both controllers along it."""
    job, state = run_search(work, "search", config)
    policy = writer(job.grammar, config.controller, "shared").policy  # that of `ppo`
    untrained = job.init().strategy.learner.params
    tokens = _likeliest(job, policy, state.strategy.learner.params, work.seed)
    return {
        "tokens": tokens,
        "untrained": probabilities_along(policy, untrained, job.grammar, tokens),
        "trained": probabilities_along(policy, state.strategy.learner.params, job.grammar, tokens),
    }


def _likeliest(job: SearchJob, policy: TokenPolicy, params: Any, seed: int) -> np.ndarray:
    """Returns the tokens of the sampled rule that the controller finds likeliest, [L]."""
    key = jax.random.key(seed)
    sample = sample_tokens(policy, params, key, _SAMPLES, job.grammar.next_mask)
    return np.asarray(sample.tokens[int(jnp.argmax(sample.log_probs.sum(axis=1)))])


def probabilities_along(
    policy: TokenPolicy, params: Any, grammar: Grammar, tokens: np.ndarray
) -> np.ndarray:
    """Returns the probability of every token at each step of writing a rule, 0 where it is not allowed, [L, W]."""
    masks = np.stack([grammar.mask(tokens, position) for position in range(grammar.length)])
    inputs = token_inputs(jnp.asarray(tokens)[None], jnp.asarray(masks)[None])
    logits, _ = policy.apply(params, inputs)
    return np.where(masks, np.asarray(jax.nn.softmax(logits, axis=-1))[0], 0.0)


def writing_rows(
    grammar: Grammar, tokens: np.ndarray, probabilities: np.ndarray
) -> list[WritingRow]:
    """Returns the steps of writing a rule, one row for each group."""
    labels = [_labels(grammar, position) for position in range(grammar.length)]
    steps, reads = [], "start"
    for position, token in enumerate(tokens.tolist()):
        allowed = grammar.mask(tokens, position)
        options = [
            (label, float(p))
            for label, p, ok in zip(
                labels[position], probabilities[position], allowed, strict=False
            )
            if ok
        ]
        chosen = labels[position][token]
        steps.append(WritingStep(_SLOTS[position % len(_SLOTS)], reads, options, chosen))
        reads = chosen
    return [
        WritingRow(f"group {group + 1}", steps[group * len(_SLOTS) : (group + 1) * len(_SLOTS)])
        for group in range(grammar.depth)
    ]


def _labels(grammar: Grammar, position: int) -> list[str]:
    """Returns the texts of the tokens of a slot, as the space has them."""
    assert isinstance(grammar.space, Space)
    group, slot = divmod(position, len(_SLOTS))
    if slot < 2:
        return [*grammar.space.operands, *(f"group {earlier + 1}" for earlier in range(group))]
    if slot < 4:
        return list(grammar.space.unary)
    return ["keep x" if name == "keep" else f"x {name} y" for name in grammar.space.binary]


def _row(controller: str, probabilities: np.ndarray, chosen: np.ndarray) -> dict[str, Any]:
    return {
        "controller": controller,
        "probability": float(np.prod(chosen.astype(float))),
        "entropy": float(np.mean(entropies(probabilities))),
        "uniform_entropy": float(np.mean(np.log((probabilities > 0).sum(axis=1)))),
    }


def entropies(probabilities: np.ndarray) -> np.ndarray:
    """Returns the entropy of each row in nats; [L, W] -> [L]."""
    logarithms = np.log(np.where(probabilities > 0, probabilities, 1.0))
    return -(probabilities * logarithms).sum(axis=1)


def _table(rows: Sequence[Mapping[str, Any]], rule: Rule) -> Table:
    columns = [
        Column("controller"),
        Column("probability", "probability of the rule"),
        Column("entropy", "entropy, nats a token"),
        Column("uniform_entropy", "of uniform choices, nats a token"),
    ]
    return Table(f"The rule {rule}", columns, rows)


def _trained(config: SearchConfig) -> str:
    return f"after {config.budget:,} rules" if config.budget else "after a search"


def _caption(rule: Rule, told: str) -> str:
    return (
        f"The controller {told}, as it writes the rule {rule}: five choices a group. Above each cell the likeliest of "
        "what it may choose, with their probabilities; in bold what it chose, which the next cell reads."
    )
