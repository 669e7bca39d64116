"""Optimizers that share a program do what each does in its own, and the program is compiled once."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.optimizer_search.comparing.comparison import compare
from metarl.optimizer_search.comparing.contest import Contest
from metarl.optimizer_search.comparing.entrants import entrant
from metarl.optimizer_search.comparing.settings_of_runs import Axes, Setting, runs_at
from metarl.optimizer_search.comparing.together import one_of
from metarl.optimizer_search.settings.compare_config import CompareConfig
from metarl.optimizer_search.training.inner_training import Learner

STEPS = 6
# no state, two arrays a parameter, an average that is judged, a rule that draws
LABELS = ("sgd", "adam", "schedule-free-adamw", "g + drop(m, 0.5)")
AXES = Axes(("constant", "cosine"))
SETTINGS = [Setting(0.1), Setting(0.03, "cosine")]
SMALL = CompareConfig(
    problem=("toy_problem:logistic",),
    references=(),
    horizons=(),
    time_compilation=False,
    schedules=("constant",),
    seeds=8,
    tuning_seeds=1,
)

_heard: Counter[str] | None = None


def _note(event: str, duration_secs: float, **kwargs: Any) -> None:
    if _heard is not None and event == "/jax/core/compile/jaxpr_to_mlir_module_duration":
        _heard[str(kwargs.get("fun_name"))] += 1


@pytest.fixture(scope="module")
def _listening() -> None:
    jax.monitoring.register_event_duration_secs_listener(_note)


@pytest.fixture
def lowered(_listening) -> Iterator[Counter[str]]:
    """Counts by name the functions that jax makes programs of."""
    global _heard
    _heard = Counter()
    yield _heard
    _heard = None


def test_who_shares_a_program_does_what_he_does_in_his_own(toy):
    field, device = [entrant(label) for label in LABELS], jax.local_devices()[0]
    place = (toy, STEPS, [1, 2], [5, 6, 7])
    apart, together = (Contest(*place, points=2, axes=AXES) for _ in range(2))
    together.share(field[:2])
    together.share(field)  # the other two share another
    for one in field:
        runs = runs_at(SETTINGS, AXES, apart.report)
        expected, found = (contest.measure(one, runs, device) for contest in (apart, together))
        np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-6, err_msg=one.label)
        np.testing.assert_array_equal(found.metrics, expected.metrics, err_msg=one.label)
    different = [together.measure(one, runs, device).losses[0, -1] for one in field]
    assert len(set(different)) == len(LABELS)


def test_networks_of_coarser_numbers_share_a_program_too(toy):
    """Schedule-Free judges a float32 average there, and its state becomes float32."""

    def init(key):
        params, model_state = toy.init(key)
        return jax.tree.map(lambda x: x.astype(jnp.bfloat16), params), model_state

    contest = Contest(dataclasses.replace(toy, init=init), STEPS, [1], [5], points=2)
    field = [entrant(label) for label in ("sgd", "schedule-free-adamw")]
    one = runs_at(SETTINGS[:1], AXES, contest.tuning)
    stops, which = np.zeros((1, 2), np.int32), np.zeros(1, np.int32)
    fixture = contest._fixtures[contest.devices[0]]
    params, _, _ = jax.eval_shape(contest._training(field), fixture, one, stops, which)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype(jnp.bfloat16)}


def test_states_of_other_shapes_and_types_share_a_place():
    def counting(kind: Any, by: float) -> Learner:
        same = lambda tree: tree  # noqa: E731
        blank = {"count": jnp.zeros((), kind), "last": jnp.zeros(2)}

        def step(memory: Any, packed: Any, grads: Any, t: jax.Array) -> tuple[Any, Any]:
            taken = {"count": (memory["count"] + 1).astype(kind), "last": packed}
            return packed - by * grads - taken["count"].astype(jnp.float32) * 1.0, taken

        return Learner(same, same, lambda packed: blank, step, lambda memory, p: memory["last"])

    none = Learner(lambda x: x, lambda x: x, lambda p: (), lambda m, p, g, t: (p - g, m))
    learners = [counting(jnp.int32, 2.0), none, counting(jnp.float32, 3.0)]

    @jax.jit
    def two_steps(which: jax.Array) -> tuple[Any, Any]:
        learner = one_of(learners, which, jnp.zeros(2))
        memory, packed = learner.init(jnp.zeros(2)), jnp.zeros(2)
        for t in range(2):
            packed, memory = learner.step(memory, packed, jnp.ones(2), jnp.int32(t))
        return packed, learner.judged(memory, packed)

    for which, (end, judged) in enumerate([(-7.0, -3.0), (-2.0, -2.0), (-9.0, -4.0)]):
        found = two_steps(jnp.int32(which))
        np.testing.assert_array_equal(found, [[end] * 2, [judged] * 2])


def test_a_comparison_compiles_as_many_programs_for_many_optimizers_as_for_two(lowered):
    def programs(*labels: str) -> int:
        lowered.clear()
        compare([entrant(label) for label in labels], SMALL, together=True)
        return sum(times for name, times in lowered.items() if "program" in name)

    # one that trains, and two that judge, on "search" and on "test"
    assert programs("sgd") == programs("sgd", "nesterov", "lion", "g + m") == 3


def test_its_numbers_are_those_of_the_comparison_with_a_program_for_each():
    config = dataclasses.replace(SMALL, seeds=9)
    apart, together = (compare([entrant("sgd")], config, together=x) for x in (False, True))
    for label in ("sgd", "adam"):
        one, other = (found.problems["toy"].entries[label] for found in (apart, together))
        assert one.learning_rate == other.learning_rate
        np.testing.assert_allclose(other.curves, one.curves, rtol=1e-5)
