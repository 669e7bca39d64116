"""scale ladder: whether a lead over tuned AdamW survives wider networks and longer runs.

One family of networks in several widths, several lengths of run, completed schedules. On the lowest rung everybody is
tuned as in a comparison, which gives each one multiple of AdamW's learning rate. On every other rung AdamW is tuned
anew around its rate on the rung before; the others run there at their multiple of it, and some are tuned anew as well,
so that a lead lost by carrying a rate up and one lost by scale are told apart.

    trend        by how much the ratio of the losses changes from width to width, or from length to length: the slope
                 of its logarithm against the logarithm of either, of each seed by itself

Letters: E entrants, S seeds, W widths, N lengths, J learning rates.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import jax
import numpy as np

from metarl.errors import require
from metarl.problems import Problem, wide_denoiser, wide_residual, wide_transformer
from metarl.reading import Bounds, Count, check_fields
from metarl.reporting import Column, Curve, Table, curve_panels
from metarl.statistics import Interval, bootstrap_interval

from ..comparing.contest import Contest, Crew
from ..comparing.entrants import Entrant, entrant, rule_entrant
from ..comparing.problem_results import exponential, log_relative_losses
from ..comparing.settings_of_runs import Axes, Setting, runs_at, runs_of
from ..comparing.tuning import tune
from ..comparing.tuning_noise import lowest
from ..judging.evaluators import Device
from ..reports.chart import Chart
from ..training.seeding import replicate_seeds
from .titled_rules import titled_rules
from .work import Findings, Work

BASELINE = "adamw"
_SCHEDULE = "cosine"
_AROUND = np.arange(-2, 3)  # quarters of a decade around the rate of the rung before
_WIDENINGS = 3  # by two quarters, while the best rate lies on the edge
_CARRIED, _ANEW = 0, 1
_FAMILIES = {"transformer": wide_transformer, "residual": wide_residual, "denoiser": wide_denoiser}


@dataclass(frozen=True)
class Settings:
    """Which networks, who is compared, and how."""

    family: Literal["transformer", "residual", "denoiser"] = "transformer"
    """Transformers on Python's documentation, or residual networks on digits or on noisy patches of photographs."""
    widths: tuple[Annotated[int, Bounds(least=1, most=4096)], ...] = (32, 64, 128, 256)
    """Rising; of a transformer in multiples of 16."""
    steps: tuple[Count, ...] = (200, 800, 3200)
    """Lengths of a run, rising; each with its own completed schedule."""
    rules: tuple[str, ...] = ("found", "PowerSign = powersign", "AddSign = addsign")
    """Rules; "found" are those that searches of metarl found."""
    references: tuple[str, ...] = ("nadamw", "muon", "soap")
    """Standard optimizers beside AdamW."""
    tuned_anew: tuple[str, ...] = ()
    """Those of both that are tuned on every rung too; AdamW always is."""
    seeds: Annotated[int, Bounds(least=8)] = 10
    """Fresh paired seeds of the report; fewer than 8 have no intervals."""
    tuning_seeds: Count = 4
    """Seeds at each learning rate."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("widths", "steps"):
            values = getattr(self, name)
            require(
                len(values) > 0 and list(values) == sorted(set(values)),
                f"{name} must name rising numbers, at least one; received {list(values)}.",
            )
        known = [*titled_rules(self.rules), *self.references]
        strangers = [label for label in self.tuned_anew if label not in known]
        require(
            not strangers,
            f"tuned_anew names {', '.join(strangers)}, which is not compared; those are {', '.join(known)}.",
        )
        require(
            BASELINE not in known, f"{BASELINE} is what all are measured against; leave it out."
        )


class Rung(NamedTuple):
    """A width and a length of run."""

    width: int
    steps: int


def climb(work: Work) -> Findings:
    """Compares all optimizers on every rung, and draws their losses beside AdamW's."""
    settings: Settings = work.settings
    field = [entrant(BASELINE), *(entrant(name) for name in settings.references)]
    field += [rule_entrant(title, rule) for title, rule in titled_rules(settings.rules).items()]
    found = _all_rungs(work, field)
    labels = [one.label for one in field]
    rows = [row for rung, part in found.items() for row in _rows(rung, part, labels)]
    trends = [
        _trend(label, place, found, settings, kind)
        for kind, kept in ((_CARRIED, labels[1:]), (_ANEW, settings.tuned_anew))
        for place, label in enumerate(labels)
        if label in kept
    ]
    return Findings(
        claims=[_claim(trend, rows) for trend in trends],
        tables={"rungs": _rung_table(rows, settings), "trends": _trend_table(trends)},
        charts=[_chart(rows, labels, settings)],
        numbers={trend["optimizer"]: trend for trend in trends},
    )


