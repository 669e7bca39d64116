"""rosenbrock: the paths of update rules in Rosenbrock's valley, (1 - x)² + 100 (y - x²)².

Every rule tries the same learning rates from S starts around (-1.2, 1); the rate of the lowest mean value after N
steps is its own, so that it must not fail from any of them. It is drawn from (-1.2, 1) and measured from S' fresh
starts.

Letters: R learning rates, S starts, N steps.

Reference: Bello et al. (2017), figure 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from metarl import problems
from metarl.reading import Count, Positive, Real, check_fields
from metarl.reporting import (
    Column,
    Curve,
    Drawing,
    Table,
    Trajectory,
    View,
    curve_chart,
    landscape_chart,
    number_text,
)
from metarl.statistics import Interval, bootstrap_interval
from metarl.update_rules import Rule, to_optax

from ..reports.chart import Chart
from .titled_rules import titled_rules
from .work import Findings, Work

_TINY = 1e-12  # zero for all that single precision can tell
_START = (-1.2, 1.0)
_VIEWS = (
    View("the valley", (-1.9, 1.9), (-1.0, 3.0)),
    View("around the minimum", (0.6, 1.3), (0.3, 1.6)),
)


@dataclass(frozen=True)
class Settings:
    """How the rules are compared."""

    rules: tuple[str, ...]
    """Each "TITLE = RULE"."""
    steps: Count = 1000
    """N."""
    exponents: tuple[Real, ...] = tuple(i / 4 for i in range(-24, 5))
    """Learning rates that every rule tries, as powers of 10."""
    tuning_starts: Count = 60
    """S, of the choice of learning rates."""
    fresh_starts: Count = 60
    """S', of the table."""
    near: Positive = 0.01
    """The value that counts as arrived."""

    def __post_init__(self) -> None:
        check_fields(self)


def follow_rules(work: Work) -> Findings:
    """Finds each rule's learning rate, follows it from the classic start, and measures it from fresh ones."""
    settings = work.settings
    rules = titled_rules(settings.rules)
    found = {title: _followed(work, title, rule) for title, rule in rules.items()}
    rows = [_row(title, rules[title], part, settings) for title, part in found.items()]
    return Findings(
        claims=_claims(rows, settings),
        tables={"values": _table(rows, settings)},
        charts=[
            Chart("paths", _drawing(found), _caption(settings)),
            Chart("values", _value_chart(found), "The value along the same paths."),
        ],
        numbers={row["title"]: {k: v for k, v in row.items() if k != "title"} for row in rows},
    )


def _followed(work: Work, title: str, rule: Rule) -> dict[str, np.ndarray]:
    settings = work.settings
    rates = 10.0 ** np.array(settings.exponents)  # [R]
    place = "".join(letter if letter.isalnum() else "-" for letter in title.lower())

    def measure() -> Mapping[str, Any]:
        work.say(f"{title}: {len(rates)} learning rates from {settings.tuning_starts} starts")
        tuning, fresh = jax.random.split(jax.random.key(work.seed))
        starts = _starts(tuning, settings.tuning_starts)  # [S, 2]
        ends = _values(_paths(rule, rates, starts, settings.steps, last_only=True))[
            ..., -1
        ]  # [R, S]
        best = rates[np.argmin(ends.mean(axis=1))]
        classic = _paths(rule, np.array([best]), np.array([_START], np.float32), settings.steps)
        again = _paths(
            rule, np.array([best]), _starts(fresh, settings.fresh_starts), settings.steps
        )
        return {
            "rate": best,
            "tuning": ends.mean(axis=1),
            "path": classic[0, 0],
            "values": _values(again)[0],
        }

    return work.arrays(place, measure)


def _starts(key: jax.Array, count: int) -> np.ndarray:
    """Returns starts of the problem, [S, 2]."""
    init = problems.load("rosenbrock").init
    return np.stack([np.asarray(init(k)[0]["point"]) for k in jax.random.split(key, count)])


def _paths(
    rule: Rule, rates: np.ndarray, starts: np.ndarray, steps: int, last_only: bool = False
) -> np.ndarray:
    """Returns the points of every run, its start first, [R, S, N + 1, 2]; of the last alone, [R, S, 1, 2]."""
    problem = problems.load("rosenbrock")
    batch = jax.tree.map(jnp.asarray, problem.examples("train"))

    def one(rate: jax.Array, start: jax.Array, number: jax.Array) -> jax.Array:
        key = jax.random.key(number)
        transform = to_optax(rule, rate, total_steps=steps, seed=key)

        def step(carry: tuple, _: None) -> tuple[tuple, jax.Array]:
            point, state = carry
            gradient = jax.grad(lambda p: problem.loss({"point": p}, (), batch, key)[0])(point)
            update, state = transform.update(gradient, state, point)
            point = point + update
            return (point, state), point

        (end, _), points = lax.scan(step, (start, transform.init(start)), None, length=steps)
        return end[None] if last_only else jnp.concatenate([start[None], points])

    over_starts = jax.vmap(one, in_axes=(None, 0, 0))
    run = jax.jit(jax.vmap(over_starts, in_axes=(0, None, None)))
    return np.asarray(
        run(jnp.asarray(rates, jnp.float32), jnp.asarray(starts), jnp.arange(len(starts)))
    )


