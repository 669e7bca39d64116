"""What a reproduction leaves: the document of what was measured, and the names of its files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metarl.reporting import write_json
from metarl.runs import RunDirectory

from .experiments import Experiment


def finish(
    experiment: Experiment,
    scale: str,
    run: RunDirectory,
    found: Mapping[str, Any],
    files: Sequence[Path],
    whole: bool = True,
) -> dict[str, Any]:
    """Returns the document of a reproduction, and writes it if it is done.

    Args:
      experiment: its card.
      scale: its scale.
      run: where it lies.
      found: "tables" or "cells".
      files: that were written.
      whole: whether nothing was left out, so that the experiment is done.
    """
    document = {
        "experiment": experiment.name,
        "scale": scale,
        "run_dir": str(run.path),
        **found,
        "files": [str(path) for path in files],
    }
    if whole:
        write_json(experiment.document_in(run.path), document)
    return document


def slug(text: str) -> str:
    """Returns a text as part of a file's name: "RL², warm start" is "rl2-warm-start"."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower().replace("²", "2")).strip("-")
