"""A contest trains who multiplies by matrices, and judges who is judged elsewhere, as one would by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.comparing.comparison import _tell_guessed
from metarl.optimizer_search.comparing.contest import Contest
from metarl.optimizer_search.comparing.entrants import entered, entrant
from metarl.optimizer_search.comparing.settings_of_runs import Axes, Setting, runs_at, runs_of
from metarl.optimizer_search.training.inner_training import draw_fixture, start, train
from metarl.optimizer_search.training.inner_training import optax_learner as learner_of
from metarl.optimizers import soap
from metarl.optimizers.matrices import MATRIX
from metarl.problems import Problem, load
from metarl.update_rules import to_optax

STEPS, RATE, SEED = 6, 0.1, 5
ROLES = {"inner": "matrix", "last": "matrix", "b": "vector"}


@pytest.fixture(scope="module")
def layered(toy) -> Problem:
    """Returns the toy with three matrices, of which the first is called a table that is looked up."""

    def init(key: jax.Array) -> Any:
        first, inner, last = jax.random.split(key, 3)
        params = {
            "table": jax.random.normal(first, (2, 4)),
            "inner": jax.random.normal(inner, (4, 3)),
            "last": jax.random.normal(last, (3, 1)),
            "b": jnp.zeros(1),
        }
        return params, {"mean": jnp.zeros(2)}

    def flat(params: Any) -> Any:
        return {"w": (params["table"] @ params["inner"] @ params["last"])[:, 0], "b": params["b"]}

    return dataclasses.replace(
        toy,
        name="layered",
        init=init,
        loss=lambda params, *rest: toy.loss(flat(params), *rest),
        evaluate=lambda params, *rest: toy.evaluate(flat(params), *rest),
        leaf_roles=ROLES,
    )


def by_hand(problem: Problem, transform: Any, evaluation: Any = None) -> float:
    """Returns the test loss of one run after its last step, at what `evaluation` says."""
    fixture, layout = draw_fixture(problem, "test", [SEED])
    learner = learner_of(transform)

    @jax.jit
    def final() -> jax.Array:
        place = (problem, layout, learner, fixture, jnp.int32(0))
        run = train(*place, start(learner, fixture, jnp.int32(0)), jnp.int32(STEPS))
        params = run.packed if evaluation is None else evaluation(run.memory, run.packed)
        return problem.evaluate(params, run.model_state, fixture.held)["loss"]

    return float(final())


def in_contest(problem: Problem, label: str, axes: Axes | None = None) -> np.ndarray:
    """Returns the test losses along the run in a contest."""
    axes = axes or Axes()
    contest = Contest(problem, STEPS, [1], [SEED], points=2, axes=axes)
    setting = Setting(RATE, axes.schedules[-1], axes.weight_decays[-1])
    runs = runs_of(setting, axes, contest.report)
    return contest.measure(entrant(label), runs, jax.local_devices()[0]).losses[0]


def test_muon_and_soap_act_on_what_the_problem_calls_matrices(layered):
    numbers: Any = {"table": None, "inner": MATRIX, "last": MATRIX, "b": None}
    muon = optax.contrib.muon(RATE, muon_weight_dimension_numbers=numbers, consistent_rms=0.2)
    assert in_contest(layered, "muon")[-1] == pytest.approx(by_hand(layered, muon), rel=1e-4)
    expected = by_hand(layered, soap(RATE, weight_dimension_numbers=numbers))
    assert in_contest(layered, "soap")[-1] == pytest.approx(expected, rel=1e-3)
    assert expected != pytest.approx(by_hand(layered, soap(RATE)), rel=1e-2)


def test_a_rule_by_roles_takes_for_matrices_what_the_problem_calls_so(layered):
    whole = {**ROLES, "table": "embedding"}  # what is not given is guessed
    field = entered([entrant("ortho(m)")], ("shapes", "roles"))
    contest = Contest(layered, STEPS, [1], [SEED], points=2)
    found = [
        contest.measure(
            one, runs_of(Setting(RATE), contest.axes, contest.report), jax.local_devices()[0]
        ).losses[0, -1]
        for one in field
    ]
    expected = [
        by_hand(layered, to_optax("ortho(m)", RATE, roles=roles)) for roles in (None, whole)
    ]
    assert found == pytest.approx(expected, rel=1e-4)
    assert found[0] != pytest.approx(found[1], rel=1e-3)


@pytest.mark.parametrize(
    ("label", "extra", "transform"),
    [
        ("momentum", 1, optax.sgd(RATE, momentum=0.95)),
        ("lion", 2, optax.lion(RATE, b2=0.95)),
        ("g + m", 2, to_optax("g + m", RATE, b1=0.8)),
    ],
)
def test_an_extra_setting_is_the_optimizers_own_and_one_program_serves_all(
    toy, label, extra, transform
):
    axes = Axes(extra_points=3)
    contest, device = Contest(toy, STEPS, [1], [SEED], points=2, axes=axes), jax.local_devices()[0]
    one = entrant(label)
    contest.tune(one, runs_of(Setting(0.3), axes, contest.tuning), device)
    settings = [Setting(RATE), Setting(RATE, extra=extra)]
    plain, changed = contest.measure(one, runs_at(settings, axes, contest.report), device).losses
    contest.seconds_per_step(one, runs_of(settings[0], axes, contest.report), device)
    program: Any = contest._program(one, device)
    assert program._cache_size() == 1
    assert changed[-1] == pytest.approx(by_hand(toy, transform), rel=1e-4)
    assert plain[-1] != pytest.approx(changed[-1], rel=1e-4)


def test_it_is_said_which_roles_are_guessed(layered, toy):
    def said(problem: Problem, *labels: str) -> list[str]:
        lines: list[str] = []
        contest = Contest(problem, STEPS, [1], [SEED])
        _tell_guessed(contest, [told.get(x) or entrant(x) for x in labels], lines.append)
        return lines

    told = {one.label: one for one in entered([entrant("ortho(m)")], ("roles",))}

    assert said(layered, "adam", "soap", "muon") == [
        "layered: guessed for soap and muon by names and shapes is leaf_roles={'table': 'embedding'}; the problem may "
        "say it itself."
    ]
    assert said(layered, "ortho(m) by roles", "ortho(m)")[0].startswith(
        "layered: guessed for ortho(m) by roles by names and shapes is leaf_roles={'table': 'embedding'}"
    )
    assert said(layered, "adam") == said(load("digits-mlp"), "soap") == []


def test_schedule_free_is_judged_at_its_average_also_beside_a_decay(toy):
    transform = optax.contrib.schedule_free_adamw(RATE)
    at_average = by_hand(toy, transform, optax.contrib.schedule_free_eval_params)
    assert at_average != pytest.approx(by_hand(toy, transform), rel=1e-3)
    assert in_contest(toy, "schedule-free-adamw")[-1] == pytest.approx(at_average, rel=1e-4)
    axes = Axes(("constant",), (0.1, 0.0))
    beside = in_contest(toy, "schedule-free-adamw", axes)[-1]
    assert beside == pytest.approx(at_average, rel=1e-4)
    rising = Axes(("cosine",), (0.0,))  # of so few steps the warm-up is one: the rate stays
    assert in_contest(toy, "schedule-free-adamw", rising)[-1] == pytest.approx(at_average, rel=1e-4)


def test_a_users_pair_is_judged_where_it_says(toy):
    losses = in_contest(toy, "own_optimizers:judged_at_zero")
    np.testing.assert_allclose(losses, np.log(2.0), rtol=1e-5)  # of a logistic regression at zero


def test_what_is_judged_must_look_like_the_parameters(toy):
    with pytest.raises(InvalidInput, match="parameters of the same structure and shapes"):
        in_contest(toy, "own_optimizers:misjudged")
