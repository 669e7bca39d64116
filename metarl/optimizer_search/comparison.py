"""comparison: equal tuning for everybody, then fresh paired seeds.

On every problem, each entrant tries the same learning rates on the same tuning seeds, judged on a split that
each seed draws for itself; the rate of the lowest mean loss is taken. If the best rate of any entrant lies on
the grid's edge, the grid is widened for all. Then every entrant runs at its rate on fresh seeds, the same for
all, and is judged on test data that neither tuning nor search has seen. Differences to tuned Adam are paired
by seed.

Letters: E entrants, R learning rates, S seeds, C points of a curve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from metarl import problems as problem_suite
from metarl.errors import InvalidInput, require, unknown_name
from metarl.problems import Problem
from metarl.statistics import Interval, bootstrap_interval, paired_difference

from .compare_config import ALL_REFERENCES, GROUPS, CompareConfig
from .config import FinalistConfig
from .contest import Contest, Crew, Curves, Runs
from .entrants import BASELINE, Entrant, references
from .evaluators import Device
from .seeding import replicate_seeds

# Half-decades: exponent i stands for the learning rate 10^(i/2).
_GRID = range(-10, 5)
_WIDENING = 2
_MOST_WIDENINGS = 4
_QUICK_RUN_SECONDS = 1.0
_MANY_SEEDS, _FEW_SEEDS = 60, 10
_TIMINGS = 5

Say = Callable[[str], None]


class Entry(NamedTuple):
    """What one entrant did on one problem."""

    learning_rate: float
    final_loss: Interval  # IQM over seeds
    metric: Interval | None
    steps_to_target: Interval | None  # None when the target was reached in no run
    reached_target: float  # share of runs
    difference_to_adam: Interval  # mean over pairs, rule minus Adam
    state_bytes_per_parameter: float
    step_time_relative_to_adam: float
    diverged: int
    curves: np.ndarray  # [S, C], test losses
    metrics: np.ndarray  # [S], final metric
    tuning_losses: np.ndarray  # [R], mean over tuning seeds


class ProblemResult(NamedTuple):
    """All entrants on one problem."""

    metric: str | None
    steps: int
    points: np.ndarray  # [C], optimizer steps at which the curves were measured
    learning_rates: np.ndarray  # [R]
    report_seeds: int
    runs_spent: int  # on tuning, all entrants together
    on_edge: tuple[str, ...]  # entrants whose best rate is still on the widened grid's edge
    entries: dict[str, Entry]


class Comparison(NamedTuple):
    """A whole comparison, by problem."""

    problems: dict[str, ProblemResult]

    def to_json(self) -> dict[str, Any]:
        """Returns the document of `metarl compare --json`; infinities are for the writer to turn into null."""
        return {
            "problems": {
                name: {label: _entry_json(entry) for label, entry in result.entries.items()}
                for name, result in self.problems.items()
            }
        }

    def to_document(self) -> dict[str, Any]:
        """Returns everything that tables and figures need, as plain values.

        By problem: metric, steps, points [C], learning_rates [R], report_seeds, runs_spent, on_edge, and by label
        the entry of `to_json` with `curve` (median, low, high: quartiles over seeds, [C]), `final_losses` [S] and
        `tuning_losses` [R]. Infinities are the texts "inf" and "-inf", so that JSON keeps their sign.
        """
        return {name: _spelled(_problem_document(r)) for name, r in self.problems.items()}


def compare(
    entrants: Sequence[Entrant],
    config: CompareConfig,
    say: Say = lambda text: None,
    *,
    refuse_divergence: bool = True,
) -> Comparison:
    """Returns how entrants, Adam and (if the settings say so) the other references do on each problem.

    Args:
      entrants: who is compared; a reference named here is not entered twice.
      config: problems, steps, seeds.
      say: called with a line about what is done next.
      refuse_divergence: whether an entrant that diverges at every learning rate on some problem is an error; if not, it
        is reported as diverged.

    Raises:
      InvalidInput: bad settings, an unknown problem, or a rule whose loss is finite at no learning rate.
    """
    config.validate()
    field = _field(entrants, config.references)
    suite = [problem_suite.load(name) for name in suite_names(config.problem)]
    wanted = {entrant.label for entrant in entrants} if refuse_divergence else set()
    return Comparison({p.name: _compare_on(p, field, wanted, config, say) for p in suite})


def suite_names(texts: Sequence[str]) -> list[str]:
    """Returns the problems that texts name, groups written out: search, held-out, all."""
    names: list[str] = []
    for text in texts:
        members = [c.name for c in problem_suite.cards() if text in ("all", c.role)]
        names += members if text in GROUPS else [text]
    return list(dict.fromkeys(names))


def comparison_size(rules: int, settings: FinalistConfig) -> int:
    """Returns the networks trained on one problem to compare so many rules with all references, grid not widened."""
    runs = len(_GRID) * settings.tuning_seeds + (settings.report_seeds or _MANY_SEEDS)
    return (rules + len(references())) * runs


def _field(entrants: Sequence[Entrant], wanted: Sequence[str]) -> list[Entrant]:
    known = {reference.label: reference for reference in references()}
    for name in wanted:
        if name not in (ALL_REFERENCES, *known):
            raise unknown_name("standard optimizer", name, (ALL_REFERENCES, *known))
    standard = [
        r for r in known.values() if {ALL_REFERENCES, r.label} & set(wanted) or r.label == BASELINE
    ]
    field = {entrant.label: entrant for entrant in entrants}
    require(len(field) == len(entrants), "The same optimizer was named twice.")
    for reference in standard:
        namesake = field.get(reference.label)
        if namesake is None:
            field[reference.label] = reference
        elif (
            namesake.rule is not None
        ):  # a rule whose text is the reference's name, such as `rmsprop`
            label = f"optax {reference.label}"
            field[label] = reference._replace(label=label)
    return list(field.values())


def _compare_on(
    problem: Problem, field: list[Entrant], wanted: set[str], config: CompareConfig, say: Say
) -> ProblemResult:
    """Tunes, reports and times all entrants on one problem."""
    steps = config.steps or problem.steps
    tuning = replicate_seeds(config.seed, "tuning", config.tuning_seeds)
    many = replicate_seeds(config.seed, "report", config.seeds or _MANY_SEEDS)
    contest = Contest(problem, steps, tuning, many)
    with Crew() as crew:
        say(f"{problem.name}: tuning {len(field)} optimizers")
        exponents, losses, spent = _tune(contest, field, crew)
        rates = 10.0 ** (np.array(exponents) / 2.0)
        best = {label: _best_rate(label, rates, row, wanted) for label, row in losses.items()}
        seeds = config.seeds or _report_seeds(contest, field, best, crew)
        say(f"{problem.name}: {seeds} fresh runs of each")
        report = contest.report[:seeds]

        def measure(entrant: Entrant, device: Device) -> Curves:
            runs = Runs(np.full(seeds, best[entrant.label]), report)
            return contest.measure(entrant, runs, device)

        curves = dict(zip(best, crew.map(measure, field), strict=True))
        times = _relative_times(contest, field, best, crew)
    adam = curves[BASELINE].losses
    entries = {
        e.label: _entry(
            best[e.label], losses[e.label], curves[e.label], adam, contest,
            contest.state_bytes_per_parameter(e), times[e.label],
        )
        for e in field
    }  # fmt: skip
    edge = tuple(
        label
        for label, rate in best.items()
        if rate in (rates[0], rates[-1]) and np.isfinite(losses[label]).any()
    )
    return ProblemResult(problem.metric, steps, contest.points, rates, seeds, spent, edge, entries)


def _tune(
    contest: Contest, field: list[Entrant], crew: Crew
) -> tuple[list[int], dict[str, np.ndarray], int]:
    """Returns the grid's exponents, each entrant's mean tuning losses [R], and the runs spent."""
    exponents = list(_GRID)
    found: dict[str, dict[int, float]] = {entrant.label: {} for entrant in field}
    todo = list(exponents)
    for _ in range(_MOST_WIDENINGS + 1):
        for entrant, losses in zip(field, crew.map(_sweep(contest, todo), field), strict=True):
            found[entrant.label].update(zip(todo, losses, strict=True))
        best = {min(row, key=lambda i: (row[i], i)) for row in found.values() if _any_finite(row)}
        below = range(exponents[0] - _WIDENING, exponents[0]) if exponents[0] in best else ()
        above = (
            range(exponents[-1] + 1, exponents[-1] + 1 + _WIDENING) if exponents[-1] in best else ()
        )
        todo = [*below, *above]
        if not todo or len(exponents) >= len(_GRID) + _MOST_WIDENINGS * _WIDENING:
            break
        exponents = [*below, *exponents, *above]
    rows = {label: np.array([row[i] for i in exponents]) for label, row in found.items()}
    return exponents, rows, len(field) * len(exponents) * len(contest.tuning)


def _sweep(contest: Contest, exponents: list[int]) -> Callable[[Entrant, Device], np.ndarray]:
    rates = np.repeat(10.0 ** (np.array(exponents) / 2.0), len(contest.tuning))
    runs = Runs(rates, np.tile(contest.tuning, len(exponents)))

    def sweep(entrant: Entrant, device: Device) -> np.ndarray:
        losses = contest.tune(entrant, runs, device)
        return losses.reshape(len(exponents), -1).mean(axis=1)

    return sweep


def _any_finite(row: dict[int, float]) -> bool:
    return bool(np.isfinite(list(row.values())).any())


def _best_rate(label: str, rates: np.ndarray, losses: np.ndarray, wanted: set[str]) -> float:
    if not np.isfinite(losses).any() and label in wanted:
        raise InvalidInput(
            f"The rule {label!r} diverges, or gives updates that are not finite, at every learning rate from "
            f"{rates[0]:.1e} to {rates[-1]:.1e}; there is nothing to compare."
        )
    return float(rates[np.argmin(losses)])


def _report_seeds(
    contest: Contest, field: list[Entrant], best: dict[str, float], crew: Crew
) -> int:
    """Returns 60 where a run of Adam takes under a second, else 10."""
    place = next(i for i, entrant in enumerate(field) if entrant.label == BASELINE)
    three_runs = contest.seconds(field[place], best[BASELINE], crew.device(place))
    return _MANY_SEEDS if three_runs < 3 * _QUICK_RUN_SECONDS else _FEW_SEEDS


def _relative_times(
    contest: Contest, field: list[Entrant], best: dict[str, float], crew: Crew
) -> dict[str, float]:
    """Returns the median time of each entrant's runs over Adam's, measured in turns with nothing else running."""
    seconds: dict[str, list[float]] = {entrant.label: [] for entrant in field}
    for _ in range(_TIMINGS):
        for place, entrant in enumerate(field):
            found = contest.seconds(entrant, best[entrant.label], crew.device(place))
            seconds[entrant.label].append(found)
    medians = {label: float(np.median(values)) for label, values in seconds.items()}
    return {label: median / medians[BASELINE] for label, median in medians.items()}


def _entry(
    rate: float,
    tuning_losses: np.ndarray,
    curves: Curves,
    adam: np.ndarray,
    contest: Contest,
    state_bytes: float,
    relative_time: float,
) -> Entry:
    final, target = curves.losses[:, -1], float(np.median(adam[:, -1]))
    steps = _steps_to(target, curves.losses, contest.points)
    reached = np.isfinite(steps)
    metrics = curves.metrics[:, -1]
    return Entry(
        learning_rate=rate,
        final_loss=bootstrap_interval(final),
        metric=_metric_interval(metrics, final, contest.problem),
        steps_to_target=bootstrap_interval(steps) if reached.any() else None,
        reached_target=float(reached.mean()),
        difference_to_adam=paired_difference(final, adam[:, -1]),
        state_bytes_per_parameter=state_bytes,
        step_time_relative_to_adam=relative_time,
        diverged=int(np.isinf(final).sum()),
        curves=curves.losses,
        metrics=metrics,
        tuning_losses=tuning_losses,
    )


def _metric_interval(metrics: np.ndarray, final: np.ndarray, problem: Problem) -> Interval | None:
    """Returns the interval of the metric, diverged runs counting as chance; None if the problem has no metric."""
    if problem.metric is None:
        return None
    good = np.isfinite(final) & np.isfinite(metrics)
    return bootstrap_interval(np.where(good, metrics, problem.chance or 0.0))


def _steps_to(target: float, losses: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Returns the first measured step at which each run's test loss is at or below the target, +inf if none, [S]."""
    below = losses <= target
    first = points[np.argmax(below, axis=1)].astype(float)
    return np.where(below.any(axis=1), first, np.inf)


