"""comparison: equal tuning for everybody, then fresh paired seeds.

On every problem, each entrant tries the same learning rates, schedules and weight decays on the same tuning seeds, and
as many finer rates around its best, judged on a split that each seed draws for itself; the point of the lowest mean
loss is taken. If the best rate of any entrant lies on the grid's edge, the grid is widened for all. (On the track
`default` nobody is tuned on the problem: each runs at one learning rate, found on the search problems; on `one-rate`
Adam is, and the others run at one multiple of its rate.) Then every
entrant runs on fresh seeds, the same for all, and is judged on test data that neither tuning nor search has seen, at
the point that was taken and at others that tuning can hardly tell from it (tuning_noise.py). Differences to tuned Adam
are paired by seed.

What is measured is kept problem by problem (measurements.py); all that it says is computed from that
(problem_results.py, scores.py).

Letters: E entrants, R learning rates, S seeds, C points of a curve, H horizons.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metarl import problems as problem_suite
from metarl.errors import InvalidInput, require, unknown_name
from metarl.problems import Card, Problem
from metarl.reporting import counted

from ..judging.evaluators import Device, driven_devices, executor
from ..settings.compare_config import ALL_REFERENCES, CLASSIC_REFERENCES, CompareConfig
from ..settings.config import FinalistConfig
from ..training.schedules import CONSTANT
from ..training.seeding import replicate_seeds
from . import measurements
from .comparison_document import entry_json, problem_document
from .contest import Contest, Crew
from .control import control_entrant
from .default_rates import default_rates
from .entrants import BASELINE, Entrant, check_own, decayed_once, entered, references
from .measurements import AdamRuns, Choices, Measured, Record
from .one_rate import followed, one_rate_multiples
from .problem_names import file_stem, require_different_names, suite_names
from .problem_results import ProblemResult, analyse
from .settings_of_runs import Axes, Curves, Points, Setting, runs_at, runs_of
from .standard import STANDARD
from .tuning import FINER_POINTS, GRID, Tuned, tune, tuning_seeds
from .tuning_noise import MOST_CHOICES

_MANY_SEEDS, _FEW_SEEDS = 60, 10
_TIMINGS = 5

Say = Callable[[str], None]


class Comparison(NamedTuple):
    """A whole comparison, by problem."""

    problems: dict[str, ProblemResult]

    def to_json(self) -> dict[str, Any]:
        """Returns the document of `metarl compare --json`; infinities are for the writer to turn into null."""
        return {
            "problems": {
                name: {label: entry_json(entry) for label, entry in result.entries.items()}
                for name, result in self.problems.items()
            }
        }

    def to_document(self) -> dict[str, Any]:
        """Returns everything that tables and figures need, as plain values.

        By problem: metric, steps, points [C], learning_rates [R], report_seeds, runs_spent, on_edge, target, target_of,
        and by label the entry of `to_json` with `curve` (median, low, high: quartiles over seeds, [C]), `final_losses`
        [S] and `tuning_losses` [R]. Infinities are the texts "inf" and "-inf", so that JSON keeps their sign.
        """
        return {name: problem_document(result) for name, result in self.problems.items()}


def compare(
    entrants: Sequence[Entrant],
    config: CompareConfig,
    say: Say = lambda text: None,
    *,
    place: Path | None = None,
    done: Callable[[int, int], None] = lambda finished, of: None,
    together: bool = False,
    contests: Mapping[str, Contest] = MappingProxyType({}),
) -> Comparison:
    """Returns how entrants, Adam and the other references of the settings do on each problem.

    Args:
      entrants: who is compared; a reference named here is not entered twice.
      config: problems, track, grid, steps, seeds.
      say: called with a line about what is done next.
      place: a directory that keeps the measurements of each problem; what lies there is not measured again.
      done: called with the number of problems finished and the number of all.
      together: whether all optimizers share one program a problem where runs go one by one, on a CPU: it is compiled
        sooner than one for each, and what a step costs is measured in it, with the same added to the cost of each.
      contests: by problem, of the same settings, see `contest_ahead`; those that are missing are made.

    Raises:
      InvalidInput: bad settings, or an unknown problem.
    """
    field, suite = check_comparison(entrants, config)
    if config.control:
        control = control_entrant(config, say, place)
        field.append(decayed_once(control) if any(config.weight_decays) else control)
    rates = None
    if config.track == "default":
        rates = default_rates(field, config, say, place)
    elif config.track == "one-rate":
        rates = one_rate_multiples(field, config, say, place)
    found: dict[str, ProblemResult] = {}
    for number, problem in enumerate(suite):
        path = None if place is None else place / f"{file_stem(problem.name)}.measured"
        if path is not None and path.exists():
            measured = measurements.load(path)
        else:
            contest = contests.get(problem.name) or begun(problem, config, together)
            measured = _measure(contest, field, rates, config, say, number == 0, together)
            if path is not None:
                measurements.save(path, measured)
        found[problem.name] = analyse(measured)
        done(number + 1, len(suite))
    return Comparison(found)


def check_comparison(
    entrants: Sequence[Entrant], config: CompareConfig, beside: Sequence[Problem] = ()
) -> tuple[list[Entrant], list[Problem]]:
    """Returns everybody who takes part and the problems, after looking at what can be wrong.

    Args:
      entrants: who is compared.
      config: the protocol.
      beside: problems that everybody is tried on too, the diagnostics.

    Raises:
      InvalidInput: says what is wrong.
    """
    config.validate()
    field = _field(entered(entrants, config.tensor_functions), config.references)
    suite = [problem_suite.load(name) for name in suite_names(config.problem)]
    require_different_names(suite)
    own = [one for one in field if one.is_own]
    for problem, one in itertools.product(suite, own):
        params = _params(problem)
        check_own(one, params, config.schedules, config.extra_points)
        if any(config.weight_decays):
            decayed_once(one, params, config.extra_points)
    _check_elsewhere(own, config, beside)
    if any(config.weight_decays):
        field = [one if one.is_own else decayed_once(one) for one in field]
    return field, suite


def _check_elsewhere(
    own: Sequence[Entrant], config: CompareConfig, beside: Sequence[Problem]
) -> None:
    """Tries users' optimizers on the other problems that they will meet, whose networks they may not know."""
    found = [] if config.track == "tuned" or not own else problem_suite.suite("search")
    why = {"--diagnostics tries everybody": beside}
    why[f"The track {config.track!r} finds everybody's rate"] = list(map(problem_suite.load, found))
    for reason, problems in why.items():
        for problem, one in itertools.product(problems, own):
            try:
                check_own(one, _params(problem), (CONSTANT,))
            except InvalidInput as error:
                raise InvalidInput(
                    f"{error} {reason} on {problem.name} too: make an optimizer that takes any network, or leave that "
                    "out."
                ) from error


