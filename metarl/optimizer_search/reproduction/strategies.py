"""strategies: searches that train, by rivals of random search, at equal numbers of trained rules.

Each rival is a strategy with its settings, and searches from the same seeds. What it costs is counted twice: in
distinct rules trained, and in optimizer steps, for rules that diverge or are stopped early are cheap. The best rules of
each search go through its own choice. The one that it hands over is then measured once more, beside Adam and as Adam
is: both are tuned to an eighth of a decade on the same seeds, and run on others, all fresh, on choice data.

Where searches are judged by several problems or horizons, Adam and the rule are tuned for each, and a score is the mean
over these judges, capped for each as the search caps it. What a rule is worth on problems that no search saw is
measured in the same way, but that neither brings a rate there: both are tuned over decades first.

Where positions are asked for, what leads each search is measured on fresh seeds there too: true score against compute.

Rivals are picked on some seeds; of those picked further seeds tell what they are worth, since the best of many is
flattered by the seeds that it was picked on.

Letters: S searches of a rival, M positions, J judges, H judges that no search saw, R learning rates.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from metarl.errors import require
from metarl.problems import load
from metarl.reading import Count, CountOrNone, check_fields
from metarl.reporting import Column, Drawing, Table, curve_panels
from metarl.statistics import Mean, mean_interval

from ..judging.halving import HalvingPanel
from ..judging.judges import judge_name
from ..judging.rewards import FLOOR
from ..reports.chart import Chart
from ..reports.figures import column
from ..searching.search_job import SearchJob
from ..searching.search_state import SearchState
from ..selecting.choice import Ranked, choice_panel, rank
from ..settings.config import (
    BayesianConfig,
    ControllerConfig,
    EvolutionConfig,
    GuidedEvolutionConfig,
    SearchConfig,
)
from .by_compute import by_compute
from .fresh import FreshJudges, fresh_panel
from .leaders import leaders
from .searches import (
    Log,
    at_positions,
    bounded,
    run_search,
    search_curve,
    search_rows,
    signed,
    window_means,
)
from .work import Findings, Work

RANDOM = "random"
_POSITIONS, _WINDOWS = 40, 8
_LATE = 0.75  # the last quarter of a search


@dataclass(frozen=True)
class Rival:
    """A way to search."""

    name: str
    """What it is called."""
    strategy: str
    """Name of its strategy."""
    batch_size: Count = 64
    """Rules proposed in a generation; random rules mostly fail, so that random search takes more."""
    racing: bool = True
    """Whether most rules of a generation stop after short runs."""
    controller: ControllerConfig = field(default_factory=ControllerConfig)
    """The controller, where it has one."""
    evolution: EvolutionConfig = field(default_factory=EvolutionConfig)
    """Of evolution."""
    guided_evolution: GuidedEvolutionConfig = field(default_factory=GuidedEvolutionConfig)
    """Of neural-guided evolution."""
    bayesian: BayesianConfig = field(default_factory=BayesianConfig)
    """Of Bayesian optimisation."""

    def config(self, settings: Settings, seed: int) -> SearchConfig:
        """Returns the settings of its search from a seed."""
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "name"}
        return dataclasses.replace(settings.search, seed=seed, **own)


_RANDOM_SEARCH = Rival(RANDOM, RANDOM, batch_size=512)


@dataclass(frozen=True)
class Settings:
    """Which rivals search, how often, and how."""

    MAY_CHANGE: ClassVar[tuple[str, ...]] = ("positions",)
    """What may be others in a reproduction that goes on."""

    search: SearchConfig = field(default_factory=SearchConfig)
    """The settings of all searches, with a budget of rules; what rivals have of their own is set for each."""
    rivals: tuple[Rival, ...] = (_RANDOM_SEARCH, Rival("ppo", "ppo"))
    """Ways to search, random search among them."""
    seeds: Count = 3
    """S, searches of each rival, from the seed 1 on: 0 is the demo's."""
    picked: tuple[str, ...] = ()
    """Names of the rivals that search from further seeds, beside random search."""
    further: CountOrNone = 0
    """S of these, from the seeds that follow."""
    tuning_seeds: Count = 10
    """Fresh seeds on which the rule that is handed over, and Adam, are tuned to an eighth of a decade."""
    report_seeds: Count = 64
    """Fresh seeds on which they are then compared."""
    held_out: tuple[str, ...] = ()
    """Names of problems that no search sees, on which the rules handed over are compared with Adam too."""
    positions: tuple[Count, ...] = ()
    """Numbers of trained rules at which what leads each search is measured on fresh seeds too, rising; M of them."""

    def __post_init__(self) -> None:
        check_fields(self)
        names = [rival.name for rival in self.rivals]
        require(
            len(set(names)) == len(names) and RANDOM in names,
            f"rivals must have different names, {RANDOM} among them, not {', '.join(names)}.",
        )
        seen = [name for name in self.held_out if name in self.search.problem]
        require(
            not seen and len(set(self.held_out)) == len(self.held_out),
            "held_out must be different problems that the searches do not see, not "
            f"{', '.join(self.held_out)}; the searches see {', '.join(self.search.problem)}.",
        )
        require(
            not self.search.training.one_rate,
            "The rules of this experiment are tuned for each problem; leave search.training.one_rate out.",
        )
        budget = self.search.budget or 0
        require(
            all(a < b for a, b in itertools.pairwise((0, *self.positions, budget + 1))),
            "positions must be numbers of trained rules that rise, up to the searches' budget of "
            f"{budget:,}, not {', '.join(map(str, self.positions))}.",
        )
        unknown = [name for name in self.picked if name not in names]
        require(not unknown, f"picked must be of {', '.join(names)}; {unknown} are not.")


