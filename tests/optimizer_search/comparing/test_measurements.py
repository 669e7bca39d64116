"""Measurements on disk: what is something else is refused in words."""

from __future__ import annotations

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.comparing.measurements import load
from metarl.runs import save_checkpoint


@pytest.mark.parametrize(
    "meta", [{}, [], None, {"records": 1}, {"records": [{}]}, {"records": [[1]]}, {"records": []}]
)
def test_a_file_of_something_else_is_refused(tmp_path, meta):
    path = tmp_path / "digits-mlp.checkpoint"
    save_checkpoint(path, {"points": np.arange(3)}, meta)
    with pytest.raises(InvalidInput, match=r"holds other measurements .*measured again"):
        load(path)