def problem_of(family: str, width: int) -> Problem:
    """Returns the problem of one width.

    Raises:
      InvalidInput: there is no network of the family of that width.
    """
    return _FAMILIES[family](width)


def _all_rungs(work: Work, field: Sequence[Entrant]) -> dict[Rung, dict[str, np.ndarray]]:
    """Returns of every rung the number of parameters, and by carried or anew: rates [2, E], losses [2, E, S]."""
    settings: Settings = work.settings
    problems = {width: problem_of(settings.family, width) for width in settings.widths}
    found: dict[Rung, dict[str, np.ndarray]] = {}
    multiples = np.ones(len(field))
    for rung in itertools.starmap(Rung, itertools.product(settings.widths, settings.steps)):
        before = _before(rung, settings)
        near = None if before is None else float(found[before]["rates"][_ANEW, 0])
        part = work.arrays(
            f"{settings.family}-{rung.width}-{rung.steps}",
            lambda rung=rung, near=near, multiples=multiples: _measured(
                work, problems[rung.width], rung, field, near, multiples
            ),
        )
        found[rung] = part
        if near is None:
            multiples = part["rates"][_ANEW] / part["rates"][_ANEW, 0]
    return found


def _before(rung: Rung, settings: Settings) -> Rung | None:
    """Returns the rung that a rung's tuning begins from: the shorter run, or the narrower network."""
    width, length = settings.widths.index(rung.width), settings.steps.index(rung.steps)
    if length:
        return rung._replace(steps=settings.steps[length - 1])
    return rung._replace(width=settings.widths[width - 1]) if width else None


def _measured(
    work: Work,
    problem: Problem,
    rung: Rung,
    field: Sequence[Entrant],
    near: float | None,
    multiples: np.ndarray,
) -> Mapping[str, np.ndarray]:
    """Tunes and reports on one rung; see `_all_rungs`.

    Args:
      work: settings and seed.
      problem: of the width.
      rung: its width and steps.
      field: everybody, AdamW first.
      near: AdamW's rate on the rung before; None on the lowest.
      multiples: everybody's multiple of AdamW's rate [E]; of no use on the lowest.
    """
    settings: Settings = work.settings
    where = f"{problem.name}, {rung.steps} steps"
    axes = Axes((_SCHEDULE,), (0.0,))
    contest = Contest(
        problem,
        rung.steps,
        replicate_seeds(work.seed, "tuning", settings.tuning_seeds),
        replicate_seeds(work.seed, "report", settings.seeds),
        points=1,
        axes=axes,
    )
    with Crew() as crew:
        if near is None:
            work.say(f"{where}: tuning {len(field)} optimizers")
            tuned = tune(contest, field, crew.map)
            anew = np.array([tuned.best(one.label).learning_rate for one in field])
            carried = anew
        else:
            work.say(f"{where}: tuning {BASELINE}")
            (base,) = crew.map(_search_around(contest, {BASELINE: near}), field[:1])
            carried = base * multiples
            centres = {one.label: rate for one, rate in zip(field, carried, strict=True)}
            again = [one for one in field if one.label in settings.tuned_anew]
            work.say(f"{where}: tuning {len(again)} more, running {len(field)}")
            searched = crew.map(_search_around(contest, centres), again)
            rates = {one.label: rate for one, rate in zip(again, searched, strict=True)}
            rates[BASELINE] = base
            anew = np.array([rates.get(one.label, np.nan) for one in field])

        def report(job: tuple[Entrant, float], device: Device) -> np.ndarray:
            one, rate = job
            if np.isnan(rate):
                return np.full(settings.seeds, np.nan)
            runs = runs_of(axes.first(float(rate)), axes, contest.report)
            return contest.measure(one, runs, device).losses[:, -1]

        first = crew.map(report, list(zip(field, carried, strict=True)))
        other = [rate if rate != was else np.nan for rate, was in zip(anew, carried, strict=True)]
        second = crew.map(report, list(zip(field, other, strict=True)))
    same = np.array(anew == carried)[:, None]
    losses = np.stack([np.stack(first), np.where(same, np.stack(first), np.stack(second))])
    shapes = jax.eval_shape(problem.init, jax.random.key(0))[0]
    size = sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(shapes))
    return {
        "parameters": np.array(size),
        "labels": np.array([one.label for one in field]),
        "rates": np.stack([carried, anew]),
        "losses": losses,
    }


