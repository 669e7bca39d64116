"""A small table: the functions of `sign` up to three nodes, by the toy problem at two horizons, on six replicates."""

from __future__ import annotations

import json

import numpy as np

from metarl.optimizer_search import TableConfig
from metarl.optimizer_search.tables.packing import content_hash
from metarl.runs import SilentProgress

TOY = TableConfig(
    "sign", 1, max_size=3, judges=("toy_problem:logistic", "toy_problem:logistic x2"), replicates=6
)


class Stopping(SilentProgress):
    """Interrupts a run behind its first rules of the second judge."""

    def report(self, position, total, text="", seconds_left=None):
        if position > (total or 0) // 2:
            raise KeyboardInterrupt


def contents(path):
    """What a file of a table holds, but for its provenance."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    document = json.loads(str(arrays.pop("document")))
    for name in ("provenance", "sha256"):
        del document[name]
    return content_hash(document, arrays)
