"""What experiments/discogen does without discogen: the file in the slot, the choice of rates, and the table."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from metarl import optimizers

FILE = Path(__file__).parents[2] / "experiments" / "discogen" / "run.py"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="needs a checkout")
RATES = [0.1, 0.2, 0.4]
SETTINGS: dict[str, Any] = {
    "games": ["Breakout"],
    "optimizers": ["discogen", "adam"],
    "steps": 10,
    "rates": {"Breakout": RATES, "Freeway": RATES[:1]},
    "tuning_seeds": [100, 101],
    "seeds": list(range(8)),
    "again": [8, 9],
}


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(FILE))


@pytest.mark.parametrize("name", ["adam", "adam-step-back"])
def test_in_the_slot_is_the_rule_behind_the_clipping_with_its_sign_turned(script, tmp_path, name):
    file = tmp_path / "optim.py"
    file.write_text(script["slot"](name))
    made = runpy.run_path(str(file))["make_optimizer"]({"MAX_GRAD_NORM": 0.5})()
    alone: Any = optax.adam(1.0) if name == "adam" else optimizers.named(name, 1.0)
    params = {"w": jnp.array([[1.0, -2.0], [3.0, 4.0]]), "b": jnp.array([0.5, -0.5])}
    state, alone_state = made.init(params), alone.init(params)
    for scale in (3.0, -0.1, 0.02):
        gradients = {"w": scale * params["w"], "b": scale - params["b"]}
        norm = float(optax.tree.norm(gradients))
        clipped = {key: g * min(1.0, 0.5 / norm) for key, g in gradients.items()}
        updates, state = made.update(gradients, state, params)
        descent, alone_state = alone.update(clipped, alone_state, params)
        for key in params:
            np.testing.assert_allclose(updates[key], -descent[key], rtol=1e-5)


def test_a_rate_is_chosen_on_the_tuning_seeds_alone_and_then_run_on_the_others(script):
    score = {0.1: 3.0, 0.2: 5.0, 0.4: 5.0}
    rows, order = [_row("adam", 0.4, 0, 99.0)], []  # of a seed that is reported: it tells nothing
    while (run := script["next_run"](rows, "Breakout", "adam", SETTINGS)) is not None:
        order.append(run)
        rate, seed = run
        rows.append(_row("adam", rate, seed, score[rate]))
    assert order[:6] == [(rate, seed) for seed in (100, 101) for rate in (0.1, 0.2, 0.4)]
    assert order[6:] == [(0.2, seed) for seed in range(10)]
    assert script["best_rate"](rows, "Breakout", "adam", SETTINGS) == 0.2


def test_who_goes_on_begins_where_it_stopped(script, tmp_path):
    rows = [_row("adam", 0.1, 100, 1.0)]
    assert script["next_run"](rows, "Breakout", "adam", SETTINGS) == (0.2, 100)
    assert script["next_run"](rows, "Freeway", "adam", SETTINGS) == (0.1, 100)
    assert script["read"](tmp_path / "results.json") == []
    script["write"](tmp_path / "results.json", rows)
    assert script["read"](tmp_path / "results.json") == rows


def test_the_table_has_differences_by_seed_and_says_what_lacks(script, capsys):
    rows = [_row("discogen", rate, seed, 10.0 * rate) for rate in RATES for seed in (100, 101)]
    rows += [_row("discogen", 0.4, seed, float(seed)) for seed in range(10)]
    script["say"](rows, SETTINGS)
    assert "| `adam` | not measured whole |" in capsys.readouterr().out
    rows += [_row("adam", rate, seed, 1.0) for rate in RATES for seed in (100, 101)]
    rows += [_row("adam", 0.1, seed, seed + 1.0) for seed in range(10)]
    script["say"](rows, SETTINGS)
    said = capsys.readouterr().out
    assert "| `discogen` | 0.4 (edge) | 3.50 [1.45, 5.55] |  |  | 0.50 [0.50, 0.50] | 2.0 |" in said
    assert "| `adam` | 0.1 (edge) | 4.50 [2.45, 6.55] | 1.00 [1.00, 1.00], better |  |" in said
    assert "again, 10 steps, 2 seeds" in said
    assert "| `adam` | 0.1 (edge) | 9.50 [-inf, inf] | 1.00 [-inf, inf], not clear |" in said
    assert "| `discogen` | 1.00 | 2.00 | 4.00 |" in said


def test_the_numbers_that_are_committed_are_of_the_settings_that_are(script):
    settings = json.loads((FILE.parent / "settings.json").read_text())["full"]
    reported = settings["seeds"] + settings["again"]
    assert not set(reported) & set(settings["tuning_seeds"])
    rows = script["read"](FILE.parent / "results.json")
    for row in rows:
        assert row["rate"] in settings["rates"][row["game"]]
        assert row["seed"] in reported + settings["tuning_seeds"]
    for game in settings["games"]:
        for optimizer in settings["optimizers"]:
            assert script["next_run"](rows, game, optimizer, settings) is None


def _row(optimizer: str, rate: float, seed: int, score: float) -> dict[str, Any]:
    return {
        "game": "Breakout",
        "optimizer": optimizer,
        "rate": rate,
        "seed": seed,
        "return": score,
        "training_return": 0.5,
        "seconds": 2.0,
    }
