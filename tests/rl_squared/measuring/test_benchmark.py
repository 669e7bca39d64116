"""The benchmark: what it returns, that its floor makes the passes of training, and what is refused."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from metarl.errors import InvalidInput
from metarl.rl_squared import NetworkConfig, TrainConfig, WorldConfig, measure_training
from metarl.rl_squared.learning.train_job import TrainJob
from metarl.rl_squared.measuring import benchmark
from metarl.rl_squared.measuring.benchmark import floor_program

TINY = TrainConfig(
    world=WorldConfig(arms=2, episodes=4), network=NetworkConfig(hidden=4), batch_steps=160
)

MDP = dataclasses.replace(
    TINY, world=WorldConfig(environment="mdp", states=2, actions=2, horizon=2, episodes=2)
)


@pytest.mark.slow  # the quick form: the floor makes the products of training
def test_the_figures_are_those_promised_and_agree_with_each_other(monkeypatch):
    monkeypatch.setattr("metarl.rl_squared.measuring.benchmark.CHUNK_STEPS", 320)
    said = []
    found = measure_training(TINY, repeats=3, say=said.append)
    rates = [f"{name}_steps_per_second" for name in ("environment", "rollout", "training", "floor")]
    assert all(found[name] > 0 for name in rates)
    ratio = found["training_steps_per_second"] / found["floor_steps_per_second"]
    assert found["ratio_to_floor"] == pytest.approx(ratio)
    assert found["compile_seconds"] > 0 and found["peak_memory_mb"] > 0
    assert found["devices"] == 2 and found["batch_steps"] % 160 == 0
    assert said[-1] == "round 3 of 3"


def test_training_with_inner_values_is_measured_beside_training_without(monkeypatch):
    """Programs are recorded rather than compiled: of two networks, the second shown what the first is not."""
    trained, acted = [], []
    seconds = {"training": 2.0, "inner_values": 5.0, "inner_values_rollout": 1.0}
    for name, jobs, made in (
        ("_training_program", trained, (None, 0.0)),
        ("_rollout_program", acted, None),
    ):
        monkeypatch.setattr(
            benchmark, name, lambda job, _, jobs=jobs, made=made: (jobs.append(job), made)[1]
        )
    monkeypatch.setattr(
        benchmark, "median_seconds", lambda programs, *_: {n: seconds.get(n, 4.0) for n in programs}
    )
    found = measure_training(MDP, repeats=1, inner_values=True)
    shown = dataclasses.replace(MDP.network, inner_values=True)
    for jobs in (trained, acted):
        assert [job.config.network for job in jobs] == [MDP.network, shown]
    assert found["cost_of_inner_values"] == 2.5
    assert found["training_steps_per_second"] == 2.5 * found["inner_values_steps_per_second"]
    assert "cost_of_inner_values" not in measure_training(MDP, repeats=1)


def matrix_products(program, *arguments) -> int:
    """Returns how many floating-point operations a program makes in matrix products, loops unrolled."""
    return _count(jax.make_jaxpr(program)(*arguments).jaxpr)


def _count(jaxpr) -> int:
    total = 0
    for equation in jaxpr.eqns:
        times = equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
        for value in equation.params.values():
            branches = value if isinstance(value, tuple) else (value,)
            for branch in branches:
                inner = getattr(branch, "jaxpr", branch)
                if hasattr(inner, "eqns"):
                    total += times * _count(inner)
        if equation.primitive.name == "dot_general":
            (contracting, _), _ = equation.params["dimension_numbers"]
            left, result = equation.invars[0].aval, equation.outvars[0].aval
            total += result.size * left.shape[contracting[0]]
    return total


def test_the_floor_makes_the_matrix_products_of_training_and_no_others():
    job = TrainJob(TINY)
    learner = job.init().learner
    training = matrix_products(job.reinforcement_chunk, learner, *job.reinforcement_rows(0, 2))
    program, arguments = floor_program(job, updates=2)
    floor = matrix_products(program, *arguments)
    assert 0.95 * training <= floor <= training  # the norm of a gradient is a product too


@pytest.mark.parametrize(
    ("config", "repeats", "message"),
    [
        (dataclasses.replace(TINY, algorithm="trpo"), 1, "measures PPO"),
        (dataclasses.replace(TINY, seeds=2), 1, "with one seed"),
        (dataclasses.replace(TINY, warm_start="gittins"), 1, "without a warm start"),
        (TINY, 0, "repeats is 0"),
    ],
)
def test_what_is_not_measured_is_refused(config, repeats, message):
    with pytest.raises(InvalidInput, match=message):
        measure_training(config, repeats)


def test_the_floor_of_a_network_that_sees_images_is_given_images():
    world = WorldConfig(environment="maze", size=3, horizon=4, setting=("width=13", "height=13"))
    network = dataclasses.replace(TINY.network, filters=2, beside=2)
    job = TrainJob(dataclasses.replace(TINY, world=world, network=network))
    program, arguments = floor_program(job, updates=2)
    assert arguments[1].seen.pixels.dtype == jnp.uint8
    jax.eval_shape(program, *arguments)


def test_inner_values_are_not_measured_where_there_are_none_or_nothing_else():
    with pytest.raises(InvalidInput, match="needs discrete observations"):
        cartpole = dataclasses.replace(TINY, world=WorldConfig(environment="cartpole"))
        measure_training(cartpole, repeats=1, inner_values=True)
    network = dataclasses.replace(TINY.network, inner_values=True)
    with pytest.raises(InvalidInput, match="has inner values already"):
        measure_training(dataclasses.replace(TINY, network=network), 1, inner_values=True)
