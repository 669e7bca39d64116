"""A small table of the toy problem, built once: the functions of `sign` up to three nodes, on six replicates."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from toy_tables import TOY

from metarl.optimizer_search import begin_table, load_table, resume_table
from metarl.runs import SilentProgress


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The directory of the run."""
    run = begin_table(TOY, tmp_path_factory.mktemp("tables") / "run")
    resume_table(run.path, progress=SilentProgress())
    return run.path


@pytest.fixture(scope="session")
def toy_table(built):
    """The table that it built."""
    return load_table(built)


@pytest.fixture(scope="session")
def exact_table(built, toy_table):
    """The same with the losses before rounding."""
    judges = []
    for judge in toy_table.judges:
        exact = np.load(built / "losses" / f"{judge.name.replace(' ', '-')}.npz")
        losses = {split: exact[split] for split in ("search", "choice", "test")}
        judges.append(dataclasses.replace(judge, _losses=losses))
    return dataclasses.replace(toy_table, judges=tuple(judges))