def _values(points: np.ndarray) -> np.ndarray:
    """Returns the function at points [..., 2], +inf where a run has diverged."""
    x, y = points[..., 0].astype(float), points[..., 1].astype(float)
    with np.errstate(over="ignore", invalid="ignore"):
        values = rosenbrock(x, y)
    return np.where(np.isfinite(values), values, np.inf)


def rosenbrock(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns (1 - x)² + 100 (y - x²)²."""
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def first_below(values: np.ndarray, near: float) -> np.ndarray:
    """Returns the first step at which each run is at or below a value, +inf if none; values [S, N + 1] -> [S]."""
    below = values <= near
    return np.where(below.any(axis=1), np.argmax(below, axis=1), np.inf)


def _row(
    title: str, rule: Rule, part: Mapping[str, np.ndarray], settings: Settings
) -> dict[str, Any]:
    steps = first_below(part["values"], settings.near)
    return {
        "title": title,
        "rule": str(rule),
        "learning_rate": float(part["rate"]),
        "final_value": bootstrap_interval(np.log10(np.maximum(part["values"][:, -1], _TINY))),
        "steps_to_near": bootstrap_interval(steps) if np.isfinite(steps).mean() > 0.5 else None,
        "arrived": float(np.isfinite(steps).mean()),
    }


def _claims(rows: list[dict[str, Any]], settings: Settings) -> list[str]:
    arrived = [row for row in rows if row["steps_to_near"] is not None]
    if not arrived:
        return [f"No rule comes down to {settings.near:g} within {settings.steps} steps."]
    first = min(arrived, key=lambda row: row["steps_to_near"].estimate)
    others = [row["title"] for row in rows if row not in arrived]
    claim = (
        f"From {settings.fresh_starts} fresh starts, {first['title']} comes down to {settings.near:g} first: after "
        f"{_steps_text(first['steps_to_near'])} steps, in {first['arrived']:.0%} of the runs."
    )
    missing = (
        f"Within {settings.steps} steps fewer than half of the runs of {', '.join(others)} do."
    )
    return [claim, missing] if others else [claim]


def _table(rows: list[dict[str, Any]], settings: Settings) -> Table:
    columns = [
        Column("title", "optimizer"),
        Column("rule", essential=False),
        Column("learning_rate", "learning rate"),
        Column("final_value", f"log10 of the value after {settings.steps} steps, IQM"),
        Column("steps_to_near", f"steps to {settings.near:g}, IQM"),
        Column("arrived", "share of runs that arrive"),
    ]
    rates = 10.0 ** np.array(settings.exponents)
    note = (
        f"Learning rate: of {len(rates)} from {rates[0]:.0e} to {rates[-1]:.0e}, that of the lowest "
        f"mean value from {settings.tuning_starts} starts; the table is over "
        f"{settings.fresh_starts} others. Intervals: 95 %, bootstrap. Steps are shown where more "
        "than half of the runs arrive."
    )
    return Table("Rosenbrock's valley", columns, rows, [note])


def _drawing(found: Mapping[str, Mapping[str, np.ndarray]]) -> Drawing:
    paths = [
        Trajectory(f"{title}, rate {number_text(part['rate'])}", part["path"])
        for title, part in found.items()
    ]
    levels = [0.02, 0.2, 1, 4, 15, 50, 150, 500, 1500]
    return landscape_chart(
        rosenbrock,
        levels,
        paths,
        _VIEWS,
        (1.0, 1.0),
        f"Paths of {', '.join(found)} from (-1.2, 1) in Rosenbrock's valley, and a zoom on its minimum.",
    )


def _value_chart(found: Mapping[str, Mapping[str, np.ndarray]]) -> Drawing:
    curves = []
    for title, part in found.items():
        values = np.maximum(_values(part["path"]), _TINY)  # [N + 1]
        curves.append(Curve(title, np.arange(len(values)), values))
    return curve_chart(curves, "steps", "value", y_scale="log")


def _caption(settings: Settings) -> str:
    return (
        f"{settings.steps} steps from (-1.2, 1), each rule at the learning rate that is best for it. The cross is the "
        "minimum; the frame on the left is the view on the right. Lines of equal value are spaced for the eye."
    )


def _steps_text(steps: Interval) -> str:
    return f"{number_text(steps.estimate)} [{number_text(steps.low)}, {number_text(steps.high)}]"
