"""Where candidates are trained: order, chunks and devices change nothing."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Any

import jax
import numpy as np
import pytest
from few_rules import RULES, WIDTH

from metarl.optimizer_search.judging.candidates import Judgement, Verdicts
from metarl.optimizer_search.judging.evaluators import LocalEvaluator
from metarl.runs import compilation_seconds, compiled_beside


@pytest.fixture(scope="module")
def evaluator(judgements):
    evaluator = LocalEvaluator(judgements, WIDTH)
    yield evaluator
    evaluator.close()


def with_program(judgement: Judgement, program: Any) -> Judgement:
    return dataclasses.replace(judgement, program=program)


def assert_same(one: Verdicts, other: Verdicts, rows=slice(None)):
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(ours, theirs[rows])


def test_all_candidates_are_judged_by_all_judges_in_their_order(evaluator, verdicts, asked):
    assert evaluator.judges == ("one", "two") == tuple(verdicts)
    for name, found in verdicts.items():
        assert found.sweep.shape == (RULES, 2) and found.losses.shape == (RULES, 2), name
        assert found.rate.shape == found.steps.shape == (RULES,)
        chosen = asked[1][np.arange(RULES), np.argmin(found.sweep, axis=1)]
        np.testing.assert_array_equal(found.rate, chosen)
    assert (verdicts["one"].sweep != verdicts["two"].sweep).any()


def test_a_rule_has_the_same_bits_alone_and_among_others(evaluator, verdicts, asked):
    tokens, rates = asked
    for rows in (slice(4, 5), slice(2, 7), slice(None, None, -1)):
        found = evaluator.evaluate(tokens[rows], rates[rows])
        for name in verdicts:
            assert_same(found[name], verdicts[name], rows)


def test_one_device_gives_the_bits_of_two(judgements, verdicts, asked):
    for device in jax.local_devices():
        alone = LocalEvaluator(judgements, WIDTH, [device])
        found = alone.evaluate(*asked)
        alone.close()
        for name in verdicts:
            assert_same(found[name], verdicts[name])


def test_results_come_as_completed_and_each_rule_once(evaluator, verdicts, asked):
    seen = {name: [] for name in verdicts}
    for result in evaluator.as_completed(*asked):
        rows = slice(result.first, result.first + len(result.verdicts.rate))
        assert_same(result.verdicts, verdicts[result.judge], rows)
        seen[result.judge] += list(range(rows.start, rows.stop))
    assert {name: sorted(places) for name, places in seen.items()} == {
        name: list(range(RULES)) for name in verdicts
    }


def test_two_threads_work_on_the_one_device_for_which_the_program_is_compiled(judgements, asked):
    used = set()
    together = threading.Barrier(2)
    judge: Any = jax.jit(lambda data, chunk: judgements["one"].program(data, chunk))

    def spy(data, chunk):
        used.add(next(iter(chunk.tokens.devices())))
        together.wait(timeout=60)  # nobody goes on before both are at work
        return judge(data, chunk)

    evaluator = LocalEvaluator({"spy": with_program(judgements["one"], spy)}, width=RULES // 2)
    evaluator.evaluate(*asked)
    evaluator.close()
    assert used == {jax.local_devices()[0]}
    assert judge._cache_size() == 1


def test_what_an_evaluator_compiles_counts_for_who_waits_for_it(judgements, asked):
    def compiled(number):
        """Returns the seconds that are counted while a program is compiled that nobody has compiled before."""
        judge: Any = jax.jit(
            lambda data, chunk: (number, judgements["one"].program(data, chunk))[1]
        )
        before = compilation_seconds()
        evaluator = LocalEvaluator({"new": with_program(judgements["one"], judge)}, WIDTH)
        evaluator.evaluate(*asked)
        evaluator.close()
        assert judge._cache_size() == 1
        return compilation_seconds() - before

    assert compiled(1) > 0
    with compiled_beside():
        assert compiled(2) == 0


def test_what_is_compiled_ahead_is_not_compiled_again_and_judges_nobody(
    judgements, verdicts, asked
):
    called = []

    def counting(name):
        judge: Any = judgements[name].program

        def program(data, chunk):
            called.append((name, int(np.sum(chunk.active))))
            return judge(data, chunk)

        return program

    programs = {name: with_program(judgements[name], counting(name)) for name in judgements}
    shared = {**programs, "again": programs["one"]}
    evaluator = LocalEvaluator(shared, WIDTH)
    evaluator.prepare()
    tokens, rates = asked
    found = evaluator.evaluate(tokens, rates, ["one"])["one"]
    ends = time.monotonic() + 60
    while not any(name == "two" for name, _ in called) and time.monotonic() < ends:
        time.sleep(0.01)  # a thread of its own compiles it, and closing would stop it
    evaluator.close()
    ahead = [name for name, active in called if active == 0]
    assert sorted(ahead) == ["one", "two"]
    assert_same(found, verdicts["one"])


def test_a_failure_in_a_thread_reaches_the_caller_and_leaves_the_devices_free(judgements, asked):
    broken = True
    judge = judgements["one"].program

    def program(data, chunk):
        if broken:
            raise RuntimeError("out of memory")
        return judge(data, chunk)

    evaluator = LocalEvaluator({"one": with_program(judgements["one"], program)}, WIDTH)
    with pytest.raises(RuntimeError, match="out of memory"):
        evaluator.evaluate(*asked)
    broken = False
    assert evaluator.evaluate(*asked)["one"].rate.shape == (RULES,)
    evaluator.close()
