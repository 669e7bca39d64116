"""Scaling: what is measured, how it is summed up, and what is refused."""

from __future__ import annotations

import csv
import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from metarl.cli import main
from metarl.errors import InvalidInput
from metarl.policy_gradient import PPOConfig
from metarl.rl_squared import (
    NetworkConfig,
    TrainConfig,
    WorldConfig,
    measure_scaling,
    scaling_table,
    write_scaling,
)
from metarl.rl_squared.measuring.scaling import STRONG, WEAK, _Case, _points

TINY = TrainConfig(
    world=WorldConfig(arms=2, episodes=3),
    network=NetworkConfig(hidden=4),
    batch_steps=48,
    ppo=PPOConfig(epochs=2, minibatches=2),
)


def points(kind: str, document: dict[str, Any]) -> list[dict[str, Any]]:
    return [point for point in document["points"] if point["scaling"] == kind]


@pytest.fixture
def document() -> dict[str, Any]:
    """As if measured: two devices take 0.6 of the time for the same, and 1.25 for twice as much."""
    job = lambda trials: SimpleNamespace(trials=trials, trial=SimpleNamespace(length=10))  # noqa: E731
    one, strong, weak = _Case(STRONG, 1), _Case(STRONG, 2), _Case(WEAK, 2)
    jobs: Any = {one: job(8), strong: job(8), weak: job(16)}
    seconds = {one: 1.0, strong: 0.6, weak: 1.25, _Case("sums", 2): 0.3}
    learnt = {one: np.array([3.0, 4.0]), strong: np.array([3.0, 4.5])}
    return {
        "points": _points(jobs, seconds, learnt, {"w": np.zeros(2)}),
        "platform": "cpu",
        "cores": 2,
        "environment": {"name": "bandit", "trial_steps": 10},
        "network": "gru-4, separate value",
        "updates": 1,
        "parameters": 2,
        "gradient_bytes": 8,
        "sums_per_update": 4,
    }


def test_speed_is_told_over_that_of_one_device(document):
    strong, weak = points(STRONG, document), points(WEAK, document)
    assert [point["devices"] for point in strong] == [point["devices"] for point in weak] == [1, 2]
    assert [point["batch_steps"] for point in strong + weak] == [80, 80, 80, 160]
    np.testing.assert_allclose([p["speedup"] for p in strong], [1, 1 / 0.6])
    np.testing.assert_allclose([p["efficiency"] for p in weak], [1, 1 / 1.25])
    np.testing.assert_allclose([p["communication_share"] for p in strong], [0, 0.5])
    np.testing.assert_allclose([p["communication_share"] for p in weak], [0, 0.24])
    np.testing.assert_allclose([p["difference"] for p in strong], [0, 0.1])


def test_document_table_and_figure_are_written(document, tmp_path):
    paths = write_scaling(tmp_path / "new", document)
    assert {path.name for path in paths} == {f"scaling.{e}" for e in ("json", "csv", "svg", "png")}
    with open(tmp_path / "new/scaling.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["scaling"], row["devices"]) for row in rows] == [
        *((STRONG, "1"), (STRONG, "2"), (WEAK, "1"), (WEAK, "2")),
    ]
    assert "4 sums of 8 bytes an update" in scaling_table(document).notes[0]


@pytest.mark.slow
def test_what_is_measured_agrees_with_itself_and_two_devices_learn_what_one_learns():
    said = []
    found = measure_scaling(TINY, [2], updates=2, repeats=2, say=said.append)
    assert found["sums_per_update"] == 4 and found["gradient_bytes"] == 4 * found["parameters"]
    for kind, batches in ((STRONG, [48, 48]), (WEAK, [48, 96])):
        one, two = points(kind, found)
        assert [one["batch_steps"], two["batch_steps"]] == batches
        assert one["speedup"] == one["efficiency"] == 1 and one["communication_share"] == 0
        assert two["speedup"] == pytest.approx(two["steps_per_second"] / one["steps_per_second"])
        assert two["seconds"] * two["steps_per_second"] == pytest.approx(two["batch_steps"])
        assert two["communication_share"] > 0
    assert points(STRONG, found)[1]["difference"] < 1e-4
    assert said[-1] == "round 2 of 2"


@pytest.mark.parametrize(
    ("config", "devices", "message"),
    [
        (dataclasses.replace(TINY, algorithm="trpo"), [1], "Scaling is measured of PPO"),
        (dataclasses.replace(TINY, seeds=2), [1], "with one seed"),
        (TINY, [0], "A number of devices is 0; it must be at least 1"),
        (TINY, [99], "99 devices are to be measured, and 2 are present"),
    ],
)
def test_what_cannot_be_measured_is_refused(config, devices, message):
    with pytest.raises(InvalidInput, match=message):
        measure_scaling(config, devices)


@pytest.mark.parametrize("text", ["0", "2,x", "1,,2", "9999"])
def test_devices_are_numbers_with_commas_between(text, capsys):
    assert main(["bench", "scaling", "--devices", text]) == 2
    assert f"--devices takes numbers from 1 to 512 with commas between, not {text!r}" in (
        capsys.readouterr().err
    )