def _params(problem: Problem) -> Any:
    return jax.tree.map(jnp.asarray, problem.init(jax.random.key(0))[0])


def comparison_size(rules: int, settings: FinalistConfig, problem: Card) -> int:
    """Returns the most networks trained on a problem to compare rules with the references, grid not widened."""
    first = len(GRID) * ((settings.tuning_seeds + 1) // 2)
    runs = first + FINER_POINTS * settings.tuning_seeds
    runs += MOST_CHOICES * report_seeds(problem, settings.report_seeds)
    return (rules + len(standard_optimizers(settings.references))) * runs


def report_seeds(problem: Card, wanted: int | None) -> int:
    """Returns how many fresh seeds a problem is reported on, where nobody wants a number: 60, or 10 if it is costly."""
    return wanted or (_FEW_SEEDS if problem.is_costly else _MANY_SEEDS)


def standard_optimizers(wanted: Sequence[str]) -> list[Entrant]:
    """Returns the standard optimizers that names and names of groups mean, and Adam.

    Raises:
      InvalidInput: there is no optimizer or group of a name.
    """
    known = {reference.label: reference for reference in references()}
    accepted = (ALL_REFERENCES, CLASSIC_REFERENCES, *known)
    for name in wanted:
        if name not in accepted:
            raise unknown_name("standard optimizer", name, accepted)
    names = {*wanted, BASELINE}
    if CLASSIC_REFERENCES in names:
        names |= {name for name, row in STANDARD.items() if row.is_classic}
    return [r for r in known.values() if ALL_REFERENCES in names or r.label in names]


def _field(entrants: Sequence[Entrant], wanted: Sequence[str]) -> list[Entrant]:
    standard = standard_optimizers(wanted)
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


def contest_ahead(problem: Problem, config: CompareConfig) -> Contest:
    """Returns for `compare`, together, what it needs of a problem and no entrant has a part in, compiled."""
    contest = begun(problem, config, together=True)
    if executor() == "switch":
        contest.share(standard_optimizers(config.references))
        contest.prepare()
    return contest


def begun(problem: Problem, config: CompareConfig, together: bool = False) -> Contest:
    """Returns the contest of a comparison on one problem, nothing compiled."""
    tuning, others = tuning_seeds(config)
    report = replicate_seeds(config.seed, "report", report_seeds(problem, config.seeds))
    return Contest(
        problem,
        config.steps or problem.steps,
        tuning,
        report,
        axes=Axes(config.schedules, config.weight_decays, config.extra_points),
        devices=driven_devices() if together else None,
        other_seeds=others,
    )


def _measure(
    contest: Contest,
    field: Sequence[Entrant],
    rates: Mapping[str, float] | None,
    config: CompareConfig,
    say: Say,
    first: bool,
    together: bool,
) -> Measured:
    """Tunes, reports and times all entrants on one problem."""
    problem, axes = contest.problem, contest.axes
    tuning, others = tuning_seeds(config)
    report = replicate_seeds(config.seed, "report", report_seeds(problem, config.seeds))
    if together and executor() == "switch":
        contest.share(field)
    _tell_guessed(contest, field, say)
    with Crew(contest.devices) as crew:
        tuned, choices = _tuned(contest, field, rates, config, crew, say)
        settings = {label: found.settings[0] for label, found in choices.items()}
        say(f"{problem.name}: {counted(len(report), 'fresh run')} of each")
        curves = _reported(contest, field, choices, crew)
        adam = _adam_runs(problem, field, config, curves, crew, say)
        seconds = _seconds_per_step(contest, field, settings, crew)
        timed = first and config.time_compilation
        compiling = _compile_seconds(contest, field, crew, say) if timed else {}
    records = {
        e.label: Record(
            settings[e.label],
            tuned.losses[e.label],
            curves[e.label].losses[0],
            curves[e.label].metrics[0],
            seconds[e.label],
            contest.state_bytes_per_parameter(e),
            compiling.get(e.label),
            e.rate_scale,
            tuned.finer.get(e.label, Points((), np.zeros((0, 0)))),
            Choices(*choices[e.label], curves[e.label].losses[..., -1], e.other_seeds),
            tuple(map(dict, e.extras.tried[: config.extra_points])),
        )
        for e in field
    }
    return Measured(
        problem=problem.name,
        family=problem.family,
        metric=problem.metric,
        chance=problem.chance or 0.0,
        steps=contest.steps,
        points=contest.points,
        learning_rates=tuned.learning_rates,
        schedules=axes.schedules,
        weight_decays=axes.weight_decays,
        tuning_seeds=np.asarray(tuning),
        report_seeds=np.asarray(report),
        on_edge=tuned.on_edge,
        references=tuple(e.label for e in field if e.rule is None and not e.is_own),
        records=records,
        adam=adam,
        other_seeds=np.asarray(others),
    )


def _tuned(
    contest: Contest,
    field: Sequence[Entrant],
    rates: Mapping[str, float] | None,
    config: CompareConfig,
    crew: Crew,
    say: Say,
) -> tuple[Tuned, dict[str, Points]]:
    """Returns what the tuning of the track found, and the points that the report runs of everybody."""
    name, blank = contest.problem.name, untuned(contest.axes, field)
    if rates is None:
        say(f"{name}: tuning {counted(len(field), 'optimizer')}")
        tuned = tune(contest, field, crew.map)
        _tell_hopeless(tuned, name, say)
        return tuned, {e.label: tuned.likely(e.label) for e in field}
    if config.track == "one-rate":
        say(f"{name}: tuning Adam, whom the others follow")
        adams = tune(contest, [_baseline(field)], crew.map)
        return blank._replace(finer=adams.finer), {
            e.label: followed(adams, rates[e.label]) for e in field
        }
    return blank, {
        e.label: Points((contest.axes.first(rates[e.label]),), np.zeros((1, 0))) for e in field
    }


def untuned(axes: Axes, field: Sequence[Entrant]) -> Tuned:
    """Returns the form of a tuning over a grid that did not take place."""
    shape = (0, len(axes.schedules), len(axes.weight_decays), 0)
    return Tuned(np.zeros(0), axes, {entrant.label: np.zeros(shape) for entrant in field})


def _tell_guessed(contest: Contest, field: Sequence[Entrant], say: Say) -> None:
    """Says which roles of parameters nobody gave, where somebody treats matrices in a way of their own."""
    users = [e.label for e in field if e.uses_matrices]
    if users and contest.guessed_roles:
        roles = ", ".join(f"{path!r}: {role!r}" for path, role in contest.guessed_roles.items())
        say(
            f"{contest.problem.name}: guessed for {' and '.join(users)} by names and shapes is leaf_roles={{{roles}}}; "
            "the problem may say it itself."
        )


def _tell_hopeless(tuned: Tuned, problem: str, say: Say) -> None:
    """Says who ends finite nowhere on the grid: the others are compared all the same."""
    rates = tuned.learning_rates
    for label in filter(tuned.is_hopeless, tuned.losses):
        say(
            f"{problem}: {label!r} diverges at every learning rate from {rates[0]:.1e} to {rates[-1]:.1e}, and counts "
            "as the worst there."
        )


def _reported(
    contest: Contest, field: Sequence[Entrant], choices: Mapping[str, Points], crew: Crew
) -> dict[str, Curves]:
    """Returns the test curves of all entrants on the report's seeds, at each of their points, [K, S, C]."""

    def measure(entrant: Entrant, device: Device) -> Curves:
        settings = choices[entrant.label].settings
        found = contest.measure(entrant, runs_at(settings, contest.axes, contest.report), device)
        return Curves(*(x.reshape(len(settings), len(contest.report), -1) for x in found))

    return dict(zip(choices, crew.map(measure, field), strict=True))


def _adam_runs(
    problem: Problem,
    field: Sequence[Entrant],
    config: CompareConfig,
    curves: Mapping[str, Curves],
    crew: Crew,
    say: Say,
) -> AdamRuns | None:
    """Returns tuned Adam's final losses in runs of other lengths, tuned anew for each."""
    if not config.horizons:
        return None
    say(f"{problem.name}: tuned Adam in runs of other lengths")
    adam = _baseline(field)
    tuning, _ = tuning_seeds(config)
    report = replicate_seeds(config.seed, "report", report_seeds(problem, config.seeds))
    axes = Axes(config.schedules, config.weight_decays, config.extra_points)

    def final_losses(horizon: float, device: Device) -> np.ndarray:
        if horizon == 1.0 and config.track != "default":
            return curves[adam.label].losses[0, :, -1]
        steps = max(1, round(horizon * (config.steps or problem.steps)))
        contest = Contest(problem, steps, tuning, report, points=1, axes=axes, devices=(device,))
        tuned = tune(contest, [adam], lambda work, items: [work(item, device) for item in items])
        runs = runs_of(tuned.best(adam.label), axes, contest.report)
        return contest.measure(adam, runs, device).losses[:, -1]

    rising = sorted(config.horizons)
    longest_first = crew.map(final_losses, rising[::-1])
    return AdamRuns(np.asarray(rising), np.stack(longest_first[::-1], axis=1))


def _baseline(field: Sequence[Entrant]) -> Entrant:
    return next(entrant for entrant in field if entrant.label == BASELINE)


def _seconds_per_step(
    contest: Contest, field: Sequence[Entrant], settings: Mapping[str, Setting], crew: Crew
) -> dict[str, float]:
    """Returns the median over some runs of each entrant, measured in turns with nothing else running."""
    seconds: dict[str, list[float]] = {entrant.label: [] for entrant in field}
    for _ in range(_TIMINGS):
        for place, entrant in enumerate(field):
            one = runs_of(settings[entrant.label], contest.axes, contest.report[:1])
            seconds[entrant.label].append(
                contest.seconds_per_step(entrant, one, crew.device(place))
            )
    return {label: float(np.median(values)) for label, values in seconds.items()}


def _compile_seconds(
    contest: Contest, field: Sequence[Entrant], crew: Crew, say: Say
) -> dict[str, float]:
    """Returns how long each entrant's training program compiles, one after another."""
    say(f"{contest.problem.name}: timing compilation")
    return {
        entrant.label: contest.compile_seconds(entrant, crew.device(place))
        for place, entrant in enumerate(field)
    }
