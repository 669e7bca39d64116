"""rules table: the rules of the ICML paper beside standard optimizers, on problems of ours; and what they come to.

Everybody is tuned alike and compared with tuned Adam. The paper's accuracies stand beside, with the mark that says how
far they can be trusted. Some of its rules hold exp(v), exp(g²) or exp(g³), which are about 1 where gradients are small:
how near is measured along a training, and what they do beside the average m is compared with m alone.

Letters: N steps, P parameters.

Reference: Bello et al. (2017), ICML, table of rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.flatten_util import ravel_pytree

from metarl import problems
from metarl.reading import Count, check_fields
from metarl.reporting import Column, Table
from metarl.update_rules import NAMED_RULES

from ..comparing.entrants import BASELINE, Entrant, entrant, rule_entrant
from .compared import (
    RATIO,
    VERDICTS,
    Protocol,
    compared,
    detail_table,
    losses_of,
    relative_chart,
    summary_row,
    verdict,
)
from .work import Findings, Work

_STANDARD = ("sgd", "momentum", "adam", "rmsprop")  # optax's own in the comparison
_PLAIN = "m"
_WITH_FACTORS = (_PLAIN, "m * exp(v)", "m * exp(g^2)", "m * exp(g^3)")
_VARIANCE_RATE = 0.999
_QUANTILES = {"median": 0.5, "most": 0.99, "nearly_all": 0.9999}


@dataclass(frozen=True)
class Settings:
    """How the rules are compared, and the training along which exp(v) is measured."""

    protocol: Protocol
    """Problems and seeds."""
    rules: tuple[str, ...] = ()
    """Names of rules of the table; all of them if not given."""
    factor_problem: str = "digits-mlp"
    """Where exp(v), exp(g^2), exp(g^3) are measured."""
    factor_steps: Count = 400
    """N."""

    def __post_init__(self) -> None:
        check_fields(self)


def compare_table(work: Work) -> Findings:
    """Compares the rules of the paper's table, and measures the factors that are about 1."""
    settings: Settings = work.settings
    names = settings.rules or table_names()
    entrants = [_entrant(name) for name in names]
    comparison = compared(work, entrants, settings.protocol)
    rows = [
        {**summary_row(comparison, one.label, BASELINE), **_paper_row(one.label)}
        for one in entrants
    ]
    rows.sort(key=lambda row: row["relative_loss"].estimate)
    factors = work.arrays("factors", lambda: _factors(settings, work.seed))
    plain = compared(work, [entrant(text) for text in _WITH_FACTORS], settings.protocol, "factors")
    with_factors = [summary_row(plain, text, _PLAIN) for text in _WITH_FACTORS if text != _PLAIN]
    labels = [one.label for one in entrants]
    return Findings(
        claims=[*_claims(rows, factors), *(verdict(row, _PLAIN) for row in with_factors)],
        tables={
            "rules": _table(rows, settings.protocol),
            "problems": detail_table(
                comparison, labels, BASELINE, "Rules of the paper, by problem"
            ),
            "factors": _factor_table(factors, settings),
            "with-factors": detail_table(
                plain, _WITH_FACTORS, _PLAIN, "The average m with and without such factors"
            ),
        },
        charts=[relative_chart("rules", losses_of(rows, BASELINE), "tuned Adam")],
        numbers={
            "rules": {row["optimizer"]: row for row in rows},
            "factors": {name: values.tolist() for name, values in factors.items()},
        },
    )


def table_names() -> tuple[str, ...]:
    """Returns the named rules for which the paper's table has an accuracy, in its order."""
    return tuple(name for name in NAMED_RULES if paper_accuracy(name) is not None)


def paper_accuracy(name: str) -> tuple[float, str] | None:
    """Returns the accuracy in the paper's table in per cent and its mark; None if it has none."""
    accuracy = NAMED_RULES[name].accuracy
    return None if accuracy is None else (accuracy, "?")


def _entrant(name: str) -> Entrant:
    return entrant(name) if name in _STANDARD else rule_entrant(name, NAMED_RULES[name].rule)


def _paper_row(name: str) -> dict[str, Any]:
    accuracy = paper_accuracy(name)
    standard = name in _STANDARD
    return {
        "rule": "optax's own" if standard else NAMED_RULES[name].text,
        "paper": None if accuracy is None else f"{accuracy[0]} [{accuracy[1]}]",
    }


