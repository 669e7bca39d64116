from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.runs import MetricLog


@pytest.fixture
def log(tmp_path):
    log = MetricLog(tmp_path / "metrics.jsonl")
    for generation in (1, 2, 3):
        log.append({"generation": generation, "loss": 1 / generation})
    yield log
    log.close()


def test_rows_come_back_in_their_order(log):
    assert log.rows() == [{"generation": n, "loss": 1 / n} for n in (1, 2, 3)]
    assert MetricLog(log.path).rows() == log.rows(), "others can follow it"


def test_an_absent_log_has_no_rows(tmp_path):
    log = MetricLog(tmp_path / "none")
    log.truncate(after=5)
    assert log.rows() == [] and not log.path.exists()


def test_numbers_are_strict_json(log):
    log.append(
        {
            "generation": np.int32(4),
            "loss": np.float32("nan"),
            "range": (-np.inf, np.float32(0.5)),
            "rule": "clip(g, 1e-4)\n",
            "flag": np.bool_(True),
        }
    )
    last = log.path.read_text().splitlines()[-1]
    row = json.loads(last, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert row == {
        "generation": 4,
        "loss": None,
        "range": [None, 0.5],
        "rule": "clip(g, 1e-4)\n",
        "flag": True,
    }


def test_jax_numbers_are_accepted(log):
    import jax.numpy as jnp

    log.append({"generation": 4, "loss": jnp.float32(0.5)})
    assert log.rows()[-1]["loss"] == 0.5


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
def test_truncating_drops_what_came_later(after, log):
    log.truncate(after)
    assert [row["generation"] for row in log.rows()] == [1, 2, 3][:after]
    log.append({"generation": after + 1})
    assert log.rows()[-1] == {"generation": after + 1}


def test_a_torn_last_line_is_dropped(log):
    whole = log.path.read_bytes()
    for cut in range(1, 20):
        log.path.write_bytes(whole[:-cut])
        assert [row["generation"] for row in MetricLog(log.path).rows()] == [1, 2]
        log.truncate(after=3)
        assert log.path.read_bytes().endswith(b"\n")
        assert [row["generation"] for row in log.rows()] == [1, 2]


def test_damage_behind_the_checkpoint_is_dropped(log):
    with open(log.path, "ab") as file:
        file.write(b"\0\0\0\n{}\n")
    log.truncate(after=3)
    assert len(log.rows()) == 3


def test_damage_before_the_checkpoint_is_refused(log):
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(lines[0] + b"\0\0\0\n" + lines[2])
    with pytest.raises(
        InvalidInput, match=r"Line 2 of the metric log '.*' is damaged. Remove that"
    ):
        log.truncate(after=3)
    with pytest.raises(InvalidInput, match=r"Line 2"):
        log.rows()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_reported_by_name():
    log = MetricLog(Path("/dev/full"))
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        log.append({"generation": 1})
    log.close()
