"""measurements: what a comparison measured on one problem, as arrays and nothing else, and the file that holds them.

All scores and tables are computed from these records, so a table can be made anew without training anything, and a
reader can check it from the arrays.

Letters: R learning rates, D schedules, W weight decays, Q tuning seeds, S report seeds, C points of a curve, H
horizons.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metarl.errors import InvalidInput
from metarl.runs import load_checkpoint, save_checkpoint

from .settings_of_runs import Setting


class Record(NamedTuple):
    """One entrant on one problem."""

    setting: Setting
    tuning: (
        np.ndarray
    )  # [R, D, W, Q] final losses on "search" splits; R is 0 where nothing was tuned
    losses: np.ndarray  # [S, C] test losses, +inf once diverged
    metrics: np.ndarray  # [S, C] test metrics, NaN where there is none
    seconds_per_step: float
    state_bytes_per_parameter: float
    compile_seconds: float | None = None
    rate_scale: float = 1.0  # its learning rates are the grid's times this


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


_ARRAYS = ("points", "learning_rates", "tuning_seeds", "report_seeds")
_OF_RECORD = ("tuning", "losses", "metrics")


def save(path: Path, measured: Measured) -> None:
    """Writes one problem's measurements, whole or not at all."""
    arrays = {name: np.asarray(getattr(measured, name)) for name in _ARRAYS}
    records = []
    for place, (label, record) in enumerate(measured.records.items()):
        arrays |= {f"{place}|{name}": getattr(record, name) for name in _OF_RECORD}
        plain = {k: v for k, v in record._asdict().items() if k not in _OF_RECORD}
        records.append({"label": label, **plain, "setting": list(record.setting)})
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
        label, setting = row.pop("label"), Setting(*row.pop("setting"))
        mine = {name: arrays[f"{place}|{name}"] for name in _OF_RECORD}
        records[label] = Record(setting=setting, **mine, **row)
    adam = None
    if "adam|horizons" in arrays:
        adam = AdamRuns(arrays["adam|horizons"], arrays["adam|losses"])
    tuples: dict[str, Any] = {
        name: tuple(meta.pop(name))
        for name in ("schedules", "weight_decays", "on_edge", "references")
    }
    own: dict[str, Any] = {name: arrays[name] for name in _ARRAYS}
    return Measured(**meta, **tuples, **own, records=records, adam=adam)
