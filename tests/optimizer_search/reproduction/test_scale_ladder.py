"""The ladder: networks of any width, rates that are carried up, and what is said of the trend."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from metarl import problems
from metarl.errors import InvalidInput
from metarl.optimizer_search.comparing.settings_of_runs import Axes
from metarl.optimizer_search.reproduction.scale_ladder import (
    Rung,
    Settings,
    _before,
    _search_around,
    _slope,
    _trend,
)
from metarl.statistics import iqm

ADAMW: Any = SimpleNamespace(label="adamw")


@pytest.mark.parametrize(
    ("of_width", "width", "name"),
    [
        (problems.wide_transformer, 32, "python-docs-transformer"),
        (problems.wide_residual, 16, "digits-residual"),
    ],
)
def test_one_width_of_a_family_is_the_problem_of_the_suite(of_width, width, name):
    """As programs, to the last operation: no number needs to be computed for that."""
    ours, known = of_width(width), problems.load(name)
    start = jax.eval_shape(known.init, jax.random.key(0))
    batch = jax.tree.map(lambda x: x[:4], known.examples("train"))

    def programs(problem):
        loss = jax.make_jaxpr(problem.loss)(*start, batch, jax.random.key(0))
        return str(jax.make_jaxpr(problem.init)(jax.random.key(0))), str(loss)

    assert programs(ours) == programs(known)
    assert (ours.name, ours.batch_size) == (f"{name}-{width}", known.batch_size)


def test_a_doubled_width_doubles_every_matrix_both_ways():
    (one, _), (other, _) = (
        jax.eval_shape(problems.wide_transformer(width).init, jax.random.key(0))
        for width in (16, 32)
    )
    assert one["blocks"][0]["up"].shape == (16, 32)
    assert other["blocks"][0]["up"].shape == (32, 64)
    assert other["blocks"][0]["look"].shape == (32, 96)


def contest_with_its_best_at(best: float, asked: list[float]) -> Any:
    """Returns what stands for a contest whose loss is the distance of a rate to the best, in decades."""

    def tune(one, runs, device):
        asked.extend(set(runs.rates))
        return np.abs(np.log10(runs.rates / best)) + 0.1 * runs.replicates

    return SimpleNamespace(axes=Axes(("cosine",), (0.0,)), tuning=np.arange(3), tune=tune)


@pytest.mark.parametrize("best", [1e-2, 1e-2 * 10**0.25, 1e-3, 1.1e-1, 10**-0.75])
def test_a_rate_is_found_around_another_and_beyond_the_edge_as_far_as_it_takes(best):
    asked: list[float] = []
    found = _search_around(contest_with_its_best_at(best, asked), {"adamw": 1e-2})(ADAMW, None)
    assert abs(math.log10(found / best)) <= 0.125 + 1e-9
    assert len(asked) == len({round(math.log10(rate), 6) for rate in asked})  # none twice


def test_a_rung_begins_from_the_shorter_run_or_else_from_the_narrower_network():
    settings = Settings(widths=(16, 32), steps=(10, 20))
    assert _before(Rung(16, 10), settings) is None
    assert _before(Rung(16, 20), settings) == Rung(16, 10)
    assert _before(Rung(32, 10), settings) == Rung(16, 10)
    assert _before(Rung(32, 20), settings) == Rung(32, 10)


def test_a_slope_is_that_of_a_fit_by_another_program():
    logs = np.random.default_rng(0).normal(size=(3, 7))
    sizes = (16, 32, 128)
    by_seed = np.polynomial.polynomial.polyfit(np.log2(sizes), logs, 1)[1]
    found = _slope(sizes, logs)
    assert found is not None
    assert math.log(found.estimate) == pytest.approx(iqm(by_seed))
    flat = _slope(sizes, np.tile(0.3 * np.log2(sizes)[:, None], 7))
    assert flat is not None and flat.estimate == pytest.approx(math.exp(0.3))


def test_a_lead_that_halves_is_told_as_such():
    """AdamW's rival has .5, .7, .98 times its loss: every doubled width multiplies that by 1.4."""
    settings = Settings(widths=(16, 32, 64), steps=(10,), rules=(), references=("muon",))
    found = {
        Rung(width, 10): {"losses": np.stack([[np.ones(9), np.full(9, 0.5 * 1.4**place)]] * 2)}
        for place, width in enumerate(settings.widths)
    }
    trend = _trend("muon", 1, found, settings)
    assert trend["a_doubled_width"].estimate == pytest.approx(1.4)
    assert trend["doubled_steps"] is None
    assert trend["lowest"].estimate == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widths": (32, 16)}, "widths must name rising numbers, at least one; received [32, 16]."),
        ({"steps": ()}, "steps must name rising numbers, at least one; received []."),
        ({"tuned_anew": ("lion",)}, "tuned_anew names lion, which is not compared; those are"),
        ({"references": ("adamw",)}, "adamw is what all are measured against; leave it out."),
    ],
)
def test_settings_that_make_no_ladder_are_refused(changes, message):
    with pytest.raises(InvalidInput) as caught:
        Settings(**changes)
    assert message in str(caught.value)


def test_widths_that_no_network_has_are_refused():
    with pytest.raises(InvalidInput, match=r"width is a multiple of 16, one head's; received 24\."):
        problems.wide_transformer(24)
    for of_width in (problems.wide_residual, problems.wide_denoiser):
        with pytest.raises(InvalidInput, match=r"at least 1 channel; received 0\."):
            of_width(0)


def test_a_denoiser_that_sees_no_noise_takes_nothing_off():
    """Then its loss is the noise's variance, which is the unit of its data."""
    problem = problems.wide_denoiser(3)
    params, model_state = problem.init(jax.random.key(0))
    seen = problem.examples("test")
    loss = problem.evaluate(params, model_state, seen)["loss"]
    blind = {**params, "head": 0 * params["head"]}
    of_nothing = problem.evaluate(blind, model_state, seen)["loss"]
    assert of_nothing == pytest.approx(np.mean((seen["inputs"] - seen["targets"]) ** 2), rel=1e-5)
    assert of_nothing == pytest.approx(1.0, abs=0.05) and loss > of_nothing


def test_a_denoiser_has_every_patch_of_both_photographs_once():
    problem = problems.wide_denoiser(1)
    clean = np.concatenate([problem.examples(split)["targets"] for split in problems.SPLITS])
    assert clean.shape == (2 * 26 * 40, 64)  # of 213 x 320 pixels each
    assert len(np.unique(clean, axis=0)) > 0.99 * len(clean)  # but for patches of sky


def test_who_of_a_denoiser_is_a_convolution():
    problem = problems.wide_denoiser(4)
    roles = problems.roles_of_leaves(problem.init(jax.random.key(0))[0], problem.leaf_roles)
    assert roles["stem"] == roles["blocks"][1]["conv0"] == "convolution"
    assert (roles["head"], roles["norm"]["scale"]) == ("output", "vector")
