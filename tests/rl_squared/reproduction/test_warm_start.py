"""What experiments/rl2_table_1/warm_start.py reads in the logs of a warm start, and draws."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

FILE = Path(__file__).parents[3] / "experiments" / "rl2_table_1" / "warm_start.py"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="needs a checkout")


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(FILE))


def run_with(place: Path, lines: list[dict], scores: dict) -> Path:
    place.mkdir()
    (place / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (place / "agent.json").write_text(json.dumps({"scores": scores}))
    return place


def test_reinforcement_goes_on_from_the_best_agent_of_imitation(script, tmp_path):
    taught = [
        {"phase": "imitation", "position": 10, "validation_return": 1.0},
        {"phase": "imitation", "position": 15},
        {"phase": "imitation", "position": 20, "validation_return": 3.0},
        {"phase": "imitation", "position": 30, "validation_return": 2.0},
    ]
    rewarded = [
        {"phase": "ppo", "position": 5, "start_validation_return": 3.0},
        {"phase": "ppo", "position": 9, "validation_return": 3.5},
    ]
    runs = [
        run_with(tmp_path / "a", taught, {"env_steps": 30, "best_at": 20}),
        run_with(tmp_path / "b", rewarded, {"env_steps": 9, "best_at": 0}),
    ]
    told = [
        (row["phase"], row["env_steps"], row["validation_return"]) for row in script["tried"](runs)
    ]
    assert told == [
        ("imitation", 10, 1.0),
        ("imitation", 20, 3.0),
        ("reinforcement", 20, 3.0),
        ("reinforcement", 29, 3.5),
    ]


def test_the_figure_has_the_teacher_beside_both_phases(script):
    rows = [*(script["row"]("imitation", steps, 1.0) for steps in (10, 20))]
    rows += [*(script["row"]("reinforcement", steps, 2.0) for steps in (20, 30))]
    drawn = script["chart"]([*rows, script["row"](script["TEACHER"], None, 3.0, 0.1)]).svg
    assert all(word in drawn for word in ("imitation", "reinforcement", "teacher"))