def compare_strategies(work: Work) -> Findings:
    """Searches by every rival from every seed, and compares what they found."""
    settings: Settings = work.settings
    first = range(work.seed + 1, work.seed + 1 + settings.seeds)
    further = range(first.stop, first.stop + settings.further)
    everybody = [rival.name for rival in settings.rivals]
    runs = _searched(work, settings, first, everybody, settings.positions)
    again = _searched(work, settings, further, [RANDOM, *settings.picked])
    positions = np.linspace(0, settings.search.budget or 0, _POSITIONS + 1)[1:]  # [M]
    steps = np.linspace(0, _common_steps(runs), _POSITIONS + 1)[1:]
    rows, more = _rows(runs), _rows(again)
    tables = {"strategies": _table(rows, settings, first)}
    if more:
        tables["further"] = _table(more, settings, further)
    if len(rows) > 2:
        tables["pairs"] = _pair_table(rows, first)
    if len(_names(settings)) > 1:
        tables["problems"] = _problem_table(runs, settings, first)
    spent = by_compute(runs, settings.positions) if settings.positions else Findings()
    return Findings(
        claims=[*_claims(rows, first), *_claims(more, further), *spent.claims],
        tables={**tables, **spent.tables},
        charts=[
            Chart("rules", _drawing(runs, "trained", positions, "rules trained"), _RULES),
            Chart("steps", _drawing(runs, "steps", steps, "optimizer steps"), _STEPS),
            *spent.charts,
        ],
        numbers={
            "first": {row["strategy"]: row for row in rows},
            "further": {row["strategy"]: row for row in more},
            **spent.numbers,
        },
    )


_BANDS = "IQM over searches with its 95 % bootstrap interval. Reward: minus the log of the loss over tuned Adam's."
_RULES = (
    "Left: reward of the best rule so far. Right: mean reward of the rules that a generation trained. Both at equal "
    f"numbers of distinct rules trained. {_BANDS}"
)
_STEPS = f"The same at equal compute: optimizer steps executed, of all trainings together. {_BANDS}"


def _searched(
    work: Work,
    settings: Settings,
    seeds: range,
    names: Sequence[str],
    positions: Sequence[int] = (),
) -> dict[str, list[Log]]:
    """Returns for each of these rivals the logs of its searches, one for each seed, with what led it at positions."""
    chosen = [rival for rival in settings.rivals if rival.name in names]
    runs: dict[str, list[Log]] = {rival.name: [] for rival in chosen if len(seeds)}
    for seed in seeds:
        programs = _Programs(work, settings, seed)
        for rival in chosen:
            log = _one_search(work, rival, seed, programs)
            runs[rival.name].append(log | programs.leaders(rival, positions))
        programs.close()
    return runs


