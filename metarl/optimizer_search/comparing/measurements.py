"""measurements: what a comparison measured on one problem, as arrays and nothing else, and the file that holds them.

All scores and tables are computed from these records, so a table can be made anew without training anything, and a
reader can check it from the arrays.

Letters: R learning rates, D schedules, W weight decays, Q tuning seeds, T the first of them, J finer points, K points
of the report, S report seeds, C points of a curve, H horizons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metarl.errors import InvalidInput
from metarl.runs import load_checkpoint, save_checkpoint

from .settings_of_runs import Points, Setting


class Choices(NamedTuple):
    """The points of a tuning that the report ran, the chosen one first."""

    settings: tuple[Setting, ...]  # [K]
    tuning: np.ndarray  # [K, Q] final losses on "search" splits; Q is 0 where nothing was tuned
    losses: np.ndarray  # [K, S] final test losses
    other_seeds: bool = False  # whether it was tuned on other seeds than the rest


class Record(NamedTuple):
    """One entrant on one problem."""

    setting: Setting
    tuning: (
        np.ndarray
    )  # [R, D, W, T] final losses on "search" splits; R is 0 where nothing was tuned
    losses: np.ndarray  # [S, C] test losses, +inf once diverged
    metrics: np.ndarray  # [S, C] test metrics, NaN where there is none
    seconds_per_step: float
    state_bytes_per_parameter: float
    compile_seconds: float | None = None
    rate_scale: float = 1.0  # its learning rates are the grid's times this
    finer: Points = Points(
        (), np.zeros((0, 0))
    )  # on all tuning seeds; none where nothing was tuned
    choices: Choices | None = None  # None: the setting alone
    extras: tuple[
        Mapping[str, float], ...
    ] = ()  # what settings' places among extra settings mean, from 1

    def extra_of(self, setting: Setting) -> dict[str, float]:
        """Returns what a setting changes of the optimizer's own, by name."""
        return dict(self.extras[setting.extra - 1]) if setting.extra else {}


class AdamRuns(NamedTuple):
    """Tuned Adam in runs of other lengths: what a number of its steps is worth."""

    horizons: np.ndarray  # [H] multiples of the comparison's steps
    losses: np.ndarray  # [S, H] final test losses on the report's seeds


class Measured(NamedTuple):
    """Everything measured on one problem."""

    problem: str
    family: str
    metric: str | None
    chance: float
    steps: int
    points: np.ndarray  # [C] optimizer steps at which curves are measured
    learning_rates: np.ndarray  # [R]
    schedules: tuple[str, ...]
    weight_decays: tuple[float, ...]
    tuning_seeds: np.ndarray  # [Q]
    report_seeds: np.ndarray  # [S]
    on_edge: tuple[str, ...]  # entrants whose best rate is still on the widened grid's edge
    references: tuple[str, ...]  # labels of standard optimizers
    records: Mapping[str, Record]
    adam: AdamRuns | None = None
    other_seeds: np.ndarray = np.zeros(0, int)  # [Q] of who is tuned on other seeds than the rest

    def seeds_of(self, label: str) -> np.ndarray:
        """Returns the seeds that an entrant was tuned on, [Q]."""
        choices = self.records[label].choices
        return self.other_seeds if choices and choices.other_seeds else self.tuning_seeds


_ARRAYS = ("points", "learning_rates", "tuning_seeds", "report_seeds", "other_seeds")
_OF_RECORD = ("tuning", "losses", "metrics")


def save(path: Path, measured: Measured) -> None:
    """Writes one problem's measurements, whole or not at all."""
    arrays = {name: np.asarray(getattr(measured, name)) for name in _ARRAYS}
    records = []
    for place, (label, record) in enumerate(measured.records.items()):
        own = {name: getattr(record, name) for name in _OF_RECORD}
        own["finer"] = record.finer.losses
        plain = {k: v for k, v in record._asdict().items() if k not in (*own, "choices")}
        row = {"label": label, **plain, "setting": list(record.setting)}
        row["finer"] = list(map(list, record.finer.settings))
        if record.choices is not None:
            own |= {"choices": record.choices.tuning, "choices|losses": record.choices.losses}
            row["choices"] = list(map(list, record.choices.settings))
            row["other_seeds"] = record.choices.other_seeds
        arrays |= {f"{place}|{name}": values for name, values in own.items()}
        records.append(row)
    if measured.adam is not None:
        arrays |= {f"adam|{name}": value for name, value in measured.adam._asdict().items()}
    left = {*_ARRAYS, "records", "adam"}
    plain = {name: value for name, value in measured._asdict().items() if name not in left}
    save_checkpoint(path, arrays, {**plain, "records": records})


def load(path: Path) -> Measured:
    """Returns what `save` wrote.

    Raises:
      InvalidInput: the file is damaged.
    """
    arrays, meta = load_checkpoint(path)
    try:
        return _restored(arrays, meta)
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"{str(path)!r} holds other measurements ({type(error).__name__}: {error}). Remove it to "
            "have them measured again."
        ) from error


def _restored(arrays: Mapping[str, np.ndarray], meta: dict[str, Any]) -> Measured:
    records = {}
    for place, row in enumerate(meta.pop("records")):
        label = row.pop("label")
        records[label] = _record(row, place, arrays)
    adam = None
    if "adam|horizons" in arrays:
        adam = AdamRuns(arrays["adam|horizons"], arrays["adam|losses"])
    tuples: dict[str, Any] = {
        name: tuple(meta.pop(name))
        for name in ("schedules", "weight_decays", "on_edge", "references")
    }
    own: dict[str, Any] = {name: arrays[name] for name in _ARRAYS}
    return Measured(**meta, **tuples, **own, records=records, adam=adam)


def _record(row: dict[str, Any], place: int, arrays: Mapping[str, np.ndarray]) -> Record:
    mine = {name: arrays[f"{place}|{name}"] for name in _OF_RECORD}
    finer = Points(_settings(row.pop("finer")), arrays[f"{place}|finer"])
    choices, other_seeds = row.pop("choices", None), row.pop("other_seeds", False)
    if choices is not None:
        own = arrays[f"{place}|choices"], arrays[f"{place}|choices|losses"]
        choices = Choices(_settings(choices), *own, other_seeds)
    setting, extras = Setting(*row.pop("setting")), tuple(row.pop("extras"))
    return Record(setting=setting, **mine, **row, finer=finer, choices=choices, extras=extras)


def _settings(rows: Sequence[Sequence[Any]]) -> tuple[Setting, ...]:
    return tuple(Setting(*row) for row in rows)