def _entry_json(entry: Entry) -> dict[str, Any]:
    difference = entry.difference_to_adam
    return {
        "learning_rate": entry.learning_rate,
        "final_loss": _interval_json(entry.final_loss),
        "metric": _interval_json(entry.metric),
        "steps_to_target": _interval_json(entry.steps_to_target),
        "reached_target": entry.reached_target,
        "difference_to_adam": {
            "mean": difference.estimate,
            "low": difference.low,
            "high": difference.high,
        },
        "state_bytes_per_parameter": entry.state_bytes_per_parameter,
        "step_time_relative_to_adam": entry.step_time_relative_to_adam,
        "diverged": entry.diverged,
    }


def _problem_document(result: ProblemResult) -> dict[str, Any]:
    entries = {}
    for label, entry in result.entries.items():
        low, median, high = np.quantile(
            entry.curves, [0.25, 0.5, 0.75], axis=0, method="closest_observation"
        )
        entries[label] = {
            **_entry_json(entry),
            "curve": {"median": median.tolist(), "low": low.tolist(), "high": high.tolist()},
            "final_losses": entry.curves[:, -1].tolist(),
            "tuning_losses": entry.tuning_losses.tolist(),
        }
    return {
        "metric": result.metric,
        "steps": result.steps,
        "points": result.points.tolist(),
        "learning_rates": result.learning_rates.tolist(),
        "report_seeds": result.report_seeds,
        "runs_spent": result.runs_spent,
        "on_edge": list(result.on_edge),
        "entries": entries,
    }


def _spelled(value: Any) -> Any:
    """Returns nested plain values with infinities spelled out."""
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    return str(value) if isinstance(value, float) and np.isinf(value) else value


def _interval_json(interval: Interval | None) -> dict[str, float] | None:
    if interval is None:
        return None
    return {"iqm": interval.estimate, "low": interval.low, "high": interval.high}