@dataclass
class _Programs:
    """The searches of one seed, and what they share, so that it is compiled once."""

    work: Work
    settings: Settings
    seed: int
    jobs: dict[bool, SearchJob] = field(default_factory=dict)  # by whether there is racing
    choice: HalvingPanel | None = None
    fresh: FreshJudges | None = None
    elsewhere: FreshJudges | None = None  # problems that the search does not see
    ended: dict[str, tuple[SearchJob, SearchState]] = field(default_factory=dict)  # by rival

    def end(self, rival: Rival) -> tuple[SearchJob, SearchState]:
        """Returns a search and how it ended, once it has."""
        if rival.name not in self.ended:
            config = rival.config(self.settings, self.seed)
            twin, place = self.jobs.get(config.racing), _place(rival, self.seed)
            self.ended[rival.name] = run_search(self.work, place, config, twin)
            self.jobs.setdefault(config.racing, self.ended[rival.name][0])
        return self.ended[rival.name]

    def leaders(self, rival: Rival, positions: Sequence[int]) -> Log:
        """Returns what leads a search at each position, and what it is worth; nothing without positions."""
        if not positions:
            return {}
        place = _place(rival, self.seed)
        return leaders(
            self.work,
            place,
            self.seed,
            positions,
            lambda: self.end(rival)[1],
            lambda: self.fresh_judges(self.end(rival)[0]),
        )

    def chosen(self, job: SearchJob, entries: Any) -> list[Ranked]:
        """Returns rules of an archive in the order of their choice, best first."""
        self.choice = self.choice or choice_panel(job.problems, job.grammar, job.config)
        return rank(entries, self.choice)

    def against_adam(self, job: SearchJob, rule: Ranked) -> dict[str, np.ndarray]:
        """Returns what a rule is worth beside Adam, which is tuned as it is, on fresh seeds.

        Returns:
          "fresh_scores": by fresh seed, the mean over judges, [report seeds]; "judge_scores": by judge, those of the
          search and then those it does not see, [J + H].
        """
        fresh = self.fresh_judges(job)
        here = fresh.less_adams(rule.tokens, rule.rates)
        by_judge = [here.by_judge[name] for name in fresh.panel.names]
        if self.settings.held_out:
            if self.elsewhere is None:
                problems = [load(name) for name in self.settings.held_out]
                self.elsewhere = FreshJudges(fresh_panel(job, problems, (1.0,), *self._seeds))
            there = self.elsewhere.less_adams(rule.tokens)
            by_judge += [there.by_judge[name] for name in self.elsewhere.panel.names]
        return {"fresh_scores": here.replicates[0], "judge_scores": np.concatenate(by_judge)}

    def fresh_judges(self, job: SearchJob) -> FreshJudges:
        """Returns the judges of a search on fresh seeds, and how Adam does there."""
        if self.fresh is None:
            references = job.programs.references
            self.fresh = FreshJudges(
                fresh_panel(job, job.problems, job.config.training.horizons, *self._seeds),
                lambda name: references[name].learning_rate,
            )
        return self.fresh

    @property
    def _seeds(self) -> tuple[int, int]:
        return self.settings.tuning_seeds, self.settings.report_seeds

    def close(self) -> None:
        """Frees threads and devices."""
        panels = [fresh.panel for fresh in (self.fresh, self.elsewhere) if fresh is not None]
        for panel in (self.choice, *panels):
            if panel is not None:
                panel.close()


def _place(rival: Rival, seed: int) -> str:
    """Returns the name of a search's directory and part."""
    return f"{rival.name.replace(', ', '-').replace(' ', '-')}-seed-{seed}"


def _one_search(work: Work, rival: Rival, seed: int, programs: _Programs) -> Log:
    """Returns the log of one search, and how the rule that it hands over does on fresh seeds."""
    place = _place(rival, seed)

    def measure() -> Mapping[str, Any]:
        work.say(f"{rival.name}, seed {seed}: {programs.settings.search.budget:,} rules")
        job, state = programs.end(rival)
        best = programs.chosen(job, state.archive.best(job.config.final.candidates))
        nothing = {"fresh_scores": np.array([np.nan]), "judge_scores": np.array([np.nan])}
        fresh = programs.against_adam(job, best[0]) if best else nothing
        rows = search_rows(work, place)
        names = ("trained", "steps", "best_reward", "mean_reward", "better_than_adam", "sampled")
        return {
            **{column_name: column(rows, column_name) for column_name in names},
            "choice_score": best[0].choice.choice_score if best else np.nan,
            **fresh,
            "rule": best[0].choice.rule if best else "",
        }

    return work.arrays(place, measure)


def _common_steps(runs: Mapping[str, Sequence[Log]]) -> float:
    """Returns the optimizer steps that every search has executed."""
    return min(float(run["steps"][-1]) for found in runs.values() for run in found)


