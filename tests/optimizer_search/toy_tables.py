"""A small table: the functions of `sign` up to three nodes, by the toy problem at two horizons, on six replicates."""

from __future__ import annotations

from metarl.optimizer_search import TableConfig

TOY = TableConfig(
    "sign", 1, max_size=3, judges=("toy_problem:logistic", "toy_problem:logistic x2"), replicates=6
)