def _table(rows: list[dict[str, Any]], protocol: Protocol) -> Table:
    columns = [
        Column("optimizer"),
        Column("rule"),
        Column("relative_loss", "loss, Adam = 1"),
        Column("better", "problems where better"),
        Column("worse", "where worse"),
        Column("unclear", "no clear difference", essential=False),
        Column("paper", "the paper's accuracy, per cent"),
    ]
    notes = [
        f"Problems: {', '.join(protocol.problems)}; {protocol.seeds} fresh seeds. {RATIO} {VERDICTS}",
        "The paper's: Wide ResNet, CIFAR-10, 300 epochs, final test accuracy; [?]: recalled with low confidence.",
    ]
    return Table("Rules of the paper's table", columns, rows, notes)


def _factors(settings: Settings, seed: int) -> Mapping[str, Any]:
    """Trains with the rule g and records g and v; returns quantiles of |factor - 1| by factor, and the largest.

    The learning rate is a tenth, plain gradient descent: what counts is the size of gradients.
    """
    gradients, variances = gradients_along(
        settings.factor_problem, settings.factor_steps, 0.1, seed
    )  # [N, P] each
    values = {"exp(v)": variances, "exp(g^2)": gradients**2, "exp(g^3)": gradients**3}
    levels = list(_QUANTILES.values())
    found = {}
    for name, exponents in values.items():
        away = np.abs(np.expm1(exponents.astype(np.float64)))
        found[name] = np.array([*np.quantile(away, levels), away.max()])
    return found


def gradients_along(name: str, steps: int, rate: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the gradients g and the debiased averages v of g² along plain gradient descent, [N, P]."""
    problem = problems.load(name)
    examples = jax.tree.map(jnp.asarray, problem.examples("train"))
    count = jax.tree.leaves(examples)[0].shape[0]
    init_key, run_key = jax.random.split(jax.random.key(seed))

    def step(carry: tuple, t: jax.Array) -> tuple[tuple, tuple]:
        params, model_state, average = carry
        batch_key, loss_key = jax.random.split(jax.random.fold_in(run_key, t))
        rows = jax.random.randint(batch_key, (problem.batch_size,), 0, count)
        batch = jax.tree.map(lambda x: x[rows], examples)
        grads, model_state = jax.grad(problem.loss, has_aux=True)(
            params, model_state, batch, loss_key
        )
        flat = ravel_pytree(grads)[0]  # [P]
        average = _VARIANCE_RATE * average + (1 - _VARIANCE_RATE) * flat**2
        params = optax.apply_updates(params, jax.tree.map(lambda g: -rate * g, grads))
        return (params, model_state, average), (flat, average / (1 - _VARIANCE_RATE ** (t + 1)))

    params, model_state = problem.init(init_key)
    start = (params, model_state, jnp.zeros_like(ravel_pytree(params)[0]))
    _, (gradients, averages) = jax.jit(lambda s: lax.scan(step, s, jnp.arange(steps)))(start)
    return np.asarray(gradients), np.asarray(averages)


def _factor_table(factors: Mapping[str, np.ndarray], settings: Settings) -> Table:
    columns = [
        Column("factor"),
        Column("median"),
        Column("most", "99 % of all lie within"),
        Column("nearly_all", "99.99 % within"),
        Column("largest"),
    ]
    rows = [
        {"factor": name, **dict(zip((*_QUANTILES, "largest"), map(float, values), strict=True))}
        for name, values in factors.items()
    ]
    note = (
        f"|factor - 1| over all parameters and {settings.factor_steps} steps of gradient descent on "
        f"{settings.factor_problem}, learning rate 0.1."
    )
    return Table("How far the paper's factors are from 1", columns, rows, [note])


def _claims(rows: list[dict[str, Any]], factors: Mapping[str, np.ndarray]) -> list[str]:
    clear = [row["optimizer"] for row in rows if row["relative_loss"].high < 1]
    worse = [row["optimizer"] for row in rows if row["relative_loss"].low > 1]
    sizes = ", ".join(f"{name} {values[1]:.1g}" for name, values in factors.items())
    return [
        f"Better than tuned Adam over all problems, the interval of the ratio of losses below 1: {_listed(clear)}.",
        f"Worse: {_listed(worse)}.",
        f"99 % of the factors are as near to 1 as: {sizes}.",
    ]


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"
