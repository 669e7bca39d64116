"""reproducing: from the name of an experiment to its tables and figures.

Settings are data: `experiments/FOLDER/settings.json` has an object for each scale, and one named `every` for what all
scales share. They stand in the run's configuration, so a directory that was begun with others is refused rather than
mixed; all but those of `Settings.MAY_CHANGE`, where there is one: they only say what is measured beside the rest.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metarl import problems
from metarl.errors import unknown_name
from metarl.reading import MOST_SETTINGS, read_json_object
from metarl.reporting import to_markdown, write_csv, write_file, write_json
from metarl.runs import (
    Progress,
    ScaleName,
    begin_or_go_on,
    experiment_folder,
    progress_on_stderr,
    saying_how_to_go_on,
)

from ..reports.chart import Chart
from ..settings.config import from_dict, to_dict
from .experiments import EXPERIMENTS, Experiment
from .work import Findings, Work

_SEED = "seed"


def reproduce(
    name: str,
    scale: ScaleName = "laptop",
    run_dir: str | Path | None = None,
    *,
    command: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Reproduces a table or a figure, or goes on with it.

    Args:
      name: of the experiment.
      scale: "smoke", "laptop" or "paper".
      run_dir: `runs/FOLDER-SCALE` if None.
      command: the command line to record.
      progress: where progress is shown; standard error if None.

    Returns:
      "experiment", "scale", "run_dir", "claims", "tables" by file name, "numbers", "captions" by file name, and the
      "files" that were written.

    Raises:
      InvalidInput: an unknown name or scale, settings that cannot be used, another run in that directory, data that
        are not there, or no checkout.
      KeyboardInterrupt: a signal came; the same command goes on.
    """
    if name not in EXPERIMENTS:
        raise unknown_name("experiment", name, EXPERIMENTS)
    experiment = EXPERIMENTS[name]
    folder = experiment_folder(experiment.folder)
    settings, seed = read_settings(experiment, scale)
    _require_data(settings)
    fixed, free = _plain(settings)
    config = {"experiment": name, "scale": scale, _SEED: seed, "settings": fixed}
    progress = progress or progress_on_stderr()
    place = run_dir or experiment.run_dir(scale)
    run = begin_or_go_on(place, config, command, progress.message, free or None)
    with run.lock(), saying_how_to_go_on(progress):
        findings = _function(experiment)(Work(settings, run, folder, seed, progress))
        files = _write(run.path, name, findings)
        document = {
            "experiment": name,
            "scale": scale,
            "run_dir": str(run.path),
            "claims": list(findings.claims),
            "tables": dict(findings.tables),
            "numbers": dict(findings.numbers),
            "captions": {chart.name: chart.caption for chart in findings.charts},
            "files": [str(path) for path in files],
        }
        write_json(experiment.document_in(run.path), _without_places(document))
    return document


def read_settings(experiment: Experiment, scale: str) -> tuple[Any, int]:
    """Returns an experiment's settings at a scale, and its seed.

    Raises:
      InvalidInput: there is no such scale, a setting is unknown or of the wrong type, or there is no checkout.
    """
    path = experiment_folder(experiment.folder) / "settings.json"
    scales = read_json_object(path, MOST_SETTINGS)
    every = scales.pop("every", {})
    if scale not in scales:
        raise unknown_name("scale", scale, scales)
    values = {**every, **scales[scale]}
    seed = values.pop(_SEED, 0)
    module = importlib.import_module(f".{experiment.module}", __package__)
    return from_dict(module.Settings, values, str(path)), seed


def _require_data(settings: Any) -> None:
    """Reads the data that lie outside metarl, before anything is written.

    Raises:
      InvalidInput: they are not there; says where to get them.
    """
    protocol, search = getattr(settings, "protocol", None), getattr(settings, "search", None)
    wanted = (*(protocol.problems if protocol else ()), *(search.problem if search else ()))
    outside = {card.name for card in problems.cards() if card.needs_data}
    for name in outside & set(wanted):
        problems.load(name).examples("test")


def _function(experiment: Experiment) -> Any:
    module = importlib.import_module(f".{experiment.module}", __package__)
    return getattr(module, experiment.function)


def _plain(settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns settings as they come back from JSON, to be compared with what a run was begun with; which may change."""
    fixed = json.loads(json.dumps(to_dict(settings)))
    return fixed, {name: fixed.pop(name) for name in getattr(settings, "MAY_CHANGE", ())}


def _write(place: Path, name: str, findings: Findings) -> list[Path]:
    """Writes tables and drawings, and one page of text that holds them together."""
    files = [write_csv(place / f"{stem}.csv", table) for stem, table in findings.tables.items()]
    for chart in findings.charts:
        files.append(chart.drawing.write_png(place / f"{chart.name}.png"))
        files.append(chart.drawing.write_svg(place / f"{chart.name}.svg"))
    return [write_file(place / f"{name}.md", _markdown(name, findings)), *files]


def _markdown(name: str, findings: Findings) -> str:
    claims = "".join(f"- {claim}\n" for claim in findings.claims)
    tables = [to_markdown(table) for table in findings.tables.values()]
    figures = [_figure(chart) for chart in findings.charts]
    return "\n".join(part for part in (f"# {name}\n", claims, *figures, *tables) if part)


def _figure(chart: Chart) -> str:
    return f"![{chart.drawing.description}]({chart.name}.png)\n\n{chart.caption}\n"


def _without_places(document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a document that is the same wherever it was made."""
    files = [Path(path).name for path in document["files"]]
    return {**{k: v for k, v in document.items() if k != "run_dir"}, "files": files}
