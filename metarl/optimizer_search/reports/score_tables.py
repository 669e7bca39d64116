"""score_tables: all problems together as tables: who won, where, by how much, and how sure that is.

Losses stand relative to Adam's: below 1 is better than Adam.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metarl.reporting import Column, Table, counted, interval_text
from metarl.statistics import Interval, interval_from_json, number_from_json

from ..comparing.diagnostics import diagnostics_table
from ..comparing.entrants import BASELINE
from ..comparing.measurements import Record
from ..comparing.problem_results import ProblemResult
from ..comparing.settings_of_runs import Setting
from ..comparing.standard import NULL_RIVALS, STANDARD
from ..comparing.tables import INTERVALS, extra_text
from ..comparing.tuning import FINER_POINTS

_SOUND_SPEED_UP = 4  # the protocol whose speed-ups are those of a fit
_TUNING_NOISE = 5  # the first protocol with finer points and the noise of tuning in intervals
_SPEED_UP_NOISE = 7  # the first whose speed-ups have it in theirs too
_SCHEDULE_TEXTS = {
    "constant": "constant",
    "warm-up": "constant after a warm-up of 5 %",
    "linear": "linear from a warm-up of 5 % to zero",
    "cosine": "a cosine from a warm-up of 5 % to zero",
    "linear-cosine": "the linear cosine of Bello et al.",
}
_SHOWN = 3  # optimizers that get a column in the table by problem; a narrow terminal shows one
_COSTS = (
    *("state_bytes_per_parameter", "step_time_relative_to_adam"),
    *("compile_seconds", "rules_trained"),
)
_SCORE_COLUMNS = (
    Column("optimizer"),
    Column("relative_loss", "loss, Adam = 1", better="lower", neutral=1.0),
    Column("problems_redrawn", "the same, problems drawn anew too", essential=False),
    Column("speed_up", "speed-up over Adam"),
    Column("wins", "won"),
    Column("losses", "lost"),
    Column("unclear"),
    Column("diverged", "runs diverged, %", essential=False),
    Column("state_bytes_per_parameter", "state, bytes/parameter", essential=False),
    Column("step_time_relative_to_adam", "time/step, Adam = 1", essential=False),
    Column("compile_seconds", "compiles in, s", essential=False),
    Column("rules_trained", "rules trained to find it", essential=False),
)


def score_table(document: Mapping[str, Any], highlighted: Sequence[str] = ()) -> Table:
    """Returns one row per optimizer over all problems, best first.

    Args:
      document: of a comparison, see `compare_job`.
      highlighted: labels to point out.
    """
    protocol, scores = document["protocol"], document["scores"]
    rows = [
        {
            "optimizer": label,
            "relative_loss": interval_from_json(score["relative_loss"]),
            "problems_redrawn": interval_from_json(score.get("problems_redrawn")),
            "speed_up": interval_from_json(score["speed_up"], "geometric_mean"),
            **{name: len(score[name]) for name in ("wins", "losses", "unclear")},
            "diverged": 100 * score["diverged"],
            **{name: score[name] for name in _COSTS},
        }
        for label, score in scores.items()
    ]
    problems, labels = len(document["details"]), list(scores)
    title = f"{counted(problems, 'problem')}, track {protocol['track']}"
    return Table(
        f"{title}, protocol {protocol['version']}",
        _SCORE_COLUMNS,
        rows,
        _notes(document),
        [labels.index(label) for label in highlighted if label in labels],
    )


def by_problem_table(document: Mapping[str, Any], shown: Sequence[str] = ()) -> Table:
    """Returns one row per problem: the best optimizer there, and how some others did.

    Args:
      document: of a comparison.
      shown: labels that get a column, the three with the best scores of them.
    """
    best_first = [label for label in document["scores"] if label in shown and label != BASELINE]
    labels = best_first[:_SHOWN]
    columns = [
        Column("problem"),
        Column("role", essential=False),
        Column("adam", "Adam's loss", essential=False),
        Column("best", "lowest loss"),
        Column(
            "best_loss", "its loss, Adam = 1", better="lower", neutral=1.0, essential=not labels
        ),
        *(
            Column(
                f"of {label}",
                f"{label}, Adam = 1",
                better="lower",
                neutral=1.0,
                essential=label == labels[0],
            )
            for label in labels
        ),
    ]
    rows = []
    for name, compared in document["details"].items():
        entries = compared["entries"]
        best = min(entries, key=lambda label: number_from_json(entries[label]["final_loss"]["iqm"]))
        row = {
            "problem": name,
            "role": document["roles"][name],
            "adam": number_from_json(entries[BASELINE]["final_loss"]["iqm"]),
            "best": best,
            "best_loss": interval_from_json(entries[best]["relative_loss"]),
        }
        own = {
            f"of {label}": interval_from_json(entries[label]["relative_loss"]) for label in labels
        }
        rows.append(row | own)
    note = f"Adam = 1: loss relative to Adam's on the same seed, IQM of logarithms. {INTERVALS}"
    return Table("By problem", columns, rows, [note])


def comparison_sentences(document: Mapping[str, Any]) -> list[str]:
    """Returns what the comparison says of each optimizer that was asked about, and what Adam beside Adam warns of."""
    first, scores = next(iter(document["problems"].values())), document["scores"]
    return [*(_sentence(label, scores[label]) for label in first), *_warning(document)]


def compared_tables(document: Mapping[str, Any]) -> list[Table]:
    """Returns the tables over all problems: diagnostics if there are any, problem by problem, scores."""
    asked = list(next(iter(document["problems"].values())))
    tables = [by_problem_table(document, asked), score_table(document, asked)]
    if document["diagnostics"]:
        tables.insert(0, diagnostics_table(document["diagnostics"], asked))
    return tables


def _sentence(label: str, score: Mapping[str, Any]) -> str:
    ratio, speed = (
        interval_from_json(score["relative_loss"]),
        interval_from_json(score["speed_up"], "geometric_mean"),
    )
    assert ratio is not None
    verdict = "not clearly different from"
    if ratio.excludes(1.0):
        verdict = "better than" if ratio.estimate < 1 else "worse than"
    won, lost, unclear = (len(score[name]) for name in ("wins", "losses", "unclear"))
    count = won + lost + unclear
    worth = "" if speed is None else f"; a step is worth {_in_words(speed)} of tuned Adam's"
    return (
        f"{label}: over {counted(count, 'problem')} {verdict} Adam; {_in_words(ratio)} times its loss{worth}. "
        f"Better on {won}, worse on {lost}, unclear on {unclear}."
    )


def _warning(document: Mapping[str, Any]) -> list[str]:
    """Returns how large the noise of tuning is, where a null rival reads as somebody else than Adam."""
    scores, version = document["scores"], document["protocol"]["version"]
    readings, is_fast = [], False
    for label in (name for name in NULL_RIVALS if name in scores):
        ratio = interval_from_json(scores[label]["relative_loss"])
        speed = interval_from_json(scores[label]["speed_up"], "geometric_mean")
        read = [] if ratio is None or not ratio.excludes(1.0) else [f"a loss of {_in_words(ratio)}"]
        if speed is not None and speed.excludes(1.0):
            read, is_fast = [*read, f"a speed-up of {_in_words(speed)}"], True
        if read:
            readings.append(f"{label}, which is Adam, reads {' and '.join(read)} to Adam's 1")
    if not readings:
        return []
    is_bare = is_fast and version < _SPEED_UP_NOISE
    held = " Intervals of speed-ups do not hold that noise." if is_bare else ""
    return [f"{'; '.join(readings)}: read differences of this size as noise of tuning.{held}"]


def _in_words(found: Interval) -> str:
    return " ".join(interval_text(found))


def raw_table(problems: Mapping[str, ProblemResult]) -> Table:
    """Returns one row per run: optimizer x problem x seed x setting, tuning and report."""
    names = (
        *("problem", "optimizer", "stage", "seed", "learning_rate", "schedule", "weight_decay"),
        *("extra", "steps", "loss", "metric"),
    )
    rows = [
        dict(zip(names, row, strict=True))
        for name, result in problems.items()
        for label in result.entries
        for row in _runs(name, label, result)
    ]
    return Table("runs", [Column(name) for name in names], rows)


def _runs(name: str, label: str, result: ProblemResult) -> list[tuple]:
    measured = result.measured
    record = measured.records[label]
    rates, seeds = measured.learning_rates * record.rate_scale, measured.seeds_of(label)
    grid = [
        (Setting(float(rate), schedule, decay), losses)
        for rate, by_rate in zip(rates, record.tuning, strict=True)
        for schedule, by_schedule in zip(measured.schedules, by_rate, strict=True)
        for decay, losses in zip(measured.weight_decays, by_schedule, strict=True)
    ]
    tuning = [
        (name, label, "tuning", int(seed), *_cells(record, setting), measured.steps, loss, None)
        for setting, losses in [
            *grid,
            *zip(record.finer.settings, record.finer.losses, strict=True),
        ]
        for seed, loss in zip(seeds, losses.tolist(), strict=False)
    ]
    metrics, setting = record.metrics[:, -1].tolist(), _cells(record, record.setting)
    report = [
        (name, label, "report", int(seed), *setting, measured.steps, loss, metric)
        for seed, loss, metric in zip(
            measured.report_seeds, record.losses[:, -1].tolist(), metrics, strict=True
        )
    ]
    return [*tuning, *(row if measured.metric else (*row[:-1], None) for row in report)]


def _cells(record: Record, setting: Setting) -> tuple[Any, ...]:
    return (*setting[:3], extra_text(record.extra_of(setting)))


def _notes(document: Mapping[str, Any]) -> list[str]:
    protocol = document["protocol"]
    return [
        _tuning(protocol),
        *_schedule(protocol, document["scores"]),
        "Adam = 1: loss over Adam's on the same seed, clipped to a factor of ten, ten for a diverged run; IQM of "
        "logarithms over seeds, then over problems.",
        *_speed(protocol, document["details"]),
        *_null_rivals(protocol, document["scores"]),
        *_tuning_noise(protocol),
        *_by_roles(protocol),
        "Won, lost: problems on which the 95 % interval of that ratio, IQM of logarithms over seeds, excludes 1. "
        f"{INTERVALS} Seeds are drawn anew within each problem; where problems are too, the interval speaks of others "
        "like these, and takes eight of them.",
    ]


def _tuning(protocol: Mapping[str, Any]) -> str:
    if protocol["track"] == "default":
        return (
            "Nobody is tuned on these problems, Adam neither: each has one learning rate for all, a multiple of 1e-3 "
            "found on the search problems."
        )
    if protocol["track"] == "one-rate":
        return (
            "Adam's learning rate is tuned on each problem; the others run at one multiple of it for all problems, "
            "found on the search problems."
        )
    axes = ["learning rates"]
    if len(protocol["schedules"]) > 1:
        axes.append(f"schedules ({', '.join(protocol['schedules'])})")
    if len(protocol["weight_decays"]) > 1:
        axes.append(f"weight decays ({', '.join(f'{x:g}' for x in protocol['weight_decays'])})")
    seeds = protocol["tuning_seeds"]
    text = f"Everybody is tuned on each problem: the same {' x '.join(axes)}, "
    if protocol["version"] < _TUNING_NOISE:
        return f"{text}{counted(seeds, 'seed')} each."
    half = counted((seeds + 1) // 2, "seed")
    return f"{text}{half} each; then {_finer(protocol)}, {counted(seeds, 'seed')} each."


def _finer(protocol: Mapping[str, Any]) -> str:
    extra = protocol.get("extra_points", 0)
    text = f"{FINER_POINTS} finer rates around the best"
    if not extra:
        return text
    return f"{text} and {extra} extra settings (b2, momentum, weight decay ...) at three rates, or as many more rates"


def _schedule(protocol: Mapping[str, Any], scores: Mapping[str, Any]) -> list[str]:
    """Returns what is said of a schedule that everybody has, and of who has it not."""
    names = protocol["schedules"]
    texts = []
    if len(names) == 1:
        texts.append(f"Learning rates are {_SCHEDULE_TEXTS.get(names[0], names[0])}.")
    exempt = [x for x in scores if x in STANDARD and STANDARD[x].has_schedule]
    if exempt and {*names} - {"constant", "warm-up"}:
        texts.append(
            f"{', '.join(exempt)} averages weights in place of a falling rate, and keeps its rate after the warm-up."
        )
    return [" ".join(texts)] if texts else []


def _null_rivals(protocol: Mapping[str, Any], scores: Mapping[str, Any]) -> list[str]:
    """Returns what Adam, tuned once more, has won and lost, and what that is."""
    found = [name for name in NULL_RIVALS if name in scores]
    if not found:
        return []
    counts = [
        f"{name} has won {len(scores[name]['wins'])} and lost {len(scores[name]['losses'])}"
        for name in found
    ]
    verb = "is" if len(found) == 1 else "are"
    text = f"{' and '.join(found)} {verb} Adam, tuned once more: that {', '.join(counts)} is"
    if protocol["version"] < _TUNING_NOISE:
        return [f"{text} the noise of tuning, which no interval here holds."]
    return [f"{text} what the intervals let through; some 1 in 20 are expected."]


def _tuning_noise(protocol: Mapping[str, Any]) -> list[str]:
    if protocol["version"] < _TUNING_NOISE or protocol["track"] == "default":
        return []
    what, rest = "Ratios", "; those of speed-ups do not"
    if protocol["version"] >= _SPEED_UP_NOISE:
        what, rest = "Ratios and speed-ups", ""
    return [
        f"{what} are averaged over the settings that tuning takes where its seeds are drawn anew, and their intervals "
        f"hold what is uncertain in that{rest}."
    ]


def _by_roles(protocol: Mapping[str, Any]) -> list[str]:
    if "roles" not in protocol.get("tensor_functions", ()):
        return []
    return [
        'Rules "by roles": ortho, rownorm and colnorm act on what Muon and SOAP act on, matrices and convolutions, and '
        "are rms elsewhere; in other rules they act on all of two axes or more."
    ]


def _speed(protocol: Mapping[str, Any], details: Mapping[str, Any]) -> list[str]:
    horizons = protocol["horizons"]
    if not horizons:
        return []
    if protocol["version"] < _SOUND_SPEED_UP:
        return [
            "Speed-up: the least steps in which tuned Adam, tuned anew for them, ends as low, over the steps taken; "
            f"geometric mean over problems, each between {min(horizons):g} and {max(horizons):g}. It reads too low, "
            "and Adam's own below 1, where runs are noisy or the loss does not fall with length."
        ]
    left_out = [
        name for name, found in details.items() if found["entries"][BASELINE]["speed_up"] is None
    ]
    problems = f"{len(details) - len(left_out)} of {counted(len(details), 'problem')}"
    missing = f"; left out: {', '.join(left_out)}" if left_out else ""
    return [
        "Speed-up: the steps in which Adam, tuned anew for them, ends as low, over the steps taken; geometric mean "
        f"over the {problems} on which Adam's loss falls with the length of the run, each between {min(horizons):g} "
        f"and {max(horizons):g}{missing}."
    ]
