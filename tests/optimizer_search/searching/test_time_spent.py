"""What a search spends its time on: the strategy's share is told; the first generation and compiling do not count."""

from __future__ import annotations

import time
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from metarl.optimizer_search.searching import time_spent
from metarl.optimizer_search.searching.time_spent import TimeSpent, time_text


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only when it is told to, `now`, and what of it was compiling, `compiled`."""
    clock = SimpleNamespace(now=0.0, compiled=0.0)
    monkeypatch.setattr(time_spent, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


@pytest.fixture
def spent(clock) -> TimeSpent:
    """What was spent by this clock."""
    return TimeSpent(compiling=lambda: clock.compiled)


def takes(clock, seconds, compiling=0.0):
    clock.now += seconds
    clock.compiled += compiling


def spend(clock, spent, strategy, training, rest):
    with spent.generation():
        with spent.part("strategy"):
            takes(clock, strategy)
        with spent.part("training"):
            takes(clock, training)
        takes(clock, rest)


def test_the_first_generation_which_compiles_is_left_out(clock, spent):
    spend(clock, spent, 20.0, 0.0, 0.0)
    assert spent.to_json() == {}
    spend(clock, spent, 2.0, 6.0, 2.0)
    spend(clock, spent, 2.0, 6.0, 2.0)
    found = spent.to_json()
    assert found["strategy_seconds_a_generation"] == pytest.approx(2.0)
    assert found["share_outside_training"] == pytest.approx(0.4)


def test_what_later_generations_compile_is_left_out_of_every_part(clock, spent):
    with spent.generation():
        takes(clock, 9.0, compiling=8.0)
    for _ in range(2):
        with spent.generation():
            with spent.part("strategy"):
                takes(clock, 5.0, compiling=4.0)
            with spent.part("training"):
                takes(clock, 6.0, compiling=3.0)
            takes(clock, 2.0, compiling=1.0)
    found = spent.to_json()
    assert found["strategy_seconds_a_generation"] == pytest.approx(1.0)
    assert found["share_outside_training"] == pytest.approx(2 / 5)  # of 1, 3 and 1 seconds


def test_what_jax_compiles_is_known():
    spent = TimeSpent()
    with spent.generation():
        pass
    began = time.perf_counter()
    with spent.generation(), spent.part("strategy"):
        jax.jit(lambda x: jnp.linalg.qr(jnp.sin(x @ x))[0])(jnp.ones((7, 7))).block_until_ready()
    took = time.perf_counter() - began
    assert spent.to_json()["strategy_seconds_a_generation"] < 0.5 * took


def test_each_generation_after_the_first_is_told_by_its_parts(clock, spent):
    for _ in range(3):
        spend(clock, spent, 2.0, 4.0, 1.0)
    assert list(spent.generations) == [
        {"strategy": 2.0, "sorting": 0.0, "training": 4.0, "whole": 7.0} for _ in range(2)
    ]


def test_what_it_cost_is_said_in_words():
    text = time_text({"strategy_seconds_a_generation": 0.0312, "share_outside_training": 0.047})
    assert text == (
        "beside training the strategy took 0.031 s a generation; 4.7% of the search was not training"
    )
