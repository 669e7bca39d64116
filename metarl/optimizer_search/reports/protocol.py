"""protocol: how a search's numbers came about, in words and facts, and how to get them again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from metarl.runs import RunDirectory
from metarl.statistics import fewest_runs

from ..searching.programs import RATES_TRIED, SHORT_RUN, adam_tokens, grammar_of
from ..settings.compare_config import TRACKS
from ..settings.config import SearchConfig
from ..training.schedules import CONSTANT
from .result import SearchResult

_OF_THIS_RUN = ("--track", "--run-dir", "--output", "-o", "--extra-points")
_WITHOUT_VALUE = ("--force", "--no-force")
_REWARDS = {
    "loss": "Its reward is minus the mean log of its loss relative to tuned Adam's on the same seeds: 0 is as good as "
    "Adam, 0.1 is about 10 % less loss.",
    "accuracy": "Its reward is the mean metric; a run that diverged counts as chance.",
}
_ORDERS = {
    "alone": "that order counts",
    "mean": "the order of the mean over the scores there and on the problems of the search counts",
    "worst": "the order of the lowest of the scores there and on the problems of the search counts",
}


def protocol(config: SearchConfig, result: SearchResult) -> list[str]:
    """Returns five paragraphs: search, choice, tuning, report, intervals."""
    training, final = config.training, config.final
    compared = result.comparison.values()
    grids = sorted({len(problem["learning_rates"]) for problem in compared})
    low = min((problem["learning_rates"][0] for problem in compared), default=0.0)
    high = max((problem["learning_rates"][-1] for problem in compared), default=0.0)
    seeds = sorted({problem["report_seeds"] for problem in compared})
    around = "learning rates"
    if training.one_rate:
        around = "multiples of Adam's, again the same for all problems,"
    return [
        f"Search: {_short_runs(config)}{_full_runs(config)}{_lengths(config)}{_spreads(config)}"
        f"{_REWARDS[config.reward]}",
        f"Choice: the best of many is partly lucky, so up to {final.candidates} rules of the search, none a "
        f"near-duplicate of another, were tuned anew around their {around} on fresh seeds and run on a few more; "
        "the better ones went on, twice, to two and to four times as many, and all runs so far ranked them, on choice "
        f"data, which the search had not seen. Those left ran on {final.choice_seeds} more, which ranked nothing and "
        "give the score that is reported. "
        f"{_funnel(config)}Rank 1 is the winner, and the claim is about it alone.",
        f"Tuning: finalists and references all tried the same {_joined(grids)} learning rates, in half-decades from "
        f"{low:.0e} to {high:.0e},{_schedules(config)} on {_count(final.tuning_seeds, 'seed')} of their own"
        f"{_finer(compared)}; where the best rate of anyone lay on the grid's edge, the grid of that problem was "
        "widened for all. The rate of the lowest mean loss, on data apart from the test data, was taken.",
        f"Report: at its rate each then ran on {_joined(seeds)} fresh seeds, the same for all, so that runs pair up, "
        "and was judged on test data that neither search, choice nor tuning had seen. On the held-out problems the "
        "rules themselves are untouched; only their learning rates are tuned, as everybody's are.",
        "Intervals are 95 %, by bootstrap over seeds, of the interquartile mean (IQM): of losses, and of the "
        'logarithms of their ratios to Adam\'s on the same seeds. "Better" and "worse" are said only where the '
        f"interval of that ratio excludes 1; fewer than {fewest_runs()} seeds have no interval. Each problem is judged "
        "by itself, without correction for how many there are.",
    ]


def _short_runs(config: SearchConfig) -> str:
    """Returns how every rule was trained at first."""
    training = config.training
    rates = training.multiples if training.one_rate else training.learning_rates
    kind = (
        "learning rate" if training.schedule == CONSTANT else f"{training.schedule} learning rate"
    )
    number = _count(len(rates), "multiple" if training.one_rate else kind)
    tried = f"{number} from {min(rates):g} to {max(rates):g}"
    if training.one_rate:
        tried += f" of tuned Adam's {kind}, the same for all problems,"
    if config.racing and len(rates) > RATES_TRIED and adam_tokens(grammar_of(config)) is not None:
        tried = f"the {RATES_TRIED} of {tried} nearest to what the size of its update predicts,"
    share = SHORT_RUN if config.racing else training.sweep_fraction
    beside = ", then at the half-decades beside the best" if _is_refined(config) else ""
    return f"each rule was trained at {tried} on one seed for {share:.0%} of the steps{beside}"


def _full_runs(config: SearchConfig) -> str:
    """Returns who was trained in full, and how."""
    training = config.training
    two = training.refine or (config.racing and not training.one_rate)
    full = (
        f"in full at the {'two best' if two else 'best'} of them on {_count(training.seeds, 'other seed')}, and judged "
        f"on search data{' by the better' if two else ''}"
    )
    if config.racing:
        return f". The best sixth of each generation was trained {full}; all others were stopped there. "
    learnt = ", if it had learnt anything," if training.give_up == 1.0 else ""
    return f", then{learnt} {full}. "


def _is_refined(config: SearchConfig) -> bool:
    return config.training.refine or config.racing


def _lengths(config: SearchConfig) -> str:
    """Returns at which horizons that was done, where at others than the usual."""
    training = config.training
    if training.horizons == (1.0,):
        return ""
    rates = "" if training.one_rate else ", at rates of its own each time"
    text = (
        f"That was done at {_times(training.horizons)} the steps{rates}, and rewards were averaged"
    )
    if config.racing and not training.one_rate and len(training.horizons) > 1:
        text += "; the shortest runs decided who went on"
    if training.hurdle is not None:
        text += (
            f"; a rule with no more than {training.hurdle:g} at the shorter ones kept that reward, and was not trained "
            "for longer"
        )
    return f"{text}. "


def _times(horizons: Sequence[float]) -> str:
    return f"{_and(f'{horizon:g}' for horizon in horizons)} times"


def _spreads(config: SearchConfig) -> str:
    """Returns in what the runs of different seeds differed beyond start, split and order."""
    factors = {
        "the number of steps": config.training.random_horizon,
        "the scale of the start": config.training.random_scale,
        "the size of the batches": config.training.random_batch,
        "the width of the hidden layers": config.training.random_width,
    }
    drawn = [
        f"{what} by up to {most:g} times above or below"
        for what, most in factors.items()
        if most > 1
    ]
    return f"Drawn for each seed: {_and(drawn)}. " if drawn else ""


def _schedules(config: SearchConfig) -> str:
    """Returns under which schedules the comparison tuned, where rates were not simply constant."""
    schedules = config.final.schedules or (config.training.schedule,)
    if schedules == (CONSTANT,):
        return ""
    if len(schedules) == 1:
        return f" of a {schedules[0]} schedule,"
    return f" of each of the schedules {_and(schedules)},"


def _finer(compared: Iterable[Mapping[str, Any]]) -> str:
    """Returns what else was tried; before protocol 5 of the comparison there was nothing else."""
    points = max((problem.get("finer_points", 0) for problem in compared), default=0)
    return f" (half of them), then {points} finer ones around the best of each" if points else ""


def _funnel(config: SearchConfig) -> str:
    """Returns what else happened between choice and comparison, where anything did."""
    final, text = config.final, ""
    if final.funnel:
        again = (
            "were ranked again at the same multiples"
            if config.training.one_rate
            else "were tuned and ranked again"
        )
        usual = final.funnel_horizons == (1.0,)
        lengths = "" if usual else f" at {_times(final.funnel_horizons)} the steps"
        text += (
            f"The first {final.funnel_rules} of them {again} on choice data of {', '.join(final.funnel)}{lengths}, "
            f"with {_count(final.funnel_seeds, 'fresh seed')}; {_ORDERS[final.funnel_order]}. "
        )
    if final.simplify is not None:
        text += (
            f"From the finalists was dropped what costs at most {final.simplify:g} score, by the 95 % interval over "
            "pairs of runs. "
        )
    return text


def provenance_facts(run: RunDirectory) -> dict[str, Any]:
    """Returns what the numbers may depend on, as names and values for people."""
    recorded, outcome = run.provenance, run.outcome or {}
    revision, processor = recorded.get("revision") or {}, recorded.get("processor") or {}
    cores, system = recorded.get("cores") or {}, recorded.get("system") or {}
    facts = {
        "Run": run.path.name,
        "Command": shlex.join(recorded.get("command") or []),
        "Seed": recorded.get("seed"),
        "Started": recorded.get("started"),
        "Search ended": outcome.get("reason"),
        "Versions": _pairs(recorded.get("versions") or {}),
        "Revision": _revision(revision),
        "Devices": ", ".join(
            f"{d['platform']} ({d['kind']})" for d in recorded.get("devices") or []
        ),
        "Processor": " ".join(
            filter(None, (processor.get("model"), processor.get("architecture")))
        ),
        "Cores": f"{cores.get('usable')} of {cores.get('present')} usable" if cores else None,
        "Matrix products": recorded.get("matmul_precision") or "the backend's own precision",
        "System": " ".join(str(part) for part in system.values()),
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}


def export_command(run_dir: Path) -> str:
    """Returns what to type for the winner as a file that needs only jax and optax."""
    place = shlex.quote(str(run_dir))
    return f"metarl export {place} --rank 1 --to optax --name found_rule -o found_rule.py"


def other_tracks(run: RunDirectory) -> str | None:
    """Returns in a line what to type for a comparison on the other tracks; None where no `metarl compare` began it.

    Left out of the command are its directory, the output file, and extra points, which the track `tuned` alone has.
    """
    words = run.provenance["command"]
    if words[:2] != ["metarl", "compare"]:
        return None
    here = run.config["compare"]["track"]
    end = words.index("--") if "--" in words else len(words)  # behind it nothing is a flag
    positional, flags = [], []
    # where the next word that is no flag belongs; None: nowhere
    place: list[str] | None = positional
    for word in words[2:end]:
        flag, equals, _ = word.partition("=")
        if not word.startswith("-"):
            if place is not None:
                place.append(word)
            else:
                place = positional
        elif flag.replace("_", "-") in _OF_THIS_RUN:
            place = positional if equals else None
        elif flag in _WITHOUT_VALUE:
            place = positional
        else:
            flags.append(word)
            place = flags
    others = (
        shlex.join([*words[:2], *positional, *flags, "--track", name, *words[end:]])
        for name in TRACKS
        if name != here
    )
    return f"On the other tracks: {' or '.join(others)}"


def repeat_command(run: RunDirectory) -> str:
    """Returns what to type to repeat the search; a time limit becomes the budget at which it ended."""
    command = f"metarl search --config {shlex.quote(str(run.path / 'config.json'))}"
    budget = (run.outcome or {}).get("repeats_with_budget")
    if run.config.get("minutes") is None or budget is None:
        return command
    return f"{command} --minutes None --budget {budget}"


def _revision(revision: Mapping[str, Any]) -> str | None:
    if not revision.get("commit"):
        return None
    return revision["commit"] + (" with changes" if revision.get("modified") else "")


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _and(texts: Iterable[str]) -> str:
    """Returns "a", "a and b", "a, b and c"."""
    *first, last = texts
    return f"{', '.join(first)} and {last}" if first else last


def _joined(numbers: list[int]) -> str:
    return " or ".join(str(number) for number in numbers) or "no"