def _search_around(
    contest: Contest, centres: Mapping[str, float]
) -> Callable[[Entrant, Device], float]:
    """Returns (entrant, device) -> its best learning rate of the quarters of a decade around its centre."""

    def search(one: Entrant, device: Device) -> float:
        def losses_at(places: Sequence[int]) -> np.ndarray:  # [J, S]
            settings = [setting(place) for place in places]
            runs = runs_at(settings, contest.axes, contest.tuning)
            return contest.tune(one, runs, device).reshape(len(places), -1)

        def setting(place: int) -> Setting:
            return contest.axes.first(centres[one.label] * 10.0 ** (place / 4))

        places = list(map(int, _AROUND))
        losses = losses_at(places)
        for _ in range(_WIDENINGS):
            best = int(lowest(losses))
            if 0 < best < len(places) - 1:
                break
            more = [places[0] - 2, places[0] - 1] if best == 0 else [places[-1] + 1, places[-1] + 2]
            found = losses_at(more)
            rows = [found, losses] if best == 0 else [losses, found]
            places = more + places if best == 0 else places + more
            losses = np.concatenate(rows)
        return setting(places[int(lowest(losses))]).learning_rate

    return search


def _rows(
    rung: Rung, part: Mapping[str, np.ndarray], labels: Sequence[str]
) -> list[dict[str, Any]]:
    return [
        {
            "width": rung.width,
            "parameters": int(part["parameters"]),
            "steps": rung.steps,
            "optimizer": label,
            "learning_rate": float(part["rates"][_CARRIED, place]),
            "test_loss": bootstrap_interval(part["losses"][_CARRIED, place]),
            "carried": None if label == BASELINE else _ratio(ratios(part, place)[_CARRIED]),
            "tuned_anew": None
            if label == BASELINE or np.isnan(part["losses"][_ANEW, place]).any()
            else _ratio(ratios(part, place)[_ANEW]),
        }
        for place, label in enumerate(labels)
    ]


def ratios(part: Mapping[str, np.ndarray], place: int) -> np.ndarray:
    """Returns log of the losses of the entrant at `place` over AdamW's, carried and tuned anew, [2, S]."""
    return log_relative_losses(part["losses"][:, place], part["losses"][_ANEW, 0])


def _ratio(logarithms: np.ndarray) -> Interval:
    """Returns the IQM of logarithms of ratios [S] as a ratio."""
    return exponential(bootstrap_interval(logarithms))


def _trend(
    label: str,
    place: int,
    found: Mapping[Rung, Mapping[str, np.ndarray]],
    settings: Settings,
    kind: int = _CARRIED,
) -> dict[str, Any]:
    """Returns by what the ratio of one optimizer is multiplied as a width, or a run, is doubled."""
    logs = np.array(
        [
            [ratios(found[Rung(width, steps)], place)[kind] for steps in settings.steps]
            for width in settings.widths
        ]
    )  # [W, N, S]
    return {
        "optimizer": label if kind == _CARRIED else _anew(label),
        "lowest": _ratio(logs[0, 0]),
        "highest": _ratio(logs[-1, -1]),
        "a_doubled_width": _slope(settings.widths, logs.mean(axis=1)),
        "doubled_steps": _slope(settings.steps, logs.mean(axis=0)),
    }