def curves_at(runs: Sequence[Log], by: str, name: str, positions: np.ndarray) -> np.ndarray:
    """Returns a column of the logs at positions of another, the last value before each, [S, M]."""
    return np.stack([at_positions(positions, run[by], run[name]) for run in runs])


def _drawing(
    runs: Mapping[str, Sequence[Log]],
    by: str,
    positions: np.ndarray,
    x_label: str,
) -> Drawing:
    best = [
        search_curve(name, positions, curves_at(found, by, "best_reward", positions))
        for name, found in runs.items()
    ]
    edges = np.linspace(0, positions[-1], _WINDOWS + 1)
    mean = [
        search_curve(name, edges[1:], window_means(found, by, "mean_reward", edges))
        for name, found in runs.items()
    ]
    panels = {"best rule so far": best, "mean of the rules trained": mean}
    return curve_panels(panels, x_label, "reward", height=3.0)


def _rows(runs: Mapping[str, Sequence[Log]]) -> list[dict[str, Any]]:
    """Returns a row for each rival, none if there are no searches; equal steps are those that all executed."""
    if not runs:
        return []
    steps = _common_steps(runs)
    return [_row(name, found, runs[RANDOM], steps) for name, found in runs.items()]


def _row(name: str, runs: Sequence[Log], random: Sequence[Log], steps: float) -> dict[str, Any]:
    own = {key: np.array([run[key][-1] for run in runs]) for key in ("best_reward", "steps")}
    chosen, theirs = (
        np.array([float(r["choice_score"]) for r in found]) for found in (runs, random)
    )
    fresh, others = (
        np.array([r["fresh_scores"].mean() for r in found]) for found in (runs, random)
    )
    then = curves_at(runs, "steps", "best_reward", np.array([steps]))[:, 0]
    alone = name == RANDOM
    ahead = _ahead_after(runs, random)
    return {
        "strategy": name,
        "searches": len(runs),
        "best_reward": mean_interval(own["best_reward"]),
        "late_mean": mean_interval(np.array([_late_mean(run) for run in runs])),
        # who has not ended a generation by then has found nothing
        "best_at_equal_steps": mean_interval(np.nan_to_num(then, nan=FLOOR)),
        "choice_score": mean_interval(chosen),
        "choice_difference": None if alone else mean_interval(chosen - theirs),
        "fresh_score": mean_interval(fresh),
        "fresh_difference": None if alone else mean_interval(fresh - others),
        "better": int(sum(mean_interval(run["fresh_scores"]).low > 0 for run in runs)),
        # rules trained until a search is ahead of all that random search finds from its seed, None where it never is
        "ahead_after": [int(count) if np.isfinite(count) else None for count in ahead],
        "ahead_after_median": None if alone else float(np.median(ahead)),
        "sampled": float(np.mean([run["sampled"][-1] for run in runs])),
        "steps": float(np.mean(own["steps"])),
        "rules": [str(run["rule"]) for run in runs],
        "choice_scores": chosen.tolist(),
        "fresh_scores": fresh.tolist(),
    }


def _ahead_after(runs: Sequence[Log], random: Sequence[Log]) -> np.ndarray:
    """Returns the rules trained when each search is first ahead of another's end, inf if never, [S]."""
    counts = np.full(len(runs), np.inf)
    for place, (run, other) in enumerate(zip(runs, random, strict=True)):
        ahead = run["trained"][run["best_reward"] > other["best_reward"][-1]]
        if len(ahead):
            counts[place] = ahead[0]
    return counts


def _late_mean(run: Log) -> float:
    """Returns the mean reward of the rules trained in the last quarter of a search."""
    end = run["trained"][-1]
    return float(window_means([run], "trained", "mean_reward", np.array([_LATE * end, end]))[0, 0])


