"""Metrics of a chunk of updates: their means, for the log and for the progress display."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np


def mean_metrics(metrics: Mapping[str, jax.Array], count: int) -> dict[str, Any]:
    """Returns the means over the first `count` updates and all seeds, as JSON can hold them."""
    host = {name: np.asarray(values)[:count] for name, values in metrics.items()}
    blocks = host.pop("episode_returns", None)
    means: dict[str, Any] = {name: float(np.mean(values)) for name, values in host.items()}
    if blocks is not None:
        means["episode_returns"] = blocks.reshape(-1, blocks.shape[-1]).mean(axis=0).tolist()
    return means


def describe(metrics: Mapping[str, Any]) -> str:
    """Returns what the progress display says of a chunk."""
    names = {
        "return": "return",
        "validation_return": "validation",
        "agreement": "agreement",
        "kl": "KL",
        "entropy": "entropy",
        "explained_variance": "explained variance",
    }
    parts = [f"{word} {metrics[name]:.3g}" for name, word in names.items() if name in metrics]
    return f"{metrics['phase']}: " + ", ".join(parts)