def _slope(sizes: Sequence[int], logs: np.ndarray) -> Interval | None:
    """Returns exp of the least-squares slope of logarithms [W or N, S] against log2 of the sizes; None of one size."""
    if len(sizes) < 2:
        return None
    x = np.log2(np.asarray(sizes, dtype=float))
    x = x - x.mean()
    return _ratio(x @ logs / (x @ x))


def _rung_table(rows: Sequence[Mapping[str, Any]], settings: Settings) -> Table:
    columns = [
        Column("width"),
        Column("parameters", essential=False),
        Column("steps"),
        Column("optimizer"),
        Column("learning_rate", "learning rate", essential=False),
        Column("test_loss", "test loss, IQM"),
        Column("carried", f"loss, {BASELINE} = 1"),
        Column("tuned_anew", "tuned on this rung"),
    ]
    notes = [
        f"{settings.seeds} fresh seeds. {BASELINE} is tuned on every rung, to a quarter of a decade on "
        f"{settings.tuning_seeds} seeds; the others run at their multiple of its rate, as found on the lowest rung. "
        "Rates warm up over 5 % of the steps and fall to zero along a cosine.",
        "Loss: over AdamW's on the same seed, clipped to a factor of ten; IQM of logarithms. Intervals: 95 %, "
        "bootstrap over seeds; the noise of tuning is not in them.",
    ]
    return Table("The ladder", columns, list(rows), notes)


def _trend_table(trends: Sequence[Mapping[str, Any]]) -> Table:
    columns = [
        Column("optimizer"),
        Column("lowest", "loss on the lowest rung"),
        Column("highest", "on the highest"),
        Column("a_doubled_width", "times, per doubled width"),
        Column("doubled_steps", "times, per doubled steps"),
    ]
    notes = [
        f"Loss: {BASELINE} = 1; rates carried up where it does not say tuned anew. Times: above 1 a lead shrinks, or "
        "grows into a deficit."
    ]
    return Table("How leads change with scale", columns, list(trends), notes)


def _chart(rows: Sequence[Mapping[str, Any]], labels: Sequence[str], settings: Settings) -> Chart:
    panels = {
        f"{steps:,} steps": [
            curve
            for label in labels[1:]
            for curve in _curves(
                [row for row in rows if (row["steps"], row["optimizer"]) == (steps, label)],
                {label: "carried"}
                | ({_anew(label): "tuned_anew"} if label in settings.tuned_anew else {}),
            )
        ]
        for steps in settings.steps
    }
    drawing = curve_panels(
        panels,
        "width",
        f"test loss, {BASELINE} = 1",
        columns=len(panels),
        same_y=True,
        x_scale="log",
        y_scale="log",
    )
    caption = (
        f"Test loss over that of {BASELINE}, which is tuned everywhere, against the width of the network, for runs of "
        "several lengths; the others' rates are carried up from the lowest rung. Bands: 95 % over "
        f"{settings.seeds} seeds."
    )
    return Chart(f"ladder-{settings.family}", drawing, caption)


def _curves(rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]) -> list[Curve]:
    """Returns curves of one optimizer at one length, by name what of its rows each shows."""
    widths = [row["width"] for row in rows]
    return [
        Curve(name, widths, *np.array([row[kind] for row in rows], dtype=float).T)
        for name, kind in kinds.items()
    ]


def _anew(label: str) -> str:
    return f"{label}, tuned anew"


def _claim(trend: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    lowest_row, highest_row = rows[0], rows[-1]
    words = [
        f"{trend['optimizer']}: {_told(trend['lowest'])} times {BASELINE}'s loss at width {lowest_row['width']} and "
        f"{lowest_row['steps']:,} steps, {_told(trend['highest'])} at width {highest_row['width']} and "
        f"{highest_row['steps']:,}"
    ]
    for name, what in (("a_doubled_width", "a doubled width"), ("doubled_steps", "doubled steps")):
        slope = trend[name]
        if slope is not None:
            verdict = "" if slope.excludes(1.0) else ", not clearly a change"
            words.append(f"{what} multiplies it by {_told(slope)}{verdict}")
    return "; ".join(words) + "."


def _told(ratio: Interval) -> str:
    return f"{ratio.estimate:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"