def _table(rows: Sequence[Mapping[str, Any]], settings: Settings, seeds: range) -> Table:
    columns = [
        Column("strategy", "rival"),
        Column("searches"),
        Column("best_reward", "best reward"),
        Column("choice_score", "choice score"),
        Column("choice_difference", "less random search's", better="higher"),
        Column("fresh_score", "score on fresh seeds"),
        Column("fresh_difference", "less random search's", better="higher"),
        Column("better", "clearly better than Adam"),
        Column("late_mean", "mean reward, last quarter", essential=False),
        Column("best_at_equal_steps", "best reward at equal steps", essential=False),
        Column("ahead_after_median", "rules to be ahead of random search's end", essential=False),
        Column("sampled", "rules proposed", essential=False),
        Column("steps", "optimizer steps", essential=False),
    ]
    notes = [
        f"Searches of {settings.search.budget or 0:,} rules from seeds {seeds[0]} to {seeds[-1]}; means over searches "
        "with their 95 % interval (Student's t), differences paired by seed. Scores are minus the log of the loss over "
        "Adam's: 0.1 is 10 % less loss. Choice score: of the rule that a search hands over, beside Adam, both tuned "
        f"to an eighth of a decade. On fresh seeds: tuned so once more, on {settings.tuning_seeds} seeds, run on "
        f"{settings.report_seeds} others. Clearly better: searches whose rule has an interval above 0 there.",
    ]
    title = f"Searches that train, {', '.join(settings.search.problem)}, seeds {seeds[0]} to {seeds[-1]}"
    shown = [{column.name: bounded(row[column.name]) for column in columns} for row in rows]
    return Table(title, columns, shown, notes)


def _pair_table(rows: Sequence[Mapping[str, Any]], seeds: range) -> Table:
    """Returns a row for each two rivals, random search left out, which the table of rivals is beside."""
    rivals = [row for row in rows if row["strategy"] != RANDOM]
    columns = [
        Column("strategy", "rival"),
        Column("less", "less"),
        Column("choice_difference", "choice score", better="higher"),
        Column("fresh_difference", "score on fresh seeds", better="higher"),
    ]
    shown = [
        {
            "strategy": one["strategy"],
            "less": other["strategy"],
            **{
                f"{stage}_difference": bounded(
                    mean_interval(np.subtract(one[f"{stage}_scores"], other[f"{stage}_scores"]))
                )
                for stage in ("choice", "fresh")
            },
        }
        for one, other in itertools.combinations(rivals, 2)
    ]
    notes = [
        f"What the first rival's rules are worth less the second's, paired by seed, {seeds[0]} to {seeds[-1]}, with "
        "95 % intervals (Student's t)."
    ]
    return Table("Rivals beside each other", columns, shown, notes)


def _names(settings: Settings) -> list[str]:
    """Returns the names of the judges on fresh seeds: the search's, then those it does not see, [J + H]."""
    own = itertools.product(settings.search.problem, settings.search.training.horizons)
    return [*(judge_name(*pair) for pair in own), *settings.held_out]


def _problem_table(runs: Mapping[str, Sequence[Log]], settings: Settings, seeds: range) -> Table:
    """Returns a row for each judge and rival: what the rules handed over are worth there."""
    names = _names(settings)
    own = len(names) - len(settings.held_out)
    scores = {
        name: np.stack([run["judge_scores"] for run in found]) for name, found in runs.items()
    }
    rows = [
        {
            "problem": names[place],
            "seen": "yes" if place < own else "no",
            "strategy": rival,
            "score": bounded(mean_interval(found[:, place])),
            "difference": None
            if rival == RANDOM
            else bounded(mean_interval(found[:, place] - scores[RANDOM][:, place])),
            "ahead": int(np.sum(found[:, place] > 0)),
        }
        for place in range(len(names))
        for rival, found in scores.items()
    ]
    columns = [
        Column("problem"),
        Column("seen", "seen by the searches"),
        Column("strategy", "rival"),
        Column("score", "score on fresh seeds"),
        Column("difference", "less random search's", better="higher"),
        Column("ahead", "rules ahead of Adam"),
    ]
    notes = [
        f"The rules handed over from seeds {seeds[0]} to {seeds[-1]}, problem by problem; scores are not capped here. "
        "Rule and Adam are tuned to an eighth of a decade there; where the searches did not see the problem, over "
        "decades first.",
    ]
    return Table("The same by problem", columns, rows, notes)


def _claims(rows: Sequence[Mapping[str, Any]], seeds: range) -> list[str]:
    return [
        f"{row['strategy']}, seeds {seeds[0]} to {seeds[-1]}: {_word(row['fresh_difference'])} random search, "
        f"difference of its rules on fresh seeds {signed(row['fresh_difference'])}; score over tuned Adam "
        f"{signed(row['fresh_score'])}, clearly better than it in {row['better']} of {row['searches']} searches."
        for row in rows
        if row["fresh_difference"] is not None
    ]


def _word(difference: Mean) -> str:
    if difference.low <= 0 <= difference.high:
        return "no clear difference to"
    return "better than" if difference.low > 0 else "worse than"
